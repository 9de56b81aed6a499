"""What patients have when they enter, as counts that can be released, and an entry chain that agrees with them.

Which conditions go together is the first thing that noise in a gradient destroys: a regression of each condition on all
earlier ones is many weights on rare events. Counts do better: how many patients of a sex and age have a condition, how
many have two of them, and how heavy those are who have it. Every patient adds to few of them, so one release with
little noise holds them all. The chain is then fitted to the counts, on patients that it draws itself: the fit looks at
nothing but what was released.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import EventSequences
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.features import DAYS_PER_YEAR, scaled_bmi
from trajsim.learn.models.entry import FIRST_CONDITION, N_BASIS
from trajsim.learn.models.network import applied
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.trained import Demographics

GROUP_AGE_YEARS = (0.0, 40.0, 50.0, 60.0, 70.0)
"""Beginnings of the age groups; with the sexes there are ten groups."""

GROUP_WEIGHT = 0.7
PAIR_WEIGHT = 0.6
BMI_WEIGHT = 0.5
"""How loudly the parts of a patient's vector speak beside the conditions themselves; all share one norm."""

MOST_BMI = 1.5
N_DRAWN = 40_000
_PRIOR_SPREAD = 0.7
_CONSTANT_SPREAD = 2.0  # noise may leave nobody, or fewer: without it a rare condition's constant has no end
_STEPS = 25
_SEED = 0x656E7472

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class EntryMoments:
    """Counts of conditions at entry, after their noise. K - 1 conditions (death is none).

    Attributes:
        all: [K - 1] Patients who have a condition.
        by_group: [groups, K - 1] Those of a sex and age: women first, then by age.
        pairs: [K - 1, K - 1] Patients who have two conditions; only above the diagonal.
        bmi: [K - 1] Sum of the body mass index on its scale, within `MOST_BMI`, over patients with a condition.
        stddev: Standard deviation of the noise in a number of `all`; 0 where training is not private. The others have
            as much over their weight.
    """

    all: Floats
    by_group: Floats
    pairs: Floats
    bmi: Floats
    stddev: float


def entry_vectors(sequences: EventSequences) -> Floats:
    """[n, M] What every patient adds to the release, before it is clipped.

    Of a patient with h conditions the norm is at most sqrt(2.1 h + 0.18 h (h - 1)): 1.4 with one, 2.7 with three.
    """
    held = sequences.prevalent[:, :-1].astype(np.float64)
    n, k = held.shape
    group = groups_of(sequences.is_male, sequences.entry_age_days / DAYS_PER_YEAR)
    by_group = np.zeros((n, 2 * len(GROUP_AGE_YEARS), k))
    by_group[np.arange(n), group] = held
    first, second = np.triu_indices(k, 1)
    bmi = bounded_bmi(*(np.asarray(part, dtype=np.float64) for part in scaled_bmi(np, sequences.bmi)))
    return np.hstack(
        [
            held,
            GROUP_WEIGHT * by_group.reshape(n, -1),
            PAIR_WEIGHT * held[:, first] * held[:, second],
            BMI_WEIGHT * held * bmi[:, None],
        ]
    )


def moments_of(total: Floats, *, n_conditions: int, stddev: float) -> EntryMoments:
    """A sum of `entry_vectors`, with or without noise, in its parts."""
    n_groups, k = 2 * len(GROUP_AGE_YEARS), n_conditions
    first, second = np.triu_indices(k, 1)
    everybody, cells, pairs, bmi = np.split(total, np.cumsum([k, n_groups * k, len(first)]))
    together = np.zeros((k, k))
    together[first, second] = pairs / PAIR_WEIGHT
    return EntryMoments(
        all=everybody,
        by_group=cells.reshape(n_groups, k) / GROUP_WEIGHT,
        pairs=together,
        bmi=bmi / BMI_WEIGHT,
        stddev=stddev,
    )


def groups_of(is_male: NDArray[np.bool_], age_years: Floats) -> NDArray[np.int64]:
    """[n] Group of every patient."""
    age = np.searchsorted(GROUP_AGE_YEARS, age_years, side="right") - 1
    return np.asarray(len(GROUP_AGE_YEARS) * is_male + age, dtype=np.int64)


def bounded_bmi(bmi: Floats, has_bmi: Floats) -> Floats:
    """[n] The body mass index on its scale, within bounds; 0 where it is not known."""
    return np.asarray(has_bmi * np.clip(bmi, -MOST_BMI, MOST_BMI))


