"""Faults of module files: all of them at once, by state name and JSON path."""

from pathlib import Path

import pytest

from trajsim.gmf.findings import Finding, Severity
from trajsim.gmf.model import Module
from trajsim.gmf.parse import parse_module
from trajsim.testing.modules import ASTHMA_JSON as CODE
from trajsim.testing.modules import Json, module_json, parse_errors

_UNIFORM: Json = {"kind": "UNIFORM", "parameters": {"low": 1, "high": 5}}


def _parse_text(text: str) -> tuple[Module | None, list[Finding]]:
    return parse_module(text.encode(), key="example", file=Path("example.json"))


def test_broken_json_names_line_and_column() -> None:
    module, findings = _parse_text('{"name": "x",\n "states": {]}')
    assert module is None
    assert [f.render() for f in findings] == [
        "example.json: not valid JSON: expecting property name enclosed in double quotes at line 2, column 13 "
        "[GMF101 error]"
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b'{"name": NaN}', "NaN is not a JSON number"),
        (b"", "expecting value"),
        (b"[" * 100_000, "nested too deeply"),
        (b'["a"]', "expected a module object"),
        (b"null", "expected a module object"),
        (b'{"name": "x"}', "missing key 'states'"),
        (b'{"name": "x", "states": []}', "expected an object, got a list"),
        (b'{"name": "x", "states": {"Initial": null}}', "expected a state object"),
        (b'{"name": "x", "states": {"Initial": 3}}', "expected an object, got a number 3"),
        (b'{"name": "x", "states": {"Initial": {"type": "Terminal"}}, "gmf_version": 1e999}', "expected a number"),
        (b'{"name": " ", "states": {"Initial": {"type": "Terminal"}}}', "blank 'name'"),
    ],
)
def test_files_that_hold_no_module(data: bytes, words: str) -> None:
    module, findings = parse_module(data, key="x", file=Path("x.json"))
    assert module is None
    assert any(words in finding.message for finding in findings if finding.severity is Severity.ERROR)


def test_duplicate_keys_are_named_with_their_path() -> None:
    state = '"A": {"type": "Simple", "direct_transition": "End"}'
    text = '{"name": "x", "states": {"Initial": {"type": "Initial", "direct_transition": "A"}, ' + state + ", " + state
    module, findings = _parse_text(text + ', "End": {"type": "Terminal"}}}')
    assert module is None
    assert [(f.rule, f.path) for f in findings] == [("GMF102", "$.states['A']")]


def test_all_bad_states_are_reported_at_once() -> None:
    tree = module_json(
        {
            "Crohn's": {"type": "Delay", "exact": {"quantity": "3", "unit": "days"}, "direct_transition": "End"},
            "Bad Type": {"type": "ConditionOnSet", "direct_transition": "End"},
            "No Way": {"type": "Simple"},
            "Bad Chance": {
                "type": "Simple",
                "distributed_transition": [{"transition": "End", "distribution": "0.5"}],
            },
        }
    )
    assert parse_errors(tree) == [
        "example.json: $.states['Crohn\\'s'].exact.quantity: expected a number, got a text '3' [GMF104 error]",
        "example.json: $.states['Bad Type'].type: unknown state type 'ConditionOnSet', did you mean 'ConditionOnset'? "
        "[GMF105 error]",
        "example.json: $.states['No Way']: this state has no transition (only a Terminal may have none; give it one of "
        "direct_transition, distributed_transition, conditional_transition, complex_transition, "
        "lookup_table_transition, type_of_care_transition) [GMF108 error]",
        "example.json: $.states['Bad Chance'].distributed_transition[0].distribution: the probability is '0.5': "
        "expected a number between 0 and 1 (write 0.5 without quotes) [GMF301 error]",
    ]


