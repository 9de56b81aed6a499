"""What OMOP tables of many writers hold: one meaning is read, everything else is told once, by name."""

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.learn.ingest.readers.clinical import person, rows_of
from tests.unit.learn.ingest.readers.omop_tables import TABLES, as_csv, as_parquet, replaced
from trajsim.errors import DataFileError
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.readers.omop import read_omop

OMOP = (Path(__file__).parents[5] / "trajsim/learn/ingest/mappings/omop.yaml").read_text(encoding="utf-8")
COLUMNS = [f"{name}.{column}" for name, columns in TABLES.items() for column in columns]
WHOLE = [place for place in COLUMNS if place.endswith(("_id", "_of_birth")) and place != "concept.vocabulary_id"]
ODD = {
    "list": [[1.0]],
    "struct": [{"a": 1}],
    "bool": [True],
    "date": [date(2001, 1, 1)],
    "time": [time(3, 4)],
    "duration": [timedelta(days=1)],
    "fraction": [1.5],
    "infinite": [float("inf")],
    "words": ["nineteen"],
    "bytes": [b"\xff\xfe"],
    "decimal": [Decimal("1.25")],
    "nothing": [None],
    "huge": pa.array([2**64 - 1], pa.uint64()),
}


def _column(values: object, n: int) -> pa.Array:
    one = values if isinstance(values, pa.Array) else pa.array(values)
    return one.take(pa.array([0] * n))


