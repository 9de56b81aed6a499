from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.unit.fhir_export.server import Server
from trajsim.cli.app import main


@pytest.fixture(name="server")
def server_fixture() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    folder = tmp_path / "fhir"
    folder.mkdir()
    for name in ("a", "b"):
        entry = {
            "fullUrl": f"urn:uuid:{name}",
            "resource": {"resourceType": "Patient", "id": name},
            "request": {"method": "PUT", "url": f"Patient/{name}"},
        }
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        (folder / f"{name}.json").write_bytes(orjson.dumps(bundle))
    return folder


def test_what_was_loaded_is_counted_and_not_sent_again(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    report = folder.parent / "report.json"
    assert main(["load", str(folder), "--server", server.url, "--json", str(report)]) == 0
    assert "2 resources loaded" in capsys.readouterr().out
    assert orjson.loads(report.read_bytes())["statuses"] == {"201": 2}
    assert main(["load", str(folder), "--server", server.url]) == 0
    shown = capsys.readouterr()
    assert "0 resources loaded" in shown.out
    assert "--again sends everything" in shown.err
    assert main(["load", str(folder), "--server", server.url, "--again", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert set(server.resources) == {"Patient/a", "Patient/b"}


def test_a_refusal_exits_with_1_and_names_the_file(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = [(422, {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "not here"}]}, {})]
    assert main(["load", str(folder), "--server", server.url, "--parallel", "1"]) == 1
    shown = capsys.readouterr()
    assert "a.json: 1 resource not loaded: 422 not here" in shown.err
    assert "1 resource loaded" in shown.out


def test_a_server_that_turns_the_token_down_exits_with_3_and_never_shows_it(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAJSIM_FHIR_TOKEN", "sesame\n")
    server.faults = [(0, {}, {}), (401, {}, {})]
    assert main(["load", str(folder), "--server", server.url, "--parallel", "1"]) == 3
    shown = capsys.readouterr()
    assert "does not take the token: 401" in shown.err
    assert "1 resource loaded" in shown.out
    assert "sesame" not in shown.err + shown.out
    assert set(server.tokens) == {"Bearer sesame"}


def test_a_server_that_is_not_there_exits_with_3_and_one_message(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.close()
    assert main(["load", str(folder), "--server", server.url, "--wait", "0"]) == 3
    shown = capsys.readouterr()
    assert shown.err.count("error: ") == 1
    assert "Connection refused" in shown.err
    assert not list(folder.glob(".trajsim*"))


def test_a_folder_that_cannot_be_written_to_is_loaded_without_a_journal(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def read_only(path: Path, mode: str = "r") -> object:
        if "+" in mode:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", read_only)
    assert main(["load", str(folder), "--server", server.url]) == 0
    assert "cannot be written to" in capsys.readouterr().err
    assert len(server.resources) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--server", "localhost:8080"], "--server must be"),
        ([], "--server"),
        (["--server", "http://localhost", "--parallel", "0"], "--parallel"),
        (["--server", "http://localhost", "--timeout", "0"], "--timeout must be positive"),
    ],
)
def test_usage(folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", str(folder), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_fhir_is_refused_before_the_server_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", str(tmp_path), "--server", "http://localhost:1"]) == 2
    assert "no FHIR in" in capsys.readouterr().err
