"""One request of a load: a bundle, and what must be known of it to send it safely."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TypeVar

import msgspec

from trajsim.errors import DataFileError

SHARED_TYPES = frozenset(
    {"Organization", "Location", "Practitioner", "PractitionerRole", "Endpoint", "HealthcareService", "Medication"}
)
"""What several patients refer to: it goes first, so that patients can follow side by side."""

_URN = re.compile(rb'"(reference|url)"\s*:\s*"(urn:uuid:[^"]+)"')
_LOCAL = re.compile(rb'"(?:reference|url)"\s*:\s*"([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})"')
_Content = TypeVar("_Content")


class Head(msgspec.Struct, rename="camel"):
    """What of a resource its address is made from."""

    resource_type: str = ""
    id: str = ""

    @property
    def address(self) -> str:
        """``Type/id``."""
        return f"{self.resource_type}/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One request.

    Attributes:
        name: What it is called in reports: a file, or a file and a patient.
        body: A Bundle.
        n_entries: How many resources.
        is_atomic: Whether a server that refuses has stored nothing of it (a transaction).
        is_repeatable: Whether sending it twice adds nothing (all entries are PUT).
        stage: All requests of one stage come before those of the next.
        lane: Requests of one lane hold the same resources; they go one after another, lanes side by side.
        n_bytes: Bytes of the folder that it stands for.
    """

    name: str
    body: bytes
    n_entries: int
    is_atomic: bool
    is_repeatable: bool
    stage: str
    lane: str
    n_bytes: int

    @cached_property
    def key(self) -> str:
        """Tells it from every other request."""
        return f"{self.name} {sha256(self.body).hexdigest()[:16]}"


def transaction(
    name: str, resources: Sequence[tuple[str, bytes]], *, stage: str = "", lane: str, n_bytes: int
) -> Upload:
    """A transaction that keeps the ids of its resources.

    Args:
        name: What it is called in reports.
        resources: ``Type/id`` and JSON of each.
        stage: As in `Upload`.
        lane: As in `Upload`.
        n_bytes: As in `Upload`.
    """
    entries = [
        b'{"fullUrl":"urn:uuid:%b","resource":%b,"request":{"method":"PUT","url":"%b"}}'
        % (address.partition("/")[2].encode(), resource, address.encode())
        for address, resource in resources
    ]
    return Upload(
        name=name,
        body=b'{"resourceType":"Bundle","type":"transaction","entry":[' + b",".join(entries) + b"]}",
        n_entries=len(entries),
        is_atomic=True,
        is_repeatable=True,
        stage=stage,
        lane=lane,
        n_bytes=n_bytes,
    )


def local_references(resource: bytes) -> list[str]:
    """Every ``Type/id`` that a resource refers to."""
    return [each.decode() for each in _LOCAL.findall(resource)]


def urns(resource: bytes) -> set[str]:
    """Every URN that a resource refers to."""
    return {urn.decode() for kind, urn in _URN.findall(resource) if kind == b"reference"}


def with_addresses(resource: bytes, addresses: dict[str, str]) -> bytes:
    """The same with addresses in the place of URNs; a URN without an address stays."""

    def address(match: re.Match[bytes]) -> bytes:
        found = addresses.get(match[2].decode())
        return b'"%b":"%b"' % (match[1], found.encode()) if found else match[0]

    return _URN.sub(address, resource)


def decoded(decoder: "msgspec.json.Decoder[_Content]", content: bytes, where: str) -> _Content:
    """Reads JSON.

    Raises:
        DataFileError: It is none, or not of this form.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        msg = f"{where}: no FHIR: {error}"
        raise DataFileError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{where}: no JSON: {error}"
        raise DataFileError(msg) from error
