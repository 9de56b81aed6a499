"""Cumulative incidence by sex and four bands of age at entry: whether a cohort is right for the old and the young."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.fidelity.cif_gap import MIN_AT_RISK, YearlyIncidence
from trajsim.evaluate.histories import AGE_BANDS, age_band
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare, with_mean
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "cif_by_group"


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    def group(sequences: EventSequences) -> NDArray[np.int64]:
        return age_band(sequences) * 2 + sequences.is_male

    real_group, other_group = group(real), group(other)
    names, n, cells = [], [], []
    for kind, name in enumerate(real.vocabulary.event_names):
        pairs = []
        for cell in range(2 * (len(AGE_BANDS) + 1)):
            ours = YearlyIncidence(real, kind, np.flatnonzero(real_group == cell))
            years = ours.years_with(MIN_AT_RISK)
            if years.any():
                pairs.append((ours, YearlyIncidence(other, kind, np.flatnonzero(other_group == cell)), years))
        if pairs:
            names.append(name)
            n.append(sum(ours.n_events for ours, _, _ in pairs))
            cells.append(pairs)

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        return np.array(
            [
                np.mean(
                    [np.abs(theirs(other_weights) - ours(real_weights))[years].mean() for ours, theirs, years in pairs]
                )
                for pairs in cells
            ]
        )

    return with_mean(names, n, values, len(real))


def cif_by_group(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Mean absolute difference of cumulative incidences over groups and years; first the mean over events."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 1.0))
