"""Finds and reads FHIR files: Bundles, single resources and NDJSON, plain or compressed."""

import gzip
import importlib
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from trajsim.errors import ConfigError, DataFileError

_NAME = re.compile(r".*\.(nd)?json(\.gz|\.zst)?")
_NOT_FHIR = re.compile(r"(parameters|manifest|log|outcome)\.(nd)?json(\.gz|\.zst)?")


def find_files(places: Sequence[Path]) -> list[Path]:
    """The FHIR files of some folders and files; what describes a set (manifest, parameters, log) is left out.

    Patients come first, so that the dates of the others can be held against their lives.

    Raises:
        ConfigError: A place does not exist.
    """
    missing = [str(place) for place in places if not place.exists()]
    if missing:
        msg = f"no such file or folder: {', '.join(map(repr, missing))}"
        raise ConfigError(msg)
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = sorted(path for path in place.rglob("*") if path.is_file() and _NAME.fullmatch(path.name))
            found |= dict.fromkeys(path for path in inside if not _NOT_FHIR.fullmatch(path.name))
        else:
            found[place] = None
    return sorted(found, key=lambda path: not path.name.startswith("Patient"))


def is_ndjson(path: Path) -> bool:
    """Whether a file holds one resource a line."""
    return ".ndjson" in path.name


def read_bytes(path: Path) -> bytes:
    """The content of a file, decompressed.

    Raises:
        DataFileError: It cannot be read, or the library for its compression is not installed.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            return _gunzip(content)
        if path.suffix == ".zst":
            return _unzstd(content, path)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"cannot read {str(path)!r}: {error}"
        raise DataFileError(msg) from error
    return content


def _gunzip(content: bytes) -> bytes:
    try:
        fast = importlib.import_module("isal.igzip")
    except ImportError:
        return gzip.decompress(content)
    result: bytes = fast.decompress(content)
    return result


def _unzstd(content: bytes, path: Path) -> bytes:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError as error:
        msg = f"cannot read {str(path)!r}: the library zstandard is not installed"
        raise DataFileError(msg, hint="pip install zstandard, or decompress the file") from error
    try:
        result: bytes = zstandard.ZstdDecompressor().stream_reader(content).read()
    except zstandard.ZstdError as error:
        msg = f"cannot read {str(path)!r}: {error}"
        raise DataFileError(msg) from error
    return result


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines of an NDJSON file with their numbers, blank ones left out."""
    for number, line in enumerate(read_bytes(path).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def parse(content: bytes, where: str) -> tuple[Any, str]:
    """JSON and what is wrong with it; an empty text: nothing."""
    try:
        return orjson.loads(content), ""
    except orjson.JSONDecodeError as error:
        return None, f"no JSON: {error} ({where})"
