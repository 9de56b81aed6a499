"""The forecast of a running trial from its spec and its log: what the spec planned, corrected by what happened.

The spec names the targets, the sites and when each was to open; the log tells who came. One call reads the log, fits
rates, events and dropout, and says when the targets of the spec will be reached.
"""

import dataclasses
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trajsim.errors import ConfigError
from trajsim.trials.draws import Performance
from trajsim.trials.forecast.dates import FanChart, Forecast, ForecastOptions, Milestone, forecast
from trajsim.trials.forecast.enrollment import Enrollment, PlannedSite, fit_enrollment
from trajsim.trials.forecast.log import AccrualLog, LogSite
from trajsim.trials.forecast.log_reader import read_accrual_log
from trajsim.trials.forecast.survival import Rule, TimeModel, fit_times
from trajsim.trials.rates.plan import Delay
from trajsim.trials.spec import Lognormal, Site, TrialSpec, epoch_day


@dataclass(frozen=True, kw_only=True)
class ReforecastOptions:
    """How a running trial is forecast; the targets are those of its spec.

    Attributes:
        replicates: Futures drawn.
        seed: Of the random numbers.
        horizon_days: How far ahead.
        fan_step_days: Days between two points of the fan charts.
        rule: How families of times to event and dropout are weighed.
    """

    replicates: int = 2_000
    seed: int = 0
    horizon_days: int = 3_650
    fan_step_days: int = 7
    rule: Rule = "average"


