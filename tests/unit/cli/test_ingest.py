"""``trajsim ingest``: the report, exit codes, and nothing written where something is wrong."""

import json
from pathlib import Path

import pytest

from trajsim.cli.app import main
from trajsim.learn.sequence_files import read_sequences

MAPPING = """
format: csv
clock: entry
tables:
  - file: people.csv
    patient: id
    persons: {sex: sex, male: [m], female: [f], age_years: age, end: end}
  - file: labs.csv
    patient: id
    time: day
    rows:
      - {kind: lab, code_column: test, value: value, unit_column: unit}
events:
  - {name: gout, codes: [gout]}
labs:
  - {name: urate, codes: [ua], unit: mg/dL, centre: 5, spread: 2, low: 1, high: 20, resolution: 0.1}
"""


@pytest.fixture(name="source")
def source_fixture(tmp_path: Path) -> Path:
    """Two people with five rows, of which one has an unknown code and one an unknown unit."""
    folder = tmp_path / "visits"
    folder.mkdir()
    (folder / "people.csv").write_text("id,sex,age,end\n1,m,50,400\n2,f,60,90\n")
    labs = "id,test,day,value,unit\n1,ua,5,7,mg/dL\n1,gout,9,,\n1,k,9,4.5,mmol/L\n2,ua,7,500,mm[Hg]\n2,ua,-7,6,mg/dL\n"
    (folder / "labs.csv").write_text(labs)
    (tmp_path / "own.yaml").write_text(MAPPING)
    return folder


def run(source: Path, *more: str) -> int:
    return main(["ingest", str(source), "--mapping", str(source.parent / "own.yaml"), *more])


def test_sequences_and_the_report(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(source, "--out", str(out)) == 0
    shown = capsys.readouterr()
    words = " ".join(shown.out.split())
    for part in ("2 patients, 5 rows", "patients kept 2", "gout 0 1 not asked", "urate 1 1 2", "k 1", "mm[Hg] 1"):
        assert part in words
    assert "wrote 2 patients" in shown.err
    made = read_sequences(out)
    assert made.day.tolist() == [5, 9]
    report = json.loads((out / "report.json").read_text())
    assert sum(report["rows"].values()) == report["n_rows_read"] == 5
    assert report["mapping"] == "own"


def test_events_of_ones_own(source: Path, tmp_path: Path) -> None:
    own = tmp_path / "events.yaml"
    own.write_text("events: [{name: potassium, codes: [k]}]\n")
    assert run(source, "--out", str(tmp_path / "out"), "--events", str(own), "--quiet") == 0
    assert read_sequences(tmp_path / "out").vocabulary.event_names == ("potassium",)


def test_events_that_bundled_modules_forbid(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.yaml"
    events.write_text("events: [{name: angina, codes: [k]}, {name: myocardial_infarction, codes: [ua]}]\n")
    more = ("--out", str(tmp_path / "out"), "--events", str(events), "--modules-dir", "bundled")
    assert run(source, *more) == 0
    assert "angina 0 1 1 myocardial_infarction 1 1 0" in " ".join(capsys.readouterr().out.split())
    assert read_sequences(tmp_path / "out").forbidden.tolist() == [[False, False], [True, False]]


def test_a_faulty_source_is_a_finding_and_writes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "labs.csv").write_text("id,test,day,value,unit\n1,ua,5,700,mg/dL\n3,ua,5,7,mg/dL\n1,ua,x,7,mg/dL\n")
    assert run(source, "--out", str(tmp_path / "out")) == 1
    said = capsys.readouterr().err
    for part in ("out_of_range", "unknown_patients", "'x' in row 3", "Hint: "):
        assert part in said
    assert not (tmp_path / "out").exists()


def test_nobody_left_is_a_finding_and_writes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "people.csv").write_text("id,sex,age,end\n1,m,50,0\n2,f,60,0\n")
    assert run(source, "--out", str(tmp_path / "out")) == 1
    said = capsys.readouterr().err
    for part in ("no patient is left of 2", "2 no_follow_up: less than one day", "Hint: "):
        assert part in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mapping", ["fhir", "meds", "nafld", "omop", "records", "synthea-csv"])
def test_a_folder_without_any_file_of_the_format_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mapping: str
) -> None:
    folder, out = tmp_path / "visits", tmp_path / "out"
    folder.mkdir()
    options = ["--mapping", mapping, "--out", str(out)]
    assert main(["ingest", str(folder), *options]) == 2
    said = capsys.readouterr().err
    assert f"{folder}: expected" in said
    assert "--mapping" in said
    (folder / "notes.txt").write_text("nothing of it")
    assert main(["ingest", str(folder), *options]) == 2
    assert f"{folder}: expected" in capsys.readouterr().err
    assert not out.exists()


def test_usage(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(source / "missing", "--out", str(out)) == 2
    assert main(["ingest", str(source), "--mapping", "none", "--out", str(out)]) == 2
    (tmp_path / "own.yaml").write_text(MAPPING.replace("clock", "clocks"))
    assert run(source, "--out", str(out)) == 2
    assert "own.yaml: $.clocks: unknown key, did you mean 'clock'?" in capsys.readouterr().err
    (tmp_path / "own.yaml").write_text(MAPPING)
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    assert run(source, "--out", str(out)) == 2
    assert "thesis.txt" in capsys.readouterr().err
