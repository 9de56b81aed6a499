"""Columns of one batch of a table, each in the kind that it should have.

Tables come from many writers: ids as floating point, dates as text, numbers as decimals. What can only mean one thing
is read; anything else is a fault with file, column and rows.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.learn.ingest.readers.collected import DAY_US, Faults, days_of, missing_columns

_LARGEST_WHOLE = 2**53
"""From here on floating point skips whole numbers."""
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
_WHOLE = r"^[-+]?[0-9]{1,18}(\.0*)?$"
_WHOLE_WITH_POINT = r"^([-+]?[0-9]+)\.0+$"
_DAY = r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{8})"


def has_columns(file: str, table: pa.Table, needed: Sequence[str], faults: Faults) -> bool:
    """Whether a table has the needed columns, and no column twice; what is wrong becomes a fault."""
    names = table.column_names
    lacking = missing_columns(names, list(dict.fromkeys(needed)))
    twice = sorted({name for name in names if names.count(name) > 1})
    if lacking:
        faults.add(file, None, f"columns missing: {', '.join(lacking)}; found {', '.join(names)}")
    if twice:
        faults.add(file, None, f"columns that stand twice: {', '.join(twice)}")
    return not lacking and not twice


class Columns:
    """A batch of a table; a row that cannot be read is told once, and is spoilt for everything that comes after."""

    def __init__(self, file: str, first: int, table: pa.Table, faults: Faults) -> None:
        """Begins without spoilt rows.

        Args:
            file: Where the table stands.
            first: Number of the first row.
            table: The rows.
            faults: Where faults go.
        """
        self.file = file
        self.first = first
        self.rows = np.arange(first, first + table.num_rows)
        self.is_spoilt = np.zeros(table.num_rows, np.bool_)
        self._table = table
        self._faults = faults

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def spoil(self, wrong: NDArray[np.bool_], sentence: str) -> None:
        """Tells what is wrong with rows."""
        self._faults.add_rows(self.file, self.rows[wrong], sentence)
        self.is_spoilt |= wrong

    def ids(self, name: str) -> pa.Array:
        """Ids as text; whole numbers that somebody wrote as floating point lose their ``.0``."""
        values = self._values(name)
        if pa.types.is_string(values.type):
            values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
            return pc.replace_substring_regex(values, _WHOLE_WITH_POINT, r"\1")
        return self.whole_numbers(name, expected="ids").cast(pa.string())

    def numbers(self, name: str, *, expected: str = "numbers") -> pa.Array:
        """Floating point; none where nothing, or an empty text, stands."""
        values = self._values(name)
        if _is_number(values.type) or pa.types.is_null(values.type):
            return values.cast(pa.float64(), safe=False)
        if not pa.types.is_string(values.type):
            return self._wrong_type(name, expected, values.type, pa.float64())
        text = _filled(values)
        bad = pc.fill_null(pc.invert(pc.match_substring_regex(text, _NUMBER)), fill_value=False)
        self.spoil(_array(bad), f"{name} is not a number")
        return pc.if_else(bad, pa.scalar(None, pa.string()), text).cast(pa.float64())

    def whole_numbers(self, name: str, *, expected: str = "whole numbers") -> pa.Array:
        """Integers; none where nothing stands."""
        values = self._values(name)
        if pa.types.is_integer(values.type):
            try:
                return values.cast(pa.int64())
            except pa.ArrowInvalid:
                return self._wrong_type(name, expected, values.type, pa.int64())
        if pa.types.is_decimal(values.type):
            values = values.cast(pa.string())
        if pa.types.is_string(values.type):
            # Digits alone are exact, however many there are; all else goes through floating point.
            text = _filled(values)
            plain = pc.replace_substring_regex(text, r"^\+|\.0*$", "")
            is_plain = pc.fill_null(pc.match_substring_regex(text, _WHOLE), fill_value=False)
            exact = pc.if_else(is_plain, plain, pa.scalar(None, pa.string())).cast(pa.int64())
            return pc.coalesce(exact, self._rounded(name, self.numbers(name), is_exact=_array(is_plain)))
        return self._rounded(name, self.numbers(name, expected=expected), is_exact=np.zeros(len(self), np.bool_))

    def integers(self, name: str) -> NDArray[np.int64]:
        """Whole numbers; 0 for none, and where the column is not there."""
        return np.asarray(self.whole_numbers(name).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)

    def days(self, name: str) -> pa.Array:
        """Days since 1970-01-01 (UTC) of dates, instants, and texts and numbers that spell a whole date."""
        values = self._values(name)
        kind = values.type
        if pa.types.is_null(kind):
            return values.cast(pa.int32())
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return days_of(values)
        if not (pa.types.is_string(kind) or pa.types.is_integer(kind)):
            return self._wrong_type(name, "dates", kind, pa.int32())
        days, unread = days_of_text(values)
        self.spoil(unread, f"{name} is not a date")
        return days

    def texts(self, name: str) -> pa.Array:
        """Texts; none where nothing, or an empty text, stands."""
        values = self._values(name)
        try:
            values = values.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return self._wrong_type(name, "texts", values.type, pa.string())
        return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)

    def _values(self, name: str) -> pa.Array:
        """A column in one piece, texts of all widths as text; nothing where it is not there."""
        if name not in self._table.column_names:
            return pa.nulls(len(self))
        values = self._table[name].combine_chunks()
        kind = values.type
        if pa.types.is_dictionary(kind):
            values = values.dictionary_decode()
            kind = values.type
        is_text = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        if is_text or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
            try:
                return values.cast(pa.string())
            except pa.ArrowInvalid:  # no text at all
                return values
        return values

    def _rounded(self, name: str, values: pa.Array, *, is_exact: NDArray[np.bool_]) -> pa.Array:
        """Floating point as integers; NaN, which some writers leave where there is nothing, is none."""
        numbers = values.to_numpy(zero_copy_only=False)
        is_none = np.isnan(numbers)
        is_whole = ~is_none & (np.floor(numbers) == numbers) & (np.abs(numbers) < _LARGEST_WHOLE)
        self.spoil(~is_none & ~is_whole & ~is_exact, f"{name} is not a whole number")
        return pa.array(np.where(is_whole, numbers, 0).astype(np.int64), mask=~is_whole)

    def _wrong_type(self, name: str, expected: str, found: pa.DataType, made: pa.DataType) -> pa.Array:
        """Tells that a column is of no use, which spoils all rows."""
        self._faults.add(self.file, None, f"column {name!r}: expected {expected}, got the type {found}")
        self.is_spoilt[:] = True
        return pa.nulls(len(self), made)


def days_of_text(values: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Days (UTC) of dates and instants in ISO 8601, and which of them cannot be read.

    A text without a zone is taken as it stands; a year or a month alone is no day.
    """
    texts = values.cast(pa.string())
    encoded = pc.dictionary_encode(texts)
    spelled = pc.if_else(
        pc.match_substring_regex(encoded.dictionary, _DAY), encoded.dictionary, pa.scalar(None, pa.string())
    )
    parsed = pd.to_datetime(spelled.to_pandas(), format="ISO8601", utc=True, errors="coerce").to_numpy("datetime64[us]")
    missing = np.isnat(parsed)
    days = np.where(missing, 0, np.floor_divide(parsed.astype(np.int64), DAY_US)).astype(np.int32)
    found = pa.array(days, pa.int32(), mask=missing).take(encoded.indices)
    unread = pc.and_(found.is_null(), pc.fill_null(pc.not_equal(texts, ""), fill_value=False))
    return found, _array(unread)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _filled(values: pa.Array) -> pa.Array:
    """Texts without blanks around them; none where nothing else stands."""
    text = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _array(mask: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=np.bool_)