@dataclass(frozen=True, kw_only=True)
class Reforecast:
    """A running trial: what was read, what was fitted, and what lies ahead.

    Attributes:
        log: The log, with the sites as they are taken to be.
        enrollment: The rates.
        event_model: Times to the event; none where the log does not tell of events.
        dropout_model: Times to dropout; none where the log does not tell of events.
        forecast: Dates, bands, fans; the fans end once both targets are reached with probability 0.975.
        planned_end: Last day of recruitment by plan.
        notes: What a reader must know of how the log was read.
    """

    log: AccrualLog
    enrollment: Enrollment
    event_model: TimeModel | None
    dropout_model: TimeModel | None
    forecast: Forecast
    planned_end: dt.date
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Everything as plain values: dates as text, probabilities and counts as numbers."""
        found = self.forecast
        best = self.enrollment.choice.best
        return {
            "as_of": found.as_of.isoformat(),
            "n_subjects": found.n_subjects,
            "n_events": found.n_events,
            "most_events": found.most_events,
            "subjects": _milestone(found.subjects, self.planned_end, found.subject_fan),
            "events": _milestone(found.events, self.planned_end, found.event_fan),
            "subject_fan": _fan(found.subject_fan),
            "event_fan": None if found.event_fan is None else _fan(found.event_fan),
            "rates": {
                "shape": best.name,
                "mean_per_site_month": best.gamma.shape / best.gamma.rate * 365.25 / 12.0,
                "considered": [{"shape": fit.name, "bic": fit.bic} for fit in self.enrollment.choice.fits],
            },
            "event_times": _times(self.event_model),
            "dropout_times": _times(self.dropout_model),
            "notes": list(self.notes),
        }


def reforecast(
    log: Path | AccrualLog,
    spec: TrialSpec,
    *,
    as_of: dt.date,
    sites: Path | None = None,
    options: ReforecastOptions | None = None,
    performance: Performance | None = None,
) -> Reforecast:
    """Forecasts the targets of a spec from the log of the trial so far.

    Without a file of sites each site of the spec counts as open from the day on which it was planned to open plus the
    median of its delay, or from its first patient if that came earlier (then without that patient). It closes as
    planned, unless somebody was randomised later. Sites whose day lies after the log open as planned.

    Args:
        log: The log, a file (`read_accrual_log`: one row a subject, or counts by day and site) or as it was read.
        spec: The trial.
        as_of: The last day that the log covers.
        sites: File of when each site opened and closed in truth; sites of the spec that it lacks are yet to open. It is
            not read where the log was read already.
        options: Replicates, seed, horizon.
        performance: Threads and blocks, which change no byte.

    Returns:
        The forecast and all that it rests on. A target out of reach is an answer: no date, and the probability.

    Guarantees:
        Threads and blocks change no byte. (tests/unit/trials/forecast/test_reforecast.py)

    Raises:
        DataFileError: The log or the file of sites is wrong; every fault by file and row.
        ConfigError: No site has opened by the day of the log.

    Example:
        >>> reforecast(Path("log.csv"), spec, as_of=dt.date(2026, 6, 30)).forecast.subjects.median  # doctest: +SKIP
        datetime.date(2027, 2, 11)
    """
    asked = ReforecastOptions() if options is None else options
    if isinstance(log, Path):
        log = read_accrual_log(log, as_of=as_of, sites=sites, names=[site.name for site in spec.sites])
    has_file = log.has_openings
    running, planned = _sites(log, spec, has_file=has_file)
    if not running.sites:
        msg = f"no site of the spec has opened by {as_of.isoformat()}, so the log says nothing of any rate"
        raise ConfigError(msg, hint="simulate the trial without a log")
    enrollment = fit_enrollment(running, planned=planned, horizon_days=asked.horizon_days)
    follows = running.has_follow_up and running.n_subjects > 0
    days = running.follow_up_days() if follows else np.empty(0)
    event_model = fit_times(days, running.has_event, rule=asked.rule) if follows else None
    dropout_model = fit_times(days, running.has_dropped_out, rule=asked.rule) if follows else None
    found = forecast(
        running,
        enrollment,
        ForecastOptions(
            target_subjects=spec.target,
            target_events=spec.follow_up.events if follows else None,
            horizon_days=asked.horizon_days,
            follow_up_days=spec.follow_up.days,
            fan_step_days=asked.fan_step_days,
            n_replicates=asked.replicates,
            seed=asked.seed,
        ),
        event_model=event_model,
        dropout_model=dropout_model,
        performance=performance,
    )
    return Reforecast(
        log=running,
        enrollment=enrollment,
        event_model=event_model,
        dropout_model=dropout_model,
        forecast=_trimmed(found, spec.planned_end),
        planned_end=spec.planned_end,
        notes=_notes(running, spec, has_file=has_file),
    )


def _sites(log: AccrualLog, spec: TrialSpec, *, has_file: bool) -> tuple[AccrualLog, Sequence[PlannedSite]]:
    """The log with the sites that are open, and the sites of the spec that are not yet."""
    number = {site.name: place for place, site in enumerate(log.sites)}
    if has_file:
        return log, [_planned(site) for site in spec.sites if site.name not in number]
    open_sites: list[LogSite] = []
    renumbered = np.zeros(len(log.sites), np.int64)
    planned: list[PlannedSite] = []
    for site in spec.sites:
        if site.name in number:
            renumbered[number[site.name]] = len(open_sites)
            open_sites.append(_opened(site, log.randomised[log.site == number[site.name]].tolist()))
        elif _planned_day(site) > log.as_of:
            planned.append(_planned(site))
        else:
            open_sites.append(_opened(site, []))
    return dataclasses.replace(log, sites=tuple(open_sites), site=renumbered[log.site]), planned


def _planned_day(site: Site) -> int:
    """The day on which a site opens by plan and with its median delay."""
    return epoch_day(site.opens) + math.ceil(site.delay.median)


def _opened(site: Site, days: Sequence[int]) -> LogSite:
    """A site that is open, from its plan and the days of its patients."""
    opened = _planned_day(site)
    closed = None if site.closes is None else epoch_day(site.closes)
    if closed is not None and days and max(days) > closed:
        closed = None
    if days and min(days) < opened:
        return LogSite(name=site.name, opened=min(days), is_opening_known=False, closed=closed, cap=site.cap)
    opened = opened if closed is None else min(opened, closed)
    return LogSite(name=site.name, opened=opened, closed=closed, cap=site.cap)


def _planned(site: Site) -> PlannedSite:
    """A site that is to open."""
    return PlannedSite(name=site.name, start=site.opens, delay=_delay(site.delay), cap=site.cap, closes=site.closes)


def _delay(quantity: Lognormal) -> Delay:
    """A delay by its mean and standard deviation instead of two percentiles."""
    mean = quantity.median * math.exp(quantity.sigma**2 / 2.0)
    return Delay(mean=mean, sd=mean * math.sqrt(math.expm1(quantity.sigma**2)))


def _notes(log: AccrualLog, spec: TrialSpec, *, has_file: bool) -> tuple[str, ...]:
    """What the log does not say, and what was assumed in its place."""
    notes = []
    if not has_file:
        notes.append("days on which sites opened are those of the plan, for no file of sites was given")
    if not log.has_follow_up:
        notes.append("no events are forecast, for the log has no column 'event'")
    elif log.n_subjects == 0:
        notes.append("no events are forecast, for nobody has been randomised")
    if not spec.stops_at_target:
        notes.append(f"recruitment is taken to stop at {spec.target} subjects, though the spec lets it go on")
    return tuple(notes)


def _trimmed(found: Forecast, planned_end: dt.date) -> Forecast:
    """The forecast with fans that end soon after the last day that matters."""
    ends = [None if each is None else each.bands[0.95][1] for each in (found.subjects, found.events)]
    asked = [end for end, each in zip(ends, (found.subjects, found.events), strict=True) if each is not None]
    days = [end for end in asked if end is not None]
    if len(days) < len(asked):
        return found
    last = max([*days, planned_end, found.as_of])
    event_fan = None if found.event_fan is None else _until(found.event_fan, last)
    return dataclasses.replace(found, subject_fan=_until(found.subject_fan, last), event_fan=event_fan)


def _until(fan: FanChart, last: dt.date) -> FanChart:
    """A fan up to its first date on or after a day."""
    n = min(sum(date < last for date in fan.dates) + 1, len(fan.dates))
    return dataclasses.replace(fan, dates=fan.dates[:n], values=fan.values[:n])


def _milestone(milestone: Milestone | None, planned_end: dt.date, fan: FanChart | None) -> dict[str, object] | None:
    """A milestone as plain values, with its probability on the dates of a fan."""
    if milestone is None:
        return None
    dates = () if fan is None else fan.dates
    return {
        "target": milestone.target,
        "median": _iso(milestone.median),
        "bands": {f"{100 * level:g}": [_iso(day) for day in ends] for level, ends in milestone.bands.items()},
        "reached": milestone.reached,
        "probability_by_planned_end": milestone.probability_by(planned_end),
        "probability_by": [{"date": day.isoformat(), "probability": milestone.probability_by(day)} for day in dates],
    }


def _fan(fan: FanChart) -> list[dict[str, object]]:
    """A fan as one object a date."""
    names = [f"p{100 * q:g}" for q in fan.quantiles]
    return [
        {"date": date.isoformat(), **dict(zip(names, row.tolist(), strict=True))}
        for date, row in zip(fan.dates, fan.values, strict=True)
    ]


def _times(model: TimeModel | None) -> list[dict[str, object]] | None:
    """The families that were fitted, best first."""
    if model is None:
        return None
    return [
        {"family": fit.family, "weight": weight, "aic": fit.aic, "bic": fit.bic}
        for fit, weight in zip(model.fits, model.weights, strict=True)
    ]


def _iso(day: dt.date | None) -> str | None:
    """A date as text."""
    return None if day is None else day.isoformat()
