"""What trajsim writes, before judges: ours always, HAPI's validator where Java is."""

from pathlib import Path

import pytest

from fhir_export.validate import Gate, GateOptions
from tests.external.gates import judge
from trajsim.cli.app import main

US_CORE = "6.1.0"


@pytest.fixture(name="ndjson", scope="module")
def ndjson_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    code = main(["generate", "-n", "50", "--seed", "7", "--format", "fhir,fhir-ndjson", "--out", str(out), "--quiet"])
    assert code == 0
    return out


@pytest.mark.parametrize("layout", ["fhir", "fhir-ndjson"])
def test_our_gate_accepts_it(ndjson: Path, layout: str) -> None:
    gate = Gate(GateOptions(us_core=US_CORE))
    report = gate.run([ndjson / layout])
    errors = [message["example"] for message in report["messages"] if message["severity"] == "error"]
    assert errors == []
    assert report["resources"] > 1000
    assert gate.is_clean, report["references"]


@pytest.mark.nightly
def test_hapi_accepts_a_sample(ndjson: Path, shared: Path, tmp_path: Path) -> None:
    options = ("--sample", "20", "--entries")
    report = judge(shared, "hapi", US_CORE, [ndjson / "fhir-ndjson"], tmp_path / "report.json", *options)
    assert [m["example"] for m in report["messages"] if m["severity"] in ("error", "fatal")] == []
    assert not report["references"]["danglingByPath"]
