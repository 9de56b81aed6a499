"""Statements about a patient in the form of criteria: rules, and the code sets that they name."""

from dataclasses import dataclass, field
from typing import Final

from trajsim.cli.keep_conditions import Active, Observed, Person, Several
from trajsim.trials.criteria.form import (
    CodeSet,
    Coding,
    CountedCriterion,
    Domain,
    EventCriterion,
    Group,
    Occurrence,
    Rule,
    Window,
)

_BY_NOW: Final = Window(last_day=0)
_STILL: Final = Window(first_day=0, of_event_end=True)
_NONE: Final = Occurrence(op="exactly", n=0)


@dataclass(frozen=True, kw_only=True)
class KeepCriteria:
    """What a keep module says, as parts of a definition."""

    rules: tuple[Rule, ...]
    code_sets: tuple[CodeSet, ...]


def criteria_of(statement: Active | Observed | Person | Several, *, name: str) -> KeepCriteria:
    """Makes rules of a statement: one for each of the things that must all hold, so that each can be counted.

    Args:
        statement: What must hold.
        name: Of the rules, with a number where there are several.
    """
    makes = _Maker(name)
    is_split = isinstance(statement, Several) and statement.need == "all"
    parts = statement.parts if isinstance(statement, Several) and is_split else (statement,)
    names = [name] if len(parts) == 1 else [f"{name} ({number})" for number in range(1, len(parts) + 1)]
    rules = tuple(Rule(name=own, group=makes.group(part)) for own, part in zip(names, parts, strict=True))
    return KeepCriteria(rules=rules, code_sets=tuple(makes.code_sets.values()))


@dataclass
class _Maker:
    """Makes groups, and keeps the code sets that they name."""

    name: str
    code_sets: dict[tuple[Coding, ...], CodeSet] = field(default_factory=dict)

    def group(self, statement: Active | Observed | Person | Several) -> Group:
        """A statement as a group."""
        match statement:
            case Person():
                return Group(patients=(statement.criterion,))
            case Observed():
                return Group(events=(self._counted("measurement", statement, is_active=False),))
            case Active():
                return self._active(statement)
        inner = [self.group(part) for part in statement.parts]
        single = [each for each in inner if each.size == 1 and not each.groups]
        return Group(
            need=statement.need,
            n=statement.n,
            events=tuple(event for each in single for event in each.events),
            patients=tuple(patient for each in single for patient in each.patients),
            groups=tuple(each for each in inner if each not in single),
        )

    def _active(self, statement: Active) -> Group:
        """To GMF a procedure stays active for good, and is asked for as a condition."""
        if statement.kind == "Medication":
            return Group(events=(self._counted("drug", statement, is_active=True),))
        return Group(
            need="all" if statement.is_negated else "any",
            events=(
                self._counted("condition", statement, is_active=True),
                self._counted("procedure", statement, is_active=False),
            ),
        )

    def _counted(self, domain: Domain, statement: Active | Observed, *, is_active: bool) -> CountedCriterion:
        return CountedCriterion(
            event=EventCriterion(domain=domain, codes=self._set(statement.codes)),
            occurrence=_NONE if statement.is_negated else Occurrence(),
            window=_BY_NOW,
            end_window=_STILL if is_active else None,
            any_period=True,
        )

    def _set(self, codes: tuple[Coding, ...]) -> str:
        if codes not in self.code_sets:
            number = len(self.code_sets) + 1
            title = " or ".join(dict.fromkeys(each.display.strip() or each.code for each in codes))
            self.code_sets[codes] = CodeSet(name=f"{self.name} {number}", codes=codes, title=title)
        return self.code_sets[codes].name
