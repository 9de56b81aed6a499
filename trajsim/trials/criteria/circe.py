"""Reads OHDSI Circe cohort expressions (the JSON that ATLAS exports) into the form.

Everything that the form cannot say is refused by name and JSON path, all of it at once. What Circe itself ignores
(unknown keys) is reported, never refused; what Circe rounds or cuts is rounded or cut here, and said.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trajsim.trials.criteria.circe_events import EventReader
from trajsim.trials.criteria.circe_values import Values
from trajsim.trials.criteria.documents import NotReadableError, parse_json
from trajsim.trials.criteria.findings import Finding, require_no_errors, sort_findings
from trajsim.trials.criteria.form import (
    CodeSet,
    Coding,
    Definition,
    Entry,
    EventCriterion,
    ExposureExit,
    FixedExit,
    Group,
    Keep,
    Period,
    Rule,
)
from trajsim.trials.criteria.truth import Reading
from trajsim.trials.criteria.usable import usability_findings

_TOP = {
    *("ConceptSets", "PrimaryCriteria", "AdditionalCriteria", "QualifiedLimit", "ExpressionLimit", "InclusionRules"),
    *("EndStrategy", "CensoringCriteria", "CollapseSettings", "CensorWindow", "cdmVersionRange", "Title"),
}

_PLACES = {
    "$.calendar": "$.CensorWindow",
    "$.entry.any_of": "$.PrimaryCriteria.CriteriaList",
    "$.exposure_exit.codes": "$.EndStrategy.CustomEra.DrugCodesetId",
    "$.fixed_exit": "$.EndStrategy.DateOffset",
    "$.keep": "$.ExpressionLimit",
}


def read_circe(path: Path, *, reading: Reading = Reading.CIRCE) -> Definition:
    """Reads a Circe expression from a file.

    Args:
        path: JSON, as ATLAS exports it.
        reading: How it will be read; Circe's own reading also refuses what Circe's own query fails on.

    Returns:
        The definition.

    Raises:
        CriteriaError: Every fault, by file and JSON path.
    """
    return import_circe(path.read_bytes(), file=str(path), reading=reading)


def import_circe(data: bytes, *, file: str = "", reading: Reading = Reading.CIRCE) -> Definition:
    """Reads a Circe expression.

    Args:
        data: JSON text.
        file: What to call it in messages.
        reading: How it will be read.

    Returns:
        The definition.

    Raises:
        CriteriaError: Every fault, by file and JSON path.

    Source:
        OHDSI circe-be, commit 9a80aa71 (1.12.1), as the conformance cases pin it.
    """
    definition, findings = parse_circe(data, file=file)
    if definition is not None:
        more = usability_findings(definition, None, reading)
        findings = sort_findings({*findings, *(in_expression(each, file) for each in more)})
    require_no_errors(findings)
    assert definition is not None  # without one there is an error
    return definition


def parse_circe(data: bytes, *, file: str = "") -> tuple[Definition | None, list[Finding]]:
    """Reads a Circe expression as far as it goes, for the linter.

    Returns:
        The definition, None if there is none to be seen; and all findings of the reader.
    """
    values = Values(file=file)
    try:
        document = parse_json(data)
    except NotReadableError as error:
        values.error("CRT101", "$", str(error))
        return None, values.findings
    if not isinstance(document, dict):
        values.error("CRT101", "$", f"expected a cohort expression, got {type(document).__name__}")
        return None, values.findings
    definition = _Reader(values).definition(document)
    return definition, sort_findings(values.findings)


def in_expression(finding: Finding, file: str) -> Finding:
    """A finding about the form, at the place where a Circe expression has what it speaks of."""
    return replace(finding, file=file, path=_PLACES.get(finding.path, finding.path))


class _Reader:
    """Reads the parts of an expression above the single criterion."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._events = EventReader(values)

    def definition(self, document: Mapping[str, Any]) -> Definition:
        values = self._values
        values.ignore_unknown(document, _TOP, "$")
        sets = self._code_sets(document)
        names = {each.name for each in sets}
        exits = self._exit(document)
        censor = values.mapping(document, "CensorWindow", "$")
        period = Period(
            start=values.day(censor, "StartDate", "$.CensorWindow"), end=values.day(censor, "EndDate", "$.CensorWindow")
        )
        additional = document.get("AdditionalCriteria")
        definition = Definition(
            name=str(document.get("Title") or ""),
            entry=self._entry(document),
            code_sets=sets,
            additional=None if additional is None else self._events.group(additional, "$.AdditionalCriteria"),
            keep_additional=self._limit(document, "QualifiedLimit", "$"),
            rules=self._rules(document),
            keep=self._limit(document, "ExpressionLimit", "$"),
            fixed_exit=exits if isinstance(exits, FixedExit) else None,
            exposure_exit=exits if isinstance(exits, ExposureExit) else None,
            censoring=self._censoring(document),
            pad_days=self._pad(document),
            calendar=period,
        )
        for path, name in self._events.used_sets:
            if name not in names:
                values.warn("CRT204", path, f"no concept set {name}: nothing matches")
        return definition

    def _code_sets(self, document: Mapping[str, Any]) -> tuple[CodeSet, ...]:
        out = []
        for path, item in self._values.mappings(document, "ConceptSets", "$"):
            expression = self._values.mapping(item, "expression", path)
            number = item.get("id")
            if not isinstance(number, int):
                self._values.error("CRT103", f"{path}.id", f"expected a whole number, got {number!r}")
                continue
            codes = tuple(
                self._coding(each, where)
                for where, each in self._values.mappings(expression, "items", f"{path}.expression")
            )
            out.append(CodeSet(name=str(number), title=str(item.get("name") or "").strip(), codes=codes, path=path))
        return tuple(out)

    def _coding(self, item: Mapping[str, Any], path: str) -> Coding:
        coding = self._values.coding(self._values.mapping(item, "concept", path), f"{path}.concept")
        return replace(
            coding,
            descendants=self._values.flag(item, "includeDescendants", path),
            mapped=self._values.flag(item, "includeMapped", path),
            excluded=self._values.flag(item, "isExcluded", path),
        )

    def _entry(self, document: Mapping[str, Any]) -> Entry:
        values = self._values
        if not isinstance(document.get("PrimaryCriteria"), dict):
            values.error("CRT201", "$.PrimaryCriteria", "no entry criteria: nobody can enter")
            return Entry(any_of=())
        primary = values.mapping(document, "PrimaryCriteria", "$")
        path = "$.PrimaryCriteria"
        criteria = [self._events.wrapped(each, where) for where, each in values.mappings(primary, "CriteriaList", path)]
        if not isinstance(primary.get("ObservationWindow"), dict):
            values.error("CRT104", f"{path}.ObservationWindow", "no observation window around the entry event")
        window = values.mapping(primary, "ObservationWindow", path)
        return Entry(
            any_of=tuple(each for each in criteria if each is not None),
            days_before=values.whole(window, "PriorDays", f"{path}.ObservationWindow", default=0),
            days_after=values.whole(window, "PostDays", f"{path}.ObservationWindow", default=0),
            keep=self._limit(primary, "PrimaryCriteriaLimit", path),
        )

    def _limit(self, parent: Mapping[str, Any], key: str, path: str) -> Keep:
        limit = self._values.mapping(parent, key, path)
        kind = limit.get("Type", "First")
        if isinstance(kind, str) and kind.lower() in {"all", "first", "last"}:
            return kind.lower()  # type: ignore[return-value]
        self._values.warn("CRT102", f"{path}.{key}.Type", f"no limit {kind!r}: Circe takes the first event")
        return "first"

    def _rules(self, document: Mapping[str, Any]) -> tuple[Rule, ...]:
        out = []
        for number, (path, item) in enumerate(self._values.mappings(document, "InclusionRules", "$")):
            expression = item.get("expression")
            group = Group() if expression is None else self._events.group(expression, f"{path}.expression")
            out.append(
                Rule(
                    name=str(item.get("name") or f"rule {number + 1}"),
                    description=str(item.get("description") or ""),
                    group=group,
                    path=path,
                )
            )
        return tuple(out)

    def _exit(self, document: Mapping[str, Any]) -> FixedExit | ExposureExit | None:
        values = self._values
        strategy = values.mapping(document, "EndStrategy", "$")
        for key in strategy:
            if key not in {"DateOffset", "CustomEra"}:
                values.error("CRT106", f"$.EndStrategy.{key}", f"no end strategy {key!r}")
        if isinstance(strategy.get("DateOffset"), dict):
            offset, path = strategy["DateOffset"], "$.EndStrategy.DateOffset"
            field = values.one_of(
                offset, "DateField", path, {"StartDate": "start", "EndDate": "end"}, default="StartDate"
            )
            days = values.whole(offset, "Offset", path, default=0)
            return FixedExit(counted_from="end" if field == "end" else "start", days=days)
        if isinstance(strategy.get("CustomEra"), dict):
            era, path = strategy["CustomEra"], "$.EndStrategy.CustomEra"
            number = era.get("DrugCodesetId")
            if not isinstance(number, int):
                values.error("CRT104", f"{path}.DrugCodesetId", "continuous exposure without concept set")
            self._events.used_sets.append((f"{path}.DrugCodesetId", str(number)))
            supply = era.get("DaysSupplyOverride")
            return ExposureExit(
                codes=str(number),
                gap_days=values.whole(era, "GapDays", path, default=0),
                extra_days=values.whole(era, "Offset", path, default=0),
                days_supply=None if supply is None else values.whole(era, "DaysSupplyOverride", path, default=0),
            )
        return None

    def _censoring(self, document: Mapping[str, Any]) -> tuple[EventCriterion, ...]:
        found = [
            self._events.wrapped(each, where)
            for where, each in self._values.mappings(document, "CensoringCriteria", "$")
        ]
        return tuple(each for each in found if each is not None)

    def _pad(self, document: Mapping[str, Any]) -> int:
        settings = self._values.mapping(document, "CollapseSettings", "$")
        self._values.one_of(settings, "CollapseType", "$.CollapseSettings", {"ERA": "era"}, default="ERA")
        return self._values.whole(settings, "EraPad", "$.CollapseSettings", default=0)
