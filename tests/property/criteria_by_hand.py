"""Criteria evaluated by hand: plain Python over rows, one person after the other, from what the docs say they mean.

It knows three truth values as sets of what may still turn out: what is unknown may be either, so a group is unknown
exactly if its answer depends on how the unknown things turn out, and every way is tried.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from trajsim.trials.criteria.form import (
    CountedCriterion,
    Definition,
    EventCriterion,
    Group,
    NumberTest,
    Occurrence,
    PatientCriterion,
)

May = frozenset[bool]
"""What may turn out to be the case."""
YES, NO, OPEN = frozenset({True}), frozenset({False}), frozenset({True, False})
MANY = 1_000


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One thing that happened to somebody; days since 1970."""

    domain: str
    code: str
    start: int
    end: int
    key: int
    visit: int = 0
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Life:
    """One person: born and last seen on these days, and what happened in between or, wrongly recorded, outside."""

    born: int
    last: int
    sex: str | None
    events: tuple[Happened, ...]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An entry event, and what each rule may say."""

    person: int
    start: int
    end: int
    rules: tuple[May, ...]


def candidates(definition: Definition, lives: Sequence[Life]) -> list[Candidate]:
    """All entry events of all people with the verdicts of all rules."""
    out = []
    for person, life in enumerate(lives):
        for event in _entries(definition, life):
            rules = tuple(_group(rule.group, event, life, definition) for rule in definition.rules)
            out.append(Candidate(person=person, start=event.start, end=event.end, rules=rules))
    return out


def chosen(definition: Definition, found: Sequence[Candidate]) -> list[Candidate]:
    """Those of whom no rule is certainly false; of a person all, the first or the last."""
    left = [each for each in found if NO not in each.rules]
    if definition.keep == "all":
        return left
    by_person: dict[int, Candidate] = {}
    for each in left:
        known = by_person.get(each.person)
        if known is None or (definition.keep == "last" and each.start > known.start):
            by_person[each.person] = each
    return list(by_person.values())


def _entries(definition: Definition, life: Life) -> list[Happened]:
    entry = definition.entry
    found = [
        event
        for criterion in entry.any_of
        for event, may in _events(criterion, life, definition)
        if may == YES and life.born + entry.days_before <= event.start <= life.last - entry.days_after
        and life.born <= event.start <= life.last
    ]  # fmt: skip
    sign = -1 if entry.keep == "last" else 1
    found.sort(key=lambda event: (sign * event.start, event.key))
    return found[:1] if entry.keep != "all" else found


def _events(
    criterion: EventCriterion, life: Life, definition: Definition, *, tested: bool = True
) -> Iterator[tuple[Happened, May]]:
    """Events of the code set with whether the criterion holds of them; untested ones may be anything."""
    codes = _codes(criterion, definition)
    mine = [each for each in life.events if each.domain == criterion.domain and (codes is None or each.code in codes)]
    mine.sort(key=lambda event: (event.start, event.key))
    for event in mine[:1] if criterion.first else mine:
        may = _all([_number(criterion.value, event.value), _number(criterion.length, event.end - event.start),
                    _number(criterion.age, _year(event.start) - _year(life.born))])  # fmt: skip
        if tested and may != NO and criterion.where is not None:
            in_period = life.born <= event.start <= life.last
            may = _all([may, _group(criterion.where, event, life, definition) if in_period else NO])
        yield event, may


def _codes(criterion: EventCriterion, definition: Definition) -> set[str] | None:
    if criterion.codes is None:
        return None
    (found,) = (each for each in definition.code_sets if each.name == criterion.codes)
    return {each.code for each in found.codes}


def _year(day: int) -> int:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).year


def _number(test: NumberTest | None, value: float | None) -> May:
    if test is None:
        return YES
    if value is None:
        return OPEN
    assert test.value is not None
    low, high = test.value, test.value if test.upper is None else test.upper
    return frozenset(
        {
            {"<": value < low, "<=": value <= low, "==": value == low, "!=": value != low, ">=": value >= low,
             ">": value > low, "between": low <= value <= high, "outside": value < low or value > high}[test.op]
        }
    )  # fmt: skip


def _all(parts: Sequence[May]) -> May:
    return frozenset(all(way) for way in product(*parts))


def _group(group: Group, index: Happened, life: Life, definition: Definition) -> May:
    parts = [
        *(_counted(each, index, life, definition) for each in group.events),
        *(_patient(each, index, life) for each in group.patients),
        *(_group(each, index, life, definition) for each in group.groups),
    ]
    if not parts:
        return YES
    n = group.n or 0
    return frozenset(
        {"all": all(way), "any": any(way), "at_least": sum(way) >= n, "at_most": sum(way) <= n}[group.need]
        for way in product(*parts)
    )


def _patient(criterion: PatientCriterion, index: Happened, life: Life) -> May:
    parts = [_number(criterion.age, _year(index.start) - _year(life.born))]
    for test in criterion.sex:
        holds = life.sex in {code.code for code in test.any_of}
        parts.append(OPEN if life.sex is None else frozenset({holds != test.exclude}))
    return _all(parts)


def _counted(criterion: CountedCriterion, index: Happened, life: Life, definition: Definition) -> May:
    inside = [
        (event, may)
        for event, may in _events(criterion.event, life, definition)
        if may != NO and _in_window(criterion, event, index, life)
    ]
    certain = [event for event, may in inside if may == YES]
    n_certain = _n_different(criterion, certain)
    n_possible = _n_different(criterion, [event for event, _ in inside])
    if _is_unknown_without_record(criterion) and not any(
        _in_window(criterion, event, index, life) and (event.value is not None or criterion.event.value is None)
        for event, _ in _events(criterion.event, life, definition, tested=False)
    ):
        n_possible = MANY
    return frozenset(_fits(criterion.occurrence, n) for n in range(n_certain, n_possible + 1))


def _is_unknown_without_record(criterion: CountedCriterion) -> bool:
    return criterion.absence == "unknown" or (criterion.absence == "auto" and criterion.event.value is not None)


def _n_different(criterion: CountedCriterion, events: Sequence[Happened]) -> int:
    column = criterion.occurrence.distinct
    if column is None:
        return len(events)
    values = [
        {"start": event.start, "end": event.end, "code": event.code, "value": event.value,
         "length": event.end - event.start, "visit": event.visit or None}[column]
        for event in events
    ]  # fmt: skip
    return len({value for value in values if value is not None})


def _fits(occurrence: Occurrence, n: int) -> bool:
    return {"exactly": n == occurrence.n, "at_least": n >= occurrence.n, "at_most": n <= occurrence.n}[occurrence.op]


def _in_window(criterion: CountedCriterion, event: Happened, index: Happened, life: Life) -> bool:
    if criterion.same_visit and (not event.visit or event.visit != index.visit):
        return False
    if not criterion.any_period and not life.born <= event.start <= life.last:
        return False
    for window in (criterion.window, criterion.end_window):
        if window is None:
            continue
        origin = index.end if window.from_index_end else index.start
        day = event.end if window.of_event_end else event.start
        if window.first_day is not None and day < origin + window.first_day:
            return False
        if window.last_day is not None and day > origin + window.last_day:
            return False
        if not criterion.any_period:  # an open edge is the edge of the period
            if window.first_day is None and day < life.born:
                return False
            if window.last_day is None and day > life.last:
                return False
    return True
