"""A population of anybody's own: reads a CSV of places, in our layout or in Synthea's, and names every fault of it.

Columns and units of our layout are in docs/population.md. Synthea's ``demographics.csv`` is accepted as it is.

Source: the meaning of Synthea's columns: Synthea, world/geography/Demographics.java at commit 2b0a55ba.
"""

import csv
import io
from pathlib import Path

from trajsim.errors import ConfigError
from trajsim.population.file_checks import Sheet
from trajsim.population.file_layouts import own_layout, synthea_layout
from trajsim.population.places import PlaceTable

_SYNTHEA_MARK = "POPESTIMATE2015"
_SHOWN = 40
HINT = "docs/population.md lists the columns of a population file, with their units and an example"


def read_population_file(path: Path | str) -> PlaceTable:
    """Reads and checks a population file.

    Args:
        path: CSV, UTF-8, one row a place. Lines that begin with ``#`` are comments.

    Returns:
        The table to draw people from (`PopulationOptions.table`).

    Guarantees:
        Every fault of the file is named at once, by row and column. (tests/unit/population/test_population_file.py)

    Raises:
        ConfigError: The file cannot be read, or has faults.

    Example:
        >>> read_population_file("places.csv").regions()  # doctest: +SKIP
        ('Zurich', 'Bern')
    """
    path = Path(path)
    sheet = _read_sheet(path)
    table: PlaceTable | None = None
    if not sheet.faults:
        table = synthea_layout(sheet) if _SYNTHEA_MARK in sheet.header else own_layout(sheet)
    if sheet.faults or table is None:
        raise ConfigError(_message(path, sheet.faults), hint=HINT)
    return table


def _message(path: Path, faults: list[str]) -> str:
    lines = [f"{path}: {len(faults)} fault{'s' if len(faults) != 1 else ''} in the population file"]
    lines += [f"  {fault}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"  and {len(faults) - _SHOWN} more")
    return "\n".join(lines)


def _read_sheet(path: Path) -> Sheet:
    """The cells of the file, with the line that each row stands on."""
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"population file cannot be read: {path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return Sheet(faults=[f"row {line}: not UTF-8 text: byte 0x{content[error.start]:02x}; save it as CSV UTF-8"])
    if "\0" in text:
        return Sheet(faults=["not a CSV text: it holds a zero byte"])
    lines = text.splitlines(keepends=True)
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    if not kept:
        return Sheet(faults=["the file is empty: expected a line of column names and one row a place"])
    reader = csv.reader(io.StringIO("".join(line for _, line in kept), newline=""), strict=True)
    rows: list[list[str]] = []
    at: list[int] = []
    try:
        for row in reader:
            at.append(kept[len(at) if reader.line_num <= len(at) else reader.line_num - 1][0])
            rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        return Sheet(faults=[f"row {kept[min(reader.line_num, len(kept)) - 1][0]}: not CSV: {error}"])
    sheet = Sheet(header=tuple(rows[0]), rows=rows[1:], lines=at[1:])
    _check_shape(sheet)
    return sheet


def _check_shape(sheet: Sheet) -> None:
    """Doubled columns, rows too short or long, no rows."""
    doubled = sorted({name for name in sheet.header if sheet.header.count(name) > 1})
    sheet.faults.extend(f"column {name!r} is there more than once" for name in doubled)
    if not sheet.rows:
        sheet.faults.append("no rows: expected one row a place below the column names")
    for line, row in zip(sheet.lines, sheet.rows, strict=True):
        if len(row) != len(sheet.header):
            sheet.faults.append(f"row {line}: {len(row)} cells, but {len(sheet.header)} columns")
