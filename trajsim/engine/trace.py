"""One life step by step, with the reason for every move: what a module author reads when a patient surprises them.

It watches the reference interpreter, which gives the same life as the virtual machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import (
    ENCOUNTER_CLASS_NAMES,
    SEVERITY_NAMES,
    Catalogue,
    Coercion,
    EventKind,
    Source,
    ValueKind,
)
from trajsim.engine.life import Placeholder, Series
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference import Choice, ConditionTest, ModelQuestion, StateRun, simulate_patient
from trajsim.engine.reference.frames import Visit
from trajsim.engine.reference.health_record import Entry, Row
from trajsim.engine.reference.learned import NEVER
from trajsim.engine.reference.quantities import age_decimal_years
from trajsim.gmf.describe import describe_condition, describe_state
from trajsim.gmf.model import (
    CallSubmodule,
    Code,
    ComplexTransition,
    Condition,
    ConditionalTransition,
    DateCondition,
    Delay,
    Encounter,
    EncounterEnd,
    Guard,
    LookupTableTransition,
    ModuleSet,
    ObservationBody,
    Procedure,
    Terminal,
)
from trajsim.gmf.model import Observation as ObservationState
from trajsim.population.cohort import Cohort
from trajsim.streams.keys import ENCOUNTERS
from trajsim.trajectory_model import TrajectoryModel
from trajsim.units import iso_from_ms

Outcome = Literal["moved", "waits", "ended", "engine"]

_MODEL = "@model"
_COERCIONS = {
    Coercion.COMPARISON: "values of different kinds were compared: false",
    Coercion.LOOKUP_ATTRIBUTE: "the lookup table reads an attribute that is absent: default probabilities",
    Coercion.NAMED_PROBABILITY: "the attribute of a probability is not a number: its default",
    Coercion.NO_OBSERVATION: "no such observation was ever made: false",
    Coercion.VITAL_SIGN_UNSET: "the vital sign is not set: no value",
    Coercion.END_BY_ATTRIBUTE: "the attribute points at nothing that could be ended: nothing ended",
    Coercion.OTHER_KIND: "the code is present as an entry of another kind",
    Coercion.REASON: "the attribute of a reason holds no entry: looked for elsewhere",
    Coercion.COUNTER: "the attribute is not a number: counted from 0",
    Coercion.OBSERVED_ATTRIBUTE: "the attribute has no text form: no value",
}
_HAS_ENTRY = frozenset(
    {
        EventKind.CONDITION_AGAIN,
        EventKind.CONDITION_END,
        EventKind.ALLERGY_AGAIN,
        EventKind.ALLERGY_END,
        EventKind.MEDICATION_AGAIN,
        EventKind.MEDICATION_END,
        EventKind.CAREPLAN_AGAIN,
        EventKind.CAREPLAN_END,
        EventKind.DEVICE_END,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One thing that happened.

    Attributes:
        time_ms: When, milliseconds since 1970-01-01 UTC.
        age_years: Age of the patient then.
        module: Top-level module that ran; ``@encounters`` for the encounter module and the end of the life.
        file: Module file of the state (a submodule's key where one runs).
        state: State that ran; empty for the engine.
        state_type: Its type in the file.
        what: What the state does, in words; may be empty.
        wrote: What it wrote into the record, one line a row.
        outcome: ``moved`` to `target`, ``waits``, ``ended`` (a Terminal), or ``engine``.
        why: The reason, in words, with the values that were looked at and the number that was drawn.
        target: The next state, if it moved.
        left_ms: When the state was left, if it moved: earlier than `time_ms` for a Delay that ended inside the step.
    """

    time_ms: int
    age_years: float
    module: str
    file: str
    state: str
    state_type: str
    what: str
    wrote: tuple[str, ...]
    outcome: Outcome
    why: str
    target: str | None = None
    left_ms: int | None = None


