"""What private training promises: the clip bound, the sampler, the budget, the keys; and what noise costs."""

import math
from pathlib import Path
from typing import Any

import dp_accounting
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from trajsim.learn.accounting import Release, epsilon_of
from trajsim.learn.cards import CARDS
from trajsim.learn.checkpoint_files import Tree, write_files
from trajsim.learn.private import ClippedSums, PrivacyPlan, SecretKeys, sampled_patients, train_privately
from trajsim.learn.resuming import ResumeFolder
from trajsim.learn.training import Rows

_KEYS = SecretKeys.from_insecure_seed(11)
_CLIP = 3.0
_PLAN = PrivacyPlan(
    epsilon=math.inf,
    delta=1e-5,
    public_n=24,
    batch_size=1,
    sampling_prob=0.25,
    steps=4,
    l2_clip_norm=_CLIP,
    noise_multiplier=0.0,
)
_PARAMETERS = {"w": jnp.array([0.3, -0.2, 0.1, 0.4]), "b": jnp.zeros(())}
_VISITS = 6


def _loss(parameters: Tree, row: Tree) -> jax.Array:
    """Every visit adds its own error: more visits, a larger gradient."""
    errors = (row["x"] @ parameters["w"] + parameters["b"] - row["y"]) ** 2
    return jnp.sum(errors * row["is_visit"])


_ROWS: Rows = {
    "x": np.random.default_rng(0).normal(size=(24, _VISITS, 4)).astype(np.float32),
    "y": np.random.default_rng(1).normal(size=(24, _VISITS)).astype(np.float32) * 5,
    "is_visit": (np.random.default_rng(2).random((24, _VISITS)) < 0.5).astype(np.float32),
}


def _flat(tree: Tree) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(leaf, dtype=np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def _changed(rows: Rows, patient: int, x: list[float], scale: float, copies: int) -> Rows:
    """The rows with one patient's visits replaced by copies of one extreme visit."""
    made = {name: np.array(values) for name, values in rows.items()}
    made["x"][patient] = np.array(x, dtype=np.float32)
    made["y"][patient] = scale
    made["is_visit"][patient] = np.arange(_VISITS) < copies
    return made


_SUMS = ClippedSums(_loss, [_ROWS], plan=_PLAN)


@settings(max_examples=25, deadline=None)
@given(
    patient=st.integers(0, 23),
    x=st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=4),
    scale=st.floats(-1e6, 1e6, width=32),
    copies=st.integers(0, _VISITS),
)
def test_one_patient_moves_a_sum_by_at_most_the_clip_norm(
    patient: int, x: list[float], scale: float, copies: int
) -> None:
    """Also one whose visits are duplicated: they stand in one row, and a row is clipped once."""
    sums = _SUMS.with_rows([_changed(_ROWS, patient, x, scale, copies)])
    alone = np.linalg.norm(_CLIP * _flat(sums.of(_PARAMETERS, np.array([patient]))))
    assert alone <= _CLIP * (1 + 1e-5)
    everybody = np.arange(24)
    with_patient = _flat(sums.of(_PARAMETERS, everybody))
    without = _flat(sums.of(_PARAMETERS, everybody[everybody != patient]))
    assert np.linalg.norm(_CLIP * (with_patient - without)) <= _CLIP * (1 + 1e-4)


def test_batch_sizes_vary_like_a_binomial() -> None:
    """Probability that this fails although all is well: 2e-4 (chi-square) and 3e-4 (membership)."""
    n, q, steps = 200, 0.15, 4_000
    plan = PrivacyPlan(
        epsilon=math.inf,
        delta=1e-5,
        public_n=n,
        batch_size=30,
        sampling_prob=q,
        steps=steps,
        l2_clip_norm=1.0,
        noise_multiplier=0.0,
    )
    seen = np.zeros(n)
    sizes = np.zeros(steps, dtype=np.int64)
    for step in range(steps):
        batch = sampled_patients(plan, _KEYS, step=step, n_patients=n)
        assert len(np.unique(batch)) == len(batch)
        sizes[step] = len(batch)
        seen[batch] += 1
    edges = np.array([0, *stats.binom.ppf(np.linspace(0.1, 0.9, 9), n, q) + 1, n + 1]).astype(int)
    expected = np.diff(stats.binom.cdf(edges - 1, n, q)) * steps
    found = np.histogram(sizes, bins=edges)[0]
    assert stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > 2e-4
    # Independent draws: how often each patient was seen is binomial too.
    spread = np.square(seen - steps * q).sum() / (steps * q * (1 - q))
    assert stats.chi2.sf(spread, n) > 1.5e-4
    assert stats.chi2.cdf(spread, n) > 1.5e-4


