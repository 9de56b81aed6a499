"""What the engine may ask of a learned model, and in which form: all that it knows of learning.

A state machine says which events are possible; a model says how soon they come and what a measurement reads. The engine
stops a patient who stands before such a question, gathers thousands of them, and asks once. A model answers with
*parameters*; the engine draws, from the patient's own stream, so that the answer of a model never moves another draw.

A patient's history, for a model, is a series of *steps*: the moment at which the patient enters the model's domain,
every bound event, and every visit that the model itself times. Between steps the model may be asked again (a year has
gone by, a measurement is wanted, an event has just come); such a question is no step.

A model that is small arithmetic may offer it as a formula (`trajsim.formula`); then nobody waits, and the engine works
the answers out by itself.

`trajsim.learn` implements this protocol, `trajsim.engine` calls it, and neither imports the other.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trajsim.formula import Formula

VISIT = "visit"
INPUTS = ("age_years", "is_male", "bmi")


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """Patients that wait for an answer, one row each.

    Attributes:
        patient_id: [n] Who waits.
        time_us: [n] Simulated instant of the question; microseconds since 1970-01-01 UTC. int64.
        memory: [n, width] What the model returned for the patient the last time; `TrajectoryModel.start` at first.
            float32.
        inputs: [n, n_inputs] Values of `TrajectoryModel.inputs` as they stand now, float32; NaN where unknown.
        is_step: [n] Whether this is a step of the patient's history. Otherwise the clock has moved and nothing else:
            the memory must come back unchanged.
        legal: [n, n_events] Events that the patient's state machine can reach from where it stands. A model need not
            look at it: the engine selects with it (never multiplies), so an illegal event has probability exactly zero.
        now: [n, n_events] Events that happen at this very instant.
        measured: [n, n_values] Values that were measured at this very instant.
        values: [n, n_values] Their published values, in the units of `LearnedValue`; NaN where not measured. float32.
    """

    patient_id: NDArray[np.uint64]
    time_us: NDArray[np.int64]
    memory: NDArray[np.float32]
    inputs: NDArray[np.float32]
    is_step: NDArray[np.bool_]
    legal: NDArray[np.bool_]
    now: NDArray[np.bool_]
    measured: NDArray[np.bool_]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of patients that wait."""
        return len(self.patient_id)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a model says of every row of `Questions`, in their order.

    Attributes:
        memory: [n, width] To be handed back with the patient's next question, float32.
        log_hazard: [n, n_events, n_pieces] Natural logarithm of the hazard of each event of `TrajectoryModel.events`,
            per year of 365.25 days, constant within each piece of time from the question on; minus infinity for never.
            float32. The last piece lasts until the next question.
        co_probability: [n, n_events] Probability that an event comes at this very instant too, given that the events
            of `Questions.now` do. float32.
        panel_probability: [n, 2 ** n_values] Probability that a visit now measures exactly this set of values (bit v of
            the index stands for value v); sums to 1, the empty set has 0. [n, 1] for a model without values. float32.
        value_weight: [n, n_values, n_components] Weights of a normal mixture of each measurement now, given
            `Questions.now`; they sum to 1. float32.
        value_mean: [n, n_values, n_components] Means, on the scale of `LearnedValue`. float32.
        value_scale: [n, n_values, n_components] Standard deviations, positive. float32. A flag (`LearnedValue.is_flag`)
            has its probability of 1 in `value_mean[..., 0]`.
    """

    memory: NDArray[np.float32]
    log_hazard: NDArray[np.float32]
    co_probability: NDArray[np.float32]
    panel_probability: NDArray[np.float32]
    value_weight: NDArray[np.float32]
    value_mean: NDArray[np.float32]
    value_scale: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LearnedValue:
    """A measurement that a model can give.

    Attributes:
        name: What a module binds to, for example ``hdl``.
        unit: UCUM unit of `low`, `high` and `resolution`.
        is_flag: Whether it is only seen or not: 0 or 1.
        is_log: Whether `centre` and `spread` are those of the natural logarithm.
        centre: Value that is 0 on the model's scale.
        spread: What is 1 on it. A draw z becomes centre + spread z, or centre exp(spread z).
        low: Lowest value that a living patient can have; draws are raised to it.
        high: Highest value; draws are lowered to it.
        resolution: Step of the device; drawn values are rounded to it, half up.
    """

    name: str
    unit: str
    is_flag: bool
    is_log: bool
    centre: float
    spread: float
    low: float
    high: float
    resolution: float


@runtime_checkable
class TrajectoryModel(Protocol):
    """A model of when events come and what measurements read, given a patient's history.

    Guarantees:
        An implementation is a pure function of its checkpoint and of `Questions`: the answer for a row depends on that
        row alone, neither on the other rows nor on their number. It may be called from any thread, one at a time.
    """

    @property
    def digest(self) -> str:
        """sha256 of the checkpoint; named in every manifest."""

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events it times, in the order of `Answers.log_hazard`; `VISIT`, if it times visits, is last."""

    @property
    def values(self) -> tuple[LearnedValue, ...]:
        """Measurements it can give, in the order of `Answers.value_mean`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it wants to know, in the order of `Questions.inputs`; a subset of `INPUTS`."""

    @property
    def piece_days(self) -> tuple[float, ...]:
        """Beginnings of the pieces of `Answers.log_hazard`, in days since the question; the first is 0."""

    @property
    def refresh_days(self) -> float:
        """A patient is asked about again after so many days without a step; at most 366."""

    @property
    def min_age_years(self) -> float:
        """Below this age the model does not act, and a bound state follows its own distribution."""

    @property
    def start(self) -> NDArray[np.float32]:
        """[width] Memory of a patient who was never asked about; float32."""

    def answer(self, questions: Questions) -> Answers:
        """Answers all rows at once."""


@runtime_checkable
class WrittenOut(TrajectoryModel, Protocol):
    """A model that can hand over what it does as a formula.

    Guarantees:
        Formula and `answer` agree to 1e-5. (tests/unit/learn/test_written_out.py)
    """

    @property
    def formula(self) -> Formula | None:
        """The formula; None if this model cannot be written so."""


def formula_of(model: TrajectoryModel) -> Formula | None:
    """The formula of a model that has one.

    Its class must say so: a wrapper that hands on whatever the model inside has may answer otherwise, and is asked.
    """
    return model.formula if hasattr(type(model), "formula") and isinstance(model, WrittenOut) else None


def n_question(model: TrajectoryModel) -> int:
    """Numbers that a question takes at the beginning of the vector of a formula."""
    return len(model.inputs) + len(model.events) + 2 * len(model.values)
