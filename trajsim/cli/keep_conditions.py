"""Conditions of GMF as statements about a patient on one day, with every `Not` pushed to what it denies.

Statements are true or false everywhere (bool), or one of the forms below. `Not` goes inside (De Morgan), so that prose
says "no condition of ..." and not "at most 0 of: ...", and a screener's *unknown* stays unknown.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from trajsim.gmf import model
from trajsim.population.tables import RACES
from trajsim.trials.criteria.form import CodeTest, Coding, DateTest, NumberTest, PatientCriterion, RangeOp

Place: TypeAlias = Callable[[tuple[str | int, ...]], str]
"""Path of what lies some steps below a condition."""

_OPPOSITE: dict[RangeOp, RangeOp] = {
    "<": ">=", ">=": "<", "<=": ">", ">": "<=", "==": "!=", "!=": "==", "between": "outside", "outside": "between",
}  # fmt: skip
_MIDNIGHT_MS = 86_400_000


class Untranslatable(NamedTuple):
    """What criteria cannot say, and where it stands."""

    path: str
    sentence: str


@dataclass(frozen=True)
class Active:
    """An entry with one of some codes is active (or, negated, none is): a condition or procedure, or a medication."""

    kind: Literal["Condition", "Medication"]
    codes: tuple[Coding, ...]
    is_negated: bool = False


@dataclass(frozen=True)
class Observed:
    """An observation with one of some codes was made (or, negated, none was)."""

    codes: tuple[Coding, ...]
    is_negated: bool = False


@dataclass(frozen=True)
class Person:
    """Something of the patient or of the day."""

    criterion: PatientCriterion


@dataclass(frozen=True)
class Several:
    """Of some statements all, any, at least or at most `n` hold."""

    need: Literal["all", "any", "at_least", "at_most"]
    parts: "tuple[Active | Observed | Person | Several, ...]"
    n: int | None = None


Statement: TypeAlias = bool | Active | Observed | Person | Several


def negated(statement: Statement) -> Statement:
    """The opposite."""
    match statement:
        case bool():
            return not statement
        case Active() | Observed():
            return replace(statement, is_negated=not statement.is_negated)
        case Person():
            return Person(_opposite(statement.criterion))
    if statement.need == "all":
        return any_of([negated(part) for part in statement.parts])
    if statement.need == "any":
        return all_of([negated(part) for part in statement.parts])
    assert statement.n is not None
    if statement.need == "at_least":
        return at_most(statement.n - 1, statement.parts)
    return at_least(statement.n + 1, statement.parts)


def _opposite(criterion: PatientCriterion) -> PatientCriterion:
    """The opposite of a criterion that tests one thing."""
    if criterion.age is not None:
        return PatientCriterion(age=replace(criterion.age, op=_OPPOSITE[criterion.age.op]))
    if criterion.start is not None:
        return PatientCriterion(start=replace(criterion.start, op=_OPPOSITE[criterion.start.op]))
    sex = tuple(replace(test, exclude=not test.exclude) for test in criterion.sex)
    race = tuple(replace(test, exclude=not test.exclude) for test in criterion.race)
    return PatientCriterion(sex=sex, race=race)


def all_of(parts: Sequence[Statement]) -> Statement:
    """All hold."""
    if any(part is False for part in parts):
        return False
    return _joined("all", [part for part in parts if not isinstance(part, bool)], nothing=True)


def any_of(parts: Sequence[Statement]) -> Statement:
    """At least one holds."""
    if any(part is True for part in parts):
        return True
    return _joined("any", [part for part in parts if not isinstance(part, bool)], nothing=False)


def _joined(
    need: Literal["all", "any"], parts: "Iterable[Active | Observed | Person | Several]", *, nothing: bool
) -> Statement:
    """Flattened, and lists of codes that may be one are one: A or B is active; neither A nor B is."""
    found: list[Active | Observed | Person | Several] = []
    for part in parts:
        own = part.parts if isinstance(part, Several) and part.need == need else (part,)
        for each in own:
            _add(found, each, is_list=need == "any")
    if not found:
        return nothing
    return found[0] if len(found) == 1 else Several(need, tuple(found))


def _add(
    found: "list[Active | Observed | Person | Several]",
    part: "Active | Observed | Person | Several",
    *,
    is_list: bool,
) -> None:
    if isinstance(part, Active | Observed) and part.is_negated != is_list:
        for place, other in enumerate(found):
            if type(other) is type(part) and replace(part, codes=()) == replace(other, codes=()):
                assert isinstance(other, Active | Observed)
                found[place] = replace(other, codes=tuple(dict.fromkeys((*other.codes, *part.codes))))
                return
    if part not in found:
        found.append(part)


def at_least(n: int, parts: Sequence[Statement]) -> Statement:
    """At least `n` hold."""
    n -= sum(part is True for part in parts)
    open_parts = [part for part in parts if not isinstance(part, bool)]
    if n <= 0:
        return True
    if n > len(open_parts):
        return False
    if n == 1:
        return any_of(open_parts)
    return all_of(open_parts) if n == len(open_parts) else Several("at_least", tuple(open_parts), n)


def at_most(n: int, parts: Sequence[Statement]) -> Statement:
    """At most `n` hold."""
    n -= sum(part is True for part in parts)
    open_parts = [part for part in parts if not isinstance(part, bool)]
    if n < 0:
        return False
    if n >= len(open_parts):
        return True
    return all_of([negated(part) for part in open_parts]) if n == 0 else Several("at_most", tuple(open_parts), n)


def branched(condition: Statement, then: Statement, otherwise: Statement) -> Statement:
    """`then` where the condition holds, else `otherwise`."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    if then == otherwise:
        return then
    if otherwise is False:
        return all_of([condition, then])
    if then is True:
        return any_of([condition, otherwise])
    if then is False:
        return all_of([negated(condition), otherwise])
    if otherwise is True:
        return any_of([negated(condition), then])
    return any_of([all_of([condition, then]), all_of([negated(condition), otherwise])])


