"""Commands with a learned model: what they run, record and refuse. The model has a formula instead of a checkpoint."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.unit.cli.conftest import ANKLE, write_module
from trajsim.cli import learned
from trajsim.cli.app import main
from trajsim.provenance import read_manifest
from trajsim.testing.closed_form_model import ClosedFormModel

SPRAINS = ClosedFormModel(rates=(("sprain", 0.4), ("visit", 1.0)))
DEATHS = ClosedFormModel(rates=(("sprain", 0.4), ("death", 0.05), ("visit", 1.0)))
DYING = {
    "name": "Dying",
    "states": {
        "Initial": {"type": "Initial", "direct_transition": "Adult"},
        "Adult": {
            "type": "Guard",
            "allow": {"condition_type": "Age", "operator": ">=", "quantity": 18, "unit": "years"},
            "direct_transition": "Life",
        },
        "Life": {
            "type": "Delay",
            "exact": {"quantity": 200, "unit": "years"},
            "direct_transition": "Death",
            "trajsim": {"event": "death"},
        },
        "Death": {
            "type": "Death",
            "codes": [{"system": "SNOMED-CT", "code": "9855000", "display": "Natural death with unknown cause"}],
            "direct_transition": "Past",
        },
        "Past": {"type": "Terminal"},
    },
}


@pytest.fixture(name="checkpoint")
def checkpoint_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    monkeypatch.setattr(learned, "load", lambda _path: SPRAINS)
    return folder


@pytest.fixture(name="overlay")
def overlay_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "overlay.json"
    path.write_text(json.dumps({"modules": {"ankle": {"Wait": {"event": "sprain"}}}}))
    return path


@pytest.fixture(name="bound")
def bound_fixture(tmp_path: Path) -> Path:
    wait = {**ANKLE["states"]["Wait"], "trajsim": {"event": "sprain"}}  # type: ignore[index]  # a JSON object
    write_module(tmp_path / "bound", "ankle", {**ANKLE, "states": {**ANKLE["states"], "Wait": wait}})  # type: ignore[dict-item]
    return tmp_path / "bound"


def generate(modules: Path, out: Path, *more: str, n: int = 12, formats: str = "parquet") -> int:
    options = ["-n", str(n), "--seed", "7", "--modules-dir", str(modules), "--format", formats, "--out", str(out)]
    return main(["generate", *options, *more])


def rows_of(out: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "parquet" / table).to_pylist()
    return rows


def conditions(out: Path) -> list[tuple[int, object]]:
    return [(row["patient_id"], row["time"]) for row in rows_of(out, "conditions")]


def test_a_model_times_what_is_bound_and_is_recorded(
    modules: Path, bound: Path, checkpoint: Path, overlay: Path, tmp_path: Path
) -> None:
    assert generate(bound, tmp_path / "own") == 0
    assert generate(bound, tmp_path / "with", "--model", str(checkpoint)) == 0
    assert generate(modules, tmp_path / "overlay", "--model", str(checkpoint), "--bind", str(overlay)) == 0
    assert conditions(tmp_path / "with") == conditions(tmp_path / "overlay") != conditions(tmp_path / "own")
    options = read_manifest(tmp_path / "overlay" / "manifest.json").run.options
    assert options["--model"] == f"sha256 {SPRAINS.digest}"
    assert str(options["--bind"]).startswith("overlay.json (sha256 ")
    assert read_manifest(tmp_path / "own" / "manifest.json").run.options["--model"] is None


def test_threads_and_shards_change_no_line(bound: Path, checkpoint: Path, tmp_path: Path) -> None:
    assert generate(bound, tmp_path / "one", "--model", str(checkpoint), "--threads", "1", formats="csv") == 0
    cut = ("--threads", "2", "--shard-size", "5")
    assert generate(bound, tmp_path / "two", "--model", str(checkpoint), *cut, formats="csv") == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "one" / "csv").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "two" / "csv").iterdir()
    }


def test_a_finished_run_is_not_taken_for_one_of_another_model(
    bound: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(bound, tmp_path / "out") == 0
    assert generate(bound, tmp_path / "out", "--model", str(checkpoint)) == 2
    assert "--model: " in capsys.readouterr().err


def test_a_model_that_times_death_replaces_the_background(
    bound: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(learned, "load", lambda _path: DEATHS)
    write_module(bound, "dying", DYING)
    asked = ("--model", str(checkpoint), "--mortality", "life-table", "--age", "60-90")
    assert generate(bound, tmp_path / "out", *asked, n=40) == 0
    assert "the modules kill on top of it" in capsys.readouterr().err
    births = {row["patient_id"]: row["birth_time"] for row in rows_of(tmp_path / "out", "patients")}
    deaths = rows_of(tmp_path / "out", "deaths")
    late = [death for death in deaths if (death["time"] - births[death["patient_id"]]).days > 18 * 365.25]
    assert len(late) > 20
    assert {death["cause_code"] for death in late} == {"9855000"}


def test_trace_tells_the_life_of_the_model(
    bound: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    life = ["--seed", "7", "--modules-dir", str(bound), "--model", str(checkpoint)]
    assert generate(bound, tmp_path / "out", "--model", str(checkpoint), formats="csv") == 0
    capsys.readouterr()
    assert main(["trace", "--patient", "3", *life]) == 0
    told = capsys.readouterr().out
    patient = (tmp_path / "out/csv/patients.csv").read_text().splitlines()[4].split(",")[0]
    rows = [row for row in (tmp_path / "out/csv/conditions.csv").read_text().splitlines() if patient in row]
    assert len(rows) > 0
    assert told.count("wrote condition: ") == len(rows)
    assert "@model: waits for sprain" in told


@pytest.mark.parametrize("verb", [["generate", "-n", "1"], ["trace", "--patient", "0"]])
def test_a_model_with_nothing_to_time_is_refused(
    verb: list[str], modules: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--out", str(tmp_path / "out")]
    assert main([*verb, "--modules-dir", str(modules), "--model", str(checkpoint), *place]) == 2
    said = capsys.readouterr().err
    assert "none of the events of this model is bound in these modules: sprain, visit" in said
    assert "docs/guides/binding-a-model.md" in said


def test_a_place_without_a_checkpoint_is_a_usage_error(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(modules, tmp_path / "out", "--model", str(tmp_path / "none")) == 2
    assert "no checkpoint there" in capsys.readouterr().err
