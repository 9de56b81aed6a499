"""Evaluates criteria on a source, all patients at once: entry, additional criteria, rules, limits, exits, cohort.

Source: the order of steps follows OHDSI circe-be (commit 9a80aa71), as the conformance cases pin it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_DAY, Days, Mask
from trajsim.trials.criteria.events import Events, Scope
from trajsim.trials.criteria.exits import Spans, clip, exit_days, join_spans
from trajsim.trials.criteria.field_tests import CodeLookup
from trajsim.trials.criteria.form import Definition, Keep
from trajsim.trials.criteria.groups import group_truth, pair_with_periods, qualified_events
from trajsim.trials.criteria.result import Evaluation
from trajsim.trials.criteria.source import Source
from trajsim.trials.criteria.truth import FALSE, TRUE, UNKNOWN, Reading, Truth, both
from trajsim.trials.criteria.usable import require_usable
from trajsim.trials.criteria.windows import IndexEvents


def evaluate(definition: Definition, source: Source, *, reading: Reading = Reading.SCREENING) -> Evaluation:
    """Says who is eligible, by which rule, and from when to when.

    Args:
        definition: The criteria.
        source: The data: `RecordsSource` or `OmopSource`.
        reading: `Reading.CIRCE` answers as OHDSI's reference does, oddities included; `Reading.SCREENING` answers as
            meant, and with unknown where nobody recorded what a criterion asks.

    Returns:
        Every candidate event with the verdict of every rule, and the cohort.

    Raises:
        CriteriaError: The definition cannot be run under that reading; all faults at once.

    Guarantees:
        Patients are independent: shards evaluated one by one and joined are the whole.
        (tests/property/test_criteria_by_hand.py)
    """
    require_usable(definition, source, reading)
    sets = {each.name: source.keys_of_set(each) for each in definition.code_sets}
    scope = Scope(source=source, codes=CodeLookup(source, sets), reading=reading)
    index = _entry_events(definition, scope)
    scope = replace(scope, persons=_persons_of(index, source))
    additional = np.full(len(index), TRUE)
    if definition.additional is not None:
        additional = group_truth(definition.additional, index, scope)
        kept = np.flatnonzero(additional != FALSE)
        kept = kept[_limit(index.person[kept], index.start[kept], definition.keep_additional)]
        index, additional = _take(index, kept), additional[kept]
    verdicts = np.full((len(definition.rules), len(index)), TRUE)
    for number, rule in enumerate(definition.rules):
        verdicts[number] = group_truth(rule.group, index, scope)
    return _result(definition, scope, index, additional, verdicts)


def _entry_events(definition: Definition, scope: Scope) -> IndexEvents:
    """Entry events in their observation periods, in order by person, limited as the entry asks."""
    entry = definition.entry
    parts = [_in_periods(qualified_events(each, scope), scope) for each in entry.any_of]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    person, start, end, visit, sort, record, period = columns
    periods = scope.source.periods
    first, last = periods.start[period], periods.end[period]
    keep = (first + entry.days_before <= start) & (start + entry.days_after <= last)
    order = np.lexsort((first, record, -sort if entry.keep == "last" else sort, person))
    order = order[keep[order]]
    if entry.keep != "all":
        order = order[_first_of_each(person[order])]
    return IndexEvents(
        person=person[order],
        start=start[order],
        end=end[order],
        visit=visit[order],
        period_start=first[order],
        period_end=last[order],
        event=np.arange(len(order)),
        n_events=len(order),
    )


def _in_periods(events: Events, scope: Scope) -> tuple[NDArray[np.int64], ...]:
    """Columns of the certain events, once for each observation period that holds them."""
    certain = events.take(events.truth == TRUE)
    event, period = pair_with_periods(certain, scope)
    table = certain.table
    columns = (table.person, certain.start, certain.end, table.visit, certain.sort, table.record)
    return (*(column[event] for column in columns), period)


def _persons_of(index: IndexEvents, source: Source) -> Mask:
    """Who has an entry event: nobody else's records matter from here on."""
    has_entry = np.zeros(len(source.people), bool)
    has_entry[index.person] = True
    return has_entry


def _first_of_each(person: NDArray[np.int64]) -> NDArray[np.bool_]:
    first = np.ones(len(person), bool)
    first[1:] = person[1:] != person[:-1]
    return first


def _limit(person: NDArray[np.int64], start: Days, keep: Keep) -> NDArray[np.int64]:
    """Positions of the events that a limit keeps, in order by person and start."""
    order = np.lexsort((-start if keep == "last" else start, person))
    return order if keep == "all" else order[_first_of_each(person[order])]


def _take(index: IndexEvents, rows: NDArray[np.int64]) -> IndexEvents:
    return IndexEvents(
        person=index.person[rows],
        start=index.start[rows],
        end=index.end[rows],
        visit=index.visit[rows],
        period_start=index.period_start[rows],
        period_end=index.period_end[rows],
        event=np.arange(len(rows)),
        n_events=len(rows),
    )


@dataclass(frozen=True, kw_only=True)
class _Cohort:
    spans: Spans
    verdict: Truth
    n_lost: int | None


def _result(
    definition: Definition, scope: Scope, index: IndexEvents, additional: Truth, verdicts: NDArray[np.int8]
) -> Evaluation:
    overall = additional
    for verdict in verdicts:
        overall = both(overall, verdict)
    included = np.flatnonzero(overall != FALSE)
    included = included[_limit(index.person[included], index.start[included], definition.keep)]
    cohort = _cohort(definition, scope, _take(index, included), overall[included])
    return Evaluation(
        rules=tuple(rule.name for rule in definition.rules),
        patient_ids=scope.source.people.ids,
        patient=index.person,
        start=index.start,
        end=index.end,
        additional=additional,
        verdicts=verdicts,
        cohort_patient=cohort.spans.person,
        cohort_start=cohort.spans.start,
        cohort_end=cohort.spans.end,
        cohort_verdict=cohort.verdict,
        n_lost=cohort.n_lost,
    )


def _cohort(definition: Definition, scope: Scope, index: IndexEvents, overall: Truth) -> _Cohort:
    """Rows of the cohort: exits set, near rows joined, clipped to the calendar."""
    end = exit_days(definition, index.person, index.start, index.end, index.period_end, scope)
    stays = end != NO_DAY
    rows = Spans(person=index.person, start=index.start, end=end).take(stays)
    joined, member = join_spans(rows, definition.pad_days)
    certain = np.zeros(len(joined), bool)
    certain[member[overall[stays] == TRUE]] = True  # a row is certain when one of the events in it is
    verdict = np.where(certain, TRUE, UNKNOWN).astype(np.int8)
    calendar = definition.calendar
    if calendar.start is None and calendar.end is None:
        return _Cohort(spans=joined, verdict=verdict, n_lost=None)
    clipped, left = clip(joined, calendar)
    n_lost = len(np.setdiff1d(joined.person, clipped.person))
    return _Cohort(spans=clipped, verdict=verdict[left], n_lost=n_lost)
