"""Who looked after whom: the sites, clinicians and payers that each patient's resources refer to.

Each patient has rows of their own for them, so that a bundle holds exactly those that it refers to; the ids are those
of the place (`fhir_export.providers`) or of the payer's name, the same for all patients.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fhir_export.columns import combined
from fhir_export.providers import (
    CLINICIAN_OF_CLASS,
    FIRST_PRACTITIONER,
    HOSPITAL,
    N_CLINICIANS,
    N_PRACTITIONERS,
    N_SITES,
    SITE_OF,
    Place,
    clinician,
    payer_key,
    site,
)
from fhir_export.shard import NONE, PATIENT, Integers, Section, Shard, escaped

ORGANIZATIONS, LOCATIONS, PRACTITIONERS, ROLES = "organizations", "locations", "practitioners", "practitioner roles"
ENDPOINTS = "endpoints"
ORGANIZATION_WIDTH = LOCATION_WIDTH = PRACTITIONER_WIDTH = ROLE_WIDTH = 16

LOCATION_XOR = 0x5D1F3C8A9B2E4761
ENDPOINT_XOR = 0x27BB2EE687B0B0FD
ROLE_XOR = 0xC3A5F1E29D4B7083

_OWN_PRACTITIONER_XOR = 0x2B992DDFA23249D6

Keys = NDArray[np.uint64]


def plan(shard: Shard) -> None:
    """Adds the sections of what patients share."""
    places, place = _places(shard)
    own = FIRST_PRACTITIONER + (
        shard.words(shard.sections["patients"], _OWN_PRACTITIONER_XOR) % np.uint64(N_PRACTITIONERS)
    ).astype(np.int64)
    encounters = shard.sections["encounters"]
    classes = shard.columns("encounters").text("encounter_class")
    number = np.array([CLINICIAN_OF_CLASS.get(value or "", NONE) for value in classes.values])[classes.indices]
    number = np.where(number == NONE, own[encounters.patient], number)
    sees = np.zeros((len(shard.patient_ids), N_CLINICIANS), np.bool_)
    sees[np.arange(len(own)), own] = True
    sees[encounters.patient, number] = True
    visits = np.zeros((len(shard.patient_ids), N_SITES), np.bool_)
    for which, where in enumerate(SITE_OF):
        visits[:, where] |= sees[:, which]
    site_keys = _keys(lambda at, which: site(places[at], which).key, place, visits)
    clinician_keys = _keys(lambda at, which: clinician(places[at], which).key, place, sees)
    sites = _add_organizations(shard, visits, site_keys)
    places_to_go = _add(shard, LOCATIONS, "Location", visits, site_keys ^ np.uint64(LOCATION_XOR))
    endpoints = _add_endpoints(shard, visits, site_keys)
    people = _add(shard, PRACTITIONERS, "Practitioner", sees, clinician_keys)
    _add(shard, ROLES, "PractitionerRole", sees, clinician_keys ^ np.uint64(ROLE_XOR))
    shard.lookups |= {
        "place": place,
        "site rows": sites,
        "location rows": places_to_go,
        "endpoint rows": endpoints,
        "clinician number": np.nonzero(sees)[1],
        "site number": np.nonzero(visits)[1],
        "practitioner": people[np.arange(len(own)), own],
        "organization": sites[np.arange(len(own)), np.array(SITE_OF)[own]],
        "location": places_to_go[np.arange(len(own)), np.array(SITE_OF)[own]],
        "encounter practitioner": people[encounters.patient, number],
        "encounter organization": sites[encounters.patient, np.array(SITE_OF)[number]],
        "encounter location": places_to_go[encounters.patient, np.array(SITE_OF)[number]],
    }


def _add_endpoints(shard: Shard, visits: NDArray[np.bool_], site_keys: Keys) -> Integers:
    """Adds the endpoints of hospitals; returns [patients, sites] rows, NONE where there is none."""
    has = np.zeros_like(visits)
    has[:, HOSPITAL] = visits[:, HOSPITAL]
    return _add(shard, ENDPOINTS, "Endpoint", has, site_keys[has[visits]] ^ np.uint64(ENDPOINT_XOR))


def places_of(shard: Shard) -> list[Place]:
    """The places of a shard, by the numbers of `lookups["place"]`."""
    return _places(shard)[0]


def _places(shard: Shard) -> tuple[list[Place], Integers]:
    """Places, and the place of every patient."""
    columns = shard.columns("patients")
    place, values = combined([columns.text(name) for name in ("state", "city", "postal_code")])
    known: dict[Place, int] = {}
    found = [Place(state, city, code[:3] if code else None) for state, city, code in values]
    numbers = [known.setdefault(each, len(known)) for each in found]
    return list(known), np.array(numbers, np.int64)[place] if numbers else place


def _keys(key: Callable[[int, int], int], place: Integers, present: NDArray[np.bool_]) -> Keys:
    """The row keys of what is present, by patient and number."""
    patient, number = np.nonzero(present)
    codes, inverse = np.unique(place[patient] * present.shape[1] + number, return_inverse=True)
    keys = [key(*divmod(code, present.shape[1])) for code in codes.tolist()]
    return np.array(keys, np.uint64)[inverse]


def _add(shard: Shard, name: str, resource_type: str, present: NDArray[np.bool_], keys: Keys) -> Integers:
    """Adds a section with a row for what is present; returns [patients, numbers] rows, NONE where it is not."""
    owners = shard.patient_ids[np.nonzero(present)[0]]
    section = shard.add(name, resource_type, PRACTITIONER_WIDTH, owners, keys, is_shared=True)
    rows = np.full(present.shape, NONE, np.int64)
    rows[present] = section.rows
    return rows


def _add_organizations(shard: Shard, visits: NDArray[np.bool_], keys: Keys) -> Integers:
    """Adds sites and payers; returns [patients, sites] rows, NONE where there is none.

    The row of the payer of every coverage goes to `lookups["payer"]`, the number of its name (NONE: a site) to
    `lookups["payer number"]`.
    """
    columns = shard.columns("coverages")
    coverages = shard.sections["coverages"]
    payers = columns.text("payer")
    insured = np.flatnonzero(~payers.is_null)
    pairs, which = np.unique(
        coverages.patient[insured] * len(payers.values) + payers.indices[insured], return_inverse=True
    )
    of_payer = np.array([payer_key(value or "") for value in payers.values], np.uint64)
    owner = np.concatenate([np.nonzero(visits)[0], pairs // len(payers.values)])
    number = np.concatenate([np.full(len(keys), NONE, np.int64), pairs % len(payers.values)])
    order = np.argsort(owner, kind="stable")
    all_keys = np.concatenate([keys, of_payer[pairs % len(payers.values)]])[order]
    section = shard.add(
        ORGANIZATIONS, "Organization", ORGANIZATION_WIDTH, shard.patient_ids[owner[order]], all_keys, is_shared=True
    )
    row = np.empty(len(order), np.int64)
    row[order] = section.rows
    shard.lookups["payer"] = np.full(coverages.n_rows, NONE, np.int64)
    shard.lookups["payer"][insured] = row[len(keys) :][which]
    shard.lookups["payer number"] = number[order]
    rows = np.full(visits.shape, NONE, np.int64)
    rows[visits] = row[: len(keys)]
    return rows


def practitioners(shard: Shard, section: Section, encounters: Integers) -> Integers:
    """The Practitioner of every row: of its encounter, else the patient's own.

    Args:
        shard: The shard.
        section: The rows.
        encounters: [n] row numbers of encounters; NONE: none.
    """
    return _of(shard, section, encounters, "practitioner")


def organizations(shard: Shard, section: Section, encounters: Integers) -> Integers:
    """The Organization of every row: of its encounter, else the patient's own."""
    return _of(shard, section, encounters, "organization")


