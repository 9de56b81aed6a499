"""What patients want: preferences of small shares, and advance directives, as later versions of US Core ask for them.

No module makes them. Each was asked at the last visit to an office; a directive is a document, and an observation says
that there is one.
"""

import base64

import numpy as np
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.observation import Observation

from fhir_export.care import organizations, practitioners
from fhir_export.shard import PATIENT, Shard
from fhir_export.shares import CARE_PREFERENCE, DIRECTIVE, TREATMENT_PREFERENCE, Share, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.visits import last_visits
from fhir_export.vocabulary import LOINC, SNOMED

DIRECTIVES, DIRECTIVE_DOCUMENTS = "directives", "directive documents"

_YEAR_US = 31_556_952_000_000
_EVER = 2**62
_US_CORE = "http://hl7.org/fhir/us/core"
_CATEGORIES = f"{_US_CORE}/CodeSystem/us-core-category"
_SUPPORTING = "http://hl7.org/fhir/StructureDefinition/workflow-supportingInfo"
_YES = "373066001"
_DIRECTIVE_OBSERVATION, _DIRECTIVE_DOCUMENT = "us-core-observation-adi-documentation", "us-core-adi-documentreference"
_DIRECTIVE_XOR, _DOCUMENT_XOR = 0x94D049BB133111E9, 0xBF58476D1CE4E5B7

# Section, profile, category, LOINC code, its words, share, constant of the ids.
_KINDS: tuple[tuple[str, str, str, str, Share, int], ...] = (
    (
        "us-core-care-experience-preference", "care-experience-preference", "95541-9",
        "Care experience preference", CARE_PREFERENCE, 0xD1342543DE82EF95,
    ),
    (
        "us-core-treatment-intervention-preference", "treatment-intervention-preference", "75773-2",
        "Goals, preferences, and priorities for medical treatment", TREATMENT_PREFERENCE, 0xAEF17502108EF2D9,
    ),
)  # fmt: skip
_ANSWERS = (
    ("Wants a relative to be there when results are explained.", "Wants to read about a new drug before it is begun."),
    ("Wants to stay at home as long as that is safe.", "Prefers physiotherapy to an operation where both may help."),
)
_PAPERS = (("86533-7", "Living will"), ("64298-3", "Power of attorney"))
_FORMAT = {
    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
}

_TIME, _ENCOUNTER, _PERFORMER, _DOCUMENT, _SITE, _WIDTH = range(2, 8)


def _observation(slot: Slots, profile: str, category: str, code: str, words: str) -> Json:
    """What all these observations have."""
    return {
        "id": slot.id(),
        "meta": slot.meta(profile),
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORIES, "code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": code}], "text": words},
        "subject": slot.reference("Patient", PATIENT),
        "encounter": slot.reference("Encounter", _ENCOUNTER),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Practitioner", _PERFORMER)],
    }


def _build_preference(shape: Shape, slot: Slots) -> Json:
    profile, category, code, words, _, _ = _KINDS[shape["kind"]]
    answer = _ANSWERS[shape["kind"]][shape["answer"]]
    said: Json = {"valueCodeableConcept": {"text": answer}} if shape["answer"] else {"valueString": answer}
    return _observation(slot, profile, category, code, words) | said


PREFERENCE_FAMILY = Family("Observation", Observation, ShapeSpace(kind=len(_KINDS), answer=2), _build_preference)


