"""How the rate of a site changes with the time since it opened: constant, decaying, ramping up, or in steps.

A site's intensity is its own rate times a relative rate g that all sites share. Everything that is done with g needs
its integral G (the operational time of a site) and the inverse of that, so a shape offers exactly these three.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.errors import ConfigError

Floats = NDArray[np.float64]


class Shape(Protocol):
    """A relative rate and its integral from 0; before 0 both are 0."""

    def relative(self, time: ArrayLike) -> Floats:
        """The relative rate g."""

    def cumulative(self, time: ArrayLike) -> Floats:
        """Its integral G from 0."""

    def inverse(self, amount: ArrayLike) -> Floats:
        """The first time at which G reaches an amount; infinite if it never does."""


def _times(time: ArrayLike) -> Floats:
    """Times as an array, none below 0."""
    return np.maximum(np.asarray(time, np.float64), 0.0)


def _require_positive(name: str, value: float) -> None:
    """Refuses what is no positive finite number."""
    if not (math.isfinite(value) and value > 0.0):
        msg = f"{name} must be positive and finite, got {value!r}"
        raise ConfigError(msg)


@dataclass(frozen=True)
class Constant:
    """The same rate at all times: G(t) = t."""

    def relative(self, time: ArrayLike) -> Floats:
        """1 from the start on."""
        return np.where(np.asarray(time, np.float64) >= 0.0, 1.0, 0.0)

    def cumulative(self, time: ArrayLike) -> Floats:
        """The time itself."""
        return _times(time)

    def inverse(self, amount: ArrayLike) -> Floats:
        """The amount itself."""
        return _times(amount)


@dataclass(frozen=True, kw_only=True)
class Decay:
    """A pool that empties: g(t) = e^(-delta t), G(t) = (1 - e^(-delta t)) / delta.

    Attributes:
        delta: Share of the rate lost per unit of time, instantaneous; positive.

    Source:
        Urbas, Sherlock, Metcalfe (2019), Interim recruitment prediction for multi-centre clinical trials, arXiv
        1910.07965.
    """

    delta: float

    def __post_init__(self) -> None:
        """Checks the parameter once."""
        _require_positive("delta of a decaying rate", self.delta)

    def relative(self, time: ArrayLike) -> Floats:
        """The share of the first rate that is left."""
        return np.where(np.asarray(time, np.float64) >= 0.0, np.exp(-self.delta * _times(time)), 0.0)

    def cumulative(self, time: ArrayLike) -> Floats:
        """Bounded by 1 / delta."""
        return np.asarray(-np.expm1(-self.delta * _times(time)) / self.delta, np.float64)

    def inverse(self, amount: ArrayLike) -> Floats:
        """Infinite from 1 / delta on: the pool is empty."""
        left = 1.0 - self.delta * _times(amount)
        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(np.maximum(left, 0.0)) / self.delta, np.float64) + 0.0


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """A site that learns: g rises in a straight line from a first level to 1, and stays there.

    Attributes:
        duration: Time until the full rate is reached; positive.
        first: Relative rate at opening, in [0, 1).
    """

    duration: float
    first: float = 0.0

    def __post_init__(self) -> None:
        """Checks the parameters once."""
        _require_positive("duration of a ramp", self.duration)
        if not 0.0 <= self.first < 1.0:
            msg = f"first level of a ramp must lie in [0, 1), got {self.first!r}"
            raise ConfigError(msg)

    def relative(self, time: ArrayLike) -> Floats:
        """First level, line, 1."""
        rising = np.minimum(self.first + (1.0 - self.first) * _times(time) / self.duration, 1.0)
        return np.where(np.asarray(time, np.float64) >= 0.0, rising, 0.0)

    def cumulative(self, time: ArrayLike) -> Floats:
        """A parabola, then a line."""
        times = _times(time)
        rising = np.minimum(times, self.duration)
        area = self.first * rising + (1.0 - self.first) * rising**2 / (2.0 * self.duration)
        return np.asarray(area + np.maximum(times - self.duration, 0.0), np.float64)

    def inverse(self, amount: ArrayLike) -> Floats:
        """The root of the parabola, then the line."""
        amounts = _times(amount)
        top = self.duration * (1.0 + self.first) / 2.0
        slope = (1.0 - self.first) / self.duration
        rising = 2.0 * np.minimum(amounts, top)
        root = rising / np.maximum(self.first + np.sqrt(self.first**2 + slope * rising), 1e-300)
        return np.where(amounts <= top, root, self.duration + amounts - top)


class Piecewise:
    """Steps: a level between each two cuts. Also the form of a calendar (see `Calendar.shape`)."""

    def __init__(self, cuts: Sequence[float], levels: Sequence[float]) -> None:
        """Takes the times at which the level changes, rising and positive, and one level more, none negative."""
        self.cuts = np.asarray(cuts, np.float64)
        self.levels = np.asarray(levels, np.float64)
        if self.levels.size != self.cuts.size + 1:
            msg = f"a piecewise rate has one level more than cuts, got {self.levels.size} and {self.cuts.size}"
            raise ConfigError(msg)
        if self.cuts.size and not (self.cuts[0] > 0.0 and np.all(np.diff(self.cuts) > 0.0)):
            msg = f"the cuts of a piecewise rate must be positive and rise, got {self.cuts.tolist()!r}"
            raise ConfigError(msg)
        if not (np.all(np.isfinite(self.levels)) and np.all(self.levels >= 0.0)):
            msg = f"the levels of a piecewise rate must be finite and not negative, got {self.levels.tolist()!r}"
            raise ConfigError(msg)
        self._starts = np.concatenate([[0.0], self.cuts])
        self._sums = np.concatenate([[0.0], np.cumsum(np.diff(self._starts) * self.levels[:-1])])

    def __repr__(self) -> str:
        """As it is made."""
        return f"Piecewise(cuts={self.cuts.tolist()!r}, levels={self.levels.tolist()!r})"

    def relative(self, time: ArrayLike) -> Floats:
        """The level of the step; a cut belongs to the step that it begins."""
        level = self.levels[np.searchsorted(self.cuts, _times(time), side="right")]
        return np.where(np.asarray(time, np.float64) >= 0.0, level, 0.0)

    def cumulative(self, time: ArrayLike) -> Floats:
        """Straight pieces."""
        times = _times(time)
        step = np.searchsorted(self.cuts, times, side="right")
        return np.asarray(self._sums[step] + (times - self._starts[step]) * self.levels[step], np.float64)

    def inverse(self, amount: ArrayLike) -> Floats:
        """Skips steps of level 0; infinite if the last level is 0 and the amount is not reached before."""
        amounts = _times(amount)
        step = np.maximum(np.searchsorted(self._sums, amounts, side="left") - 1, 0)
        rest = np.where(np.isfinite(amounts), amounts, 0.0) - self._sums[step]
        with np.errstate(divide="ignore", invalid="ignore"):
            more = np.where(rest == 0.0, 0.0, rest / self.levels[step])
        return np.where(np.isfinite(amounts), self._starts[step] + more, np.inf)
