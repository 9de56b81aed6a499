"""Dates of a running trial: when it will have its subjects, and when its events, with bands and probabilities."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws, Performance, in_blocks
from trajsim.trials.forecast.enrollment import Enrollment
from trajsim.trials.forecast.log import AccrualLog
from trajsim.trials.forecast.survival import TimeModel
from trajsim.trials.rates.arrivals import simulate_arrivals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BANDS = (0.5, 0.8, 0.95)

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """When a number is reached.

    Attributes:
        target: The number.
        median: Day by which it is reached with probability one half; none where that is not within the horizon.
        bands: For every level, the first and last day of the central band; none where it does not end in the horizon.
        reached: Probability that it is reached at all within the horizon.
        days: The day of every replicate since 1970-01-01, infinite where it is not reached, sorted.
    """

    target: int
    median: dt.date | None
    bands: dict[float, tuple[dt.date | None, dt.date | None]]
    reached: float
    days: Floats

    def probability_by(self, day: dt.date) -> float:
        """The probability that the number is reached by the end of a day."""
        return float(np.searchsorted(self.days, (day - _EPOCH).days, side="right") / self.days.size)


@dataclass(frozen=True, kw_only=True)
class FanChart:
    """Counts by date, with bands.

    Attributes:
        dates: When.
        quantiles: Probabilities of the columns: the ends of all bands and the median, rising.
        values: One row a date.
    """

    dates: tuple[dt.date, ...]
    quantiles: tuple[float, ...]
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What lies ahead of a trial.

    Attributes:
        as_of: The last day of its log.
        n_subjects: Randomised by then.
        n_events: Events by then.
        subjects: When the target number is randomised; none if it was not asked for.
        events: When the target number of events has happened; none if it was not asked for.
        subject_fan: Randomised subjects by date.
        event_fan: Events by date; none without follow-up.
        most_events: Median number of events that the trial can reach within the horizon; none without follow-up.
    """

    as_of: dt.date
    n_subjects: int
    n_events: int
    subjects: Milestone | None
    events: Milestone | None
    subject_fan: FanChart
    event_fan: FanChart | None
    most_events: float | None


