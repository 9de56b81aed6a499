"""What a folder of FHIR becomes on its way to a server: bundles that a server takes, each able to go alone.

Transaction and batch bundles go as they are. A collection becomes a transaction that keeps its ids. NDJSON becomes such
transactions too: first what patients share, then every patient with all that is theirs, at last the groups.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fhir_export.compress import open_decompressed
from fhir_export.pieces import TooSmallError, cut_pieces
from trajsim.errors import ConfigError, DataFileError, ExportError

Json = dict[str, Any]

DEFAULT_ENTRIES = 500  # most servers take no more in one request
_REFERENCE = re.compile(rb'"reference"\s*:\s*"([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})"')
_URN = re.compile(rb'"reference"\s*:\s*"(urn:uuid:[^"]+)"')
_NDJSON = re.compile(r"(?P<type>[A-Z][A-Za-z]+)(?P<number>[-.]\d+)?\.ndjson(\.gz|\.zst)?")
_BUNDLE = re.compile(r".+\.json(\.gz|\.zst)?")
_BESIDE = re.compile(r"(manifest|parameters|log|outcome|states)\.json")
_LAST = ("Group", "List")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One request.

    Attributes:
        name: What it is called in reports: a file, or a file and a patient.
        body: A Bundle.
        n_entries: How many resources.
        is_repeatable: Whether sending it twice adds nothing (all entries are PUT).
        stage: Requests of one stage can be sent in any order; all of them come before those of the next.
    """

    name: str
    body: bytes
    n_entries: int
    is_repeatable: bool
    stage: str = ""


def find_uploads(directory: Path, *, most: int = DEFAULT_ENTRIES) -> Iterator[Upload]:
    """The requests that load a folder, in an order in which all references resolve.

    One shard of NDJSON is in memory at a time, and one bundle.

    Args:
        directory: Folder of bundles, of NDJSON, or of folders of these.
        most: Entries of a request that is made from NDJSON.

    Raises:
        ConfigError: There is no such folder, no FHIR in it, or FHIR of two kinds.
        DataFileError: A file is not FHIR.
        ExportError: A resource and what it refers to are more than `most`.
    """
    if not directory.is_dir():
        msg = f"{str(directory)!r} is no folder"
        raise ConfigError(msg)
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    folders: dict[Path, list[Path]] = {}
    bundles = []
    for path in paths:
        if _NDJSON.fullmatch(path.name):
            folders.setdefault(path.parent, []).append(path)
        elif _BUNDLE.fullmatch(path.name) and not _BESIDE.fullmatch(path.name):
            bundles.append(path)
    if not folders and not bundles:
        msg = f"no FHIR in {str(directory)!r}: expected bundles (.json) or NDJSON (Type-00000.ndjson)"
        raise ConfigError(msg)
    if folders and bundles:
        msg = f"{str(directory)!r} holds bundles and NDJSON: the same patients would be loaded twice"
        raise ConfigError(msg, hint="name one of its folders")
    for path in bundles:
        yield _of_bundle(path, directory)
    for folder, files in folders.items():
        yield from _of_lines(files, folder.relative_to(directory).as_posix(), most)


def _of_bundle(path: Path, directory: Path) -> Upload:
    name = path.relative_to(directory).as_posix()
    with open_decompressed(path) as file:
        content = file.read()
    bundle = _parsed(content, name)
    entries = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        msg = f"{name}: no Bundle, but {bundle.get('resourceType')!r}"
        raise DataFileError(msg)
    if bundle.get("type") not in ("transaction", "batch"):
        return _kept(name, _of_collection(content, entries, name))
    methods = {entry.get("request", {}).get("method") for entry in entries}
    return Upload(name=name, body=content, n_entries=len(entries), is_repeatable=methods <= {"PUT"})


def _of_collection(content: bytes, entries: Sequence[Json], name: str) -> list[tuple[str, bytes]]:
    """The resources of a collection with the addresses that they will have; URNs become these."""
    try:
        names = {
            entry["fullUrl"]: f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries
        }
    except KeyError as error:
        msg = f"{name}: an entry has no {error.args[0]!r}, so that nothing could refer to it"
        raise DataFileError(msg) from error
    known = {url.encode(): b'"reference":"' + each.encode() + b'"' for url, each in names.items()}
    if lost := set(_URN.findall(content)) - set(known):
        msg = f"{name}: no entry has the address {min(lost).decode()!r}"
        raise DataFileError(msg)
    return [
        (each, _URN.sub(lambda match: known[match[1]], orjson.dumps(entry["resource"])))
        for each, entry in zip(names.values(), entries, strict=True)
    ]


