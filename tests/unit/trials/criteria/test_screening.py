"""The reading of a screener on small Records: true, false, or unknown where nobody looked; and Circe's beside it."""

from typing import Any

import numpy as np
import pytest

from tests.unit.trials.criteria.builders import A1C, DM, MET, day, definition, records, row, said, verdicts
from trajsim.errors import SchemaError
from trajsim.records import Records
from trajsim.trials.criteria import CriteriaError, Hierarchy, Reading, RecordsSource, evaluate_records
from trajsim.trials.criteria.records_source import ObservedFrom

T, F, U = "true", "false", "unknown"
_DM = [row(1, 0), row(2, 0), row(3, 0)]
_A1C = "event: {domain: measurement, codes: a1c, value: '>= 7'}"
# Measured and high, measured and low, never measured.
_THREE = records(
    3, conditions=_DM, observations=[row(1, -5, A1C, numeric_value=8.0), row(2, -5, A1C, numeric_value=6.0)]
)


@pytest.mark.parametrize(
    ("more", "screener", "circe"),
    [
        ("", [T, F, U], [T, F, F]),
        ("occurrence: none", [F, T, U], [F, T, T]),  # an exclusion cannot be ruled out by what nobody measured
        ("occurrence: at least 2", [F, F, U], [F, F, F]),
        ("occurrence: at most 1", [T, T, U], [T, T, T]),
        ("occurrence: exactly 1", [T, F, U], [T, F, F]),
        ("absence: 'no'", [T, F, F], [T, F, F]),
        ("absence: 'no', occurrence: none", [F, T, T], [F, T, T]),
        ("window: '-4..0'", [U, U, U], [F, F, F]),  # measured, but not then
        ("window: '-5..0'", [T, F, U], [T, F, F]),
    ],
)
def test_a_laboratory_value(more: str, screener: list[str], circe: list[str]) -> None:
    rule = ", ".join(each for each in (_A1C, more) if each)
    assert said(rule, _THREE) == screener
    assert said(rule, _THREE, reading=Reading.CIRCE) == circe


def test_a_result_without_a_number_leaves_it_open() -> None:
    data = records(
        2,
        conditions=_DM[:2],
        observations=[
            row(1, -5, A1C),
            row(2, -5, A1C),
            row(2, -4, A1C, numeric_value=8.0),
            row(2, -3, A1C, numeric_value=1.0),
        ],
    )
    assert said(_A1C, data) == [U, T]
    assert said(f"{_A1C}, occurrence: at least 2", data) == [U, U]
    assert said(f"{_A1C}, occurrence: exactly 1", data) == [U, U]
    assert said(f"{_A1C}, occurrence: at least 3", data) == [U, F]


def test_what_was_not_recorded_did_not_happen_unless_it_is_said_to_be_unknown() -> None:
    data = records(2, conditions=_DM[:2], medications=[row(1, -1, MET)])
    rule = "event: {domain: drug, codes: met}"
    assert said(rule, data) == [T, F]
    assert said(f"{rule}, occurrence: none", data) == [F, T]
    assert said(f"{rule}, absence: unknown", data) == [T, U]


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ("'-10..-1'", [-10, -5, -1]), ("'0..0'", [0]), ("'..-6'", [-30, -10]), ("'5..'", [5, 30]), ("'..'", None),
        ("{first_day: 0, from_index_end: true}", [5, 30]),
        ("{last_day: -5, of_event_end: true}", [-30, -10]),
    ],
)  # fmt: skip
def test_days_of_a_window_are_counted_with_both_ends(window: str, inside: list[int] | None) -> None:
    days = [-30, -10, -5, -1, 0, 5, 30]
    data = records(1, conditions=[row(1, 0, stop=3)], medications=[row(1, each, MET, stop=each + 1) for each in days])
    n = len(days if inside is None else inside)
    assert said(f"event: {{domain: drug, codes: met}}, occurrence: exactly {n}, window: {window}", data) == [T]


def test_events_outside_the_observation_period_count_only_where_any_period_does() -> None:
    data = records(
        1, born=-20, last=20, conditions=[row(1, 0)], medications=[row(1, -21, MET), row(1, 20, MET), row(1, 21, MET)]
    )
    drug = "event: {domain: drug, codes: met}"
    assert said(f"{drug}, occurrence: exactly 1", data) == [T]
    assert said(f"{drug}, occurrence: exactly 3, any_period: true", data) == [T]
    assert said(f"{drug}, occurrence: exactly 2, any_period: true, window: '20..'", data) == [T]


