"""Cells of a population file as numbers, and every fault on the way, by row and column."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.02
"""How far shares of one row may be from 1 together, for rounding; they are scaled to 1 afterwards."""


@dataclass(kw_only=True, eq=False)
class Sheet:
    """A table of texts under a header, and the faults found in it so far.

    Attributes:
        header: Column names.
        rows: [row] cells.
        lines: [row] number of the line in the file, from 1.
        faults: Sentences, each with the row and column.
    """

    header: tuple[str, ...] = ()
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def has(self, column: str) -> bool:
        """Whether the column is there."""
        return column in self.header

    def require(self, columns: Sequence[str]) -> None:
        """Adds a fault for every column that is missing."""
        for column in columns:
            if column not in self.header:
                near = difflib.get_close_matches(column, self.header, n=1)
                self.faults.append(f"column {column!r} is missing{f', found {near[0]!r}' if near else ''}")

    def texts(self, column: str) -> tuple[str, ...]:
        """Cells of a column; empty texts if it is not there."""
        if column not in self.header:
            return ("",) * len(self)
        at = self.header.index(column)
        return tuple(row[at] for row in self.rows)

    def filled(self, column: str) -> tuple[str, ...]:
        """Cells of a column, each of which must say something."""
        cells = self.texts(column)
        if self.has(column):
            self.faults.extend(
                f"row {line}, column {column!r}: empty"
                for line, cell in zip(self.lines, cells, strict=True)
                if not cell
            )
        return cells

    def numbers(
        self, column: str, *, low: float = 0.0, high: float = math.inf, empty: float | None = None
    ) -> NDArray[np.float64]:
        """Cells of a column as numbers from low to high; adds a fault for every other cell.

        Args:
            column: Name; a column that is not there gives `empty`, or zeros.
            low: Least value.
            high: Greatest value.
            empty: What an empty cell stands for; None: an empty cell is a fault.
        """
        if column not in self.header:
            return np.full(len(self), 0.0 if empty is None else empty)
        values = np.zeros(len(self))
        for row, (line, cell) in enumerate(zip(self.lines, self.texts(column), strict=True)):
            if not cell and empty is not None:
                values[row] = empty
                continue
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if math.isfinite(value) and low <= value <= high:
                values[row] = value
            else:
                limits = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
                self.faults.append(f"row {line}, column {column!r}: expected a number {limits}, got {cell!r}")
        return values

    def shares(
        self, columns: Sequence[str], what: str, *, may_be_less: bool = False, may_be_zero: bool = False
    ) -> NDArray[np.float64]:
        """Columns whose cells are shares that sum to 1 in every row: [row, column], scaled to 1.

        Args:
            columns: Names.
            what: What is shared out, for the fault.
            may_be_less: The rest to 1 belongs to somebody else, and nothing is scaled.
            may_be_zero: A row of zeros shares out evenly, as in Synthea.
        """
        n_faults = len(self.faults)
        values = np.stack([self.numbers(column, high=1.0 + TOLERANCE) for column in columns], axis=1)
        totals = values.sum(axis=1)
        if len(self.faults) > n_faults:
            return np.full(values.shape, 1.0 / len(columns))
        for row, (line, total) in enumerate(zip(self.lines, totals.tolist(), strict=True)):
            if may_be_zero and total == 0.0:
                values[row] = 1.0
            elif total > 1.0 + TOLERANCE or (total < 1.0 - TOLERANCE and not may_be_less):
                self.faults.append(
                    f"row {line}, columns {columns[0]!r} to {columns[-1]!r}: shares of {what} sum to {total:.4g}, "
                    f"expected {'at most ' if may_be_less else ''}1"
                )
                values[row] = 1.0
        if not may_be_less:
            values /= values.sum(axis=1, keepdims=True)
        return values

    def unique(self, *columns: str) -> None:
        """Adds a fault for every row whose cells in these columns were there before."""
        seen: dict[tuple[str, ...], int] = {}
        for line, cells in zip(self.lines, zip(*(self.texts(column) for column in columns), strict=True), strict=True):
            key = tuple(cell.casefold() for cell in cells)
            if key in seen:
                self.faults.append(f"row {line}: place {', '.join(cells)} is there already, in row {seen[key]}")
            seen.setdefault(key, line)

    def known(self, column: str, words: Sequence[str], *, where: Sequence[bool] | None = None) -> None:
        """Adds a fault for every cell that is none of the words (any case), with a near one."""
        folded = {word.casefold(): word for word in words}
        asked = where if where is not None else [True] * len(self)
        for line, cell, is_asked in zip(self.lines, self.texts(column), asked, strict=True):
            if cell and is_asked and cell.casefold() not in folded:
                near = difflib.get_close_matches(cell.casefold(), folded, n=1)
                hint = f", did you mean {folded[near[0]]!r}?" if near else ""
                self.faults.append(f"row {line}, column {column!r}: unknown {cell!r}{hint}")
