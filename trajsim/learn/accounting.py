"""How much privacy training and releases spend together: privacy loss distributions, in one budget.

Everything that is computed on patients and leaves the machine is a Gaussian mechanism here: noisy sums of clipped
gradients over Poisson samples, and a few noisy counts over everybody. They are composed before anything is trained,
and the noise of training is what is left to solve for.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import dp_accounting
import numpy as np
from dp_accounting.pld import PLDAccountant

from trajsim.errors import ConfigError, PrivacyError

RELATION = "ADD_OR_REMOVE_ONE"
ACCOUNTANT = "privacy loss distributions (dp_accounting.pld.PLDAccountant)"
_INTERVAL = 1e-3
_SIGMA_STEP = 1e-3
_LARGEST_SIGMA = 1e4
# Noise multiplier of each calibration release by epsilon: what a budget affords without hurting training.
_CALIBRATION_EPSILONS = (1.0, 3.0, 8.0)
_CALIBRATION_MULTIPLIERS = (14.0, 6.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A noisy sum over all patients, made once.

    Attributes:
        name: What is released.
        sensitivity: Largest L2 norm of what one patient adds.
        noise_multiplier: Standard deviation of the noise in units of the sensitivity.
    """

    name: str
    sensitivity: float
    noise_multiplier: float

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: One is out of range.
        """
        if not self.sensitivity > 0 or not self.noise_multiplier >= 0:
            msg = (
                f"release {self.name!r}: expected a positive sensitivity and a noise multiplier of 0 or more, got "
                f"{self.sensitivity!r} and {self.noise_multiplier!r}"
            )
            raise ConfigError(msg)

    @property
    def stddev(self) -> float:
        """Standard deviation of the noise."""
        return self.sensitivity * self.noise_multiplier


def calibration_multiplier(epsilon: float) -> float:
    """Noise multiplier that a release beside training can bear where everything together may spend `epsilon`.

    Between the measured settings it follows a straight line of logarithms, outside of them the nearest one.
    """
    logs = np.log(_CALIBRATION_EPSILONS), np.log(_CALIBRATION_MULTIPLIERS)
    slopes = np.diff(logs[1]) / np.diff(logs[0])
    position = math.log(epsilon)
    if position < logs[0][0]:
        return math.exp(float(logs[1][0] + slopes[0] * (position - logs[0][0])))
    if position > logs[0][-1]:
        return math.exp(float(logs[1][-1] + slopes[-1] * (position - logs[0][-1])))
    return math.exp(float(np.interp(position, *logs)))


def privacy_event(
    noise_multiplier: float, *, steps: int, sampling_prob: float, releases: Sequence[Release] = ()
) -> dp_accounting.DpEvent:
    """The steps of training and all releases, as dp-accounting composes them."""
    events: list[dp_accounting.DpEvent] = [
        dp_accounting.GaussianDpEvent(release.noise_multiplier) for release in releases
    ]
    if steps:
        one = dp_accounting.PoissonSampledDpEvent(sampling_prob, dp_accounting.GaussianDpEvent(noise_multiplier))
        events.append(dp_accounting.SelfComposedDpEvent(one, steps))
    return dp_accounting.ComposedDpEvent(events)


def epsilon_of(
    noise_multiplier: float, *, steps: int, sampling_prob: float, delta: float, releases: Sequence[Release] = ()
) -> float:
    """Epsilon that steps of training and the releases spend together, at `delta`.

    Args:
        noise_multiplier: Standard deviation of the noise of a step in units of the clip norm.
        steps: Number of steps, 0 or more.
        sampling_prob: Probability with which a step sees a patient.
        delta: Of (epsilon, delta).
        releases: What is released beside the steps.

    Returns:
        Epsilon for adding or removing one patient; infinity where something is released without noise.

    Guarantees:
        Equals dp-accounting to 1e-3 and never decreases with `steps`. (tests/statistical/test_privacy.py)
    """
    return _epsilon(noise_multiplier, steps, sampling_prob, delta, tuple(releases))


@functools.lru_cache(maxsize=256)
def _epsilon(sigma: float, steps: int, sampling_prob: float, delta: float, releases: tuple[Release, ...]) -> float:
    if (steps and sigma == 0) or any(release.noise_multiplier == 0 for release in releases):
        return math.inf
    if not steps and not releases:
        return 0.0
    accountant = PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=_INTERVAL
    )
    accountant.compose(privacy_event(sigma, steps=steps, sampling_prob=sampling_prob, releases=releases))
    return float(accountant.get_epsilon(delta))


def solve_noise_multiplier(
    *, epsilon: float, delta: float, steps: int, sampling_prob: float, releases: Sequence[Release] = ()
) -> float:
    """The smallest noise multiplier of training with which everything together stays within the budget.

    Args:
        epsilon: Of the whole budget.
        delta: Of the whole budget.
        steps: Number of steps.
        sampling_prob: Probability with which a step sees a patient.
        releases: What the budget pays beside training.

    Returns:
        The multiplier, rounded up to three decimals.

    Raises:
        PrivacyError: The releases alone spend the budget, or no noise is enough.
    """

    def spent(sigma: float) -> float:
        return epsilon_of(sigma, steps=steps, sampling_prob=sampling_prob, delta=delta, releases=releases)

    alone = epsilon_of(1.0, steps=0, sampling_prob=sampling_prob, delta=delta, releases=releases)
    if alone >= epsilon:
        msg = f"the releases beside training spend epsilon {alone:.3f} alone, expected less than {epsilon!r}"
        raise PrivacyError(msg, hint="ask for a larger epsilon or leave releases out")
    low, high = 0.2, 1.0
    while spent(high) > epsilon:
        low, high = high, 2.0 * high
        if high > _LARGEST_SIGMA:
            msg = (
                f"no noise up to {_LARGEST_SIGMA:g} times the clip norm keeps {steps} steps within epsilon {epsilon!r}"
            )
            raise PrivacyError(msg, hint="take fewer steps, smaller batches or a larger epsilon")
    while high - low > _SIGMA_STEP / 4:
        middle = (low + high) / 2
        low, high = (low, middle) if spent(middle) <= epsilon else (middle, high)
    rounded = math.ceil(high / _SIGMA_STEP) * _SIGMA_STEP
    return round(rounded, 3)
