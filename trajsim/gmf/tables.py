"""Lookup tables: CSV to rows with ranges, as one state uses them.

With k options in the state, the last k columns are the targets and everything before is a key. All faults of a table
are collected with file and row; the header is row 1.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from trajsim.gmf.findings import Finding, Severity
from trajsim.gmf.model import LookupRow, LookupTable
from trajsim.units import DAY_MS, ms_from_iso

_INTEGER_RANGE = re.compile(r"\s*(-?\d+)\s*-\s*(-?\d+)\s*\Z")
_DATE_RANGE = re.compile(r"\s*(\d{4}-\d{2}-\d{2})\s*-\s*(\d{4}-\d{2}-\d{2})\s*\Z")

Bounds = tuple[int | None, int | None]


def parse_table(data: bytes, *, name: str, n_targets: int, file: Path) -> tuple[LookupTable | None, list[Finding]]:
    """Decodes one lookup table for a state with `n_targets` options.

    The first row in file order that matches wins, so rows stay in file order, with one exception that Synthea's hash
    table brings: a later row whose ranges contain those of an earlier row (same other keys) only gives that earlier
    row its probabilities, and is not a row of its own.

    Args:
        data: The bytes of the file; a byte order mark is tolerated.
        name: File name as the module writes it.
        n_targets: How many options the state has.
        file: Where the bytes came from; shown in findings.

    Returns:
        The table, or None if any finding is an error; and all findings.

    Source:
        Synthea, Transition.java, LookupTableTransition.
    """
    reader = _TableReader(data, file, n_targets)
    table = reader.table(name)
    return table, reader.findings


class _TableReader:
    """One table being read."""

    def __init__(self, data: bytes, file: Path, n_targets: int) -> None:
        self.findings: list[Finding] = []
        self._file = str(file)
        self._n_targets = n_targets
        self._failed = False
        try:
            text = data.decode("utf-8-sig")
            lines = csv.reader(io.StringIO(text, newline=""), strict=True)
            self._cells = [
                (lines.line_num, [cell.strip() for cell in row]) for row in lines if any(map(str.strip, row))
            ]
        except (UnicodeDecodeError, csv.Error) as error:
            self._cells = []
            self._fault(0, f"not a CSV file in UTF-8: {error}")

    def _fault(self, row: int, message: str, hint: str | None = None) -> None:
        self._failed = True
        self._note("GMF205", Severity.ERROR, row, message, hint)

    def _note(self, rule: str, severity: Severity, row: int, message: str, hint: str | None = None) -> None:
        place = f"row {row}" if row else ""
        self.findings.append(
            Finding(rule=rule, severity=severity, file=self._file, path=place, message=message, hint=hint)
        )

    def table(self, name: str) -> LookupTable | None:
        """The table, or None after a fault."""
        if self._failed:
            return None
        if not self._cells:
            self._fault(0, "empty table: expected a header row")
            return None
        header = self._cells[0][1]
        if len(header) <= self._n_targets:
            message = f"{len(header)} columns, but the state has {self._n_targets} options"
            self._fault(1, message, "give one column to each key and to each target state, targets last")
            return None
        twice = sorted({column for column in header if header.count(column) > 1})
        if twice:
            self._fault(1, f"column {twice[0]!r} is given more than once")
        keys = header[: -self._n_targets]
        rows: list[LookupRow] = []
        places: dict[tuple[str, ...], list[int]] = {}
        for number, cells in self._cells[1:]:
            row = self._row(number, cells, keys, len(header))
            if row is not None:
                self._add(rows, places.setdefault(row.keys, []), row, number)
        if self._failed:
            return None
        return LookupTable(
            name=name,
            key_columns=tuple(key for key in keys if key not in {"age", "time"}),
            has_age="age" in keys,
            has_time="time" in keys,
            targets=tuple(header[-self._n_targets :]),
            rows=tuple(rows),
        )

    def _row(self, number: int, cells: list[str], keys: list[str], width: int) -> LookupRow | None:
        if len(cells) != width:
            self._fault(number, f"{len(cells)} cells, expected {width}")
            return None
        by_column = dict(zip(keys, cells, strict=False))
        age = self._bounds(number, "age", by_column.pop("age", None), _age_range)
        time = self._bounds(number, "time", by_column.pop("time", None), _time_range)
        probabilities = [self._probability(number, cell) for cell in cells[len(keys) :]]
        return LookupRow(tuple(by_column.values()), *age, *time, tuple(probabilities))

    def _bounds(
        self, number: int, column: str, cell: str | None, parse: Callable[[str], tuple[int, int] | None]
    ) -> Bounds:
        if cell is None:
            return None, None
        bounds = parse(cell)
        if bounds is not None:
            return min(bounds), max(bounds)
        form = "46-65" if column == "age" else "2020-01-01-2020-12-31 or milliseconds since 1970 as low-high"
        self._fault(number, f"{column} is {cell!r}: expected a range such as {form}")
        return 0, 0

    def _probability(self, number: int, cell: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._fault(number, f"the probability is {cell!r}: expected a number between 0 and 1")
            return 0.0
        return value

    def _add(self, rows: list[LookupRow], places: list[int], row: LookupRow, number: int) -> None:
        """Adds a row; `places` are the rows with the same keys."""
        for index in places:
            earlier = rows[index]
            if _contains(row, earlier):
                message = "the ranges of this row contain those of an earlier one: it only gives that row its values"
                self._note("GMF312", Severity.WARNING, number, message, "make the ranges disjoint")
                rows[index] = LookupRow(
                    earlier.keys,
                    earlier.age_low,
                    earlier.age_high,
                    earlier.time_low,
                    earlier.time_high,
                    row.probabilities,
                )
                return
        places.append(len(rows))
        rows.append(row)


def _contains(row: LookupRow, earlier: LookupRow) -> bool:
    ages = _covers(row.age_low, row.age_high, earlier.age_low, earlier.age_high)
    return ages and _covers(row.time_low, row.time_high, earlier.time_low, earlier.time_high)


def _covers(low: int | None, high: int | None, inner_low: int | None, inner_high: int | None) -> bool:
    if low is None or high is None or inner_low is None or inner_high is None:
        return True  # a table has the column in all rows or in none
    return low <= inner_low and inner_high <= high


def _age_range(cell: str) -> tuple[int, int] | None:
    match = _INTEGER_RANGE.match(cell)
    return None if match is None else (int(match[1]), int(match[2]))


def _time_range(cell: str) -> tuple[int, int] | None:
    match = _DATE_RANGE.match(cell)
    if match is None:
        return _age_range(cell)
    try:
        return ms_from_iso(match[1]), ms_from_iso(match[2]) + DAY_MS - 1
    except ValueError:
        return None


def mismatch(table: LookupTable, options: Sequence[str]) -> str | None:
    """What is wrong between a table's last columns and the targets of a state's options, or None."""
    unknown = [target for target in table.targets if target not in options]
    if not unknown:
        return None
    absent = [option for option in options if option not in table.targets]
    message = f"the last {len(table.targets)} columns of table {table.name!r} are {', '.join(map(repr, table.targets))}"
    return f"{message}: {unknown[0]!r} is the target of no option" + (
        f", {absent[0]!r} has no column" if absent else ""
    )
