"""What modules may read about a patient at birth: demographics and social standing.

Income, education and occupation follow the model of Synthea, so that modules that test them see the kinds and ranges
they expect; the shares are US figures.

Source: Synthea, world/geography/Demographics.java at commit 2b0a55ba (the model); US Census Bureau, American Community
Survey 2019 (1 year), tables DP02 and DP03 (shares of education and household income).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trajsim.population.cohort import SEXES, AttributeColumn
from trajsim.population.draws import GroupedChoice, PopulationDraws, Purpose, choose, cumulative
from trajsim.population.stand_in import STAND_IN_ATTRIBUTES, StandIn
from trajsim.population.tables import ETHNICITIES, RACES, load_places, load_states

POVERTY_LINE_USD = 17_550
HIGH_INCOME_USD = 75_000
HIGH_SCORE = 0.66
MIDDLE_SCORE = 0.25

LANGUAGES = (
    "english", "spanish", "french", "german", "russian", "italian", "portuguese", "polish", "greek", "chinese",
    "vietnamese", "korean", "hindi", "japanese", "hawaiian", "arabic",
)  # fmt: skip
SOCIOECONOMIC_CATEGORIES = ("Low", "Middle", "High")

# First language by group, as shares: the six races (not Hispanic), Hispanic, Hispanic in Puerto Rico.
_LANGUAGE_SHARES: tuple[Mapping[str, float], ...] = (
    {
        "english": 0.984, "french": 0.004, "german": 0.003, "russian": 0.003, "italian": 0.002, "portuguese": 0.002,
        "polish": 0.001, "greek": 0.001,
    },
    {"english": 0.97, "spanish": 0.026, "french": 0.004},
    {"english": 0.67, "chinese": 0.147, "vietnamese": 0.07, "korean": 0.056, "hindi": 0.033, "japanese": 0.022},
    {"english": 1.0},
    {"english": 0.891, "hawaiian": 0.109},
    {"english": 0.935, "arabic": 0.065},
    {"english": 0.4885, "spanish": 0.5115},
    {"english": 0.06, "spanish": 0.94},
)  # fmt: skip
_HISPANIC_GROUP = len(RACES)
_PUERTO_RICO_GROUP = len(RACES) + 1

# Education: name, per cent of residents of 25 and over, range of the level.
_EDUCATION = (
    ("less_than_hs", 11.4, 0.0, 0.5),
    ("hs_degree", 26.9, 0.1, 0.75),
    ("some_college", 28.6, 0.3, 0.85),
    ("bs_degree", 33.1, 0.5, 1.0),
)
EDUCATIONS = tuple(name for name, *_ in _EDUCATION)

# Household income: low and high in USD, both included, and per cent of households. The open class ends at 500,000.
_INCOME = (
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


class _Background(TypedDict):
    language: NDArray[np.int64]
    education: NDArray[np.int64]
    education_level: NDArray[np.float64]
    income: NDArray[np.int64]
    occupation_level: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """Demographics of a block of patients, as numbers; [n] each.

    Attributes:
        sex: Index into `SEXES`.
        race: Index into `RACES`.
        ethnicity: Index into `ETHNICITIES`.
        place: Index into `load_places`.
        language: Index into `LANGUAGES`.
        education: Index into `EDUCATIONS`.
        education_level: 0 ... 1.
        income: USD a year.
        occupation_level: 0 ... 1.
    """

    sex: NDArray[np.int64]
    race: NDArray[np.int64]
    ethnicity: NDArray[np.int64]
    place: NDArray[np.int64]
    language: NDArray[np.int64]
    education: NDArray[np.int64]
    education_level: NDArray[np.float64]
    income: NDArray[np.int64]
    occupation_level: NDArray[np.float64]


def background_of(
    draws: PopulationDraws, *, state: NDArray[np.int64], ethnicity: NDArray[np.int64], race: NDArray[np.int64]
) -> _Background:
    """Draws language, education, income and occupation."""
    is_hispanic = ethnicity == ETHNICITIES.index("hispanic")
    in_puerto_rico = state == load_states().abbreviations.index("PR")
    group = np.where(is_hispanic, np.where(in_puerto_rico, _PUERTO_RICO_GROUP, _HISPANIC_GROUP), race)
    languages = GroupedChoice(
        [np.array([shares.get(language, 0.0) for language in LANGUAGES]) for shares in _LANGUAGE_SHARES]
    )
    education = choose(
        draws.uniform(Purpose.EDUCATION), cumulative(np.array([percent for _, percent, _, _ in _EDUCATION]))
    )
    low = np.array([low for _, _, low, _ in _EDUCATION])[education]
    high = np.array([high for _, _, _, high in _EDUCATION])[education]
    bracket = choose(draws.uniform(Purpose.INCOME_BRACKET), cumulative(np.array([row[2] for row in _INCOME])))
    floor = np.array([row[0] for row in _INCOME], dtype=np.int64)[bracket]
    width = np.array([row[1] - row[0] + 1 for row in _INCOME], dtype=np.int64)[bracket]
    return {
        "language": languages.choose(draws.uniform(Purpose.LANGUAGE), group) - group * len(LANGUAGES),
        "education": education,
        "education_level": low + (high - low) * draws.uniform(Purpose.EDUCATION_LEVEL),
        "income": floor + (draws.uniform(Purpose.INCOME) * width).astype(np.int64),
        "occupation_level": draws.uniform(Purpose.OCCUPATION),
    }


def attribute_columns(person: Person) -> dict[str, AttributeColumn]:
    """Attributes present at birth, under the names that modules use; the constants that stand in come last."""
    places = load_places()
    cities = tuple(sorted({place.city for place in places}))
    counties = tuple(sorted({place.county for place in places}))
    city = np.array([cities.index(place.city) for place in places])[person.place]
    county = np.array([counties.index(place.county) for place in places])[person.place]
    state = np.array([place.state for place in places])[person.place]
    income_level = np.clip((person.income - POVERTY_LINE_USD) / (HIGH_INCOME_USD - POVERTY_LINE_USD), 0.0, 1.0)
    score = 0.2 * income_level + 0.7 * person.education_level + 0.1 * person.occupation_level
    category = (score >= MIDDLE_SCORE).astype(np.int64) + (score >= HIGH_SCORE)
    columns = {
        "gender": _text(person.sex, SEXES),
        "race": _text(person.race, RACES),
        "ethnicity": _text(person.ethnicity, ETHNICITIES),
        "state": _text(state, load_states().names),
        "city": _text(city, cities),
        "county": _text(county, counties),
        "first_language": _text(person.language, LANGUAGES),
        "education": _text(person.education, EDUCATIONS),
        "education_level": _number(person.education_level),
        "income": AttributeColumn(kind="integer", values=person.income),
        "income_level": _number(income_level),
        "poverty_ratio": _number(person.income / POVERTY_LINE_USD),
        "occupation_level": _number(person.occupation_level),
        "socioeconomic_score": _number(score),
        "socioeconomic_category": _text(category, SOCIOECONOMIC_CATEGORIES),
    }
    return columns | {name: _constant(value, len(person.sex)) for name, value in STAND_IN_ATTRIBUTES.items()}


def _text(index: NDArray[np.int64], categories: tuple[str, ...]) -> AttributeColumn:
    return AttributeColumn(kind="text", values=index.astype(np.int32), categories=categories)


def _number(values: NDArray[np.float64]) -> AttributeColumn:
    return AttributeColumn(kind="number", values=values)


def _constant(value: StandIn, n_patients: int) -> AttributeColumn:
    """The same for all, without a copy for each."""
    if isinstance(value, bool):
        return AttributeColumn(kind="boolean", values=np.broadcast_to(np.bool_(value), (n_patients,)))
    if isinstance(value, int):
        return AttributeColumn(kind="integer", values=np.broadcast_to(np.int64(value), (n_patients,)))
    if isinstance(value, float):
        return AttributeColumn(kind="number", values=np.broadcast_to(np.float64(value), (n_patients,)))
    return AttributeColumn(kind="text", values=np.broadcast_to(np.int32(0), (n_patients,)), categories=(value,))
