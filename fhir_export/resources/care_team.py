"""CareTeam and Goal: one team a care plan, and one resource for each of its goals."""

from functools import partial

import numpy as np
import orjson
from fhir.resources.R4B.careteam import CareTeam
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.goal import Goal

from fhir_export.care import organizations, practitioners
from fhir_export.concepts import checked, goal_wording
from fhir_export.ids import POSITION_FACTOR
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import SNOMED
from fhir_export.writer import NO_TIME

TEAMS, GOALS = "care teams", "goals"

_TEAM_XOR = 0x8EBC6AF09C88C6E3
_GOAL_XOR = 0x589965CC75374CC3
_DUE_US = 30 * 86_400_000_000
_ROLES = {"clinician": ("223366009", "Healthcare professional"), "patient": ("116154003", "Patient")}
_ACHIEVEMENT = "http://terminology.hl7.org/CodeSystem/goal-achievement"

_TIME, _STOP, _ENCOUNTER, _CLINICIAN, _SITE, _TEAM_WIDTH = range(2, 8)
_START, _DUE, _WORDING, _GOAL_WIDTH = range(2, 6)


def _build(shape: Shape, slot: Slots) -> Json:
    def role(name: str) -> list[Json]:
        code, words = _ROLES[name]
        return [{"coding": [{"system": SNOMED, "code": code}], "text": words}]

    period: Json = {"start": slot.date_time(_TIME)}
    if shape["stop"]:
        period["end"] = slot.date_time(_STOP)
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-careteam"),
        "status": "inactive" if shape["stop"] else "active",
        "subject": slot.reference("Patient", PATIENT),
        "period": period,
        "participant": [
            {"role": role("clinician"), "member": slot.reference("Practitioner", _CLINICIAN)},
            {"role": role("patient"), "member": slot.reference("Patient", PATIENT)},
        ],
        "managingOrganization": [slot.reference("Organization", _SITE)],
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    return content


FAMILY = Family("CareTeam", CareTeam, ShapeSpace(encounter=2, stop=2), _build)


def _build_goal(shape: Shape, slot: Slots) -> Json:
    done = {"system": _ACHIEVEMENT, "code": "achieved", "display": "Achieved"}
    going = {"system": _ACHIEVEMENT, "code": "in-progress", "display": "In Progress"}
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-goal"),
        "lifecycleStatus": "completed" if shape["stop"] else "active",
        "achievementStatus": {"coding": [done if shape["stop"] else going]},
        "description": slot.element(_WORDING, text="any"),
        "subject": slot.reference("Patient", PATIENT),
        "startDate": slot.date(_START),
        "expressedBy": slot.reference("Patient", PATIENT),
        "target": [{"dueDate": slot.date(_DUE)}],
    }


GOAL_FAMILY = Family("Goal", Goal, ShapeSpace(stop=2), _build_goal)


def _wordings(text: str | None) -> list[str]:
    """What the goals of a care plan say, those that say something."""
    return [wording for each in orjson.loads(text or "[]") if (wording := goal_wording(each))]


def goals_of(shard: Shard) -> tuple[Integers, Integers]:
    """The care plan (position in the table) and the position in it, of every goal."""
    goals = shard.columns("careplans").text("goals")
    counts = np.array([len(_wordings(value)) for value in goals.values], np.int64)[goals.indices]
    plans = np.repeat(np.arange(len(counts)), counts)
    return plans, np.arange(len(plans)) - np.repeat(np.cumsum(counts) - counts, counts)


def _plan(shard: Shard) -> None:
    columns = shard.columns("careplans")
    patients, keys = columns.keys("patient_id"), columns.keys("row_key")
    shard.add(TEAMS, "CareTeam", _TEAM_WIDTH, patients, keys ^ np.uint64(_TEAM_XOR))
    plans, position = goals_of(shard)
    spread = position.astype(np.uint64) * np.uint64(POSITION_FACTOR)
    shard.add(GOALS, "Goal", _GOAL_WIDTH, patients[plans], keys[plans] ^ np.uint64(_GOAL_XOR) ^ spread)


def _fill(shard: Shard) -> None:
    section, columns = shard.sections[TEAMS], shard.columns("careplans")
    cells = section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.require(shard.sections["careplans"], "encounter_key", "encounters")
    cells[:, _CLINICIAN] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _SITE] = organizations(shard, section, cells[:, _ENCOUNTER])
    has_stop = cells[:, _STOP] != NO_TIME
    shard.set_templates(section, FAMILY, encounter=cells[:, _ENCOUNTER] != NONE, stop=has_stop)
    _fill_goals(shard)


def _fill_goals(shard: Shard) -> None:
    section, columns = shard.sections[GOALS], shard.columns("careplans")
    plans, position = goals_of(shard)
    goals = columns.text("goals")
    section.cells[:, _START] = columns.times("time")[plans]
    section.cells[:, _DUE] = columns.times("time")[plans] + _DUE_US
    for index in np.unique(goals.indices[plans]).tolist():
        for at, wording in enumerate(_wordings(goals.values[index])):
            text = checked(CodeableConcept, {"text": wording})
            chosen = (goals.indices[plans] == index) & (position == at)
            section.cells[chosen, _WORDING] = shard.texts.number(text, partial(bytes, text))
    shard.set_templates(section, GOAL_FAMILY, stop=columns.times("stop")[plans] != NO_TIME)


KIND = Kind("CareTeam", TEAMS, _TEAM_WIDTH, _fill, _plan)
