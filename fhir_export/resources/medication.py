"""Medication: what was given on the spot, one resource a product, the same for all patients.

What is prescribed has its code in the order itself.
"""

from hashlib import blake2b

import numpy as np
from fhir.resources.R4B.medication import Medication

from fhir_export.columns import combined
from fhir_export.concepts import concept
from fhir_export.shard import NONE, Kind, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

DRUGS = "drugs"

_NAMES = ["system", "code", "display", "more_codes"]

_CODE, _WIDTH = range(2, 4)


def _build(shape: Shape, slot: Slots) -> Json:  # noqa: ARG001 - there is one shape
    return {
        "id": slot.id(),
        "meta": slot.meta("us-core-medication"),
        "code": slot.element(_CODE),
        "status": "active",
    }


FAMILY = Family("Medication", Medication, ShapeSpace(only=1), _build, is_shared=True)


def drug_key(*values: str | None) -> int:
    """Row key of a product: of its codes and wording, so that equal keys are equal resources."""
    return int.from_bytes(
        blake2b("\n".join(value or "" for value in values).encode(), digest_size=8).digest(), "little"
    )


def _plan(shard: Shard) -> None:
    """Adds each product that a patient was given; `lookups["drug"]` has it for every row of `medications`."""
    orders, columns = shard.sections["medications"], shard.columns("medications")
    given = np.flatnonzero(columns.flags("is_administered"))
    place, values = combined([columns.text(name) for name in _NAMES])
    pairs, first, which = np.unique(
        orders.patient[given] * max(len(values), 1) + place[given], return_index=True, return_inverse=True
    )
    owners, numbers = np.divmod(pairs, max(len(values), 1))
    known = {number: drug_key(*values[number]) for number in np.unique(numbers).tolist()}
    keys = np.array([known[number] for number in numbers.tolist()], np.uint64)
    section = shard.add(DRUGS, "Medication", _WIDTH, shard.patient_ids[owners], keys, is_shared=True)
    drugs = np.full(orders.n_rows, NONE, np.int64)
    drugs[given] = section.rows[which]
    shard.lookups |= {"drug": drugs, "drug order": given[first]}


def _fill(shard: Shard) -> None:
    section = shard.sections[DRUGS]
    section.cells[:, _CODE] = shard.codes("medications", _NAMES, concept)[shard.lookups["drug order"]]
    shard.set_templates(section, FAMILY, only=0)


KIND = Kind("Medication", DRUGS, _WIDTH, _fill, _plan)
