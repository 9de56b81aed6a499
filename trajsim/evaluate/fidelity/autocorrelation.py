"""Whether consecutive values of a lab in one patient hang together as they really do."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import lab_rows, weighted_mean
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "autocorrelation_error"
MIN_PAIRS = 500
"""Labs with fewer real pairs are left out."""


def _pairs(sequences: EventSequences, lab: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Patient, value and next value, on the scale of the lab."""
    _, patient, values = lab_rows(sequences, lab)
    scaled = sequences.vocabulary.labs[lab].scaled(values)
    follows = patient[1:] == patient[:-1]
    return patient[1:][follows], scaled[:-1][follows], scaled[1:][follows]


def correlation(first: Floats, second: Floats, weights: Floats) -> float:
    """Pearson's correlation of weighted pairs; 0 where one side does not vary."""
    centred = first - weighted_mean(first, weights), second - weighted_mean(second, weights)
    spread = np.sqrt(weighted_mean(centred[0] ** 2, weights) * weighted_mean(centred[1] ** 2, weights))
    return weighted_mean(centred[0] * centred[1], weights) / float(spread) if spread > 0 else 0.0


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    labs = [index for index in range(len(real.vocabulary.labs)) if len(_pairs(real, index)[0]) >= MIN_PAIRS]
    ours, theirs = [_pairs(real, lab) for lab in labs], [_pairs(other, lab) for lab in labs]

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        return np.array(
            [
                abs(correlation(b, c, other_weights[a]) - correlation(y, z, real_weights[x]))
                for (x, y, z), (a, b, c) in zip(ours, theirs, strict=True)
            ]
        )

    names = tuple(real.vocabulary.lab_names[lab] for lab in labs)
    return Prepared(outcomes=names, n=tuple(len(pairs[0]) for pairs in ours), values=values)


def autocorrelation_error(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Absolute difference of Pearson's correlation between consecutive values of a lab in a patient."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 2.0))
