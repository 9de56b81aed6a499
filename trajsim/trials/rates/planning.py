"""Instant planning without patients: how many by a date, and when the target is reached, with bands.

By formula where one holds (two moments of the total, exact or matched), by simulation where counts are limited by caps
or quotas. The answer says which it was. A target that cannot be reached is an answer, too: its time is infinite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.trials.draws import Performance
from trajsim.trials.rates.arrivals import simulate_arrivals
from trajsim.trials.rates.gamma_poisson import CountDistribution
from trajsim.trials.rates.plan import AccrualPlan

Floats = NDArray[np.float64]
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
Method = Literal["auto", "moments", "simulation"]

_DELAY_NODES = (np.arange(256) + 0.5) / 256


@dataclass(frozen=True, kw_only=True)
class AccrualOutlook:
    """What a plan leads to.

    Attributes:
        method: How it was computed.
        target: Patients wanted.
        quantiles: The probabilities of the columns of `totals` and of `finish`.
        times: When totals were asked for.
        means: Mean total at each of these times.
        totals: Quantiles of the total, one row a time.
        reached: Probability that the target is reached by each time.
        finish: Quantiles of the time at which it is reached; infinite where it is not, within the horizon.
    """

    method: Literal["moments", "simulation"]
    target: int
    quantiles: tuple[float, ...]
    times: Floats
    means: Floats
    totals: Floats
    reached: Floats
    finish: Floats


def total_by(plan: AccrualPlan, time: float) -> CountDistribution:
    """The total by an instant, matched in mean and variance; caps and quotas are left aside.

    The exposure of a site whose start is uncertain is averaged over 256 equally likely delays.

    Args:
        plan: The sites.
        time: Until when.

    Returns:
        A negative binomial count.
    """
    mean = extra = 0.0
    for site in plan.sites:
        exposure = plan.exposure(site, plan.opening(site, _DELAY_NODES), time)
        first, second = float(exposure.mean()), float((exposure**2).mean())
        shape, rate = site.rate.shape, site.rate.rate
        mean += shape / rate * first
        extra += shape * (shape + 1.0) / rate**2 * second - (shape / rate * first) ** 2
    return CountDistribution(mean=mean, extra=max(extra, 0.0))


def plan_accrual(
    plan: AccrualPlan,
    *,
    target: int,
    times: Sequence[float],
    horizon: float,
    quantiles: Sequence[float] = QUANTILES,
    method: Method = "auto",
    n_replicates: int = 2_000,
    seed: int = 0,
    performance: Performance | None = None,
) -> AccrualOutlook:
    """Says how many patients a plan brings by some times, and when it reaches its target.

    Args:
        plan: The sites.
        target: Patients wanted.
        times: When totals are wanted.
        horizon: Where the plan ends; a target not reached by then counts as not reached.
        quantiles: Probabilities.
        method: `moments` uses the formula, `simulation` draws, `auto` draws only where caps or quotas leave no formula.
        n_replicates: Of a simulation.
        seed: Of a simulation.
        performance: Of a simulation.

    Returns:
        The outlook. Recruitment is not stopped at the target: totals go on.

    Raises:
        ConfigError: The target is not positive, a probability not inside (0, 1), or `moments` is asked of a plan with
            caps.
    """
    if target < 1 or not all(0.0 < each < 1.0 for each in quantiles):
        msg = f"target must be positive and quantiles inside (0, 1), got {target!r} and {list(quantiles)!r}"
        raise ConfigError(msg)
    if method == "moments" and plan.has_caps:
        msg = "no formula holds for a plan with caps or quotas"
        raise ConfigError(msg, hint="ask for the method 'simulation', or 'auto'")
    if method == "moments" or (method == "auto" and not plan.has_caps):
        return _by_moments(plan, target, np.asarray(times, np.float64), horizon, tuple(quantiles))
    likely = total_by(plan, horizon)
    most = max(target, int(likely.quantile(1.0 - 1e-6)) + 1)
    found = simulate_arrivals(
        plan, n_patients=most, horizon=horizon, n_replicates=n_replicates, seed=seed, performance=performance
    )
    counts = np.stack([found.counts_by(time) for time in times]) if len(times) else np.empty((0, n_replicates))
    finish = np.sort(found.time_of(target))
    places = np.ceil(np.asarray(quantiles) * n_replicates).astype(np.int64) - 1
    return AccrualOutlook(
        method="simulation",
        target=target,
        quantiles=tuple(quantiles),
        times=np.asarray(times, np.float64),
        means=counts.mean(axis=1),
        totals=np.quantile(counts, quantiles, axis=1, method="inverted_cdf").T.astype(np.float64),
        reached=np.array([float(np.mean(finish <= time)) for time in times]),
        finish=finish[places],
    )


def _by_moments(
    plan: AccrualPlan, target: int, times: Floats, horizon: float, quantiles: tuple[float, ...]
) -> AccrualOutlook:
    """The outlook by formula."""
    totals = [total_by(plan, float(time)) for time in times]
    return AccrualOutlook(
        method="moments",
        target=target,
        quantiles=quantiles,
        times=times,
        means=np.array([total.mean for total in totals]),
        totals=np.array([total.quantile(quantiles) for total in totals]).reshape(times.size, len(quantiles)),
        reached=np.array([total.at_least(target) for total in totals]),
        finish=np.array([_finish(plan, target, horizon, probability) for probability in quantiles]),
    )


def _finish(plan: AccrualPlan, target: int, horizon: float, probability: float) -> float:
    """The first time at which the target is reached with a probability, by bisection."""
    if total_by(plan, horizon).at_least(target) < probability:
        return float("inf")
    low, high = plan.since, horizon
    while high - low > 1e-6 * max(abs(high), 1.0):
        middle = (low + high) / 2.0
        if total_by(plan, middle).at_least(target) < probability:
            low = middle
        else:
            high = middle
    return high
