"""The log-rank test, weighted and stratified, for thousands of simulated trials at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class LogRank:
    """The test of every trial.

    Attributes:
        score: Expected minus observed events of arm 1, weighted: positive where arm 1 does better.
        variance: Its hypergeometric variance.
    """

    score: Floats
    variance: Floats

    @property
    def z(self) -> Floats:
        """Standard normal if the arms do not differ; 0 where no event tells anything."""
        return np.where(
            self.variance > 0.0, self.score / np.sqrt(np.where(self.variance > 0.0, self.variance, 1.0)), 0.0
        )


def logrank(
    times: Floats,
    events: Flags,
    arms: Ints,
    *,
    valid: Flags | None = None,
    strata: Ints | None = None,
    rho: float = 0.0,
    gamma: float = 0.0,
) -> LogRank:
    """Compares two arms.

    Weights are S(t-)^rho (1 - S(t-))^gamma, with S the Kaplan-Meier estimate of both arms of the stratum together: (0,
    0) is the log-rank test, (0, 1) looks for late effects. Scores and variances of strata add up.

    Args:
        times: Follow-up.
        events: Whether it ended with the event.
        arms: 0 or 1.
        valid: Who has been randomised; everybody where it is not given.
        strata: Numbers of strata.
        rho: First exponent, not negative.
        gamma: Second exponent, not negative.

    Returns:
        One test a row.

    Shapes:
        All [trials, subjects], or [subjects] for one trial.

    Raises:
        ConfigError: An exponent is negative, or shapes differ.

    Source:
        Fleming, Harrington (1991), Counting processes and survival analysis, section 7.4.
    """
    if rho < 0.0 or gamma < 0.0:
        msg = f"rho and gamma must not be negative, got {rho!r} and {gamma!r}"
        raise ConfigError(msg)
    if not times.shape == events.shape == arms.shape or times.ndim not in (1, 2) or times.size == 0:
        msg = f"times, events and arms must have one shape, got {times.shape}, {events.shape} and {arms.shape}"
        raise ConfigError(msg)
    rows = np.atleast_2d(times)
    inside = np.ones(rows.shape, bool) if valid is None else np.atleast_2d(valid)
    flags, arm = np.atleast_2d(events), np.atleast_2d(arms)
    if strata is None:
        return _stratum(rows, flags, arm, inside, rho, gamma)
    stratum = np.broadcast_to(np.atleast_2d(strata), rows.shape)
    parts = [_stratum(rows, flags, arm, inside & (stratum == each), rho, gamma) for each in np.unique(stratum)]
    return LogRank(
        score=np.sum([part.score for part in parts], axis=0), variance=np.sum([part.variance for part in parts], axis=0)
    )


def _stratum(times: Floats, events: Flags, arms: Ints, valid: Flags, rho: float, gamma: float) -> LogRank:
    """One stratum: subjects outside it come first in the order and are never at risk."""
    n = times.shape[1]
    keys = np.where(valid, times, -np.inf)
    order = np.argsort(keys, axis=1, kind="stable")
    time = np.take_along_axis(keys, order, axis=1)
    died = np.take_along_axis(events & valid, order, axis=1)
    treated = np.take_along_axis((arms == 1) & valid, order, axis=1)
    # Subjects with one time form a group: at risk are those from its first place on, and it is counted at its last.
    is_last = np.ones(times.shape, bool)
    is_last[:, :-1] = time[:, 1:] != time[:, :-1]
    is_first = np.ones(times.shape, bool)
    is_first[:, 1:] = is_last[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(n), 0), axis=1)
    at_risk = (n - first).astype(np.float64)
    from_here = np.cumsum(treated[:, ::-1], axis=1)[:, ::-1]
    treated_at_risk = np.take_along_axis(from_here, first, axis=1).astype(np.float64)
    before: Ints = np.cumsum(died, axis=1) - died
    before_treated: Ints = np.cumsum(died & treated, axis=1) - (died & treated)
    deaths = np.where(is_last, before + died - np.take_along_axis(before, first, axis=1), 0.0)
    of_treated = before_treated + (died & treated) - np.take_along_axis(before_treated, first, axis=1)
    treated_deaths = np.where(is_last, of_treated, 0.0)
    share = treated_at_risk / at_risk
    expected = deaths * share
    spread = expected * (1.0 - share) * (at_risk - deaths) / np.maximum(at_risk - 1.0, 1.0)
    difference = expected - treated_deaths
    if rho > 0.0 or gamma > 0.0:
        survival = np.cumprod(1.0 - deaths / at_risk, axis=1)
        left = np.ones(times.shape)
        left[:, 1:] = survival[:, :-1]
        weight = left**rho * (1.0 - left) ** gamma
        difference, spread = weight * difference, weight**2 * spread
    return LogRank(score=difference.sum(axis=1), variance=spread.sum(axis=1))
