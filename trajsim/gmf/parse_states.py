"""Decodes states: every type of GMF, each alone, so that every bad state is reported by name."""

from collections.abc import Callable
from typing import Any, cast

from trajsim.gmf import model
from trajsim.gmf.findings import Severity, did_you_mean
from trajsim.gmf.parse_bindings import KEY, state_binding
from trajsim.gmf.parse_clinical import (
    allergy_onset,
    care_plan_start,
    device,
    diagnostic_report,
    imaging_study,
    medication_order,
    multi_observation,
    observation,
    procedure,
    supply_list,
    vaccine,
)
from trajsim.gmf.parse_conditions import need_condition
from trajsim.gmf.parse_transitions import TRANSITION_KEYS, parse_transition
from trajsim.gmf.parse_values import (
    need_codes,
    need_sound_expression,
    need_time_unit,
    optional_code,
    parse_codes,
    parse_distribution,
    parse_exact,
    parse_range,
)
from trajsim.gmf.reader import Reader

ENCOUNTER_CLASSES = (
    "emergency", "inpatient", "outpatient", "ambulatory", "urgentcare", "wellness", "hospice", "home", "snf",
    "virtual", "super",
)  # fmt: skip
_TELEMEDICINE = ("none", "possible", "always")

Fields = dict[str, Any]


def parse_state(reader: Reader, name: str) -> model.State:
    """One state. After a fault a Simple state with the same transition stands in, so that checks can go on."""
    before = reader.error_count()
    transition: model.Transition | None
    spelling = reader.need_text("type", "the type of the state")
    entry = _DECODERS.get(spelling)
    if entry is None:
        if spelling:
            near = did_you_mean(spelling, STATE_TYPES)
            reader.report("GMF105", f"unknown state type {spelling!r}{near}", "type")
        return model.Simple(name=name, transition=parse_transition(reader, is_terminal=False))
    kind, keys, decode = entry
    if not reader.node.keys() <= keys:
        reader.note_unknown_keys(keys)
    fields = decode(reader)
    if kind is model.Physiology:
        target = cast("str", fields["alt_direct_transition"])
        transition = model.DirectTransition(target) if target else None
    else:
        transition = parse_transition(reader, is_terminal=kind is model.Terminal)
    remarks, binding = _remarks(reader), state_binding(reader, kind) if KEY in reader.node else None
    if reader.error_count() != before:
        return model.Simple(name=name, transition=transition)
    return kind(name=name, transition=transition, remarks=remarks, trajsim=binding, **fields)


def _remarks(reader: Reader) -> tuple[str, ...]:
    return reader.texts("remarks") if "remarks" in reader.node else ()


def _nothing(_reader: Reader) -> Fields:
    return {}


def _call_submodule(reader: Reader) -> Fields:
    return {"submodule": reader.need_text("submodule", "the path of a submodule without .json")}


def _guard(reader: Reader) -> Fields:
    return {"allow": need_condition(reader, "allow")}


def _delay(reader: Reader) -> Fields:
    exact, range_ = parse_exact(reader, is_time=True), parse_range(reader, is_time=True)
    distribution = parse_distribution(reader)
    given = [key for key in ("exact", "range", "distribution") if reader.node.get(key) is not None]
    if not given:
        reader.report("GMF103", "missing key: expected one of 'exact', 'range' and 'distribution'")
    needs_unit = given == ["distribution"]
    unit = need_time_unit(reader) if needs_unit else reader.text("unit")
    note_losers(reader, given)
    return {"exact": exact, "range": range_, "distribution": distribution, "unit": unit}


def note_losers(reader: Reader, given: list[str]) -> None:
    """Reports values that can never be used because another one wins."""
    if len(given) > 1:
        message = f"{given[0]!r} wins; {', '.join(map(repr, given[1:]))} is never used"
        reader.report("GMF115", message, given[1], severity=Severity.WARNING)