@pytest.mark.parametrize(("sigma", "steps", "q", "delta"), [(2.15, 300, 1024 / 12640, 1e-5), (1.1, 40, 0.2, 1e-6)])
def test_epsilon_equals_that_of_dp_accounting(sigma: float, steps: int, q: float, delta: float) -> None:
    releases = [Release(name="count", sensitivity=2.0, noise_multiplier=6.0)] * 3
    for extra in ([], releases):
        found = epsilon_of(sigma, steps=steps, sampling_prob=q, delta=delta, releases=extra)
        relation = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE
        theirs = dp_accounting.pld.PLDAccountant(relation, value_discretization_interval=1e-3)
        sampled = dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(sigma))
        theirs.compose(sampled, steps)
        for release in extra:
            theirs.compose(dp_accounting.GaussianDpEvent(release.noise_multiplier))
        assert found == pytest.approx(theirs.get_epsilon(delta), abs=1e-3)
        renyi = dp_accounting.rdp.RdpAccountant(neighboring_relation=relation)
        renyi.compose(sampled, steps)
        for release in extra:
            renyi.compose(dp_accounting.GaussianDpEvent(release.noise_multiplier))
        assert found < renyi.get_epsilon(delta)  # the looser of two bounds on the same thing


@settings(max_examples=10, deadline=None)
@given(sigma=st.floats(0.6, 8.0), q=st.floats(0.01, 0.5), steps=st.integers(0, 200), more=st.integers(1, 200))
def test_epsilon_never_decreases_with_steps(sigma: float, q: float, steps: int, more: int) -> None:
    before = epsilon_of(sigma, steps=steps, sampling_prob=q, delta=1e-5)
    assert epsilon_of(sigma, steps=steps + more, sampling_prob=q, delta=1e-5) >= before - 1e-9


def test_no_noise_is_used_twice() -> None:
    """Steps without data are noise alone: all different, of the stated size, and of another key's noise another."""
    plan = PrivacyPlan(
        epsilon=1e6,
        delta=1e-5,
        public_n=24,
        batch_size=6,
        sampling_prob=1e-12,
        steps=40,
        l2_clip_norm=_CLIP,
        noise_multiplier=2.0,
    )
    noises: list[NDArray[np.float64]] = []
    for seed in (1, 2):
        train_privately(
            _loss,
            _PARAMETERS,
            [_ROWS],
            plan=plan,
            keys=SecretKeys.from_insecure_seed(seed),
            observe=lambda step: noises.append(_flat(step.noisy_gradient)),
        )
    drawn = np.array(noises)
    assert len(np.unique(drawn)) == drawn.size
    # 400 normal numbers of standard deviation 2 / 6: chi-square, fails by chance with probability 1e-4.
    spread = np.square(drawn / (2.0 / 6.0)).sum()
    assert stats.chi2.ppf(5e-5, drawn.size) < spread < stats.chi2.ppf(1 - 5e-5, drawn.size)


def test_what_is_released_holds_no_key(tmp_path: Path) -> None:
    resume = ResumeFolder.beside(tmp_path / "out", run={})
    keys = SecretKeys.of_run(resume, insecure_seed=None)
    plan = PrivacyPlan(
        epsilon=1e6,
        delta=1e-5,
        public_n=24,
        batch_size=6,
        sampling_prob=0.25,
        steps=3,
        l2_clip_norm=_CLIP,
        noise_multiplier=2.0,
    )
    learned = train_privately(_loss, _PARAMETERS, [_ROWS], plan=plan, keys=keys, resume=resume)
    model: dict[str, Any] = {"kind": "toy", "vocabulary": {}}
    cards: dict[str, dict[str, Any] | str] = {name: {} if name.endswith("json") else "card" for name in CARDS}
    write_files(tmp_path / "out", parameters=learned, model=model, cards=cards)
    saved = serialization.msgpack_restore((resume.path / "state.msgpack").read_bytes())
    assert set(saved) == {"parameters", "optimizer", "noise_key", "step"}
    secrets = [keys.noise, keys.sampling, keys.releases, np.asarray(saved["noise_key"]).tobytes()]
    for file in (tmp_path / "out").iterdir():
        content = file.read_bytes()
        for secret in secrets:
            assert secret not in content
            assert secret.hex().encode() not in content


def test_what_noise_costs_where_everything_is_known() -> None:
    """The teaching case (docs/concepts/privacy.md): m values of variance v, their mean released with normal noise.

    Noise of variance tau^2 costs E[KL] = tau^2 / 2v against the mean without noise and makes the squared error
    v / m + tau^2; half the epsilon costs four times.
    """
    rng = np.random.default_rng(3)
    m, v, bound, delta, n = 50, 4.0, 10.0, 1e-5, 400_000
    costs = {}
    for epsilon in (1.0, 0.5):
        sensitivity = bound / m
        tau = sensitivity * math.sqrt(2 * math.log(1.25 / delta)) / epsilon
        release = Release(name="mean", sensitivity=sensitivity, noise_multiplier=tau / sensitivity)
        assert epsilon_of(1.0, steps=0, sampling_prob=1.0, delta=delta, releases=[release]) <= epsilon
        means = rng.normal(scale=math.sqrt(v / m), size=n)  # of m values whose true mean is 0; 5 v^.5 is never reached
        released = means + tau * rng.normal(size=n)
        costs[epsilon] = (np.square(released - means) / (2 * v)).mean()  # KL of two normals of variance v
        assert costs[epsilon] == pytest.approx(tau**2 / (2 * v), rel=0.02)
        assert np.square(released).mean() == pytest.approx(v / m + tau**2, rel=0.02)
    assert costs[0.5] / costs[1.0] == pytest.approx(4.0, rel=0.02)
