"""How far the share of patients who enter with a condition is from the real share."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import conditions, weighted_mean
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare, with_mean
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "prevalence_error"


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    kinds = conditions(real)
    names = [real.vocabulary.event_names[kind] for kind in kinds]

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        return np.array(
            [
                abs(
                    weighted_mean(other.prevalent[:, kind], other_weights)
                    - weighted_mean(real.prevalent[:, kind], real_weights)
                )
                for kind in kinds
            ]
        )

    return with_mean(names, [int(real.prevalent[:, kind].sum()) for kind in kinds], values, len(real))


def prevalence_error(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Absolute difference of prevalences at entry; first the mean over conditions."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 1.0))
