"""Conditions, transitions and states in words."""

import pytest

from trajsim.gmf import model
from trajsim.gmf.describe import describe_condition, describe_state, describe_transition
from trajsim.gmf.model import Code
from trajsim.testing.modules import ASTHMA_JSON, Json, sound_module, sound_state

ASTHMA = Code("SNOMED-CT", "195967001", "Asthma")
AGE = model.AgeCondition(operator=">=", quantity=18.0, unit="years")
SMOKER = model.AttributeCondition(attribute="smoker", operator="==", value=True)
FEMALE = model.GenderCondition(gender="F")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (AGE, "age ≥ 18 years"),
        (model.AgeCondition(operator="<", quantity=1.0, unit="years"), "age < 1 year"),
        (FEMALE, "female"),
        (model.GenderCondition(gender="X"), "sex is X"),
        (SMOKER, "smoker is true"),
        (model.AttributeCondition(attribute="x", operator="is nil"), "x is not set"),
        (model.AttributeCondition(attribute="x", operator="is not nil"), "x is set"),
        (model.AttributeCondition(attribute="x", operator="~", value=2.50), "x ~ 2.5"),
        (model.AttributeCondition(attribute="x", operator="!=", value_code=ASTHMA), "x is not Asthma"),
        (model.AttributeCondition(attribute="x", operator="=="), "x is nothing"),
        (model.DateCondition(operator="<", year=1990), "year < 1990"),
        (model.DateCondition(operator="==", month=7), "month is July"),
        (model.DateCondition(operator="==", month=13), "month is 13"),
        (model.DateCondition(operator=">", date_ms=86_400_000), "date > 1970-01-02"),
        (model.DateCondition(operator=">", date_ms=86_401_000), "date > 1970-01-02T00:00:01Z"),
        (model.RaceCondition(race="white"), "race is white"),
        (model.SocioeconomicStatusCondition(category="Low"), "socioeconomic status is Low"),
        (model.SymptomCondition(symptom="Cough", operator=">", value=30.0), "symptom Cough > 30"),
        (model.VitalSignCondition(vital_sign="BMI", operator=">=", value=30.0), "BMI ≥ 30"),
        (model.ObservationCondition(operator="<=", codes=(ASTHMA,), value=5), "last Asthma ≤ 5"),
        (model.ObservationCondition(operator="is nil", referenced_by_attribute="x"), "last x is not set"),
        (model.ActiveCondition(kind="CarePlan", codes=(ASTHMA, ASTHMA)), "active care plan: Asthma"),
        (
            model.ActiveCondition(kind="Medication", referenced_by_attribute="drug"),
            "active medication: the one in 'drug'",
        ),
        (model.PriorStateCondition(name="A"), "'A' was visited"),
        (
            model.PriorStateCondition(name="A", since="B", within=model.Exact(2, "years")),
            "'A' was visited since 'B' within the last 2 years",
        ),
        (model.ConstantCondition(value=True), "always"),
        (model.ConstantCondition(value=False), "never"),
        (model.NotCondition(condition=FEMALE), "not female"),
        (model.LogicGroup(kind="And", conditions=()), "always"),
        (
            model.LogicGroup(kind="And", conditions=(AGE, model.LogicGroup(kind="Or", conditions=(SMOKER, FEMALE)))),
            "age ≥ 18 years and (smoker is true or female)",
        ),
        (model.LogicGroup(kind="AtLeast", n=1, conditions=(AGE, FEMALE)), "at least 1 of: age ≥ 18 years; female"),
        (model.LogicGroup(kind="AtMost", n=1, conditions=(AGE,)), "at most 1 of: age ≥ 18 years"),
    ],
)
def test_condition_in_words(condition: model.Condition, words: str) -> None:
    assert describe_condition(condition) == words


def labels(**transition: object) -> list[tuple[str, str]]:
    module = sound_module({"It": {"type": "Simple", **transition}})
    return [(arrow.target, arrow.label) for arrow in describe_transition(module.states["It"].transition)]


GENDER: Json = {"condition_type": "Gender", "gender": "F"}
CHANCES: list[Json] = [
    {"transition": "It", "distribution": 0.125},
    {"transition": "End", "distribution": {"attribute": "risk", "default": 0.5}},
]


