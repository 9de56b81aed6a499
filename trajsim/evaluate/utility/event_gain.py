"""How much better a model foretells events than a table of rates, in units of what a log-linear model gains.

Absolute likelihoods differ from one set of patients to another by more than models do, so only paired gains on the
same patients can be compared.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.metric import TEACHER_FORCED, Metric
from trajsim.evaluate.resampling import Resampling, bootstrap_interval

Floats = NDArray[np.float64]

NAME = "event_nll_gain"
SHARE = "share_of_reference_gain"


def nll(name: str, values: Floats, *, resampling: Resampling | None = None) -> tuple[Metric, ...]:
    """Mean negative log likelihood of a patient, in nats.

    Args:
        name: Of the part, for example ``event_nll``.
        values: [n] Of every patient.
        resampling: How many resamples of patients are behind the interval.
    """
    low, high = bootstrap_interval(_mean(values), len(values), resampling=resampling or Resampling())
    return (Metric(name=name, mode=TEACHER_FORCED, value=float(values.mean()), low=low, high=high, n=len(values)),)


def event_nll_gain(
    table: Floats, cox: Floats, model: Floats, *, name: str = NAME, resampling: Resampling | None = None
) -> tuple[Metric, ...]:
    """(table - model) / (table - Cox+), each the mean negative log likelihood of events of the same patients.

    Args:
        table: [n] Of the table of rates by age and sex.
        cox: [n] Of the log-linear model of the state at entry.
        model: [n] Of the model.
        name: Of the measure; with another table it has another one.
        resampling: How many resamples of patients are behind the interval.
    """
    return (_share(name, table - model, table - cox, resampling or Resampling()),)


def share_of_reference_gain(
    table: Floats, reference: Floats, model: Floats, *, resampling: Resampling | None = None
) -> tuple[Metric, ...]:
    """(table - model) / (table - reference): what is left of the gain of a model that was trained without privacy."""
    return (_share(SHARE, table - model, table - reference, resampling or Resampling()),)


def _share(name: str, gain: Floats, unit: Floats, resampling: Resampling) -> Metric:
    def share(weights: Floats) -> float:
        below = float(unit @ weights)
        return float(gain @ weights) / below if below != 0 else float("nan")

    low, high = bootstrap_interval(share, len(gain), resampling=resampling)
    value = share(np.ones(len(gain)))
    return Metric(name=name, mode=TEACHER_FORCED, value=value, low=low, high=high, n=len(gain))


def _mean(values: Floats) -> Callable[[Floats], float]:
    return lambda weights: float(values @ weights / weights.sum())
