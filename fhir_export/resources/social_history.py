"""Observations that no module makes and US Core asks for: occupation and pregnancy intention, of small shares.

The occupation is the same for all of them, a nursing assistant, with one of three industries: its codes are those of
US Core's example and of CDC's value set of industries.
"""

import numpy as np
from fhir.resources.R4B.observation import Observation

from fhir_export.care import practitioners
from fhir_export.resources.preferences import fill_preferences, plan_preferences
from fhir_export.resources.summaries import fill_summaries, plan_summaries
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.shares import OCCUPATION, PREGNANCY_INTENT, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.visits import last_visits
from fhir_export.vocabulary import LOINC, SNOMED

OCCUPATIONS, INTENTIONS = "occupations", "pregnancy intentions"

_OCCUPATION_XOR = 0x7FB5D329728EA185
_INTENTION_XOR = 0x81DADEF4BC2DD44D
_YEAR_US = 31_556_952_000_000
_CATEGORY = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "social-history",
    "display": "Social History",
}
_ODH = "http://terminology.hl7.org/CodeSystem/PHOccupationalDataForHealthODH"
_NURSING_ASSISTANT = ("31-1014.00.007136", "Certified nursing assistant")
_INDUSTRIES = (
    ("621610.008495", "Home nursing services"),
    ("623110.011692", "Nursing homes"),
    ("622110.007560", "General medical and surgical hospitals"),
)
_WISHES = (
    ("454381000124105", "Not sure of desire to become pregnant"),
    ("454391000124108", "Ambivalent about becoming pregnant"),
    ("454401000124105", "No desire to become pregnant"),
    ("454411000124108", "Wants to become pregnant"),
)

_TIME, _ENCOUNTER, _PERFORMER, _WIDTH = range(2, 6)


def _concept(system: str, code: str, words: str) -> Json:
    return {"coding": [{"system": system, "code": code}], "text": words}


def _build_occupation(shape: Shape, slot: Slots) -> Json:
    industry = _concept(_ODH, *_INDUSTRIES[shape["industry"]])
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-observation-occupation"),
        "status": "final",
        "category": [{"coding": [_CATEGORY]}],
        "code": _concept(LOINC, "11341-5", "History of occupation"),
        "subject": slot.reference("Patient", PATIENT),
        "effectivePeriod": {"start": slot.date(_TIME)},
        "performer": [slot.reference("Practitioner", _PERFORMER)],
        "valueCodeableConcept": _concept(_ODH, *_NURSING_ASSISTANT),
        "component": [
            {"code": _concept(LOINC, "86188-0", "History of occupation industry"), "valueCodeableConcept": industry}
        ],
    }


OCCUPATION_FAMILY = Family("Observation", Observation, ShapeSpace(industry=len(_INDUSTRIES)), _build_occupation)


def _build_intention(shape: Shape, slot: Slots) -> Json:
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-observation-pregnancyintent"),
        "status": "final",
        "category": [{"coding": [_CATEGORY]}],
        "code": _concept(LOINC, "86645-9", "Pregnancy intention in the next year"),
        "subject": slot.reference("Patient", PATIENT),
        "encounter": slot.reference("Encounter", _ENCOUNTER),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Practitioner", _PERFORMER)],
        "valueCodeableConcept": _concept(SNOMED, *_WISHES[shape["wish"]]),
    }


INTENTION_FAMILY = Family("Observation", Observation, ShapeSpace(wish=len(_WISHES)), _build_intention)


def _plan(shard: Shard) -> None:
    patients, columns = shard.sections["patients"], shard.columns("patients")
    ages = columns.times("last_time") - columns.times("birth_time")
    working = np.flatnonzero((ages >= 18 * _YEAR_US) & chosen(shard, patients, OCCUPATION))
    keys = patients.keys[working] ^ np.uint64(_OCCUPATION_XOR)
    shard.add(OCCUPATIONS, "Observation", _WIDTH, shard.patient_ids[working], keys)
    sexes = columns.text("sex")
    asked = np.array([value == "F" for value in sexes.values])[sexes.indices]
    asked &= chosen(shard, patients, PREGNANCY_INTENT)
    visits = last_visits(shard, asked, ages_us=(15 * _YEAR_US, 50 * _YEAR_US))
    encounters = shard.sections["encounters"]
    keys = encounters.keys[visits] ^ np.uint64(_INTENTION_XOR)
    shard.add(INTENTIONS, "Observation", _WIDTH, shard.patient_ids[encounters.patient[visits]], keys)
    shard.lookups["intention visit"] = visits
    plan_preferences(shard)
    plan_summaries(shard)


def _fill(shard: Shard) -> None:
    section = shard.sections[OCCUPATIONS]
    words = shard.words(section, 0)
    columns = shard.columns("patients")
    births, ends = columns.times("birth_time")[section.patient], columns.times("last_time")[section.patient]
    years = 18 + (words % np.uint64(10)).astype(np.int64)
    section.cells[:, _TIME] = np.minimum(births + years * _YEAR_US, ends)
    section.cells[:, _PERFORMER] = practitioners(shard, section, np.full(section.n_rows, NONE, np.int64))
    shard.set_templates(section, OCCUPATION_FAMILY, industry=(words >> np.uint64(8)).astype(np.int64) % 3)

    section, visits = shard.sections[INTENTIONS], shard.lookups["intention visit"]
    section.cells[:, _TIME] = shard.columns("encounters").times("time")[visits]
    section.cells[:, _ENCOUNTER] = shard.sections["encounters"].rows[visits]
    section.cells[:, _PERFORMER] = practitioners(shard, section, section.cells[:, _ENCOUNTER])
    wishes = (shard.words(section, 0) >> np.uint64(8)).astype(np.int64) % len(_WISHES)
    shard.set_templates(section, INTENTION_FAMILY, wish=wishes)
    fill_preferences(shard)
    fill_summaries(shard)


KIND = Kind("Observation", OCCUPATIONS, _WIDTH, _fill, _plan)
