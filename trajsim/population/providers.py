"""Hospitals, practices, practitioners and payers that nobody will ever meet: invented, stable, plausible.

They exist so that records can say where and by whom. Everything is a function of the place: no file, no random stream.
National provider identifiers have the right check digit and begin with 2, a range that is valid and from which none has
been given out; names are those of `trajsim.population.names`, telephone numbers lie in the range kept for fiction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.codes.check_digits import npi_check_digit
from trajsim.errors import ConfigError
from trajsim.population.draws import PopulationDraws, Purpose, split
from trajsim.population.names import load_name_lists
from trajsim.population.particulars import NO_POSTAL_PREFIX, streets
from trajsim.population.places import PlaceTable

OrganizationKind = Literal["hospital", "practice", "urgent care"]
PRIMARY_CARE = "general practice"

_NPI_FIRST_DIGIT = 2
_PER_PLACE = 1_000
"""Numbers of identifiers of one place; eight digits between the first and the check digit hold 100,000 places."""
_MAX_PLACES = 10**8 // _PER_PLACE
_FIRST_PRACTITIONER = 100
_PER_ORGANIZATION = 10
_STRIDE = 7_919

# Kind: residents for each one, most in one place, what it calls itself.
_KINDS: tuple[tuple[OrganizationKind, int, int, tuple[str, ...]], ...] = (
    ("hospital", 150_000, 12, ("General Hospital", "Medical Center", "Regional Hospital")),
    ("practice", 25_000, 40, ("Family Practice", "Primary Care", "Health Clinic")),
    ("urgent care", 75_000, 12, ("Urgent Care", "Walk-in Clinic")),
)
_SPECIALTIES: Mapping[OrganizationKind, tuple[str, ...]] = {
    "hospital": (
        "internal medicine", "emergency medicine", "general surgery", "cardiology", "obstetrics and gynecology",
        "oncology", "radiology", "anesthesiology", "pediatrics", "psychiatry",
    ),
    "practice": (PRIMARY_CARE, PRIMARY_CARE, "pediatrics"),
    "urgent care": ("emergency medicine", PRIMARY_CARE),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Organization:
    """A hospital, practice or urgent care clinic.

    Attributes:
        npi: National provider identifier, ten digits, Luhn-valid.
        name: Invented.
        kind: What it is.
        place: Index into the table of places.
        address_line: Number and invented street.
        city: City.
        region: State or region.
        postal_code: Five digits.
        phone: In the range 555-0100 ... 555-0199.
    """

    npi: str
    name: str
    kind: OrganizationKind
    place: int
    address_line: str
    city: str
    region: str
    postal_code: str
    phone: str


@dataclass(frozen=True, kw_only=True)
class Practitioner:
    """Somebody who works in an organization.

    Attributes:
        npi: National provider identifier, ten digits, Luhn-valid.
        given_name: Given name.
        family_name: Family name.
        specialty: In words.
        organization_npi: Where they work.
    """

    npi: str
    given_name: str
    family_name: str
    specialty: str
    organization_npi: str


@dataclass(frozen=True)
class Payer:
    """Who pays.

    Attributes:
        identifier: Stable, without meaning.
        name: Of public programmes the real one, of insurers an invented one.
        kind: ``medicare``, ``medicaid``, ``dual eligible``, ``private`` or ``none``.
    """

    identifier: str
    name: str
    kind: Literal["medicare", "medicaid", "dual eligible", "private", "none"]


PAYERS: tuple[Payer, ...] = (
    Payer("TSPAY00", "No insurance", "none"),
    Payer("TSPAY01", "Medicare", "medicare"),
    Payer("TSPAY02", "Medicaid", "medicaid"),
    Payer("TSPAY03", "Medicare and Medicaid", "dual eligible"),
    Payer("TSPAY10", "Zalder Sample Health Plan", "private"),
    Payer("TSPAY11", "Quenby Synthetic Mutual", "private"),
    Payer("TSPAY12", "Vostrel Invented Insurance", "private"),
    Payer("TSPAY13", "Corvasse Testbed Care", "private"),
    Payer("TSPAY14", "Noxbury Fictional Benefit Trust", "private"),
)


def payers() -> tuple[Payer, ...]:
    """All payers; public programmes first."""
    return PAYERS


def organizations(table: PlaceTable, place: int) -> tuple[Organization, ...]:
    """Organizations of one place: at least one of every kind, more where more people live.

    Args:
        table: Places.
        place: Index into the table.

    Returns:
        Hospitals, then practices, then urgent care; the same in every run.

    Guarantees:
        No two organizations or practitioners of a table share an identifier. (tests/unit/population/test_providers.py)

    Raises:
        ConfigError: No such place, or more places than there are identifiers.
    """
    if not 0 <= place < min(len(table), _MAX_PLACES):
        msg = f"place must lie in 0 ... {min(len(table), _MAX_PLACES) - 1}, got {place}"
        raise ConfigError(msg)
    return _organizations(table, place)


@cache
def _organizations(table: PlaceTable, place: int) -> tuple[Organization, ...]:
    found: list[Organization] = []
    words = load_name_lists()["street first halves"]
    for kind, residents, most, titles in _KINDS:
        for number in range(min(most, max(1, round(float(table.weight[place]) / residents)))):
            ordinal = len(found)
            pick = place * _STRIDE + ordinal * 31
            # One word a place and ordinal: neighbours of one place differ.
            word = words[(place + ordinal) % len(words)]
            area = table.area_code[place]
            found.append(
                Organization(
                    npi=_npi(place, ordinal),
                    name=f"{table.city[place]} {word} {titles[number % len(titles)]}",
                    kind=kind,
                    place=place,
                    address_line=f"{100 + pick % 9_900} {streets()[pick % len(streets())]}",
                    city=table.city[place],
                    region=table.region[place],
                    postal_code=f"{table.postal_prefix[place] or NO_POSTAL_PREFIX}{ordinal % 10:02d}",
                    phone=f"{area + '-' if area else ''}555-{100 + pick % 100:04d}",
                )
            )
    return tuple(found)


def practitioners(
    table: PlaceTable, place: int, *, specialty: str | None = None, organization: Organization | None = None
) -> tuple[Practitioner, ...]:
    """Practitioners of one place.

    Args:
        table: Places.
        place: Index into the table.
        specialty: Only these; None: all.
        organization: Only hers, one of `organizations`; None: all.

    Returns:
        By organization, in the order of `organizations`.

    Raises:
        ConfigError: No such place.
    """
    return tuple(
        person
        for person in _practitioners(place, organizations(table, place))
        if (specialty is None or person.specialty == specialty)
        and (organization is None or person.organization_npi == organization.npi)
    )


@cache
def _practitioners(place: int, employers: tuple[Organization, ...]) -> tuple[Practitioner, ...]:
    lists = load_name_lists()
    given = (lists["english women"], lists["english men"])
    families = (*lists["english families"], *lists["spanish families"])
    people = []
    for at, employer in enumerate(employers):
        for number, specialty in enumerate(_SPECIALTIES[employer.kind]):
            ordinal = _FIRST_PRACTITIONER + at * _PER_ORGANIZATION + number
            pick = place * _STRIDE + ordinal * 13
            names = given[pick % 2]
            people.append(
                Practitioner(
                    npi=_npi(place, ordinal),
                    given_name=names[pick // 2 % len(names)],
                    family_name=families[pick % len(families)],
                    specialty=specialty,
                    organization_npi=employer.npi,
                )
            )
    return tuple(people)


def _npi(place: int, ordinal: int) -> str:
    assert ordinal < _PER_PLACE, "a place has too many providers"
    nine = f"{_NPI_FIRST_DIGIT}{place * _PER_PLACE + ordinal:08d}"
    return f"{nine}{npi_check_digit(nine)}"


def primary_care(
    seed: int, table: PlaceTable, *, patient_id: NDArray[np.uint64], place: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Whom each patient sees first: the same for life, whoever else is drawn.

    Args:
        seed: Run seed.
        table: Places.
        patient_id: [n].
        place: [n] index into the table.

    Returns:
        [n] identifiers of practices, [n] identifiers of practitioners of general practice there.
    """
    u = PopulationDraws(seed, patient_id).uniform(Purpose.PRIMARY_CARE)
    organization_npi = np.full(len(place), None, dtype=object)
    practitioner_npi = np.full(len(place), None, dtype=object)
    for at in np.unique(place).tolist():
        rows = np.flatnonzero(place == at)
        doctors = practitioners(table, at, specialty=PRIMARY_CARE)
        practices = {item.npi for item in organizations(table, at) if item.kind == "practice"}
        doctors = tuple(person for person in doctors if person.organization_npi in practices)
        (chosen,) = split(u[rows], len(doctors))
        organization_npi[rows] = np.array([person.organization_npi for person in doctors], dtype=object)[chosen]
        practitioner_npi[rows] = np.array([person.npi for person in doctors], dtype=object)[chosen]
    return organization_npi, practitioner_npi
