"""Observation: one resource a row of `observations`, but rows of a panel become its components.

The parts of a few questionnaires (`_MEMBERED`) stand alone, as members of the panel.
"""

from collections.abc import Collection
from functools import partial

import numpy as np
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.observation import Observation, ObservationComponent
from fhir.resources.R4B.reference import Reference
from numpy.typing import NDArray

from fhir_export.care import practitioners
from fhir_export.columns import combined
from fhir_export.concepts import checked, coded, concept, unit_members
from fhir_export.observation_profiles import DIASTOLIC, NAMES, NO_PROFILE, SYSTOLIC, profile_of
from fhir_export.reference_ranges import (
    ADULT_YEARS,
    FEMALE,
    HIGH,
    LOW,
    MALE,
    NORMAL,
    is_of_all_ages,
    men_reference_range,
    range_of,
    women_reference_range,
)
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.shares import NO_OXYGEN_READ, ROOM_AIR, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import LOINC, UCUM, ucum_code

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORIES = {
    "activity": "Activity",
    "exam": "Exam",
    "imaging": "Imaging",
    "laboratory": "Laboratory",
    "procedure": "Procedure",
    "social-history": "Social History",
    "survey": "Survey",
    "therapy": "Therapy",
    "vital-signs": "Vital Signs",
}

_SCREENINGS = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
_SCREENING_CATEGORIES = {"sdoh": "SDOH", "cognitive-status": "Cognitive Status"}
# Questionnaires whose result says how somebody lives, or thinks, by LOINC code.
_SCREENED = {"93025-5": "sdoh", "76504-0": "sdoh", "71802-3": "sdoh", "28245-9": "sdoh", "72106-8": "cognitive-status"}
_MEMBERED = frozenset({"91148-7"})  # PEG: three questions about pain, each a score of its own
_DERIVED_FROM = {"59461-4": "59460-6"}  # the level of the Morse Fall Scale follows from its total

_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_INTERPRETATIONS = {LOW: ("L", "Low"), NORMAL: ("N", "Normal"), HIGH: ("H", "High")}

_ABSENT, _QUANTITY, _NUMBER, _CONCEPT, _STRING, _TRUE, _FALSE, _N_VALUES = range(8)

# Cell _VALUE: mantissa of a number (its decimals in the next cell), text of anything else.
(
    _TIME, _ENCOUNTER, _CODE, _CATEGORY_TEXT, _VALUE, _DECIMALS, _UNIT, _COMPONENTS, _N_COMPONENTS, _PERFORMER, _RANGE,
    _SPECIMEN, _MEMBERS, _N_MEMBERS, _DERIVED, _WIDTH,
) = range(2, 18)  # fmt: skip

CODE_CELL, CATEGORY_CELL = _CODE, _CATEGORY_TEXT

_ADULT_US = ADULT_YEARS * 31_556_952_000_000
_ROOM_AIR, _NOT_READ = 1, 2
_NO_SOURCE, _OF_OBSERVATION, _OF_QUESTIONNAIRE = range(3)


def _value(kind: int, slot: Slots) -> Json:
    """The value of an observation or component, or why there is none."""
    if kind == _QUANTITY:
        return {"valueQuantity": {"value": slot.decimal(_VALUE), "unit": slot.members(_UNIT)}}
    if kind == _NUMBER:
        return {"valueQuantity": {"value": slot.decimal(_VALUE)}}
    if kind == _CONCEPT:
        return {"valueCodeableConcept": slot.element(_VALUE)}
    if kind == _STRING:
        return {"valueString": slot.local_text(_VALUE)}
    if kind in {_TRUE, _FALSE}:
        return {"valueBoolean": kind == _TRUE}
    return {"dataAbsentReason": slot.element(_VALUE)}


