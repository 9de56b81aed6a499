"""The published numbers of R's accrual, to the digits given."""

import pytest

from trajsim.errors import ConfigError
from trajsim.trials.rates.prior_weight import PriorWeight

PLAN = PriorWeight(target=300, duration=36.0, weight=0.5)
TAILS = [0.025, 0.5, 0.975]


def test_the_total_of_the_informative_prior() -> None:
    total = PLAN.total(recruited=100, elapsed=10.0, at=36.0)
    assert total.quantile(TAILS).tolist() == [292, 332, 375]
    assert round(total.mean, 2) == 332.14


def test_the_time_to_the_target_of_the_informative_prior() -> None:
    finish = PLAN.finish(recruited=100, elapsed=10.0)
    assert [round(each, 2) for each in finish.quantile(TAILS).tolist()] == [28.58, 32.39, 36.96]
    assert finish.probability_by(float(finish.quantile(0.3))) == pytest.approx(0.3)
    assert finish.mean == pytest.approx(10.0 + 28.0 * 200 / 249)


def test_the_multicentre_form() -> None:
    total, sites = PLAN.totals_by_site(recruited=[9, 10, 10, 10, 11, 11, 11, 12, 12, 12], elapsed=10.0, at=36.0)
    assert (round(total.mean, 2), round(total.sd, 2)) == (347.57, 21.49)
    assert sites[0].quantile(TAILS).tolist() == [20, 31, 45]
    assert sites[9].quantile(TAILS).tolist() == [25, 37, 52]


def test_impossible_plans_and_progress_are_refused() -> None:
    with pytest.raises(ConfigError, match="weight"):
        PriorWeight(target=300, duration=36.0, weight=1.5)
    with pytest.raises(ConfigError, match="negative"):
        PLAN.total(recruited=10, elapsed=5.0, at=4.0)
    with pytest.raises(ConfigError, match="reached already"):
        PLAN.finish(recruited=300, elapsed=10.0)
