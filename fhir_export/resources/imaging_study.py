"""ImagingStudy: one resource a study; the rows of `imaging` are its series, and their images are counted out."""

import numpy as np
from fhir.resources.R4B.imagingstudy import ImagingStudy, ImagingStudySeries, ImagingStudySeriesInstance
from numpy.typing import NDArray

from fhir_export.concepts import coding, concept
from fhir_export.ids import instance_keys
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Shard
from fhir_export.templates import META, Family, Json, Shape, ShapeSpace, Slots

STUDIES, SERIES, INSTANCES = "imaging.studies", "imaging", "imaging.instances"

_TIME, _ENCOUNTER, _PROCEDURE, _SERIES, _N_SERIES, _ALL_INSTANCES, _ORDER, _STUDY_WIDTH = range(2, 10)
_START, _NUMBER, _MODALITY, _BODY_SITE, _INSTANCES, _N_INSTANCES, _SERIES_WIDTH = range(2, 9)
_POSITION, _SOP_CLASS, _TITLE, _INSTANCE_WIDTH = range(2, 6)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": META,
        "identifier": [{"use": "official", "system": "urn:dicom:uid", "value": f"urn:oid:{slot.uid()}"}],
        "status": "available",
        "subject": slot.reference("Patient", PATIENT),
        "basedOn": [slot.reference("ServiceRequest", _ORDER)],
        "started": slot.date_time(_TIME),
        "numberOfSeries": slot.integer(_N_SERIES),
        "numberOfInstances": slot.integer(_ALL_INSTANCES),
        "procedureCode": [slot.element(_PROCEDURE)],
        "series": [slot.listed(_SERIES, uid="any", modality={"code": "any"})],
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    return content


def _build_series(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "uid": slot.uid(),
        "number": slot.integer(_NUMBER),
        "modality": slot.element(_MODALITY),
        "numberOfInstances": slot.integer(_N_INSTANCES),
        "bodySite": slot.element(_BODY_SITE),
        "started": slot.date_time(_START),
    }
    if shape["instances"]:
        content["instance"] = [slot.listed(_INSTANCES, uid="any", sopClass={"code": "any"})]
    return content


def _build_instance(shape: Shape, slot: Slots) -> Json:
    content: Json = {"uid": slot.uid(), "sopClass": slot.element(_SOP_CLASS), "number": slot.integer(_POSITION)}
    if shape["title"]:
        content["title"] = slot.local_text(_TITLE)
    return content


FAMILY = Family("ImagingStudy", ImagingStudy, ShapeSpace(encounter=2), _build)
SERIES_FAMILY = Family(
    "ImagingStudy.series", ImagingStudySeries, ShapeSpace(instances=2), _build_series, is_resource=False
)
INSTANCE_FAMILY = Family(
    "ImagingStudy.series.instance", ImagingStudySeriesInstance, ShapeSpace(title=2), _build_instance, is_resource=False
)


def modality(code: str | None) -> bytes:
    """The Coding of a DICOM modality."""
    return coding("DICOM-DCM", code)


def sop_class(code: str | None) -> bytes:
    """The Coding of a DICOM SOP class; raw data storage where none is given."""
    return coding("DICOM-SOP", code or "1.2.840.10008.5.1.4.1.1.66")


def begins_study(shard: Shard) -> NDArray[np.bool_]:
    """First series of each study."""
    columns = shard.columns(SERIES)
    patients, studies = columns.keys("patient_id"), columns.keys("study_key")
    begins = np.ones(columns.n_rows, np.bool_)
    begins[1:] = (patients[1:] != patients[:-1]) | (studies[1:] != studies[:-1])
    return begins


def procedures_of(shard: Shard) -> Integers:
    """The text of the procedure of each study."""
    procedure = ["procedure_system", "procedure_code", "procedure_display"]
    return shard.codes(SERIES, procedure, concept)[begins_study(shard)]


def _instances(shard: Shard) -> tuple[Integers, Integers]:
    """Series (position in the table) and position in the series, of every image."""
    counts = np.maximum(shard.columns(SERIES).integers("n_instances"), 0)
    series = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    return series, position


def _plan(shard: Shard) -> None:
    columns = shard.columns(SERIES)
    patients, keys = columns.keys("patient_id"), columns.keys("row_key")
    begins = begins_study(shard)
    shard.add(STUDIES, "ImagingStudy", _STUDY_WIDTH, patients[begins], columns.keys("study_key")[begins])
    shard.add(SERIES, None, _SERIES_WIDTH, patients, keys)
    series, position = _instances(shard)
    shard.add(INSTANCES, None, _INSTANCE_WIDTH, patients[series], instance_keys(keys[series], position))


def _fill(shard: Shard) -> None:
    _fill_instances(shard)
    _fill_series(shard)
    _fill_studies(shard)


def _fill_instances(shard: Shard) -> None:
    section, columns = shard.sections[INSTANCES], shard.columns(SERIES)
    series, position = _instances(shard)
    section.cells[:, _POSITION] = position + 1
    section.cells[:, _SOP_CLASS] = shard.codes(SERIES, ["sop_code"], sop_class)[series]
    section.cells[:, _TITLE] = shard.local_texts(SERIES, "instance_title")[series]
    shard.set_templates(section, INSTANCE_FAMILY, title=section.cells[:, _TITLE] != NONE)
    target = shard.sections[SERIES]
    first, counts = shard.add_children(series + target.base, section.rows, target)
    target.cells[:, _INSTANCES], target.cells[:, _N_INSTANCES] = first, counts
    target.cells[:, _START] = columns.times("time")


def _fill_series(shard: Shard) -> None:
    section, columns = shard.sections[SERIES], shard.columns(SERIES)
    cells = section.cells
    cells[:, _NUMBER] = columns.integers("series_number")
    cells[:, _MODALITY] = shard.codes(SERIES, ["modality_code"], modality)
    cells[:, _BODY_SITE] = shard.codes(SERIES, ["body_site_system", "body_site_code"], coding)
    shard.set_templates(section, SERIES_FAMILY, instances=cells[:, _N_INSTANCES] > 0)


def _fill_studies(shard: Shard) -> None:
    section, series, columns = shard.sections[STUDIES], shard.sections[SERIES], shard.columns(SERIES)
    cells, begins = section.cells, begins_study(shard)
    cells[:, _TIME] = columns.times("time")[begins]
    cells[:, _ORDER] = shard.lookups["study order"]
    cells[:, _ENCOUNTER] = shard.require(series, "encounter_key", "encounters")[begins]
    cells[:, _PROCEDURE] = procedures_of(shard)
    study = np.cumsum(begins) - 1
    cells[:, _SERIES], cells[:, _N_SERIES] = shard.add_children(study + section.base, series.rows, section)
    images = np.bincount(study, weights=series.cells[:, _N_INSTANCES], minlength=section.n_rows)
    cells[:, _ALL_INSTANCES] = images.astype(np.int64)
    shard.set_templates(section, FAMILY, encounter=cells[:, _ENCOUNTER] != NONE)


KIND = Kind("ImagingStudy", SERIES, _STUDY_WIDTH, _fill, _plan)