def trace_patient(
    modules: ModuleSet,
    catalogue: Catalogue,
    cohort: Cohort,
    row: int,
    options: SimulationOptions,
    *,
    only: Sequence[str] | None = None,
    polls: bool = False,
    model: TrajectoryModel | None = None,
    death_offset: NDArray[np.float64] | None = None,
) -> Iterator[TraceStep]:
    """Lives one life and tells it step by step.

    Args:
        modules: The modules that run; all of them run, whatever is shown.
        catalogue: The catalogue of these modules.
        cohort: Who lives.
        row: Position of the patient in the cohort.
        options: Everything else that the life depends on.
        only: Top-level modules to show; None shows all, and what the engine does.
        polls: Whether to show every time that a waiting state is asked again, not only the first.
        model: A learned model, as in `simulate`; its questions are steps of ``@model``.
        death_offset: As in `simulate`.

    Yields:
        The steps, in the order in which they happened (a rewound stretch lies before the step that held it).

    Raises:
        EngineFault: A module spins within a step.
    """
    observer = _Collector(catalogue, int(cohort.birth_ms[row]), only=None if only is None else set(only), polls=polls)
    simulate_patient(
        modules, catalogue, cohort, row, options, observer=observer, model=model, death_offset=death_offset
    )
    yield from observer.steps


