"""QuestionnaireResponse: how each patient last answered PRAPARE, and what that says about the patient's life.

PRAPARE is the one questionnaire of which Records have every answer; of the others they have the score. Each time it
is asked it is an Observation with components; the last time, the answers stand here as well, and four of them as
observations of their own, derived from it: education, size of the household, refugee status, address.
"""

import numpy as np
from fhir.resources.R4B.coding import Coding
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse, QuestionnaireResponseItem
from numpy.typing import NDArray

from fhir_export.care import practitioners
from fhir_export.concepts import checked, coding_content, concept, members, unit_members
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.shares import CANONICAL_FORM, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import ucum_code

RESPONSES, ANSWERS, FACTS = "questionnaire responses", "answers", "social facts"

_RESPONSE_XOR = 0x3F84D5B5B5470917
_ANSWER_XOR = 0x9216D5D98979FB1B
_FACT_XOR = 0xD1310BA698DFB5AC
_PRAPARE = "93025-5"
_TITLE = "Protocol for Responding to and Assessing Patients' Assets, Risks, and Experiences [PRAPARE]"
_DISPLAY = "http://hl7.org/fhir/StructureDefinition/display"
_URI = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-extension-questionnaire-uri"
_HOUSING, _LOSING_HOUSING = "71802-3", "93033-9"  # the second question is asked under the first
_MONEY = ("82589-3", "67875-5", "76437-3", "63586-2")  # the group "money and resources" of the form
_YES, _NO = "LA33-6", "LA32-8"
_CODED, _DECIMAL, _STRING, _N_ANSWERS = range(4)
_CONCEPT, _QUANTITY, _TEXT, _TRUE, _FALSE, _N_FACTS = range(6)
_FACT_OF = {"82589-3": _CODED, "63512-8": _DECIMAL, "93027-1": _CODED, "56799-0": _STRING}
_REFUGEE = "93027-1"
_CATEGORY = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "social-history",
    "display": "Social History",
}

_TIME, _ENCOUNTER, _AUTHOR, _ITEMS, _N_ITEMS, _ON_MONEY, _N_ON_MONEY, _WIDTH = range(2, 10)
_LINK, _VALUE, _DECIMALS, _NESTED, _N_NESTED, _ANSWER_WIDTH = range(2, 8)
(_F_TIME, _F_ENCOUNTER, _F_CODE, _F_VALUE, _F_DECIMALS, _F_UNIT, _F_SOURCE, _F_PERFORMER, _FACT_WIDTH) = range(2, 11)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-questionnaireresponse"),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"},
        "status": "completed",
        "subject": slot.reference("Patient", PATIENT),
        "authored": slot.date_time(_TIME),
        "author": slot.reference("Practitioner", _AUTHOR),
        "source": slot.reference("Patient", PATIENT),
        "item": [],
    }
    if shape["items"]:
        content["item"].append(slot.listed(_ITEMS, linkId="any"))
    if shape["money"]:
        money = {"linkId": "money", "text": "Money and resources", "item": [slot.listed(_ON_MONEY, linkId="any")]}
        content["item"].append(money)
    if not content["item"]:
        del content["item"]
    if shape["canonical"] or not slot.has_us_core:
        content["questionnaire"] = f"http://loinc.org/q/{_PRAPARE}"
    if slot.has_us_core:
        about = [{"url": _DISPLAY, "valueString": _TITLE}, {"url": _URI, "valueUri": f"https://loinc.org/{_PRAPARE}"}]
        content["_questionnaire"] = {"extension": about}
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    return content


FAMILY = Family(
    "QuestionnaireResponse", QuestionnaireResponse, ShapeSpace(encounter=2, canonical=2, items=2, money=2), _build
)


def _build_answer(shape: Shape, slot: Slots) -> Json:
    answer: Json = {}
    if shape["kind"] == _CODED:
        answer["valueCoding"] = slot.element(_VALUE)
    elif shape["kind"] == _DECIMAL:
        answer["valueDecimal"] = slot.decimal(_VALUE)
    elif shape["kind"] == _STRING:
        answer["valueString"] = slot.local_text(_VALUE)
    if shape["nested"]:
        answer["item"] = [slot.listed(_NESTED, linkId="any")]
    return {"linkId": slot.members(_LINK), "answer": [answer]}


ANSWER = Family(
    "QuestionnaireResponse.item",
    QuestionnaireResponseItem,
    ShapeSpace(kind=_N_ANSWERS, nested=2),
    _build_answer,
    is_resource=False,
)


