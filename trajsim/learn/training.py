"""Training without privacy: for public simulations, and for those who may use their data as it is.

It knows nothing of privacy. Batches hold patients of every length bucket in their share, so that one step sees what
the whole data look like.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.resuming import ResumeFolder

Rows = Mapping[str, NDArray[Any]]
Loss = Callable[[Tree, Tree], jax.Array]


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How training goes.

    Attributes:
        n_epochs: Most passes over the data.
        batch_size: Patients a step, about.
        learning_rate: Peak of Adam; it falls to a tenth along a cosine.
        patience: Passes without a better tuning loss after which training stops.
        seed: Of the order in which patients are seen.
    """

    n_epochs: int = 40
    batch_size: int = 256
    learning_rate: float = 0.01
    patience: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigError: One is out of range.
        """
        for name in ("n_epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                msg = f"{name}: expected 1 or more, got {getattr(self, name)!r}"
                raise ConfigError(msg)
        if not 0 < self.learning_rate < math.inf:
            msg = f"learning_rate: expected a positive number, got {self.learning_rate!r}"
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """How far training is.

    Attributes:
        step: Steps that are done.
        n_steps: Most steps there will be.
        epsilon: What has been spent, infinity without privacy.
        tuning_loss: Mean loss of a patient of the tuning split, where it was looked at.
    """

    step: int
    n_steps: int
    epsilon: float = math.inf
    tuning_loss: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """What training found.

    Attributes:
        parameters: Of the epoch with the lowest tuning loss; of the last one without a tuning split.
        tuning_losses: Mean loss of a patient after every epoch.
        best_epoch: Which epoch it was, from 0.
    """

    parameters: Tree
    tuning_losses: tuple[float, ...]
    best_epoch: int


def train(
    loss: Loss,
    parameters: Tree,
    buckets: Sequence[Rows],
    *,
    tuning: Sequence[Rows] = (),
    settings: TrainingSettings | None = None,
    progress: Callable[[TrainingProgress], None] | None = None,
    resume: ResumeFolder | None = None,
) -> TrainingResult:
    """Trains a model on patients, without privacy.

    Args:
        loss: Loss of one patient: parameters and one row to a scalar.
        parameters: Where to begin.
        buckets: Rows of fixed length each; the leading axis counts patients.
        tuning: The same, for early stopping.
        settings: How training goes.
        progress: Told after every epoch.
        resume: Where to keep the state after every epoch, and where to find that of a killed run.

    Returns:
        The parameters and the tuning losses.

    Raises:
        ConfigError: There is no patient to train on.
    """
    settings = settings or TrainingSettings()
    buckets = [rows for rows in buckets if n_rows(rows)]
    if not buckets:
        msg = "training needs at least one patient, got none"
        raise ConfigError(msg)
    counts = _shares(buckets, settings.batch_size)
    n_steps = max(math.ceil(n_rows(rows) / count) for rows, count in zip(buckets, counts, strict=True))
    total = n_steps * settings.n_epochs
    optimizer = optax.adam(optax.cosine_decay_schedule(settings.learning_rate, total, alpha=0.1))
    step = _make_step(loss, optimizer, float(sum(counts)))
    state = _load(resume, _first_state(parameters, optimizer, settings.n_epochs))
    device = [jax.device_put(dict(rows)) for rows in buckets]
    mean_loss = mean_loss_of(loss)
    for epoch in range(int(state["epoch"]), settings.n_epochs):
        if int(state["worse"]) >= settings.patience:
            break
        rng = np.random.Generator(np.random.Philox(key=settings.seed, counter=[0, 0, 0, epoch]))
        for positions in _epoch_positions(buckets, counts, n_steps, rng):
            state["parameters"], state["optimizer"] = step(state["parameters"], state["optimizer"], device, positions)
        found = _finite(mean_loss(state["parameters"], tuning)) if tuning else math.nan
        _note(state, epoch, found)
        if resume is not None:
            resume.save(state)
        if progress is not None:
            shown = found if tuning else None
            progress(TrainingProgress(step=(epoch + 1) * n_steps, n_steps=total, tuning_loss=shown))
    losses = tuple(float(value) for value in state["losses"][: int(state["epoch"])])
    return TrainingResult(parameters=state["best"], tuning_losses=losses, best_epoch=int(state["best_epoch"]))


def n_rows(rows: Rows) -> int:
    """How many patients rows hold."""
    return len(next(iter(rows.values())))


def fixed_chunks(positions: NDArray[Any], size: int) -> Iterator[tuple[NDArray[np.int32], NDArray[np.bool_]]]:
    """Cuts positions into chunks of one size; the last one is padded, so no shape depends on their number.

    Args:
        positions: Rows that are wanted, any number, also none.
        size: Of every chunk.

    Yields:
        Positions, and which of them are padding.
    """
    for start in range(0, len(positions), size):
        part = np.asarray(positions[start : start + size], dtype=np.int32)
        is_padding = np.arange(size) >= len(part)
        yield np.concatenate([part, np.zeros(size - len(part), dtype=np.int32)]), is_padding


def mean_loss_of(loss: Loss, *, chunk_size: int = 256) -> Callable[[Tree, Sequence[Rows]], float]:
    """A function that says the mean loss of patients; compiled once for every bucket shape."""

    @jax.jit
    def total(parameters: Tree, rows: Tree, is_padding: jax.Array) -> jax.Array:
        values = jax.vmap(loss, in_axes=(None, 0))(parameters, rows)
        return jnp.sum(jnp.where(is_padding, 0.0, values))

    def mean(parameters: Tree, buckets: Sequence[Rows]) -> float:
        sums = []
        for rows in buckets:
            for positions, is_padding in fixed_chunks(np.arange(n_rows(rows)), chunk_size):
                chosen = {name: np.asarray(values)[positions] for name, values in rows.items()}
                sums.append(float(total(parameters, chosen, is_padding)))
        n = sum(n_rows(rows) for rows in buckets)
        return math.fsum(sums) / n if n else math.nan

    return mean


def _shares(buckets: Sequence[Rows], batch_size: int) -> list[int]:
    """How many patients of every bucket a step sees: in proportion, at least one."""
    n = sum(n_rows(rows) for rows in buckets)
    size = min(batch_size, n)
    return [max(1, round(size * n_rows(rows) / n)) for rows in buckets]


def _epoch_positions(
    buckets: Sequence[Rows], counts: Sequence[int], n_steps: int, rng: np.random.Generator
) -> Iterator[list[tuple[NDArray[np.int32], NDArray[np.bool_]]]]:
    """Every patient once, in a new order; buckets that end earlier are padded with rows that count nothing."""
    padded = []
    for rows, count in zip(buckets, counts, strict=True):
        order = rng.permutation(n_rows(rows)).astype(np.int32)
        fill = n_steps * count - len(order)
        positions = np.concatenate([order, np.zeros(fill, dtype=np.int32)]).reshape(n_steps, count)
        is_padding = (np.arange(n_steps * count) >= len(order)).reshape(n_steps, count)
        padded.append((positions, is_padding))
    for step in range(n_steps):
        yield [(positions[step], is_padding[step]) for positions, is_padding in padded]


def _make_step(loss: Loss, optimizer: optax.GradientTransformation, size: float) -> Callable[..., Any]:
    """One step; every bucket is a program of its own, for one program over all of them takes far longer to compile."""
    losses = jax.vmap(loss, in_axes=(None, 0))

    def bucket_loss(parameters: Tree, rows: Tree, chosen: jax.Array, is_padding: jax.Array) -> jax.Array:
        values = losses(parameters, jax.tree.map(lambda array: array[chosen], rows))
        return jnp.sum(jnp.where(is_padding, 0.0, values)) / size

    @jax.jit
    def add(total: Tree, parameters: Tree, rows: Tree, chosen: jax.Array, is_padding: jax.Array) -> Tree:
        return jax.tree.map(jnp.add, total, jax.grad(bucket_loss)(parameters, rows, chosen, is_padding))

    @jax.jit
    def update(gradient: Tree, parameters: Tree, state: Tree) -> tuple[Tree, Tree]:
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state

    def step(parameters: Tree, state: Tree, buckets: Tree, positions: Tree) -> tuple[Tree, Tree]:
        gradient = jax.tree.map(jnp.zeros_like, parameters)
        for rows, (chosen, is_padding) in zip(buckets, positions, strict=True):
            gradient = add(gradient, parameters, rows, chosen, is_padding)
        stepped: tuple[Tree, Tree] = update(gradient, parameters, state)
        return stepped

    return step


def _first_state(parameters: Tree, optimizer: optax.GradientTransformation, n_epochs: int) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "optimizer": optimizer.init(parameters),
        "best": parameters,
        "best_loss": np.float64(np.inf),
        "best_epoch": np.int64(0),
        "epoch": np.int64(0),
        "worse": np.int64(0),
        "losses": np.full(n_epochs, np.nan),
    }


def _finite(value: float) -> float:
    """Training that has blown up is worse than anything, not the end of the comparison."""
    return value if math.isfinite(value) else math.inf


def _load(resume: ResumeFolder | None, state: dict[str, Any]) -> dict[str, Any]:
    found = resume.load(state) if resume is not None else None
    return state if found is None else dict(found)


def _note(state: dict[str, Any], epoch: int, found: float) -> None:
    losses = np.array(state["losses"])
    losses[epoch] = found
    state["losses"] = losses
    state["epoch"] = np.int64(epoch + 1)
    if math.isnan(found) or found < float(state["best_loss"]):
        state["best"], state["best_epoch"], state["worse"] = state["parameters"], np.int64(epoch), np.int64(0)
        state["best_loss"] = np.float64(found)
    else:
        state["worse"] = np.int64(int(state["worse"]) + 1)
