"""Training with patient-level differential privacy: clipping, sampling, noise and budget as one frozen plan.

The unit is a patient: all that is known of a patient stands in one row, and one row's gradient is clipped to one norm.
Every step sees each patient with the same probability, independently; the noise is added once a step to the sum. What
the guarantee needs is decided before the first step, and nothing here looks at a loss, a norm or a count of real
patients to decide anything.
"""

import copy
import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jax_privacy
import numpy as np
import optax
from dp_accounting import NeighboringRelation
from jax_privacy.batch_selection import CyclicPoissonSampling
from jax_privacy.noise_addition import gaussian_privatizer
from numpy.typing import NDArray

from trajsim.errors import ConfigError, DataFileError, PrivacyError
from trajsim.learn.accounting import RELATION, Release, epsilon_of, solve_noise_multiplier
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.resuming import ResumeFolder
from trajsim.learn.training import Loss, Rows, TrainingProgress, fixed_chunks, n_rows

L2_CLIP_NORM = 12.0
STEPS = 600
PEAK_LEARNING_RATE = 0.0135
_B2 = 0.99
_WARM_UP = 10
_LAST_RATE = 0.1
_CHUNK = 128
_LONG_CHUNK = 32  # of long histories: more would leave the cache of a core
_LONG_ROW = 2_000
_SAVE_EVERY = 25
_N_BARS = 20
_ONE_BATCH_IN = 6
_SLACK = 1e-6


@dataclass(frozen=True, kw_only=True)
class PrivacyPlan:
    """All that decides what a private training spends; made by `plan_privacy`.

    Attributes:
        epsilon: Budget for everything together; infinity only for a control without noise.
        delta: Of (epsilon, delta).
        public_n: Number of patients as it is declared publicly; nothing is computed from the real number.
        batch_size: Expected patients a step; the noisy sum is divided by it.
        sampling_prob: Probability with which a step sees a patient.
        steps: Number of steps.
        l2_clip_norm: Largest norm of one patient's gradient.
        noise_multiplier: Standard deviation of the noise of a step in units of the clip norm.
        releases: What the budget pays beside training.
        neighboring_relation: What two neighbouring data sets differ by: one patient added or removed.
        peak_learning_rate: Of DP-Adam after the warm-up.
    """

    epsilon: float
    delta: float
    public_n: int
    batch_size: int
    sampling_prob: float
    steps: int
    l2_clip_norm: float
    noise_multiplier: float
    releases: tuple[Release, ...] = ()
    neighboring_relation: str = RELATION
    peak_learning_rate: float = PEAK_LEARNING_RATE

    def __post_init__(self) -> None:
        """Checks the ranges, and that the plan stays within its budget.

        Raises:
            ConfigError: A value is out of range.
            PrivacyError: The plan spends more than its epsilon.
        """
        _require_ranges(self)
        if self.neighboring_relation != RELATION:
            msg = f"neighboring_relation: expected {RELATION!r}, got {self.neighboring_relation!r}"
            raise ConfigError(msg)
        spent = self.epsilon_after(self.steps)
        if spent > self.epsilon * (1 + _SLACK):
            msg = f"the plan spends epsilon {spent:.4f}, expected at most {self.epsilon!r}"
            raise PrivacyError(msg)

    def epsilon_after(self, steps: int) -> float:
        """Epsilon of the releases and the first steps of training; never decreases."""
        return epsilon_of(
            self.noise_multiplier,
            steps=steps,
            sampling_prob=self.sampling_prob,
            delta=self.delta,
            releases=self.releases,
        )

    def release(self, name: str) -> Release:
        """The release of a name.

        Raises:
            PrivacyError: The budget does not pay for it.
        """
        for release in self.releases:
            if release.name == name:
                return release
        msg = f"the budget of this plan pays no release {name!r}"
        raise PrivacyError(msg)


def _require_ranges(plan: PrivacyPlan) -> None:
    checks = {
        "epsilon": plan.epsilon > 0,
        "delta": 0 < plan.delta < 1,
        "public_n": plan.public_n >= 1,
        "batch_size": plan.batch_size >= 1,
        "sampling_prob": 0 < plan.sampling_prob <= 1,
        "steps": plan.steps >= 1,
        "l2_clip_norm": 0 < plan.l2_clip_norm < math.inf,
        "noise_multiplier": 0 <= plan.noise_multiplier < math.inf,
        "peak_learning_rate": 0 < plan.peak_learning_rate < math.inf,
    }
    wrong = [f"{name} {getattr(plan, name)!r}" for name, is_good in checks.items() if not is_good]
    if wrong:
        msg = f"a privacy plan with values out of range: {', '.join(wrong)}"
        raise ConfigError(msg)
    if plan.delta * plan.public_n >= 1:
        msg = f"delta {plan.delta!r} is too large for {plan.public_n:,} patients, expected less than 1/N"
        raise ConfigError(msg, hint="1e-5 is usual; a delta of 1/N would allow publishing one whole patient")


