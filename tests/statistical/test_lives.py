"""Lives on the bundled modules with the default lifecycle: as long as the life table says, and no impossible value."""

import pytest

from tests.statistical.conftest import Script

N_SMALL = 1_000


def outside(seen: object) -> dict[str, object]:
    return {code: found for code, found in seen.values.items() if found.outside}  # type: ignore[attr-defined]


def test_no_value_of_a_thousand_lives_is_impossible_and_their_length_is_the_tables(script: Script) -> None:
    lives = script("life_expectancy")
    seen = lives.live(N_SMALL, seed=7)
    assert outside(seen) == {}
    for sex in (0, 1):
        mean, error = seen.expectancy(sex)
        assert abs(mean - lives.table_expectancy(sex)) < lives.TOLERANCE_YEARS + 4 * error


def test_all_signs_with_bounds_are_observed(script: Script) -> None:
    """A bound of a code that nobody writes would guard nothing."""
    lives = script("life_expectancy")
    seen = lives.live(200, seed=8)
    expected = {"8302-2", "29463-7", "39156-5", "9843-4", "8480-6", "8462-4", "8867-4", "9279-1", "59408-5", "4548-4",
                "1558-6", "2160-0", "3094-0", "98979-8", "2093-3", "2571-8", "13457-7", "2085-9"}  # fmt: skip
    assert expected <= set(seen.values)
    assert expected <= set(lives.BOUNDS)


@pytest.mark.nightly
def test_no_value_of_a_hundred_thousand_lives_is_impossible_and_life_expectancy_is_met(script: Script) -> None:
    lives = script("life_expectancy")
    seen = lives.live(100_000, seed=7, threads=2)
    assert outside(seen) == {}
    for sex in (0, 1):
        mean, _ = seen.expectancy(sex)
        assert abs(mean - lives.table_expectancy(sex)) <= lives.TOLERANCE_YEARS
