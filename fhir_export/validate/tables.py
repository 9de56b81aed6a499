"""Where the tables of definitions lie, and how they are read."""

import gzip
from pathlib import Path
from typing import Any

import orjson

from trajsim.errors import DataFileError

DATA = Path(__file__).with_name("data")
R4_TABLE = "r4.json.gz"


def us_core_table(version: str) -> str:
    """The file of a US Core version."""
    return f"us-core-{version}.json.gz"


def read_table(name: str) -> dict[str, Any]:
    """The content of a table.

    Raises:
        DataFileError: It cannot be read.
    """
    try:
        content: dict[str, Any] = orjson.loads(gzip.decompress((DATA / name).read_bytes()))
    except (OSError, EOFError, orjson.JSONDecodeError) as error:
        msg = f"the table {name!r} of definitions cannot be read: {error}"
        raise DataFileError(msg) from error
    return content
