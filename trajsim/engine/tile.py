"""Questions of a fixed number of rows to a learned model, and its answers in the form that the kernels read.

A compiled model is compiled for one shape. So every question has `TILE` rows; a row that belongs to no patient who
waits holds whatever stood there last, and its answer is not read.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.options import TILE
from trajsim.errors import ConfigError
from trajsim.trajectory_model import Answers, Questions, TrajectoryModel


class Tile:
    """One tile of questions and answers of a model.

    Attributes:
        questions: Rows that the kernels write.
        n_components: How many normals the model mixes for a measurement.
    """

    def __init__(self, model: TrajectoryModel) -> None:
        """Asks once, with rows of nobody, so that a model of a wrong shape is found before a life begins.

        Raises:
            ConfigError: An answer has the wrong shape.
        """
        self._model = model
        events, values = len(model.events), len(model.values)
        start = np.asarray(model.start, dtype=np.float32)
        self._start = start
        self.questions = Questions(
            patient_id=np.zeros(TILE, dtype=np.uint64),
            time_us=np.zeros(TILE, dtype=np.int64),
            memory=np.tile(start, (TILE, 1)),
            inputs=np.full((TILE, len(model.inputs)), np.nan, dtype=np.float32),
            is_step=np.zeros(TILE, dtype=np.bool_),
            legal=np.zeros((TILE, events), dtype=np.bool_),
            now=np.zeros((TILE, events), dtype=np.bool_),
            measured=np.zeros((TILE, values), dtype=np.bool_),
            values=np.full((TILE, values), np.nan, dtype=np.float32),
        )
        answers = model.answer(self.questions)
        weights = np.asarray(answers.value_weight)
        self.n_components = weights.shape[2] if values and weights.ndim == 3 else 0
        mixture = (TILE, values, self.n_components)
        self._shapes = {
            "memory": (TILE, len(start)),
            "log_hazard": (TILE, events, len(model.piece_days)),
            "co_probability": (TILE, events),
            "panel_probability": (TILE, 1 << values),
            "value_weight": mixture,
            "value_mean": mixture,
            "value_scale": mixture,
        }
        self._check(answers)
        self._answers = {
            name: np.zeros((TILE, int(np.prod(shape[1:]))), dtype=np.float32)
            for name, shape in self._shapes.items()
            if name != "memory"
        }

    def _check(self, answers: Answers) -> None:
        faults = [
            f"{name} has shape {np.shape(getattr(answers, name))}, expected {shape}"
            for name, shape in self._shapes.items()
            if np.shape(getattr(answers, name)) != shape and not (name.startswith("value_") and 0 in shape)
        ]
        if faults:
            msg = "\n".join(["the model's answers have wrong shapes", *faults])
            raise ConfigError(msg)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What the kernels write, then what they read."""
        asked = self.questions
        return (
            asked.patient_id, asked.time_us, asked.inputs, asked.is_step, asked.legal, asked.now, asked.measured,
            asked.values, *self._answers.values(),
        )  # fmt: skip

    def begin(self, row: int) -> None:
        """A new patient has this row."""
        self.questions.memory[row] = self._start

    def ask(self, waiting: NDArray[np.int64]) -> None:
        """Asks for the rows of those who wait.

        Raises:
            ConfigError: An answer is not a number.
        """
        answers = self._model.answer(self.questions)
        for name, array in self._answers.items():
            given = np.asarray(getattr(answers, name), dtype=np.float32)
            array[: len(given)] = given.reshape(len(given), -1) if array.shape[1] else 0.0
            if np.isnan(array[waiting]).any():
                row = int(waiting[np.isnan(array[waiting]).any(axis=1)][0])
                msg = f"the model's {name} is not a number for patient {self.questions.patient_id[row]}"
                raise ConfigError(msg, hint="the checkpoint holds parameters that overflow; train it again")
        steps = waiting[self.questions.is_step[waiting]]
        self.questions.memory[steps] = np.asarray(answers.memory)[steps]


def _no_tile() -> tuple[NDArray[Any], ...]:
    """Stand-ins of the right kinds for runs without a model: what is to be done, questions, answers."""
    flags, numbers = np.zeros((1, 1), dtype=np.bool_), np.zeros((1, 1), dtype=np.float32)
    return (
        np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.int64), numbers,
        np.zeros(1, dtype=np.bool_), flags, flags, flags, numbers, *[numbers] * 6,
    )  # fmt: skip


NO_TILE = _no_tile()
