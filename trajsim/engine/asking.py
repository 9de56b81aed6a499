"""Many lives under way at once, so that a learned model answers a whole tile of them with one call.

A life stops where it needs the model. When all lives of a worker have stopped, the model is asked once for all of
them, and they go on; a life that is over makes room for the next. The answer for a row depends on that row alone, so
nothing of this can be seen in a life.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import EVENT_DTYPE
from trajsim.engine.kernels.vm import NOTHING, run_chunk
from trajsim.engine.machine import PERSON_DTYPE, Inputs, fault_of, new_records
from trajsim.engine.metrics import StateMetrics
from trajsim.engine.opcodes import ExitStatus
from trajsim.engine.options import SimulationOptions
from trajsim.engine.program import ENCOUNTER_DTYPE, LOG_DTYPE, Program
from trajsim.engine.tile import Tile
from trajsim.errors import ConfigError
from trajsim.population.cohort import Cohort

_LOGGED_SLOTS = 32  # a visit log is long
# What is not touched takes no memory, so there is room for nearly every life: growing copies all of them.
_ROWS, _ENCOUNTERS, _LOG_ROWS = 16_384, 1_024, 1 << 14
_DONE, _FULL, _ASK = int(ExitStatus.DONE), int(ExitStatus.FULL), int(ExitStatus.ASK)


@dataclass(frozen=True, eq=False)
class Lives:
    """Raw logs of a run of patients: patient i has events offsets[i] ... offsets[i + 1] - 1."""

    start: int
    events: NDArray[np.void]
    offsets: NDArray[np.int64]


class Work:
    """Pieces of a cohort that workers take; it holds back when too many wait to be handed on in order."""

    def __init__(self, pieces: Iterator[tuple[int, int]], *, most: int | None = None) -> None:
        """`most` pieces may be taken and not handed on; None for no limit."""
        self._pieces = pieces
        self._most = most
        self._open = 0
        self._is_over = False
        self._changed = threading.Condition()

    def take(self, *, wait: bool, stop: threading.Event) -> tuple[int, int] | None:
        """The next piece; None if there is none now. With `wait` it waits until there is one, or none will come."""
        with self._changed:
            while not self._is_over and not stop.is_set():
                if self._most is None or self._open < self._most:
                    piece = next(self._pieces, None)
                    self._is_over = piece is None
                    self._open += piece is not None
                    return piece
                if not wait:
                    return None
                self._changed.wait(0.2)
        return None

    def hand_on(self) -> None:
        """A piece was handed on."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()


class _Piece:
    """Patients start ... stop - 1, some of whose lives are over."""

    def __init__(self, program: Program, cohort: Cohort, start: int, stop: int) -> None:
        self.start = start
        self.n = stop - start
        self.inputs = Inputs(program, cohort.rows(start, stop))
        self.begun = 0
        self.ended = 0
        self.logs: list[NDArray[np.void] | None] = [None] * self.n

    def lives(self) -> Lives:
        logs = [log for log in self.logs if log is not None]
        offsets = np.concatenate([[0], np.cumsum([len(log) for log in logs])]).astype(np.int64)
        return Lives(self.start, np.concatenate(logs), offsets)