_FAULTS: list[tuple[Json, str, str]] = [
    ({"type": "Delay"}, "", "expected one of 'exact', 'range' and 'distribution'"),
    ({"type": "Delay", "exact": {"quantity": 1}}, ".exact", "missing 'unit'"),
    ({"type": "Delay", "exact": {"quantity": 1, "unit": " "}}, ".exact.unit", "blank 'unit'"),
    ({"type": "Delay", "exact": {"quantity": 1, "unit": "day"}}, ".exact.unit", "did you mean 'days'?"),
    ({"type": "Delay", "range": {"low": 1, "unit": "days"}}, ".range", "missing key 'high'"),
    ({"type": "Delay", "distribution": {"kind": "UNIFORM"}, "unit": "days"}, ".distribution", "'parameters'"),
    (
        {"type": "Delay", "distribution": {"kind": "GAUSSIAN", "parameters": {"mean": 1}}, "unit": "days"},
        ".distribution.parameters",
        "missing parameter 'standardDeviation' of GAUSSIAN",
    ),
    (
        {"type": "Delay", "distribution": {"kind": "NORMAL", "parameters": {}}, "unit": "days"},
        ".distribution.kind",
        "unknown kind of distribution 'NORMAL'",
    ),
    ({"type": "Delay", "distribution": _UNIFORM}, "", "missing 'unit'"),
    ({"type": "Guard"}, "", "missing key 'allow'"),
    ({"type": "Guard", "allow": "x"}, ".allow", "expected an object, got a text 'x'"),
    ({"type": "Guard", "allow": {}}, ".allow", "missing key 'condition_type'"),
    ({"type": "Guard", "allow": {"condition_type": "Attribut"}}, ".allow.condition_type", "did you mean 'Attribute'?"),
    ({"type": "Guard", "allow": {"condition_type": "Not"}}, ".allow", "missing key 'condition'"),
    ({"type": "Guard", "allow": {"condition_type": "Date", "operator": ">"}}, ".allow", "'year', 'month' and 'date'"),
    (
        {
            "type": "Guard",
            "allow": {"condition_type": "Date", "operator": ">", "date": {"year": 1, "month": 2, "day": 30}},
        },
        ".allow.date",
        "no such date",
    ),
    ({"type": "Guard", "allow": {"condition_type": "Active Condition"}}, ".allow", "'codes' or"),
    (
        {"type": "Guard", "allow": {"condition_type": "Age", "operator": ">", "quantity": 1, "unit": "days"}},
        ".allow.unit",
        "unknown unit of age 'days'",
    ),
    ({"type": "Guard", "allow": {"condition_type": "At Least", "conditions": []}}, ".allow", "missing key 'minimum'"),
    ({"type": "CallSubmodule"}, "", "missing key 'submodule'"),
    ({"type": "Counter", "action": "increment"}, "", "missing key 'attribute'"),
    ({"type": "SetAttribute", "attribute": "x", "value": []}, ".value", "expected a text, number or boolean"),
    ({"type": "Encounter", "encounter_class": "ambulance"}, ".encounter_class", "did you mean 'ambulatory'?"),
    ({"type": "Encounter", "wellness": "true"}, ".wellness", "expected true or false, got a text 'true'"),
    ({"type": "ConditionOnset"}, "", "missing key 'codes'"),
    ({"type": "ConditionOnset", "codes": []}, ".codes", "empty list 'codes'"),
    ({"type": "ConditionOnset", "codes": [{"code": "1"}]}, ".codes[0]", "missing key 'system'"),
    ({"type": "ConditionOnset", "codes": [{"system": "LOINC", "code": True}]}, ".codes[0].code", "got a boolean True"),
    ({"type": "ConditionOnset", "codes": ["1"]}, ".codes[0]", "expected an object"),
    ({"type": "ConditionOnset", "codes": {}}, ".codes", "expected a list"),
    ({"type": "Observation", "codes": [CODE], "exact": {"quantity": 1}}, "", "missing 'unit'"),
    ({"type": "Observation", "codes": [CODE], "unit": "", "exact": {"quantity": 1}}, ".unit", "blank 'unit'"),
    ({"type": "MultiObservation", "codes": [CODE], "observations": [{}]}, ".observations[0]", "missing key 'codes'"),
    ({"type": "VitalSign", "vital_sign": "BMI"}, "", "expected one of 'exact', 'range', 'expression'"),
    ({"type": "ImagingStudy", "procedure_code": CODE}, "", "missing key 'series'"),
    ({"type": "ImagingStudy", "series": []}, "", "missing key 'procedure_code'"),
    ({"type": "Device"}, "", "missing key 'code'"),
    ({"type": "SupplyList"}, "", "missing key 'supplies'"),
    ({"type": "Symptom", "symptom": None}, "", "missing key 'symptom'"),
    ({"type": "Simple", "remarks": "text"}, ".remarks", "expected a list of texts"),
    ({"type": "Simple", "remarks": [1]}, ".remarks[0]", "expected a text, got a number 1"),
    ({"type": "Vaccine", "codes": [CODE], "series": 1.5}, ".series", "expected a whole number"),
    ({"type": "Procedure", "codes": [CODE], "distribution": _UNIFORM}, "", "missing 'unit'"),
    ({"type": "AllergyOnset", "codes": [CODE], "allergy_type": "x"}, ".allergy_type", "unknown type of allergy 'x'"),
    (
        {"type": "AllergyOnset", "codes": [CODE], "reactions": [{"reaction": CODE, "possible_severities": []}]},
        ".reactions[0].possible_severities",
        "empty list",
    ),
    (
        {
            "type": "AllergyOnset",
            "codes": [CODE],
            "reactions": [{"reaction": CODE, "possible_severities": [{"level": "awful", "value": 1}]}],
        },
        ".reactions[0].possible_severities[0].level",
        "unknown level 'awful'",
    ),
    ({"type": "Counter", "attribute": "x", "action": 1}, ".action", "got a number 1"),
    ({"type": "Counter", "attribute": "x", "action": "increment", "amount": 10**400}, ".amount", "expected a number"),
    ({"type": "SetAttribute", "attribute": "x", "value": 10**400}, ".value", "expected a text, number or boolean"),
    ({"type": "SetAttribute", "attribute": "x", "expression": "1 +"}, ".expression", "expression '1 +'"),
    ({"type": "ConditionOnset", "codes": [{**CODE, "display": 5}]}, ".codes[0].display", "expected a text"),
    ({"type": "ConditionOnset", "codes": [{**CODE, "code": 1.5}]}, ".codes[0].code", "got a number 1.5"),
    ({"type": "Guard", "allow": {"condition_type": "And"}}, ".allow", "missing key 'conditions'"),
    (
        {"type": "Guard", "allow": {"condition_type": "Date", "operator": ">", "date": {"year": 2000}}},
        ".allow.date",
        "missing key 'month'",
    ),
    (
        {
            "type": "Guard",
            "allow": {"condition_type": "Date", "operator": ">", "date": {"year": 10**30, "month": 1, "day": 1}},
        },
        ".allow.date",
        "no such date",
    ),
    ({"type": 7}, ".type", "expected the type of the state, got a number 7"),
    ({}, "", "missing key 'type'"),
]


