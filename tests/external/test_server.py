"""Real servers take every layout, give back what they were given, and grow only where they should."""

import json
import shutil
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.external.servers import files, get, hapi, medplum, total
from trajsim.cli.app import main

pytestmark = pytest.mark.nightly

Json = dict[str, Any]
RUN = ["generate", "-n", "3", "--age", "20-60", "--years", "10", "--quiet"]
NOT_OF_A_PATIENT = frozenset({"Provenance", "PractitionerRole", "Endpoint"})
"""No patient refers to them, nor they to one."""
IMPORT_S = 600


@pytest.fixture(name="server", scope="module")
def server_fixture(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hapi(shared, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(name="lenient_server", scope="module")
def lenient_server_fixture(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hapi(shared, tmp_path_factory.mktemp("lenient"), is_lenient=True) as url:
        yield url


@pytest.fixture(name="medplum_server", scope="module")
def medplum_server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with medplum(tmp_path_factory.mktemp("medplum")) as url:
        yield url


def generated(out: Path, *options: str) -> Path:
    """The folder of FHIR of a small run."""
    assert main([*RUN, *options, "--out", str(out)]) == 0
    return next(path for path in (out / "fhir", out / "fhir-ndjson") if path.is_dir())


def loaded(folder: Path, server: str) -> Counter[int]:
    """Loads a folder, with nothing refused; how many entries got which status."""
    report = folder.parent / "report.json"
    code = main(["load", str(folder), "--server", server, "--json", str(report), "--again", "--quiet"])
    content = json.loads(report.read_bytes())
    assert (code, content["refused"], content["stopped"]) == (0, [], None)
    return Counter({int(status): n for status, n in content["statuses"].items()})


def resources(path: Path) -> list[Json]:
    return [entry["resource"] for entry in json.loads(path.read_bytes())["entry"]]


def name_of(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def counts(server: str, kinds: Sequence[str]) -> dict[str, int]:
    return {kind: total(server, kind) for kind in kinds}


def everything(server: str, patient: str) -> list[str]:
    """The names of all resources of a patient, page by page."""
    names: list[str] = []
    url: str | None = f"{server}/Patient/{patient}/$everything?_count=200"
    while url is not None:
        page = get(url)
        names += [name_of(entry["resource"]) for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
    return names


def has(path: str, code: str) -> Callable[[Json], bool]:
    """Whether a CodeableConcept, or one of a list, has a code."""

    def test(resource: Json) -> bool:
        concepts = resource.get(path, [])
        concepts = concepts if isinstance(concepts, list) else [concepts]
        return any(coding.get("code") == code for concept in concepts for coding in concept.get("coding", ()))

    return test


def since(path: str, end: str = "") -> Callable[[Json], bool]:
    """Whether something happened, or ended, at noon of 2 January 2020 or later."""
    moment = datetime(2020, 1, 2, 12, tzinfo=UTC)

    def test(resource: Json) -> bool:
        value = resource.get(path)
        text = value.get(end) if isinstance(value, dict) else value
        return text is not None and datetime.fromisoformat(text) >= moment

    return test


def always(_: Json) -> bool:
    return True


SEARCHES: tuple[tuple[str, str, Callable[[Json], bool]], ...] = (
    ("AllergyIntolerance", "", always),
    ("CarePlan", "&category=assess-plan", has("category", "assess-plan")),
    ("CareTeam", "&status=active", lambda found: found["status"] == "active"),
    ("Condition", "", always),
    ("Condition", "&category=encounter-diagnosis", has("category", "encounter-diagnosis")),
    ("Condition", "&category=problem-list-item", has("category", "problem-list-item")),
    ("Condition", "&clinical-status=active", has("clinicalStatus", "active")),
    ("Coverage", "", always),
    ("Device", "", always),
    ("DiagnosticReport", "&category=LAB", has("category", "LAB")),
    ("DocumentReference", "&category=clinical-note", has("category", "clinical-note")),
    ("DocumentReference", "&type=34117-2", has("type", "34117-2")),
    ("Encounter", "", always),
    ("Encounter", "&class=AMB", lambda found: found["class"]["code"] == "AMB"),
    ("Encounter", "&date=ge2020-01-02T12:00:00Z", since("period", "end")),
    ("Goal", "&lifecycle-status=active", lambda found: found["lifecycleStatus"] == "active"),
    ("Immunization", "&status=completed", lambda found: found["status"] == "completed"),
    ("Immunization", "&date=ge2020-01-02T12:00:00Z", since("occurrenceDateTime")),
    ("MedicationDispense", "", always),
    ("MedicationRequest", "&intent=order", lambda found: found["intent"] == "order"),
    ("MedicationRequest", "&intent=order&status=active", lambda found: found["status"] == "active"),
    ("Observation", "&category=vital-signs", has("category", "vital-signs")),
    ("Observation", "&category=laboratory", has("category", "laboratory")),
    (
        "Observation",
        "&category=laboratory&date=ge2020-01-02T12:00:00Z",
        lambda found: has("category", "laboratory")(found) and since("effectiveDateTime")(found),
    ),
    ("Observation", "&code=85354-9", has("code", "85354-9")),
    ("Observation", "&code=72166-2", has("code", "72166-2")),
    ("Procedure", "&status=completed", lambda found: found["status"] == "completed"),
    ("RelatedPerson", "", always),
    ("ServiceRequest", "", always),
    ("Specimen", "", always),
)
"""What US Core 6.1.0 asks servers to search, with what each search must find."""


def test_a_transaction_is_taken(server: str, tmp_path: Path) -> None:
    folder = generated(tmp_path / "run", "--seed", "21", "--format", "fhir")
    expected = Counter(each["resourceType"] for path in folder.glob("*.json") for each in resources(path))
    kinds = ("Patient", "Encounter", "Condition", "Observation", "Provenance")
    before = counts(server, kinds)
    statuses = loaded(folder, server)
    assert set(statuses) <= {200, 201}
    assert counts(server, kinds) == {kind: before[kind] + expected[kind] for kind in kinds}


def test_put_keeps_ids_and_a_second_load_adds_nothing(server: str, tmp_path: Path) -> None:
    folder = generated(tmp_path / "run", "--seed", "22", "--format", "fhir", "--bundle", "put")
    kinds = sorted({each["resourceType"] for path in folder.glob("*.json") for each in resources(path)})
    before = counts(server, kinds)
    assert set(loaded(folder, server)) <= {200, 201}
    after = counts(server, kinds)
    assert after["Patient"] == before["Patient"] + 3
    assert set(loaded(folder, server)) == {200}
    assert counts(server, kinds) == after
    for path in folder.glob("*.json"):
        names = {name_of(resource) for resource in resources(path)}
        others = {name for name in names if name.partition("/")[0] in NOT_OF_A_PATIENT}
        found = everything(server, path.stem)
        assert len(found) == len(set(found))
        assert set(found) == names - others
        for name in others:
            assert name_of(get(f"{server}/{name}")) == name


def test_searches_of_us_core_find_exactly_what_they_should(server: str, tmp_path: Path) -> None:
    folder = generated(tmp_path / "run", "--seed", "26", "--format", "fhir", "--bundle", "put", "--compress", "gzip")
    assert set(loaded(folder, server)) <= {200, 201}
    plain = generated(tmp_path / "plain", "--seed", "26", "--format", "fhir", "--bundle", "put")
    n_found: Counter[str] = Counter()
    for path in plain.glob("*.json"):
        held = resources(path)
        for kind, query, is_wanted in SEARCHES:
            expected = sum(each["resourceType"] == kind and is_wanted(each) for each in held)
            assert total(server, f"{kind}?patient={path.stem}{query}") == expected, (kind, query)
            n_found[kind + query] += expected
        (patient,) = (each for each in held if each["resourceType"] == "Patient")
        own = [each for each in patient["identifier"] if each["value"] == f"urn:uuid:{path.stem}"]
        tokens = [quote(f"{each['system']}|{each['value']}") for each in own]
        assert [total(server, f"Patient?identifier={token}") for token in tokens] == [1]
        by_name = f"Patient?family={patient['name'][0]['family']}&birthdate={patient['birthDate']}&_id={path.stem}"
        assert total(server, by_name) == 1
        notes = get(f"{server}/Encounter?patient={path.stem}&_revinclude=Provenance:target&_count=1000")["entry"]
        assert sum(each["resource"]["resourceType"] == "Provenance" for each in notes) == sum(
            each["resourceType"] == "Provenance" for each in held
        )
    assert sum(n > 0 for n in n_found.values()) > len(SEARCHES) // 2


def test_pieces_are_taken_in_any_order(server: str, tmp_path: Path) -> None:
    folder = generated(tmp_path / "run", "--seed", "23", "--format", "fhir", "--bundle-size", "60")
    pieces = sorted(folder.glob("*.json"), reverse=True)
    assert len(pieces) > 3
    names: set[str] = set()
    for number, piece in enumerate(pieces):
        alone = tmp_path / f"{number:03d}" / "fhir"
        alone.mkdir(parents=True)
        shutil.copy(piece, alone)
        assert set(loaded(alone, server)) <= {200, 201}
        names |= {name_of(resource) for resource in resources(piece)}
    for patient in (name.partition("/")[2] for name in names if name.startswith("Patient/")):
        assert set(everything(server, patient)) <= names


def test_ndjson_is_taken_with_integrity_on(server: str, tmp_path: Path) -> None:
    folder = generated(tmp_path / "run", "--seed", "24", "--format", "fhir-ndjson", "--compress", "gzip")
    before = counts(server, ("Patient", "Group"))
    assert set(loaded(folder, server)) <= {200, 201}
    after = counts(server, ("Patient", "Group"))
    assert (after["Patient"], after["Group"]) == (before["Patient"] + 3, before["Group"] + 1)
    assert set(loaded(folder, server)) == {200}
    assert counts(server, ("Patient", "Group")) == after


def test_ndjson_is_imported_in_bulk(lenient_server: str, tmp_path: Path) -> None:
    folder = generated(tmp_path / "run", "--seed", "25", "--format", "fhir-ndjson")
    expected = Counter(
        json.loads(line)["resourceType"] for path in folder.glob("*.ndjson") for line in path.read_text().splitlines()
    )
    before = counts(lenient_server, sorted(expected))
    parameters = json.loads((folder / "parameters.json").read_bytes())
    with files(folder) as address:
        for part in (part for each in parameters["parameter"] for part in each.get("part", ())):
            if part["name"] == "url":
                part["valueUri"] = f"{address}/{part['valueUri']}"
        request = urllib.request.Request(
            f"{lenient_server}/$import",
            data=json.dumps(parameters).encode(),
            headers={"Content-Type": "application/fhir+json", "Prefer": "respond-async"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 202
            status_url = answer.headers["Content-Location"]
        _wait_for_import(status_url)
    after = counts(lenient_server, sorted(expected))
    assert {kind: after[kind] - before[kind] for kind in after} == dict(expected)


def _wait_for_import(url: str) -> None:
    end = time.monotonic() + IMPORT_S
    while time.monotonic() < end:
        with urllib.request.urlopen(url, timeout=60) as answer:  # anything but 2xx raises
            if answer.status == 200:
                return
        time.sleep(1)
    pytest.fail(f"the import is not done after {IMPORT_S} s")


@pytest.mark.parametrize(
    "layout", [["fhir"], ["fhir", "--bundle", "put"], ["fhir", "--bundle-size", "60"], ["fhir-ndjson"]], ids=str
)
def test_a_second_loader_takes_every_layout(medplum_server: str, tmp_path: Path, layout: list[str]) -> None:
    folder = generated(tmp_path / "run", "--seed", str(30 + len("".join(layout))), "--format", *layout)
    before = total(medplum_server, "Patient")
    statuses = loaded(folder, medplum_server)
    assert set(statuses) <= {200, 201}
    assert total(medplum_server, "Patient") == before + 3
