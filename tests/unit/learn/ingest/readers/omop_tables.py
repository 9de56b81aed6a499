"""A small source in OMOP's tables, all values invented, and ways to write it."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

TABLES: Mapping[str, Mapping[str, list[object]]] = {
    "person": {
        "person_id": [11, 12],
        "gender_concept_id": [8532, 8507],
        "year_of_birth": [1950, 1960],
        "month_of_birth": [3, None],
        "day_of_birth": [4, None],
    },
    "observation_period": {
        "observation_period_id": [1, 2],
        "person_id": [11, 12],
        "observation_period_start_date": [date(2000, 1, 1), date(2001, 1, 1)],
        "observation_period_end_date": [date(2010, 12, 31), date(2009, 12, 31)],
    },
    "condition_occurrence": {
        "condition_occurrence_id": [1, 2, 3],
        "person_id": [11, 12, 12],
        "condition_concept_id": [320128, 201826, 0],
        "condition_start_date": [date(2001, 5, 6), date(1999, 5, 6), date(2002, 2, 2)],
        "condition_source_value": ["I10", "250.00", "local-7"],
    },
    "measurement": {
        "measurement_id": [1, 2],
        "person_id": [11, 12],
        "measurement_concept_id": [3004249, 3007070],
        "measurement_date": [date(2002, 1, 1), date(2003, 1, 1)],
        "value_as_number": [141.0, 1.2],
        "unit_concept_id": [8876, 0],
        "unit_source_value": ["mmHg", "mmol/L"],
    },
    "observation": {
        "observation_id": [1],
        "person_id": [11],
        "observation_concept_id": [43054909],
        "observation_date": [date(2002, 1, 1)],
        "value_as_concept_id": [4298794],
    },
    "death": {"person_id": [12], "death_date": [date(2008, 8, 8)]},
    "concept": {
        "concept_id": [320128, 201826, 3004249, 3007070, 8876, 43054909, 4298794],
        "vocabulary_id": ["SNOMED", "SNOMED", "LOINC", "LOINC", "UCUM", "LOINC", "SNOMED"],
        "concept_code": ["59621000", "44054006", "8480-6", "2085-9", "mm[Hg]", "72166-2", "449868002"],
    },
}


def replaced(place: str, values: object) -> dict[str, dict[str, object]]:
    """The tables with other values in ``table.column``."""
    tables: dict[str, dict[str, object]] = {name: dict(columns) for name, columns in TABLES.items()}
    table, _, column = place.partition(".")
    tables[table][column] = values
    return tables


def as_parquet(folder: Path, tables: Mapping[str, Mapping[str, object]] = TABLES) -> Path:
    for name, columns in tables.items():
        pq.write_table(pa.table(dict(columns)), folder / f"{name}.parquet")
    return folder


def as_csv(folder: Path, tables: Mapping[str, Mapping[str, object]] = TABLES) -> Path:
    for name, columns in tables.items():
        table = pa.table({key.upper(): values for key, values in columns.items()})
        pcsv.write_csv(table, folder / f"{name.upper()}.csv")
    return folder


def as_duckdb(folder: Path) -> Path:
    path = folder / "cdm.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA cdm")
        for name, columns in TABLES.items():
            connection.register("made", pa.table(dict(columns)))
            connection.execute(f"CREATE TABLE cdm.cdm.{name} AS SELECT * FROM made")
            connection.unregister("made")
    return path
