"""Loads the tables that a mapping names: only the columns that it needs, with file and row of every line kept."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from trajsim.errors import DataFileError
from trajsim.learn.ingest.table_rules import TableRule, TimeRule, Where


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedTable:
    """A table of the source, its files one below the other.

    Attributes:
        rule: What the mapping says about it.
        columns: The columns that the rule names. CSV gives text, Parquet its types.
        file: Name of the file of every row.
        row: Its number in the file, from 1, below the header.
    """

    rule: TableRule
    columns: pd.DataFrame
    file: pd.Series
    row: pd.Series


def load_tables(source: Path, rules: Sequence[TableRule]) -> list[LoadedTable]:
    """Loads all tables.

    Args:
        source: Folder of the tables; a file where the mapping names one table only.
        rules: Tables.

    Returns:
        One a rule.

    Raises:
        DataFileError: A file or column is missing, or a file is malformed; all of them at once.
    """
    faults: list[str] = []
    loaded = []
    for rule in rules:
        paths = [source] if source.is_file() and len(rules) == 1 else sorted(source.glob(rule.file))
        if not paths:
            faults.append(f"{source / rule.file}: no such file")
            continue
        try:
            table = _load(paths, rule, source, faults)
        except DataFileError as error:
            faults.append(error.message)
            continue
        if table is not None:
            loaded.append(table)
    if faults:
        msg = "\n".join([f"{source}: {len(faults)} fault{'s' if len(faults) != 1 else ''} in its tables", *faults])
        raise DataFileError(msg, hint="`tables` of the mapping names files and columns")
    return loaded


def _load(paths: Sequence[Path], rule: TableRule, source: Path, faults: list[str]) -> LoadedTable | None:
    wanted = needed_columns(rule)
    joined = () if rule.join is None else rule.join.columns
    own = [name for name in wanted if name not in joined]
    frames = []
    for path in paths:
        missing = _missing(path, own)
        faults += missing
        if not missing:
            frames.append(read_columns(path, own))
    if len(frames) != len(paths):
        return None
    names = [path.name for path in paths]
    lengths = [len(frame) for frame in frames]
    columns = pd.concat(frames, ignore_index=True)
    file = pd.Categorical.from_codes(
        [number for number, length in enumerate(lengths) for _ in range(length)], pd.Index(names)
    )
    row = pd.Series([number for length in lengths for number in range(1, length + 1)], dtype="int64")
    if rule.join is not None:
        other = source / rule.join.file
        key = rule.join.key
        missing = [f"{other}: no such file"] if not other.is_file() else _missing(other, [key, *joined])
        faults += missing
        if missing:
            return None
        right = read_columns(other, [key, *joined]).drop_duplicates(key)
        columns = columns.merge(right, on=key, how="left", validate="many_to_one")
    return LoadedTable(rule=rule, columns=columns, file=pd.Series(file), row=row)


def needed_columns(rule: TableRule) -> list[str]:
    """Columns that a rule names, each once."""
    persons, join = rule.persons, rule.join
    times: list[TimeRule | None] = [rule.time]
    wheres: list[Where] = []
    names: list[str | None] = [rule.patient, None if join is None else join.key]
    if persons is not None:
        names += [persons.sex, persons.age_years, persons.bmi]
        times += [persons.birth, persons.entry, persons.end, persons.death]
    for row in rule.rows:
        names += [row.code_column, row.value, row.text, row.unit_column]
        times.append(row.time)
        wheres += row.where
    for time in times:
        if time is not None:
            names += [time.column, time.minus_years, time.plus_days, time.gap_column]
            wheres += time.where
    names += [where.column for where in wheres]
    return list(dict.fromkeys(name for name in names if name is not None))


def _missing(path: Path, wanted: Sequence[str]) -> list[str]:
    there = _header(path)
    return [
        f"{path}: expected a column {name!r}, got {', '.join(map(repr, there[:12]))}{' ...' if len(there) > 12 else ''}"
        for name in wanted
        if name not in there
    ]


def _header(path: Path) -> list[str]:
    try:
        if path.suffix == ".parquet":
            return list(pq.read_schema(path).names)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataFileError(msg) from error


def read_columns(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Columns of a CSV file, as text, or of a Parquet file, in its types.

    Raises:
        DataFileError: The file is malformed.
    """
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path, columns=list(names))
        else:
            convert = pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=list(names), strings_can_be_null=False
            )
            parse = pa_csv.ParseOptions(newlines_in_values=True)
            table = pa_csv.read_csv(path, convert_options=convert, parse_options=parse)
    except (OSError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataFileError(msg) from error
    return pd.DataFrame({name: table.column(name).to_pandas() for name in names})
