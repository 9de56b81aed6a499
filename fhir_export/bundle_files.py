"""Bundles on their way to a server: transactions and batches as they are, collections as transactions that keep ids.

Bundles of many patients repeat the sites and clinicians that they refer to. A server that takes two such bundles at
once may find that both make the same hospital, and refuse one. So what is repeated is sent before the patients.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from fhir_export.compress import open_decompressed
from fhir_export.pieces import TooSmallError, cut_pieces
from fhir_export.upload import (
    SHARED_TYPES,
    Head,
    Upload,
    decoded,
    local_references,
    transaction,
    urns,
    with_addresses,
)
from trajsim.errors import DataFileError, ExportError

_FIRST = (re.compile(r"hospital|organization|location"), re.compile(r"practitioner|provider"))
_PIECE = re.compile(r"(?P<patient>.+)-\d{3,}")


class _Request(msgspec.Struct, rename="camel"):
    method: str = ""
    url: str = ""
    if_none_exist: str = ""


class _Entry(msgspec.Struct, rename="camel"):
    full_url: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    request: _Request | None = None


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    type: str = ""
    entry: list[_Entry] = []


_BUNDLE = msgspec.json.Decoder(_Bundle)
_HEAD = msgspec.json.Decoder(Head)


def uploads_of_bundles(paths: Sequence[Path], directory: Path, most: int) -> Iterator[Upload]:
    """The requests that load bundles: first what they share, and files that are named as what others refer to.

    Args:
        paths: The files.
        directory: Names are relative to it.
        most: Entries of a request that holds what bundles share.

    Raises:
        DataFileError: A file is no bundle, or an entry has nothing that others could refer to it by.
        ExportError: Something shared and what it refers to are more than `most`.
    """
    if len(paths) > 1:
        yield from _shared(paths, directory, most)
    for path in sorted(paths, key=lambda path: (_stage(path), path)):
        upload = _upload(path, directory)
        if upload is not None:
            yield upload


def _stage(path: Path) -> str:
    """Files of sites, then of clinicians, then of patients."""
    stem = path.name.lower()
    return str(next((number for number, names in enumerate(_FIRST, start=1) if names.match(stem)), len(_FIRST) + 1))


def _read(path: Path, name: str) -> tuple[bytes, _Bundle]:
    with open_decompressed(path) as file:
        content = file.read()
    bundle = decoded(_BUNDLE, content, name)
    if bundle.resource_type != "Bundle":
        msg = f"{name}: no Bundle, but {bundle.resource_type!r}"
        raise DataFileError(msg)
    return content, bundle


def _upload(path: Path, directory: Path) -> Upload | None:
    name = path.relative_to(directory).as_posix()
    content, bundle = _read(path, name)
    if not bundle.entry:
        return None
    stem = path.name.partition(".")[0]
    piece = _PIECE.fullmatch(stem)
    lane, n_bytes = (piece["patient"] if piece else stem), path.stat().st_size
    if bundle.type not in ("transaction", "batch"):
        resources = list(_with_addresses(bundle, name).items())
        return transaction(name, resources, stage=_stage(path), lane=lane, n_bytes=n_bytes)
    requests = [entry.request or _Request() for entry in bundle.entry]
    return Upload(
        name=name,
        body=content,
        n_entries=len(requests),
        is_atomic=bundle.type == "transaction",
        is_repeatable=all(request.method == "PUT" or request.if_none_exist for request in requests),
        stage=_stage(path),
        lane=lane,
        n_bytes=n_bytes,
    )


def _with_addresses(bundle: _Bundle, name: str) -> dict[str, bytes]:
    """The resources of a collection by the addresses that they will have; URNs become these."""
    heads = [decoded(_HEAD, bytes(entry.resource), name) for entry in bundle.entry]
    for entry, head in zip(bundle.entry, heads, strict=True):
        missing = "fullUrl" if not entry.full_url else "resourceType" if not head.resource_type else "id"
        if not (entry.full_url and head.resource_type and head.id):
            msg = f"{name}: an entry has no {missing!r}, so that nothing could refer to it"
            raise DataFileError(msg)
    addresses = {entry.full_url: head.address for entry, head in zip(bundle.entry, heads, strict=True)}
    resources = {}
    for entry, head in zip(bundle.entry, heads, strict=True):
        resources[head.address] = with_addresses(bytes(entry.resource), addresses)
        if lost := urns(resources[head.address]):
            msg = f"{name}: no entry has the address {min(lost)!r}"
            raise DataFileError(msg)
    return resources


def _shared(paths: Sequence[Path], directory: Path, most: int) -> Iterator[Upload]:
    """What more than one bundle puts under the same id."""
    once: set[str] = set()
    shared: dict[str, bytes] = {}
    for path in paths:
        name = path.relative_to(directory).as_posix()
        _, bundle = _read(path, name)
        if bundle.type == "batch":
            continue
        for address, resource in _put(bundle, name).items():
            if address in once:
                shared[address] = resource
            once.add(address)
    targets = {
        address: [each for each in local_references(resource) if each in shared] for address, resource in shared.items()
    }
    try:
        for piece in cut_pieces(shared, targets.__getitem__, most):
            resources = [(address, shared[address]) for address in shared if address in piece]
            yield transaction("(what bundles share)", resources, stage="0", lane="", n_bytes=0)
    except TooSmallError as error:
        msg = f"{error.item} and what it refers to are {error.n_needed} resources, more than a request of {most} holds"
        raise ExportError(msg, hint=f"--bundle-size {error.n_needed} or more") from error


def _put(bundle: _Bundle, name: str) -> dict[str, bytes]:
    """What a bundle puts under ids of its own and what does not need the rest of the bundle, by address."""
    if bundle.type != "transaction":
        found = _with_addresses(bundle, name)
        kept = {address: found[address] for address in found if address.partition("/")[0] in SHARED_TYPES}
        others = set(found) - set(kept)
    else:
        addresses = {
            entry.full_url: entry.request.url
            for entry in bundle.entry
            if entry.request and entry.request.method == "PUT" and entry.request.url.partition("/")[0] in SHARED_TYPES
        }
        kept = {
            addresses[entry.full_url]: with_addresses(bytes(entry.resource), addresses)
            for entry in bundle.entry
            if entry.full_url in addresses
        }
        others = {entry.request.url for entry in bundle.entry if entry.request} - set(kept)
    while alone := [
        address
        for address, resource in kept.items()
        if urns(resource) or not others.isdisjoint(local_references(resource))
    ]:
        for address in alone:
            del kept[address]
        others.update(alone)
    return kept
