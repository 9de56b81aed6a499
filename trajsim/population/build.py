"""Draws a cohort: who lives, when they are born, and when the background lets them die.

Every value is a function of (seed, patient id, options): the first n patients of a larger run are the smaller run, and
a shard drawn alone holds the same rows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.population.attributes import attribute_columns, background_of, parameter_columns
from trajsim.population.cohort import NEVER_MS, SEXES, Cohort
from trajsim.population.draws import GroupedChoice, PopulationDraws, Purpose, choose, cumulative
from trajsim.population.identity import identity_columns
from trajsim.population.languages import draw_languages
from trajsim.population.mortality import (
    BIRTHDAY_YEAR_MS,
    background_hazard,
    cumulative_hazard,
    draw_deaths,
    survival,
    without_late_deaths,
)
from trajsim.population.options import PopulationOptions
from trajsim.population.particulars import draw_particulars, postal_codes
from trajsim.population.person import Person
from trajsim.population.places import PlaceTable
from trajsim.population.tables import ETHNICITIES, N_AGES, RACES, load_life_table
from trajsim.units import DAY_MS, YEAR_MS

_SURVIVAL_POINTS = 64


@dataclass(frozen=True, eq=False)
class _Plan:
    """What all patients of a run share, worked out once from the options.

    Attributes:
        table: Places.
        who: Cumulative shares over (place, ethnicity, race, sex), flattened in this order.
        shape: Sizes of the four.
        ages: Target age by place and sex; a choice is (place * 2 + sex) * N_AGES + age.
        birth_low_ms: [age] earliest birth of a target age, cut at the start of the run.
        birth_width_ms: [age] length of the interval of births.
        postal_codes: Of the table.
    """

    table: PlaceTable
    who: NDArray[np.float64]
    shape: tuple[int, ...]
    ages: GroupedChoice
    birth_low_ms: NDArray[np.int64]
    birth_width_ms: NDArray[np.int64]
    postal_codes: tuple[str, ...]


def build_cohort(
    options: PopulationOptions, *, first_patient: int, n_patients: int, seed: int, with_identity: bool = True
) -> Cohort:
    """Draws the patients with ids first_patient ... first_patient + n_patients - 1.

    Args:
        options: Who is asked for.
        first_patient: Id of the first patient, 0 or more.
        n_patients: How many, 0 or more.
        seed: Run seed, 0 <= seed < 2^64.
        with_identity: Also names, addresses and identifiers (Records need them; modules do not).

    Returns:
        The cohort, ids rising.

    Units:
        time in milliseconds since 1970-01-01 UTC; money in USD a year.

    Guarantees:
        A row depends on its id, never on the other rows asked for. (tests/unit/population/test_build.py)

    Raises:
        ConfigError: Seed, ids or number are out of range, or nobody fits the options.

    Source:
        Birth dates and social attributes: the behaviour of Synthea (engine/Generator.java and
        world/geography/Demographics.java, commit 2b0a55ba). Figures: US Census Bureau and NCHS (the files in `data/`).

    Example:
        >>> options = PopulationOptions(end_ms=1_767_225_600_000, age_low=40, age_high=60, sex="F")
        >>> len(build_cohort(options, first_patient=0, n_patients=3, seed=7))
        3
    """
    if not 0 <= seed < 2**64:
        msg = f"seed must lie in 0 ... 2^64 - 1, got {seed}"
        raise ConfigError(msg)
    if first_patient < 0 or n_patients < 0 or first_patient + n_patients > 2**63:
        msg = f"patient ids must lie in 0 ... 2^63 - 1, got {n_patients} from {first_patient}"
        raise ConfigError(msg)
    plan = _plan(options)
    patient_id = np.arange(first_patient, first_patient + n_patients, dtype=np.uint64)
    draws = PopulationDraws(seed, patient_id)
    person, birth_ms = _draw_people(plan, draws)
    death_ms = np.full(n_patients, NEVER_MS, dtype=np.int64)
    if options.mortality == "life-table":
        hazard = background_hazard(options.mortality_offset)
        death_ms = draw_deaths(seed, patient_id, sex=person.sex, birth_ms=birth_ms, hazard=hazard)
        if options.background_until_age is not None:
            death_ms = without_late_deaths(death_ms, birth_ms=birth_ms, until_age=options.background_until_age)
    particulars = draw_particulars(
        draws, plan.table, person, codes=plan.postal_codes, by_language=options.foreign_births == "language"
    )
    identity = {}
    if with_identity:
        age = (np.minimum(death_ms, options.end_ms) - birth_ms) // BIRTHDAY_YEAR_MS
        identity = identity_columns(draws, plan.table, patient_id, person=person, particulars=particulars, age=age)
    return Cohort(
        patient_id=patient_id,
        birth_ms=birth_ms,
        death_ms=death_ms,
        attributes=attribute_columns(draws, plan.table, person=person, particulars=particulars),
        parameters=parameter_columns(plan.table, person.place),
        identity=identity,
    )


def _draw_people(plan: _Plan, draws: PopulationDraws) -> tuple[Person, NDArray[np.int64]]:
    """Demographics and birth dates."""
    cell = choose(draws.uniform(Purpose.WHO), plan.who)
    place, ethnicity, race, sex = (axis.astype(np.int64) for axis in np.unravel_index(cell, plan.shape))
    group = place * len(SEXES) + sex
    age = plan.ages.choose(draws.uniform(Purpose.AGE), group) - group * N_AGES
    within = draws.uniform(Purpose.BIRTH) * plan.birth_width_ms[age]
    birth_ms = plan.birth_low_ms[age] + within.astype(np.int64)
    person = Person(
        sex=sex,
        race=race,
        ethnicity=ethnicity,
        place=place,
        language=draw_languages(draws, plan.table, place=place, ethnicity=ethnicity, race=race),
        **background_of(draws, plan.table, place),
    )
    return person, birth_ms


@lru_cache(maxsize=4)
def _plan(options: PopulationOptions) -> _Plan:
    """Weights of the options; they do not depend on who is drawn."""
    table = options.places()
    low_ms, width_ms, kept = _birth_intervals(options)
    weights = table.ages * kept
    if options.mortality == "life-table":
        weights = weights / _survival_to_end(options)
    in_range = np.arange(N_AGES)
    weights[:, :, (in_range < options.age_low) | (in_range > options.age_high)] = 0.0
    who = _who_weights(options, table, weights.sum(axis=2))
    if not who.any():
        msg = "nobody fits: no resident has the sex, race, ethnicity, state, age and start asked for"
        raise ConfigError(msg)
    # A sex that nobody has still needs a row to choose from.
    age_weights = [row if row.any() else np.ones(N_AGES) for row in weights.reshape(-1, N_AGES)]
    return _Plan(
        table=table,
        who=cumulative(who.ravel()),
        shape=who.shape,
        ages=GroupedChoice(age_weights),
        birth_low_ms=low_ms,
        birth_width_ms=width_ms,
        postal_codes=postal_codes(table),
    )


def _birth_intervals(options: PopulationOptions) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Interval of births of each target age, and the share of it that lies after the start."""
    age = np.arange(N_AGES, dtype=np.int64)
    low = options.end_ms - ((age + 1) * YEAR_MS + DAY_MS)
    high = options.end_ms - age * YEAR_MS
    cut = low if options.start_ms is None else np.maximum(low, options.start_ms)
    width = np.maximum(high - cut, 0)
    return cut, width, width / (high - low)


