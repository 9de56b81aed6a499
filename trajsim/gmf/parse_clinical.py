"""Decodes the bodies of clinical states: what they record, with which codes and values."""

from typing import Any

from msgspec import structs

from trajsim.gmf.findings import Severity
from trajsim.gmf.model import (
    ImagingInstance,
    ImagingSeries,
    ObservationBody,
    Reaction,
    Supply,
)
from trajsim.gmf.model import (
    Severity as ReactionSeverity,
)
from trajsim.gmf.parse_bindings import KEY, child_binding
from trajsim.gmf.parse_values import (
    need_code,
    need_codes,
    need_time_unit,
    optional_code,
    parse_codes,
    parse_distribution,
    parse_exact,
    parse_range,
)
from trajsim.gmf.reader import Reader

Fields = dict[str, Any]

_VALUE_KEYS = (
    "range", "exact", "distribution", "attribute", "vital_sign", "value_code", "expression", "sampled_data",
    "attachment",
)  # fmt: skip
_BODY_KEYS = frozenset({"type", "codes", "category", "unit", "remarks", KEY, *_VALUE_KEYS})
_LEVELS = ("severe", "moderate", "mild", "none")
_REACTION_KEYS = frozenset({"reaction", "possible_severities"})
_SEVERITY_KEYS = frozenset({"level", "value"})
_SERIES_KEYS = frozenset({"body_site", "modality", "instances", "min_number_instances", "max_number_instances"})
_INSTANCE_KEYS = frozenset({"title", "sop_class"})
_SUPPLY_KEYS = frozenset({"quantity", "code"})
_ALLERGY_TYPES = ("allergy", "intolerance")


def allergy_onset(reader: Reader) -> Fields:
    """Fields of an AllergyOnset."""
    return {
        "codes": need_codes(reader),
        "target_encounter": reader.text("target_encounter"),
        "assign_to_attribute": reader.text("assign_to_attribute"),
        "allergy_type": reader.word("allergy_type", _ALLERGY_TYPES, "type of allergy") or "allergy",
        "category": reader.text("category") or "",
        "reactions": tuple(map(_reaction, reader.parts("reactions"))),
    }


def _reaction(reader: Reader) -> Reaction:
    reader.note_unknown_keys(_REACTION_KEYS)
    severities = tuple(map(_severity, reader.need_parts("possible_severities", "at least one severity")))
    return Reaction(need_code(reader, "reaction"), severities)


def _severity(reader: Reader) -> ReactionSeverity:
    reader.note_unknown_keys(_SEVERITY_KEYS)
    raw = reader.node.get("level")
    level = raw.lower() if isinstance(raw, str) and raw.lower() in _LEVELS else None
    if level is None:
        reader.need_text("level", "severe, moderate, mild or none")
        level = reader.word("level", _LEVELS, "level") or "none"
    return ReactionSeverity(level, reader.need_number("value", "the weight of this level"))


def medication_order(reader: Reader) -> Fields:
    """Fields of a MedicationOrder."""
    prescription = reader.part("prescription")
    return {
        "codes": need_codes(reader),
        "reason": reader.text("reason"),
        "prescription": None if prescription is None else prescription.node,
        "instructions": () if prescription is None else parse_codes(prescription, "instructions"),
        "administration": reader.flag("administration"),
        "chronic": reader.flag("chronic"),
        "assign_to_attribute": reader.text("assign_to_attribute"),
    }


def care_plan_start(reader: Reader) -> Fields:
    """Fields of a CarePlanStart."""
    return {
        "codes": need_codes(reader),
        "activities": parse_codes(reader, "activities"),
        "goals": tuple(part.node for part in reader.parts("goals")),
        "reason": reader.text("reason"),
        "assign_to_attribute": reader.text("assign_to_attribute"),
    }


