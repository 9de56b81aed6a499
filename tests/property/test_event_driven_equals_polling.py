"""Sleeping loses nothing: a machine that runs every module in every step lives the same lives."""

import numpy as np
from hypothesis import given
from numpy.typing import NDArray

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import Catalogue
from trajsim.engine.machine import Inputs, Machine
from trajsim.engine.program import Program
from trajsim.errors import EngineFault
from trajsim.testing.asserts import differing_rows
from trajsim.testing.strategies import Scenario, scenarios

Place = tuple[str, str, int, int]


def _lives(program: Program, scenario: Scenario, *, polling: bool) -> tuple[NDArray[np.void], list[int], Place | None]:
    """Logs of all patients, and where the machine stopped if it did."""
    machine = Machine(program, scenario.options, polling=polling)
    n = len(scenario.cohort)
    offsets = np.zeros(n + 1, dtype=np.int64)
    try:
        machine.run(Inputs(program, scenario.cohort), 0, n, offsets)
    except EngineFault as fault:
        return machine.events[:0], [], (fault.module, fault.state, fault.patient_id, fault.time_ms)
    return np.asarray(machine.events[: offsets[-1]]), offsets.tolist(), None


@given(scenarios())
def test_sleeping_modules_miss_nothing(scenario: Scenario) -> None:
    catalogue = Catalogue(scenario.modules, extra_strings=scenario.cohort.texts())
    program = compile_modules(scenario.modules, catalogue=catalogue, lifecycle=scenario.options.lifecycle)
    events, offsets, place = _lives(program, scenario, polling=False)
    polled, polled_offsets, polled_place = _lives(program, scenario, polling=True)
    assert place == polled_place
    assert differing_rows(events, polled, catalogue) == []
    assert offsets == polled_offsets
