"""Rules GMF3xx: probabilities and distributions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from trajsim.gmf import model
from trajsim.gmf.findings import Finding
from trajsim.gmf.model import (
    ComplexTransition,
    ConditionalTransition,
    DistributedOption,
    Distribution,
    LookupRow,
    Module,
    Range,
    State,
)
from trajsim.gmf.rules.rule import Subject, error, info, warning
from trajsim.gmf.walk import Steps, bodies, distributed_lists, option_conditions, table_uses, transition_key

_TOLERANCE = 1e-6
_TABLE_TOLERANCE = 1e-3

NOT_A_NUMBER = error(
    "GMF301",
    "a probability is not a number",
    "A probability in quotes is a text. It is either a number, or an object that names the attribute to read.",
    'Write `0.25` without quotes, or `{"attribute": "some_risk", "default": 0.25}`.',
)
SUM = warning(
    "GMF302",
    "probabilities do not sum to 1",
    "Options are tried in order against one random number. Below 1 the last option takes the rest; above 1 the later "
    "options lose. Nothing is normalised.",
    "Make the numbers sum to 1.",
)
OUTSIDE = warning(
    "GMF303",
    "a probability is negative or above 1",
    "A negative probability never wins and takes from the options before it; one above 1 leaves nothing to the rest.",
    "Write a number between 0 and 1.",
)
ROW_SUM = warning(
    "GMF304",
    "rows of a lookup table do not sum to 1",
    "As in a list of options: below 1 the last column takes the rest, so a row of zeros chooses the last column.",
    "Make each row sum to 1, or see that the last column is the one that may take the rest.",
)
LAST_CONDITION = warning(
    "GMF305",
    "the condition of the last option is not tested",
    "When no earlier option holds the last one is taken, whether its own condition holds or not.",
    "Add a last option without a condition, for all other patients.",
)
NEVER_CHOSEN = warning(
    "GMF306",
    "an option can never be chosen",
    "An earlier option has no condition, or the probabilities before it already reach 1.",
    "Put the unconditional option last; make the probabilities sum to 1.",
)
SYMPTOM_PROBABILITY = warning(
    "GMF307",
    "the probability of a symptom is outside 0 to 1",
    "Such a probability counts as 1.",
    "Write a number between 0 and 1.",
)
BOUNDS = warning(
    "GMF308",
    "a distribution or range has impossible parameters",
    "The low end lies above the high end, a standard deviation is negative, or a mean waiting time is not positive.",
    "Correct the parameters.",
)
DEFAULT_SUM = warning(
    "GMF309",
    "default probabilities of a lookup table do not sum to 1",
    "They are used where no row matches. Below 1 the last option takes the rest; above 1 the later options lose.",
    "Make the numbers sum to 1.",
)
REACTION_SUM = warning(
    "GMF310",
    "severities of a reaction sum to more than 1",
    "The level `none` takes what is missing to 1; more than 1 cannot be shared out, and Synthea refuses it.",
    "Make the values sum to 1.",
)
OVERLAP = info(
    "GMF311",
    "rows of a lookup table overlap",
    "Ranges include both ends. Where two rows match, the first in file order counts: with `46-65` and `65-103` the "
    "age of 65 goes to the first.",
    "Let ranges end one before the next begins.",
)
CONTAINED = warning(
    "GMF312",
    "a row of a lookup table contains an earlier row",
    "As in Synthea, such a row only gives the earlier one its probabilities and is not a row of its own: whoever "
    "matches it alone gets the defaults.",
    "Make the ranges disjoint.",
)

RULES = (
    NOT_A_NUMBER, SUM, OUTSIDE, ROW_SUM, LAST_CONDITION, NEVER_CHOSEN, SYMPTOM_PROBABILITY, BOUNDS, DEFAULT_SUM,
    REACTION_SUM, OVERLAP, CONTAINED,
)  # fmt: skip


def check(subject: Subject) -> Iterator[Finding]:
    """The rules of this file; GMF301 and GMF312 are found while reading."""
    for module in subject.sound.values():
        for state in module.states.values():
            for steps, options in distributed_lists(state.transition):
                yield from _options(module, state, steps, options)
            yield from _conditional(module, state)
            yield from _values(module, state)
    yield from _tables(subject)


def _options(module: Module, state: State, steps: Steps, options: Sequence[DistributedOption]) -> Iterator[Finding]:
    total, fixed = 0.0, True
    for index, option in enumerate(options):
        chance = option.distribution
        if isinstance(chance, model.NamedDistribution):
            fixed = False
            chance = chance.default
        if not 0.0 <= chance <= 1.0:
            place = (*steps, index, "distribution")
            yield OUTSIDE.at_state(module, state.name, place, f"the probability is {chance:g}")
        if fixed and chance > 0.0 and total >= 1.0 - _TOLERANCE:
            message = f"never chosen: the options before it already sum to {total:g}"
            yield NEVER_CHOSEN.at_state(module, state.name, (*steps, index), message)
        total += chance
    if fixed and abs(total - 1.0) > _TOLERANCE:
        rest = f"the last option, {options[-1].transition!r}, takes the rest" if total < 1 else "later options lose"
        yield SUM.at_state(module, state.name, steps, f"the probabilities sum to {total:.6g}: {rest}")


def _conditional(module: Module, state: State) -> Iterator[Finding]:
    transition = state.transition
    if not isinstance(transition, ConditionalTransition | ComplexTransition):
        return
    tests = option_conditions(transition)
    key, last = transition_key(transition), len(tests) - 1
    for index, test in enumerate(tests):
        if test is None and index < last:
            message = f"options after number {index + 1} are never reached: it has no condition"
            yield NEVER_CHOSEN.at_state(module, state.name, (key, index + 1), message)
            return
    if tests[last] is not None:
        message = "this condition is not tested: the last option is taken when no other holds"
        yield LAST_CONDITION.at_state(module, state.name, (key, last, "condition"), message)


def _values(module: Module, state: State) -> Iterator[Finding]:
    for steps, spread in _spreads(state):
        fault = _range_fault(spread) if isinstance(spread, Range) else _distribution_fault(spread)
        if fault is not None:
            yield BOUNDS.at_state(module, state.name, steps, fault)
    if isinstance(state, model.Symptom) and not 0.0 <= state.probability <= 1.0:
        message = f"the probability is {state.probability:g}, which counts as 1"
        yield SYMPTOM_PROBABILITY.at_state(module, state.name, ("probability",), message)
    if isinstance(state, model.AllergyOnset):
        for index, reaction in enumerate(state.reactions):
            total = sum(severity.value for severity in reaction.possible_severities)
            if total > 1.0 + _TABLE_TOLERANCE:
                steps = ("reactions", index, "possible_severities")
                yield REACTION_SUM.at_state(module, state.name, steps, f"the values sum to {total:g}")


def _spreads(state: State) -> Iterator[tuple[Steps, Range | Distribution]]:
    for holder, prefix in ((state, ()), *((body, steps) for steps, body in bodies(state))):
        for field in ("range", "duration", "distribution"):
            value = getattr(holder, field, None)
            if isinstance(value, Range | Distribution):
                yield (*prefix, field), value


def _range_fault(spread: Range) -> str | None:
    return f"low {spread.low:g} is above high {spread.high:g}" if spread.low > spread.high else None


def _distribution_fault(spread: Distribution) -> str | None:
    low, high = (spread.low, spread.high) if spread.kind == "UNIFORM" else (spread.min, spread.max)
    if low is not None and high is not None and low > high:
        return f"the low end {low:g} is above the high end {high:g}"
    if spread.standard_deviation is not None and spread.standard_deviation < 0.0:
        return f"standardDeviation is negative: {spread.standard_deviation:g}"
    if spread.kind == "EXPONENTIAL" and (spread.mean or 0.0) <= 0.0:
        return f"the mean of an EXPONENTIAL must be positive, it is {spread.mean:g}"
    if spread.mode is not None and low is not None and high is not None and not low <= spread.mode <= high:
        return f"mode {spread.mode:g} is not between min {low:g} and max {high:g}"
    return None


def _tables(subject: Subject) -> Iterator[Finding]:
    for module, state, transition in table_uses(subject.sound):
        total = sum(option.default_probability for option in transition.options)
        if abs(total - 1.0) > _TOLERANCE:
            steps = ("lookup_table_transition",)
            yield DEFAULT_SUM.at_state(module, state, steps, f"the default probabilities sum to {total:g}")
    for (name, _), table in subject.tables.items():
        file = str(subject.table_files[name])
        sums = [(row, sum(row.probabilities)) for row in table.rows]
        off = [(row, total) for row, total in sums if abs(total - 1.0) > _TABLE_TOLERANCE]
        if off:
            message = (
                f"{len(off)} of {len(sums)} rows do not sum to 1; the first is {_describe(off[0][0])}: {off[0][1]:g}"
            )
            yield ROW_SUM.at(file, "", message)
        pairs = _overlaps(table.rows)
        if pairs:
            first, second = pairs[0]
            message = f"{len(pairs)} pairs of rows overlap; the first: {_describe(first)} and {_describe(second)}"
            yield OVERLAP.at(file, "", message)


def _overlaps(rows: Sequence[LookupRow]) -> list[tuple[LookupRow, LookupRow]]:
    groups: dict[tuple[str, ...], list[LookupRow]] = defaultdict(list)
    pairs = []
    for row in rows:
        pairs += [(other, row) for other in groups[row.keys] if _meet(other, row)]
        groups[row.keys].append(row)
    return pairs


def _meet(one: LookupRow, two: LookupRow) -> bool:
    ages = one.age_low is None or (one.age_low <= (two.age_high or 0) and (two.age_low or 0) <= (one.age_high or 0))
    times = one.time_low is None or (
        one.time_low <= (two.time_high or 0) and (two.time_low or 0) <= (one.time_high or 0)
    )
    return ages and times


def _describe(row: LookupRow) -> str:
    parts = list(row.keys)
    if row.age_low is not None:
        parts.append(f"age {row.age_low}-{row.age_high}")
    if row.time_low is not None:
        parts.append(f"time {row.time_low}-{row.time_high}")
    return "(" + ", ".join(parts) + ")"
