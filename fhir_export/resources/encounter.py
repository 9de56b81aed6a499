"""Encounter: one resource a row of `encounters`."""

from fhir.resources.R4B.coding import Coding
from fhir.resources.R4B.encounter import Encounter

from fhir_export.concepts import checked, concept
from fhir_export.profiles import EDITIONS
from fhir_export.reasons import reasons
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from trajsim.codes import system_uri
from trajsim.codes.systems import SYSTEM_URIS
from trajsim.errors import SchemaError

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PRIMARY_PERFORMER = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "code": "PPRF",
    "display": "primary performer",
}
_CLASSES = {
    "ambulatory": ("AMB", "ambulatory"),
    "outpatient": ("AMB", "ambulatory"),
    "wellness": ("AMB", "ambulatory"),
    "urgentcare": ("AMB", "ambulatory"),
    "emergency": ("EMER", "emergency"),
    "inpatient": ("IMP", "inpatient encounter"),
    "snf": ("IMP", "inpatient encounter"),
    "hospice": ("HH", "home health"),
    "home": ("HH", "home health"),
    "virtual": ("VR", "virtual"),
}

_TIME, _STOP, _CLASS, _CODE, _REASON_ROW, _REASON_CODE, _DISCHARGE, _PRACTITIONER, _SITE, _LOCATION, _WIDTH = range(
    2, 13
)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-encounter", changed=_STOP),
        "identifier": [{"use": "official", "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "status": "finished",
        "class": slot.element(_CLASS),
        "type": [slot.element(_CODE)],
        "subject": slot.reference("Patient", PATIENT),
        "participant": [
            {
                "type": [{"coding": [_PRIMARY_PERFORMER]}],
                "period": {"start": slot.date_time(_TIME), "end": slot.date_time(_STOP)},
                "individual": slot.reference("Practitioner", _PRACTITIONER),
            }
        ],
        "period": {"start": slot.date_time(_TIME), "end": slot.date_time(_STOP)},
        "location": [{"location": slot.reference("Location", _LOCATION)}],
        "serviceProvider": slot.reference("Organization", _SITE),
    }
    if shape["reason_code"]:
        content["reasonCode"] = [slot.element(_REASON_CODE)]
    if shape["reason_row"]:
        content["reasonReference"] = [slot.reference("Condition", _REASON_ROW)]
    if shape["discharge"]:
        content["hospitalization"] = {"dischargeDisposition": slot.element(_DISCHARGE)}
    return content


FAMILY = Family("Encounter", Encounter, ShapeSpace(reason_row=2, reason_code=2, discharge=2), _build)


def encounter_class(value: str | None) -> bytes:
    """The Coding of an encounter class."""
    if value not in _CLASSES:
        msg = f"encounters: unknown encounter_class {value!r}, expected one of {', '.join(_CLASSES)}"
        raise SchemaError(msg)
    code, display = _CLASSES[value]
    return checked(Coding, {"system": _ACT_CODE, "code": code, "display": display})


def discharge(system: str | None, code: str | None, wording: str | None) -> bytes:
    """The concept of where a stay ended, by the address that its codes have since US Core 7.0.0."""
    address = EDITIONS["7.0.0"].discharge_system if system_uri(system or "") == SYSTEM_URIS["NUBC"] else system
    return concept(address, code, wording)


def _fill(shard: Shard) -> None:
    section = shard.sections["encounters"]
    columns, cells = shard.columns("encounters"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _CLASS] = shard.codes("encounters", ["encounter_class"], encounter_class)
    cells[:, _CODE] = shard.codes("encounters", ["system", "code", "display", "more_codes"], concept)
    cells[:, _REASON_ROW], cells[:, _REASON_CODE] = reasons(shard, section)
    cells[:, _PRACTITIONER] = shard.lookups["encounter practitioner"]
    cells[:, _SITE] = shard.lookups["encounter organization"]
    cells[:, _LOCATION] = shard.lookups["encounter location"]
    told = ["discharge_system", "discharge_code", "discharge_display"]
    is_renamed = shard.templates.edition.discharge_system != SYSTEM_URIS["NUBC"]
    has_discharge = ~columns.text("discharge_code").is_null
    cells[:, _DISCHARGE] = shard.codes("encounters", told, discharge if is_renamed else concept, where=has_discharge)
    shard.set_templates(
        section,
        FAMILY,
        reason_row=cells[:, _REASON_ROW] != NONE,
        reason_code=cells[:, _REASON_CODE] != NONE,
        discharge=has_discharge,
    )


KIND = Kind("Encounter", "encounters", _WIDTH, _fill)
