"""Circe expressions: every kind of criterion is read, what the form cannot say is refused by its path."""

import json
from datetime import date
from typing import Any

import pytest

from trajsim.trials.criteria import CriteriaError, Definition, Reading, describe, import_circe, lint_circe, parse_circe
from trajsim.trials.criteria.circe_keys import COLUMNS, COUNT_OPS, DOMAINS, FIELDS, NEEDS, RANGE_OPS, TEXT_OPS
from trajsim.trials.criteria.form import TESTS_OF, CodeTest, Coding, Domain, NumberTest, Period, Shift, TextTest, Window

Json = Any
_CONCEPT = {"CONCEPT_ID": 8507, "CONCEPT_CODE": "M", "VOCABULARY_ID": "Gender", "CONCEPT_NAME": "MALE"}
_VALUES: dict[str, Json] = {
    "date": {"Op": "bt", "Value": "2019-1-02", "Extent": "2020-02-03"},
    "whole": {"Op": "gte", "Value": 3},
    "number": {"Op": "!bt", "Value": 1.5, "Extent": 2.25},
    "text": {"Op": "!startsWith", "Text": "a"},
    "codes": [_CONCEPT],
    "set_test": {"CodesetId": 4, "IsExclusion": True},
    "set_name": 4,
}
_NOBODY = ("$.PrimaryCriteria.CriteriaList", "CRT201")
_EDGES = {"Start": {"Days": 7, "Coeff": -1}, "End": {"Days": None, "Coeff": 1}}


def _expression(*entries: Json, rules: Json = (), **more: Json) -> dict[str, Json]:
    return {
        "ConceptSets": [{"id": 4, "name": " Four ", "expression": {"items": [{"concept": _CONCEPT}]}}],
        "PrimaryCriteria": {
            "CriteriaList": list(entries) or [{"VisitOccurrence": {}}],
            "ObservationWindow": {"PriorDays": 10, "PostDays": 20},
            "PrimaryCriteriaLimit": {"Type": "Last"},
        },
        "InclusionRules": [{"name": "", "expression": each} for each in rules],
        **more,
    }


def _read(expression: Json, *, reading: Reading = Reading.SCREENING) -> Definition:
    return import_circe(json.dumps(expression).encode(), file="it.json", reading=reading)


def _faults(expression: Json) -> set[tuple[str, str]]:
    with pytest.raises(CriteriaError) as caught:
        _read(expression)
    assert all(each.file == "it.json" for each in caught.value.findings)
    return {(each.path.replace("$.PrimaryCriteria.CriteriaList[0].", ""), each.rule) for each in caught.value.findings}


def _counted(criteria: Json, **more: Json) -> dict[str, Json]:
    whole = {"Criteria": criteria, "StartWindow": _EDGES, "Occurrence": {"Type": 2, "Count": 1}, **more}
    return {key: value for key, value in whole.items() if value is not None}


def _group(*counted: Json, **more: Json) -> dict[str, Json]:
    return {"Type": "ALL", "CriteriaList": list(counted), "DemographicCriteriaList": [], "Groups": [], **more}


@pytest.mark.parametrize(("kind", "domain"), DOMAINS.items())
def test_every_key_of_every_kind_is_read_into_its_test(kind: str, domain: Domain) -> None:
    fields = FIELDS[domain]
    item = {key: _VALUES[how] for key, (_, how) in fields.items()}
    definition, findings = parse_circe(json.dumps(_expression({kind: {**item, "First": True}})).encode())
    assert definition is not None
    assert [each for each in findings if each.severity == "error"] == []
    (event,) = definition.entry.any_of
    assert (event.domain, event.first) == (domain, True)
    coded = (CodeTest(any_of=(Coding(system="Gender", code="M", display="MALE", concept_id=8507),)),)
    by_set = (CodeTest(code_set="4", exclude=True),)
    for name, how in fields.values():
        found = getattr(event, name)
        assert name in TESTS_OF[domain] or name in {"codes", "source_codes"}
        if how in {"codes", "set_test"}:  # a list and a set may both be asked for
            assert found in (coded, by_set, coded + by_set)
        elif how == "date":
            assert (found.op, found.value, found.upper) == ("between", date(2019, 1, 2), date(2020, 2, 3))
        else:
            expected = {
                "whole": NumberTest(op=">=", value=3.0),
                "number": NumberTest(op="outside", value=1.5, upper=2.25),
                "text": TextTest(op="not_starts_with", text="a"),
                "set_name": "4",
            }
            assert found == expected[how]
    assert describe(definition)


