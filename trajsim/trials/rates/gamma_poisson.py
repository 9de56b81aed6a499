"""The Poisson-gamma model of recruitment: sites differ, and each recruits at random with a rate of its own.

With rates from a gamma distribution the counts are negative binomial, the rate of a site given its count is gamma
again, and the total has closed moments. That is why a forecast needs no simulation as long as every site's time is
known.

Source: Anisimov, Fedorov (2007), Modelling, prediction and adaptive adjustment of recruitment in multicentre trials,
Statistics in Medicine 26:4958; Mountain, Sherlock (2022), Recruitment prediction for multicentre clinical trials based
on a hierarchical Poisson-gamma model: asymptotic analysis and improved intervals, Biometrics 78:636.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from trajsim.errors import ConfigError

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GammaRate:
    """What is known of the rate of a site: a gamma distribution.

    Attributes:
        shape: Its shape (alpha); as many patients as this are worth the knowledge.
        rate: Its rate (beta), in units of time; the mean is shape / rate.
    """

    shape: float
    rate: float

    def __post_init__(self) -> None:
        """Checks both once."""
        if not (math.isfinite(self.shape) and math.isfinite(self.rate) and self.shape > 0.0 and self.rate > 0.0):
            msg = f"shape and rate of a gamma distribution must be positive, got {self.shape!r} and {self.rate!r}"
            raise ConfigError(msg)

    @classmethod
    def of_mean(cls, mean: float, *, cv: float) -> "GammaRate":
        """From a mean rate and a coefficient of variation between sites."""
        if not (mean > 0.0 and cv > 0.0):
            msg = f"mean rate and coefficient of variation must be positive, got {mean!r} and {cv!r}"
            raise ConfigError(msg)
        return cls(shape=1.0 / cv**2, rate=1.0 / (cv**2 * mean))

    @property
    def mean(self) -> float:
        """Patients per unit of time."""
        return self.shape / self.rate

    def given(self, count: int, exposure: float) -> "GammaRate":
        """What is known after `count` patients in a time of `exposure` (operational time, where the rate varies)."""
        return GammaRate(shape=self.shape + count, rate=self.rate + exposure)

    def future_count(self, exposure: float) -> "CountDistribution":
        """Patients of a further time of `exposure`: negative binomial."""
        return matched_count([self.shape], [self.rate], [exposure])


@dataclass(frozen=True, kw_only=True)
class CountDistribution:
    """A count with a mean and a variance not below it: negative binomial, or Poisson where they are equal.

    Attributes:
        mean: Mean.
        extra: Variance beyond the mean (the variance of the intensity).
    """

    mean: float
    extra: float

    @property
    def variance(self) -> float:
        """Mean + extra."""
        return self.mean + self.extra

    def _frozen(self) -> "stats.rv_discrete":
        """The distribution of scipy."""
        if self.extra <= 1e-12 * max(self.mean, 1e-300):
            return stats.poisson(self.mean)
        return stats.nbinom(self.mean**2 / self.extra, 1.0 / (1.0 + self.extra / self.mean))

    def quantile(self, probability: ArrayLike) -> Floats:
        """The smallest count whose distribution function reaches a probability."""
        return np.asarray(self._frozen().ppf(probability), np.float64)

    def at_least(self, count: int) -> float:
        """The probability of `count` or more."""
        return 1.0 if count <= 0 else float(self._frozen().sf(count - 1))


def matched_count(shapes: ArrayLike, rates: ArrayLike, exposures: ArrayLike) -> CountDistribution:
    """The total of independent sites, matched in mean and variance.

    Exact for one site, and for several with the same rate parameter and exposure.

    Args:
        shapes: Shapes of the gamma distributions of the sites (alpha + n, once n patients have come).
        rates: Their rates (beta + tau).
        exposures: Future time of each site, operational where the rate varies.

    Returns:
        The negative binomial with m = sum shape s / rate and variance m + sum shape s^2 / rate^2.
    """
    shape, rate, exposure = (np.asarray(each, np.float64) for each in (shapes, rates, exposures))
    return CountDistribution(
        mean=float(np.sum(shape * exposure / rate)), extra=float(np.sum(shape * exposure**2 / rate**2))
    )


def log_likelihood(alpha: float, beta: float, counts: ArrayLike, exposures: ArrayLike) -> float:
    """The marginal log-likelihood of the counts of sites, rates integrated out.

    Args:
        alpha: Shape of the gamma distribution of rates.
        beta: Its rate.
        counts: Patients of each site.
        exposures: Time that each was open.

    Returns:
        The logarithm of the product of negative binomial probabilities.

    Source:
        Anisimov, Fedorov (2007), section 2.
    """
    n, tau = np.broadcast_arrays(np.asarray(counts, np.float64), np.asarray(exposures, np.float64))
    terms = (
        special.gammaln(alpha + n)
        - special.gammaln(alpha)
        - special.gammaln(n + 1.0)
        + alpha * math.log(beta)
        + special.xlogy(n, tau)
        - (alpha + n) * np.log(beta + tau)
    )
    return float(np.sum(terms))


@dataclass(frozen=True, kw_only=True)
class TimeToMore:
    """The time until some more patients have come, all sites open for the same time: scale x beta-prime.

    Attributes:
        more: Patients still needed (K).
        shape: Sum of the shapes of the sites (alpha C + n).
        scale: Their common rate parameter (beta + tau).

    Source:
        Anisimov, Fedorov (2007), section 3: T / (beta + tau) has the beta-prime distribution (K, alpha C + n).
    """

    more: int
    shape: float
    scale: float

    def __post_init__(self) -> None:
        """Checks them once."""
        if not (self.more >= 1 and self.shape > 0.0 and self.scale > 0.0):
            msg = f"more, shape and scale must be positive, got {self.more!r}, {self.shape!r}, {self.scale!r}"
            raise ConfigError(msg)

    def quantile(self, probability: ArrayLike) -> Floats:
        """The time by which the patients have come with a probability."""
        share = np.asarray(special.betaincinv(self.more, self.shape, np.asarray(probability, np.float64)), np.float64)
        with np.errstate(divide="ignore"):
            return np.asarray(self.scale * share / (1.0 - share), np.float64)

    def probability_by(self, time: ArrayLike) -> Floats:
        """The probability that they have come by a time."""
        times = np.maximum(np.asarray(time, np.float64), 0.0)
        return np.asarray(special.betainc(self.more, self.shape, times / (times + self.scale)), np.float64)
