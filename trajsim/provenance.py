"""Where output came from: versions, module digests, seed and options in one record, with the digest of every file.

A folder of results without its record is a rumour. The record is also what a resumed run is compared with: two runs
with equal `RunRecord` write the same bytes. ``provenance.schema.json`` is the JSON Schema of `Manifest`.
"""

import hashlib
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trajsim.errors import DataFileError
from trajsim.json_schema import json_schema

MANIFEST_FORMAT = "trajsim-manifest-1"
SCHEMA_FILE = Path(__file__).with_name("provenance.schema.json")

# The libraries that turn a run into bytes.
_WRITERS = ("fhir.resources", "msgspec", "numba", "numpy", "orjson", "pyarrow", "trajsim")


class RunRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the bytes of a run depend on.

    Attributes:
        versions: Version of Python, of trajsim and of each library that shapes output, by name.
        seed: The run seed.
        modules: sha256 of every module file by key, overrides applied.
        tables: sha256 of every lookup table that a module reads, by name.
        options: The options that change the result, as they were resolved (defaults filled in), by option name.
    """

    versions: dict[str, str]
    seed: int
    modules: dict[str, str]
    tables: dict[str, str]
    options: dict[str, str | int | bool | list[str] | None]

    def differences(self, other: "RunRecord") -> list[str]:
        """One sentence for every point in which another run differs from this one; none if their bytes are the same."""
        found = [] if self.seed == other.seed else [f"--seed: {self.seed} there, {other.seed} now"]
        found += _compare("", self.options, other.options)
        found += _compare("version of ", self.versions, other.versions)
        found += _compare_files("module", self.modules, other.modules)
        found += _compare_files("lookup table", self.tables, other.tables)
        return found


class FileRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a run: its path below the run's folder, with ``/``, its length and its digest."""

    path: str
    n_bytes: int
    sha256: str


class CoercedCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many patients met a case in which Synthea loses the person and trajsim goes on (docs/draws.md, section 8)."""

    kind: str
    module: str
    state: str
    n_patients: int


class Counts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run, or a shard of it, holds.

    Attributes:
        n_patients: Patients simulated, the dead included.
        n_deaths: Those who died before the end.
        rows: Rows by table.
        coerced: Coerced cases.
        adjusted: Rows left out or changed so that Records keep their guarantees, by what was done.
    """

    n_patients: int = 0
    n_deaths: int = 0
    rows: dict[str, int] = {}
    coerced: list[CoercedCount] = []
    adjusted: dict[str, int] = {}

    def plus(self, other: "Counts") -> "Counts":
        """The counts of two disjoint sets of patients together."""
        coerced = {(c.kind, c.module, c.state): c.n_patients for c in self.coerced}
        for item in other.coerced:
            key = (item.kind, item.module, item.state)
            coerced[key] = coerced.get(key, 0) + item.n_patients
        return Counts(
            n_patients=self.n_patients + other.n_patients,
            n_deaths=self.n_deaths + other.n_deaths,
            rows=_added(self.rows, other.rows),
            coerced=[
                CoercedCount(kind=kind, module=module, state=state, n_patients=n)
                for (kind, module, state), n in sorted(coerced.items())
            ],
            adjusted=_added(self.adjusted, other.adjusted),
        )


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lies in a finished folder.

    Attributes:
        format: Version of this layout.
        run: What the bytes depend on.
        counts: What the run holds.
        files: Every file of the folder but this one, sorted by path.
        shard_size: Patients a shard.
        timings: Seconds by name (``wall_s``, ``cpu_s``); not part of what makes two runs equal.
        notes: Remarks that a reader of the results should know, one sentence each.
    """

    format: str
    run: RunRecord
    counts: Counts
    files: list[FileRecord]
    shard_size: int
    timings: dict[str, float]
    notes: list[str]


def _added(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}


def _compare(prefix: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{prefix}{name}: {_shown(old.get(name))} there, {_shown(new.get(name))} now"


def _compare_files(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{what} {name!r}: there, not now"
        elif name not in old:
            yield f"{what} {name!r}: not there, now"
        elif old[name] != new[name]:
            yield f"{what} {name!r}: its content changed"


def _shown(value: object) -> str:
    if value is None:
        return "not given"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def installed_versions() -> dict[str, str]:
    """Versions of Python and of every library that shapes output; ``not installed`` for a source tree."""
    versions = {"python": platform.python_version()}
    for name in _WRITERS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def digest_file(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_value(value: object) -> str:
    """sha256 of a struct or plain value by its MessagePack form, which keeps every bit of a float."""
    return hashlib.sha256(msgspec.msgpack.encode(value, order="deterministic")).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as indented JSON, keys in their declared order."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(path: Path) -> Manifest:
    """Reads the manifest of a finished run.

    Raises:
        DataFileError: The file is not a manifest that this version understands.
    """
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        msg = f"{path}: not a manifest of trajsim: {error}"
        raise DataFileError(msg) from error
    if manifest.format != MANIFEST_FORMAT:
        msg = f"{path}: expected format {MANIFEST_FORMAT!r}, got {manifest.format!r}"
        raise DataFileError(msg)
    return manifest


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of `Manifest`; ``provenance.schema.json`` holds the same."""
    return json_schema(Manifest)
