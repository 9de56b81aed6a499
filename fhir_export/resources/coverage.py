"""Coverage: one resource a row of `coverages` in which somebody pays."""

import numpy as np
from fhir.resources.R4B.coverage import Coverage

from fhir_export.care import payers_of
from fhir_export.concepts import coded
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.writer import NO_TIME
from trajsim.errors import SchemaError

_CLASSES = "http://terminology.hl7.org/CodeSystem/coverage-class"
_RELATIONSHIPS = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_PAYMENT_TYPES = "https://nahdo.org/sopt"  # Source of Payment Typology; its displays are not HL7's
_MEMBER_SYSTEM = "urn:oid:2.25.218461957066240384920571833614725598042"
_MEMBER_XOR = 0xF58D3B7A9C16E04F
_KINDS = {
    "medicare": ("1", "Medicare"),
    "medicaid": ("2", "Medicaid"),
    "dual": ("14", "Dual eligibility Medicare and Medicaid"),
    "aca": ("5", "Private health insurance, marketplace"),
    "private": ("5", "Private health insurance"),
    "other": ("9", "Other"),
}

_TIME, _STOP, _KIND, _PAYER, _PAYER_NAME, _PLAN, _MEMBER, _GROUP, _WIDTH = range(2, 11)


def _build(shape: Shape, slot: Slots) -> Json:
    def class_of(code: str, display: str, value: str, name: str) -> Json:
        kind = {"coding": [{"system": _CLASSES, "code": code, "display": display}]}
        return {"type": kind, "value": value, "name": name}

    member = slot.padded(_MEMBER, width=10)
    plan = slot.local_text(_PLAN if shape["plan"] else _PAYER_NAME)
    period: Json = {"start": slot.date_time(_TIME)}
    if shape["stop"]:
        period["end"] = slot.date_time(_STOP)
    relationship = {"system": _RELATIONSHIPS, "code": "self", "display": "Self"}
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-coverage"),
        "identifier": [
            {
                "type": {"coding": [{"system": _IDENTIFIER_TYPES, "code": "MB", "display": "Member Number"}]},
                "system": _MEMBER_SYSTEM,
                "value": member,
            }
        ],
        "status": "cancelled" if shape["stop"] else "active",
        "type": slot.element(_KIND),
        "subscriber": slot.reference("Patient", PATIENT),
        "subscriberId": slot.padded(_MEMBER, width=10),
        "beneficiary": slot.reference("Patient", PATIENT),
        "relationship": {"coding": [relationship]},
        "period": period,
        "payor": [slot.reference("Organization", _PAYER)],
        "class": [
            class_of("group", "Group", slot.padded(_GROUP, width=6), slot.local_text(_PAYER_NAME)),
            class_of("plan", "Plan", plan, slot.local_text(_PLAN if shape["plan"] else _PAYER_NAME)),
        ],
    }


FAMILY = Family("Coverage", Coverage, ShapeSpace(stop=2, plan=2), _build)


def payment_type(kind: str | None) -> bytes:
    """The concept of a kind of insurance."""
    if kind not in _KINDS:
        msg = f"coverages: unknown kind {kind!r}, expected one of {', '.join(_KINDS)} where there is a payer"
        raise SchemaError(msg)
    code, words = _KINDS[kind]
    return coded(_PAYMENT_TYPES, code, text=words)


def _fill(shard: Shard) -> None:
    section = shard.sections["coverages"]
    columns, cells = shard.columns("coverages"), section.cells
    insured = ~columns.text("payer").is_null
    shard.is_part[section.base : section.base + section.n_rows] = ~insured
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _KIND] = shard.codes("coverages", ["kind"], payment_type, where=insured)
    cells[:, _PAYER] = payers_of(shard)
    cells[:, _PAYER_NAME] = shard.local_texts("coverages", "payer")
    cells[:, _PLAN] = shard.local_texts("coverages", "plan")
    words = shard.words(section, _MEMBER_XOR)
    cells[:, _MEMBER] = (words % np.uint64(10**10)).astype(np.int64)
    cells[:, _GROUP] = (words >> np.uint64(40)).astype(np.int64) % 10**6
    shard.set_templates(section, FAMILY, stop=cells[:, _STOP] != NO_TIME, plan=cells[:, _PLAN] != NONE)


KIND = Kind("Coverage", "coverages", _WIDTH, _fill)
