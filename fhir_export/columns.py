"""Columns of Records as the export reads them: whole columns as NumPy arrays, text as numbers into a small list."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fhir_export.writer import NO_TIME


@dataclass(frozen=True, eq=False)
class Encoded:
    """A text column: one index a row into a list of values, whose last one stands for null."""

    indices: NDArray[np.int64]
    values: tuple[str | None, ...]

    @property
    def is_null(self) -> NDArray[np.bool_]:
        """Rows without a value."""
        return np.asarray(self.indices == len(self.values) - 1)

    def choice(self, values: Sequence[str | None]) -> NDArray[np.int64]:
        """The position of every row's value in a list; 0 where it is null or not in the list."""
        places = [values.index(value) if value in values else 0 for value in self.values]
        return np.array(places, np.int64)[self.indices]

    def used(self) -> NDArray[np.int64]:
        """Indices that occur."""
        return np.flatnonzero(np.bincount(self.indices, minlength=len(self.values)))


class Columns:
    """One table of Records; every column is decoded once, when first asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.n_rows: int = table.num_rows
        self.text = cache(self._text)
        self.times = cache(self._times)

    def _column(self, name: str) -> pa.Array:
        column = self._table.column(name)
        if column.num_chunks == 1:
            return column.chunk(0)
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
        return column.combine_chunks()

    def keys(self, name: str) -> NDArray[np.uint64]:
        """A column of keys or ids."""
        return np.ascontiguousarray(self._column(name).to_numpy(zero_copy_only=False), np.uint64)

    def integers(self, name: str) -> NDArray[np.int64]:
        """A column of integers without nulls."""
        return np.asarray(self._column(name).to_numpy(zero_copy_only=False), np.int64)

    def flags(self, name: str) -> NDArray[np.bool_]:
        """A column of booleans without nulls."""
        return np.asarray(self._column(name).to_numpy(zero_copy_only=False), np.bool_)

    def _times(self, name: str) -> NDArray[np.int64]:
        """A column of times in microseconds; NO_TIME where null."""
        ticks = self._column(name).cast(pa.int64())
        return np.asarray((ticks.fill_null(NO_TIME) if ticks.null_count else ticks).to_numpy())

    def numbers(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """A column of numbers, and where there is one."""
        column = self._column(name)
        present = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)
        return np.asarray((column.fill_null(0.0) if column.null_count else column).to_numpy()), present

    def _text(self, name: str) -> Encoded:
        """A dictionary-encoded column of text."""
        column = self._column(name)
        values = column.dictionary.to_pylist()
        indices = column.indices
        if indices.null_count:
            indices = indices.fill_null(len(values))
        return Encoded(np.asarray(indices.to_numpy(), np.int64), (*values, None))

    def strings(self, name: str) -> list[str | None]:
        """A column of plain strings."""
        values: list[str | None] = self._column(name).to_pylist()
        return values


def combined(columns: list[Encoded]) -> tuple[NDArray[np.int64], list[tuple[str | None, ...]]]:
    """Numbers the combinations of some text columns that occur.

    Returns:
        The combination of every row, and the values of every combination.
    """
    first = columns[0]
    if len(columns) == 1:
        return first.indices, [(value,) for value in first.values]
    code = first.indices.copy()
    for column in columns[1:]:
        if len(column.values) == 1:  # nothing but nulls
            continue
        code *= len(column.values)
        code += column.indices
    encoded = pa.array(code).dictionary_encode()
    rest = encoded.dictionary.to_numpy().copy()
    picked: list[list[Any]] = []
    for column in reversed(columns):
        rest, place = np.divmod(rest, len(column.values))
        picked.append([column.values[index] for index in place])
    return np.asarray(encoded.indices.to_numpy(), np.int64), list(zip(*reversed(picked), strict=True))