def _kept(name: str, resources: Sequence[tuple[str, bytes]], *, stage: str = "") -> Upload:
    """A transaction that keeps the ids of its resources."""
    entries = [
        b'{"fullUrl":"urn:uuid:%b","resource":%b,"request":{"method":"PUT","url":"%b"}}'
        % (address.partition("/")[2].encode(), resource, address.encode())
        for address, resource in resources
    ]
    body = b'{"resourceType":"Bundle","type":"transaction","entry":[' + b",".join(entries) + b"]}"
    return Upload(name=name, body=body, n_entries=len(entries), is_repeatable=True, stage=stage)


def _of_lines(files: Sequence[Path], folder: str, most: int) -> Iterator[Upload]:
    """The requests that load the NDJSON of a folder."""
    shards: dict[str, list[Path]] = {}
    for path in files:
        match = _NDJSON.fullmatch(path.name)
        assert match is not None, "only such files are handed over"
        shards.setdefault("last" if match["type"] in _LAST else match["number"] or "", []).append(path)
    last = shards.pop("last", [])
    place = "" if folder == "." else f"{folder}/"
    for number, paths in shards.items():
        lines = _read_lines(paths)
        owners = _owners(lines)
        groups: dict[str, list[str]] = {"": []}
        for address in lines:
            groups.setdefault(owners.get(address, ""), []).append(address)
        for owner, addresses in groups.items():
            name = f"{place}*{number}.ndjson {owner}".rstrip()
            yield from _pieces(
                name, lines, addresses, most, stage=f"{place}{number} {'patients' if owner else 'shared'}"
            )
    for path in last:
        for address, line in _read_lines([path]).items():
            yield _kept(f"{place}{path.name}", [(address, line)], stage=f"{place}last")


def _read_lines(paths: Sequence[Path]) -> dict[str, bytes]:
    lines: dict[str, bytes] = {}
    for path in paths:
        with open_decompressed(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    resource = _parsed(line, f"{path.name}: line {number}")
                    lines[f"{resource.get('resourceType')}/{resource.get('id')}"] = line.strip()
    return lines


def _owners(lines: Mapping[str, bytes]) -> dict[str, str]:
    """Whose each resource is: the patient it names, else the patient of something that it names."""
    owners: dict[str, str] = {}
    open_ = []
    for address, line in lines.items():
        named = [each.decode() for each in _REFERENCE.findall(line)]
        patients = [each for each in named if each.startswith("Patient/")]
        if address.startswith("Patient/") or patients:
            owners[address] = address if address.startswith("Patient/") else patients[0]
        elif named:
            open_.append((address, named))
    for address, named in open_:
        owner = next((owners[each] for each in named if each in owners), None)
        if owner is not None:
            owners[address] = owner
    return owners


def _pieces(
    name: str, lines: Mapping[str, bytes], addresses: Sequence[str], most: int, *, stage: str
) -> Iterator[Upload]:
    """The resources of one patient, or what is nobody's, in pieces that hold what they refer to among themselves."""
    own = set(addresses)
    targets = {
        address: [each.decode() for each in _REFERENCE.findall(lines[address]) if each.decode() in own]
        for address in addresses
    }

    def visit(address: str) -> str:
        return next((each for each in [address, *targets[address]] if each.startswith("Encounter/")), "")

    try:
        pieces = list(cut_pieces(sorted(addresses, key=visit), targets.__getitem__, most))
    except TooSmallError as error:
        msg = f"{error.item} and what it refers to are {error.n_needed} resources, more than a request of {most} holds"
        raise ExportError(msg, hint=f"--bundle-size {error.n_needed} or more") from error
    for number, piece in enumerate(pieces, start=1):
        suffix = f" {number}" if len(pieces) > 1 else ""
        resources = [(address, lines[address]) for address in addresses if address in piece]
        yield _kept(name + suffix, resources, stage=stage)


def _parsed(content: bytes, where: str) -> Json:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        msg = f"{where}: no JSON: {error}"
        raise DataFileError(msg) from error
    if not isinstance(found, dict):
        msg = f"{where}: no FHIR resource"
        raise DataFileError(msg)
    return found
