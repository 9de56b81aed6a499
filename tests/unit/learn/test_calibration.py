import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.learn.made_up import cohort
from trajsim.errors import PrivacyError
from trajsim.event_sequences import EventKind, EventSequences, Vocabulary
from trajsim.learn.accounting import Release
from trajsim.learn.calibration import (
    CLIP_NORMS,
    ENTRY_NORM,
    FOLLOW_UP,
    SEX_AND_AGE,
    ReleasedCounts,
    calibrate,
    log_ratio,
    release_counts,
    release_demographics,
    release_entry,
    releases_of,
)
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.entry_moments import BMI_WEIGHT, GROUP_WEIGHT, PAIR_WEIGHT
from trajsim.learn.private import PrivacyPlan, SecretKeys
from trajsim.learn.training import Rows

_KEYS = SecretKeys.from_insecure_seed(3)
_PLAN = PrivacyPlan(
    epsilon=100.0,
    delta=1e-5,
    public_n=40,
    batch_size=10,
    sampling_prob=0.25,
    steps=2,
    l2_clip_norm=1.0,
    noise_multiplier=1.0,
)


def _counts(parameters: Tree, row: Tree) -> dict[str, jax.Array]:
    return {
        "events_seen": row["events"],
        "events_expected": parameters["rate"] * jnp.ones(2),
        "visits_seen": row["visits"],
        "visits_expected": jnp.ones(3),
    }


