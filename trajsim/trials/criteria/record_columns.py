"""Columns of one table of Records as numpy arrays, read when asked for, and the table's rows by code."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.errors import SchemaError
from trajsim.records import Records
from trajsim.records.table import text_parts
from trajsim.trials.criteria.days import NO_CODE, NO_DAY, US_PER_DAY, Days, Keys, Mask
from trajsim.trials.criteria.hierarchy import CodeBook, plain_system
from trajsim.trials.criteria.source import is_among

_NO_TIME = np.iinfo(np.int64).min
_FEW = 8
Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Coded:
    """A coded column: the slot of each row in a table of the codes that occur, and the keys of that table."""

    slots: NDArray[Any]
    keys: Keys

    def among(self, keys: Keys) -> NDArray[np.bool_]:
        """Which rows have one of the keys."""
        wanted = is_among(self.keys, keys)
        hits = np.flatnonzero(wanted).tolist()
        if len(hits) > _FEW:
            found: NDArray[np.bool_] = wanted[self.slots]
            return found
        found = np.zeros(len(self.slots), bool)
        for slot in hits:  # comparing small numbers costs far less than looking each of them up
            found |= self.slots == slot
        return found


class RecordColumns:
    """One table of Records: persons, days, codes and numbers of some of its rows."""

    def __init__(self, records: Records, name: str, book: CodeBook) -> None:
        """Takes a table; nothing is read yet.

        Raises:
            SchemaError: Its rows are not contiguous by patient.
        """
        self.name = name
        self._table: pa.Table = records[name]
        self._book = book
        self._raw: dict[str, NDArray[Any]] = {}
        self._codes: dict[tuple[str, str], _Coded] = {}
        self._further: tuple[Keys, Rows] | None = None
        self._rows_of_persons: tuple[Mask, Mask] | None = None
        self.edges = _edges(records, name)

    def __len__(self) -> int:
        """How many rows."""
        return int(self._table.num_rows)

    def persons(self, rows: Rows) -> NDArray[np.int64]:
        """Positions of the patients of rows."""
        return np.searchsorted(self.edges, rows, side="right") - 1

    def times(self, column: str, rows: Rows) -> NDArray[np.int64]:
        """Microseconds of a time column; the smallest integer where there is none."""
        if column not in self._raw:
            times_us = self._table.column(column).cast(pa.int64())
            filled = pc.fill_null(times_us, int(_NO_TIME)) if times_us.null_count else times_us
            self._raw[column] = filled.to_numpy()
        times: NDArray[np.int64] = self._raw[column][rows]
        return times

    def days(self, column: str, rows: Rows) -> Days:
        """Day numbers of a time column."""
        times = self.times(column, rows)
        return np.where(times == _NO_TIME, NO_DAY, times // US_PER_DAY)

    def integers(self, column: str, rows: Rows) -> Keys:
        """A column of keys; 0 is none."""
        if column not in self._raw:
            self._raw[column] = self._table.column(column).to_numpy()
        values: Keys = self._raw[column][rows].astype(np.int64)
        return values

    def keys(self, column: str, rows: Rows) -> Keys:
        """A column of keys of other rows; none is `NO_CODE`."""
        values = self.integers(column, rows)
        return np.where(values == 0, NO_CODE, values)

    def floats(self, column: str, rows: Rows) -> NDArray[np.float64]:
        """A column of numbers; NaN where there is none."""
        if column not in self._raw:
            self._raw[column] = self._table.column(column).to_numpy()
        values: NDArray[np.float64] = self._raw[column][rows].astype(np.float64)
        return values

    def texts(self, column: str, rows: Rows) -> NDArray[Any]:
        """A column of text; None where there is none."""
        taken = self._table.column(column).take(pa.array(rows))
        return np.array(taken.to_pylist(), object)

    def codes(self, system: str, code: str, rows: Rows) -> Keys:
        """Codes of a pair of columns, system and code; a column that is no column is one system for all rows."""
        coded = self._coded(system, code)
        keys: Keys = coded.keys[coded.slots[rows]]
        return keys

    def _coded(self, system: str, code: str) -> "_Coded":
        if (system, code) not in self._codes:
            self._codes[system, code] = self._read_codes(system, code)
        return self._codes[system, code]

    def _read_codes(self, system: str, code: str) -> "_Coded":
        indices, nulls, dictionary = text_parts(self._table.column(code))
        words = dictionary.to_pylist()
        width = max(len(words), 1)
        slots: NDArray[Any] = indices
        spelled = [system]
        if system in self._table.column_names:
            systems, _, names = text_parts(self._table.column(system))
            spelled = [plain_system(name) for name in names.to_pylist()] or [""]
            if len(spelled) > 1:
                slots = systems.astype(np.int64) * width + indices
        small = np.min_scalar_type(len(spelled) * width)  # one slot more, for rows without a code
        slots = slots.astype(small)
        if nulls is not None:
            slots[nulls] = len(spelled) * width
        present = np.zeros(len(spelled) * width + 1, bool)
        present[slots] = True
        keys = np.full(len(present), NO_CODE)
        for slot in np.flatnonzero(present[:-1]).tolist():
            keys[slot] = self._book.number((spelled[slot // width], words[slot % width]))
        return _Coded(slots=slots, keys=keys)

    def rows(self, keys: Keys | None, persons: Mask | None) -> Rows:
        """Rows of some patients whose code, or one of whose further codes, is among the keys, in order; None: all."""
        if keys is None:
            return np.arange(len(self)) if persons is None else np.flatnonzero(self._rows_of(persons))
        is_wanted = self._rows_with(keys)
        return np.flatnonzero(is_wanted if persons is None else is_wanted & self._rows_of(persons))

    def _rows_of(self, persons: Mask) -> Mask:
        """Which rows are of those patients; the last answer is kept, for the next code set asks the same."""
        if self._rows_of_persons is None or self._rows_of_persons[0] is not persons:
            self._rows_of_persons = persons, np.repeat(persons, np.diff(self.edges))
        return self._rows_of_persons[1]

    def _rows_with(self, keys: Keys) -> Mask:
        is_wanted = self._coded(*code_columns(self.name)).among(keys)
        if self.name == "encounters":
            is_wanted |= self._coded("VISIT", "encounter_class").among(keys)
        if "more_codes" in self._table.column_names:
            if self._further is None:
                self._further = self._further_codes()
            codes, rows = self._further
            if len(codes):
                is_wanted[rows[is_among(codes, keys)]] = True
        return is_wanted

    def _further_codes(self) -> tuple[Keys, Rows]:
        column = self._table.column("more_codes")
        if column.null_count == len(column):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        indices, nulls, dictionary = text_parts(column)
        rows = np.flatnonzero(~nulls) if nulls is not None else np.arange(len(indices))
        lists = [
            [self._book.number((plain_system(each["system"]), each["code"])) for each in json.loads(text)]
            for text in dictionary.to_pylist()
        ]
        counts = np.array([len(each) for each in lists], np.int64)
        flat = np.array([number for each in lists for number in each], np.int64)
        begin = np.r_[0, np.cumsum(counts)[:-1]]
        own = indices[rows]
        repeat = counts[own]
        offset = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        return flat[np.repeat(begin[own], repeat) + offset], np.repeat(rows, repeat)


def code_columns(name: str) -> tuple[str, str]:
    """The columns of system and code of a table."""
    return ("cause_system", "cause_code") if name == "deaths" else ("system", "code")


def _edges(records: Records, name: str) -> NDArray[np.int64]:
    """Where each patient's rows begin in a table; one edge more than patients."""
    ids, own = records.patient_ids, records.ids_of(name)
    changes = np.flatnonzero(own[1:] != own[:-1]) + 1
    firsts = np.r_[0, changes] if len(own) else np.zeros(0, np.int64)
    order = np.argsort(ids, kind="stable")
    slot = np.minimum(np.searchsorted(ids[order], own[firsts]), max(len(ids) - 1, 0))
    position = order[slot] if len(ids) else slot
    if len(firsts) and (
        not len(ids) or not np.array_equal(ids[position], own[firsts]) or np.any(np.diff(position) <= 0)
    ):
        msg = f"rows of table {name!r} ({len(own)} rows) are not contiguous in the order of the patients"
        raise SchemaError(msg)
    counts = np.zeros(len(ids) + 1, np.int64)
    counts[position + 1] = np.diff(np.r_[firsts, len(own)])
    return np.cumsum(counts)
