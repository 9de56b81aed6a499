import shutil
from pathlib import Path

import pytest

from trajsim.errors import DataFileError
from trajsim.evaluate.parity import read_reference


@pytest.fixture(name="copy")
def copy_fixture(reference_folder: Path, tmp_path: Path) -> Path:
    """A reference to damage."""
    return Path(shutil.copytree(reference_folder, tmp_path / "reference"))


def test_a_reference_is_read(reference_folder: Path) -> None:
    reference = read_reference(reference_folder)
    assert reference.n_persons == 2_000
    assert reference.end_date == "2025-01-01"
    assert reference.ceiling == {}
    assert reference.totals is None
    assert reference["observation_values"]["q50"].dtype == float


def test_every_fault_is_named_at_once(copy: Path) -> None:
    (copy / "events_per_person.csv").unlink()
    codes = (copy / "codes.csv").read_text()
    (copy / "codes.csv").write_text(codes.replace("kind,class,code,display", "kind,class,kode,display"))
    ages = (copy / "time_at_risk.csv").read_text().splitlines()
    (copy / "time_at_risk.csv").write_text("\n".join([ages[0], "F,0,many,1.5", "X,7,3,1.5"]))
    (copy / "states.json").write_text('{"made": {"Initial": {"entered": 1}}}')
    with pytest.raises(DataFileError) as caught:
        read_reference(copy)
    message = str(caught.value)
    assert "events_per_person.csv: no such file" in message
    assert "codes.csv: column 'code' is missing, found kind, class, kode, display" in message
    assert "time_at_risk.csv: row 2, column 'persons': expected a number, got 'many'" in message
    assert "time_at_risk.csv: row 3: expected sex F or M" in message
    assert "states.json: $.made['Initial']: expected the numbers entered, persons, still_there" in message
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("states.json", b"{", "states.json: not JSON"),
        ("states.json", b"[]", "states.json: expected an object, got list"),
        ("codes.csv", b"", "codes.csv: not a CSV table"),
        ("codes.csv", b"\xff\xfe", "codes.csv: not UTF-8 text"),
        ("person_totals.parquet", b"PAR", "person_totals.parquet: not a readable Parquet file"),
        ("agreement_of_halves.json", b'{"condition": 1}', "agreement_of_halves.json: $.condition: expected"),
    ],
)
def test_a_damaged_file_is_named(copy: Path, name: str, content: bytes, wanted: str) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(DataFileError, match=r"1 fault in the reference tables") as caught:
        read_reference(copy)
    assert wanted in str(caught.value)
