"""The closure of references: whether what a resource points to is there, once, and of a type that may stand there."""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from fhir_export.validate.findings import Finding, general_path
from fhir_export.validate.packages import Value

_MOST_OUTSIDE = 0.5


class Scope:
    """Where the references of some resources are looked up first: one bundle, or all NDJSON of a run.

    Args:
        is_bundle: Whether it holds all that its URNs can mean.
    """

    __slots__ = ("ids", "is_bundle", "types")

    def __init__(self, *, is_bundle: bool = False) -> None:
        self.is_bundle = is_bundle
        self.types: dict[str, str] = {}
        self.ids: set[str] = set()


def scope_of_bundle(entries: Iterable[Any]) -> Scope:
    """What the entries of a bundle can be referred to by."""
    scope = Scope(is_bundle=True)
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            continue
        kind = resource["resourceType"]
        if isinstance(entry.get("fullUrl"), str):
            scope.types[entry["fullUrl"]] = kind
        if isinstance(resource.get("id"), str):
            scope.types[f"{kind}/{resource['id']}"] = kind
    return scope


class Closure:
    """Takes in every resource and reference of a run and says in the end what is open."""

    def __init__(self) -> None:
        self.n_files = 0
        self.counts: Counter[str] = Counter()
        self.duplicates: dict[str, tuple[str, str]] = {}
        self._known: dict[str, bytes] = {}
        self._pending: list[tuple[str, str, str, str]] = []
        self._dangling: dict[str, list[Any]] = {}
        self._late: list[tuple[str, str, Finding]] = []

    def add_resource(self, resource: Mapping[str, Any], scope: Scope) -> None:
        """Notes a resource; the same id twice in one scope, or with another content anywhere, is a duplicate."""
        kind, own = resource.get("resourceType"), resource.get("id")
        if not isinstance(own, str):
            return
        key = f"{kind}/{own}"
        digest = blake2b(orjson.dumps(resource), digest_size=8).digest()
        before = self._known.setdefault(key, digest)
        if key in scope.ids or before != digest:
            self.duplicates[key] = (str(kind), own)
        scope.ids.add(key)

    @staticmethod
    def target_type(value: Value, scope: Scope, contained: Mapping[str, str], own: str) -> str | None:
        """The type that a Reference points to, as far as the text and the scope tell."""
        text = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(text, str):
            return None
        if text.startswith("#"):
            return own if text == "#" else contained.get(text[1:])
        if "?" in text:
            return text.partition("?")[0].rpartition("/")[2] or None
        if text in scope.types:
            return scope.types[text]
        if text.startswith("urn:"):
            return None
        parts = text.partition("/_history/")[0].split("/")
        return parts[-2] if len(parts) > 1 else None

    def see(
        self, text: str, path: str, owner: tuple[str, str], scope: Scope, contained: Mapping[str, str]
    ) -> Finding | None:
        """Takes in one reference.

        Args:
            text: Reference.reference.
            path: Where it stands.
            owner: Type and id of the resource.
            scope: Where it is looked up first.
            contained: Types of the contained resources by id.

        Returns:
            What can be said at once.
        """
        if text.startswith("#"):
            if text == "#" or text[1:] in contained:
                self.counts["contained"] += 1
                return None
            self.counts["contained, dangling"] += 1
            self._miss(path, text)
            return Finding("error", "reference-dangling", path, f"no contained resource {text!r}")
        if "?" in text:
            self.counts["conditional"] += 1
            return Finding("warning", "reference-conditional", path, "a conditional reference: most servers refuse it")
        key = text.partition("/_history/")[0]
        if key.startswith("urn:") and key in scope.types:
            self.counts["urn"] += 1
            return None
        if key.startswith("urn:") and scope.is_bundle:
            self.counts["urn, dangling"] += 1
            self._miss(path, key)
            return Finding("error", "reference-dangling", path, f"nothing in the bundle has the address {key!r}")
        if key in scope.types or key in self._known:
            self.counts[_kind(key)] += 1
        else:
            self._pending.append((key, path, *owner))
        return None

    def close(self) -> list[tuple[str, str, Finding]]:
        """Looks up what was not there yet.

        Returns:
            Type and id of the resource, with the finding. Where most references of a run lead outside, what was read is
            an excerpt of something larger, and they are warnings.
        """
        missing = []
        for key, path, kind, own in self._pending:
            if key in self._known:
                self.counts[_kind(key)] += 1
            else:
                self.counts[f"{_kind(key)}, dangling"] += 1
                self._miss(path, key)
                missing.append((key, path, kind, own))
        self._pending = []
        n_inside = self.counts["relative"] + self.counts["absolute"]
        self.is_excerpt = len(missing) > _MOST_OUTSIDE * (n_inside + len(missing))
        severity = "warning" if self.is_excerpt else "error"
        late = [
            (kind, own, Finding(severity, "reference-dangling", path, f"nothing that was read is {key!r}"))
            for key, path, kind, own in missing
        ]
        for kind, own in self.duplicates.values():
            late.append((kind, own, Finding("error", "duplicate-id", f"{kind}.id", "the id is there more than once")))
        return late

    @property
    def is_open(self) -> bool:
        """Whether there is anything that a server could not resolve, or would refuse."""
        return bool(self._dangling or self.duplicates or self.counts["conditional"])

    def report(self) -> dict[str, Any]:
        """Counts by kind, and what dangles by path."""
        return {
            "files": self.n_files,
            "resourcesRead": len(self._known),
            "duplicateIds": len(self.duplicates),
            "excerpt": self.is_excerpt,
            **{kind: n for kind, n in sorted(self.counts.items()) if n},
            "danglingByPath": [
                {"path": path, "count": n, "example": example} for path, (n, example) in sorted(self._dangling.items())
            ],
        }

    is_excerpt = False

    def _miss(self, path: str, text: str) -> None:
        held = self._dangling.setdefault(general_path(path), [0, text])
        held[0] += 1


def _kind(key: str) -> str:
    if key.startswith("urn:"):
        return "urn"
    return "absolute" if "://" in key else "relative"


def references_of(value: Value, path: str) -> Iterable[tuple[str, str]]:
    """Every reference below a value with its path; for resources that are not checked otherwise."""
    if isinstance(value, dict):
        text = value.get("reference")
        if isinstance(text, str):
            yield text, path
        for name, below in value.items():
            if isinstance(below, dict | list):
                yield from references_of(below, f"{path}.{name}")
    elif isinstance(value, list):
        for below in value:
            if isinstance(below, dict | list):
                yield from references_of(below, path)