def test_parts_of_an_event() -> None:
    item = {
        "CodesetId": 4,
        "DateAdjustment": {"StartWith": "END_DATE", "StartOffset": -2, "EndWith": "START_DATE", "EndOffset": 5},
        "CorrelatedCriteria": _group(_counted({"Death": {}})),
        "ConditionType": [_CONCEPT],
        "ConditionTypeExclude": True,
        "GenderCS": {},
    }
    (event,) = _read(_expression({"ConditionOccurrence": item}, {"VisitOccurrence": {}})).entry.any_of[:1]
    assert event.codes == "4"
    assert event.shift == Shift(start_from="end", start_days=-2, end_from="start", end_days=5)
    assert event.where is not None
    assert event.where.events[0].event.domain == "death"
    assert event.type[0].exclude
    assert event.sex == (CodeTest(),)
    period = {"UserDefinedPeriod": {"StartDate": "2020-01-01", "EndDate": ""}}
    (event,) = _read(_expression({"ObservationPeriod": period})).entry.any_of
    assert event.user_period == Period(start=date(2020, 1, 1))


def test_groups_windows_and_counts() -> None:
    ends = {"Start": {"Days": 0, "Coeff": -1}, "End": {"Days": 3, "Coeff": 1}, "UseIndexEnd": True, "UseEventEnd": True}
    counted = [
        _counted({"Death": {}}, EndWindow=ends, RestrictVisit=True, IgnoreObservationPeriod=True),
        _counted({"Death": {}}, StartWindow={"Start": {"Coeff": 1}, "End": {"Coeff": -1}}),
        *(_counted({"Measurement": {}}, Occurrence={"Type": 1, "Count": 2, "IsDistinct": True, "CountColumn": column})
          for column in COLUMNS if COLUMNS[column] in {"start", "code", "value"}),
        *(_counted({"Death": {}}, Occurrence={"Type": kind, "Count": 2}) for kind in COUNT_OPS),
    ]  # fmt: skip
    person = {"Age": {"Op": "lt", "Value": 70}, "Race": [_CONCEPT], "EthnicityCS": {"CodesetId": 4}}
    groups = [_group(_counted({"Death": {}}), Type=need, Count=1) for need in NEEDS]
    rule = _group(*counted, DemographicCriteriaList=[person], Groups=groups)
    (read,) = _read(_expression(rules=[rule])).rules
    assert read.name == "rule 1"
    first, second = read.group.events[:2]
    assert first.window == Window(first_day=-7)
    assert first.end_window == Window(first_day=0, last_day=3, from_index_end=True, of_event_end=True)
    assert (first.same_visit, first.any_period) == (True, True)
    assert second.window == Window(first_is_period_end=True, last_is_period_start=True)
    assert {each.occurrence.distinct for each in read.group.events[2:-3]} == {"start", "code", "value"}
    assert [each.occurrence.op for each in read.group.events[-3:]] == list(COUNT_OPS.values())
    assert [each.need for each in read.group.groups] == list(NEEDS.values())
    assert read.group.patients[0].ethnicity == (CodeTest(code_set="4"),)