def test_visits_and_distinct_values() -> None:
    data = records(
        1,
        encounters=[row(1, 0), row(1, 4)],
        conditions=[row(1, 0, encounter_key=1)],
        medications=[row(1, 0, MET, encounter_key=1), row(1, 4, MET, encounter_key=2), row(1, 4, MET)],
    )
    drug = "event: {domain: drug, codes: met}"
    assert said(f"{drug}, occurrence: exactly 1, same_visit: true", data) == [T]
    for column, n in (("code", 1), ("start", 2), ("visit", 2)):
        assert said(f"{drug}, occurrence: {{op: exactly, n: {n}, distinct: {column}}}", data) == [T], column


def test_groups_count_what_holds_and_what_may_hold() -> None:
    yes, no = "{event: {domain: condition, codes: dm}}", "{event: {domain: drug, codes: met}}"
    open_ = "{event: {domain: measurement, codes: a1c, value: '> 0'}}"
    data = records(1, conditions=[row(1, 0)])
    for need, items, verdict in (
        ("need: all", (yes, yes), T), ("need: all", (yes, open_), U), ("need: all", (no, open_), F),
        ("need: any", (no, no), F), ("need: any", (no, open_), U), ("need: any", (yes, open_), T),
        ("need: at_least, n: 2", (yes, open_, no), U), ("need: at_least, n: 2", (yes, no, no), F),
        ("need: at_most, n: 1", (yes, open_), U), ("need: at_most, n: 1", (no, open_), T),
        ("need: at_most, n: 0", (yes, open_), F), ("need: all", (), T),
    ):  # fmt: skip
        rule = f"[{{name: it, {need}, events: [], groups: [{{need: all, events: []}}]}}]"
        if items:
            rule = f"[{{name: it, {need}, events: [{', '.join(items)}]}}]"
        assert verdicts(definition(rule), data) == [[verdict]], (need, items)


def test_the_patient() -> None:
    people = {"sex": ["F", "M", ""], "race": ["white", "black", "asian"], "ethnicity": ["hispanic", "nonhispanic", ""]}
    data = records(3, born=-14_610, people=people, conditions=_DM)  # born on 1 January 1980
    for criterion, verdict in (
        ("age: 40..40", [T, T, T]), ("age: '< 40'", [F, F, F]), ("age: outside 30..39", [T, T, T]),
        ("sex: F", [T, F, U]), ("race: [white, '3']", [T, T, F]), ("ethnicity: Hispanic", [T, F, U]),
        ("sex: [{any_of: ['Gender|M'], exclude: true}]", [T, F, U]),
        ("race: 'OMB|2028-9'", [F, F, T]), ("ethnicity: 'OMB|2135-2'", [T, F, U]),
        (f"start: '>= {day(0)}'", [T, T, T]), (f"end: '< {day(0)}'", [F, F, F]),
        (f"age: '> 39', sex: M, start: {day(-1)}..{day(1)}", [F, T, U]),
    ):  # fmt: skip
        assert verdicts(definition(f"[{{name: it, patient: {{{criterion}}}}}]"), data) == [[v] for v in verdict], (
            criterion
        )
    assert verdicts(definition("[{name: it, patient: {age: '> 1'}}]", entry="[{domain: death}]"), data) == []