def test_transitions_in_words() -> None:
    assert describe_transition(None) == []
    assert labels(direct_transition="End") == [("End", "")]
    assert labels(distributed_transition=CHANCES) == [("It", "12.5%"), ("End", "chance risk (else 50%)")]
    conditional = [{"transition": "It", "condition": GENDER}, {"transition": "End", "condition": GENDER}]
    assert labels(conditional_transition=conditional) == [("It", "if female"), ("End", "otherwise")]
    assert labels(conditional_transition=conditional[1:]) == [("End", "")]
    complex_ = [{"condition": GENDER, "distributions": CHANCES}, {"transition": "End"}]
    assert labels(complex_transition=complex_) == [
        ("It", "if female: 12.5%"),
        ("End", "if female: chance risk (else 50%)"),
        ("End", "otherwise"),
    ]
    assert labels(complex_transition=[{"distributions": CHANCES}])[0] == ("It", "12.5%")
    table = [{"transition": "End", "lookup_table_name": "t.csv"}]
    assert labels(lookup_table_transition=table) == [("End", "by table t.csv")]
    care = {"ambulatory": "It", "emergency": "It", "telemedicine": "End"}
    assert labels(type_of_care_transition=care) == [
        ("It", "ambulatory care"),
        ("It", "emergency care"),
        ("End", "telemedicine care"),
    ]


def gaussian(**parameters: float) -> Json:
    return {"kind": "GAUSSIAN", "parameters": parameters}