def test_exits_censoring_and_limits() -> None:
    whole = _read(
        _expression(
            EndStrategy={"DateOffset": {"DateField": "EndDate", "Offset": 7}},
            CensoringCriteria=[{"Death": {}}],
            CollapseSettings={"CollapseType": "ERA", "EraPad": 5},
            CensorWindow={"StartDate": "2020-01-01", "EndDate": None},
            AdditionalCriteria=_group(_counted({"Death": {}})),
            QualifiedLimit={"Type": "First"},
            ExpressionLimit={"Type": "ALL"},
            Title="a cohort",
        )
    )
    assert whole.fixed_exit is not None
    assert (whole.fixed_exit.counted_from, whole.fixed_exit.days, whole.pad_days, whole.name) == (
        "end",
        7,
        5,
        "a cohort",
    )
    assert (whole.entry.keep, whole.keep_additional, whole.keep) == ("last", "first", "all")
    assert (whole.entry.days_before, whole.entry.days_after) == (10, 20)
    assert whole.calendar == Period(start=date(2020, 1, 1))
    assert (len(whole.censoring), whole.additional is not None, whole.code_sets[0].title) == (1, True, "Four")
    era = {"DrugCodesetId": 4, "GapDays": 30, "Offset": 2, "DaysSupplyOverride": 28}
    exposure = _read(_expression(EndStrategy={"CustomEra": era})).exposure_exit
    assert exposure is not None
    assert (exposure.codes, exposure.gap_days, exposure.extra_days, exposure.days_supply) == ("4", 30, 2, 28)


def test_operators_are_circe_s() -> None:
    for op, ours in RANGE_OPS.items():
        (event,) = _read(_expression({"Death": {"Age": {"Op": op, "Value": 1, "Extent": 2}}})).entry.any_of
        assert event.age is not None
        assert event.age.op == ours
    for op, text in TEXT_OPS.items():
        (event,) = _read(_expression({"DrugExposure": {"LotNumber": {"Op": op, "Text": None}}})).entry.any_of
        assert event.lot == TextTest(op=text)


def test_a_threshold_of_any_size_keeps_its_digits() -> None:
    for size in (1e30, 1.7976931348623157e308):
        value = {"Op": "bt", "Value": 0.00005, "Extent": size}
        (event,) = _read(_expression({"Measurement": {"ValueAsNumber": value}})).entry.any_of
        assert event.value is not None
        assert (event.value.value, event.value.upper) == (0.0001, size)


@pytest.mark.parametrize(
    ("entry", "faults"),
    [
        ({"Dream": {}}, {("Dream", "CRT106"), _NOBODY}),
        ({}, {("$.PrimaryCriteria.CriteriaList[0]", "CRT104"), _NOBODY}),
        ({"Death": {}, "Specimen": {}}, {("$.PrimaryCriteria.CriteriaList[0]", "CRT104"), _NOBODY}),
        ({"Death": 3}, {("Death", "CRT103")}),
        (7, {("$.PrimaryCriteria.CriteriaList[0]", "CRT104"), _NOBODY}),
        ({"LocationRegion": {}}, {("LocationRegion", "CRT106")}),
        ({"Death": {"Age": {"Op": ["gt"], "Value": 1}}}, {("Death.Age.Op", "CRT102")}),
        ({"Death": {"Age": {"Op": "gt", "Value": "1"}}}, {("Death.Age.Value", "CRT103"), ("Death.Age", "CRT301")}),
        ({"Death": {"OccurrenceStartDate": {"Op": "gt", "Value": "today"}}},
         {("Death.OccurrenceStartDate.Value", "CRT105"), ("Death.OccurrenceStartDate", "CRT301")}),
        ({"Death": {"CodesetId": "4"}}, {("Death.CodesetId", "CRT103")}),
        ({"Death": {"First": "yes"}}, {("Death.First", "CRT103")}),
        ({"Death": {"Gender": {"CONCEPT_ID": 1}}}, {("Death.Gender", "CRT103")}),
        ({"Death": {"Gender": [{"CONCEPT_ID": "1"}]}},
         {("Death.Gender[0].CONCEPT_ID", "CRT103"), ("Death.Gender[0]", "CRT104")}),
        ({"Death": {"DateAdjustment": 3}}, {("Death.DateAdjustment", "CRT103")}),
        ({"Death": {"DateAdjustment": {"StartWith": "MIDDLE", "StartOffset": 1.5}}},
         {("Death.DateAdjustment.StartWith", "CRT102"), ("Death.DateAdjustment.StartOffset", "CRT103")}),
        ({"Death": {"CorrelatedCriteria": 3}}, {("Death.CorrelatedCriteria", "CRT103")}),
        ({"Death": {"CorrelatedCriteria": {"Type": "SOME"}}}, {("Death.CorrelatedCriteria.Type", "CRT102")}),
    ],
)  # fmt: skip
def test_what_an_entry_cannot_be(entry: Json, faults: set[tuple[str, str]]) -> None:
    assert _faults(_expression(entry)) == faults


