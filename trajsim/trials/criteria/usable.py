"""Refuses what cannot be evaluated, all faults at once, before anything runs."""

from collections.abc import Iterator

from trajsim.trials.criteria.findings import Finding, require_no_errors
from trajsim.trials.criteria.form import (
    COLUMNS_OF,
    TEST_NAMES,
    TESTS_OF,
    CountedCriterion,
    DateTest,
    Definition,
    EventCriterion,
    Group,
    NumberTest,
    PatientCriterion,
)
from trajsim.trials.criteria.source import Source
from trajsim.trials.criteria.truth import Reading
from trajsim.trials.criteria.walk import Place, places, tests_of

_KEPT_BY_WHERE = frozenset({"start", "end", "visit"})


def require_usable(definition: Definition, source: Source | None, reading: Reading) -> None:
    """Checks that a definition can be evaluated.

    Args:
        definition: The criteria.
        source: The data, if what they lack shall be refused too.
        reading: How the criteria will be read.

    Raises:
        CriteriaError: All that stands in the way.
    """
    require_no_errors(usability_findings(definition, source, reading))


def usability_findings(definition: Definition, source: Source | None, reading: Reading) -> Iterator[Finding]:
    """What stands in the way of evaluating a definition."""
    if not definition.entry.any_of:
        yield _error("CRT201", "$.entry.any_of", "no entry criteria: nobody can enter")
    for place in places(definition):
        part = place.part
        if isinstance(part, EventCriterion | PatientCriterion):
            yield from range_findings(place, part)
        if isinstance(part, EventCriterion):
            yield from _event_findings(place, part, reading)
            if source is not None:
                yield from _lacking(place, part, source, reading)
        elif isinstance(part, CountedCriterion):
            yield from _count_findings(place, part, reading)
        elif isinstance(part, Group) and part.need in {"at_least", "at_most"} and part.n is None:
            yield _error("CRT104", place.path, f"a group that needs {part.need} without a number")


def _error(rule: str, path: str, message: str, hint: str | None = None) -> Finding:
    return Finding(rule=rule, severity="error", path=path, message=message, hint=hint)


def range_findings(place: Place, part: EventCriterion | PatientCriterion) -> Iterator[Finding]:
    """Ranges that lack a value."""
    for name, own, test in tests_of(part):
        if not isinstance(test, NumberTest | DateTest):
            continue
        path = own or f"{place.path}.{name}"
        if test.value is None:
            yield _error("CRT301", path, f"the test of {name} in {place.where} has no value")
        if test.op in {"between", "outside"} and test.upper is None:
            yield _error("CRT302", path, f"the test of {name} in {place.where} has no second value")


def _event_findings(place: Place, part: EventCriterion, reading: Reading) -> Iterator[Finding]:
    for name in TEST_NAMES:
        if getattr(part, name) and name not in TESTS_OF[part.domain]:
            yield _error("CRT209", f"{place.path}.{name}", f"events of domain {part.domain!r} have no {name}")
    if part.domain == "location":
        yield _error("CRT106", place.path, "where a patient lives cannot be a criterion yet")
    if part.user_period is not None and part.domain not in {"observation_period", "payer_period"}:
        yield _error("CRT209", f"{place.path}.user_period", f"events of domain {part.domain!r} take no user period")
    if reading is not Reading.CIRCE:
        return
    fails = "Circe's own query fails here"
    if part.gap_days is not None and part.length is None:
        yield _error("CRT108", place.path, f"a test of gap days without one of the era's length: {fails}")
    if part.abnormal and not part.value_code:
        yield _error("CRT108", place.path, f"a test for abnormal results without one of the coded result: {fails}")
    if part.domain == "drug" and (part.dose is not None or part.dose_unit):
        yield _error("CRT108", place.path, f"a test of the dose of a drug exposure: {fails}")


def _count_findings(place: Place, part: CountedCriterion, reading: Reading) -> Iterator[Finding]:
    column, domain = part.occurrence.distinct, part.event.domain
    if column is None:
        return
    if column not in COLUMNS_OF[domain]:
        yield _error("CRT102", place.path, f"events of domain {domain!r} have no column {column!r} to count by")
    nested = part.event.where is not None and part.event.where.size > 0
    if reading is Reading.CIRCE and nested and column not in _KEPT_BY_WHERE:
        yield _error(
            "CRT108",
            place.path,
            f"distinct {column} of events that carry criteria of their own: Circe's own query fails here",
        )


def _lacking(place: Place, part: EventCriterion, source: Source, reading: Reading) -> Iterator[Finding]:
    """Under Circe's reading a test without data is never passed, in silence; a screener does not know, and asks."""
    for name in ("", *TEST_NAMES):
        if (not name or getattr(part, name)) and source.lacks(part.domain, name):
            what = f"{name} of events of domain {part.domain!r}" if name else f"events of domain {part.domain!r}"
            if reading is Reading.CIRCE or not name:
                yield _error("CRT602", place.path, f"these data hold no {what}")
