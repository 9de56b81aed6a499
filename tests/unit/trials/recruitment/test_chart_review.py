import numpy as np

from tests.unit.trials.recruitment.builders import instants, people, table, world
from trajsim.records import Records
from trajsim.trials.criteria.form import Definition
from trajsim.trials.criteria.read import decode_criteria
from trajsim.trials.criteria.records_source import RecordsSource
from trajsim.trials.recruitment.chart_review import ENTRY, ChartReview
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.replicate import recruit

SYSTEM = "SNOMED-CT"
LOINC = "LOINC"


def _codes(name: str, system: str, code: str) -> dict[str, object]:
    return {"name": name, "codes": [{"system": system, "code": code}]}


def _criteria() -> Definition:
    """Diabetes by the visit; no stroke before it; the last HbA1c of a year at most 9."""
    stroke = {"event": {"domain": "condition", "codes": "stroke"}, "occurrence": {"op": "exactly", "n": 0}}
    a1c = {
        "event": {"domain": "measurement", "codes": "a1c", "value": {"op": "<=", "value": 9}},
        "window": {"first_day": -365, "last_day": 0},
    }
    return decode_criteria(
        {
            "code_sets": [
                _codes("dm", SYSTEM, "44054006"),
                _codes("stroke", SYSTEM, "230690007"),
                _codes("a1c", LOINC, "4548-4"),
            ],
            "entry": {"any_of": [{"domain": "condition", "codes": "dm"}]},
            "rules": [
                {"name": "no stroke", "group": {"events": [stroke]}},
                {"name": "controlled", "group": {"events": [a1c]}},
            ],
        }
    )


def _records(*, with_future: bool) -> Records:
    """Patients: 0 all well, 1 no diabetes, 2 diabetes after the first visit, 3 stroke before, 4 later, 5 no HbA1c."""
    rows = [(0, -100, "44054006"), (2, 20, "44054006"), (3, -9, "44054006"), (3, -5, "230690007"), (4, -9, "44054006")]
    rows += [(5, -9, "44054006")] + ([(4, 50, "230690007")] if with_future else [])
    rows.sort()
    patient = np.array([row[0] for row in rows])
    conditions = table(
        "conditions",
        {
            "patient_id": (patient + 1).astype(np.uint64),
            "row_key": np.arange(100, 100 + len(rows), dtype=np.uint64),
            "time": instants([row[1] for row in rows]),
            "system": [SYSTEM] * len(rows),
            "code": [row[2] for row in rows],
        },
        len(rows),
    )
    observations = table(
        "observations",
        {
            "patient_id": np.arange(1, 6, dtype=np.uint64),
            "row_key": np.arange(200, 205, dtype=np.uint64),
            "time": instants([-30] * 5),
            "system": [LOINC] * 5,
            "code": ["4548-4"] * 5,
            "numeric_value": [7.0, 7.0, 8.0, 7.0, 10.0],
        },
        5,
    )
    visits = [[10, 40], [10], [10, 40], [10], [10], [10]]
    return people(visits, tables={"conditions": conditions, "observations": observations})


def test_a_chart_says_what_was_recorded_by_the_visit() -> None:
    review = ChartReview(_criteria(), RecordsSource(_records(with_future=True)))
    assert review.rule_names == (ENTRY, "no stroke", "controlled")
    answers = review.evaluate(np.array([0, 1, 2, 2, 3, 4, 5]), instants([10, 10, 10, 40, 10, 10, 10]))
    assert answers.tolist() == [
        [1, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, -1],
    ]  # fmt: skip


def test_what_comes_later_changes_no_answer() -> None:
    asked = np.arange(6), instants([10] * 6)
    with_future, without = (
        ChartReview(_criteria(), RecordsSource(_records(with_future=future))).evaluate(*asked)
        for future in (True, False)
    )
    assert with_future.tolist() == without.tolist()


def test_criteria_and_recruitment_together() -> None:
    records = _records(with_future=True)
    review = ChartReview(_criteria(), RecordsSource(records))
    trial = world(
        records, criteria=review, sites=[{"name": "Only", "share": 1.0}], recruitment={"resample": "fixed"},
        disease=[ENTRY], funnel={"consent": 1.0}, screening={"unknown": {"controlled": 1.0}},
    )  # fmt: skip
    fates = recruit(trial, Draws(1, 0))
    assert dict(zip(fates.patient.tolist(), fates.visit_day.tolist(), strict=True)) == {0: 10, 2: 40, 5: 10}
    assert trial.has_disease.tolist() == [True, False, True, True, True, True]
    assert fates.failed.tolist() == [1, 3, 4]
