"""On all stock modules of Synthea, virtual machine and reference write the same lives, byte for byte.

With Synthea's lifecycle: ten patients here, two hundred with ``-m nightly``. With the default lifecycle and with none:
two, and fifty of a night. Short lives also run without machine code.
"""

from dataclasses import replace
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
N_FAST, N_OTHER_FAST = 10, 2
N_NIGHTLY, N_OTHER_NIGHTLY = 200, 50
OTHERS = (Lifecycle.DEFAULT, Lifecycle.NONE)

Stock = tuple[ModuleSet, Catalogue, Program]


def _cohort(n: int, *, age_low: int = 0, age_high: int = 110) -> Cohort:
    population = PopulationOptions(end_ms=OPTIONS.end_ms, age_low=age_low, age_high=age_high, mortality="life-table")
    return build_cohort(population, first_patient=0, n_patients=n, seed=OPTIONS.seed)


@pytest.fixture(name="stock", scope="module")
def stock_fixture(shared: Path) -> Stock:
    """All 242 files, compiled."""
    modules = load_modules(shared / "synthea" / "modules")
    assert len(modules.modules) == 242
    catalogue = Catalogue(modules, extra_strings=_cohort(1).texts())
    return modules, catalogue, compile_modules(modules, catalogue=catalogue, lifecycle=OPTIONS.lifecycle)


@pytest.fixture(name="other_stock", scope="module", params=OTHERS)
def other_stock_fixture(stock: Stock, request: pytest.FixtureRequest) -> tuple[Stock, SimulationOptions]:
    """The same with another lifecycle."""
    modules, catalogue, _ = stock
    program = compile_modules(modules, catalogue=catalogue, lifecycle=request.param)
    return (modules, catalogue, program), replace(OPTIONS, lifecycle=request.param)


def _require_equal(stock: Stock, cohort: Cohort, row: int, options: SimulationOptions = OPTIONS) -> int:
    modules, catalogue, program = stock
    expected = simulate_patient(modules, catalogue, cohort, row, options)
    life = simulate_life(modules, catalogue, cohort, row, options, program=program)
    assert_same_lives(expected, life, catalogue)
    return len(life.events)


def test_whole_lives_are_equal(stock: Stock) -> None:
    """Ten whole lives on all modules."""
    cohort = _cohort(N_FAST)
    events = [_require_equal(stock, cohort, row) for row in range(N_FAST)]
    assert min(events) > 0


@pytest.mark.nightly
def test_many_whole_lives_are_equal(stock: Stock) -> None:
    """Two hundred whole lives on all modules, other patients than above."""
    cohort = _cohort(N_FAST + N_NIGHTLY)
    for row in range(N_FAST, N_FAST + N_NIGHTLY):
        _require_equal(stock, cohort, row)


def test_short_lives_are_equal(stock: Stock) -> None:
    """Infants: what also runs as plain Python (NUMBA_DISABLE_JIT=1)."""
    cohort = _cohort(3, age_high=1)
    for row in range(3):
        _require_equal(stock, cohort, row)


def test_whole_lives_are_equal_with_other_lifecycles(other_stock: tuple[Stock, SimulationOptions]) -> None:
    """Two whole lives with the default lifecycle, and two with none."""
    stock, options = other_stock
    cohort = _cohort(N_OTHER_FAST)
    for row in range(N_OTHER_FAST):
        _require_equal(stock, cohort, row, options)


@pytest.mark.nightly
def test_many_whole_lives_are_equal_with_other_lifecycles(other_stock: tuple[Stock, SimulationOptions]) -> None:
    """Fifty whole lives each."""
    stock, options = other_stock
    cohort = _cohort(N_OTHER_FAST + N_OTHER_NIGHTLY)
    for row in range(N_OTHER_FAST, N_OTHER_FAST + N_OTHER_NIGHTLY):
        _require_equal(stock, cohort, row, options)
