"""Where and by whom patients are treated: invented sites and clinicians of every place, a function of the place alone.

Records do not say who treated whom. FHIR wants to know (an order has a requester, an encounter a place), and what is
referred to must be there. So every place has a hospital, a practice and an urgent care clinic with a few clinicians; a
patient sees those of the own place, and the same general practitioner for life.

National provider identifiers have the right check digit and begin with 2, a range from which none has been given out.
They come from 64 bits of the place and a number, reduced to eight digits: two of a run may rarely be the same, ids of
resources are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

from trajsim.codes.check_digits import npi_check_digit

HOSPITAL, PRACTICE, URGENT_CARE = range(3)
N_SITES = 3

# Clinicians of a place by number: where they work, and their specialty in NUCC's taxonomy and in words.
SITE_OF = (HOSPITAL, HOSPITAL, PRACTICE, PRACTICE, URGENT_CARE)
SPECIALTIES = (
    ("207P00000X", "Emergency medicine"),
    ("207R00000X", "Internal medicine"),
    ("207Q00000X", "Family medicine"),
    ("207Q00000X", "Family medicine"),
    ("207P00000X", "Emergency medicine"),
)
N_CLINICIANS = len(SITE_OF)
EMERGENCY, WARD, FIRST_PRACTITIONER, WALK_IN = 0, 1, 2, 4
N_PRACTITIONERS = 2

_SITE_NAMES = ("General Hospital", "Family Practice", "Urgent Care")
GIVEN_NAMES = (
    ("Ada", "Belen", "Clara", "Dana", "Edith", "Farah", "Grace", "Hana", "Ines", "Joan", "Keiko", "Lena"),
    ("Abel", "Boris", "Cyrus", "David", "Emil", "Felix", "George", "Hugo", "Ivan", "Jonas", "Karim", "Louis"),
)  # fmt: skip
FAMILY_NAMES = (
    "Ashgrove", "Brindle", "Calloway", "Dunmore", "Ellwood", "Fairburn", "Garrick", "Hollis", "Inglewood", "Jessop",
    "Kirkby", "Langford", "Merrick", "Northcott", "Oakden", "Pemberton", "Quillan", "Rosedale", "Stanhope", "Thornby",
    "Underhill", "Varley", "Whitmore", "Yarrow",
)  # fmt: skip
STREETS = ("Elm Street", "Oak Avenue", "Maple Street", "Cedar Lane", "Park Avenue", "Hill Road", "Lake Street")
_SITES_FROM = 1_000
_CLINICIANS_FROM = 2_000


@dataclass(frozen=True)
class Place:
    """Where patients live: state and city as Records have them, and the first three digits of the postal code."""

    state: str | None
    city: str | None
    postal_prefix: str | None


@dataclass(frozen=True, kw_only=True)
class Site:
    """A hospital, practice or clinic.

    Attributes:
        key: Row key of its organization.
        npi: National provider identifier.
        name: What it calls itself.
        line: Number and street.
        postal_code: Five digits; None: the place has none.
        phone: In the range kept for fiction.
    """

    key: int
    npi: str
    name: str
    line: str
    postal_code: str | None
    phone: str


@dataclass(frozen=True, kw_only=True)
class Clinician:
    """Somebody who works at a site; `key` is the row key of the Practitioner."""

    key: int
    npi: str
    given: str
    family: str
    is_woman: bool
    phone: str
    email: str


@cache
def site(place: Place, number: int) -> Site:
    """A site of a place."""
    word = _word(place, _SITES_FROM + number)
    return Site(
        key=word,
        npi=_npi(word),
        name=f"{place.city or place.state or 'Anywhere'} {_SITE_NAMES[number]}",
        line=f"{100 + word % 9_900} {STREETS[word // 9_900 % len(STREETS)]}",
        postal_code=f"{place.postal_prefix}{number + 1:02d}" if place.postal_prefix else None,
        phone=_phone(word),
    )


@cache
def clinician(place: Place, number: int) -> Clinician:
    """A clinician of a place."""
    word = _word(place, _CLINICIANS_FROM + number)
    is_woman = word % 2 == 0
    names = GIVEN_NAMES[not is_woman]
    given, family = names[word // 2 % len(names)], FAMILY_NAMES[word // 64 % len(FAMILY_NAMES)]
    return Clinician(
        key=word,
        npi=_npi(word),
        given=given,
        family=family,
        is_woman=is_woman,
        phone=_phone(word),
        email=f"{given}.{family}.{word % 10_000:04d}@example.com".lower(),
    )


def payer_key(name: str) -> int:
    """Row key of a payer's organization, as `trajsim.records.ids` defines it."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def _word(place: Place, number: int) -> int:
    text = "\n".join((place.state or "", place.city or "", place.postal_prefix or "", str(number)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _npi(word: int) -> str:
    nine = f"2{word // 3 % 10**8:08d}"
    return f"{nine}{npi_check_digit(nine)}"


def _phone(word: int) -> str:
    return f"555-{100 + word // 7 % 100:04d}"


CLINICIAN_OF_CLASS: Mapping[str, int] = {
    "emergency": EMERGENCY, "inpatient": WARD, "snf": WARD, "hospice": WARD, "urgentcare": WALK_IN,
}  # fmt: skip
"""Who sees a patient in an encounter of a class; in every other class the own general practitioner."""
