"""Harrell's C: how often, of two patients, the one at higher risk has the event first."""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import DAYS_PER_YEAR, Ints, times_to_first
from trajsim.evaluate.metric import FREE_RUN, Metric, Mode
from trajsim.evaluate.resampling import Resampling, bootstrap_weights
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]

NAME = "c_index"
YEARS = 5.0
MIN_EVENTS = 40
"""Outcomes with fewer first events in five years are left out: chance alone moves their index by .05 and more."""


class Concordance:
    """Pairs of patients whose order is known, for any weights of patients.

    A pair counts if the earlier of both times is an event, and the later one is later, or censored on the same day.
    Equal risks count half.
    """

    def __init__(self, days: Ints, is_event: NDArray[np.bool_], risk: Floats) -> None:
        cases = np.flatnonzero(is_event)
        later = days[None, :] > days[cases, None]
        comparable = later | ((days[None, :] == days[cases, None]) & ~is_event[None, :])
        right = (risk[None, :] < risk[cases, None]) + 0.5 * (risk[None, :] == risk[cases, None])
        self._cases = cases
        self._comparable = comparable.astype(np.float32)
        self._concordant = (comparable * right).astype(np.float32)

    def __call__(self, weights: Floats) -> float:
        """The index; NaN without a pair."""
        columns = weights.astype(np.float32)
        pairs = float(weights[self._cases] @ (self._comparable @ columns).astype(np.float64))
        right = float(weights[self._cases] @ (self._concordant @ columns).astype(np.float64))
        return right / pairs if pairs > 0 else float("nan")


def c_index(
    real: EventSequences, risk: Floats, *,
    years: float = YEARS, name: str = NAME, mode: Mode = FREE_RUN, resampling: Resampling | None = None,
) -> tuple[Metric, ...]:  # fmt: skip
    """Harrell's C of every outcome with enough events, from entry on; first their mean.

    Patients who enter with the event are left out, follow-up is cut after `years`, and death without the event
    censors.

    Args:
        real: Patients.
        risk: [n, K] What is believed of them: the hazard integrated over simulated futures.
        years: Where follow-up is cut.
        name: Of the measure; baselines have names of their own.
        mode: How the risk came to be.
        resampling: How many resamples of patients are behind the intervals.
    """
    resampling = resampling or Resampling()
    days, cause = times_to_first(real)
    horizon = int(years * DAYS_PER_YEAR)
    outcomes: list[tuple[str, Concordance, NDArray[np.int64], int]] = []
    for kind, event in enumerate(real.vocabulary.event_names):
        rows = np.flatnonzero(~real.prevalent[:, kind])
        is_event = (cause[rows, kind] == 1) & (days[rows, kind] <= horizon)
        if is_event.sum() >= MIN_EVENTS:
            pairs = Concordance(np.minimum(days[rows, kind], horizon), is_event, risk[rows, kind])
            outcomes.append((event, pairs, rows, int(is_event.sum())))
    if not outcomes:
        return ()

    def all_values(weights: Floats) -> Floats:
        single = np.array([pairs(weights[rows]) for _, pairs, rows, _ in outcomes])
        return np.concatenate([[np.nanmean(single)], single])

    value = all_values(np.ones(len(real)))
    low = high = np.full(len(value), np.nan)
    if resampling.n_bootstrap:
        generator = np.random.default_rng(resampling.seed)
        drawn = [all_values(bootstrap_weights(generator, len(real))) for _ in range(resampling.n_bootstrap)]
        low, high = np.nanquantile(np.array(drawn), [0.025, 0.975], axis=0)
    labels = [("", sum(n for *_, n in outcomes)), *((event, n) for event, _, _, n in outcomes)]
    return tuple(
        Metric(name=name, mode=mode, outcome=label, value=float(value[index]), low=float(low[index]),
               high=float(high[index]), n=n)
        for index, (label, n) in enumerate(labels)
    )  # fmt: skip
