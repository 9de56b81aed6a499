"""What a claim and its explanation share: lines, diagnoses and procedures with their numbers, amounts of money.

A claim's children are rows without a resource of their own. Diagnoses and procedures look alike in both resources, so
both list the same rows; lines do not (an explanation says how each was settled), so each has its own.
"""

import numpy as np
from numpy.typing import NDArray

from fhir_export.shard import NONE, Integers, Section, Shard
from fhir_export.templates import Json, Slots

CLAIMS, EXPLANATIONS = "claims", "explanations"
LINES, EXPLAINED_LINES = "claim_lines", "explained lines"
DIAGNOSES, PROCEDURES = "claim diagnoses", "claim procedures"
CHILD_WIDTH = 4
CLAIM_WIDTH, EXPLANATION_WIDTH, LINE_WIDTH, EXPLAINED_LINE_WIDTH = 18, 25, 13, 19

EXPLANATION_XOR = 0x4B1D5E7F9A3C2608
_EXPLAINED_LINE_XOR = 0x6E2D9B4C1F8A7350
_DIAGNOSIS_XOR = 0x51C3E9A07B24F68D
_PROCEDURE_XOR = 0x0F9E8D7C6B5A4938

SEQUENCE, TARGET = 2, 3  # of a diagnosis or procedure

Mask = NDArray[np.bool_]


def plan(shard: Shard) -> None:
    """Adds the sections of claims, of explanations, and of their children."""
    columns = shard.columns("claims")
    owners, keys = columns.keys("patient_id"), columns.keys("row_key")
    claims = shard.add(CLAIMS, "Claim", CLAIM_WIDTH, owners, keys)
    lines_table = shard.columns("claim_lines")
    line_owners, line_keys = lines_table.keys("patient_id"), lines_table.keys("row_key")
    lines = shard.add(LINES, None, LINE_WIDTH, line_owners, line_keys)
    claim_of_line = shard.require(lines, "claim_key", CLAIMS)
    is_explained = shard.require(claims, "coverage_key", "coverages") != NONE
    explained_keys = keys[is_explained] ^ np.uint64(EXPLANATION_XOR)
    shard.add(EXPLANATIONS, "ExplanationOfBenefit", EXPLANATION_WIDTH, owners[is_explained], explained_keys)
    explained = is_explained[claim_of_line - claims.base] & (claim_of_line != NONE) if lines.n_rows else _none()
    explained_keys = line_keys[explained] ^ np.uint64(_EXPLAINED_LINE_XOR)
    shard.add(EXPLAINED_LINES, None, EXPLAINED_LINE_WIDTH, line_owners[explained], explained_keys)
    shard.lookups |= {
        "claim of line": claim_of_line,
        "explained claims": np.flatnonzero(is_explained),
        "explained lines": np.flatnonzero(explained),
    }
    _plan_diagnoses(shard, claims)
    _plan_procedures(shard)


def _none() -> Mask:
    return np.zeros(0, np.bool_)


def _plan_diagnoses(shard: Shard, claims: Section) -> None:
    """A row for each condition that a visit with a claim found."""
    encounters, conditions = shard.sections["encounters"], shard.sections["conditions"]
    visits = shard.require(claims, "encounter_key", "encounters")
    shard.lookups["claim visit"] = visits
    of_visit = np.full(encounters.n_rows + 1, NONE, np.int64)
    is_visit = (shard.columns("claims").keys("medication_key") == 0) & (visits != NONE)
    of_visit[visits[is_visit] - encounters.base] = claims.rows[is_visit]
    found = shard.require(conditions, "encounter_key", "encounters")
    claim = of_visit[np.where(found == NONE, encounters.n_rows, found - encounters.base)]
    rows = np.flatnonzero(claim != NONE)
    columns = shard.columns("conditions")
    keys = columns.keys("row_key")[rows] ^ np.uint64(_DIAGNOSIS_XOR)
    shard.add(DIAGNOSES, None, CHILD_WIDTH, columns.keys("patient_id")[rows], keys)
    shard.lookups |= {"diagnosis claim": claim[rows], "diagnosis target": conditions.rows[rows]}


def _plan_procedures(shard: Shard) -> None:
    """A row for each line that bills a procedure."""
    columns, lines = shard.columns("claim_lines"), shard.sections[LINES]
    tables = columns.text("item_table")
    is_procedure = np.array([name == "procedures" for name in tables.values], np.bool_)[tables.indices]
    item_keys = np.where(is_procedure, columns.keys("item_key"), np.uint64(0))  # nothing is slower than a key not found
    targets = shard.find(lines, item_keys, "procedures")
    rows = np.flatnonzero(targets != NONE)
    keys = columns.keys("row_key")[rows] ^ np.uint64(_PROCEDURE_XOR)
    shard.add(PROCEDURES, None, CHILD_WIDTH, columns.keys("patient_id")[rows], keys)
    claim = shard.lookups["claim of line"][rows]
    numbers = np.zeros(lines.n_rows, np.int64)
    numbers[rows] = numbered(claim)
    shard.lookups |= {
        "procedure claim": claim,
        "procedure target": targets[rows],
        "procedure number": numbers,
    }


def numbered(parents: Integers) -> Integers:
    """The number of each row among those of its parent, from 1, in the order of rows."""
    order = np.argsort(parents, kind="stable")
    ranked = parents[order]
    place = np.arange(len(parents))
    begins = np.ones(len(parents), np.bool_)
    begins[1:] = ranked[1:] != ranked[:-1]
    first = np.maximum.accumulate(np.where(begins, place, 0)) if len(place) else place
    numbers = np.empty(len(parents), np.int64)
    numbers[order] = place - first + 1
    return numbers


def put_cents(section: Section, column: int, cents: Integers) -> None:
    """Fills the two cells of an amount of money."""
    section.cells[:, column] = cents
    section.cells[:, column + 1] = 2


def money(slot: Slots, column: int) -> Json:
    """An amount in US dollars."""
    return {"value": slot.decimal(column), "currency": "USD"}


def hl7_concept(name: str, code: str, display: str | None = None) -> Json:
    """A concept of a code system of HL7 Terminology, by its short name."""
    coding = {"system": f"http://terminology.hl7.org/CodeSystem/{name}", "code": code}
    return {"coding": [coding | ({"display": display} if display else {})]}
