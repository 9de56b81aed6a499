"""Practitioner and PractitionerRole: who treats patients, and where."""

import numpy as np
from fhir.resources.R4B.practitioner import Practitioner
from fhir.resources.R4B.practitionerrole import PractitionerRole

from fhir_export import care
from fhir_export.providers import HOSPITAL, N_CLINICIANS, SITE_OF, SPECIALTIES, clinician, site
from fhir_export.resources.organization import NPI, abbreviation
from fhir_export.shard import NONE, Integers, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

_TAXONOMY = "http://nucc.org/provider-taxonomy"
_DIRECT = {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-direct", "valueBoolean": True}

_NPI, _GIVEN, _FAMILY, _PHONE, _EMAIL, _LINE, _CITY, _STATE, _POSTAL_CODE = range(2, 11)
_PERSON, _ORGANIZATION, _LOCATION, _ROLE_PHONE, _ROLE_EMAIL, _ENDPOINT = range(2, 8)


def _build(shape: Shape, slot: Slots) -> Json:
    address: Json = {"use": "work", "line": [slot.local_text(_LINE)]}
    for field, element, column in (
        ("city", "city", _CITY), ("state", "state", _STATE), ("postal_code", "postalCode", _POSTAL_CODE),
    ):  # fmt: skip
        if shape[field]:
            address[element] = slot.local_text(column)
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-practitioner"),
        "identifier": [{"system": NPI, "value": slot.local_text(_NPI)}],
        "active": True,
        "name": [{"use": "official", "family": slot.local_text(_FAMILY), "given": [slot.local_text(_GIVEN)]}],
        "telecom": _telecom(slot, _PHONE, _EMAIL),
        "address": [address | {"country": "US"}],
        "gender": "female" if shape["woman"] else "male",
    }


def _telecom(slot: Slots, phone: int, email: int) -> list[Json]:
    return [
        {"system": "phone", "value": slot.local_text(phone), "use": "work"},
        {"extension": [_DIRECT], "system": "email", "value": slot.local_text(email), "use": "work"},
    ]


FAMILY = Family(
    "Practitioner",
    Practitioner,
    ShapeSpace(woman=2, city=2, state=2, postal_code=2),
    _build,
    is_shared=True,
)


def _build_role(shape: Shape, slot: Slots) -> Json:
    code, words = SPECIALTIES[shape["number"]]
    specialty = {"coding": [{"system": _TAXONOMY, "code": code}], "text": words}
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-practitionerrole"),
        "active": True,
        "practitioner": slot.reference("Practitioner", _PERSON),
        "organization": slot.reference("Organization", _ORGANIZATION),
        "code": [specialty],
        "specialty": [specialty],
        "location": [slot.reference("Location", _LOCATION)],
        "telecom": _telecom(slot, _ROLE_PHONE, _ROLE_EMAIL),
    }
    if SITE_OF[shape["number"]] == HOSPITAL:
        content["endpoint"] = [slot.reference("Endpoint", _ENDPOINT)]
    return content


ROLE_FAMILY = Family("PractitionerRole", PractitionerRole, ShapeSpace(number=N_CLINICIANS), _build_role, is_shared=True)


def _fill(shard: Shard) -> None:
    section, roles = shard.sections[care.PRACTITIONERS], shard.sections[care.ROLES]
    number, places = shard.lookups["clinician number"], care.places_of(shard)
    codes, which = care.by_place(shard, section, number, N_CLINICIANS)
    people = [clinician(places[at], each) for at, each in codes]
    sites = [site(places[at], SITE_OF[each]) for at, each in codes]
    for column, values in (
        (_NPI, [person.npi for person in people]),
        (_GIVEN, [person.given for person in people]),
        (_FAMILY, [person.family for person in people]),
        (_PHONE, [person.phone for person in people]),
        (_EMAIL, [person.email for person in people]),
        (_LINE, [each.line for each in sites]),
        (_CITY, [places[at].city for at, _ in codes]),
        (_STATE, [abbreviation(places[at].state) for at, _ in codes]),
        (_POSTAL_CODE, [each.postal_code for each in sites]),
    ):
        care.put_texts(shard, section, column, which, values)
    cells = section.cells
    shard.set_templates(
        section,
        FAMILY,
        woman=np.array([person.is_woman for person in people], np.bool_)[which],
        city=cells[:, _CITY] != NONE,
        state=cells[:, _STATE] != NONE,
        postal_code=cells[:, _POSTAL_CODE] != NONE,
    )
    roles.cells[:, _ROLE_PHONE] = cells[:, _PHONE]
    roles.cells[:, _ROLE_EMAIL] = cells[:, _EMAIL]
    roles.cells[:, _PERSON] = section.rows
    roles.cells[:, _ORGANIZATION] = _sites(shard, number)
    roles.cells[:, _LOCATION] = _locations(shard, number)
    roles.cells[:, _ENDPOINT] = shard.lookups["endpoint rows"][section.patient, np.array(SITE_OF)[number]]
    shard.set_templates(roles, ROLE_FAMILY, number=number)


def _sites(shard: Shard, number: Integers) -> Integers:
    """The Organization of every clinician."""
    rows = shard.lookups["site rows"]
    return np.asarray(rows[shard.sections[care.PRACTITIONERS].patient, np.array(SITE_OF)[number]])


def _locations(shard: Shard, number: Integers) -> Integers:
    """The Location of every clinician."""
    rows = shard.lookups["location rows"]
    return np.asarray(rows[shard.sections[care.PRACTITIONERS].patient, np.array(SITE_OF)[number]])


def _plan(shard: Shard) -> None:
    """Its sections stand already: `care.plan` adds all that patients share."""


KIND = Kind("Practitioner", care.PRACTITIONERS, care.PRACTITIONER_WIDTH, _fill, _plan)