def test_tests_of_events() -> None:
    words: dict[str, Any] = {
        "text_value": "Never smoker",
        "value_system": "SNOMED-CT",
        "value_code": "266919005",
        "unit": "%",
    }
    data = records(
        1,
        encounters=[row(1, -3, encounter_class="inpatient", stop=0), row(1, 0, encounter_class="wellness")],
        conditions=[row(1, 0, stop=9, encounter_key=1)],
        observations=[row(1, -1, A1C, numeric_value=5.0, encounter_key=2, **words), row(1, -2, A1C)],
        deaths=[row(1, 900, cause_system="SNOMED-CT", cause_code="44054006")],
        devices=[row(1, 3, ("SNOMED-CT", "72506001"))],
        coverages=[row(1, -100, stop=100)],
        immunizations=[row(1, 1, ("CVX", "140"))],
        allergies=[row(1, -200, ("SNOMED-CT", "91935009"))],
    )
    for event in (
        "domain: measurement, codes: a1c, value: '= 5'",
        "domain: measurement, codes: a1c, value: '!= 4'",
        "domain: measurement, codes: a1c, value_code: ['SNOMED-CT|266919005']",
        "domain: measurement, codes: a1c, unit: '%'",
        "domain: observation, codes: a1c, value_text: {op: starts_with, text: 'Never'}",
        "domain: observation, codes: a1c, value_text: {op: not_contains, text: 'never'}",
        "domain: observation, codes: a1c, value_text: {op: ends_with, text: 'smok_r'}",
        "domain: observation, codes: a1c, value_text: {op: equals, text: 'N%r'}",
        "domain: measurement, codes: a1c, visit_kind: OP",
        "domain: condition, codes: dm, visit_kind: IP",
        "domain: condition, codes: dm, length: 9..9",
        f"domain: condition, codes: dm, end: '>= {day(9)}'",
        f"domain: condition, codes: dm, start: '!= {day(1)}'",
        "domain: condition, codes: dm, age: '= 40', sex: F",
        "domain: condition, codes: dm, shift: {start_days: -3, end_from: start, end_days: -2}, length: '= 1'",
        "domain: condition_era, codes: dm, count: '= 1'",
        "domain: death, codes: dm",
        "domain: device, length: '> 900'",
        "domain: payer_period, length: '= 200'",
        "domain: drug, length: '= 1'",
        "domain: visit, length: '= 3'",
        "domain: observation_period, age: '= 0', age_at_end: '> 41'",
        f"domain: observation_period, user_period: {{start: {day(-9)}, end: {day(9)}}}",
    ):
        whole = "any_period: true, window: '-30000..1000'"
        assert said(f"event: {{{event}}}, {whole}", data) == [T], event
        assert said(f"event: {{{event}}}, {whole}, occurrence: none, absence: 'no'", data) == [F], event
    # Records have no column for these: a screener does not know, and Circe's reading refuses.
    unknown = "event: {domain: condition, codes: dm, stop_reason: {op: equals, text: x}, status: ['A|1']}"
    assert said(unknown, data) == [U]
    with pytest.raises(CriteriaError, match="CRT602"):
        said(unknown, data, reading=Reading.CIRCE)


def test_events_that_carry_criteria_of_their_own() -> None:
    near = "where: {events: [{event: {domain: measurement, codes: a1c, value: '> 7'}, window: '-1..1'}]}"
    data = records(
        1,
        conditions=[row(1, 0)],
        medications=[row(1, 10, MET), row(1, 20, MET), row(1, 30, MET)],
        observations=[row(1, 11, A1C, numeric_value=8.0), row(1, 21, A1C, numeric_value=6.0)],
    )
    drug = f"event: {{domain: drug, codes: met, {near}}}"
    assert said(f"{drug}, occurrence: at least 1", data) == [T]
    assert said(f"{drug}, occurrence: at least 2", data) == [U]  # around the third nobody measured
    assert said(f"{drug}, occurrence: at least 3", data) == [F]


def test_eras_join_records_that_are_thirty_days_apart() -> None:
    drugs = [
        row(1, 0, MET, stop=10),
        row(1, 40, MET, stop=50),
        row(1, 81, MET, stop=90),
        row(1, 20, ("RxNorm", "1"), stop=30),
    ]
    data = records(1, conditions=[row(1, 0)], medications=drugs)
    for event, n in (
        ("domain: drug_era, codes: met", 2),
        ("domain: drug_era, codes: met, length: '= 50', count: '= 2', gap_days: '= 30'", 1),
        ("domain: drug_era, codes: met, length: '= 9', count: '= 1', gap_days: '= 0'", 1),
        ("domain: drug_era, age_at_end: '= 40'", 3),
    ):
        assert said(f"event: {{{event}}}, occurrence: exactly {n}", data) == [T], event
    distinct = "occurrence: {op: exactly, n: 2, distinct: gap_days}"
    assert said(f"event: {{domain: drug_era, codes: met}}, {distinct}", data) == [T]
    assert said("event: {domain: drug_era, codes: met}, occurrence: none", records(1, conditions=[row(1, 0)])) == [T]


