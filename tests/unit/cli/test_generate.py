import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trajsim.cli import run as run_module
from trajsim.cli.app import main
from trajsim.cli.run_folder import HIDDEN, RunFolder, StagedShard
from trajsim.cli.shard_maker import ShardMaker
from trajsim.provenance import Manifest, digest_file, read_manifest

ALL = "parquet,csv,fhir,fhir-ndjson"


def generate(modules: Path, out: Path, *more: str, n: int = 12, formats: str = ALL) -> int:
    options = ["-n", str(n), "--seed", "7", "--modules-dir", str(modules), "--format", formats, "--out", str(out)]
    return main(["generate", *options, *more])


def made(modules: Path, out: Path, *more: str, n: int = 12, formats: str = ALL) -> dict[str, bytes]:
    """The files of a run that succeeds."""
    assert generate(modules, out, *more, n=n, formats=formats) == 0
    return content(out)


def content(root: Path) -> dict[str, bytes]:
    """All files but the manifest, whose timings differ."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path != root / "manifest.json"
    }


def lines(root: Path, pattern: str) -> list[bytes]:
    return [line for path in sorted(root.glob(pattern)) for line in path.read_bytes().splitlines()]


def manifest_of(root: Path) -> Manifest:
    return read_manifest(root / "manifest.json")


def test_a_run_writes_every_format_and_a_manifest_of_it(modules: Path, tmp_path: Path) -> None:
    assert generate(modules, tmp_path / "out", "--state-metrics", "--shard-size", "5") == 0

    manifest = manifest_of(tmp_path / "out")
    assert {record.path: record.sha256 for record in manifest.files} == {
        path: digest_file(tmp_path / "out" / path) for path in content(tmp_path / "out")
    }
    assert manifest.counts.n_patients == 12
    assert manifest.counts.rows["conditions"] > 12
    assert manifest.run.seed == 7
    assert set(manifest.run.modules) == {"ankle"}
    assert manifest.run.options["--end"] == "2026-01-01"
    assert manifest.timings.keys() == {"wall_s", "cpu_s"}
    assert len(list((tmp_path / "out/fhir").glob("*.json"))) == 12
    assert len(lines(tmp_path / "out", "csv/patients.csv")) == 13
    assert len(list((tmp_path / "out/parquet/patients").iterdir())) == 3
    assert len(lines(tmp_path / "out", "fhir-ndjson/Patient-*.ndjson")) == 12
    states = json.loads((tmp_path / "out/states.json").read_text())
    assert states["ankle"]["Initial"]["persons"] == 12
    assert not (tmp_path / "out" / HIDDEN).exists()


def test_threads_change_no_byte(modules: Path, tmp_path: Path) -> None:
    made(modules, tmp_path / "one", "--threads", "1", "--shard-size", "3", "--state-metrics")
    made(modules, tmp_path / "three", "--threads", "3", "--shard-size", "3", "--state-metrics")
    assert content(tmp_path / "one") == content(tmp_path / "three")
    assert manifest_of(tmp_path / "one").run == manifest_of(tmp_path / "three").run


def test_the_size_of_a_shard_changes_no_line(modules: Path, tmp_path: Path) -> None:
    made(modules, tmp_path / "large", "--shard-size", "12")
    made(modules, tmp_path / "small", "--shard-size", "5")
    for pattern in ("csv/*.csv", "fhir/*.json", "fhir-ndjson/Condition-*.ndjson", "fhir-ndjson/Patient-*.ndjson"):
        assert lines(tmp_path / "large", pattern) == lines(tmp_path / "small", pattern)


def test_a_smaller_run_is_the_beginning_of_a_larger_one(modules: Path, tmp_path: Path) -> None:
    made(modules, tmp_path / "small", n=6)
    made(modules, tmp_path / "large", n=12)
    small, large = content(tmp_path / "small"), content(tmp_path / "large")
    for path, data in small.items():
        if path.startswith(("fhir/", "csv/")):
            assert large[path].startswith(data)


def test_one_unrelated_module_more_changes_no_row(modules: Path, tmp_path: Path) -> None:
    made(modules, tmp_path / "one", formats="csv,fhir")
    quiet = {
        "name": "Other",
        "states": {"Initial": {"type": "Initial", "direct_transition": "End"}, "End": {"type": "Terminal"}},
    }
    (modules / "other.json").write_text(json.dumps(quiet))
    made(modules, tmp_path / "two", formats="csv,fhir")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_ctrl_c_keeps_finished_shards_and_the_same_command_goes_on(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--shard-size", "3", "--state-metrics", "--threads", "2")
    made(modules, tmp_path / "whole", *more)
    commit = RunFolder.commit

    def interrupted(self: RunFolder, staged: StagedShard, *, total: bytes | None = None) -> None:
        if staged.shard == 2:
            raise KeyboardInterrupt
        commit(self, staged, total=total)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "commit", interrupted)
        assert generate(modules, tmp_path / "out", *more) == 130
    assert "2 of 4 shards (6 patients) are finished" in capsys.readouterr().err
    assert not (tmp_path / "out/manifest.json").exists()

    assert generate(modules, tmp_path / "out", *more) == 0
    assert "6 patients are there already" in capsys.readouterr().err
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert manifest_of(tmp_path / "out").counts == manifest_of(tmp_path / "whole").counts

    assert generate(modules, tmp_path / "out", *more) == 0
    assert "finished already" in capsys.readouterr().err


@pytest.fixture(name="heeded_interrupts")
def heeded_interrupts_fixture() -> Iterator[None]:
    """A shell started in the background has its children ignore SIGINT, and theirs, unless one heeds it again."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.parametrize(("kind", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_real_signal_loses_only_unfinished_shards(
    modules: Path, tmp_path: Path, kind: signal.Signals, code: int
) -> None:
    more = ("--shard-size", "100", "--threads", "2")
    options = ["generate", "-n", "3000", "--seed", "7", "--modules-dir", str(modules), "--format", "csv"]
    command = [sys.executable, "-m", "trajsim", *options, "--out", str(tmp_path / "out"), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        journal = tmp_path / "out" / HIDDEN / "journal.jsonl"
        while not (journal.exists() and journal.stat().st_size):
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        process.send_signal(kind)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert not (tmp_path / "out/manifest.json").exists()

    assert generate(modules, tmp_path / "out", *more, n=3000, formats="csv") == 0
    assert generate(modules, tmp_path / "whole", *more, n=3000, formats="csv") == 0
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_other_options_are_refused_and_named(modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(modules, tmp_path / "out", formats="csv")
    capsys.readouterr()
    assert generate(modules, tmp_path / "out", "--sex", "F", n=13, formats="csv") == 2
    message = capsys.readouterr().err
    assert "-n: 12 there, 13 now" in message
    assert "--sex: not given there, F now" in message


def test_a_finished_run_that_lost_a_file_is_not_called_finished(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(modules, tmp_path / "out", formats="csv")
    (tmp_path / "out/csv/patients.csv").unlink()
    assert generate(modules, tmp_path / "out", formats="csv") == 2
    assert "csv/patients.csv" in capsys.readouterr().err


def test_a_foreign_folder_is_refused(modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.doc").write_text("years of work")
    assert generate(modules, tmp_path / "out") == 2
    assert "thesis.doc" in capsys.readouterr().err


def test_broken_modules_are_refused_with_every_fault_before_anything_is_written(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (modules / "bad.json").write_text(
        '{"name": "Bad", "states": {"Initial": {"type": "Initial", "direct_transition": "No"}}}'
    )
    (modules / "broken.json").write_text("{")
    assert generate(modules, tmp_path / "out") == 1
    message = capsys.readouterr().err
    assert "bad.json" in message
    assert "broken.json" in message
    assert not (tmp_path / "out").exists()


def test_an_empty_modules_folder_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert generate(tmp_path / "empty", tmp_path / "out") == 2
    assert generate(tmp_path / "absent", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_a_module_that_spins_is_a_fault_with_its_place(
    spinning: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(spinning, tmp_path / "out") == 3
    message = capsys.readouterr().err
    for word in ("module 'spins'", "state '", "patient ", "time ", "nothing is left behind"):
        assert word in message
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_a_fault_that_can_be_resumed(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = ShardMaker.write

    def full(self: ShardMaker, place: Path, shard, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if shard.number == 1:
            (place / "half.csv").write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place / "half.csv"))
        return write(self, place, shard, stop)

    with monkeypatch.context() as patch:
        patch.setattr(ShardMaker, "write", full)
        assert generate(modules, tmp_path / "out", "--shard-size", "4", formats="csv") == 3
    message = capsys.readouterr().err
    assert "the disk is full" in message
    assert "1 of 3 shards (4 patients) are finished" in message
    assert not list((tmp_path / "out").rglob("half.csv"))

    assert generate(modules, tmp_path / "out", "--shard-size", "4", formats="csv") == 0
    made(modules, tmp_path / "whole", "--shard-size", "4", formats="csv")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_run_that_would_not_fit_is_refused_after_a_few_patients_were_measured(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_module, "free_bytes", lambda _folder: 70 << 20)
    assert generate(modules, tmp_path / "out", n=1_000_000, formats="csv") == 3
    assert "expected for 1,000,000 patients, 70.0 MiB free" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert generate(modules, tmp_path / "out", n=3, formats="csv") == 0


def test_quiet_says_nothing(modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(modules, tmp_path / "out", "--quiet", formats="csv") == 0
    assert capsys.readouterr() == ("", "")


def test_none_writes_the_manifest_only(modules: Path, tmp_path: Path) -> None:
    assert generate(modules, tmp_path / "out", formats="none") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]
    assert manifest_of(tmp_path / "out").counts.rows["conditions"] > 0


@pytest.mark.parametrize(
    "options",
    [["-n", "0"], ["--threads", "0"], ["--shard-size", "-1"], ["--age", "x"], ["--state", "Atlantis"], ["-n", "ten"]],
)
def test_options_that_cannot_be_used_are_usage_errors(options: list[str], modules: Path, tmp_path: Path) -> None:
    assert main(["generate", "--modules-dir", str(modules), "--out", str(tmp_path / "out"), *options]) == 2
    assert not (tmp_path / "out").exists()


def test_an_internal_fault_has_no_traceback_unless_asked_for(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        msg = "unheard of"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(run_module, "plan_shards", broken)
    assert generate(modules, tmp_path / "out") == 3
    message = capsys.readouterr().err
    assert "internal fault: ZeroDivisionError: unheard of" in message
    assert "Traceback" not in message
    monkeypatch.setenv("TRAJSIM_DEBUG", "1")
    assert generate(modules, tmp_path / "out") == 3
    assert "Traceback" in capsys.readouterr().err
