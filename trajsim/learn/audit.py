"""An attack on our own training: patients that cannot exist are put in by the toss of a coin and must not be found.

The attacker has everything that the guarantee allows: all noisy gradients, all parameters on the way, and all other
patients. How well they tell who was in bounds epsilon from below. A bound above the claimed epsilon would prove a
fault; and without noise the same attack must exceed the claim, or it shows nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax_privacy.auditing import CanaryScoreAuditor
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventSequences, Vocabulary
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.private import PrivacyPlan, PrivateStep, SecretKeys, train_privately
from trajsim.learn.training import Loss, Rows, fixed_chunks, n_rows

LEAST_CANARIES = 100
_CHUNK = 128
_DAYS = 8
_LEAST_RIDGE = 1e-4
_MOST_BMI = 90.0
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One audited training.

    Attributes:
        noise_multiplier: Of its steps; 0 for the control.
        epsilon: What its plan claims; the control is held against the claim of the plan with noise.
        epsilon_clopper_pearson: Lower bound from the attacker's errors, Clopper-Pearson.
        epsilon_one_run: Lower bound for one run (Steinke, Nasr and Jagielski 2023).
        auc: Area under the attacker's curve.
        n_in: Canaries that were in.
        n_out: Canaries that were not.
    """

    noise_multiplier: float
    epsilon: float
    epsilon_clopper_pearson: float
    epsilon_one_run: float
    auc: float
    n_in: int
    n_out: int

    @property
    def bound(self) -> float:
        """The larger of the two lower bounds."""
        return max(self.epsilon_clopper_pearson, self.epsilon_one_run)


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """The audit and its control.

    Attributes:
        private: With the noise of the plan.
        control: The same training without noise.
        significance: Probability with which a bound may be wrong.
        delta: Of the claim.
    """

    private: AuditRow
    control: AuditRow
    significance: float
    delta: float

    @property
    def is_within_claim(self) -> bool:
        """Whether no bound exceeds the claimed epsilon."""
        return self.private.bound <= self.private.epsilon

    @property
    def can_fail(self) -> bool:
        """Whether both bounds of the control exceed the claim: the attack would have seen a fault."""
        return min(self.control.epsilon_clopper_pearson, self.control.epsilon_one_run) > self.private.epsilon


def make_canaries(vocabulary: Vocabulary, n: int, *, rng: np.random.Generator) -> EventSequences:
    """Patients that are well-formed and cannot exist: every measurement jumps between its lowest and highest value.

    Args:
        vocabulary: Events and labs.
        n: How many.
        rng: Where they come from.

    Returns:
        Their histories, eight days each, all different.
    """
    k, v = len(vocabulary.events), len(vocabulary.labs)
    last = max(_DAYS + 1, math.floor(vocabulary.max_years * _DAYS_PER_YEAR) - 1)
    day = np.sort(np.stack([rng.choice(last - 1, _DAYS, replace=False) + 1 for _ in range(n)]), axis=1)
    events = np.zeros((n, _DAYS, k), dtype=bool)
    living = k - 1 if vocabulary.has_death else k
    for kind in range(living):
        on = rng.integers(0, 2 * _DAYS, n)  # half of them never
        happens = np.flatnonzero(on < _DAYS)
        events[happens, on[happens], kind] = True
    ends = np.array([[lab.low, lab.high] for lab in vocabulary.labs]).reshape(v, 2)
    values = ends[np.arange(v), rng.integers(0, 2, (n, _DAYS, v))]
    values = np.where(rng.random((n, _DAYS, v)) < 0.5, values, np.nan)
    is_visit = ~np.isnan(values).all(axis=2) if v else np.zeros((n, _DAYS), dtype=bool)
    return EventSequences(
        vocabulary=vocabulary,
        patient_id=np.array([f"canary-{i}" for i in range(n)]),
        split=np.zeros(n, dtype=np.uint8),
        is_male=rng.random(n) < 0.5,
        entry_age_days=rng.integers(20 * 365, 90 * 365, n).astype(np.int32),
        bmi=np.where(rng.random(n) < 0.5, _MOST_BMI, 10.0),
        prevalent=np.zeros((n, k), dtype=bool),
        entry_values=np.full((n, v), np.nan),
        entry_value_days=np.full((n, v), -1, dtype=np.int32),
        follow_up_days=np.full(n, last, dtype=np.int32),
        offsets=np.arange(n + 1, dtype=np.int64) * _DAYS,
        day=day.ravel().astype(np.int32),
        is_visit=np.asarray(is_visit).ravel(),
        events=events.reshape(n * _DAYS, k),
        forbidden=np.zeros((n * _DAYS, k), dtype=bool),
        values=values.reshape(n * _DAYS, v),
    )


