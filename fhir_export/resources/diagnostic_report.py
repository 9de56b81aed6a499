"""DiagnosticReport: one resource a row of `reports`, with the observations that it lists, and one for an imaging study.

What is not a laboratory report is a note to US Core: a questionnaire's result, a death certificate, what a radiologist
saw. Visits without any of these have a note (DocumentReference) and no report.
"""

import base64

import numpy as np
from fhir.resources.R4B.attachment import Attachment
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.reference import Reference
from numpy.typing import NDArray

from fhir_export.care import organizations, practitioners
from fhir_export.concepts import checked, concept
from fhir_export.resources.imaging_study import SERIES, STUDIES, begins_study
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import LOINC

IMAGING_REPORTS = "imaging reports"

_IMAGING_XOR = 0xE19B01AA9D42C633
_SECTIONS = "http://terminology.hl7.org/CodeSystem/v2-0074"
_PLAIN, _LABORATORY, _OTHER, _RADIOLOGY, _CARDIOLOGY = range(5)
_CATEGORIES: tuple[Json, ...] = (
    {},
    {"coding": [{"system": _SECTIONS, "code": "LAB", "display": "Laboratory"}]},
    {"coding": [{"system": _SECTIONS, "code": "OTH", "display": "Other"}]},
    {"coding": [{"system": LOINC, "code": "LP29684-5"}], "text": "Radiology"},
    {"coding": [{"system": LOINC, "code": "LP29708-2"}], "text": "Cardiology"},
)
_PROFILES = ((), ("us-core-diagnosticreport-lab",), *((("us-core-diagnosticreport-note",),) * 3))
_IMAGING_STUDY = "18748-4"
_OF_THE_HEART = ("cardio", "heart")

(
    _TIME, _ENCOUNTER, _CODE, _RESULTS, _N_RESULTS, _PERFORMER, _SITE, _ORDER, _STUDY, _FORM, _MEDIA, _WIDTH,
) = range(2, 14)  # fmt: skip


def _build_result(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return slot.reference("Observation", -1)


RESULT = Family("DiagnosticReport.result", Reference, ShapeSpace(only=1), _build_result, is_resource=False)


def _build(shape: Shape, slot: Slots) -> Json:
    kind = shape["kind"]
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta(*_PROFILES[kind], changed=_TIME),
        "status": "final",
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
        "performer": [slot.reference("Organization", _SITE), slot.reference("Practitioner", _PERFORMER)],
        "resultsInterpreter": [slot.reference("Practitioner", _PERFORMER)],
    }
    if shape["order"]:
        content["basedOn"] = [slot.reference("ServiceRequest", _ORDER)]
    if _CATEGORIES[kind]:
        content["category"] = [_CATEGORIES[kind]]
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["results"]:
        content["result"] = [slot.listed(_RESULTS, by=RESULT)]
    if kind in {_RADIOLOGY, _CARDIOLOGY}:
        content["imagingStudy"] = [slot.reference("ImagingStudy", _STUDY)]
        content["presentedForm"] = [slot.element(_FORM, title="any")]
    if shape["media"]:
        content["media"] = [{"link": slot.reference("Media", _MEDIA)}]
    return content


FAMILY = Family(
    "DiagnosticReport",
    DiagnosticReport,
    ShapeSpace(encounter=2, kind=len(_CATEGORIES), results=2, order=2, media=2),
    _build,
)


def _listing(shard: Shard) -> Integers:
    """The report that lists each observation; NONE: none, or it is the component of another."""
    if "listing report" not in shard.lookups:
        reports = shard.require(shard.sections["observations"], "report_key", "reports")
        is_part = shard.columns("observations").keys("panel_key") != 0
        shard.lookups["listing report"] = np.where(is_part, NONE, reports)
    return shard.lookups["listing report"]


