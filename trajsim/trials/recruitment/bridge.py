"""Holds the patient-driven simulation beside a model of rates, so that each can be checked with the other.

The Poisson-gamma model knows sites and time and nothing of people. Fitted to what the simulation brought, it should
give the same forecast where people do not matter (everybody alike, no queue, no end of the supply); where the two part,
the difference is what rates alone would have missed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.rates import AccrualHistory, RateChoice, RateFit, fit_rates, matched_count
from trajsim.trials.recruitment.result import SAMPLED, RecruitmentResult

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GOLDEN = 0.6180339887498949
_NODES = (np.arange(512) + 0.5) / 512


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and variance of a total over replicates, with their standard errors."""

    mean: float
    mean_error: float
    variance: float
    variance_error: float

    @classmethod
    def of(cls, values: NDArray[np.integer] | Floats) -> "Moments":
        """Moments of a sample; the error of the variance by the fourth moment."""
        x = np.asarray(values, np.float64)
        n = len(x)
        variance = float(x.var(ddof=1)) if n > 1 else float("nan")
        fourth = float(((x - x.mean()) ** 4).mean())
        error = max(fourth - variance**2 * (n - 3) / max(n - 1, 1), 0.0) / n
        return cls(mean=float(x.mean()), mean_error=(variance / n) ** 0.5, variance=variance, variance_error=error**0.5)


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """Both engines on one trial, by the planned end.

    Attributes:
        choice: The rate models fitted to the first replicates, best first.
        error_factor: By how much the error of the fit exceeds that of the simulation: it saw fewer replicates.
        simulated: Randomized of the patient-driven simulation.
        model_mean: Mean of the best rate model.
        model_variance: Its variance.
        simulated_probability: Probability of the target in the simulation.
        model_probability: The same in the rate model.
    """

    choice: RateChoice
    error_factor: float
    simulated: Moments
    model_mean: float
    model_variance: float
    simulated_probability: float
    model_probability: float

    @property
    def z_mean(self) -> float:
        """Difference of the means in standard errors of the fit."""
        return _z(self.simulated.mean - self.model_mean, self.simulated.mean_error * self.error_factor)

    @property
    def z_variance(self) -> float:
        """Difference of the variances in standard errors of the fit."""
        error = self.simulated.variance_error * self.error_factor
        return _z(self.simulated.variance - self.model_variance, error)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        best = self.choice.best
        return {
            "rate_model": best.name,
            "alpha": best.gamma.shape,
            "beta_days": best.gamma.rate,
            "per_site_month": best.gamma.mean * 30.4375,
            "homogeneous_p": self.choice.homogeneous_p,
            "decay_p": self.choice.decay_p,
            "heterogeneity_p": best.heterogeneity_p,
            "bic": {fit.name: fit.bic for fit in self.choice.fits},
            "simulated": dict(vars(self.simulated)),
            "model": {"mean": self.model_mean, "variance": self.model_variance},
            "z_mean": _finite(self.z_mean),
            "z_variance": _finite(self.z_variance),
            "probability": {"simulated": self.simulated_probability, "model": self.model_probability},
        }


def bridge(result: RecruitmentResult, *, replicates: int = SAMPLED) -> Bridge:
    """Fits rate models to what a simulation brought and compares both forecasts.

    Args:
        result: The patient-driven simulation.
        replicates: How many of its replicates the models are fitted to, each site of each as one site; of those whose
            randomized it keeps.

    Returns:
        Both, by the planned end of recruitment; a trial that stops at its target stops in both.

    Raises:
        ConfigError: No site was ever open.

    Source:
        Anisimov, Fedorov (2007), Statistics in Medicine 26:4958.
    """
    fitted = min(replicates, len(result.sample.first) - 1)
    choice = fit_rates(history_of(result, replicates=fitted))
    planned = result.spec.n_planned_days - 1
    values = np.minimum(result.enrolled_by(planned), _most(result))
    mean, variance, probability = _forecast(result, choice.best, planned)
    return Bridge(
        choice=choice,
        error_factor=(result.n_replicates / fitted) ** 0.5,
        simulated=Moments.of(values),
        model_mean=mean,
        model_variance=variance,
        simulated_probability=result.probability_by(planned),
        model_probability=probability,
    )


def history_of(result: RecruitmentResult, *, replicates: int) -> AccrualHistory:
    """What the sites of the first replicates recruited, each site of each replicate as a site of its own; in days.

    The simulation knows days and no hours: people are spread over their day evenly, or a model could find that nobody
    ever comes in the first hours of a site.

    Args:
        result: The patient-driven simulation.
        replicates: How many.
    """
    n_sites = len(result.spec.sites)
    people = result.sample
    own = slice(0, int(people.first[replicates]))
    site = people.replicate[own] * n_sites + people.site[own]
    day = people.day[own].astype(np.int64)
    opened = result.opened[:replicates].astype(np.int64).ravel()
    last = result.stopped[:replicates].astype(np.int64).ravel()
    np.maximum.at(last, site, day)
    within = np.modf(np.arange(1, len(day) + 1) * _GOLDEN)[0]
    exposures = np.maximum(last - opened + 1, 0).astype(np.float64)
    return AccrualHistory(exposures=exposures, sites=site, times=day - opened[site] + within)


def _most(result: RecruitmentResult) -> int:
    return result.spec.target if result.spec.stops_at_target else 1 << 40


def _forecast(result: RecruitmentResult, fit: RateFit, day: int) -> tuple[float, float, float]:
    """Mean and variance of the total by a day, and the probability of the target, over the openings of the sites."""
    closes = np.array(
        [day if s.closes is None else min((s.closes - result.spec.start).days, day) for s in result.spec.sites]
    )
    means, squares, chances = [], [], []
    for opened in result.opened:
        exposure = fit.shape.cumulative(np.maximum(closes - opened.astype(np.int64) + 1, 0).astype(np.float64))
        total = matched_count(fit.gamma.shape, fit.gamma.rate, exposure)
        chances.append(total.at_least(result.spec.target))
        if result.spec.stops_at_target and total.at_least(result.spec.target) > 1e-9:
            counts = np.minimum(total.quantile(_NODES), result.spec.target)
            means.append(float(counts.mean()))
            squares.append(float((counts**2).mean()))
        else:
            means.append(total.mean)
            squares.append(total.variance + total.mean**2)
    mean = float(np.mean(means))
    return mean, float(np.mean(squares)) - mean**2, float(np.mean(chances))


def _z(difference: float, error: float) -> float:
    return difference / error if error > 0 else (0.0 if difference == 0 else float("inf"))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
