"""Which elements the FHIR export writes, by resource type: read off the shapes, and off resources of a rich patient.

An *element path* is at most two names deep and written as in JSON (`name.family`, `valueQuantity`). Elements of simple
datatypes (a coded concept, a reference, a quantity) are not taken apart; of an extension the last part of its address
follows a colon. What every resource has (`id`, `meta`) is left out.
"""

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, product
from typing import Any

import orjson

import fhir_export.resources
from fhir_export import FhirExporter
from fhir_export.profiles import NO_US_CORE, US_CORE_VERSIONS
from fhir_export.templates import Family, Slots, Templates
from tests.unit.fhir_export.conftest import records_of, rows_of

Json = dict[str, Any]
Paths = frozenset[str]

_FEW_SHAPES = 4096  # of more shapes, all pairs of choices are looked at
_N_PATIENTS = 8
_ATOMS = (  # members of datatypes that are not taken apart
    {"reference"},
    {"coding", "text"},
    {"system", "version", "code", "display"},
    {"value", "unit", "system", "code", "comparator"},
    {"value", "currency"},
    {"status", "div"},
)


@cache
def families() -> tuple[Family, ...]:
    """Every family of shapes."""
    found: dict[int, Family] = {}
    package = fhir_export.resources
    for about in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(about.name)).values():
            if isinstance(value, Family):
                found[id(value)] = value
    return tuple(found.values())


def resource_types() -> list[str]:
    """Every type that is written, sorted."""
    return sorted({family.name for family in families() if family.is_resource})


@cache
def shape_elements() -> Mapping[str, Paths]:
    """Element paths of every type that some shape has, in any version of US Core."""
    found: dict[str, set[str]] = defaultdict(set)
    for version in US_CORE_VERSIONS:
        for family, content in _contents(version):
            name, *prefix = family.name.split(".")
            paths = [[]] if _is_atom(content) else _paths(content, whole=family.is_resource)
            found[name] |= {_cut([*prefix, *path]) for path in paths}
    return {name: frozenset(paths) for name, paths in found.items()}


@cache
def profiles() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The profiles that resources of every type may claim, by short name, with the versions of US Core."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for version in US_CORE_VERSIONS:
        claimed = {
            (family.name, uri.partition("|")[0].rpartition("/")[2])
            for family, content in _contents(version)
            if family.is_resource
            for uri in content["meta"].get("profile", ())
        }
        assert version != NO_US_CORE or not claimed
        for kind, profile in sorted(claimed):
            found[kind][profile].append(version)
    return {kind: {name: tuple(versions) for name, versions in names.items()} for kind, names in found.items()}


@cache
def written_elements() -> Mapping[str, Paths]:
    """Element paths of every type in the resources of patients with every kind of row: texts of codes included."""
    records = records_of(*(_rows(patient) for patient in range(1, _N_PATIENTS + 1)))
    found: dict[str, set[str]] = defaultdict(set)
    for version in US_CORE_VERSIONS:
        for kind, lines in FhirExporter(seed=7, us_core=version).ndjson_bytes(records).items():
            for line in lines.splitlines():
                found[kind] |= {_cut(path) for path in _paths(orjson.loads(line), whole=True)}
    return {name: frozenset(paths) for name, paths in found.items()}


def _rows(patient: int) -> Mapping[str, list[Json]]:
    """Rows of a patient who may be enrolled in a tribe, with a result whose range is of women and a drug to swallow."""
    rows = rows_of(patient)
    rows["medications"][0]["display"] = "Naproxen 220 MG Oral Tablet"
    rows["patients"][0]["race"] = "native"
    hemoglobin = {"row_key": 190, "code": "718-7", "numeric_value": 13.5, "unit": "g/dL", "report_key": 0}
    rows["observations"].append(rows["observations"][0] | hemoglobin)
    return rows


def _contents(version: str) -> Iterator[tuple[Family, Json]]:
    templates = Templates(version)
    for family in families():
        for shape in _shapes(family):
            yield family, family.build(shape, Slots(templates))


def _shapes(family: Family) -> Iterator[Mapping[str, int]]:
    space = family.space
    if space.size <= _FEW_SHAPES:
        yield from map(space.unpack, range(space.size))
        return
    most = space.unpack(space.size - 1)
    for background in (dict.fromkeys(most, 0), most):
        for one, other in combinations(most, 2):
            for values in product(range(most[one] + 1), range(most[other] + 1)):
                yield {**background, one: values[0], other: values[1]}


def _cut(path: list[str]) -> str:
    return ".".join(path[:2])


def _paths(node: Json, *, whole: bool = False) -> Iterator[list[str]]:
    """The paths below an object, as lists of names."""
    for name, value in node.items():
        if whole and name in {"resourceType", "id", "meta"}:
            continue
        element = name.removeprefix("_")
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and each.startswith("slot-M-"):
                continue  # stands for other members
            if element == "extension" and isinstance(each, dict):
                address = str(each.get("url", "")).rpartition("/")[2]
                yield [element] if _is_sentinel(each) else [f"{element}:{address}"]
            elif not isinstance(each, dict) or _is_sentinel(each) or _is_atom(each):
                yield [element]
            else:
                yield [element]
                for path in _paths(each):
                    yield [element, *path]


def _is_sentinel(node: Json) -> bool:
    return str(node.get("id", "")).startswith(("slot-E-", "slot-L-"))


def _is_atom(node: Json) -> bool:
    names = set(node) - {"id"}
    return any(names <= atom for atom in _ATOMS) and not (
        {"system", "value"} == names and isinstance(node["value"], str)
    )
