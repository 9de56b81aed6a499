import numpy as np
import pytest
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.trials.rates.fit import AccrualHistory, fit_rates
from trajsim.trials.rates.gamma_poisson import log_likelihood
from trajsim.trials.rates.shapes import Constant, Decay, Ramp, Shape


def history(shape: Shape, *, seed: int, alpha: float = 1.5, mean: float = 1.0, n_sites: int = 60) -> AccrualHistory:
    random = np.random.default_rng(seed)
    exposures = random.uniform(6.0, 12.0, n_sites)
    operational = shape.cumulative(exposures)
    counts = random.poisson(random.gamma(alpha, mean / alpha, n_sites) * operational)
    sites = np.repeat(np.arange(n_sites), counts)
    times = shape.inverse(random.uniform(size=sites.size) * operational[sites])
    return AccrualHistory(exposures=exposures, sites=sites, times=np.minimum(times, exposures[sites]))


def test_a_constant_rate_is_kept() -> None:
    choice = fit_rates(history(Constant(), seed=1))
    assert choice.best.name == "constant"
    assert choice.homogeneous_p > 0.001  # wrong once in a thousand seeds; its size is measured in tests/statistical
    assert choice.best.gamma.mean == pytest.approx(1.0, rel=0.35)
    assert choice.best.heterogeneity_p < 1e-6


@pytest.mark.parametrize(("shape", "name"), [(Decay(delta=0.2), "decay"), (Ramp(duration=5.0), "ramp")])
def test_a_changing_rate_rejects_the_constant_one(shape: Shape, name: str) -> None:
    choice = fit_rates(history(shape, seed=2))
    assert choice.best.name == name
    assert choice.is_homogeneous_rejected
    assert (choice.decay_p < 0.05) == (name == "decay")
    assert [fit.bic for fit in choice.fits] == sorted(fit.bic for fit in choice.fits)


def test_the_constant_fit_maximises_the_marginal_likelihood_of_counts() -> None:
    data = history(Constant(), seed=3)
    fit = fit_rates(data, shapes=["constant"]).best
    alpha, beta = fit.gamma.shape, fit.gamma.rate
    best = log_likelihood(alpha, beta, data.counts, data.exposures)
    for factor in (0.97, 1.03):
        assert log_likelihood(alpha * factor, beta, data.counts, data.exposures) < best
        assert log_likelihood(alpha, beta * factor, data.counts, data.exposures) < best


def test_the_posterior_counts_operational_time() -> None:
    data = history(Ramp(duration=5.0), seed=2)
    fit = fit_rates(data, shapes=["ramp"], criterion="aic").best
    shapes, rates = fit.posterior(data.counts, data.exposures)
    np.testing.assert_allclose(shapes, fit.gamma.shape + data.counts)
    np.testing.assert_allclose(rates, fit.gamma.rate + fit.shape.cumulative(data.exposures))


def test_equal_sites_are_found_equal() -> None:
    fit = fit_rates(history(Constant(), seed=4, alpha=1e4), shapes=["constant"]).best
    assert fit.heterogeneity_p > 0.05


def test_a_trial_without_patients_has_a_rate_near_0() -> None:
    empty = AccrualHistory(exposures=np.array([3.0, 2.0]), sites=np.empty(0, np.int64), times=np.empty(0))
    assert fit_rates(empty, shapes=["constant"]).best.gamma.mean < 0.01


def _wrong(exposures: list[float], sites: list[int], times: list[float]) -> tuple[NDArray[np.float64], ...]:
    return np.array(exposures, float), np.array(sites, np.int64), np.array(times, float)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (_wrong([], [], []), "needs sites"),
        (_wrong([1.0], [1], [0.5]), "number of a site"),
        (_wrong([1.0], [0], [1.5]), "while the site is open"),
    ],
)
def test_impossible_histories_are_refused(arrays: "tuple[NDArray[np.float64], ...]", words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        AccrualHistory(exposures=arrays[0], sites=arrays[1].astype(np.int64), times=arrays[2])


def test_impossible_questions_are_refused() -> None:
    data = history(Constant(), seed=1)
    with pytest.raises(ConfigError, match="shapes"):
        fit_rates(data, shapes=[])
    with pytest.raises(ConfigError, match="n_pieces"):
        fit_rates(data, n_pieces=1)
