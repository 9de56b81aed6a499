"""Events that a model expects over events that came: 1 where its rates are right."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trajsim.evaluate.fidelity.cumulative_incidence import cumulative_incidence
from trajsim.evaluate.histories import DAYS_PER_YEAR, times_to_first
from trajsim.evaluate.metric import FREE_RUN, TEACHER_FORCED, Metric
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "expected_observed"
MIN_EVENTS = 100
"""Outcomes with fewer first events are left out: on fewer a perfect model is often far off by chance."""


def poisson_interval(count: float) -> tuple[float, float]:
    """Exact 95 % interval of the mean behind a count."""
    low = float(stats.chi2.ppf(0.025, 2 * count) / 2) if count > 0 else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * count + 2) / 2)


def chance_of_ratio(count: float) -> float:
    """How far from 1 expected over observed is, in 95 of 100 cases at most, for a model whose rates are true."""
    low, high = (float(stats.poisson.ppf(level, count)) for level in (0.025, 0.975))
    return max(count / low - 1.0 if low > 0 else np.inf, 1.0 - count / high) if count > 0 else np.nan


def teacher_forced_expected_observed(expected: Floats, observed: Floats, names: tuple[str, ...]) -> tuple[Metric, ...]:
    """Hazards summed over the real exposure, over real first events; first all outcomes together.

    The interval is Poisson's exact one of the count; the floor says how far from 1 chance takes a perfect model.

    Args:
        expected: [n, K] Sum of hazard times exposure of every patient.
        observed: [n, K] First events.
        names: [K] Of the events.
    """
    sums = expected.sum(axis=0), observed.sum(axis=0)
    metrics = [_ratio("", float(sums[0].sum()), float(sums[1].sum()))] if sums[1].sum() > 0 else []
    metrics += [
        _ratio(name, float(sums[0][kind]), float(sums[1][kind]))
        for kind, name in enumerate(names)
        if sums[1][kind] >= MIN_EVENTS
    ]
    return tuple(metrics)


def _ratio(outcome: str, expected: float, observed: float) -> Metric:
    low, high = poisson_interval(observed)
    return Metric(
        name=NAME, mode=TEACHER_FORCED, outcome=outcome, value=expected / observed, low=expected / high,
        high=expected / low if low > 0 else np.inf, n=round(observed), floor=chance_of_ratio(observed),
    )  # fmt: skip


def free_run_expected_observed(real: EventSequences, incidence: Floats, *, years: float = 5.0) -> tuple[Metric, ...]:
    """Simulated over real cumulative incidence, some years after entry, from the real states at entry.

    Real incidence is that of Aalen and Johansen, with death competing, so that censoring takes nothing from it; the
    ratio of all outcomes is that of the sums over outcomes. The interval is that of the count of first events.

    Args:
        real: Patients.
        incidence: [n, K] Share of simulated futures of each patient in which the event comes within `years`.
        years: How far the futures go.
    """
    days, cause = times_to_first(real)
    horizon = int(years * DAYS_PER_YEAR)
    metrics, total = [], np.zeros(3)
    for kind, name in enumerate(real.vocabulary.event_names):
        rows = ~real.prevalent[:, kind]
        curve, _ = cumulative_incidence(days[rows, kind], cause[rows, kind], np.ones(int(rows.sum())), horizon=horizon)
        events = int(np.sum(rows & (cause[:, kind] == 1) & (days[:, kind] <= horizon)))
        sums = np.array([incidence[rows, kind].sum(), curve[-1] * rows.sum(), events])
        total += sums
        if np.sum(rows & (cause[:, kind] == 1)) >= MIN_EVENTS and events:
            metrics.append(_free_ratio(name, *sums))
    return (_free_ratio("", *total), *metrics) if total[2] else ()


def _free_ratio(outcome: str, expected: float, observed: float, events: float) -> Metric:
    """Ratio with the relative interval of the count of events."""
    value = expected / observed
    low, high = poisson_interval(events)
    return Metric(
        name=NAME, mode=FREE_RUN, outcome=outcome, value=float(value), low=float(value * events / high),
        high=float(value * events / low) if low > 0 else np.inf, n=round(events), floor=chance_of_ratio(events),
    )  # fmt: skip
