"""Endpoint: where a hospital takes messages, by Direct secure messaging."""

from fhir.resources.R4B.endpoint import Endpoint

from fhir_export import care
from fhir_export.providers import HOSPITAL, site
from fhir_export.shard import Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

_CONNECTIONS = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
_PAYLOADS = "http://terminology.hl7.org/CodeSystem/endpoint-payload-type"

_SITE, _NAME, _ADDRESS, _WIDTH = range(2, 6)


def _build(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return {
        "id": slot.id(),
        "meta": slot.meta(),
        "status": "active",
        "connectionType": {"system": _CONNECTIONS, "code": "direct-project", "display": "Direct Project"},
        "name": slot.local_text(_NAME),
        "managingOrganization": slot.reference("Organization", _SITE),
        "payloadType": [{"coding": [{"system": _PAYLOADS, "code": "any", "display": "Any"}]}],
        "address": slot.local_text(_ADDRESS),
    }


FAMILY = Family("Endpoint", Endpoint, ShapeSpace(only=1), _build, is_shared=True)


def _plan(shard: Shard) -> None:
    """Its section stands already: `care.plan` adds all that patients share."""


def _fill(shard: Shard) -> None:
    section, places = shard.sections[care.ENDPOINTS], care.places_of(shard)
    number = section.patient * 0 + HOSPITAL
    codes, which = care.by_place(shard, section, number, HOSPITAL + 1)
    sites = [site(places[at], each) for at, each in codes]
    section.cells[:, _SITE] = shard.lookups["site rows"][section.patient, HOSPITAL]
    care.put_texts(shard, section, _NAME, which, [f"Messages to {each.name}" for each in sites])
    care.put_texts(shard, section, _ADDRESS, which, [f"mailto:records.{each.npi}@example.com" for each in sites])
    shard.set_templates(section, FAMILY, only=0)


KIND = Kind("Endpoint", care.ENDPOINTS, _WIDTH, _fill, _plan)
