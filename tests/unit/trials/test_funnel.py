import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.trials.draws import Performance
from trajsim.trials.funnel import Funnel, FunnelStep, PortfolioOptions, simulate_portfolio

N_TRIALS = 4_000
# Walters 2017: 44 % missed; Carlisle 2015: 19 %; McDonald 2006: 69 % did not hit their target.
LEAST, MOST = 0.19, 0.69


def test_the_default_shares_have_the_published_quartiles() -> None:
    for step in Funnel().steps:
        low, median, high = step.published
        assert step.quantile([0.25, 0.5, 0.75]) == pytest.approx((low, median, high), abs=0.036)


def test_the_medians_of_a_portfolio_lie_inside_the_published_quartiles() -> None:
    portfolio = simulate_portfolio(n_trials=N_TRIALS, seed=3)
    for step, median in zip(Funnel().steps, portfolio.medians(), strict=True):
        assert step.published[0] < median < step.published[2]
        assert median == pytest.approx(step.published[1], abs=0.05)


def test_the_planned_share_is_the_product_of_the_published_medians() -> None:
    assert Funnel().planned_share() == pytest.approx(0.70 * 0.70 * 0.90, abs=0.035)
    assert Funnel().thinned(100.0) == pytest.approx(100.0 * Funnel().planned_share())


@pytest.mark.parametrize("overestimate", [1.0, 1.25, 1.5])
def test_optimistic_plans_fail_as_often_as_published(overestimate: float) -> None:
    portfolio = simulate_portfolio(PortfolioOptions(overestimate=overestimate), n_trials=N_TRIALS, seed=3)
    assert LEAST < portfolio.missed < MOST
    assert LEAST < portfolio.failed_accrual < MOST
    assert portfolio.on_time + portfolio.extended == pytest.approx(1.0)
    assert portfolio.reached_80 >= 1.0 - portfolio.missed


def test_a_full_lasagna_factor_would_fail_more_often_than_any_survey_saw() -> None:
    assert simulate_portfolio(PortfolioOptions(overestimate=2.0), n_trials=N_TRIALS, seed=3).missed > MOST


def test_about_half_of_those_screened_are_enrolled() -> None:
    portfolio = simulate_portfolio(n_trials=N_TRIALS, seed=3)
    assert portfolio.enrolled_of_screened == pytest.approx(0.47, abs=0.08)
    each = portfolio.shares[:, 1] * portfolio.shares[:, 2]
    assert np.quantile(each, [0.01, 0.99]) == pytest.approx((0.02, 0.98), abs=0.05)


def test_more_optimism_fails_more_often_and_more_invitations_less() -> None:
    missed = [simulate_portfolio(PortfolioOptions(optimism=q), n_trials=1_000, seed=3).missed for q in (0.4, 0.5, 0.6)]
    assert missed == sorted(missed)
    plans = [PortfolioOptions(contingency=c) for c in (0.0, 0.3, 1.0)]
    missed = [simulate_portfolio(plan, n_trials=1_000, seed=3).missed for plan in plans]
    assert missed == sorted(missed, reverse=True)


def test_without_an_extension_the_planned_end_is_the_end() -> None:
    portfolio = simulate_portfolio(PortfolioOptions(extension=0.0), n_trials=500, seed=3)
    assert portfolio.missed == portfolio.extended
    assert portfolio.randomised.max() == 300


def test_trials_that_lose_nobody_and_whose_sites_are_alike_arrive_as_planned() -> None:
    sure = FunnelStep(name="sure", a=1e9, b=1e-3, published=(1.0, 1.0, 1.0))
    plan = PortfolioOptions(overestimate=1.0, contingency=0.0, extension=0.0, site_shape=1e6)
    portfolio = simulate_portfolio(plan, n_trials=N_TRIALS, seed=3, funnel=Funnel(recruitment=(sure,), retention=()))
    # Poisson with mean 300: 300 or more with probability 0.5077 (the median is 300).
    assert portfolio.on_time == pytest.approx(0.5077, abs=3 * 0.5 / N_TRIALS**0.5)
    assert portfolio.enrolled_of_screened == pytest.approx(1.0)


def test_neither_threads_nor_blocks_change_a_trial_and_more_trials_change_none_before() -> None:
    first = simulate_portfolio(n_trials=500, seed=3)
    other = simulate_portfolio(n_trials=500, seed=3, performance=Performance(threads=3, block=77))
    more = simulate_portfolio(n_trials=700, seed=3)
    assert first.randomised.tobytes() == other.randomised.tobytes()
    assert first.shares.tobytes() == other.shares.tobytes() == more.shares[:500].tobytes()


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        PortfolioOptions(target=0, optimism=1.0, extension=-1.0)
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(ConfigError, match="parameters of step 'x'"):
        FunnelStep(name="x", a=0.0, b=1.0, published=(0.0, 0.0, 0.0))
