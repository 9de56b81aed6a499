"""What a profile adds to the resource it constrains: cardinalities, slices, fixed values, bindings, must-supports.

Only the differences are walked (see `fhir_export.validate.generate`); the resource itself was checked before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_export.validate.codes import ValueSet, codings_of, said_codes
from fhir_export.validate.definitions import Constraint, Definitions, Profile
from fhir_export.validate.findings import Finding
from fhir_export.validate.packages import Value

Match = Callable[[Any, str], bool | None]
"""From a value and its JSON key to whether it belongs to a slice."""

Targets = Callable[[Any], str | None]
"""From a Reference to the type that it points to; None: unknown."""


@dataclass(slots=True)
class MustSupport:
    """One element that a profile wants systems to support, and whether the data have it."""

    path: str
    is_seen: bool = False


@dataclass(slots=True)
class Slice:
    """A named part of a list."""

    name: str
    match: Match
    rule: "Rule"


@dataclass(slots=True)
class Rule:
    """What a profile says of one element."""

    name: str
    path: str
    minimum: int = 0
    maximum: int | None = None
    fixed: Any = None
    pattern: Any = None
    binding: tuple[str, ValueSet] | None = None
    constraints: tuple[Constraint, ...] = ()
    types: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    children: list["Rule"] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    is_closed: bool = False
    support: MustSupport | None = None
    support_by_key: dict[str, MustSupport] = field(default_factory=dict)

    @property
    def is_deep(self) -> bool:
        """Whether there is anything to check in a value itself."""
        is_bound = self.fixed is not None or self.pattern is not None or self.binding is not None
        return is_bound or bool(self.constraints or self.children or self.targets)


# R4's oxygen saturation binds the values of components to the units of vital signs, of which the flow of oxygen that US
# Core adds (L/min) is none. The Java judges do not hold it against that flow either.
_LEFT_OPEN = frozenset({("oxygensat", "Observation.component.value[x]")})


class CompiledProfile:
    """A profile, ready to be checked.

    Args:
        profile: Its table.
        definitions: Where value sets and constraints come from.
    """

    def __init__(self, profile: Profile, definitions: Definitions) -> None:
        self.profile = profile
        self.name = profile.url.rpartition("/")[2]
        self.supports: list[MustSupport] = []
        self.slices_not_checked: list[str] = []
        self._definitions = definitions
        self.rule = self._compile(profile.type_name, profile.type_name, profile.rule)

    def _compile(self, name: str, path: str, table: Mapping[str, Any]) -> Rule:
        rule = Rule(name, path)
        rule.minimum = table.get("n", 0)
        rule.maximum = table.get("x")
        rule.fixed, rule.pattern = table.get("f"), table.get("p")
        if (self.name, path) not in _LEFT_OPEN:
            rule.binding = self._definitions.binding(table.get("b"))
        rule.constraints = self._definitions.constraints(table.get("k", ()))
        rule.types = (
            frozenset(name.replace("[x]", t[:1].upper() + t[1:]) for t in table.get("t", ()))
            if name.endswith("[x]")
            else frozenset()
        )
        targets = frozenset(table.get("g", ()))
        rule.targets = frozenset() if "Resource" in targets else targets
        supported = table.get("m")
        if supported and (supported == 1 or not path.endswith(name)):
            rule.support = MustSupport(path)
            self.supports.append(rule.support)
        elif supported:
            for type_name in supported:
                key = name.replace("[x]", type_name[:1].upper() + type_name[1:])
                found = MustSupport(path.removesuffix(name) + key)
                rule.support_by_key[key] = found
                self.supports.append(found)
        for child, told in table.get("c", {}).items():
            rule.children.append(self._compile(child, f"{path}.{child}", told))
        sliced = table.get("s")
        if sliced:
            rule.is_closed = sliced["r"] == "closed"
            for slice_name, told in sliced["o"]:
                match = self._matcher(sliced["d"], told, name)
                if match is None:
                    self.slices_not_checked.append(f"{path}:{slice_name}")
                else:
                    rule.slices.append(Slice(slice_name, match, self._compile(name, f"{path}:{slice_name}", told)))
        return rule

    def _matcher(self, discriminators: Sequence[Sequence[str]], table: Mapping[str, Any], name: str) -> Match | None:
        if "u" in table:
            url = table["u"]
            return lambda value, _key: isinstance(value, dict) and value.get("url") == url
        tests: list[Match] = []
        for kind, path in discriminators or [["value", "url"]]:
            if kind == "type" and path == "$this" and table.get("t"):
                keys = {name.replace("[x]", t[:1].upper() + t[1:]) for t in table["t"]}
                tests.append(lambda _value, key, keys=keys: key in keys)  # type: ignore[misc]
            elif kind in ("value", "pattern"):
                test = self._value_test([] if path == "$this" else path.split("."), table)
                if test is not None:
                    tests.append(lambda value, _key, test=test: test(value))  # type: ignore[misc]
        if not tests:
            return None
        if len(tests) == 1:
            return tests[0]
        return lambda value, key: all(test(value, key) for test in tests)

    def _value_test(self, steps: list[str], table: Mapping[str, Any]) -> Callable[[Any], bool | None] | None:
        """A test of what a slice fixes at a place below it."""
        if "p" in table or "f" in table:
            wanted, exact = (table["f"], True) if "f" in table else (table["p"], False)
            for step in steps:
                if not (isinstance(wanted, dict) and step in wanted):
                    return None
                wanted = wanted[step][0] if isinstance(wanted[step], list) else wanted[step]
            return _at(steps, lambda value: value == wanted if exact else fits(value, wanted))
        if not steps:
            return self._own_test(table)
        child = table.get("c", {}).get(steps[0])
        if child is None:
            return None
        tests = [self._value_test(steps[1:], child)]
        tests += [self._value_test(steps[1:], told) for _, told in child.get("s", {}).get("o", ())]
        found = [test for test in tests if test is not None]
        if not found:
            return None
        return _at(steps[:1], lambda value: any(test(value) for test in found))

    def _own_test(self, table: Mapping[str, Any]) -> Callable[[Any], bool | None] | None:
        if "b" in table and table["b"][0] == "r":
            bound = self._definitions.value_set(table["b"][1])
            return bound.holds_concept
        below = {name: test for name, told in table.get("c", {}).items() if (test := self._value_test([], told))}
        if not below:
            return None
        return lambda value: all(_at([name], test)(value) for name, test in below.items())


def _at(steps: Sequence[str], test: Callable[[Any], bool | None]) -> Callable[[Any], bool | None]:
    """A test that some value below a place passes."""

    def check(value: Value) -> bool | None:
        values = [value]
        for step in steps:
            following = [v[step] for v in values if isinstance(v, dict) and step in v]
            values = [w for v in following for w in (v if isinstance(v, list) else (v,))]
        return any(test(v) for v in values)

    return check


def fits(value: Value, pattern: Value) -> bool:
    """Whether a value has everything that a pattern has."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(name in value and fits(value[name], p) for name, p in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(v, p) for v in value) for p in pattern)
    return bool(value == pattern)


