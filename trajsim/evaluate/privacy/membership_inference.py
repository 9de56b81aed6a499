"""Whether a likelihood tells who was in the training data: the attack by a threshold on the loss."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.metric import TEACHER_FORCED, Metric
from trajsim.evaluate.ranking import RankedScores
from trajsim.evaluate.resampling import Resampling, bootstrap_interval

Floats = NDArray[np.float64]

NAME = "membership_inference"
SENSITIVITY = "membership_sensitivity"
FALSE_POSITIVE_RATE = 0.01


def membership_inference(
    train_nll: Floats, held_out_nll: Floats, *,
    untrained: tuple[Floats, Floats] | None = None, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Area under the curve of minus the loss, training patients against others; and sensitivity at 1 % false alarms.

    The floor is the same of a model that never saw a patient: the two groups may differ in what they are.

    Args:
        train_nll: [n] Total negative log likelihood of training patients.
        held_out_nll: [m] The same of patients that were not trained on.
        untrained: Both under a model that learned nothing.
        resampling: How many resamples of patients are behind the interval.
    """
    resampling = resampling or Resampling()
    attack = _ranked(train_nll, held_out_nll)
    n = len(train_nll) + len(held_out_nll)
    low, high = bootstrap_interval(attack.auc, n, resampling=resampling)
    blind = _ranked(*untrained) if untrained is not None else None
    return (
        Metric(name=NAME, mode=TEACHER_FORCED, value=attack.auc(), low=low, high=high, n=n,
               floor=blind.auc() if blind else np.nan),
        Metric(name=SENSITIVITY, mode=TEACHER_FORCED, value=attack.sensitivity_at(FALSE_POSITIVE_RATE), n=n,
               floor=blind.sensitivity_at(FALSE_POSITIVE_RATE) if blind else np.nan),
    )  # fmt: skip


def _ranked(train_nll: Floats, held_out_nll: Floats) -> RankedScores:
    is_member = np.repeat([True, False], [len(train_nll), len(held_out_nll)])
    return RankedScores(-np.concatenate([train_nll, held_out_nll]), is_member)
