"""Provenance: one resource an encounter, saying who wrote it down and who passes it on."""

import numpy as np
from fhir.resources.R4B.provenance import Provenance

from fhir_export.shard import Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

PROVENANCE = "provenance"

_PROVENANCE_XOR = 0xA0761D6478BD642F
_TYPES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_US_CORE_TYPES = "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"

_RECORDED, _ENCOUNTER, _AUTHOR, _SITE, _WIDTH = range(2, 7)


def _build(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    author = {"system": _TYPES, "code": "author", "display": "Author"}
    transmitter = {"system": _US_CORE_TYPES, "code": "transmitter", "display": "Transmitter"}
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-provenance"),
        "target": [slot.reference("Encounter", _ENCOUNTER)],
        "recorded": slot.date_time(_RECORDED),
        "agent": [
            {
                "type": {"coding": [author]},
                "who": slot.reference("Practitioner", _AUTHOR),
                "onBehalfOf": slot.reference("Organization", _SITE),
            },
            {
                "type": {"coding": [transmitter]},
                "who": slot.reference("Practitioner", _AUTHOR),
                "onBehalfOf": slot.reference("Organization", _SITE),
            },
        ],
    }


FAMILY = Family("Provenance", Provenance, ShapeSpace(only=1), _build)


def _plan(shard: Shard) -> None:
    columns = shard.columns("encounters")
    keys = columns.keys("row_key") ^ np.uint64(_PROVENANCE_XOR)
    shard.add(PROVENANCE, "Provenance", _WIDTH, columns.keys("patient_id"), keys)


def _fill(shard: Shard) -> None:
    section = shard.sections[PROVENANCE]
    cells = section.cells
    cells[:, _RECORDED] = shard.columns("encounters").times("stop")
    cells[:, _ENCOUNTER] = shard.sections["encounters"].rows
    cells[:, _AUTHOR] = shard.lookups["encounter practitioner"]
    cells[:, _SITE] = shard.lookups["encounter organization"]
    shard.set_templates(section, FAMILY, only=0)


KIND = Kind("Provenance", "encounters", _WIDTH, _fill, _plan)
