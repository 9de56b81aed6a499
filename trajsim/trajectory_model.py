"""What the engine may ask of a learned model, and in which form: all that it knows of learning.

A state machine says which events are possible; a model says how soon they come and what a measurement reads. The engine
stops a patient who stands before such a question, gathers thousands of them, and asks once. A model answers with
*parameters*; the engine draws, from the patient's own stream, so that the answer of a model never moves another draw.

`trajsim.learn` implements this protocol, `trajsim.engine` calls it, and neither imports the other.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """Patients that wait for an answer, one row each.

    Attributes:
        patient_id: [n] Who waits.
        time_us: [n] Simulated instant of the question; microseconds since 1970-01-01 UTC.
        memory: [n, width] What the model returned for the patient the last time; `TrajectoryModel.start` at first.
            float32.
        inputs: [n, n_inputs] Values of `TrajectoryModel.inputs` as they stand now, float32; NaN where never observed.
        is_visit: [n] Whether a visit or event changed the inputs. A refresh without a visit moves the clock only: the
            memory must come back unchanged.
        legal: [n, n_events] Events that the patient's state machine can reach from where it stands. A model need not
            look at it: the engine selects with it (never multiplies), so an illegal event has probability exactly zero.
    """

    patient_id: NDArray[np.uint64]
    time_us: NDArray[np.int64]
    memory: NDArray[np.float32]
    inputs: NDArray[np.float32]
    is_visit: NDArray[np.bool_]
    legal: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of patients that wait."""
        return len(self.patient_id)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a model says of every row of `Questions`, in their order.

    Attributes:
        memory: [n, width] To be handed back with the patient's next question, float32.
        log_hazard: [n, n_events] Natural logarithm of the hazard of each event of `TrajectoryModel.events`, per year,
            constant until the next question; minus infinity for never. float32.
        value_mean: [n, n_values] Mean of each measurement of `TrajectoryModel.values`, on its scale. float32.
        value_scale: [n, n_values] Its standard deviation, positive. float32.
    """

    memory: NDArray[np.float32]
    log_hazard: NDArray[np.float32]
    value_mean: NDArray[np.float32]
    value_scale: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LearnedValue:
    """A measurement that a model can give.

    Attributes:
        name: What a module binds to, for example ``hdl``.
        unit: UCUM unit of `low`, `high` and `resolution`.
        is_log: Whether mean and scale are those of the natural logarithm.
        low: Lowest value that a living patient can have; the distribution is truncated here.
        high: Highest value.
        resolution: Step of the device; drawn values are rounded to it.
    """

    name: str
    unit: str
    is_log: bool
    low: float
    high: float
    resolution: float


@runtime_checkable
class TrajectoryModel(Protocol):
    """A model of when events come and what measurements read, given a patient's history.

    Guarantees:
        An implementation is a pure function of its checkpoint and of `Questions`: the answer for a row depends on that
        row alone, neither on the other rows nor on their number.
    """

    @property
    def digest(self) -> str:
        """sha256 of the checkpoint; named in every manifest."""

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events it times, in the order of `Answers.log_hazard`."""

    @property
    def values(self) -> tuple[LearnedValue, ...]:
        """Measurements it can give, in the order of `Answers.value_mean`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it wants to know, in the order of `Questions.inputs`."""

    @property
    def min_age_years(self) -> float:
        """Below this age the model does not act, and a bound state follows its own distribution."""

    @property
    def start(self) -> NDArray[np.float32]:
        """[width] Memory of a patient who was never asked about; float32."""

    def answer(self, questions: Questions) -> Answers:
        """Answers all rows at once."""
