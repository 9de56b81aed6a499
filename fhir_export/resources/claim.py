"""Claim: one resource a row of `claims`; its items are the rows of `claim_lines`.

Nobody's profile is claimed. A patient whom nobody insures pays for themselves: the claim says so in words and refers to
no Coverage. There is no explanation of its benefit then.
"""

import numpy as np
from fhir.resources.R4B.claim import Claim, ClaimDiagnosis, ClaimItem, ClaimProcedure

from fhir_export import billing
from fhir_export.billing import (
    CLAIMS,
    DIAGNOSES,
    LINES,
    PROCEDURES,
    SEQUENCE,
    TARGET,
    hl7_concept,
    money,
    numbered,
    put_cents,
)
from fhir_export.care import organizations, payers_of, practitioners
from fhir_export.concepts import concept
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from trajsim.errors import SchemaError

SELF_PAY, INSURED, PAYER_NAMED = range(3)

TYPES = (("professional", "Professional"), ("institutional", "Institutional"), ("pharmacy", "Pharmacy"))

# Of a claim and of an explanation.
(
    TIME, STOP, PROVIDER, CLINICIAN, FACILITY, PRESCRIPTION, COVERAGE, PAYER, FIRST_DIAGNOSIS, _N_DIAGNOSES,
    FIRST_PROCEDURE, _N_PROCEDURES, FIRST_LINE, _N_LINES, BILLED, _BILLED_DECIMALS, OWN_FROM,
) = range(2, 19)  # fmt: skip
# Of a line of either.
(
    NUMBER, CODE, DATE, PROCEDURE_NUMBER, VISIT, QUANTITY, _QUANTITY_DECIMALS, PRICE, _PRICE_DECIMALS, NET,
    _NET_DECIMALS, LINE_OWN_FROM,
) = range(2, 14)  # fmt: skip

SHAPE = {"kind": len(TYPES), "facility": 2, "diagnoses": 2, "procedures": 2}
LINE_SHAPE = {"diagnosis": 2, "procedure": 2, "visit": 2}


def _build_diagnosis(_shape: Shape, slot: Slots) -> Json:
    return {"sequence": slot.integer(SEQUENCE), "diagnosisReference": slot.reference("Condition", TARGET)}


def _build_procedure(_shape: Shape, slot: Slots) -> Json:
    return {"sequence": slot.integer(SEQUENCE), "procedureReference": slot.reference("Procedure", TARGET)}


DIAGNOSIS = Family("Claim.diagnosis", ClaimDiagnosis, ShapeSpace(any=1), _build_diagnosis, is_resource=False)
PROCEDURE = Family("Claim.procedure", ClaimProcedure, ShapeSpace(any=1), _build_procedure, is_resource=False)


def claim_members(shape: Shape, slot: Slots) -> Json:
    """What a claim and its explanation have in common."""
    kind = TYPES[shape["kind"]]
    content: Json = {
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{slot.id()}"}],
        "status": "active",
        "type": hl7_concept("claim-type", *kind),
        "use": "claim",
        "patient": slot.reference("Patient", PATIENT),
        "billablePeriod": {"start": slot.date_time(TIME), "end": slot.date_time(STOP)},
        "created": slot.date_time(STOP),
        "provider": slot.reference("Organization", PROVIDER),
        "careTeam": [
            {
                "sequence": 1,
                "provider": slot.reference("Practitioner", CLINICIAN),
                "role": hl7_concept("claimcareteamrole", "primary", "Primary provider"),
            }
        ],
    }
    if kind[0] == "pharmacy":
        content["prescription"] = slot.reference("MedicationRequest", PRESCRIPTION)
    if shape["facility"]:
        content["facility"] = slot.reference("Location", FACILITY)
    if shape["diagnoses"]:
        any_diagnosis = {"sequence": 1, "diagnosisReference": {"display": "any"}}
        content["diagnosis"] = [slot.listed(FIRST_DIAGNOSIS, by=DIAGNOSIS, **any_diagnosis)]
    if shape["procedures"]:
        any_procedure = {"sequence": 1, "procedureReference": {"display": "any"}}
        content["procedure"] = [slot.listed(FIRST_PROCEDURE, by=PROCEDURE, **any_procedure)]
    return content


def line_members(shape: Shape, slot: Slots) -> Json:
    """What a line of a claim and of its explanation have in common."""
    content: Json = {
        "sequence": slot.integer(NUMBER),
        "careTeamSequence": [1],
        "productOrService": slot.element(CODE),
        "servicedDate": slot.date(DATE),
        "quantity": {"value": slot.decimal(QUANTITY)},
        "unitPrice": money(slot, PRICE),
        "net": money(slot, NET),
    }
    if shape["diagnosis"]:
        content["diagnosisSequence"] = [1]
    if shape["procedure"]:
        content["procedureSequence"] = [slot.integer(PROCEDURE_NUMBER)]
    if shape["visit"]:
        content["encounter"] = [slot.reference("Encounter", VISIT)]
    return content


def _build(shape: Shape, slot: Slots) -> Json:
    insurance: Json = {"sequence": 1, "focal": True, "coverage": {"display": "Self-pay"}}
    content: Json = {"id": slot.id(), "meta": slot.meta()} | claim_members(shape, slot)
    content["priority"] = hl7_concept("processpriority", "normal", "Normal")
    if shape["payer"] == INSURED:
        content["insurer"] = slot.reference("Organization", PAYER)
        insurance["coverage"] = slot.reference("Coverage", COVERAGE)
    elif shape["payer"] == PAYER_NAMED:
        insurance["coverage"] = {"display": slot.local_text(PAYER)}
    content["insurance"] = [insurance]
    content["item"] = [slot.listed(FIRST_LINE, sequence=1, productOrService={"text": "any"})]
    content["total"] = money(slot, BILLED)
    return content


