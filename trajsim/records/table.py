"""Records: the tables of some patients, immutable.

Everything that writes or reads a format, screens a trial or scores a model takes a `Records` or gives one. It holds one
Arrow table a name of `trajsim.records.schema.TABLES`, always all of them, each with exactly the declared columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import overload

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.errors import SchemaError
from trajsim.records.schema import TABLES, arrow_schema

TABLE_NAMES = tuple(TABLES)


@cache
def schema_of(name: str) -> pa.Schema:
    """The Arrow schema of a table, built once.

    Raises:
        SchemaError: Records have no table of that name.
    """
    if name not in TABLES:
        msg = f"no table {name!r} in Records, expected one of {', '.join(TABLES)}"
        raise SchemaError(msg)
    return arrow_schema(name)


@cache
def empty_table(name: str) -> pa.Table:
    """A table without rows."""
    return schema_of(name).empty_table()


def require_schema(name: str, table: pa.Table) -> pa.Table:
    """Checks that a table has exactly the declared columns, types and nulls.

    Args:
        name: Name of the table in Records.
        table: What claims to be that table.

    Returns:
        The same columns under the declared schema, field descriptions included.

    Raises:
        SchemaError: A column is missing, unknown, out of place, of another type, or null where it may not be.
    """
    schema = schema_of(name)
    faults = list(_schema_faults(schema, table))
    if faults:
        msg = f"table {name!r} with {table.num_rows} rows does not fit the schema: {'; '.join(faults)}"
        raise SchemaError(msg)
    if table.schema.equals(schema, check_metadata=True):
        return table
    return pa.Table.from_arrays(table.columns, schema=schema)


def _schema_faults(schema: pa.Schema, table: pa.Table) -> Iterator[str]:
    wanted, given = schema.names, table.column_names  # both are made anew each time they are asked for
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing:
        yield f"columns missing: {', '.join(missing)}"
    if unknown:
        yield f"unknown columns: {', '.join(unknown)}"
    if missing or unknown:
        return
    if given != wanted:
        yield f"expected the columns in the order {', '.join(wanted)}, got {', '.join(given)}"
        return
    for field, column in zip(schema, table.columns, strict=True):
        if column.type != field.type:
            yield f"column {field.name!r}: expected {field.type}, got {column.type}"
        elif not field.nullable and column.null_count:
            yield f"column {field.name!r}: {column.null_count} nulls where none is allowed"


class Records:
    """The tables of some patients.

    Rows of a table are contiguous by patient, in the order of the table `patients`.

    Guarantees:
        Every table of the schema is there, with its declared columns. (tests/unit/records/test_table.py)

    Example:
        >>> Records({}).n_patients
        0
    """

    __slots__ = ("_tables",)

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        """Takes tables by name; a table that is left out is empty.

        Args:
            tables: Arrow tables with exactly the columns of the schema.

        Raises:
            SchemaError: A name or a table does not fit the schema.
        """
        for name in tables:
            schema_of(name)
        self._tables = MappingProxyType(
            {name: require_schema(name, tables[name]) if name in tables else empty_table(name) for name in TABLE_NAMES}
        )

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """All tables by name, in the order of the schema; read-only."""
        return self._tables

    @property
    def n_patients(self) -> int:
        """How many patients."""
        return int(self._tables["patients"].num_rows)

    @property
    def n_rows(self) -> int:
        """Rows of all tables together, `patients` left out."""
        return sum(table.num_rows for name, table in self._tables.items() if name != "patients")

    @property
    def patient_ids(self) -> NDArray[np.uint64]:
        """Ids of the patients in order."""
        return self.ids_of("patients")

    def ids_of(self, name: str) -> NDArray[np.uint64]:
        """The column `patient_id` of a table as numbers."""
        ids: NDArray[np.uint64] = self[name].column("patient_id").to_numpy()
        return ids

    def __getitem__(self, name: str) -> pa.Table:
        """One table by name.

        Raises:
            SchemaError: Records have no table of that name.
        """
        schema_of(name)
        return self._tables[name]

    def __len__(self) -> int:
        """How many patients."""
        return self.n_patients

    def __repr__(self) -> str:
        """Numbers of patients and rows."""
        return f"<Records: {self.n_patients:,} patients, {self.n_rows:,} rows>"

    @overload
    def to_pandas(self) -> dict[str, pd.DataFrame]: ...
    @overload
    def to_pandas(self, name: str) -> pd.DataFrame: ...
    def to_pandas(self, name: str | None = None) -> dict[str, pd.DataFrame] | pd.DataFrame:
        """Copies tables to pandas.

        Text columns become categorical with the values that occur; times are timezone-aware (UTC).

        Args:
            name: One table; all of them when left out.

        Returns:
            A frame, or a frame a table by name.

        Example:
            >>> Records({}).to_pandas("conditions").shape[0]
            0
        """
        if name is not None:
            frame: pd.DataFrame = compact_table(self[name]).to_pandas(use_threads=False)
            return frame
        return {each: self.to_pandas(each) for each in TABLE_NAMES}

    def patient(self, patient_id: int) -> "Records":
        """The records of one patient.

        Args:
            patient_id: The patient.

        Returns:
            Records with exactly one patient.

        Raises:
            SchemaError: There is no such patient.
        """
        wanted = np.uint64(patient_id)
        if not np.any(self.patient_ids == wanted):
            msg = f"no patient {patient_id} among the {self.n_patients} patients of these Records"
            raise SchemaError(msg)
        tables = {}
        for name in TABLE_NAMES:
            hits = np.flatnonzero(self.ids_of(name) == wanted)
            start, stop = (int(hits[0]), int(hits[-1]) + 1) if len(hits) else (0, 0)
            tables[name] = self[name].slice(start, stop - start)
        return Records(tables)

    def by_patient(self) -> Iterator["Records"]:
        """Yields the records of one patient after the other, without copying.

        Raises:
            SchemaError: The rows of a table are not contiguous in the order of `patients` (see `check_records`).
        """
        ids = self.patient_ids
        bounds = {name: self._bounds(name, ids) for name in TABLE_NAMES}
        for position in range(len(ids)):
            tables = {}
            for name, edges in bounds.items():
                start, stop = int(edges[position]), int(edges[position + 1])
                tables[name] = self[name].slice(start, stop - start)
            yield Records(tables)

    def _bounds(self, name: str, ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where each patient's rows begin in a table; one edge more than patients."""
        own = self.ids_of(name)
        firsts = np.flatnonzero(np.r_[True, own[1:] != own[:-1]]) if len(own) else np.zeros(0, np.int64)
        order = np.argsort(ids, kind="stable")
        slot = np.minimum(np.searchsorted(ids[order], own[firsts]), max(len(ids) - 1, 0))
        position = order[slot] if len(ids) else slot
        known = len(firsts) == 0 or (len(ids) > 0 and bool(np.all(ids[position] == own[firsts])))
        if not known or np.any(np.diff(position) <= 0):
            msg = f"rows of table {name!r} ({len(own)} rows) are not contiguous in the order of the patients"
            raise SchemaError(msg)
        counts = np.zeros(len(ids) + 1, np.int64)
        counts[position + 1] = np.diff(np.r_[firsts, len(own)])
        return np.cumsum(counts)

    def compact(self) -> "Records":
        """The same rows in one chunk a column, with dictionaries of only the texts that occur, in their order."""
        return Records({name: compact_table(table) for name, table in self._tables.items()})

    def equals(self, other: "Records") -> bool:
        """Whether both hold the same rows in the same order, however the text is encoded and chunked."""
        return all(_decoded(self[name]).equals(_decoded(other[name])) for name in TABLE_NAMES)