def _build_directive(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    content = _observation(
        slot, _DIRECTIVE_OBSERVATION, "observation-adi-documentation", "45473-6", "Advance directive completed"
    )
    document = {"url": _SUPPORTING, "valueReference": slot.reference("DocumentReference", _DOCUMENT)}
    yes = {"coding": [{"system": SNOMED, "code": _YES}], "text": "Yes"}
    return content | {"extension": [document], "valueCodeableConcept": yes}


DIRECTIVE_FAMILY = Family("Observation", Observation, ShapeSpace(only=1), _build_directive)


def _build_document(shape: Shape, slot: Slots) -> Json:
    code, words = _PAPERS[shape["paper"]]
    data = base64.b64encode(f"{words}, signed by the patient.".encode()).decode()
    held = {"url": f"data:text/plain;base64,{data}"} if shape["linked"] else {"data": data}
    signed = {
        "url": f"{_US_CORE}/StructureDefinition/us-core-authentication-time",
        "valueDateTime": slot.date_time(_TIME),
    }
    return {
        "id": slot.id(),
        "meta": slot.meta(_DIRECTIVE_DOCUMENT),
        "extension": [signed],
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": code}], "text": words},
        "category": [{"coding": [{"system": LOINC, "code": "42348-3"}], "text": "Advance directives"}],
        "subject": slot.reference("Patient", PATIENT),
        "date": slot.date_time(_TIME),
        "author": [slot.reference("Patient", PATIENT)],
        "authenticator": slot.reference("Practitioner", _PERFORMER),
        "custodian": slot.reference("Organization", _SITE),
        "content": [{"attachment": {"contentType": "text/plain", "title": words, **held}, "format": _FORMAT}],
    }


DOCUMENT_FAMILY = Family(
    "DocumentReference", DocumentReference, ShapeSpace(paper=len(_PAPERS), linked=2), _build_document
)


def _add(shard: Shard, share: Share, youngest: int, *sections: tuple[str, str, int]) -> None:
    """Adds sections (name, resource type, constant) with a row for the last visit of each patient of a share."""
    asked = chosen(shard, shard.sections["patients"], share)
    visits = last_visits(shard, asked, ages_us=(youngest * _YEAR_US, _EVER))
    encounters = shard.sections["encounters"]
    for name, resource_type, xor in sections:
        keys = encounters.keys[visits] ^ np.uint64(xor)
        shard.add(name, resource_type, _WIDTH, shard.patient_ids[encounters.patient[visits]], keys)
        shard.lookups[f"{name} visit"] = visits


def plan_preferences(shard: Shard) -> None:
    """Adds what the version of US Core has a profile for."""
    added = shard.templates.edition.added_profiles
    for profile, _, _, _, share, xor in _KINDS:
        if profile in added:
            _add(shard, share, 18, (profile, "Observation", xor))
    if _DIRECTIVE_OBSERVATION in added:
        documents = (DIRECTIVE_DOCUMENTS, "DocumentReference", _DOCUMENT_XOR)
        _add(shard, DIRECTIVE, 65, (DIRECTIVES, "Observation", _DIRECTIVE_XOR), documents)


def fill_preferences(shard: Shard) -> None:
    """Fills the cells of what was added."""
    for name in (*(profile for profile, *_ in _KINDS), DIRECTIVES, DIRECTIVE_DOCUMENTS):
        if name not in shard.sections:
            continue
        section, visits = shard.sections[name], shard.lookups[f"{name} visit"]
        section.cells[:, _TIME] = shard.columns("encounters").times("time")[visits]
        section.cells[:, _ENCOUNTER] = shard.sections["encounters"].rows[visits]
        section.cells[:, _PERFORMER] = practitioners(shard, section, section.cells[:, _ENCOUNTER])
        section.cells[:, _SITE] = organizations(shard, section, section.cells[:, _ENCOUNTER])
    for number, (name, *_) in enumerate(_KINDS):
        if name in shard.sections:
            section = shard.sections[name]
            answer = (shard.words(section, 0) >> np.uint64(8)).astype(np.int64) % 2
            shard.set_templates(section, PREFERENCE_FAMILY, kind=number, answer=answer)
    if DIRECTIVES in shard.sections:
        section, documents = shard.sections[DIRECTIVES], shard.sections[DIRECTIVE_DOCUMENTS]
        section.cells[:, _DOCUMENT] = documents.rows
        shard.set_templates(section, DIRECTIVE_FAMILY, only=0)
        words = (shard.words(documents, 0) >> np.uint64(8)).astype(np.int64)
        shard.set_templates(documents, DOCUMENT_FAMILY, paper=words % 2, linked=words // 2 % 2)
