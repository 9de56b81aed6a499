"""From a source on disk to its rows, whatever its format."""

from collections.abc import Mapping
from pathlib import Path

from trajsim.errors import ConfigError
from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.readers.formats import read_source
from trajsim.learn.ingest.readers.runs import last_day_of
from trajsim.learn.ingest.rows import ClinicalRows, observed_until
from trajsim.learn.ingest.tables import read_own_tables

_FILES: Mapping[str, tuple[str, ...]] = {
    "fhir": ("**/*.ndjson*", "**/*.json*"),  # .jsonl as well
    "meds": ("**/*.parquet",),
    "omop": ("*",),  # its reader knows the names of its tables
    "records": ("**/*.parquet",),
    "synthea-csv": ("*.csv", "*.csv.gz"),
}


def read_clinical(source: Path, mapping: SourceMapping) -> ClinicalRows:
    """Reads a source in the format of its mapping.

    Args:
        source: Folder or file.
        mapping: Names the format, and for tables of one's own their columns.

    Returns:
        What stands in it; what is wrong with parts of it stands in `faults`.

    Raises:
        ConfigError: It is a folder without any file of that format: another one was meant.
        DataFileError: The source cannot be read, or files or columns are missing.
    """
    _require_files(source, mapping)
    if mapping.format == "csv":
        return observed_until(last_day_of(source, mapping), read_own_tables(source, mapping))
    return read_source(mapping.format, source, mapping)


def _require_files(source: Path, mapping: SourceMapping) -> None:
    expected = _FILES.get(mapping.format) or tuple(dict.fromkeys(rule.file for rule in mapping.tables))
    if not source.is_dir() or any(next(source.glob(pattern), None) for pattern in expected):
        return
    found = f"a folder without {', '.join(expected)}" if any(source.iterdir()) else "an empty folder"
    msg = f"{source}: expected a source of the format {mapping.format!r}, got {found}"
    raise ConfigError(msg, hint="SOURCE is the folder that holds the files, `--mapping` says in which format")