def _build_fact(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-simple-observation"),
        "status": "final",
        "category": [{"coding": [_CATEGORY]}],
        "code": slot.element(_F_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_F_TIME),
        "issued": slot.date_time(_F_TIME),
        "performer": [slot.reference("Practitioner", _F_PERFORMER)],
        "derivedFrom": [slot.reference("QuestionnaireResponse", _F_SOURCE)],
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _F_ENCOUNTER)
    if shape["kind"] == _CONCEPT:
        content["valueCodeableConcept"] = slot.element(_F_VALUE)
    elif shape["kind"] == _QUANTITY:
        content["valueQuantity"] = {"value": slot.decimal(_F_VALUE), "unit": slot.members(_F_UNIT)}
    elif shape["kind"] == _TEXT:
        content["valueString"] = slot.local_text(_F_VALUE)
    else:
        content["valueBoolean"] = shape["kind"] == _TRUE
    return content


FACT = Family("Observation", Observation, ShapeSpace(encounter=2, kind=_N_FACTS), _build_fact)


def question(code: str | None, wording: str | None) -> bytes:
    """The members of an item that say what was asked."""
    return members(QuestionnaireResponseItem, {"linkId": code or "", "text": wording or code or ""})


def answer(system: str | None, code: str | None) -> bytes:
    """The Coding of an answer."""
    return checked(Coding, coding_content(system, code))


def _is_code(shard: Shard, *codes: str) -> NDArray[np.bool_]:
    encoded = shard.columns("observations").text("code")
    return np.asarray(np.array([value in codes for value in encoded.values])[encoded.indices])


def _kinds(shard: Shard) -> Integers:
    """The kind of answer that every observation would be; NONE: none."""
    columns = shard.columns("observations")
    numbers, has_number = columns.numbers("numeric_value")
    texts = columns.text("text_value")
    has_text = np.array([bool(value) for value in texts.values])[texts.indices]
    kinds = np.where(has_number & np.isfinite(numbers), _DECIMAL, np.where(has_text, _STRING, NONE))
    return np.where(~columns.text("value_code").is_null, _CODED, kinds)


def _plan(shard: Shard) -> None:
    """Adds a response for the last panel of each patient, its answers, and the facts.

    `lookups["answered"]` has the response that each panel was derived from, NONE for all other observations.
    """
    observations, columns = shard.sections["observations"], shard.columns("observations")
    panels = np.flatnonzero(_is_code(shard, _PRAPARE) & columns.flags("is_panel"))
    last = np.append(np.diff(observations.patient[panels]) != 0, np.ones(1, np.bool_))[: len(panels)]
    latest = panels[last]
    keys = observations.keys[latest] ^ np.uint64(_RESPONSE_XOR)
    section = shard.add(
        RESPONSES, "QuestionnaireResponse", _WIDTH, shard.patient_ids[observations.patient[latest]], keys
    )
    answered = np.full(observations.n_rows + 1, NONE, np.int64)
    answered[latest] = section.rows
    parents = shard.require(observations, "panel_key", "observations")
    of_part = answered[np.where(parents == NONE, NONE, parents - observations.base)]
    kinds = _kinds(shard)
    parts = np.flatnonzero((of_part != NONE) & (kinds != NONE))
    owners = shard.patient_ids[observations.patient[parts]]
    shard.add(ANSWERS, None, _ANSWER_WIDTH, owners, observations.keys[parts] ^ np.uint64(_ANSWER_XOR))
    facts = parts[_is_fact(shard, kinds)[parts]]
    owners = shard.patient_ids[observations.patient[facts]]
    shard.add(FACTS, "Observation", _FACT_WIDTH, owners, observations.keys[facts] ^ np.uint64(_FACT_XOR))
    shard.lookups |= {
        "answered": answered[:-1], "response panel": latest, "answer part": parts, "answer response": of_part[parts],
        "answer kind": kinds, "fact part": facts, "fact response": of_part[facts],
    }  # fmt: skip


def _is_fact(shard: Shard, kinds: Integers) -> NDArray[np.bool_]:
    """Which answers stand alone as well."""
    encoded = shard.columns("observations").text("code")
    found = np.zeros(len(kinds), np.bool_)
    for code, kind in _FACT_OF.items():
        found |= np.array([value == code for value in encoded.values])[encoded.indices] & (kinds == kind)
    values = shard.columns("observations").text("value_code")
    is_clear = np.array([value in {_YES, _NO} for value in values.values])[values.indices]
    units = shard.columns("observations").text("unit")
    has_unit = np.array([ucum_code(unit) is not None for unit in units.values])[units.indices]
    return np.asarray(found & (is_clear | ~_is_code(shard, _REFUGEE)) & (has_unit | (kinds != _DECIMAL)))


