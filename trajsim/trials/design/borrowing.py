"""Controls borrowed from the past, and what that does to the error when the past differs from the present.

A control arm can be helped by historical controls. If these drifted, the gain turns into bias, and a treatment that
does nothing looks as if it worked. So every rule is shown over a grid of drift, with its type I error beside its power,
never at zero drift alone.

The outcome is normal with a known standard deviation of 1: effect, drift and bias are in standard deviations.

Source: Ibrahim, Chen (2000), Power prior distributions for regression models, Statistical Science 15:46; Hobbs, Carlin,
Mandrekar, Sargent (2011), Hierarchical commensurate and power prior models for adaptive incorporation of historical
information in clinical trials, Biometrics 67:1047; Viele et al. (2014), Use of historical control data for assessing
treatment effects in clinical trials, Pharmaceutical Statistics 13:41.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws, Performance, in_blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DRIFTS = (-0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5)


@dataclass(frozen=True, kw_only=True)
class BorrowingTrial:
    """A trial with a control arm and historical controls.

    Attributes:
        n_treated: Subjects treated.
        n_control: Concurrent controls.
        n_historical: Historical controls.
        effect: Difference that the power is computed for.
        alpha: Two-sided error.
    """

    n_treated: int
    n_control: int
    n_historical: int
    effect: float
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Checks the sizes once."""
        if min(self.n_treated, self.n_control) < 1 or self.n_historical < 0 or not 0.0 < self.alpha < 1.0:
            msg = (
                "both arms need a subject, historical controls must not be negative and alpha lie inside (0, 1), "
                f"got {self.n_treated!r}, {self.n_control!r}, {self.n_historical!r}, {self.alpha!r}"
            )
            raise ConfigError(msg)


