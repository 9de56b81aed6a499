"""Observations without a value: what a small share of patients declined to have measured, at one visit.

Nothing that Records tell of is left out: these are observations of their own, one for each vital sign that the patient
ever had and one for each other kind of observation, at the last visit where none was taken.
"""

import numpy as np
from fhir.resources.R4B.observation import Observation

from fhir_export.care import practitioners
from fhir_export.observation_profiles import DIASTOLIC, NAMES, SYSTOLIC
from fhir_export.resources.observation import CATEGORY_CELL, CODE_CELL
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.shares import DECLINED_MEASURES, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.visits import last_visits
from fhir_export.vocabulary import LOINC

DECLINED = "declined observations"

_XOR = 0x24BAED4963EE4079
_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_REASON = {"system": _ABSENT_REASON, "code": "asked-declined", "display": "Asked But Declined"}
_COMPUTED = "39156-5"  # body mass index; nobody can decline it, and its profile in R4 wants a value
_OTHER_KINDS = ("laboratory", "survey", "exam", "imaging", "procedure")
_PRESSURE = NAMES.index("us-core-blood-pressure")

_TIME, _ENCOUNTER, _CODE, _CATEGORY, _PERFORMER, _WIDTH = range(2, 8)


def _build(shape: Shape, slot: Slots) -> Json:
    reason = {"coding": [_REASON]}
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta(NAMES[shape["profile"]]) if shape["profile"] else slot.meta(),
        "status": "final",
        "category": [slot.element(_CATEGORY)],
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "encounter": slot.reference("Encounter", _ENCOUNTER),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Practitioner", _PERFORMER)],
        "dataAbsentReason": reason,
    }
    if shape["profile"] == _PRESSURE:
        content["component"] = [
            {"code": {"coding": [{"system": LOINC, "code": code}]}, "dataAbsentReason": reason}
            for code in (SYSTOLIC, DIASTOLIC)
        ]
    return content


FAMILY = Family("Observation", Observation, ShapeSpace(profile=len(NAMES)), _build)


def _plan(shard: Shard) -> None:
    observations, columns = shard.sections["observations"], shard.columns("observations")
    encounters = shard.sections["encounters"]
    categories, codes = columns.text("category"), columns.text("code")
    is_vital = np.array([value == "vital-signs" for value in categories.values])[categories.indices]
    is_other = np.array([value in _OTHER_KINDS for value in categories.values])[categories.indices]
    visits_of = shard.require(observations, "encounter_key", "encounters")
    declines = chosen(shard, shard.sections["patients"], DECLINED_MEASURES)
    visits = last_visits(shard, declines, ages_us=(0, 2**62), without=[visits_of[is_vital]])
    visit_of = np.full(len(shard.patient_ids), NONE, np.int64)
    visit_of[encounters.patient[visits]] = visits
    is_computed = np.array([value == _COMPUTED for value in codes.values])[codes.indices]
    whole = (columns.keys("panel_key") == 0) & (is_vital | is_other) & ~is_computed
    whole &= visit_of[observations.patient] != NONE
    rows = np.flatnonzero(whole)
    groups = np.where(is_vital, codes.indices, len(codes.values) + categories.indices)[rows]
    n_groups = len(codes.values) + len(categories.values)
    _, first = np.unique(observations.patient[rows] * n_groups + groups, return_index=True)
    sources = rows[np.sort(first)]
    keys = observations.keys[sources] ^ np.uint64(_XOR)
    shard.add(DECLINED, "Observation", _WIDTH, shard.patient_ids[observations.patient[sources]], keys)
    shard.lookups |= {"declined source": sources, "declined visit": visit_of[observations.patient[sources]]}


def _fill(shard: Shard) -> None:
    section, observations = shard.sections[DECLINED], shard.sections["observations"]
    sources, visits = shard.lookups["declined source"], shard.lookups["declined visit"]
    cells = section.cells
    cells[:, _TIME] = shard.columns("encounters").times("time")[visits]
    cells[:, _ENCOUNTER] = shard.sections["encounters"].rows[visits]
    cells[:, _CODE] = observations.cells[sources, CODE_CELL]
    cells[:, _CATEGORY] = observations.cells[sources, CATEGORY_CELL]
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    shard.set_templates(section, FAMILY, profile=shard.lookups["profile"][sources])


KIND = Kind("Observation", DECLINED, _WIDTH, _fill, _plan)
