"""How many events a design needs, and how many it will have by when: the closed forms."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trajsim.errors import ConfigError

Floats = NDArray[np.float64]


def dropout_hazard(share: float, *, time: float = 1.0) -> float:
    """The constant hazard that loses a share of the subjects in a time.

    Args:
        share: Share lost, in [0, 1).
        time: In which time.

    Returns:
        The hazard per unit of that time; 0.05 in 12 months is 0.004274 a month.
    """
    if not (0.0 <= share < 1.0 and time > 0.0):
        msg = f"a share lost must lie in [0, 1) and its time be positive, got {share!r} and {time!r}"
        raise ConfigError(msg)
    return -math.log1p(-share) / time


def events_for_logrank(
    hazard_ratio: float, *, alpha: float = 0.05, power: float = 0.9, treated_share: float = 0.5
) -> float:
    """Events that a log-rank test needs, proportional hazards.

    Args:
        hazard_ratio: Of arm 1 to arm 0; not 1.
        alpha: Two-sided error.
        power: Probability of a significant result.
        treated_share: Share of subjects in arm 1.

    Returns:
        (z_(1-a/2) + z_(1-b))^2 / (p (1 - p) (ln HR)^2), not rounded up.

    Source:
        Schoenfeld (1981), Biometrika 68:316.

    Example:
        >>> round(events_for_logrank(0.7), 1)
        330.4
    """
    wrong = not (hazard_ratio > 0.0 and hazard_ratio != 1.0) or not 0.0 < treated_share < 1.0
    if wrong or not (0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        msg = (
            "a hazard ratio must be positive and not 1, alpha, power and share inside (0, 1), "
            f"got {hazard_ratio!r}, {alpha!r}, {power!r}, {treated_share!r}"
        )
        raise ConfigError(msg)
    z = float(special.ndtri(1.0 - alpha / 2.0) + special.ndtri(power))
    return z**2 / (treated_share * (1.0 - treated_share) * math.log(hazard_ratio) ** 2)


def expected_events(
    time: ArrayLike, *, accrual_rate: float, accrual_duration: float, hazard: float, dropout: float = 0.0
) -> Floats:
    """Expected events of one arm with uniform accrual and constant hazards.

    With h = hazard + dropout: for t <= R, r hazard / h (t - (1 - e^(-h t)) / h); after the end of accrual R,
    r hazard / h (R - e^(-h t) (e^(h R) - 1) / h).

    Args:
        time: Calendar times since the first subject.
        accrual_rate: Subjects of this arm per unit of time (r).
        accrual_duration: How long (R).
        hazard: Of the event.
        dropout: Of being lost.

    Returns:
        Expected events by each time.

    Source:
        Lachin, Foulkes (1986), Biometrics 42:507.
    """
    if accrual_rate < 0.0 or accrual_duration < 0.0 or hazard < 0.0 or dropout < 0.0:
        msg = (
            f"rates, durations and hazards must not be negative, got {accrual_rate!r}, {accrual_duration!r}, {hazard!r}"
        )
        raise ConfigError(msg)
    t = np.maximum(np.asarray(time, np.float64), 0.0)
    h = hazard + dropout
    if h == 0.0:
        return np.zeros(t.shape)
    during = np.minimum(t, accrual_duration)
    # e^(-h (t - R)) - e^(-h t), written so that nothing overflows; at R = t it is 1 - e^(-h t).
    left = np.exp(-h * (t - during)) - np.exp(-h * t)
    return np.asarray(accrual_rate * hazard / h * (during - left / h), np.float64)
