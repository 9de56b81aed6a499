"""What trajsim writes at each version of US Core, before judges: ours always, HAPI's validator where Java is."""

from pathlib import Path

import pytest

from fhir_export.validate import Gate, GateOptions
from tests.external.gates import judge
from trajsim.cli.app import main

VERSIONS = ("6.1.0", "7.0.0", "8.0.0")


@pytest.fixture(name="ndjson", scope="module")
def ndjson_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    code = main(["generate", "-n", "50", "--seed", "7", "--format", "fhir,fhir-ndjson", "--out", str(out), "--quiet"])
    assert code == 0
    return out


@pytest.fixture(name="later", scope="module")
def later_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """NDJSON of fewer patients, by version."""
    records = tmp_path_factory.mktemp("records") / "out"
    assert main(["generate", "-n", "12", "--seed", "7", "--format", "parquet", "--out", str(records), "--quiet"]) == 0
    places = {}
    for version in VERSIONS:
        places[version] = tmp_path_factory.mktemp("version") / "out"
        options = ["--format", "fhir-ndjson", "--us-core", version, "--out", str(places[version]), "--quiet"]
        assert main(["export", str(records), *options]) == 0
    return places


@pytest.mark.parametrize("layout", ["fhir", "fhir-ndjson"])
def test_our_gate_accepts_it(ndjson: Path, layout: str) -> None:
    gate = Gate(GateOptions(us_core=VERSIONS[0]))
    report = gate.run([ndjson / layout])
    errors = [message["example"] for message in report["messages"] if message["severity"] == "error"]
    assert errors == []
    assert report["resources"] > 1000
    assert gate.is_clean, report["references"]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_our_gate_accepts_later_versions(later: dict[str, Path], version: str) -> None:
    gate = Gate(GateOptions(us_core=version))
    report = gate.run([later[version]])
    assert [message["example"] for message in report["messages"] if message["severity"] == "error"] == []
    assert gate.is_clean, report["references"]


def test_a_run_of_the_first_version_keeps_the_rules_of_the_next(later: dict[str, Path]) -> None:
    report = Gate(GateOptions(us_core="7.0.0")).run([later["6.1.0"]])
    assert [message["example"] for message in report["messages"] if message["severity"] == "error"] == []


@pytest.mark.nightly
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("engine", ["hapi", "official"])
def test_java_accepts_a_sample(later: dict[str, Path], shared: Path, tmp_path: Path, engine: str, version: str) -> None:
    options = ("--sample", "20", "--entries")
    report = judge(shared, engine, version, [later[version]], tmp_path / "report.json", *options)
    assert [m["example"] for m in report["messages"] if m["severity"] in ("error", "fatal")] == []
    assert not report["references"]["danglingByPath"]