class Slots:
    """What one worker needs to have many lives under way.

    Attributes:
        record: A record a slot.
        events: Event rows a slot.
        log: Visit log a slot.
    """

    def __init__(
        self,
        program: Program,
        options: SimulationOptions,
        n: int,
        *,
        logging: bool = False,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """Makes room for n lives. `lock` is held while the model is asked."""
        if program.model is None or not program.suspends:
            msg = "the program was not joined to a model that must be asked"
            raise ConfigError(msg)
        n = min(n, _LOGGED_SLOTS) if logging else n
        self.program = program
        self.tile = Tile(program.model)
        self.record = new_records(program, options, n, logging=logging)
        self._least_rows = int(program.header[0].max_rows)
        self.events = np.zeros((n, max(_ROWS, 2 * self._least_rows)), dtype=EVENT_DTYPE).view(np.recarray)
        self.encounters = np.zeros((n, _ENCOUNTERS), dtype=ENCOUNTER_DTYPE).view(np.recarray)
        self.log = np.zeros((n, _LOG_ROWS if logging else 1), dtype=LOG_DTYPE).view(np.recarray)
        self._logging = logging
        self._lock = lock or threading.Lock()
        self._todo = np.full(n, NOTHING, dtype=np.int64)
        self._waits = np.zeros(n, dtype=np.bool_)
        self._patients: list[tuple[_Piece, int] | None] = [None] * n
        self._people = np.zeros(n, dtype=PERSON_DTYPE).view(np.recarray)
        self._values = np.zeros((n, 0), dtype=np.float64)
        self._offsets = np.zeros(1, dtype=np.int64)

    def run(
        self, cohort: Cohort, work: Work, stop: threading.Event, metrics: StateMetrics | None = None
    ) -> Iterator[Lives]:
        """Takes pieces of a cohort until there are none; yields each when its last life is over, not in order.

        Raises:
            EngineFault: A life could not go on.
            ConfigError: An answer of the model is not a number.
        """
        idle = list(range(len(self._todo)))[::-1]
        piece: _Piece | None = None
        while not stop.is_set():
            while idle:
                if piece is None or piece.begun == piece.n:
                    taken = work.take(wait=len(idle) == len(self._todo), stop=stop)
                    if taken is None:
                        break
                    piece = _Piece(self.program, cohort, *taken)
                self._begin(idle.pop(), piece)
            if piece is not None and (self._todo != NOTHING).any():
                self._advance(piece.inputs)
                for slot in np.flatnonzero(self._todo == _DONE).tolist():
                    ended = self._end(slot, metrics)
                    idle.append(slot)
                    if ended.ended == ended.n:
                        yield ended.lives()
            elif self._waits.any():
                self._ask()
            else:
                return

    def _begin(self, slot: int, piece: _Piece) -> None:
        if self._values.shape[1] != piece.inputs.values.shape[1]:
            self._values = np.zeros((len(self._todo), piece.inputs.values.shape[1]), dtype=np.float64)
        self._people[slot] = piece.inputs.people[piece.begun]
        self._values[slot] = piece.inputs.values[piece.begun]
        self._patients[slot] = (piece, piece.begun)
        self._todo[slot] = _DONE
        self.tile.begin(slot)
        piece.begun += 1

    def _advance(self, inputs: Inputs) -> None:
        """Lets every life go on that does not wait, until it is over or must stop."""
        run_chunk(
            *self.program.arrays, self.record, self.events, self.encounters, self.log, self._people, self._offsets,
            inputs.slots, inputs.tags, self._values, inputs.sign_slots, inputs.sign_values, 0, len(self._todo),
            self._todo, *self.tile.arrays,
        )  # fmt: skip
        asks = self._todo == _ASK
        self._waits |= asks
        self._todo[asks] = NOTHING
        if (self._todo == _FULL).any():
            self._grow()
        for slot in np.flatnonzero(self._todo > _FULL).tolist():
            raise fault_of(self.program, self.record[slot], ExitStatus(int(self._todo[slot])))

    def _ask(self) -> None:
        waiting = np.flatnonzero(self._waits)
        with self._lock:
            self.tile.ask(waiting)
        self._todo[waiting] = _ASK
        self._waits[:] = False

    def _end(self, slot: int, metrics: StateMetrics | None) -> _Piece:
        patient = self._patients[slot]
        assert patient is not None
        piece, position = patient
        piece.logs[position] = np.array(self.events[slot, : int(self.record[slot].n_events)])
        piece.ended += 1
        self._patients[slot] = None
        self._todo[slot] = NOTHING
        if metrics is not None:
            metrics.add_log(self.log[slot], int(self.record[slot].n_log))
        return piece

    def _grow(self) -> None:
        """Doubles whatever is (nearly) full in some slot."""
        full = self.record[self._todo == _FULL]
        if (self.events.shape[1] - full.n_events < self._least_rows).any():
            self.events = _widened(self.events, self.record.n_events)
        if (self.encounters.shape[1] - full.n_encounters < 8).any():
            self.encounters = _widened(self.encounters, self.record.n_encounters)
        if self._logging and (self.log.shape[1] - full.n_log < 128).any():
            self.log = _widened(self.log, self.record.n_log)


def _widened(array: np.recarray, used: NDArray[np.int64]) -> np.recarray:
    """Twice as many columns; only what is used is copied, so that what is not touched takes no memory."""
    grown = np.zeros((array.shape[0], 2 * array.shape[1]), dtype=array.dtype)
    for row, n in enumerate(used.tolist()):
        grown[row, :n] = array[row, :n]
    return grown.view(np.recarray)
