"""CSV files in Synthea's layout: Synthea's own, and those that trajsim wrote."""

from pathlib import Path

import numpy as np

from trajsim.learn.ingest.readers.collected import DAY_US
from trajsim.learn.ingest.readers.records import rows_of_records
from trajsim.learn.ingest.readers.runs import end_of_run
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows
from trajsim.records.csv_read import read_synthea_csv


def read_synthea(folder: Path, *, last_day: int | None = None) -> ClinicalRows:
    """Reads a folder of CSV files, also compressed with gzip.

    Args:
        folder: The folder with ``patients.csv`` and ``encounters.csv``.
        last_day: Last day on which anything can have happened; later ones do not lengthen observation. None: all do.

    Returns:
        The rows. Living patients are observed to the end of the run where it was ours, or else to the last instant in
        any file (see `trajsim.records.csv_read.read_synthea_csv`).

    Raises:
        DataFileError: A file or column is missing, a value cannot be read, or a row names an unknown patient.
    """
    made = rows_of_records(read_synthea_csv(folder, until_us=None if last_day is None else (last_day + 1) * DAY_US - 1))
    end = end_of_run(folder)
    if end is not None:
        is_dead = made.persons["death"] != NO_DAY
        made.persons["end"] = made.persons["end"].where(is_dead, np.int32(end)).astype(np.int32)
    return made
