"""Criteria from files: both languages, the short form and the long one, and every fault at once with its place."""

from datetime import date
from pathlib import Path

import pytest

from tests.unit.trials.criteria.builders import text
from trajsim.errors import DataFileError
from trajsim.trials.criteria import (
    CriteriaError,
    Definition,
    decode_criteria,
    parse_criteria,
    read_circe,
    read_criteria,
)
from trajsim.trials.criteria.form import (
    CodeTest,
    Coding,
    CountedCriterion,
    DateTest,
    EventCriterion,
    Group,
    NumberTest,
    Occurrence,
    PatientCriterion,
    Window,
)

FAULTY = b"""
code_sets:
  dm: [diabetes, "SNOMED-CT|44054006"]
  a1c: 7
entri: {any_of: [{domain: condition, codes: dm}]}
rules:
  - {names: adults, patient: {age: about 18}}
  - {name: measured, event: {domain: measurements, codes: a1c, value: 7..high}, window: last year, occurrence: twice}
  - {name: dates, patient: {start: "> 2020-02-30", sex: [{any_of: F, exclude: maybe}]}}
  - 5
days: 3
pad_days: 1.5
calendar: {start: 2021-02-29}
exposure_exit: {gap_days: yes}
keep: some
"""
SAID = {
    ("$.code_sets[0].codes[0]", "CRT103"),
    ("$.code_sets[1].codes", "CRT103"),
    ("$.entri", "CRT102"),
    ("$.entry", "CRT104"),
    ("$.rules[0].names", "CRT102"),
    ("$.rules[0].name", "CRT104"),
    ("$.rules[0].group.patients[0].age", "CRT103"),
    ("$.rules[1].group.events[0].event.domain", "CRT102"),
    ("$.rules[1].group.events[0].event.value", "CRT103"),
    ("$.rules[1].group.events[0].window", "CRT103"),
    ("$.rules[1].group.events[0].occurrence", "CRT103"),
    ("$.rules[2].group.patients[0].start", "CRT105"),
    ("$.rules[2].group.patients[0].sex[0].any_of", "CRT103"),
    ("$.rules[2].group.patients[0].sex[0].exclude", "CRT103"),
    ("$.rules[3]", "CRT103"),
    ("$.days", "CRT102"),
    ("$.pad_days", "CRT103"),
    ("$.calendar.start", "CRT105"),
    ("$.exposure_exit.codes", "CRT104"),
    ("$.exposure_exit.gap_days", "CRT103"),
    ("$.keep", "CRT102"),
}


def test_all_faults_are_told_at_once_by_file_and_path(tmp_path: Path) -> None:
    file = tmp_path / "criteria.yaml"
    file.write_bytes(FAULTY)
    with pytest.raises(CriteriaError) as caught:
        read_criteria(file)
    assert {(each.path, each.rule) for each in caught.value.findings} == SAID
    assert {each.file for each in caught.value.findings} == {str(file)}
    assert f"{len(SAID)} faults in the criteria" in caught.value.message
    assert all(f"{file}: {path}: " in caught.value.message for path, _ in SAID)
    assert "did you mean 'measurement'?" in caught.value.message
    assert "did you mean 'entry'?" in caught.value.message


