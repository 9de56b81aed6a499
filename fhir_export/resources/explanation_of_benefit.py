"""ExplanationOfBenefit: how the payer settled a claim, of every claim that a coverage pays for.

Each line and the total say what was submitted, what of it is eligible (all of it), what counts towards the deductible,
what the patient pays besides, and what the payer pays.
"""

import numpy as np
from fhir.resources.R4B.explanationofbenefit import ExplanationOfBenefit, ExplanationOfBenefitItem

from fhir_export.billing import (
    CLAIMS,
    EXPLAINED_LINES,
    EXPLANATION_WIDTH,
    EXPLANATIONS,
    LINES,
    hl7_concept,
    money,
    put_cents,
)
from fhir_export.resources.claim import (
    BILLED,
    COVERAGE,
    FIRST_LINE,
    LINE_OWN_FROM,
    LINE_SHAPE,
    NET,
    OWN_FROM,
    PAYER,
    SHAPE,
    STOP,
    TIME,
    claim_members,
    line_members,
)
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots

# The first cells are those of the claim and of its line.
_CLAIM, _DEDUCTIBLE, _COPAY, _BENEFIT = OWN_FROM, OWN_FROM + 1, OWN_FROM + 3, OWN_FROM + 5
_LINE_DEDUCTIBLE, _LINE_COPAY, _LINE_BENEFIT = LINE_OWN_FROM, LINE_OWN_FROM + 2, LINE_OWN_FROM + 4


def _settled(slot: Slots, submitted: int, deductible: int, copay: int, benefit: int) -> list[Json]:
    """The amounts by their category, each from the cell that is given."""
    categories = (
        ("submitted", submitted), ("eligible", submitted), ("deductible", deductible), ("copay", copay),
        ("benefit", benefit),
    )  # fmt: skip
    return [
        {"category": hl7_concept("adjudication", code), "amount": money(slot, column)} for code, column in categories
    ]


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {"id": slot.id(), "meta": slot.meta()} | claim_members(shape, slot)
    content |= {
        "insurer": slot.reference("Organization", PAYER),
        "claim": slot.reference("Claim", _CLAIM),
        "outcome": "complete",
        "insurance": [{"focal": True, "coverage": slot.reference("Coverage", COVERAGE)}],
        "item": [slot.listed(FIRST_LINE, sequence=1, productOrService={"text": "any"})],
        "total": _settled(slot, BILLED, _DEDUCTIBLE, _COPAY, _BENEFIT),
    }
    if shape["paid"]:
        content["payment"] = {
            "type": hl7_concept("ex-paymenttype", "complete", "Complete"),
            "date": slot.date(STOP),
            "amount": money(slot, _BENEFIT),
        }
    return content


def _build_item(shape: Shape, slot: Slots) -> Json:
    settled = _settled(slot, NET, _LINE_DEDUCTIBLE, _LINE_COPAY, _LINE_BENEFIT)
    return line_members(shape, slot) | {"adjudication": settled}


FAMILY = Family("ExplanationOfBenefit", ExplanationOfBenefit, ShapeSpace(**SHAPE, paid=2), _build)
ITEM = Family(
    "ExplanationOfBenefit.item", ExplanationOfBenefitItem, ShapeSpace(**LINE_SHAPE), _build_item, is_resource=False
)


def _plan(_shard: Shard) -> None:
    """Nothing: its rows are planned with those of claims."""


def _fill(shard: Shard) -> None:
    section, claims = shard.sections[EXPLANATIONS], shard.sections[CLAIMS]
    rows = shard.lookups["explained claims"]
    section.cells[:, TIME:OWN_FROM] = claims.cells[rows, TIME:OWN_FROM]
    section.cells[:, _CLAIM] = claims.rows[rows]
    _put_amounts(shard, section, "claims", rows, (_DEDUCTIBLE, _COPAY, _BENEFIT))
    kind, facility, diagnoses, procedures = shard.lookups["claim shape"][rows].T
    shard.set_templates(
        section,
        FAMILY,
        kind=kind,
        facility=facility,
        diagnoses=diagnoses,
        procedures=procedures,
        paid=section.cells[:, _BENEFIT] > 0,
    )
    _fill_lines(shard, section, claims)


def _fill_lines(shard: Shard, section: Section, claims: Section) -> None:
    lines, billed = shard.sections[EXPLAINED_LINES], shard.sections[LINES]
    rows = shard.lookups["explained lines"]
    lines.cells[:, PATIENT + 1 : LINE_OWN_FROM] = billed.cells[rows, PATIENT + 1 : LINE_OWN_FROM]
    _put_amounts(shard, lines, "claim_lines", rows, (_LINE_DEDUCTIBLE, _LINE_COPAY, _LINE_BENEFIT))
    diagnosis, procedure, visit = shard.lookups["line shape"][rows].T
    shard.set_templates(lines, ITEM, diagnosis=diagnosis, procedure=procedure, visit=visit)
    explanation = np.full(claims.n_rows, NONE, np.int64)
    explanation[shard.lookups["explained claims"]] = section.rows
    owners = explanation[shard.lookups["claim of line"][rows] - claims.base]
    section.cells[:, FIRST_LINE], section.cells[:, FIRST_LINE + 1] = shard.add_children(owners, lines.rows, section)


def _put_amounts(shard: Shard, section: Section, table: str, rows: Integers, places: tuple[int, int, int]) -> None:
    """Fills what the patient pays first, besides, and what the payer pays."""
    columns = shard.columns(table)
    paid, deductible, covered = (
        columns.integers(f"{name}_cents")[rows] for name in ("out_of_pocket", "deductible", "covered")
    )
    for place, cents in zip(places, (deductible, paid - deductible, covered), strict=True):
        put_cents(section, place, cents)


KIND = Kind("ExplanationOfBenefit", "claims", EXPLANATION_WIDTH, _fill, _plan)
