"""Whether a lab reads as much higher or lower in patients with a condition as it really does."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import conditions, held_on_day, lab_rows, weighted_mean
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare, with_mean
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "lab_shift_error"
MIN_PATIENTS = 200
"""Pairs with fewer real patients measured, with or without the condition, are left out."""


class _Shift:
    """Mean on the scale of the lab with the condition, less the mean without it; on the day of the value."""

    def __init__(self, sequences: EventSequences, lab: int, kind: int, held: NDArray[np.bool_]) -> None:
        rows, self._patient, values = lab_rows(sequences, lab)
        self._scaled = sequences.vocabulary.labs[lab].scaled(values)
        self._has = held[rows, kind]

    @property
    def n_patients(self) -> int:
        """Patients of the smaller side."""
        return min(len(np.unique(self._patient[self._has])), len(np.unique(self._patient[~self._has])))

    def __call__(self, weights: Floats) -> float:
        rows = weights[self._patient]
        with_it = weighted_mean(self._scaled, rows * self._has)
        return with_it - weighted_mean(self._scaled, rows * ~self._has)


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    real_held, other_held = held_on_day(real), held_on_day(other)
    names, n, pairs = [], [], []
    for lab, lab_name in enumerate(real.vocabulary.lab_names):
        for kind in conditions(real):
            ours = _Shift(real, lab, kind, real_held)
            if ours.n_patients >= MIN_PATIENTS:
                names.append(f"{lab_name}_by_{real.vocabulary.event_names[kind]}")
                n.append(ours.n_patients)
                pairs.append((ours, _Shift(other, lab, kind, other_held)))

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        return np.array([abs(theirs(other_weights) - ours(real_weights)) for ours, theirs in pairs])

    return with_mean(names, n, values, len(real))


def lab_shift_error(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Absolute difference of shifts, in spreads of the lab; first the mean over pairs of lab and condition."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling)
