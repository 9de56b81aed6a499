"""Whatever a learned model says, no patient takes an arrow that the modules do not have, nor an order they forbid.

Two counts of the same lives. Every move from state to state stands in the visit log, and is held against the arrows of
the modules. Every event of the model stands in what it is told of, and is held against the mask that is derived from
their graphs, in which it was trained. A million moves a model in the nightly profile, 20,000 otherwise.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from trajsim.cli.learned import FLAGSHIP, ModelChoice, bind_modules
from trajsim.cli.legality import legality_of
from trajsim.engine.compile import compile_modules
from trajsim.engine.learned import with_model
from trajsim.engine.metrics import StateMetrics
from trajsim.engine.opcodes import Log
from trajsim.engine.options import SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.simulate import simulate
from trajsim.event_sequences import EventKind, Legality, Vocabulary
from trajsim.gmf.graph import arrows
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.population.build import build_cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.tables import load_bundled_mortality_offset
from trajsim.testing.bindings import bind_at_random
from trajsim.testing.closed_form_model import ClosedFormModel
from trajsim.trajectory_model import VISIT, Answers, Questions, TrajectoryModel
from trajsim.units import ms_from_iso

IS_NIGHTLY = settings().max_examples >= 1_000
MOVES = 1_000_000 if IS_NIGHTLY else 20_000
EVENTS = 5_000 if IS_NIGHTLY else 1  # of the model that ships: rarer than those of adversaries
BATCH = 64 if IS_NIGHTLY else 8
AGES = (50, 95)  # old enough for many events of the model that ships
END_MS = ms_from_iso("2025-01-01")
OPTIONS = SimulationOptions(seed=7, end_ms=END_MS)
RATES = (("diabetes", 0.02), ("stroke", 0.05), ("fall", 0.1), ("death", 0.01), (VISIT, 1.0))

Move = tuple[int, int]


class Moves(StateMetrics):
    """Counts moves of patients from state to state, and those that no arrow of a module allows."""

    def __init__(self, program: Program, *, allowed: Collection[Move] | None = None) -> None:
        """Takes the arrows of the modules, or others."""
        super().__init__(program)
        self.program = program
        self.n_moves = 0
        self.illegal: set[Move] = set()
        self._n = len(program.catalogue.sources)
        allowed = allowed_moves(program) if allowed is None else allowed
        self._allowed = np.array([a * self._n + b for a, b in allowed], dtype=np.int64)

    def add_log(self, log: np.recarray, n: int) -> None:
        """Adds a life. A move is a state that is left, and what comes next in its file is one that is entered."""
        kind, file, state = (np.asarray(log[name][:n]).astype(np.int64) for name in ("kind", "file", "state"))
        rows = np.flatnonzero((kind == Log.CREATE) | (kind == Log.EXIT) | (kind == Log.PUSH))
        rows = rows[np.argsort(file[rows], kind="stable")]
        left, entered = rows[:-1], rows[1:]
        is_move = (kind[left] == Log.EXIT) & (kind[entered] == Log.PUSH) & (file[left] == file[entered])
        moves = state[left[is_move]] * self._n + state[entered[is_move]]
        self.n_moves += len(moves)
        wrong = np.unique(moves[~np.isin(moves, self._allowed)]).tolist()
        self.illegal |= {(move // self._n, move % self._n) for move in wrong}


def allowed_moves(program: Program) -> set[Move]:
    """Arrows of all modules, those of bindings among them."""
    index = program.catalogue.state_index
    own = {
        (index(key, a), index(key, b))
        for key, module in program.modules.modules.items()
        for a, b in arrows(module).edges
    }
    return own | {
        (index(key, name), index(key, target))
        for key, module in program.modules.modules.items()
        for name, state in module.states.items()
        if state.trajsim is not None
        for target in state.trajsim.events.values()
        if target is not None
    }


@dataclass(eq=False)
class Watched:
    """A model, and a judge of the events that it is told of: first ones against a mask."""

    model: TrajectoryModel
    legality: Legality
    n_events: int = 0
    n_illegal: int = 0
    held: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    before: tuple[NDArray[Any], ...] = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the model has
        """Everything else is the model's."""
        return getattr(self.model, name)

    def answer(self, questions: Questions) -> Answers:
        """Answers. A row that stands there as before belongs to nobody who waits."""
        k = len(self.legality.needs)
        rows = questions.is_step & questions.now[:, :k].any(axis=1)
        if self.before:
            patient_id, time_us, now = self.before
            changed = (questions.patient_id != patient_id) | (questions.time_us != time_us)
            rows &= changed | (questions.now != now).any(axis=1)
        self.before = (questions.patient_id.copy(), questions.time_us.copy(), questions.now.copy())
        for row in np.flatnonzero(rows).tolist():
            patient = int(questions.patient_id[row])
            had = self.held.get(patient, np.zeros(k, dtype=bool))
            first = questions.now[row, :k] & ~had
            self.n_events += int(first.sum())
            self.n_illegal += int((first & ~self.legality.legal(had)).sum())
            self.held[patient] = had | first
        return self.model.answer(questions)