def _build_member(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return slot.reference("Observation", -1)


MEMBER = Family("Observation.hasMember", Reference, ShapeSpace(only=1), _build_member, is_resource=False)


def _breathed(air: int) -> list[Json]:
    """What somebody inhales who breathes room air (no flow, 21 percent oxygen), or that nobody measured it."""
    parts = (("3151-8", "Inhaled oxygen flow rate", 0, "L/min"), ("3150-0", "Inhaled oxygen concentration", 21, "%"))
    absent = {"coding": [{"system": _ABSENT_REASON, "code": "not-performed", "display": "Not Performed"}]}
    return [
        {"code": {"coding": [{"system": LOINC, "code": code}], "text": words}}
        | (
            {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}}
            if air == _ROOM_AIR
            else {"dataAbsentReason": absent}
        )
        for code, words, value, unit in parts
    ]


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta(NAMES[shape["profile"]], changed=_TIME) if shape["profile"] else slot.meta(),
        "status": "final",
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Practitioner", _PERFORMER)],
    }
    if shape["category"]:
        content["category"] = [slot.element(_CATEGORY_TEXT)]
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["components"]:
        content["component"] = [slot.listed(_COMPONENTS, code={"text": "any"})]
    if shape["air"]:
        content["component"] = _breathed(shape["air"])
    if shape["members"]:
        content["hasMember"] = [slot.listed(_MEMBERS, by=MEMBER)]
    if shape["derived"]:
        kind = "Observation" if shape["derived"] == _OF_OBSERVATION else "QuestionnaireResponse"
        content["derivedFrom"] = [slot.reference(kind, _DERIVED)]
    if shape["value"] != _ABSENT or not (shape["components"] or shape["members"]):
        content |= _value(shape["value"], slot)
    if shape["specimen"]:
        content["specimen"] = slot.reference("Specimen", _SPECIMEN)
    if shape["range"]:
        code, display = _INTERPRETATIONS[shape["range"]]
        content["interpretation"] = [{"coding": [{"system": _INTERPRETATION, "code": code, "display": display}]}]
        content["referenceRange"] = [slot.element(_RANGE, text="any")]
    return content


def _build_component(shape: Shape, slot: Slots) -> Json:
    return {"code": slot.element(_CODE)} | _value(shape["value"], slot)


FAMILY = Family(
    "Observation",
    Observation,
    ShapeSpace(
        encounter=2,
        category=2,
        components=2,
        value=_N_VALUES,
        profile=len(NAMES),
        range=4,
        specimen=2,
        members=2,
        derived=3,
        air=3,
    ),
    _build,
)
COMPONENT = Family(
    "Observation.component", ObservationComponent, ShapeSpace(value=_N_VALUES), _build_component, is_resource=False
)


def category(value: str | None) -> bytes:
    """The concept of an observation category."""
    if value in _CATEGORIES:
        return coded(_CATEGORY, value, _CATEGORIES[value])
    return checked(CodeableConcept, {"text": value})


def screening_category(value: str | None, system: str | None, code: str | None) -> bytes:
    """The concept of a category, and of what a questionnaire is about."""
    screened = _SCREENED.get(code or "") if value == "survey" and system == "LOINC" else None
    if screened is None:
        return category(value)
    return category(value) + b"," + coded(_SCREENINGS, screened, _SCREENING_CATEGORIES[screened])


def _categories(shard: Shard, where: NDArray[np.bool_]) -> Integers:
    """The text of the categories of every row."""
    if not shard.templates.edition.claims_profiles:
        return shard.codes("observations", ["category"], category, where=where)
    categories = shard.columns("observations").text("category")
    is_survey = np.array([value == "survey" for value in categories.values])[categories.indices]
    screened = where & is_survey & _has_code(shard, _SCREENED)
    return np.where(
        screened,
        shard.codes("observations", ["category", "system", "code"], screening_category, where=screened),
        shard.codes("observations", ["category"], category, where=where & ~screened),
    )


def _has_code(shard: Shard, codes: Collection[str]) -> NDArray[np.bool_]:
    """Rows whose first code is one of a few of LOINC."""
    encoded, systems = shard.columns("observations").text("code"), shard.columns("observations").text("system")
    named = np.array([value in codes for value in encoded.values])[encoded.indices]
    return np.asarray(named & np.array([value == "LOINC" for value in systems.values])[systems.indices])