def observation_body(reader: Reader) -> ObservationBody:
    """What an Observation records; also a child of a panel or report."""
    node = reader.node
    given = [key for key in _VALUE_KEYS if node.get(key) is not None]
    if not given:
        reader.report(
            "GMF116",
            "this observation has no value",
            severity=Severity.WARNING,
            hint="give it one of " + ", ".join(_VALUE_KEYS),
        )
    elif len(given) > 1:
        message = f"{given[0]!r} wins; {', '.join(map(repr, given[1:]))} is never used"
        reader.report("GMF115", message, given[1], severity=Severity.WARNING)
    unit = node.get("unit")
    if given and given[0] in {"range", "exact"} and (unit is None or (isinstance(unit, str) and not unit.strip())):
        state = "missing" if unit is None else "blank"
        reader.report(
            "GMF113",
            f"{state} 'unit': an observation with {given[0]!r} needs one",
            *([] if unit is None else ["unit"]),
            hint="write '{#}' for a plain number",
        )
    sampled, attachment = reader.part("sampled_data"), reader.part("attachment")
    return ObservationBody(
        codes=need_codes(reader),
        category=reader.text("category") or "",
        unit=reader.text("unit"),
        exact=parse_exact(reader, is_number=False) if "exact" in node else None,
        range=parse_range(reader) if "range" in node else None,
        distribution=parse_distribution(reader) if "distribution" in node else None,
        attribute=reader.text("attribute"),
        vital_sign=reader.text("vital_sign"),
        value_code=optional_code(reader, "value_code") if "value_code" in node else None,
        expression=reader.text("expression"),
        sampled_data=None if sampled is None else sampled.node,
        attachment=None if attachment is None else attachment.node,
    )


def _child(reader: Reader) -> ObservationBody:
    if not reader.node.keys() <= _BODY_KEYS:
        reader.note_unknown_keys(_BODY_KEYS)
    body = observation_body(reader)
    return structs.replace(body, trajsim=child_binding(reader)) if KEY in reader.node else body


def observation(reader: Reader) -> Fields:
    """Fields of an Observation."""
    return {"body": observation_body(reader)}


def multi_observation(reader: Reader) -> Fields:
    """Fields of a MultiObservation."""
    return {"category": reader.text("category") or "", **diagnostic_report(reader)}


def diagnostic_report(reader: Reader) -> Fields:
    """Fields of a DiagnosticReport."""
    return {"codes": need_codes(reader), "observations": tuple(map(_child, reader.parts("observations")))}


def procedure(reader: Reader) -> Fields:
    """Fields of a Procedure."""
    duration, distribution = parse_range(reader, "duration", is_time=True), parse_distribution(reader)
    given = [key for key in ("duration", "distribution") if reader.node.get(key) is not None]
    if len(given) > 1:
        reader.report(
            "GMF115", "'duration' wins; 'distribution' is never used", "distribution", severity=Severity.WARNING
        )
    return {
        "codes": need_codes(reader),
        "reason": reader.text("reason"),
        "assign_to_attribute": reader.text("assign_to_attribute"),
        "duration": duration,
        "distribution": distribution,
        "unit": need_time_unit(reader) if given == ["distribution"] else reader.text("unit"),
    }


def imaging_study(reader: Reader) -> Fields:
    """Fields of an ImagingStudy."""
    return {
        "procedure_code": need_code(reader, "procedure_code"),
        "series": tuple(map(_series, reader.need_parts("series", "at least one series"))),
        "min_number_series": reader.integer("min_number_series") or 0,
        "max_number_series": reader.integer("max_number_series") or 0,
    }


def _series(reader: Reader) -> ImagingSeries:
    reader.note_unknown_keys(_SERIES_KEYS)
    return ImagingSeries(
        need_code(reader, "body_site"),
        need_code(reader, "modality"),
        tuple(map(_instance, reader.need_parts("instances", "at least one instance"))),
        reader.integer("min_number_instances") or 0,
        reader.integer("max_number_instances") or 0,
    )


def _instance(reader: Reader) -> ImagingInstance:
    reader.note_unknown_keys(_INSTANCE_KEYS)
    return ImagingInstance(reader.text("title") or "", need_code(reader, "sop_class"))


def device(reader: Reader) -> Fields:
    """Fields of a Device."""
    return {
        "code": need_code(reader, "code"),
        "manufacturer": reader.text("manufacturer"),
        "model": reader.text("model"),
        "assign_to_attribute": reader.text("assign_to_attribute"),
    }


def supply_list(reader: Reader) -> Fields:
    """Fields of a SupplyList."""
    return {"supplies": tuple(map(_supply, reader.need_parts("supplies", "at least one item")))}


def _supply(reader: Reader) -> Supply:
    reader.note_unknown_keys(_SUPPLY_KEYS)
    return Supply(reader.need_number("quantity", "how many"), need_code(reader, "code"))


def vaccine(reader: Reader) -> Fields:
    """Fields of a Vaccine."""
    series = reader.integer("series")
    return {"codes": need_codes(reader), "series": 1 if series is None else series}
