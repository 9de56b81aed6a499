"""Finds criteria that contradict each other: rules that nobody can pass, whatever the data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

from trajsim.trials.criteria.findings import Finding
from trajsim.trials.criteria.form import (
    CodeSet,
    CountedCriterion,
    Definition,
    Group,
    NumberTest,
    Occurrence,
    PatientCriterion,
    Window,
)
from trajsim.trials.criteria.hierarchy import plain_system, words_of


@dataclass(frozen=True, kw_only=True)
class _Demand:
    """A criterion that everybody has to meet, and where it stands."""

    part: CountedCriterion | PatientCriterion
    path: str


def contradictions(definition: Definition) -> Iterator[Finding]:
    """Pairs of criteria that cannot both hold though both are required."""
    demands: list[_Demand] = []
    if definition.additional is not None:
        demands += _demands(definition.additional, "$.additional")
    for number, rule in enumerate(definition.rules):
        demands += _demands(rule.group, f"$.rules[{number}].group")
    for first, second in combinations(demands, 2):
        reason = _conflict(first.part, second.part, definition)
        if reason is not None:
            message = f"contradicts {first.path}: {reason}; nobody passes both"
            yield Finding(rule="CRT501", severity="error", path=second.path, message=message)


def _demands(group: Group, path: str) -> Iterator[_Demand]:
    """Criteria that must hold if the group shall: all of a group that needs all, the only one of another."""
    path = group.path or path
    if group.need != "all" and not (group.size == 1 and group.need in {"any", "at_least"} and group.n in {None, 1}):
        return
    for number, event in enumerate(group.events):
        yield _Demand(part=event, path=event.path or f"{path}.events[{number}]")
    for number, patient in enumerate(group.patients):
        yield _Demand(part=patient, path=patient.path or f"{path}.patients[{number}]")
    for number, inner in enumerate(group.groups):
        yield from _demands(inner, f"{path}.groups[{number}]")


def _conflict(
    first: CountedCriterion | PatientCriterion, second: CountedCriterion | PatientCriterion, definition: Definition
) -> str | None:
    if isinstance(first, PatientCriterion) and isinstance(second, PatientCriterion):
        return _patient_conflict(first, second)
    if isinstance(first, CountedCriterion) and isinstance(second, CountedCriterion):
        return _count_conflict(first, second, definition) or _count_conflict(second, first, definition)
    return None


def _patient_conflict(first: PatientCriterion, second: PatientCriterion) -> str | None:
    if first.age is not None and second.age is not None:
        low_1, high_1 = _interval(first.age)
        low_2, high_2 = _interval(second.age)
        if max(low_1, low_2) > min(high_1, high_2):
            return "no age fits both"
    for name in ("sex", "race", "ethnicity"):
        for one in getattr(first, name):
            for other in getattr(second, name):
                lists = one.any_of and other.any_of and not (one.exclude or other.exclude)
                codes = [{word for each in test.any_of for word in words_of(each)} for test in (one, other)]
                if lists and not codes[0] & codes[1]:
                    return f"no {name} is in both lists"
    return None


def _interval(test: NumberTest) -> tuple[float, float]:
    """Whole years that pass; everything where the test is no interval."""
    value = test.value
    if value is None:
        return -inf, inf
    upper = inf if test.upper is None else test.upper
    return {
        "<": (-inf, value - 1),
        "<=": (-inf, value),
        "==": (value, value),
        ">=": (value, inf),
        ">": (value + 1, inf),
        "between": (value, upper),
    }.get(test.op, (-inf, inf))


def _count_conflict(many: CountedCriterion, few: CountedCriterion, definition: Definition) -> str | None:
    """Whether one asks for more events than the other, which sees all of them, allows."""
    least, most = _least(many.occurrence), _most(few.occurrence)
    if least <= most or many.occurrence.distinct != few.occurrence.distinct:
        return None
    same_rest = (
        replace(many.event, codes=None) == replace(few.event, codes=None)
        and many.same_visit >= few.same_visit
        and (many.any_period <= few.any_period)
        and (few.end_window is None or few.end_window == many.end_window)
    )
    inside = _within(many.window, few.window) and _codes_within(many, few, definition)
    if same_rest and inside:
        return f"one asks for at least {least}, the other for at most {most} of the same events"
    return None


def _least(occurrence: Occurrence) -> int:
    return 0 if occurrence.op == "at_most" else occurrence.n


def _most(occurrence: Occurrence) -> float:
    return inf if occurrence.op == "at_least" else occurrence.n


def _within(inner: Window | None, outer: Window | None) -> bool:
    if outer is None or outer == inner:
        return True
    if inner is None:
        return False
    oddities = (inner.first_is_period_end, inner.last_is_period_start, outer.first_is_period_end)
    if any((*oddities, outer.last_is_period_start)) or (inner.from_index_end, inner.of_event_end) != (
        outer.from_index_end,
        outer.of_event_end,
    ):
        return False
    starts = outer.first_day is None or (inner.first_day is not None and inner.first_day >= outer.first_day)
    ends = outer.last_day is None or (inner.last_day is not None and inner.last_day <= outer.last_day)
    return starts and ends


def _codes_within(inner: CountedCriterion, outer: CountedCriterion, definition: Definition) -> bool:
    if outer.event.codes is None or outer.event.codes == inner.event.codes:
        return True
    if inner.event.codes is None or inner.event.first:  # the first of a wider set is another event
        return False
    sets = [definition.code_set(name) for name in (inner.event.codes, outer.event.codes)]
    narrow, wide = (None if each is None else _plain_codes(each) for each in sets)
    return bool(narrow) and wide is not None and narrow is not None and narrow <= wide


def _plain_codes(code_set: CodeSet) -> frozenset[tuple[str, str, bool]] | None:
    """The codes of a set without exclusions; None where it has some, so that nothing is claimed."""
    if any(each.excluded for each in code_set.codes):
        return None
    codes = {(plain_system(each.system), each.code, each.descendants) for each in code_set.codes if each.code}
    return frozenset(codes | {(system, code, False) for system, code, below in codes if below})