def _rows(n: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return {
        "events": rng.integers(0, 4, (n, 2)).astype(np.float32),
        "visits": rng.integers(0, 9, (n, 3)).astype(np.float32),
    }


_PARAMETERS = {"rate": jnp.float32(0.25)}


def test_without_privacy_the_sums_are_exact() -> None:
    buckets = [_rows(30, 1), _rows(200, 2)]
    released = release_counts(_counts, _PARAMETERS, buckets, plan=None, keys=None)
    assert set(released) == {"events", "visits"}
    np.testing.assert_allclose(released["events"].seen, sum(rows["events"].sum(0) for rows in buckets), rtol=1e-6)
    np.testing.assert_allclose(released["events"].expected, [57.5, 57.5], rtol=1e-6)
    np.testing.assert_allclose(released["visits"].expected, [230.0] * 3, rtol=1e-6)


@pytest.mark.parametrize("seen", [[0.0, 0.1], [1.5, 1.5], [1e6, 3.0]])
def test_one_patient_changes_a_sum_by_at_most_its_clip_norm(seen: list[float]) -> None:
    plan = replace(_PLAN, epsilon=math.inf, releases=_silent(releases_of(3.0)))
    rows = _rows(12, 3)
    more = {name: np.concatenate([values, values[:1]]) for name, values in rows.items()}
    more["events"][-1] = seen
    without = release_counts(_counts, _PARAMETERS, [rows], plan=plan, keys=_KEYS)
    with_one = release_counts(_counts, _PARAMETERS, [more], plan=plan, keys=_KEYS)
    for name, norm in CLIP_NORMS.items():
        if name in without:
            moved = np.concatenate(
                [with_one[name].seen - without[name].seen, with_one[name].expected - without[name].expected]
            )
            assert np.linalg.norm(moved) <= norm * (1 + 1e-5)


def test_one_patient_changes_the_counts_at_entry_by_at_most_their_norm() -> None:
    plan = replace(_PLAN, epsilon=math.inf, releases=_silent(releases_of(3.0)))
    people = cohort(60)
    everything = people.prevalent.copy()
    everything[0, :-1] = True
    people = replace(people, prevalent=everything, bmi=np.full(len(people), 80.0))
    for left_out in range(len(people)):
        rest = people.take(np.flatnonzero(np.arange(len(people)) != left_out))
        both = [release_entry(some, plan=plan, keys=_KEYS) for some in (people, rest)]
        moved = [
            np.asarray(getattr(both[0], name)) - getattr(both[1], name) for name in ("all", "by_group", "pairs", "bmi")
        ]
        loud = (1.0, GROUP_WEIGHT, PAIR_WEIGHT, BMI_WEIGHT)
        norm = math.sqrt(sum(float(np.square(part * weight).sum()) for part, weight in zip(moved, loud, strict=True)))
        assert norm <= ENTRY_NORM * (1 + 1e-9)
        assert norm > 0 or not rest.prevalent.any() or not people.prevalent[left_out].any()


def test_counts_at_entry_are_exact_without_privacy_and_noisy_with_it() -> None:
    people = cohort(200)
    exact = release_entry(people, plan=None, keys=None)
    assert exact is not None
    np.testing.assert_array_equal(exact.all, people.prevalent[:, :-1].sum(axis=0))
    np.testing.assert_allclose(exact.by_group.sum(axis=0), exact.all)
    assert exact.pairs[0, 1] == pytest.approx((people.prevalent[:, 0] & people.prevalent[:, 1]).sum())
    assert exact.pairs[1, 0] == 0
    plan = replace(_PLAN, epsilon=math.inf, releases=releases_of(3.0))
    noises = []
    for seed in range(40):
        loud = release_entry(people, plan=plan, keys=SecretKeys.from_insecure_seed(seed))
        assert loud is not None
        noises += list(loud.all - exact.all) + list(GROUP_WEIGHT * (loud.by_group - exact.by_group).ravel())
    # 880 draws: their standard deviation is within a tenth of 5 x ENTRY_NORM (4 standard errors: .095).
    assert np.std(noises) == pytest.approx(5.0 * ENTRY_NORM, rel=0.1)


def _silent(releases: tuple[Release, ...]) -> tuple[Release, ...]:
    return tuple(replace(release, noise_multiplier=0.0) for release in releases)


def test_noise_has_the_stated_size_and_each_release_its_own() -> None:
    plan = replace(_PLAN, epsilon=math.inf, releases=releases_of(3.0))
    sequences = _sequences(50)
    quiet = release_demographics(sequences, plan=None, keys=None)
    noises = []
    for seed in range(60):
        loud = release_demographics(sequences, plan=plan, keys=SecretKeys.from_insecure_seed(seed))
        noises.append(loud.sex_age.sum() - quiet.sex_age.sum())
        assert (loud.sex_age >= 0).all()
        assert (loud.follow_up >= 0).all()
    # The total of 40 cells keeps their noise: 9 * sqrt(40) = 57, within what 60 draws allow.
    assert 40 < np.std(noises) < 76
    same = release_counts(_counts, _PARAMETERS, [_rows(9, 1)], plan=plan, keys=_KEYS)
    again = release_counts(_counts, _PARAMETERS, [_rows(9, 1)], plan=plan, keys=_KEYS)
    np.testing.assert_array_equal(same["events"].seen, again["events"].seen)
    assert same["events"].stddev == pytest.approx(15.75)
    assert not np.allclose(same["events"].seen - same["visits"].seen[:2], 0)


def _sequences(n: int) -> EventSequences:
    rng = np.random.default_rng(5)
    follow_up = rng.integers(200, 3000, n).astype(np.int32)
    died = np.arange(n) % 5 == 0
    rows = np.flatnonzero(died)
    return EventSequences(
        vocabulary=Vocabulary(events=(EventKind(name="fever"), EventKind(name="death")), max_years=10.0),
        patient_id=np.arange(n).astype(np.str_),
        split=np.zeros(n, dtype=np.uint8),
        is_male=np.arange(n) % 2 == 0,
        entry_age_days=rng.integers(20 * 365, 80 * 365, n).astype(np.int32),
        bmi=np.full(n, np.nan),
        prevalent=np.zeros((n, 2), dtype=bool),
        entry_values=np.zeros((n, 0)),
        entry_value_days=np.zeros((n, 0), dtype=np.int32),
        follow_up_days=follow_up,
        offsets=np.concatenate([[0], np.cumsum(died)]).astype(np.int64),
        day=follow_up[rows],
        is_visit=np.zeros(len(rows), dtype=bool),
        events=np.tile([False, True], (len(rows), 1)),
        forbidden=np.zeros((len(rows), 2), dtype=bool),
        values=np.zeros((len(rows), 0)),
    )


def test_every_patient_stands_in_one_cell() -> None:
    released = release_demographics(_sequences(50), plan=None, keys=None)
    assert released.sex_age.sum() == 50
    assert released.follow_up.sum() == 50
    assert released.follow_up[..., 1].sum() == 10
    assert released.follow_up.shape == (4, 10, 2)


def test_what_the_budget_does_not_pay_is_not_released() -> None:
    with pytest.raises(PrivacyError, match=f"pays no release '{SEX_AND_AGE}'"):
        release_demographics(_sequences(5), plan=_PLAN, keys=_KEYS)
    names = [release.name for release in releases_of(3.0, has_entry=False)]
    assert names == ["calibration: events", "calibration: visits", SEX_AND_AGE, FOLLOW_UP]


def test_ratios_are_drawn_to_nothing_where_noise_is_as_large_as_the_counts() -> None:
    exact = ReleasedCounts(seen=np.array([120.0, 50.0]), expected=np.array([100.0, 100.0]), stddev=0.0)
    np.testing.assert_allclose(log_ratio(exact), np.log([1.2, 0.5]))
    noisy = ReleasedCounts(seen=np.array([1200.0, -5.0]), expected=np.array([1000.0, 30.0]), stddev=12.0)
    found = log_ratio(noisy)
    assert found[0] == pytest.approx(math.log(1.2), rel=0.01)
    assert -0.25 < found[1] < 0


def test_only_biases_move() -> None:
    parameters = {
        "params": {
            "heads": {"hazard_bias": jnp.zeros(3), "offset": jnp.zeros((3, 3)), "hazard": jnp.ones((4, 3))},
            "entry": {"bias": jnp.zeros(5), "weights": jnp.ones((2, 5))},
            "core": {"inward": jnp.ones(2)},
        }
    }
    two = ReleasedCounts(seen=np.array([200.0, 100.0]), expected=np.array([100.0, 100.0]), stddev=0.0)
    three = ReleasedCounts(seen=np.full(3, 50.0), expected=np.full(3, 100.0), stddev=0.0)
    moved = calibrate(parameters, {"events": two, "visits": three})["params"]
    np.testing.assert_allclose(moved["heads"]["hazard_bias"], [math.log(2), 0, 0], atol=1e-6)
    np.testing.assert_allclose(moved["heads"]["offset"][:, -1], [math.log(0.5)] * 3, rtol=1e-6)
    assert not moved["heads"]["offset"][:, :-1].any()
    assert moved["entry"] is parameters["params"]["entry"]
    assert moved["core"] is parameters["params"]["core"]
