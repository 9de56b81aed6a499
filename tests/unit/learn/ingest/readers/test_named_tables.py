"""Where tables stand, and that nobody has to guess which of two is meant."""

from pathlib import Path

import duckdb
import pytest

from trajsim.errors import DataFileError
from trajsim.learn.ingest.readers.collected import Faults
from trajsim.learn.ingest.readers.named_tables import find_tables


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("person_id\n1\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("person.csv", "person.parquet"),
        ("PERSON.csv", "person.csv.gz"),
        ("person.1.csv", "person.2.csv"),
        ("person.csv", "person/part-0.csv"),
        ("person/part-0.csv", "person/part-0.parquet"),
    ],
)
def test_a_table_in_two_places_of_a_folder_is_refused_with_both(tmp_path: Path, first: str, second: str) -> None:
    _write(tmp_path, first, second, "death.csv")
    with pytest.raises(DataFileError) as caught:
        find_tables(tmp_path, ("person", "death"))
    message = str(caught.value)
    assert "got 1 in several" in message
    for place in (first, second):
        assert place.partition("/")[0] in message
    assert "leave one of them in the folder" in message


def test_parts_of_a_table_stand_in_a_folder_of_its_name(tmp_path: Path) -> None:
    _write(tmp_path, "person/a/0.csv", "person/b/0.csv", "person/notes.md", "people.csv", "._person.csv")
    tables = find_tables(tmp_path, ("person", "death"))
    assert [file for file, _, _ in tables["person"].batches(Faults("any"))] == ["person/a/0.csv", "person/b/0.csv"]
    assert set(tables) == {"person"}


def _database(path: Path, *tables: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for table in tables:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.partition('.')[0]}")
            connection.execute(f"CREATE TABLE {table} AS SELECT 1 AS person_id")
    return path


def test_a_table_in_two_schemas_is_refused_with_both(tmp_path: Path) -> None:
    path = _database(tmp_path / "two.duckdb", "aaa.person", "zzz.Person", "aaa.death", "zzz.notes")
    with pytest.raises(DataFileError, match="table 'person' stands in schema aaa and in schema zzz") as caught:
        find_tables(path, ("person", "death"))
    assert "COPY schema.person TO" in str(caught.value)


def test_schemas_may_share_the_tables(tmp_path: Path) -> None:
    path = _database(tmp_path / "one.duckdb", "cdm.person", "vocabulary.concept", "results.cohort")
    assert set(find_tables(path, ("person", "concept"))) == {"person", "concept"}
