"""Rules GMF6xx: time that stands still, waits that are not what they seem."""

import math
from collections.abc import Iterator

import networkx as nx

from trajsim.gmf.findings import Finding
from trajsim.gmf.graph import instant_loops
from trajsim.gmf.model import Delay, Distribution, Encounter, EncounterEnd, Module
from trajsim.gmf.rules.rule import Subject, info, warning
from trajsim.gmf.walk import submodule_calls

MAY_SPIN = warning(
    "GMF601",
    "a loop in which no time may pass",
    "A patient can go round without a Delay, Guard or other wait. Where an exit is likely this is a fair way to draw "
    "again; where it is not, the step budget of the engine stops the run.",
    "Put a Delay into the loop, or see that an exit is taken after a few turns.",
)
MUST_SPIN = warning(
    "GMF602",
    "a loop in which no time passes and that has no exit",
    "A patient who enters it never leaves: the step budget of the engine stops the run there, and the error names the "
    "state.",
    "Put a Delay into the loop, or give it an exit.",
)
ONE_VISIT = warning(
    "GMF603",
    "a wellness Encounter is reached again without an EncounterEnd",
    "A module uses a wellness visit once. Without an EncounterEnd the second wellness Encounter blocks for ever.",
    "Put an EncounterEnd between the two.",
)
TRUNCATED = warning(
    "GMF604",
    "a delay is cut to whole units",
    "A Delay with `distribution` uses whole units: 0.9 years are 0, and 1.5 months are 1. (With `exact` or `range` "
    "fractions count.)",
    "Use a smaller unit, such as days, or `exact` or `range`.",
)
SHIFTED = info(
    "GMF605",
    "an exponential wait is one unit longer than its mean says",
    "As in Synthea, EXPONENTIAL gives 1 plus an exponential number, so the mean is `mean` + 1.",
    "Subtract 1 from the mean if that matters, or use a small unit.",
)
NEGATIVE = warning(
    "GMF606",
    "a wait may be negative",
    "Time never runs backwards: a wait that ends before now ends now.",
    "Correct the quantity, or give the distribution a `min` of 0.",
)

RULES = (MAY_SPIN, MUST_SPIN, ONE_VISIT, TRUNCATED, SHIFTED, NEGATIVE)


def check(subject: Subject) -> Iterator[Finding]:
    """All rules of this file."""
    for module in subject.sound.values():
        yield from _loops(module)
        yield from _wellness(subject, module)
        for state in module.states.values():
            if isinstance(state, Delay):
                yield from _delay(module, state)


def _loops(module: Module) -> Iterator[Finding]:
    for loop in instant_loops(module):
        names = sorted(loop.states)
        shown = ", ".join(map(repr, names[:5])) + (" and others" if len(names) > 5 else "")
        if loop.has_exit:
            yield MAY_SPIN.at_state(module, names[0], (), f"a patient may go round {shown} without any time passing")
        else:
            yield MUST_SPIN.at_state(module, names[0], (), f"a patient goes round {shown} for ever at one instant")


def _wellness(subject: Subject, module: Module) -> Iterator[Finding]:
    visits = {s.name for s in module.states.values() if isinstance(s, Encounter) and s.wellness}
    if not visits:
        return
    ends = {s.name for s in module.states.values() if isinstance(s, EncounterEnd)}
    ends |= {state for state, key in submodule_calls(module) if _ends_visits(subject, key)}
    graph = subject.arrows(module)
    open_graph = graph.subgraph(set(graph) - ends)
    for name in sorted(visits):
        after = {
            other for _, target in open_graph.out_edges(name) for other in (target, *nx.descendants(open_graph, target))
        }
        again = sorted(after & visits)
        if again:
            message = f"wellness Encounter {again[0]!r} can follow without an EncounterEnd and would block for ever"
            yield ONE_VISIT.at_state(module, name, (), message)


def _ends_visits(subject: Subject, key: str) -> bool:
    called = [subject.modules[key]] if key in subject.modules else []
    called += list(subject.callees(key)) if key in subject.calls else []
    return any(isinstance(state, EncounterEnd) for module in called for state in module.states.values())


def _delay(module: Module, state: Delay) -> Iterator[Finding]:
    low = _lowest(state)
    if low is not None and low < 0.0:
        yield NEGATIVE.at_state(module, state.name, (), f"this wait can be {low:g} and then counts as 0")
    distribution = state.distribution
    if distribution is None or state.exact is not None or state.range is not None:
        return
    high = _highest(distribution)
    steps = ("distribution",)
    if high is not None and 0.0 < high < 1.0:
        message = f"at most {high:g} {state.unit}, which is cut to 0: this delay never waits"
        yield TRUNCATED.at_state(module, state.name, steps, message)
    elif distribution.kind == "EXACT" and high is not None and high != math.floor(high):
        message = f"{high:g} {state.unit} are cut to {math.floor(high)}"
        yield TRUNCATED.at_state(module, state.name, steps, message)
    if distribution.kind == "EXPONENTIAL":
        message = f"the mean wait is {(distribution.mean or 0.0) + 1.0:g} {state.unit}, not {distribution.mean:g}"
        yield SHIFTED.at_state(module, state.name, steps, message)


def _lowest(state: Delay) -> float | None:
    """The shortest wait that a bounded source can give."""
    if state.range is not None:
        return min(state.range.low, state.range.high)
    if state.exact is not None:
        return float(state.exact.quantity)
    match state.distribution:
        case Distribution(kind="EXACT", value=low) | Distribution(kind="UNIFORM", low=low):
            return low
        case Distribution(kind="TRIANGULAR", min=low):
            return low
    return None


def _highest(distribution: Distribution) -> float | None:
    """The largest sample of a bounded distribution, after rounding."""
    high = {"EXACT": distribution.value, "UNIFORM": distribution.high}.get(distribution.kind, distribution.max)
    if high is not None and distribution.round:
        return float(math.floor(high + 0.5))
    return high
