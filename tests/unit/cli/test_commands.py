import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import trajsim
from trajsim.cli.app import app, main

BAD = '{"name": "Bad", "states": {"Initial": {"type": "Initial", "direct_transition": "Nowhere"}}}'


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"trajsim {trajsim.__version__}\n"


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: trajsim {command}" in capsys.readouterr().out


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_names_every_fault_and_the_place_of_the_rules(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (modules / "bad.json").write_text(BAD)
    (modules / "broken.json").write_text("{")
    assert main(["check", str(modules)]) == 1
    out = capsys.readouterr().out
    assert "bad.json: $.states" in out
    assert "'Nowhere'" in out
    assert "broken.json" in out
    assert "explained in docs/rules/" in out


def test_check_takes_a_file(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (modules / "bad.json").write_text(BAD)
    assert main(["check", str(modules / "ankle.json")]) == 0
    assert main(["check", str(modules / "bad.json")]) == 1
    assert "ankle" not in capsys.readouterr().out.partition("Nowhere")[2]


def test_check_writes_json(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (modules / "bad.json").write_text(BAD)
    assert main(["check", "--json", str(modules)]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert {finding["severity"] for finding in findings} >= {"error"}
    assert all(finding["rule"].startswith("GMF") for finding in findings)


def test_check_of_a_place_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["check", str(tmp_path / "empty")]) == 2


# --- graph ------------------------------------------------------------------------------------------------------------


def test_graph_draws_a_file_or_a_name(modules: Path, tmp_path: Path) -> None:
    assert main(["graph", str(modules / "ankle.json"), "--out", str(tmp_path / "a.svg")]) == 0
    assert main(["graph", "ankle", "--modules-dir", str(modules), "--out", str(tmp_path / "b.svg")]) == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    picture = ET.parse(tmp_path / "a.svg")
    assert picture.getroot().tag.endswith("svg")
    assert "Sprain" in "".join(picture.getroot().itertext())


@pytest.mark.parametrize(
    ("module", "out", "says"),
    [("ankel", "a.svg", "ankle"), ("no.json", "a.svg", "does not exist"), ("ankle", "a.png", ".svg")],
)
def test_graph_of_what_is_not_there_is_a_usage_error(
    module: str, out: str, says: str, modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", module, "--modules-dir", str(modules), "--out", str(tmp_path / out)]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / out).exists()


def test_graph_of_a_module_that_cannot_be_read_gives_its_faults(modules: Path, tmp_path: Path) -> None:
    (modules / "odd.json").write_text('{"name": "Odd", "states": {"Initial": {"type": "Sometimes"}}}')
    assert main(["graph", str(modules / "odd.json"), "--out", str(tmp_path / "odd.svg")]) == 1


# --- trace ------------------------------------------------------------------------------------------------------------


def test_trace_tells_the_life_that_generate_simulates(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = [
        "-n",
        "5",
        "--seed",
        "7",
        "--modules-dir",
        str(modules),
        "--format",
        "csv",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["generate", "--quiet", *shared]) == 0
    assert main(["trace", "--patient", "3", *shared]) == 0
    told = capsys.readouterr().out
    patient = (tmp_path / "out/csv/patients.csv").read_text().splitlines()[4]
    patient_id, born = patient.split(",")[:2]
    sprains = [line for line in (tmp_path / "out/csv/conditions.csv").read_text().splitlines() if patient_id in line]

    assert f"patient 3: {'F' if ',F,' in patient else 'M'}" in told
    assert f"born {born}" in told
    assert told.count("wrote condition: Sprain of ankle") == len(sprains)
    assert all(line[:10] in told for line in sprains)


def test_trace_shows_one_module_alone(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--patient", "0", "--modules-dir", str(modules), "--only", "ankle"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines
    assert all("  ankle: " in line for line in lines)


@pytest.mark.parametrize(
    "options", [["--patient", "-1"], ["--patient", "5", "-n", "5"], ["--patient", "0", "--only", "knee"], []]
)
def test_trace_of_what_is_not_there_is_a_usage_error(options: list[str], modules: Path) -> None:
    assert main(["trace", "--modules-dir", str(modules), *options]) == 2


# --- export -----------------------------------------------------------------------------------------------------------


def test_export_writes_what_generate_would_have_written(modules: Path, tmp_path: Path) -> None:
    options = ["--modules-dir", str(modules), "-n", "8", "--seed", "7", "--shard-size", "8"]
    assert main(["generate", *options, "--format", "parquet,csv,fhir,fhir-ndjson", "--out", str(tmp_path / "run")]) == 0
    formats = "csv,fhir,fhir-ndjson"
    assert main(["export", str(tmp_path / "run"), "--format", formats, "--out", str(tmp_path / "again")]) == 0

    for path in (tmp_path / "again").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "run" / path.relative_to(tmp_path / "again")).read_bytes(), path
    assert len(list((tmp_path / "again/fhir").iterdir())) == 8


def test_export_reads_synthea_csv(modules: Path, tmp_path: Path) -> None:
    options = ["--modules-dir", str(modules), "-n", "8", "--seed", "7"]
    assert main(["generate", *options, "--format", "csv", "--out", str(tmp_path / "run")]) == 0
    arguments = ["--from", "synthea-csv", "--format", "parquet", "--out", str(tmp_path / "tables")]
    assert main(["export", str(tmp_path / "run"), *arguments]) == 0
    assert list((tmp_path / "tables/parquet/conditions").iterdir())


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--format", "none"], 2),
        (["--format", "csv", "--from", "omop"], 2),
        (["--format", "csv", "--from", "paper"], 2),
        (["--format", "csv"], 1),
    ],
)
def test_export_of_what_cannot_be_read_is_refused(options: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    assert main(["export", str(tmp_path / "source"), *options, "--out", str(tmp_path / "out")]) == code
    assert not (tmp_path / "out").exists()


def test_export_does_not_write_into_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.doc").write_text("years of work")
    (tmp_path / "file").write_text("")
    for out in ("out", "file"):
        assert main(["export", str(tmp_path / "source"), "--format", "csv", "--out", str(tmp_path / out)]) == 2
    assert main(["export", str(tmp_path / "nothing"), "--format", "csv", "--out", str(tmp_path / "new")]) == 2
