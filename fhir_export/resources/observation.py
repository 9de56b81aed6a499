"""Observation: one resource a row of `observations`, but rows of a panel become its components."""

import numpy as np
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.observation import Observation, ObservationComponent
from numpy.typing import NDArray

from fhir_export.concepts import checked, coded, concept, unit_members
from fhir_export.shard import NONE, PATIENT, Integers, Kind, Section, Shard
from fhir_export.templates import META, Family, Json, Shape, ShapeSpace, Slots
from fhir_export.vocabulary import ucum_code

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORIES = {
    "activity": "Activity",
    "exam": "Exam",
    "imaging": "Imaging",
    "laboratory": "Laboratory",
    "procedure": "Procedure",
    "social-history": "Social History",
    "survey": "Survey",
    "therapy": "Therapy",
    "vital-signs": "Vital Signs",
}

_ABSENT, _QUANTITY, _NUMBER, _CONCEPT, _STRING, _TRUE, _FALSE, _N_VALUES = range(8)

# Cell _VALUE: mantissa of a number (its decimals in the next cell), text of anything else.
(
    _TIME, _ENCOUNTER, _CODE, _CATEGORY_TEXT, _VALUE, _DECIMALS, _UNIT, _COMPONENTS, _N_COMPONENTS, _WIDTH,
) = range(2, 12)  # fmt: skip


def _value(kind: int, slot: Slots) -> Json:
    """The value of an observation or component, or why there is none."""
    if kind == _QUANTITY:
        return {"valueQuantity": {"value": slot.decimal(_VALUE), "unit": slot.members(_UNIT)}}
    if kind == _NUMBER:
        return {"valueQuantity": {"value": slot.decimal(_VALUE)}}
    if kind == _CONCEPT:
        return {"valueCodeableConcept": slot.element(_VALUE)}
    if kind == _STRING:
        return {"valueString": slot.local_text(_VALUE)}
    if kind in {_TRUE, _FALSE}:
        return {"valueBoolean": kind == _TRUE}
    return {"dataAbsentReason": slot.element(_VALUE)}


def _build(shape: Shape, slot: Slots) -> Json:
    content: Json = {
        "id": slot.id(),
        "meta": META,
        "status": "final",
        "code": slot.element(_CODE),
        "subject": slot.reference("Patient", PATIENT),
        "effectiveDateTime": slot.date_time(_TIME),
        "issued": slot.date_time(_TIME),
    }
    if shape["category"]:
        content["category"] = [slot.element(_CATEGORY_TEXT)]
    if shape["encounter"]:
        content["encounter"] = slot.reference("Encounter", _ENCOUNTER)
    if shape["components"]:
        content["component"] = [slot.listed(_COMPONENTS, code={"text": "any"})]
    if shape["value"] != _ABSENT or not shape["components"]:
        content |= _value(shape["value"], slot)
    return content


def _build_component(shape: Shape, slot: Slots) -> Json:
    return {"code": slot.element(_CODE)} | _value(shape["value"], slot)


FAMILY = Family("Observation", Observation, ShapeSpace(encounter=2, category=2, components=2, value=_N_VALUES), _build)
COMPONENT = Family(
    "Observation.component", ObservationComponent, ShapeSpace(value=_N_VALUES), _build_component, is_resource=False
)


def category(value: str | None) -> bytes:
    """The concept of an observation category."""
    if value in _CATEGORIES:
        return coded(_CATEGORY, value, _CATEGORIES[value])
    return checked(CodeableConcept, {"text": value})


def _fill(shard: Shard) -> None:
    section = shard.sections["observations"]
    columns, cells = shard.columns("observations"), section.cells
    cells[:, _TIME] = columns.times("time")
    cells[:, _ENCOUNTER] = shard.require(section, "encounter_key", "encounters")
    cells[:, _CODE] = shard.codes("observations", ["system", "code", "display", "more_codes"], concept)
    categories = columns.text("category")
    has_category = np.array([bool(value) for value in categories.values])[categories.indices]
    cells[:, _CATEGORY_TEXT] = shard.codes("observations", ["category"], category, where=has_category)
    values = _fill_values(shard, section)
    panels = shard.require(section, "panel_key", "observations")
    cells[:, _COMPONENTS], counts = shard.add_children(panels, section.rows, section)
    cells[:, _N_COMPONENTS] = counts
    is_part = panels != NONE
    shard.is_part[section.base : section.base + section.n_rows] = is_part
    alone = shard.templates_of(
        section,
        FAMILY,
        where=~is_part,
        encounter=cells[:, _ENCOUNTER] != NONE,
        category=has_category,
        components=counts > 0,
        value=values,
    )
    inside = shard.templates_of(section, COMPONENT, where=is_part, value=values)
    cells[:, 0] = np.where(is_part, inside, alone)


def _fill_values(shard: Shard, section: Section) -> Integers:
    """Fills the cells of the value; returns its kind."""
    columns, cells = shard.columns("observations"), section.cells
    numbers, has_number = columns.numbers("numeric_value")
    is_finite = shard.put_decimals(section, _VALUE, numbers)
    units = columns.text("unit")
    has_unit = np.array([ucum_code(unit) is not None for unit in units.values])[units.indices]
    texts = columns.text("text_value")
    has_code = ~columns.text("value_code").is_null
    has_text = ~has_code & ~has_number & np.array([bool(text) for text in texts.values])[texts.indices]
    kinds = np.full(section.n_rows, _ABSENT, np.int64)
    is_number = has_number & is_finite & ~has_code
    kinds[is_number] = np.where(has_unit[is_number], _QUANTITY, _NUMBER)
    cells[:, _UNIT] = shard.codes("observations", ["unit"], unit_members, where=is_number & has_unit)
    if has_code.any():
        concepts = shard.codes("observations", ["value_system", "value_code", "value_display"], concept, where=has_code)
        cells[has_code, _VALUE] = concepts[has_code]
        kinds[has_code] = _CONCEPT
    if has_text.any():
        spelled = np.array([_text_kind(text) for text in texts.values], np.int64)[texts.indices]
        cells[has_text, _VALUE] = shard.local_texts("observations", "text_value")[has_text]
        kinds[has_text] = spelled[has_text]
    _fill_absent(shard, section, kinds == _ABSENT, has_number)
    return kinds


def _text_kind(text: str | None) -> int:
    return {"true": _TRUE, "false": _FALSE}.get(text or "", _STRING)


def _fill_absent(shard: Shard, section: Section, absent: NDArray[np.bool_], has_number: NDArray[np.bool_]) -> None:
    """Why there is no value: nobody knows, or it was a number that is none."""
    if absent.any():
        reasons = {
            0: coded(_ABSENT_REASON, "unknown", "Unknown"),
            1: coded(_ABSENT_REASON, "not-a-number", "Not a Number (NaN)"),
        }
        section.cells[absent, _VALUE] = shard.constants(reasons, has_number[absent].astype(np.int64))


KIND = Kind("Observation", "observations", _WIDTH, _fill)
