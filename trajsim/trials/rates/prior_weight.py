"""Accrual with a prior that the planner states as a weight: "my plan is worth half a trial".

The plan of n patients in time T, given a weight P between 0 and 1, is a gamma prior of n P patients in time T P. It is
the form of the R package accrual, so that its users find their numbers again.

Source: Gajewski, Simon, Carlson (2008), Predicting accrual in clinical trials with Bayesian posterior predictive
distributions, Statistics in Medicine 27:2328; the multi-site form as in the R package accrual, version 1.4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.errors import ConfigError
from trajsim.trials.rates.gamma_poisson import CountDistribution, TimeToMore, matched_count

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PriorWeight:
    """A plan with a weight.

    Attributes:
        target: Patients planned (n).
        duration: Time planned for them (T).
        weight: What the plan is worth against the data (P), in (0, 1].
    """

    target: int
    duration: float
    weight: float

    def __post_init__(self) -> None:
        """Checks the plan once."""
        if not (self.target >= 1 and math.isfinite(self.duration) and self.duration > 0.0 and 0.0 < self.weight <= 1.0):
            msg = (
                "a plan needs a positive target and duration and a weight in (0, 1], "
                f"got {self.target!r}, {self.duration!r} and {self.weight!r}"
            )
            raise ConfigError(msg)

    def total(self, *, recruited: int, elapsed: float, at: float) -> "ShiftedCount":
        """Patients at a later time.

        Args:
            recruited: Patients so far (m).
            elapsed: Time so far (t).
            at: When they are counted (T_p), not before `elapsed`.

        Returns:
            The patients so far and a negative binomial count of more.

        Raises:
            ConfigError: The time lies before now, or a number is negative.
        """
        _require_progress(recruited, elapsed, at)
        shape = self.target * self.weight + recruited
        more = matched_count([shape], [self.duration * self.weight + elapsed], [at - elapsed])
        return ShiftedCount(known=recruited, more=more)

    def finish(self, *, recruited: int, elapsed: float) -> "FinishTime":
        """The time at which the target is reached, given the patients so far."""
        _require_progress(recruited, elapsed, elapsed)
        if recruited >= self.target:
            msg = f"the target of {self.target} patients is reached already: {recruited} have been recruited"
            raise ConfigError(msg)
        more = TimeToMore(
            more=self.target - recruited,
            shape=self.target * self.weight + recruited,
            scale=self.duration * self.weight + elapsed,
        )
        return FinishTime(elapsed=elapsed, more=more)

    def totals_by_site(
        self, *, recruited: Sequence[int], elapsed: Sequence[float] | float, at: float
    ) -> tuple["ShiftedCount", tuple["ShiftedCount", ...]]:
        """Patients at a later time, in all and by site, each site with a prior of its own.

        The prior of a site is n P / J patients in the whole time T P. So J sites bring the prior J times the time
        that one site would bring: a quirk of the package, kept because its numbers are what is compared. The
        distribution of the sum is matched in mean and variance.

        Args:
            recruited: Patients of each site so far.
            elapsed: Time that each has been open, or one for all.
            at: When they are counted, counted like `elapsed`.

        Returns:
            The total, and one count a site.
        """
        n_sites = len(recruited)
        times = np.broadcast_to(np.asarray(elapsed, np.float64), (n_sites,))
        for count, time in zip(recruited, times.tolist(), strict=True):
            _require_progress(count, time, at)
        shapes = self.target * self.weight / n_sites + np.asarray(recruited, np.float64)
        rates = self.duration * self.weight + times
        sites = tuple(
            ShiftedCount(known=count, more=matched_count([shape], [rate], [at - time]))
            for count, shape, rate, time in zip(recruited, shapes, rates, times, strict=True)
        )
        return ShiftedCount(known=sum(recruited), more=matched_count(shapes, rates, at - times)), sites


def _require_progress(recruited: int, elapsed: float, at: float) -> None:
    """Refuses negative progress and times before now."""
    if recruited < 0 or elapsed < 0.0 or at < elapsed:
        msg = f"recruited, elapsed and the time ahead must not be negative, got {recruited!r}, {elapsed!r}, {at!r}"
        raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class ShiftedCount:
    """Patients known and patients to come."""

    known: int
    more: CountDistribution

    @property
    def mean(self) -> float:
        """Mean of the total."""
        return self.known + self.more.mean

    @property
    def sd(self) -> float:
        """Its standard deviation."""
        return math.sqrt(self.more.variance)

    def quantile(self, probability: ArrayLike) -> Floats:
        """Quantiles of the total."""
        return self.known + self.more.quantile(probability)


@dataclass(frozen=True, kw_only=True)
class FinishTime:
    """The time at which a target is reached, from the start of the trial on."""

    elapsed: float
    more: TimeToMore

    def quantile(self, probability: ArrayLike) -> Floats:
        """The time by which it is reached with a probability."""
        return self.elapsed + self.more.quantile(probability)

    def probability_by(self, time: float) -> float:
        """The probability that it is reached by a time."""
        return float(self.more.probability_by(time - self.elapsed))

    @property
    def mean(self) -> float:
        """Mean; infinite where the shape is not above 1."""
        shape = self.more.shape
        return self.elapsed + (self.more.scale * self.more.more / (shape - 1.0) if shape > 1.0 else math.inf)
