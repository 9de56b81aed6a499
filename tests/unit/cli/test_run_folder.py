import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from trajsim.cli import run_folder as subject
from trajsim.cli.run_folder import Claim, RunFolder, StagedShard, finished_run, missing_files, staged_files
from trajsim.errors import ConfigError, DataFileError, ExportError
from trajsim.provenance import Counts, Manifest, RunRecord, digest_file

HEADERS = {"csv/patients.csv": b"Id\n"}


def claim_of(*, seed: int = 7, n: int = 4, shard_size: int = 2) -> Claim:
    run = RunRecord(versions={"trajsim": "1"}, seed=seed, modules={"a": "0" * 64}, tables={}, options={"-n": n})
    return Claim(run=run, shard_size=shard_size)


def open_folder(root: Path, claim: Claim | None = None) -> RunFolder:
    return RunFolder.claim(root, claim or claim_of(), headers=HEADERS)


def make_shard(folder: RunFolder, number: int, *, files: Mapping[str, str] | None = None) -> StagedShard:
    """A shard with a file of its own and one line of the growing file."""
    with folder.staging(number) as place:
        for path, text in (
            files or {f"part/{number}.txt": f"shard {number}", "csv/patients.csv": f"{number}\n"}
        ).items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text)
        return StagedShard(
            shard=number,
            folder=place,
            files=staged_files(place, growing=HEADERS.keys()),
            counts=Counts(n_patients=2, rows={"patients": 2}),
        )


def write_half(folder: RunFolder, number: int, error: Exception) -> None:
    with folder.staging(number) as place:
        (place / "half.txt").write_text("hal")
        raise error


def fail_in_the_middle(folder: RunFolder, number: int) -> None:
    with pytest.raises(RuntimeError):
        write_half(folder, number, RuntimeError())


def finish(folder: RunFolder) -> Manifest:
    def write_last(root: Path) -> list[Path]:
        (root / "states.json").write_text("{}")
        return [root / "states.json"]

    return folder.finish(write_last=write_last, timings={"wall_s": 1.0}, notes=["a note"])


def whole_run(root: Path) -> Manifest:
    with open_folder(root) as folder:
        for number in range(folder.n_finished, 2):
            folder.commit(make_shard(folder, number))
        return finish(folder)


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_finished_run_holds_its_files_and_a_manifest_and_nothing_else(tmp_path: Path) -> None:
    manifest = whole_run(tmp_path / "out")

    assert set(content(tmp_path / "out")) == {
        "part/0.txt", "part/1.txt", "csv/patients.csv", "states.json", "manifest.json",
    }  # fmt: skip
    assert (tmp_path / "out/csv/patients.csv").read_text() == "Id\n0\n1\n"
    assert finished_run(tmp_path / "out") == manifest
    assert manifest.counts == Counts(n_patients=4, rows={"patients": 4})
    assert [record.path for record in manifest.files] == ["csv/patients.csv", "part/0.txt", "part/1.txt", "states.json"]
    assert all(digest_file(tmp_path / "out" / record.path) == record.sha256 for record in manifest.files)
    assert missing_files(tmp_path / "out", manifest) == []


def test_a_resumed_run_equals_one_that_was_never_stopped(tmp_path: Path) -> None:
    whole_run(tmp_path / "whole")
    with open_folder(tmp_path / "stopped") as folder:
        folder.commit(make_shard(folder, 0))
        fail_in_the_middle(folder, 1)
    assert not (tmp_path / "stopped/manifest.json").exists()

    with open_folder(tmp_path / "stopped") as folder:
        assert folder.n_finished == 1
        folder.commit(make_shard(folder, 1))
        finish(folder)

    assert content(tmp_path / "stopped") == content(tmp_path / "whole")


def test_a_shard_that_was_placed_but_not_entered_is_made_again(tmp_path: Path) -> None:
    whole_run(tmp_path / "whole")
    root = tmp_path / "stopped"
    with open_folder(root) as folder:
        folder.commit(make_shard(folder, 0))
        folder.commit(make_shard(folder, 1))
    journal = root / subject.HIDDEN / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])  # the kill came while the line was written

    with open_folder(root) as folder:
        assert folder.n_finished == 1
        folder.commit(make_shard(folder, 1))
        finish(folder)
    assert content(root) == content(tmp_path / "whole")


@pytest.mark.parametrize("lost", ["part/0.txt", subject.HIDDEN + "/growing/csv/patients.csv"])
def test_a_shard_whose_files_are_gone_is_made_again(tmp_path: Path, lost: str) -> None:
    with open_folder(tmp_path) as folder:
        folder.commit(make_shard(folder, 0))
        folder.commit(make_shard(folder, 1))
    (tmp_path / lost).write_bytes(b"")

    with open_folder(tmp_path) as folder:
        assert folder.n_finished == 0
        for number in (0, 1):
            folder.commit(make_shard(folder, number))
        finish(folder)
    assert (tmp_path / "csv/patients.csv").read_text() == "Id\n0\n1\n"


