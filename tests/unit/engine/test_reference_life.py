"""Whole lives of small modules on the reference interpreter: observers, faults, draws, histories."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.life import EntryRef, Life
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference import simulate_patient
from trajsim.engine.trace import TraceStep, trace_patient
from trajsim.errors import EngineFault, ModuleError
from trajsim.gmf.library import load_modules, read_library
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.streams.ints import keyed_uniform, uniform
from trajsim.streams.keys import stream_id
from trajsim.units import DAY_MS, WEEK_MS, ms_from_iso

BIRTH = ms_from_iso("1990-01-01")
END = ms_from_iso("1990-07-01")
States = Mapping[str, Mapping[str, Any]]

LOINC = {"system": "LOINC", "code": "8302-2", "display": "Height"}
FLU = {"system": "SNOMED-CT", "code": "6142004", "display": "Influenza"}


def _modules(folder: Path, **modules: States) -> ModuleSet:
    for key, states in modules.items():
        path = folder / f"{key.replace('__', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": key, "states": states}), encoding="utf-8")
    return load_modules(folder)


def _cohort(patient_id: int = 0, *, death_ms: int = NEVER_MS, vital_signs: Mapping[str, float] | None = None) -> Cohort:
    sex = AttributeColumn(kind="text", values=np.zeros(1, np.int32), categories=("F",))
    return Cohort(
        patient_id=np.array([patient_id], np.uint64),
        birth_ms=np.array([BIRTH]),
        death_ms=np.array([death_ms]),
        attributes={"gender": sex},
        vital_signs=vital_signs or {},
    )


def _live(modules: ModuleSet, cohort: Cohort | None = None, *, seed: int = 7, **options: int) -> Life:
    cohort = _cohort() if cohort is None else cohort
    settings = SimulationOptions(seed=seed, end_ms=END, lifecycle=Lifecycle.NONE, **options)
    return simulate_patient(
        modules, Catalogue(modules, extra_strings=cohort.texts()), cohort, 0, settings, history=True
    )


def _path(life: Life, module: str = "m") -> list[str]:
    return [row.state for row in life.history[module]]


def test_spinning_module_is_a_fault_that_names_the_place(tmp_path: Path) -> None:
    modules = _modules(
        tmp_path,
        m={"Initial": {"type": "Initial", "direct_transition": "A"}, "A": {"type": "Simple", "direct_transition": "A"}},
    )
    with pytest.raises(EngineFault, match="more than 50 states") as caught:
        _live(modules, step_budget=50)
    assert (caught.value.module, caught.value.state, caught.value.time_ms) == ("m", "A", BIRTH)


def test_submodule_that_calls_itself_is_a_fault(tmp_path: Path) -> None:
    call = {
        "Initial": {"type": "Initial", "direct_transition": "C"},
        "C": {"type": "CallSubmodule", "submodule": "s/leaf", "direct_transition": "T"},
        "T": {"type": "Terminal"},
    }
    with pytest.raises(ModuleError):  # the loader refuses it; the engine must not hang on what reaches it otherwise
        _modules(tmp_path, m=call, s__leaf=call)
    modules = ModuleSet(modules=read_library(tmp_path).modules, tables={})
    with pytest.raises(EngineFault, match="calls itself"):
        _live(modules)


def test_background_death_comes_last_and_only_if_no_module_kills_first(tmp_path: Path) -> None:
    kill = {"type": "Death", "exact": {"quantity": 30, "unit": "days"}, "codes": [FLU], "direct_transition": "T"}
    modules = _modules(
        tmp_path, m={"Initial": {"type": "Initial", "direct_transition": "K"}, "K": kill, "T": {"type": "Terminal"}}
    )
    killed = _live(modules, _cohort(death_ms=BIRTH + 60 * DAY_MS))
    assert killed.death_ms == BIRTH + 30 * DAY_MS
    early = _live(modules, _cohort(death_ms=BIRTH + 20 * DAY_MS))
    assert early.death_ms == BIRTH + 20 * DAY_MS
    assert [int(row["kind"]) for row in early.events][-1] == EventKind.DEATH
    assert int(early.events[-1]["module"]) == 1
    assert int((early.events["kind"] == EventKind.DEATH).sum()) == 1
    late = _live(modules, _cohort(death_ms=END))
    assert late.death_ms == BIRTH + 30 * DAY_MS


def test_submodule_draws_from_its_callers_stream(tmp_path: Path) -> None:
    flip = [{"distribution": 0.5, "transition": "T"}, {"distribution": 0.5, "transition": "U"}]
    modules = _modules(
        tmp_path,
        m={
            "Initial": {"type": "Initial", "distributed_transition": [{"distribution": 1, "transition": "C"}]},
            "C": {"type": "CallSubmodule", "submodule": "s/leaf", "direct_transition": "T"},
            "T": {"type": "Terminal"},
        },
        s__leaf={
            "Initial": {"type": "Initial", "distributed_transition": flip},
            "T": {"type": "Terminal"},
            "U": {"type": "Terminal"},
        },
    )
    for patient in range(20):
        is_first = uniform(7, patient, stream_id("m"), 1) < 0.5
        assert ("U" in _path(_live(modules, _cohort(patient)))) is not is_first


def test_generator_of_a_vital_sign_is_drawn_at_each_read(tmp_path: Path) -> None:
    observe = {"type": "Observation", "category": "vital-signs", "unit": "x", "codes": [LOINC], "vital_sign": "BMI"}
    panel = {
        "type": "MultiObservation",
        "category": "vital-signs",
        "codes": [LOINC],
        "observations": [{key: value for key, value in observe.items() if key != "type"}] * 2,
    }
    sign = {"type": "VitalSign", "vital_sign": "BMI", "unit": "x", "range": {"low": 20, "high": 30}}
    modules = _modules(
        tmp_path,
        m={
            "Initial": {"type": "Initial", "direct_transition": "V"},
            "V": {**sign, "direct_transition": "P"},
            "P": {**panel, "direct_transition": "T"},
            "T": {"type": "Terminal"},
        },
    )
    life = _live(modules, _cohort(3))
    values = [float(row["value"]) for row in life.events if row["kind"] == EventKind.OBSERVATION]
    words = (stream_id("vital:BMI"), BIRTH, stream_id("m"))
    expected = [20.0 + 10.0 * keyed_uniform(7, 3, *words, k) for k in range(2)]
    assert values == pytest.approx(expected, abs=0.005 + 1e-9)
    assert values[0] != values[1]


def test_attribute_points_at_the_row_that_began_the_entry(tmp_path: Path) -> None:
    onset = {"type": "ConditionOnset", "codes": [FLU], "assign_to_attribute": "t_flu", "direct_transition": "T"}
    modules = _modules(
        tmp_path, m={"Initial": {"type": "Initial", "direct_transition": "O"}, "O": onset, "T": {"type": "Terminal"}}
    )
    life = _live(modules)
    value = life.attributes["t_flu"]
    assert isinstance(value, EntryRef)
    assert int(life.events[value.event]["kind"]) == EventKind.CONDITION == value.kind


def test_unrelated_module_changes_no_draw_of_another(tmp_path: Path) -> None:
    flip: States = {
        "Initial": {
            "type": "Initial",
            "distributed_transition": [
                {"distribution": 0.5, "transition": "T"},
                {"distribution": 0.5, "transition": "U"},
            ],
        },
        "T": {"type": "Terminal"},
        "U": {"type": "Terminal"},
    }
    alone = _modules(tmp_path / "alone", m=flip)
    together = _modules(tmp_path / "together", m=flip, a=flip)
    for patient in range(20):
        assert _path(_live(alone, _cohort(patient))) == _path(_live(together, _cohort(patient)))


def test_nobody_lives_before_birth_or_without_a_step(tmp_path: Path) -> None:
    modules = _modules(
        tmp_path, m={"Initial": {"type": "Initial", "direct_transition": "T"}, "T": {"type": "Terminal"}}
    )
    stillborn = _live(modules, _cohort(death_ms=BIRTH))
    assert len(stillborn.events) == 0
    assert stillborn.history["m"] == []


# --- trace ------------------------------------------------------------------------------------------------------------


def _trace(modules: ModuleSet, *, only: list[str] | None = None, polls: bool = False) -> list[TraceStep]:
    cohort = _cohort()
    catalogue = Catalogue(modules, extra_strings=cohort.texts())
    options = SimulationOptions(seed=7, end_ms=END, lifecycle=Lifecycle.NONE)
    return list(trace_patient(modules, catalogue, cohort, 0, options, only=only, polls=polls))


@pytest.fixture(name="traced")
def traced_fixture(tmp_path: Path) -> ModuleSet:
    return _modules(
        tmp_path,
        m={
            "Initial": {
                "type": "Initial",
                "conditional_transition": [
                    {"condition": {"condition_type": "Gender", "gender": "M"}, "transition": "T"},
                    {
                        "condition": {"condition_type": "Age", "operator": "<", "quantity": 9, "unit": "years"},
                        "transition": "D",
                    },
                ],
            },
            "D": {
                "type": "Delay",
                "exact": {"quantity": 10, "unit": "days"},
                "distributed_transition": [
                    {"distribution": 0, "transition": "T"},
                    {"distribution": 1, "transition": "O"},
                ],
            },
            "O": {"type": "ConditionOnset", "codes": [FLU], "direct_transition": "G"},
            "G": {
                "type": "Guard",
                "allow": {"condition_type": "Attribute", "attribute": "t_go", "operator": "==", "value": "now"},
                "direct_transition": "T",
            },
            "T": {"type": "Terminal"},
        },
    )


def test_trace_tells_why(traced: ModuleSet) -> None:
    steps = _trace(traced, only=["m"])
    assert [(step.state, step.outcome) for step in steps] == [
        ("Initial", "moved"), ("D", "waits"), ("D", "moved"), ("O", "moved"), ("G", "waits"),
    ]  # fmt: skip
    initial, waits, leaves, onset, guard = steps
    assert initial.target == "D"
    assert "age < 9 years" in initial.why
    assert initial.why.endswith("age < 9 years: 0; male: F)")
    assert waits.why == "until 1990-01-11T00:00:00Z"
    assert leaves.left_ms == BIRTH + 10 * DAY_MS
    assert leaves.time_ms == BIRTH + 2 * WEEK_MS
    assert leaves.why.startswith("its end came at 1990-01-11T00:00:00Z; 0 ≤ u = 0.")
    assert onset.wrote == ("condition: Influenza [6142004]",)
    assert "is false" in guard.why


def test_trace_shows_polls_when_asked(traced: ModuleSet) -> None:
    assert len(_trace(traced, only=["m"], polls=True)) > len(_trace(traced, only=["m"])) + 10


def test_trace_shows_the_engine(traced: ModuleSet) -> None:
    engine = [step for step in _trace(traced) if step.outcome == "engine"]
    assert engine[0].wrote == ("encounter: Well child visit [410620009], wellness",)
    assert engine[1].wrote == ("encounter end: Well child visit [410620009]",)


def test_watching_changes_nothing(traced: ModuleSet) -> None:
    cohort = _cohort()
    catalogue = Catalogue(traced, extra_strings=cohort.texts())
    options = SimulationOptions(seed=7, end_ms=END, lifecycle=Lifecycle.NONE)
    before = simulate_patient(traced, catalogue, cohort, 0, options).events
    list(trace_patient(traced, catalogue, cohort, 0, options))
    assert np.array_equal(before, simulate_patient(traced, catalogue, cohort, 0, options).events)
