"""Names, addresses and identifiers, for Records only: no module reads them.

Nothing here can belong to anyone: streets are invented, telephone numbers lie in the range 555-0100 ... 555-0199 that
is kept for fiction, social security numbers begin with 999, which is never assigned, and licences and passports have
forms that no authority uses. Identifiers are one-to-one with the patient id, so that ten million patients have ten
million of them; only the social security numbers, of which there are no more than 989,901, come round again after as
many ids.
"""

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trajsim.population.attributes import Person
from trajsim.population.cohort import SEXES
from trajsim.population.draws import PopulationDraws, Purpose, choose, cumulative, split
from trajsim.population.names import GROUPS, load_name_lists
from trajsim.population.tables import ETHNICITIES, RACES, load_places, load_states

_Texts = NDArray[np.object_]
_Rows = NDArray[np.int64]

SSN_GROUPS = 99
SSN_SERIALS = 9_999
N_SSN = SSN_GROUPS * SSN_SERIALS
"""Numbers 999-01-0001 ... 999-99-9999: group and serial are never zero."""
SSN_FACTOR = 618_034
SSN_SHIFT = 271_828

_PER_THOUSAND = 1_000
_STAY_PER_THOUSAND = 600
_PASSPORT_SHARE = 0.5
_ADULT_AGE = 18
_DRIVER_AGE = 16
_PASSPORT_AGE = 20
_MARRIAGE_AGE = 28
_MARRIED_PER_THOUSAND = 800
# At these ages a marriage may have ended: age, per thousand widowed, per thousand widowed or divorced.
_MARRIAGE_ENDS = ((35, 20, 200), (45, 30, 50), (55, 60, 110))
_NEAR_DEGREES = 0.05
_FIRST_HOUSE = 100
_LAST_HOUSE = 9_999
_N_TELEPHONES = 100
_N_POSTAL = 100

_BEARERS = ("women", "men")  # in the order of SEXES


