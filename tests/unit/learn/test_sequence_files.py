"""Event sequences come back as they were written; a broken or foreign folder is named by file and column."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trajsim.errors import ConfigError, DataFileError
from trajsim.event_sequences import EventKind, EventSequences, LabKind, Vocabulary
from trajsim.learn.sequence_files import read_report, read_sequences, write_sequences

NAN = float("nan")


def tiny() -> EventSequences:
    return EventSequences(
        vocabulary=Vocabulary(
            events=(EventKind(name="gout"), EventKind(name="death")),
            labs=(LabKind(name="urate", unit="mg/dL", is_log=True, centre=5.0, spread=0.3, low=1.0, high=20.0),),
        ),
        patient_id=np.array(["a", "b", "c"]),
        split=np.array([0, 1, 2], dtype=np.uint8),
        is_male=np.array([True, False, True]),
        entry_age_days=np.array([20000, 15000, 9000], dtype=np.int32),
        bmi=np.array([22.5, NAN, 31.0]),
        prevalent=np.array([[False, False], [True, False], [False, False]]),
        entry_values=np.array([[NAN], [6.0], [NAN]]),
        entry_value_days=np.array([[-1], [30], [-1]], dtype=np.int32),
        follow_up_days=np.array([100, 50, 7], dtype=np.int32),
        offsets=np.array([0, 2, 3, 3], dtype=np.int64),
        day=np.array([10, 100, 50], dtype=np.int32),
        is_visit=np.array([True, False, True]),
        events=np.array([[True, False], [False, True], [False, False]]),
        forbidden=np.zeros((3, 2), dtype=np.bool_),
        values=np.array([[7.0], [NAN], [6.5]]),
    )


def replace_column(path: Path, name: str, values: list[object]) -> None:
    table = pq.read_table(path)
    index = table.column_names.index(name)
    pq.write_table(table.set_column(index, name, pa.array(values, table.schema.field(name).type)), path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = tiny()
    write_sequences(written, tmp_path / "out", report={"patients": 3})
    read = read_sequences(tmp_path / "out")
    assert read.vocabulary == written.vocabulary
    for field in fields(EventSequences):
        if field.name != "vocabulary":
            before, after = getattr(written, field.name), getattr(read, field.name)
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype, field.name
    assert read_report(tmp_path / "out") == {"patients": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_its_own_folder_is_replaced_and_a_foreign_one_is_not(tmp_path: Path) -> None:
    write_sequences(tiny(), tmp_path / "out", report={})
    write_sequences(tiny().take([1]), tmp_path / "out", report={})
    assert len(read_sequences(tmp_path / "out")) == 1
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"thesis\.txt"):
        write_sequences(tiny(), tmp_path / "out", report={})
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "report.json").write_text("{}")
    with pytest.raises(ConfigError, match="left as it is"):
        write_sequences(tiny(), tmp_path / "foreign", report={})


def test_every_fault_is_named_by_file_and_column(tmp_path: Path) -> None:
    write_sequences(tiny(), tmp_path, report={})
    replace_column(tmp_path / "patients.parquet", "follow_up_days", [100, 50, 0])
    replace_column(tmp_path / "days.parquet", "day", [10, 101, 50])
    replace_column(tmp_path / "days.parquet", "event.gout", [True, True, True])
    with pytest.raises(DataFileError) as caught:
        read_sequences(tmp_path)
    message = str(caught.value)
    assert "3 faults" in message
    for part in (
        "patients.parquet: column 'follow_up_days'",
        "days.parquet: column 'day'",
        "'event.gout': is not the first",
    ):
        assert part in message


def test_missing_columns_types_and_files(tmp_path: Path) -> None:
    write_sequences(tiny(), tmp_path, report={})
    days = tmp_path / "days.parquet"
    table = pq.read_table(days).drop_columns(["is_visit"])
    pq.write_table(table.set_column(1, "day", pa.array([10.0, 100.0, 50.0])), days)
    with pytest.raises(DataFileError) as caught:
        read_sequences(tmp_path)
    assert "column 'is_visit': missing" in str(caught.value)
    assert "column 'day': expected the type int32, got double" in str(caught.value)
    days.unlink()
    with pytest.raises(DataFileError, match=r"days\.parquet missing"):
        read_sequences(tmp_path)


@pytest.mark.parametrize("document", ['{"format": "other", "version": 1}', "[]", "{"])
def test_another_vocabulary_file_is_refused(tmp_path: Path, document: str) -> None:
    write_sequences(tiny(), tmp_path, report={})
    (tmp_path / "vocabulary.json").write_text(document)
    with pytest.raises(DataFileError, match=r"vocabulary\.json"):
        read_sequences(tmp_path)


def test_a_vocabulary_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    write_sequences(tiny(), tmp_path, report={})
    path = tmp_path / "vocabulary.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "events": [{"nom": "gout"}]}))
    with pytest.raises(DataFileError, match=r"`name`.*\$\.events\[0\]"):
        read_sequences(tmp_path)
    path.write_text(json.dumps({**whole, "labs": [{**whole["labs"][0], "centre": "a"}]}))
    with pytest.raises(DataFileError, match=r"float.*\$\.labs\[0\]\.centre"):
        read_sequences(tmp_path)


def test_a_folder_without_sequences_is_no_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder without them"):
        read_sequences(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        read_sequences(tmp_path / "nowhere")