def statement_of(condition: model.Condition, place: Place, faults: list[Untranslatable]) -> Statement:
    """Says what a condition says.

    Args:
        condition: The condition.
        place: Paths of what lies below it.
        faults: Where it is noted what criteria cannot say; that counts as false.
    """
    match condition:
        case model.LogicGroup():
            parts = [
                statement_of(part, lambda more, n=n: place(("conditions", n, *more)), faults)  # type: ignore[misc]
                for n, part in enumerate(condition.conditions)
            ]
            join = {"And": all_of, "Or": any_of}.get(condition.kind)
            if join is not None:
                return join(parts)
            return (at_least if condition.kind == "AtLeast" else at_most)(condition.n, parts)
        case model.NotCondition():
            return negated(statement_of(condition.condition, lambda more: place(("condition", *more)), faults))
        case model.ConstantCondition():
            return condition.value
    found = _leaf(condition)
    if isinstance(found, str):
        faults.append(Untranslatable(place(()), found))
        return False
    return found


def _leaf(condition: model.Condition) -> Statement | str:
    """The statement, or what is wrong with it."""
    match condition:
        case model.ActiveCondition():
            return _active(condition)
        case model.ObservationCondition():
            return _observed(condition)
        case model.AgeCondition():
            return _age(condition)
        case model.DateCondition():
            return _date(condition)
        case model.GenderCondition():
            return Person(PatientCriterion(sex=(CodeTest(any_of=(Coding(system="Gender", code=condition.gender),)),)))
        case model.RaceCondition():
            race = condition.race.lower()
            if race not in RACES:
                return f"nobody has the race {condition.race!r}, expected one of {', '.join(RACES)}"
            return Person(PatientCriterion(race=(CodeTest(any_of=(Coding(system="Race", code=race),)),)))
        case model.AttributeCondition():
            return f"the attribute {condition.attribute!r} is not in records, so criteria cannot test it"
        case model.PriorStateCondition():
            return f"criteria do not know whether a module has visited {condition.name!r}"
        case model.SymptomCondition():
            return f"the symptom {condition.symptom!r} is not in records, so criteria cannot test it"
        case model.VitalSignCondition():
            return f"criteria cannot test the vital sign {condition.vital_sign!r} of the moment"
        case model.SocioeconomicStatusCondition():
            return "the socioeconomic status is not in records, so criteria cannot test it"
    return f"a condition of type {type(condition).__name__} cannot be said by criteria"


def _active(condition: model.ActiveCondition) -> Statement | str:
    if condition.kind not in {"Condition", "Medication"}:
        return f"criteria cannot test which {condition.kind} is active"
    if not condition.codes:
        return f"the attribute {condition.referenced_by_attribute!r} is not in records, so criteria cannot test it"
    return Active("Condition" if condition.kind == "Condition" else "Medication", _codings(condition.codes))


def _observed(condition: model.ObservationCondition) -> Statement | str:
    if not condition.codes:
        return f"the attribute {condition.referenced_by_attribute!r} is not in records, so criteria cannot test it"
    if condition.operator not in {"is nil", "is not nil"}:
        return (
            "criteria cannot test the latest value of an observation; write a rule with a window of days in its place"
        )
    return Observed(_codings(condition.codes), is_negated=condition.operator == "is nil")


def _codings(codes: Sequence[model.Code]) -> tuple[Coding, ...]:
    return tuple(dict.fromkeys(Coding(system=each.system, code=each.code, display=each.display) for each in codes))


def _age(condition: model.AgeCondition) -> Statement | str:
    if condition.operator in {"is nil", "is not nil"}:
        return condition.operator == "is not nil"
    if condition.unit != "years":
        return f"criteria have ages in years, not in {condition.unit}"
    if condition.operator not in _OPPOSITE:
        return f"no operator {condition.operator!r}"
    return Person(PatientCriterion(age=NumberTest(op=_op(condition.operator), value=condition.quantity)))


def _op(operator: str) -> RangeOp:
    return next(op for op in _OPPOSITE if op == operator)


def _date(condition: model.DateCondition) -> Statement | str:
    if condition.operator in {"is nil", "is not nil"}:
        return condition.operator == "is not nil"
    if condition.year is not None:
        return _year(condition.operator, condition.year)
    whole = condition.date_ms is not None and condition.date_ms % _MIDNIGHT_MS == 0
    if condition.month is not None or not whole or condition.operator not in {"<", ">="}:
        return "of dates criteria know years, and days before or from which something holds"
    assert condition.date_ms is not None
    day = dt.date(1970, 1, 1) + dt.timedelta(days=condition.date_ms // _MIDNIGHT_MS)
    return Person(PatientCriterion(start=DateTest(op=_op(condition.operator), value=day)))


def _year(operator: str, year: int) -> Statement | str:
    if not dt.MINYEAR <= year < dt.MAXYEAR:
        return f"no year {year}"
    first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
    tests: dict[str, DateTest] = {
        "==": DateTest(op="between", value=first, upper=last),
        "!=": DateTest(op="outside", value=first, upper=last),
        "<": DateTest(op="<", value=first),
        "<=": DateTest(op="<=", value=last),
        ">": DateTest(op=">", value=last),
        ">=": DateTest(op=">=", value=first),
    }
    return Person(PatientCriterion(start=tests[operator])) if operator in tests else f"no operator {operator!r}"
