"""Compression on the way to disk: of FHIR's JSON a twentieth stays.

Both libraries work without the interpreter lock, so shards that are made in threads are compressed in threads. Neither
writes a time or a name into a file, so the same content gives the same file (with one version of a library on one kind
of processor).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import zstandard
from isal import igzip, isal_zlib

SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 1
_GZIP_WINDOW = 31  # zlib's code for the largest window inside a gzip frame


class _Stream(Protocol):
    def compress(self, data: memoryview | bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def compressed(chunks: Iterator[memoryview | bytes], method: str | None) -> Iterator[memoryview | bytes]:
    """Compresses the bytes of one file as they come.

    Args:
        chunks: The content; each chunk is read before the next is asked for.
        method: ``gzip``, ``zstd``, or None to leave them as they are.
    """
    if method is None:
        yield from chunks
        return
    stream: _Stream
    if method == "gzip":
        stream = isal_zlib.compressobj(level=_GZIP_LEVEL, wbits=_GZIP_WINDOW)
    else:
        stream = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()
    for chunk in chunks:
        part = stream.compress(chunk)
        if part:
            yield part
    yield stream.flush()


@contextmanager
def open_decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file of NDJSON, compressed or not, to read its lines."""
    if path.suffix == ".gz":
        with igzip.IGzipFile(path, "rb") as lines:  # type: ignore[no-untyped-call]
            yield io.BufferedReader(lines)
    elif path.suffix == ".zst":
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            yield io.BufferedReader(reader)
    else:
        with path.open("rb") as lines:
            yield lines