def is_laboratory(shard: Shard) -> NDArray[np.bool_]:
    """Which reports list laboratory results and nothing else."""
    section, reports = shard.sections["reports"], _listing(shard)
    categories = shard.columns("observations").text("category")
    laboratory = np.array([value == "laboratory" for value in categories.values])[categories.indices]
    listed = reports != NONE
    counts = np.bincount(reports[listed] - section.base, minlength=section.n_rows)
    others = np.bincount(reports[listed & ~laboratory] - section.base, minlength=section.n_rows)
    return np.asarray((counts > 0) & (others == 0))


def imaging_report(procedure: str | None, modality: str | None, body_site: str | None) -> bytes:
    """What was looked at, as the text of a report."""
    said = f"Study: {procedure}.\nModality: {modality}.\nBody site: {body_site}.\nThe images are available."
    data = base64.b64encode(said.encode()).decode()
    return checked(Attachment, {"contentType": "text/plain", "data": data, "title": "Imaging report"})


def imaging_code(procedure: str | None) -> bytes:
    """The concept of a report on an imaging study."""
    return concept("LOINC", _IMAGING_STUDY, procedure)


def _plan(shard: Shard) -> None:
    shard.add_table(KIND)
    studies = shard.sections[STUDIES]
    keys = studies.keys ^ np.uint64(_IMAGING_XOR)
    shard.add(IMAGING_REPORTS, "DiagnosticReport", _WIDTH, shard.patient_ids[studies.patient], keys)


def _fill(shard: Shard) -> None:
    section = shard.sections["reports"]
    observations = shard.sections["observations"]
    columns, cells = shard.columns("reports"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("reports", ["system", "code", "display", "more_codes"], concept)
    cells[:, _RESULTS], counts = shard.add_children(_listing(shard), observations.rows, section)
    cells[:, _N_RESULTS] = counts
    cells[:, _ORDER] = shard.lookups["report order"]
    _finish(
        shard, section, np.where(is_laboratory(shard), _LABORATORY, np.where(counts > 0, _OTHER, _PLAIN)), counts > 0
    )
    _fill_imaging(shard)


def _fill_imaging(shard: Shard) -> None:
    section, begins = shard.sections[IMAGING_REPORTS], begins_study(shard)
    columns, cells = shard.columns(SERIES), section.cells
    cells[:, _TIME] = columns.times("time")[begins]
    cells[:, _ENCOUNTER] = shard.require(shard.sections[SERIES], "encounter_key", "encounters")[begins]
    cells[:, _CODE] = shard.codes(SERIES, ["procedure_display"], imaging_code)[begins]
    cells[:, _ORDER] = shard.lookups["study order"]
    cells[:, _STUDY] = shard.sections[STUDIES].rows
    names = ["procedure_display", "modality_display", "body_site_display"]
    cells[:, _FORM] = shard.codes(SERIES, names, imaging_report)[begins]
    cells[:, _MEDIA] = shard.lookups["study media"]
    wordings = columns.text("procedure_display")
    of_heart = np.array([any(word in (value or "").lower() for word in _OF_THE_HEART) for value in wordings.values])
    heart = of_heart[wordings.indices[begins]]
    _finish(shard, section, np.where(heart, _CARDIOLOGY, _RADIOLOGY), np.zeros(section.n_rows, np.bool_))


def _finish(shard: Shard, section: Section, kinds: Integers, has_results: NDArray[np.bool_]) -> None:
    """Fills what all reports have."""
    cells = section.cells
    cells[:, _PERFORMER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    cells[:, _SITE] = organizations(shard, section, cells[:, _ENCOUNTER])
    shard.set_templates(
        section,
        FAMILY,
        encounter=cells[:, _ENCOUNTER] != NONE,
        kind=kinds,
        results=has_results,
        order=cells[:, _ORDER] != NONE,
        media=cells[:, _MEDIA] != NONE,
    )


KIND = Kind("DiagnosticReport", "reports", _WIDTH, _fill, _plan)
