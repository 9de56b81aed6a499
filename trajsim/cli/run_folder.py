"""The folder that a run writes into: whose it is, what of it is finished, and how a file gets there whole.

While a run is under way all that is unfinished lies in the hidden folder ``.trajsim-run``: the record of the run, the
journal of finished shards, staged files, and the files that grow shard by shard. Whatever lies outside of it is whole.
When the run is done the hidden folder goes and ``manifest.json`` comes, in this order of safety: a kill at any instant
leaves either a run that can be resumed or a finished one.
"""

import fcntl
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from trajsim.cli.growing import append_lines
from trajsim.cli.journal import Journal, ShardEntry
from trajsim.cli.os_faults import error_from_os
from trajsim.errors import ConfigError, DataFileError
from trajsim.provenance import (
    MANIFEST_FORMAT,
    Counts,
    FileRecord,
    Manifest,
    RunRecord,
    digest_file,
    encode_manifest,
    read_manifest,
)
from trajsim.records.files import whole_file

MANIFEST = "manifest.json"
HIDDEN = ".trajsim-run"
_SHOWN_NAMES = 3


class Claim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an unfinished folder says of its run."""

    run: RunRecord
    shard_size: int


class StagedShard(Struct, frozen=True, kw_only=True):
    """A shard whose files are written and hashed, not yet in their places.

    Attributes:
        shard: Its number.
        folder: Where its files lie, under their final relative paths.
        files: Their digests.
        counts: What it holds.
    """

    shard: int
    folder: Path
    files: tuple[FileRecord, ...]
    counts: Counts


class RunFolder:
    """An output folder that this process owns until it is closed.

    Example:
        >>> with RunFolder.claim(Path("out"), claim) as folder:  # doctest: +SKIP
        ...     for shard in range(folder.n_finished, 10):
        ...         with folder.staging(shard) as stage: ...
    """

    def __init__(
        self, root: Path, claim: Claim, *, headers: Mapping[str, bytes], distinct: Collection[str], lock: IO[bytes],
        is_new: bool,
    ) -> None:  # fmt: skip
        """Use `claim`."""
        self.root = root
        self.run_claim = claim
        self._headers = headers
        self._distinct = distinct
        self._lock = lock
        self._is_new = is_new
        self._hidden = root / HIDDEN
        self._journal = Journal(self._hidden / "journal.jsonl")
        self.entries: list[ShardEntry] = []

    @classmethod
    def claim(
        cls, root: Path, claim: Claim, *, headers: Mapping[str, bytes] | None = None, distinct: Collection[str] = ()
    ) -> "RunFolder":
        """Takes a folder for a run, new or to be resumed.

        Args:
            root: The folder; it is made if it is not there.
            claim: The run.
            headers: Files that grow shard by shard, by path below the folder, with their first line. A shard stages the
                lines that it adds under the same path.
            distinct: Those of them that hold every line once, however many shards stage it.

        Returns:
            The folder, its journal read and everything unfinished removed.

        Raises:
            ConfigError: The folder is a file, holds something else, a run with other options, or is in use.
            ExportError: It cannot be written.
        """
        _require_ours(root, claim)
        is_new = not root.exists()
        try:
            hidden = root / HIDDEN
            hidden.mkdir(parents=True, exist_ok=True)
            lock = (hidden / "lock").open("wb")
        except OSError as error:
            raise error_from_os(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            msg = f"--out {str(root)!r} is in use: another trajsim is writing into it"
            raise ConfigError(msg, hint="wait for it, or choose another folder") from error
        folder = cls(root, claim, headers=headers or {}, distinct=distinct, lock=lock, is_new=is_new)
        try:
            write_whole(hidden / "run.json", msgspec.json.encode(claim))
            folder._recover()
        except BaseException:
            lock.close()
            raise
        return folder

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def n_finished(self) -> int:
        """Shards that are finished; they are the first ones."""
        return len(self.entries)

    @property
    def counts(self) -> Counts:
        """What the finished shards hold."""
        total = Counts()
        for entry in self.entries:
            total = total.plus(entry.counts)
        return total

    def close(self) -> None:
        """Lets go of the folder. One in which nothing was finished is left as it was found: empty or absent."""
        shutil.rmtree(self._hidden / "staging", ignore_errors=True)
        if not self.entries and self._hidden.exists():
            shutil.rmtree(self._hidden, ignore_errors=True)
            if self._is_new and not any(self.root.iterdir()):
                self.root.rmdir()
        self._lock.close()

    @contextmanager
    def staging(self, shard: int) -> Iterator[Path]:
        """A folder for the files of one shard; it goes if the body raises.

        Raises:
            ExportError: The disk is full, or not to be written.
        """
        folder = self._hidden / "staging" / f"{shard:05d}"
        with _disk_errors():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        try:
            with _disk_errors():
                yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def commit(self, staged: StagedShard, *, total: bytes | None = None) -> None:
        """Puts the files of the next shard in their places and enters it into the journal.

        Args:
            staged: The shard.
            total: What the run has added up over all shards so far, this one included; `total` gives it back later.

        Raises:
            ExportError: The disk is full, or not to be written. The shard is then unfinished.
        """
        assert staged.shard == self.n_finished, "shards are committed in order"
        own, appended = [], dict(self.entries[-1].appended) if self.entries else {}
        with _disk_errors():
            for record in staged.files:
                source = staged.folder / record.path
                if record.path in self._headers:
                    appended[record.path] = self._append(source, record.path, appended.get(record.path, 0))
                else:
                    target = self.root / record.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)
                    own.append(record)
            entry = ShardEntry(
                shard=staged.shard,
                files=own,
                appended=appended,
                counts=staged.counts,
                has_total=total is not None,
            )
            if total is not None:
                write_whole(self._total(staged.shard), total)
            self._journal.append(entry)
            self.entries.append(entry)
            self._total(staged.shard - 1).unlink(missing_ok=True)
            shutil.rmtree(staged.folder, ignore_errors=True)

    def finish(
        self, *, write_last: Callable[[Path], Iterable[Path]], timings: dict[str, float], notes: list[str]
    ) -> Manifest:
        """Writes what belongs to the run as a whole, then the manifest, and removes the hidden folder.

        Args:
            write_last: Writes files of the run as a whole below the folder that it is given, and names them.
            timings: Seconds by name.
            notes: Remarks for the manifest.

        Raises:
            ExportError: The disk is full, or not to be written. The run can then be resumed.
        """
        with _disk_errors():
            files = [record for entry in self.entries for record in entry.files]
            for path in sorted(self.entries[-1].appended) if self.entries else []:
                target = self.root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                self._growing(path).replace(target)
                files.append(record_of(self.root, target))
            files += [record_of(self.root, path) for path in write_last(self.root)]
            manifest = Manifest(
                format=MANIFEST_FORMAT,
                run=self.run_claim.run,
                counts=self.counts,
                files=sorted(files, key=lambda record: record.path),
                shard_size=self.run_claim.shard_size,
                timings=timings,
                notes=notes,
            )
            write_whole(self.root / MANIFEST, encode_manifest(manifest))
            shutil.rmtree(self._hidden)
        return manifest

    @property
    def total(self) -> bytes | None:
        """What was handed over with the last finished shard; None if nothing was."""
        if not self.entries or not self.entries[-1].has_total:
            return None
        return self._total(self.n_finished - 1).read_bytes()

    def _total(self, shard: int) -> Path:
        return self._hidden / f"total-{shard:05d}"

    def _growing(self, path: str) -> Path:
        return self._hidden / "growing" / path

    def _append(self, source: Path, path: str, length: int) -> int:
        """Adds lines to a growing file, at a known length; returns the new one."""
        header, is_distinct = self._headers[path], path in self._distinct
        return append_lines(source, self._growing(path), header=header, length=length, is_distinct=is_distinct)

    def _recover(self) -> None:
        """Reads the journal and drops shards whose files are not there whole."""
        entries = self._journal.read()
        with _disk_errors():
            shutil.rmtree(self._hidden / "staging", ignore_errors=True)
            for path in self._headers:  # killed while finishing: the file had moved to its place
                if (self.root / path).is_file():
                    self._growing(path).parent.mkdir(parents=True, exist_ok=True)
                    (self.root / path).replace(self._growing(path))
        sound = 0
        for entry in entries:
            if not all(_has_length(self.root / record.path, record.n_bytes) for record in entry.files):
                break
            if not all(self._reaches(path, length) for path, length in entry.appended.items()):
                break
            sound += 1
        if sound and entries[sound - 1].has_total and not self._total(sound - 1).is_file():
            sound = 0  # only the last total is kept, so there is no going back to an earlier one
        self.entries = entries[:sound]
        if sound != len(entries):
            self._journal.rewrite(self.entries)

    def _reaches(self, path: str, length: int) -> bool:
        growing = self._growing(path)
        return growing.is_file() and growing.stat().st_size >= length


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that it appears whole or not at all.

    Raises:
        ExportError: The disk is full, or not to be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def record_of(root: Path, path: Path) -> FileRecord:
    """Path below the root, length and digest of a file."""
    return FileRecord(path=path.relative_to(root).as_posix(), n_bytes=path.stat().st_size, sha256=digest_file(path))


def staged_files(folder: Path, *, growing: Collection[str] = ()) -> tuple[FileRecord, ...]:
    """All files below a staging folder, sorted by path; what is only to be added to a growing file is not hashed."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in growing:
            found.append(FileRecord(path=name, n_bytes=path.stat().st_size, sha256=""))
        elif path.is_file():
            found.append(record_of(folder, path))
    return tuple(found)


