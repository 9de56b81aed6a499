"""Immunization: one resource a row of `immunizations`."""

from fhir.resources.R4B.immunization import Immunization

from fhir_export.care import organizations, practitioners
from fhir_export.concepts import concept
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

_TIME, _ENCOUNTER, _CODE, _DOSE, _PERFORMER, _SITE, _WIDTH = range(2, 9)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-immunization"),
        "status": "completed",
        "vaccineCode": slot.element(_CODE),
        "patient": slot.reference("Patient", PATIENT),
        "occurrenceDateTime": slot.date_time(_TIME),
        "primarySource": True,
        "performer": [
            {"actor": slot.reference("Practitioner", _PERFORMER)},
            {"actor": slot.reference("Organization", _SITE)},
        ],
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["dose"]:
        content["protocolApplied"] = [{"doseNumberPositiveInt": slot.integer(_DOSE)}]
    return content


FAMILY = Family("Immunization", Immunization, ShapeSpace(encounter=2, dose=2), _build)


def _fill(shard: Shard) -> None:
    section = shard.sections["immunizations"]
    columns, cells = shard.columns("immunizations"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("immunizations", ["system", "code", "display", "more_codes"], concept)
    cells[:, _DOSE] = columns.integers("series")
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _SITE] = organizations(shard, section, cells[:, _ENCOUNTER])
    shard.set_templates(section, FAMILY, encounter=cells[:, _ENCOUNTER] != NONE, dose=cells[:, _DOSE] > 0)


KIND = Kind("Immunization", "immunizations", _WIDTH, _fill)
