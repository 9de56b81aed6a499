"""Readers of known formats into `trajsim.learn.ingest.rows.ClinicalRows`: one file a format.

A reader says what stands in the source and where: it maps nothing, drops nothing that is readable, and reports
everything that is not, all at once. All days are days of UTC, so that a patient who was written in several formats
reads the same from each.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.readers.fhir import read_fhir
from trajsim.learn.ingest.readers.meds import read_meds
from trajsim.learn.ingest.readers.omop import read_omop
from trajsim.learn.ingest.readers.records import read_records, rows_of_records
from trajsim.learn.ingest.readers.synthea_csv import read_synthea
from trajsim.learn.ingest.rows import ClinicalRows

Reader = Callable[[Path, SourceMapping], ClinicalRows]

READERS: Mapping[str, Reader] = {
    "fhir": lambda source, _mapping: read_fhir(source),
    "meds": lambda source, _mapping: read_meds(source),
    "omop": lambda source, _mapping: read_omop(source),
    "records": lambda source, _mapping: read_records(source),
    "synthea-csv": lambda source, _mapping: read_synthea(source),
}
"""By the name that a mapping gives under ``format``."""

__all__ = [
    "READERS",
    "Reader",
    "read_fhir",
    "read_meds",
    "read_omop",
    "read_records",
    "read_synthea",
    "rows_of_records",
]
