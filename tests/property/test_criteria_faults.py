"""Whatever a file of criteria holds in whatever place, it is read or its faults are told: nothing else is raised."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.trials.criteria import CriteriaError, Definition, decode_criteria, describe, import_circe, lint, lint_circe

JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 3.5, 1e300, 10**30, [], {}, [[]], [1], {"a": 1}, {"op": ">"}, {"Op": "bt"}, [{"any_of": []}]),
    *("", "x", "SNOMED-CT|1", "> 3", "1..2", "2020-01-01", "none", "Infinity"),
)
OURS = yaml.safe_load("""
code_sets: {dm: {title: x, codes: ["SNOMED-CT|1", {system: A, code: "2", descendants: true}]}, a1c: ["LOINC|1"]}
entry: {any_of: [{domain: condition, codes: dm, first: true, age: ">= 3"}], days_before: 3, keep: first}
additional: {need: any, events: [{event: {domain: visit}, window: "-3..3", occurrence: at least 2}]}
rules:
  - {name: a, patient: {age: 1..3, sex: F, start: "> 2020-01-01"}}
  - {name: b, event: {domain: measurement, codes: a1c, value: {op: between, value: 1, upper: 3}, unit: "%"},
     occurrence: {op: at_most, n: 3, distinct: value}, window: {first_day: 1}, end_window: {last_day: 4}}
  - {name: c, group: {need: at_least, n: 1, groups: [{events: [{event: {domain: drug, shift: {start_days: 3},
     where: {events: [{event: {domain: death}}]}}}]}]}}
fixed_exit: {days: 3}
exposure_exit: {codes: dm, gap_days: 3}
censoring: [{domain: observation_period, user_period: {start: 2020-01-01}}]
calendar: {start: 2020-01-01, end: 2020-02-01}
pad_days: 3
""")
_CIRCE = yaml.safe_load("""
ConceptSets: [{id: 1, name: n, expression: {items: [{concept: {CONCEPT_ID: 3}, isExcluded: true}]}}]
PrimaryCriteria:
  CriteriaList:
  - ConditionOccurrence:
      {CodesetId: 1, First: true, StopReason: {Op: eq, Text: x}, CorrelatedCriteria: &group {
        Type: AT_LEAST, Count: 1, CriteriaList: [&counted {
          Criteria: {Measurement: {CodesetId: 1, ValueAsNumber: {Op: bt, Value: 1, Extent: 2}, Abnormal: true,
            ValueAsConcept: [{CONCEPT_ID: 1}], DateAdjustment: {StartOffset: 3}}},
          StartWindow: &window {Start: {Days: 7, Coeff: -1}, End: {Coeff: 1}, UseIndexEnd: false}, EndWindow: *window,
          Occurrence: {Type: 2, Count: 1, IsDistinct: true, CountColumn: START_DATE}}],
        Groups: [{Type: ALL, CriteriaList: [*counted]}],
        DemographicCriteriaList: [{Age: {Op: gt, Value: 3}, GenderCS: {CodesetId: 1}}]}}
  ObservationWindow: {PriorDays: 3, PostDays: 0}
  PrimaryCriteriaLimit: {Type: All}
AdditionalCriteria: *group
InclusionRules: [{name: r, expression: *group}]
EndStrategy: {CustomEra: {DrugCodesetId: 1, GapDays: 3, DaysSupplyOverride: 3}}
CensoringCriteria: [{Death: {OccurrenceStartDate: {Op: gt, Value: "2020-01-01"}}}]
CollapseSettings: {CollapseType: ERA, EraPad: 3}
CensorWindow: {StartDate: "2020-01-01"}
""")
CIRCE: Any = json.loads(json.dumps(_CIRCE))  # parts that are the same are parts of their own
EXAMPLES = 100 if settings().max_examples < 1_000 else 10_000


def _spoiled(rng: Random, document: Any) -> Any:  # noqa: ANN401  # what JSON holds
    """A copy with junk in one or two places, or with a key that is not there."""
    whole = [copy.deepcopy(document)]
    for _ in range(rng.randint(1, 2)):
        place: Any = whole
        key: Any = 0
        while isinstance(place[key], dict | list) and place[key] and rng.randrange(5):
            place = place[key]
            key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        if isinstance(place, dict) and not rng.randrange(4):
            del place[key]
            place["more"] = copy.deepcopy(rng.choice(JUNK))
            continue
        place[key] = copy.deepcopy(rng.choice(JUNK))
    return whole[0]


def _read(read: Callable[[], Definition]) -> Definition | None:
    """What a reader gives; None where it tells of faults, each with its place."""
    try:
        return read()
    except CriteriaError as error:
        findings = error.findings
    assert findings
    assert all(each.path.startswith("$") and each.severity == "error" for each in findings)
    return None


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 2**64 - 1))
def test_criteria_in_our_form_are_read_or_their_faults_told(seed: int) -> None:
    definition = _read(lambda: decode_criteria(_spoiled(Random(seed), OURS), file="it"))
    if definition is not None:
        assert describe(definition)
        assert all(each.severity != "error" for each in lint(definition))


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 2**64 - 1))
def test_circe_is_read_or_its_faults_told(seed: int) -> None:
    data = json.dumps(_spoiled(Random(seed), CIRCE)).encode()
    assert all(each.path.startswith("$") for each in lint_circe(data))
    definition = _read(lambda: import_circe(data))
    assert definition is None or describe(definition)


def test_the_unspoiled_ones_are_read() -> None:
    assert decode_criteria(OURS).rules
    assert import_circe(json.dumps(CIRCE).encode()).rules
