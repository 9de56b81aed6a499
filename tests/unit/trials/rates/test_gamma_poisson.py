import numpy as np
import pytest
from scipy import stats

from trajsim.errors import ConfigError
from trajsim.trials.rates.gamma_poisson import (
    CountDistribution,
    GammaRate,
    TimeToMore,
    log_likelihood,
    matched_count,
)


def test_the_marginal_likelihood_is_negative_binomial() -> None:
    counts, exposures = np.array([0, 3, 7]), np.array([2.0, 5.0, 6.0])
    want = stats.nbinom.logpmf(counts, 1.3, 2.1 / (2.1 + exposures)).sum()
    assert log_likelihood(1.3, 2.1, counts, exposures) == pytest.approx(want, rel=1e-12)


def test_a_site_that_was_never_open_says_nothing() -> None:
    assert log_likelihood(1.3, 2.1, [0], [0.0]) == pytest.approx(0.0, abs=1e-15)


def test_the_future_count_of_one_site_is_exact() -> None:
    site = GammaRate(shape=1.5, rate=2.0).given(4, 3.0)
    future = site.future_count(2.5)
    want = stats.nbinom(5.5, 5.0 / 7.5)
    assert (site.shape, site.rate, site.mean) == (5.5, 5.0, 1.1)
    assert future.mean == pytest.approx(want.mean())
    assert future.variance == pytest.approx(want.var())
    assert future.quantile([0.025, 0.5, 0.975]).tolist() == want.ppf([0.025, 0.5, 0.975]).tolist()
    assert future.at_least(4) == pytest.approx(want.sf(3))
    assert future.at_least(0) == 1.0


def test_a_total_has_the_mean_and_variance_of_its_parts() -> None:
    total = matched_count([1.0, 2.0], [2.0, 5.0], [3.0, 4.0])
    assert total.mean == pytest.approx(1.0 * 3 / 2 + 2.0 * 4 / 5)
    assert total.extra == pytest.approx(1.0 * 9 / 4 + 2.0 * 16 / 25)


def test_without_extra_variance_a_count_is_poisson() -> None:
    assert CountDistribution(mean=3.0, extra=0.0).at_least(3) == pytest.approx(float(stats.poisson(3.0).sf(2)))


def test_the_time_to_more_patients_inverts_the_count() -> None:
    """Sites with equal time: N(t) >= K exactly when T <= t."""
    time = TimeToMore(more=20, shape=12.0, scale=9.0)
    for probability in (0.1, 0.5, 0.9):
        at = float(time.quantile(probability))
        assert float(time.probability_by(at)) == pytest.approx(probability)
        assert matched_count([12.0], [9.0], [at]).at_least(20) == pytest.approx(probability, rel=1e-9)


def test_a_gamma_rate_from_its_mean_and_variation() -> None:
    rate = GammaRate.of_mean(0.8, cv=0.5)
    assert [rate.shape, rate.mean] == pytest.approx([4.0, 0.8])
    for wrong in ({"mean": 0.0, "cv": 0.5}, {"mean": 1.0, "cv": 0.0}):
        with pytest.raises(ConfigError):
            GammaRate.of_mean(wrong["mean"], cv=wrong["cv"])
    with pytest.raises(ConfigError):
        GammaRate(shape=0.0, rate=1.0)
    with pytest.raises(ConfigError):
        TimeToMore(more=0, shape=1.0, scale=1.0)