def identity_columns(
    draws: PopulationDraws, patient_id: NDArray[np.uint64], *, person: Person, age: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    """Columns of the patients table that no module reads.

    Args:
        draws: Draws of these patients.
        patient_id: [n].
        person: Demographics.
        age: [n] completed years at the end of the run or at background death.

    Returns:
        Texts ([n] objects, None where there is none) and numbers, by name of the column.
    """
    marital = _marital_status(draws, age)
    return (
        _name_columns(draws, person=person, age=age, marital=marital)
        | _address_columns(draws, person)
        | _identifier_columns(draws, patient_id, age)
    )


def _texts(values: list[str]) -> _Texts:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _only_where(condition: NDArray[np.bool_], values: _Texts) -> _Texts:
    """None where the condition does not hold."""
    out = np.full(len(values), None, dtype=object)
    out[condition] = values[condition]
    return out


def _marital_status(draws: PopulationDraws, age: _Rows) -> _Texts:
    """S, M, D, W by age; None for children."""
    married, *ends = split(draws.uniform(Purpose.MARRIAGE), *(_PER_THOUSAND,) * (1 + len(_MARRIAGE_ENDS)))
    status = _only_where(age >= _ADULT_AGE, np.full(len(age), "S", dtype=object))
    is_married = (age >= _MARRIAGE_AGE) & (married < _MARRIED_PER_THOUSAND)
    status[is_married] = "M"
    for (at_age, widowed, ended), drawn in zip(_MARRIAGE_ENDS, ends, strict=True):
        over = is_married & (age >= at_age) & (drawn < ended)
        status[over] = np.where(drawn[over] < widowed, "W", "D")
        is_married &= ~over
    return status


@cache
def _given_names() -> tuple[_Texts, NDArray[np.int64], NDArray[np.int64]]:
    """All given names end to end, and [group, sex] where each list begins and how long it is."""
    lists = [load_name_lists()[f"{group} {bearers}"] for group in GROUPS for bearers in _BEARERS]
    sizes = np.array([len(given) for given in lists])
    shape = (len(GROUPS), len(_BEARERS))
    return (
        _texts([name for given in lists for name in given]),
        (np.cumsum(sizes) - sizes).reshape(shape),
        sizes.reshape(shape),
    )


@cache
def _family_names() -> tuple[_Texts, NDArray[np.int64], NDArray[np.int64]]:
    """All family names end to end, and [group] where each list begins and how long it is."""
    lists = [load_name_lists()[f"{group} families"] for group in GROUPS]
    sizes = np.array([len(families) for families in lists])
    return _texts([name for families in lists for name in families]), np.cumsum(sizes) - sizes, sizes


def _name_columns(
    draws: PopulationDraws, *, person: Person, age: _Rows, marital: _Texts
) -> dict[str, NDArray[np.generic]]:
    """Names, title and marital status. A woman who married bears another name than at birth."""
    group = np.where(person.race == RACES.index("asian"), GROUPS.index("asian"), GROUPS.index("english"))
    group[person.ethnicity == ETHNICITIES.index("hispanic")] = GROUPS.index("spanish")
    given_names, given_first, given_sizes = _given_names()
    first, size = given_first[group, person.sex], given_sizes[group, person.sex]
    family_names, family_first, family_sizes = _family_names()
    family_size = family_sizes[group]
    given, further, family = split(draws.uniform(Purpose.NAMES), size, size - 1, family_size)
    (step,) = split(draws.uniform(Purpose.MAIDEN_NAME), family_size - 1)
    family_name = family_names[family_first[group] + family]
    other_name = family_names[family_first[group] + (family + 1 + step) % family_size]
    is_woman = person.sex == SEXES.index("F")
    took_name = is_woman & (marital != None) & (marital != "S")  # noqa: E711 (element by element)
    title = np.where(is_woman, np.where(took_name, "Mrs.", "Ms."), "Mr.").astype(object)
    return {
        "prefix": _only_where(age >= _ADULT_AGE, title),
        "given_name": given_names[first + given],
        "middle_name": given_names[first + (given + 1 + further) % size],
        "family_name": family_name,
        "maiden_name": _only_where(took_name, other_name),
        "marital_status": marital,
    }


@cache
def _place_texts() -> dict[str, _Texts]:
    """Texts by place; telephone numbers and postal codes by place and number."""
    places = load_places()
    states = load_states()
    return {
        "city": _texts([place.city for place in places]),
        "county": _texts([place.county for place in places]),
        "state": _texts([states.names[place.state] for place in places]),
        "state_abbreviation": _texts([states.abbreviations[place.state] for place in places]),
        "phone": _texts([f"{place.area_code}-555-{100 + k:04d}" for place in places for k in range(_N_TELEPHONES)]),
        "postal_code": _texts([f"{place.postal_prefix}{k:02d}" for place in places for k in range(_N_POSTAL)]),
    }


@cache
def _streets() -> _Texts:
    parts = [load_name_lists()[f"street {part}"] for part in ("first halves", "second halves", "kinds")]
    return _texts([f"{first} {second} {kind}" for first, second, kind in itertools.product(*parts)])


def _address_columns(draws: PopulationDraws, person: Person) -> dict[str, NDArray[np.generic]]:
    """Where they live and were born."""
    places = load_places()
    texts = _place_texts()
    streets = _streets()
    house, street, postal = split(
        draws.uniform(Purpose.ADDRESS), _LAST_HOUSE - _FIRST_HOUSE + 1, len(streets), _N_POSTAL
    )
    north, east = split(draws.uniform(Purpose.POINT), 10_001, 10_001)
    (telephone,) = split(draws.uniform(Purpose.TELEPHONE), _N_TELEPHONES)
    lines = zip((house + _FIRST_HOUSE).tolist(), streets[street].tolist(), strict=True)
    latitude = np.array([place.latitude for place in places])[person.place]
    longitude = np.array([place.longitude for place in places])[person.place]
    return {
        "address_line": _texts([f"{number} {name}" for number, name in lines]),
        "city": texts["city"][person.place],
        "county": texts["county"][person.place],
        "state": texts["state"][person.place],
        "state_abbreviation": texts["state_abbreviation"][person.place],
        "postal_code": texts["postal_code"][person.place * _N_POSTAL + postal],
        "latitude": np.round(latitude + (north / 5_000.0 - 1.0) * _NEAR_DEGREES, 5),
        "longitude": np.round(longitude + (east / 5_000.0 - 1.0) * _NEAR_DEGREES, 5),
        "phone": texts["phone"][person.place * _N_TELEPHONES + telephone],
        "birth_city": texts["city"][_birth_places(draws, person)],
    }


def _birth_places(draws: PopulationDraws, person: Person) -> _Rows:
    """The city of residence for six in ten, else any city of the country by residents of its state."""
    places = load_places()
    population = load_states().population
    total = np.zeros(len(population))
    for place in places:
        total[place.state] += place.weight
    weights = np.array([population[place.state] * place.weight / total[place.state] for place in places])
    u = draws.uniform(Purpose.BIRTH_PLACE)
    stays = u * _PER_THOUSAND < _STAY_PER_THOUSAND
    share = _STAY_PER_THOUSAND / _PER_THOUSAND
    elsewhere = choose(np.maximum((u - share) / (1.0 - share), 0.0), cumulative(weights))
    return np.where(stays, person.place, elsewhere)


def _identifier_columns(
    draws: PopulationDraws, patient_id: NDArray[np.uint64], age: _Rows
) -> dict[str, NDArray[np.generic]]:
    """Numbers of documents."""
    ids = patient_id.tolist()
    serial = (patient_id % np.uint64(N_SSN)).astype(np.int64) * SSN_FACTOR
    serial = (serial + SSN_SHIFT) % N_SSN
    groups = (serial // SSN_SERIALS + 1).tolist()
    numbers = (serial % SSN_SERIALS + 1).tolist()
    has_passport = (age >= _PASSPORT_AGE) & (draws.uniform(Purpose.PASSPORT) < _PASSPORT_SHARE)
    return {
        "medical_record_number": _texts([f"TSM{number:09d}" for number in ids]),
        "ssn": _texts([f"999-{group:02d}-{number:04d}" for group, number in zip(groups, numbers, strict=True)]),
        "drivers": _only_where(age >= _DRIVER_AGE, _texts([f"TSD{number:09d}" for number in ids])),
        "passport": _only_where(has_passport, _texts([f"TSP{number:09d}" for number in ids])),
    }
