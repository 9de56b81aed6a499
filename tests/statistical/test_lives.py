"""Lives on the bundled modules with the default lifecycle: as long as the life table says, and no impossible value."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

N_SMALL = 1_000


def life_expectancy(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("life_expectancy", root / "benchmarks" / "life_expectancy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["life_expectancy"] = module
    spec.loader.exec_module(module)
    return module


def outside(seen: object) -> dict[str, object]:
    return {code: found for code, found in seen.values.items() if found.outside}  # type: ignore[attr-defined]


def test_no_value_of_a_thousand_lives_is_impossible_and_they_are_as_long_as_the_table_says(root: Path) -> None:
    benchmark = life_expectancy(root)
    seen = benchmark.live(N_SMALL, seed=7)
    assert outside(seen) == {}
    for sex in (0, 1):
        mean, error = seen.expectancy(sex)
        assert abs(mean - benchmark.table_expectancy(sex)) < benchmark.TOLERANCE_YEARS + 4 * error


def test_all_signs_with_bounds_are_observed(root: Path) -> None:
    """A bound of a code that nobody writes would guard nothing."""
    benchmark = life_expectancy(root)
    seen = benchmark.live(200, seed=8)
    expected = {"8302-2", "29463-7", "39156-5", "9843-4", "8480-6", "8462-4", "8867-4", "9279-1", "59408-5", "4548-4",
                "1558-6", "2160-0", "3094-0", "98979-8", "2093-3", "2571-8", "13457-7", "2085-9"}  # fmt: skip
    assert expected <= set(seen.values)
    assert expected <= set(benchmark.BOUNDS)


@pytest.mark.nightly
def test_no_value_of_a_hundred_thousand_lives_is_impossible_and_life_expectancy_is_met(root: Path) -> None:
    benchmark = life_expectancy(root)
    seen = benchmark.live(100_000, seed=7, threads=2)
    assert outside(seen) == {}
    for sex in (0, 1):
        mean, _ = seen.expectancy(sex)
        assert abs(mean - benchmark.table_expectancy(sex)) <= benchmark.TOLERANCE_YEARS
