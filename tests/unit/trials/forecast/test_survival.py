import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws
from trajsim.trials.forecast.survival import FAMILIES, Family, TimeFit, fit_times


def sample(shape: float, *, n: int = 400, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Weibull times with scale 300, censored at uniform times."""
    random = np.random.default_rng(seed)
    times, censoring = 300.0 * random.weibull(shape, n), random.uniform(50.0, 600.0, n)
    return np.minimum(times, censoring), times <= censoring


def fit_of(family: Family, shape: float) -> TimeFit:
    return fit_times(*sample(shape), families=[family]).best


def test_the_exponential_hazard_is_events_over_time() -> None:
    times, events = sample(1.0)
    fit = fit_of("exponential", 1.0)
    assert fit.estimates[0] == pytest.approx(events.sum() / times.sum())
    assert fit.log_likelihood == pytest.approx(events.sum() * np.log(fit.estimates[0]) - events.sum())


def test_the_weibull_fit_maximises_the_likelihood() -> None:
    times, events = sample(1.7)
    fit = fit_of("weibull", 1.7)

    def loss(point: NDArray[np.float64]) -> float:
        law = stats.weibull_min(np.exp(point[0]), scale=np.exp(point[1]))
        return -float(law.logpdf(times[events]).sum() + law.logsf(times[~events]).sum())

    found = optimize.minimize(
        loss, np.array([0.0, np.log(300.0)]), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8}
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-5)
    assert np.exp(fit.estimates[1]) == pytest.approx(np.exp(found.x[0]), rel=1e-4)
    assert np.sqrt((fit.spread @ fit.spread.T)[1, 1]) == pytest.approx(0.78 / np.sqrt(events.sum()), rel=0.2)


def test_the_hazards_of_pieces_are_events_over_time_in_each() -> None:
    fit = fit_of("piecewise", 1.0)
    assert len(fit.cuts) == 2
    np.testing.assert_allclose(fit.estimates, fit.events / fit.exposures)
    assert fit.exposures.sum() == pytest.approx(sample(1.0)[0].sum())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_inverse_undoes_the_cumulative_hazard(family: Family) -> None:
    fit = fit_of(family, 1.4)
    parameters = np.stack([fit.estimates, fit.estimates * 1.1])
    times = np.array([[1.0, 80.0, 400.0, 2000.0]] * 2)
    np.testing.assert_allclose(fit.inverse(parameters, fit.cumulative(parameters, times)), times, rtol=1e-10)


def test_a_piece_without_hazard_lets_nobody_through() -> None:
    times = np.array([1.0, 2.0, 3.0, 50.0])
    fit = fit_times(times, times < 10.0).best
    assert np.isinf(fit.inverse(np.zeros((1, 1)), np.array([[1.0]]))).all()
    assert fit.inverse(np.zeros((1, 1)), np.array([[0.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize(("shape", "family"), [(1.0, "exponential"), (2.0, "weibull")])
def test_the_right_family_wins(shape: float, family: str) -> None:
    assert fit_times(*sample(shape), families=["exponential", "weibull"]).best.family == family


def test_averaging_weighs_by_aic() -> None:
    model = fit_times(*sample(1.0), rule="average")
    aics = np.array([fit.aic for fit in model.fits])
    want = np.exp(-(aics - aics.min()) / 2)
    np.testing.assert_allclose(model.weights, want / want.sum())
    assert fit_times(*sample(1.0), rule="aic").weights == (1.0, 0.0, 0.0)


def test_few_events_leave_an_exponential() -> None:
    times = np.linspace(1.0, 100.0, 30)
    for n_events in (0, 4):
        model = fit_times(times, np.arange(30) < n_events)
        assert [fit.family for fit in model.fits] == ["exponential"]
    none = fit_times(times, np.zeros(30, bool)).best
    parameters = none.draw_parameters(Draws(1), "x", np.arange(2_000))
    assert parameters.mean() == pytest.approx(0.5 / times.sum(), rel=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_residual_times_follow_the_law_given_survival(family: Family) -> None:
    model = fit_times(*sample(1.0, n=4_000), families=[family])
    survived = np.full(5, 200.0)
    times = model.residual_times(Draws(3), "event", np.arange(4_000), survived)
    assert times.min() >= 200.0
    assert np.median(times) == pytest.approx(200.0 + 300.0 * np.log(2), rel=0.06)


def test_drawn_parameters_have_the_uncertainty_of_the_fit() -> None:
    fit = fit_of("weibull", 1.7)
    drawn = fit.draw_parameters(Draws(1), "w", np.arange(4_000))
    np.testing.assert_allclose(drawn.mean(axis=0), fit.estimates, atol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), fit.spread @ fit.spread.T, rtol=0.15, atol=1e-3)


def test_impossible_data_are_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        fit_times(np.array([0.0]), np.array([True]))
    with pytest.raises(ConfigError, match="families"):
        fit_times(np.array([1.0]), np.array([True]), families=[])


@pytest.mark.parametrize("n_censored", [0, 29])
def test_events_on_the_last_day_alone_leave_out_the_weibull(n_censored: int) -> None:
    times = np.concatenate([np.full(12, 30.0), np.arange(1.0, n_censored + 1.0)])
    events = np.arange(times.size) < 12
    model = fit_times(times, events, rule="average")
    assert {fit.family for fit in model.fits} == {"exponential"}
    assert model.best.estimates == pytest.approx([12 / times.sum()])
    assert [fit.family for fit in fit_times(times, events, families=["weibull"]).fits] == ["exponential"]
