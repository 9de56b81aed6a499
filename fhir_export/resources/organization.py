"""Organization: the sites that treat patients, and the payers of `coverages`; with Location, a site's place."""

import numpy as np
from fhir.resources.R4B.location import Location
from fhir.resources.R4B.organization import Organization

from fhir_export import care
from fhir_export.providers import HOSPITAL, N_SITES, Place, payer_key, site
from fhir_export.shard import NONE, Integers, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.us_states import US_STATES

NPI = "http://hl7.org/fhir/sid/us-npi"
CLIA = "urn:oid:2.16.840.1.113883.4.7"  # laboratories; no state has the number 00
NAIC = "urn:oid:2.16.840.1.113883.6.300"  # insurers; none has a number below 10000
_TYPES = "http://terminology.hl7.org/CodeSystem/organization-type"
_ROLES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_LOCATION_TYPES = (("HOSP", "Hospital"), ("PC", "Primary care clinic"), ("OF", "Outpatient facility"))

(_NAME, _NPI, _PHONE, _LINE, _CITY, _STATE, _POSTAL_CODE) = range(2, 9)
_SITE = 9  # of a location: its organization
_LICENCE = 10  # of an organization: the number of a laboratory, or of an insurer
_ADDRESS = {"city": 2, "state": 2, "postal_code": 2}


def address(shape: Shape, slot: Slots) -> Json:
    """The address of a site."""
    content: Json = {"use": "work", "line": [slot.local_text(_LINE)]}
    for field, element, column in (
        ("city", "city", _CITY), ("state", "state", _STATE), ("postal_code", "postalCode", _POSTAL_CODE),
    ):  # fmt: skip
        if shape[field]:
            content[element] = slot.local_text(column)
    return content | {"country": "US"}


def _phone(slot: Slots) -> Json:
    return {"system": "phone", "value": slot.local_text(_PHONE), "use": "work"}


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-organization"),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "active": True,
        "name": slot.local_text(_NAME),
    }
    if shape["payer"]:
        content["identifier"].append({"system": NAIC, "value": slot.local_text(_LICENCE)})
        content["type"] = [{"coding": [{"system": _TYPES, "code": "pay", "display": "Payer"}]}]
        return content
    content["identifier"].append({"system": NPI, "value": slot.local_text(_NPI)})
    if shape["laboratory"]:
        content["identifier"].append({"system": CLIA, "value": slot.local_text(_LICENCE)})
    content["type"] = [{"coding": [{"system": _TYPES, "code": "prov", "display": "Healthcare Provider"}]}]
    content["telecom"] = [_phone(slot)]
    content["address"] = [address(shape, slot)]
    return content


FAMILY = Family("Organization", Organization, ShapeSpace(payer=2, laboratory=2, **_ADDRESS), _build, is_shared=True)


def _build_location(shape: Shape, slot: Slots) -> Json:
    code, display = _LOCATION_TYPES[shape["kind"]]
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-location"),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "status": "active",
        "name": slot.local_text(_NAME),
        "mode": "instance",
        "type": [{"coding": [{"system": _ROLES, "code": code, "display": display}]}],
        "telecom": [_phone(slot)],
        "address": address(shape, slot),
        "managingOrganization": slot.reference("Organization", _SITE),
    }


LOCATION_FAMILY = Family("Location", Location, ShapeSpace(kind=N_SITES, **_ADDRESS), _build_location, is_shared=True)


def abbreviation(state: str | None) -> str | None:
    """The postal abbreviation of a US state; the name itself where it is none."""
    known = US_STATES.get(state or "")
    return known.abbreviation if known else state


def put_address(shard: Shard, name: str, number: Integers, n: int) -> dict[str, Integers]:
    """Fills the cells of sites, by section and number of the site; returns the fields of the shape."""
    section, places = shard.sections[name], care.places_of(shard)
    codes, which = care.by_place(shard, section, number, n)
    sites = [site(places[at], kind) for at, kind in codes]
    where: list[Place] = [places[at] for at, _ in codes]
    for column, values in (
        (_NAME, [each.name for each in sites]),
        (_NPI, [each.npi for each in sites]),
        (_PHONE, [each.phone for each in sites]),
        (_LINE, [each.line for each in sites]),
        (_CITY, [place.city for place in where]),
        (_STATE, [abbreviation(place.state) for place in where]),
        (_POSTAL_CODE, [each.postal_code for each in sites]),
        (_LICENCE, [f"00D{each.npi[-7:]}" for each in sites]),
    ):
        care.put_texts(shard, section, column, which, values)
    cells = section.cells
    return {
        "city": cells[:, _CITY] != NONE,
        "state": cells[:, _STATE] != NONE,
        "postal_code": cells[:, _POSTAL_CODE] != NONE,
    }


def _fill(shard: Shard) -> None:
    section = shard.sections[care.ORGANIZATIONS]
    payer = shard.lookups["payer number"]
    is_payer = payer != NONE
    number = np.zeros(section.n_rows, np.int64)
    number[~is_payer] = shard.lookups["site number"]
    fields = put_address(shard, care.ORGANIZATIONS, number, N_SITES)
    names = shard.columns("coverages").text("payer").values
    numbers = [f"{payer_key(name or '') % 1000:05d}" for name in names]
    for column, values in ((_NAME, names), (_LICENCE, numbers)):
        own = section.cells[:, column].copy()
        care.put_texts(shard, section, column, payer, values)
        section.cells[~is_payer, column] = own[~is_payer]
    shard.set_templates(
        section,
        FAMILY,
        payer=is_payer,
        laboratory=~is_payer & (number == HOSPITAL),
        **{name: flags & ~is_payer for name, flags in fields.items()},
    )
    _fill_locations(shard, section.rows[~is_payer])


def _fill_locations(shard: Shard, sites: Integers) -> None:
    section, number = shard.sections[care.LOCATIONS], shard.lookups["site number"]
    fields = put_address(shard, care.LOCATIONS, number, N_SITES)
    section.cells[:, _SITE] = sites
    shard.set_templates(section, LOCATION_FAMILY, kind=number, **fields)


KIND = Kind("Organization", care.ORGANIZATIONS, care.ORGANIZATION_WIDTH, _fill, care.plan)
