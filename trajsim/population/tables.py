"""The facts a population is drawn from: census, life table, places. Each file in `data/` names its primary source."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import DataFileError
from trajsim.population.cohort import SEXES

MAX_AGE = 110
N_AGES = MAX_AGE + 1
"""Ages 0 ... 110 in completed years; the last stands for 110 and over."""

RACES = ("white", "black", "asian", "native", "hawaiian", "other")
ETHNICITIES = ("hispanic", "nonhispanic")

# Race of Hispanic residents, thousands, 2020: white, black, asian, native, hawaiian, other or several.
# Primary source: US Census Bureau, 2020 Census, redistricting data, tables P1 and P2.
_HISPANIC_RACE_THOUSANDS = (12_580.0, 1_164.0, 267.0, 1_475.0, 68.0, 46_526.0)

_CENSUS_TOP_AGE = 100


@dataclass(frozen=True, eq=False)
class States:
    """The US states and territories in file order.

    Attributes:
        names: Full names.
        abbreviations: Postal abbreviations.
        population: [state] residents.
        female: [state] share of women.
        ethnicity_race: [state, ethnicity, race] shares; a state sums to 1.
        high_school: [state] share of those of 25 and over who finished high school.
        bachelor: [state] share of them with a bachelor's degree.
        median_income: [state] of households, USD a year.
        under_18: [state] share of residents.
        over_64: [state] share of residents.
    """

    names: tuple[str, ...]
    abbreviations: tuple[str, ...]
    population: NDArray[np.float64]
    female: NDArray[np.float64]
    ethnicity_race: NDArray[np.float64]
    high_school: NDArray[np.float64]
    bachelor: NDArray[np.float64]
    median_income: NDArray[np.float64]
    under_18: NDArray[np.float64]
    over_64: NDArray[np.float64]


def read_table_rows(name: str) -> list[dict[str, str]]:
    """Rows of a table in `data/`, comments left out."""
    text = resources.files("trajsim.population").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def load_states() -> States:
    """Residents, sex, ethnicity, race, education, income and ages by state."""
    rows = read_table_rows("us_states.csv")
    hispanic_race = np.array(_HISPANIC_RACE_THOUSANDS) / sum(_HISPANIC_RACE_THOUSANDS)
    shares = np.zeros((len(rows), len(ETHNICITIES), len(RACES)))
    for index, row in enumerate(rows):
        hispanic = float(row["hispanic"])
        shares[index, 0] = hispanic * hispanic_race
        shares[index, 1, :-1] = [float(row[race]) for race in RACES[:-1]]
        shares[index, 1, -1] = max(0.0, 100.0 - hispanic - shares[index, 1].sum())
        shares[index] /= shares[index].sum()
    return States(
        names=tuple(row["name"] for row in rows),
        abbreviations=tuple(row["abbreviation"] for row in rows),
        population=np.array([float(row["population"]) for row in rows]),
        female=_percents(rows, "female"),
        ethnicity_race=shares,
        high_school=_percents(rows, "high_school"),
        bachelor=_percents(rows, "bachelor"),
        median_income=np.array([float(row["median_income"]) for row in rows]),
        under_18=_percents(rows, "under_18"),
        over_64=_percents(rows, "over_64"),
    )


def _percents(rows: list[dict[str, str]], column: str) -> NDArray[np.float64]:
    return np.array([float(row[column]) / 100.0 for row in rows])


@cache
def load_life_table() -> NDArray[np.float64]:
    """All-cause hazard a year of the US life table of 2019: [sex (F, M), age 0-110]. Do not write into it."""
    return _hazards(read_table_rows("us_life_table_2019.csv"), where="us_life_table_2019.csv")


@cache
def load_census_ages() -> NDArray[np.float64]:
    """Residents in thousands: [sex (F, M), age 0-110], 2019. Do not write into it.

    The census counts those of 100 and over together; they are spread over 100 ... 110 as the life table lets them
    survive.
    """
    rows = read_table_rows("us_age_sex_2019.csv")
    ages = np.zeros((len(SEXES), N_AGES))
    for row in rows:
        ages[:, int(row["age"])] = (float(row["female"]), float(row["male"]))
    top_hazard = load_life_table()[:, _CENSUS_TOP_AGE:]
    before = np.cumsum(top_hazard, axis=1) - top_hazard
    lived = np.exp(-before) * -np.expm1(-top_hazard) / top_hazard
    ages[:, _CENSUS_TOP_AGE:] = ages[:, [_CENSUS_TOP_AGE]] * lived / lived.sum(axis=1, keepdims=True)
    return ages


def load_bundled_mortality_offset() -> NDArray[np.float64]:
    """The offset of the bundled modules: [sex (F, M), age 0-110], a year."""
    return _hazards(read_table_rows("mortality_offset.csv"), where="mortality_offset.csv")


def read_mortality_offset(path: Path | str) -> NDArray[np.float64]:
    """Reads the hazard with which a set of modules kills, to be taken off the life table.

    Args:
        path: CSV with the columns ``sex`` (F, M), ``age`` (0 ... 110, each once for either sex) and ``hazard_per_year``
            (0 or more). Lines that begin with ``#`` are comments.

    Returns:
        [sex (F, M), age 0-110], hazards a year.

    Raises:
        DataFileError: The file is missing, or a column, row or value is missing, doubled or not a number.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"mortality offset cannot be read: {path}: {error}"
        raise DataFileError(msg) from error
    return _hazards(list(csv.DictReader(line for line in lines if not line.startswith("#"))), where=str(path))


def _hazards(rows: list[dict[str, str]], *, where: str) -> NDArray[np.float64]:
    """Checks and lays out rows of sex, age, hazard_per_year."""
    hazards = np.full((len(SEXES), N_AGES), np.nan)
    for number, row in enumerate(rows, start=1):
        try:
            sex, age, hazard = SEXES.index(row["sex"].strip()), int(row["age"]), float(row["hazard_per_year"])
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            msg = f"{where}: data row {number}: expected sex F or M, whole age, hazard_per_year, got {dict(row)!r}"
            raise DataFileError(msg) from error
        if not 0 <= age <= MAX_AGE or not 0.0 <= hazard < np.inf or not np.isnan(hazards[sex, age]):
            msg = f"{where}: data row {number}: age outside 0 ... {MAX_AGE}, hazard < 0, or doubled: {dict(row)!r}"
            raise DataFileError(msg)
        hazards[sex, age] = hazard
    if np.isnan(hazards).any():
        sex, age = (int(place) for place in np.argwhere(np.isnan(hazards))[0])
        msg = f"{where}: no row for sex {SEXES[sex]!r}, age {age} (expected all ages 0 ... {MAX_AGE} of F and M)"
        raise DataFileError(msg, hint="ages that the modules do not touch have hazard_per_year 0")
    return hazards
