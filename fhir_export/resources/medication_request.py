"""MedicationRequest: one resource a row of `medications`, also for what was given on the spot."""

import numpy as np
from fhir.resources.R4B.medicationrequest import MedicationRequest
from numpy.typing import NDArray

from fhir_export.care import practitioners
from fhir_export.concepts import coded, concept, dispense, dosage
from fhir_export.reasons import choice, reasons
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Shard
from fhir_export.shares import REPORTED, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import SNOMED
from fhir_export.writer import NO_TIME

_CATEGORY = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"
_ACTIVE, _COMPLETED, _STOPPED = range(3)
_STATUSES = ("active", "completed", "stopped")
_COMMUNITY, _OUTPATIENT, _INPATIENT = range(3)
_CATEGORIES = (("community", "Community"), ("outpatient", "Outpatient"), ("inpatient", "Inpatient"))
_INPATIENT_CLASSES = ("inpatient", "snf", "hospice")

(
    _TIME, _STOP, _ENCOUNTER, _CODE, _REASON_ROW, _REASON_CODE, _DOSAGE, _DISPENSE, _STOP_REASON, _REQUESTER, _DRUG,
    _WIDTH,
) = range(2, 14)  # fmt: skip


def _build(shape: Shape, slot: Slots) -> Json:
    category, display = _CATEGORIES[shape["category"]]
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-medicationrequest"),
        "status": _STATUSES[shape["status"]],
        "intent": "order",
        "category": [{"coding": [{"system": _CATEGORY, "code": category, "display": display}]}],
        "subject": slot.reference("Patient", PATIENT),
        "authoredOn": slot.date_time(_TIME),
        "requester": slot.reference("Practitioner", _REQUESTER),
    }
    if shape["reported"]:
        content["reportedReference"] = slot.reference("Patient", PATIENT)
    else:
        content["reportedBoolean"] = False
    if shape["drug"]:
        content["medicationReference"] = slot.reference("Medication", _DRUG)
    else:
        content["medicationCodeableConcept"] = slot.element(_CODE)
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["reason"] == 1:
        content["reasonReference"] = [slot.reference("Condition", _REASON_ROW)]
    elif shape["reason"]:
        content["reasonCode"] = [slot.element(_REASON_CODE)]
    if shape["stop_reason"]:
        content["statusReason"] = slot.element(_STOP_REASON)
    if shape["dosage"]:
        content["dosageInstruction"] = [slot.element(_DOSAGE)]
    request: Json = {}
    if shape["stop"]:
        request["validityPeriod"] = {"start": slot.date_time(_TIME), "end": slot.date_time(_STOP)}
    if shape["dispense"]:
        request["id"] = slot.members(_DISPENSE)
    if request:
        content["dispenseRequest"] = request
    return content


FAMILY = Family(
    "MedicationRequest",
    MedicationRequest,
    ShapeSpace(
        status=len(_STATUSES),
        category=len(_CATEGORIES),
        encounter=2,
        reason=3,
        stop_reason=2,
        dosage=2,
        stop=2,
        dispense=2,
        reported=2,
        drug=2,
    ),
    _build,
)


def stop_reason(code: str | None) -> bytes:
    """The concept of why a medication was stopped."""
    return coded(SNOMED, code or "")


def _fill(shard: Shard) -> None:
    section = shard.sections["medications"]
    columns, cells = shard.columns("medications"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("medications", ["system", "code", "display", "more_codes"], concept)
    cells[:, _REASON_ROW], cells[:, _REASON_CODE] = reasons(shard, section)
    cells[:, _REQUESTER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    prescribed = ~columns.text("prescription").is_null
    cells[:, _DOSAGE] = shard.filled_codes("medications", ["prescription", "display"], dosage, where=prescribed)
    cells[:, _DISPENSE] = shard.filled_codes("medications", ["prescription"], dispense, where=prescribed)
    has_stop = cells[:, _STOP] != NO_TIME
    has_reason = has_stop & ~columns.text("stop_code").is_null
    cells[:, _STOP_REASON] = shard.codes("medications", ["stop_code"], stop_reason, where=has_reason)
    given = columns.flags("is_administered")
    cells[:, _DRUG] = shard.lookups["drug"]
    status = np.where(has_reason, _STOPPED, np.where(has_stop | given, _COMPLETED, _ACTIVE))
    shard.set_templates(
        section,
        FAMILY,
        status=status,
        category=np.where(
            given, np.where(_is_inpatient(shard, cells[:, _ENCOUNTER]), _INPATIENT, _OUTPATIENT), _COMMUNITY
        ),
        encounter=cells[:, _ENCOUNTER] != NONE,
        reason=choice(cells[:, _REASON_ROW], cells[:, _REASON_CODE]),
        stop_reason=has_reason,
        dosage=cells[:, _DOSAGE] != NONE,
        stop=has_stop,
        dispense=cells[:, _DISPENSE] != NONE,
        reported=~given & chosen(shard, section, REPORTED),
        drug=cells[:, _DRUG] != NONE,
    )


def _is_inpatient(shard: Shard, encounters: Integers) -> NDArray[np.bool_]:
    """Whether each of some encounters (row numbers, NONE: no encounter) is a stay."""
    encoded = shard.columns("encounters").text("encounter_class")
    inpatient = np.array([value in _INPATIENT_CLASSES for value in encoded.values])[encoded.indices]
    known = np.append(inpatient, False)  # NONE reads the last
    positions = np.where(encounters == NONE, NONE, encounters - shard.sections["encounters"].base)
    return np.asarray(known[positions])


KIND = Kind("MedicationRequest", "medications", _WIDTH, _fill)
