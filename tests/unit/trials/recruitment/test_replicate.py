import datetime as dt

import numpy as np
import pytest

from tests.unit.trials.recruitment.builders import Fixed, instants, people, table, world
from trajsim.errors import ConfigError
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.appointments import appointments
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.replicate import recruit
from trajsim.trials.recruitment.run import counts_of

ONE_SITE = [{"name": "Only", "share": 1.0}]
SURE = {"consent": 1.0, "eligible": 1.0, "completes": 1.0}
FIXED = {"resample": "fixed"}


def test_somebody_is_found_at_the_first_visit_after_the_site_opens() -> None:
    records = people([[3, 40, 80], [10], [60]])
    trial = world(records, sites=[ONE_SITE[0] | {"opens": "2020-02-01"}], funnel=SURE, recruitment=FIXED)
    fates = recruit(trial, Draws(1, 0))
    assert dict(zip(fates.patient.tolist(), fates.visit_day.tolist(), strict=True)) == {0: 40, 2: 60}
    assert (fates.reason == reasons.RANDOMIZED).all()
    assert fates.opened.tolist() == [31]


def test_a_closed_site_approaches_nobody() -> None:
    records = people([[3], [50]])
    trial = world(records, sites=[ONE_SITE[0] | {"closes": "2020-01-31"}], funnel=SURE, recruitment=FIXED)
    assert recruit(trial, Draws(1, 0)).patient.tolist() == [0]


def test_the_dead_do_not_come() -> None:
    records = people([[3, 50], [60]], more={"death_time": [instants([40])[0], instants([61])[0]]})
    trial = world(records, sites=[ONE_SITE[0] | {"lag": 2}], funnel=SURE, recruitment=FIXED)
    fates = recruit(trial, Draws(1, 0))
    assert fates.visit_day.tolist() == [3, 60]
    assert fates.reason.tolist() == [reasons.RANDOMIZED, reasons.DIED]


def test_the_chart_excludes_by_the_first_criterion_that_it_denies() -> None:
    records = people([[5]] * 4)
    criteria = Fixed(["adult", "diabetic"], [[1, 1], [0, 0], [1, 0], [-1, 1]])
    trial = world(records, criteria=criteria, sites=ONE_SITE, funnel=SURE, recruitment=FIXED)
    fates = recruit(trial, Draws(1, 0))
    assert fates.failed.tolist() == [1, 2]
    assert fates.failed_rule.tolist() == [0, 1]
    assert fates.patient.tolist() == [0, 3]


def test_what_the_chart_does_not_know_is_settled_at_screening() -> None:
    n = 4_000
    records = people([[5]] * n)
    criteria = Fixed(["low risk"], [[-1]] * n)
    with pytest.raises(ConfigError, match="no chart answers 'low risk'"):
        world(records, criteria=criteria, sites=ONE_SITE, funnel=SURE, recruitment=FIXED)
    trial = world(
        records, criteria=criteria, sites=ONE_SITE, funnel=SURE, recruitment=FIXED,
        screening={"unknown": {"low risk": 0.3}},
    )  # fmt: skip
    fates = recruit(trial, Draws(1, 0))
    share = (fates.reason == reasons.RANDOMIZED).mean()
    assert share == pytest.approx(0.3, abs=4 * (0.21 / n) ** 0.5)
    assert trial.reasons.names[fates.reason.max()] == "screening: low risk"


def test_a_measured_lab_replaces_the_answer_of_the_chart() -> None:
    n = 4_000
    ids = np.arange(1, n + 1, dtype=np.uint64)
    observations = table(
        "observations",
        {
            "patient_id": ids,
            "row_key": ids,
            "time": instants([1] * n),
            "code": ["33914-3"] * n,
            "numeric_value": [50.0] * n,
        },
        n,
    )
    records = people([[5]] * n, tables={"observations": observations})
    lab = {"name": "eGFR", "codes": ["33914-3"], "low": 55.0, "analytical_cv": 0.1, "decides": "kidneys"}
    trial = world(
        records, criteria=Fixed(["kidneys"], [[1]] * n), sites=ONE_SITE, funnel=SURE, recruitment=FIXED,
        screening={"labs": [lab]},
    )  # fmt: skip
    fates = recruit(trial, Draws(1, 0))
    # 50 * (1 + 0.1 z) >= 55 where z >= 1
    assert (fates.reason == reasons.RANDOMIZED).mean() == pytest.approx(0.158655, abs=4 * (0.1335 / n) ** 0.5)