def fit_conditions(
    spec: ModelSpecification,
    parameters: Tree,
    moments: EntryMoments,
    demographics: Demographics,
) -> Tree:
    """Moves the weights of the entry chain's conditions to where drawn patients have the released counts.

    Condition after condition, given the earlier ones as the chain itself draws them: an error of one is made up for
    by the next. Weights are drawn to where they begin where the counts are noisy or few.

    Args:
        spec: Shape of the network.
        parameters: Of the network; weights of the conditions begin at what they are here.
        moments: What was released.
        demographics: Released as well: who is drawn, and of how many the counts are.

    Returns:
        New parameters; only the chain's columns of conditions differ.
    """
    n, k = N_DRAWN, spec.n_events - 1
    n_patients = max(1.0, float(demographics.sex_age.sum()))
    is_male, age_years = demographics.draw(n, np.random.default_rng(_SEED))
    sex, age = jnp.asarray(is_male, jnp.float32), jnp.asarray(age_years, jnp.float32)
    key = jax.random.key(_SEED)

    @jax.jit
    def draw(parameters: Tree) -> jax.Array:
        return applied(spec, parameters, lambda network: network.entry.sample(key, sex, age))

    basis = np.asarray(applied(spec, parameters, lambda network: network.entry.basis(sex, age)), dtype=np.float64)
    groups = np.eye(2 * len(GROUP_AGE_YEARS))[groups_of(is_male, age_years)]
    entry = {name: np.array(values) for name, values in parameters["params"]["entry"].items()}
    for condition in range(k):
        items = np.asarray(draw(_with_entry(parameters, entry)), dtype=np.float64)
        column, earlier = FIRST_CONDITION + condition, items[:, FIRST_CONDITION : FIRST_CONDITION + condition]
        rows = [*range(N_BASIS), N_BASIS + 1, *range(N_BASIS + FIRST_CONDITION, N_BASIS + column)]
        inputs = np.hstack([np.ones((n, 1)), basis, items[:, 1:2], earlier])
        bmi = bounded_bmi(items[:, 1], items[:, 0])[:, None]
        outputs = np.hstack([np.ones((n, 1)), groups, earlier, bmi])
        target = np.hstack(
            [
                moments.all[condition],
                moments.by_group[:, condition],
                moments.pairs[:condition, condition],
                moments.bmi[condition],
            ]
        )
        loud = np.repeat([1.0, GROUP_WEIGHT, PAIR_WEIGHT, BMI_WEIGHT], [1, groups.shape[1], condition, 1])
        noise = np.sqrt((moments.stddev / loud) ** 2 + np.maximum(target, 1.0))
        begin = np.concatenate([entry["bias"][column : column + 1], entry["weights"][rows, column]])
        # What the chain says beside the fitted rows (whether the index is known) stays as it is.
        rest = entry["weights"][N_BASIS, column] * items[:, 0]
        found = _matched(inputs, outputs * (n_patients / n), target, noise, begin=begin.astype(np.float64), rest=rest)
        entry["bias"][column], entry["weights"][rows, column] = found[0], found[1:]
    return _with_entry(parameters, entry)


def with_conditions_of(spec: ModelSpecification, parameters: Tree, other: Tree) -> Tree:
    """Parameters with the weights of the chain's conditions of others."""
    conditions = slice(FIRST_CONDITION, FIRST_CONDITION + spec.n_events - 1)
    entry = {name: np.array(values) for name, values in parameters["params"]["entry"].items()}
    for name in ("weights", "bias"):
        entry[name][..., conditions] = np.asarray(other["params"]["entry"][name])[..., conditions]
    return _with_entry(parameters, entry)


def _with_entry(parameters: Tree, entry: dict[str, NDArray[np.float32]]) -> Tree:
    inner = {**parameters["params"], "entry": {name: jnp.asarray(values) for name, values in entry.items()}}
    return {**parameters, "params": inner}


def _matched(inputs: Floats, outputs: Floats, target: Floats, noise: Floats, *, begin: Floats, rest: Floats) -> Floats:
    """Weights w with sum over patients of outputs x sigmoid(inputs w) near the target, in units of its noise.

    Gauss-Newton with a prior around where the weights begin, a wide one for the constant. A step that makes it worse is
    halved.
    """
    pull = np.full(len(begin), 1.0 / _PRIOR_SPREAD)
    pull[0] = 1.0 / _CONSTANT_SPREAD

    def misfit(w: Floats) -> tuple[Floats, Floats]:
        chance = 1.0 / (1.0 + np.exp(-np.clip(inputs @ w + rest, -30.0, 30.0)))
        return np.concatenate([(outputs.T @ chance - target) / noise, pull * (w - begin)]), chance

    w = begin
    gap, chance = misfit(w)
    for _ in range(_STEPS):
        slope = (outputs.T * (chance * (1.0 - chance))) @ inputs / noise[:, None]
        jacobian = np.vstack([slope, np.diag(pull)])
        step = np.linalg.lstsq(jacobian, -gap, rcond=None)[0]
        size = 1.0
        while size > 1e-3:
            new_gap, new_chance = misfit(w + size * step)
            if new_gap @ new_gap < gap @ gap:
                break
            size /= 2.0
        else:
            break
        w, gap, chance = w + size * step, new_gap, new_chance
    return w
