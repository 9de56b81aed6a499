"""What a model sees of a patient: one vector at every step, from a history on public scales.

The same functions serve training (NumPy, whole histories at once), the sampler and the engine's questions (JAX, one
step of many patients): a model never meets a number in use that it was not trained on. The vector has two parts. The
*clock* part moves while nothing happens (age, time since a lab was read); the *still* part moves only with a step.
"""

from types import ModuleType
from typing import Any

DAYS_PER_YEAR = 365.25
MONTHS_PER_YEAR = 12.0
BMI_CENTRE = 28.0
BMI_SPREAD = 0.22
LONGEST_STAY_YEARS = 15.0
LIFELONG_STAY_YEARS = 8.0
"""Where the years since entry stop in the lives of the engine, which enter no cohort.

Who is chosen for a cohort has just been seen, and is found to have more in the first years than in later ones. Lives
that begin at 18 would stay in the late years for ever, with half of the cohort's rates. Eight years is where their
deaths come closest to the life table of the United States, of three values tried (benchmarks/learned_lives.py).
"""
LONGEST_VALUE_YEARS = 5.0
N_STILL_SCALARS = 6
"""Numbers that the still part begins with; what a patient has follows."""
GAP, IS_ENTRY = 3, 4
"""Places among them of the gap before a step and of whether it is the first."""

Array = Any  # of NumPy or of JAX: the functions below are written for both


def n_clock(n_labs: int) -> int:
    """Width of the clock part."""
    return 7 + n_labs


def n_still(n_events: int, n_labs: int) -> int:
    """Width of the still part; `n_events` counts death, which nobody has while looked at."""
    return N_STILL_SCALARS + 2 * (n_events - 1) + 4 * n_labs


def clock_features(
    xp: ModuleType,
    *,
    age_years: Array,
    is_male: Array,
    entry_age_years: Array,
    value_age_years: Array,
    has: Array,
    longest_stay_years: float = LONGEST_STAY_YEARS,
) -> Array:
    """The part that moves with the clock.

    Args:
        xp: `numpy` or `jax.numpy`.
        age_years: [...] Age now.
        is_male: [...] 1 or 0.
        entry_age_years: [...] Age at the first step.
        value_age_years: [..., V] Age at which every lab was last read.
        has: [..., V] 1 where it ever was.
        longest_stay_years: Where the years since entry stop.

    Returns:
        [..., n_clock]: age on a scale of twenty years around 50, its square, what lies above 65 and above 80, age of
        men, of women squared, years since entry, and years since each lab.
    """
    age = (age_years - 50.0) / 20.0
    since = xp.minimum(age_years - entry_age_years, longest_stay_years) / 10.0
    stale = has * xp.minimum(age_years[..., None] - value_age_years, LONGEST_VALUE_YEARS) / LONGEST_VALUE_YEARS
    columns = [
        age,
        age * age,
        xp.maximum(age - 0.75, 0.0),
        xp.maximum(age - 1.5, 0.0),
        age * is_male,
        age * age * is_male,
        since,
    ]
    return xp.concatenate([xp.stack(columns, axis=-1), stale], axis=-1)


def still_features(
    xp: ModuleType,
    *,
    is_male: Array,
    bmi: Array,
    has_bmi: Array,
    gap_years: Array,
    is_entry: Array,
    is_visit: Array,
    held: Array,
    now: Array,
    measured: Array,
    value: Array,
    last: Array,
    has: Array,
) -> Array:
    """The part that moves with a step only.

    Args:
        xp: `numpy` or `jax.numpy`.
        is_male: [...] 1 or 0.
        bmi: [...] On its scale (`scaled_bmi`), 0 where unknown.
        has_bmi: [...] 1 or 0.
        gap_years: [...] Time between this step and the one before; 0 at entry.
        is_entry: [...] 1 at entry.
        is_visit: [...] 1 if something was measured.
        held: [..., K - 1] What the patient has, this step's events included; death is left out.
        now: [..., K - 1] This step's events.
        measured: [..., V] What was measured at this step.
        value: [..., V] Its scaled values, 0 elsewhere.
        last: [..., V] Last scaled value of each lab, this step included; 0 where never read.
        has: [..., V] Whether it was ever read.
    """
    gap = scaled_gap(xp, gap_years)
    columns = xp.stack([is_male, bmi, has_bmi, gap, is_entry, is_visit], axis=-1)
    return xp.concatenate([columns, held, now, measured, value, last, has], axis=-1)


def scaled_gap(xp: ModuleType, gap_years: Array) -> Array:
    """Time between steps on its public scale: logarithm of the months, 1 at a year and a half."""
    return xp.log1p(gap_years * MONTHS_PER_YEAR) / 3.0


def scaled_bmi(xp: ModuleType, bmi: Array) -> tuple[Array, Array]:
    """Body mass index on its public scale and whether it is known; 0 where it is not."""
    known = ~xp.isnan(bmi)
    safe = xp.where(known, xp.clip(bmi, 10.0, 90.0), BMI_CENTRE)
    return xp.log(safe / BMI_CENTRE) / BMI_SPREAD, known


def mark_features(xp: ModuleType, *, gap_years: Array, now: Array) -> Array:
    """What is known of a moment besides the last step: the time since it, and the events of the moment.

    Returns:
        [..., 3 + K]: logarithm of the months since the last step, whether more than 90 and 365 days have passed, and
        the events, death included.
    """
    columns = [
        scaled_gap(xp, gap_years),
        1.0 * (gap_years > 90.0 / DAYS_PER_YEAR),
        1.0 * (gap_years > 1.0),
    ]
    return xp.concatenate([xp.stack(columns, axis=-1), now], axis=-1)