def _fill(shard: Shard) -> None:
    section, panels = shard.sections[RESPONSES], shard.lookups["response panel"]
    columns, cells = shard.columns("observations"), section.cells
    observations = shard.sections["observations"]
    encounters = shard.require(observations, "encounter_key", "encounters")
    cells[:, _TIME] = columns.times("time")[panels]
    cells[:, _ENCOUNTER] = encounters[panels]
    cells[:, _AUTHOR] = practitioners(shard, section, cells[:, _ENCOUNTER])
    _fill_answers(shard, section)
    shard.set_templates(
        section,
        FAMILY,
        encounter=cells[:, _ENCOUNTER] != NONE,
        canonical=chosen(shard, section, CANONICAL_FORM),
        items=cells[:, _N_ITEMS] > 0,
        money=cells[:, _N_ON_MONEY] > 0,
    )
    _fill_facts(shard, encounters)


def _put_values(shard: Shard, section: Section, rows: Integers, column: int, coded: Integers) -> None:
    """Fills the cells of values: a text of codes, a number, a text of the shard."""
    columns, kinds = shard.columns("observations"), shard.lookups["answer kind"][rows]
    numbers, _ = columns.numbers("numeric_value")
    shard.put_decimals(section, column, np.where(kinds == _DECIMAL, numbers[rows], 0.0))
    cells = section.cells
    cells[kinds == _CODED, column] = coded[rows][kinds == _CODED]
    said = shard.columns("observations").text("text_value")
    texts = np.full(len(said.values), NONE, np.int64)
    for index in np.unique(said.indices[rows[kinds == _STRING]]).tolist():
        texts[index] = shard.add_local(said.values[index] or "")
    cells[kinds == _STRING, column] = texts[said.indices[rows]][kinds == _STRING]


def _fill_answers(shard: Shard, responses: Section) -> None:
    section, parts = shard.sections[ANSWERS], shard.lookups["answer part"]
    cells, kinds = section.cells, shard.lookups["answer kind"]
    wanted = np.zeros(len(kinds), np.bool_)
    wanted[parts] = True
    cells[:, _LINK] = shard.codes("observations", ["code", "display"], question, where=wanted)[parts]
    is_coded = wanted & (kinds == _CODED)
    coded = shard.codes("observations", ["value_system", "value_code"], answer, where=is_coded)
    _put_values(shard, section, parts, _VALUE, coded)
    of_response = shard.lookups["answer response"]
    above = np.full(responses.n_rows + 1, NONE, np.int64)
    housing = _is_code(shard, _HOUSING)[parts]
    above[of_response[housing] - responses.base] = section.rows[housing]
    under = np.where(_is_code(shard, _LOSING_HOUSING)[parts], above[of_response - responses.base], NONE)
    cells[:, _NESTED], cells[:, _N_NESTED] = shard.add_children(under, section.rows, section)
    top = np.where(under == NONE, of_response, NONE)
    on_money = _is_code(shard, *_MONEY)[parts]
    for column, where in ((_ITEMS, ~on_money), (_ON_MONEY, on_money)):
        children = shard.add_children(np.where(where, top, NONE), section.rows, responses)
        responses.cells[:, column], responses.cells[:, column + 1] = children
    shard.set_templates(section, ANSWER, kind=kinds[parts], nested=cells[:, _N_NESTED] > 0)


def _fill_facts(shard: Shard, encounters: Integers) -> None:
    section, facts = shard.sections[FACTS], shard.lookups["fact part"]
    columns, cells, kinds = shard.columns("observations"), section.cells, shard.lookups["answer kind"]
    wanted = np.zeros(len(kinds), np.bool_)
    wanted[facts] = True
    cells[:, _F_TIME] = columns.times("time")[facts]
    cells[:, _F_ENCOUNTER] = encounters[facts]
    cells[:, _F_CODE] = shard.codes("observations", ["system", "code", "display"], concept, where=wanted)[facts]
    is_coded = wanted & (kinds == _CODED)
    coded = shard.codes("observations", ["value_system", "value_code", "value_display"], concept, where=is_coded)
    _put_values(shard, section, facts, _F_VALUE, coded)
    is_counted = wanted & (kinds == _DECIMAL)
    cells[:, _F_UNIT] = shard.codes("observations", ["unit"], unit_members, where=is_counted)[facts]
    cells[:, _F_SOURCE] = shard.lookups["fact response"]
    cells[:, _F_PERFORMER] = practitioners(shard, section, cells[:, _F_ENCOUNTER])
    answers = columns.text("value_code")
    says_yes = np.array([value == _YES for value in answers.values])[answers.indices][facts]
    values = np.choose(kinds[facts], (_CONCEPT, _QUANTITY, _TEXT))
    values = np.where(_is_code(shard, _REFUGEE)[facts], np.where(says_yes, _TRUE, _FALSE), values)
    shard.set_templates(section, FACT, encounter=cells[:, _F_ENCOUNTER] != NONE, kind=values)


KIND = Kind("QuestionnaireResponse", RESPONSES, _WIDTH, _fill, _plan)
