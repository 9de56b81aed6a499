"""Times to an event or to dropout: exponential, Weibull and piecewise exponential, chosen or averaged.

What a forecast needs of a model is not its estimate but its future: parameters drawn with their uncertainty, and times
drawn for subjects who have come so far without the event. Hence the two functions `cumulative` and `inverse` on drawn
parameters.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Family = Literal["exponential", "weibull", "piecewise"]
Rule = Literal["aic", "bic", "average"]
FAMILIES: tuple[Family, ...] = ("exponential", "weibull", "piecewise")

_EVENTS_A_PARAMETER = 5


@dataclass(frozen=True, kw_only=True)
class TimeFit:
    """One family at its maximum likelihood.

    Attributes:
        family: Which one.
        estimates: Hazards of the pieces (exponential: one); Weibull: log a and log k of the cumulative hazard
            a (t / unit)^k.
        cuts: Where pieces begin, but the first.
        log_likelihood: At the maximum.
        n_events: Events.
        events: Of each piece.
        exposures: Time of each piece.
        spread: Weibull: a square root of the covariance of its estimates.
        unit: Weibull: its unit of time, the longest follow-up.
    """

    family: Family
    estimates: Floats
    cuts: tuple[float, ...]
    log_likelihood: float
    n_events: int
    events: Floats
    exposures: Floats
    spread: Floats
    unit: float = 1.0

    @property
    def n_parameters(self) -> int:
        """Fitted ones."""
        return int(self.estimates.size)

    @property
    def aic(self) -> float:
        """Akaike's criterion; lower is better."""
        return 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """The Bayesian (Schwarz) criterion with the number of events; lower is better."""
        return math.log(max(self.n_events, 1)) * self.n_parameters - 2.0 * self.log_likelihood

    def draw_parameters(self, draws: Draws, stream: str, replicates: Ints) -> Floats:
        """Parameters with their uncertainty, one row a replicate.

        Hazards from gamma distributions (the posterior under the prior of Jeffreys), those of the Weibull from the
        normal approximation.
        """
        n = self.n_parameters
        if self.family == "weibull":
            return self.estimates + draws.normals(stream, replicates, n) @ self.spread.T
        u = draws.uniforms(stream, replicates, n)
        return np.asarray(special.gammaincinv(self.events + 0.5, u) / self.exposures, np.float64)

    def cumulative(self, parameters: Floats, times: Floats) -> Floats:
        """Cumulative hazard; one row of parameters for every row of times."""
        if self.family == "weibull":
            scaled = np.maximum(times, 0.0) / self.unit
            return np.asarray(np.exp(parameters[:, :1]) * scaled ** np.exp(parameters[:, 1:]), np.float64)
        total = np.zeros(np.broadcast_shapes(times.shape, (parameters.shape[0], 1)))
        for piece, (begin, end) in enumerate(self._pieces()):
            total += parameters[:, piece : piece + 1] * (np.clip(times, begin, end) - begin)
        return total

    def inverse(self, parameters: Floats, amounts: Floats) -> Floats:
        """The time at which the cumulative hazard reaches an amount; infinite if it never does."""
        if self.family == "weibull":
            scaled = (amounts * np.exp(-parameters[:, :1])) ** np.exp(-parameters[:, 1:])
            return np.asarray(scaled * self.unit, np.float64)
        rest = np.array(amounts, np.float64)
        time = np.zeros(rest.shape)
        for piece, (begin, end) in enumerate(self._pieces()):
            with np.errstate(divide="ignore", invalid="ignore"):
                need = np.where(rest > 0.0, rest / parameters[:, piece : piece + 1], 0.0)
            time += np.minimum(need, end - begin)
            if math.isfinite(end):
                spent = parameters[:, piece : piece + 1] * (end - begin)
                rest = np.where(need > end - begin, rest - spent, 0.0)
        return time

    def _pieces(self) -> Sequence[tuple[float, float]]:
        """Begin and end of every piece."""
        edges = [0.0, *self.cuts, math.inf]
        return list(itertools.pairwise(edges))


@dataclass(frozen=True, kw_only=True)
class TimeModel:
    """The families that were fitted, with the weight of each in the forecast.

    Attributes:
        fits: Best first.
        weights: What share of the replicates uses each; the best alone unless models are averaged.
        rule: How they were weighed.
    """

    fits: tuple[TimeFit, ...]
    weights: tuple[float, ...]
    rule: Rule

    @property
    def best(self) -> TimeFit:
        """The first."""
        return self.fits[0]

    def residual_times(self, draws: Draws, stream: str, replicates: Ints, survived: Floats) -> Floats:
        """Times of the event, given that subjects have come so far without it.

        Args:
            draws: Random numbers.
            stream: Their name.
            replicates: Numbers of the replicates.
            survived: Time without event, one a subject.

        Returns:
            Time since randomisation, one row a replicate; a subject's draw depends on its place alone.
        """
        chosen = np.searchsorted(np.cumsum(self.weights)[:-1], draws.uniforms(f"{stream}/family", replicates, 1)[:, 0])
        thresholds = draws.exponentials(f"{stream}/times", replicates, survived.size)
        times = np.empty(thresholds.shape)
        for number, fit in enumerate(self.fits):
            rows = np.flatnonzero(chosen == number)
            if rows.size:
                parameters = fit.draw_parameters(draws, f"{stream}/{fit.family}", replicates[rows])
                reached = fit.cumulative(parameters, np.broadcast_to(survived, (rows.size, survived.size)))
                times[rows] = np.maximum(fit.inverse(parameters, reached + thresholds[rows]), survived)
        return times