@pytest.mark.parametrize(
    ("data", "rule", "said"),
    [
        (b"{", "CRT101", "not readable as JSON"),
        (b"entry: [", "CRT101", "not readable as YAML"),
        (b"[1]", "CRT101", "expected a mapping"),
        (b"\xff", "CRT101", "not readable as YAML"),
        (b"name: a\nname: b", "CRT101", "stands twice"),
        (b'{"name": "a", "name": "b"}', "CRT101", "stands twice"),
        (b'{"name": NaN}', "CRT101", "NaN is no number"),
        (b"? [1]\n: 2", "CRT101", "not readable as YAML"),
        (b'{"ConceptSets": []}', "CRT201", "no entry criteria"),
        (b'{"PrimaryCriteria": ', "CRT101", "not readable as JSON"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes, rule: str, said: str) -> None:
    with pytest.raises(CriteriaError, match=said) as caught:
        parse_criteria(data, file="it")
    assert rule in {each.rule for each in caught.value.findings}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_criteria(tmp_path / "nothing.yaml")


def test_the_short_form_and_the_long_one_are_the_same() -> None:
    short = decode_criteria(
        {
            "code_sets": {"a": ["LOINC|1"], "b": {"title": "B", "codes": ["RxNorm|2"]}},
            "entry": {"any_of": [{"domain": "measurement", "codes": "a", "value": "7..10.5", "unit": "%"}]},
            "rules": [
                {"name": "r", "event": {"domain": "drug", "codes": "b"}, "window": "-90..", "occurrence": "at least 2"},
                {"name": "p", "patient": {"age": "= 18", "start": "outside 2020-01-01..2021-01-01", "sex": "F"}},
                {"name": "g", "need": "any", "events": {"event": {"domain": "visit"}, "occurrence": "none"}},
            ],
        }
    )
    long = Definition(
        entry=short.entry.__class__(
            any_of=(
                EventCriterion(
                    domain="measurement",
                    codes="a",
                    value=NumberTest(op="between", value=7.0, upper=10.5),
                    unit=(CodeTest(any_of=(Coding(system="UCUM", code="%"),)),),
                ),
            )
        ),
        code_sets=short.code_sets,
        rules=tuple(
            rule.__class__(name=name, group=group)
            for rule, name, group in zip(short.rules, "rpg", (
                Group(events=(CountedCriterion(
                    event=EventCriterion(domain="drug", codes="b"), window=Window(first_day=-90),
                    occurrence=Occurrence(op="at_least", n=2)),)),
                Group(patients=(PatientCriterion(
                    age=NumberTest(op="==", value=18.0), sex=(CodeTest(any_of=(Coding(system="Gender", code="F"),)),),
                    start=DateTest(op="outside", value=date(2020, 1, 1), upper=date(2021, 1, 1))),)),
                Group(need="any", events=(CountedCriterion(
                    event=EventCriterion(domain="visit"), occurrence=Occurrence(op="exactly", n=0)),)),
            ), strict=True)
        ),
    )  # fmt: skip
    assert short == long
    assert [each.wording for each in short.code_sets] == ["a", "B"]
    assert short.code_sets[1].path == "$.code_sets[1]"
    assert short.rules[0].group.events[0].path == "$.rules[0].group.events[0]"


def test_yaml_and_json_words_are_taken_as_they_are_meant() -> None:
    criteria = parse_criteria(
        text(
            "[{name: 40, description: 3, group: {patients: [{age: {op: '>', value: 1}, start: '> 2020-01-31'}]}}]",
            sets="{dm: [{system: SNOMED-CT, code: 44054006, concept_id: 3}]}",
            calendar="{start: 2020-01-01 10:00:00, end: '2021-01-01'}",
            censoring="[{domain: observation_period, user_period: {start: 2020-01-01}, first: true}]",
        ).encode()
    )
    assert criteria.rules[0].name == "40"
    assert criteria.code_sets[0].codes[0] == Coding(system="SNOMED-CT", code="44054006", concept_id=3)
    assert criteria.calendar.start == date(2020, 1, 1)
    assert criteria.calendar.end == date(2021, 1, 1)
    assert criteria.censoring[0].user_period is not None
    assert criteria.code_set("dm") is criteria.code_sets[0]
    assert criteria.code_set("none") is None


def test_large_numbers_of_a_laboratory_are_no_slip_of_the_pen() -> None:
    criteria = parse_criteria(
        text("[{name: it, event: {domain: measurement, codes: a1c, value: '> 150000000000'}}]").encode()
    )
    test = criteria.rules[0].group.events[0].event.value
    assert test is not None
    assert test.value == 1.5e11


def test_circe_is_read_by_the_same_reader(tmp_path: Path) -> None:
    data = b"""{"Title": "t", "PrimaryCriteria": {"CriteriaList": [{"VisitOccurrence": {}}], "ObservationWindow":
        {"PriorDays": 3}, "PrimaryCriteriaLimit": {"Type": "First"}}, "ExpressionLimit": {"Type": "all"}}"""
    file = tmp_path / "expression.json"
    file.write_bytes(data)
    assert read_criteria(file) == read_circe(file) == parse_criteria(data)
    assert (read_circe(file).entry.days_before, read_circe(file).keep, read_circe(file).name) == (3, "all", "t")
