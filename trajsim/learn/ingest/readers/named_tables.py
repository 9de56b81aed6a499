"""Tables by name in a folder of Parquet or CSV files, or in a DuckDB file, read in batches."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from trajsim.errors import ConfigError, DataFileError
from trajsim.learn.ingest.readers.collected import Faults

BATCH_ROWS = 1_000_000
_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
_DUCKDB = (".duckdb", ".db", ".ddb")


class TableSource(Protocol):
    """A table that can be read once, in batches."""

    def batches(self, faults: Faults) -> Iterator[tuple[str, int, pa.Table]]:
        """Yields file, number of the first row from 1, and the rows, with column names in lower case."""


@dataclass(frozen=True)
class _Files:
    """A table in one or several files."""

    root: Path
    paths: tuple[Path, ...]

    def batches(self, faults: Faults) -> Iterator[tuple[str, int, pa.Table]]:
        for path in self.paths:
            name = str(path.relative_to(self.root))
            first = 1
            try:
                for table in parquet_batches(path) if path.suffix == ".parquet" else csv_batches(path):
                    yield name, first, _lower(table)
                    first += table.num_rows
            except (pa.ArrowException, OSError) as error:
                sentence = str(error).splitlines()[0]
                faults.add(name, None, f"cannot be read beyond row {first - 1} ({sentence})")


@dataclass(frozen=True)
class _DuckTable:
    """A table of a DuckDB file."""

    path: Path
    place: tuple[str, str, str]

    def batches(self, faults: Faults) -> Iterator[tuple[str, int, pa.Table]]:
        first = 1
        file = f"{self.path.name}, table {self.place[-1]}"
        duckdb = _duckdb()
        try:
            with duckdb.connect(str(self.path), read_only=True) as connection:
                connection.execute("SET threads = 1")  # rows keep their order, and nothing runs beside
                quoted = ".".join('"' + part.replace('"', '""') + '"' for part in self.place)
                found = connection.sql(f"SELECT * FROM {quoted}")
                for batch in found.to_arrow_reader(BATCH_ROWS):
                    yield file, first, _lower(pa.Table.from_batches([batch]))
                    first += batch.num_rows
        except duckdb.Error as error:
            faults.add(file, None, f"cannot be read beyond row {first - 1} ({str(error).splitlines()[0]})")


def find_tables(source: Path, names: Sequence[str]) -> Mapping[str, TableSource]:
    """Where tables stand.

    Args:
        source: A folder with a file, or a folder of files, a table; or a DuckDB file.
        names: The tables that are looked for, in lower case; case in the source does not matter.

    Returns:
        Those that are there.

    Raises:
        DataFileError: The source is not there, or is no DuckDB file, or a table stands in it twice.
        ConfigError: DuckDB is not installed.
    """
    if source.is_file():
        return _duck_tables(source, names)
    if not source.is_dir():
        msg = f"{source}: no such folder or file"
        raise DataFileError(msg)
    found: dict[str, dict[str, tuple[Path, ...]]] = {}
    for path in sorted(source.iterdir()):
        name = path.name.lower() if path.is_dir() else path.name.lower().split(".", maxsplit=1)[0]
        if name not in names:
            continue
        places = found.setdefault(name, {})
        if path.is_dir():
            for part in sorted(part for part in path.rglob("*") if _is_table(part.name.lower())):
                place = f"{path.name}/ ({'Parquet' if part.suffix.lower() == '.parquet' else 'CSV'})"
                places[place] = (*places.get(place, ()), part)
        elif _is_table(path.name.lower()):
            places[path.name] = (path,)
    hint = "leave one of them in the folder; parts of one table go into a folder of its name, such as person/"
    _require_one_place(source, found, hint)
    return {name: _Files(source, paths) for name, places in found.items() for paths in places.values()}


def _require_one_place(source: Path, found: Mapping[str, Collection[str]], hint: str) -> None:
    """Refuses a source in which somebody would have to guess which of two tables is meant."""
    twice = {name: places for name, places in found.items() if len(places) > 1}
    if twice:
        lines = [f"table {name!r} stands in {' and in '.join(places)}" for name, places in twice.items()]
        msg = "\n".join([f"{source}: expected every table in one place, got {len(twice)} in several", *lines])
        raise DataFileError(msg, hint=hint)


def _is_table(name: str) -> bool:
    return name.endswith((".parquet", *_CSV))


def parquet_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yields the rows of a Parquet file in batches; one without rows where it has none."""
    with pq.ParquetFile(path) as file:
        if not file.metadata.num_rows:
            yield file.read(columns=columns, use_threads=False)
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            yield pa.Table.from_batches([batch])


def csv_batches(path: Path) -> Iterator[pa.Table]:
    """Yields the rows of a CSV file in batches, all columns as text, empty cells as null; tabs are told from commas.

    A file of a header alone gives one batch without rows.
    """
    with pa.input_stream(str(path)) as head:
        line = head.read(1 << 16).split(b"\n", maxsplit=1)[0].decode("utf-8-sig").rstrip("\r")
    delimiter = "\t" if line.count("\t") > line.count(",") else ","
    names = [name.strip('"') for name in line.split(delimiter)]
    with pcsv.open_csv(
        str(path),
        read_options=pcsv.ReadOptions(use_threads=False),
        # Athena writes tabs and no quotes at all.
        parse_options=pcsv.ParseOptions(delimiter=delimiter, quote_char=False if delimiter == "\t" else '"'),
        convert_options=pcsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    ) as reader:
        is_empty = True
        for batch in reader:
            is_empty = False
            yield pa.Table.from_batches([batch])
        if is_empty:
            yield reader.schema.empty_table()


def _lower(table: pa.Table) -> pa.Table:
    return table.rename_columns([name.lower() for name in table.column_names])


def _duck_tables(source: Path, names: Sequence[str]) -> Mapping[str, TableSource]:
    duckdb = _duckdb()
    try:
        with duckdb.connect(str(source), read_only=True) as connection:
            listed = connection.execute(
                "SELECT table_catalog, table_schema, table_name FROM information_schema.tables"
            ).fetchall()
    except duckdb.Error as error:
        msg = f"{source}: not a DuckDB file ({str(error).splitlines()[0]})"
        raise DataFileError(msg, hint=f"a source is a folder or a DuckDB file ({', '.join(_DUCKDB)})") from error
    found: dict[str, dict[str, _DuckTable]] = {}
    for place in sorted(listed):
        if place[-1].lower() in names:
            found.setdefault(place[-1].lower(), {})[f"schema {place[1]}"] = _DuckTable(source, place)
    hint = "copy the tables of one schema to a folder: `COPY schema.person TO 'folder/person.parquet'` in DuckDB"
    _require_one_place(source, found, hint)
    return {name: table for name, places in found.items() for table in places.values()}


def _duckdb() -> ModuleType:
    try:
        import duckdb
    except ImportError as error:
        msg = "a DuckDB file needs the package duckdb"
        raise ConfigError(msg, hint="pip install duckdb") from error
    return duckdb
