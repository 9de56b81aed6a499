import math
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trajsim.errors import ConfigError, PrivacyError
from trajsim.learn.accounting import Release
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.private import (
    ClippedSums,
    PrivacyPlan,
    PrivateStep,
    SecretKeys,
    plan_privacy,
    train_privately,
    wrapped_key,
)
from trajsim.learn.resuming import ResumeFolder
from trajsim.learn.training import Rows, TrainingProgress

_KEYS = SecretKeys.from_insecure_seed(7)
_FIRST = {"w": jnp.zeros(3), "b": jnp.zeros(())}


def _loss(parameters: Tree, row: Tree) -> jax.Array:
    error = row["x"].sum(0) @ parameters["w"] + parameters["b"] - row["y"]
    return jnp.asarray(error * error)


def _rows(n: int, length: int, seed: int) -> Rows:
    x = np.random.default_rng(seed).normal(size=(n, length, 3)).astype(np.float32)
    return {"x": x, "y": (x.sum(1) @ np.array([1.0, -2.0, 0.5])).astype(np.float32)}


_BUCKETS = [_rows(300, 2, 1), _rows(100, 4, 2)]


def _plan(**changed: float | str) -> PrivacyPlan:
    plan = PrivacyPlan(
        epsilon=math.inf,
        delta=1e-5,
        public_n=400,
        batch_size=80,
        sampling_prob=0.2,
        steps=30,
        l2_clip_norm=15.0,
        noise_multiplier=0.0,
        peak_learning_rate=0.1,
    )
    return replace(plan, **changed)  # type: ignore[arg-type]


def test_without_noise_it_learns() -> None:
    learned = train_privately(_loss, _FIRST, _BUCKETS, plan=_plan(steps=150), keys=_KEYS)
    np.testing.assert_allclose(learned["w"], [1.0, -2.0, 0.5], atol=0.2)


def test_a_killed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    plan = _plan(epsilon=1e6, noise_multiplier=1.0, steps=60)
    whole = train_privately(_loss, _FIRST, _BUCKETS, plan=plan, keys=_KEYS)

    def stop(step: PrivateStep) -> None:
        if step.step == 37:
            raise KeyboardInterrupt

    resume = ResumeFolder(tmp_path / "run", run={"data": "toy"})
    keys = SecretKeys.of_run(resume, insecure_seed=7)
    with pytest.raises(KeyboardInterrupt):
        train_privately(_loss, _FIRST, _BUCKETS, plan=plan, keys=keys, resume=resume, observe=stop)
    seen: list[int] = []
    resumed = train_privately(
        _loss,
        _FIRST,
        _BUCKETS,
        plan=plan,
        keys=SecretKeys.of_run(resume, insecure_seed=None),
        resume=resume,
        observe=lambda step: seen.append(step.step),
    )
    assert seen[0] == 25
    assert np.asarray(resumed["w"]).tobytes() == np.asarray(whole["w"]).tobytes()
    with pytest.raises(PrivacyError, match="has made 60 steps"):
        train_privately(_loss, _FIRST, _BUCKETS, plan=replace(plan, steps=50), keys=keys, resume=resume)


def test_progress_says_what_is_spent_and_ends_at_the_budget() -> None:
    plan = plan_privacy(epsilon=2.0, delta=1e-4, public_n=400, steps=12)
    seen: list[TrainingProgress] = []
    train_privately(_loss, _FIRST, _BUCKETS, plan=plan, keys=_KEYS, progress=seen.append)
    spent = [progress.epsilon for progress in seen]
    assert spent == sorted(spent)
    assert 1.9 < spent[-1] <= 2.0
    assert [progress.step for progress in seen] == list(range(1, 13))


def test_nobody_and_only_padding_add_nothing() -> None:
    sums = ClippedSums(_loss, [*_BUCKETS, _rows(0, 8, 3)], plan=_plan())
    assert sums.n_patients == 400
    nothing = sums.of(_FIRST, np.array([], dtype=np.int64))
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(nothing))
    # A plan whose batches are nearly always empty still makes its steps: noise alone.
    rare = _plan(epsilon=1e6, sampling_prob=1e-9, noise_multiplier=1.0, steps=3)
    moved = train_privately(_loss, _FIRST, _BUCKETS, plan=rare, keys=_KEYS)
    assert np.all(np.isfinite(moved["w"]))
    assert np.any(moved["w"])


def test_a_gradient_that_is_no_number_counts_nothing() -> None:
    broken = {name: np.array(values) for name, values in _BUCKETS[0].items()}
    broken["y"][3] = np.nan
    sums = ClippedSums(_loss, [broken], plan=_plan())
    assert not np.any(sums.of(_FIRST, np.array([3]))["w"])
    assert np.all(np.isfinite(sums.of(_FIRST, np.arange(300))["w"]))


def test_keys_have_their_full_width() -> None:
    assert jax.random.key_data(wrapped_key(b"\x01\x00\x00\x00\x02\x00\x00\x00")).tolist() == [1, 2]
    one, other = SecretKeys.from_entropy(), SecretKeys.from_entropy()
    assert (len(one.noise), len(one.sampling), len(one.releases)) == (8, 16, 8)
    assert len({one.noise, other.noise, one.releases, other.releases}) == 4
    assert not one.is_insecure
    assert SecretKeys.from_insecure_seed(1).is_insecure
    assert one.noise.hex() not in repr(one)


def test_a_plan_is_checked_before_training() -> None:
    with pytest.raises(ConfigError, match="values out of range: steps 0"):
        _plan(steps=0)
    with pytest.raises(ConfigError, match="too large for 400 patients"):
        _plan(delta=0.01)
    with pytest.raises(PrivacyError, match="spends epsilon"):
        _plan(epsilon=0.5, noise_multiplier=1.0)
    with pytest.raises(ConfigError, match="neighboring_relation"):
        _plan(neighboring_relation="REPLACE_ONE")
    with pytest.raises(ConfigError, match="batch size between 1 and"):
        plan_privacy(epsilon=3.0, delta=1e-5, public_n=100, batch_size=200)
    with pytest.raises(PrivacyError, match="pays no release 'count'"):
        _plan().release("count")


def test_a_plan_by_default_sees_a_sixth_a_step() -> None:
    count = Release(name="count", sensitivity=1.0, noise_multiplier=20.0)
    plan = plan_privacy(epsilon=3.0, delta=1e-4, public_n=600, steps=20, releases=[count])
    assert plan.batch_size == 100
    assert plan.sampling_prob == pytest.approx(1 / 6)
    assert plan.release("count") is count
    assert plan.epsilon_after(20) <= 3.0
