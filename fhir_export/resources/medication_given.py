"""MedicationDispense of what was prescribed, MedicationAdministration of what was given on the spot.

A prescription is dispensed once, on the day it was written; what is given on the spot has an order (MedicationRequest)
as well. Both refer to it.
"""

import numpy as np
from fhir.resources.R4B.medicationadministration import MedicationAdministration
from fhir.resources.R4B.medicationdispense import MedicationDispense
from numpy.typing import NDArray

from fhir_export.care import organizations, practitioners
from fhir_export.concepts import concept, dispensed, dosage
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

DISPENSES, ADMINISTRATIONS = "dispenses", "administrations"

_DISPENSE_XOR = 0x1D8E4E27C47D124F
_ADMINISTRATION_XOR = 0xEB44ACCAB455D165
_FIRST_FILL = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "FF", "display": "First Fill"}

_TIME, _ENCOUNTER, _CODE, _REQUEST, _PERFORMER, _DOSAGE, _QUANTITY, _WIDTH = range(2, 10)


def _build_dispense(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-medicationdispense"),
        "status": "completed",
        "medicationCodeableConcept": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "performer": [{"actor": slot.reference("Organization", _PERFORMER)}],
        "authorizingPrescription": [slot.reference("MedicationRequest", _REQUEST)],
        "type": {"coding": [_FIRST_FILL]},
        "whenHandedOver": slot.date_time(_TIME),
    }
    if shape["encounter"]:
        content["context"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["quantity"]:
        content["quantity"] = slot.element(_QUANTITY)
    if shape["dosage"]:
        content["dosageInstruction"] = [slot.element(_DOSAGE)]
    return content


DISPENSE = Family(
    "MedicationDispense", MedicationDispense, ShapeSpace(encounter=2, quantity=2, dosage=2), _build_dispense
)


def _build_administration(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta(),
        "status": "completed",
        "medicationReference": slot.reference("Medication", _CODE),
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_TIME),
        "performer": [{"actor": slot.reference("Practitioner", _PERFORMER)}],
        "request": slot.reference("MedicationRequest", _REQUEST),
    }
    if shape["encounter"]:
        content["context"] = slot.reference("Encounter", _ENCOUNTER)
    return content


ADMINISTRATION = Family(
    "MedicationAdministration", MedicationAdministration, ShapeSpace(encounter=2), _build_administration
)


def _given(shard: Shard) -> NDArray[np.bool_]:
    return shard.columns("medications").flags("is_administered")


def _plan(shard: Shard) -> None:
    columns, given = shard.columns("medications"), _given(shard)
    patients, keys = columns.keys("patient_id"), columns.keys("row_key")
    shard.add(DISPENSES, "MedicationDispense", _WIDTH, patients[~given], keys[~given] ^ np.uint64(_DISPENSE_XOR))
    shard.add(
        ADMINISTRATIONS,
        "MedicationAdministration",
        _WIDTH,
        patients[given],
        keys[given] ^ np.uint64(_ADMINISTRATION_XOR),
    )


def _fill(shard: Shard) -> None:
    orders, columns, given = shard.sections["medications"], shard.columns("medications"), _given(shard)
    encounters = shard.require(orders, "encounter_key", "encounters")
    codes = shard.codes("medications", ["system", "code", "display", "more_codes"], concept)
    for name, chosen in ((DISPENSES, ~given), (ADMINISTRATIONS, given)):
        section = shard.sections[name]
        cells = section.cells
        cells[:, _TIME] = columns.times("time")[chosen]
        cells[:, _ENCOUNTER] = encounters[chosen]
        cells[:, _CODE] = (codes if name == DISPENSES else shard.lookups["drug"])[chosen]
        cells[:, _REQUEST] = orders.rows[chosen]
        who = organizations if name == DISPENSES else practitioners
        cells[:, _PERFORMER] = who(shard, section, cells[:, _ENCOUNTER])
    prescribed = ~columns.text("prescription").is_null
    section = shard.sections[DISPENSES]
    for column, names, make in (
        (_DOSAGE, ["prescription", "display"], dosage),
        (_QUANTITY, ["prescription"], dispensed),
    ):
        section.cells[:, column] = shard.filled_codes("medications", names, make, where=prescribed)[~given]
    shard.set_templates(
        section,
        DISPENSE,
        encounter=section.cells[:, _ENCOUNTER] != NONE,
        quantity=section.cells[:, _QUANTITY] != NONE,
        dosage=section.cells[:, _DOSAGE] != NONE,
    )
    section = shard.sections[ADMINISTRATIONS]
    shard.set_templates(section, ADMINISTRATION, encounter=section.cells[:, _ENCOUNTER] != NONE)


KIND = Kind("MedicationDispense", "medications", _WIDTH, _fill, _plan)
