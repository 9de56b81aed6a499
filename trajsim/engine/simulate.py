"""Runs a program over a cohort: chunks, threads, progress, and single lives.

A life is a pure function of (seed, patient, modules, options); how the work is cut changes no byte.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.engine.asking import Lives, Slots, Work
from trajsim.engine.assemble import Assembler, AssemblyReport
from trajsim.engine.compile import compile_modules
from trajsim.engine.events import EVENT_DTYPE, Catalogue
from trajsim.engine.history import history_of
from trajsim.engine.learned import with_model
from trajsim.engine.life import AttributeValue, EntryRef, Life, Placeholder, Series
from trajsim.engine.lifecycle_slots import ON_MENTION
from trajsim.engine.machine import Inputs, Machine
from trajsim.engine.metrics import StateMetrics
from trajsim.engine.opcodes import Tag
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.program import Program
from trajsim.errors import ConfigError
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import Cohort
from trajsim.records.table import Records, concat
from trajsim.trajectory_model import TrajectoryModel

Piece: TypeAlias = tuple[int, int, Records, AssemblyReport]
Part = TypeVar("Part")


@dataclass(frozen=True, eq=False)
class Patient:
    """One simulated patient.

    Attributes:
        patient_id: The number that, with the seed, decides the life.
        records: Records of this patient alone.
    """

    patient_id: int
    records: Records

    def __getitem__(self, table: str) -> pd.DataFrame:
        """One table of this patient as a data frame, for example ``patient["conditions"]``."""
        return self.records.to_pandas(table)


@dataclass(frozen=True, eq=False)
class Shard:
    """A run of patients whose lives are finished.

    Attributes:
        start: Position of its first patient in the cohort.
        cohort: The patients.
        records: Their records.
        report: What assembly left out or the engine coerced.
    """

    start: int
    cohort: Cohort
    records: Records
    report: AssemblyReport


class Run:
    """A simulation that has not happened yet: lives are made when they are asked for.

    Iterate it for patients, `shards` for Records in pieces, `records` for all at once (small runs).

    Guarantees:
        Threads, chunk size and shard size change no byte. (tests/property/test_determinism.py)
    """

    def __init__(
        self,
        program: Program,
        cohort: Cohort,
        options: SimulationOptions,
        performance: PerformanceOptions,
        metrics: StateMetrics | None,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        """See `simulate`."""
        self.program = program
        self.cohort = cohort
        self.options = options
        self.performance = performance
        self.metrics = metrics
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._local = threading.local()
        self._assembler = Assembler(program.catalogue)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Patient]:
        """Yields patients one after the other; memory holds one chunk."""
        for shard in self.shards(self.performance.chunk_size):
            for patient_id in shard.cohort.patient_id:
                yield Patient(int(patient_id), shard.records.patient(int(patient_id)))

    def records(self) -> Records:
        """All Records at once."""
        return concat([shard.records for shard in self.shards(max(len(self.cohort), 1))])

    def shards(self, size: int = 1_000) -> Iterator[Shard]:
        """Yields Records of `size` patients at a time, in order.

        Raises:
            ConfigError: `size` is not positive.
            EngineFault: A life could not be finished.
        """
        if size < 1:
            msg = f"shard size must be positive, got {size}"
            raise ConfigError(msg)
        pieces: list[Piece] = []
        for piece in self._in_order(size):
            pieces.append(piece)
            first, last = pieces[0][0], piece[1]
            if last == len(self.cohort) or last - first == size:
                report = AssemblyReport()
                for _, _, _, part in pieces:
                    report = report + part
                yield Shard(
                    first, self.cohort.rows(first, last), concat([records for _, _, records, _ in pieces]), report
                )
                pieces = []

    def lives(self) -> Iterator[Lives]:
        """Yields raw logs, chunk by chunk, in order: for benchmarks and comparisons."""
        chunks = self._chunks(max(len(self.cohort), 1))
        if self.program.suspends:
            work = Work(chunks)
            yield from _ordered(self._asking(work), lambda each: (each.start, each.start + len(each.offsets) - 1))
            return
        for start, stop in chunks:
            lives = self._simulate(start, stop)
            yield Lives(lives.start, lives.events.copy(), lives.offsets)

    def _chunks(self, size: int) -> Iterator[tuple[int, int]]:
        """Pieces of work; none crosses the border of a shard."""
        n, step = len(self.cohort), self.performance.chunk_size
        for shard in range(0, n, size):
            end = min(shard + size, n)
            for start in range(shard, end, step):
                yield start, min(start + step, end)

    def _in_order(self, size: int) -> Iterator[Piece]:
        chunks = self._chunks(size)
        threads = self.performance.threads
        if self.program.suspends:
            yield from self._in_order_asking(chunks, threads)
            return
        if threads == 1:
            for start, stop in chunks:
                yield self._assemble(start, stop)
            return
        pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="trajsim")
        waiting: list[Future[Piece]] = []
        try:
            for start, stop in chunks:
                waiting.append(pool.submit(self._assemble, start, stop))
                while len(waiting) > 2 * threads:
                    yield self._first(waiting)
            while waiting:
                yield self._first(waiting)
        finally:
            self._stop.set()
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)
            self._stop.clear()

    def _asking(self, work: Work) -> Iterator[Lives]:
        """Raw logs of pieces of work, as they come to an end."""
        slots = Slots(
            self.program,
            self.options,
            min(self.performance.slots, max(len(self.cohort), 1)),
            logging=self.metrics is not None,
            lock=self._lock,
        )
        return slots.run(self.cohort, work, self._stop, self.metrics)

    def _in_order_asking(self, chunks: Iterator[tuple[int, int]], threads: int) -> Iterator[Piece]:
        """With a model every worker has many lives under way, so pieces come to an end out of order."""
        under_way = -(-self.performance.slots // self.performance.chunk_size) + 4
        work = Work(chunks, most=None if threads == 1 else 3 * threads * under_way)
        if threads == 1:
            yield from _ordered((self._finish(lives) for lives in self._asking(work)), _span)
            return
        done: queue.SimpleQueue[Piece | BaseException | None] = queue.SimpleQueue()

        def labour() -> None:
            try:
                for lives in self._asking(work):
                    done.put(self._finish(lives))
                done.put(None)
            except BaseException as error:
                done.put(error)

        workers = [threading.Thread(target=labour, name=f"trajsim_{k}", daemon=True) for k in range(threads)]
        for worker in workers:
            worker.start()
        try:
            for piece in _ordered(_until_all_left(done, threads), _span):
                work.hand_on()
                yield piece
        finally:
            self._stop.set()
            for worker in workers:
                worker.join()
            self._stop.clear()

    @staticmethod
    def _first(
        waiting: list[Future[Piece]],
    ) -> Piece:
        """The oldest piece; waits in slices, so that Ctrl-C is heard."""
        oldest = waiting.pop(0)
        while not oldest.done():
            wait([oldest], timeout=0.2, return_when=FIRST_COMPLETED)
        return oldest.result()

    def _machine(self) -> Machine:
        machine = getattr(self._local, "machine", None)
        if machine is None:
            machine = Machine(self.program, self.options, logging=self.metrics is not None)
            self._local.machine = machine
        return machine

    def _simulate(self, start: int, stop: int) -> Lives:
        cohort = self.cohort.rows(start, stop)
        n = stop - start
        inputs = Inputs(self.program, cohort)
        offsets = np.zeros(n + 1, dtype=np.int64)
        machine = self._machine()
        position = 0
        while position < n and not self._stop.is_set():
            before = position
            position = machine.run(inputs, position, n, offsets)
            if self.metrics is not None:
                self.metrics.add(machine, before)
        return Lives(start, machine.events[: offsets[position]], offsets[: position + 1])

    def _assemble(self, start: int, stop: int) -> Piece:
        lives = self._simulate(start, stop)
        if len(lives.offsets) != stop - start + 1:  # the run was stopped
            return start, stop, Records({}), AssemblyReport()
        return self._finish(lives)

    def _finish(self, lives: Lives) -> Piece:
        start, stop = lives.start, lives.start + len(lives.offsets) - 1
        cohort = self.cohort.rows(start, stop)
        assembly = self._assembler.assemble(
            np.asarray(lives.events).view(np.ndarray), lives.offsets, cohort, end_ms=self.options.end_ms
        )
        if self._on_progress is not None:
            self._on_progress(stop - start)
        return start, stop, assembly.records, assembly.report


def _span(piece: Piece) -> tuple[int, int]:
    return piece[0], piece[1]


def _ordered(pieces: Iterable[Part], span: Callable[[Part], tuple[int, int]]) -> Iterator[Part]:
    """Pieces in the order of their patients, each as soon as all before it are there."""
    waiting: dict[int, Part] = {}
    position = 0
    for piece in pieces:
        waiting[span(piece)[0]] = piece
        while position in waiting:
            ready = waiting.pop(position)
            yield ready
            position = span(ready)[1]


def _until_all_left(done: "queue.SimpleQueue[Piece | BaseException | None]", workers: int) -> Iterator[Piece]:
    """What workers hand in; waits in slices, so that Ctrl-C is heard."""
    while workers:
        try:
            piece = done.get(timeout=0.2)
        except queue.Empty:
            continue
        if piece is None:
            workers -= 1
        elif isinstance(piece, BaseException):
            raise piece
        else:
            yield piece


def simulate(
    program: Program | ModuleSet,
    cohort: Cohort,
    options: SimulationOptions,
    *,
    performance: PerformanceOptions | None = None,
    metrics: StateMetrics | None = None,
    on_progress: Callable[[int], None] | None = None,
    model: TrajectoryModel | None = None,
    death_offset: NDArray[np.float64] | None = None,
) -> Run:
    """Prepares the simulation of a cohort.

    Args:
        program: Compiled modules, or modules to compile.
        cohort: Who lives; see `trajsim.population.build.build_cohort`.
        options: What the result depends on.
        performance: What only speed depends on.
        metrics: Counts visits and transitions of every state on the way (slower).
        on_progress: Called with a number of patients whenever so many more are finished, from any thread.
        model: A learned model that states are bound to (the key ``trajsim``); without one they do as they say.
        death_offset: [sex (F, M), age] hazards a year with which the modules kill beside the model's ``death``
            (`trajsim.population.load_bundled_mortality_offset`); taken off its hazard.

    Returns:
        A lazy run.

    Raises:
        ConfigError: The cohort holds texts that the program was not compiled with, or the model and the modules do not
            fit.

    Guarantees:
        The life of a patient depends on seed, patient id, modules and options alone.
        (tests/property/test_determinism.py)

    Example:
        >>> run = simulate(load_modules(bundled_modules_root()), cohort, SimulationOptions(seed=7, end_ms=END))
        >>> for patient in run:
        ...     print(patient.patient_id, len(patient["encounters"]))
    """
    if isinstance(program, ModuleSet):
        program = compile_modules(program, texts=cohort.texts(), lifecycle=options.lifecycle)
    if model is not None:
        program = with_model(program, model, death_offset)
    return Run(program, cohort, options, performance or PerformanceOptions(), metrics, on_progress)


def simulate_life(
    modules: ModuleSet,
    catalogue: Catalogue,
    cohort: Cohort,
    row: int,
    options: SimulationOptions,
    *,
    history: bool = False,
    program: Program | None = None,
    model: TrajectoryModel | None = None,
    death_offset: NDArray[np.float64] | None = None,
) -> Life:
    """Runs one patient on the virtual machine and returns the whole life (see `trajsim.engine.reference`)."""
    if program is None:
        program = compile_modules(modules, catalogue=catalogue, lifecycle=options.lifecycle)
    if model is not None:
        program = with_model(program, model, death_offset)
    cohort = cohort.rows(row, row + 1)
    events, x, log = _one_life(program, cohort, options, history=history)
    death = int(x.death)
    untouched = {
        name: column.at(0) for name, column in cohort.attributes.items() if name not in program.attribute_index
    }
    return Life(
        patient_id=int(cohort.patient_id[0]),
        birth_ms=int(cohort.birth_ms[0]),
        events=events,
        death_ms=death if death < options.end_ms else None,
        attributes=untouched | _attributes(program, x, events),
        history=history_of(program, log[: int(x.n_log)]) if history else {},
    )


def _one_life(
    program: Program, cohort: Cohort, options: SimulationOptions, *, history: bool
) -> tuple[NDArray[np.void], np.record, NDArray[np.void]]:
    """Event rows, record and visit log of a cohort of one."""
    if program.suspends:
        slots = Slots(program, options, 1, logging=history)
        (lives,) = slots.run(cohort, Work(iter([(0, 1)])), threading.Event())
        return np.array(lives.events, dtype=EVENT_DTYPE), slots.record[0], slots.log[0]
    machine = Machine(program, options, logging=history)
    offsets = np.zeros(2, dtype=np.int64)
    machine.run(Inputs(program, cohort), 0, 1, offsets)
    return np.array(machine.events[: offsets[1]], dtype=EVENT_DTYPE), machine.record[0], machine.log


def _attributes(program: Program, x: np.record, events: NDArray[np.void]) -> dict[str, AttributeValue]:
    h = program.header[0]
    values: dict[str, AttributeValue] = {}
    for slot, name in enumerate(program.attributes):
        tag = Tag(int(x.w[h.w_attribute + slot]))
        number = float(x.f[h.f_attribute + slot])
        match tag:
            case Tag.NUMBER:
                values[name] = number
            case Tag.INTEGER:
                values[name] = int(number)
            case Tag.BOOLEAN:
                values[name] = bool(number)
            case Tag.STRING:
                values[name] = program.strings[int(number)]
            case Tag.CODE:
                values[name] = program.catalogue.codes[int(number)]
            case Tag.ENTRY:
                values[name] = EntryRef(int(number), int(events["kind"][int(number)]))
            case Tag.PLACEHOLDER:
                values[name] = Placeholder(int(number))
            case Tag.SERIES:
                values[name] = Series(*program.series[int(number)])
            case Tag.NIL:
                pass
    if program.lifecycle is not Lifecycle.NONE:
        for name in ON_MENTION:
            values.pop(name, None)
    return values
