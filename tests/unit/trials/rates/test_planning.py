import numpy as np
import pytest
from scipy import stats

from trajsim.errors import ConfigError
from trajsim.trials.rates.gamma_poisson import GammaRate, TimeToMore
from trajsim.trials.rates.plan import AccrualPlan, Delay, SitePlan
from trajsim.trials.rates.planning import plan_accrual, total_by

RATE = GammaRate(shape=1.5, rate=1.5)
OPEN = AccrualPlan(sites=[SitePlan(name=str(number), rate=RATE) for number in range(20)])


def test_sites_that_open_together_have_the_exact_answers() -> None:
    found = plan_accrual(OPEN, target=100, times=[4.0], horizon=40.0, quantiles=[0.1, 0.5, 0.9])
    exact = TimeToMore(more=100, shape=30.0, scale=1.5)
    assert found.method == "moments"
    np.testing.assert_allclose(found.finish, exact.quantile([0.1, 0.5, 0.9]), rtol=1e-5)
    assert found.totals[0].tolist() == stats.nbinom(30.0, 1.5 / 5.5).ppf([0.1, 0.5, 0.9]).tolist()
    assert found.reached[0] == pytest.approx(float(exact.probability_by(4.0)))


def test_delays_shift_and_spread_the_total() -> None:
    late = AccrualPlan(sites=[SitePlan(name=s.name, rate=RATE, delay=Delay(mean=2.0, sd=1.0)) for s in OPEN.sites])
    assert total_by(late, 10.0).mean == pytest.approx(20 * 8.0, rel=1e-3)
    assert total_by(late, 10.0).extra > 20 / 1.5 * 8.0**2


@pytest.mark.parametrize("family", ["lognormal", "gamma"])
def test_delays_have_the_moments_that_they_are_given(family: str) -> None:
    delay = Delay(mean=2.0, sd=1.0, family=family)  # type: ignore[arg-type]  # parametrised
    values = delay.quantile((np.arange(20_000) + 0.5) / 20_000)
    assert values.mean() == pytest.approx(2.0, rel=1e-3)
    assert values.std() == pytest.approx(1.0, rel=1e-2)
    assert Delay(mean=2.0).quantile([0.1, 0.9]).tolist() == [2.0, 2.0]


def test_caps_are_simulated_and_a_target_above_them_is_never_reached() -> None:
    capped = AccrualPlan(sites=[SitePlan(name=s.name, rate=RATE, cap=4) for s in OPEN.sites])
    found = plan_accrual(capped, target=81, times=[5.0, 100.0], horizon=200.0, n_replicates=200)
    assert found.method == "simulation"
    assert np.all(np.isinf(found.finish))
    assert found.reached.tolist() == [0.0, 0.0]
    assert found.totals.max() <= 80
    with pytest.raises(ConfigError, match="no formula"):
        plan_accrual(capped, target=10, times=[], horizon=10.0, method="moments")


def test_a_target_beyond_the_horizon_is_an_answer() -> None:
    found = plan_accrual(OPEN, target=10_000, times=[], horizon=10.0)
    assert np.all(np.isinf(found.finish))


def test_simulation_and_formula_agree() -> None:
    sites = [
        SitePlan(name=s.name, rate=RATE, start=0.2 * i, delay=Delay(mean=1.0, sd=0.8)) for i, s in enumerate(OPEN.sites)
    ]
    plan = AccrualPlan(sites=sites)
    one = plan_accrual(plan, target=100, times=[8.0], horizon=60.0)
    other = plan_accrual(plan, target=100, times=[8.0], horizon=60.0, method="simulation", n_replicates=1000)
    error = np.sqrt(total_by(plan, 8.0).variance / 1000)
    assert abs(one.means[0] - other.means[0]) < 4 * error
    assert one.finish[3] == pytest.approx(other.finish[3], rel=0.03)


def test_all_faults_of_a_plan_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        AccrualPlan(
            sites=[
                SitePlan(name="a", rate=RATE, start=5.0, closes=4.0),
                SitePlan(name="a", rate=RATE, cap=-1),
                SitePlan(name="b", rate=RATE, start=float("nan")),
            ],
            quotas={"X": -2},
        )
    text = str(caught.value)
    assert all(
        words in text for words in ("before it opens", "two sites", "cap must", "start must", "where no site", "-2")
    )
    with pytest.raises(ConfigError, match="needs a site"):
        AccrualPlan(sites=[])


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match="quantiles"):
        plan_accrual(OPEN, target=1, times=[], horizon=1.0, quantiles=[1.0])
    for mean, sd in ((-1.0, 0.0), (0.0, 1.0)):
        with pytest.raises(ConfigError, match="delay"):
            Delay(mean=mean, sd=sd)
    with pytest.raises(ConfigError, match="family"):
        Delay(family="normal")  # type: ignore[arg-type]  # wrong on purpose