def _survival_to_end(options: PopulationOptions) -> NDArray[np.float64]:
    """Mean probability, by the life table, that somebody of a target age is alive at the end: [sex, age]."""
    totals = cumulative_hazard(load_life_table())
    low, width, _ = _birth_intervals(options)
    at = (np.arange(_SURVIVAL_POINTS) + 0.5) / _SURVIVAL_POINTS
    lived = (options.end_ms - low[:, None] - at * width[:, None]) / BIRTHDAY_YEAR_MS
    return np.stack([survival(lived, row).mean(axis=1) for row in totals])


def _who_weights(options: PopulationOptions, table: PlaceTable, sex_weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """[place, ethnicity, race, sex]; `sex_weight` is [place, sex]."""
    is_asked = np.zeros(len(table), dtype=np.bool_)
    is_asked[options.place_rows()] = True
    sex_share = np.stack([table.female, 1.0 - table.female], axis=1) * sex_weight
    residents = (table.weight * is_asked)[:, None, None] * table.ethnicity_race
    weights = residents[:, :, :, None] * sex_share[:, None, None, :]
    weights[:, [name not in (options.ethnicities or ETHNICITIES) for name in ETHNICITIES]] = 0.0
    weights[:, :, [name not in (options.races or RACES) for name in RACES]] = 0.0
    weights[:, :, :, [options.sex not in (None, name) for name in SEXES]] = 0.0
    return weights
