"""Random criteria and random people, small enough to be evaluated by hand, and the Records of such people."""

from collections.abc import Sequence
from random import Random

from tests.property.criteria_by_hand import Happened, Life
from tests.unit.trials.recruitment.builders import DAY_US, table
from trajsim.records import Records
from trajsim.trials.criteria import Definition
from trajsim.trials.criteria.form import (
    CodeSet,
    CodeTest,
    Coding,
    CountedCriterion,
    Domain,
    Entry,
    EventCriterion,
    Group,
    Need,
    NumberTest,
    Occurrence,
    PatientCriterion,
    RangeOp,
    Rule,
    Window,
)

SYSTEM = "Made-up"
ORIGIN = 18_262  # 2020-01-01
TABLES = {"condition": "conditions", "measurement": "observations", "drug": "medications", "visit": "encounters"}
SETS = tuple(
    CodeSet(name=name, codes=tuple(Coding(system=SYSTEM, code=each) for each in codes))
    for name, codes in (("a", "a"), ("bc", "bc"), ("abc", "abc"))
)
_DOMAINS: tuple[Domain, ...] = ("condition", "condition", "measurement", "measurement", "drug", "visit")
_SEXES = (
    (),
    (CodeTest(any_of=(Coding(system="Gender", code="F"),)),),
    (CodeTest(any_of=(Coding(system="Gender", code="M"),), exclude=True),),
)


def _seldom(rng: Random, one_in: int) -> bool:
    return rng.randrange(one_in) == 0


def lives(rng: Random, *, all_known: bool = False) -> list[Life]:
    """A few people with a few events on neighbouring days; some outside their observation, some without a value."""
    out = []
    for _ in range(rng.randint(1, 4)):
        born, last = ORIGIN - rng.choice((rng.randint(5, 30), rng.randint(10, 900))), ORIGIN + rng.randint(10, 45)
        events = [_happened(rng, key, last, all_known=all_known) for key in range(1, rng.randint(2, 12))]
        sex = rng.choice(("F", "M")) if all_known else rng.choice(("F", "M", None))
        out.append(Life(born=born, last=last, sex=sex, events=tuple(events)))
    return out


def _happened(rng: Random, key: int, last: int, *, all_known: bool) -> Happened:
    domain = rng.choice(_DOMAINS)
    start = ORIGIN + rng.choice((rng.randint(-4, 4), rng.randint(-20, 20)))
    end = start + 1 if domain == "measurement" else start + rng.randint(0, 6)
    if domain in {"condition", "drug"} and _seldom(rng, 2):
        end = max(last, start)
    is_measured = domain == "measurement" and (all_known or not _seldom(rng, 3))
    return Happened(
        domain=domain,
        code=rng.choice("abc"),
        start=start,
        end=end,
        key=key,
        visit=key if domain == "visit" else rng.randint(0, 3),
        value=float(rng.randint(0, 4)) if is_measured else None,
    )


def _number(rng: Random, top: int = 4) -> NumberTest:
    ops: tuple[RangeOp, ...] = ("<", "<=", "==", "!=", ">=", ">", "between", "outside")
    op = rng.choice(ops)
    low, high = sorted((float(rng.randint(0, top)), float(rng.randint(0, top))))
    return NumberTest(op=op, value=low, upper=high if op in {"between", "outside"} else None)


def _event(rng: Random, depth: int) -> EventCriterion:
    domain = rng.choice(_DOMAINS)
    has_length = domain != "measurement" and _seldom(rng, 5)
    return EventCriterion(
        domain=domain,
        codes=rng.choice(("a", "bc", "abc", None)),
        first=_seldom(rng, 5),
        value=_number(rng) if domain == "measurement" and not _seldom(rng, 3) else None,
        length=_number(rng, 12) if has_length else None,
        age=_number(rng, 3) if _seldom(rng, 8) else None,
        where=_group(rng, 1) if depth == 0 and _seldom(rng, 6) else None,
    )