def test_entry_limits_and_additional_criteria() -> None:
    data = records(2, born=-100, last=100, conditions=[row(1, -90), row(1, 0), row(1, 50), row(2, 20)])
    rules = "[{name: it, event: {domain: visit}, occurrence: none}]"

    def starts(entry: str, **more: str) -> list[int]:
        text = {"entry": entry, **more}
        found = evaluate_records(definition(rules, **text), data)
        return [day - min(found.start.tolist()) for day in found.start.tolist()]

    assert starts("[{domain: condition, codes: dm}]") == [0, 90, 140, 110]
    assert starts("[{domain: condition, codes: dm}], days_before: 20, days_after: 60") == [0, 20]
    assert starts("[{domain: condition, codes: dm}], keep: first") == [0, 110]
    assert starts("[{domain: condition, codes: dm}], keep: last") == [30, 0]
    assert starts("[{domain: condition, codes: dm, first: true}], days_before: 20") == [0]
    additional = "{events: [{event: {domain: condition, codes: dm}, window: '..-1'}]}"
    assert starts("[{domain: condition, codes: dm}]", additional=additional) == [0, 50]
    assert starts("[{domain: condition, codes: dm}]", additional=additional, keep_additional="last") == [0]


@pytest.mark.parametrize(
    ("parts", "spans"),
    [
        ({}, [(0, 1000), (20, 1000)]),
        ({"fixed_exit": "{days: 30}"}, [(0, 30), (20, 50), (200, 230)]),
        ({"fixed_exit": "{counted_from: end, days: 5}", "keep": "first"}, [(0, 10), (20, 30)]),
        ({"fixed_exit": "{days: 30}", "pad_days": "170"}, [(0, 230), (20, 50)]),
        ({"fixed_exit": "{days: 30}", "keep": "last"}, [(20, 50), (200, 230)]),
        ({"exposure_exit": "{codes: met, gap_days: 30, extra_days: 2}"}, [(0, 52), (20, 1000), (200, 1000)]),
        ({"exposure_exit": "{codes: met, days_supply: 5}", "keep": "first"}, [(0, 5), (20, 1000)]),
        ({"exposure_exit": "{codes: none_such}"}, None),
        ({"censoring": "[{domain: measurement, codes: a1c, value: '> 7'}]", "keep": "first"}, [(0, 100), (20, 1000)]),
        ({"censoring": "[{domain: device}]", "keep": "first"}, [(0, 1000), (20, 1000)]),
        ({"fixed_exit": "{days: 30}", "calendar": f"{{start: {day(15)}, end: {day(40)}}}"}, [(15, 30), (20, 40)]),
    ],
)
def test_when_members_leave(parts: dict[str, str], spans: list[tuple[int, int]] | None) -> None:
    data = records(
        2,
        conditions=[row(1, 0, stop=5), row(1, 200, stop=210), row(2, 20, stop=25)],
        medications=[row(1, 0, MET, stop=10), row(1, 35, MET, stop=50)],
        observations=[row(1, 100, A1C, numeric_value=8.0), row(1, 50, A1C, numeric_value=7.0), row(1, 60, A1C)],
    )
    if spans is None:
        with pytest.raises(CriteriaError, match="CRT204"):
            definition("[]", **parts)
        return
    found = evaluate_records(definition("[]", **parts), data)
    origin = int(found.start[0])
    ends = zip((found.cohort_start - origin).tolist(), (found.cohort_end - origin).tolist(), strict=True)
    assert sorted(set(ends)) == spans
    assert found.n_lost == (0 if "calendar" in parts else None)


