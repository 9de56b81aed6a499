"""Packages of FHIR definitions, read as they are published: tar archives of JSON resources."""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from trajsim.errors import DataFileError

Json = dict[str, Any]
"""A JSON object."""

Value = Any
"""A JSON value of whatever kind: what comes from outside is not known before it is checked."""

R4_PACKAGE = "hl7.fhir.r4.core-4.0.1.tgz"
CVX_PACKAGE = "fhir.tx.support.r4-0.31.0-subset.tgz"
US_CORE_PACKAGES = {"6.1.0": "us_core_610.tgz", "7.0.0": "us_core_700.tgz", "8.0.0": "us_core_800.tgz"}
LICENSED_PACKAGES = ("us.nlm.vsac-0.23.0-uscore-subset.tgz", "us.cdc.phinvads-0.12.0-uscore-subset.tgz")

OPEN_SET = "^"
"""Stands before the address of a value set in what is open; the others are code systems."""


def read_package(path: Path) -> Iterator[Json]:
    """Yields the definitions of a package; examples, which lie in folders of their own, are left out.

    Raises:
        DataFileError: The archive is not there or cannot be read.
    """
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if not member.isfile() or folder != "package" or name.startswith(".") or not name.endswith(".json"):
                    continue
                file = archive.extractfile(member)
                content = orjson.loads(file.read()) if file else {}
                if "resourceType" in content:
                    yield content
    except (OSError, tarfile.TarError, orjson.JSONDecodeError) as error:
        msg = f"cannot read the package {str(path)!r}: {error}"
        raise DataFileError(msg) from error


def bare(url: str) -> str:
    """A canonical address without its version."""
    return url.partition("|")[0]


class Terminology:
    """Code systems and value sets of some packages, and the expansion of the latter.

    An expansion is a mapping from a system to its codes; None stands for the whole system, whatever its codes are. What
    cannot be expanded from the packages alone (a filter over a system that they lack, a value set that they lack) is
    listed as open, by system or by address: a code of that kind is then neither in the set nor outside of it.
    """

    def __init__(self, resources: Sequence[Json]) -> None:
        self.systems = {r["url"]: r for r in resources if r["resourceType"] == "CodeSystem" and "url" in r}
        self.sets = {r["url"]: r for r in resources if r["resourceType"] == "ValueSet" and "url" in r}

    def concepts(self, system: str) -> dict[str, Json] | None:
        """The concepts of a complete code system, parents before children; None: not there, or incomplete."""
        found = self.systems.get(system)
        if found is None or found.get("content") != "complete":
            return None
        return dict(_flat(found.get("concept", []), ()))

    def expand(self, url: str, seen: tuple[str, ...] = ()) -> tuple[dict[str, set[str] | None], set[str]]:
        """The codes of a value set by system, and what could not be expanded."""
        found = self.sets.get(bare(url))
        if found is None or bare(url) in seen:
            return {}, {OPEN_SET + bare(url)}
        seen = (*seen, bare(url))
        codes: dict[str, set[str] | None] = {}
        still_open: set[str] = set()
        if "compose" not in found:
            return _of_expansion(found) if "expansion" in found else ({}, {OPEN_SET + bare(url)})
        for include in found["compose"].get("include", []):
            part, part_open = self._include(include, seen)
            still_open |= part_open
            for system, those in part.items():
                old = codes.get(system, set())
                codes[system] = None if those is None or old is None else old | those
        for exclude in found["compose"].get("exclude", []):
            part, _ = self._include(exclude, seen)
            for system, those in part.items():
                ours = codes.get(system)
                if ours is not None and those is not None:
                    codes[system] = ours - those
        return codes, still_open

    def _include(self, include: Json, seen: tuple[str, ...]) -> tuple[dict[str, set[str] | None], set[str]]:
        system = include.get("system")
        codes: dict[str, set[str] | None] = {}
        still_open: set[str] = set()
        for url in include.get("valueSet", []):
            part, part_open = self.expand(url, seen)
            still_open |= part_open
            for name, those in part.items():
                old = codes.get(name, set())
                codes[name] = None if those is None or old is None else old | those
        if system is None:
            return codes, still_open
        if "concept" in include:
            return {system: {concept["code"] for concept in include["concept"]}}, still_open
        concepts = self.concepts(system)
        if "filter" not in include:
            return {system: None if concepts is None else set(concepts)}, still_open
        if concepts is None:
            return {}, still_open | {system}
        chosen = set(concepts)
        for rule in include["filter"]:
            kept = _filtered(concepts, rule)
            if kept is None:
                return {}, still_open | {system}
            chosen &= kept
        return {system: chosen}, still_open


def _of_expansion(found: Json) -> tuple[dict[str, set[str] | None], set[str]]:
    codes: dict[str, set[str] | None] = {}
    for entry in found["expansion"].get("contains", []):
        held = codes.setdefault(entry["system"], set())
        if held is not None and "code" in entry:
            held.add(entry["code"])
    return codes, set()


def _flat(concepts: Sequence[Json], above: tuple[str, ...]) -> Iterator[tuple[str, Json]]:
    for concept in concepts:
        parents = above + tuple(
            p["valueCode"] for p in concept.get("property", ()) if p["code"] == "subsumedBy" and "valueCode" in p
        )
        yield concept["code"], {"display": concept.get("display"), "parents": parents}
        yield from _flat(concept.get("concept", ()), (concept["code"],))


def _filtered(concepts: Mapping[str, Json], rule: Json) -> set[str] | None:
    """The codes that a filter keeps; None: a kind of filter that is not understood."""
    if rule["property"] != "concept" or rule["op"] not in ("is-a", "descendent-of", "is-not-a"):
        return None
    below = {rule["value"]}
    grown = True
    while grown:
        more = {
            code for code, concept in concepts.items() if code not in below and below.intersection(concept["parents"])
        }
        below |= more
        grown = bool(more)
    if rule["op"] == "is-not-a":
        return set(concepts) - below
    return below - {rule["value"]} if rule["op"] == "descendent-of" else below