def test_people_without_a_value_are_like_the_others_of_their_sex() -> None:
    n = 2_000
    ids = np.arange(1, n + 1, dtype=np.uint64)
    known = np.flatnonzero(np.arange(n) % 4 < 2)  # one man and one woman of four
    values = np.where(known % 2, 100.0, 1.0)
    observations = table(
        "observations",
        {"patient_id": ids[known], "row_key": ids[known], "time": instants([1] * len(known)),
         "code": ["x"] * len(known), "numeric_value": values},
        len(known),
    )  # fmt: skip
    records = people([[5]] * n, tables={"observations": observations})
    trial = world(
        records, sites=ONE_SITE, funnel=SURE, recruitment=FIXED,
        screening={"labs": [{"name": "x", "codes": ["x"], "high": 50}]},
    )  # fmt: skip
    fates = recruit(trial, Draws(1, 0))
    assert ((fates.reason == reasons.RANDOMIZED) == (fates.patient % 2 == 0)).all()


def test_a_lab_that_nobody_has_must_be_described() -> None:
    with pytest.raises(ConfigError, match=r"\$.screening.labs\[0\].codes: no record holds a value"):
        world(people([[5]]), sites=ONE_SITE, screening={"labs": [{"name": "x", "codes": ["no such"]}]})


@pytest.mark.parametrize("capacity", [0.5, 2.0, 7.0])
def test_a_queue_gives_the_first_free_visit(capacity: float) -> None:
    ready = np.sort(np.random.default_rng(3).integers(0, 60, 50))
    latest = np.full(50, 10_000)
    days = appointments(ready, latest, np.zeros(50, np.int64), [capacity])
    free, want = 0, []
    for first in ready.tolist():
        slot = max(free, int(np.ceil(first * capacity / 7 - 1e-9)))
        want.append(max(first, int(np.ceil(slot * 7 / capacity - 1e-9))))
        free = slot + 1
    assert days.tolist() == want
    assert (np.diff(days) >= 0).all()


def test_those_who_will_not_wait_leave_their_visit_to_the_next() -> None:
    ready = np.zeros(10, np.int64)
    days = appointments(ready, ready + 15, np.zeros(10, np.int64), [1.0])
    assert days.tolist() == [0, 7, 14] + [NEVER] * 7
    two = appointments(np.r_[ready, ready], np.r_[ready + 15, ready + 8], np.repeat([0, 1], 10), [1.0, 1.0])
    assert two.tolist() == [0, 7, 14] + [NEVER] * 7 + [0, 7] + [NEVER] * 8


