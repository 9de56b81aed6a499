"""On all stock modules of Synthea, virtual machine and reference write the same lives, byte for byte.

Ten patients here; two hundred with ``-m nightly``. Short lives also run without machine code.
"""

from pathlib import Path

import pytest

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import Catalogue
from trajsim.engine.options import SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.reference import simulate_patient
from trajsim.engine.simulate import simulate_life
from trajsim.gmf.library import load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.options import PopulationOptions
from trajsim.testing.asserts import assert_same_lives
from trajsim.units import ms_from_iso

OPTIONS = SimulationOptions(seed=2026, end_ms=ms_from_iso("2025-01-01"), lifecycle=Lifecycle.SYNTHEA)
N_FAST = 10
N_NIGHTLY = 200


def _cohort(n: int, *, age_low: int = 0, age_high: int = 110) -> Cohort:
    population = PopulationOptions(end_ms=OPTIONS.end_ms, age_low=age_low, age_high=age_high, mortality="life-table")
    return build_cohort(population, first_patient=0, n_patients=n, seed=OPTIONS.seed)


@pytest.fixture(name="stock", scope="module")
def stock_fixture(shared: Path) -> tuple[ModuleSet, Catalogue, Program]:
    """All 242 files, compiled."""
    modules = load_modules(shared / "synthea" / "modules")
    assert len(modules.modules) == 242
    catalogue = Catalogue(modules, extra_strings=_cohort(1).texts())
    return modules, catalogue, compile_modules(modules, catalogue=catalogue, lifecycle=OPTIONS.lifecycle)


def _require_equal(stock: tuple[ModuleSet, Catalogue, Program], cohort: Cohort, row: int) -> int:
    modules, catalogue, program = stock
    expected = simulate_patient(modules, catalogue, cohort, row, OPTIONS)
    life = simulate_life(modules, catalogue, cohort, row, OPTIONS, program=program)
    assert_same_lives(expected, life, catalogue)
    return len(life.events)


def test_whole_lives_are_equal(stock: tuple[ModuleSet, Catalogue, Program]) -> None:
    """Ten whole lives on all modules."""
    cohort = _cohort(N_FAST)
    events = [_require_equal(stock, cohort, row) for row in range(N_FAST)]
    assert min(events) > 0


@pytest.mark.nightly
def test_many_whole_lives_are_equal(stock: tuple[ModuleSet, Catalogue, Program]) -> None:
    """Two hundred whole lives on all modules, other patients than above."""
    cohort = _cohort(N_FAST + N_NIGHTLY)
    for row in range(N_FAST, N_FAST + N_NIGHTLY):
        _require_equal(stock, cohort, row)


def test_short_lives_are_equal(stock: tuple[ModuleSet, Catalogue, Program]) -> None:
    """Infants: what also runs as plain Python (NUMBA_DISABLE_JIT=1)."""
    cohort = _cohort(3, age_high=1)
    for row in range(3):
        _require_equal(stock, cohort, row)
