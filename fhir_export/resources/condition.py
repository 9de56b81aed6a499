"""Condition: one resource a row of `conditions`, and another for what stays: an item of the problem list.

An encounter diagnosis says that somebody found it then, an item of the problem list that it is to be kept in mind. What
is open at the end or lasted half a year is such an item; so is what no encounter found.
"""

import numpy as np
from fhir.resources.R4B.condition import Condition
from numpy.typing import NDArray

from fhir_export.care import practitioners
from fhir_export.concepts import concept
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.writer import NO_TIME

PROBLEMS = "problems"

_PROBLEM_XOR = 0x94D049BB133111EB
_CHRONIC_US = 182 * 86_400_000_000
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_CATEGORIES = (("encounter-diagnosis", "Encounter Diagnosis"), ("problem-list-item", "Problem List Item"))
_PROFILES = ("us-core-condition-encounter-diagnosis", "us-core-condition-problems-health-concerns")

_US_CORE_CATEGORY = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category",
    "code": "sdoh",
    "display": "SDOH",
}
# Findings of SNOMED CT that say how somebody lives: problems of the category SDOH.
_SOCIAL = frozenset({
    "73595000", "160903007", "160904001", "741062008", "73438004", "422650009", "423315002", "706893006", "424393004",
    "160968000", "224299000", "224295006", "473461003", "224355006", "266948004", "446654005", "32911000",
    "105531004", "713458007", "5251000175109", "266934004", "1187604002",
})  # fmt: skip

_TIME, _STOP, _ENCOUNTER, _CODE, _RECORDER, _WIDTH = range(2, 8)


def _build(shape: Shape, slot: Slots) -> Json:
    status = "resolved" if shape["stop"] else "active"
    code, display = _CATEGORIES[shape["problem"]]
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta(_PROFILES[shape["problem"]], changed=_STOP if shape["stop"] else _TIME),
        "extension": [{"url": _ASSERTED, "valueDateTime": slot.date_time(_TIME)}],
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
        "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]},
        "category": [{"coding": [{"system": _CATEGORY, "code": code, "display": display}]}],
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "onsetDateTime": slot.date_time(_TIME),
        "recordedDate": slot.date_time(_TIME),
        "recorder": slot.reference("Practitioner", _RECORDER),
    }
    if shape["social"] and slot.has_us_core:
        content["category"].append({"coding": [_US_CORE_CATEGORY]})
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["stop"]:
        content["abatementDateTime"] = slot.date_time(_STOP)
    return content


FAMILY = Family("Condition", Condition, ShapeSpace(encounter=2, stop=2, problem=2, social=2), _build)


def _is_problem(shard: Shard) -> NDArray[np.bool_]:
    """Rows that an encounter found and that stay."""
    columns = shard.columns("conditions")
    start, stop = columns.times("time"), columns.times("stop")
    return np.asarray((columns.keys("encounter_key") != 0) & ((stop == NO_TIME) | (stop - start >= _CHRONIC_US)))


def _plan(shard: Shard) -> None:
    shard.add_table(KIND)
    columns, stays = shard.columns("conditions"), _is_problem(shard)
    patients, keys = columns.keys("patient_id")[stays], columns.keys("row_key")[stays]
    shard.add(PROBLEMS, "Condition", _WIDTH, patients, keys ^ np.uint64(_PROBLEM_XOR))


def _fill(shard: Shard) -> None:
    section, problems = shard.sections["conditions"], shard.sections[PROBLEMS]
    columns, cells = shard.columns("conditions"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("conditions", ["system", "code", "display", "more_codes"], concept)
    cells[:, _RECORDER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    stays = _is_problem(shard)
    problems.cells[:, _TIME:] = cells[stays, _TIME:]
    has_encounter = cells[:, _ENCOUNTER] != NONE
    codes = columns.text("code")
    social = np.array([value in _SOCIAL for value in codes.values])[codes.indices]
    shard.set_templates(
        section,
        FAMILY,
        encounter=has_encounter,
        stop=cells[:, _STOP] != NO_TIME,
        problem=~has_encounter,
        social=social & ~has_encounter,
    )
    shard.set_templates(
        problems, FAMILY, encounter=1, stop=problems.cells[:, _STOP] != NO_TIME, problem=1, social=social[stays]
    )


KIND = Kind("Condition", "conditions", _WIDTH, _fill, _plan)
