"""Counts over all patients that are released beside the parameters: with noise where training is private.

Clipping makes hazards come out low, because those who have events have the large gradients. Two noisy sums put that
right: events seen and expected, and visits seen and expected by time since the last step. A third says what patients
have when they enter, and two histograms who enters and for how long, so that a cohort can be drawn. Nothing of a single
patient leaves this file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax_privacy.clipping import clipped_fun
from numpy.typing import NDArray

from trajsim.event_sequences import EventSequences
from trajsim.learn.accounting import Release, calibration_multiplier
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.entry_moments import EntryMoments, entry_vectors, moments_of
from trajsim.learn.features import DAYS_PER_YEAR
from trajsim.learn.private import PrivacyPlan, SecretKeys, wrapped_key
from trajsim.learn.trained import AGE_BAND_YEARS, FOLLOW_UP_AGE_YEARS, N_AGE_BANDS, Demographics
from trajsim.learn.training import Rows, fixed_chunks, n_rows

CLIP_NORMS: Mapping[str, float] = {"events": 2.25, "visits": 12.0}
"""Largest norm of what one patient adds to a release, seen and expected together: public constants."""

ENTRY_NORM = 3.5
"""Largest norm of what one patient adds to the counts of conditions at entry."""

ENTRY = "calibration: entry"
_FACTORS = {"events": 7 / 6, "visits": 2.0, "entry": 5 / 6, "demographics": 1.5}
"""Noise of each release in units of `calibration_multiplier`: visits are many, conditions many small counts."""

SEX_AND_AGE = "demographics: sex and age"
FOLLOW_UP = "demographics: age, follow-up and death"
_ORDER = (*(f"calibration: {name}" for name in CLIP_NORMS), ENTRY, SEX_AND_AGE, FOLLOW_UP)
_CHUNK = 128
_PRIOR_SPREAD = 0.5

Counts = Callable[[Tree, Tree], dict[str, jax.Array]]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedCounts:
    """One release, after its noise.

    Attributes:
        seen: What patients had.
        expected: What the model expected of the same patients.
        stddev: Standard deviation of the noise in each number; 0 where training is not private.
    """

    seen: NDArray[np.float64]
    expected: NDArray[np.float64]
    stddev: float


def releases_of(epsilon: float, *, has_entry: bool = True) -> tuple[Release, ...]:
    """What is released beside the parameters where everything together may spend `epsilon`.

    Args:
        epsilon: Of the whole budget.
        has_entry: Whether patients can have anything when they enter (a vocabulary of death alone has nothing).

    Returns:
        The counts of events, of visits and of conditions at entry, and the two histograms.
    """
    one = calibration_multiplier(epsilon)
    counts = [
        Release(name=f"calibration: {name}", sensitivity=norm, noise_multiplier=one * _FACTORS[name])
        for name, norm in CLIP_NORMS.items()
    ]
    entry = Release(name=ENTRY, sensitivity=ENTRY_NORM, noise_multiplier=one * _FACTORS["entry"])
    demographics = [
        Release(name=name, sensitivity=1.0, noise_multiplier=one * _FACTORS["demographics"])
        for name in (SEX_AND_AGE, FOLLOW_UP)
    ]
    return (*counts, *([entry] if has_entry else []), *demographics)


def release_counts(
    counts: Counts, parameters: Tree, buckets: Sequence[Rows], *, plan: PrivacyPlan | None, keys: SecretKeys | None
) -> dict[str, ReleasedCounts]:
    """Sums over all patients of what they had and what the model expected.

    Args:
        counts: Of one patient: ``events_seen``, ``events_expected`` and so on for the names of `CLIP_NORMS`.
        parameters: Of the model, as they will be released.
        buckets: All patients.
        plan: What pays for it; None for a training that is not private, which clips nothing and adds no noise.
        keys: Where the noise comes from.

    Returns:
        By name; without those that have no item.

    Raises:
        PrivacyError: The plan does not pay for a release.

    Guarantees:
        One patient changes a sum by at most its clip norm. (tests/unit/learn/test_calibration.py)
    """
    row = {name: jnp.zeros(values.shape[1:], values.dtype) for name, values in buckets[0].items()}
    first = jax.eval_shape(counts, parameters, row)
    names = [name for name in CLIP_NORMS if first[f"{name}_seen"].size]
    sums = _clipped_sums(counts, parameters, buckets, names, is_clipped=plan is not None)
    released = {}
    for name in names:
        stddev = plan.release(f"calibration: {name}").stddev if plan is not None else 0.0
        seen, expected = (
            _with_noise(part, stddev, keys, f"calibration: {name}", i) for i, part in enumerate(sums[name])
        )
        released[name] = ReleasedCounts(seen=seen, expected=expected, stddev=stddev)
    return released


def release_demographics(
    sequences: EventSequences, *, plan: PrivacyPlan | None, keys: SecretKeys | None
) -> Demographics:
    """Histograms of who enters and for how long.

    Every patient stands in one cell of each, so one patient changes a histogram by 1.

    Args:
        sequences: The patients.
        plan: What pays for it; None for a training that is not private.
        keys: Where the noise comes from.

    Returns:
        The histograms; with noise, no cell is below 0.

    Raises:
        PrivacyError: The plan does not pay for them.
    """
    age_years = sequences.entry_age_days / DAYS_PER_YEAR
    band = np.clip(age_years // AGE_BAND_YEARS, 0, N_AGE_BANDS - 1).astype(np.int64)
    sex_age = np.zeros((2, N_AGE_BANDS))
    np.add.at(sex_age, (sequences.is_male.astype(np.int64), band), 1.0)
    n_years = int(np.ceil(sequences.vocabulary.max_years))
    year = np.clip(sequences.follow_up_days // DAYS_PER_YEAR, 0, n_years - 1).astype(np.int64)
    group = np.searchsorted(FOLLOW_UP_AGE_YEARS, age_years, side="right") - 1
    died = np.zeros(len(sequences), dtype=np.int64)
    if sequences.vocabulary.has_death:
        died[sequences.patient_of_day[sequences.events[:, -1]]] = 1
    follow_up = np.zeros((len(FOLLOW_UP_AGE_YEARS), n_years, 2))
    np.add.at(follow_up, (np.clip(group, 0, None), year, died), 1.0)
    noisy = []
    for name, histogram in ((SEX_AND_AGE, sex_age), (FOLLOW_UP, follow_up)):
        stddev = plan.release(name).stddev if plan is not None else 0.0
        noisy.append(_nearest_counts(_with_noise(histogram, stddev, keys, name, 0)))
    return Demographics(sex_age=noisy[0], follow_up=noisy[1])


def release_entry(
    sequences: EventSequences, *, plan: PrivacyPlan | None, keys: SecretKeys | None
) -> EntryMoments | None:
    """What patients have when they enter; None for a vocabulary of death alone.

    Args:
        sequences: The patients.
        plan: What pays for it; None for a training that is not private, which clips nothing and adds no noise.
        keys: Where the noise comes from.

    Raises:
        PrivacyError: The plan does not pay for it.

    Guarantees:
        One patient changes the sum by at most `ENTRY_NORM`. (tests/unit/learn/test_calibration.py)
    """
    n_conditions = len(sequences.vocabulary.events) - 1
    if not n_conditions:
        return None
    vectors, stddev = entry_vectors(sequences), 0.0
    if plan is not None:
        stddev = plan.release(ENTRY).stddev
        norms = np.linalg.norm(vectors, axis=1)
        vectors = vectors * np.minimum(1.0, ENTRY_NORM / np.maximum(norms, ENTRY_NORM))[:, None]
    total = _with_noise(vectors.sum(axis=0), stddev, keys, ENTRY, 0)
    return moments_of(total, n_conditions=n_conditions, stddev=stddev)


def calibrate(parameters: Tree, released: Mapping[str, ReleasedCounts]) -> Tree:
    """Moves the biases of a network to where expected counts meet those that were seen.

    Args:
        parameters: Of the network.
        released: What `release_counts` returned.

    Returns:
        New parameters; only biases of hazards and of visits differ.
    """
    inner = dict(parameters["params"])
    heads = dict(inner["heads"])
    bias, offset = jnp.asarray(heads["hazard_bias"]), jnp.asarray(heads["offset"])
    if "events" in released:
        heads["hazard_bias"] = bias.at[:-1].add(log_ratio(released["events"]))
    if "visits" in released:
        shift = log_ratio(released["visits"])
        heads["offset"] = offset.at[: len(shift), -1].add(shift)
    inner["heads"] = heads
    return {**parameters, "params": inner}


def log_ratio(counts: ReleasedCounts) -> NDArray[np.float64]:
    """Logarithm of seen over expected, drawn towards 0 where the noise is as large as the counts."""
    least = max(counts.stddev, 0.5)
    seen, expected = np.maximum(counts.seen, least), np.maximum(counts.expected, least)
    return np.asarray(_trust(seen, expected, counts.stddev) * np.log(seen / expected))


def _trust(seen: NDArray[np.float64], expected: NDArray[np.float64], stddev: float) -> NDArray[np.float64]:
    """Weight of a noisy logarithm against a prior that says: near 0, give or take a half."""
    variance = np.square(stddev / seen) + np.square(stddev / expected)
    return np.asarray(_PRIOR_SPREAD**2 / (_PRIOR_SPREAD**2 + variance))


def _clipped_sums(
    counts: Counts, parameters: Tree, buckets: Sequence[Rows], names: Sequence[str], *, is_clipped: bool
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Sums of every named pair, each patient's pair clipped jointly."""

    def pair(name: str) -> Callable[[Tree, Tree], tuple[jax.Array, jax.Array]]:
        def of_patient(parameters: Tree, row: Tree) -> tuple[jax.Array, jax.Array]:
            found = counts(parameters, row)
            return found[f"{name}_seen"], found[f"{name}_expected"]

        return of_patient

    clipped = {
        name: clipped_fun(
            pair(name),
            batch_argnums=1,
            keep_batch_dim=False,
            l2_clip_norm=CLIP_NORMS[name] if is_clipped else np.inf,
        )
        for name in names
    }

    @jax.jit
    def of_chunk(parameters: Tree, rows: Tree, is_padding: jax.Array) -> dict[str, tuple[jax.Array, jax.Array]]:
        return {name: sum_(parameters, rows, is_padding_example=is_padding) for name, sum_ in clipped.items()}

    totals: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for rows in buckets:
        for positions, is_padding in fixed_chunks(np.arange(n_rows(rows)), _CHUNK):
            chosen = {name: np.asarray(values)[positions] for name, values in rows.items()}
            for name, parts in of_chunk(parameters, chosen, is_padding).items():
                plain = tuple(np.asarray(part, dtype=np.float64) for part in parts)
                old = totals.get(name, (np.zeros_like(plain[0]), np.zeros_like(plain[1])))
                totals[name] = (old[0] + plain[0], old[1] + plain[1])
    return totals


def _with_noise(
    values: NDArray[np.float64], stddev: float, keys: SecretKeys | None, name: str, part: int
) -> NDArray[np.float64]:
    if stddev == 0 or keys is None:
        return values
    # Every release has a key of its own, and so has each of its two parts.
    key = jax.random.fold_in(wrapped_key(keys.releases), 2 * _ORDER.index(name) + part)
    return values + stddev * np.asarray(jax.random.normal(key, values.shape), dtype=np.float64)


def _nearest_counts(noisy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest histogram of the same total without negative cells: clipping alone would fill every empty cell."""
    total = noisy.sum()
    if total <= 0:
        return np.maximum(noisy, 0.0)
    falling = np.sort(noisy.ravel())[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, falling.size + 1)
    return np.asarray(np.maximum(noisy - excess[np.flatnonzero(falling > excess)[-1]], 0.0))
