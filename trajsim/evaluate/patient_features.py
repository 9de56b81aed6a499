"""A patient as one row of numbers: the fixed list behind the discriminator, the distances and the transfer of models.

All numbers are rounded as they are published, because otherwise a classifier reads how a number was stored.
"""

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.histories import DAYS_PER_YEAR, conditions, held_at_end, lab_rows
from trajsim.event_sequences import EventSequences

Floats = NDArray[np.float64]
Columns = dict[str, Floats]


def entry_features(sequences: EventSequences) -> Columns:
    """What is known when a patient enters: age, sex, BMI, conditions."""
    columns = {
        "age": np.floor(sequences.entry_age_days / DAYS_PER_YEAR),
        "is_male": sequences.is_male.astype(np.float64),
        "bmi": np.round(sequences.bmi, 1),
        "bmi_missing": np.isnan(sequences.bmi).astype(np.float64),
    }
    for kind in conditions(sequences):
        columns[f"{sequences.vocabulary.event_names[kind]}_at_entry"] = sequences.prevalent[:, kind].astype(np.float64)
    return columns


def entry_lab_features(sequences: EventSequences) -> Columns:
    """Last value of every lab at entry; NaN for none."""
    return {
        f"{name}_at_entry": sequences.entry_values[:, lab] for lab, name in enumerate(sequences.vocabulary.lab_names)
    }


def course_features(sequences: EventSequences) -> Columns:
    """What is known when observation ends: follow-up, visits, conditions, ages of first events, series of labs."""
    columns = {"follow_up": sequences.follow_up_days.astype(np.float64), **_visits(sequences)}
    held, first = held_at_end(sequences), sequences.first_days()
    for kind, name in enumerate(sequences.vocabulary.event_names):
        columns[f"{name}_at_end"] = held[:, kind].astype(np.float64)
        age = np.round((sequences.entry_age_days + first[:, kind]) / DAYS_PER_YEAR, 1)
        columns[f"{name}_first_age"] = np.where(first[:, kind] >= 0, age, np.nan)
    for lab, name in enumerate(sequences.vocabulary.lab_names):
        columns |= {f"{name}_{what}": column for what, column in _series(sequences, lab).items()}
    return columns


def as_matrix(columns: Columns) -> Floats:
    """[n, columns] At three decimals."""
    matrix: Floats = np.column_stack(list(columns.values())).astype(np.float64)
    return np.asarray(np.round(matrix, 3), dtype=np.float64)


def _visits(sequences: EventSequences) -> Columns:
    n = len(sequences)
    visits = np.flatnonzero(sequences.is_visit)
    owner, day = sequences.patient_of_day[visits], sequences.day[visits].astype(np.float64)
    count = np.bincount(owner, minlength=n).astype(np.float64)
    follows = owner[1:] == owner[:-1]
    mean, spread, _ = _moments(owner[1:][follows], np.diff(day)[follows], n)
    per_year = count / (sequences.follow_up_days / DAYS_PER_YEAR)
    return {"visits": count, "visits_per_year": per_year, "gap_mean": mean, "gap_sd": spread}


def _moments(owner: NDArray[np.int64], values: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """[n] Mean (NaN for none), standard deviation (NaN under two) and count."""
    count = np.bincount(owner, minlength=n).astype(np.float64)
    some = np.where(count > 0, count, np.nan)
    mean = np.bincount(owner, values, n) / some
    squares = np.bincount(owner, (values - mean[owner]) ** 2, n)
    return mean, np.sqrt(squares / np.where(count > 1, count - 1, np.nan)), count


def _series(sequences: EventSequences, lab: int) -> Columns:
    """Count, first, last, mean, standard deviation and slope per year of a lab."""
    n = len(sequences)
    rows, owner, values = lab_rows(sequences, lab)
    mean, spread, count = _moments(owner, values, n)
    first, last = np.full(n, np.nan), np.full(n, np.nan)
    last[owner] = values
    first[owner[::-1]] = values[::-1]
    years = sequences.day[rows] / DAYS_PER_YEAR
    mean_year, _, _ = _moments(owner, years, n)
    moved = years - mean_year[owner]
    spread_years = np.bincount(owner, moved**2, n)
    slope = np.bincount(owner, moved * (values - mean[owner]), n) / np.where(spread_years > 0, spread_years, np.nan)
    return {"n": count, "first": first, "last": last, "mean": mean, "sd": spread, "slope": slope}
