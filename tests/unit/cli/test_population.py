"""``--population``: who is drawn comes from a file, and a bad file leaves nothing behind."""

import json
import re
from pathlib import Path

import pytest

from tests.unit.cli.test_parity import parity, reference_of
from trajsim.cli.app import main
from trajsim.cli.life_options import resolve_life_options
from trajsim.provenance import digest_file, read_manifest
from trajsim.records.parquet import read_parquet

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(name="places")
def places_fixture(tmp_path: Path) -> Path:
    """The example of the documentation."""
    text = (ROOT / "docs" / "population.md").read_text(encoding="utf-8")
    example = re.search(r"```csv\n(.*?)```", text, flags=re.DOTALL)
    assert example is not None
    path = tmp_path / "places.csv"
    path.write_text(example[1], encoding="utf-8")
    return path


def generate(modules: Path, out: Path, *more: str, formats: str = "parquet") -> int:
    options = ["-n", "30", "--seed", "7", "--modules-dir", str(modules), "--out", str(out), "--quiet"]
    return main(["generate", *options, "--format", formats, *more])


def test_people_live_where_the_file_says(modules: Path, places: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert generate(modules, out, "--population", str(places), formats="parquet,csv,fhir,fhir-ndjson") == 0
    patients = read_parquet(out / "parquet")["patients"]
    assert set(patients["city"].to_pylist()) <= {"Zurich", "Winterthur", "Lugano"}
    assert (
        read_manifest(out / "manifest.json").run.options["--population"] == f"places.csv (sha256 {digest_file(places)})"
    )


def test_state_city_age_and_sex_choose_within_the_file(modules: Path, places: Path, tmp_path: Path) -> None:
    asked = ["--population", str(places), "--state", "ticino", "--sex", "F", "--age", "30-40"]
    assert generate(modules, tmp_path / "out", *asked) == 0
    patients = read_parquet(tmp_path / "out" / "parquet")["patients"]
    assert set(patients["city"].to_pylist()) == {"Lugano"}
    assert set(patients["sex"].to_pylist()) == {"F"}


def test_a_run_with_another_file_of_the_same_name_is_another_run(
    modules: Path, places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert generate(modules, out, "--population", str(places)) == 0
    assert generate(modules, out, "--population", str(places)) == 0  # finished already
    places.write_text(places.read_text(encoding="utf-8").replace("Zurich,Zurich", "Dietikon,Zurich"), encoding="utf-8")
    assert generate(modules, out, "--population", str(places)) == 2
    assert "--population: places.csv (sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("Zurich,Zurich,CH", "Boston,Massachusets,US"), "row 3, column 'region': unknown 'Massachusets'"),
        (("hs_degree", "high_school"), "column 'hs_degree' is missing"),
        (("0.51,", "-0.51,"), "column 'female': expected a number from 0 to 1"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_written(
    change: tuple[str, str],
    says: str,
    modules: Path,
    places: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places.write_text(places.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    assert generate(modules, tmp_path / "out", "--population", str(places)) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_place_gets_a_suggestion(
    modules: Path, places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(modules, tmp_path / "out", "--population", str(places), "--city", "Lugamo") == 2
    assert "did you mean 'Lugano'" in capsys.readouterr().err
    assert generate(modules, tmp_path / "out", "--state", "Masachusetts") == 2
    assert "did you mean 'Massachusetts'" in capsys.readouterr().err
    assert generate(modules, tmp_path / "out", "--population", str(tmp_path / "none.csv")) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_trace_takes_the_file_too(modules: Path, places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--patient", "3", "--modules-dir", str(modules), "--population", str(places), "--state", "Ticino"]
    assert main(["trace", *asked]) == 0
    assert "Ticino" in capsys.readouterr().out


def test_parity_simulates_the_demographics_of_the_reference(modules: Path, places: Path, tmp_path: Path) -> None:
    asked = ["--format", "parquet", "--state-metrics", "--quiet", "--end", "2025-01-01"]
    run = ["generate", "-n", "60", "--seed", "1", "--modules-dir", str(modules), "--out", str(tmp_path / "theirs")]
    assert main([*run, "--population", str(places), *asked]) == 0
    reference = reference_of(tmp_path / "theirs", tmp_path / "reference")
    (reference / "demographics.csv").write_bytes(places.read_bytes())
    assert parity(reference, tmp_path / "parity", "--quiet") == 0
    recorded = read_manifest(tmp_path / "parity/run/manifest.json").run.options["--population"]
    assert str(recorded).startswith("demographics.csv (sha256 ")
    notes = json.loads((tmp_path / "parity/parity.json").read_text())["about"]["notes"]
    assert not any("built-in population" in note for note in notes)
    assert parity(reference, tmp_path / "other", "--population", str(places), "--quiet") == 0


def test_nothing_is_recorded_without_a_file() -> None:
    given = dict.fromkeys(
        ("modules_dir", "modules", "override", "start", "age", "sex", "state", "city", "mortality", "mortality_offset")
    )
    options = resolve_life_options(seed=7, end="2026-01-01", **given)  # type: ignore[arg-type]  # all None
    assert options.recorded()["--population"] is None