class ProfileCheck:
    """Checks one resource against profiles.

    Args:
        resource: The resource.
        targets: Says to which type a Reference points.
        findings: Where to.
    """

    def __init__(self, resource: Mapping[str, Any], targets: Targets, findings: list[Finding]) -> None:
        self._resource = resource
        self._targets = targets
        self._findings = findings
        self._profile = ""

    def run(self, compiled: CompiledProfile, value: Mapping[str, Any], path: str) -> None:
        """Checks the resource, or an element of it that a profile of its own describes."""
        self._profile = compiled.name
        self._value(compiled.rule, value, path)

    def _add(self, severity: str, rule: str, path: str, text: str) -> None:
        self._findings.append(Finding(severity, rule, path, f"{text} ({self._profile})"))

    def _value(self, rule: Rule, value: Value, path: str) -> None:
        if rule.fixed is not None and value != rule.fixed:
            self._add("error", "fixed-value", path, f"expected {rule.fixed!r}, found {value!r}")
        if rule.pattern is not None and not fits(value, rule.pattern):
            self._add("error", "pattern", path, f"expected to have {_short(rule.pattern)}")
        if rule.binding is not None:
            strength, bound = rule.binding
            if bound.holds_concept(value) is False and (strength == "r" or _is_coded(value)):
                severity = "error" if strength == "r" else "warning"
                what = "required" if strength == "r" else "extensible"
                self._add(
                    severity,
                    f"binding-{what}",
                    path,
                    f"no code of the value set {bound.url}: {said_codes(value) or 'no code'}",
                )
        if rule.targets and isinstance(value, dict):
            found = self._targets(value)
            if found is not None and found not in rule.targets:
                wanted = " or ".join(sorted(rule.targets))
                self._add("error", "reference-target", path, f"points to {found}, expected {wanted}")
        for constraint in rule.constraints:
            if not constraint.is_kept(value, self._resource):
                self._add(constraint.severity, constraint.key, path, constraint.text)
        if rule.children and isinstance(value, dict):
            for child in rule.children:
                self._child(child, value, path)

    def _child(self, rule: Rule, owner: Mapping[str, Any], path: str) -> None:
        name = rule.name
        if name.endswith("[x]"):
            self._choice(rule, owner, path)
            return
        value = owner.get(name)
        path = f"{path}.{name}"
        if value is None:
            n = 1 if "_" + name in owner else 0
            values: Sequence[Any] = ()
        else:
            values = value if type(value) is list else (value,)
            n = len(values)
        self._count(rule, n, path)
        if n and rule.support is not None:
            rule.support.is_seen = True
        if values and (rule.is_deep or rule.slices):
            is_list = type(value) is list
            for i, one in enumerate(values):
                self._value(rule, one, f"{path}[{i}]" if is_list else path)
        if rule.slices:
            self._slices(rule, values, name, path)
        beside = owner.get("_" + name)
        if type(beside) is dict:  # the extensions of a primitive
            for child in rule.children:
                self._child(child, beside, path)

    def _choice(self, rule: Rule, owner: Mapping[str, Any], path: str) -> None:
        stem = rule.name[:-3]
        n = len(stem)
        key = next((k for k in owner if k.startswith(stem) and k[n : n + 1].isupper()), None)
        absent = key is None and any(k.startswith("_" + stem) for k in owner)
        self._count(rule, 1 if key is not None or absent else 0, f"{path}.{rule.name}")
        if key is None:
            if rule.slices:
                self._slices(rule, (), "", f"{path}.{rule.name}")
            return
        if rule.support is not None:
            rule.support.is_seen = True
        elif key in rule.support_by_key:
            rule.support_by_key[key].is_seen = True
        path = f"{path}.{key}"
        if rule.types and key not in rule.types:
            self._add("error", "type", path, f"expected {' or '.join(sorted(rule.types))}")
            return
        self._value(rule, owner[key], path)
        if rule.slices:
            self._slices(rule, (owner[key],), key, path)

    def _count(self, rule: Rule, n: int, path: str) -> None:
        if n < rule.minimum:
            self._add("error", "cardinality-minimum", path, f"expected at least {rule.minimum}, found {n}")
        if rule.maximum is not None and n > rule.maximum:
            self._add("error", "cardinality-maximum", path, f"expected at most {rule.maximum}, found {n}")

    def _slices(self, rule: Rule, values: Sequence[Any], key: str, path: str) -> None:
        left = set(range(len(values))) if rule.is_closed else set()
        for piece in rule.slices:
            mine = [i for i, value in enumerate(values) if piece.match(value, key)]
            left.difference_update(mine)
            n = len(mine)
            if n < piece.rule.minimum or (piece.rule.maximum is not None and n > piece.rule.maximum):
                most = "*" if piece.rule.maximum is None else piece.rule.maximum
                text = f"slice {piece.name!r}: expected {piece.rule.minimum}..{most}, found {n}"
                self._add("error", "slice-cardinality", path, text)
            if n and piece.rule.support is not None:
                piece.rule.support.is_seen = True
            for i in mine:
                one_path = path if rule.name.endswith("[x]") else f"{path}[{i}]"
                self._value(piece.rule, values[i], one_path)
        if left:
            self._add("error", "slice-closed", path, f"{len(left)} of {len(values)} match no slice of a closed list")


def _outside(bound: ValueSet, value: Value) -> str:
    return f"no code of the value set {bound.url}: {said_codes(value) or 'no code'}"


def _is_coded(value: Value) -> bool:
    return not isinstance(value, dict) or bool(codings_of(value))


def _short(pattern: Value) -> str:
    if isinstance(pattern, dict) and "coding" in pattern:
        return " and ".join(f"{c.get('system')}#{c.get('code')}" for c in pattern["coding"])
    return repr(pattern)