def test_capacity_holds_in_every_week() -> None:
    records = people([[day % 20] for day in range(300)])
    trial = world(records, sites=[ONE_SITE[0] | {"capacity_per_week": 3}], funnel=SURE, recruitment=FIXED,
                  screening={"max_wait_days": 1_000})  # fmt: skip
    fates = recruit(trial, Draws(1, 0))
    days = fates.screening_day[fates.screening_day < NEVER]
    assert np.bincount(days // 7).max() <= 3
    assert (fates.reason == reasons.UNFINISHED).sum() == 300 - len(days)


def test_cap_and_target_stop_recruitment() -> None:
    records = people([[day] for day in range(100)])
    capped = world(records, sites=[ONE_SITE[0] | {"cap": 10, "lag": 5}], funnel=SURE, recruitment=FIXED)
    fates = recruit(capped, Draws(1, 0))
    assert (fates.reason == reasons.RANDOMIZED).sum() == 10
    assert fates.stopped.tolist() == [14]
    assert (fates.reason == reasons.SITE_FULL).sum() == 5
    assert counts_of(capped, fates).sum() == 15
    wanted = world(records, sites=[ONE_SITE[0] | {"lag": 5}], funnel=SURE, recruitment=FIXED | {"target": 20})
    fates = recruit(wanted, Draws(1, 0))
    assert (fates.reason == reasons.RANDOMIZED).sum() == 20
    assert (fates.reason == reasons.TRIAL_FULL).sum() == 5


def test_consent_depends_on_age_sex_and_distance() -> None:
    n = 20_000
    more = {"latitude": np.where(np.arange(n) < n // 2, 40.0, 41.0), "longitude": np.full(n, -70.0)}
    records = people([[5]] * n, more=more)
    site = ONE_SITE[0] | {"latitude": 40.0, "longitude": -70.0}
    funnel = {"consent": 0.5, "female": 1.0, "per_10_km": -0.1, "per_decade": 0.0, "eligible": 1.0, "completes": 1.0}
    trial = world(records, sites=[site], funnel=funnel, recruitment=FIXED)
    fates = recruit(trial, Draws(1, 0))
    agreed = fates.reason == reasons.RANDOMIZED
    far, women = fates.patient >= n // 2, fates.patient % 2 == 1
    assert trial.distance_km[-1] == pytest.approx(111.2, abs=0.1)
    for is_far in (False, True):
        for is_woman in (False, True):
            want = 1 / (1 + np.exp(-(1.0 * is_woman - 1.112 * is_far)))
            share = agreed[(far == is_far) & (women == is_woman)].mean()
            assert share == pytest.approx(want, abs=4 * (0.25 / (n / 4)) ** 0.5)


def test_another_trial_takes_its_share_while_it_runs() -> None:
    records = people([[day // 100] for day in range(10_000)])
    other = {"name": "Rival", "probability": 0.4, "since": "2020-01-11", "until": "2020-02-09"}
    trial = world(records, sites=ONE_SITE, funnel=SURE, recruitment=FIXED, competing=[other])
    fates = recruit(trial, Draws(1, 0))
    taken = fates.reason == reasons.IN_ANOTHER_TRIAL
    running = (fates.visit_day >= 10) & (fates.visit_day <= 39)
    assert not taken[~running].any()
    assert taken[running].mean() == pytest.approx(0.4, abs=0.04)


def test_people_go_to_the_nearest_site_in_reach() -> None:
    more = {"latitude": [40.0, 40.4, 45.0, np.nan], "longitude": [-70.0, -70.0, -70.0, -70.0]}
    sites = [
        {"name": "South", "latitude": 40.1, "longitude": -70.0},
        {"name": "North", "latitude": 40.5, "longitude": -70},
    ]
    trial = world(people([[1]] * 4, more=more), sites=sites, recruitment={"catchment": "distance"})
    assert trial.site.tolist() == [0, 1, -1, -1]


def test_shares_count_within_the_place_of_a_site() -> None:
    n = 8_000
    more = {"state": ["MA" if k % 2 else "NH" for k in range(n)]}
    sites = [{"name": "A", "share": 0.5, "state": "MA"}, {"name": "B", "share": 0.25, "state": "NH"}]
    trial = world(people([[1]] * n, more=more), sites=sites)
    assert (trial.site == 0).sum() == pytest.approx(n / 4, abs=150)
    assert (trial.site == 1).sum() == pytest.approx(n / 8, abs=150)
    assert set(trial.people.state[trial.site == 0]) == {"MA"}


def test_the_people_of_the_records_stand_for_a_population() -> None:
    records = people([[5]] * 500)
    trial = world(records, sites=ONE_SITE, funnel=SURE, recruitment={"scale": 3.0})
    counts = np.array([len(recruit(trial, Draws(1, r)).patient) for r in range(200)])
    assert counts.mean() == pytest.approx(1_500, abs=4 * (1_500 / 200) ** 0.5)
    assert counts.var() == pytest.approx(1_500, rel=0.45)
    again = recruit(trial, Draws(1, 0))
    assert len({*zip(again.patient.tolist(), again.copy.tolist(), strict=True)}) == len(again.patient)


def test_an_unaffected_candidate_is_identical_in_two_scenarios() -> None:
    visits = np.sort(np.random.default_rng(5).integers(0, 364, (2_000, 3)), axis=1)
    records = people(visits)
    site = {"share": 0.3, "lag": {"median_days": 9, "p90_days": 20}, "delay": {"median_days": 30, "p90_days": 80}}
    before = [{"name": "A", **site}, {"name": "B", **site}]
    after = [{"name": "A", **site}, {"name": "B", **site, "cap": 20}, {"name": "C", **site}]
    runs = [recruit(world(records, sites=sites), Draws(7, 3)) for sites in (before, after)]
    trial = world(records, sites=before)
    kept = [
        {
            (int(p), int(c)): (int(why), int(visit), int(screened), int(randomized))
            for p, c, why, visit, screened, randomized in zip(
                run.patient, run.copy, run.reason, run.visit_day, run.screening_day, run.randomized_day, strict=True
            )
            if trial.site[p] == 0
        }
        for run in runs
    ]
    assert len(kept[0]) > 300
    assert kept[0] == kept[1]


def test_a_target_above_the_catchment_and_unknown_names_are_faults_together() -> None:
    with pytest.raises(ConfigError) as caught:
        world(
            people([[1]] * 10), sites=ONE_SITE, recruitment={"target": 11}, waived=["nothing"],
            endpoint={"per_year": None, "codes": ["no such"]},
        )  # fmt: skip
    message = caught.value.message
    assert "3 faults" in message
    assert "$.recruitment.target: 11 people" in message
    assert "$.waived: no criterion 'nothing'" in message
    assert "$.endpoint.codes: no record of conditions" in message


def test_days_are_calendar_days() -> None:
    trial = world(people([[0]]), sites=ONE_SITE)
    assert trial.origin == (dt.date(2020, 1, 1) - dt.date(1970, 1, 1)).days
