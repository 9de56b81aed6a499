"""One resource against the definition of its type: names, cardinalities, JSON types, primitives, codes, invariants.

Everything that the data types say is checked on the way, and every Reference and Extension that is met is handed on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_export.validate.codes import said_codes
from fhir_export.validate.definitions import PRIMITIVE, REFERENCE, RESOURCE, Definitions, Field, Structure
from fhir_export.validate.findings import Finding
from fhir_export.validate.packages import Value

# A Quantity has a system and a code of its own, as a Coding has.
_CODED = frozenset({"Coding", "Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance"})
_BOUND = frozenset({"CodeableConcept", "Coding", "Quantity", "SimpleQuantity"})


class StructureCheck:
    """Walks one resource.

    Args:
        definitions: The tables.
        findings: Where to.
        on_reference: Called with each Reference, its path and the types that it may point to (none: all).
        on_extension: Called with each Extension and its path.
    """

    def __init__(
        self,
        definitions: Definitions,
        findings: list[Finding],
        on_reference: Callable[[Mapping[str, Any], str, frozenset[str]], None],
        on_extension: Callable[[Mapping[str, Any], str], None],
    ) -> None:
        self._definitions = definitions
        self._findings = findings
        self._on_reference = on_reference
        self._on_extension = on_extension
        self._resource: Mapping[str, Any] = {}
        self._problems = definitions.code_book.problems

    def _add(self, severity: str, rule: str, path: str, text: str) -> None:
        self._findings.append(Finding(severity, rule, path, text))

    def run(self, resource: Mapping[str, Any], path: str) -> None:
        """Checks a resource of a known type."""
        outer, self._resource = self._resource, resource
        self._object(resource, self._definitions.structure(resource["resourceType"]), path)
        self._resource = outer or resource

    def _object(self, value: Value, structure: Structure, path: str) -> None:
        if type(value) is not dict:
            self._add("error", "json-type", path, f"expected an object, found {type(value).__name__}")
            return
        if not value:
            self._add("error", "ele-1", path, "an empty object")
            return
        fields = structure.fields
        choice: str | None = None
        for key, one in value.items():
            field = fields.get(key)
            if field is None:
                self._other(key, one, value, structure, path)
                continue
            if field.is_choice:
                if choice == field.name:
                    self._add("error", "choice-twice", path, f"{field.name} has more than one value")
                choice = field.name
            if field.is_list:
                self._many(one, field, f"{path}.{key}", value)
            elif field.kind == PRIMITIVE:
                if not field.check(one):  # type: ignore[misc]
                    self._bad(one, field, f"{path}.{key}")
                elif field.codes is not None and one not in field.codes:
                    self._no_code(one, field, f"{path}.{key}")
                for constraint in field.constraints:
                    if not constraint.is_kept(one, self._resource):
                        self._add(constraint.severity, constraint.key, f"{path}.{key}", constraint.text)
            else:
                self._one(one, field, f"{path}.{key}")
        for name, keys in structure.required:
            if not any(key in value or "_" + key in value for key in keys):
                self._add("error", "cardinality-minimum", f"{path}.{name}", "expected at least 1, found 0")
        if structure.path in _CODED:
            for severity, rule, text in self._problems(value):
                self._add(severity, rule, path, text)
        elif structure.path == "Extension":
            self._on_extension(value, path)
        for constraint in structure.constraints:
            if not constraint.is_kept(value, self._resource):
                self._add(constraint.severity, constraint.key, path, constraint.text)

    def _many(self, values: Value, field: Field, path: str, owner: Mapping[str, Any]) -> None:
        if type(values) is not list:
            self._add("error", "json-type", path, f"expected an array, found {type(values).__name__}")
            return
        if not values:
            self._add("error", "empty-array", path, "an empty array")
        if field.kind != PRIMITIVE:
            for i, one in enumerate(values):
                self._one(one, field, f"{path}[{i}]")
            return
        for i, one in enumerate(values):
            if one is None and "_" + field.name in owner:
                continue
            if not field.check(one):  # type: ignore[misc]
                self._bad(one, field, f"{path}[{i}]")
            elif field.codes is not None and one not in field.codes:
                self._no_code(one, field, f"{path}[{i}]")

    def _one(self, value: Value, field: Field, path: str) -> None:
        if field.kind == RESOURCE:
            self._inner(value, path)
            return
        self._object(value, field.structure, path)  # type: ignore[arg-type]
        if type(value) is not dict:
            return
        if field.kind == REFERENCE:
            self._on_reference(value, path, field.targets)
        if field.binding is not None and field.type_name in _BOUND:
            strength, bound = field.binding
            if bound.holds_concept(value) is False:
                said = said_codes(value)
                if strength == "r":
                    self._add(
                        "error", "binding-required", path, f"no code of the value set {bound.url}: {said or 'no code'}"
                    )
                elif said:
                    self._add("warning", "binding-extensible", path, f"no code of the value set {bound.url}: {said}")
        for constraint in field.constraints:
            if not constraint.is_kept(value, self._resource):
                self._add(constraint.severity, constraint.key, path, constraint.text)

    def _inner(self, value: Value, path: str) -> None:
        """A contained resource; those of bundles are judged one by one, and not here."""
        if path.startswith("Bundle.entry"):
            return
        kind = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in self._definitions.resources:
            self._add("error", "resource-type", path, f"unknown resource type {kind!r}")
            return
        self._object(value, self._definitions.structure(kind), path)

    def _other(self, key: str, value: Value, owner: Mapping[str, Any], structure: Structure, path: str) -> None:
        """A key that is no element: the resource's type, the other half of a primitive, or a mistake."""
        if key == "resourceType" and "." not in structure.path and structure.path in self._definitions.resources:
            return
        field = structure.fields.get(key[1:]) if key.startswith("_") else None
        if field is None or field.kind != PRIMITIVE:
            self._add("error", "unknown-element", f"{path}.{key}", f"{structure.path} has no element {key!r}")
            return
        element = self._definitions.structure("Element")
        parts = value if field.is_list and isinstance(value, list) else [value]
        if field.is_list and not isinstance(value, list):
            self._add("error", "json-type", f"{path}.{key}", "expected an array")
        for part in parts:
            if part is not None:
                self._object(part, element, f"{path}.{key[1:]}")
        del owner

    def _bad(self, value: Value, field: Field, path: str) -> None:
        shown = repr(value) if len(repr(value)) < 80 else repr(value)[:77] + "..."
        rule = "empty-string" if value == "" else "primitive"
        self._add("error", rule, path, f"no {field.type_name}: {shown}")

    def _no_code(self, value: Value, field: Field, path: str) -> None:
        url = field.binding[1].url if field.binding else ""
        self._add("error", "binding-required", path, f"no code of the value set {url}: {value!r}")