class _Collector:
    """Watches a life and puts it into words."""

    def __init__(self, catalogue: Catalogue, birth_ms: int, *, only: set[str] | None, polls: bool) -> None:
        self.steps: list[TraceStep] = []
        self._catalogue = catalogue
        self._birth = birth_ms
        self._only = only
        self._polls = polls
        self._rows: dict[int, Row] = {}
        self._waiting: set[int] = set()
        self._visits: list[Visit] = []  # keeps the waiting visits alive, so that their ids stay theirs

    def on_enter(self, *, time: int, module: str, visit: Visit) -> None:
        """Nothing is told before the state has run."""

    def on_block(self, run: StateRun) -> None:
        """A state waits, or a Terminal has ended its module."""
        wrote = self._wrote(run)
        is_first = id(run.visit) not in self._waiting
        if is_first:
            self._waiting.add(id(run.visit))
            self._visits.append(run.visit)
        if is_first or self._polls or wrote:
            is_end = isinstance(run.visit.state, Terminal)
            self._add(run, wrote, "ended" if is_end else "waits", _why_it_waits(run))

    def on_exit(self, run: StateRun) -> None:
        """Told together with the transition."""

    def on_transition(self, run: StateRun, choice: Choice, tests: Sequence[ConditionTest]) -> None:
        """A state was left."""
        left = run.visit.exited
        reasons = [reason for reason in (_why_it_passed(run), _why_there(choice, tests)) if reason]
        self._add(run, self._wrote(run), "moved", "; ".join(reasons), target=choice.target, left_ms=left)

    def on_question(self, question: ModelQuestion) -> None:
        """A learned model was asked."""
        if self._only is not None:
            return
        seen = [*question.now, *(f"{name} = {value:g}" for name, value in question.measured.items())]
        why = ("a step: " if question.is_step else "asked: ") + (", ".join(seen) or "time has passed")
        waits = ", ".join(question.standing)
        self.steps.append(
            TraceStep(
                time_ms=question.time, age_years=age_decimal_years(self._birth, question.time), module=_MODEL,
                file=_MODEL, state="", state_type="", what=f"waits for {waits}" if waits else "", wrote=(),
                outcome="engine", why=why,
            )
        )  # fmt: skip

    def on_engine(self, *, time: int, rows: Sequence[Row], first_row: int) -> None:
        """The encounter module or the end of the life."""
        wrote = self._words(rows, first_row)
        if self._only is None:
            self.steps.append(
                TraceStep(
                    time_ms=time, age_years=age_decimal_years(self._birth, time), module=ENCOUNTERS, file=ENCOUNTERS,
                    state="", state_type="", what="", wrote=wrote, outcome="engine", why="",
                )
            )  # fmt: skip

    def _add(
        self, run: StateRun, wrote: tuple[str, ...], outcome: Outcome, why: str, *, target: str | None = None,
        left_ms: int | None = None,
    ) -> None:  # fmt: skip
        if self._only is not None and run.module not in self._only:
            return
        state = run.visit.state
        step = TraceStep(
            time_ms=run.time, age_years=age_decimal_years(self._birth, run.time), module=run.module,
            file=run.visit.file, state=state.name, state_type=type(state).__name__, what=describe_state(state),
            wrote=wrote, outcome=outcome, why=why, target=target, left_ms=left_ms,
        )  # fmt: skip
        self.steps.append(step)

    # --- rows in words --------------------------------------------------------------------------------------------

    def _wrote(self, run: StateRun) -> tuple[str, ...]:
        """What a run wrote, in words; the rows of a submodule were told by its own states."""
        return () if isinstance(run.visit.state, CallSubmodule) else self._words(run.rows, run.first_row)

    def _words(self, rows: Sequence[Row], first_row: int) -> tuple[str, ...]:
        self._rows.update(enumerate(rows, start=first_row))
        return tuple(self._row_in_words(row) for row in rows)

    def _row_in_words(self, row: Row) -> str:
        kind = row.kind.name.lower().replace("_", " ")
        if row.kind == EventKind.COERCED:
            return f"{kind}: {_COERCIONS[Coercion(row.tag)]}"
        subject = row
        if row.kind in _HAS_ENTRY or row.kind == EventKind.ENCOUNTER_END:
            subject = self._rows[row.ref]
        words = f"{kind}: {self._codes(self._catalogue.sources[subject.state])}"
        details = self._details(row)
        moment = f", at {iso_from_ms(row.time)}" if row.kind == EventKind.DEATH else ""
        return f"{words}{details}{moment}"

    def _codes(self, source: Source) -> str:
        return ", ".join(_code_in_words(code) for code in source.codes[:1]) or source.state

    def _details(self, row: Row) -> str:
        """What a row says besides its codes."""
        if row.kind == EventKind.ENCOUNTER:
            return f", {ENCOUNTER_CLASS_NAMES[row.tag]}{self._reason(row.ref)}"
        if row.kind in {EventKind.MEDICATION, EventKind.CAREPLAN, EventKind.PROCEDURE, EventKind.DEATH}:
            return self._reason(row.ref)
        if row.kind == EventKind.OBSERVATION:
            return f" = {self._value(row)}"
        if row.kind == EventKind.REACTION:
            return f", reaction {int(row.value) + 1} {SEVERITY_NAMES[row.tag]}"
        return ""

    def _reason(self, ref: int) -> str:
        if ref == -1:
            return ""
        if ref < -1:
            return f", because of {_code_in_words(self._catalogue.codes[-2 - ref])}"
        return f", because of {self._codes(self._catalogue.sources[self._rows[ref].state])}"

    def _value(self, row: Row) -> str:
        definition = self._catalogue.sources[row.state].definition
        body = definition.body if isinstance(definition, ObservationState) else definition
        unit = f" {body.unit}" if isinstance(body, ObservationBody) and body.unit else ""
        if row.tag == ValueKind.NUMBER:
            return f"{row.value:g}{unit}"
        if row.tag == ValueKind.CODE:
            return _code_in_words(self._catalogue.codes[int(row.value)])
        if row.tag == ValueKind.STRING:
            return repr(self._catalogue.strings[int(row.value)])
        return str(bool(row.value)).lower() if row.tag == ValueKind.BOOLEAN else "no value"


def _code_in_words(code: Code) -> str:
    return f"{code.display} [{code.code}]" if code.display else code.code


# --- reasons ----------------------------------------------------------------------------------------------------------


def _why_it_waits(run: StateRun) -> str:
    """Why a state blocks."""
    state = run.visit.state
    if isinstance(state, Delay) and state.trajsim is not None and run.visit.next == NEVER:
        return f"until the model says: {' or '.join(state.trajsim.events)}"
    if isinstance(state, Delay | Procedure) and run.visit.next is not None:
        return f"until {iso_from_ms(run.visit.next)}"
    if isinstance(state, Guard):
        return f"{describe_condition(state.allow)} is false{_seen(run.tests)}"
    if isinstance(state, CallSubmodule):
        return f"submodule {state.submodule} is not finished"
    if isinstance(state, Terminal):
        return "the module is finished" if run.visit.file == run.module else "the submodule is finished"
    if isinstance(state, Encounter) and state.wellness:
        is_used = run.lock == ENCOUNTERS
        return "this visit is used already" if is_used else "no visit of the encounter module is open"
    if isinstance(state, Encounter | EncounterEnd):
        holder = "the encounter module" if run.lock == ENCOUNTERS else f"module {run.lock}"
        return f"{holder} holds the encounter"
    return ""


