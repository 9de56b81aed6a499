import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.trials.draws import Performance
from trajsim.trials.rates.arrivals import simulate_arrivals
from trajsim.trials.rates.gamma_poisson import GammaRate
from trajsim.trials.rates.plan import AccrualPlan, Delay, SitePlan
from trajsim.trials.rates.shapes import Piecewise, Ramp

RATE = GammaRate.of_mean(1.0, cv=0.8)
SITES = [
    SitePlan(
        name=f"site {number}", rate=RATE, start=0.5 * number, delay=Delay(mean=1.0, sd=0.7), country="AB"[number % 2]
    )
    for number in range(8)
]


def test_neither_threads_nor_blocks_change_a_byte() -> None:
    plan = AccrualPlan(sites=SITES, shape=Ramp(duration=3.0))
    one = simulate_arrivals(plan, n_patients=50, horizon=24.0, n_replicates=40, seed=5)
    other = simulate_arrivals(
        plan, n_patients=50, horizon=24.0, n_replicates=40, seed=5, performance=Performance(threads=3, block=7)
    )
    assert one.times.tobytes() == other.times.tobytes()
    assert one.sites.tobytes() == other.sites.tobytes()


def test_another_site_changes_no_arrival_of_the_others() -> None:
    few = simulate_arrivals(AccrualPlan(sites=SITES[:4]), n_patients=400, horizon=24.0, n_replicates=20, seed=5)
    many = simulate_arrivals(AccrualPlan(sites=SITES), n_patients=800, horizon=24.0, n_replicates=20, seed=5)
    for replicate in range(20):
        kept = many.times[replicate][(many.sites[replicate] >= 0) & (many.sites[replicate] < 4)]
        before = few.times[replicate]
        assert before[np.isfinite(before)].tolist() == kept.tolist()


def test_arrivals_are_in_order_and_within_the_life_of_their_site() -> None:
    sites = [SitePlan(name=site.name, rate=RATE, start=site.start, closes=10.0) for site in SITES]
    found = simulate_arrivals(AccrualPlan(sites=sites), n_patients=200, horizon=30.0, n_replicates=30, seed=1)
    here = found.sites >= 0
    starts = np.array([site.start for site in sites])
    assert np.all(found.times[:, 1:] >= found.times[:, :-1])
    assert np.all(found.times[here] >= starts[found.sites[here]])
    assert np.all(found.times[here] <= 10.0 + 1e-9)
    assert np.all(np.isinf(found.times[~here]))


def test_caps_and_quotas_hold() -> None:
    sites = [SitePlan(name=site.name, rate=RATE, cap=5, country=site.country) for site in SITES]
    plan = AccrualPlan(sites=sites, quotas={"A": 7})
    found = simulate_arrivals(plan, n_patients=100, horizon=60.0, n_replicates=30, seed=1)
    for row in found.sites:
        counts = np.bincount(row[row >= 0], minlength=8)
        assert counts.max() <= 5
        assert counts[::2].sum() <= 7
    assert found.counts_by(60.0).max() <= 27


def test_a_site_that_is_open_goes_on_from_now() -> None:
    calendar = Piecewise([20.0, 30.0], [1.0, 0.0, 1.0])
    plan = AccrualPlan(sites=[SitePlan(name="a", rate=RATE, start=-8.0)], since=10.0, calendar=calendar)
    found = simulate_arrivals(plan, n_patients=30, horizon=60.0, n_replicates=50, seed=1)
    times = found.times[np.isfinite(found.times)]
    assert times.min() >= 10.0
    assert not np.any((times > 20.0 + 1e-9) & (times < 30.0))


def test_knowledge_of_each_replicate_replaces_that_of_the_plan() -> None:
    plan = AccrualPlan(sites=SITES[:1])
    found = simulate_arrivals(
        plan,
        n_patients=50,
        horizon=24.0,
        n_replicates=20,
        seed=1,
        knowledge=lambda rows: (np.full((rows.size, 1), 1e6), np.where(rows[:, None] < 10, 1e6, 1e9)),
    )
    counts = found.counts_by(24.0)
    assert counts[:10].mean() > 10
    assert counts[10:].max() <= 3


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_patients"):
        simulate_arrivals(AccrualPlan(sites=SITES), n_patients=0, horizon=1.0, n_replicates=1, seed=1)
    with pytest.raises(ConfigError, match="horizon"):
        simulate_arrivals(AccrualPlan(sites=SITES), n_patients=1, horizon=0.0, n_replicates=1, seed=1)
