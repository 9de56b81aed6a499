"""Prognostic covariate adjustment (PROCOVA): a score learned from the past, used as a covariate in a randomised trial.

The score explains variance and so saves subjects. Randomisation is untouched, so the type I error stays at its level
however wrong the score is: unlike borrowed controls, a score that drifted loses power and nothing else.

Source: Schuler, Walsh, Hall, Walsh, Fisher (2022), Increasing the efficiency of randomized trial estimates via linear
adjustment for a prognostic score, International Journal of Biostatistics 18:329.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws, Performance, in_blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ProcovaTrial:
    """A trial with a continuous outcome (standard deviation 1) and a prognostic score.

    Attributes:
        n_treated: Subjects treated.
        n_control: Controls.
        effect: Difference of the arms.
        correlation: Of score and outcome.
        drift: By how much the outcome of the trial's population lies off what the score says, in standard deviations.
        alpha: Two-sided error.
    """

    n_treated: int
    n_control: int
    effect: float
    correlation: float
    drift: float = 0.0
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Checks them once."""
        faults = []
        if min(self.n_treated, self.n_control) < 2:
            faults.append(f"both arms need two subjects, got {self.n_treated!r} and {self.n_control!r}")
        if not -1.0 < self.correlation < 1.0:
            faults.append(f"correlation must lie inside (-1, 1), got {self.correlation!r}")
        if not 0.0 < self.alpha < 1.0:
            faults.append(f"alpha must lie inside (0, 1), got {self.alpha!r}")
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class ProcovaResult:
    """Simulated trials, with and without the score.

    Attributes:
        type_i: Share of trials of a useless treatment that are significant, adjusted.
        type_i_unadjusted: The same without the score.
        power: Share of trials of the treatment that are significant, adjusted.
        power_unadjusted: The same without the score.
        power_formula: The first power by formula.
        power_unadjusted_formula: The second by formula.
        bias: Mean error of the adjusted effect.
        variance_ratio: Variance of the adjusted effect over that of the other; 1 - correlation^2 in large trials.
        error: Monte Carlo standard error of the type I error at alpha.
    """

    type_i: float
    type_i_unadjusted: float
    power: float
    power_unadjusted: float
    power_formula: float
    power_unadjusted_formula: float
    bias: float
    variance_ratio: float
    error: float


def procova_sample_size(n: float, correlation: float) -> float:
    """Subjects that an adjusted trial needs in place of n: n (1 - correlation^2).

    Raises:
        ConfigError: n is negative or the correlation not inside [-1, 1].
    """
    if n < 0.0 or not -1.0 <= correlation <= 1.0:
        msg = f"n must not be negative and the correlation lie in [-1, 1], got {n!r} and {correlation!r}"
        raise ConfigError(msg)
    return n * (1.0 - correlation**2)


def procova(
    trial: ProcovaTrial, *, n_replicates: int = 10_000, seed: int = 0, performance: Performance | None = None
) -> ProcovaResult:
    """Simulates a trial with and without its score, and computes both powers by formula.

    Args:
        trial: Sizes, effect, correlation.
        n_replicates: How often.
        seed: Of the random numbers.
        performance: Threads and blocks.

    Returns:
        Errors and powers.
    """
    draws = Draws(seed)
    blocks = in_blocks(lambda rows: _analyses(trial, draws, rows), n_replicates, performance=performance)
    # Without effect: adjusted estimate and error, then the others. An effect moves the estimates alone.
    adjusted, adjusted_error, raw, raw_error = np.concatenate(blocks).T
    n = trial.n_treated + trial.n_control
    limits = [float(special.stdtrit(n - used, 1.0 - trial.alpha / 2.0)) for used in (3, 2)]

    def rejected(estimate: Floats, error: Floats, limit: float) -> float:
        return float(np.mean(np.abs(estimate) > limit * error))

    variance = 1.0 / trial.n_treated + 1.0 / trial.n_control
    left = 1.0 - trial.correlation**2
    return ProcovaResult(
        type_i=rejected(adjusted, adjusted_error, limits[0]),
        type_i_unadjusted=rejected(raw, raw_error, limits[1]),
        power=rejected(adjusted + trial.effect, adjusted_error, limits[0]),
        power_unadjusted=rejected(raw + trial.effect, raw_error, limits[1]),
        power_formula=_power(trial.effect / math.sqrt(variance * left * (n - 3) / (n - 4)), n - 3, limits[0]),
        power_unadjusted_formula=_power(trial.effect / math.sqrt(variance), n - 2, limits[1]),
        bias=float(adjusted.mean()),
        variance_ratio=float(adjusted.var() / raw.var()),
        error=math.sqrt(trial.alpha * (1.0 - trial.alpha) / n_replicates),
    )


def _power(shift: float, freedom: int, limit: float) -> float:
    """Two-sided power of a t test, by the noncentral t distribution."""
    upper = 1.0 - float(special.nctdtr(freedom, abs(shift), limit))
    return upper + float(special.nctdtr(freedom, abs(shift), -limit))


def _analyses(trial: ProcovaTrial, draws: Draws, rows: Ints) -> Floats:
    """Estimate and standard error, adjusted and not, of trials without effect."""
    n = trial.n_treated + trial.n_control
    score = draws.normals("procova/score", rows, n)
    noise = draws.normals("procova/noise", rows, n)
    outcome = trial.drift + trial.correlation * score + math.sqrt(1.0 - trial.correlation**2) * noise
    arm = np.zeros(n)
    arm[: trial.n_treated] = 1.0
    y = outcome - outcome.mean(axis=1, keepdims=True)
    x = score - score.mean(axis=1, keepdims=True)
    a = np.broadcast_to(arm - arm.mean(), y.shape)
    xx, aa = np.sum(x * x, axis=1), float(np.sum(a[0] * a[0]))
    ax, ay, xy = np.sum(a * x, axis=1), np.sum(a * y, axis=1), np.sum(x * y, axis=1)
    yy = np.sum(y * y, axis=1)
    # Least squares on arm and score: the score is taken out of the arm and of the outcome first.
    free = aa - ax**2 / xx
    adjusted = (ay - ax * xy / xx) / free
    rest = yy - xy**2 / xx - adjusted**2 * free
    raw = ay / aa
    return np.stack(
        [
            adjusted,
            np.sqrt(rest / (n - 3) / free),
            raw,
            np.sqrt((yy - raw**2 * aa) / (n - 2) / aa),
        ],
        axis=1,
    )
