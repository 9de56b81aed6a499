"""Makes the compact tables of this room from published packages: ``python -m fhir_export.validate.generate PACKAGES``.

A table holds what the checks need and nothing else: elements with cardinality, types and bindings; for each profile
only where it differs from the resource that it constrains; the codes of value sets; the wordings of code systems that
HL7 owns. Codes of other owners stand in it only where a definition of HL7 lists them one by one, and then without
wordings.
"""

import argparse
import gzip
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from fhir_export.validate.packages import (
    CVX_PACKAGE,
    R4_PACKAGE,
    US_CORE_PACKAGES,
    Json,
    Terminology,
    Value,
    bare,
    read_package,
)
from fhir_export.validate.tables import DATA, R4_TABLE, us_core_table
from trajsim.codes import is_display_free
from trajsim.errors import ConfigError

CVX = "http://hl7.org/fhir/sid/cvx"
_TYPE_URL = "http://hl7.org/fhir/StructureDefinition/"
_FHIRPATH = "http://hl7.org/fhirpath/System."
_TYPE_EXTENSION = _TYPE_URL + "structuredefinition-fhir-type"
_MUST_SUPPORT_TYPE = _TYPE_URL + "elementdefinition-type-must-support"
_QUANTITIES = ("SimpleQuantity", "MoneyQuantity")
_BEST_PRACTICE = _TYPE_URL + "elementdefinition-bestpractice"
_WIDE = -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes all tables."""
    parser = argparse.ArgumentParser(prog="python -m fhir_export.validate.generate", description=__doc__)
    parser.add_argument("packages", type=Path, help="folder of the packages")
    parser.add_argument("--out", type=Path, default=DATA, help="folder of the tables")
    given = parser.parse_args(arguments)
    if not (given.packages / R4_PACKAGE).is_file():
        msg = f"{str(given.packages)!r} does not hold {R4_PACKAGE}"
        raise ConfigError(msg)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables(given.packages):
        # Level and time are fixed, so that the same packages give the same bytes.
        content = orjson.dumps(table, option=orjson.OPT_SORT_KEYS)
        (given.out / name).write_bytes(gzip.compress(content, 9, mtime=0))
        sys.stdout.write(f"{name}: {len(content):,} bytes, {(given.out / name).stat().st_size:,} compressed\n")
    return 0


def tables(packages: Path) -> Iterable[tuple[str, Json]]:
    """Yields each table with the name of its file."""
    core = list(read_package(packages / R4_PACKAGE))
    support = [r for r in read_package(packages / CVX_PACKAGE) if r.get("url") == CVX]
    compiler = _Compiler(core)
    r4 = compiler.base()
    r4 |= _terminology(Terminology([*core, *support]), r4, only=None, systems=[CVX])
    yield R4_TABLE, r4
    for version, file in US_CORE_PACKAGES.items():
        own = list(read_package(packages / file))
        profiles = compiler.profiles(own)
        words = _terminology(Terminology([*core, *support, *own]), profiles, only=r4["value_sets"], systems=())
        words["code_systems"] = {k: v for k, v in words["code_systems"].items() if k not in r4["code_systems"]}
        yield us_core_table(version), {"version": version, **profiles, **words}


class _Compiler:
    """Turns snapshots into tables; the R4 snapshots are what profiles are compared with."""

    def __init__(self, core: Sequence[Json]) -> None:
        self._definitions = [r for r in core if r["resourceType"] == "StructureDefinition" and "snapshot" in r]
        self._elements = {e["path"]: e for d in self._plain() for e in d["snapshot"]["element"]}
        self._type_of: dict[str, str] = {d["url"]: d["type"] for d in self._definitions}

    def _plain(self) -> list[Json]:
        return [
            d
            for d in self._definitions
            if d.get("derivation") != "constraint" and d["kind"] in ("resource", "complex-type")
        ]

    def base(self) -> Json:
        structures: dict[str, dict[str, Any]] = {}
        constraints: dict[str, list[str]] = {}
        on: dict[str, list[str]] = {}
        quantities = [d for d in self._definitions if d["name"] in _QUANTITIES]
        for definition in [*self._plain(), *quantities]:
            own = definition["name"] if definition in quantities else definition["type"]
            for element in definition["snapshot"]["element"]:
                path = own + element["path"].removeprefix(definition["type"])
                keys = [key for key in _constraints(element, constraints) if key != "ext-1" or path == "Extension"]
                if keys:
                    on[path] = keys
                parent, _, name = path.rpartition(".")
                structures.setdefault(path, {}) if not parent else None
                if parent:
                    structures.setdefault(parent, {})[name] = self._element(element, path)
        resources = sorted(d["type"] for d in self._plain() if d["kind"] == "resource" and not d.get("abstract", False))
        extra = [
            d
            for d in self._definitions
            if d.get("derivation") == "constraint" and (d["kind"] == "resource" or d["type"] == "Extension")
        ]
        table = {"structures": structures, "constraints": constraints, "constrained": on, "resources": resources}
        profiles = self._profiles(extra, constraints)
        return {**table, "profiles": profiles}

    def _element(self, element: Json, path: str) -> list[Any]:
        if "contentReference" in element:
            types: list[Any] = ["@" + element["contentReference"].partition("#")[2]]
        else:
            types = [self._type(t, path) for t in element.get("type", [])]
        most = _WIDE if element["max"] == "*" else int(element["max"])
        return [element["min"], most, types, _binding(element)]

    def _type(self, given: Json, path: str) -> Value:
        code: str = given["code"]
        if code.startswith(_FHIRPATH):
            told: list[str] = [e["valueUrl"] for e in given.get("extension", []) if e["url"] == _TYPE_EXTENSION]
            if path.endswith(".id"):
                return "string"
            return told[0] if told else "string"
        if code in ("BackboneElement", "Element"):
            return "@" + path
        if code == "Quantity" and given.get("profile"):
            name: str = given["profile"][0].removeprefix(_TYPE_URL)
            return name if name in _QUANTITIES else code
        if code in ("Reference", "canonical") and code == "Reference":
            return [code, sorted({self._target(url) for url in given.get("targetProfile", [])})]
        return code

    def _target(self, url: str) -> str:
        return self._type_of.get(bare(url), bare(url).rpartition("/")[2])

    def profiles(self, own: Sequence[Json]) -> Json:
        definitions = [r for r in own if r["resourceType"] == "StructureDefinition"]
        self._type_of |= {d["url"]: d["type"] for d in definitions}
        constraints: dict[str, list[str]] = {}
        return {"profiles": self._profiles(definitions, constraints), "constraints": constraints}

    def _profiles(self, definitions: Sequence[Json], constraints: dict[str, list[str]]) -> Json:
        result = {}
        for definition in sorted(definitions, key=lambda d: d["url"]):
            tree: Json = {}
            for element in definition["snapshot"]["element"]:
                if definition["type"] == "Extension" and definition["url"].startswith(_TYPE_URL):
                    element = {k: v for k, v in element.items() if k != "constraint"}  # keys there have other meanings
                self._rule(tree, element, constraints)
            result[definition["url"]] = {
                "type": definition["type"],
                "title": definition.get("title", definition["name"]),
                "base": bare(definition.get("baseDefinition", "")),
                "rule": _pruned(tree) or {},
            }
        return result

    def _rule(self, tree: Json, element: Json, constraints: dict[str, list[str]]) -> None:
        node = tree
        for step in element["id"].split(".")[1:]:
            name, _, slice_name = step.partition(":")
            node = node.setdefault("c", {}).setdefault(name, {})
            if slice_name:
                slices = node.setdefault("s", {}).setdefault("o", {})
                node = slices.setdefault(slice_name, {})
        base = self._elements.get(element.get("base", {}).get("path", ""), {})
        below = base.get("min", 0) if "." in element["path"] else 0
        if element["min"] > (0 if "sliceName" in element else below):
            node["n"] = element["min"]
        if element["max"] != "*" and element["max"] != base.get("max") and "." in element["path"]:
            node["x"] = int(element["max"])
        for key, value in element.items():
            if key.startswith("fixed"):
                node["f"] = value
            elif key.startswith("pattern"):
                node["p"] = value
        binding = _binding(element)
        if binding and binding != _binding(base):
            node["b"] = binding
        known = {c["key"] for c in base.get("constraint", [])} | {"ele-1", "ext-1"}
        keys = [key for key in _constraints(element, constraints) if key not in known]
        if keys:
            node["k"] = keys
        self._type_rule(node, element, base)
        slicing = element.get("slicing")
        if slicing:
            held = node.setdefault("s", {})
            held["d"] = [[d["type"], d["path"]] for d in slicing.get("discriminator", [])]
            held["r"] = slicing["rules"]

    def _type_rule(self, node: Json, element: Json, base: Json) -> None:
        types = element.get("type", [])
        codes = [t["code"] for t in types]
        if base.get("type") and set(codes) < {t["code"] for t in base["type"]}:
            node["t"] = codes
        urls = [url for t in types if t["code"] == "Extension" for url in t.get("profile", [])]
        if urls:
            node["u"] = urls[0]
        targets = sorted(
            {self._target(u) for t in types if t["code"] == "Reference" for u in t.get("targetProfile", [])}
        )
        before = sorted(
            {
                self._target(u)
                for t in base.get("type", [])
                if t["code"] == "Reference"
                for u in t.get("targetProfile", [])
            }
        )
        if targets and targets != before:
            node["g"] = targets
        if element.get("mustSupport"):
            told = [
                t["code"]
                for t in types
                if any(e["url"] == _MUST_SUPPORT_TYPE and e.get("valueBoolean") for e in t.get("extension", []))
            ]
            node["m"] = told if told and element["path"].endswith("[x]") else 1


def _binding(element: Mapping[str, Any]) -> list[str] | None:
    binding = element.get("binding")
    if not binding or binding["strength"] not in ("required", "extensible") or "valueSet" not in binding:
        return None
    return [binding["strength"][0], bare(binding["valueSet"])]


def _constraints(element: Json, known: dict[str, list[str]]) -> list[str]:
    keys = []
    for constraint in element.get("constraint", []):
        if constraint["key"] == "ele-1" or any(e["url"] == _BEST_PRACTICE for e in constraint.get("extension", [])):
            continue
        known.setdefault(constraint["key"], [constraint["severity"], constraint["human"]])
        keys.append(constraint["key"])
    return keys


def _pruned(node: Json) -> Json | None:
    """A rule without the parts that say nothing."""
    kept = {key: value for key, value in node.items() if key not in ("c", "s")}
    children = {name: rule for name, child in node.get("c", {}).items() if (rule := _pruned(child))}
    if children:
        kept["c"] = children
    slices = node.get("s", {}).get("o", {})
    if slices:
        order = [[name, _pruned(rule) or {}] for name, rule in slices.items()]
        if any(rule.keys() - {"u"} for _, rule in order):
            kept["s"] = {"d": node["s"].get("d", []), "r": node["s"].get("r", "open"), "o": order}
    return kept or None


def _bound(node: Value) -> set[str]:
    """The value sets that a table binds."""
    if isinstance(node, dict):
        own = {node["b"][1]} if isinstance(node.get("b"), list) else set()
        return own.union(*(_bound(value) for value in node.values()))
    if isinstance(node, list):
        own = {node[1]} if len(node) == 2 and node[0] in ("r", "e") and isinstance(node[1], str) else set()
        return own.union(*(_bound(value) for value in node))
    return set()


def _terminology(
    words: Terminology, table: Json, *, only: Mapping[str, Any] | None, systems: Iterable[str]
) -> dict[str, Any]:
    """The value sets that a table binds, and the code systems of HL7 among their systems."""
    sets: dict[str, Any] = {}
    used = set(systems)
    required = _bound(table)
    for url in sorted(required):
        if only is not None and url in only:
            continue
        codes, still_open = words.expand(url)
        used |= set(codes)
        whole = {
            system for system, those in codes.items() if those is None or those == set(words.concepts(system) or ())
        }
        sets[url] = {
            "codes": {s: None if s in whole else sorted(c or ()) for s, c in codes.items()},
            "open": sorted(still_open),
        }
    owned = {s for s in used if is_display_free(s) and words.concepts(s) is not None}
    return {
        "value_sets": sets,
        "code_systems": {s: {c: v["display"] for c, v in (words.concepts(s) or {}).items()} for s in sorted(owned)},
    }


if __name__ == "__main__":
    sys.exit(main())
