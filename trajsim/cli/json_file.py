"""The file of ``--json``: refused before the work starts if it cannot be written, and written whole or not at all."""

import os
from pathlib import Path
from typing import Any

import orjson

from trajsim.cli.os_faults import error_from_os
from trajsim.errors import ConfigError


def require_json_file(path: Path | None) -> None:
    """Refuses what no file can be written to.

    Raises:
        ConfigError: It is a folder, or stands in none that may be written to.
    """
    if path is None:
        return
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir():
        msg = f"--json {str(path)!r}: expected a file in a folder that is there"
        raise ConfigError(msg)
    if not os.access(folder, os.W_OK):
        msg = f"--json {str(path)!r}: expected a file in a folder that may be written to"
        raise ConfigError(msg)


def write_json_file(path: Path, value: Any) -> None:  # noqa: ANN401  # whatever JSON holds
    """Writes a value, indented, with a newline at the end.

    Raises:
        ExportError: The disk is full, or not to be written.
    """
    from trajsim.cli.run_folder import write_whole

    try:
        write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise error_from_os(error) from error
