"""Media: one image of some imaging studies, as a report shows it. The picture is a single grey pixel."""

import numpy as np
from fhir.resources.R4B.media import Media

from fhir_export.resources.imaging_study import SERIES, STUDIES, begins_study
from fhir_export.shard import NONE, PATIENT, Kind, Shard
from fhir_export.shares import KEY_IMAGE, chosen
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

KEY_IMAGES = "key images"

_XOR = 0xA5CB9243F1B0D7E6
_TYPES = "http://terminology.hl7.org/CodeSystem/media-type"
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="

_TIME, _ENCOUNTER, _WIDTH = range(2, 5)


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta(),
        "status": "completed",
        "type": {"coding": [{"system": _TYPES, "code": "image", "display": "Image"}]},
        "subject": slot.reference("Patient", PATIENT),
        "createdDateTime": slot.date_time(_TIME),
        "height": 1,
        "width": 1,
        "content": {"contentType": "image/png", "data": _PIXEL, "title": "Stand-in for an image"},
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    return content


FAMILY = Family("Media", Media, ShapeSpace(encounter=2), _build)


def _plan(shard: Shard) -> None:
    studies = shard.sections[STUDIES]
    shown = np.flatnonzero(chosen(shard, studies, KEY_IMAGE))
    keys = studies.keys[shown] ^ np.uint64(_XOR)
    section = shard.add(KEY_IMAGES, "Media", _WIDTH, shard.patient_ids[studies.patient[shown]], keys)
    media = np.full(studies.n_rows, NONE, np.int64)
    media[shown] = section.rows
    shard.lookups |= {"study media": media, "media study": shown}


def _fill(shard: Shard) -> None:
    section, shown, begins = shard.sections[KEY_IMAGES], shard.lookups["media study"], begins_study(shard)
    cells = section.cells
    cells[:, _TIME] = shard.columns(SERIES).times("time")[begins][shown]
    cells[:, _ENCOUNTER] = shard.require(shard.sections[SERIES], "encounter_key", "encounters")[begins][shown]
    shard.set_templates(section, FAMILY, encounter=cells[:, _ENCOUNTER] != NONE)


KIND = Kind("Media", KEY_IMAGES, _WIDTH, _fill, _plan)
