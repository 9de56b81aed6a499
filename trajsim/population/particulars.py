"""Name, address and place of birth as numbers: drawn once, shown to modules as attributes and to Records as texts.

Nothing here can belong to anyone: no town has the streets, whose names join an invented word to one that says what they
are, and postal codes are a zone of the place followed by 00 ... 09, whatever codes the town really has.
"""

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trajsim.population.draws import PopulationDraws, Purpose, choose, cumulative, split
from trajsim.population.languages import LANGUAGES, draw_foreign_births, name_languages
from trajsim.population.names import BEARERS, load_name_lists
from trajsim.population.person import Person
from trajsim.population.places import PlaceTable

_Rows = NDArray[np.int64]

N_POSTAL = 10
FIRST_HOUSE = 100
_LAST_HOUSE = 9_999
NO_POSTAL_PREFIX = "000"
_STAY_PER_THOUSAND = 600
_PER_THOUSAND = 1_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Particulars:
    """Names, addresses and places of birth of a block of patients, [n] each.

    Attributes:
        given: Index into `given_names`.
        middle: Index into `given_names`, another one.
        family: Index into `family_names`: the name at birth.
        other_family: Index into `family_names`: the name of a spouse.
        house: Number of the house.
        street: Index into `streets`.
        postal: Index into `postal_codes` of the table.
        birth_place: Index into the table of places; of no meaning where born abroad.
        abroad: Index into `FOREIGN_BIRTHPLACES`, -1 where born in the country.
        postal_codes: All postal codes of the table.
    """

    given: _Rows
    middle: _Rows
    family: _Rows
    other_family: _Rows
    house: _Rows
    street: _Rows
    postal: _Rows
    birth_place: _Rows
    abroad: _Rows
    postal_codes: tuple[str, ...]


@cache
def _given_lists() -> tuple[tuple[str, ...], _Rows, _Rows]:
    """All given names end to end, and [language, sex] where each list begins and how long it is."""
    lists = [load_name_lists()[f"{language} {bearers}"] for language in LANGUAGES for bearers in BEARERS]
    sizes = np.array([len(given) for given in lists])
    shape = (len(LANGUAGES), len(BEARERS))
    names = tuple(name for given in lists for name in given)
    return names, (np.cumsum(sizes) - sizes).reshape(shape), sizes.reshape(shape)


@cache
def _family_lists() -> tuple[tuple[str, ...], _Rows, _Rows]:
    """All family names end to end, and [language] where each list begins and how long it is."""
    lists = [load_name_lists()[f"{language} families"] for language in LANGUAGES]
    sizes = np.array([len(families) for families in lists])
    return tuple(name for families in lists for name in families), np.cumsum(sizes) - sizes, sizes


def given_names() -> tuple[str, ...]:
    """Given names of all languages and both sexes; a name may stand in several lists."""
    return _given_lists()[0]


def family_names() -> tuple[str, ...]:
    """Family names of all languages; a name may stand in several lists."""
    return _family_lists()[0]


@cache
def streets() -> tuple[str, ...]:
    """Every street that somebody may live in, without a number."""
    parts = [load_name_lists()[f"street {part}"] for part in ("first halves", "second halves", "kinds")]
    return tuple(f"{first} {second} {kind}" for first, second, kind in itertools.product(*parts))


def postal_codes(table: PlaceTable) -> tuple[str, ...]:
    """Postal codes by place and number: five digits, of which the first three are the zone of the place."""
    return tuple(f"{prefix or NO_POSTAL_PREFIX}{k:02d}" for prefix in table.postal_prefix for k in range(N_POSTAL))


def draw_particulars(
    draws: PopulationDraws, table: PlaceTable, person: Person, *, codes: tuple[str, ...], by_language: bool
) -> Particulars:
    """Draws names, addresses and places of birth.

    Args:
        draws: Draws of these patients.
        table: Places.
        person: Demographics.
        codes: `postal_codes` of the table, made once.
        by_language: Whether the first language alone decides who is born abroad.
    """
    given_language, family_language = name_languages(
        draws, language=person.language, ethnicity=person.ethnicity, race=person.race
    )
    _, given_first, given_sizes = _given_lists()
    first, size = given_first[given_language, person.sex], given_sizes[given_language, person.sex]
    _, family_first, family_sizes = _family_lists()
    start, family_size = family_first[family_language], family_sizes[family_language]
    given, further, family = split(draws.uniform(Purpose.NAMES), size, size - 1, family_size)
    (step,) = split(draws.uniform(Purpose.MAIDEN_NAME), family_size - 1)
    house, street, postal = split(
        draws.uniform(Purpose.ADDRESS), _LAST_HOUSE - FIRST_HOUSE + 1, len(streets()), N_POSTAL
    )
    return Particulars(
        given=first + given,
        middle=first + (given + 1 + further) % size,
        family=start + family,
        other_family=start + (family + 1 + step) % family_size,
        house=house + FIRST_HOUSE,
        street=street,
        postal=person.place * N_POSTAL + postal,
        birth_place=_birth_places(draws, table, person.place),
        abroad=draw_foreign_births(draws, table, place=person.place, language=person.language, by_language=by_language),
        postal_codes=codes,
    )


def _birth_places(draws: PopulationDraws, table: PlaceTable, place: _Rows) -> _Rows:
    """The place of residence for six in ten, else any place of the table by its residents."""
    u = draws.uniform(Purpose.BIRTH_PLACE)
    stays = u * _PER_THOUSAND < _STAY_PER_THOUSAND
    share = _STAY_PER_THOUSAND / _PER_THOUSAND
    elsewhere = choose(np.maximum((u - share) / (1.0 - share), 0.0), cumulative(table.weight))
    return np.where(stays, place, elsewhere)
