"""The whole comparison: states, codes, values; adjusted, gated, worst first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trajsim.evaluate.parity import rates, values
from trajsim.evaluate.parity.ages import BANDS, DAYS_PER_YEAR, SEXES
from trajsim.evaluate.parity.left_out import left_out_rows, without_left_out
from trajsim.evaluate.parity.null import OUTSIDE, shares_outside
from trajsim.evaluate.parity.payers import compare_insurance
from trajsim.evaluate.parity.reference import Reference, States
from trajsim.evaluate.parity.result import Comparison, Gate, KindAgreement, Parity
from trajsim.evaluate.parity.states import compare_states, uncounted_modules
from trajsim.evaluate.parity.statistics import Floats, benjamini_hochberg, binomial_quantile, two_sided_p
from trajsim.evaluate.parity.tally import Tally, tally
from trajsim.records.table import Records

CODES_WITHIN = 0.94
"""Least share of codes within 2 SE."""
STATES_WITHIN = 0.97
"""Least share of states within 3 SE, and least share with transitions that are not rejected."""
STATE_ERRORS = 3.0
TRANSITION_P = 0.001
LARGE_EVENTS = 200
"""Events on each side from which on a code must not differ by more than `LARGE_EFFECT`."""
LARGE_EFFECT = 0.10
SIGNIFICANT = 0.05
"""Adjusted p below which a difference is no chance."""
MEDIAN_ERRORS = 3.0
MEDIAN_EFFECT = 0.02
MEDIANS_WITHIN = 0.997
"""Least share of medians within 3 SE or 2 %: chance alone leaves 0.3 % outside 3 SE."""
CHANCE = 0.99
"""Percentile of random splits that the codes outside 2 SE may reach, kind by kind."""

NOT_COMPARED: Sequence[Mapping[str, str]] = (
    {"what": "dispenses of medications", "why": "Records hold no number of dispenses"},
    {"what": "who holds a plan (patient, guardian, spouse)", "why": "Records hold plans, not their holders"},
    {"what": "expenses and coverage", "why": "Records hold no costs"},
)


def compare(
    shards: Iterable[Records], states: States, reference: Reference, *, about: Mapping[str, object], seed: int = 0
) -> Parity:
    """Compares Records and state metrics with a reference.

    Args:
        shards: Our Records, shard by shard; different patients in each.
        states: Our state metrics, in the shape of the reference's.
        reference: What they are compared with.
        about: Names, options and remarks for the report.
        seed: Seed of the random splits that show what chance does.

    Returns:
        All comparisons with adjusted p-values, gates, and which state wrote which code.

    Guarantees:
        Two samples of one population agree within 2 SE in about 95 % of codes.
        (tests/unit/evaluate/test_parity_calibration.py)
    """
    reference = without_left_out(reference)
    ours = tally(shards)
    table = rates.build_code_table(ours, reference)
    influence = rates.influences(table, ours)
    found = [
        *compare_states(
            states, reference.states, state_rows=ours.state_rows, n_ours=ours.n_persons, n_theirs=reference.n_persons
        ),
        *rates.compare_rates(table, influence, n_theirs=reference.n_persons),
        *rates.compare_strata(table),
        *rates.compare_persons_ever(table, ours, reference),
        *rates.compare_prevalence(ours, reference),
        *rates.compare_stopped(ours, reference),
        *values.compare_spans(ours, reference),
        *values.compare_observations(ours, reference),
        *values.compare_texts(ours, reference),
        *values.compare_encounters(ours, reference),
        *values.compare_deaths(ours, reference),
        *values.compare_totals(ours, reference),
        *compare_insurance(ours.insurance, reference["payer_ownership_years"]),
    ]
    comparisons = adjusted(found)
    kinds, by_chance = agreement_by_kind(comparisons, influence, table.codes, ours, reference, seed=seed)
    return Parity(
        about={**about, **_sizes(ours, reference), "decimals_of_values": values.decimals_of(reference)},
        comparisons=comparisons,
        kinds=kinds,
        gates=[*_code_gates(comparisons, kinds, by_chance), *_state_gates(comparisons), _median_gate(comparisons)],
        writers=_writers(ours),
        not_compared=[*NOT_COMPARED, *left_out_rows(), *_uncounted(states, reference)],
        curves=_curves(table),
    )


def _uncounted(states: States, reference: Reference) -> list[Mapping[str, str]]:
    """Modules that are compared by their codes alone."""
    modules = uncounted_modules(states, reference.states)
    why = "the reference's states.json does not hold them; the codes that they write are compared"
    return [{"what": f"states of {len(modules)} modules: {', '.join(modules)}", "why": why}] if modules else []


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Adds q, measure by measure, and sorts worst first within each."""
    by_measure: dict[str, list[Comparison]] = defaultdict(list)
    for each in comparisons:
        by_measure[each.measure].append(each)
    result: list[Comparison] = []
    for group in by_measure.values():
        q = benjamini_hochberg(np.array([each.p for each in group]))
        ranked = [replace(each, q=float(value)) for each, value in zip(group, q.tolist(), strict=True)]
        result.extend(sorted(ranked, key=_badness))
    return result


