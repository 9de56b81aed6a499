"""Rates fitted to what sites have recruited, and the choice between a constant rate and one that changes.

A trial that looks on schedule and slows down is the usual way to miss a date. So a forecast rests on the shape that the
data support, and says by how much they reject a constant rate.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from trajsim.errors import ConfigError
from trajsim.trials.rates.gamma_poisson import GammaRate
from trajsim.trials.rates.homogeneity import decay_p_value, heterogeneity_p_value
from trajsim.trials.rates.shapes import Constant, Decay, Piecewise, Ramp, Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ShapeName = Literal["constant", "decay", "ramp", "piecewise"]
SHAPES: tuple[ShapeName, ...] = ("constant", "decay", "ramp", "piecewise")

# Shapes of gamma distributions beyond this cannot be told from one rate for all.
_MAX_LOG_ALPHA = math.log(1e5)
_MIN_LOG_ALPHA = math.log(1e-3)


@dataclass(frozen=True, kw_only=True)
class AccrualHistory:
    """What sites have recruited, each in its own time since it opened (active time, where there is a calendar).

    Attributes:
        exposures: Time that each site was open, one a site.
        sites: Number of the site of every patient.
        times: Time since that site opened, one a patient.
    """

    exposures: Floats
    sites: Ints
    times: Floats

    def __post_init__(self) -> None:
        """Checks the arrays once."""
        if self.exposures.size == 0 or not np.all(self.exposures >= 0.0) or not np.any(self.exposures > 0.0):
            msg = "a history needs sites with exposures that are not negative, one of them positive"
            raise ConfigError(msg)
        if self.sites.shape != self.times.shape or np.any((self.sites < 0) | (self.sites >= self.exposures.size)):
            msg = "every patient of a history needs the number of a site and a time"
            raise ConfigError(msg)
        if np.any((self.times < 0.0) | (self.times > self.exposures[self.sites])):
            msg = "every patient of a history must come while the site is open"
            raise ConfigError(msg)

    @property
    def counts(self) -> Ints:
        """Patients of each site."""
        return np.bincount(self.sites, minlength=self.exposures.size).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class RateFit:
    """A rate model at its maximum likelihood.

    Attributes:
        name: Which shape.
        gamma: Distribution of the rates of sites.
        shape: Relative rate with its fitted parameters.
        log_likelihood: Of the arrival times, rates integrated out.
        poisson_log_likelihood: The same with one rate for all sites, at the same shape.
        n_parameters: Fitted ones.
        n_observations: What `bic` counts: patients.
    """

    name: ShapeName
    gamma: GammaRate
    shape: Shape
    log_likelihood: float
    poisson_log_likelihood: float
    n_parameters: int
    n_observations: int

    @property
    def aic(self) -> float:
        """Akaike's criterion; lower is better."""
        return 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """The Bayesian (Schwarz) criterion; lower is better."""
        return math.log(max(self.n_observations, 1)) * self.n_parameters - 2.0 * self.log_likelihood

    @property
    def heterogeneity_p(self) -> float:
        """The p-value of equal sites."""
        return heterogeneity_p_value(self.poisson_log_likelihood, self.log_likelihood)

    def posterior(self, counts: Ints, exposures: Floats) -> tuple[Floats, Floats]:
        """Shapes and rates of the gamma distributions of the sites' rates, given what each has recruited.

        Args:
            counts: Patients of each.
            exposures: Time that each was open, not operational.
        """
        return (self.gamma.shape + counts).astype(np.float64), self.gamma.rate + self.shape.cumulative(exposures)


@dataclass(frozen=True, kw_only=True)
class RateChoice:
    """All fitted shapes, best first, and the verdict on a constant rate.

    Attributes:
        fits: By the criterion, best first.
        criterion: Which one.
        homogeneous_p: Likelihood ratio test of the constant rate against the best of the others, corrected for how
            many there are (Bonferroni); 1 where there is no other.
        decay_p: One-sided test of two halves of every site's time for a falling rate.
    """

    fits: tuple[RateFit, ...]
    criterion: Literal["aic", "bic"]
    homogeneous_p: float
    decay_p: float

    @property
    def best(self) -> RateFit:
        """The chosen one."""
        return self.fits[0]

    @property
    def is_homogeneous_rejected(self) -> bool:
        """Whether the data reject a constant rate at 5 %."""
        return self.homogeneous_p < 0.05

    def fit_of(self, name: ShapeName) -> RateFit:
        """The fit of one shape."""
        return next(fit for fit in self.fits if fit.name == name)


@dataclass(frozen=True)
class _Family:
    """A shape with free parameters (on scales without bounds) and where the search begins."""

    name: ShapeName
    build: Callable[[Floats], Shape]
    starts: Sequence[Sequence[float]] = field(default=((),))
    bounds: Sequence[tuple[float, float]] = ()


