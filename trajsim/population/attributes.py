"""What modules may read about a patient at birth: demographics, social standing, and traits that last for life.

Income, education and occupation follow the model of Synthea, so that modules that test them see the kinds and ranges
they expect; the shares are those of the place.

Source: Synthea, world/geography/Demographics.java and modules/LifecycleModule.java at commit 2b0a55ba (the model).
"""

from functools import cache
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trajsim.population.cohort import SEXES, AttributeColumn
from trajsim.population.draws import GroupedChoice, PopulationDraws, Purpose, choose, cumulative
from trajsim.population.languages import FOREIGN_BIRTHPLACES, languages_of
from trajsim.population.particulars import Particulars, family_names, given_names, streets
from trajsim.population.person import Person
from trajsim.population.places import EDUCATIONS, PlaceTable
from trajsim.population.social import UNEMPLOYED, UNEMPLOYMENT_PROBABILITY, social_columns
from trajsim.population.tables import ETHNICITIES, RACES

POVERTY_LINE_USD = 17_550
HIGH_INCOME_USD = 75_000
HIGH_SCORE = 0.66
MIDDLE_SCORE = 0.25
SOCIOECONOMIC_CATEGORIES = ("Low", "Middle", "High")

# Range of the level by education, in the order of `EDUCATIONS`.
_EDUCATION_LEVELS = ((0.0, 0.5), (0.1, 0.75), (0.3, 0.85), (0.5, 1.0))
_RH_NEGATIVE_SHARE = 0.15
_ORIENTATIONS = (("heterosexual", 96.6), ("homosexual", 1.6), ("bisexual", 0.7))


class Background(TypedDict):
    """Education, income and occupation of a block of patients; see `Person`."""

    education: NDArray[np.int64]
    education_level: NDArray[np.float64]
    income: NDArray[np.int64]
    occupation_level: NDArray[np.float64]


def background_of(draws: PopulationDraws, table: PlaceTable, place: NDArray[np.int64]) -> Background:
    """Draws education, income and occupation by place."""
    education = GroupedChoice(list(table.education)).choose(draws.uniform(Purpose.EDUCATION), place)
    education -= place * len(EDUCATIONS)
    low, high = np.array(_EDUCATION_LEVELS).T[:, education]
    bracket = GroupedChoice(list(table.income)).choose(draws.uniform(Purpose.INCOME_BRACKET), place)
    bracket -= place * len(table.income_low)
    width = (table.income_high - table.income_low + 1)[bracket]
    return {
        "education": education,
        "education_level": low + (high - low) * draws.uniform(Purpose.EDUCATION_LEVEL),
        "income": table.income_low[bracket] + (draws.uniform(Purpose.INCOME) * width).astype(np.int64),
        "occupation_level": draws.uniform(Purpose.OCCUPATION),
    }


def attribute_columns(
    draws: PopulationDraws, table: PlaceTable, *, person: Person, particulars: Particulars
) -> dict[str, AttributeColumn]:
    """Attributes present at birth, under the names that modules use; the constants that stand in come last."""
    income_level = np.clip((person.income - POVERTY_LINE_USD) / (HIGH_INCOME_USD - POVERTY_LINE_USD), 0.0, 1.0)
    score = 0.2 * income_level + 0.7 * person.education_level + 0.1 * person.occupation_level
    category = (score >= MIDDLE_SCORE).astype(np.int64) + (score >= HIGH_SCORE)
    columns = {
        "gender": _text(person.sex, SEXES),
        "race": _text(person.race, RACES),
        "ethnicity": _text(person.ethnicity, ETHNICITIES),
        "first_language": _text(person.language, languages_of(table)),
        "education": _text(person.education, EDUCATIONS),
        "education_level": _number(person.education_level),
        "income": AttributeColumn(kind="integer", values=person.income),
        "income_level": _number(income_level),
        "poverty_ratio": _number(person.income / POVERTY_LINE_USD),
        "occupation_level": _number(person.occupation_level),
        "socioeconomic_score": _number(score),
        "socioeconomic_category": _text(category, SOCIOECONOMIC_CATEGORIES),
    }
    columns |= social_columns(draws, table.social[person.place])
    columns |= _trait_columns(draws) | _place_columns(table, person.place, particulars)
    return columns


def parameter_columns(table: PlaceTable, place: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Numbers that the lifecycle needs of each patient."""
    return {UNEMPLOYMENT_PROBABILITY: table.social[place, UNEMPLOYED]}


def _trait_columns(draws: PopulationDraws) -> dict[str, AttributeColumn]:
    """What is thrown at birth and lasts."""
    orientation = choose(
        draws.uniform(Purpose.ORIENTATION), cumulative(np.array([weight for _, weight in _ORIENTATIONS]))
    )
    return {
        "RH_NEG": AttributeColumn(kind="boolean", values=draws.uniform(Purpose.RHESUS) < _RH_NEGATIVE_SHARE),
        "sexual_orientation": _text(orientation, tuple(name for name, _ in _ORIENTATIONS)),
    }


@cache
def _positions(texts: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The distinct texts in their order, and for each text its position among them."""
    distinct = tuple(dict.fromkeys(texts))
    position = {text: at for at, text in enumerate(distinct)}
    return distinct, np.array([position[text] for text in texts], dtype=np.int64)


def _place_columns(table: PlaceTable, place: NDArray[np.int64], own: Particulars) -> dict[str, AttributeColumn]:
    """Where they live and were born, and their names at birth, as far as one word may tell."""
    born = np.where(own.abroad >= 0, len(table) + own.abroad, own.birth_place)
    births = {
        "birth_city": (*table.city, *(city for city, _, _ in FOREIGN_BIRTHPLACES)),
        "birth_state": (*table.region, *(region for _, region, _ in FOREIGN_BIRTHPLACES)),
        "birth_country": (*table.country, *(country for _, _, country in FOREIGN_BIRTHPLACES)),
    }
    homes = {"state": table.region, "city": table.city, "county": table.county, "fips": table.fips}
    columns = {}
    for rows, named in ((place, homes), (born, births)):
        for name, texts in named.items():
            if any(texts):
                distinct, position = _positions(texts)
                columns[name] = _text(position[rows], distinct)
    codes, position = _positions(own.postal_codes)
    return columns | {
        "zip": _text(position[own.postal], codes),
        "address": _text(own.street, streets()),
        "first_name": _text(own.given, given_names()),
        "last_name": _text(own.family, family_names()),
    }


def _text(index: NDArray[np.int64], categories: tuple[str, ...]) -> AttributeColumn:
    return AttributeColumn(kind="text", values=index.astype(np.int32), categories=categories)


def _number(values: NDArray[np.float64]) -> AttributeColumn:
    return AttributeColumn(kind="number", values=values)
