"""A trial and its patients as one NDJSON set, which loads and validates by itself."""

import datetime as dt
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from fhir_export.exporter import FhirExporter
from fhir_export.ndjson import line_file
from fhir_export.output import ExportReport, WholeFiles
from fhir_export.study.description import Study
from fhir_export.study.resources import study_resources
from trajsim.errors import ExportError
from trajsim.records.table import Records

PATIENTS: Final = 0
TRIAL: Final = 1
"""Numbers of the two parts in the names of files."""


def write_study(folder: Path, study: Study, candidates: pa.Table, records: Records, *, seed: int) -> ExportReport:
    """Writes one replicate as NDJSON: ``<Type>-00001.ndjson`` of the trial, ``<Type>-00000.ndjson`` of its patients.

    Of the patients who are referred to stand the Patient and what it refers to, not their histories: these are the
    export of the same Records with the same seed, which gives them the same ids.

    Args:
        folder: Where; nothing may be there yet.
        study: The trial.
        candidates: Its candidates, as for `study_resources`.
        records: The people they were.
        seed: Seed from which the ids of patients are made, that of the run that made the Records.

    Returns:
        What was written.

    Raises:
        ExportError: The folder holds something, a file cannot be written, or as `study_resources`.
        ConfigError: A race or ethnicity that trajsim does not know.

    Guarantees:
        Every reference resolves inside the folder. (tests/unit/fhir_export/test_study.py)
    """
    exporter = FhirExporter(seed=seed)

    def reference(patient: int) -> str:
        return f"Patient/{exporter.patient_resource_id(patient)}"

    resources = study_resources(study, candidates, patient_reference=reference)
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty"
        raise ExportError(msg, hint="name another folder, or empty this one")
    with WholeFiles(folder) as files:
        for kind, those in resources.items():
            if those:
                files.write(line_file(kind, TRIAL), (orjson.dumps(each) + b"\n" for each in those))
    counts = {kind: len(those) for kind, those in resources.items() if those}
    reports = []
    patients = _patients_of(records, candidates, study)
    if patients.n_patients:
        reports.append(exporter.write_ndjson(patients, folder, shard=PATIENTS))
    moment = dt.datetime.combine(study.end, dt.time(), dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    reports.append(exporter.finish_ndjson(folder, end_us=moment // dt.timedelta(microseconds=1)))
    for report in reports:
        for kind, n in report.n_resources.items():
            counts[kind] = counts.get(kind, 0) + n
    return ExportReport(
        n_bytes=files.n_bytes + sum(report.n_bytes for report in reports),
        n_resources=counts,
        files=tuple(sorted({*files.files, *(path for report in reports for path in report.files)})),
    )


def _patients_of(records: Records, candidates: pa.Table, study: Study) -> Records:
    """The patients who are subjects, without their histories."""
    agreed = pa.array([reason for reason, ending in study.endings.items() if ending is not None], pa.string())
    rows = candidates.filter(pc.is_in(candidates["reason"].cast(pa.string()), agreed))
    patients = records["patients"]
    return Records({"patients": patients.filter(pc.is_in(patients["patient_id"], pc.unique(rows["patient_id"])))})
