"""ServiceRequest: the orders behind laboratory reports, imaging studies and procedures.

A laboratory report has an order of its own, and so has an imaging study, which its procedure shares. Procedures done
for a condition have one order for each procedure and condition, however often it is done: a course of treatment
(dialysis three times a week for years is one standing order). What has no condition as its reason (screening, counting
tablets) was ordered by nobody.
"""

from dataclasses import dataclass

import numpy as np
from fhir.resources.R4B.servicerequest import ServiceRequest
from numpy.typing import NDArray

from fhir_export.care import practitioners
from fhir_export.concepts import concept
from fhir_export.reasons import choice, reasons
from fhir_export.resources.diagnostic_report import is_laboratory
from fhir_export.resources.imaging_study import SERIES, STUDIES, begins_study, procedures_of
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import SNOMED

ORDERS = "orders"

_LABORATORY_XOR = 0xD6E8FEB86659FD93
_IMAGING_XOR = 0xCF3FD4C1E6A8B705
_COURSE_XOR = 0xB7E151628AED2A6B
_LABORATORY, _IMAGING, _COUNSELLING, _EDUCATION, _SURGERY, _EVALUATION, _OTHER = range(7)
_CATEGORIES = (
    ("108252007", "Laboratory procedure"),
    ("363679005", "Imaging"),
    ("409063005", "Counselling"),
    ("409073007", "Education"),
    ("387713003", "Surgical procedure"),
    ("386053000", "Evaluation procedure"),
    ("71388002", "Procedure"),
)
_WORDS = {
    _OTHER: ("referral",),
    _COUNSELLING: ("counsel",),
    _EDUCATION: ("education", "guidance"),
    _EVALUATION: (
        " exam", "screen", " test ", " testing ", "evaluat", "assess", "measure", "auscult", " scan ", "monitor",
        "colonoscopy", " count ", "culture", "titer", "cytopathology", "antigen", "antibody", "assay", "hemogram",
        "typing", "analysis, ", "urinalysis", " study ",
    ),
    _SURGERY: (
        "surg", "ectomy", "plasty", "ostomy", "otomy", "excision", "incision", "transplant", "graft", "implant",
        "operation", "biopsy", "replacement", "insertion", "extraction",
    ),
}  # fmt: skip

_START, _STOP, _AUTHORED, _ENCOUNTER, _CODE, _REASON_ROW, _REASON_CODE, _REQUESTER, _WIDTH = range(2, 11)
_PLANNED = _REQUESTER - _START  # cells known when the rows are planned


def _build(shape: Shape, slot: Slots) -> Json:
    code, words = _CATEGORIES[shape["category"]]
    content: Json = {
        "id": slot.id(),
        "meta": slot.meta("us-core-servicerequest"),
        "status": "completed",
        "intent": "order",
        "category": [{"coding": [{"system": SNOMED, "code": code}], "text": words}],
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "occurrencePeriod": {"start": slot.date_time(_START), "end": slot.date_time(_STOP)},
        "authoredOn": slot.date_time(_AUTHORED),
        "requester": slot.reference("Practitioner", _REQUESTER),
    }
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["reason"] == 1:
        content["reasonReference"] = [slot.reference("Condition", _REASON_ROW)]
    elif shape["reason"]:
        content["reasonCode"] = [slot.element(_REASON_CODE)]
    return content


FAMILY = Family("ServiceRequest", ServiceRequest, ShapeSpace(category=len(_CATEGORIES), encounter=2, reason=3), _build)


def category_of(wording: str | None) -> int:
    """What kind of procedure an order asks for, by its wording."""
    text = f" {(wording or '').lower()} "
    return next((kind for kind, words in _WORDS.items() if any(word in text for word in words)), _OTHER)


@dataclass(frozen=True, eq=False)
class _Orders:
    """Orders of one kind: whose they are, their keys, their category, and the cells from `_START` on."""

    patient: Integers
    keys: NDArray[np.uint64]
    category: Integers
    cells: Integers


def _orders(
    shard: Shard, section: Section, rows: Integers, xor: int, encounters: Integers, times: tuple[Integers, Integers]
) -> _Orders:
    """Orders with the row keys of some rows of a section; their code and category are left to the caller."""
    cells = np.full((len(rows), _PLANNED), NONE, np.int64)
    start, stop = times
    cells[:, _START - _START], cells[:, _STOP - _START] = start, stop
    cells[:, _ENCOUNTER - _START] = encounters
    cells[:, _AUTHORED - _START] = np.minimum(start, _begin_of(shard, encounters, start))
    keys = section.keys[rows] ^ np.uint64(xor)
    return _Orders(section.patient[rows], keys, np.full(len(rows), _OTHER, np.int64), cells)


def _begin_of(shard: Shard, encounters: Integers, otherwise: Integers) -> Integers:
    """When each of some encounters began; another time where there is none."""
    section = shard.sections["encounters"]
    begins = np.append(shard.columns("encounters").times("time"), 0)
    return np.where(
        encounters == NONE, otherwise, begins[np.where(encounters == NONE, NONE, encounters - section.base)]
    )


def _put_encounter_reasons(shard: Shard, orders: _Orders) -> None:
    """An order is placed for the reason of its encounter."""
    section = shard.sections["encounters"]
    encounters = orders.cells[:, _ENCOUNTER - _START]
    place = np.where(encounters == NONE, NONE, encounters - section.base)
    for column, known in zip((_REASON_ROW, _REASON_CODE), reasons(shard, section), strict=True):
        orders.cells[:, column - _START] = np.append(known, NONE)[place]


