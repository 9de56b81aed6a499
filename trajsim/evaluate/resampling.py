"""Intervals and floors of measures that compare two groups of patients.

A measure is prepared once and then evaluated with weights of patients: how often each of them was drawn. All
resampling is by patient, never by row, because the days of one patient belong together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.metric import FREE_RUN, Metric, Mode
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

Z_95 = 1.959963984540054
FLOOR_QUANTILE = 0.95


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A measure of two groups of patients, ready for many weights.

    Attributes:
        outcomes: What each value was measured on; empty for all together.
        n: What each value rests on among the real patients.
        values: From weights of the real patients and of the others to one value an outcome.
    """

    outcomes: tuple[str, ...]
    n: tuple[int, ...]
    values: Callable[[Floats, Floats], Floats]


class Measure(Protocol):
    """Prepares a measure; its outcomes depend on the real patients alone."""

    def __call__(self, real: EventSequences, other: EventSequences) -> Prepared:
        """Prepares the comparison of real patients with others."""


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How intervals and floors are made.

    Attributes:
        n_bootstrap: Resamples of patients behind an interval.
        n_floor: Random parts of the training patients behind a floor.
        seed: Of all random choices.
    """

    n_bootstrap: int = 100
    n_floor: int = 40
    seed: int = 0


def compare(
    name: str, measure: Measure, real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
    bounds: tuple[float, float] = (0.0, np.inf), mode: Mode = FREE_RUN,
) -> tuple[Metric, ...]:  # fmt: skip
    """Measures others against real patients.

    The interval is the value and 1.96 standard errors of a bootstrap of both groups to either side, within the bounds
    of the measure. The floor is the 95 % quantile of the same measure between random parts of the training patients,
    as many as there are real patients, and the real patients: what no model can be expected to beat.

    Args:
        name: Of the measure.
        measure: What to compute.
        real: Patients that no model saw.
        other: A synthetic cohort.
        train: Real patients for the floor; without them there is none.
        resampling: How many resamples.
        bounds: Smallest and largest possible value.
        mode: How `other` came to be.
    """
    resampling = resampling or Resampling()
    prepared = measure(real, other)
    if not prepared.outcomes:
        return ()
    value = prepared.values(np.ones(len(real)), np.ones(len(other)))
    error = np.zeros_like(value)
    if resampling.n_bootstrap:
        generator = np.random.default_rng(resampling.seed)
        drawn = [
            prepared.values(bootstrap_weights(generator, len(real)), bootstrap_weights(generator, len(other)))
            for _ in range(resampling.n_bootstrap)
        ]
        error = Z_95 * np.std(np.array(drawn), axis=0, ddof=1)
    floors = _floors(measure, real, train, len(prepared.outcomes), resampling)
    return tuple(
        Metric(
            name=name, mode=mode, outcome=outcome, value=float(value[index]), n=prepared.n[index],
            low=max(float(value[index] - error[index]), bounds[0]) if resampling.n_bootstrap else np.nan,
            high=min(float(value[index] + error[index]), bounds[1]) if resampling.n_bootstrap else np.nan,
            floor=float(floors[index]),
        )
        for index, outcome in enumerate(prepared.outcomes)
    )  # fmt: skip


def _floors(
    measure: Measure, real: EventSequences, train: EventSequences | None, n_outcomes: int, resampling: Resampling
) -> Floats:
    if train is None or not len(train) or not resampling.n_floor:
        return np.full(n_outcomes, np.nan)
    generator = np.random.default_rng(resampling.seed + 1)
    found = []
    for _ in range(resampling.n_floor):
        part = random_part(train, len(real), generator)
        found.append(measure(real, part).values(np.ones(len(real)), np.ones(len(part))))
    return np.asarray(np.quantile(np.array(found), FLOOR_QUANTILE, axis=0))


def random_part(sequences: EventSequences, size: int, generator: np.random.Generator) -> EventSequences:
    """So many patients, none twice; all of them where there are not more."""
    chosen = generator.permutation(len(sequences))[:size]
    return sequences.take(np.sort(chosen))


def bootstrap_weights(generator: np.random.Generator, n: int) -> Floats:
    """How often each of n patients is drawn when n are drawn with replacement."""
    return np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)


def bootstrap_interval(values: Callable[[Floats], float], n: int, *, resampling: Resampling) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of a statistic of n weighted patients; NaN without resamples."""
    if not resampling.n_bootstrap:
        return np.nan, np.nan
    generator = np.random.default_rng(resampling.seed)
    drawn = [values(bootstrap_weights(generator, n)) for _ in range(resampling.n_bootstrap)]
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    return float(low), float(high)


def with_mean(outcomes: list[str], n: list[int], values: Callable[[Floats, Floats], Floats], total: int) -> Prepared:
    """Puts the mean over outcomes, which rests on `total`, before the single values."""
    if not outcomes:
        return Prepared(outcomes=(), n=(), values=values)

    def all_values(real: Floats, other: Floats) -> Floats:
        single = values(real, other)
        return np.concatenate([[single.mean()], single])

    return Prepared(outcomes=("", *outcomes), n=(total, *n), values=all_values)
