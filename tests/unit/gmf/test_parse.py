"""Module files to typed modules, and every fault by state name and JSON path."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trajsim.gmf import model
from trajsim.gmf.findings import Severity
from trajsim.gmf.model import Code, Distribution, Exact, ObservationBody, Range
from trajsim.gmf.parse import parse_module
from trajsim.gmf.parse_states import STATE_TYPES
from trajsim.testing.modules import ASTHMA_JSON as CODE
from trajsim.testing.modules import Json, module_json, parse_json, sound_state

ASTHMA = Code("SNOMED-CT", "195967001", "Asthma")
_BODY: Json = {"codes": [CODE], "category": "laboratory", "unit": "mg/dL", "range": {"low": 1, "high": 2}}
_ASTHMA_BODY = ObservationBody(codes=(ASTHMA,), category="laboratory", unit="mg/dL", range=Range(1.0, 2.0))
_UNIFORM: Json = {"kind": "UNIFORM", "parameters": {"low": 1, "high": 5}, "round": True}
_UNIFORM_PARSED = Distribution("UNIFORM", round=True, low=1.0, high=5.0)

_FULL: dict[str, tuple[Json, dict[str, Any]]] = {
    "Initial": ({}, {}),
    "Simple": ({}, {}),
    "Terminal": ({}, {}),
    "CallSubmodule": ({"submodule": "labs/panel"}, {"submodule": "labs/panel"}),
    "Guard": (
        {"allow": {"condition_type": "Gender", "gender": "F"}},
        {"allow": model.GenderCondition(gender="F")},
    ),
    "Delay": (
        {"distribution": _UNIFORM, "unit": "days"},
        {"distribution": _UNIFORM_PARSED, "unit": "days", "exact": None, "range": None},
    ),
    "SetAttribute": (
        {"attribute": "risk", "value": 3, "series_data": "1 2", "period": 2},
        {"attribute": "risk", "value": 3, "series_data": "1 2", "period": 2.0},
    ),
    "Counter": (
        {"attribute": "visits", "action": "increment"},
        {"attribute": "visits", "action": "increment", "amount": 1.0},
    ),
    "Encounter": (
        {"encounter_class": "Emergency", "codes": [CODE], "reason": "", "telemedicine_possibility": "possible"},
        {"encounter_class": "emergency", "codes": (ASTHMA,), "reason": None, "telemedicine_possibility": "possible"},
    ),
    "EncounterEnd": ({"discharge_disposition": CODE}, {"discharge_disposition": ASTHMA}),
    "Symptom": (
        {"symptom": "Cough", "cause": "Cold", "probability": 0.5, "exact": {"quantity": 7}},
        {"symptom": "Cough", "cause": "Cold", "probability": 0.5, "exact": Exact(7)},
    ),
    "ConditionOnset": (
        {"codes": [CODE], "target_encounter": "Visit", "assign_to_attribute": "x"},
        {"codes": (ASTHMA,), "target_encounter": "Visit", "assign_to_attribute": "x"},
    ),
    "AllergyOnset": (
        {
            "codes": [CODE],
            "allergy_type": "intolerance",
            "category": "food",
            "reactions": [{"reaction": CODE, "possible_severities": [{"level": "Mild", "value": 0.5}]}],
        },
        {
            "codes": (ASTHMA,),
            "allergy_type": "intolerance",
            "category": "food",
            "reactions": (model.Reaction(ASTHMA, (model.Severity("mild", 0.5),)),),
        },
    ),
    "ConditionEnd": ({"condition_onset": "It"}, {"condition_onset": "It", "codes": ()}),
    "AllergyEnd": ({"allergy_onset": "It"}, {"allergy_onset": "It"}),
    "MedicationOrder": (
        {
            "codes": [CODE],
            "chronic": True,
            "prescription": {"as_needed": True, "instructions": [CODE]},
            "reason": "x",
        },
        {
            "codes": (ASTHMA,),
            "chronic": True,
            "administration": False,
            "prescription": {"as_needed": True, "instructions": [CODE]},
            "instructions": (ASTHMA,),
            "reason": "x",
        },
    ),
    "MedicationEnd": ({"referenced_by_attribute": "x"}, {"referenced_by_attribute": "x", "medication_order": None}),
    "CarePlanStart": (
        {"codes": [CODE], "activities": [CODE], "goals": [{"text": "walk"}]},
        {"codes": (ASTHMA,), "activities": (ASTHMA,), "goals": ({"text": "walk"},)},
    ),
    "CarePlanEnd": ({"careplan": "It"}, {"careplan": "It"}),
    "Observation": (_BODY, {"body": _ASTHMA_BODY}),
    "MultiObservation": (
        {"codes": [CODE], "category": "survey", "observations": [_BODY]},
        {"codes": (ASTHMA,), "category": "survey", "observations": (_ASTHMA_BODY,)},
    ),
    "DiagnosticReport": ({"codes": [CODE], "observations": [_BODY]}, {"observations": (_ASTHMA_BODY,)}),
    "Procedure": (
        {"codes": [CODE], "duration": {"low": 5, "high": 9, "unit": "minutes"}},
        {"codes": (ASTHMA,), "duration": Range(5.0, 9.0, "minutes"), "distribution": None},
    ),
    "VitalSign": (
        {"vital_sign": "Height", "unit": "cm", "exact": {"quantity": 170}},
        {"vital_sign": "Height", "unit": "cm", "exact": Exact(170)},
    ),
    "ImagingStudy": (
        {
            "procedure_code": CODE,
            "series": [{"body_site": CODE, "modality": CODE, "instances": [{"title": "One", "sop_class": CODE}]}],
            "min_number_series": 1,
            "max_number_series": 2,
        },
        {
            "procedure_code": ASTHMA,
            "series": (model.ImagingSeries(ASTHMA, ASTHMA, (model.ImagingInstance("One", ASTHMA),)),),
            "min_number_series": 1,
            "max_number_series": 2,
        },
    ),
    "Device": ({"code": CODE, "manufacturer": "M", "model": "X"}, {"code": ASTHMA, "manufacturer": "M", "model": "X"}),
    "DeviceEnd": ({"device": "It"}, {"device": "It"}),
    "SupplyList": ({"supplies": [{"quantity": 3, "code": CODE}]}, {"supplies": (model.Supply(3.0, ASTHMA),)}),
    "Vaccine": ({"codes": [CODE]}, {"codes": (ASTHMA,), "series": 1}),
    "Death": (
        {"range": {"low": 1, "high": 2, "unit": "days"}, "codes": [CODE]},
        {"range": Range(1.0, 2.0, "days"), "codes": (ASTHMA,)},
    ),
    "Physiology": (
        {"model": "heart.xml", "alt_direct_transition": "End", "solver": "x", "inputs": []},
        {"model": "heart.xml", "alt_direct_transition": "End", "transition": model.DirectTransition("End")},
    ),
}


def test_every_state_type_is_tested() -> None:
    assert set(_FULL) == set(STATE_TYPES)


@pytest.mark.parametrize("type_", sorted(_FULL))
def test_state_type_decodes_all_its_keys(type_: str) -> None:
    fields, expected = _FULL[type_]
    state = sound_state(type_, **fields)
    assert type(state).__name__ == type_
    assert {name: getattr(state, name) for name in expected} == expected
    module, findings = parse_json(module_json({"It": {"type": type_, "direct_transition": "End", **fields}}))
    assert module is not None
    assert [finding.render() for finding in findings if finding.rule == "GMF110"] == []


_CONDITIONS: list[tuple[Json, model.Condition]] = [
    (
        {"condition_type": "Attribute", "attribute": "x", "operator": "==", "value": True},
        model.AttributeCondition(attribute="x", operator="==", value=True),
    ),
    (
        {"condition_type": "Attribute", "attribute": "x", "operator": "==", "value_code": CODE},
        model.AttributeCondition(attribute="x", operator="==", value_code=ASTHMA),
    ),
    (
        {"condition_type": "Age", "operator": ">=", "quantity": 18, "unit": "years"},
        model.AgeCondition(operator=">=", quantity=18.0, unit="years"),
    ),
    ({"condition_type": "Gender", "gender": "M"}, model.GenderCondition(gender="M")),
    ({"condition_type": "Date", "operator": "<", "year": 1990}, model.DateCondition(operator="<", year=1990)),
    ({"condition_type": "Date", "operator": "==", "month": 7}, model.DateCondition(operator="==", month=7)),
    (
        {"condition_type": "Date", "operator": ">", "date": {"year": 1970, "month": 1, "day": 2, "millisecond": 5}},
        model.DateCondition(operator=">", date_ms=86_400_005),
    ),
    ({"condition_type": "Race", "race": "White"}, model.RaceCondition(race="White")),
    (
        {"condition_type": "Socioeconomic Status", "category": "Low"},
        model.SocioeconomicStatusCondition(category="Low"),
    ),
    (
        {"condition_type": "Symptom", "symptom": "Cough", "operator": ">", "value": 30},
        model.SymptomCondition(symptom="Cough", operator=">", value=30.0),
    ),
    (
        {"condition_type": "Observation", "codes": [CODE], "operator": "is not nil"},
        model.ObservationCondition(operator="is not nil", codes=(ASTHMA,)),
    ),
    (
        {"condition_type": "Vital Sign", "vital_sign": "BMI", "operator": ">", "value": 30},
        model.VitalSignCondition(vital_sign="BMI", operator=">", value=30.0),
    ),
    ({"condition_type": "Active Condition", "codes": [CODE]}, model.ActiveCondition(kind="Condition", codes=(ASTHMA,))),
    ({"condition_type": "ActiveAllergy", "codes": [CODE]}, model.ActiveCondition(kind="Allergy", codes=(ASTHMA,))),
    (
        {"condition_type": "Active Medication", "referenced_by_attribute": "drug"},
        model.ActiveCondition(kind="Medication", referenced_by_attribute="drug"),
    ),
    ({"condition_type": "Active CarePlan", "codes": [CODE]}, model.ActiveCondition(kind="CarePlan", codes=(ASTHMA,))),
    (
        {"condition_type": "PriorState", "name": "It", "since": "Other", "within": {"quantity": 1, "unit": "years"}},
        model.PriorStateCondition(name="It", since="Other", within=Exact(1, "years")),
    ),
    (
        {"condition_type": "And", "conditions": [{"condition_type": "True"}, {"condition_type": "False"}]},
        model.LogicGroup(
            kind="And", conditions=(model.ConstantCondition(value=True), model.ConstantCondition(value=False))
        ),
    ),
    ({"condition_type": "Or", "conditions": []}, model.LogicGroup(kind="Or", conditions=())),
    (
        {"condition_type": "At Least", "minimum": 1, "conditions": [{"condition_type": "True"}]},
        model.LogicGroup(kind="AtLeast", n=1, conditions=(model.ConstantCondition(value=True),)),
    ),
    (
        {"condition_type": "At Most", "maximum": 0, "conditions": [{"condition_type": "True"}]},
        model.LogicGroup(kind="AtMost", n=0, conditions=(model.ConstantCondition(value=True),)),
    ),
    (
        {"condition_type": "Not", "condition": {"condition_type": "True"}},
        model.NotCondition(condition=model.ConstantCondition(value=True)),
    ),
]


@pytest.mark.parametrize(("tree", "expected"), _CONDITIONS, ids=lambda value: str(value)[:40])
def test_condition_type_decodes(tree: Json, expected: model.Condition) -> None:
    state = sound_state("Guard", allow=tree)
    assert isinstance(state, model.Guard)
    assert state.allow == expected


def transition_of(**transition: object) -> model.Transition | None:
    module, findings = parse_json(module_json({"It": {"type": "Simple", **transition}}))
    assert module is not None, [finding.render() for finding in findings]
    return module.states["It"].transition


def test_transitions_decode() -> None:
    assert transition_of(direct_transition="End") == model.DirectTransition("End")
    named = {"attribute": "risk", "default": 0.2}
    options = [{"transition": "It", "distribution": 0.25}, {"transition": "End", "distribution": named}]
    parsed = (model.DistributedOption("It", 0.25), model.DistributedOption("End", model.NamedDistribution("risk", 0.2)))
    assert transition_of(distributed_transition=options) == model.DistributedTransition(parsed)
    condition = {"condition_type": "True"}
    held = model.ConstantCondition(value=True)
    conditional = [{"transition": "It", "condition": condition}, {"transition": "End"}]
    assert transition_of(conditional_transition=conditional) == model.ConditionalTransition(
        (model.ConditionalOption("It", held), model.ConditionalOption("End"))
    )
    complex_ = [{"condition": condition, "distributions": options}, {"transition": "End", "distributions": []}]
    assert transition_of(complex_transition=complex_) == model.ComplexTransition(
        (model.ComplexOption(None, parsed, held), model.ComplexOption("End"))
    )
    table = [{"transition": "End", "lookup_table_name": "t.csv"}]
    assert transition_of(lookup_table_transition=table) == model.LookupTableTransition(
        (model.LookupOption("End", "t.csv", 0.0),)
    )
    care = {"ambulatory": "It", "emergency": "End", "telemedicine": "End"}
    assert transition_of(type_of_care_transition=care) == model.TypeOfCareTransition("It", "End", "End")


def test_first_transition_in_order_of_precedence_counts() -> None:
    both = transition_of(distributed_transition=[{"transition": "It", "distribution": 1}], direct_transition="End")
    assert both == model.DirectTransition("End")


def test_integer_codes_become_text() -> None:
    code = {"system": "RxNorm", "code": 860975, "display": "metformin"}
    state = sound_state("MedicationOrder", codes=[code], remarks=["why"])
    assert isinstance(state, model.MedicationOrder)
    assert state.codes == (Code("RxNorm", "860975", "metformin"),)
    assert state.remarks == ("why",)


def test_legacy_and_new_values_are_both_kept() -> None:
    state = sound_state("Delay", exact={"quantity": 3, "unit": "days"}, distribution=_UNIFORM, unit="weeks")
    assert isinstance(state, model.Delay)
    assert state.exact == Exact(3, "days")
    assert state.distribution == _UNIFORM_PARSED


def test_byte_order_mark_is_tolerated_and_digest_is_of_the_bytes() -> None:
    data = b"\xef\xbb\xbf" + json.dumps(module_json({})).encode()
    module, findings = parse_module(data, key="a/b", file=Path("b.json"))
    assert module is not None
    assert findings == []
    assert not module.is_top_level
    assert len(module.digest) == 64


def test_keys_that_are_ignored_are_information() -> None:
    chance = {"transition": "End", "distribution": 1, "note": "x"}
    table = {"transition": "End", "lookup_table_name": "t.csv", "note": "x"}
    body = {"codes": [{**CODE, "note": "x"}], "attribute": "y", "note": "x"}
    tree = module_json(
        {
            "A": {"type": "Simple", "distributed_transition": [chance]},
            "B": {"type": "Simple", "conditional_transition": [{"transition": "End", "note": "x"}]},
            "C": {"type": "Simple", "complex_transition": [{"transition": "End", "note": "x"}]},
            "D": {"type": "Simple", "lookup_table_transition": [table]},
            "E": {"type": "DiagnosticReport", "codes": [CODE], "observations": [body], "direct_transition": "End"},
            "F": {"type": "Guard", "allow": {"condition_type": "True", "value": 1}, "direct_transition": "End"},
        },
        author="x",
    )
    module, findings = parse_json(tree)
    assert module is not None
    assert [finding.path for finding in findings if finding.rule == "GMF110"] == [
        "$.author",
        "$.states['A'].distributed_transition[0].note",
        "$.states['B'].conditional_transition[0].note",
        "$.states['C'].complex_transition[0].note",
        "$.states['D'].lookup_table_transition[0].note",
        "$.states['E'].observations[0].note",
        "$.states['E'].observations[0].codes[0].note",
        "$.states['F'].allow.value",
    ]


def test_values_that_lose_are_warned_of() -> None:
    tree = module_json(
        {
            "A": {**_FULL["Procedure"][0], "type": "Procedure", "distribution": _UNIFORM, "direct_transition": "End"},
            "B": {**_BODY, "type": "Observation", "vital_sign": "Height", "direct_transition": "End"},
        }
    )
    _, findings = parse_json(tree)
    assert [(f.rule, f.path) for f in findings] == [
        ("GMF115", "$.states['A'].distribution"),
        ("GMF115", "$.states['B'].vital_sign"),
    ]


def test_codes_written_as_numbers() -> None:
    state = sound_state("ConditionOnset", codes=[{"system": "RxNorm", "code": 12.0}])
    assert isinstance(state, model.ConditionOnset)
    assert state.codes == (Code("RxNorm", "12", ""),)


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_damage_is_a_finding_and_never_an_exception(data: st.DataObject) -> None:
    """Puts any value at any place of a file with any type of state or condition."""
    guards = [{"type": "Guard", "allow": tree} for tree, _ in _CONDITIONS]
    bodies = [{"type": type_, **fields} for type_, (fields, _) in _FULL.items()]
    state = {"direct_transition": "End", **data.draw(st.sampled_from([*guards, *bodies]))}
    tree = copy.deepcopy(module_json({"It": state}))
    node: Any = tree
    while True:
        places = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        if not places:
            break
        place = data.draw(st.sampled_from(places))
        if not isinstance(node[place], dict | list) or data.draw(st.booleans()):
            node[place] = data.draw(_TREES)
            break
        node = node[place]
    module, findings = parse_json(tree)
    assert (module is None) is any(finding.severity is Severity.ERROR for finding in findings)
    assert all(finding.path.startswith("$") for finding in findings)
