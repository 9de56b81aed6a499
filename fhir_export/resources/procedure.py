"""Procedure: one resource a row of `procedures`."""

from fhir.resources.R4B.procedure import Procedure

from fhir_export.care import practitioners
from fhir_export.concepts import concept
from fhir_export.reasons import choice, reasons
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

_TIME, _STOP, _ENCOUNTER, _CODE, _REASON_ROW, _REASON_CODE, _PERFORMER, _ORDER, _WIDTH = range(2, 11)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-procedure"),
        "status": "completed",
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "performer": [{"actor": slot.reference("Practitioner", _PERFORMER)}],
    }
    if shape["order"]:
        content["basedOn"] = [slot.reference("ServiceRequest", _ORDER)]
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["lasts"]:
        content["performedPeriod"] = {"start": slot.date_time(_TIME), "end": slot.date_time(_STOP)}
    else:
        content["performedDateTime"] = slot.date_time(_TIME)
    if shape["reason"] == 1:
        content["reasonReference"] = [slot.reference("Condition", _REASON_ROW)]
    elif shape["reason"]:
        content["reasonCode"] = [slot.element(_REASON_CODE)]
    return content


FAMILY = Family("Procedure", Procedure, ShapeSpace(encounter=2, lasts=2, reason=3, order=2), _build)


def _fill(shard: Shard) -> None:
    section = shard.sections["procedures"]
    columns, cells = shard.columns("procedures"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("procedures", ["system", "code", "display", "more_codes"], concept)
    cells[:, _REASON_ROW], cells[:, _REASON_CODE] = reasons(shard, section)
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _ORDER] = shard.lookups["procedure order"]
    shard.set_templates(
        section,
        FAMILY,
        encounter=cells[:, _ENCOUNTER] != NONE,
        lasts=cells[:, _STOP] != cells[:, _TIME],
        reason=choice(cells[:, _REASON_ROW], cells[:, _REASON_CODE]),
        order=cells[:, _ORDER] != NONE,
    )


KIND = Kind("Procedure", "procedures", _WIDTH, _fill)
