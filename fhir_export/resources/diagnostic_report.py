"""DiagnosticReport: one resource a row of `reports`, with references to the observations that it lists."""

import numpy as np
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.reference import Reference

from fhir_export.care import organizations, practitioners
from fhir_export.concepts import concept
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import META, Family, Json, Shape, ShapeSpace, Slots

_LABORATORY = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB", "display": "Laboratory"}

_TIME, _ENCOUNTER, _CODE, _RESULTS, _N_RESULTS, _PERFORMER, _SITE, _WIDTH = range(2, 10)


def _build_result(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return slot.reference("Observation", -1)


RESULT = Family("DiagnosticReport.result", Reference, ShapeSpace(only=1), _build_result, is_resource=False)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-diagnosticreport-lab") if shape["laboratory"] else META,
        "status": "final",
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Organization", _SITE), slot.reference("Practitioner", _PERFORMER)],
    }
    if shape["laboratory"]:
        content["category"] = [{"coding": [_LABORATORY]}]
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["results"]:
        content["result"] = [slot.listed(_RESULTS, by=RESULT)]
    return content


FAMILY = Family("DiagnosticReport", DiagnosticReport, ShapeSpace(encounter=2, laboratory=2, results=2), _build)


def _fill(shard: Shard) -> None:
    section = shard.sections["reports"]
    observations = shard.sections["observations"]
    columns, cells = shard.columns("reports"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("reports", ["system", "code", "display", "more_codes"], concept)
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _SITE] = organizations(shard, section, cells[:, _ENCOUNTER])
    reports = shard.require(observations, "report_key", "reports")
    is_component = shard.is_part[observations.base : observations.base + observations.n_rows]
    reports = np.where(is_component, NONE, reports)
    cells[:, _RESULTS], counts = shard.add_children(reports, observations.rows, section)
    cells[:, _N_RESULTS] = counts
    categories = shard.columns("observations").text("category")
    is_laboratory = np.array([value == "laboratory" for value in categories.values])[categories.indices]
    others = reports[(reports != NONE) & ~is_laboratory] - section.base
    shard.set_templates(
        section,
        FAMILY,
        encounter=cells[:, _ENCOUNTER] != NONE,
        laboratory=(counts > 0) & (np.bincount(others, minlength=section.n_rows) == 0),
        results=counts > 0,
    )


KIND = Kind("DiagnosticReport", "reports", _WIDTH, _fill)
