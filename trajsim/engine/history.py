"""The visit log of the virtual machine, read back as histories."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.life import HistoryRow
from trajsim.engine.opcodes import Log
from trajsim.engine.program import Program


class _Visit:
    """A visit that may still be going on."""

    __slots__ = ("entered", "exited", "state")

    def __init__(self, state: str) -> None:
        self.state = state
        self.entered: int | None = None
        self.exited: int | None = None


def history_of(program: Program, log: NDArray[np.void]) -> Mapping[str, list[HistoryRow]]:
    """Visited states by JSON name of the module, as docs and conformance cases write them."""
    modules = program.modules.modules
    frames: dict[int, list[_Visit]] = {
        file: [] for file, key in enumerate(program.file_keys) if modules[key].is_top_level
    }
    for row in log:
        file, state, time = int(row["file"]), int(row["state"]), int(row["time"])
        match Log(int(row["kind"])):
            case Log.CREATE:
                frames[file] = []
            case Log.PUSH:
                frames[file].append(_Visit(program.catalogue.sources[state].state))
            case Log.RUN:
                frames[file][-1].entered = time
            case Log.EXIT:
                frames[file][-1].exited = time
            case Log.FINISH_CALL:
                call = frames[file][-1]
                frames[file] += [*frames.pop(time), call]
    return {
        modules[program.file_keys[file]].name: [
            HistoryRow(visit.state, visit.entered, visit.exited) for visit in visits
        ]
        for file, visits in frames.items()
    }
