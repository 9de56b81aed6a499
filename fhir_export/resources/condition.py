"""Condition: one resource a row of `conditions`."""

from fhir.resources.R4B.condition import Condition

from fhir_export.concepts import concept
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import META, Family, Json, Shape, ShapeSpace, Slots
from fhir_export.writer import NO_TIME

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"

_TIME, _STOP, _ENCOUNTER, _CODE, _WIDTH = range(2, 7)


def _build(shape: Shape, slot: Slots) -> Json:
    status = "resolved" if shape["stop"] else "active"
    if shape["encounter"]:
        category = {"system": _CATEGORY, "code": "encounter-diagnosis", "display": "Encounter Diagnosis"}
    else:
        category = {"system": _CATEGORY, "code": "problem-list-item", "display": "Problem List Item"}
    content: Json = {
        "id": slot.id(),
        "meta": META,
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
        "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]},
        "category": [{"coding": [category]}],
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "onsetDateTime": slot.date_time(_TIME),
        "recordedDate": slot.date_time(_TIME),
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["stop"]:
        content["abatementDateTime"] = slot.date_time(_STOP)
    return content


FAMILY = Family("Condition", Condition, ShapeSpace(encounter=2, stop=2), _build)


def _fill(shard: Shard) -> None:
    section = shard.sections["conditions"]
    columns, cells = shard.columns("conditions"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("conditions", ["system", "code", "display", "more_codes"], concept)
    shard.set_templates(section, FAMILY, encounter=cells[:, _ENCOUNTER] != NONE, stop=cells[:, _STOP] != NO_TIME)


KIND = Kind("Condition", "conditions", _WIDTH, _fill)
