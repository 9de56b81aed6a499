import json
from pathlib import Path

import orjson
import pytest

from tests.unit.fhir_export.validate.resources import all_resources, changed, patient
from trajsim.cli.app import main


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    folder = tmp_path / "fhir"
    folder.mkdir()
    (folder / "all.ndjson").write_text("\n".join(json.dumps(resource) for resource in all_resources()))
    return folder


def test_clean_files_exit_with_0(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, outcome = tmp_path / "report.json", tmp_path / "outcome.json"
    assert main(["validate", str(folder), "--json", str(report), "--outcome", str(outcome)]) == 0
    shown = capsys.readouterr().out
    assert "5 resources: 0 errors" in shown
    assert "must-support: " in shown
    assert orjson.loads(report.read_bytes())["resources"] == 5
    assert orjson.loads(outcome.read_bytes())["resourceType"] == "OperationOutcome"


def test_an_error_exits_with_1_and_says_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "wrong.ndjson").write_text(json.dumps(changed(changed(patient(), "gender", "boy"), "id", "p2")))
    assert main(["validate", str(folder), "--us-core", "8.0.0"]) == 1
    assert "binding-required at Patient.gender" in capsys.readouterr().out


def test_an_open_reference_exits_with_1(folder: Path) -> None:
    lines = [json.dumps(resource) for resource in all_resources() if resource["resourceType"] != "Encounter"]
    (folder / "all.ndjson").write_text("\n".join(lines))
    assert main(["validate", str(folder)]) == 1


def test_nothing_to_read_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path)]) == 2
    assert "nothing to check" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--us-core", "5.0.1"], "--us-core must be one of"),
        (["--types", "Patient,Diagnosis"], "'Diagnosis'"),
        (["--sample", "-1"], "--sample must not be negative"),
        (["nowhere"], "no such file or folder: 'nowhere'"),
    ],
)
def test_usage(folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(folder), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_report_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(folder), "--json", str(folder / "no" / "report.json")]) == 3
    assert "error: " in capsys.readouterr().err