def _badness(each: Comparison) -> tuple[float, float, str]:
    if each.z is None:
        return (each.p, -_number(each, "chi_square"), each.label)
    return (-abs(each.z), each.p, each.label)


def _number(each: Comparison, name: str) -> float:
    value = each.detail[name]
    assert isinstance(value, float)
    return value


def agreement_by_kind(
    comparisons: Sequence[Comparison], influence: Floats, codes: Sequence[tuple[str, str, str]], ours: Tally,
    reference: Reference, *, seed: int,
) -> tuple[list[KindAgreement], float]:  # fmt: skip
    """Codes within 2 SE, kind by kind, beside what chance allows and what the reference's halves reach.

    Returns:
        The kinds, and the share of all codes within 2 SE that 99 of 100 random splits reach.
    """
    z: dict[str, dict[tuple[str, str, str], float]] = defaultdict(dict)
    for each in comparisons:
        if each.measure == "events per person-year" and each.z is not None:
            key = each.key["kind"], each.key["class"], each.key["code"]
            z[key[0]][key] = abs(each.z)
    share = ours.n_persons / max(ours.n_persons + reference.n_persons, 1)
    n_events = np.bincount(ours.code, ours.count, minlength=len(ours.codes))
    known = {code for code, n in zip(ours.codes, n_events.tolist(), strict=True) if n >= rates.LEAST_EVENTS}
    rows = [row for row, code in enumerate(codes) if code in known and code in z.get(code[0], {})]
    null = shares_outside(influence[rows], [codes[row][0] for row in rows], share_ours=share, seed=seed)
    kinds = [_kind_agreement(kind, found, known, null.get(kind), reference) for kind, found in sorted(z.items())]
    return kinds, 1.0 - float(np.quantile(null[""], CHANCE))


def _kind_agreement(
    kind: str, found: Mapping[tuple[str, str, str], float], known: set[tuple[str, str, str]], null: Floats | None,
    reference: Reference,
) -> KindAgreement:  # fmt: skip
    """Codes that we hardly have cannot be split; for them chance is binomial."""
    n_known = len(known & found.keys())
    allowed = binomial_quantile(len(found) - n_known, two_sided_p(np.array([OUTSIDE]))[0], CHANCE)
    return KindAgreement(
        kind=kind,
        n_codes=len(found),
        n_outside=sum(each > OUTSIDE for each in found.values()),
        allowed=allowed + (0.0 if null is None else float(np.quantile(null, CHANCE)) * n_known),
        ceiling=reference.ceiling.get(kind),
        largest_z=max(found.values()),
    )


def _code_gates(comparisons: Sequence[Comparison], kinds: Sequence[KindAgreement], by_chance: float) -> list[Gate]:
    found = [each for each in comparisons if each.measure == "events per person-year" and each.z is not None]
    inside = sum(abs(each.z or 0.0) <= OUTSIDE for each in found)
    known = [kind for kind in kinds if kind.ceiling is not None]
    n_known = sum(kind.n_codes for kind in known)
    ceiling = sum((kind.ceiling or 0.0) * kind.n_codes for kind in known) / n_known if n_known else None
    large = [each for each in found if min(each.n_ours, each.n_theirs) > LARGE_EVENTS]
    off = [each for each in large if abs(each.effect) > LARGE_EFFECT and each.q < SIGNIFICANT]
    broken = [kind for kind in kinds if kind.n_outside > kind.allowed]
    return [
        Gate(
            name="codes within 2 SE",
            about=f"share of codes with {rates.LEAST_EVENTS} events or more whose rate is within 2 standard errors",
            value=inside / len(found) if found else 1.0,
            limit=least_share(CODES_WITHIN, len(found), _chance_beyond(OUTSIDE)),
            is_minimum=True,
            n=len(found),
            ceiling=ceiling,
            by_chance=by_chance,
        ),
        Gate(
            name="kinds beyond chance",
            about="kinds with more codes outside 2 SE than 99 % of random splits of our own persons have",
            value=len(broken),
            limit=0,
            is_minimum=False,
            n=len(kinds),
        ),
        Gate(
            name="large codes off by 10 %",
            about=f"codes with more than {LARGE_EVENTS} events on each side, more than 10 % apart, adjusted p < 0.05",
            value=len(off),
            limit=0,
            is_minimum=False,
            n=len(large),
        ),
    ]