def _set_attribute(reader: Reader) -> Fields:
    period = reader.number("period")
    return {
        "attribute": reader.need_text("attribute", "the name of an attribute"),
        "expression": need_sound_expression(reader),
        "range": parse_range(reader),
        "series_data": reader.text("series_data"),
        "period": 1.0 if period is None else period,
        "distribution": parse_distribution(reader),
        "value_code": optional_code(reader, "value_code"),
        "value_attribute": reader.text("value_attribute"),
        "value": reader.scalar("value"),
    }


def _counter(reader: Reader) -> Fields:
    amount = reader.number("amount")
    return {
        "attribute": reader.need_text("attribute", "the name of an attribute"),
        "action": reader.need_text("action", "'increment' or 'decrement'"),
        "amount": 1.0 if amount is None else amount,
    }


def _encounter(reader: Reader) -> Fields:
    raw = reader.node.get("encounter_class")
    encounter_class = raw.lower() if isinstance(raw, str) and raw.lower() in ENCOUNTER_CLASSES else None
    if encounter_class is None:
        encounter_class = reader.word("encounter_class", ENCOUNTER_CLASSES, "encounter class")
    return {
        "wellness": reader.flag("wellness"),
        "encounter_class": encounter_class,
        "codes": parse_codes(reader),
        "reason": reader.text("reason"),
        "telemedicine_possibility": reader.word("telemedicine_possibility", _TELEMEDICINE, "possibility") or "none",
    }


def _encounter_end(reader: Reader) -> Fields:
    return {"discharge_disposition": optional_code(reader, "discharge_disposition")}


def _symptom(reader: Reader) -> Fields:
    probability = reader.number("probability")
    note_losers(reader, [key for key in ("exact", "range", "distribution") if reader.node.get(key) is not None])
    return {
        "symptom": _symptom_name(reader),
        "cause": reader.text("cause"),
        "probability": 1.0 if probability is None else probability,
        "exact": parse_exact(reader),
        "range": parse_range(reader),
        "distribution": parse_distribution(reader),
    }


def _symptom_name(reader: Reader) -> str:
    """The name of a symptom; Synthea takes the empty name too."""
    raw = reader.node.get("symptom")
    return raw if isinstance(raw, str) else reader.need_text("symptom", "the name of a symptom")


def _condition_onset(reader: Reader) -> Fields:
    return {
        "codes": need_codes(reader),
        "target_encounter": reader.text("target_encounter"),
        "assign_to_attribute": reader.text("assign_to_attribute"),
    }


def _end(key: str) -> Callable[[Reader], Fields]:
    """Decoder of a state that ends what the state named under `key` started."""

    def decode(reader: Reader) -> Fields:
        return {
            key: reader.text(key),
            "referenced_by_attribute": reader.text("referenced_by_attribute"),
            "codes": parse_codes(reader),
        }

    return decode


def _vital_sign(reader: Reader) -> Fields:
    kinds = ("exact", "range", "expression", "distribution")
    given = [key for key in kinds if reader.node.get(key) is not None]
    if not given:
        reader.report("GMF103", "missing key: expected one of 'exact', 'range', 'expression' and 'distribution'")
    note_losers(reader, given)
    return {
        "vital_sign": reader.need_text("vital_sign", "the name of a vital sign"),
        "unit": reader.text("unit"),
        "exact": parse_exact(reader),
        "range": parse_range(reader),
        "expression": need_sound_expression(reader),
        "distribution": parse_distribution(reader),
    }


def _death(reader: Reader) -> Fields:
    return {
        "codes": parse_codes(reader),
        "condition_onset": reader.text("condition_onset"),
        "referenced_by_attribute": reader.text("referenced_by_attribute"),
        "exact": parse_exact(reader, is_time=True),
        "range": parse_range(reader, is_time=True),
    }


