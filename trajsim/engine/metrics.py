"""How often every state is entered, how long it is stayed in, and where it leads: the sharpest view of a run.

Source: the layout is that of the reference results of Synthea, one object a module file and state.
"""

import threading

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.kernels.metrics import count_visits
from trajsim.engine.machine import Machine
from trajsim.engine.opcodes import TransitionOp
from trajsim.engine.program import Program
from trajsim.errors import DataFileError
from trajsim.units import DAY_MS

StateCounts = dict[str, object]


class StateMetrics:
    """Counters of a run; any number of threads may add to them."""

    def __init__(self, program: Program) -> None:
        """Starts at zero."""
        n = len(program.states)
        self._program = program
        self._lock = threading.Lock()
        self._counts = np.zeros((n, 3), np.int64)
        self._days = np.zeros((n, 2), np.int64)
        self._squares = np.zeros(n, np.int64)
        successors = [self._successors(position) for position in range(n)]
        self._ranges = np.r_[0, np.cumsum([len(each) for each in successors])].astype(np.int64)
        self._targets = np.array([target for each in successors for target in each], np.int64)
        self._taken = np.zeros(max(len(self._targets), 1), np.int64)
        self._seen = np.zeros(n, np.int64)
        self._frames = np.full((len(program.file_keys) + 1, 4), -1, np.int64)
        self._frames[-1, 0] = 0

    def _successors(self, position: int) -> list[int]:
        """States that a state may lead to, each once, in file order."""
        program = self._program
        row = program.states[position]
        if row.tk == TransitionOp.NONE:
            return []
        if row.tk == TransitionOp.DIRECT:
            return [int(row.o0)]
        found: dict[int, None] = {}
        for option in program.options[row.o0 : row.o1]:
            if option.d1 > option.d0:
                for inner in program.options[option.d0 : option.d1]:
                    found[int(inner.next)] = None
            else:
                found[int(option.next)] = None
        return list(found)

    def add(self, machine: Machine, patient: int) -> None:
        """Adds the patient whose visit log a machine holds."""
        del patient
        self.add_log(machine.log, int(machine.record[0].n_log))

    def add_log(self, log: np.recarray, n: int) -> None:
        """Adds the patient whose visit log has n rows."""
        with self._lock:
            before = self._counts[:, 0].copy()
            count_visits(
                self._program.states, log, n, self._counts, self._days, self._seen,
                self._frames, self._ranges, self._targets, self._taken,
            )  # fmt: skip
            self._squares += (self._counts[:, 0] - before) ** 2

    def to_bytes(self) -> bytes:
        """The counters of a finished piece of work, to be added elsewhere (a resumed run, another thread)."""
        return b"".join(array.tobytes() for array in self._arrays())

    def _arrays(self) -> tuple[NDArray[np.int64], ...]:
        return self._counts, self._days, self._squares, self._taken

    def add_bytes(self, data: bytes) -> None:
        """Adds the counters of another piece of work on the same program.

        Raises:
            DataFileError: They belong to another program.
        """
        arrays = self._arrays()
        if len(data) != sum(array.nbytes for array in arrays):
            msg = f"state metrics of {len(data)} bytes do not fit these modules"
            raise DataFileError(msg)
        offset = 0
        with self._lock:
            for array in arrays:
                array += np.frombuffer(data, np.int64, array.size, offset).reshape(array.shape)
                offset += array.nbytes

    def to_json(self) -> dict[str, dict[str, StateCounts]]:
        """By module file and state: entered, persons, still_there, mean_days, sum_sq_per_person, to.

        The sum over persons of their squared number of entries gives the variance between persons, which the
        reference's layout lacks.
        """
        sources = self._program.catalogue.sources
        result: dict[str, dict[str, StateCounts]] = {}
        for position in np.flatnonzero(self._counts[:, 0]):
            source = sources[position]
            entered, persons, still = (int(value) for value in self._counts[position])
            spent, left = (int(value) for value in self._days[position])
            span = range(self._ranges[position], self._ranges[position + 1])
            leads = {sources[self._targets[k]].state: int(self._taken[k]) for k in span if self._taken[k]}
            result.setdefault(source.module, {})[source.state] = {
                "entered": entered,
                "persons": persons,
                "still_there": still,
                "mean_days": round(spent / left / DAY_MS, 4) if left else None,
                "sum_sq_per_person": int(self._squares[position]),
                "to": dict(sorted(leads.items())),
            }
        return {module: dict(sorted(states.items())) for module, states in sorted(result.items())}