def _sources(shard: Shard, section: Section, encounters: Integers) -> tuple[Integers, Integers]:
    """What each observation was derived from (NONE: nothing), and the kind of that."""
    rows = shard.lookups["answered"].copy()
    kinds = np.where(rows == NONE, _NO_SOURCE, _OF_QUESTIONNAIRE)
    for derived, source in _DERIVED_FROM.items():
        made = np.flatnonzero(_has_code(shard, {source}) & (encounters != NONE))
        asked = np.flatnonzero(_has_code(shard, {derived}) & (encounters != NONE))
        if not len(made):
            continue
        order = np.argsort(encounters[made], kind="stable")
        place = np.minimum(np.searchsorted(encounters[made][order], encounters[asked]), len(made) - 1)
        hit = encounters[made][order][place] == encounters[asked]
        rows[asked[hit]] = made[order][place[hit]] + section.base
        kinds[asked[hit]] = _OF_OBSERVATION
    return rows, kinds


def _fill(shard: Shard) -> None:
    section = shard.sections["observations"]
    columns, cells = shard.columns("observations"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("observations", ["system", "code", "display", "more_codes"], concept)
    categories = columns.text("category")
    has_category = np.array([bool(value) for value in categories.values])[categories.indices]
    cells[:, _CATEGORY_TEXT] = _categories(shard, has_category)
    values = _fill_values(shard, section)
    parents = shard.require(section, "panel_key", "observations")
    is_member = np.append(_has_code(shard, _MEMBERED), False)[np.where(parents == NONE, NONE, parents - section.base)]
    panels = np.where(is_member, NONE, parents)
    cells[:, _COMPONENTS], counts = shard.add_children(panels, section.rows, section)
    cells[:, _N_COMPONENTS] = counts
    members = np.where(is_member, parents, NONE)
    cells[:, _MEMBERS], cells[:, _N_MEMBERS] = shard.add_children(members, section.rows, section)
    cells[:, _DERIVED], derived = _sources(shard, section, cells[:, _ENCOUNTER])
    is_part = panels != NONE
    cells[:, _SPECIMEN] = shard.lookups["specimen"]
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    shard.is_part[section.base : section.base + section.n_rows] = is_part
    profiles = _profiles(shard, section, values, panels)
    shard.lookups["profile"] = profiles
    saturation = profiles == NAMES.index("us-core-pulse-oximetry")
    alone = shard.templates_of(
        section,
        FAMILY,
        where=~is_part,
        encounter=cells[:, _ENCOUNTER] != NONE,
        category=has_category,
        components=counts > 0,
        value=values,
        profile=profiles,
        range=_ranges(shard, section, values),
        specimen=cells[:, _SPECIMEN] != NONE,
        members=cells[:, _N_MEMBERS] > 0,
        derived=derived,
        air=np.where(saturation & (counts == 0), _air(shard, section), 0),
    )
    inside = shard.templates_of(section, COMPONENT, where=is_part, value=values)
    cells[:, 0] = np.where(is_part, inside, alone)


def _air(shard: Shard, section: Section) -> Integers:
    """What is said of the air that somebody breathed: that it was room air, that nobody measured it, or (0) nothing."""
    unread = chosen(shard, section, NO_OXYGEN_READ)
    return np.where(unread, _NOT_READ, np.where(chosen(shard, section, ROOM_AIR), _ROOM_AIR, 0))


def _fill_values(shard: Shard, section: Section) -> Integers:
    """Fills the cells of the value; returns its kind."""
    columns, cells = shard.columns("observations"), section.cells
    numbers, has_number = columns.numbers("numeric_value")
    shard.put_decimals(section, _VALUE, numbers)
    units = columns.text("unit")
    has_unit = np.array([ucum_code(unit) is not None for unit in units.values])[units.indices]
    texts = columns.text("text_value")
    has_code = ~columns.text("value_code").is_null
    has_text = ~has_code & ~has_number & np.array([bool(text) for text in texts.values])[texts.indices]
    kinds = np.full(section.n_rows, _ABSENT, np.int64)
    is_number = has_number & ~has_code
    kinds[is_number] = np.where(has_unit[is_number], _QUANTITY, _NUMBER)
    cells[:, _UNIT] = shard.codes("observations", ["unit"], unit_members, where=is_number & has_unit)
    if has_code.any():
        concepts = shard.codes("observations", ["value_system", "value_code", "value_display"], concept, where=has_code)
        cells[has_code, _VALUE] = concepts[has_code]
        kinds[has_code] = _CONCEPT
    if has_text.any():
        spelled = np.array([_text_kind(text) for text in texts.values], np.int64)[texts.indices]
        cells[has_text, _VALUE] = shard.local_texts("observations", "text_value")[has_text]
        kinds[has_text] = spelled[has_text]
    _fill_absent(shard, section, kinds == _ABSENT)
    return kinds


def _profiles(shard: Shard, section: Section, values: Integers, panels: Integers) -> Integers:
    """The profile of every observation."""
    columns = shard.columns("observations")
    names = ("category", "system", "code", "more_codes", "unit")
    place, combinations = combined([columns.text(name) for name in names])
    by_kind = []
    for has_unit, is_coded in ((True, False), (False, True), (False, False)):
        found = [
            profile_of(
                category=kind,
                system=system,
                code=code,
                more_codes=more,
                unit=unit if has_unit else None,
                is_coded=is_coded,
            )
            for kind, system, code, more, unit in combinations
        ]
        by_kind.append(np.array(found or [NO_PROFILE], np.int64)[place])
    profiles = np.where(values == _QUANTITY, by_kind[0], np.where(values == _CONCEPT, by_kind[1], by_kind[2]))
    pressure = profiles == NAMES.index("us-core-blood-pressure")
    if pressure.any():
        whole = values == _ABSENT
        for part in (SYSTOLIC, DIASTOLIC):
            whole &= _has_component(shard, section, panels, part)
        profiles = np.where(pressure & ~whole, NO_PROFILE, profiles)
    return np.asarray(profiles)


def _has_component(shard: Shard, section: Section, panels: Integers, code: str) -> NDArray[np.bool_]:
    """Whether each observation has exactly one component of a code."""
    codes = shard.columns("observations").text("code")
    listed = (panels != NONE) & np.array([value == code for value in codes.values])[codes.indices]
    return np.asarray(np.bincount(panels[listed] - section.base, minlength=section.n_rows) == 1)


def _ranges(shard: Shard, section: Section, values: Integers) -> Integers:
    """Whether the value lies below, in or above its reference range; 0: there is none."""
    columns, patients = shard.columns("observations"), shard.columns("patients")
    place, combinations = combined([columns.text(name) for name in ("system", "code", "unit")])
    limits = np.full((len(combinations) + 1, 2, 2), np.nan)
    of_children = np.zeros(len(combinations) + 1, np.bool_)
    for index, (system, code, unit) in enumerate(combinations):
        of_children[index] = is_of_all_ages(code)
        for which, sex in enumerate((FEMALE, MALE)):
            known = range_of(system, code, unit, sex)
            if known is not None:
                limits[index, which] = (
                    -np.inf if known[0] is None else known[0],
                    np.inf if known[1] is None else known[1],
                )
    sexes = patients.text("sex")
    is_man = np.array([value == MALE for value in sexes.values])[sexes.indices][section.patient]
    low, high = limits[place, is_man.astype(np.int64)].T
    numbers, _ = columns.numbers("numeric_value")
    ages = columns.times("time") - patients.times("birth_time")[section.patient]
    has_range = (values == _QUANTITY) & ~np.isnan(low) & (of_children[place] | (ages >= _ADULT_US))
    texts = np.full((len(combinations) + 1, 2), NONE, np.int64)
    for index in np.unique(place[has_range]).tolist():
        for which, make in enumerate((women_reference_range, men_reference_range)):
            said = combinations[index]
            texts[index, which] = shard.texts.number((make.__name__, said), partial(make, *said))
    section.cells[:, _RANGE] = np.where(has_range, texts[place, is_man.astype(np.int64)], NONE)
    return np.asarray(np.where(has_range, np.where(numbers < low, LOW, np.where(numbers > high, HIGH, NORMAL)), 0))


def _text_kind(text: str | None) -> int:
    return {"true": _TRUE, "false": _FALSE}.get(text or "", _STRING)


def _fill_absent(shard: Shard, section: Section, absent: NDArray[np.bool_]) -> None:
    """Why there is no value: nobody knows."""
    if absent.any():
        unknown = {0: coded(_ABSENT_REASON, "unknown", "Unknown")}
        section.cells[absent, _VALUE] = shard.constants(unknown, np.zeros(np.count_nonzero(absent), np.int64))


KIND = Kind("Observation", "observations", _WIDTH, _fill)