def test_totals_go_on_where_they_stopped(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        assert folder.total is None
        folder.commit(make_shard(folder, 0), total=b"one")
        folder.commit(make_shard(folder, 1), total=b"two")
    with open_folder(tmp_path) as folder:
        assert folder.total == b"two"
        assert len(list((tmp_path / subject.HIDDEN).glob("total-*"))) == 1
    (tmp_path / "part/1.txt").unlink()
    with open_folder(tmp_path) as folder:  # the total of shard 0 alone is gone
        assert folder.n_finished == 0


def test_a_kill_while_finishing_can_be_resumed(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        folder.commit(make_shard(folder, 0))
        folder.commit(make_shard(folder, 1))
    (tmp_path / "csv").mkdir()
    (tmp_path / subject.HIDDEN / "growing/csv/patients.csv").rename(tmp_path / "csv/patients.csv")

    with open_folder(tmp_path) as folder:
        assert folder.n_finished == 2
        finish(folder)
    assert (tmp_path / "csv/patients.csv").read_text() == "Id\n0\n1\n"
    assert not (tmp_path / subject.HIDDEN).exists()


def test_a_run_with_other_options_is_refused_and_every_difference_named(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        folder.commit(make_shard(folder, 0))
    before = content(tmp_path)

    with pytest.raises(ConfigError) as refusal:
        open_folder(tmp_path, claim_of(seed=8, n=6, shard_size=3))

    assert "--seed: 7 there, 8 now" in refusal.value.message
    assert "-n: 4 there, 6 now" in refusal.value.message
    assert "--shard-size: 2 there, 3 now" in refusal.value.message
    assert content(tmp_path) == before


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")

    with pytest.raises(ConfigError, match=r"'thesis\.doc'"):
        open_folder(tmp_path)
    assert content(tmp_path) == {"thesis.doc": b"years of work"}


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        open_folder(tmp_path / "out")


def test_two_runs_cannot_write_into_one_folder(tmp_path: Path) -> None:
    with open_folder(tmp_path), pytest.raises(ConfigError, match="in use"):
        open_folder(tmp_path)


@pytest.mark.parametrize("exists", [True, False])
def test_a_run_that_finished_nothing_leaves_nothing(tmp_path: Path, exists: bool) -> None:  # noqa: FBT001
    root = tmp_path / "out"
    if exists:
        root.mkdir()
    with pytest.raises(RuntimeError), open_folder(root) as folder, folder.staging(0):
        raise RuntimeError
    assert root.exists() == exists
    assert not exists or not list(root.iterdir())


def test_a_line_that_several_shards_stage_stands_once(tmp_path: Path) -> None:
    path = "csv/patients.csv"
    with RunFolder.claim(tmp_path / "out", claim_of(), headers=HEADERS, distinct=HEADERS.keys()) as folder:
        folder.commit(make_shard(folder, 0, files={path: "b\na\n"}))
    with RunFolder.claim(tmp_path / "out", claim_of(), headers=HEADERS, distinct=HEADERS.keys()) as folder:
        assert folder.n_finished == 1
        folder.commit(make_shard(folder, 1, files={path: "a\nId\nc\nb\n"}))
        finish(folder)
    assert (tmp_path / "out" / path).read_bytes() == b"Id\nb\na\nc\n"


def test_a_full_disk_is_said_and_the_staged_files_go(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        folder.commit(make_shard(folder, 0))
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "half.txt")
        with pytest.raises(ExportError, match="disk is full") as fault:
            write_half(folder, 1, full)
        assert fault.value.exit_code == 3
        assert fault.value.hint is not None
    assert set(content(tmp_path)) >= {"part/0.txt"}
    assert not list(tmp_path.rglob("half.txt"))


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError):
        open_folder(tmp_path / "file" / "out")


@pytest.mark.parametrize("damage", [b"{]\n", b'{"shard": 1}\n'])
def test_a_damaged_journal_is_refused(tmp_path: Path, damage: bytes) -> None:
    with open_folder(tmp_path) as folder:
        folder.commit(make_shard(folder, 0))
    (tmp_path / subject.HIDDEN / "journal.jsonl").write_bytes(damage)
    with pytest.raises(DataFileError, match="line 1"):
        open_folder(tmp_path)


def test_a_finished_run_that_lost_a_file_is_noticed(tmp_path: Path) -> None:
    manifest = whole_run(tmp_path)
    (tmp_path / "part/1.txt").unlink()
    assert missing_files(tmp_path, manifest) == ["part/1.txt"]