def locations(shard: Shard, section: Section, encounters: Integers) -> Integers:
    """The Location of every row: of its encounter, else that of the patient's own practice."""
    return _of(shard, section, encounters, "location")


def _of(shard: Shard, section: Section, encounters: Integers, what: str) -> Integers:
    own = shard.lookups[what][section.patient]
    if not shard.sections["encounters"].n_rows:
        return own
    place = np.where(encounters == NONE, 0, encounters - shard.sections["encounters"].base)
    seen = shard.lookups[f"encounter {what}"][place]
    return np.where(encounters == NONE, own, seen)


def put_texts(shard: Shard, section: Section, column: int, number: Integers, values: Sequence[str | None]) -> None:
    """Fills the cells of a text of the shard, one of a few values a row; NONE where it is None."""
    present = [index for index, value in enumerate(values) if value is not None]
    first = shard.local.extend([escaped(values[index] or "") for index in present])
    texts = np.full(len(values), NONE, np.int64)
    texts[present] = np.arange(first, first + len(present))
    section.cells[:, column] = texts[number]


def by_place(shard: Shard, section: Section, number: Integers, n: int) -> tuple[list[tuple[int, int]], Integers]:
    """Which (place, number) occur, and which of them each row is."""
    codes, inverse = np.unique(shard.lookups["place"][section.cells[:, PATIENT]] * n + number, return_inverse=True)
    return [divmod(code, n) for code in codes.tolist()], np.asarray(inverse)


def payers_of(shard: Shard) -> Integers:
    """The Organization that pays, of every row of `coverages`; NONE: nobody."""
    return shard.lookups["payer"]
