"""From an event criterion to events: who, when, and whether the criterion holds of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_CODE, NO_DAY, Days, Keys, Mask, day_number, years_of
from trajsim.trials.criteria.field_tests import (
    CodeLookup,
    abnormal_truth,
    codes_truth,
    days_truth,
    number_truth,
    ratio,
    text_truth,
)
from trajsim.trials.criteria.form import (
    TEST_NAMES,
    VALUE_TESTS,
    CodeTest,
    Coding,
    DateTest,
    Domain,
    EventCriterion,
    NumberTest,
    Shift,
    TextTest,
)
from trajsim.trials.criteria.source import EventTable, Source, is_among
from trajsim.trials.criteria.truth import FALSE, TRUE, UNKNOWN, Reading, Truth, both

_ABNORMAL_RESULTS = (
    Coding(system="OMOP", code="4155142", display="Abnormally low", concept_id=4155142),
    Coding(system="OMOP", code="4155143", display="Abnormally high", concept_id=4155143),
)
"""The two coded results that Circe counts as abnormal."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a definition is evaluated with.

    Attributes:
        source: The data.
        codes: Its codes, resolved.
        reading: Two-valued as Circe, or three-valued as a screener.
        cache: Events by criterion, so that one that stands in several rules is looked up once.
        persons: Whose events are looked up; None: everybody's.
    """

    source: Source
    codes: CodeLookup
    reading: Reading
    cache: "dict[EventCriterion, Events]" = field(default_factory=dict)
    persons: Mask | None = None

    @property
    def is_circe(self) -> bool:
        """Whether the reference's oddities hold."""
        return self.reading is Reading.CIRCE

    def settle(self, truth: Truth) -> Truth:
        """Under Circe's reading what is not known does not hold."""
        return np.where(truth == UNKNOWN, FALSE, truth).astype(np.int8) if self.is_circe else truth


@dataclass(frozen=True, kw_only=True)
class Events:
    """Events of which a criterion holds, or may hold.

    Attributes:
        table: The rows; days in it are as recorded.
        start: First day, as the criterion has it.
        end: Last day, as the criterion has it; `NO_DAY` where unknown.
        sort: The day by which events are put in order.
        truth: True, or unknown under the screener's reading.
        is_evidence: Rows of which the tests of a value could be answered at all; aligned with `all_table`.
        all_table: All rows of the code set, whatever the tests say.
        all_start: Their first days.
        all_end: Their last days.
    """

    table: EventTable
    start: Days
    end: Days
    sort: Days
    truth: Truth
    all_table: EventTable
    all_start: Days
    all_end: Days
    is_evidence: NDArray[np.bool_]

    @property
    def person(self) -> NDArray[np.int64]:
        """Person numbers."""
        return self.table.person

    def __len__(self) -> int:
        """How many events."""
        return len(self.table)

    def take(self, rows: NDArray[Any]) -> "Events":
        """Some of the events, by number or mask."""
        return replace(
            self,
            table=self.table.take(rows),
            start=self.start[rows],
            end=self.end[rows],
            sort=self.sort[rows],
            truth=self.truth[rows],
        )


def events_of(criterion: EventCriterion, scope: Scope) -> Events:
    """The events of a criterion, without what it asks of other events around them (`where`)."""
    table = _rows(criterion, scope)
    start, end, keep = _days(criterion, table)
    if not keep.all():
        table, start, end = table.take(keep), start[keep], end[keep]
    truth = np.full(len(table), TRUE)
    evidence = np.full(len(table), fill_value=True)
    for name in TEST_NAMES:
        if not getattr(criterion, name):
            continue
        verdict = _test(name, criterion, table, start, end, scope)
        if name in VALUE_TESTS:
            evidence &= verdict != UNKNOWN
        truth = both(truth, verdict)
    truth = scope.settle(truth)
    kept = truth != FALSE
    sort = start if criterion.domain not in {"observation_period", "payer_period"} else table.start
    return Events(
        table=table.take(kept),
        start=start[kept],
        end=end[kept],
        sort=sort[kept],
        truth=truth[kept],
        all_table=table,
        all_start=start,
        all_end=end,
        is_evidence=evidence,
    )


def has_value_test(criterion: EventCriterion) -> bool:
    """Whether a result has to be known."""
    return any(getattr(criterion, name) for name in VALUE_TESTS)


def _rows(criterion: EventCriterion, scope: Scope) -> EventTable:
    """Rows of the code sets, and of those the first a person where only that counts."""
    keys = None if criterion.codes is None else scope.codes.of_set(criterion.codes)
    table = scope.source.events(criterion.domain, keys, persons=scope.persons)
    if criterion.source_codes is not None:
        sources: Keys = table.column("source_code")
        table = table.take(is_among(sources, scope.codes.of_set(criterion.source_codes)))
    if criterion.first:
        is_first = np.ones(len(table), bool)
        is_first[1:] = table.person[1:] != table.person[:-1]
        table = table.take(is_first)
    return table