@pytest.mark.parametrize(("state", "path", "words"), _FAULTS, ids=lambda value: str(value)[:50])
def test_fault_of_a_state(state: Json, path: str, words: str) -> None:
    found = parse_errors(module_json({"It": {**state, "direct_transition": "End"}}))
    assert any(line.startswith(f"example.json: $.states['It']{path}: ") and words in line for line in found), found


_BAD_TRANSITIONS: list[tuple[Json, str, str]] = [
    ({"direct_transition": ""}, ".direct_transition", "blank 'direct_transition'"),
    ({"direct_transition": ["End"]}, ".direct_transition", "got a list"),
    ({"distributed_transition": []}, ".distributed_transition", "empty list"),
    ({"conditional_transition": []}, ".conditional_transition", "empty list"),
    ({"complex_transition": []}, ".complex_transition", "empty list"),
    ({"lookup_table_transition": []}, ".lookup_table_transition", "empty list"),
    ({"complex_transition": [{"distributions": []}]}, ".complex_transition[0].distributions", "empty list"),
    ({"complex_transition": [{}]}, ".complex_transition[0]", "expected 'transition' or 'distributions'"),
    ({"distributed_transition": [{"transition": "End"}]}, ".distributed_transition[0]", "missing key 'distribution'"),
    (
        {"distributed_transition": [{"transition": "End", "distribution": "risk"}]},
        ".distributed_transition[0].distribution",
        "to read it from an attribute",
    ),
    (
        {"distributed_transition": [{"transition": "End", "distribution": {"default": 1}}]},
        ".distributed_transition[0].distribution",
        "missing key 'attribute'",
    ),
    (
        {"distributed_transition": [{"transition": "End", "distribution": True}]},
        ".distributed_transition[0].distribution",
        "the probability is True",
    ),
    (
        {"distributed_transition": [{"transition": "End", "distribution": [0.5]}]},
        ".distributed_transition[0].distribution",
        "the probability is [0.5]",
    ),
    ({"conditional_transition": [{}]}, ".conditional_transition[0]", "missing key 'transition'"),
    ({"lookup_table_transition": [{"transition": "End"}]}, ".lookup_table_transition[0]", "'lookup_table_name'"),
    ({"type_of_care_transition": {"ambulatory": "End"}}, ".type_of_care_transition", "missing key 'emergency'"),
    ({"type_of_care_transition": []}, ".type_of_care_transition", "expected an object"),
]


@pytest.mark.parametrize(("transition", "path", "words"), _BAD_TRANSITIONS, ids=lambda value: str(value)[:50])
def test_fault_of_a_transition(transition: Json, path: str, words: str) -> None:
    found = parse_errors(module_json({"It": {"type": "Simple", **transition}}))
    assert any(line.startswith(f"example.json: $.states['It']{path}: ") and words in line for line in found), found


def test_conditions_nested_too_deeply_are_a_finding() -> None:
    condition: Json = {"condition_type": "True"}
    for _ in range(100):
        condition = {"condition_type": "Not", "condition": condition}
    found = parse_errors(module_json({"It": {"type": "Guard", "allow": condition, "direct_transition": "End"}}))
    assert any("nested more than 60 deep" in line for line in found)


def test_duplicate_keys_inside_lists_are_found() -> None:
    module, findings = _parse_text(
        '{"name": "x", "states": {"Initial": {"type": "Terminal", "remarks": [{"a": 1, "a": 2}]}}}'
    )
    assert module is None
    assert findings[0].path == "$.states['Initial'].remarks[0].a"
