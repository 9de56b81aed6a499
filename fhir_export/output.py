"""Bytes out of a shard, and files that are either whole or not there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fhir_export import writer
from fhir_export.compress import SUFFIXES, compressed
from fhir_export.shard import Integers
from trajsim.errors import ExportError

BUFFER_BYTES = 1 << 20  # stays in the cache between being filled and being handed to the system


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        n_bytes: Bytes of all files.
        n_resources: Number of resources by type.
        files: The files, in the order in which they were finished.
    """

    n_bytes: int
    n_resources: Mapping[str, int]
    files: tuple[Path, ...]


class Pen:
    """Runs the writer over ranges of rows with one buffer that is used again and again."""

    def __init__(self) -> None:
        self._out = np.empty(BUFFER_BYTES, np.uint8)
        self._memo = np.zeros(3, np.int64)
        self._memo_text = np.zeros(64, np.uint8)
        self._stack = np.zeros(4 * 8, np.int64)

    def write(
        self, packed: tuple[Any, ...], ranges: Integers, *, variant: int, separator: bytes = b""
    ) -> Iterator[memoryview]:
        """Writes the resources of some ranges of rows.

        Args:
            packed: `Shard.packed`.
            ranges: [m, 2] row numbers.
            variant: The form of the templates, a `Variant`.
            separator: One byte between two resources, or none.

        Yields:
            Bytes, valid until the next step.
        """
        state = np.zeros(4, np.int64)
        self._memo[:] = writer.NO_TIME
        between = separator[0] if separator else 0
        while True:
            state[2] = 0
            ours = (self._memo, self._memo_text, self._stack, self._out)
            full = writer.write_rows(*(ranges, state, variant, between, *packed, *ours))
            if state[2]:
                yield self._out.data[: state[2]]
            if not full:
                return
            if not state[2]:  # one resource alone is longer than the buffer
                self._out = np.empty(2 * len(self._out), np.uint8)


class WholeFiles(AbstractContextManager["WholeFiles"]):
    """Files that appear under their names together, when all of them are complete; after an error none does.

    They are written beside their place under a hidden name and renamed at the end.

    Args:
        directory: Where to; made if it is not there.
        compress: How their content is compressed, which their names then say.
    """

    def __init__(self, directory: Path, *, compress: str | None = None) -> None:
        self.directory = directory
        self.compress = compress
        self._parts: dict[Path, Path] = {}
        self.n_bytes = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _export_error(directory, error) from error

    def write(self, name: str, chunks: Iterator[memoryview | bytes], *, is_plain: bool = False) -> None:
        """Writes one file.

        Args:
            name: Its name, without what compression adds.
            chunks: Its content.
            is_plain: Whether it stays uncompressed whatever the others are.
        """
        method = None if is_plain else self.compress
        if method is not None:
            name += SUFFIXES[method]
        path = self.directory / name
        part = self.directory / f".{name}.part"
        self._parts[path] = part
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            try:
                for chunk in compressed(chunks, method):
                    self._write_all(descriptor, memoryview(chunk))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _export_error(path, error) from error

    def _write_all(self, descriptor: int, rest: memoryview) -> None:
        while len(rest):
            count = os.write(descriptor, rest)
            self.n_bytes += count
            rest = rest[count:]

    @property
    def files(self) -> tuple[Path, ...]:
        """The final names."""
        return tuple(self._parts)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Renames, or removes, everything."""
        if error is None:
            for path, part in self._parts.items():
                try:
                    part.replace(path)
                except OSError as fault:
                    self._remove()
                    raise _export_error(path, fault) from fault
        else:
            self._remove()

    def _remove(self) -> None:
        for part in self._parts.values():
            part.unlink(missing_ok=True)


def _export_error(path: Path, error: OSError) -> ExportError:
    return ExportError(
        f"cannot write {str(path)!r}: {error.strerror or error}",
        hint="check the rights of the folder and the free space of its disk, or choose another with --out",
    )


def one_range(first: int, stop: int) -> NDArray[np.int64]:
    """A single range of rows."""
    return np.array([[first, stop]], np.int64)
