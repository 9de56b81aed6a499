"""A life depends on seed, patient, modules and options: not on how work is cut, nor on modules of no concern to it."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest

from trajsim.engine.compile import compile_modules
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.simulate import simulate
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.options import PopulationOptions
from trajsim.records.parquet import write_parquet
from trajsim.records.schema import TABLES
from trajsim.records.table import Records, concat
from trajsim.testing.strategies import load
from trajsim.units import ms_from_iso

END_MS = ms_from_iso("2025-01-01")
OPTIONS = SimulationOptions(seed=7, end_ms=END_MS, lifecycle=Lifecycle.DEFAULT)
# Without machine code lives must be short.
IS_SLOW = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
N, OLDEST = (6, 2) if IS_SLOW else (24, 90)
STRANGER = "Zz_stranger"  # runs before the bundled modules: upper case sorts first


@pytest.fixture(name="modules", scope="module")
def modules_fixture() -> ModuleSet:
    return load_modules(bundled_modules_root())


def _cohort(n: int, *, first: int = 0) -> Cohort:
    people = PopulationOptions(end_ms=END_MS, age_low=0, age_high=OLDEST)
    return build_cohort(people, first_patient=first, n_patients=n, seed=7)


@pytest.fixture(name="program", scope="module")
def program_fixture(modules: ModuleSet) -> Program:
    return compile_modules(modules, texts=_cohort(1).texts(), lifecycle=OPTIONS.lifecycle)


@pytest.fixture(name="whole", scope="module")
def whole_fixture(program: Program) -> Records:
    records = simulate(program, _cohort(N), OPTIONS).records()
    assert records.n_patients == N
    assert records.n_rows > N
    return records


def _differing_tables(first: Records, second: Records) -> list[str]:
    return [name for name in TABLES if not Records({name: first[name]}).equals(Records({name: second[name]}))]


def _files(records: Records, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    return {name: path.read_bytes() for name, path in write_parquet(records, folder, shard=0).items()}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("chunk_size", [1, 7, 64, 1_000])
def test_threads_and_chunks_change_no_byte(
    program: Program, whole: Records, tmp_path: Path, threads: int, chunk_size: int
) -> None:
    performance = PerformanceOptions(threads=threads, chunk_size=chunk_size)
    records = simulate(program, _cohort(N), OPTIONS, performance=performance).records()
    assert _differing_tables(records, whole) == []
    assert _files(records, tmp_path / "cut") == _files(whole, tmp_path / "whole")


@pytest.mark.parametrize("size", [1, 5, N, 100])
@pytest.mark.parametrize("threads", [1, 2])
def test_shard_sizes_change_nothing(program: Program, whole: Records, size: int, threads: int) -> None:
    run = simulate(program, _cohort(N), OPTIONS, performance=PerformanceOptions(threads=threads, chunk_size=7))
    shards = list(run.shards(size))
    assert [len(shard.cohort) for shard in shards] == [min(size, N - start) for start in range(0, N, size)]
    assert _differing_tables(concat([shard.records for shard in shards]), whole) == []


def test_iterating_patients_changes_nothing(program: Program, whole: Records) -> None:
    for patient in simulate(program, _cohort(5), OPTIONS):
        assert _differing_tables(patient.records, whole.patient(patient.patient_id)) == []


def test_a_prefix_is_the_smaller_run(program: Program, whole: Records) -> None:
    half = simulate(program, _cohort(N // 2), OPTIONS).records()
    assert _differing_tables(half, concat([whole.patient(each) for each in range(N // 2)])) == []


def test_a_shard_that_is_drawn_alone_is_the_same(program: Program, whole: Records) -> None:
    alone = simulate(program, _cohort(4, first=2), OPTIONS).records()
    assert _differing_tables(alone, concat([whole.patient(each) for each in range(2, 6)])) == []


def test_other_seeds_give_other_lives(program: Program, whole: Records) -> None:
    other = simulate(program, _cohort(N), replace(OPTIONS, seed=8)).records()
    own = ["death_time", "last_time"]  # a module may kill; who somebody is comes from the cohort
    assert other["patients"].drop_columns(own).equals(whole["patients"].drop_columns(own))
    assert "encounters" in _differing_tables(other, whole)


@pytest.mark.parametrize("lifecycle", [Lifecycle.NONE, Lifecycle.SYNTHEA])
def test_other_lifecycles_do_not_depend_on_threads_and_chunks_either(modules: ModuleSet, lifecycle: Lifecycle) -> None:
    options = replace(OPTIONS, lifecycle=lifecycle)
    program = compile_modules(modules, texts=_cohort(1).texts(), lifecycle=lifecycle)
    alone = simulate(program, _cohort(N), options, performance=PerformanceOptions(threads=1, chunk_size=1)).records()
    together = simulate(program, _cohort(N), options, performance=PerformanceOptions(threads=2, chunk_size=7)).records()
    assert _differing_tables(alone, together) == []


def _stranger() -> ModuleSet:
    """A module that shares no encounter, code or death with any other, draws all the time and reads the lifecycle."""
    code = {"system": "SNOMED-CT", "code": "999000001", "display": "Nobody else's"}
    wait = {"kind": "EXPONENTIAL", "parameters": {"mean": 40}}
    states = {
        "Initial": {"type": "Initial", "direct_transition": "Onset"},
        "Onset": {"type": "ConditionOnset", "codes": [code], "direct_transition": "Own"},
        "Own": {
            "type": "SetAttribute", "attribute": "stranger_value", "range": {"low": 1, "high": 9, "decimals": 1},
            "direct_transition": "Seen",
        },
        "Seen": {
            "type": "Observation", "category": "laboratory", "unit": "u", "codes": [code],
            "attribute": "stranger_value",
            "direct_transition": "Read",
        },
        "Read": {
            "type": "DiagnosticReport", "codes": [code], "direct_transition": "Wait",
            "observations": [
                {"category": "laboratory", "unit": "u", "codes": [code], **read}
                for read in (
                    {"vital_sign": "Systolic Blood Pressure"}, {"vital_sign": "Heart Rate"}, {"vital_sign": "LDL"},
                    {"attribute": "mi_risk"}, {"attribute": "smoker"}, {"attribute": "disabled"},
                )
            ],
        },
        "Wait": {"type": "Delay", "distribution": wait, "unit": "weeks", "direct_transition": "Own"},
    }  # fmt: skip
    return load({STRANGER: {"name": "Stranger", "states": states}}, {})


def _rows_of_others(records: Records) -> Records:
    tables = {}
    for name in TABLES:
        table = records[name]
        if "module" in table.column_names:
            table = table.filter(pc.not_equal(table["module"].cast("string"), STRANGER))
        tables[name] = table
    return Records(tables)


def test_an_unrelated_module_changes_no_other_row(modules: ModuleSet, whole: Records) -> None:
    stranger = _stranger()
    more = ModuleSet(modules=dict(sorted({**modules.modules, **stranger.modules}.items())), tables=modules.tables)
    with_stranger = simulate(more, _cohort(N), OPTIONS).records()
    own = with_stranger["conditions"]["module"].cast("string")
    assert pc.sum(pc.equal(own, STRANGER)).as_py() > 0
    assert _differing_tables(_rows_of_others(with_stranger), whole) == []