def concat(parts: Sequence[Records]) -> Records:
    """Puts Records one after the other.

    Args:
        parts: Records of different patients, in the order they shall have.

    Returns:
        All their rows; no data is copied.
    """
    return Records({name: pa.concat_tables([part[name] for part in parts]) for name in TABLE_NAMES} if parts else {})


def _decoded(table: pa.Table) -> pa.Table:
    """Text without dictionaries, one chunk a column."""
    columns = []
    for column in table.columns:
        plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        columns.append(plain.combine_chunks())
    return pa.Table.from_arrays(columns, names=table.column_names)


def compact_table(table: pa.Table) -> pa.Table:
    """One chunk a column; dictionaries reduced to the values that occur, in the order they had.

    The result depends on the rows and on the order of the dictionaries, not on how the rows were chunked, as long as
    the dictionaries of all chunks begin alike.
    """
    columns = [
        compact_text(column) if pa.types.is_dictionary(column.type) else _one_chunk(column) for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The only chunk of a column, or all of them combined."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def text_parts(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None, pa.Array]:
    """Indices (0 where null), nulls, and the dictionary of a text column in any number of chunks."""
    if column.num_chunks == 0:
        return np.zeros(0, np.int32), None, pa.array([], pa.string())
    chunks = (
        column.chunks if column.num_chunks == 1 or _share_dictionary(column) else column.unify_dictionaries().chunks
    )
    nulls = None
    if column.null_count:
        nulls = np.concatenate([chunk.is_null().to_numpy(zero_copy_only=False) for chunk in chunks])
    filled = [chunk.indices.fill_null(0) if chunk.null_count else chunk.indices for chunk in chunks]
    parts = [indices.to_numpy(zero_copy_only=False) for indices in filled]
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)), nulls, chunks[0].dictionary


def _share_dictionary(column: pa.ChunkedArray) -> bool:
    """Whether all chunks use one and the same dictionary in memory (the engine's do)."""
    places = {_place(chunk.dictionary) for chunk in column.chunks}
    return len(places) == 1


def _place(dictionary: pa.Array) -> tuple[int, int, tuple[int, ...]]:
    return (
        dictionary.offset,
        len(dictionary),
        tuple(buffer.address if buffer is not None else 0 for buffer in dictionary.buffers()),
    )


def compact_text(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A text column in one chunk whose dictionary holds only the values that occur."""
    indices, nulls, dictionary = text_parts(column)
    present = indices if nulls is None else indices[~nulls]
    used = np.bincount(present, minlength=len(dictionary)) > 0
    if not used.all():
        place = np.cumsum(used, dtype=np.int32) - np.int32(1)
        indices = place[indices] if len(place) else indices
        dictionary = dictionary.take(pa.array(np.flatnonzero(used)))
    if nulls is not None:
        indices = np.where(nulls, np.int32(0), indices)
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32(), mask=nulls), dictionary, safe=False)
