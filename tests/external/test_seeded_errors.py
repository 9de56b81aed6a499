"""A gate that cannot fail proves nothing: each of forty seeded errors, and which gate sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fhir_export.validate import Gate, GateOptions
from tests.external.gates import SAMPLE, caught, flagged_controls, judge, ndjson_of_bundles, seed

MISSED = {"wrong SNOMED display"}
BUNDLES = ("dangling-bundle.json", "wrong-type-bundle.json")
LEAST = {"hapi": 35, "official": 33}


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """A folder of seeded errors, and the set that they were taken from."""

    source: Path
    folder: Path
    seeds: Mapping[str, tuple[str, str]]

    @property
    def lines(self) -> list[Path]:
        return [self.folder / "seeded.ndjson", self.folder / "controls.ndjson"]


@pytest.fixture(name="seeded", scope="module")
def seeded_fixture(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("seeded")
    sample = shared / "synthea" / "reference" / "sample" / "fhir"
    ndjson_of_bundles([sample / f"{name}.json.gz" for name in SAMPLE], source)
    return Seeded(source=source, folder=folder, seeds=seed(shared, source, folder))


@pytest.mark.parametrize("packages", ["with", "without"])
def test_ours_sees_all_but_one(seeded: Seeded, shared: Path, packages: str) -> None:
    assert len(seeded.seeds) == 40
    folder = shared / "fhir" if packages == "with" else None
    gate = Gate(GateOptions(each=True, packages=folder))
    report = gate.run([seeded.source, *seeded.lines])
    titles = {title for title, _ in seeded.seeds.values()}
    assert titles - caught(seeded.seeds, report["each"]) == MISSED
    assert flagged_controls(report["each"]) == []


def test_ours_sees_them_without_the_set_but_for_what_dangles(seeded: Seeded) -> None:
    gate = Gate(GateOptions(each=True, packages=None))
    report = gate.run(seeded.lines)
    found = caught(seeded.seeds, report["each"])
    assert {title for title, _ in seeded.seeds.values()} - found == MISSED | {"dangling relative reference (NDJSON)"}
    assert flagged_controls(report["each"]) == []
    assert not gate.is_clean


@pytest.mark.parametrize("name", BUNDLES)
def test_ours_refuses_the_wrong_bundles(seeded: Seeded, name: str) -> None:
    gate = Gate(GateOptions(packages=None))
    assert gate.run([seeded.folder / name])["total"]["error"] > 0


def test_ours_accepts_the_right_bundle(seeded: Seeded) -> None:
    gate = Gate(GateOptions(packages=None))
    report = gate.run([seeded.folder / "control-bundle.json"])
    assert report["total"]["error"] == 0
    assert report["references"]["danglingByPath"] == []


@pytest.mark.parametrize(
    "engine", [pytest.param("hapi", marks=pytest.mark.nightly), pytest.param("official", marks=pytest.mark.nightly)]
)
def test_java_sees_no_more(seeded: Seeded, shared: Path, engine: str, tmp_path: Path) -> None:
    places = [*seeded.lines, *(seeded.folder / name for name in (*BUNDLES, "control-bundle.json"))]
    report = judge(shared, engine, "6.1.0", places, tmp_path / "report.json", "--sample", "0", "--each")
    found = caught(seeded.seeds, report["each"])
    assert len(found) >= LEAST[engine]
    assert flagged_controls(report["each"]) == []
    assert not found & MISSED
