"""Calendar, quantities and distributions of the reference interpreter."""

import math
from itertools import pairwise

import pytest

from trajsim.engine.reference.quantities import (
    age_decimal_years,
    age_months,
    age_years,
    real_time,
    round_half_away,
    sample,
    uniform_between,
    whole_time,
)
from trajsim.gmf.model import Distribution
from trajsim.streams.ints import normal_quantile
from trajsim.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, ms_from_iso


@pytest.mark.parametrize(
    ("birth", "date", "months"),
    [
        ("2000-01-31", "2000-02-29", 0),
        ("2000-01-31", "2000-03-01", 1),
        ("2000-01-31", "2000-03-31", 2),
        ("2000-02-29", "2001-02-28", 11),
        ("2000-02-29", "2001-03-01", 12),
        ("2000-02-29", "2004-02-29", 48),
        ("1990-05-17", "1990-05-16", 0),
        ("1965-12-31", "1970-01-01", 48),
    ],
)
def test_age_in_months_follows_the_calendar(birth: str, date: str, months: int) -> None:
    assert age_months(ms_from_iso(birth), ms_from_iso(date)) == months
    assert age_years(ms_from_iso(birth), ms_from_iso(date)) == months // 12


@pytest.mark.parametrize(
    ("birth", "date", "expected"),
    [
        ("2000-01-31", "2000-03-01", 1 / 12 + 1 / 365.2425),  # a month after 31 January is the last of February
        ("2000-02-10", "2001-03-15", 1 + 1 / 12 + 5 / 365.2425),
        ("2000-12-15", "2001-01-14", 30 / 365.2425),
    ],
)
def test_decimal_age_adds_months_and_days(birth: str, date: str, expected: float) -> None:
    assert age_decimal_years(ms_from_iso(birth), ms_from_iso(date)) == pytest.approx(expected, abs=1e-12)


def test_decimal_age_never_falls() -> None:
    birth = ms_from_iso("1999-08-31")
    days = [ms_from_iso("1999-08-31") + day * DAY_MS for day in range(1_500)]
    ages = [age_decimal_years(birth, day) for day in days]
    assert all(later >= earlier for earlier, later in pairwise(ages))
    assert ages[-1] == pytest.approx(1_499 / 365.25, abs=0.01)


@pytest.mark.parametrize(
    ("quantity", "unit", "real", "whole"),
    [
        (1.5, "seconds", 1_500, SECOND_MS),
        (1.51, "minutes", 90 * SECOND_MS, MINUTE_MS),
        (0.99, "hours", 59 * MINUTE_MS, 0),
        (2.7, "days", 64 * HOUR_MS, 2 * DAY_MS),
        (1.9, "weeks", 13 * DAY_MS, 7 * DAY_MS),
        (1.5, "months", 45 * DAY_MS, 30 * DAY_MS),
        (4, "years", 1_461 * DAY_MS, 1_460 * DAY_MS),
        (-0.5, "days", -12 * HOUR_MS, 0),
    ],
)
def test_quantity_becomes_time_by_two_paths(quantity: float, unit: str, real: int, whole: int) -> None:
    assert real_time(quantity, unit) == real
    assert whole_time(quantity, unit) == whole


def test_distributions_at_a_known_uniform() -> None:
    assert sample(Distribution("EXACT", value=3.0), 0.9) == 3.0
    assert sample(Distribution("UNIFORM", low=2.0, high=6.0), 0.25) == 3.0
    assert sample(Distribution("EXPONENTIAL", mean=10.0), 0.5) == 1.0 - 10.0 * math.log(0.5)
    gaussian = Distribution("GAUSSIAN", mean=5.0, standard_deviation=2.0)
    assert sample(gaussian, 0.9) == 2.0 * normal_quantile(0.9) + 5.0
    assert sample(Distribution("GAUSSIAN", mean=5.0, standard_deviation=2.0, max=5.5), 0.9) == 5.5
    assert sample(Distribution("GAUSSIAN", mean=5.0, standard_deviation=2.0, min=4.0), 0.01) == 4.0


@pytest.mark.parametrize(("u", "expected"), [(0.0, 0.0), (0.25, 5.0), (0.9999999999, 20.0)])
def test_triangular_inverts_its_distribution_function(u: float, expected: float) -> None:
    distribution = Distribution("TRIANGULAR", min=0.0, mode=5.0, max=20.0)
    assert sample(distribution, u) == pytest.approx(expected, abs=1e-3)


def test_triangular_without_width_is_its_minimum() -> None:
    assert sample(Distribution("TRIANGULAR", min=4.0, mode=4.0, max=4.0), 0.5) == 4.0


@pytest.mark.parametrize(("value", "expected"), [(2.5, 3.0), (-2.5, -2.0), (2.4999, 2.0)])
def test_round_of_a_distribution_is_half_up(value: float, expected: float) -> None:
    assert sample(Distribution("EXACT", round=True, value=value), 0.0) == expected


@pytest.mark.parametrize(
    ("value", "decimals", "expected"), [(2.25, 1, 2.3), (-2.25, 1, -2.3), (2.5, 0, 3.0), (7.123, None, 7.123)]
)
def test_decimals_of_a_range_round_half_away_from_zero(value: float, decimals: int | None, expected: float) -> None:
    assert round_half_away(value, decimals) == expected


def test_uniform_is_low_at_zero() -> None:
    assert uniform_between(3.0, 3.0, 0.7) == 3.0
    assert uniform_between(-1.0, 4.0, 0.0) == -1.0
