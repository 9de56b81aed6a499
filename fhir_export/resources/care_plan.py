"""CarePlan: one resource a row of `careplans`. Its goals stand in the narrative too."""

import numpy as np
from fhir.resources.R4B.careplan import CarePlan
from fhir.resources.R4B.reference import Reference

from fhir_export.concepts import activities, concept, narrative
from fhir_export.reasons import reasons
from fhir_export.resources.care_team import GOALS, TEAMS, goals_of
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.writer import NO_TIME

_ASSESS_PLAN = {"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}
_STATUSES = ("active", "completed", "revoked")
_DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>any</p></div>'

_TIME, _STOP, _ENCOUNTER, _CODE, _REASON_ROW, _ACTIVITIES, _NARRATIVE, _TEAM, _GOALS, _N_GOALS, _WIDTH = range(2, 13)


def _build_goal(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return slot.reference("Goal", -1)


GOAL = Family("CarePlan.goal", Reference, ShapeSpace(only=1), _build_goal, is_resource=False)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-careplan"),
        "text": slot.element(_NARRATIVE, status="generated", div=_DIV),
        "status": _STATUSES[shape["status"]],
        "intent": "order",
        "category": [{"coding": [_ASSESS_PLAN]}, slot.element(_CODE)],
        "subject": slot.reference("Patient", PATIENT),
        "period": {"start": slot.date_time(_TIME)},
        "careTeam": [slot.reference("CareTeam", _TEAM)],
    }
    if shape["status"]:
        content["period"]["end"] = slot.date_time(_STOP)
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["reason"]:
        content["addresses"] = [slot.reference("Condition", _REASON_ROW)]
    if shape["goals"]:
        content["goal"] = [slot.listed(_GOALS, by=GOAL)]
    if shape["activities"]:
        content["activity"] = [slot.element(_ACTIVITIES)]
    return content


FAMILY = Family(
    "CarePlan", CarePlan, ShapeSpace(status=len(_STATUSES), encounter=2, reason=2, activities=2, goals=2), _build
)


def running_activities(text: str | None) -> bytes:
    """Activities of a plan that goes on."""
    return activities(text, "in-progress")


def finished_activities(text: str | None) -> bytes:
    """Activities of a plan that has ended."""
    return activities(text, "completed")


def stopped_activities(text: str | None) -> bytes:
    """Activities of a plan that was given up."""
    return activities(text, "stopped")


def _fill(shard: Shard) -> None:
    section = shard.sections["careplans"]
    columns, cells = shard.columns("careplans"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("careplans", ["system", "code", "display", "more_codes"], concept)
    cells[:, _REASON_ROW], _ = reasons(shard, section)
    cells[:, _NARRATIVE] = shard.codes("careplans", ["display", "activities", "goals"], narrative)
    cells[:, _TEAM] = shard.sections[TEAMS].rows
    plans, _ = goals_of(shard)
    cells[:, _GOALS], cells[:, _N_GOALS] = shard.add_children(plans + section.base, shard.sections[GOALS].rows, section)
    has_stop = cells[:, _STOP] != NO_TIME
    status = np.where(has_stop, np.where(columns.text("stop_code").is_null, 1, 2), 0)
    listed = columns.text("activities")
    said = np.array([value not in {None, "[]", ""} for value in listed.values])[listed.indices]
    for which, make in enumerate((running_activities, finished_activities, stopped_activities)):
        chosen = said & (status == which)
        texts = shard.codes("careplans", ["activities"], make, where=chosen)
        cells[chosen, _ACTIVITIES] = texts[chosen]
    shard.set_templates(
        section,
        FAMILY,
        status=status,
        encounter=cells[:, _ENCOUNTER] != NONE,
        reason=cells[:, _REASON_ROW] != NONE,
        activities=said,
        goals=cells[:, _N_GOALS] > 0,
    )


KIND = Kind("CarePlan", "careplans", _WIDTH, _fill)
