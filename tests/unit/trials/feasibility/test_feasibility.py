import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.trials.recruitment.builders import Fixed, instants, people, table, world
from trajsim.records import Records
from trajsim.trials.criteria.form import Definition
from trajsim.trials.criteria.read import decode_criteria
from trajsim.trials.criteria.records_source import RecordsSource
from trajsim.trials.feasibility import Assessment, assess, event_rate, judge, search_relaxations
from trajsim.trials.recruitment.chart_review import ENTRY, ChartReview

ANSWERS = [[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 0, -1], [1, 1, -1], [1, 1, 0]]
ALL = [{"name": "Only", "share": 1.0}]


def _assessed() -> Assessment:
    criteria = Fixed(["a", "b", "c"], ANSWERS)
    trial = world(people([[10]] * 6), criteria=criteria, sites=ALL, screening={"unknown": {"c": 1.0}})
    return assess(trial, judge(trial, criteria))


def test_attrition_in_order_and_leave_one_out() -> None:
    found = _assessed()
    assert (found.n_catchment, found.n_people, found.n_eligible, found.n_certain) == (6, 6, 2, 1)
    rows = [(c.criterion, c.n_removed, c.n_failing, c.n_failing_alone, c.n_true, c.n_unknown) for c in found.criteria]
    assert rows == [("a", 2, 2, 1, 4, 0), ("b", 1, 2, 1, 4, 0), ("c", 1, 1, 1, 3, 2)]
    assert found.n_people - sum(c.n_removed for c in found.criteria) == found.n_eligible


def test_groups_of_every_division_add_up() -> None:
    for criterion in _assessed().criteria:
        for by in ("sex", "age", "race", "site"):
            groups = [group for group in criterion.groups if group.by == by]
            assert sum(group.n_true for group in groups) == criterion.n_true
            assert sum(group.n_false for group in groups) == criterion.n_failing
            assert sum(group.n_unknown for group in groups) == criterion.n_unknown


def test_waived_criteria_are_not_judged() -> None:
    criteria = Fixed(["a", "b", "c"], ANSWERS)
    trial = world(
        people([[10]] * 6), criteria=criteria, sites=ALL, waived=["b"], screening={"unknown": {"c": 1.0}}
    )  # fmt: skip
    found = assess(trial, judge(trial, criteria))
    assert [each.criterion for each in found.criteria] == ["a", "c"]
    assert found.n_eligible == 3


class _Later:
    """Denied at the first visit, not at the second."""

    rule_names = ("late",)

    def evaluate(self, patient: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.int8]:
        return np.asarray(time_us >= instants([20])[0], np.int8).reshape(len(patient), 1)


def test_people_are_judged_at_their_best_visit() -> None:
    trial = world(people([[10, 30, 40], [10]]), criteria=_Later(), sites=ALL)
    judged = judge(trial, _Later())
    assert judged.day.tolist() == [30, 10]
    assert judged.is_eligible.tolist() == [True, False]


def _definition() -> Definition:
    return decode_criteria(
        {
            "code_sets": {"dm": ["SNOMED-CT|44054006"], "a1c": {"title": "HbA1c", "codes": ["LOINC|4548-4"]}},
            "entry": {"any_of": [{"domain": "condition", "codes": "dm"}]},
            "rules": [
                {"name": "controlled", "event": {"domain": "measurement", "codes": "a1c", "value": "<= 9"}},
                {"name": "adult", "patient": {"age": "18..70"}},
            ],
        }
    )


def _records() -> Records:
    """Ten diabetics with HbA1c of 8.0, 8.2 ... 9.8, 60 years old but for the last, who is 72."""
    ids = np.arange(1, 11, dtype=np.uint64)
    keys = ids + np.uint64(100)
    conditions = table(
        "conditions",
        {"patient_id": ids, "row_key": keys, "time": instants([-50] * 10), "system": ["SNOMED-CT"] * 10,
         "code": ["44054006"] * 10},
        10,
    )  # fmt: skip
    observations = table(
        "observations",
        {"patient_id": ids, "row_key": keys, "time": instants([-5] * 10), "system": ["LOINC"] * 10,
         "code": ["4548-4"] * 10, "numeric_value": [8.0 + 0.2 * n for n in range(10)]},
        10,
    )  # fmt: skip
    procedures = table(
        "procedures",
        {"patient_id": ids[:2], "row_key": keys[:2], "time": instants([375, 740]), "system": ["S"] * 2,
         "code": ["event"] * 2},
        2,
    )  # fmt: skip
    births = instants([-60 * 365 - 100] * 9 + [-72 * 365 - 100])
    tables = {"conditions": conditions, "observations": observations, "procedures": procedures}
    return people([[10]] * 10, more={"birth_time": births}, tables=tables)


def test_relaxations_say_what_a_move_buys_and_what_it_does_to_the_event_rate() -> None:
    records, definition = _records(), _definition()
    review = ChartReview(definition, RecordsSource(records))
    endpoint = {"per_year": None, "table": "procedures", "codes": ["event"]}
    trial = world(records, criteria=review, sites=ALL, endpoint=endpoint)
    judged = judge(trial, review)
    assert judged.names == (ENTRY, "controlled", "adult")
    found = search_relaxations(trial, judged, definition, review)
    gains = {(each.criterion, each.change): each.n_gained for each in found}
    assert gains[("controlled", "left out")] == 3
    assert gains[("controlled", "HbA1c: value <= 9 to <= 9.45")] == 2
    assert gains[("controlled", "HbA1c: value <= 9 to <= 9.9")] == 3
    assert ("controlled", "HbA1c: value <= 9 to <= 8.55") not in gains
    assert [each.n_gained for each in found] == sorted((each.n_gained for each in found), reverse=True)
    years = (365 + 730 + 4 * (3_650 - 10)) / 365.25
    assert found[0].event_rate_now == pytest.approx(2 / years)
    after = found[0].event_rate
    assert after is not None
    assert after < 2 / years


def test_the_age_of_patients_moves_in_years() -> None:
    records, definition = _records(), _definition()
    review = ChartReview(definition, RecordsSource(records))
    trial = world(records, criteria=review, sites=ALL, waived=["controlled"])
    judged = judge(trial, review)
    found = search_relaxations(trial, judged, definition, review)
    assert {each.change for each in found} == {
        "left out", "age 18 ... 70 to 18 ... 75", "age 18 ... 70 to 18 ... 80",
    }  # fmt: skip
    assert {each.n_gained for each in found} == {1}
    assert event_rate(trial, judged, judged.is_eligible) is None
