"""DocumentReference: one resource an encounter, its note as plain text; each is current, for none replaces another."""

import base64

import numpy as np
from fhir.resources.R4B.attachment import Attachment
from fhir.resources.R4B.documentreference import DocumentReference

from fhir_export.concepts import members
from fhir_export.shard import PATIENT, Kind, Shard
from fhir_export.shares import LINKED_NOTE, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import LOINC

NOTES = "notes"

_NOTE_XOR = 0xE7037ED1A0B428DB
_HISTORY_AND_PHYSICAL = "34117-2"
_CATEGORY = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "code": "clinical-note",
    "display": "Clinical Note",
}
_FORMAT = {
    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
}

_START, _STOP, _ENCOUNTER, _AUTHOR, _SITE, _NOTE, _WIDTH = range(2, 9)


def _build(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-documentreference"),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": _HISTORY_AND_PHYSICAL}], "text": "History and physical note"},
        "category": [{"coding": [_CATEGORY]}],
        "subject": slot.reference("Patient", PATIENT),
        "date": slot.date_time(_STOP),
        "author": [slot.reference("Practitioner", _AUTHOR)],
        "custodian": slot.reference("Organization", _SITE),
        "content": [{"attachment": {"contentType": "text/plain", "title": slot.members(_NOTE)}, "format": _FORMAT}],
        "context": {
            "encounter": [slot.reference("Encounter", _ENCOUNTER)],
            "period": {"start": slot.date_time(_START), "end": slot.date_time(_STOP)},
        },
    }


FAMILY = Family("DocumentReference", DocumentReference, ShapeSpace(only=1), _build)


def _note(encounter_class: str | None, wording: str | None, reason: str | None, discharge: str | None) -> str:
    said = [f"Encounter: {wording} ({encounter_class})."]
    if reason:
        said.append(f"Reason: {reason}.")
    if discharge:
        said.append(f"Discharge: {discharge}.")
    return base64.b64encode("\n".join(said).encode()).decode()


def note(encounter_class: str | None, wording: str | None, reason: str | None, discharge: str | None) -> bytes:
    """The member of an attachment that holds the note of an encounter."""
    return members(Attachment, {"data": _note(encounter_class, wording, reason, discharge)})


def linked_note(encounter_class: str | None, wording: str | None, reason: str | None, discharge: str | None) -> bytes:
    """As `note`, behind an address that needs no server: the note itself (RFC 2397)."""
    data = _note(encounter_class, wording, reason, discharge)
    return members(Attachment, {"url": f"data:text/plain;base64,{data}"})


def _plan(shard: Shard) -> None:
    columns = shard.columns("encounters")
    keys = columns.keys("row_key") ^ np.uint64(_NOTE_XOR)
    shard.add(NOTES, "DocumentReference", _WIDTH, columns.keys("patient_id"), keys)


def _fill(shard: Shard) -> None:
    section, columns = shard.sections[NOTES], shard.columns("encounters")
    cells = section.cells
    cells[:, _START] = columns.times("time")
    cells[:, _STOP] = columns.times("stop")
    cells[:, _ENCOUNTER] = shard.sections["encounters"].rows
    cells[:, _AUTHOR] = shard.lookups["encounter practitioner"]
    cells[:, _SITE] = shard.lookups["encounter organization"]
    names = ["encounter_class", "display", "reason_display", "discharge_display"]
    linked = chosen(shard, section, LINKED_NOTE)
    cells[:, _NOTE] = np.where(
        linked,
        shard.codes("encounters", names, linked_note, where=linked),
        shard.codes("encounters", names, note, where=~linked),
    )
    shard.set_templates(section, FAMILY, only=0)


KIND = Kind("DocumentReference", "encounters", _WIDTH, _fill, _plan)
