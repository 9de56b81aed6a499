from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.learn.ingest.readers.clinical import person, rows_of
from trajsim.errors import ConfigError, DataFileError
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.readers.meds import meaning_of, read_meds

SCHEMA = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("time", pa.timestamp("us")),
        ("code", pa.string()),
        ("numeric_value", pa.float32()),
        ("text_value", pa.string()),
    ]
)
Measured = tuple[int, str | None, str, float | None, str | None]


def _day(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


def _shard(path: Path, rows: Sequence[Measured]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[1] = [None if text is None else datetime.fromisoformat(str(text)) for text in columns[1]]
    pq.write_table(pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA), path)


ANN: Sequence[Measured] = [
    (1, None, "GENDER//F", None, None),
    (1, "1950-03-01", "MEDS_BIRTH", None, None),
    (1, "2000-01-02T08:00", "SNOMED/59621000", None, None),
    (1, "2000-01-02T08:00", "LOINC/2085-9", 45.0, None),
    (1, "2001-05-06", "SMOKES", None, "449868002"),
    (1, "2002-01-01", "LAB//50904//mg/dL", 51.0, None),
    (1, "2003-01-01", "MEDS_DEATH", None, None),
]
BOB: Sequence[Measured] = [
    (2, None, "GENDER//M", None, None),
    (2, "1960-03-01", "MEDS_BIRTH", None, None),
    (2, "1999-01-02", "DIAGNOSIS//ICD//9//25000", None, None),
    (2, "2004-07-01", "DIAGNOSIS//ICD//10//I10", None, None),
]


def _dataset(folder: Path) -> Path:
    _shard(folder / "data" / "train" / "0.parquet", ANN)
    _shard(folder / "data" / "held_out" / "0.parquet", BOB)
    codes = pa.table(
        {
            "code": ["LOINC/2085-9", "SMOKES"],
            "description": ["HDL", "smoking status"],
            "parent_codes": pa.array([None, ["LOINC/72166-2"]], pa.list_(pa.string())),
            "unit": ["mg/dL", None],
        }
    )
    (folder / "metadata").mkdir()
    pq.write_table(codes, folder / "metadata" / "codes.parquet")
    return folder


def test_births_deaths_and_sexes_become_persons(tmp_path: Path) -> None:
    clinical = read_meds(_dataset(tmp_path))
    ann, bob = person(clinical, "1"), person(clinical, "2")
    assert (ann["sex"], ann["birth"], ann["death"]) == ("female", _day("1950-03-01"), _day("2003-01-01"))
    assert (ann["first"], ann["end"]) == (_day("2000-01-02"), _day("2003-01-01"))
    assert (bob["sex"], bob["death"], bob["end"]) == ("male", None, _day("2004-07-01"))
    assert clinical.faults == ()


def test_codes_name_their_system_and_units_come_from_the_table_of_codes(tmp_path: Path) -> None:
    clinical = read_meds(_dataset(tmp_path))
    assert sorted(rows_of(clinical)) == sorted(
        [
            ("1", _day("2000-01-02"), "SNOMED-CT", "59621000", None, None, None),
            ("1", _day("2000-01-02"), "LOINC", "2085-9", 45.0, None, "mg/dL"),
            ("1", _day("2001-05-06"), "LOINC", "72166-2", None, "449868002", None),
            ("1", _day("2002-01-01"), "LAB", "50904", 51.0, None, "mg/dL"),
            ("2", _day("1999-01-02"), "ICD9CM", "25000", None, None, None),
            ("2", _day("2004-07-01"), "ICD10CM", "I10", None, None, None),
        ]
    )


def test_the_mapping_by_name_makes_sequences(tmp_path: Path) -> None:
    mapping = read_mapping("meds")
    sequences, report = make_sequences(read_meds(_dataset(tmp_path)), mapping, source="meds")
    names = sequences.vocabulary.event_names
    ann, bob = (list(sequences.patient_id).index(name) for name in "12")
    assert sequences.prevalent[ann, names.index("hypertension")]
    assert sequences.first_days()[ann, names.index("death")] == _day("2003-01-01") - _day("2000-01-02")
    assert sequences.prevalent[bob, names.index("diabetes")]
    assert sequences.first_days()[bob, names.index("hypertension")] == _day("2004-07-01") - _day("1999-01-02")
    assert report.unmapped_codes == ()


@pytest.mark.parametrize(
    ("code", "system", "plain", "unit"),
    [
        ("ICD10CM//I10", "ICD10CM", "I10", ""),
        ("SNOMED/44054006", "SNOMED-CT", "44054006", ""),
        ("PROCEDURE//ICD//10//0210093", "ICD10PCS", "0210093", ""),
        ("LAB//50971//mEq/L", "LAB", "50971", "mEq/L"),
        ("LAB//50971//UNK", "LAB", "50971", ""),
        ("HOSPITAL_ADMISSION//URGENT", "MEDS", "HOSPITAL_ADMISSION//URGENT", ""),
        ("troponin", "MEDS", "troponin", ""),
    ],
)
def test_spellings_of_codes_are_understood(code: str, system: str, plain: str, unit: str) -> None:
    meaning = meaning_of(code)
    assert (meaning.system, meaning.code, meaning.unit) == (system, plain, unit)


def test_a_patient_in_two_shards_and_a_missing_column_are_told_together(tmp_path: Path) -> None:
    _dataset(tmp_path)
    _shard(tmp_path / "data" / "train" / "1.parquet", BOB[:2])
    pq.write_table(pa.table({"subject_id": [3], "code": ["a"]}), tmp_path / "data" / "train" / "2.parquet")
    faults = read_meds(tmp_path).faults
    assert any("train/1.parquet, row 1: subject 2 stands in data/held_out/0.parquet too" in fault for fault in faults)
    assert any("train/2.parquet: columns missing: time" in fault for fault in faults)


@pytest.mark.parametrize(
    ("code", "text"), [("Gender/F", None), ("GENDER//F", None), ("sex/female", None), ("Gender/Gender", "Female")]
)
def test_a_sex_is_known_by_one_stroke_or_two_or_by_its_answer(tmp_path: Path, code: str, text: str | None) -> None:
    _shard(tmp_path / "data" / "0.parquet", [(1, None, code, None, text), *ANN[1:]])
    clinical = read_meds(tmp_path)
    assert person(clinical, "1")["sex"] == "female"
    assert not any("ender" in row[3] for row in rows_of(clinical))


def test_times_in_text_are_read_as_dates_are(tmp_path: Path) -> None:
    plain, spelled = tmp_path / "plain", tmp_path / "spelled"
    for folder, kind in ((plain, pa.timestamp("us")), (spelled, pa.string())):
        _shard(folder / "data" / "0.parquet", ANN)
        table = pq.read_table(folder / "data" / "0.parquet")
        pq.write_table(table.set_column(1, "time", table["time"].cast(kind)), folder / "data" / "0.parquet")
    expected, found = read_meds(plain), read_meds(spelled)
    assert found.faults == ()
    assert rows_of(found) == rows_of(expected)
    assert found.persons.equals(expected.persons)


def _with_column(folder: Path, column: str, values: Sequence[object]) -> tuple[str, ...]:
    _shard(folder / "data" / "0.parquet", BOB)
    table = pq.read_table(folder / "data" / "0.parquet")
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, pa.array(values)), folder / "data" / "0.parquet")
    clinical = read_meds(folder)
    with pytest.raises(DataFileError, match="1 fault in the source"):
        make_sequences(clinical, read_mapping("meds"), source="meds")
    return clinical.faults


