"""Quantile functions of what a spec leaves open: uncertain probabilities, waits, numbers of people."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.trials.spec import Lognormal, Rate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_QUARTILE = 0.6744897501960817
_EDGE = 1e-3


def rate_quantile(rate: Rate, u: float) -> float:
    """A probability of which quartiles are known: normal on the log-odds, with a width of its own on either side.

    Both quartiles and the median are met exactly; 0 and 1 count as 0.001 and 0.999 unless the rate is known.
    """
    if rate.is_known:
        return rate.median
    low, median, high = (special.logit(min(max(p, _EDGE), 1 - _EDGE)) for p in (rate.low, rate.median, rate.high))
    z = special.ndtri(u)
    width = (median - low if z < 0 else high - median) / _QUARTILE
    return float(special.expit(median + width * z))


def lognormal_quantile(wait: Lognormal, u: Floats) -> Floats:
    """A wait, or another positive quantity."""
    if wait.sigma == 0.0:
        return np.full(len(u), wait.median)
    return np.asarray(wait.median * np.exp(wait.sigma * special.ndtri(u)), np.float64)


def gamma_quantile(variation: float, u: Floats) -> Floats:
    """A factor with mean 1 and a coefficient of variation, gamma; all 1 without variation."""
    if variation == 0.0:
        return np.ones(len(u))
    shape = variation**-2
    return np.asarray(special.gammaincinv(shape, u) / shape, np.float64)


def poisson_shares(mean: float) -> Floats:
    """Cumulative shares of a Poisson distribution, far enough that what is left is below a uniform's resolution."""
    counts = np.arange(int(mean + 12.0 * np.sqrt(mean) + 24.0))
    return np.asarray(special.pdtr(counts, mean), np.float64)


def whole_from(shares: Floats, u: Floats) -> Ints:
    """The number at each quantile of cumulative shares."""
    return np.searchsorted(shares, u, side="right").astype(np.int64)


def failures_before(probability: float, u: Floats) -> Ints:
    """How many visits pass before a chart is looked at (geometric from 0)."""
    if probability >= 1.0:
        return np.zeros(len(u), np.int64)
    if probability <= 0.0:
        return np.full(len(u), 1 << 30, np.int64)
    skipped: Ints = np.minimum(np.log(u) / np.log1p(-probability), 1 << 30).astype(np.int64)
    return skipped