def _window(rng: Random) -> Window:
    first, last = sorted((rng.randint(-9, 9), rng.randint(-9, 9)))
    return Window(
        first_day=None if _seldom(rng, 4) else first,
        last_day=None if _seldom(rng, 4) else last,
        from_index_end=_seldom(rng, 5),
        of_event_end=_seldom(rng, 3),
    )


def _counted(rng: Random, depth: int) -> CountedCriterion:
    return CountedCriterion(
        event=_event(rng, depth),
        occurrence=Occurrence(
            op=rng.choice(("exactly", "at_least", "at_most")),
            n=rng.randint(0, 2),
            distinct=rng.choice((None, None, None, "start", "code", "end", "visit", "length")),
        ),
        window=None if _seldom(rng, 4) else _window(rng),
        end_window=_window(rng) if _seldom(rng, 6) else None,
        same_visit=_seldom(rng, 6),
        any_period=_seldom(rng, 4),
        absence=rng.choice(("auto", "auto", "no", "unknown")),
    )


def _group(rng: Random, depth: int) -> Group:
    needs: tuple[Need, ...] = ("all", "any", "at_least", "at_most")
    need = rng.choice(needs)
    return Group(
        need=need,
        n=rng.randint(0, 2) if need in {"at_least", "at_most"} else None,
        events=tuple(_counted(rng, depth) for _ in range(rng.randint(0, 2))),
        patients=tuple(
            PatientCriterion(age=_number(rng, 3) if _seldom(rng, 2) else None, sex=rng.choice(_SEXES))
            for _ in range(rng.randint(0, 1))
        ),
        groups=() if depth else tuple(_group(rng, 1) for _ in range(rng.choice((0, 0, 1, 2)))),
    )


def definitions(rng: Random) -> Definition:
    """A definition; in most of them every condition or visit may be the entry, so that there is much to judge."""
    plain = EventCriterion(domain=rng.choice(("condition", "visit")))
    entries = (plain,) if not _seldom(rng, 3) else tuple(_event(rng, 0) for _ in range(rng.randint(1, 2)))
    return Definition(
        entry=Entry(
            any_of=entries,
            days_before=rng.choice((0, rng.randint(0, 30))),
            days_after=rng.choice((0, rng.randint(5, 30))),
            keep=rng.choice(("all", "all", "first", "last")),
        ),
        code_sets=SETS,
        rules=tuple(Rule(name=f"rule {number}", group=_group(rng, 0)) for number in range(rng.randint(1, 4))),
        keep=rng.choice(("all", "first", "last")),
    )


def _noon(day: int) -> int:
    return day * DAY_US + DAY_US // 2


def records_of(people: Sequence[Life]) -> Records:
    """People as Records; what lasts to the end of observation has no stop."""
    columns = {
        "patient_id": range(1, len(people) + 1),
        "birth_time": [_noon(life.born) for life in people],
        "last_time": [_noon(life.last) for life in people],
        "sex": [life.sex or "" for life in people],
    }
    tables = {"patients": table("patients", columns, len(people))}
    for domain, name in TABLES.items():
        rows = [(n, life, each) for n, life in enumerate(people, 1) for each in life.events if each.domain == domain]
        may_be_open = domain in {"condition", "drug"}
        columns = {
            "patient_id": [n for n, _, _ in rows],
            "row_key": [each.key for _, _, each in rows],
            "encounter_key": [each.visit for _, _, each in rows],
            "time": [_noon(each.start) for _, _, each in rows],
            "stop": [
                None if may_be_open and each.end == max(life.last, each.start) else _noon(each.end)
                for _, life, each in rows
            ],
            "system": [SYSTEM] * len(rows),
            "code": [each.code for _, _, each in rows],
            "numeric_value": [each.value for _, _, each in rows],
        }
        tables[name] = table(name, columns, len(rows))
    return Records(tables)
