import json
import xml.etree.ElementTree as ET
from pathlib import Path

import orjson
import pytest

from tests.unit.evaluate.reference_tables import write_reference_tables
from trajsim.cli.app import main
from trajsim.evaluate.parity.tally import tally
from trajsim.records.parquet import read_parquet_shards

N = 120


def generate(modules: Path, out: Path, seed: int, *more: str, n: int = N) -> Path:
    options = ["-n", str(n), "--seed", str(seed), "--modules-dir", str(modules), "--out", str(out), "--quiet"]
    more = more or ("--format", "parquet", "--state-metrics")
    assert main(["generate", *options, "--end", "2025-01-01", *more]) == 0
    return out


def reference_of(run: Path, folder: Path) -> Path:
    states = orjson.loads((run / "states.json").read_bytes())
    return write_reference_tables(folder, tally(read_parquet_shards(run / "parquet")), states)


@pytest.fixture(name="reference")
def reference_fixture(modules: Path, tmp_path: Path) -> Path:
    """Reference tables of a run of the module, beside its folder."""
    return reference_of(generate(modules, tmp_path / "theirs", 1), tmp_path / "reference")


def parity(reference: Path, out: Path, *more: str) -> int:
    return main(["parity", "--reference", str(reference), "--out", str(out), *more])


def test_a_run_is_compared(modules: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = generate(modules, tmp_path / "ours", 2)
    assert parity(reference, tmp_path / "parity", "--run", str(run)) == 0
    content = json.loads((tmp_path / "parity/parity.json").read_text())
    assert content["about"]["n_ours"] == content["about"]["n_theirs"] == N
    assert any("built-in population" in note for note in content["about"]["notes"])
    ET.fromstring((tmp_path / "parity/parity.html").read_text().removeprefix("<!DOCTYPE html>"))
    assert "codes within 2 SE: " in capsys.readouterr().out


def test_without_a_run_what_the_reference_describes_is_simulated(reference: Path, tmp_path: Path) -> None:
    assert parity(reference, tmp_path / "parity", "--seed", "3", "--quiet") == 0
    manifest = json.loads((tmp_path / "parity/run/manifest.json").read_text())
    assert manifest["run"]["options"]["-n"] == N
    assert manifest["run"]["options"]["--end"] == "2025-01-01"
    assert parity(reference, tmp_path / "parity", "--seed", "3", "--quiet") == 0  # the run is there already


def test_a_folder_of_tables_alone_is_enough_with_options(modules: Path, reference: Path, tmp_path: Path) -> None:
    (reference / "README.md").unlink()
    alone = reference.rename(tmp_path / "elsewhere")
    options = ["-n", "40", "--quiet", "--modules-dir", str(modules), "--modules", "ankle*"]
    assert parity(alone, tmp_path / "parity", *options) == 2  # no end date
    assert parity(alone, tmp_path / "parity", *options, "--end", "2024-12-31") in (0, 1)
    manifest = json.loads((tmp_path / "parity/run/manifest.json").read_text())
    assert manifest["run"]["options"]["--end"] == "2024-12-31"
    assert manifest["run"]["options"]["--modules"] == "ankle*"
    notes = json.loads((tmp_path / "parity/parity.json").read_text())["about"]["notes"]
    assert "Our run was narrowed by --modules ankle*." in notes


def test_findings_have_their_exit_code(modules: Path, reference: Path, tmp_path: Path) -> None:
    path = modules / "ankle.json"
    path.write_text(path.read_text().replace('"mean": 5', '"mean": 1'))
    run = generate(modules, tmp_path / "ours", 2)
    assert parity(reference, tmp_path / "parity", "--run", str(run)) == 1
    content = json.loads((tmp_path / "parity/parity.json").read_text())
    assert content["has_findings"]
    assert content["writers"]["condition||44465007"] == [
        {"module": "ankle", "state": "Sprain", "rows": content["writers"]["condition||44465007"][0]["rows"]}
    ]


def test_usage_errors(modules: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = generate(modules, tmp_path / "csv", 2, "--format", "csv", n=2)
    out = tmp_path / "parity"
    assert parity(tmp_path / "nowhere", out) == 2
    assert parity(reference, out, "--run", str(tmp_path)) == 2
    assert parity(reference, out, "--run", str(run)) == 2
    assert parity(reference, out, "--run", str(run), "-n", "5") == 2
    assert parity(reference, out, "--run", str(run), "--modules", "a*") == 2
    assert parity(reference, out, "--run", str(run), "--end", "2025-01-01") == 2
    assert parity(reference, out, "-n", "0") == 2
    assert parity(reference, out, "--modules-dir", str(tmp_path / "nowhere")) == 2
    assert parity(reference, tmp_path, "--run", str(run)) == 2
    assert parity(reference, out, "--population", str(tmp_path / "nowhere.csv")) == 2
    assert not out.exists()
    errors = capsys.readouterr().err
    assert "holds no finished run" in errors
    assert "--format parquet --state-metrics" in errors
    assert "holds something else" in errors


def test_a_bad_reference_names_the_file_and_the_column(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = reference / "living_at_end.csv"
    path.write_text(path.read_text().replace("living", "alive"))
    assert parity(reference, tmp_path / "parity") == 1
    assert "living_at_end.csv: column 'living' is missing, found sex, age_from, alive" in capsys.readouterr().err
