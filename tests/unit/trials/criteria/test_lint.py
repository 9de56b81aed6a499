"""Every rule of the linter: what makes it speak, and what is so much like it and does not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.trials.criteria.builders import A1C, records, row, text
from trajsim.trials.criteria import RULES, CriteriaError, Reading, RecordsSource, import_circe, lint, lint_circe
from trajsim.trials.criteria.read import parse_criteria
from trajsim.trials.criteria.usable import usability_findings
from trajsim.trials.recruitment.held_codes import code_findings

_FINE = "[{name: measured, event: {domain: measurement, codes: a1c}, window: '0..30'}]"


def _rule(event: str, more: str = "") -> str:
    return f"[{{name: it, event: {event}{more}}}]"


def _measured(more: str) -> str:
    return _rule("{domain: measurement, codes: a1c" + (f", {more}" if more else "") + "}")


_OLD = "{name: old, patient: {age: '>= 65'}}"
_TWICE = "{name: measured, event: {domain: measurement, codes: a1c}, occurrence: %s}"

OURS: Mapping[str, tuple[str, str]] = {
    "CRT101": ("entry: [", text(_FINE)),
    "CRT102": (text(_FINE, keeps="first"), text(_FINE, keep="first")),
    "CRT103": (text(_rule("{domain: visit, first: 1}")), text(_rule("{domain: visit, first: true}"))),
    "CRT104": (text("[{event: {domain: visit}}]"), text(_rule("{domain: visit}"))),
    "CRT105": (text(_FINE, calendar="{start: 2020-02-31}"), text(_FINE, calendar="{start: 2020-02-29}")),
    "CRT106": (text(_rule("{domain: location}")), text(_rule("{domain: visit}"))),
    "CRT201": (text(_FINE, entry="[]"), text(_FINE)),
    "CRT202": (text(_FINE, sets="{dm: [], a1c: ['LOINC|4548-4']}"), text(_FINE)),
    "CRT203": ("code_sets: {x: ['LOINC|1']}\n" + "entry: {any_of: [{domain: visit}]}", text(_FINE)),
    "CRT204": (text(_rule("{domain: drug, codes: none}")), text(_rule("{domain: drug, codes: met}"))),
    "CRT205": (
        text(_rule("{domain: condition, codes: dmm}"), sets="{dm: ['SNOMED|1'], dmm: ['SNOMED-CT|1']}"),
        text(_rule("{domain: condition, codes: dmm}"), sets="{dm: ['SNOMED|1'], dmm: ['SNOMED-CT|2']}"),
    ),
    "CRT206": (text(_FINE, sets="{dm: ['SNOMED|1', 'SNOMED-CT|1'], a1c: ['LOINC|4548-4']}"), text(_FINE)),
    "CRT207": (text(_rule("{domain: measurement}")), text(_rule("{domain: visit}"))),
    "CRT208": (text(_rule("{domain: measurement, codes: met}")), text(_rule("{domain: drug, codes: met}"))),
    "CRT209": (text(_rule("{domain: drug, codes: met, value: '> 3'}")), text(_measured("value: '> 3'"))),
    "CRT301": (text(_measured("value: {op: '>'}")), text(_measured("value: {op: '>', value: 0}"))),
    "CRT302": (text(_measured("value: {op: between, value: 3}")), text(_measured("value: {op: '>', value: 3}"))),
    "CRT303": (text(_measured("value: 10..7")), text(_measured("value: 7..7"))),
    "CRT304": (text(_measured("age: '> -1'")), text(_measured("value: '> -1'"))),
    "CRT305": (text(_measured("sex: [{any_of: []}]")), text(_measured("sex: F"))),
    "CRT306": (text("[{name: all, patient: {}}]"), text(f"[{_OLD}]")),
    "CRT401": (text(_rule("{domain: visit}", ", window: '3..2'")), text(_rule("{domain: visit}", ", window: '3..3'"))),
    "CRT403": (
        text(_rule("{domain: visit}", ", window: '-31..0'")),
        text(_rule("{domain: visit}", ", window: '-31..0'")).replace("entry: {", "entry: {days_before: 31, "),
    ),
    "CRT404": (text(_rule("{domain: death}", ", window: '..-1'")), text(_rule("{domain: death}", ", window: '..0'"))),
    "CRT405": (text(_FINE, fixed_exit="{days: -1}"), text(_FINE, fixed_exit="{counted_from: end, days: -1}")),
    "CRT501": (
        text(f"[{_OLD}, {{name: young, patient: {{age: '< 65'}}}}]"),
        text(f"[{_OLD}, {{name: young, patient: {{age: '<= 65'}}}}]"),
    ),
    "CRT502": (
        text(f"[{_TWICE}, {_TWICE}]" % ("at least 2", "at least 2")),
        text(f"[{_TWICE}, {_TWICE}]" % ("at least 2", "at most 3")),
    ),
    "CRT503": (text(f"[{_TWICE}]" % "at least 0"), text(f"[{_TWICE}]" % "at most 0")),
    "CRT504": (text("[{name: nothing}]"), text(_FINE)),
    "CRT505": (
        text(_FINE, keep="last").replace("entry: {", "entry: {keep: first, "),
        text(_FINE, keep="first").replace("entry: {", "entry: {keep: first, "),
    ),
    "CRT506": (text(_FINE), text(_FINE, censoring="[{domain: death}]")),
    "CRT507": (
        text(_FINE, entry="[{domain: drug, codes: met}]", exposure_exit="{codes: a1c}"),
        text(_FINE, entry="[{domain: drug, codes: met}]", exposure_exit="{codes: met}"),
    ),
}  # fmt: skip
"""Criteria that a rule speaks of, and criteria that it does not."""

SILENT = [
    # What another rule says already.
    ("CRT507", text(_FINE, entry="[{domain: drug, codes: a1c}]", exposure_exit="{codes: met}")),
    ("CRT501", text(f"[{_TWICE}, {_TWICE}]" % ("at least 3", "at most 3"))),
    ("CRT501", text("[{name: w, patient: {sex: F}}, {name: m, patient: {sex: [F, M]}}]")),
]

# More of the same rule: other ways into it.
MORE = [
    ("CRT103", text(_measured("value: seven"))),
    ("CRT103", text(_measured("value: '> much'"))),
    ("CRT103", text(_measured("value: nan..3"))),
    ("CRT103", text(_rule("{domain: visit}", ", occurrence: often"))),
    ("CRT103", text(_rule("{domain: visit}", ", window: soon"))),
    ("CRT103", text(_FINE, pad_days="100000000000000000000")),
    ("CRT103", text(_FINE, sets="{dm: [diabetes], a1c: ['LOINC|4548-4']}")),
    ("CRT104", text("[{name: some, need: at_least, events: [{event: {domain: visit}}]}]")),
    ("CRT204", text(_FINE, exposure_exit="{codes: none}")),
    ("CRT204", text(_FINE).replace(
        "code_sets: {'dm': ['SNOMED-CT|44054006'], 'a1c': ['LOINC|4548-4']}",
        "code_sets: [{name: dm, codes: ['A|1']}, {name: dm, codes: ['A|2']}, {name: a1c, codes: ['A|3']}]")),
    ("CRT305", text(_rule("{domain: observation, codes: a1c, value_text: {op: contains}}"))),
    ("CRT405", text(_FINE, fixed_exit="{days: 0}")),
    ("CRT405", text(_FINE, calendar="{start: 2020-01-02, end: 2020-01-01}")),
    ("CRT501", text(f"[{_TWICE}, {_TWICE}]" % ("at least 3", "at most 2"))),
    ("CRT501", text("[{name: w, patient: {sex: F}}, {name: m, patient: {sex: M}}]")),
    ("CRT502", text(_FINE, entry="[{domain: visit}, {domain: visit}]")),
    ("CRT503", text("[{name: some, need: at_least, n: 3, events: [{event: {domain: visit}}]}]")),
    ("CRT503", text("[{name: some, need: at_most, n: 1, events: [{event: {domain: visit}}]}]")),
    ("CRT503", text("[{name: some, need: at_most, n: -1, events: [{event: {domain: visit}}]}]")),
    ("CRT503", text(_rule("{domain: visit, first: true}", ", occurrence: at least 2"))),
    ("CRT503", text(_rule("{domain: visit}", ", occurrence: {op: exactly, n: -1}"))),
    ("CRT102", text(_rule("{domain: visit}", ", occurrence: {n: 2, distinct: value}"))),
    ("CRT401", text(_rule("{domain: visit}", ", window: {first_is_period_end: true}"))),
    ("CRT401", text(_rule("{domain: visit}", ", window: {last_is_period_start: true}"))),
    ("CRT209", text(_rule("{domain: visit, user_period: {start: 2020-01-01}}"))),
]  # fmt: skip


def _fired(criteria: str) -> set[str]:
    """Rules that speak of criteria in our form: faults if there are any, else what the linter says."""
    try:
        definition = parse_criteria(criteria.encode(), file="it.yaml")
    except CriteriaError as error:
        return {each.rule for each in error.findings}
    return {each.rule for each in lint(definition)}


@pytest.mark.parametrize("rule", OURS)
def test_a_rule_speaks_and_is_silent(rule: str) -> None:
    firing, silent = OURS[rule]
    assert rule in _fired(firing)
    assert rule not in _fired(silent)


@pytest.mark.parametrize(("rule", "criteria"), MORE)
def test_other_ways_into_a_rule(rule: str, criteria: str) -> None:
    assert rule in _fired(criteria)


@pytest.mark.parametrize(("rule", "criteria"), SILENT)
def test_what_is_near_a_rule_and_no_fault(rule: str, criteria: str) -> None:
    assert rule not in _fired(criteria)


# --- what only a Circe expression can have ----------------------------------------------------------------------------


def _circe(criterion: Mapping[str, Any], days: int = 30) -> bytes:
    window = {"Start": {"Days": days, "Coeff": -1}, "End": {"Days": 0, "Coeff": 1}}
    counted = {"Criteria": {"Measurement": criterion}, "StartWindow": window, "Occurrence": {"Type": 2, "Count": 1}}
    group = {"Type": "ALL", "CriteriaList": [counted], "DemographicCriteriaList": [], "Groups": []}
    whole = {
        "ConceptSets": [],
        "PrimaryCriteria": {
            "CriteriaList": [{"VisitOccurrence": {}}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "InclusionRules": [{"name": "it", "expression": group}],
    }
    return json.dumps(whole).encode()


_AGE = {"Op": "gte", "Value": 18}
CIRCE: Mapping[str, tuple[bytes, bytes]] = {
    "CRT106": (_circe({"PlaceOfServiceLocation": 3}), _circe({"PlaceOfServiceLocation": None})),
    "CRT107": (_circe({"Shade": "blue"}), _circe({"Age": _AGE})),
    "CRT109": (_circe({"Age": {**_AGE, "Value": 18.5}}), _circe({"Age": _AGE})),
    "CRT402": (_circe({}, days=-3), _circe({}, days=3)),
}


@pytest.mark.parametrize("rule", CIRCE)
def test_a_rule_of_circe_speaks_and_is_silent(rule: str) -> None:
    firing, silent = CIRCE[rule]
    assert rule in {each.rule for each in lint_circe(firing, file="it.json")}
    assert rule not in {each.rule for each in lint_circe(silent, file="it.json")}


def test_what_circe_s_own_query_fails_on_is_refused_under_its_reading_alone() -> None:
    abnormal = _circe({"Abnormal": True})
    with pytest.raises(CriteriaError) as caught:
        import_circe(abnormal, reading=Reading.CIRCE)
    assert [each.rule for each in caught.value.findings] == ["CRT108"]
    assert import_circe(abnormal, reading=Reading.SCREENING).rules[0].group.events[0].event.abnormal
    coded = _circe({"Abnormal": True, "ValueAsConcept": [{"CONCEPT_ID": 1}]})
    assert import_circe(coded, reading=Reading.CIRCE).rules[0].group.events[0].event.value_code


# --- what only data can say -------------------------------------------------------------------------------------------


def _on_records(criteria: str, *, has_hierarchy: bool = False) -> set[str]:
    data = RecordsSource(records(1, conditions=[row(1, 0)], observations=[row(1, 1, A1C)]))
    definition = parse_criteria(criteria.encode())
    return {each.rule for each in code_findings(definition, data, has_hierarchy=has_hierarchy)}


def test_codes_that_no_record_holds() -> None:
    assert "CRT601" in _on_records(text(_rule("{domain: drug, codes: met}")))
    assert _on_records(text(_FINE)) == set()


def test_descendants_without_a_hierarchy() -> None:
    below = text(_FINE, sets="{dm: [{system: SNOMED-CT, code: '44054006', descendants: true}], a1c: ['LOINC|4548-4']}")
    assert "CRT603" in _on_records(below)
    assert "CRT603" not in _on_records(below, has_hierarchy=True)


def test_tests_that_the_data_cannot_answer() -> None:
    data = RecordsSource(records(1))
    asked = parse_criteria(text(_measured("range_high: '> 3'")).encode())
    plain = parse_criteria(text(_measured("value: '> 3'")).encode())
    for definition, reading, rules in (
        (asked, Reading.CIRCE, {"CRT602"}),
        (asked, Reading.SCREENING, set()),
        (plain, Reading.CIRCE, set()),
    ):
        assert {each.rule for each in usability_findings(definition, data, reading)} == rules


def test_every_rule_has_a_case() -> None:
    assert set(RULES) == {*OURS, *CIRCE, "CRT108", "CRT601", "CRT602", "CRT603"}