def _physiology(reader: Reader) -> Fields:
    target = reader.need_text("alt_direct_transition", "the state that follows without the physiology model")
    return {"model": reader.text("model") or "", "alt_direct_transition": target}


_Decoder = Callable[[Reader], Fields]
_COMMON = {"type", "remarks", "trajsim", *TRANSITION_KEYS}
_ENDS = ("referenced_by_attribute", "codes")
_TIMES = ("exact", "range")


def _entry(kind: type[model.State], decode: _Decoder, *keys: str) -> tuple[type[model.State], frozenset[str], _Decoder]:
    return kind, frozenset({*_COMMON, *keys}), decode


_ENTRIES = (
    _entry(model.Initial, _nothing),
    _entry(model.Simple, _nothing),
    _entry(model.Terminal, _nothing),
    _entry(model.CallSubmodule, _call_submodule, "submodule"),
    _entry(model.Guard, _guard, "allow"),
    _entry(model.Delay, _delay, *_TIMES, "distribution", "unit"),
    _entry(model.SetAttribute, _set_attribute, "attribute", "expression", "range", "series_data", "period",
           "distribution", "value_code", "value_attribute", "value"),
    _entry(model.Counter, _counter, "attribute", "action", "amount"),
    _entry(model.Encounter, _encounter, "wellness", "encounter_class", "codes", "reason", "telemedicine_possibility"),
    _entry(model.EncounterEnd, _encounter_end, "discharge_disposition"),
    _entry(model.Symptom, _symptom, "symptom", "cause", "probability", *_TIMES, "distribution"),
    _entry(model.ConditionOnset, _condition_onset, "codes", "target_encounter", "assign_to_attribute"),
    _entry(model.AllergyOnset, allergy_onset, "codes", "target_encounter", "assign_to_attribute", "allergy_type",
           "category", "reactions"),
    _entry(model.ConditionEnd, _end("condition_onset"), "condition_onset", *_ENDS),
    _entry(model.AllergyEnd, _end("allergy_onset"), "allergy_onset", *_ENDS),
    _entry(model.MedicationOrder, medication_order, "codes", "reason", "prescription", "administration", "chronic",
           "assign_to_attribute"),
    _entry(model.MedicationEnd, _end("medication_order"), "medication_order", *_ENDS),
    _entry(model.CarePlanStart, care_plan_start, "codes", "activities", "goals", "reason", "assign_to_attribute"),
    _entry(model.CarePlanEnd, _end("careplan"), "careplan", *_ENDS),
    _entry(model.Observation, observation, "codes", "category", "unit", *_TIMES, "distribution", "attribute",
           "vital_sign", "value_code", "expression", "sampled_data", "attachment"),
    _entry(model.MultiObservation, multi_observation, "codes", "category", "observations"),
    _entry(model.DiagnosticReport, diagnostic_report, "codes", "observations"),
    _entry(model.Procedure, procedure, "codes", "reason", "assign_to_attribute", "duration", "distribution", "unit"),
    _entry(model.VitalSign, _vital_sign, "vital_sign", "unit", *_TIMES, "expression", "distribution"),
    _entry(model.ImagingStudy, imaging_study, "procedure_code", "series", "min_number_series", "max_number_series"),
    _entry(model.Device, device, "code", "manufacturer", "model", "assign_to_attribute"),
    _entry(model.DeviceEnd, _end("device"), "device", *_ENDS),
    _entry(model.SupplyList, supply_list, "supplies"),
    _entry(model.Vaccine, vaccine, "codes", "series"),
    _entry(model.Death, _death, "codes", "condition_onset", "referenced_by_attribute", *_TIMES),
    _entry(model.Physiology, _physiology, "model", "solver", "step_size", "sim_duration", "lead_time", "inputs",
           "outputs", "alt_direct_transition"),
)  # fmt: skip
_DECODERS = {entry[0].__name__: entry for entry in _ENTRIES}
STATE_TYPES = tuple(_DECODERS)
