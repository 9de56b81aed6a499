"""Specimen: one resource for what an encounter took from a patient for the laboratory, by kind."""

import numpy as np
from fhir.resources.R4B.specimen import Specimen
from numpy.typing import NDArray

from fhir_export.ids import POSITION_FACTOR
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import SNOMED

SPECIMENS = "specimens"
# Numbers that a laboratory gives to what it receives; 2.25 is the arc of UUIDs.
ACCESSION_SYSTEM = "urn:oid:2.25.304481931343994467987404078379302106777"

_SPECIMEN_XOR = 0x2F7E15162D98A3F1
_ACCESSION_XOR = 0x8CB92BA72F3D8DD7
_KINDS = (("119297000", "Blood specimen"), ("122575003", "Urine specimen"))
_WORDS = (("blood", "serum", "plasma"), ("urine",))

_TIME, _ACCESSION, _WIDTH = range(2, 5)


def _build(shape: Shape, slot: Slots) -> Json:
    code, words = _KINDS[shape["kind"]]
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-specimen"),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "accessionIdentifier": {"system": ACCESSION_SYSTEM, "value": slot.padded(_ACCESSION, width=10)},
        "status": "available",
        "type": {"coding": [{"system": SNOMED, "code": code}], "text": words},
        "subject": slot.reference("Patient", PATIENT),
        "collection": {"collectedDateTime": slot.date_time(_TIME)},
    }


FAMILY = Family("Specimen", Specimen, ShapeSpace(kind=len(_KINDS)), _build)


def kind_of(wording: str | None) -> int:
    """What a laboratory test was made of, by its wording; NONE: it does not say."""
    text = (wording or "").lower()
    return next((kind for kind, words in enumerate(_WORDS) if any(word in text for word in words)), NONE)


def _kinds(shard: Shard) -> Integers:
    """The kind of specimen of every observation; NONE: none."""
    columns = shard.columns("observations")
    wordings, categories = columns.text("display"), columns.text("category")
    kinds = np.array([kind_of(wording) for wording in wordings.values], np.int64)[wordings.indices]
    is_laboratory: NDArray[np.bool_] = np.array([name == "laboratory" for name in categories.values])[
        categories.indices
    ]
    is_whole = columns.keys("panel_key") == 0
    return np.where(is_laboratory & is_whole & (columns.keys("encounter_key") != 0), kinds, NONE)


def _plan(shard: Shard) -> None:
    observations, encounters = shard.sections["observations"], shard.sections["encounters"]
    kinds = _kinds(shard)
    visits = shard.require(observations, "encounter_key", "encounters") - encounters.base
    chosen = np.flatnonzero(kinds != NONE)
    codes, first, which = np.unique(
        visits[chosen] * len(_KINDS) + kinds[chosen], return_index=True, return_inverse=True
    )
    visit, kind = np.divmod(codes, len(_KINDS))
    spread = (kind + 1).astype(np.uint64) * np.uint64(POSITION_FACTOR)
    keys = encounters.keys[visit] ^ np.uint64(_SPECIMEN_XOR) ^ spread
    owners = shard.patient_ids[encounters.patient[visit]]
    section = shard.add(SPECIMENS, "Specimen", _WIDTH, owners, keys)
    specimens = np.full(observations.n_rows, NONE, np.int64)
    specimens[chosen] = section.rows[which]
    shard.lookups |= {"specimen": specimens, "specimen kind": kind, "specimen first": chosen[first]}


def _fill(shard: Shard) -> None:
    section = shard.sections[SPECIMENS]
    section.cells[:, _TIME] = shard.columns("observations").times("time")[shard.lookups["specimen first"]]
    words = shard.words(section, _ACCESSION_XOR)
    section.cells[:, _ACCESSION] = (words % np.uint64(10**10)).astype(np.int64)
    shard.set_templates(section, FAMILY, kind=shard.lookups["specimen kind"])


KIND = Kind("Specimen", "observations", _WIDTH, _fill, _plan)