@dataclass(frozen=True, kw_only=True)
class ForecastOptions:
    """What a forecast shall say.

    Attributes:
        target_subjects: Where recruitment stops; it has to be named, since events come from those recruited.
        target_events: Events wanted; none if there is no such target.
        horizon_days: How far ahead.
        follow_up_days: After how many days a subject's follow-up ends; never where none.
        fan_step_days: Days between two points of the fan charts.
        n_replicates: How many futures are drawn.
        seed: Of the random numbers.
    """

    target_subjects: int
    target_events: int | None = None
    horizon_days: int = 3_650
    follow_up_days: int | None = None
    fan_step_days: int = 30
    n_replicates: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Finds all faults at once."""
        numbers = {
            "target_subjects": self.target_subjects,
            "target_events": self.target_events,
            "horizon_days": self.horizon_days,
            "follow_up_days": self.follow_up_days,
            "fan_step_days": self.fan_step_days,
            "n_replicates": self.n_replicates,
        }
        given = {name: value for name, value in numbers.items() if value is not None}
        wrong = [f"{name} must be positive, got {value!r}" for name, value in given.items() if value < 1]
        if wrong:
            msg = "\n".join(wrong)
            raise ConfigError(msg)


def forecast(
    log: AccrualLog,
    enrollment: Enrollment,
    options: ForecastOptions,
    *,
    event_model: TimeModel | None = None,
    dropout_model: TimeModel | None = None,
    performance: Performance | None = None,
) -> Forecast:
    """Draws futures of a trial and says when it will be done.

    Recruitment goes on until the target number. Those at risk keep the time that they have survived; those to come
    start at 0. An event counts if it comes before dropout and before the end of follow-up.

    Args:
        log: The trial so far.
        enrollment: Its rates (`fit_enrollment`).
        options: Targets, horizon, replicates, seed.
        event_model: Times to the event (`fit_times`); without it no events are forecast.
        dropout_model: Times to dropout; without it nobody drops out.
        performance: Threads and blocks, which change no byte.

    Returns:
        The forecast.

    Guarantees:
        Threads and blocks change no byte. (tests/unit/trials/forecast/test_dates.py)

    Raises:
        ConfigError: A target of events without a model of events, or a model for a log without follow-up.
    """
    if options.target_events is not None and event_model is None:
        msg = "a target number of events needs a model of event times"
        raise ConfigError(msg, hint="fit one: trajsim.trials.forecast.fit_times")
    if event_model is not None and not log.has_follow_up:
        msg = "the log holds counts or no column 'event', so nothing is known of those at risk"
        raise ConfigError(msg, hint="give one row a subject with the columns event, dropout and last_seen")
    draws = Draws(options.seed)
    more = options.target_subjects - log.n_subjects
    now = enrollment.plan.since
    horizon = now + options.horizon_days
    known = np.sort(log.randomised).astype(np.float64)
    entries = np.broadcast_to(known, (options.n_replicates, known.size))
    if more > 0:
        arrivals = simulate_arrivals(
            enrollment.plan,
            n_patients=more,
            horizon=horizon,
            n_replicates=options.n_replicates,
            seed=options.seed,
            knowledge=enrollment.knowledge(draws),
            performance=performance,
        )
        new = np.where(np.isfinite(arrivals.times), np.floor(arrivals.times) + enrollment.origin, np.inf)
        entries = np.concatenate([entries, new], axis=1)
    else:
        new = np.empty((options.n_replicates, 0))
    events = None
    if event_model is not None:
        parts = in_blocks(
            lambda rows: _events(log, draws, rows, new[rows], event_model, dropout_model, options),
            options.n_replicates,
            performance=performance,
        )
        last_day = log.as_of + options.horizon_days
        events = np.concatenate(parts)
        events[events > last_day] = np.inf
        events.sort(axis=1)
    return _summary(log, options, entries, events)


def _events(
    log: AccrualLog,
    draws: Draws,
    rows: Ints,
    new: Floats,
    event_model: TimeModel,
    dropout_model: TimeModel | None,
    options: ForecastOptions,
) -> Floats:
    """Days of the events of some replicates, unordered; infinite where there is none."""
    at_risk = ~log.has_event & ~log.has_dropped_out
    limit = np.inf if options.follow_up_days is None else float(options.follow_up_days)
    survived = log.follow_up_days()[at_risk]
    start = np.concatenate(
        [np.broadcast_to(log.randomised[at_risk].astype(np.float64), (rows.size, survived.size)), new], axis=1
    )
    past = np.concatenate([survived, np.zeros(new.shape[1])])
    times = event_model.residual_times(draws, "event", rows, past)
    lost = np.inf if dropout_model is None else dropout_model.residual_times(draws, "dropout", rows, past)
    day = np.floor(start + times)
    future = np.where((times < lost) & (times <= limit), day, np.inf)
    done = log.event[log.has_event].astype(np.float64)
    return np.concatenate([np.broadcast_to(done, (rows.size, done.size)), future], axis=1)


def _summary(log: AccrualLog, options: ForecastOptions, entries: Floats, events: Floats | None) -> Forecast:
    """The dates, bands and charts."""
    days = np.arange(log.as_of, log.as_of + options.horizon_days + 1, options.fan_step_days)
    return Forecast(
        as_of=_date(log.as_of),
        n_subjects=log.n_subjects,
        n_events=log.n_events,
        subjects=_milestone(entries, options.target_subjects),
        events=None if events is None or options.target_events is None else _milestone(events, options.target_events),
        subject_fan=_fan(entries, days),
        event_fan=None if events is None else _fan(events, days),
        most_events=None if events is None else float(np.median(np.count_nonzero(np.isfinite(events), axis=1))),
    )


def _date(day: float) -> dt.date:
    """A date from days since 1970-01-01."""
    return _EPOCH + dt.timedelta(days=int(day))


def _quantile_days(days: Floats, probabilities: Sequence[float]) -> list[dt.date | None]:
    """Days by which the sorted replicates have come with some probabilities."""
    places = np.clip(np.ceil(np.asarray(probabilities) * days.size).astype(np.int64) - 1, 0, days.size - 1)
    return [None if np.isinf(days[place]) else _date(days[place]) for place in places]


def _milestone(times: Floats, target: int) -> Milestone:
    """When a number is reached, from the ordered times of every replicate."""
    reached = times[:, target - 1] if target <= times.shape[1] else np.full(times.shape[0], np.inf)
    days = np.sort(reached)
    bands = {}
    for level in BANDS:
        low, high = _quantile_days(days, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        bands[level] = (low, high)
    return Milestone(
        target=target,
        median=_quantile_days(days, [0.5])[0],
        bands=bands,
        reached=float(np.mean(np.isfinite(days))),
        days=days,
    )


def _fan(times: Floats, days: Ints) -> FanChart:
    """Counts by day from the times of every replicate."""
    quantiles = sorted({0.5, *((1.0 - level) / 2.0 for level in BANDS), *((1.0 + level) / 2.0 for level in BANDS)})
    values = [
        np.quantile(np.count_nonzero(times <= day, axis=1), quantiles, method="inverted_cdf").astype(np.float64)
        for day in days
    ]
    return FanChart(dates=tuple(_date(day) for day in days), quantiles=tuple(quantiles), values=np.array(values))
