"""Criteria in plain English: goldens read by eye, and every conformance case."""

import os
from pathlib import Path

import pytest
import yaml

from trajsim.trials.criteria.circe import parse_circe
from trajsim.trials.criteria.english import describe, describe_entry, describe_group
from trajsim.trials.criteria.form import Definition, Group
from trajsim.trials.criteria.read import decode_criteria

ROOT = Path(__file__).resolve().parents[4]
CASES = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared")) / "trials" / "circe"
TEXT = """
code_sets:
  dm: {title: type 2 diabetes, codes: [{system: SNOMED-CT, code: "44054006", display: Diabetes, descendants: true}]}
  a1c: {title: HbA1c, codes: ["LOINC|4548-4"]}
  metformin: {codes: ["RxNorm|860975", "RxNorm|860976", "RxNorm|860977", "RxNorm|860978"]}
entry: {any_of: [{domain: condition, codes: dm, first: true}], days_before: 365, days_after: 1, keep: first}
additional:
  events: [{event: {domain: visit, length: "> 0"}, occurrence: at least 2, window: "-90..0", any_period: true}]
keep_additional: last
rules:
  - name: adults
    patient: {age: 40..80}
  - name: out of control
    description: HbA1c high or treated
    need: any
    events:
      - {event: {domain: measurement, codes: a1c, value: 7.5..10}, window: "-365..-1", absence: unknown}
    groups:
      - need: at_least
        n: 2
        events:
          - {event: {domain: drug, codes: metformin, days_supply: ">= 30"}, occurrence: at least 2, window: "-180..0"}
          - event: {domain: procedure}
            occurrence: {op: at_most, n: 3, distinct: code}
            window: {first_day: 1, of_event_end: true}
            same_visit: true
          - event:
              domain: visit
              where: {events: [{event: {domain: condition, codes: dm}, occurrence: none, window: "0..0"}]}
exposure_exit: {codes: metformin, gap_days: 30, extra_days: 1, days_supply: 90}
censoring: [{domain: death}]
pad_days: 60
calendar: {start: 2015-01-01, end: 2020-12-31}
"""
SAID = """\
Entry event:
  the first ever condition of type 2 diabetes
  observed without a gap for 365 days before and 1 day after it
  the first such event of a patient counts
The entry event must come with:
  at least 2 visits with length in days above 0, starting from 90 days before the index day to the index day, \
in any observation period
  of those that do, the last such event of a patient counts
Inclusion rule 1, adults:
  patient with age at the event from 40 to 80 years
Inclusion rule 2, out of control (HbA1c high or treated):
  any of:
    at least 1 measurement of HbA1c with value from 7.5 to 10, starting from 365 days before the index day to \
1 day before the index day
      without any record the answer is unknown
    at least 2 of:
      at least 2 drug exposures of metformin with days of supply at least 30, starting from 180 days before the \
index day to the index day
      at most 3 different values of code among procedures, ending from 1 day after the index day to the end of \
observation, in the same visit
      at least 1 visit
        around which holds:
          no conditions of type 2 diabetes, starting on the index day
Unless said otherwise, events count in the observation period of the event they are counted from
Of the events that pass, every such event of a patient counts
Leaves when exposure to metformin ends: gaps of up to 30 days do not interrupt it, 1 day is added
  each exposure is taken to last 90 days
Leaves earlier at:
  a death
Stays of a patient at most 60 days apart are one
Only days from 2015-01-01 to 2020-12-31 count
Code sets:
  type 2 diabetes: Diabetes (SNOMED-CT 44054006) with what is below it
  HbA1c: LOINC 4548-4
  metformin: RxNorm 860975; RxNorm 860976; RxNorm 860977; and 1 more"""


@pytest.fixture(scope="module")
def criteria() -> Definition:
    return decode_criteria(yaml.safe_load(TEXT))


def test_whole_criteria_in_words(criteria: Definition) -> None:
    assert "\n".join(describe(criteria)) == SAID


def test_parts_are_said_as_in_the_whole(criteria: Definition) -> None:
    whole = [line.strip() for line in describe(criteria)]
    parts = [
        *describe_entry(criteria),
        *(line for rule in criteria.rules for line in describe_group(rule.group, criteria)),
    ]
    assert [line.strip() for line in parts if line.strip() not in whole] == []


def test_an_empty_group_asks_nothing(criteria: Definition) -> None:
    assert describe_group(Group(), criteria) == ["nothing is asked"]


def test_every_conformance_case_is_said() -> None:
    files = sorted(CASES.glob("*/expression.json"))
    if not files:
        pytest.skip(f"no conformance cases at {CASES}")
    for file in files:
        definition, _ = parse_circe(file.read_bytes(), file=str(file))
        if definition is None:
            continue
        said = "\n".join(describe(definition))
        assert "concept None" not in said, file
        assert all(rule.name in said for rule in definition.rules), file