def test_what_is_no_time_is_told_once_with_its_place(tmp_path: Path) -> None:
    (fault,) = _with_column(tmp_path / "time", "time", [time(1), time(2), time(3), time(4)])
    assert fault == "data/0.parquet: column 'time': expected dates, got the type time64[us]"
    (fault,) = _with_column(tmp_path / "text", "time", [None, "1960-03", "1999-01-02", "2004-07-01T08:00Z"])
    assert fault == "data/0.parquet: row 2: time is not a date"


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        ("subject_id", [[1]] * 4, "column 'subject_id': expected whole numbers, got the type list<"),
        ("subject_id", ["2", "2", "2", "b"], "row 4: subject_id is not a number"),
        ("subject_id", [2, None, 2, 2], "row 2: no subject_id, or no code"),
        ("code", [[1]] * 4, "column 'code': expected texts, got the type list<"),
        ("numeric_value", [True] * 4, "column 'numeric_value': expected numbers, got the type bool"),
    ],
)
def test_a_column_of_another_kind_is_told_with_what_was_expected(
    tmp_path: Path, column: str, values: Sequence[object], sentence: str
) -> None:
    (fault,) = _with_column(tmp_path, column, values)
    assert fault.startswith("data/0.parquet: ")
    assert sentence in fault


def test_a_shard_that_is_not_parquet_is_told_by_name(tmp_path: Path) -> None:
    _dataset(tmp_path)
    (tmp_path / "data" / "train" / "9.parquet").write_bytes(b"PAR1 not really")
    assert any("train/9.parquet: cannot be read" in fault for fault in read_meds(tmp_path).faults)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no MEDS data"):
        read_meds(tmp_path)


def test_a_day_after_the_last_one_lengthens_nobody_s_observation(tmp_path: Path) -> None:
    _shard(tmp_path / "data" / "0.parquet", [*BOB, (2, "2095-01-01", "OTHER//x", None, None)])
    for last_day, end in ((None, "2095-01-01"), (_day("2020-01-01"), "2004-07-01")):
        assert person(read_meds(tmp_path, last_day=last_day), "2")["end"] == _day(end)
