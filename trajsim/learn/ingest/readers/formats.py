"""Which reader takes which format."""

from collections.abc import Callable, Mapping
from pathlib import Path

from trajsim.errors import ConfigError
from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.readers.fhir import read_fhir
from trajsim.learn.ingest.readers.meds import read_meds
from trajsim.learn.ingest.readers.omop import read_omop
from trajsim.learn.ingest.readers.records import read_records
from trajsim.learn.ingest.readers.runs import last_day_of
from trajsim.learn.ingest.readers.synthea_csv import read_synthea
from trajsim.learn.ingest.rows import ClinicalRows, observed_until

READERS: Mapping[str, Callable[[Path, SourceMapping, int | None], ClinicalRows]] = {
    "fhir": lambda source, mapping, last_day: read_fhir(source, mapping=mapping, last_day=last_day),
    "meds": lambda source, _mapping, last_day: read_meds(source, last_day=last_day),
    "omop": lambda source, _mapping, last_day: read_omop(source, last_day=last_day),
    "records": lambda source, _mapping, _last_day: read_records(source),
    "synthea-csv": lambda source, _mapping, last_day: read_synthea(source, last_day=last_day),
}
"""By the name that a mapping gives under `format`: of a source, its mapping, and the last day that it can know."""


def read_source(source_format: str, source: Path, mapping: SourceMapping | None = None) -> ClinicalRows:
    """Reads a source.

    Args:
        source_format: A name of `READERS`.
        source: Its folder or file.
        mapping: Says which codes matter, and which days can be; None: one that says nothing.

    Returns:
        The rows, on the calendar's clock.

    Raises:
        ConfigError: No reader has that name.
        DataFileError: The source cannot be read at all; what is wrong with parts of it stands in the rows' `faults`.
    """
    if source_format not in READERS:
        msg = f"no reader of the format {source_format!r}, expected one of {', '.join(READERS)}"
        raise ConfigError(msg)
    mapping = mapping or SourceMapping(name=source_format, format=source_format)
    last_day = last_day_of(source, mapping)
    return observed_until(last_day, READERS[source_format](source, mapping, last_day))
