"""From a source on disk to its rows, whatever its format."""

from pathlib import Path

from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.readers.formats import read_source
from trajsim.learn.ingest.readers.runs import last_day_of
from trajsim.learn.ingest.rows import ClinicalRows, observed_until
from trajsim.learn.ingest.tables import read_own_tables


def read_clinical(source: Path, mapping: SourceMapping) -> ClinicalRows:
    """Reads a source in the format of its mapping.

    Args:
        source: Folder or file.
        mapping: Names the format, and for tables of one's own their columns.

    Returns:
        What stands in it; what is wrong with parts of it stands in `faults`.

    Raises:
        DataFileError: The source cannot be read, or files or columns are missing.
    """
    if mapping.format == "csv":
        return observed_until(last_day_of(source, mapping), read_own_tables(source, mapping))
    return read_source(mapping.format, source, mapping)