def adversary(kind: Any) -> tuple[ModuleSet, ClosedFormModel, None]:  # noqa: ANN401 - one of the kinds of the model
    """A model that knows nothing, in bundled modules that are bound at random."""
    rates = RATES[:-1] if kind == "infinite" else RATES  # a visit on each day of a life would only cost time
    model = ClosedFormModel(kind=kind, rates=rates, together=0.1, refresh_days=366.0, wildness=0.02)
    return bind_at_random(load_modules(bundled_modules_root()), 3), model, None


def flagship() -> tuple[ModuleSet, TrajectoryModel, NDArray[np.float64] | None]:
    """The model that ships, in the modules that it was trained with."""
    choice = ModelChoice(checkpoint=FLAGSHIP)
    offset = load_bundled_mortality_offset()
    modules, learned = bind_modules(load_modules(bundled_modules_root()), choice, not_chosen=frozenset(), offset=offset)
    assert learned is not None
    return modules, learned.model, learned.death_offset


def mask_of(modules: ModuleSet, model: TrajectoryModel) -> Legality:
    """What the graphs decide for the events of a model."""
    return legality_of(
        modules, Vocabulary(events=tuple(EventKind(name=name) for name in model.events if name != VISIT))
    )


def live(
    modules: ModuleSet, watched: Watched, offset: NDArray[np.float64] | None, n_moves: int, *,
    allowed: Collection[Move] | None = None, batch: int = BATCH, n_events: int = 0,
) -> Moves:  # fmt: skip
    """Whole lives, batch by batch, until there are so many moves; then without a log, until so many events."""
    seen, program, first = None, None, 0
    until = 18.0 if "death" in watched.events else None
    while seen is None or seen.n_moves < n_moves or watched.n_events < n_events:
        people = PopulationOptions(end_ms=END_MS, age_low=AGES[0], age_high=AGES[1], background_until_age=until)
        cohort = build_cohort(people, first_patient=first, n_patients=batch, seed=7)
        if program is None:
            model = cast("TrajectoryModel", watched)
            program = with_model(compile_modules(modules, texts=cohort.texts()), model, offset)
            seen = Moves(program, allowed=allowed)
        assert seen is not None
        for _ in simulate(program, cohort, OPTIONS, metrics=seen if seen.n_moves < n_moves else None).lives():
            pass
        watched.held.clear()
        watched.before = ()
        first += batch
        batch = batch if seen.n_moves < n_moves else 8 * BATCH
    return seen


@pytest.mark.parametrize("kind", ["random", "infinite", "flagship"])
def test_no_model_makes_a_patient_take_a_step_that_the_modules_do_not_have(kind: str) -> None:
    modules, model, offset = flagship() if kind == "flagship" else adversary(kind)
    watched = Watched(model, mask_of(modules, model))
    seen = live(modules, watched, offset, MOVES, n_events=EVENTS if kind == "flagship" else 0)
    logging.getLogger(__name__).info(
        "%s: %d moves, %d illegal kinds; %d events of the model, %d illegal",
        kind, seen.n_moves, len(seen.illegal), watched.n_events, watched.n_illegal,
    )  # fmt: skip
    assert seen.n_moves >= MOVES
    assert seen.illegal == set()
    assert watched.n_events > 0
    assert watched.n_illegal == 0


def test_both_counts_see_what_is_illegal() -> None:
    """Without any arrows every move is illegal, and all that patients did were arrows; likewise with the mask."""
    modules, model, _ = adversary("infinite")
    k = len(model.rates)
    nothing = Legality(needs=np.ones((k, k), dtype=bool), excludes=np.eye(k, dtype=bool))
    watched = Watched(model, nothing)
    seen = live(modules, watched, None, 1, allowed=frozenset(), batch=4)
    assert 100 < len(seen.illegal) < seen.n_moves
    assert seen.illegal <= allowed_moves(seen.program)
    assert watched.n_illegal == watched.n_events > 0