def audit_training(
    loss: Loss,
    parameters: Tree,
    canaries: Rows,
    others: Sequence[Rows],
    *,
    plan: PrivacyPlan,
    keys: SecretKeys,
    coins: NDArray[np.bool_],
    significance: float = 0.05,
) -> AuditResult:
    """Trains twice, with the noise of a plan and without, and attacks both.

    Args:
        loss: Loss of one patient.
        parameters: Where training begins.
        canaries: Rows of the canaries.
        others: Rows of further patients, who are always in.
        plan: What is claimed.
        keys: Of the training.
        coins: Which canaries are in.
        significance: Probability with which a bound may be wrong.

    Returns:
        Both bounds of both trainings.

    Raises:
        ConfigError: Too few canaries to bound anything.
    """
    n = n_rows(canaries)
    if n < LEAST_CANARIES or not 0 < coins.sum() < n:
        msg = f"an audit needs at least {LEAST_CANARIES} canaries, some in and some out, got {n}, {int(coins.sum())} in"
        raise ConfigError(msg)
    silent = replace(plan, epsilon=math.inf, noise_multiplier=0.0)
    rows = []
    for trained in (plan, silent):
        attacker = _Attacker(loss, canaries, others, plan=trained)
        included = {name: np.asarray(values)[coins] for name, values in canaries.items()}
        people = _merged([included, *others])
        train_privately(loss, parameters, people, plan=trained, keys=keys, observe=attacker.see)
        rows.append(_judge(attacker.scores, coins, trained, claim=plan, significance=significance))
    return AuditResult(private=rows[0], control=rows[1], significance=significance, delta=plan.delta)


class _Attacker:
    """Reads every noisy gradient as a sum of the clipped gradients of those who may be in it, by ridge regression."""

    def __init__(self, loss: Loss, canaries: Rows, others: Sequence[Rows], *, plan: PrivacyPlan) -> None:
        self._rows = [canaries, *others]
        self._plan = plan
        n_canaries, n_others = n_rows(canaries), sum(n_rows(rows) for rows in others)
        q = plan.sampling_prob
        self._guess = np.concatenate([np.full(n_canaries, q / 2), np.full(n_others, q)])
        self._ridge = max(plan.noise_multiplier**2 / (q * (1 - q) + 1e-9), _LEAST_RIDGE)
        self._scores = np.zeros(n_canaries + n_others)
        self._n_canaries = n_canaries

        @jax.jit
        def gradients(parameters: Tree, rows: Tree) -> jax.Array:
            found = jax.vmap(jax.grad(loss), in_axes=(None, 0))(parameters, rows)
            flat = jnp.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(found)], axis=1)
            flat = jnp.nan_to_num(flat, nan=0.0, posinf=0.0, neginf=0.0)
            norms = jnp.linalg.norm(flat, axis=1, keepdims=True)
            return flat / jnp.maximum(norms, plan.l2_clip_norm)

        self._gradients = gradients

    @property
    def scores(self) -> NDArray[np.float64]:
        """How often each canary seems to have been seen."""
        return self._scores[: self._n_canaries]

    def see(self, step: PrivateStep) -> None:
        """Takes in one step."""
        design = np.concatenate([self._of(step.parameters, rows) for rows in self._rows])
        leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(step.noisy_gradient)]
        sum_ = np.concatenate(leaves) * self._plan.batch_size
        gram = (design @ design.T).astype(np.float64)
        gram[np.diag_indices_from(gram)] += self._ridge
        unexplained = sum_ - design.T @ self._guess.astype(np.float32)
        self._scores += self._guess + np.linalg.solve(gram, (design @ unexplained).astype(np.float64))

    def _of(self, parameters: Tree, rows: Rows) -> NDArray[np.float32]:
        parts = []
        for positions, is_padding in fixed_chunks(np.arange(n_rows(rows)), _CHUNK):
            chosen = {name: np.asarray(values)[positions] for name, values in rows.items()}
            parts.append(np.asarray(self._gradients(parameters, chosen))[~is_padding])
        return np.concatenate(parts)


def _merged(buckets: Sequence[Rows]) -> list[Rows]:
    """Rows of the same shape as one bucket: fewer programs to compile."""
    groups: dict[tuple[Any, ...], list[Rows]] = {}
    for rows in buckets:
        shape = tuple(sorted((name, values.shape[1:]) for name, values in rows.items()))
        groups.setdefault(shape, []).append(rows)
    return [{name: np.concatenate([rows[name] for rows in group]) for name in group[0]} for group in groups.values()]


def _judge(
    scores: NDArray[np.float64],
    coins: NDArray[np.bool_],
    trained: PrivacyPlan,
    *,
    claim: PrivacyPlan,
    significance: float,
) -> AuditRow:
    auditor = CanaryScoreAuditor(scores[coins], scores[~coins])
    return AuditRow(
        noise_multiplier=trained.noise_multiplier,
        epsilon=claim.epsilon,
        epsilon_clopper_pearson=float(auditor.epsilon_clopper_pearson(significance, claim.delta)),
        epsilon_one_run=float(auditor.epsilon_one_run(significance, claim.delta)),
        auc=float(auditor.attack_auroc()),
        n_in=int(coins.sum()),
        n_out=int((~coins).sum()),
    )
