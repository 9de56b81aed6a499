import numpy as np
import pytest

from tests.unit.trials.recruitment.builders import instants, people, table, world
from trajsim.trials.recruitment.arms import DIED, DROPPED_OUT, EVENT, WATCHED, allocate, follow_up
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.hazard import CumulativeHazard
from trajsim.trials.spec import Arm

SITES = [{"name": "A", "share": 0.5}, {"name": "B", "share": 0.5}]
ARMS = [{"name": "control", "ratio": 1}, {"name": "drug", "ratio": 2, "hazard_ratio": 0.5}]


def test_blocks_hold_the_arms_in_their_ratio() -> None:
    trial = world(
        people([[1]] * 600), sites=SITES, arms=ARMS, randomization={"block_sizes": [3, 6], "strata": ["site", "sex"]}
    )
    patient = np.random.default_rng(1).permutation(600)
    arm = allocate(trial, Draws(1, 0), patient, np.full(600, 1))
    assert (arm == 1).mean() == pytest.approx(2 / 3, abs=0.02)
    for site in (0, 1):
        for woman in (False, True):
            own = arm[(trial.site[patient] == site) & (trial.people.is_female[patient] == woman)]
            excess = np.cumsum(np.where(own == 1, 0.5, -1.0))  # 0 at the end of every block
            assert np.abs(excess).max() <= 2.0
            assert len(own) > 100


def test_one_block_size_is_balanced_at_every_end() -> None:
    trial = world(people([[1]] * 100), sites=[{"name": "A", "share": 1.0}], randomization={"block_sizes": [4]})
    arm = allocate(trial, Draws(2, 0), np.arange(100), np.full(100, 1)).reshape(25, 4)
    assert (arm.sum(axis=1) == 2).all()
    assert len({tuple(block) for block in arm.tolist()}) > 4


def test_a_stratum_does_not_move_another() -> None:
    trial = world(people([[1]] * 200), sites=SITES)
    all_of_them = allocate(trial, Draws(3, 0), np.arange(200), np.full(200, 1))
    one = np.flatnonzero(trial.site == 1)
    assert allocate(trial, Draws(3, 0), one, np.full(len(one), 1)).tolist() == all_of_them[one].tolist()


def test_a_hazard_and_dropout_as_given() -> None:
    n = 20_000
    trial = world(
        people([[1]] * n), sites=SITES, arms=ARMS, endpoint={"per_year": 0.3},
        follow_up={"days": 365, "dropout_per_year": 0.1},
    )  # fmt: skip
    arm = np.arange(n) % 2
    seen = follow_up(trial, Draws(1, 0), np.arange(n), np.zeros(n, np.int64), np.full(n, 10), arm)
    loss = -np.log(0.9)
    for place, hazard in ((0, 0.3), (1, 0.15)):
        want = hazard / (hazard + loss) * (1 - np.exp(-(hazard + loss) * 365 / 365.25))
        assert (seen.status[arm == place] == EVENT).mean() == pytest.approx(want, abs=4 * (0.25 / (n / 2)) ** 0.5)
    assert set(np.unique(seen.status)) == {EVENT, DROPPED_OUT, WATCHED}
    assert seen.days.max() == 365
    assert seen.end == 375


def test_the_trial_ends_with_the_event_it_waits_for() -> None:
    n = 1_000
    trial = world(people([[1]] * n), sites=SITES, follow_up={"events": 50, "dropout_per_year": 0})
    day = np.arange(n) // 10
    seen = follow_up(trial, Draws(1, 0), np.arange(n), np.zeros(n, np.int64), day, np.zeros(n, np.int64))
    assert (seen.status == EVENT).sum() == 50
    assert (day + seen.days).max() <= seen.end
    assert (day + seen.days)[seen.status == EVENT].max() in (seen.end, seen.end - 1)


def _recorded(n: int, rate: float) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int64]], object]":
    days = np.ceil(np.random.default_rng(4).exponential(365.25 / rate, n)).astype(np.int64)
    ids = np.arange(1, n + 1, dtype=np.uint64)
    conditions = table(
        "conditions", {"patient_id": ids, "row_key": ids, "time": instants(1 + days), "code": ["stroke"] * n}, n
    )
    return days, people([[1]] * n, tables={"conditions": conditions})


def test_the_control_arm_has_the_events_of_the_records() -> None:
    days, records = _recorded(500, 0.2)
    trial = world(
        records, sites=SITES, endpoint={"per_year": None, "codes": ["stroke"]},  # type: ignore[arg-type]
        follow_up={"days": 1_000, "dropout_per_year": 0},
    )  # fmt: skip
    zero = np.zeros(500, np.int64)
    seen = follow_up(trial, Draws(1, 0), np.arange(500), zero, np.ones(500, np.int64), zero)
    assert seen.days.tolist() == np.minimum(days, 1_000).tolist()
    assert ((seen.status == EVENT) == (days <= 1_000)).all()


def test_treatment_moves_the_events_of_the_records_by_its_hazard_ratio() -> None:
    n = 20_000
    _, records = _recorded(n, 0.2)
    arms = [{"name": "control"}, {"name": "drug", "hazard_ratio": 0.5, "delay_days": 180}]
    trial = world(
        records, sites=SITES, arms=arms, endpoint={"per_year": None, "codes": ["stroke"]},  # type: ignore[arg-type]
        follow_up={"days": 1_500, "dropout_per_year": 0},
    )  # fmt: skip
    seen = follow_up(
        trial, Draws(1, 0), np.arange(n), np.zeros(n, np.int64), np.ones(n, np.int64), np.ones(n, np.int64)
    )
    for day in (100, 180, 600, 1_400):
        hazard = 0.2 / 365.25 * (min(day, 180) + 0.5 * max(day - 180, 0))
        share = ((seen.status == EVENT) & (seen.days < day)).mean()
        assert share == pytest.approx(1 - np.exp(-hazard), abs=0.012)


def test_death_ends_what_is_not_counted() -> None:
    records = people([[1]] * 2, more={"death_time": [instants([50])[0], None]})
    trial = world(records, sites=SITES, endpoint={"per_year": 1e-9}, follow_up={"days": 100, "dropout_per_year": 0})
    zero = np.zeros(2, np.int64)
    seen = follow_up(trial, Draws(1, 0), np.arange(2), zero, np.full(2, 10), zero)
    assert seen.status.tolist() == [DIED, WATCHED]
    assert seen.days.tolist() == [40, 100]


def test_nelson_and_aalen() -> None:
    hazard = CumulativeHazard.estimated(np.array([1.0, 2.0, 2.0, 5.0]), np.array([True, True, False, True]))
    assert hazard.at(np.array([0.0, 1.0, 2.0, 5.0])).tolist() == pytest.approx(
        [0, 1 / 4, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3 + 1]
    )
    values = np.array([0.1, 0.3, 1.0, 9.0])
    assert hazard.at(hazard.inverse(values)).tolist() == pytest.approx(values.tolist())
    arm = Arm(name="a", ratio=1, hazard_ratio=0.5, delay_days=2)
    late = hazard.treated_inverse(values, arm)
    assert late[:2].tolist() == hazard.inverse(values[:2]).tolist()
    assert late[2] > hazard.inverse(values[2:3])[0]
    assert CumulativeHazard.estimated(np.ones(3), np.zeros(3, bool)).inverse(np.ones(1)).tolist() == [np.inf]