@pytest.mark.parametrize(
    ("type_", "fields", "words"),
    [
        ("Simple", {}, ""),
        ("Terminal", {}, ""),
        ("Delay", {"exact": {"quantity": 1, "unit": "years"}}, "wait 1 year"),
        ("Delay", {"range": {"low": 1, "high": 2.5, "unit": "days"}}, "wait 1 to 2.5 days"),
        ("Delay", {"distribution": gaussian(mean=5, standardDeviation=2), "unit": "weeks"}, "wait 5 ± 2 weeks"),
        (
            "Delay",
            {"distribution": {"kind": "UNIFORM", "parameters": {"low": 3, "high": 4}}, "unit": "days"},
            "wait 3 to 4 days",
        ),
        (
            "Delay",
            {"distribution": {"kind": "EXPONENTIAL", "parameters": {"mean": 3}}, "unit": "days"},
            "wait exponential, mean 3 + 1 days",
        ),
        (
            "Delay",
            {"distribution": {"kind": "TRIANGULAR", "parameters": {"min": 1, "mode": 2, "max": 9}}, "unit": "days"},
            "wait 1 to 9, mostly 2 days",
        ),
        ("Guard", {"allow": GENDER}, "wait until female"),
        ("SetAttribute", {"attribute": "x", "value": True}, "x = true"),
        ("SetAttribute", {"attribute": "x"}, "clear x"),
        ("SetAttribute", {"attribute": "x", "expression": "1 + 1"}, "x = 1 + 1"),
        ("SetAttribute", {"attribute": "x", "series_data": "1 2"}, "x = a time series"),
        ("SetAttribute", {"attribute": "x", "value_attribute": "y"}, "x = the value of y"),
        ("SetAttribute", {"attribute": "x", "value_code": ASTHMA_JSON}, "x = Asthma"),
        ("SetAttribute", {"attribute": "x", "range": {"low": 1, "high": 2}}, "x = 1 to 2"),
        ("Counter", {"attribute": "x", "action": "decrement", "amount": 0}, "x -= 1"),
        ("CallSubmodule", {"submodule": "a/b"}, "a/b"),
        ("Encounter", {"wellness": True}, "at the next wellness visit"),
        ("Encounter", {"codes": [ASTHMA_JSON], "reason": "x"}, "ambulatory: Asthma, because of x"),
        ("EncounterEnd", {"discharge_disposition": ASTHMA_JSON}, "Asthma"),
        ("EncounterEnd", {}, ""),
        ("Symptom", {"symptom": "Cough", "probability": 0.5, "exact": {"quantity": 7}}, "Cough: 7, in 50%"),
        ("Symptom", {"symptom": "Cough"}, "Cough: nothing"),
        ("Death", {}, "now"),
        (
            "Death",
            {"codes": [ASTHMA_JSON], "range": {"low": 1, "high": 2, "unit": "days"}},
            "within 1 to 2 days: Asthma",
        ),
        ("ConditionOnset", {"codes": [ASTHMA_JSON], "target_encounter": "V"}, "Asthma, diagnosed at 'V'"),
        ("AllergyOnset", {"codes": [ASTHMA_JSON]}, "Asthma"),
        ("ConditionEnd", {"condition_onset": "It"}, "ends It"),
        ("AllergyEnd", {"codes": [ASTHMA_JSON]}, "ends Asthma"),
        ("MedicationEnd", {"referenced_by_attribute": "x"}, "ends x"),
        ("CarePlanEnd", {"careplan": "It"}, "ends It"),
        ("DeviceEnd", {"device": "It"}, "ends It"),
        ("MedicationOrder", {"codes": [ASTHMA_JSON], "chronic": True, "reason": "x"}, "chronic: Asthma, because of x"),
        ("MedicationOrder", {"codes": [ASTHMA_JSON], "administration": True}, "given now: Asthma"),
        (
            "CarePlanStart",
            {"codes": [ASTHMA_JSON], "activities": [{**ASTHMA_JSON, "display": "Walk"}]},
            "Asthma / Walk",
        ),
        ("Procedure", {"codes": [ASTHMA_JSON]}, "Asthma"),
        (
            "Procedure",
            {"codes": [ASTHMA_JSON], "duration": {"low": 5, "high": 9, "unit": "minutes"}},
            "Asthma, takes 5 to 9 minutes",
        ),
        (
            "Procedure",
            {"codes": [ASTHMA_JSON], "distribution": {"kind": "EXACT", "parameters": {"value": 5}}, "unit": "minutes"},
            "Asthma, takes 5 minutes",
        ),
        ("Observation", {"codes": [ASTHMA_JSON], "unit": "mg", "exact": {"quantity": 5}}, "Asthma: 5 mg"),
        ("Observation", {"codes": [ASTHMA_JSON], "unit": "cm", "vital_sign": "Height"}, "Asthma: Height cm"),
        ("Observation", {"codes": [ASTHMA_JSON], "attribute": "x"}, "Asthma: the value of x"),
        ("Observation", {"codes": [ASTHMA_JSON], "value_code": ASTHMA_JSON}, "Asthma: Asthma"),
        ("Observation", {"codes": [ASTHMA_JSON], "expression": "1"}, "Asthma: 1"),
        ("Observation", {"codes": [ASTHMA_JSON], "sampled_data": {"a": 1}}, "Asthma: a time series"),
        ("Observation", {"codes": [ASTHMA_JSON], "attachment": {"a": 1}}, "Asthma: an attachment"),
        ("Observation", {"codes": [ASTHMA_JSON]}, "Asthma: no value"),
        ("MultiObservation", {"codes": [ASTHMA_JSON]}, "Asthma"),
        (
            "DiagnosticReport",
            {"codes": [ASTHMA_JSON], "observations": [{"codes": [ASTHMA_JSON], "attribute": "x"}]},
            "Asthma: Asthma",
        ),
        ("VitalSign", {"vital_sign": "Height", "exact": {"quantity": 170, "unit": "cm"}}, "Height: 170 cm"),
        ("Device", {"code": ASTHMA_JSON}, "Asthma"),
        ("SupplyList", {"supplies": [{"quantity": 2, "code": ASTHMA_JSON}]}, "2 x Asthma"),
        ("Vaccine", {"codes": [ASTHMA_JSON]}, "Asthma"),
        ("Physiology", {"alt_direct_transition": "End"}, ""),
        (
            "ImagingStudy",
            {
                "procedure_code": ASTHMA_JSON,
                "series": [
                    {"body_site": ASTHMA_JSON, "modality": ASTHMA_JSON, "instances": [{"sop_class": ASTHMA_JSON}]}
                ],
            },
            "Asthma",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_state_in_words(type_: str, fields: Json, words: str) -> None:
    assert describe_state(sound_state(type_, **fields)) == words


def test_parts_that_only_hand_made_modules_lack_have_words_too() -> None:
    assert describe_transition(model.ComplexTransition((model.ComplexOption(),))) == []
    assert describe_state(model.Delay(name="x", distribution=model.Distribution("UNIFORM"), unit="days")) == (
        "wait uniform days"
    )
    with pytest.raises(AssertionError, match="no words for a Condition"):
        describe_condition(model.Condition())
