import math

import numpy as np
import pytest
from scipy import stats

from trajsim.errors import ConfigError
from trajsim.trials.design.group_sequential import GroupSequential, Spending, spent


def test_one_analysis_has_the_bound_of_the_normal() -> None:
    assert GroupSequential(alpha=0.025).upper[0] == pytest.approx(1.959964, abs=1e-6)


def test_the_bounds_of_the_published_design() -> None:
    """The vignette of lrstat: O'Brien-Fleming spending at 80 % and 100 %."""
    assert [round(z, 3) for z in GroupSequential(fractions=(0.8, 1.0)).upper] == [2.250, 2.025]


def test_the_bounds_of_five_equal_analyses() -> None:
    """Jennison, Turnbull (2000) and every table of Lan-DeMets bounds, two-sided 5 %."""
    thirds = (0.2, 0.4, 0.6, 0.8, 1.0)
    obrien = GroupSequential(fractions=thirds).upper
    assert [round(z, 2) for z in obrien] == [4.88, 3.36, 2.68, 2.29, 2.03]
    pocock = GroupSequential(fractions=thirds, spending="pocock").upper
    assert [round(z, 2) for z in pocock] == [2.44, 2.43, 2.41, 2.40, 2.39]


@pytest.mark.parametrize(
    ("spending", "parameter"),
    [("obrien-fleming", 1.0), ("pocock", 1.0), ("power", 3.0), ("hwang-shih-decani", -4.0), ("hwang-shih-decani", 0.0)],
)
def test_the_error_is_spent_as_asked(spending: Spending, parameter: float) -> None:
    fractions = (0.3, 0.55, 0.8, 1.0)
    plan = GroupSequential(fractions=fractions, spending=spending, parameter=parameter)
    crossing = plan.crossing([0.0] * 4)
    want = spent(fractions, alpha=0.025, spending=spending, parameter=parameter)
    np.testing.assert_allclose(np.cumsum(crossing.efficacy), want, atol=1e-9)
    assert crossing.power == pytest.approx(0.025, abs=1e-9)


def test_the_power_of_two_analyses_is_that_of_the_bivariate_normal() -> None:
    plan = GroupSequential(fractions=(0.5, 1.0), spending="pocock")
    means = [1.8, 2.7]
    found = plan.crossing(means)
    law = stats.multivariate_normal(means, [[1.0, math.sqrt(0.5)], [math.sqrt(0.5), 1.0]])
    assert found.power == pytest.approx(1.0 - float(law.cdf(plan.upper)), abs=1e-5)


def test_futility_costs_power_and_not_the_error() -> None:
    free = GroupSequential(fractions=(0.5, 1.0))
    futile = GroupSequential(fractions=(0.5, 1.0), futility=(0.5, 0.0))
    assert futile.upper == free.upper
    assert futile.lower == (0.5, -math.inf)
    assert futile.crossing([0.0, 0.0]).futility[0] == pytest.approx(stats.norm.cdf(0.5))
    assert futile.crossing([2.0, 2.8]).power < free.crossing([2.0, 2.8]).power
    assert futile.crossing([0.0, 0.0]).power < 0.025


def test_an_analysis_too_early_to_spend_anything_cannot_stop() -> None:
    assert GroupSequential(fractions=(0.01, 1.0)).upper[0] == math.inf


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        GroupSequential(fractions=(0.5, 0.4), alpha=0.7, futility=(0.0,))
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(ConfigError, match="spending must be"):
        GroupSequential(spending="all")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigError, match="exponent"):
        GroupSequential(spending="power", parameter=0.0)
