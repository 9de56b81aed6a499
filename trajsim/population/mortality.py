"""Background death: what the modules leave of the life table.

Modules kill for their own reasons; a background hazard tops them up so that lives end as the US life table of 2019
says. It is piecewise constant over the years of age, and each patient has one Exp(1) threshold: death comes when the
hazard that was lived through reaches it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trajsim.population.cohort import NEVER_MS
from trajsim.population.draws import uniforms
from trajsim.population.tables import load_life_table
from trajsim.streams.keys import MORTALITY, stream_id
from trajsim.units import DAY_MS

BIRTHDAY_YEAR_MS = int(365.2425 * DAY_MS)
"""Mean length of a calendar year, 31,556,952,000 ms: a birthday is a multiple of it after birth."""

_MODEL_YEAR_MS = 365.25 * DAY_MS  # learned models count years of 365.25 days

LAST_AGE = 130
"""Nobody is told to die of the background past this age."""


def background_hazard(offset: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The life table minus what modules kill, never below zero.

    Args:
        offset: [sex (F, M), age 0-110] hazards a year (`read_mortality_offset`); None takes nothing off.

    Returns:
        [sex, age 0-110], a year.
    """
    table = load_life_table()
    return table if offset is None else np.maximum(table - offset, 0.0)


def cumulative_hazard(hazard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hazard lived through by each birthday: [sex, 0 ... LAST_AGE], the oldest hazard going on for ever."""
    longer = np.concatenate([hazard, np.repeat(hazard[:, -1:], LAST_AGE - hazard.shape[1], axis=1)], axis=1)
    zero = np.zeros((len(hazard), 1))
    return np.concatenate([zero, np.cumsum(longer, axis=1)], axis=1)


def survival(age_years: NDArray[np.float64], cumulative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability to be alive at exact ages, from the cumulative hazard of one sex."""
    birthdays = np.arange(len(cumulative), dtype=np.float64)
    return np.exp(-np.interp(age_years, birthdays, cumulative))


def draw_deaths(
    seed: int,
    patient_id: NDArray[np.uint64],
    *,
    sex: NDArray[np.int64],
    birth_ms: NDArray[np.int64],
    hazard: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Time of background death of each patient.

    Args:
        seed: Run seed.
        patient_id: [n].
        sex: [n] index into `SEXES`.
        birth_ms: [n].
        hazard: [sex, age 0-110] a year.

    Returns:
        [n] milliseconds since 1970-01-01 UTC, at least 1 ms after birth; `NEVER_MS` where nothing kills before
        `LAST_AGE`.
    """
    threshold = -np.log(1.0 - uniforms(seed, patient_id, stream=stream_id(MORTALITY), n=0))
    totals = cumulative_hazard(hazard)
    death_ms = np.full(len(patient_id), NEVER_MS, dtype=np.int64)
    for which in range(len(totals)):
        rows = np.flatnonzero((sex == which) & (threshold < totals[which, -1]))
        year = np.searchsorted(totals[which], threshold[rows], side="right") - 1
        rate = totals[which, year + 1] - totals[which, year]
        age_years = year + (threshold[rows] - totals[which, year]) / rate
        lived_ms = np.floor(age_years * BIRTHDAY_YEAR_MS).astype(np.int64)
        death_ms[rows] = birth_ms[rows] + np.maximum(lived_ms, 1)
    return death_ms


def without_late_deaths(
    death_ms: NDArray[np.int64], *, birth_ms: NDArray[np.int64], until_age: float
) -> NDArray[np.int64]:
    """Deaths below an age alone, for those whose later death is timed by a learned model.

    Args:
        death_ms: [n] times of background death, `NEVER_MS` for none.
        birth_ms: [n].
        until_age: Years of 365.25 days, the years of a model's first age.

    Returns:
        [n]; `NEVER_MS` where death would have come at that age or later.
    """
    return np.where(death_ms >= birth_ms + math.ceil(until_age * _MODEL_YEAR_MS), NEVER_MS, death_ms)