def _state_gates(comparisons: Sequence[Comparison]) -> list[Gate]:
    entered = [each for each in comparisons if each.measure == "entered per person" and each.is_gated]
    moves = [each for each in comparisons if each.measure == "transitions" and each.is_gated]
    return [
        Gate(
            name="states within 3 SE",
            about="share of states that the reference entered 50 times or more, as often here within 3 standard errors",
            value=_share(sum(abs(each.z or 0.0) <= STATE_ERRORS for each in entered), len(entered)),
            limit=least_share(STATES_WITHIN, len(entered), _chance_beyond(STATE_ERRORS)),
            is_minimum=True,
            n=len(entered),
        ),
        Gate(
            name="transitions not rejected",
            about="share of these states whose transitions a chi-square test at p = 0.001 does not reject",
            value=_share(
                len(entered) - sum(_number(each, "p_if_moves_independent") < TRANSITION_P for each in moves),
                len(entered),
            ),
            limit=least_share(STATES_WITHIN, len(entered), TRANSITION_P),
            is_minimum=True,
            n=len(entered),
        ),
        Gate(
            name="branching states not rejected",
            about="the same of the states alone that have a choice, as if all moves of one person were alike",
            value=_share(len(moves) - sum(each.p < TRANSITION_P for each in moves), len(moves)),
            limit=least_share(STATES_WITHIN, len(moves), TRANSITION_P),
            is_minimum=True,
            n=len(moves),
        ),
    ]


def _median_gate(comparisons: Sequence[Comparison]) -> Gate:
    found = [each for each in comparisons if each.measure == "observation values" and each.is_gated]
    kept = sum(abs(each.z or 0.0) <= MEDIAN_ERRORS or abs(each.effect) <= MEDIAN_EFFECT for each in found)
    return Gate(
        name="medians within 3 SE or 2 %",
        about="share of medians by observation, sex and age band (1,000 values or more on each side) that agree",
        value=_share(kept, len(found)),
        limit=least_share(MEDIANS_WITHIN, len(found), _chance_beyond(MEDIAN_ERRORS)),
        is_minimum=True,
        n=len(found),
    )


def least_share(limit: float, n: int, chance: float) -> float:
    """The share that n comparisons must reach: the limit, or what they reach by chance in 99 of 100 cases, if less."""
    return min(limit, 1.0 - binomial_quantile(n, chance, CHANCE) / n) if n else limit


def _chance_beyond(errors: float) -> float:
    return float(two_sided_p(np.array([errors]))[0])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _writers(ours: Tally) -> dict[str, list[Mapping[str, object]]]:
    """Which states wrote each code, most rows first."""
    result: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for (number, module, state), rows in sorted(ours.writers.items(), key=lambda item: (item[0][0], -item[1], item[0])):
        result["|".join(ours.codes[number])].append({"module": module, "state": state, "rows": rows})
    return dict(result)


def _curves(table: rates.CodeTable) -> dict[str, dict[str, list[float | None]]]:
    """Events per person-year by stratum, for the pictures of the report."""
    result: dict[str, dict[str, list[float | None]]] = {}
    enough = table.ours.sum(axis=1) + table.theirs.sum(axis=1) >= rates.LEAST_EVENTS
    for row in np.flatnonzero(enough).tolist():
        result["|".join(table.codes[row])] = {
            side: [float(n / y) if y > 0.0 else None for n, y in zip(events[row].tolist(), years.tolist(), strict=True)]
            for side, events, years in (
                ("ours", table.ours, table.our_years),
                ("theirs", table.theirs, table.their_years),
            )
        }
    return result


def _sizes(ours: Tally, reference: Reference) -> dict[str, object]:
    """Sizes and composition of both populations: the first thing to look at when rates differ."""
    persons = reference["persons"]
    living = reference["living_at_end"]
    at_end = ours.persons.at_end()[~ours.persons.is_dead] % len(BANDS)
    n_living = max(len(at_end), 1)
    years = float(ours.persons.years().sum())
    composition: dict[str, object] = {}
    for column in ("sex", "race", "ethnicity"):
        theirs = persons.groupby(column)["n"].sum() / max(reference.n_persons, 1)
        own = (
            np.array(SEXES, object)[ours.persons.sex] if column == "sex" else ours.demographics.get(column, np.zeros(0))
        )
        composition[column] = {
            str(name): [
                round(float((own == name).mean()) if len(own) else 0.0, 4),
                round(float(theirs.get(name, 0.0)), 4),
            ]
            for name in sorted({*theirs.index.tolist(), *own.tolist()})
        }
    their_living = living.groupby("age_from")["living"].sum()
    composition["age of the living"] = {
        str(band): [
            round(float((at_end == number).sum()) / n_living, 4),
            round(float(their_living.get(band, 0.0)) / max(float(their_living.sum()), 1.0), 4),
        ]
        for number, band in enumerate(BANDS)
    }
    return {
        "n_ours": ours.n_persons,
        "n_theirs": reference.n_persons,
        "reference": reference.name,
        "person_years_per_person": [
            round(years / max(ours.n_persons, 1), 3),
            round(float(reference["time_at_risk"]["person_years"].sum()) / max(reference.n_persons, 1), 3),
        ],
        "deaths_per_person": [
            round(float(ours.persons.is_dead.mean()) if ours.n_persons else 0.0, 4),
            round(float(persons["deaths"].sum()) / max(reference.n_persons, 1), 4),
        ],
        "composition": composition,
        "days_per_year": DAYS_PER_YEAR,
    }