class Rule(Protocol):
    """How much the historical controls count: gives the posterior of the control mean as a mixture of normals."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    def posterior(self, trial: BorrowingTrial, control: Floats, historical: Floats) -> tuple[Floats, Floats, Floats]:
        """Weights, means and variances, one row a trial, one column a component."""


@dataclass(frozen=True, kw_only=True)
class PowerPrior:
    """The historical controls count with a fixed weight: 0 is no borrowing, 1 is pooling (the fixed rule).

    Attributes:
        weight: The exponent of their likelihood, in [0, 1].
    """

    weight: float

    def __post_init__(self) -> None:
        """Checks the weight once."""
        if not 0.0 <= self.weight <= 1.0:
            msg = f"the weight of a power prior must lie in [0, 1], got {self.weight!r}"
            raise ConfigError(msg)

    @property
    def name(self) -> str:
        """By its weight."""
        names = {0.0: "no borrowing", 1.0: "fixed (pooled)"}
        return names.get(self.weight, f"power prior {self.weight:g}")

    def posterior(self, trial: BorrowingTrial, control: Floats, historical: Floats) -> tuple[Floats, Floats, Floats]:
        """One normal."""
        more = self.weight * trial.n_historical
        size = trial.n_control + more
        mean = (trial.n_control * control + more * historical) / size
        return np.ones((control.size, 1)), mean[:, None], np.full((control.size, 1), 1.0 / size)


@dataclass(frozen=True, kw_only=True)
class Commensurate:
    """The historical controls count as far as they agree: how far the two means may lie apart is learned.

    The distance of the means is normal, and its standard deviation has a half-normal prior; its values are averaged
    over. The bias is bounded, but however far the past lies away it does not vanish: it tends to 1 / (scale n_control).

    Attributes:
        scale: Of the half-normal prior of that standard deviation.
        n_nodes: Values of it that are averaged over.
    """

    scale: float = 0.25
    n_nodes: int = 48

    def __post_init__(self) -> None:
        """Checks both once."""
        if not (self.scale > 0.0 and self.n_nodes >= 2):
            msg = f"scale must be positive and n_nodes at least 2, got {self.scale!r} and {self.n_nodes!r}"
            raise ConfigError(msg)

    @property
    def name(self) -> str:
        """By its scale."""
        return f"commensurate {self.scale:g}"

    def posterior(self, trial: BorrowingTrial, control: Floats, historical: Floats) -> tuple[Floats, Floats, Floats]:
        """One normal for every value of the standard deviation, weighted by how well it explains the distance."""
        deviations = self.scale * 6.0 * (np.arange(self.n_nodes) + 0.5) / self.n_nodes
        prior = 1.0 / max(trial.n_historical, 1e-9) + deviations**2
        spread = prior + 1.0 / trial.n_control
        distance = (control - historical)[:, None]
        log_weight = -0.5 * (distance**2 / spread + np.log(spread) + (deviations / self.scale) ** 2)
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        precision = trial.n_control + 1.0 / prior
        mean = (trial.n_control * control[:, None] + historical[:, None] / prior) / precision
        variance = np.broadcast_to(1.0 / precision, mean.shape)
        return weight / weight.sum(axis=1, keepdims=True), mean, variance


@dataclass(frozen=True, kw_only=True)
class BorrowingResult:
    """One rule at one drift.

    Attributes:
        rule: Its name.
        drift: Mean of the historical controls minus mean of the concurrent ones.
        bias: Mean error of the estimated effect.
        rmse: Its root mean square.
        coverage: Share of 1 - alpha credible intervals that hold the effect.
        type_i: Share of trials of a useless treatment that are significant.
        inflation: type_i - alpha.
        power: Share of trials of the treatment that are significant.
        borrowed: Controls that the historical ones are worth (effective sample size), on average.
        saved: The same as a share of the concurrent controls.
        error: Monte Carlo standard error of the type I error at alpha.
    """

    rule: str
    drift: float
    bias: float
    rmse: float
    coverage: float
    type_i: float
    inflation: float
    power: float
    borrowed: float
    saved: float
    error: float


def borrow(
    trial: BorrowingTrial,
    rules: Sequence[Rule],
    *,
    drifts: Sequence[float] = DRIFTS,
    n_replicates: int = 20_000,
    seed: int = 0,
    performance: Performance | None = None,
) -> tuple[BorrowingResult, ...]:
    """Runs every rule over a grid of drift, all on the same data.

    Args:
        trial: Sizes and effect.
        rules: The rules.
        drifts: Grid of drift, in standard deviations.
        n_replicates: Trials of each.
        seed: Of the random numbers.
        performance: Threads and blocks.

    Returns:
        One result a rule and drift, by rule.

    Raises:
        ConfigError: There is no rule or no drift.
    """
    if not rules or not drifts:
        msg = "there must be a rule and a drift at least"
        raise ConfigError(msg)
    draws = Draws(seed)
    options = Performance(block=4_096) if performance is None else performance
    noise = np.concatenate(
        in_blocks(lambda rows: draws.normals("borrowing", rows, 3), n_replicates, performance=options)
    )
    return tuple(_result(trial, rule, drift, noise) for rule in rules for drift in drifts)


def _result(trial: BorrowingTrial, rule: Rule, drift: float, noise: Floats) -> BorrowingResult:
    """One rule at one drift. The control mean is 0; the effect moves the treated alone."""
    treated = noise[:, 0] / math.sqrt(trial.n_treated)
    control = noise[:, 1] / math.sqrt(trial.n_control)
    historical = drift + noise[:, 2] / math.sqrt(max(trial.n_historical, 1))
    weights, means, variances = rule.posterior(trial, control, historical)
    mean = np.sum(weights * means, axis=1)
    variance = np.sum(weights * (variances + means**2), axis=1) - mean**2
    deviation = np.sqrt(variances + 1.0 / trial.n_treated)

    def below(effect: float, value: float) -> Floats:
        """Posterior probability that the effect lies below a value, given the true effect."""
        centre = effect + treated[:, None] - means
        return np.asarray(np.sum(weights * special.ndtr((value - centre) / deviation), axis=1), np.float64)

    tail = trial.alpha / 2.0
    useless, useful, truth = below(0.0, 0.0), below(trial.effect, 0.0), below(trial.effect, trial.effect)
    error = treated - mean
    type_i = float(np.mean((useless < tail) | (useless > 1.0 - tail)))
    borrowed = float(np.mean(1.0 / variance)) - trial.n_control
    return BorrowingResult(
        rule=rule.name,
        drift=drift,
        bias=float(error.mean()),
        rmse=float(np.sqrt(np.mean(error**2))),
        coverage=float(np.mean((truth >= tail) & (truth <= 1.0 - tail))),
        type_i=type_i,
        inflation=type_i - trial.alpha,
        power=float(np.mean((useful < tail) | (useful > 1.0 - tail))),
        borrowed=borrowed,
        saved=borrowed / trial.n_control,
        error=math.sqrt(trial.alpha * (1.0 - trial.alpha) / noise.shape[0]),
    )


def power_prior_formula(trial: BorrowingTrial, rule: PowerPrior, drift: float) -> BorrowingResult:
    """A power prior at one drift by formula: the judge of the simulation, and judged by it.

    The estimate is normal with bias -w drift, w the weight of the historical mean; its posterior variance is not its
    sampling variance, which is why the type I error leaves alpha even at no drift.
    """
    more = rule.weight * trial.n_historical
    size = trial.n_control + more
    bias = -more / size * drift
    spread = (trial.n_control + rule.weight * more) / size**2 + 1.0 / trial.n_treated
    posterior = 1.0 / size + 1.0 / trial.n_treated
    limit = -float(special.ndtri(trial.alpha / 2.0)) * math.sqrt(posterior)

    def outside(mean: float) -> float:
        low, high = (special.ndtr((edge - mean) / math.sqrt(spread)) for edge in (-limit, limit))
        return float(low + 1.0 - high)

    type_i = outside(bias)
    return BorrowingResult(
        rule=rule.name,
        drift=drift,
        bias=bias,
        rmse=math.sqrt(bias**2 + spread),
        coverage=1.0 - outside(bias),
        type_i=type_i,
        inflation=type_i - trial.alpha,
        power=outside(trial.effect + bias),
        borrowed=more,
        saved=more / trial.n_control,
        error=0.0,
    )