def finished_run(root: Path) -> Manifest | None:
    """The manifest of a folder that holds a finished run; None if there is none."""
    path = root / MANIFEST
    return read_manifest(path) if path.is_file() and not (root / HIDDEN / "run.json").exists() else None


def missing_files(root: Path, manifest: Manifest) -> list[str]:
    """Files of a finished run that are gone or have another length."""
    return [record.path for record in manifest.files if not _has_length(root / record.path, record.n_bytes)]


def require_same_run(root: Path, claim: Claim, *, found: Claim) -> None:
    """Refuses a folder whose run is another one.

    Raises:
        ConfigError: Naming every difference.
    """
    differences = found.run.differences(claim.run)
    if found.shard_size != claim.shard_size:
        differences.append(f"--shard-size: {found.shard_size} there, {claim.shard_size} now")
    if differences:
        lines = "\n".join(f"  {line}" for line in differences)
        msg = f"--out {str(root)!r} holds another run:\n{lines}"
        raise ConfigError(msg, hint="choose another folder, or empty this one")


def _require_ours(root: Path, claim: Claim) -> None:
    """Refuses a folder that holds something else; reads only."""
    if not root.exists():
        return
    if not root.is_dir():
        msg = f"--out {str(root)!r} is a file: expected a folder"
        raise ConfigError(msg)
    try:
        names = sorted(path.name for path in root.iterdir())
    except OSError as error:
        raise error_from_os(error) from error
    if (root / HIDDEN / "run.json").is_file():
        try:
            found = msgspec.json.decode((root / HIDDEN / "run.json").read_bytes(), type=Claim)
        except msgspec.DecodeError as error:
            msg = f"{root / HIDDEN / 'run.json'} is damaged: {error}"
            raise DataFileError(msg, hint="empty the folder and run anew") from error
        require_same_run(root, claim, found=found)
    elif names and names != [HIDDEN]:
        shown = ", ".join(map(repr, names[:_SHOWN_NAMES])) + (" ..." if len(names) > _SHOWN_NAMES else "")
        msg = f"--out {str(root)!r} is not empty and holds no run of trajsim: {len(names)} entries, {shown}"
        raise ConfigError(msg, hint="choose another folder, or empty this one")


def _has_length(path: Path, n_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == n_bytes


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise error_from_os(error) from error
