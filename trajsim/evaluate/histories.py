"""Views of event sequences that several measures share: who has what when, in which group, with which values."""

import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import DEATH, EventSequences

DAYS_PER_YEAR = 365.25
AGE_BANDS = (45.0, 60.0, 75.0)
"""Ages that part the four bands."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def conditions(sequences: EventSequences) -> list[int]:
    """Positions of all events but death."""
    return [index for index, name in enumerate(sequences.vocabulary.event_names) if name != DEATH]


def age_band(sequences: EventSequences) -> Ints:
    """[n] Band of the age at entry: 0 to 3."""
    return np.searchsorted(AGE_BANDS, sequences.entry_age_days / DAYS_PER_YEAR, side="right").astype(np.int64)


def held_at_end(sequences: EventSequences) -> Bools:
    """[n, K] What patients have when observation ends."""
    return sequences.prevalent | (sequences.first_days() >= 0)


def held_on_day(sequences: EventSequences) -> Bools:
    """[m, K] What the patient of each day has at its end."""
    patient = sequences.patient_of_day
    first = sequences.first_days()[patient]
    return sequences.prevalent[patient] | ((first >= 0) & (first <= sequences.day[:, None]))


def held_before_day(sequences: EventSequences) -> Bools:
    """[m, K] What the patient of each day had before it."""
    patient = sequences.patient_of_day
    first = sequences.first_days()[patient]
    return sequences.prevalent[patient] | ((first >= 0) & (first < sequences.day[:, None]))


def forbidden_first(sequences: EventSequences) -> Bools:
    """[n, K] Whether the first event of a kind is one that the bound modules do not allow."""
    result = np.zeros(sequences.prevalent.shape, dtype=bool)
    rows, kinds = np.nonzero(sequences.forbidden)
    result[sequences.patient_of_day[rows], kinds] = True
    return result


def times_to_first(sequences: EventSequences) -> tuple[Ints, Ints]:
    """When each event came first, and why watching for it ended.

    Returns:
        [n, K] Day of the first event, or of the end of watching. [n, K] 1 for the event, 2 for death without it, 0 for
        censored. A forbidden event ends watching, as it does in the likelihood. Death has no competitor.
    """
    first = sequences.first_days().astype(np.int64)
    days = np.where(first >= 0, first, sequences.follow_up_days[:, None].astype(np.int64))
    cause = (first >= 0).astype(np.int64)
    if sequences.vocabulary.has_death:
        died = first[:, -1] >= 0
        cause = np.where((cause == 0) & died[:, None], 2, cause)
    return days, np.where(forbidden_first(sequences), 0, cause)


def lab_rows(sequences: EventSequences, lab: int) -> tuple[Ints, Ints, Floats]:
    """Rows of days on which a lab was measured, their patients and the published values."""
    rows = np.flatnonzero(~np.isnan(sequences.values[:, lab]))
    return rows, sequences.patient_of_day[rows], sequences.values[rows, lab]


def weighted_mean(values: NDArray[np.generic], weights: Floats) -> float:
    """Mean; 0 where nothing has weight."""
    total = float(weights.sum())
    return float(np.dot(np.asarray(values, np.float64), weights)) / total if total > 0 else 0.0