def _why_it_passed(run: StateRun) -> str:
    """What let a waiting state pass."""
    state, exited = run.visit.state, run.visit.exited
    if run.visit.event is not None and exited is not None:
        return f"the model let {run.visit.event} come at {iso_from_ms(exited)}"
    if isinstance(state, Delay | Procedure) and run.visit.next is not None and exited is not None:
        return f"its end came at {iso_from_ms(exited)}"
    if isinstance(state, Guard):
        return f"{describe_condition(state.allow)} is true{_seen(run.tests)}"
    if isinstance(state, CallSubmodule):
        return f"submodule {state.submodule} is finished"
    return ""


def _why_there(choice: Choice, tests: Sequence[ConditionTest]) -> str:
    """Why a transition went where it went."""
    transition = choice.transition
    if choice.event is not None:
        return f"{choice.event} leads to {choice.target!r}"
    if isinstance(transition, ConditionalTransition):
        return _why_option(transition.options[choice.option].condition, choice, tests)
    if isinstance(transition, ComplexTransition):
        index = choice.option if choice.uniform is None else choice.condition_option
        reason = _why_option(transition.options[index].condition, choice, tests)
        return reason if choice.uniform is None else f"{reason}; {_why_drawn(choice)}"
    if isinstance(transition, LookupTableTransition):
        table = transition.options[0].lookup_table_name
        found = "no row matches: default probabilities" if choice.row is None else f"row {_row_keys(choice)}"
        return f"table {table}: {found}; {_why_drawn(choice)}"
    return "" if choice.uniform is None else _why_drawn(choice)


def _row_keys(choice: Choice) -> str:
    row = choice.row
    assert row is not None
    ages = [] if row.age_low is None else [f"age {row.age_low}-{row.age_high}"]
    times = []
    if row.time_low is not None and row.time_high is not None:
        times = [f"{iso_from_ms(row.time_low)} to {iso_from_ms(row.time_high)}"]
    return ", ".join([*row.keys, *ages, *times]) or "1"


def _why_option(condition: Condition | None, choice: Choice, tests: Sequence[ConditionTest]) -> str:
    if choice.is_fallback:
        return f"no condition holds, so the last option{_seen(tests)}"
    if condition is None:
        return f"otherwise{_seen(tests)}"
    return f"{describe_condition(condition)} is true{_seen(tests)}"


def _why_drawn(choice: Choice) -> str:
    """The number drawn against the sum of probabilities."""
    u, total = choice.uniform, choice.cumulative[-1]
    assert u is not None
    if u < total:
        below = f"{choice.cumulative[-2]:.4g} ≤ " if len(choice.cumulative) > 1 else ""
        return f"{below}u = {u:.4g} < {total:.4g}"
    return f"u = {u:.4g}, not below {total:.4g}, so the last option"


def _seen(tests: Sequence[ConditionTest]) -> str:
    """The values that conditions looked at, each once."""
    words = {f"{describe_condition(test.condition)}: {_actual(test)}" for test in tests if _has_value(test)}
    return f" ({'; '.join(sorted(words))})" if words else ""


def _has_value(test: ConditionTest) -> bool:
    return test.actual is not None


def _actual(test: ConditionTest) -> str:
    actual = test.actual
    if isinstance(test.condition, DateCondition) and test.condition.year is None and test.condition.month is None:
        assert isinstance(actual, int)
        return iso_from_ms(actual)
    if isinstance(actual, Code):
        return _code_in_words(actual)
    if isinstance(actual, Entry):
        return _code_in_words(actual.code)
    if isinstance(actual, Placeholder):
        return "not diagnosed"
    if isinstance(actual, Series):
        return "a series"
    if isinstance(actual, bool):
        return str(actual).lower()
    return f"{actual:g}" if isinstance(actual, float) else str(actual)
