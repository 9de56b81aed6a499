"""Rules GMF5xx: states that cannot be reached and conditions that can never hold."""

from collections.abc import Iterator

import networkx as nx

from trajsim.gmf import model
from trajsim.gmf.findings import Finding, did_you_mean
from trajsim.gmf.lifecycle import CATEGORIES, OPERATORS, RACES, SEXES
from trajsim.gmf.model import (
    AttributeCondition,
    Condition,
    DateCondition,
    GenderCondition,
    LogicGroup,
    Module,
    ObservationCondition,
    RaceCondition,
    SocioeconomicStatusCondition,
    State,
    SymptomCondition,
    VitalSignCondition,
)
from trajsim.gmf.rules.rule import Subject, info, warning
from trajsim.gmf.walk import Steps, conditions

UNREACHABLE = warning(
    "GMF501",
    "a state cannot be reached",
    "No sequence of transitions leads from Initial to it, so no patient ever enters it.",
    "Lead a transition to it, or remove it.",
)
NO_END = info(
    "GMF502",
    "the module never ends",
    "No Terminal can be reached from Initial. A top-level module may run for life; a submodule then never returns.",
    "Add a Terminal if the module is meant to end.",
)
RACE = warning(
    "GMF503",
    "a race that no patient has",
    "Race is white, black, asian, native, hawaiian or other. `Hispanic` is an ethnicity, kept in the attribute "
    "`ethnicity`: the condition is never true.",
    "Test the attribute `ethnicity` for `hispanic` instead.",
)
NEVER_TRUE = warning(
    "GMF504",
    "a condition can never be true, or never false",
    "Its value is none that patients have, or a group asks for more conditions than it holds.",
    "Correct the value: sex is `M` or `F`; category is `High`, `Middle` or `Low`.",
)
OPERATOR = warning(
    "GMF505",
    "the operator is unknown",
    "A comparison with an unknown operator is always false.",
    "Use `==`, `!=`, `<`, `<=`, `>`, `>=`, `is nil` or `is not nil`.",
)
NO_VALUE = warning(
    "GMF506",
    "a comparison has no value to compare with",
    "Only `is nil` and `is not nil` need none. Synthea fails on any other, and loses the person.",
    "Add the `value`, or test for nil.",
)

RULES = (UNREACHABLE, NO_END, RACE, NEVER_TRUE, OPERATOR, NO_VALUE)


def check(subject: Subject) -> Iterator[Finding]:
    """All rules of this file."""
    for module in subject.sound.values():
        yield from _reachability(subject, module)
        for state in module.states.values():
            for steps, condition in conditions(state):
                yield from _operator(module, state, steps, condition)
                yield from _constant(module, state, steps, condition)


def _reachability(subject: Subject, module: Module) -> Iterator[Finding]:
    reached = {"Initial", *nx.descendants(subject.arrows(module), "Initial")}
    for name in module.states:
        if name not in reached:
            yield UNREACHABLE.at_state(module, name, (), "no transition leads here from Initial")
    if not any(isinstance(module.states[name], model.Terminal) for name in reached):
        yield NO_END.at(str(module.file), "$.states", "no Terminal can be reached from Initial")


def _operator(module: Module, state: State, steps: Steps, condition: Condition) -> Iterator[Finding]:
    operator = getattr(condition, "operator", None)
    if operator is None:
        return
    if operator not in OPERATORS:
        message = f"operator {operator!r}{did_you_mean(operator, OPERATORS)}: always false"
        yield OPERATOR.at_state(module, state.name, (*steps, "operator"), message)
    elif operator not in {"is nil", "is not nil"} and _lacks_value(condition):
        yield NO_VALUE.at_state(module, state.name, steps, f"operator {operator!r} needs a value")


def _lacks_value(condition: Condition) -> bool:
    match condition:
        case AttributeCondition() | ObservationCondition():
            return condition.value is None and condition.value_code is None
        case SymptomCondition() | VitalSignCondition():
            return condition.value is None
        case DateCondition():
            return condition.year is None and condition.month is None and condition.date_ms is None
    return False


def _constant(module: Module, state: State, steps: Steps, condition: Condition) -> Iterator[Finding]:
    match condition:
        case RaceCondition(race=race) if race.casefold() not in RACES:
            hint = "it is an ethnicity: test the attribute 'ethnicity'" if race.casefold() == "hispanic" else None
            message = f"no patient has race {race!r}: never true"
            yield RACE.at_state(module, state.name, (*steps, "race"), message, hint)
        case GenderCondition(gender=gender) if gender not in SEXES:
            yield _never(module, state, (*steps, "gender"), f"sex is 'M' or 'F', got {gender!r}: never true")
        case SocioeconomicStatusCondition(category=category) if category not in CATEGORIES:
            message = f"category {category!r}{did_you_mean(category, CATEGORIES)}: never true"
            yield _never(module, state, (*steps, "category"), message)
        case LogicGroup(kind="AtLeast") if condition.n > len(condition.conditions):
            message = f"at least {condition.n} of {len(condition.conditions)} conditions: never true"
            yield _never(module, state, (*steps, "minimum"), message)
        case LogicGroup(conditions=()):
            value = "never" if condition.kind == "Or" else "always"
            yield _never(module, state, (*steps, "conditions"), f"a group without conditions: {value} true")


def _never(module: Module, state: State, steps: Steps, message: str) -> Finding:
    return NEVER_TRUE.at_state(module, state.name, steps, message)