def _days(criterion: EventCriterion, table: EventTable) -> tuple[Days, Days, NDArray[np.bool_]]:
    """Days of the events after a shift or under user-given days, and which events are left."""
    start, end = table.start, table.end
    keep = np.ones(len(table), bool)
    if criterion.shift is not None:
        start, end = _shifted(criterion.shift, table)
        keep &= (end >= start) & (start != NO_DAY) & (end != NO_DAY)
    user = criterion.user_period
    if user is not None:
        if user.start is not None:
            day = day_number(user.start)
            keep &= (table.start <= day) & (table.end >= day)
            start = np.full(len(table), day)
        if user.end is not None:
            day = day_number(user.end)
            keep &= (table.start <= day) & (table.end >= day)
            end = np.full(len(table), day)
    return start, end, keep


def _shifted(shift: Shift, table: EventTable) -> tuple[Days, Days]:
    def moved(origin: str, days: int) -> Days:
        base = table.start if origin == "start" else table.end
        return np.where(base == NO_DAY, NO_DAY, base + days)

    return moved(shift.start_from, shift.start_days), moved(shift.end_from, shift.end_days)


def _test(  # the tests need all that there is of an event
    name: str, criterion: EventCriterion, table: EventTable, start: Days, end: Days, scope: Scope
) -> Truth:
    test = getattr(criterion, name)
    if name == "gap_days" and scope.is_circe:
        test = criterion.length  # the reference puts the thresholds of the era's length to the gap
    if isinstance(test, DateTest):
        return _date_verdict(name, test, criterion, table, start, end, scope)
    if isinstance(test, TextTest):
        return text_truth(table.column(name), test)
    if isinstance(test, NumberTest):
        return number_truth(_number(name, criterion, table, start, end, scope), test)
    if name == "abnormal":
        keys = scope.source.keys_of_list(_ABNORMAL_RESULTS)
        limits = table.column("range_low"), table.column("range_high")
        return abnormal_truth(table.column("value"), *limits, table.column("value_code"), keys)
    if isinstance(test, str):  # a code set by name
        test = (CodeTest(code_set=test),)
    values = scope.source.people.codes["sex"][table.person] if name == "sex" else table.column(name)
    verdict = codes_truth(values, test, scope.codes.of_test)
    if name == "sex":
        verdict = np.where(scope.source.people.is_known[table.person], verdict, UNKNOWN).astype(np.int8)
    return verdict


def _date_verdict(
    name: str, test: DateTest, criterion: EventCriterion, table: EventTable, start: Days, end: Days, scope: Scope
) -> Truth:
    if criterion.domain in {"observation_period", "payer_period"}:
        return days_truth(table.start if name == "start" else table.end, test)
    is_drug_oddity = scope.is_circe and criterion.domain == "drug" and name == "end"
    return days_truth(start if name == "start" or is_drug_oddity else end, test)


def _number(
    name: str, criterion: EventCriterion, table: EventTable, start: Days, end: Days, scope: Scope
) -> NDArray[np.float64]:
    raw = criterion.domain in {"observation_period", "payer_period"}
    first, last = (table.start, table.end) if raw else (start, end)
    if name == "length":
        return np.where(last == NO_DAY, np.nan, (last - first).astype(np.float64))
    if name in {"age", "age_at_end"}:
        is_last = name == "age_at_end" or criterion.domain == "visit_detail"
        return ages(last if is_last else first, table.person, scope.source)
    if name in {"value_to_low", "value_to_high"}:
        return ratio(table.column("value"), table.column("range_low" if name == "value_to_low" else "range_high"))
    column: NDArray[np.float64] = table.column(name)
    return column


def ages(days: Days, person: NDArray[np.int64], source: Source) -> NDArray[np.float64]:
    """Calendar year of the day minus year of birth: criteria speak of years, not of birthdays."""
    years = years_of(days) - source.people.birth_year[person]
    return np.where(days == NO_DAY, np.nan, years)


def count_column(events: Events, name: str, domain: Domain) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A column of the events as numbers that tell its values apart, and where there is a value."""
    values: NDArray[Any]
    if name in {"start", "end"}:
        values = events.start if name == "start" else events.end
        known = values != NO_DAY
    elif name == "visit":
        values = events.table.visit
        known = values != NO_CODE
    elif name == "length":
        values = events.end - events.start
        known = events.end != NO_DAY
    else:
        values = events.table.column(name)
        known = ~np.isnan(values) if values.dtype == np.float64 else values != NO_CODE
        if domain == "death":
            known = np.ones(len(values), bool)  # an unknown cause counts as one cause
    _, numbers = np.unique(values, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64), known
