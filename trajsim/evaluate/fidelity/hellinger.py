"""Hellinger's distance over joint cells of conditions, sex and age: what single prevalences cannot show."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import AGE_BANDS, age_band, conditions, held_at_end
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "hellinger"
N_CONDITIONS = 7


def _cells(sequences: EventSequences) -> NDArray[np.int64]:
    """[n] Cell of the first seven conditions of the vocabulary at the end, sex and band of age at entry."""
    held = held_at_end(sequences)
    cell = age_band(sequences) * 2 + sequences.is_male
    for kind in conditions(sequences)[:N_CONDITIONS]:
        cell = cell * 2 + held[:, kind]
    return np.asarray(cell, dtype=np.int64)


def hellinger_distance(first: Floats, second: Floats) -> float:
    """Distance of two sets of counts, 0 to 1."""
    roots = np.sqrt(first / first.sum()) - np.sqrt(second / second.sum())
    return float(np.sqrt(0.5 * np.sum(roots**2)))


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    ours, theirs = _cells(real), _cells(other)
    size = 2 * (len(AGE_BANDS) + 1) * 2 ** len(conditions(real)[:N_CONDITIONS])

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        first, second = np.bincount(ours, real_weights, size), np.bincount(theirs, other_weights, size)
        return np.array([hellinger_distance(first.astype(np.float64), second.astype(np.float64))])

    return Prepared(outcomes=("",), n=(len(real),), values=values)


def hellinger(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Distance over 1,024 cells: seven conditions, sex, four bands of age."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 1.0))
