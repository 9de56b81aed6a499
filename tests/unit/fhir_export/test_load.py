"""Loading: what is sent, in which order, what is sent again, and what is said of a server that refuses or fails."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter, Layout
from fhir_export.load import LoadJournal, LoadReport, load
from fhir_export.sender import LoadOptions, Sender
from fhir_export.upload import SHARED_TYPES
from fhir_export.uploads import UploadFolder
from tests.unit.fhir_export.server import Server
from trajsim.errors import ConfigError, DataFileError, ExportError, ServerError
from trajsim.records.table import Records

Json = dict[str, Any]
MakeRecords = Callable[..., Records]


@pytest.fixture(name="server")
def server_fixture() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def run(
    folder: Path,
    server: Server,
    *,
    most: int = 500,
    again: bool = False,
    **options: Any,  # noqa: ANN401 - options
) -> LoadReport:
    chosen: Json = {"url": server.url, "n_tries": 3, "n_parallel": 2, "wait_s": 0.0, **options}
    given = LoadOptions(**chosen)
    journal = LoadJournal(folder, server.url, again=again)
    with Sender(given) as sender:
        report = load(UploadFolder(folder, most=most), sender, n_parallel=given.n_parallel, journal=journal)
    journal.close()
    return report


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
    server.faults = [(0, {}, {}), (0, {}, {}), (400, {}, {})]
    first = run(tmp_path, server, n_parallel=1)
    assert (first.n_requests, len(first.refused), first.n_done_before) == (3, 1, 0)
    second = run(tmp_path, server)
    assert (second.n_requests, second.refused, second.n_done_before) == (1, [], 2)
    n_resources = len(server.resources)
    assert run(tmp_path, server).n_done_before == 3
    assert len(server.resources) == n_resources
    server.resources.clear()
    assert run(tmp_path, server, again=True).n_requests == 3
    assert len(server.resources) == n_resources


def test_what_a_kill_tore_from_the_journal_is_sent_again(
    make_records: MakeRecords, tmp_path: Path, server: Server
) -> None:
    write(tmp_path, make_records(1, 2), bundle="put")
    run(tmp_path, server)
    (journal,) = tmp_path.glob(".trajsim-load-*.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:-5])
    assert (run(tmp_path, server).n_requests, run(tmp_path, server).n_requests) == (1, 0)
    assert sorted(journal.read_bytes().splitlines(keepends=True)) == sorted(lines)
    journal.write_bytes(b'"a\n' + journal.read_bytes())
    with pytest.raises(DataFileError, match="line 1 is damaged"):
        run(tmp_path, server)


def test_what_bundles_share_goes_first_and_once(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1, 2, 3))
    first = next(iter(UploadFolder(tmp_path)))
    kinds = {entry["resource"]["resourceType"] for entry in orjson.loads(first.body)["entry"]}
    assert first.stage == "0"
    assert {"Organization", "Location", "Practitioner", "PractitionerRole"} <= kinds <= SHARED_TYPES
    assert run(tmp_path, server, n_parallel=4).refused == []


def test_files_of_sites_and_clinicians_go_before_patients(tmp_path: Path) -> None:
    entry = {"resource": {"resourceType": "Organization"}, "request": {"method": "POST", "url": "Organization"}}
    for name in ("Ann_Smith.json", "hospitalInformation17.json", "practitionerInformation17.json", "zeta.json"):
        (tmp_path / name).write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "batch", "entry": [entry]}))
    uploads = list(UploadFolder(tmp_path))
    assert [upload.name[:3] for upload in uploads] == ["hos", "pra", "Ann", "zet"]
    assert len({upload.stage for upload in uploads}) == 3


def test_pieces_of_a_patient_go_one_after_another(make_records: MakeRecords, tmp_path: Path) -> None:
    write(tmp_path, make_records(1, 2), bundle_size=12)
    lanes = [upload.lane for upload in UploadFolder(tmp_path)]
    assert len(set(lanes) - {""}) == 2
    assert len(lanes) > 5


def test_the_bytes_of_a_folder_are_those_of_its_requests(make_records: MakeRecords, tmp_path: Path) -> None:
    FhirExporter(seed=7, layout=Layout(compress="zstd")).write_ndjson(make_records(1, 2), tmp_path, shard=0)
    folder = UploadFolder(tmp_path)
    n_bytes = sum(upload.n_bytes for upload in folder)
    assert 0 < folder.n_bytes - n_bytes < 10


def test_decimals_of_a_collection_stay_as_they_are(tmp_path: Path) -> None:
    resource = b'{"resourceType":"Observation","id":"a","valueQuantity":{"value":98.60}}'
    bundle = (
        b'{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:a","resource":%b}]}' % resource
    )
    (tmp_path / "a.json").write_bytes(bundle)
    (upload,) = UploadFolder(tmp_path)
    assert resource in upload.body


def test_a_busy_server_is_asked_again(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1))
    conflict = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "both at once"}]}
    server.faults = [(503, {}, {"Retry-After": "0"}), (409, conflict, {})]
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


def test_a_server_that_goes_down_ends_the_load(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1, 2, 3))
    server.close()
    report = run(tmp_path, server)
    assert (report.n_requests, report.refused) == (0, [])
    assert report.stopped is not None
    assert server.url in report.stopped.message
    assert report.to_json()["stopped"] == report.stopped.message


def test_a_server_that_never_answers_ends_the_load(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(*range(1, 10)))
    server.faults = [None] * 20
    report = run(tmp_path, server, n_parallel=1)
    assert len(report.refused) == 4
    assert report.stopped is not None
    assert "no answer to 5 requests" in report.stopped.message


def test_a_token_that_is_no_longer_taken_ends_the_load(
    make_records: MakeRecords, tmp_path: Path, server: Server
) -> None:
    write(tmp_path, make_records(1, 2, 3))
    server.faults = [(0, {}, {}), (401, {}, {})]
    report = run(tmp_path, server, n_parallel=1, token="old")
    assert (report.n_requests, report.refused, len(server.tokens)) == (1, [], 2)
    assert "does not take the token" in str(report.stopped)
    assert "TRAJSIM_FHIR_TOKEN" in str(report.stopped)
    again = run(tmp_path, server, token="fresh")
    assert (again.n_done_before, again.refused, again.stopped) == (1, [], None)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}, "speaks FHIR 5.0.0"),
        (200, {}, "is no FHIR server: 200"),
        (404, {}, "is no FHIR server: 404"),
        (301, {}, "has moved"),
        (401, {}, "wants a token: 401"),
        (403, {}, "wants a token: 403"),
    ],
)
def test_what_is_no_server_for_us_is_said_before_anything_is_sent(
    status: int, body: Json, words: str, server: Server
) -> None:
    server.metadata = (status, body)
    with Sender(LoadOptions(url=server.url)) as sender, pytest.raises(ServerError, match=words):
        sender.require_server()


def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/fhir"
    with Sender(LoadOptions(url=url, wait_s=0)) as sender, pytest.raises(ServerError, match="refused"):
        sender.require_server()
    told: list[str] = []
    late: list[Server] = []

    def start(words: str) -> None:
        told.append(words)
        late.append(Server(port))
        late[0].metadata[1]["software"] = {"name": "Late", "version": "1"}

    with Sender(LoadOptions(url=url), on_wait=start) as sender:
        assert sender.require_server() == "Late 1"
    late[0].close()
    assert "waiting up to 120 s" in told[0]
    assert len(told) == 1


def test_the_token_goes_along_and_is_not_shown(make_records: MakeRecords, tmp_path: Path, server: Server) -> None:
    write(tmp_path, make_records(1))
    run(tmp_path, server, token="secret")
    assert set(server.tokens) == {"Bearer secret"}
    assert "secret" not in repr(LoadOptions(url=server.url, token="secret"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({}, ConfigError, "no FHIR in"),
        ({"a.json": b"{"}, DataFileError, "a.json: no JSON"),
        ({"a.json": b"[]"}, DataFileError, "a.json: no FHIR"),
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
        list(UploadFolder(tmp_path))


def test_requests_that_are_too_small_are_refused(make_records: MakeRecords, tmp_path: Path) -> None:
    FhirExporter(seed=7).write_ndjson(make_records(1), tmp_path, shard=0)
    with pytest.raises(ExportError, match="more than a request of 1 holds"):
        list(UploadFolder(tmp_path, most=1))


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x"},
        {"url": "nowhere"},
        {"url": "http://x:port"},
        {"url": "http://x/?a=b"},
        {"url": "http://user:secret@x/fhir"},
        {"token": "two words"},
        {"n_parallel": 0},
        {"timeout_s": 0.0},
        {"wait_s": -1.0},
    ],
)
def test_options_that_cannot_be_are_refused(options: Json) -> None:
    given: Json = {"url": "http://localhost", **options}
    with pytest.raises(ConfigError, match="must ") as caught:
        LoadOptions(**given)
    assert "secret" not in str(caught.value)


def test_a_token_on_its_way_unencrypted_is_seen() -> None:
    urls = ("http://example.org", "https://example.org", "http://localhost")
    assert [LoadOptions(url=url, token="t").is_token_seen for url in urls] == [True, False, False]
