"""Interim analyses that keep the error: bounds from an error-spending function, and what crosses them.

The statistic at information t is a Brownian motion divided by sqrt(t). So the distribution of those that have not
stopped is carried from one analysis to the next by numerical integration.

Source: Lan, DeMets (1983), Discrete sequential boundaries for clinical trials, Biometrika 70:659; Armitage, McPherson,
Rowe (1969), Repeated significance tests on accumulating data, JRSS A 132:235; Jennison, Turnbull (2000), Group
sequential methods, chapters 7 and 19.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from trajsim.errors import ConfigError

Floats = NDArray[np.float64]
Spending = Literal["obrien-fleming", "pocock", "power", "hwang-shih-decani"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)
_WIDTH = 9.0


def spent(fractions: Sequence[float], *, alpha: float, spending: Spending, parameter: float = 1.0) -> Floats:
    """The error that may be spent by each information fraction.

    Args:
        fractions: Information fractions.
        alpha: The error in all.
        spending: Its function; `power` and `hwang-shih-decani` have a parameter.
        parameter: Exponent of `power`, gamma of `hwang-shih-decani`.

    Returns:
        Cumulative errors.

    Source:
        Lan, DeMets (1983); Kim, DeMets (1987), Biometrika 74:149; Hwang, Shih, DeCani (1990), Stat Med 9:1439.
    """
    t = np.asarray(fractions, np.float64)
    if spending == "obrien-fleming":
        return np.asarray(2.0 * special.ndtr(special.ndtri(alpha / 2.0) / np.sqrt(t)), np.float64)
    if spending == "pocock":
        return np.asarray(alpha * np.log1p((math.e - 1.0) * t), np.float64)
    if spending == "power":
        if parameter <= 0.0:
            msg = f"the exponent of power spending must be positive, got {parameter!r}"
            raise ConfigError(msg)
        return np.asarray(alpha * t**parameter, np.float64)
    if spending == "hwang-shih-decani":
        if parameter == 0.0:
            return alpha * t
        return np.asarray(alpha * np.expm1(-parameter * t) / math.expm1(-parameter), np.float64)
    msg = f"spending must be obrien-fleming, pocock, power or hwang-shih-decani, got {spending!r}"
    raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """What happens at each analysis.

    Attributes:
        efficacy: Probability of stopping there above the upper bound.
        futility: Probability of stopping there below the lower bound.
    """

    efficacy: Floats
    futility: Floats

    @property
    def power(self) -> float:
        """Probability of crossing the upper bound at any analysis."""
        return float(self.efficacy.sum())


@dataclass(frozen=True, kw_only=True)
class GroupSequential:
    """Analyses of a trial, one-sided.

    Attributes:
        fractions: Information fractions, rising to 1.
        alpha: One-sided error.
        spending: How it is spent.
        parameter: Of the spending function.
        futility: Lower bounds of z, one an analysis, -inf for none. They are not binding: the upper bounds keep the
            error when they are ignored.
        upper: Upper bounds of z; computed.
    """

    fractions: tuple[float, ...] = (1.0,)
    alpha: float = 0.025
    spending: Spending = "obrien-fleming"
    parameter: float = 1.0
    futility: tuple[float, ...] = ()
    upper: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Checks the analyses once and computes the bounds."""
        t = np.asarray(self.fractions, np.float64)
        faults = []
        if t.size == 0 or not np.all(np.diff(t) > 0.0) or not (t[0] > 0.0 and abs(t[-1] - 1.0) < 1e-12):
            faults.append(f"information fractions must rise from above 0 to 1, got {self.fractions!r}")
        if not 0.0 < self.alpha < 0.5:
            faults.append(f"one-sided alpha must lie inside (0, 0.5), got {self.alpha!r}")
        if self.futility and len(self.futility) != t.size:
            faults.append(f"there must be one futility bound an analysis, got {len(self.futility)} for {t.size}")
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)
        errors = spent(self.fractions, alpha=self.alpha, spending=self.spending, parameter=self.parameter)
        object.__setattr__(self, "upper", tuple(_upper_bounds(t, errors)))

    @property
    def lower(self) -> tuple[float, ...]:
        """The futility bounds; -inf where there is none. The last analysis decides, so nothing is futile there."""
        bounds = self.futility or (-math.inf,) * len(self.fractions)
        return (*bounds[:-1], -math.inf)

    def crossing(self, means: Sequence[float], information: Sequence[float] | None = None) -> Crossing:
        """What the bounds do to a statistic with some means.

        Args:
            means: Mean of z at each analysis.
            information: Information there, in any unit; the planned fractions where it is not given.

        Returns:
            The probabilities.
        """
        t = np.asarray(self.fractions if information is None else information, np.float64)
        return _crossing(t / t[-1], np.asarray(means, np.float64), self.upper, self.lower)


class _Walk:
    """The density of the Brownian motion among those that go on."""

    def __init__(self) -> None:
        """Begins at 0 at time 0."""
        self.time = 0.0
        self.mean = 0.0
        self.points: Floats = np.zeros(1)
        self.masses: Floats = np.ones(1)

    def above(self, time: float, mean: float, value: float) -> float:
        """Probability of being above a value at a later time."""
        step = math.sqrt(time - self.time)
        return float(np.sum(self.masses * special.ndtr((self.points + mean - self.mean - value) / step)))

    def go_on(self, time: float, mean: float, low: float, high: float) -> None:
        """Keeps those between two values at a later time."""
        step = math.sqrt(time - self.time)
        low = max(low, mean - _WIDTH * math.sqrt(time))
        high = min(high, mean + _WIDTH * math.sqrt(time))
        if high <= low:
            self.points, self.masses = np.zeros(1), np.zeros(1)
        else:
            points = (low + high) / 2.0 + (high - low) / 2.0 * _NODES
            distance = (points[:, None] - self.points[None, :] - (mean - self.mean)) / step
            density = np.exp(-(distance**2) / 2.0) / (step * math.sqrt(2.0 * math.pi))
            self.masses = (density @ self.masses) * _WEIGHTS * (high - low) / 2.0
            self.points = points
        self.time, self.mean = time, mean


def _upper_bounds(t: Floats, errors: Floats) -> list[float]:
    """Bounds that spend what may be spent at each analysis."""
    walk = _Walk()
    bounds: list[float] = []
    before = 0.0
    for time, error in zip(t.tolist(), errors.tolist(), strict=True):
        root = math.sqrt(time)
        more = max(error - before, 0.0)
        if more < 1e-15:
            bounds.append(math.inf)
        else:

            def excess(z: float, time: float = time, root: float = root, more: float = more) -> float:
                return walk.above(time, 0.0, z * root) - more

            bounds.append(float(optimize.brentq(excess, -5.0, 12.0, xtol=1e-12)))
        before = error
        walk.go_on(time, 0.0, -math.inf, bounds[-1] * root)
    return bounds


def _crossing(t: Floats, means: Floats, upper: Sequence[float], lower: Sequence[float]) -> Crossing:
    """Carries the walk through all analyses."""
    walk = _Walk()
    efficacy, futility = [], []
    for time, z, high, low in zip(t.tolist(), means.tolist(), upper, lower, strict=True):
        root = math.sqrt(time)
        mean = z * root
        total = float(walk.masses.sum())
        efficacy.append(walk.above(time, mean, high * root))
        futility.append(total - walk.above(time, mean, low * root) if math.isfinite(low) else 0.0)
        walk.go_on(time, mean, low * root, high * root)
    return Crossing(efficacy=np.array(efficacy), futility=np.array(futility))
