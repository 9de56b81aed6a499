"""Records as Parquet: a folder a table, a file a shard."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trajsim.errors import DataFileError, SchemaError
from trajsim.records.files import part_name, whole_file
from trajsim.records.table import TABLE_NAMES, Records, concat, schema_of

# Measured on simulated lives: Zstandard at its fastest costs half as much time again as LZ4 and saves a quarter of the
# bytes; dictionaries pay for text, not for keys and times. Statistics serve readers that seek a patient or a period.
_COMPRESSION = "zstd"
_COMPRESSION_LEVEL = 1
_ROW_GROUP_ROWS = 1 << 20

_ADDED_LATER = frozenset({"coverages", "claims", "claim_lines"})
"""Tables that folders of earlier versions lack."""


def write_parquet(records: Records, directory: Path, *, shard: int) -> Mapping[str, Path]:
    """Writes one shard: ``<table>/part-<shard>.parquet`` for every table, each file atomically.

    The bytes depend on the rows and the order of their dictionaries, not on how the rows are chunked. No thread is
    started.

    Args:
        records: The patients of the shard.
        directory: Folder of all tables, ``out/parquet``.
        shard: Number of the shard, from 0.

    Returns:
        The files by table.

    Raises:
        ExportError: The disk is full, or the folder cannot be written.

    Guarantees:
        What `read_parquet` reads equals what was written. (tests/unit/records/test_parquet.py)
    """
    files = {}
    for name, table in records.compact().tables.items():
        path = directory / name / part_name(shard, "parquet")
        text = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
        with whole_file(path) as temporary:
            pq.write_table(
                table,
                temporary,
                compression=_COMPRESSION,
                compression_level=_COMPRESSION_LEVEL,
                use_dictionary=text,
                write_statistics=[
                    column for column in ("patient_id", "time", "birth_time") if column in table.schema.names
                ],
                row_group_size=_ROW_GROUP_ROWS,
            )
        files[name] = path
    return files


def read_parquet(directory: Path) -> Records:
    """Reads what `write_parquet` wrote, all shards in order.

    Args:
        directory: Folder of all tables, ``out/parquet``.

    Returns:
        The Records of all shards. A table that the trajsim that wrote them did not know is empty.

    Raises:
        DataFileError: There is no such folder, a file is missing or not Parquet, or a table does not fit the schema.
    """
    return concat(list(read_parquet_shards(directory)))


def read_parquet_shards(directory: Path) -> Iterator[Records]:
    """Reads what `write_parquet` wrote, one shard after the other, so that large runs fit into memory.

    Args:
        directory: Folder of all tables, ``out/parquet``.

    Yields:
        The Records of each shard, in order.

    Raises:
        DataFileError: There is no such folder, a file is missing or not Parquet, or a table does not fit the schema.
    """
    parts = {name: _parts(directory, name) for name in TABLE_NAMES}
    shards = {name: [path.name for path in paths] for name, paths in parts.items()}
    if not shards["patients"]:
        msg = f"{directory}: no Records here, expected patients/part-*.parquet"
        raise DataFileError(msg)
    for name in (name for name, paths in parts.items() if paths or name not in _ADDED_LATER):
        missing = sorted(set(shards["patients"]) ^ set(shards[name]))
        if missing:
            msg = f"{directory}: table {name!r} and table 'patients' do not have the same parts: {', '.join(missing)}"
            raise DataFileError(
                msg, hint="the folder was copied in part, or a run was stopped: run the same command again"
            )
    for number in range(len(parts["patients"])):
        yield Records({name: _read_part(name, paths[number]) for name, paths in parts.items() if paths})


def read_parquet_column(directory: Path, table: str, column: str) -> pa.ChunkedArray:
    """Reads one column of one table of all shards, and nothing else.

    Args:
        directory: Folder of all tables, ``out/parquet``.
        table: Name of the table.
        column: Name of the column.

    Raises:
        DataFileError: There is no such folder, or a file is not Parquet or lacks the column.
    """
    parts = _parts(directory, table)
    try:
        chunks = [pq.read_table(path, columns=[column], use_threads=False, partitioning=None) for path in parts]
        return (
            pa.concat_tables(chunks).column(column)
            if chunks
            else pa.chunked_array([], schema_of(table).field(column).type)
        )
    except (pa.ArrowException, OSError, KeyError) as error:
        msg = (
            f"{directory / table}: no readable Parquet files with the column {column!r} ({str(error).splitlines()[0]})"
        )
        raise DataFileError(msg) from error


def _parts(directory: Path, table: str) -> list[Path]:
    return sorted((directory / table).glob("part-*.parquet"))


def _read_part(name: str, path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
        return pa.Table.from_arrays(table.columns, schema=schema_of(name)) if _fits(name, table) else table
    except (pa.ArrowException, OSError, SchemaError) as error:
        msg = f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})"
        raise DataFileError(msg) from error


def _fits(name: str, table: pa.Table) -> bool:
    """Whether only the descriptions of the fields differ from the schema (Parquet adds numbers of its own)."""
    return bool(table.schema.equals(schema_of(name), check_metadata=False))
