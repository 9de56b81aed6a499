"""One CSV file of Synthea's layout as columns of text, and everything that is wrong with the files of a folder.

Somebody whose export lacks a column in one file and has a mistyped date in another wants to hear of both at once, so
nothing here stops at the first fault: what cannot be read is noted with its rows and is empty from then on.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from trajsim.errors import DataFileError
from trajsim.records.csv_layout import HEADERS
from trajsim.records.schema import TIME

_SHOWN = 5

# Columns that only newer versions of Synthea write, or that nothing here needs.
_OPTIONAL = frozenset({
    "SSN", "DRIVERS", "PASSPORT", "PREFIX", "MIDDLE", "SUFFIX", "MAIDEN", "MARITAL", "BIRTHPLACE", "ADDRESS", "CITY",
    "STATE", "COUNTY", "FIPS", "ZIP", "LAT", "LON", "INCOME", "HEALTHCARE_EXPENSES", "HEALTHCARE_COVERAGE", "PAYER",
    "ORGANIZATION", "PROVIDER", "BASE_COST", "PAYER_COVERAGE", "DISPENSES", "TOTALCOST", "BASE_ENCOUNTER_COST",
    "TOTAL_CLAIM_COST", "SYSTEM", "REACTION1", "DESCRIPTION1", "SEVERITY1", "REACTION2", "DESCRIPTION2", "SEVERITY2",
    "UDI", "SERIES_UID", "INSTANCE_UID", "SOP_CODE", "SOP_DESCRIPTION", "PROCEDURE_CODE", "REASONCODE",
    "REASONDESCRIPTION", "UNITS", "CATEGORY", "OWNERSHIP", "STATE_HEADQUARTERED", "PHONE", "AMOUNT_COVERED",
    "AMOUNT_UNCOVERED", "REVENUE", "COVERED_ENCOUNTERS", "UNCOVERED_ENCOUNTERS", "COVERED_MEDICATIONS",
    "UNCOVERED_MEDICATIONS", "COVERED_PROCEDURES", "UNCOVERED_PROCEDURES", "COVERED_IMMUNIZATIONS",
    "UNCOVERED_IMMUNIZATIONS", "UNIQUE_CUSTOMERS", "QOLS_AVG", "MEMBER_MONTHS", "MEMBERID", "START_DATE", "END_DATE",
    "SECONDARY_PAYER", "PLAN_OWNERSHIP", "OWNER_NAME",
})  # fmt: skip


class CsvFaults:
    """What is wrong with the files of one folder, each fault once."""

    def __init__(self, directory: Path) -> None:
        """Starts without a fault."""
        self._directory = directory
        self._lines: dict[str, None] = {}

    def add(self, file: str, sentence: str) -> None:
        """Notes a fault of a file."""
        self._lines[f"{file}: {sentence}"] = None

    def require_none(self) -> None:
        """Raises all faults together.

        Raises:
            DataFileError: There is one.
        """
        if not self._lines:
            return
        n = len(self._lines)
        msg = "\n".join([f"{self._directory}: {n} fault{'s' if n != 1 else ''} in its CSV files", *self._lines])
        is_header = any(": columns missing: " in line for line in self._lines)
        raise DataFileError(msg, hint="the first line must be Synthea's header" if is_header else None)


class CsvFile:
    """One CSV file as columns of text; empty cells are null.

    Attributes:
        name: Of the file.
        table: Its columns.
        rows: Number of every row in the file, from 1, below the header.
        missing: Columns that it should have and lacks, which is a fault once and not once a row.
    """

    def __init__(
        self, name: str, table: pa.Table, faults: CsvFaults, *, rows: NDArray[np.int64], missing: Sequence[str] = ()
    ) -> None:
        """Takes what stands in the file."""
        self.name = name
        self.table = table
        self.rows = rows
        self.missing = frozenset(missing)
        self.n_rows: int = table.num_rows
        self._faults = faults

    @classmethod
    def find(cls, directory: Path, kind: str, faults: CsvFaults, *, is_required: bool = False) -> "CsvFile":
        """The file of a kind in a folder; without rows if it is not there and need not be, or cannot be read."""
        names = HEADERS[kind]
        empty = pa.table({name: pa.array([], pa.string()) for name in names})
        for path in (directory / f"{kind}.csv", directory / f"{kind}.csv.gz"):
            if path.is_file():
                try:
                    table = _read(path, names)
                except (pa.ArrowException, OSError) as error:
                    faults.add(path.name, f"not a readable CSV file ({str(error).splitlines()[0]})")
                    return cls(path.name, empty, faults, rows=np.zeros(0, np.int64), missing=names)
                missing = [name for name in names if name not in table.column_names and name not in _OPTIONAL]
                if missing:
                    found = ", ".join(table.column_names)
                    faults.add(path.name, f"columns missing: {', '.join(missing)}; found {found}")
                return cls(path.name, table, faults, rows=np.arange(1, table.num_rows + 1), missing=missing)
        if is_required:
            faults.add(str(directory), f"no {kind}.csv here")
        return cls(f"{kind}.csv", empty, faults, rows=np.zeros(0, np.int64), missing=names if is_required else ())

    def text(self, name: str) -> pa.Array:
        """A column as text, null where the file lacks it."""
        if name not in self.table.column_names:
            return pa.nulls(self.n_rows, pa.string())
        return self.table[name].combine_chunks()

    def numbers(self, name: str, arrow_type: pa.DataType) -> pa.Array:
        """A column as numbers."""
        return self.cast(name, self.text(name), arrow_type, "a number")

    def required_numbers(self, name: str, arrow_type: pa.DataType) -> pa.Array:
        """The same, where no cell may be empty."""
        self._refuse_empty(name)
        return self.numbers(name, arrow_type)

    def times(self, name: str) -> pa.Array:
        """A column of dates or instants (UTC)."""
        plain = pc.replace_substring(self.text(name), "Z", "")
        return self.cast(name, plain, pa.timestamp("us"), "a date or an instant").view(pa.int64()).view(TIME)

    def cast(self, name: str, text: pa.Array, arrow_type: pa.DataType, expected: str) -> pa.Array:
        """Text of a column in another type; null, and a fault, where that cannot be."""
        try:
            return text.cast(arrow_type)
        except pa.ArrowInvalid:
            encoded = text.dictionary_encode()
            is_good = pa.array([_can_be(word, arrow_type) for word in encoded.dictionary], pa.bool_())
            is_bad = pc.fill_null(pc.invert(is_good.take(encoded.indices)), fill_value=False)
            self.fault(name, is_bad.to_numpy(zero_copy_only=False), f"expected {expected}, got")
            return pc.if_else(is_bad, pa.scalar(None, pa.string()), text).cast(arrow_type)

    def position(self, name: str, ids: pa.Array | None, what: str) -> NDArray[np.int64]:
        """Where the ids of a column stand in a list of ids; -1 for an empty cell, or where nobody knows the ids."""
        if ids is None:
            return np.full(self.n_rows, -1, np.int64)
        text = self.text(name)
        found = pc.index_in(text, value_set=ids)
        lost = pc.and_(found.is_null(), text.is_valid())
        self.fault(name, lost.to_numpy(zero_copy_only=False), f"no {what}")
        position: NDArray[np.int64] = found.cast(pa.int64()).fill_null(-1).to_numpy()
        return position

    def required_position(self, name: str, ids: pa.Array | None, what: str) -> NDArray[np.int64]:
        """The same, where no cell may be empty."""
        self._refuse_empty(name)
        return self.position(name, ids, what)

    def required_times(self, name: str) -> pa.Array:
        """A column of dates or instants, where no cell may be empty."""
        self._refuse_empty(name)
        return self.times(name)

    def ids(self, name: str) -> pa.Array | None:
        """A column of ids, none of them empty, every one once; none where the file lacks it."""
        if name in self.missing:
            return None
        self._refuse_empty(name)
        text = self.text(name)
        encoded = text.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        is_first = np.zeros(self.n_rows, np.bool_)
        is_first[np.unique(encoded, return_index=True)[1]] = True
        self.fault(name, ~is_first & text.is_valid().to_numpy(zero_copy_only=False), "stands twice:")
        return text

    def fault(self, name: str, is_bad: NDArray[np.bool_], sentence: str) -> None:
        """Notes the bad cells of a column, the first few with value and row; nothing if there are none."""
        places = np.flatnonzero(is_bad)
        if not len(places):
            return
        places = places[np.argsort(self.rows[places])]
        text = self.text(name)
        shown = ", ".join(f"{text[int(k)].as_py() or ''!r} in row {self.rows[k]}" for k in places[:_SHOWN])
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        self._faults.add(self.name, f"column {name!r}: {sentence} {shown}{more}")

    def take(self, places: NDArray[np.int64]) -> "CsvFile":
        """Some rows in another order."""
        return self.with_table(self.table.take(pa.array(places)), rows=self.rows[places])

    def with_table(self, table: pa.Table, *, rows: NDArray[np.int64]) -> "CsvFile":
        """The same file with other rows or columns."""
        return CsvFile(self.name, table, self._faults, rows=rows, missing=tuple(self.missing))

    def _refuse_empty(self, name: str) -> None:
        if name in self.table.column_names:
            self.fault(name, self.text(name).is_null().to_numpy(zero_copy_only=False), "expected a value, got")


def _read(path: Path, names: Sequence[str]) -> pa.Table:
    return pcsv.read_csv(
        str(path),
        read_options=pcsv.ReadOptions(use_threads=False),
        parse_options=pcsv.ParseOptions(quote_char=False),
        convert_options=pcsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def _can_be(word: pa.Scalar, arrow_type: pa.DataType) -> bool:
    try:
        pa.array([word.as_py()], pa.string()).cast(arrow_type)
    except pa.ArrowInvalid:
        return False
    return True
