"""How far the cumulative incidence of a cohort is from the real one, at the worst of the years 1 to 10."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.fidelity.cumulative_incidence import cumulative_incidence
from trajsim.evaluate.histories import DAYS_PER_YEAR, times_to_first
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare, with_mean
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "cif_gap"
YEARS = 10
MIN_AT_RISK = 30
"""Years at whose end fewer real patients are at risk are left out."""


def year_days(years: int = YEARS) -> NDArray[np.int64]:
    """Last whole day of each year after entry."""
    return np.asarray(np.floor(np.arange(1, years + 1) * DAYS_PER_YEAR), dtype=np.int64)


class YearlyIncidence:
    """Cumulative incidence of one event, for any weights of patients; those who have it at entry are left out."""

    def __init__(self, sequences: EventSequences, kind: int, rows: NDArray[np.int64]) -> None:
        days, cause = times_to_first(sequences)
        self.rows = rows[~sequences.prevalent[rows, kind]]
        self._days, self._cause = days[self.rows, kind], cause[self.rows, kind]
        self._ends = year_days()

    @property
    def n_events(self) -> int:
        """First events."""
        return int(np.sum(self._cause == 1))

    def years_with(self, least: int) -> NDArray[np.bool_]:
        """Which years end with at least so many patients at risk."""
        return np.array([np.sum(self._days >= end) >= least for end in self._ends])

    def __call__(self, weights: Floats) -> Floats:
        """[years] Incidence by the end of each year."""
        incidence, _ = cumulative_incidence(self._days, self._cause, weights[self.rows], horizon=int(self._ends[-1]))
        return np.asarray(incidence[self._ends])


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    names, n, pairs = [], [], []
    for kind, name in enumerate(real.vocabulary.event_names):
        ours = YearlyIncidence(real, kind, np.arange(len(real)))
        years = ours.years_with(MIN_AT_RISK)
        if not years.any():
            continue
        names.append(name)
        n.append(ours.n_events)
        pairs.append((ours, YearlyIncidence(other, kind, np.arange(len(other))), years))

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        gaps = [np.abs(theirs(other_weights) - ours(real_weights))[years].max() for ours, theirs, years in pairs]
        return np.array(gaps)

    return with_mean(names, n, values, len(real))


def cif_gap(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Largest difference of cumulative incidences over the years 1 to 10; first the mean over events."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 1.0))