@given(place=st.sampled_from(COLUMNS), kind=st.sampled_from(sorted(ODD)))
def test_no_type_of_any_column_is_more_than_a_fault(
    place: str, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table, _, column = place.partition(".")
    n = len(TABLES[table][column])
    folder = as_parquet(tmp_path_factory.mktemp("odd"), replaced(place, _column(ODD[kind], n)))
    clinical = read_omop(folder)
    assert all(fault.startswith(f"{table}.parquet: ") and column in fault for fault in clinical.faults)
    assert len(clinical.faults) <= 1
    try:
        make_sequences(clinical, read_mapping("omop"), source="odd")
    except DataFileError as error:
        told = [line for line in str(error).splitlines() if "unknown_patients" in line]
        assert not (told and clinical.faults)


SPELLINGS: Mapping[str, Callable[[str], object]] = {
    "float": float,
    "text": lambda digits: f"{digits}.0",
    "decimal": lambda digits: Decimal(f"{digits}.00"),
}


@given(how=st.sampled_from(sorted(SPELLINGS)), places=st.sets(st.sampled_from(WHOLE), min_size=1))
def test_whole_numbers_read_the_same_however_they_are_written(
    how: str, places: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tables: dict[str, dict[str, object]] = {name: dict(columns) for name, columns in TABLES.items()}
    for place in places:
        table, _, column = place.partition(".")
        values = TABLES[table][column]
        tables[table][column] = [None if value is None else SPELLINGS[how](str(value)) for value in values]
    plain, other = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("other")
    expected, found = read_omop(as_parquet(plain)), read_omop(as_parquet(other, tables))
    assert found.faults == ()
    assert rows_of(found) == rows_of(expected)
    assert found.persons.drop(columns="file").equals(expected.persons.drop(columns="file"))


def test_floats_as_pandas_writes_them_to_csv(tmp_path: Path) -> None:
    tables = replaced("condition_occurrence.person_id", ["11.0", "12.0", "12.0"])
    tables["person"]["gender_concept_id"] = ["8532.0", "8507.0"]
    clinical = read_omop(as_csv(tmp_path, tables))
    assert clinical.faults == ()
    assert (clinical.rows["patient"] >= 0).all()
    assert (person(clinical, "11")["sex"], person(clinical, "12")["sex"]) == ("female", "male")


@pytest.mark.parametrize(
    ("place", "values", "sentence"),
    [
        (
            "measurement.measurement_date",
            [time(3, 4)] * 2,
            "column 'measurement_date': expected dates, got the type time64[us]",
        ),
        ("measurement.value_as_number", [date(2001, 1, 1)] * 2, "expected numbers, got the type date32[day]"),
        ("condition_occurrence.condition_concept_id", [[1]] * 3, "expected whole numbers, got the type list<"),
        ("condition_occurrence.person_id", [11.0, 12.5, 12.0], "row 2: person_id is not a whole number"),
        (
            "condition_occurrence.condition_concept_id",
            [float("inf")] * 3,
            "rows 1, 2, 3: condition_concept_id is not a whole number",
        ),
        ("death.death_date", ["2008-08"], "row 1: death_date is not a date"),
    ],
)
def test_a_column_of_another_kind_is_named_with_what_was_expected(
    tmp_path: Path, place: str, values: list[object], sentence: str
) -> None:
    (fault,) = read_omop(as_parquet(tmp_path, replaced(place, values))).faults
    assert fault.startswith(f"{place.partition('.')[0]}.parquet: ")
    assert sentence in fault


def test_a_column_that_stands_twice_is_a_fault(tmp_path: Path) -> None:
    as_csv(tmp_path)
    (tmp_path / "DEATH.csv").write_text("person_id,Person_Id,death_date\n11,12,2008-08-08\n", encoding="utf-8")
    assert read_omop(tmp_path).faults == ("DEATH.csv: columns that stand twice: person_id",)


def test_units_are_known_by_their_concept_or_listed(tmp_path: Path) -> None:
    tables = replaced("measurement.unit_concept_id", [8876, 8840])
    tables["measurement"]["unit_source_value"] = pa.nulls(2, pa.string())
    del tables["concept"]
    folder = as_parquet(tmp_path, tables)
    assert {row[3]: row[6] for row in rows_of(read_omop(folder), is_lab=True)} == {
        "3004249": "mm[Hg]", "3007070": "mg/dL", "43054909": None,
    }  # fmt: skip
    tables["measurement"]["unit_concept_id"] = [8876, 123456]
    _, report = make_sequences(read_omop(as_parquet(tmp_path, tables)), read_mapping("omop"), source="omop")
    assert [(unit.where, unit.what, unit.n_rows) for unit in report.unmapped_units] == [("hdl", "123456", 1)]


def test_the_mapping_decides_about_persons_who_stand_twice_and_is_told_once(tmp_path: Path) -> None:
    tables: dict[str, dict[str, object]] = {name: dict(columns) for name, columns in TABLES.items()}
    tables["person"] = {name: [*values, values[0]] for name, values in TABLES["person"].items()}
    clinical = read_omop(as_parquet(tmp_path, tables))
    assert clinical.faults == ()
    with pytest.raises(DataFileError, match=r"1 fault in the source\npersons_twice: .*'11' \(person.parquet row 3\)"):
        make_sequences(clinical, read_mapping("omop"), source="omop")
    own = tmp_path / "own.yaml"
    codes = Path(__file__).parents[5] / "trajsim/learn/ingest/mappings/codes"
    text = OMOP.replace("codes/cardio", f"{codes}/cardio").replace("cleaning:\n", "cleaning:\n  persons_twice: drop\n")
    own.write_text(text, encoding="utf-8")
    _, report = make_sequences(clinical, read_mapping(str(own)), source="omop")
    assert (report.n_patients, report.patients_left_out) == (2, {"persons_twice": 1})


@given(born=st.dates(date(1800, 1, 1), date(2300, 12, 31)), day=st.integers(1, 40))
@example(born=date(1950, 2, 1), day=31)
@example(born=date(1900, 2, 1), day=29)
def test_births_are_days_of_the_calendar(born: date, day: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("births")
    text = f"person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n1,8507,{born.year},{born.month},"
    (folder / "person.csv").write_text(f"{text}{day}\n", encoding="utf-8")
    clinical = read_omop(folder)
    try:
        expected = born.replace(day=day)
    except ValueError:
        assert clinical.faults == ("person.csv: row 1: year_of_birth, month_of_birth and day_of_birth are no date",)
    else:
        assert clinical.faults == ()
        assert person(clinical, "1")["birth"] == (expected - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("persons", "fault"),
    [
        (b"person_id,gender_concept_id\n11,8532\n", "columns missing: year_of_birth"),
        (b"person_id,gender_concept_id,year_of_birth\n11,8532,\xe9\n", "cannot be read beyond row 0"),
        (b"person_id,gender_concept_id,year_of_birth\n11,8532,1950\n12,8507,1960,9\n", "cannot be read beyond row 0"),
        (
            b"person_id,gender_concept_id,year_of_birth\n11,8532,1950\n12,8507,x\n",
            "row 2: year_of_birth is not a number",
        ),
        (b"person_id,gender_concept_id,year_of_birth\n11,8532,1950\n,8507,1960\n", "row 2: no person_id"),
    ],
)
def test_what_follows_from_persons_that_cannot_be_read_is_not_told(tmp_path: Path, persons: bytes, fault: str) -> None:
    as_csv(tmp_path)
    (tmp_path / "PERSON.csv").write_bytes(persons)
    with pytest.raises(DataFileError) as caught:
        make_sequences(read_omop(tmp_path), read_mapping("omop"), source="omop")
    assert "1 fault in the source" in str(caught.value)
    assert f"PERSON.csv: {fault}" in str(caught.value)
    assert caught.value.hint is None


def test_an_id_that_no_person_has_is_a_fault_where_all_persons_were_read(tmp_path: Path) -> None:
    folder = as_parquet(tmp_path, replaced("death.person_id", [99]))
    assert read_omop(folder).has_all_persons
    as_parquet(tmp_path, replaced("measurement.person_id", [11, 99]))
    with pytest.raises(DataFileError, match="unknown_patients: an id that no person has"):
        make_sequences(read_omop(folder), read_mapping("omop"), source="omop")


def test_persons_of_whom_nothing_was_observed_do_not_enter(tmp_path: Path) -> None:
    tables = replaced("observation_period.person_id", [11, 11])
    for name in ("condition_occurrence", "measurement"):
        tables[name]["person_id"] = [11] * len(np.asarray(tables[name]["person_id"]))
    clinical = read_omop(as_parquet(tmp_path, tables))
    assert person(clinical, "12")["entry"] is None
    assert person(clinical, "11")["entry"] == (date(2000, 1, 1) - date(1970, 1, 1)).days
