"""A real server: HAPI's JPA server takes every layout, gives back what it was given, and grows only where it should."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.external.gates import TOOLS, require_java
from trajsim.cli.app import main

pytestmark = pytest.mark.nightly

READY_S = 600
RUN = ["generate", "-n", "3", "--age", "20-60", "--years", "10", "--quiet"]
SEARCHES = (
    "Condition?patient={}&category=encounter-diagnosis",
    "Observation?patient={}&category=vital-signs",
    "Encounter?patient={}",
    "Immunization?patient={}",
)


def get(url: str) -> Any:  # noqa: ANN401 - any JSON
    request = urllib.request.Request(url, headers={"Cache-Control": "no-cache"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def n_resources(server: str) -> dict[str, int]:
    kinds = ("Patient", "Encounter", "Condition", "Observation", "Organization", "Practitioner", "Group")
    return {kind: get(f"{server}/{kind}?_summary=count")["total"] for kind in kinds}


@pytest.fixture(name="server", scope="module")
def server_fixture(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = require_java(shared)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "server.log"
    command = [str(shared / TOOLS / "judge"), "server", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}/fhir"
        _wait_until_ready(process, url, log)
        yield url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its database is in memory
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(READY_S):
        if process.poll() is not None:
            text = log.read_text(errors="replace")
            if "Could not resolve" in text or "Could not transfer" in text:
                pytest.skip("Maven cannot fetch the libraries of the server")
            pytest.fail(f"the server ended with {process.returncode}: {text[-2000:]}")
        try:
            get(f"{url}/metadata")
        except (urllib.error.URLError, OSError):
            time.sleep(1)
        else:
            return
    pytest.fail(f"the server is not ready after {READY_S} s")


def loaded(folder: Path, server: str, report: Path) -> Counter[str]:
    """Loads a folder, with nothing refused; how many entries got which status."""
    for journal in folder.glob(".trajsim-load-*"):
        journal.unlink()
    code = main(["load", str(folder), "--server", server, "--json", str(report), "--quiet"])
    content = json.loads(report.read_bytes())
    assert (code, content["refused"]) == (0, [])
    return Counter(content["statuses"])


def name_of(entry: dict[str, Any]) -> str:
    return f"{entry['resource']['resourceType']}/{entry['resource']['id']}"


def everything(server: str, patient: str) -> Iterator[str]:
    """The names of all resources of a patient, page by page."""
    url: str | None = f"{server}/Patient/{patient}/$everything?_count=200"
    while url is not None:
        page = get(url)
        yield from map(name_of, page["entry"])
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def entries(folder: Path) -> list[dict[str, Any]]:
    return [entry for path in sorted(folder.glob("*.json")) for entry in json.loads(path.read_bytes())["entry"]]


def test_a_transaction_is_taken(server: str, tmp_path: Path) -> None:
    assert main([*RUN, "--seed", "21", "--format", "fhir", "--out", str(tmp_path / "run")]) == 0
    before = n_resources(server)
    statuses = loaded(tmp_path / "run/fhir", server, tmp_path / "report.json")
    assert set(statuses) <= {"200", "201"}
    assert statuses.total() == len(entries(tmp_path / "run/fhir"))
    assert n_resources(server)["Patient"] == before["Patient"] + 3


def test_put_keeps_ids_and_a_second_load_adds_nothing(server: str, tmp_path: Path) -> None:
    options = ["--seed", "22", "--format", "fhir", "--bundle", "put", "--out", str(tmp_path / "run")]
    assert main([*RUN, *options]) == 0
    folder = tmp_path / "run/fhir"
    assert set(loaded(folder, server, tmp_path / "report.json")) <= {"200", "201"}
    after = n_resources(server)
    assert set(loaded(folder, server, tmp_path / "report.json")) == {"200"}
    assert n_resources(server) == after
    for path in folder.glob("*.json"):
        expected = {name_of(entry) for entry in json.loads(path.read_bytes())["entry"]}
        of_visits = {name for name in expected if name.startswith("Provenance/")}  # who wrote what; names no patient
        assert expected - of_visits <= set(everything(server, path.stem)) <= expected
        for name in of_visits:
            assert get(f"{server}/{name}")["id"] == name.partition("/")[2]
        for search in SEARCHES:
            kind, wanted = search.partition("?")[0], search.format(path.stem)
            assert get(f"{server}/{wanted}&_summary=count")["total"] <= sum(
                name.startswith(f"{kind}/") for name in expected
            )
        assert get(f"{server}/{SEARCHES[2].format(path.stem)}&_summary=count")["total"] > 0


def test_pieces_are_taken_in_any_order(server: str, tmp_path: Path) -> None:
    options = ["--seed", "23", "--format", "fhir", "--bundle-size", "60", "--out", str(tmp_path / "run")]
    assert main([*RUN, *options]) == 0
    pieces = sorted((tmp_path / "run/fhir").glob("*.json"), reverse=True)
    assert len(pieces) > 3
    for number, piece in enumerate(pieces):
        folder = tmp_path / f"{number:03d}"
        folder.mkdir()
        shutil.copy(piece, folder)
        assert set(loaded(folder, server, tmp_path / "report.json")) <= {"200", "201"}


def test_ndjson_is_taken_with_integrity_on(server: str, tmp_path: Path) -> None:
    options = ["--seed", "24", "--format", "fhir-ndjson", "--compress", "gzip", "--out", str(tmp_path / "run")]
    assert main([*RUN, *options]) == 0
    before = n_resources(server)
    assert set(loaded(tmp_path / "run/fhir-ndjson", server, tmp_path / "report.json")) <= {"200", "201"}
    after = n_resources(server)
    assert (after["Patient"], after["Group"]) == (before["Patient"] + 3, before["Group"] + 1)
    assert set(loaded(tmp_path / "run/fhir-ndjson", server, tmp_path / "report.json")) == {"200"}
    assert n_resources(server) == after
