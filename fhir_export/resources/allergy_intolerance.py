"""AllergyIntolerance: one resource a row of `allergies`."""

import numpy as np
from fhir.resources.R4B.allergyintolerance import AllergyIntolerance

from fhir_export.care import practitioners
from fhir_export.concepts import concept, has_severe, reactions
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.writer import NO_TIME

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_TYPES = (None, "allergy", "intolerance")
_CATEGORIES = (None, "food", "medication", "environment", "biologic")

_TIME, _ENCOUNTER, _CODE, _REACTIONS, _RECORDER, _WIDTH = range(2, 8)


def _build(shape: Shape, slot: Slots) -> Json:
    status = "resolved" if shape["stop"] else "active"
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-allergyintolerance"),
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
        "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]},
        "criticality": "high" if shape["severe"] else "low",
        "code": slot.element(_CODE),
        "patient": slot.reference("Patient", PATIENT),
        "onsetDateTime": slot.date_time(_TIME),
        "recordedDate": slot.date_time(_TIME),
        "recorder": slot.reference("Practitioner", _RECORDER),
    }
    if shape["type"]:
        content["type"] = _TYPES[shape["type"]]
    if shape["category"]:
        content["category"] = [_CATEGORIES[shape["category"]]]
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["reactions"]:
        content["reaction"] = [slot.element(_REACTIONS, manifestation=[{"text": "any"}])]
    return content


FAMILY = Family(
    "AllergyIntolerance",
    AllergyIntolerance,
    ShapeSpace(encounter=2, stop=2, severe=2, reactions=2, type=len(_TYPES), category=len(_CATEGORIES)),
    _build,
)


def _fill(shard: Shard) -> None:
    section = shard.sections["allergies"]
    columns, cells = shard.columns("allergies"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("allergies", ["system", "code", "display", "more_codes"], concept)
    cells[:, _RECORDER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    listed = columns.text("reactions")
    said = np.array([value not in {None, "[]", ""} for value in listed.values])[listed.indices]
    severe = np.array([has_severe(value) for value in listed.values])[listed.indices]
    cells[:, _REACTIONS] = shard.codes("allergies", ["reactions"], reactions, where=said)
    shard.set_templates(
        section,
        FAMILY,
        encounter=cells[:, _ENCOUNTER] != NONE,
        stop=columns.times("stop") != NO_TIME,
        severe=severe,
        reactions=said,
        type=columns.text("allergy_type").choice(_TYPES),
        category=columns.text("category").choice(_CATEGORIES),
    )


KIND = Kind("AllergyIntolerance", "allergies", _WIDTH, _fill)
