"""Where people live and what they are like there: one row a place, built in for the US or read from a file.

Whoever draws people sees only this table, so a population of any country is a matter of data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trajsim.population.cohort import SEXES
from trajsim.population.social import social_determinants_of
from trajsim.population.tables import N_AGES, load_census_ages, load_states, read_table_rows

EDUCATIONS = ("less_than_hs", "hs_degree", "some_college", "bs_degree")
US = "US"
ISLAND_AREAS = ("GU", "VI", "AS", "MP")
"""Territories that are drawn only if they are asked for by name; the figures of the nation leave them out."""

# Household income of the US, 2019: low and high in USD, both included, and per cent of households. The open class ends
# at 500,000. Education of residents of 25 and over between high school and bachelor's degree: per cent without and with
# some college. Primary source: US Census Bureau, American Community Survey 2019 (1 year), DP03 and DP02.
_US_INCOME = (
    (0, 10_000, 5.8),
    (10_000, 15_000, 4.0),
    (15_000, 25_000, 8.3),
    (25_000, 35_000, 8.4),
    (35_000, 50_000, 11.9),
    (50_000, 75_000, 17.4),
    (75_000, 100_000, 12.8),
    (100_000, 150_000, 15.7),
    (150_000, 200_000, 7.2),
    (200_000, 500_000, 8.5),
)
_US_MEDIAN_INCOME = 65_712.0
_US_HIGH_SCHOOL, _US_SOME_COLLEGE = 26.9, 28.6
_AGE_BANDS = (slice(0, 18), slice(18, 65), slice(65, N_AGES))


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceTable:
    """Places and the people in them.

    Attributes:
        city: [place] name.
        county: [place]; empty where unknown.
        region: [place] state or region.
        country: [place] code of the country, two letters.
        fips: [place] US county code; empty where there is none.
        weight: [place] residents.
        is_default: [place] whether people live there unless places are asked for.
        female: [place] share of women.
        ages: [place, sex, age 0-110] shares; a place and sex sums to 1.
        ethnicity_race: [place, ethnicity, race] shares; a place sums to 1.
        education: [place, `EDUCATIONS`] shares.
        income_low: [bracket] USD a year, included.
        income_high: [bracket] USD a year, included.
        income: [place, bracket] shares.
        social: [place, `SOCIAL_DETERMINANTS`] probabilities.
        languages: Names of the columns of `language`.
        language: [place, language] shares; None: the US rule by race and ethnicity.
        latitude: [place] degrees north; NaN where unknown.
        longitude: [place] degrees east; NaN where unknown.
        area_code: [place] of telephones; empty where unknown.
        postal_prefix: [place] first three digits; empty where unknown.
    """

    city: tuple[str, ...]
    county: tuple[str, ...]
    region: tuple[str, ...]
    country: tuple[str, ...]
    fips: tuple[str, ...]
    weight: NDArray[np.float64]
    is_default: NDArray[np.bool_]
    female: NDArray[np.float64]
    ages: NDArray[np.float64]
    ethnicity_race: NDArray[np.float64]
    education: NDArray[np.float64]
    income_low: NDArray[np.int64]
    income_high: NDArray[np.int64]
    income: NDArray[np.float64]
    social: NDArray[np.float64]
    languages: tuple[str, ...] = ()
    language: NDArray[np.float64] | None = None
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    area_code: tuple[str, ...]
    postal_prefix: tuple[str, ...]

    def __len__(self) -> int:
        """Number of places."""
        return len(self.city)

    def regions(self) -> tuple[str, ...]:
        """Distinct regions in the order of the table."""
        return tuple(dict.fromkeys(self.region))


@cache
def us_places() -> PlaceTable:
    """Cities of the US, grouped by state in the order of `load_states`; a state's residents are spread over its cities.

    Source:
        `data/README.md`: figures of the state stand for its cities, county figures for social determinants.
    """
    states = load_states()
    rows = read_table_rows("us_places.csv")
    state = np.array([states.abbreviations.index(row["state"]) for row in rows])
    residents = np.array([float(row["weight"]) for row in rows])
    share = residents / np.bincount(state, residents)[state]
    county = tuple(row["county"] for row in rows)
    region = tuple(states.names[at] for at in state)
    low, high, income = _state_incomes()
    return PlaceTable(
        city=tuple(row["city"] for row in rows),
        county=county,
        region=region,
        country=(US,) * len(rows),
        fips=tuple(row["fips"] for row in rows),
        weight=states.population[state] * share,
        is_default=np.array([row["state"] not in ISLAND_AREAS for row in rows]),
        female=states.female[state],
        ages=_state_ages()[state],
        ethnicity_race=states.ethnicity_race[state],
        education=_state_education()[state],
        income_low=low,
        income_high=high,
        income=income[state],
        social=np.stack([social_determinants_of(*names) for names in zip(region, county, strict=True)]),
        latitude=np.array([float(row["latitude"]) for row in rows]),
        longitude=np.array([float(row["longitude"]) for row in rows]),
        area_code=tuple(row["area_code"] for row in rows),
        postal_prefix=tuple(row["postal_prefix"] for row in rows),
    )


@cache
def us_place_rows() -> dict[tuple[str, str], int]:
    """Position in `us_places` by (state, city), both case-folded."""
    places = us_places()
    return {
        (region.casefold(), city.casefold()): row
        for row, (region, city) in enumerate(zip(places.region, places.city, strict=True))
    }


def _state_ages() -> NDArray[np.float64]:
    """[state, sex, age]: the nation's ages, three bands of them scaled to the state's shares."""
    states = load_states()
    census = load_census_ages()
    nation = np.array([census[:, band].sum() for band in _AGE_BANDS]) / census.sum()
    bands = np.stack([states.under_18, 1.0 - states.under_18 - states.over_64, states.over_64], axis=1)
    counted = np.array([name not in ISLAND_AREAS for name in states.abbreviations])
    # The states together are the nation, whatever rounding did to their shares.
    bands = bands * (nation / np.average(bands[counted], axis=0, weights=states.population[counted]))
    ages = np.repeat(census[None], len(bands), axis=0)
    for number, band in enumerate(_AGE_BANDS):
        ages[:, :, band] *= (bands[:, number] / nation[number])[:, None, None]
    normalised: NDArray[np.float64] = ages / ages.sum(axis=2, keepdims=True)
    return normalised


def _state_education() -> NDArray[np.float64]:
    """[state, education]."""
    states = load_states()
    between = states.high_school - states.bachelor
    without = between * _US_HIGH_SCHOOL / (_US_HIGH_SCHOOL + _US_SOME_COLLEGE)
    return np.stack([1.0 - states.high_school, without, between - without, states.bachelor], axis=1)


def _state_incomes() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Brackets, and [state, bracket]: the nation's incomes times the ratio of the medians."""
    low = np.array([row[0] for row in _US_INCOME], dtype=np.int64)
    high = np.array([row[1] for row in _US_INCOME], dtype=np.int64)
    edges = np.append(low, high[-1]).astype(np.float64)
    below = np.concatenate([[0.0], np.cumsum([row[2] for row in _US_INCOME])])
    ratios = load_states().median_income / _US_MEDIAN_INCOME
    shares = []
    for ratio in ratios:
        reached = np.interp(edges / ratio, edges, below / below[-1])
        reached[-1] = 1.0
        shares.append(np.diff(reached))
    return low, high, np.stack(shares)


def band_shares(bands: Sequence[tuple[int, int]], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spreads shares of age bands evenly over their years: [place, sex, age], the same for both sexes.

    Args:
        bands: First and last age of each band, both included.
        shares: [place, band].
    """
    ages = np.zeros((len(shares), len(SEXES), N_AGES))
    for number, (first, last) in enumerate(bands):
        ages[:, :, first : last + 1] = (shares[:, number] / (last + 1 - first))[:, None, None]
    normalised: NDArray[np.float64] = ages / ages.sum(axis=2, keepdims=True)
    return normalised
