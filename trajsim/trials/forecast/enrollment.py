"""What a log tells of the rates of its sites, as a plan for the sites that go on and those that will open."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws
from trajsim.trials.forecast.log import AccrualLog
from trajsim.trials.rates.arrivals import RateKnowledge
from trajsim.trials.rates.calendars import Calendar
from trajsim.trials.rates.fit import SHAPES, AccrualHistory, RateChoice, RateFit, ShapeName, fit_rates
from trajsim.trials.rates.gamma_poisson import GammaRate
from trajsim.trials.rates.plan import AccrualPlan, Delay, SitePlan
from trajsim.trials.rates.shapes import Piecewise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EPOCH = dt.date(1970, 1, 1)
_GRID = 48
# Sites of published multicentre trials vary with a coefficient between about 0.4 and 1.6: a shape near 1.5 within a
# factor of 4.5 either way, unless the log says otherwise.
_PRIOR_LOG_ALPHA = (math.log(1.5), 1.5)


@dataclass(frozen=True, kw_only=True)
class PlannedSite:
    """A site that is to open after the day of the log.

    Attributes:
        name: Unique, also among the sites of the log.
        start: Day planned.
        delay: By how much later it opens, in days.
        cap: Most patients.
        closes: Last day.
    """

    name: str
    start: dt.date
    delay: Delay = Delay()  # noqa: RUF009  # frozen
    cap: int | None = None
    closes: dt.date | None = None


@dataclass(frozen=True, kw_only=True)
class Enrollment:
    """The rates of a running trial.

    Attributes:
        origin: Day 0 of the plan: the day on which the first site opened.
        choice: The fitted shapes; the best one is used.
        plan: All sites from the day after the log on, each with its posterior rate at the estimates.
        grid: Pairs of log shape and log mean of the distribution of rates.
        weights: Their posterior probabilities.
        counts: Patients of each site that count for its rate.
        exposures: Its operational time so far.
    """

    origin: int
    choice: RateChoice
    plan: AccrualPlan
    grid: Floats
    weights: Floats
    counts: Ints
    exposures: Floats

    def knowledge(self, draws: Draws) -> RateKnowledge:
        """What is known of the rates in every replicate: the distribution they come from is uncertain, too."""
        sums = np.cumsum(self.weights)

        def of(replicates: Ints) -> tuple[Floats, Floats]:
            u = draws.uniforms("rates", replicates, 1)[:, 0]
            place = np.minimum(np.searchsorted(sums, u * sums[-1]), sums.size - 1)
            alpha = np.exp(self.grid[place, 0])[:, None]
            beta = alpha * np.exp(-self.grid[place, 1])[:, None]
            return alpha + self.counts[None, :], beta + self.exposures[None, :]

        return of


def fit_enrollment(
    log: AccrualLog,
    *,
    planned: Sequence[PlannedSite] = (),
    calendar: Calendar | None = None,
    horizon_days: int = 3_650,
    shapes: Sequence[ShapeName] = SHAPES,
    criterion: Literal["aic", "bic"] = "bic",
) -> Enrollment:
    """Fits the rates of a log and lays out the sites from its last day on.

    Args:
        log: The trial so far.
        planned: Sites that are to open.
        calendar: Which days count.
        horizon_days: How far the calendar is laid out.
        shapes: Which shapes of the rate compete.
        criterion: What ranks them.

    Returns:
        The rates. A site whose opening is unknown counts from its first patient on, without that patient.

    Raises:
        ConfigError: No site has been open, or two have one name.
    """
    if not log.sites:
        msg = "the log holds neither a site nor a subject, so nothing is known of any rate"
        raise ConfigError(msg, hint="name the sites in a file of sites")
    origin = min(site.opened for site in log.sites)
    now = float(log.as_of + 1 - origin)
    if now <= 0.0:
        msg = "no site has opened by the day of the log, so nothing is known of any rate"
        raise ConfigError(msg, hint="plan without a log: trajsim.trials.rates.plan_accrual")
    start_date = _EPOCH + dt.timedelta(days=origin)
    clock = None if calendar is None else calendar.shape(start_date, int(now) + horizon_days)
    history, first = _history(log, origin, now, clock)
    choice = fit_rates(history, shapes=shapes, criterion=criterion)
    best = choice.best
    operational = np.concatenate([best.shape.cumulative(history.exposures), np.zeros(len(planned))])
    counts = np.concatenate([history.counts, np.zeros(len(planned), np.int64)])
    grid, weights = _hyper_posterior(best, history)
    recruited = log.counts()
    sites = [
        SitePlan(
            name=site.name,
            rate=GammaRate(shape=best.gamma.shape + int(counts[i]), rate=best.gamma.rate + float(operational[i])),
            start=float(first[i]),
            cap=None if site.cap is None else max(site.cap - int(recruited[i]), 0),
            closes=None if site.closed is None else float(site.closed + 1 - origin),
        )
        for i, site in enumerate(log.sites)
    ]
    sites += [_planned_site(site, best.gamma, origin) for site in planned]
    plan = AccrualPlan(sites=sites, shape=best.shape, calendar=clock, since=now)
    return Enrollment(
        origin=origin, choice=choice, plan=plan, grid=grid, weights=weights, counts=counts, exposures=operational
    )


def _planned_site(site: PlannedSite, gamma: GammaRate, origin: int) -> SitePlan:
    """A planned site with days counted from the origin."""
    closes = None if site.closes is None else float((site.closes - _EPOCH).days + 1 - origin)
    start = float((site.start - _EPOCH).days - origin)
    return SitePlan(name=site.name, rate=gamma, start=start, delay=site.delay, cap=site.cap, closes=closes)


def _history(log: AccrualLog, origin: int, now: float, clock: Piecewise | None) -> tuple[AccrualHistory, Floats]:
    """The log in active days of every site, and the day on which each begins to count."""
    known = np.array([site.is_opening_known for site in log.sites])
    first = np.array([site.opened - origin for site in log.sites], np.float64)
    counted = np.ones(log.n_subjects, bool)
    for number in np.flatnonzero(~known):
        rows = np.flatnonzero(log.site == number)
        counted[rows[np.argmin(log.randomised[rows])]] = False
        first[number] += 0.5
    last = np.array([now if site.closed is None else min(now, site.closed + 1.0 - origin) for site in log.sites])

    def active(times: Floats) -> Floats:
        return times if clock is None else clock.cumulative(times)

    exposures = np.maximum(active(last) - active(first), 0.0)
    site = log.site[counted]
    times = active(log.randomised[counted].astype(np.float64) + (0.5 - origin)) - active(first)[site]
    return AccrualHistory(exposures=exposures, sites=site, times=np.clip(times, 0.0, exposures[site])), first


def _hyper_posterior(fit: RateFit, history: AccrualHistory) -> tuple[Floats, Floats]:
    """The distribution of the gamma shape and mean on a grid, under a broad prior."""
    counts = history.counts.astype(np.float64)
    operational = fit.shape.cumulative(history.exposures)
    n = max(float(counts.sum()), 0.5)
    log_mean = math.log(n / max(float(operational.sum()), 1e-9))
    width = 5.0 / math.sqrt(n) + 3.0 / math.sqrt(counts.size)
    alphas = np.linspace(math.log(0.05), math.log(200.0), _GRID)
    means = np.linspace(log_mean - width, log_mean + width, _GRID)
    grid = np.stack(np.meshgrid(alphas, means, indexing="ij"), axis=-1).reshape(-1, 2)
    alpha = np.exp(grid[:, :1])
    beta = alpha * np.exp(-grid[:, 1:])
    terms = special.gammaln(alpha + counts) - special.gammaln(alpha) + alpha * np.log(beta)
    value = np.sum(terms - (alpha + counts) * np.log(beta + operational), axis=1)
    centre, spread = _PRIOR_LOG_ALPHA
    value -= (grid[:, 0] - centre) ** 2 / (2.0 * spread**2)
    weights = np.exp(value - value.max())
    return grid, np.asarray(weights / weights.sum(), np.float64)
