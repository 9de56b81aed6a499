"""Groups of criteria at index events: nested, counted, true, false or unknown."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria import truth as logic
from trajsim.trials.criteria.events import Events, Scope, ages, events_of, has_value_test
from trajsim.trials.criteria.field_tests import codes_truth, days_truth, number_truth
from trajsim.trials.criteria.form import CountedCriterion, EventCriterion, Group, PatientCriterion
from trajsim.trials.criteria.truth import FALSE, TRUE, UNKNOWN, Truth, both
from trajsim.trials.criteria.windows import IndexEvents, count_events, count_evidence, plan_window

_MANY = np.int64(1) << 40


def group_truth(group: Group, index: IndexEvents, scope: Scope) -> Truth:
    """Whether a group holds at each index event. An empty group holds."""
    if group.size == 0:
        return np.full(index.n_events, TRUE)
    n_true = np.zeros(index.n_events, np.int64)
    n_unknown = np.zeros(index.n_events, np.int64)
    for verdict in _verdicts(group, index, scope):
        n_true += verdict == TRUE
        n_unknown += verdict == UNKNOWN
    if scope.is_circe:  # an event in overlapping periods counts each item once a period
        n_true *= index.rows_per_event
    possible = n_true + n_unknown
    if group.need == "all":
        return logic.exactly(n_true, possible, group.size).astype(np.int8)
    if group.need == "any":
        return logic.at_least(n_true, possible, 1).astype(np.int8)
    assert group.n is not None
    limit = logic.at_least if group.need == "at_least" else logic.at_most
    return limit(n_true, possible, group.n).astype(np.int8)


def _verdicts(group: Group, index: IndexEvents, scope: Scope) -> list[Truth]:
    return [
        *(counted_truth(each, index, scope) for each in group.events),
        *(patient_truth(each, index, scope) for each in group.patients),
        *(group_truth(each, index, scope) for each in group.groups),
    ]


def counted_truth(criterion: CountedCriterion, index: IndexEvents, scope: Scope) -> Truth:
    """Whether the number of events in the window is as asked."""
    events = qualified_events(criterion.event, scope)
    plan = plan_window(criterion, index)
    certain = count_events(criterion, events, index, events.truth == TRUE, plan)
    possible = certain
    if np.any(events.truth == UNKNOWN):
        everything = np.ones(len(events), bool)
        possible = count_events(criterion, events, index, everything, plan)
    occurrence = criterion.occurrence
    if scope.is_circe:
        if occurrence.distinct is None and (occurrence.op == "at_most" or occurrence.n == 0):
            certain = possible = certain * index.rows_per_event
    elif _absence_is_unknown(criterion):
        nobody_looked = count_evidence(events, index, plan) == 0
        possible = np.where(nobody_looked, _MANY, possible)
    compare = {"exactly": logic.exactly, "at_least": logic.at_least, "at_most": logic.at_most}[occurrence.op]
    return compare(certain, possible, occurrence.n).astype(np.int8)


def _absence_is_unknown(criterion: CountedCriterion) -> bool:
    if criterion.absence == "auto":
        return has_value_test(criterion.event)
    return criterion.absence == "unknown"


def patient_truth(criterion: PatientCriterion, index: IndexEvents, scope: Scope) -> Truth:
    """Whether the patient is as asked at each index event."""
    if len(index) == 0:
        return np.full(index.n_events, FALSE)
    first = np.zeros(index.n_events, np.int64)
    first[index.event] = np.arange(len(index))  # any row of the event: all have the same days
    person, start, end = index.person[first], index.start[first], index.end[first]
    people = scope.source.people
    out = np.where(people.is_known[person], TRUE, UNKNOWN).astype(np.int8)
    if criterion.age is not None:
        out = both(out, number_truth(ages(start, person, scope.source), criterion.age))
    for name in ("sex", "race", "ethnicity"):
        tests = getattr(criterion, name)
        from_sets = tuple(each for each in tests if each.code_set is not None)
        lists = tuple(each for each in tests if each.code_set is None)
        out = both(out, codes_truth(people.codes[name][person], lists, scope.codes.of_test))
        column = "sex" if scope.is_circe else name  # the reference tests sets of races on the column of sexes
        out = both(out, codes_truth(people.codes[column][person], from_sets, scope.codes.of_test))
    if criterion.start is not None:
        out = both(out, days_truth(start, criterion.start))
    if criterion.end is not None:
        out = both(out, days_truth(end, criterion.end))
    return scope.settle(out)


def qualified_events(criterion: EventCriterion, scope: Scope) -> Events:
    """The events of a criterion, what it asks of other events around them included; each criterion once."""
    if criterion not in scope.cache:
        scope.cache[criterion] = _qualified_events(criterion, scope)
    return scope.cache[criterion]


def _qualified_events(criterion: EventCriterion, scope: Scope) -> Events:
    events = events_of(criterion, scope)
    if criterion.where is None or criterion.where.size == 0:
        return events
    index, has_period = index_in_periods(events, scope)
    verdict = group_truth(criterion.where, index, scope)
    truth = np.full(len(events), FALSE)
    truth[has_period] = verdict[has_period]
    truth = both(events.truth, truth)
    kept = truth != FALSE
    return replace(events, truth=truth).take(kept)


def index_in_periods(events: Events, scope: Scope) -> tuple[IndexEvents, NDArray[np.bool_]]:
    """Index rows of events, one for each observation period that holds the start; and which events have any."""
    event, period = pair_with_periods(events, scope)
    periods = scope.source.periods
    index = IndexEvents(
        person=events.person[event],
        start=events.start[event],
        end=events.end[event],
        visit=events.table.visit[event],
        period_start=periods.start[period],
        period_end=periods.end[period],
        event=event,
        n_events=len(events),
    )
    return index, index.rows_per_event > 0


def pair_with_periods(events: Events, scope: Scope) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Event number and period number of every pair in which the event starts in the period."""
    periods = scope.source.periods
    first, last = periods.first[events.person], periods.first[events.person + 1]
    counts = last - first
    event = np.repeat(np.arange(len(events)), counts)
    period = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts) + first[event]
    start = events.start[event]
    inside = (start >= periods.start[period]) & (start <= periods.end[period])
    return event[inside], period[inside]
