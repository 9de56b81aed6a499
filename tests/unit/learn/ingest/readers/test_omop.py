from datetime import date
from pathlib import Path

import pytest

from tests.unit.learn.ingest.readers.clinical import person, rows_of
from tests.unit.learn.ingest.readers.omop_tables import as_csv, as_duckdb, as_parquet, replaced
from trajsim.errors import ConfigError, DataFileError
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.readers.omop import read_omop

ROWS = [
    ("11", (date(2001, 5, 6) - date(1970, 1, 1)).days, "SNOMED-CT", "59621000", None, None, None),
    ("11", (date(2002, 1, 1) - date(1970, 1, 1)).days, "LOINC", "72166-2", None, "449868002", None),
    ("11", (date(2002, 1, 1) - date(1970, 1, 1)).days, "LOINC", "8480-6", 141.0, None, "mm[Hg]"),
    ("12", (date(1999, 5, 6) - date(1970, 1, 1)).days, "SNOMED-CT", "44054006", None, None, None),
    ("12", (date(2002, 2, 2) - date(1970, 1, 1)).days, "OMOP-source", "local-7", None, None, None),
    ("12", (date(2003, 1, 1) - date(1970, 1, 1)).days, "LOINC", "2085-9", 1.2, None, "mmol/L"),
]


@pytest.mark.parametrize("write", [as_parquet, as_csv, as_duckdb])
def test_parquet_csv_and_duckdb_give_the_same_rows(tmp_path: Path, write: object) -> None:
    assert callable(write)
    clinical = read_omop(write(tmp_path))
    assert clinical.faults == ()
    assert sorted(rows_of(clinical), key=str) == sorted(ROWS, key=str)
    epoch = date(1970, 1, 1)
    ann, bob = person(clinical, "11"), person(clinical, "12")
    assert (ann["sex"], ann["birth"]) == ("female", (date(1950, 3, 4) - epoch).days)
    assert (ann["entry"], ann["end"]) == ((date(2000, 1, 1) - epoch).days, (date(2010, 12, 31) - epoch).days)
    assert (bob["sex"], bob["birth"]) == ("male", (date(1960, 7, 1) - epoch).days)
    assert (bob["death"], bob["end"]) == ((date(2008, 8, 8) - epoch).days,) * 2


def test_the_mapping_by_name_makes_sequences(tmp_path: Path) -> None:
    sequences, report = make_sequences(read_omop(as_parquet(tmp_path)), read_mapping("omop"), source="omop")
    names, labs = sequences.vocabulary.event_names, sequences.vocabulary.lab_names
    ann, bob = (list(sequences.patient_id).index(name) for name in ("11", "12"))
    assert sequences.first_days()[ann, names.index("hypertension")] == (date(2001, 5, 6) - date(2000, 1, 1)).days
    assert sequences.prevalent[bob, names.index("diabetes")]
    values = sequences.values[sequences.patient_of_day == bob, labs.index("hdl")]
    assert values[~(values != values)].tolist() == [46.0]
    assert [(code.where, code.what, code.n_rows) for code in report.unmapped_codes] == [("OMOP-source", "local-7", 1)]


def test_without_concepts_ids_stand_for_themselves(tmp_path: Path) -> None:
    as_parquet(tmp_path)
    (tmp_path / "concept.parquet").unlink()
    found = {row[2:4] for row in rows_of(read_omop(tmp_path))}
    assert ("OMOP", "320128") in found
    assert ("OMOP", "3004249") in found


def test_faults_stand_with_file_and_row_all_at_once(tmp_path: Path) -> None:
    as_csv(tmp_path)
    (tmp_path / "MEASUREMENT.csv").write_text(
        "person_id,measurement_concept_id,measurement_date,value_as_number\n11,3004249,2002-13-01,141\n"
        "11,3004249,2002-01-01,high\n",
        encoding="utf-8",
    )
    (tmp_path / "CONDITION_OCCURRENCE.csv").write_text("person_id,condition_start_date\n", encoding="utf-8")
    person_file = tmp_path / "PERSON.csv"
    person_file.write_text(person_file.read_text() + "13,8532,1950,14,4\n", encoding="utf-8")
    faults = "\n".join(read_omop(tmp_path).faults)
    assert "MEASUREMENT.csv: row 1: measurement_date is not a date" in faults
    assert "MEASUREMENT.csv: row 2: value_as_number is not a number" in faults
    assert "CONDITION_OCCURRENCE.csv: columns missing: condition_concept_id" in faults
    assert "PERSON.csv: row 3: year_of_birth, month_of_birth and day_of_birth are no date" in faults


def test_a_source_without_persons_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected OMOP tables"):
        read_omop(tmp_path)
    (tmp_path / "death.csv").write_text("person_id,death_date\n", encoding="utf-8")
    with pytest.raises(DataFileError, match="no OMOP table 'person'"):
        read_omop(tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("not a database", encoding="utf-8")
    with pytest.raises(DataFileError, match="not a DuckDB file"):
        read_omop(other)


def test_a_day_after_the_last_one_lengthens_nobody_s_observation(tmp_path: Path) -> None:
    as_parquet(tmp_path, replaced("condition_occurrence.condition_start_date", [date(2095, 1, 1)] * 3))
    (tmp_path / "observation_period.parquet").unlink()
    for last_day, end in ((None, date(2095, 1, 1)), (20_000, date(2002, 1, 1))):
        assert person(read_omop(tmp_path, last_day=last_day), "11")["end"] == (end - date(1970, 1, 1)).days
