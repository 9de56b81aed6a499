"""First language, and what goes with it: the names that people bear and, for some, another country of birth.

Source: Synthea, world/geography/Demographics.java at commit 2b0a55ba (language by race and ethnicity). Shares born
abroad are rough figures of our own, of the size that the American Community Survey gives (tables B16005, S0501).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trajsim.population.draws import GroupedChoice, PopulationDraws, Purpose, choose, cumulative, split
from trajsim.population.places import US, PlaceTable
from trajsim.population.tables import ETHNICITIES, RACES

LANGUAGES = (
    "english", "spanish", "french", "german", "russian", "italian", "portuguese", "polish", "greek", "chinese",
    "vietnamese", "korean", "hindi", "japanese", "hawaiian", "arabic",
)  # fmt: skip
_ENGLISH = LANGUAGES.index("english")

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
_PUERTO_RICO = "Puerto Rico"

# By first language: share of US residents born abroad, and places of birth there: city, region, country.
_BORN_ABROAD: Mapping[str, tuple[float, tuple[tuple[str, str, str], ...]]] = {
    "spanish": (
        0.55,
        (
            ("Guadalajara", "Jalisco", "MX"),
            ("Mexico City", "Mexico City", "MX"),
            ("Monterrey", "Nuevo Leon", "MX"),
            ("Puebla", "Puebla", "MX"),
            ("Morelia", "Michoacan", "MX"),
            ("San Salvador", "San Salvador", "SV"),
            ("Guatemala City", "Guatemala", "GT"),
            ("Santo Domingo", "Distrito Nacional", "DO"),
            ("Havana", "La Habana", "CU"),
            ("Tegucigalpa", "Francisco Morazan", "HN"),
            ("Bogota", "Bogota", "CO"),
        ),
    ),
    "french": (
        0.45,
        (
            ("Paris", "Ile-de-France", "FR"),
            ("Lyon", "Auvergne-Rhone-Alpes", "FR"),
            ("Montreal", "Quebec", "CA"),
            ("Dakar", "Dakar", "SN"),
        ),
    ),
    "german": (
        0.4,
        (
            ("Hamburg", "Hamburg", "DE"),
            ("Stuttgart", "Baden-Wurttemberg", "DE"),
            ("Vienna", "Vienna", "AT"),
        ),
    ),
    "russian": (
        0.75,
        (
            ("Moscow", "Moscow", "RU"),
            ("Saint Petersburg", "Saint Petersburg", "RU"),
            ("Kazan", "Tatarstan", "RU"),
            ("Minsk", "Minsk", "BY"),
        ),
    ),
    "italian": (
        0.45,
        (
            ("Naples", "Campania", "IT"),
            ("Palermo", "Sicily", "IT"),
            ("Bari", "Apulia", "IT"),
        ),
    ),
    "portuguese": (
        0.65,
        (
            ("Sao Paulo", "Sao Paulo", "BR"),
            ("Belo Horizonte", "Minas Gerais", "BR"),
            ("Lisbon", "Lisbon", "PT"),
            ("Ponta Delgada", "Azores", "PT"),
        ),
    ),
    "polish": (
        0.6,
        (
            ("Warsaw", "Mazovia", "PL"),
            ("Krakow", "Lesser Poland", "PL"),
            ("Rzeszow", "Subcarpathia", "PL"),
        ),
    ),
    "greek": (
        0.5,
        (
            ("Athens", "Attica", "GR"),
            ("Patras", "Western Greece", "GR"),
            ("Thessaloniki", "Central Macedonia", "GR"),
        ),
    ),
    "chinese": (
        0.8,
        (
            ("Guangzhou", "Guangdong", "CN"),
            ("Fuzhou", "Fujian", "CN"),
            ("Shanghai", "Shanghai", "CN"),
            ("Beijing", "Beijing", "CN"),
            ("Taipei", "Taipei", "TW"),
        ),
    ),
    "vietnamese": (
        0.75,
        (
            ("Ho Chi Minh City", "Ho Chi Minh City", "VN"),
            ("Hanoi", "Hanoi", "VN"),
            ("Da Nang", "Da Nang", "VN"),
            ("Can Tho", "Can Tho", "VN"),
        ),
    ),
    "korean": (
        0.8,
        (
            ("Seoul", "Seoul", "KR"),
            ("Busan", "Busan", "KR"),
            ("Daegu", "Daegu", "KR"),
        ),
    ),
    "hindi": (
        0.85,
        (
            ("New Delhi", "Delhi", "IN"),
            ("Lucknow", "Uttar Pradesh", "IN"),
            ("Jaipur", "Rajasthan", "IN"),
            ("Bhopal", "Madhya Pradesh", "IN"),
        ),
    ),
    "japanese": (
        0.6,
        (
            ("Tokyo", "Tokyo", "JP"),
            ("Osaka", "Osaka", "JP"),
            ("Nagoya", "Aichi", "JP"),
        ),
    ),
    "arabic": (
        0.7,
        (
            ("Cairo", "Cairo", "EG"),
            ("Baghdad", "Baghdad", "IQ"),
            ("Beirut", "Beirut", "LB"),
            ("Amman", "Amman", "JO"),
        ),
    ),
}
FOREIGN_BIRTHPLACES = tuple(dict.fromkeys(place for _, places in _BORN_ABROAD.values() for place in places))
"""City, region and country, every one once."""


def languages_of(table: PlaceTable) -> tuple[str, ...]:
    """Languages that people of a table may speak: the US ones, then others that a file names."""
    return (*LANGUAGES, *(name for name in table.languages if name not in LANGUAGES))


def draw_languages(
    draws: PopulationDraws,
    table: PlaceTable,
    *,
    place: NDArray[np.int64],
    ethnicity: NDArray[np.int64],
    race: NDArray[np.int64],
) -> NDArray[np.int64]:
    """First language, as an index into `languages_of`: by place if the table says so, else by race and ethnicity."""
    u = draws.uniform(Purpose.LANGUAGE)
    if table.language is not None:
        names = languages_of(table)
        codes = np.array([names.index(name) for name in table.languages])
        chosen = GroupedChoice(list(table.language)).choose(u, place) - place * len(codes)
        language: NDArray[np.int64] = codes[chosen].astype(np.int64)
        return language
    is_hispanic = ethnicity == ETHNICITIES.index("hispanic")
    puerto_rico = [c == US and r == _PUERTO_RICO for c, r in zip(table.country, table.region, strict=True)]
    in_puerto_rico = np.array(puerto_rico)[place]
    group = np.where(is_hispanic, np.where(in_puerto_rico, _PUERTO_RICO_GROUP, _HISPANIC_GROUP), race)
    rows = [np.array([shares.get(language, 0.0) for language in LANGUAGES]) for shares in _LANGUAGE_SHARES]
    spoken: NDArray[np.int64] = GroupedChoice(rows).choose(u, group) - group * len(LANGUAGES)
    return spoken


def name_languages(
    draws: PopulationDraws, *, language: NDArray[np.int64], ethnicity: NDArray[np.int64], race: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Languages of given and of family names, as indices into `LANGUAGES`.

    Who speaks another language than English bears names of it. Among English speakers, Hispanic people have Spanish
    names and Asian people a family name of one of the Asian languages, by the number of their speakers.
    """
    given = np.where(language < len(LANGUAGES), language, _ENGLISH)
    is_english = given == _ENGLISH
    is_hispanic = is_english & (ethnicity == ETHNICITIES.index("hispanic"))
    given = np.where(is_hispanic, LANGUAGES.index("spanish"), given)
    asian = [name for name in _LANGUAGE_SHARES[RACES.index("asian")] if name != "english"]
    weights = np.array([_LANGUAGE_SHARES[RACES.index("asian")][name] for name in asian])
    heritage = np.array([LANGUAGES.index(name) for name in asian])
    drawn = heritage[choose(draws.uniform(Purpose.HERITAGE), cumulative(weights))]
    has_heritage = is_english & ~is_hispanic & (race == RACES.index("asian"))
    return given, np.where(has_heritage, drawn, given)


def draw_foreign_births(
    draws: PopulationDraws,
    table: PlaceTable,
    *,
    place: NDArray[np.int64],
    language: NDArray[np.int64],
    by_language: bool,
) -> NDArray[np.int64]:
    """Index into `FOREIGN_BIRTHPLACES` of those born abroad, -1 for all others.

    With `by_language` everybody whose first language has a place of birth abroad is born there, as in Synthea; else a
    share of them.

    Only residents of US states and territories but Puerto Rico: where a file describes another country, everybody is
    born in it.
    """
    u = draws.uniform(Purpose.FOREIGN_BIRTH)
    abroad = np.full(len(u), -1, dtype=np.int64)
    may = [c == US and r != _PUERTO_RICO for c, r in zip(table.country, table.region, strict=True)]
    is_candidate = np.array(may)[place]
    names = languages_of(table)
    for name, (census_share, places) in _BORN_ABROAD.items():
        share = 1.0 if by_language else census_share
        rows = np.flatnonzero(is_candidate & (language == names.index(name)) & (u < share))
        (which,) = split(u[rows] / share, len(places))
        abroad[rows] = np.array([FOREIGN_BIRTHPLACES.index(item) for item in places])[which]
    return abroad
