"""Whether conditions come together in one patient as they really do: phi of every pair, when observation ends."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import held_at_end
from trajsim.evaluate.metric import Metric
from trajsim.evaluate.resampling import Prepared, Resampling, compare
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "co_occurrence_error"


def phi(held: NDArray[np.bool_], weights: Floats) -> Floats:
    """[K, K] Correlation of having one and having another; 0 where nobody or everybody has one."""
    has = held.astype(np.float64)
    total = weights.sum()
    share = weights @ has / total
    both = (has * weights[:, None]).T @ has / total
    spread = np.sqrt(np.maximum(share * (1.0 - share), 0.0))
    scale = np.outer(spread, spread)
    return np.where(scale > 0, (both - np.outer(share, share)) / np.where(scale > 0, scale, 1.0), 0.0)


def _measure(real: EventSequences, other: EventSequences) -> Prepared:
    ours, theirs = held_at_end(real), held_at_end(other)
    upper = np.triu_indices(ours.shape[1], k=1)

    def values(real_weights: Floats, other_weights: Floats) -> Floats:
        return np.array([np.abs(phi(theirs, other_weights) - phi(ours, real_weights))[upper].mean()])

    return Prepared(outcomes=("",) if len(upper[0]) else (), n=(len(real),), values=values)


def co_occurrence_error(
    real: EventSequences, other: EventSequences, *,
    train: EventSequences | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Mean absolute difference of phi over all pairs of events, death among them."""
    return compare(NAME, _measure, real, other, train=train, resampling=resampling, bounds=(0.0, 2.0))
