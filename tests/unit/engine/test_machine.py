"""The machine that runs a program: buffers that grow in the middle of a life, and faults that say where."""

from typing import Any

import numpy as np
import pytest

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import EVENT_DTYPE, NEVER_MS
from trajsim.engine.machine import Inputs, Machine
from trajsim.engine.options import SimulationOptions
from trajsim.engine.program import ENCOUNTER_DTYPE, LOG_DTYPE, Program
from trajsim.errors import ConfigError, EngineFault
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import AttributeColumn, Cohort
from trajsim.testing.modules import ASTHMA_JSON
from trajsim.testing.strategies import load
from trajsim.units import DAY_MS, ms_from_iso

Json = dict[str, Any]
BIRTH_MS = ms_from_iso("1999-12-31")
OPTIONS = SimulationOptions(seed=7, end_ms=BIRTH_MS + 900 * DAY_MS, lifecycle=Lifecycle.NONE)


def _cohort(n: int = 3, **attributes: AttributeColumn) -> Cohort:
    return Cohort(
        patient_id=np.arange(n, dtype=np.uint64),
        birth_ms=np.full(n, BIRTH_MS),
        death_ms=np.full(n, NEVER_MS),
        attributes=attributes,
    )


def _set(**states: Json) -> ModuleSet:
    start = {"type": "Initial", "direct_transition": next(iter(states))}
    return load({"top": {"name": "Top", "states": {"Initial": start, **states, "End": {"type": "Terminal"}}}}, {})


def _busy() -> ModuleSet:
    """Many events, encounters and visits a year."""
    wait = {"kind": "EXPONENTIAL", "parameters": {"mean": 3}}
    series = [
        {"body_site": ASTHMA_JSON, "modality": ASTHMA_JSON, "instances": [{"title": "", "sop_class": ASTHMA_JSON}]}
    ]
    return _set(
        Visit={"type": "Encounter", "codes": [ASTHMA_JSON], "direct_transition": "Scan"},
        Scan={
            "type": "ImagingStudy", "procedure_code": ASTHMA_JSON, "series": series, "min_number_series": 5,
            "max_number_series": 20, "direct_transition": "Leave",
        },
        Leave={"type": "EncounterEnd", "direct_transition": "Wait"},
        Wait={"type": "Delay", "distribution": wait, "unit": "days", "direct_transition": "Visit"},
    )  # fmt: skip


def _run(program: Program, machine: Machine, cohort: Cohort) -> tuple[bytes, list[int]]:
    offsets = np.zeros(len(cohort) + 1, dtype=np.int64)
    reached = machine.run(Inputs(program, cohort), 0, len(cohort), offsets)
    assert reached == len(cohort)
    return machine.events[: offsets[-1]].tobytes(), offsets.tolist()


def test_tiny_buffers_grow_in_the_middle_of_a_life() -> None:
    program, cohort = compile_modules(_busy(), lifecycle=Lifecycle.NONE), _cohort()
    whole = _run(program, Machine(program, OPTIONS), cohort)
    tiny = Machine(program, OPTIONS)
    tiny.events = np.zeros(1, dtype=EVENT_DTYPE).view(np.recarray)
    tiny.encounters = np.zeros(1, dtype=ENCOUNTER_DTYPE).view(np.recarray)
    assert _run(program, tiny, cohort) == whole
    assert len(tiny.events) > 1_000
    assert len(tiny.encounters) > 64


def test_the_visit_log_grows_too() -> None:
    program, cohort = compile_modules(_busy(), lifecycle=Lifecycle.NONE), _cohort(1)
    logs = []
    for rows in (64, 1 << 16):
        machine = Machine(program, OPTIONS, logging=True)
        machine.log = np.zeros(rows, dtype=LOG_DTYPE).view(np.recarray)
        machine.run(Inputs(program, cohort), 0, 1, np.zeros(2, dtype=np.int64))
        logs.append(machine.log[: int(machine.record[0].n_log)].tobytes())
    assert logs[0] == logs[1]
    assert len(logs[0]) > 1_000


def test_a_machine_may_run_again_after_it_has_finished() -> None:
    program, cohort = compile_modules(_busy(), lifecycle=Lifecycle.NONE), _cohort(2)
    machine = Machine(program, OPTIONS)
    assert _run(program, machine, cohort) == _run(program, machine, cohort)


def _spinning() -> ModuleSet:
    return _set(
        Wait={"type": "Delay", "exact": {"quantity": 10, "unit": "days"}, "direct_transition": "Spin"},
        Spin={"type": "Simple", "direct_transition": "Back"},
        Back={"type": "Simple", "direct_transition": "Spin"},
    )


def test_a_spinning_module_is_named_with_state_patient_and_time() -> None:
    program = compile_modules(_spinning(), lifecycle=Lifecycle.NONE)
    options = SimulationOptions(seed=7, end_ms=OPTIONS.end_ms, step_budget=11, lifecycle=Lifecycle.NONE)
    machine = Machine(program, options)
    with pytest.raises(EngineFault, match="step budget") as caught:
        _run(program, machine, _cohort(1))
    fault = caught.value
    assert (fault.module, fault.state, fault.patient_id) == ("top", "Spin", 0)
    assert fault.time_ms == BIRTH_MS + 14 * DAY_MS  # the step in which it happened
    assert "Delay" in str(fault)


def test_a_machine_is_as_new_after_a_fault() -> None:
    program = compile_modules(_spinning(), lifecycle=Lifecycle.NONE)
    machine = Machine(
        program, SimulationOptions(seed=7, end_ms=BIRTH_MS + 9 * DAY_MS, step_budget=11, lifecycle=Lifecycle.NONE)
    )
    before = _run(program, machine, _cohort(1))
    machine.record[0].end = OPTIONS.end_ms
    with pytest.raises(EngineFault):
        _run(program, machine, _cohort(1))
    machine.record[0].end = BIRTH_MS + 9 * DAY_MS
    assert _run(program, machine, _cohort(1)) == before


def test_a_submodule_that_spins_is_named_with_its_caller() -> None:
    spin = {"type": "Simple", "direct_transition": "Spin"}
    call = {"type": "CallSubmodule", "submodule": "s/low", "direct_transition": "End"}
    end = {"type": "Terminal"}
    top = {"Initial": {"type": "Initial", "direct_transition": "Call"}, "Call": call, "End": end}
    low = {"Initial": {"type": "Initial", "direct_transition": "Spin"}, "Spin": spin}
    modules = load({"top": {"name": "T", "states": top}, "s/low": {"name": "L", "states": low}}, {})
    program = compile_modules(modules, lifecycle=Lifecycle.NONE)
    with pytest.raises(EngineFault) as caught:
        _run(program, Machine(program, OPTIONS), _cohort(1))
    assert (caught.value.module, caught.value.state) == ("top > s/low", "Spin")


def test_a_text_that_the_program_does_not_know_is_refused() -> None:
    state = {"type": "SetAttribute", "attribute": "gender", "value": "M", "direct_transition": "End"}
    program = compile_modules(_set(Set=state), lifecycle=Lifecycle.NONE)
    column = AttributeColumn(kind="text", values=np.zeros(1, dtype=np.int32), categories=("strange",))
    with pytest.raises(ConfigError, match="'strange'"):
        Inputs(program, _cohort(1, gender=column))
