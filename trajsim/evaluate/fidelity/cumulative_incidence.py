"""Cumulative incidence with death competing, on whole days: the estimator of Aalen and Johansen."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def cumulative_incidence(days: Ints, cause: Ints, weights: Floats, *, horizon: int) -> tuple[Floats, Floats]:
    """Probability that the event has come by each day.

    Args:
        days: [n] Day of the event, of the competing one, or of censoring.
        cause: [n] 1 for the event, 2 for a competing one, 0 for censoring, which leaves a patient at risk that day.
        weights: [n] How often each patient counts.
        horizon: Last day.

    Returns:
        [horizon + 1] Cumulative incidence, and [horizon + 1] patients at risk.
    """
    held = np.minimum(days, horizon + 1)
    size = horizon + 2
    leaving = np.bincount(held, weights=weights, minlength=size)
    at_risk = np.maximum(leaving[::-1].cumsum()[::-1], 0.0)
    events = np.bincount(held, weights=weights * (cause == 1), minlength=size)
    competing = np.bincount(held, weights=weights * (cause == 2), minlength=size)
    safe = np.where(at_risk > 0, at_risk, 1.0)
    surviving = np.cumprod(1.0 - (events + competing) / safe)
    before = np.concatenate([[1.0], surviving[:-1]])
    return np.cumsum(before * events / safe)[: horizon + 1], at_risk[: horizon + 1]
