"""Loading: what is sent, in which order, what is sent again, and what is said of a server that refuses or fails."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter, Layout
from fhir_export.load import LoadJournal, LoadOptions, LoadReport, load
from fhir_export.uploads import find_uploads
from trajsim.errors import ConfigError, DataFileError, ExportError
from trajsim.records.table import Records

Json = dict[str, Any]
MakeRecords = Callable[..., Records]


class Server:
    """A FHIR server of a few lines: keeps what it is sent, checks references, and fails when it is told to."""

    def __init__(self) -> None:
        self.resources: dict[str, Json] = {}
        self.faults: list[tuple[int, Json, dict[str, str]] | None] = []  # one a request; None: hangs up
        self.tokens: list[str | None] = []
        self.sizes: list[int] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bundle = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.tokens.append(self.headers["Authorization"])
                with outer._lock:
                    fault = outer.faults.pop(0) if outer.faults else (0, {}, {})
                    if fault is None:
                        self.close_connection = True
                        return
                    status, body, headers = fault if fault[0] else (*outer.take(bundle), {})
                content = orjson.dumps(body)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/fhir"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, bundle: Json) -> tuple[int, Json]:
        """Takes a transaction if all that it refers to is in it or here."""
        self.sizes.append(len(bundle["entry"]))
        known = set(self.resources)
        for entry in bundle["entry"]:
            known |= {entry["fullUrl"], f"{entry['resource']['resourceType']}/{entry['resource']['id']}"}
        answers = []
        for entry in bundle["entry"]:
            lost = [name for name in references(entry["resource"]) if name not in known]
            if lost:
                return 400, {"resourceType": "OperationOutcome", "issue": [{"diagnostics": f"no {lost[0]}"}]}
            url = entry["request"]["url"]
            answers.append({"response": {"status": "200 OK" if url in self.resources else "201 Created"}})
            if entry["request"]["method"] == "POST":
                url = f"{url}/{len(self.resources)}"
            self.resources[url] = entry["resource"]
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key == "reference" else references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.fixture(name="server")
def server_fixture() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def run(folder: Path, server: Server, *, most: int = 500, **options: Any) -> LoadReport:  # noqa: ANN401 - options
    given = {"n_tries": 3, "n_parallel": 2} | options
    journal = LoadJournal(folder, server.url)
    uploads = find_uploads(folder, most=most)
    return load(uploads, LoadOptions(url=server.url, **given), journal=journal, on_progress=lambda _: None)


def write(folder: Path, records: Records, **layout: Any) -> dict[str, Json]:  # noqa: ANN401 - options
    """Writes bundles; gives the resources that they hold."""
    exporter = FhirExporter(seed=7, layout=Layout(**layout))
    exporter.write_bundles(records, folder)
    return {
        f"{kind}/{resource['id']}": resource
        for kind, lines in exporter.ndjson_bytes(records).items()
        for resource in map(orjson.loads, lines.splitlines())
    }


@pytest.mark.parametrize(
    "layout", [{"bundle": "put"}, {"bundle_size": 12, "compress": "zstd"}, {"bundle": "collection"}]
)
def test_loading_what_keeps_ids_twice_adds_nothing(
    make_records: MakeRecords, tmp_path: Path, server: Server, layout: Json
) -> None:
    expected = write(tmp_path, make_records(1, 2), **layout)
    report = run(tmp_path, server)
    assert server.resources == expected
    assert report.refused == []
    assert set(report.statuses) <= {200, 201}
    for path in tmp_path.glob(".trajsim-load-*"):
        path.unlink()
    assert set(run(tmp_path, server).statuses) == {200}
    assert server.resources == expected


@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("most", [15, 500])
def test_ndjson_is_loaded_patient_by_patient(
    make_records: MakeRecords, tmp_path: Path, server: Server, compress: str | None, most: int
) -> None:
    exporter = FhirExporter(seed=7, layout=Layout(compress=compress))
    for shard, patients in enumerate(((1, 2), (3,))):
        exporter.write_ndjson(make_records(*patients), tmp_path, shard=shard)
    exporter.finish_ndjson(tmp_path, end_us=0)
    report = run(tmp_path, server, most=most)
    assert report.refused == []
    assert max(server.sizes) <= most
    assert set(server.resources) >= {f"Patient/{exporter.patient_resource_id(patient)}" for patient in (1, 2, 3)}
    assert sum(name.startswith("Group/") for name in server.resources) == 1
    assert len(server.resources) <= report.n_loaded


def test_a_load_goes_on_where_it_was_stopped(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1, 2))
    server.faults = [(0, {}, {}), (400, {}, {})]
    first = run(tmp_path, server, n_parallel=1)
    assert (first.n_requests, len(first.refused), first.n_done_before) == (2, 1, 0)
    second = run(tmp_path, server)
    assert (second.n_requests, second.refused, second.n_done_before) == (1, [], 1)
    n_resources = len(server.resources)
    assert run(tmp_path, server).n_done_before == 2
    assert len(server.resources) == n_resources


def test_a_busy_server_is_asked_again(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1))
    server.faults = [(503, {}, {"Retry-After": "0"}), (429, {}, {})]
    report = run(tmp_path, server)
    assert (report.refused, set(report.statuses)) == ([], {200, 201} & set(report.statuses))
    assert len(server.tokens) == 3


def test_what_a_server_refuses_is_named_and_not_sent_again(
    make_records: MakeRecords, tmp_path: Path, server: Server
) -> None:
    write(tmp_path, make_records(1))
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "no such patient"}]}
    server.faults = [(422, outcome, {})]
    (refused,) = run(tmp_path, server).refused
    assert refused.problem == "422 no such patient"
    assert refused.name.endswith(".json")
    assert refused.n_refused > 10
    assert len(server.tokens) == 1


@pytest.mark.parametrize(("bundle", "n_requests"), [("transaction", 1), ("put", 2)])
def test_only_what_may_be_repeated_is_sent_again_when_the_line_breaks(
    make_records: MakeRecords, tmp_path: Path, server: Server, bundle: str, n_requests: int
) -> None:
    write(tmp_path, make_records(1), bundle=bundle)
    server.faults = [None]
    report = run(tmp_path, server)
    assert len(server.tokens) == n_requests
    if bundle == "put":
        assert report.refused == []
    else:
        assert "nobody can know whether it was loaded" in report.refused[0].problem
        assert report.to_json()["statuses"] == {"0": report.refused[0].n_refused}


def test_a_batch_of_which_a_part_fails_is_counted(tmp_path: Path, server: Server) -> None:
    patient = {"resourceType": "Patient", "id": "a"}
    entry = {"fullUrl": "urn:uuid:a", "resource": patient, "request": {"method": "PUT", "url": "Patient/a"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry, entry]}
    (tmp_path / "batch.json").write_bytes(orjson.dumps(bundle))
    failed = {"status": "422", "outcome": {"issue": [{"details": {"text": "twice"}}]}}
    answer = {"resourceType": "Bundle", "entry": [{"response": {"status": "201 Created"}}, {"response": failed}]}
    server.faults = [(200, answer, {})]
    report = run(tmp_path, server)
    assert (report.n_loaded, report.refused[0].n_refused, report.refused[0].problem) == (1, 1, "422 twice")


def test_a_server_that_is_down_is_named(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1))
    server.close()
    (refused,) = run(tmp_path, server, n_tries=1).refused
    assert server.url in refused.problem


def test_the_token_goes_along_and_is_not_shown(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1))
    run(tmp_path, server, token="secret")
    assert server.tokens == ["Bearer secret"]
    assert "secret" not in repr(LoadOptions(url=server.url, token="secret"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({}, ConfigError, "no FHIR in"),
        ({"a.json": b"{"}, DataFileError, "a.json: no JSON"),
        ({"a.json": b"[]"}, DataFileError, "a.json: no FHIR resource"),
        ({"a.json": b'{"resourceType":"Patient"}'}, DataFileError, "a.json: no Bundle, but 'Patient'"),
        ({"a.json": b'{"resourceType":"Bundle","entry":[{}]}'}, DataFileError, "an entry has no 'fullUrl'"),
        ({"Patient.ndjson": b"{\n"}, DataFileError, "Patient.ndjson: line 1: no JSON"),
        ({"Patient.ndjson": b"{}\n", "a.json": b"{}"}, ConfigError, "holds bundles and NDJSON"),
    ],
)
def test_what_is_no_fhir_is_refused(
    content: dict[str, bytes], error: type[Exception], words: str, tmp_path: Path
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_bytes(text)
    with pytest.raises(error, match=words):
        list(find_uploads(tmp_path))


def test_requests_that_are_too_small_are_refused(make_records: MakeRecords, tmp_path: Path) -> None:
    FhirExporter(seed=7).write_ndjson(make_records(1), tmp_path, shard=0)
    with pytest.raises(ExportError, match="more than a request of 1 holds"):
        list(find_uploads(tmp_path, most=1))


@pytest.mark.parametrize("options", [{"url": "ftp://x"}, {"url": "nowhere"}, {"n_parallel": 0}, {"timeout_s": 0.0}])
def test_options_that_cannot_be_are_refused(options: Json) -> None:
    given: Json = {"url": "http://localhost", **options}
    with pytest.raises(ConfigError, match="must be"):
        LoadOptions(**given)