@pytest.mark.parametrize(
    ("counted", "path", "rule"),
    [
        (_counted({"Death": {}}, Occurrence=None), "Occurrence", "CRT104"),
        (_counted({"Death": {}}, Occurrence={"Type": 3}), "Occurrence.Type", "CRT102"),
        (_counted({"Death": {}}, Occurrence={"Type": [0]}), "Occurrence.Type", "CRT102"),
        (_counted({"Death": {}}, Occurrence={"Type": 0, "CountColumn": "MOOD"}), "Occurrence.CountColumn", "CRT102"),
        (_counted({"Death": {}}, Occurrence={"Type": 0, "Count": 1e12}), "Occurrence.Count", "CRT103"),
        (_counted({"Death": {}}, StartWindow=None), "StartWindow", "CRT104"),
        (_counted({"Death": {}}, StartWindow=3), "StartWindow", "CRT103"),
        (_counted({"Death": {}}, StartWindow={"Start": {"Days": 1, "Coeff": -1}}), "StartWindow.End", "CRT104"),
    ],
)
def test_what_cannot_be_counted(counted: Json, path: str, rule: str) -> None:
    prefix = "$.InclusionRules[0].expression.CriteriaList[0]."
    assert (prefix + path, rule) in _faults(_expression(rules=[_group(counted)]))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"EndStrategy": {"Never": {}}}, ("$.EndStrategy.Never", "CRT106")),
        ({"EndStrategy": {"CustomEra": {}}}, ("$.EndStrategy.CustomEra.DrugCodesetId", "CRT104")),
        ({"CollapseSettings": {"CollapseType": "DAY"}}, ("$.CollapseSettings.CollapseType", "CRT102")),
        ({"CensorWindow": {"StartDate": "2020-13-01"}}, ("$.CensorWindow.StartDate", "CRT105")),
        ({"InclusionRules": {}}, ("$.InclusionRules", "CRT103")),
        ({"ConceptSets": [{"id": "4"}]}, ("$.ConceptSets[0].id", "CRT103")),
        ({"PrimaryCriteria": {"CriteriaList": [{"Death": {}}]}}, ("$.PrimaryCriteria.ObservationWindow", "CRT104")),
        ({"PrimaryCriteria": None}, ("$.PrimaryCriteria", "CRT201")),
    ],
)
def test_what_an_expression_cannot_hold(more: Json, fault: tuple[str, str]) -> None:
    assert fault in _faults(_expression(**more))


def test_doubts_are_told_and_not_refused() -> None:
    whole = _expression({"Death": {"CodesetId": 9}}, rules=[None], QualifiedLimit={"Type": "Any"}, Mood="fine")
    definition, findings = parse_circe(json.dumps(whole).encode())
    assert definition is not None
    assert {(each.path, each.rule) for each in findings} == {
        ("$.PrimaryCriteria.CriteriaList[0].Death.CodesetId", "CRT204"),
        ("$.QualifiedLimit.Type", "CRT102"),
        ("$.Mood", "CRT107"),
    }
    assert definition.keep_additional == "first"
    assert definition.rules[0].group.size == 0


def test_the_linter_points_into_the_expression() -> None:
    whole = _expression(
        {"Death": {}},
        CensorWindow={"StartDate": "2020-01-02", "EndDate": "2020-01-01"},
        EndStrategy={"DateOffset": {"DateField": "StartDate", "Offset": -1}},
        ExpressionLimit={"Type": "First"},
    )
    found = {(each.path, each.rule) for each in lint_circe(json.dumps(whole).encode())}
    assert {
        ("$.CensorWindow", "CRT405"),
        ("$.EndStrategy.DateOffset", "CRT405"),
        ("$.ExpressionLimit", "CRT505"),
    } < found


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"a": 1, "a": 2}', b'{"a": Infinity}'])
def test_what_is_no_expression(data: bytes) -> None:
    definition, findings = parse_circe(data, file="it.json")
    assert definition is None
    assert [(each.rule, each.file) for each in findings] == [("CRT101", "it.json")]
    with pytest.raises(CriteriaError):
        import_circe(data)
