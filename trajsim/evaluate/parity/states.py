"""States: how often each is entered, and where it leads: a disagreement is localised to one state of one module.

The variance between persons comes from our metrics, where they hold the sum over persons of squared entries
(``sum_sq_per_person``). Where they do not, it comes from the rows that states wrote: exactly for a state that writes a
fixed number of rows an entry, and for the others from such a state of the same module with the closest number of
entries, by the law of thinning: if each entry of A leads to B with chance c, the excess of the variance of B over its
mean, relative to the mean, is c times that of A. Where no such state is near, those who enter it are taken to do so a
geometric number of times.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from trajsim.evaluate.parity.rates import relative
from trajsim.evaluate.parity.reference import States
from trajsim.evaluate.parity.result import Comparison
from trajsim.evaluate.parity.statistics import chi_square_p, multinomial_test, pooled_z, two_sided_p

LEAST_ENTERED = 50
"""Entries in the reference (or ours, scaled to its size) from which on a state is compared."""
LEAST_MOVES = 20
"""Moves out of a state on each side from which on its transitions are compared."""

_NEAR = math.log(4.0)  # a state entered four times as often says little about this one

StateRows = Mapping[tuple[str, str], tuple[int, int, int]]
"""By module and state: rows, sum of squared rows a person, persons with any."""


@dataclass(frozen=True)
class _Known:
    """A state whose entries are known person by person."""

    mean: float
    excess: float  # variance / mean - 1

    def variance(self, mean: float) -> float:
        """Of a state with another mean, by thinning."""
        return mean * (1.0 + self.excess * mean / self.mean)


def compare_states(
    ours: States, theirs: States, *, state_rows: StateRows, n_ours: int, n_theirs: int
) -> Iterator[Comparison]:
    """Compares state metrics.

    Args:
        ours: Our state metrics.
        theirs: The reference's.
        state_rows: Rows of our Records by module and state.
        n_ours: Persons in our run.
        n_theirs: Persons in the reference.

    Yields:
        Entries per person and transitions of every state that was entered often enough, in modules that the reference
        counted (`uncounted_modules` names the others).
    """
    for module in sorted(theirs):
        left, right = ours.get(module, {}), theirs[module]
        known = dict(_known_states(module, left, state_rows, n_ours))
        for state in sorted({*left, *right}):
            a, b = left.get(state, {}), right.get(state, {})
            # What Java entered often, and what we enter often and it does not.
            if max(_count(b, "entered"), _count(a, "entered") * n_theirs / max(n_ours, 1)) >= LEAST_ENTERED:
                yield _entered(module, state, a, b, known, n_ours, n_theirs)
            if a and b:
                yield from _transitions(module, state, a, b)


def uncounted_modules(ours: States, theirs: States) -> list[str]:
    """Modules that we ran and whose states the reference did not count."""
    return sorted(module for module, states in ours.items() if states and module not in theirs)


def _count(entry: Mapping[str, object], name: str) -> int:
    value = entry.get(name, 0)
    return value if isinstance(value, int) else 0


def _known_states(
    module: str, states: Mapping[str, Mapping[str, object]], rows: StateRows, n_persons: int
) -> Iterator[tuple[str, _Known]]:
    """States whose entries are known person by person: counted so, or with the same number of rows at every entry."""
    for state, entry in states.items():
        entered = _count(entry, "entered")
        n_rows, squares, _ = rows.get((module, state), (0, 0, 0))
        if not entered:
            continue
        mean = entered / n_persons
        if "sum_sq_per_person" in entry:
            second = _count(entry, "sum_sq_per_person") / n_persons
        elif n_rows and n_rows % entered == 0:
            second = squares / (n_rows // entered) ** 2 / n_persons
        else:
            continue
        yield state, _Known(mean, (second - mean**2) / mean - 1.0)


def entry_variance(mean: float, share: float | None, state: str, known: Mapping[str, _Known]) -> float:
    """Variance between persons of the entries of a state.

    Args:
        mean: Entries per person, both sides together.
        share: Persons that entered it, as a share of all; None in a submodule, whose metrics count calls.
        state: Its name.
        known: States of the module whose variance is known.
    """
    if mean <= 0.0:
        return 0.0
    if state in known:
        return max(known[state].variance(mean), 0.0)
    near = [each for each in known.values() if abs(math.log(each.mean / mean)) <= _NEAR]
    thinned = min(near, key=lambda each: abs(math.log(each.mean / mean))).variance(mean) if near else 0.0
    if share is None:
        return thinned if thinned > 0.0 else mean + mean**2  # a geometric number from 0
    often = max(mean / max(share, 1e-12), 1.0)  # entries of one who enters it at all
    alike = mean * max(often - mean, 0.0)  # all who enter it do so equally often: exact for once in a life
    if often <= 1.0 or thinned <= 0.0:
        return max(alike, mean * (2.0 * often - 1.0) - mean**2)  # a geometric number from 1
    return max(alike, thinned)


def _entered(
    module: str, state: str, a: Mapping[str, object], b: Mapping[str, object], known: Mapping[str, _Known],
    n_ours: int, n_theirs: int,
) -> Comparison:  # fmt: skip
    entered = _count(a, "entered"), _count(b, "entered")
    rates = entered[0] / max(n_ours, 1), entered[1] / max(n_theirs, 1)
    n = max(n_ours + n_theirs, 1)
    share = None if "/" in module else (_count(a, "persons") + _count(b, "persons")) / n
    variance = entry_variance(sum(entered) / n, share, state, known)
    z, _ = pooled_z(
        np.array([rates[0]]), np.array([rates[1]]), np.array([variance]), np.array([float(n_ours)]),
        np.array([float(n_theirs)]),
    )  # fmt: skip
    return Comparison(
        level="states",
        measure="entered per person",
        key={"module": module, "state": state},
        label="",
        ours=rates[0],
        theirs=rates[1],
        n_ours=entered[0],
        n_theirs=entered[1],
        z=float(z[0]),
        p=float(two_sided_p(z)[0]),
        effect=relative(*rates),
        is_gated=entered[1] >= LEAST_ENTERED,
        detail={"mean_days_ours": a.get("mean_days"), "mean_days_theirs": b.get("mean_days")},
    )


def _transitions(module: str, state: str, a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[Comparison]:
    """The transitions taken, as two multinomials."""
    ours, theirs = _moves(a), _moves(b)
    n_ours, n_theirs = sum(ours.values()), sum(theirs.values())
    if min(n_ours, n_theirs) < LEAST_MOVES or len({*ours, *theirs}) < 2:
        return
    statistic, degrees = multinomial_test(ours, theirs)
    if degrees == 0:
        return
    # Moves of one person may all be the same (who smokes answers so at every visit). The most that this can widen the
    # statistic is the number of moves a person, weighted by itself.
    a_person = max(1.0, n_ours / max(_count(a, "persons"), 1), n_theirs / max(_count(b, "persons"), 1))
    if "sum_sq_per_person" in a:
        a_person = max(1.0, _count(a, "sum_sq_per_person") / max(_count(a, "entered"), 1))
    shifts = {name: ours.get(name, 0) / n_ours - theirs.get(name, 0) / n_theirs for name in sorted({*ours, *theirs})}
    worst = max(shifts, key=lambda name: abs(shifts[name]))
    yield Comparison(
        level="states",
        measure="transitions",
        key={"module": module, "state": state},
        label=f"to {worst}",
        ours=ours.get(worst, 0) / n_ours,
        theirs=theirs.get(worst, 0) / n_theirs,
        n_ours=n_ours,
        n_theirs=n_theirs,
        z=None,
        p=chi_square_p(statistic / a_person, degrees),
        effect=math.sqrt(statistic / (n_ours + n_theirs)),
        is_gated=_count(b, "entered") >= LEAST_ENTERED,
        detail={
            "chi_square": statistic,
            "degrees": degrees,
            "p_if_moves_independent": chi_square_p(statistic, degrees),
            "to_ours": ours,
            "to_theirs": theirs,
        },
    )


def _moves(entry: Mapping[str, object]) -> dict[str, int]:
    leads = entry.get("to", {})
    return {str(name): int(n) for name, n in leads.items()} if isinstance(leads, dict) else {}
