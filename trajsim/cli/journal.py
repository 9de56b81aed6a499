"""The list of finished shards of a run, one line each, so that a killed run goes on where it stopped.

A line is written, and forced to disk, only after all files of the shard stand in their places. A line that was torn by
a kill has no end of line and counts as never written.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from trajsim.errors import DataFileError
from trajsim.provenance import Counts, FileRecord


class ShardEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finished shard.

    Attributes:
        shard: Its number; entries follow each other without a gap.
        files: The files that belong to it alone.
        appended: Length of every shared file (CSV) after its rows were added, by path.
        counts: What it holds.
        has_total: Whether totals of all shards up to this one were kept beside the journal (state metrics).
    """

    shard: int
    files: list[FileRecord]
    appended: dict[str, int]
    counts: Counts
    has_total: bool


class Journal:
    """The journal file of one run."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self._path = path

    def read(self) -> list[ShardEntry]:
        """The finished shards in order; a torn last line is dropped.

        Raises:
            DataFileError: A whole line cannot be read, or shards are out of order.
        """
        if not self._path.exists():
            return []
        entries = []
        for number, line in enumerate(self._path.read_bytes().split(b"\n")[:-1]):
            try:
                entry = msgspec.json.decode(line, type=ShardEntry)
            except msgspec.DecodeError as error:
                msg = f"{self._path}: line {number + 1} is damaged: {error}"
                raise DataFileError(msg, hint="empty the folder and run anew") from error
            if entry.shard != number:
                msg = f"{self._path}: line {number + 1}: expected shard {number}, got {entry.shard}"
                raise DataFileError(msg, hint="empty the folder and run anew")
            entries.append(entry)
        return entries

    def rewrite(self, entries: list[ShardEntry]) -> None:
        """Replaces the whole journal in one step."""
        fresh = self._path.with_suffix(".tmp")
        with fresh.open("wb") as stream:
            for entry in entries:
                stream.write(msgspec.json.encode(entry) + b"\n")
            _to_disk(stream.fileno())
        fresh.replace(self._path)

    def append(self, entry: ShardEntry) -> None:
        """Adds one finished shard; when this returns it survives a loss of power."""
        with self._path.open("ab") as stream:
            stream.write(msgspec.json.encode(entry) + b"\n")
            stream.flush()
            _to_disk(stream.fileno())


def _to_disk(descriptor: int) -> None:
    os.fsync(descriptor)
