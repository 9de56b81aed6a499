"""Counts events in a window around each index event, for all patients at once.

Events of a code set lie sorted by person and day, so that a window is two binary searches. Only where more is asked
than a range of start days (ends, visits, distinct values) are index events and events paired, in blocks of bounded
size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_CODE, NO_DAY, Days, Keys
from trajsim.trials.criteria.events import Events, count_column
from trajsim.trials.criteria.form import CountedCriterion, Window
from trajsim.trials.criteria.source import Order, order_of

_SPAN = np.int64(1) << 22
_HALF = np.int64(1) << 21
_FAR = _HALF - 1
_BLOCK = 1 << 22


@dataclass(frozen=True, kw_only=True)
class IndexEvents:
    """The events that windows count from.

    Attributes:
        person: Person numbers.
        start: First day.
        end: Last day; `NO_DAY` where unknown.
        visit: Visit ids; `NO_CODE` where none.
        period_start: First day of the observation period that it lies in.
        period_end: Last day of that period.
        event: Which event a row belongs to: an event inside overlapping periods has a row for each.
        n_events: How many events.
    """

    person: NDArray[np.int64]
    start: Days
    end: Days
    visit: Keys
    period_start: Days
    period_end: Days
    event: NDArray[np.int64]
    n_events: int

    def __len__(self) -> int:
        """How many rows."""
        return len(self.person)

    @property
    def rows_per_event(self) -> NDArray[np.int64]:
        """How often each event stands here."""
        return np.bincount(self.event, minlength=self.n_events)


@dataclass(frozen=True, kw_only=True)
class DayRange:
    """First and last day that an event may have, by index row; `dead` rows have none."""

    low: Days
    high: Days
    dead: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Event rows that are counted, sorted by person and start, which are the key; visits where they are asked for."""

    end: Days
    visit: Keys | None
    key: NDArray[np.int64]

    @staticmethod
    def sorted(person: NDArray[np.int64], start: Days, end: Days, visit: Keys | None) -> "tuple[_Rows, Order]":
        """Puts rows in order (a shift may have moved them) and says where they stood."""
        key = _key(person, start)
        if bool(np.all(key[1:] >= key[:-1])):
            return _Rows(end=end, visit=visit, key=key), slice(None)
        order = order_of(person, start)
        return _Rows(end=end[order], visit=None if visit is None else visit[order], key=key[order]), order


def _key(person: NDArray[np.int64], day: Days) -> NDArray[np.int64]:
    """Person and day as one number in their order."""
    return person * _SPAN + np.clip(day, -_FAR, _FAR) + _HALF


def day_range(window: Window, index: IndexEvents, *, in_period: bool) -> DayRange:
    """The days of a window around each index event; an open edge is the edge of the period, or none at all."""
    origin = index.end if window.from_index_end else index.start
    dead = np.zeros(len(index), bool)
    low = np.full(len(index), -_FAR)
    high = np.full(len(index), _FAR)
    if window.first_day is not None:
        low = origin + window.first_day
        dead |= origin == NO_DAY
    elif in_period:
        low = index.period_end if window.first_is_period_end else index.period_start
    if window.last_day is not None:
        high = origin + window.last_day
        dead |= origin == NO_DAY
    elif in_period:
        high = index.period_start if window.last_is_period_start else index.period_end
    return DayRange(low=low, high=high, dead=dead)


def _joined(ranges: list[DayRange], n: int) -> DayRange:
    low, high, dead = np.full(n, -_FAR), np.full(n, _FAR), np.zeros(n, bool)
    for each in ranges:
        low, high, dead = np.maximum(low, each.low), np.minimum(high, each.high), dead | each.dead
    return DayRange(low=low, high=high, dead=dead)


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """The conditions of a counted criterion on pairs of index row and event row.

    Attributes:
        starts: Days that the start may have.
        ends: Days that the end may have; None: any.
        same_visit: Both belong to one visit.
    """

    starts: DayRange
    ends: DayRange | None
    same_visit: bool


def plan_window(criterion: CountedCriterion, index: IndexEvents) -> WindowPlan:
    """Joins period, windows and visit of a criterion."""
    in_period = not criterion.any_period
    starts: list[DayRange] = []
    ends: list[DayRange] = []
    if in_period:
        none = np.zeros(len(index), bool)
        starts.append(DayRange(low=index.period_start, high=index.period_end, dead=none))
    for window in (criterion.window, criterion.end_window):
        if window is not None:
            (ends if window.of_event_end else starts).append(day_range(window, index, in_period=in_period))
    n = len(index)
    return WindowPlan(
        starts=_joined(starts, n), ends=_joined(ends, n) if ends else None, same_visit=criterion.same_visit
    )


