"""The tables of this room, compiled into objects that the checks walk: structures of R4, rules of profiles, value sets.

Licensed value sets (VSAC, PHIN VADS) are no part of the tables; where a folder of packages is at hand they are read
from there and close what is open.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fhir_export.validate.codes import CodeBook, ValueSet
from fhir_export.validate.invariants import INVARIANTS, Test
from fhir_export.validate.packages import (
    LICENSED_PACKAGES,
    OPEN_SET,
    US_CORE_PACKAGES,
    Terminology,
    Value,
    read_package,
)
from fhir_export.validate.primitives import CHECKS
from fhir_export.validate.public_sets import PUBLIC_SETS
from fhir_export.validate.tables import R4_TABLE, read_table, us_core_table
from trajsim.errors import ConfigError

VERSIONS = (*US_CORE_PACKAGES, "none")
_ELSEWHERE = frozenset({"ref-1", "dom-3"})  # contained resources: references.py and gate.py of this room
PRIMITIVE, COMPLEX, RESOURCE, REFERENCE = range(4)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One invariant: its key, how bad it is to break it, what it says, and its test."""

    key: str
    severity: str
    text: str
    test: Test

    def is_kept(self, value: Value, resource: Mapping[str, Any]) -> bool:
        """Whether an element keeps it; JSON of a wrong kind inside was reported for that, and is not held to it."""
        try:
            return self.test(value, resource)
        except (AttributeError, TypeError):
            return True


@dataclass(slots=True)
class Field:
    """What stands under one JSON key of a structure."""

    name: str
    type_name: str
    is_list: bool
    kind: int
    check: Callable[[object], bool] | None = None
    structure: "Structure | None" = None
    binding: tuple[str, ValueSet] | None = None
    codes: frozenset[str] | None = None
    targets: frozenset[str] = frozenset()
    is_choice: bool = False
    constraints: tuple[Constraint, ...] = ()


