"""The plain-Python interpreter: what a module means, written as Synthea's behaviour is described, slow on purpose.

Every step polls every module, a rewind is a recursion, a frame is the list of the states that it visited. The virtual
machine does none of this, shares no code with it, and must give the same events, byte for byte (docs/draws.md).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import (
    SOURCE_BACKGROUND,
    STREAM_MORTALITY,
    Catalogue,
    EventKind,
)
from trajsim.engine.life import Life
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference.frames import Frame, history_rows
from trajsim.engine.reference.learned import Learned
from trajsim.engine.reference.lifecycle.certificate import certify
from trajsim.engine.reference.lifecycle.lifecycle import CORE_AFTER, Lifecycle
from trajsim.engine.reference.lifecycle.mentions import mentions_of
from trajsim.engine.reference.logic import utf16
from trajsim.engine.reference.machine import Machine
from trajsim.engine.reference.observer import Choice, ConditionTest, ModelQuestion, Observer, StateRun
from trajsim.engine.reference.patient import Patient
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle as Profile
from trajsim.population.cohort import Cohort
from trajsim.trajectory_model import TrajectoryModel

__all__ = ["Choice", "ConditionTest", "ModelQuestion", "Observer", "StateRun", "simulate_patient"]


def simulate_patient(
    modules: ModuleSet,
    catalogue: Catalogue,
    cohort: Cohort,
    row: int,
    options: SimulationOptions,
    *,
    history: bool = False,
    observer: Observer | None = None,
    model: TrajectoryModel | None = None,
    death_offset: NDArray[np.float64] | None = None,
) -> Life:
    """Lives one life.

    Args:
        modules: The modules that run.
        catalogue: The catalogue of these modules (with the texts of the cohort).
        cohort: Who lives.
        row: Position of the patient in the cohort.
        options: Everything else that the life depends on.
        history: Whether to fill `Life.history`.
        observer: Is told of every state that is entered, blocks, is left, and why.
        model: A learned model that states are bound to.
        death_offset: [sex (F, M), age] hazards a year that are taken off the model's ``death``.

    Returns:
        The life.

    Raises:
        EngineFault: A module spins within a step.

    Guarantees:
        The events equal those of the virtual machine, byte for byte. (tests/property/test_vm_equals_reference.py)

    Source:
        Synthea at commit 2b0a55ba, as docs/draws.md sections 5 to 10 put it.
    """
    patient = _newborn(modules, catalogue, cohort, row, options, observer)
    if model is not None:
        patient.learned = Learned(patient, model, death_offset)
    machine = Machine(patient)
    frames = [Frame(module) for module in modules.top_level()]
    last = _live(patient, machine, frames)
    _end(patient, machine, last)
    return Life(
        patient_id=patient.patient_id,
        birth_ms=patient.birth,
        events=patient.log.array(),
        death_ms=patient.death if patient.death < options.end_ms else None,
        attributes=patient.published_attributes(),
        history={frame.module.name: history_rows(frame.visits) for frame in _all_frames(patient, frames)}
        if history
        else {},
    )


def _newborn(
    modules: ModuleSet,
    catalogue: Catalogue,
    cohort: Cohort,
    row: int,
    options: SimulationOptions,
    observer: Observer | None,
) -> Patient:
    patient = Patient(
        modules=modules,
        catalogue=catalogue,
        cohort=cohort,
        options=options,
        observer=observer,
        patient_id=int(cohort.patient_id[row]),
        birth=int(cohort.birth_ms[row]),
        death=int(cohort.death_ms[row]),
        attributes={name: column.at(row) for name, column in cohort.attributes.items()},
    )
    if options.lifecycle != Profile.NONE:
        unemployment = cohort.parameters.get("unemployment_probability")
        patient.lifecycle = Lifecycle(
            patient, mentions_of(modules, catalogue), 0.0 if unemployment is None else float(unemployment[row])
        )
    return patient


def _live(patient: Patient, machine: Machine, frames: list[Frame]) -> int | None:
    """Steps from birth to the end of the life or the run; the time of the last step, None if there was none."""
    running = list(frames)
    encounters = machine.states.encounters
    time, last = patient.birth, None
    while time < patient.options.end_ms and not patient.is_dead(time):
        rows = len(patient.log)
        if patient.lifecycle is not None:
            patient.lifecycle.begin_step(time)
        if patient.learned is not None:
            patient.learned.turn(time)
        encounters.begin_step(time)
        _tell(patient, time, rows)
        before = [frame for frame in running if not _is_after_core(frame) and not machine.step(frame, time)]
        _turn(patient, time)
        running = before + [frame for frame in running if _is_after_core(frame) and not machine.step(frame, time)]
        rows = len(patient.log)
        encounters.end_step(time)
        _tell(patient, time, rows)
        last = time
        time += patient.options.time_step_ms
    return last


def _is_after_core(frame: Frame) -> bool:
    """Whether a module runs after the core turn."""
    return utf16(frame.module.key) > utf16(CORE_AFTER)


def _turn(patient: Patient, time: int) -> None:
    """The core turn of the lifecycle."""
    if patient.lifecycle is not None and not patient.is_dead(time):
        rows = len(patient.log)
        patient.lifecycle.turn(time)
        _tell(patient, time, rows)


def _end(patient: Patient, machine: Machine, last: int | None) -> None:
    """Closes an open encounter, certifies a death, and writes a background death, if no module's death came first."""
    if last is None:
        return
    rows = len(patient.log)
    machine.states.encounters.end_life(last)
    if patient.lifecycle is not None:
        certify(patient)
    if patient.death < patient.options.end_ms and not patient.is_killed:
        patient.write(EventKind.DEATH, patient.death, source=SOURCE_BACKGROUND, stream=STREAM_MORTALITY)
    _tell(patient, last, rows)


def _tell(patient: Patient, time: int, first_row: int) -> None:
    if patient.observer is not None and len(patient.log) > first_row:
        rows = tuple(patient.log.rows[first_row:])
        patient.observer.on_engine(time=time, rows=rows, first_row=first_row)


def _all_frames(patient: Patient, frames: list[Frame]) -> Iterator[Frame]:
    """The frames of all modules, and those of submodules that are not finished."""
    yield from frames
    yield from patient.frames.values()