def _laboratory_orders(shard: Shard) -> tuple[_Orders, Integers]:
    """An order for each laboratory report; with its position for every report."""
    section, columns = shard.sections["reports"], shard.columns("reports")
    wanted = is_laboratory(shard)
    rows = np.flatnonzero(wanted)
    times = columns.times("time")[rows]
    encounters = shard.require(section, "encounter_key", "encounters")[rows]
    orders = _orders(shard, section, rows, _LABORATORY_XOR, encounters, (times, times))
    orders.category[:] = _LABORATORY
    orders.cells[:, _CODE - _START] = shard.codes("reports", ["system", "code", "display", "more_codes"], concept)[rows]
    _put_encounter_reasons(shard, orders)
    return orders, np.where(wanted, np.cumsum(wanted) - 1, NONE)


def _imaging_orders(shard: Shard) -> _Orders:
    """An order for each imaging study."""
    section, begins = shard.sections[STUDIES], begins_study(shard)
    times = shard.columns(SERIES).times("time")[begins]
    encounters = shard.require(shard.sections[SERIES], "encounter_key", "encounters")[begins]
    orders = _orders(shard, section, np.arange(section.n_rows), _IMAGING_XOR, encounters, (times, times))
    orders.category[:] = _IMAGING
    orders.cells[:, _CODE - _START] = procedures_of(shard)
    _put_encounter_reasons(shard, orders)
    return orders


def _study_of_procedure(shard: Shard, encounters: Integers, imaging: _Orders) -> Integers:
    """The imaging study that each procedure made: of the same encounter, with the same code; NONE: none."""
    codes, named = shard.columns("procedures").text("code"), shard.columns(SERIES).text("procedure_code")
    numbers = {value: number for number, value in enumerate(codes.values) if value is not None}
    same = np.array([numbers.get(value or "", NONE) for value in named.values], np.int64)
    code = same[named.indices[begins_study(shard)]]
    visits = imaging.cells[:, _ENCOUNTER - _START]
    known = np.flatnonzero((code != NONE) & (visits != NONE))
    found = np.full(len(encounters), NONE, np.int64)
    if len(known):
        made = visits[known] * len(codes.values) + code[known]
        order = np.argsort(made, kind="stable")
        asked = encounters * len(codes.values) + codes.indices
        place = np.minimum(np.searchsorted(made[order], asked), len(made) - 1)
        hit = (made[order][place] == asked) & (encounters != NONE)
        found[hit] = known[order][place[hit]]
    return found


def _courses(shard: Shard, encounters: Integers, wanted: NDArray[np.bool_]) -> tuple[_Orders, Integers]:
    """An order for each course of procedures; with its position for every procedure."""
    section, columns = shard.sections["procedures"], shard.columns("procedures")
    conditions, _ = reasons(shard, section)
    codes = shard.codes("procedures", ["system", "code", "display", "more_codes"], concept)
    rows = np.flatnonzero(wanted & (conditions != NONE))
    _, first, which = np.unique(
        conditions[rows] * len(shard.texts) + codes[rows], return_index=True, return_inverse=True
    )
    start, stop = columns.times("time")[rows][first], columns.times("stop")[rows][first]
    np.minimum.at(start, which, columns.times("time")[rows])
    np.maximum.at(stop, which, columns.times("stop")[rows])
    chosen = rows[first]
    orders = _orders(shard, section, chosen, _COURSE_XOR, encounters[chosen], (start, stop))
    wordings = columns.text("display")
    kinds = np.array([category_of(wording) for wording in wordings.values], np.int64)
    orders.category[:] = kinds[wordings.indices[chosen]]
    orders.cells[:, _CODE - _START] = codes[chosen]
    orders.cells[:, _REASON_ROW - _START] = conditions[chosen]
    position = np.full(section.n_rows, NONE, np.int64)
    position[rows] = which
    return orders, position


def _plan(shard: Shard) -> None:
    encounters = shard.require(shard.sections["procedures"], "encounter_key", "encounters")
    laboratory, of_report = _laboratory_orders(shard)
    imaging = _imaging_orders(shard)
    study = _study_of_procedure(shard, encounters, imaging)
    courses, of_procedure = _courses(shard, encounters, study == NONE)
    parts = (laboratory, imaging, courses)
    patient = np.concatenate([part.patient for part in parts])
    order = np.argsort(patient, kind="stable")
    keys = np.concatenate([part.keys for part in parts])[order]
    section = shard.add(ORDERS, "ServiceRequest", _WIDTH, shard.patient_ids[patient[order]], keys)
    row = np.empty(len(order) + 1, np.int64)
    row[order] = section.rows
    row[NONE] = NONE
    n_laboratory, n_imaging = len(laboratory.keys), len(imaging.keys)
    of_study = np.where(study == NONE, NONE, study + n_laboratory)
    of_course = np.where(of_procedure == NONE, NONE, of_procedure + n_laboratory + n_imaging)
    shard.lookups |= {
        "report order": row[of_report],
        "study order": row[n_laboratory : n_laboratory + n_imaging],
        "procedure order": row[np.where(study == NONE, of_course, of_study)],
        "order category": np.concatenate([part.category for part in parts])[order],
        "order cells": np.concatenate([part.cells for part in parts])[order],
    }


def _fill(shard: Shard) -> None:
    section = shard.sections[ORDERS]
    cells = section.cells
    cells[:, _START:_REQUESTER] = shard.lookups["order cells"]
    cells[:, _REQUESTER] = practitioners(shard, section, cells[:, _ENCOUNTER])
    shard.set_templates(
        section,
        FAMILY,
        category=shard.lookups["order category"],
        encounter=cells[:, _ENCOUNTER] != NONE,
        reason=choice(cells[:, _REASON_ROW], cells[:, _REASON_CODE]),
    )


KIND = Kind("ServiceRequest", ORDERS, _WIDTH, _fill, _plan)
