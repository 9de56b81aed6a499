"""What one who watches the reference interpreter is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trajsim.engine.reference.frames import Visit
from trajsim.engine.reference.health_record import Row
from trajsim.gmf.model import Condition, LookupRow, Transition


@dataclass(frozen=True, slots=True)
class ConditionTest:
    """A condition that was evaluated: what it looked at (None for groups and what is absent) and what came out."""

    condition: Condition
    actual: object
    result: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Why a transition went where it went.

    Attributes:
        transition: The transition; None for a state without one.
        target: The state that was chosen.
        option: Index of the option in the file, -1 for a direct transition.
        condition_option: Complex transitions with a distributed list: index of the option that held the list.
        uniform: The number drawn, if any.
        cumulative: Sums that the number was compared with, up to the chosen one.
        row: The lookup row that matched.
        is_fallback: Whether no option held and the last was taken.
        event: The event of a learned model that led straight to the target.
    """

    transition: Transition | None
    target: str
    option: int = -1
    condition_option: int = -1
    uniform: float | None = None
    cumulative: tuple[float, ...] = ()
    row: LookupRow | None = None
    is_fallback: bool = False
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRun:
    """One run of a state.

    Attributes:
        time: Instant at which it ran.
        module: Top-level module that runs.
        visit: The visit (state, file, times).
        rows: What it wrote into the log.
        first_row: Index of the first of them.
        tests: Conditions evaluated by the state itself (a Guard).
        lock: Who holds the encounter lock after it: a top-level module, ``@encounters``, or None.
    """

    time: int
    module: str
    visit: Visit
    rows: Sequence[Row]
    first_row: int
    tests: Sequence[ConditionTest]
    lock: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuestion:
    """A question to a learned model.

    Attributes:
        time: Instant of the question.
        is_step: Whether it is a step of the patient's history.
        now: Events that come at this instant, the visit among them.
        measured: What is measured at this instant.
        standing: Events that the patient's Delays wait for.
    """

    time: int
    is_step: bool
    now: Sequence[str]
    measured: Mapping[str, float]
    standing: Sequence[str]


class Observer(Protocol):
    """Is told of everything that happens in a life. Polls of a Delay that cannot pass yet are left out."""

    def on_enter(self, *, time: int, module: str, visit: Visit) -> None:
        """A state runs for the first time."""

    def on_block(self, run: StateRun) -> None:
        """A state ran and blocks (a Terminal always does)."""

    def on_exit(self, run: StateRun) -> None:
        """A state ran and is left at `run.visit.exited`."""

    def on_transition(self, run: StateRun, choice: Choice, tests: Sequence[ConditionTest]) -> None:
        """The next state was chosen at `run.time`; `tests` are the conditions looked at on the way."""

    def on_question(self, question: ModelQuestion) -> None:
        """A learned model was asked."""

    def on_engine(self, *, time: int, rows: Sequence[Row], first_row: int) -> None:
        """The encounter module, the end of a life or background mortality wrote rows."""
