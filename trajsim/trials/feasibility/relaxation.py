"""Relaxation: moves one limit of one criterion after the other and counts who would come back.

Tried are: leaving a criterion out; every number it asks for, in steps to either side; fewer events than it asks for;
and windows twice as long or half as long. A move counts with those it brings and those it costs, since a narrower
exclusion widens a trial. What a wider trial does to its endpoint stands beside: people who come back may be healthier.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np

from trajsim.trials.criteria.form import (
    TEST_NAMES,
    CountedCriterion,
    Definition,
    EventCriterion,
    Group,
    NumberTest,
    PatientCriterion,
)
from trajsim.trials.feasibility.judged import Flags, Judged, event_rate
from trajsim.trials.recruitment.chart_review import ENTRY, ChartReview
from trajsim.trials.recruitment.eligibility import FALSE
from trajsim.trials.recruitment.world import World

_Part = TypeVar("_Part", EventCriterion, NumberTest)

_SHARES: Final = (0.05, 0.1, 0.2)
_YEARS: Final = (2.0, 5.0, 10.0)
_LEFT_OUT: Final = "left out"


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """What one move buys, among the people who were judged.

    Attributes:
        criterion: Name of the criterion.
        change: The move in words.
        n_gained: People eligible after it minus people eligible now.
        event_rate: Endpoints a person-year among the eligible after it; None if the records do not say.
        event_rate_now: The same before it.
    """

    criterion: str
    change: str
    n_gained: int
    event_rate: float | None = None
    event_rate_now: float | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return dict(vars(self))


def search_relaxations(
    world: World, judged: Judged, definition: Definition, review: ChartReview
) -> tuple[Relaxation, ...]:
    """Searches for moves that bring people.

    Args:
        world: The trial and its people.
        judged: Its people at one visit each.
        definition: The criteria.
        review: The same, ready for the records.

    Returns:
        Moves that bring somebody, those that bring most first; the entry event stays.
    """
    eligible = judged.is_eligible
    now = event_rate(world, judged, eligible)
    groups = dict(zip(list(review.rule_names)[1:], review.groups, strict=True))
    found = []
    for place, name in enumerate(judged.names):
        if name == ENTRY:
            continue
        alone = judged.denied[:, place] & (judged.denied.sum(axis=1) == 1)
        if not alone.any():
            continue
        found.append(_judge_move(world, judged, name, _LEFT_OUT, eligible | alone, now))
        asked = eligible | alone
        for change, moved in _moved_group(groups[name], definition):
            after = np.zeros(len(asked), np.bool_)
            answers = review.answer(moved, judged.patient[asked], judged.time_us[asked])
            after[asked] = answers != FALSE
            found.append(_judge_move(world, judged, name, change, after, now))
    return tuple(sorted((each for each in found if each.n_gained > 0), key=lambda each: -each.n_gained))


def _judge_move(world: World, judged: Judged, name: str, change: str, after: Flags, now: float | None) -> Relaxation:
    return Relaxation(
        criterion=name,
        change=change,
        n_gained=int(after.sum()) - int(judged.is_eligible.sum()),
        event_rate=event_rate(world, judged, after),
        event_rate_now=now,
    )


def _moved_group(group: Group, definition: Definition) -> Iterator[tuple[str, Group]]:
    for n, counted in enumerate(group.events):
        for change, moved in _moved_counted(counted, definition):
            yield change, replace(group, events=(*group.events[:n], moved, *group.events[n + 1 :]))
    for n, patient in enumerate(group.patients):
        if patient.age is not None:
            for change, test in _moved_test("age", patient.age):
                new: PatientCriterion = replace(patient, age=test)
                yield change, replace(group, patients=(*group.patients[:n], new, *group.patients[n + 1 :]))
    for n, inner in enumerate(group.groups):
        for change, part in _moved_group(inner, definition):
            yield change, replace(group, groups=(*group.groups[:n], part, *group.groups[n + 1 :]))


def _moved_counted(counted: CountedCriterion, definition: Definition) -> Iterator[tuple[str, CountedCriterion]]:
    what = _wording(counted.event, definition)
    for change, event in _moved_event(counted.event, definition):
        yield change, replace(counted, event=event)
    occurrence = counted.occurrence
    if occurrence.op == "at_least" and occurrence.n > 1:
        change = f"{what}: at least {occurrence.n} to at least {occurrence.n - 1}"
        yield change, replace(counted, occurrence=replace(occurrence, n=occurrence.n - 1))
    if occurrence.op != "at_least":
        change = f"{what}: {occurrence.op.replace('_', ' ')} {occurrence.n} to at most {occurrence.n + 1}"
        yield change, replace(counted, occurrence=replace(occurrence, op="at_most", n=occurrence.n + 1))
    window = counted.window
    if window is not None and window.first_day is not None and window.first_day < -1:
        for days in (window.first_day * 2, window.first_day // 2):
            change = f"{what}: {-window.first_day} days back to {-days}"
            yield change, replace(counted, window=replace(window, first_day=days))


def _moved_event(event: EventCriterion, definition: Definition) -> Iterator[tuple[str, EventCriterion]]:
    for name in TEST_NAMES:
        test = getattr(event, name)
        if isinstance(test, NumberTest):
            what = f"{_wording(event, definition)}: {name.replace('_', ' ')}"
            for change, moved in _moved_test(what, test, is_age=name.startswith("age")):
                yield change, _put(event, name, moved)
    if event.where is not None:
        for change, group in _moved_group(event.where, definition):
            yield change, replace(event, where=group)


def _moved_test(what: str, test: NumberTest, *, is_age: bool | None = None) -> Iterator[tuple[str, NumberTest]]:
    by_years = what == "age" if is_age is None else is_age
    old = _shown(test)
    for field in ("value", "upper"):
        limit: float | None = getattr(test, field)
        if limit is None or test.op in ("==", "!="):
            continue
        steps = _YEARS if by_years else tuple(abs(limit) * share for share in _SHARES)
        for step in steps:
            for moved in (limit - step, limit + step):
                new = _put(test, field, _rounded(moved))
                if new != test and (new.upper is None or new.value is None or new.value <= new.upper):
                    yield f"{what} {old} to {_shown(new)}", new


def _put(part: _Part, name: str, value: object) -> _Part:
    """A part with one of its fields, named at run time, set."""
    changes: dict[str, Any] = {name: value}
    return replace(part, **changes)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


_WORDS: Final[dict[str, Callable[[NumberTest], str]]] = {
    "between": lambda test: f"{test.value:g} ... {test.upper:g}",
    "outside": lambda test: f"outside {test.value:g} ... {test.upper:g}",
}


def _shown(test: NumberTest) -> str:
    return _WORDS[test.op](test) if test.op in _WORDS else f"{test.op} {test.value:g}"


def _wording(event: EventCriterion, definition: Definition) -> str:
    code_set = None if event.codes is None else definition.code_set(event.codes)
    return event.domain.replace("_", " ") if code_set is None else code_set.wording