def plan_privacy(
    *,
    epsilon: float,
    delta: float,
    public_n: int,
    batch_size: int | None = None,
    steps: int = STEPS,
    l2_clip_norm: float = L2_CLIP_NORM,
    releases: Sequence[Release] = (),
    peak_learning_rate: float = PEAK_LEARNING_RATE,
) -> PrivacyPlan:
    """Makes a plan: solves the noise of training for what the budget leaves.

    Args:
        epsilon: Budget for everything together.
        delta: Of (epsilon, delta); below 1 / public_n.
        public_n: Number of patients, as declared publicly.
        batch_size: Expected patients a step; a sixth of `public_n` by default.
        steps: Number of steps.
        l2_clip_norm: Largest norm of one patient's gradient: a public constant.
        releases: What the budget pays beside training.
        peak_learning_rate: Of DP-Adam after the warm-up.

    Returns:
        The plan.

    Raises:
        ConfigError: A value is out of range.
        PrivacyError: No noise keeps the budget.
    """
    size = max(1, round(public_n / _ONE_BATCH_IN)) if batch_size is None else batch_size
    if public_n < 1 or not 1 <= size <= public_n or not 0 < epsilon < math.inf or steps < 1 or not 0 < delta < 1:
        msg = (
            "expected a positive epsilon, 0 < delta < 1, steps of 1 or more, and a batch size between 1 and the public "
            f"number of patients, got epsilon {epsilon!r}, delta {delta!r}, {steps!r} steps, {size!r} of {public_n!r}"
        )
        raise ConfigError(msg)
    sampling_prob = size / public_n
    noise_multiplier = solve_noise_multiplier(
        epsilon=epsilon, delta=delta, steps=steps, sampling_prob=sampling_prob, releases=releases
    )
    return PrivacyPlan(
        epsilon=epsilon,
        delta=delta,
        public_n=public_n,
        batch_size=size,
        sampling_prob=sampling_prob,
        steps=steps,
        l2_clip_norm=l2_clip_norm,
        noise_multiplier=noise_multiplier,
        releases=tuple(releases),
        peak_learning_rate=peak_learning_rate,
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class SecretKeys:
    """Three independent keys of a private training; whoever has them can subtract the noise.

    Attributes:
        noise: Of the noise of steps, 64 bits.
        sampling: Of the batches, 128 bits.
        releases: Of the noise of releases, 64 bits.
        is_insecure: Whether they come from a seed that someone may know.
    """

    noise: bytes
    sampling: bytes
    releases: bytes
    is_insecure: bool

    @classmethod
    def from_entropy(cls) -> "SecretKeys":
        """Keys from the operating system, at their full width."""
        return cls(noise=os.urandom(8), sampling=os.urandom(16), releases=os.urandom(8), is_insecure=False)

    @classmethod
    def from_insecure_seed(cls, seed: int) -> "SecretKeys":
        """Keys that anyone can make again: for tests and for comparisons on public data."""

        def part(name: str, size: int) -> bytes:
            return hashlib.sha256(f"trajsim-insecure:{name}:{seed}".encode()).digest()[:size]

        return cls(
            noise=part("noise", 8), sampling=part("sampling", 16), releases=part("releases", 8), is_insecure=True
        )

    @classmethod
    def of_run(cls, resume: ResumeFolder | None, *, insecure_seed: int | None) -> "SecretKeys":
        """The keys of a run: those that a killed run left, or new ones, kept before the first step."""
        found = resume.keys() if resume is not None else None
        if resume is not None and found is not None:
            names = ("noise", "sampling", "releases")
            try:
                return cls(
                    **{name: bytes.fromhex(found[name]) for name in names}, is_insecure=bool(found["is_insecure"])
                )
            except (KeyError, TypeError, ValueError) as error:
                msg = f"{resume.keys_file}: the keys of an interrupted training are damaged: {error}"
                raise DataFileError(msg, hint="remove the folder to start anew") from error
        keys = cls.from_entropy() if insecure_seed is None else cls.from_insecure_seed(insecure_seed)
        if resume is not None:
            resume.save_keys(
                {
                    "noise": keys.noise.hex(),
                    "sampling": keys.sampling.hex(),
                    "releases": keys.releases.hex(),
                    "is_insecure": keys.is_insecure,
                }
            )
        return keys


@dataclass(frozen=True, kw_only=True, eq=False)
class PrivateStep:
    """What an observer of training may see: the noisy mean gradient is what the guarantee is about.

    Attributes:
        step: Which step, from 0.
        parameters: Before the step.
        noisy_gradient: Sum of clipped gradients over the expected batch size in units of the clip norm, plus noise.
    """

    step: int
    parameters: Tree
    noisy_gradient: Tree


def train_privately(
    loss: Loss,
    parameters: Tree,
    buckets: Sequence[Rows],
    *,
    plan: PrivacyPlan,
    keys: SecretKeys,
    resume: ResumeFolder | None = None,
    progress: Callable[[TrainingProgress], None] | None = None,
    observe: Callable[[PrivateStep], None] | None = None,
) -> Tree:
    """Trains a model on patients with DP-Adam, as the plan says.

    Args:
        loss: Loss of one patient: parameters and one row to a scalar.
        parameters: Where to begin: public knowledge only.
        buckets: Rows of fixed length each, all patients; a patient stands in exactly one row.
        plan: What is spent.
        keys: Where randomness comes from.
        resume: Where to keep the state of a run, and where to find that of a killed one.
        progress: Told after every step how much is spent.
        observe: Told every noisy gradient, for audits.

    Returns:
        The parameters after the last step.

    Raises:
        PrivacyError: The saved state has spent the budget of this plan already.

    Guarantees:
        One patient changes the sum of a step by at most the clip norm; batch sizes vary like Binomial(N, q); no noise
        key is used twice; a resumed run ends with the same bytes. (tests/statistical/test_privacy.py)
    """
    optimizer = optax.adam(_schedule(plan), b2=_B2)
    state = _start(parameters, optimizer, keys)
    found = resume.load(state) if resume is not None else None
    state = dict(state if found is None else found)
    if int(state["step"]) > plan.steps:
        msg = f"the saved state has made {int(state['step'])} steps, the budget pays {plan.steps}"
        raise PrivacyError(msg)
    sums = ClippedSums(loss, buckets, plan=plan)
    privatizer = make_privatizer(plan, sums.sensitivity, wrapped_key(state["noise_key"]))
    noise_state = privatizer.init(parameters)
    update = jax.jit(_make_update(privatizer, optimizer))
    spent = _Spent(plan)
    for step in range(int(state["step"]), plan.steps):
        total = sums.of(state["parameters"], sampled_patients(plan, keys, step=step, n_patients=sums.n_patients))
        before = state["parameters"]
        noisy, noise_state, state["optimizer"], state["parameters"] = update(
            total, noise_state, state["optimizer"], before
        )
        state["step"] = np.int64(step + 1)
        if observe is not None:
            observe(PrivateStep(step=step, parameters=before, noisy_gradient=noisy))
        if resume is not None and ((step + 1) % _SAVE_EVERY == 0 or step + 1 == plan.steps):
            resume.save(state | {"noise_key": jax.random.key_data(noise_state[0])})
        if progress is not None:
            progress(TrainingProgress(step=step + 1, n_steps=plan.steps, epsilon=spent.after(step + 1)))
    return state["parameters"]


def sampled_patients(plan: PrivacyPlan, keys: SecretKeys, *, step: int, n_patients: int) -> NDArray[np.int64]:
    """Whom a step sees: each patient with the same probability, independently; possibly nobody.

    The generator of a step depends on the key and the number of the step alone, so the position of the sampler is
    that number.
    """
    rng = np.random.Generator(np.random.Philox(key=int.from_bytes(keys.sampling), counter=[0, 0, 0, step]))
    batches = CyclicPoissonSampling(sampling_prob=plan.sampling_prob, iterations=1).batch_iterator(n_patients, rng=rng)
    return np.sort(next(iter(batches))).astype(np.int64)


class ClippedSums:
    """Sums of clipped gradients over chosen patients, in fixed shapes whatever their number."""

    def __init__(self, loss: Loss, buckets: Sequence[Rows], *, plan: PrivacyPlan) -> None:
        """Compiles nothing yet; keeps the rows where JAX computes."""
        self._put(buckets)
        gradient = jax_privacy.clipped_grad(
            loss,
            argnums=0,
            batch_argnums=1,
            l2_clip_norm=plan.l2_clip_norm,
            rescale_to_unit_norm=True,
            normalize_by=float(plan.batch_size),
            keep_batch_dim=False,
        )
        self.sensitivity = float(gradient.sensitivity(NeighboringRelation.ADD_OR_REMOVE_ONE))

        def add(total: Tree, parameters: Tree, rows: Tree, positions: jax.Array, is_padding: jax.Array) -> Tree:
            chosen = jax.tree.map(lambda array: array[positions], rows)
            found = gradient(parameters, chosen, is_padding_example=is_padding)
            return jax.tree.map(jnp.add, total, found)

        self._add = jax.jit(add)

    def _put(self, buckets: Sequence[Rows]) -> None:
        self._rows = [jax.device_put(dict(rows)) for rows in buckets if n_rows(rows)]
        counts = [n_rows(rows) for rows in buckets if n_rows(rows)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def with_rows(self, buckets: Sequence[Rows]) -> "ClippedSums":
        """The same sums over other patients, without compiling again."""
        other = copy.copy(self)
        other._put(buckets)
        return other

    @property
    def n_patients(self) -> int:
        """How many there are."""
        return int(self._starts[-1])

    def of(self, parameters: Tree, patients: NDArray[np.int64]) -> Tree:
        """Sum over these patients, in units of the clip norm and divided by the expected batch size."""
        total = jax.tree.map(jnp.zeros_like, parameters)
        for rows, positions, is_padding in self._chunks(patients):
            total = self._add(total, parameters, rows, positions, is_padding)
        return total

    def _chunks(self, patients: NDArray[np.int64]) -> Iterator[tuple[Tree, NDArray[np.int32], NDArray[np.bool_]]]:
        for index, rows in enumerate(self._rows):
            low, high = self._starts[index], self._starts[index + 1]
            within = patients[(patients >= low) & (patients < high)] - low
            for positions, is_padding in fixed_chunks(within, _chunk_size(rows)):
                yield rows, positions, is_padding


def _chunk_size(rows: Tree) -> int:
    """How many patients are computed at once, by how much one of them holds."""
    return _CHUNK if sum(values[0].size for values in rows.values()) <= _LONG_ROW else _LONG_CHUNK


def wrapped_key(data: Tree) -> jax.Array:
    """A key of JAX from its 64 bits; numbers would be cut to 32 of them."""
    words = np.frombuffer(data, np.uint32) if isinstance(data, bytes) else np.asarray(data, np.uint32)
    key: jax.Array = jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")
    return key


def make_privatizer(plan: PrivacyPlan, sensitivity: float, key: jax.Array) -> optax.GradientTransformation:
    """What adds the noise of a step."""
    made: optax.GradientTransformation = gaussian_privatizer(stddev=plan.noise_multiplier * sensitivity, prng_key=key)
    return made


def _schedule(plan: PrivacyPlan) -> optax.Schedule:
    peak = plan.peak_learning_rate
    warm_up = min(_WARM_UP, max(1, plan.steps // 2))
    return optax.warmup_cosine_decay_schedule(
        init_value=peak / warm_up,
        peak_value=peak,
        warmup_steps=warm_up,
        decay_steps=max(plan.steps, warm_up + 1),
        end_value=peak * _LAST_RATE,
    )


def _start(parameters: Tree, optimizer: optax.GradientTransformation, keys: SecretKeys) -> Mapping[str, Any]:
    parameters = jax.tree.map(jnp.asarray, parameters)
    return {
        "parameters": parameters,
        "optimizer": optimizer.init(parameters),
        "noise_key": np.frombuffer(keys.noise, np.uint32),
        "step": np.int64(0),
    }


def _make_update(
    privatizer: optax.GradientTransformation, optimizer: optax.GradientTransformation
) -> Callable[[Tree, Tree, Tree, Tree], tuple[Tree, Tree, Tree, Tree]]:
    def update(total: Tree, noise_state: Tree, state: Tree, parameters: Tree) -> tuple[Tree, Tree, Tree, Tree]:
        noisy, noise_state = privatizer.update(total, noise_state)
        updates, state = optimizer.update(noisy, state, parameters)
        return noisy, noise_state, state, optax.apply_updates(parameters, updates)

    return update


class _Spent:
    """Epsilon so far, rounded up to a few points of the run so that a bar costs little."""

    def __init__(self, plan: PrivacyPlan) -> None:
        self._plan = plan
        self._every = max(1, math.ceil(plan.steps / _N_BARS))
        self._shown = 0.0

    def after(self, steps: int) -> float:
        """Epsilon after the next point that is not before `steps`."""
        point = min(self._plan.steps, math.ceil(steps / self._every) * self._every)
        self._shown = max(self._shown, self._plan.epsilon_after(point))
        return self._shown
