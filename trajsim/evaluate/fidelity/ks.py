"""The two-sample distance of Kolmogorov and Smirnov between published values of a lab, and of a few other columns."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import DAYS_PER_YEAR, lab_rows
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAME = "ks"
MIN_VALUES = 1_000
"""Columns with fewer real values are left out. Targets hold from 2,000 on."""


def _columns(sequences: EventSequences) -> dict[str, tuple[Ints, Floats]]:
    """Patient and value of everything that is compared."""
    columns = {}
    for index, lab in enumerate(sequences.vocabulary.labs):
        _, patient, values = lab_rows(sequences, index)
        columns[lab.name] = patient, values
        seen = np.flatnonzero(~np.isnan(sequences.entry_values[:, index]))
        columns[f"{lab.name}_at_entry"] = seen, sequences.entry_values[seen, index]
    visits = np.flatnonzero(sequences.is_visit)
    owner, day = sequences.patient_of_day[visits], sequences.day[visits].astype(np.float64)
    follows = owner[1:] == owner[:-1]
    columns["visit_gap"] = owner[1:][follows], np.diff(day)[follows]
    per_year = np.bincount(owner, minlength=len(sequences)) / (sequences.follow_up_days / DAYS_PER_YEAR)
    everyone = np.arange(len(sequences))
    columns["visits_per_year"] = everyone, np.round(per_year, 3)
    columns["age"] = everyone, np.floor(sequences.entry_age_days / DAYS_PER_YEAR)
    columns["follow_up"] = everyone, sequences.follow_up_days.astype(np.float64)
    known = np.flatnonzero(~np.isnan(sequences.bmi))
    columns["bmi"] = known, np.round(sequences.bmi[known], 1)
    return columns


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    ours, theirs = _columns(real), _columns(other)
    labs = {f"{name}{end}" for name in real.vocabulary.lab_names for end in ("", "_at_entry")}
    names = [name for name in ours if len(ours[name][0]) >= (MIN_VALUES if name in labs else 1)]
    grids = {name: _Grid(ours[name], theirs[name]) for name in names}

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        return np.array([grids[name].distance(real_weights, other_weights) for name in names])

    return Prepared(outcomes=tuple(names), n=tuple(len(ours[name][0]) for name in names), values=values)


class _Grid:
    """Two samples on one grid of their values."""

    def __init__(self, ours: tuple[Ints, Floats], theirs: tuple[Ints, Floats]) -> None:
        self._grid, index = np.unique(np.concatenate([ours[1], theirs[1]]), return_inverse=True)
        self._ours = ours[0], index[: len(ours[0])]
        self._theirs = theirs[0], index[len(ours[0]) :]

    def distance(self, real_weights: Floats, other_weights: Floats) -> float:
        shares = []
        for (patient, index), weights in ((self._ours, real_weights), (self._theirs, other_weights)):
            counts = np.bincount(index, weights=weights[patient], minlength=len(self._grid))
            if counts.sum() == 0:
                return 1.0
            shares.append(np.cumsum(counts) / counts.sum())
        return float(np.abs(shares[0] - shares[1]).max())


def ks(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Largest difference of distribution functions: labs, pace of visits, age, BMI, follow-up."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 1.0))
