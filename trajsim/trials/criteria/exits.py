"""When members leave: exits, censoring, and the rows of a cohort that are joined and clipped."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_DAY, Days, day_number
from trajsim.trials.criteria.events import Scope
from trajsim.trials.criteria.form import Definition, EventCriterion, ExposureExit, FixedExit, Period
from trajsim.trials.criteria.groups import qualified_events
from trajsim.trials.criteria.source import is_among
from trajsim.trials.criteria.truth import TRUE

_SPAN = np.int64(1) << 42
_NEVER = np.int64(1) << 40


@dataclass(frozen=True, kw_only=True)
class Spans:
    """Person, first and last day, and which input row began each."""

    person: NDArray[np.int64]
    start: Days
    end: Days

    def __len__(self) -> int:
        """How many spans."""
        return len(self.person)

    def take(self, rows: NDArray[np.bool_]) -> "Spans":
        """Some of the spans."""
        return Spans(person=self.person[rows], start=self.start[rows], end=self.end[rows])


def join_spans(spans: Spans, pad: int) -> tuple[Spans, NDArray[np.int64]]:
    """Joins spans of a person that overlap or share a day once their ends are moved by the pad.

    Returns:
        The joined spans with the pad taken off, by person and start; and for each input span the number of its own.
    """
    order = np.lexsort((spans.end, spans.start, spans.person))
    person, start, end = spans.person[order], spans.start[order], spans.end[order] + pad
    reach = np.maximum.accumulate(person * _SPAN + end) if len(person) else person
    opens = np.ones(len(person), bool)
    opens[1:] = person[1:] * _SPAN + start[1:] > reach[:-1]
    opens[1:] |= person[1:] != person[:-1]
    number = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    last = np.r_[first[1:], len(person)] - 1
    joined = Spans(
        person=person[first], start=start[first], end=(reach[last] - person[first] * _SPAN - pad) if len(first) else end
    )
    member = np.empty(len(person), np.int64)
    member[order] = number
    return joined, member


def exit_days(
    definition: Definition, person: NDArray[np.int64], start: Days, end: Days, period_end: Days, scope: Scope
) -> Days:
    """The last day of each event's membership; `NO_DAY` where every exit lies before the entry."""
    best = np.full(len(person), _NEVER)

    def offer(days: Days) -> None:
        usable = (days != NO_DAY) & (days >= start)
        np.minimum(best, np.where(usable, days, _NEVER), out=best)

    if definition.fixed_exit is None:
        offer(period_end)
    else:
        offer(_fixed(definition.fixed_exit, start, end, period_end))
    if definition.exposure_exit is not None:
        offer(_exposure(definition.exposure_exit, person, start, scope))
    for criterion in definition.censoring:
        offer(_first_event(criterion, person, start, period_end, scope))
    return np.where(best == _NEVER, NO_DAY, best)


def _fixed(how: FixedExit, start: Days, end: Days, period_end: Days) -> Days:
    origin = start if how.counted_from == "start" else end
    return np.where(origin == NO_DAY, NO_DAY, np.minimum(origin + how.days, period_end))


def _exposure(how: ExposureExit, person: NDArray[np.int64], start: Days, scope: Scope) -> Days:
    """End of the continuous exposure that holds each start; none where no exposure does."""
    table = scope.source.events("drug", None, persons=scope.persons)
    keys = scope.codes.of_set(how.codes)
    table = table.take(is_among(table.column("code"), keys) | is_among(table.column("source_code"), keys))
    end = table.start + how.days_supply if how.days_supply is not None else table.end
    spans = Spans(person=table.person, start=table.start, end=end)
    eras, _ = join_spans(spans, how.gap_days + how.extra_days)
    if not len(eras):
        return np.full(len(person), NO_DAY)
    slot = np.searchsorted(eras.person * _SPAN + eras.start, person * _SPAN + start, side="right") - 1
    near = np.maximum(slot, 0)
    last = eras.end[near] + how.extra_days
    inside = (slot >= 0) & (eras.person[near] == person) & (start <= last)
    return np.where(inside, last, NO_DAY)


def _first_event(
    criterion: EventCriterion, person: NDArray[np.int64], start: Days, period_end: Days, scope: Scope
) -> Days:
    """First event on or after each start and inside the period; none where there is none."""
    events = qualified_events(criterion, scope)
    certain = events.truth == TRUE
    owner, day = events.person[certain], events.start[certain]
    if not len(owner):
        return np.full(len(person), NO_DAY)
    key = np.sort(owner * _SPAN + day)
    slot = np.searchsorted(key, person * _SPAN + start, side="left")
    near = key[np.minimum(slot, len(key) - 1)] - person * _SPAN
    hit = (slot < len(key)) & (near >= start) & (near <= period_end)
    return np.where(hit, near, NO_DAY)


def clip(spans: Spans, calendar: Period) -> tuple[Spans, NDArray[np.bool_]]:
    """Clips spans to calendar days; also says which are left."""
    start, end = spans.start, spans.end
    left = np.ones(len(spans), bool)
    if calendar.start is not None:
        day = day_number(calendar.start)
        left &= end >= day
        start = np.maximum(start, day)
    if calendar.end is not None:
        day = day_number(calendar.end)
        left &= start <= day
        end = np.minimum(end, day)
    return Spans(person=spans.person, start=start, end=end).take(left), left
