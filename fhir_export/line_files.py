"""NDJSON on its way to a server: transactions that keep ids, first what patients share, then patient by patient.

A set can be larger than memory, so lines stay in their files (compressed ones are unpacked into a file that goes with
the process) and only their places are kept.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from fhir_export.compress import open_decompressed
from fhir_export.pieces import TooSmallError, cut_pieces
from fhir_export.upload import Head, Upload, decoded, local_references, transaction
from trajsim.errors import DataFileError, ExportError

LINE_FILE = re.compile(r"(?P<type>[A-Z][A-Za-z]+)(-(?P<shard>\d{5,}))?(\.[\w-]+)*?\.ndjson(\.gz|\.zst)?")
"""Names of such files; a number of five digits is a shard of ours, whose patients stand in no other shard."""
_LAST = ("Group", "List")
_NOBODY = ""
_HEAD = msgspec.json.Decoder(Head)


def uploads_of_lines(paths: Sequence[Path], folder: str, most: int) -> Iterator[Upload]:
    """The requests that load the NDJSON of a folder.

    Args:
        paths: The files, with names as `LINE_FILE` says.
        folder: What names of requests begin with; empty, or ending in a slash.
        most: Entries of a request.

    Raises:
        DataFileError: A line is no resource.
        ExportError: A resource and what it refers to are more than `most`.
    """
    shards: dict[str, list[Path]] = {}
    for path in sorted(paths):
        match = LINE_FILE.fullmatch(path.name)
        assert match is not None, "only such files are handed over"
        is_last = match["type"] in _LAST and match["shard"] is None  # a numbered one stands with what refers to it
        shards.setdefault("~" if is_last else match["shard"] or "", []).append(path)
    for shard, files in sorted(shards.items()):
        with ExitStack() as stack:
            lines = _Lines(files, stack)
            yield from _of_shard(lines, f"{folder}{shard if shard != '~' else 'groups'}", most)


@dataclass
class _Owner:
    """A patient, or nobody, with the addresses of what is theirs."""

    addresses: list[str] = field(default_factory=list)
    n_bytes: int = 0


class _Lines:
    """Lines of files by the address of their resource, read anew whenever they are asked for."""

    def __init__(self, paths: Sequence[Path], stack: ExitStack) -> None:
        self._places: dict[str, tuple[IO[bytes], int, int]] = {}
        self.owners: dict[str, _Owner] = {_NOBODY: _Owner()}
        owner_of: dict[str, str] = {}
        later: dict[str, list[str]] = {}
        for path in paths:
            for address, named in self._read(path, stack):
                patients = [each for each in named if each.startswith("Patient/")]
                if address.startswith("Patient/"):
                    owner_of[address] = address
                elif patients:
                    owner_of[address] = patients[0]
                elif named:
                    later[address] = named
        for address, named in later.items():
            owner = next((owner_of[each] for each in named if each in owner_of), None)
            if owner is not None:
                owner_of[address] = owner
        for address, (_, _, length) in self._places.items():
            owned = self.owners.setdefault(owner_of.get(address, _NOBODY), _Owner())
            owned.addresses.append(address)
            owned.n_bytes += length
        n_packed = sum(path.stat().st_size for path in paths)
        n_unpacked = sum(owned.n_bytes for owned in self.owners.values())
        for owned in self.owners.values():
            owned.n_bytes = owned.n_bytes * n_packed // max(n_unpacked, 1)

    def _read(self, path: Path, stack: ExitStack) -> Iterator[tuple[str, list[str]]]:
        """Notes where the lines of a file stand; yields address and references of each."""
        is_packed = path.suffix in (".gz", ".zst")
        kept: IO[bytes] = stack.enter_context(path.open("rb"))
        if is_packed:
            kept = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack is one
        offset = 0
        with open_decompressed(path) as lines:
            for number, line in enumerate(lines, start=1):
                if is_packed:
                    kept.write(line)
                if text := line.strip():
                    where = f"{path.name}: line {number}"
                    head = decoded(_HEAD, text, where)
                    if not (head.resource_type and head.id):
                        msg = f"{where}: a resource without {'id' if head.resource_type else 'resourceType'}"
                        raise DataFileError(msg)
                    self._places[head.address] = (kept, offset, len(line))
                    yield head.address, local_references(text)
                offset += len(line)

    def __getitem__(self, address: str) -> bytes:
        file, offset, length = self._places[address]
        file.seek(offset)
        return file.read(length).strip()


def _of_shard(lines: _Lines, place: str, most: int) -> Iterator[Upload]:
    for owner, owned in lines.owners.items():
        if not owned.addresses:
            continue
        resources = {address: lines[address] for address in owned.addresses}
        pieces = list(_pieces(resources, most))
        name = f"{place} {owner}" if owner else f"{place} shared".strip()
        for number, piece in enumerate(pieces, start=1):
            yield transaction(
                (name if len(pieces) == 1 else f"{name}, {number} of {len(pieces)}").strip(),
                [(address, resources[address]) for address in resources if address in piece],
                stage=f"{place} {'patients' if owner else 'shared'}",
                lane=owner,
                n_bytes=owned.n_bytes // len(pieces),
            )


def _pieces(resources: dict[str, bytes], most: int) -> Iterator[set[str]]:
    """The resources of one patient, or what is nobody's, in pieces that hold what they refer to among themselves."""
    targets = {
        address: [each for each in local_references(resource) if each in resources]
        for address, resource in resources.items()
    }

    def visit(address: str) -> str:
        return next((each for each in [address, *targets[address]] if each.startswith("Encounter/")), "")

    try:
        yield from cut_pieces(sorted(resources, key=visit), targets.__getitem__, most)
    except TooSmallError as error:
        msg = f"{error.item} and what it refers to are {error.n_needed} resources, more than a request of {most} holds"
        raise ExportError(msg, hint=f"--bundle-size {error.n_needed} or more") from error
