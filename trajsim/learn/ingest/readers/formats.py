"""Which reader takes which format."""

from collections.abc import Callable, Mapping
from pathlib import Path

from trajsim.errors import ConfigError
from trajsim.learn.ingest.readers.fhir import read_fhir
from trajsim.learn.ingest.readers.meds import read_meds
from trajsim.learn.ingest.readers.omop import read_omop
from trajsim.learn.ingest.readers.records import read_records
from trajsim.learn.ingest.readers.synthea_csv import read_synthea
from trajsim.learn.ingest.rows import ClinicalRows

READERS: Mapping[str, Callable[[Path], ClinicalRows]] = {
    "fhir": read_fhir,
    "meds": read_meds,
    "omop": read_omop,
    "records": read_records,
    "synthea-csv": read_synthea,
}
"""By the name that a mapping gives under `format`."""


def read_source(source_format: str, source: Path) -> ClinicalRows:
    """Reads a source.

    Args:
        source_format: A name of `READERS`.
        source: Its folder or file.

    Returns:
        The rows, on the calendar's clock.

    Raises:
        ConfigError: No reader has that name.
        DataFileError: The source cannot be read at all; what is wrong with parts of it stands in the rows' `faults`.
    """
    if source_format not in READERS:
        msg = f"no reader of the format {source_format!r}, expected one of {', '.join(READERS)}"
        raise ConfigError(msg)
    return READERS[source_format](source)