def count_events(
    criterion: CountedCriterion, events: Events, index: IndexEvents, wanted: NDArray[np.bool_], plan: WindowPlan
) -> NDArray[np.int64]:
    """How many of the wanted events lie in the window of each index event; distinct values where asked."""
    visit = events.table.visit[wanted] if plan.same_visit else None
    rows, order = _Rows.sorted(events.person[wanted], events.start[wanted], events.end[wanted], visit)
    distinct = criterion.occurrence.distinct
    if distinct is None:
        return _count(rows, index, plan)
    values, known = count_column(events, distinct, criterion.event.domain)
    return _count_distinct(rows, values[wanted][order], known[wanted][order], index, plan)


def count_evidence(events: Events, index: IndexEvents, plan: WindowPlan) -> NDArray[np.int64]:
    """How many rows of the code set with a known result lie in the window of each index event."""
    use = events.is_evidence
    table = events.all_table
    visit = table.visit[use] if plan.same_visit else None
    rows, _ = _Rows.sorted(table.person[use], events.all_start[use], events.all_end[use], visit)
    return _count(rows, index, plan)


def _bounds(rows: _Rows, index: IndexEvents, plan: WindowPlan) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one past the last row whose start lies in each index row's range."""
    first = np.searchsorted(rows.key, _key(index.person, plan.starts.low), side="left")
    last = np.searchsorted(rows.key, _key(index.person, plan.starts.high), side="right")
    empty = plan.starts.dead | (last < first)
    if plan.ends is not None:
        empty |= plan.ends.dead
    return first, np.where(empty, first, last)


def _count(rows: _Rows, index: IndexEvents, plan: WindowPlan) -> NDArray[np.int64]:
    first, last = _bounds(rows, index, plan)
    if plan.ends is None and not plan.same_visit:
        return _sum_by(index.event, last - first, index.n_events)
    out = np.zeros(index.n_events, np.int64)
    for block in _blocks(first, last):
        row, pair = _pairs(first, last, block)
        hit = _fits(rows, index, plan, row, pair)
        out += np.bincount(index.event[row[hit]], minlength=index.n_events)
    return out


def _sum_by(event: NDArray[np.int64], counts: NDArray[np.int64], n_events: int) -> NDArray[np.int64]:
    if len(event) == n_events and bool(np.all(event == np.arange(n_events))):  # one row an event
        return counts
    return np.bincount(event, weights=counts, minlength=n_events).astype(np.int64)


def _count_distinct(
    rows: _Rows, values: NDArray[np.int64], known: NDArray[np.bool_], index: IndexEvents, plan: WindowPlan
) -> NDArray[np.int64]:
    first, last = _bounds(rows, index, plan)
    width = np.int64(values.max() + 1 if len(values) else 1)
    found = []
    for block in _blocks(first, last):
        row, pair = _pairs(first, last, block)
        hit = _fits(rows, index, plan, row, pair) & known[pair]
        found.append(np.unique(index.event[row[hit]] * width + values[pair[hit]]))
    both = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
    return np.bincount(both // width, minlength=index.n_events)


def _blocks(first: NDArray[np.int64], last: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cuts index rows so that no block has many more than `_BLOCK` pairs."""
    total = np.cumsum(last - first)
    if not len(total) or total[-1] == 0:
        return []
    cuts = np.searchsorted(total, np.arange(_BLOCK, total[-1], _BLOCK))
    edges = np.unique(np.r_[0, cuts, len(total)])
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _pairs(
    first: NDArray[np.int64], last: NDArray[np.int64], block: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index row and event row of every pair of a block."""
    start, stop = block
    counts = last[start:stop] - first[start:stop]
    row = np.repeat(np.arange(start, stop), counts)
    offsets = np.repeat(np.cumsum(counts) - counts, counts)
    return row, np.arange(len(row)) - offsets + first[row]


def _fits(
    rows: _Rows, index: IndexEvents, plan: WindowPlan, row: NDArray[np.int64], pair: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether pairs keep what is asked besides the range of start days."""
    fits = np.ones(len(row), bool)
    if plan.ends is not None:
        end = rows.end[pair]
        fits &= (end >= plan.ends.low[row]) & (end <= plan.ends.high[row]) & (end != NO_DAY)
    if plan.same_visit:
        assert rows.visit is not None
        visit = index.visit[row]
        fits &= (visit == rows.visit[pair]) & (visit != NO_CODE)
    return fits