def test_the_funnel_the_candidates_and_the_cohort() -> None:
    rules = f"[{{name: high, {_A1C}}}, {{name: old, patient: {{age: '>= 40'}}}}, {{name: old, patient: {{sex: M}}}}]"
    found = evaluate_records(definition(rules, keep="first"), _THREE)
    table = found.attrition().set_index("rule")
    assert table.iloc[:2][["true", "unknown", "false", "left", "left_unknown"]].to_numpy().tolist() == [
        [3, 0, 0, 3, 0],
        [1, 1, 1, 1, 1],
    ]
    assert table["without"].tolist() == [0, 0, 0, 1]
    assert found.candidates().columns.tolist() == ["patient_id", "start", "end", "high", "old", "old (3)"]
    assert found.candidates()["high"].tolist() == [T, F, U]
    assert found.cohort().empty
    assert found.masks().tolist() == [0b011, 0b010, 0b010]
    assert found.best_events().tolist() == [0, 1, 2]
    assert found.mask_counts("patient")["n"].tolist() == found.mask_counts("event")["n"].tolist() == [2, 1]
    without_m = evaluate_records(definition(f"[{{name: high, {_A1C}}}]"), _THREE)
    assert without_m.cohort()["verdict"].tolist() == [T, U]
    assert without_m.cohort()["start"].dt.date.tolist() == [day(0), day(0)]


def test_more_rules_than_bits_of_a_number() -> None:
    rules = ", ".join(f"{{name: r{n}, patient: {{age: '> {n}'}}}}" for n in range(70))
    found = evaluate_records(definition(f"[{rules}]"), _THREE)
    assert found.masks().tolist() == [2**40 - 1] * 3
    assert evaluate_records(definition("[]"), _THREE).best_events().tolist() == [0, 1, 2]


def test_codes_below_codes_and_further_codes() -> None:
    below = ("SNOMED-CT", "609561005")
    further = '[{"system": "SNOMED-CT", "code": "44054006", "display": "x"}]'
    data = records(3, conditions=[row(1, 0, below), row(2, 0, below, more_codes=further), row(3, 0, ("ICD10", "E11"))])
    tree = Hierarchy([(DM, below)])
    sets = "{dm: [{system: SNOMED, code: '44054006', descendants: true}]}"
    whole = definition("[]", sets=sets)
    assert evaluate_records(whole, data).patient.tolist() == [1]
    assert evaluate_records(whole, data, hierarchy=tree).patient.tolist() == [0, 1]
    out = "{system: SNOMED, code: '609561005', excluded: true}"
    without = f"{{dm: [{{system: SNOMED, code: '44054006', descendants: true}}, {out}]}}"
    assert evaluate_records(definition("[]", sets=without), data, hierarchy=tree).patient.tolist() == [1]


@pytest.mark.parametrize(("observed_from", "patients"), [("birth", [0, 1]), ("first_record", [0])])
def test_observation_begins_at_birth_or_with_the_first_record(observed_from: ObservedFrom, patients: list[int]) -> None:
    data = records(2, conditions=[row(1, 0), row(2, 0)], encounters=[row(1, -40)])
    criteria = definition("[]", entry="[{domain: condition, codes: dm}], days_before: 30")
    assert evaluate_records(criteria, data, observed_from=observed_from).patient.tolist() == patients


def test_shards_are_joined_and_none_is_nobody() -> None:
    criteria = definition(f"[{{name: high, {_A1C}}}]", calendar=f"{{start: {day(-1)}}}")
    parts = [
        records(
            1, people={"patient_id": [n]}, conditions=[row(n, 0)], observations=[row(n, -5, A1C, numeric_value=8.0)]
        )
        for n in (7, 9, 8)
    ]
    found = evaluate_records(criteria, iter([*parts[:2], Records({}), parts[2]]))
    assert found.patient_ids.tolist() == [7, 9, 8]
    assert (found.n_patients, found.patient.tolist(), found.n_lost) == (3, [0, 1, 2], 0)
    assert np.all(found.verdicts == 1)
    assert evaluate_records(criteria, iter([])).n_patients == 0
    with pytest.raises(SchemaError, match="7 the first"):
        evaluate_records(criteria, iter([parts[0], parts[1], parts[0]]))


def test_rows_that_are_not_in_the_order_of_the_patients_are_refused() -> None:
    data = records(2, conditions=[row(1, 0), row(2, 0)])
    mixed = Records({**data.tables, "conditions": data["conditions"].take([1, 0])})
    with pytest.raises(SchemaError, match="not contiguous"):
        evaluate_records(definition("[]"), mixed)
    with pytest.raises(SchemaError, match="'conditions'"):
        RecordsSource(Records({"conditions": data["conditions"]})).events("condition", None)