@dataclass(slots=True)
class Structure:
    """A resource, a data type or a part of one."""

    path: str
    fields: dict[str, Field] = field(default_factory=dict)
    required: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as its table has it."""

    url: str
    type_name: str
    title: str
    base: str
    rule: Mapping[str, Any]


def find_packages() -> Path | None:
    """The folder of packages beside a checkout, or in the folder that ``TRAJSIM_SHARED`` names; None: there is none."""
    shared = os.environ.get("TRAJSIM_SHARED")
    root = Path(shared) if shared else Path(__file__).resolve().parents[3] / "shared"
    folder = root / "fhir"
    return folder if (folder / LICENSED_PACKAGES[0]).is_file() else None


class Definitions:
    """Everything that the checks look up.

    Args:
        us_core: Version of US Core, or ``none`` for R4 alone.
        packages: Folder with the licensed value sets; None: they are not checked.

    Raises:
        ConfigError: There is no such version.
    """

    def __init__(self, *, us_core: str, packages: Path | None = None) -> None:
        if us_core not in VERSIONS:
            msg = f"--us-core must be one of {', '.join(VERSIONS)}, got {us_core!r}"
            raise ConfigError(msg)
        self.us_core = us_core
        self._r4 = read_table(R4_TABLE)
        own = {} if us_core == "none" else read_table(us_core_table(us_core))
        systems = {**self._r4["code_systems"], **own.get("code_systems", {})}
        self.code_book = CodeBook(systems)
        self._value_sets = {**self._r4["value_sets"], **own.get("value_sets", {})}
        self.open_sets: set[str] = set()
        self._sets: dict[str, ValueSet] = {}
        self._systems = systems
        self._licensed = _licensed(packages)
        self._constraints: dict[str, list[str]] = {**self._r4["constraints"], **own.get("constraints", {})}
        self.not_checked: set[str] = set()
        self.resources = frozenset(self._r4["resources"])
        self.us_core_profiles = frozenset(own.get("profiles", {}))
        self.profiles = {
            url: Profile(url, table["type"], table["title"], table["base"], table["rule"])
            for url, table in {**self._r4["profiles"], **own.get("profiles", {})}.items()
        }
        self._structures: dict[str, Structure] = {}

    def structure(self, path: str) -> Structure:
        """The structure of a type or part; compiled when first asked for."""
        found = self._structures.get(path)
        if found is None:
            found = self._structures[path] = Structure(path)
            self._fill(found)
        return found

    def constraints(self, keys: Iterable[str]) -> tuple[Constraint, ...]:
        """Constraints by key; those without a test are noted as not checked."""
        found = []
        for key in keys:
            if key in INVARIANTS:
                severity, text = self._constraints[key]
                found.append(Constraint(key, severity, text, INVARIANTS[key]))
            elif key not in _ELSEWHERE:
                self.not_checked.add(key)
        return tuple(found)

    def value_set(self, url: str) -> ValueSet:
        """A value set, closed as far as the tables and packages allow."""
        found = self._sets.get(url)
        if found is None:
            table = _closed(
                PUBLIC_SETS.get(url) or self._value_sets.get(url, {"codes": {}, "open": [OPEN_SET + url]}),
                self._licensed,
            )
            found = self._sets[url] = ValueSet(url, table)
            found.close(self._systems)
            if table["open"]:
                self.open_sets.add(url)
        return found

    def binding(self, table: list[str] | None) -> tuple[str, ValueSet] | None:
        """Strength (r, e) and value set."""
        return None if table is None else (table[0], self.value_set(table[1]))

    def _fill(self, structure: Structure) -> None:
        path = structure.path
        constrained = self._r4["constrained"]
        structure.constraints = self.constraints(constrained.get(path, ()))
        for name, (least, most, types, binding) in self._r4["structures"].get(path, {}).items():
            keys = []
            on_field = self.constraints(constrained.get(f"{path}.{name}", ()))
            for told in types:
                code = told if isinstance(told, str) else told[0]
                key = name.replace("[x]", _capital(code)) if name.endswith("[x]") else name
                keys.append(key)
                made = self._field(name, code, most != 1, told)
                made.constraints = () if code.startswith("@") else on_field
                made.binding = self.binding(binding)
                if made.binding and made.binding[0] == "r" and made.kind == PRIMITIVE:
                    made.codes = made.binding[1].all_codes
                structure.fields[key] = made
            if least:
                structure.required.append((name, tuple(keys)))
        if path in self.resources or path == "Resource":
            structure.fields.pop("resourceType", None)

    def _field(self, name: str, code: str, is_list: bool, told: Value) -> Field:  # noqa: FBT001
        is_choice = name.endswith("[x]")
        if code in CHECKS:
            check = CHECKS["id"] if name == "id" and code == "id" else CHECKS[code]
            return Field(name, code, is_list, PRIMITIVE, check=check, is_choice=is_choice)
        if code == "Resource":
            return Field(name, code, is_list, RESOURCE, is_choice=is_choice)
        structure = self.structure(code.removeprefix("@"))
        if code == "Reference":
            targets = (
                frozenset(told[1]) - {"Resource"}
                if isinstance(told, list) and "Resource" not in told[1]
                else frozenset()
            )
            return Field(name, code, is_list, REFERENCE, structure=structure, targets=targets, is_choice=is_choice)
        return Field(name, code, is_list, COMPLEX, structure=structure, is_choice=is_choice)


def _capital(code: str) -> str:
    code = "Quantity" if code in ("SimpleQuantity", "MoneyQuantity") else code
    return code[:1].upper() + code[1:]


def _licensed(packages: Path | None) -> Terminology | None:
    if packages is None:
        return None
    found = [r for name in LICENSED_PACKAGES if (packages / name).is_file() for r in read_package(packages / name)]
    return Terminology(found)


def _closed(table: Mapping[str, Any], licensed: Terminology | None) -> Mapping[str, Any]:
    """A value set with what licensed packages add to it."""
    if licensed is None or not table["open"]:
        return table
    codes = {system: None if those is None else set(those) for system, those in table["codes"].items()}
    still_open: set[str] = set()
    for name in table["open"]:
        if name.removeprefix(OPEN_SET) not in licensed.sets:
            still_open.add(name)
            continue
        more, more_open = licensed.expand(name.removeprefix(OPEN_SET))
        still_open |= more_open
        for system, those in more.items():
            old = codes.get(system, set())
            codes[system] = None if those is None or old is None else old | those
    return {"codes": codes, "open": sorted(still_open)}
