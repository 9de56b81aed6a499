"""A checkpoint as the engine asks it: `trajsim.trajectory_model.TrajectoryModel`, answered by one compiled function."""

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import Legality, Vocabulary
from trajsim.formula import Formula
from trajsim.learn.checkpoints import read_checkpoint
from trajsim.learn.features import DAYS_PER_YEAR, LIFELONG_STAY_YEARS, scaled_bmi
from trajsim.learn.models.network import Parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import HALF_A_DAY_YEARS, OFFSET_DAYS, PIECE_DAYS, REFRESH_DAYS
from trajsim.learn.stepping import Memory, Person, Stepper
from trajsim.learn.trained import TrainedModel
from trajsim.learn.written_out import write_out
from trajsim.trajectory_model import INPUTS, VISIT, Answers, LearnedValue, Questions


class LearnedTrajectories:
    """Answers of a trained model.

    Guarantees:
        The answer for a row depends on that row alone, as long as all calls have the same number of rows: the engine
        always asks with one fixed tile. (tests/unit/learn/test_stepping.py)
        Formula and `answer` agree to 1e-5. (tests/unit/learn/test_written_out.py)
    """

    def __init__(self, model: TrainedModel) -> None:
        """Takes a trained model."""
        self.model = model
        self._stepper = _stepper(model.spec)
        self._params = jax.tree.map(jnp.asarray, model.params)

    @property
    def digest(self) -> str:
        """sha256 of the checkpoint."""
        return self.model.digest

    @property
    def vocabulary(self) -> Vocabulary:
        """What it times and measures."""
        return self.model.spec.vocabulary

    @property
    def legality(self) -> Legality:
        """Which event can follow which, in the modules that it was trained with."""
        return self.model.legality

    @property
    def modules(self) -> Mapping[str, str]:
        """sha256 of each of them by key."""
        return self.model.modules

    @property
    def events(self) -> tuple[str, ...]:
        """The events of the vocabulary, then visits."""
        return (*self.model.spec.vocabulary.event_names, VISIT)

    @property
    def values(self) -> tuple[LearnedValue, ...]:
        """The labs of the vocabulary."""
        return tuple(
            LearnedValue(
                name=lab.name, unit=lab.unit, is_flag=lab.kind == "flag", is_log=lab.is_log, centre=lab.centre,
                spread=lab.spread, low=lab.low, high=lab.high, resolution=lab.resolution,
            )
            for lab in self.model.spec.vocabulary.labs
        )  # fmt: skip

    @property
    def inputs(self) -> tuple[str, ...]:
        """Age, sex and body mass index."""
        return INPUTS

    @property
    def piece_days(self) -> tuple[float, ...]:
        """Pieces of the first year; later years have one."""
        return PIECE_DAYS

    @property
    def refresh_days(self) -> float:
        """A year."""
        return REFRESH_DAYS

    @property
    def min_age_years(self) -> float:
        """Of the checkpoint."""
        return self.model.min_age_years

    @property
    def start(self) -> NDArray[np.float32]:
        """Zeros."""
        return np.zeros(self._stepper.width, dtype=np.float32)

    @cached_property
    def formula(self) -> Formula | None:
        """The same answers as arithmetic; None for a transformer."""
        return write_out(self.model)

    def answer(self, questions: Questions) -> Answers:
        """Answers all rows at once."""
        answered = _answer(
            self.model.spec, self._params, questions.memory, questions.inputs, questions.is_step, questions.now,
            questions.measured, questions.values,
        )  # fmt: skip
        return Answers(**{name: np.asarray(value) for name, value in zip(_FIELDS, answered, strict=True)})


def _stepper(spec: ModelSpecification) -> Stepper:
    """Lives of the engine enter no cohort."""
    return Stepper(spec, LIFELONG_STAY_YEARS)


_FIELDS = (
    "memory", "log_hazard", "co_probability", "panel_probability", "value_weight", "value_mean", "value_scale",
)  # fmt: skip


@partial(jax.jit, static_argnums=0)
def _answer(
    spec: ModelSpecification, params: Parameters, packed: jax.Array, inputs: jax.Array, is_step: jax.Array,
    now: jax.Array, measured: jax.Array, values: jax.Array,
) -> tuple[jax.Array, ...]:  # fmt: skip
    stepper, k = _stepper(spec), spec.n_events
    memory = stepper.unpack(packed)
    age = inputs[:, 0]
    bmi, has_bmi = scaled_bmi(jnp, inputs[:, 2])
    person = Person(inputs[:, 1], bmi, has_bmi.astype(jnp.float32))
    events = now[:, :k].astype(jnp.float32)
    was_measured = measured.astype(jnp.float32)
    moment = stepper.moment(params, memory, person, age=age, events=events)
    value = _scaled(spec, values, was_measured)
    new = stepper.step(
        params, memory, person, age=age, events=events, measured=was_measured, value=value,
        is_visit=now[:, k].astype(jnp.float32),
    )  # fmt: skip
    kept = Memory(
        *(jnp.where(is_step.reshape(-1, *([1] * (a.ndim - 1))), a, b) for a, b in zip(new, memory, strict=True))
    )
    since = jnp.where(kept.started > 0, age - kept.step_age, 0.0) + HALF_A_DAY_YEARS
    begins = since[:, None] + jnp.asarray(PIECE_DAYS) / DAYS_PER_YEAR
    offset = jnp.sum(begins[..., None] >= jnp.asarray(OFFSET_DAYS) / DAYS_PER_YEAR, axis=-1) - 1
    logs = stepper.log_hazards(params, kept, person, age=age, offset=offset)
    # First events are all that the model was taught: what a patient has had does not come again from it.
    logs = logs.at[:, :k].set(jnp.where(kept.held[:, :, None] > 0, -jnp.inf, logs[:, :k]))
    same_day = jnp.where(jnp.maximum(memory.held, events) > 0, 0.0, moment.same_day)
    together = jnp.concatenate([same_day, moment.visit[:, None]], axis=-1)
    return (
        jnp.where(is_step[:, None], stepper.pack(new), packed), logs, together, moment.panel, moment.weight,
        moment.mean, moment.scale,
    )  # fmt: skip


def _scaled(spec: ModelSpecification, values: jax.Array, measured: jax.Array) -> jax.Array:
    columns = []
    for i, lab in enumerate(spec.vocabulary.labs):
        value = jnp.where(measured[:, i] > 0, values[:, i], lab.centre if lab.kind == "number" else 0.0)
        if lab.kind == "flag":
            columns.append(value)
        elif lab.is_log:
            columns.append(jnp.log(value / lab.centre) / lab.spread)
        else:
            columns.append((value - lab.centre) / lab.spread)
    return jnp.stack(columns, axis=-1) if columns else jnp.zeros((values.shape[0], 0))


def load_model(path: Path) -> LearnedTrajectories:
    """Reads a checkpoint for use by the engine.

    Raises:
        DataFileError: It is none, or was damaged.
    """
    return LearnedTrajectories(read_checkpoint(path))
