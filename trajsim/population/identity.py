"""Names, addresses and identifiers as texts, for Records.

Nothing here can belong to anyone: streets are invented (`trajsim.population.particulars`), telephone numbers lie in the
range 555-0100 ... 555-0199 that is kept for fiction, social security numbers begin with 900 ... 999, which is never
assigned, with a group (01 ... 49) that taxpayer numbers of the same range do not use either, and licences and passports
have forms that no authority uses. Identifiers are one-to-one with the patient id, so that ten million patients have ten
million of them; only the social security numbers, of which there are no more than 48,995,100, come round again after as
many ids.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trajsim.population.cohort import SEXES
from trajsim.population.draws import PopulationDraws, Purpose, split
from trajsim.population.languages import FOREIGN_BIRTHPLACES
from trajsim.population.particulars import Particulars, family_names, given_names, streets
from trajsim.population.person import Person
from trajsim.population.places import PlaceTable
from trajsim.population.tables import load_states

_Texts = NDArray[np.object_]
_Rows = NDArray[np.int64]

SSN_AREAS = 100
SSN_FIRST_AREA = 900
SSN_GROUPS = 49
SSN_SERIALS = 9_999
N_SSN = SSN_AREAS * SSN_GROUPS * SSN_SERIALS
"""Numbers 900-01-0001 ... 999-49-9999: group and serial are never zero."""
SSN_FACTOR = 30_280_637
SSN_SHIFT = 271_828

_PER_THOUSAND = 1_000
_PASSPORT_SHARE = 0.5
_ADULT_AGE = 18
_DRIVER_AGE = 16
_PASSPORT_AGE = 20
_MARRIAGE_AGE = 28
_MARRIED = 0.8
# At these ages a marriage may have ended: age, share widowed, share widowed or divorced.
_MARRIAGE_ENDS = ((35, 0.02, 0.2), (45, 0.03, 0.05), (55, 0.06, 0.11))
_NEAR_DEGREES = 0.05
_N_TELEPHONES = 100
_MULTIPLE_BIRTH_SHARE = 0.02
_LARGEST_BIRTH = 3


def identity_columns(
    draws: PopulationDraws,
    table: PlaceTable,
    patient_id: NDArray[np.uint64],
    *,
    person: Person,
    particulars: Particulars,
    age: NDArray[np.int64],
) -> dict[str, NDArray[np.generic]]:
    """Columns of the patients table that no module reads.

    Args:
        draws: Draws of these patients.
        table: Places.
        patient_id: [n].
        person: Demographics.
        particulars: Names, addresses and places of birth.
        age: [n] completed years at the end of the run or at background death.

    Returns:
        Texts ([n] objects, None where there is none) and numbers, by name of the column. ``multiple_birth`` is 1 ... 3
        for those born with others (the second of twins is 2), 0 for all others.
    """
    marital = _marital_status(draws, age)
    return (
        _name_columns(particulars, is_woman=person.sex == SEXES.index("F"), age=age, marital=marital)
        | _address_columns(draws, table, person.place, particulars)
        | _identifier_columns(draws, patient_id, age)
        | {"multiple_birth": _multiple_births(draws)}
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
    """S, M, D, W by age, as the lifecycle has it (docs/draws.md, 10.4 a); None for children, single until 28."""
    status = _only_where(age >= _ADULT_AGE, np.full(len(age), "S", dtype=object))
    is_married = (age >= _MARRIAGE_AGE) & (draws.keyed("marital", _MARRIAGE_AGE) < _MARRIED)
    status[is_married] = "M"
    for at_age, widowed, ended in _MARRIAGE_ENDS:
        u = draws.keyed("marital", at_age)
        over = is_married & (age >= at_age) & (u < ended)
        status[over] = np.where(u[over] < widowed, "W", "D")
        is_married &= ~over
    return status


def _name_columns(
    own: Particulars, *, is_woman: NDArray[np.bool_], age: _Rows, marital: _Texts
) -> dict[str, NDArray[np.generic]]:
    """Names, title and marital status. A woman who married bears another name than at birth."""
    given, family = _array(given_names()), _array(family_names())
    took_name = is_woman & (marital != None) & (marital != "S")  # noqa: E711 (element by element)
    title = np.where(is_woman, np.where(took_name, "Mrs.", "Ms."), "Mr.").astype(object)
    return {
        "prefix": _only_where(age >= _ADULT_AGE, title),
        "given_name": given[own.given],
        "middle_name": given[own.middle],
        "family_name": family[np.where(took_name, own.other_family, own.family)],
        "maiden_name": _only_where(took_name, family[own.family]),
        "marital_status": marital,
    }


@lru_cache(maxsize=64)
def _array(texts: tuple[str, ...]) -> _Texts:
    return _texts(list(texts))


@lru_cache(maxsize=4)
def _phones(area_codes: tuple[str, ...]) -> _Texts:
    """Telephone numbers by place and number."""
    fronts = [f"{code}-" if code else "" for code in area_codes]
    return _texts([f"{front}555-{100 + k:04d}" for front in fronts for k in range(_N_TELEPHONES)])


@lru_cache(maxsize=4)
def _abbreviations(regions: tuple[str, ...]) -> _Texts:
    """Postal abbreviations of US states and territories; other regions as they are."""
    states = load_states()
    short = dict(zip(states.names, states.abbreviations, strict=True))
    return _texts([short.get(region, region) for region in regions])


def _address_columns(
    draws: PopulationDraws, table: PlaceTable, place: _Rows, own: Particulars
) -> dict[str, NDArray[np.generic]]:
    """Where they live and were born."""
    north, east = split(draws.uniform(Purpose.POINT), 10_001, 10_001)
    (telephone,) = split(draws.uniform(Purpose.TELEPHONE), _N_TELEPHONES)
    lines = zip(own.house.tolist(), _array(streets())[own.street].tolist(), strict=True)
    births = _array((*table.city, *(city for city, _, _ in FOREIGN_BIRTHPLACES)))
    born = np.where(own.abroad >= 0, len(table) + own.abroad, own.birth_place)
    return {
        "address_line": _texts([f"{number} {name}" for number, name in lines]),
        "city": _array(table.city)[place],
        "county": _array(table.county)[place],
        "state": _array(table.region)[place],
        "state_abbreviation": _abbreviations(table.region)[place],
        "postal_code": _array(own.postal_codes)[own.postal],
        "latitude": _near(table.latitude[place], north),
        "longitude": _near(table.longitude[place], east),
        "phone": _phones(table.area_code)[place * _N_TELEPHONES + telephone],
        "birth_city": births[born],
    }


def _near(degrees: NDArray[np.float64], step: _Rows) -> NDArray[np.generic]:
    """A point near the middle of a place; None where the place has no coordinates."""
    near = np.round(degrees + (step / 5_000.0 - 1.0) * _NEAR_DEGREES, 5)
    is_known = ~np.isnan(near)
    return near if is_known.all() else _only_where(is_known, near.astype(object))


def _multiple_births(draws: PopulationDraws) -> _Rows:
    """1 ... 3 for one in fifty, else 0."""
    u = draws.uniform(Purpose.MULTIPLE_BIRTH)
    (number,) = split(np.minimum(u / _MULTIPLE_BIRTH_SHARE, 1.0 - 2.0**-53), _LARGEST_BIRTH)
    return np.where(u < _MULTIPLE_BIRTH_SHARE, number + 1, 0)


def social_security_numbers(patient_id: NDArray[np.uint64]) -> _Rows:
    """Nine digits, read as one number, for each patient: a permutation of the ids modulo `N_SSN`."""
    serial = (patient_id % np.uint64(N_SSN)).astype(np.int64) * SSN_FACTOR
    serial = (serial + SSN_SHIFT) % N_SSN
    area, rest = np.divmod(serial, SSN_GROUPS * SSN_SERIALS)
    group, number = np.divmod(rest, SSN_SERIALS)
    numbers: _Rows = (SSN_FIRST_AREA + area) * 1_000_000 + (group + 1) * 10_000 + number + 1
    return numbers


def _identifier_columns(
    draws: PopulationDraws, patient_id: NDArray[np.uint64], age: _Rows
) -> dict[str, NDArray[np.generic]]:
    """Numbers of documents."""
    ids = patient_id.tolist()
    numbers = social_security_numbers(patient_id)
    has_passport = (age >= _PASSPORT_AGE) & (draws.uniform(Purpose.PASSPORT) < _PASSPORT_SHARE)
    return {
        "medical_record_number": _texts([f"TSM{number:09d}" for number in ids]),
        "ssn": _texts([f"{n // 1_000_000}-{n // 10_000 % 100:02d}-{n % 10_000:04d}" for n in numbers.tolist()]),
        "drivers": _only_where(age >= _DRIVER_AGE, _texts([f"TSD{number:09d}" for number in ids])),
        "passport": _only_where(has_passport, _texts([f"TSP{number:09d}" for number in ids])),
    }