FAMILY = Family("Claim", Claim, ShapeSpace(**SHAPE, payer=3), _build)
ITEM = Family("Claim.item", ClaimItem, ShapeSpace(**LINE_SHAPE), line_members, is_resource=False)


def _fill(shard: Shard) -> None:
    section, columns = shard.sections[CLAIMS], shard.columns("claims")
    _fill_children(shard, section)
    cells = section.cells
    cells[:, TIME] = columns.times("time")
    cells[:, STOP] = columns.times("stop")
    visits = shard.lookups["claim visit"]
    cells[:, PROVIDER] = organizations(shard, section, visits)
    cells[:, CLINICIAN] = practitioners(shard, section, visits)
    cells[:, FACILITY] = _facilities(shard, visits)
    cells[:, PRESCRIPTION] = shard.require(section, "medication_key", "medications")
    cells[:, COVERAGE] = shard.require(section, "coverage_key", "coverages")
    payer = _payer(shard, cells[:, COVERAGE])
    names = shard.local_texts("claims", "payer")
    cells[:, PAYER] = np.where(payer != NONE, payer, names)
    put_cents(section, BILLED, columns.integers("billed_cents"))
    shard.lookups["claim shape"] = codes = _shape(shard, section)
    kind, facility, diagnoses, procedures = codes.T
    shard.set_templates(
        section,
        FAMILY,
        kind=kind,
        facility=facility,
        diagnoses=diagnoses,
        procedures=procedures,
        payer=np.where(payer != NONE, INSURED, np.where(names != NONE, PAYER_NAMED, SELF_PAY)),
    )
    _fill_lines(shard, section, diagnoses)


def _fill_children(shard: Shard, section: Section) -> None:
    """Hands diagnoses and procedures to the claims that list them."""
    for name, kind, column in (
        (DIAGNOSES, "diagnosis", FIRST_DIAGNOSIS),
        (PROCEDURES, "procedure", FIRST_PROCEDURE),
    ):
        children, claim = shard.sections[name], shard.lookups[f"{kind} claim"]
        children.cells[:, SEQUENCE] = numbered(claim)
        children.cells[:, TARGET] = shard.lookups[f"{kind} target"]
        section.cells[:, column], section.cells[:, column + 1] = shard.add_children(claim, children.rows, section)


def _facilities(shard: Shard, visits: Integers) -> Integers:
    """Where each visit took place; NONE: there is no visit."""
    encounters = shard.sections["encounters"]
    places = np.append(shard.lookups["encounter location"], NONE)
    return np.asarray(places[np.where(visits == NONE, encounters.n_rows, visits - encounters.base)])


def _payer(shard: Shard, coverages: Integers) -> Integers:
    """The organization that pays for each of some coverages; NONE: nobody."""
    section = shard.sections["coverages"]
    payers = np.append(payers_of(shard), NONE)
    return np.asarray(payers[np.where(coverages == NONE, section.n_rows, coverages - section.base)])


def _shape(shard: Shard, section: Section) -> Integers:
    """Kind, facility, diagnoses, procedures of every claim: what its explanation has as well."""
    kinds = shard.columns("claims").text("claim_type")
    known = [name for name, _ in TYPES]
    for index in kinds.used():
        if kinds.values[index] not in known:
            msg = f"claims: unknown claim_type {kinds.values[index]!r}, expected one of {', '.join(known)}"
            raise SchemaError(msg)
    cells = section.cells
    return np.stack(
        [
            kinds.choice(known),
            cells[:, FACILITY] != NONE,
            cells[:, FIRST_DIAGNOSIS + 1] > 0,
            cells[:, FIRST_PROCEDURE + 1] > 0,
        ],
        axis=1,
    ).astype(np.int64)


def _fill_lines(shard: Shard, section: Section, diagnoses: Integers) -> None:
    lines, columns = shard.sections[LINES], shard.columns("claim_lines")
    claim = shard.lookups["claim of line"]
    own = claim - section.base
    cells = lines.cells
    cells[:, NUMBER] = numbered(claim)
    cells[:, CODE] = shard.codes("claim_lines", ["system", "code", "display"], concept)
    cells[:, DATE] = columns.times("time")
    cells[:, PROCEDURE_NUMBER] = shard.lookups["procedure number"]
    cells[:, VISIT] = shard.lookups["claim visit"][own]
    shard.put_decimals(lines, QUANTITY, columns.numbers("quantity")[0])
    put_cents(lines, PRICE, columns.integers("unit_price_cents"))
    put_cents(lines, NET, columns.integers("billed_cents"))
    shape = {
        "diagnosis": diagnoses[own],
        "procedure": cells[:, PROCEDURE_NUMBER] > 0,
        "visit": cells[:, VISIT] != NONE,
    }
    shard.lookups["line shape"] = np.stack(list(shape.values()), axis=1).astype(np.int64)
    shard.set_templates(lines, ITEM, **shape)
    section.cells[:, FIRST_LINE], section.cells[:, FIRST_LINE + 1] = shard.add_children(claim, lines.rows, section)


KIND = Kind("Claim", "claims", billing.CLAIM_WIDTH, _fill, billing.plan)