def _families(history: AccrualHistory, shapes: Sequence[ShapeName], n_pieces: int) -> list[_Family]:
    """The families that are asked for, scaled to the longest time that a site was open."""
    longest = float(history.exposures.max())
    cuts = [longest * piece / n_pieces for piece in range(1, n_pieces)]
    known = {
        "constant": _Family("constant", lambda _: Constant()),
        "decay": _Family(
            "decay",
            lambda p: Decay(delta=math.exp(p[0])),
            [[math.log(each / longest)] for each in (0.1, 1.0, 4.0)],
            [(math.log(1e-4 / longest), math.log(1e2 / longest))],
        ),
        "ramp": _Family(
            "ramp",
            lambda p: Ramp(duration=math.exp(p[0])),
            [[math.log(each * longest)] for each in (0.05, 0.3, 0.8)],
            [(math.log(1e-3 * longest), math.log(2.0 * longest))],
        ),
        "piecewise": _Family(
            "piecewise",
            lambda p: Piecewise(cuts, [1.0, *np.exp(p)]),
            [[0.0] * (n_pieces - 1)],
            [(-8.0, 8.0)] * (n_pieces - 1),
        ),
    }
    unknown = [name for name in shapes if name not in known]
    if unknown or not shapes:
        msg = f"shapes must be some of {', '.join(SHAPES)}, got {list(shapes)!r}"
        raise ConfigError(msg)
    return [known[name] for name in shapes]


def _gamma_likelihood(log_alpha: float, log_mean: float, counts: Ints, operational: Floats) -> float:
    """Of the counts and unordered times, but for the relative rate at the times."""
    alpha = math.exp(log_alpha)
    beta = alpha / math.exp(log_mean)
    return float(
        np.sum(
            special.gammaln(alpha + counts)
            - special.gammaln(alpha)
            + alpha * math.log(beta)
            - (alpha + counts) * np.log(beta + operational)
        )
    )


def _fit_family(history: AccrualHistory, family: _Family) -> RateFit:
    """Maximises the likelihood of one family from all its starts."""
    counts = history.counts
    n = int(counts.sum())
    mean = max(n, 0.5) / float(history.exposures.sum())

    def loss(point: Floats) -> float:
        shape = family.build(point[2:])
        relative = np.maximum(shape.relative(history.times), 1e-300)
        operational = shape.cumulative(history.exposures)
        return -(_gamma_likelihood(point[0], point[1], counts, operational) + float(np.sum(np.log(relative))))

    bounds = [(_MIN_LOG_ALPHA, _MAX_LOG_ALPHA), (math.log(mean) - 12.0, math.log(mean) + 12.0), *family.bounds]
    best: tuple[float, Floats] | None = None
    for start in family.starts:
        first = family.build(np.array(start, np.float64)).cumulative(history.exposures).sum()
        log_mean = math.log(max(n, 0.5) / max(float(first), 1e-12))
        found = optimize.minimize(loss, np.array([0.5, log_mean, *start]), method="L-BFGS-B", bounds=bounds)
        if best is None or found.fun < best[0]:
            best = (float(found.fun), found.x)
    assert best is not None
    alpha = math.exp(best[1][0])
    shape = family.build(best[1][2:])
    return RateFit(
        name=family.name,
        gamma=GammaRate(shape=alpha, rate=alpha / math.exp(best[1][1])),
        shape=shape,
        log_likelihood=-best[0],
        poisson_log_likelihood=_poisson_likelihood(history, shape),
        n_parameters=2 + len(family.bounds),
        n_observations=n,
    )


def _poisson_likelihood(history: AccrualHistory, shape: Shape) -> float:
    """With one rate for all sites at its maximum."""
    n = history.times.size
    operational = float(shape.cumulative(history.exposures).sum())
    relative = np.maximum(shape.relative(history.times), 1e-300)
    return float(special.xlogy(n, n / operational)) - n + float(np.sum(np.log(relative)))


def fit_rates(
    history: AccrualHistory,
    *,
    shapes: Sequence[ShapeName] = SHAPES,
    criterion: Literal["aic", "bic"] = "bic",
    n_pieces: int = 3,
) -> RateChoice:
    """Fits Poisson-gamma models with several shapes and ranks them.

    Args:
        history: What sites have recruited.
        shapes: Which shapes compete.
        criterion: What ranks them.
        n_pieces: Steps of the piecewise shape, equal parts of the longest time a site was open.

    Returns:
        The fits, best first, and tests of a constant rate.

    Raises:
        ConfigError: A shape is unknown, or fewer than two pieces are asked for.

    Source:
        Anisimov, Fedorov (2007); Urbas, Sherlock, Metcalfe (2019), arXiv 1910.07965.
    """
    if n_pieces < 2 or criterion not in ("aic", "bic"):
        msg = f"n_pieces must be 2 or more and the criterion aic or bic, got {n_pieces!r} and {criterion!r}"
        raise ConfigError(msg)
    fits = [_fit_family(history, family) for family in _families(history, shapes, n_pieces)]
    constant = next((fit for fit in fits if fit.name == "constant"), None)
    others = [fit for fit in fits if fit.name != "constant"]
    p_value = 1.0
    if constant is not None and others:
        p_value = min(1.0, len(others) * min(_ratio_p_value(constant, other) for other in others))
    fits.sort(key=lambda fit: fit.aic if criterion == "aic" else fit.bic)
    return RateChoice(fits=tuple(fits), criterion=criterion, homogeneous_p=p_value, decay_p=_decay_of_halves(history))


def _ratio_p_value(small: RateFit, large: RateFit) -> float:
    """Likelihood ratio test; a shape with one parameter has the constant rate at its edge: half the p-value."""
    statistic = max(2.0 * (large.log_likelihood - small.log_likelihood), 0.0)
    more = large.n_parameters - small.n_parameters
    tail = float(special.chdtrc(float(more), statistic))
    return tail / 2.0 if more == 1 and statistic > 0.0 else tail


def _decay_of_halves(history: AccrualHistory) -> float:
    """Compares the first half of every site's time with the second."""
    halves = history.exposures / 2.0
    early = int(np.count_nonzero(history.times <= halves[history.sites]))
    return decay_p_value(early, int(history.times.size) - early)
