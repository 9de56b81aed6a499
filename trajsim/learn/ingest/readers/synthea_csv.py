"""CSV files in Synthea's layout: Synthea's own, and those that trajsim wrote."""

from pathlib import Path

import numpy as np

from trajsim.learn.ingest.readers.fhir_forms import day_of
from trajsim.learn.ingest.readers.records import manifest_of_run, rows_of_records
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows
from trajsim.records.csv_read import read_synthea_csv


def read_synthea(folder: Path) -> ClinicalRows:
    """Reads a folder of CSV files, also compressed with gzip.

    Args:
        folder: The folder with ``patients.csv`` and ``encounters.csv``.

    Returns:
        The rows. Living patients are observed to the end of the run where it was ours, or else to the last instant in
        any file (see `trajsim.records.csv_read.read_synthea_csv`).

    Raises:
        DataFileError: A file or column is missing, a value cannot be read, or a row names an unknown patient.
    """
    records = read_synthea_csv(folder)
    made = rows_of_records(records)
    options = manifest_of_run(folder.parent).get("options")
    end = day_of(options.get("--end")) if isinstance(options, dict) else None
    if end is not None:
        is_dead = made.persons["death"] != NO_DAY
        made.persons["end"] = made.persons["end"].where(is_dead, np.int32(end)).astype(np.int32)
    return made
