"""What a reader gathers: people, coded rows, and faults with their place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.codes.systems import SYSTEM_URIS, system_uri
from trajsim.errors import ConfigError

MOST_FAULTS = 40
DAY_US = 86_400_000_000

_NAME_OF_URI = {uri: name for name, uri in SYSTEM_URIS.items()}
_TEXT = pa.dictionary(pa.int32(), pa.string())
ROW_FIELDS: Mapping[str, pa.DataType] = {
    "patient_id": _TEXT, "day": pa.int32(), "is_lab": pa.bool_(), "system": _TEXT, "code": _TEXT,
    "value": pa.float64(), "text": _TEXT, "unit": _TEXT, "source": _TEXT, "row": pa.int64(),
}  # fmt: skip
PERSON_FIELDS: Mapping[str, pa.DataType] = {
    "patient_id": pa.string(), "sex": pa.string(), "birth_day": pa.int32(), "first_day": pa.int32(),
    "last_day": pa.int32(), "death_day": pa.int32(), "source": pa.string(), "row": pa.int64(),
}  # fmt: skip
_CHUNK_ROWS = 200_000


@dataclass
class Faults:
    """Everything that is wrong with a source, each with its file and row."""

    source: str
    places: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, file: object, row: int | None, sentence: str) -> None:
        """Keeps a fault once; beyond the first 40 they are only counted."""
        told = f"{file}{'' if row is None else f', row {row}'}: {sentence}"
        if told in self.places:
            return
        self.count += 1
        if len(self.places) < MOST_FAULTS:
            self.places.append(told)

    def add_rows(self, file: object, rows: Sequence[int] | NDArray[Any], sentence: str) -> None:
        """Keeps one fault of many rows of a file, the first ones by number."""
        if len(rows):
            first = ", ".join(str(int(row)) for row in rows[:5])
            more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
            self.add(file, None, f"row{'s' if len(rows) > 1 else ''} {first}{more}: {sentence}")

    def sentences(self) -> list[str]:
        """All that were kept, and how many more there are."""
        more = (
            [f"{self.source}: {self.count - len(self.places):,} more faults"] if self.count > len(self.places) else []
        )
        return [*self.places, *more]


@dataclass
class Collected:
    """People and coded rows, in chunks; a row may also be added alone."""

    people: list[pa.Table] = field(default_factory=list)
    rows: list[pa.Table] = field(default_factory=list)
    _loose: list[tuple[Any, ...]] = field(default_factory=list)
    _loose_people: list[tuple[Any, ...]] = field(default_factory=list)

    def add(
        self, patient_id: str, day: int | None, *, is_lab: bool, system: str, code: str, source: str, row: int,
        value: float | None = None, text: str | None = None, unit: str | None = None,
    ) -> None:  # fmt: skip
        """One coded row."""
        self._loose.append((patient_id, day, is_lab, system, code, value, text, unit, source, row))
        if len(self._loose) >= _CHUNK_ROWS:
            self._flush()

    def add_person(
        self, patient_id: str, *, sex: str | None, birth_day: int | None, death_day: int | None, source: str, row: int,
        first_day: int | None = None, last_day: int | None = None,
    ) -> None:  # fmt: skip
        """One patient."""
        self._loose_people.append((patient_id, sex, birth_day, first_day, last_day, death_day, source, row))

    def add_table(self, n: int, columns: Mapping[str, Any]) -> None:
        """Many rows by column; what is left out is empty, a single value stands in every row."""
        if n:
            self.rows.append(_table(ROW_FIELDS, n, columns))

    def add_people(self, n: int, columns: Mapping[str, Any]) -> None:
        """Many patients by column."""
        self.people.append(_table(PERSON_FIELDS, n, columns))

    def all_rows(self) -> pa.Table:
        """All rows in one table."""
        self._flush()
        empty = pa.schema(list(ROW_FIELDS.items())).empty_table()
        return pa.concat_tables(self.rows).unify_dictionaries().combine_chunks() if self.rows else empty

    def all_people(self) -> pa.Table:
        """All patients in one table."""
        if self._loose_people:
            columns = list(zip(*self._loose_people, strict=True))
            arrays = [pa.array(list(c), kind) for c, kind in zip(columns, PERSON_FIELDS.values(), strict=True)]
            self.people.append(pa.Table.from_arrays(arrays, names=list(PERSON_FIELDS)))
            self._loose_people.clear()
        empty = pa.schema(list(PERSON_FIELDS.items())).empty_table()
        return pa.concat_tables(self.people).combine_chunks() if self.people else empty

    def _flush(self) -> None:
        if self._loose:
            columns = list(zip(*self._loose, strict=True))
            arrays = [_array(list(c), kind) for c, kind in zip(columns, ROW_FIELDS.values(), strict=True)]
            self.rows.append(pa.Table.from_arrays(arrays, names=list(ROW_FIELDS)))
            self._loose.clear()


def _table(fields: Mapping[str, pa.DataType], n: int, columns: Mapping[str, Any]) -> pa.Table:
    unknown = set(columns) - set(fields)
    if unknown:
        msg = f"no such columns: {', '.join(sorted(unknown))}"
        raise ConfigError(msg)
    made = []
    for name, kind in fields.items():
        value = columns.get(name)
        if value is None or isinstance(value, str | bool | int):
            plain = kind.value_type if pa.types.is_dictionary(kind) else kind
            filled = pa.repeat(pa.scalar(value, plain), n)
            made.append(_array(filled, kind))
        else:
            made.append(_array(value, kind))
    return pa.Table.from_arrays(made, names=list(fields))


def _array(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - lists, NumPy and Arrow arrays alike
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if isinstance(values, pa.Array):
        if pa.types.is_dictionary(kind):
            if pa.types.is_dictionary(values.type):
                return values if values.type == kind else values.cast(kind)
            return values.cast(plain).dictionary_encode()
        return values.cast(plain)
    made = pa.array(values, plain)
    return made.dictionary_encode() if pa.types.is_dictionary(kind) else made


def days_of(times: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Days since 1970-01-01 (UTC) of instants or dates, null where there is none."""
    if isinstance(times, pa.ChunkedArray):
        times = times.combine_chunks()
    if pa.types.is_date(times.type):
        return times.cast(pa.date32()).cast(pa.int32())
    micros = times.cast(pa.timestamp("us", times.type.tz), safe=False).cast(pa.int64())
    missing = micros.is_null().to_numpy(zero_copy_only=False)
    days = np.floor_divide(micros.fill_null(0).to_numpy(zero_copy_only=False), DAY_US).astype(np.int32)
    return pa.array(days, pa.int32(), mask=missing)


def system_name(name: str | None) -> str:
    """A code system in the spelling of modules; one that is not known stays as it is, none is empty."""
    if not name:
        return ""
    if name in _NAME_OF_URI:
        return _NAME_OF_URI[name]
    try:
        return _NAME_OF_URI.get(system_uri(name), name)
    except ConfigError:
        return name


def named_systems(texts: pa.Array) -> pa.Array:
    """A column of code systems in the spelling of modules."""
    encoded = _array(texts, _TEXT)
    names = [system_name(name) for name in encoded.dictionary.to_pylist()]
    # Several spellings of one system become one entry.
    unique = list(dict.fromkeys(names))
    place = pa.array([unique.index(name) for name in names], pa.int32())
    return pa.DictionaryArray.from_arrays(place.take(encoded.indices), pa.array(unique, pa.string()))


def missing_columns(found: Iterable[str], needed: Sequence[str]) -> list[str]:
    """Which of the needed columns are not there."""
    have = set(found)
    return [name for name in needed if name not in have]
