"""Columns of one table of Records as numpy arrays, read when asked for, and the table's rows by code."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.errors import SchemaError
from trajsim.records import Records
from trajsim.records.table import text_parts
from trajsim.trials.criteria.days import NO_CODE, NO_DAY, US_PER_DAY, Days, Keys
from trajsim.trials.criteria.hierarchy import CodeBook, plain_system
from trajsim.trials.criteria.source import is_among

_NO_TIME = np.iinfo(np.int64).min
Rows = NDArray[np.int64]


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
        self._codes: dict[tuple[str, str], Keys] = {}
        self._index: tuple[Keys, NDArray[np.int64], Rows] | None = None
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
            filled = pc.fill_null(self._table.column(column).cast(pa.int64()), int(_NO_TIME))
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
            self._raw[column] = self._table.column(column).to_numpy().astype(np.int64)
        values: Keys = self._raw[column][rows]
        return values

    def keys(self, column: str, rows: Rows) -> Keys:
        """A column of keys of other rows; none is `NO_CODE`."""
        values = self.integers(column, rows)
        return np.where(values == 0, NO_CODE, values)

    def floats(self, column: str, rows: Rows) -> NDArray[np.float64]:
        """A column of numbers; NaN where there is none."""
        if column not in self._raw:
            self._raw[column] = self._table.column(column).to_numpy().astype(np.float64)
        values: NDArray[np.float64] = self._raw[column][rows]
        return values

    def texts(self, column: str, rows: Rows) -> NDArray[Any]:
        """A column of text; None where there is none."""
        taken = self._table.column(column).take(pa.array(rows))
        return np.array(taken.to_pylist(), object)

    def codes(self, system: str, code: str, rows: Rows) -> Keys:
        """Codes of a pair of columns, system and code; a column that is no column is one system for all rows."""
        if (system, code) not in self._codes:
            self._codes[system, code] = self._read_codes(system, code)
        return self._codes[system, code][rows]

    def _read_codes(self, system: str, code: str) -> Keys:
        indices, nulls, dictionary = text_parts(self._table.column(code))
        words = dictionary.to_pylist()
        if system in self._table.column_names:
            systems, _, names = text_parts(self._table.column(system))
            spelled = [plain_system(name) for name in names.to_pylist()] or [""]
        else:
            systems, spelled = np.zeros(len(indices), np.int32), [system]
        width = max(len(words), 1)
        pair = systems.astype(np.int64) * width + indices
        present = np.zeros(len(spelled) * width, bool)
        present[pair] = True
        number = np.full(len(present), NO_CODE)
        for slot in np.flatnonzero(present).tolist():
            if words:
                number[slot] = self._book.number((spelled[slot // width], words[slot % width]))
        out: Keys = number[pair]
        if nulls is not None:
            out[nulls] = NO_CODE
        return out

    def rows_with(self, keys: Keys) -> Rows:
        """Rows whose code, or one of whose further codes, is among the keys, in the order of the table."""
        if self._index is None:
            self._index = self._build_index()
        present, edges, order = self._index
        hits = np.flatnonzero(is_among(present, keys))
        is_wanted = np.zeros(len(self), bool)
        for slot in hits.tolist():
            is_wanted[order[edges[slot] : edges[slot + 1]]] = True
        return np.flatnonzero(is_wanted)

    def _build_index(self) -> tuple[Keys, NDArray[np.int64], Rows]:
        """Codes that occur, where each one's rows begin, and the rows by code."""
        everything = np.arange(len(self))
        codes, rows = self.codes("system", "code", everything), everything
        if "more_codes" in self._table.column_names:
            more_codes, more_rows = self._further_codes()
            codes, rows = np.concatenate([codes, more_codes]), np.concatenate([rows, more_rows])
        if self.name == "encounters":
            classes = self.codes("VISIT", "encounter_class", everything)
            codes, rows = np.concatenate([codes, classes]), np.concatenate([rows, everything])
        present, compact = _compact(codes)
        small = compact.astype(np.uint16) if len(present) < 1 << 16 else compact
        order = np.argsort(small, kind="stable")
        edges = np.r_[0, np.cumsum(np.bincount(compact, minlength=len(present)))]
        return present, edges, rows[order]

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


def _compact(codes: Keys) -> tuple[Keys, NDArray[np.int64]]:
    """Distinct codes and, for each row, which of them: by a table of numbers, which sorts nothing."""
    top = int(codes.max(initial=-1)) + 2
    shifted = np.where(codes == NO_CODE, 0, codes + 1)  # codes are small numbers of a book
    seen = np.zeros(top, bool)
    seen[shifted] = True
    place = np.cumsum(seen) - 1
    present = np.flatnonzero(seen) - 1
    return np.where(present < 0, NO_CODE, present), place[shifted]


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