def fit_times(
    times: Floats, events: Flags, *, families: Sequence[Family] = FAMILIES, rule: Rule = "bic", n_pieces: int = 3
) -> TimeModel:
    """Fits families of survival times and chooses among them, or averages them.

    Families with more parameters than a fifth of the events are left out: with few events nothing but an exponential
    can be told, and with none its hazard has the posterior that the time without event allows. A Weibull whose
    likelihood rises without end (all events on the last day of follow-up) is left out as well.

    Args:
        times: Follow-up of each subject; positive.
        events: Whether it ended with the event.
        families: Which families compete.
        rule: `aic` or `bic` take the best, `average` weighs all by exp(-AIC / 2).
        n_pieces: Pieces of the piecewise exponential, each with as many events.

    Returns:
        The model.

    Raises:
        ConfigError: A time is not positive, no subject is there, or a family or rule is unknown.

    Source:
        Burnham, Anderson (2002), Model selection and multimodel inference, section 2.9 (weights).
    """
    if times.size == 0 or times.shape != events.shape or not np.all(times > 0.0):
        msg = "times must be positive and each have its event flag, and there must be one"
        raise ConfigError(msg)
    if rule not in ("aic", "bic", "average") or not families or any(each not in FAMILIES for each in families):
        known = ", ".join(FAMILIES)
        msg = f"families must be some of {known} and the rule aic, bic or average, got {list(families)!r}, {rule!r}"
        raise ConfigError(msg)
    n_events = int(np.count_nonzero(events))
    sizes = {"exponential": 1, "weibull": 2, "piecewise": n_pieces}
    possible = [each for each in families if sizes[each] == 1 or n_events >= _EVENTS_A_PARAMETER * sizes[each]]
    found = [_fit(family, times, events, n_pieces) for family in possible or ["exponential"]]
    fits = [fit for fit in found if fit is not None] or [_fit_pieces(times, events, ())]
    fits.sort(key=lambda fit: fit.bic if rule == "bic" else fit.aic)
    raw = [math.exp(-(fit.aic - fits[0].aic) / 2.0) if rule == "average" else 0.0 for fit in fits]
    weights = [each / sum(raw) for each in raw] if rule == "average" else [1.0] + [0.0] * (len(fits) - 1)
    return TimeModel(fits=tuple(fits), weights=tuple(weights), rule=rule)


def _fit(family: str, times: Floats, events: Flags, n_pieces: int) -> TimeFit | None:
    """One family at its maximum; none where it has no maximum."""
    if family == "weibull":
        return _fit_weibull(times, events)
    cuts: tuple[float, ...] = ()
    if family == "piecewise":
        inner = np.quantile(times[events], [piece / n_pieces for piece in range(1, n_pieces)])
        cuts = tuple(float(cut) for cut in np.unique(inner) if cut < times.max())
    return _fit_pieces(times, events, cuts)


def _fit_pieces(times: Floats, events: Flags, cuts: tuple[float, ...]) -> TimeFit:
    """Constant hazards between cuts."""
    edges = np.array([0.0, *cuts, np.inf])
    exposures = np.array([np.sum(np.clip(times, a, b) - a) for a, b in itertools.pairwise(edges)])
    counts = np.histogram(times[events], bins=np.where(np.isinf(edges), times.max() + 1.0, edges))[0].astype(np.float64)
    hazards = counts / exposures
    return TimeFit(
        family="piecewise" if cuts else "exponential",
        estimates=hazards,
        cuts=cuts,
        log_likelihood=float(np.sum(special.xlogy(counts, hazards)) - counts.sum()),
        n_events=int(counts.sum()),
        events=counts,
        exposures=exposures,
        spread=np.empty((0, 0)),
    )


def _fit_weibull(times: Floats, events: Flags) -> TimeFit | None:
    """Cumulative hazard a (t / unit)^k: the slope of the profile likelihood of k has one root, or none."""
    unit = float(times.max())
    logs = np.log(times / unit)
    n = int(np.count_nonzero(events))
    mean_log = float(np.mean(logs[events]))

    def slope(log_k: float) -> float:
        weights = np.exp(math.exp(log_k) * logs)
        return float(np.sum(weights * logs) / np.sum(weights)) - math.exp(-log_k) - mean_log

    if slope(-4.0) * slope(4.0) >= 0.0:
        return None
    log_k = float(optimize.brentq(slope, -4.0, 4.0))
    k = math.exp(log_k)
    power = np.exp(k * logs)
    log_a = math.log(n / float(power.sum()))
    a = math.exp(log_a)
    cross = a * k * float(np.sum(power * logs))
    inner = -k * n * mean_log + a * float(np.sum(power * (k * logs + (k * logs) ** 2)))
    covariance = np.linalg.inv(np.array([[float(n), cross], [cross, inner]]))
    return TimeFit(
        family="weibull",
        estimates=np.array([log_a, log_k]),
        cuts=(),
        log_likelihood=n * (log_a + log_k) + (k - 1.0) * n * mean_log - a * float(power.sum()) - n * math.log(unit),
        n_events=n,
        events=np.empty(0),
        exposures=np.empty(0),
        spread=np.linalg.cholesky(covariance),
        unit=unit,
    )
