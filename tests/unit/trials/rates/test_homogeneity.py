import pytest
from scipy import stats

from trajsim.errors import ConfigError
from trajsim.trials.rates.homogeneity import decay_p_value, heterogeneity_p_value


def test_equal_windows_show_no_decay() -> None:
    assert decay_p_value(20, 20) == pytest.approx(0.5)


def test_the_test_agrees_with_the_likelihood_ratio_written_out() -> None:
    statistic = 2 * (stats.poisson.logpmf([60, 30], [60, 30]).sum() - stats.poisson.logpmf([60, 30], [45, 45]).sum())
    assert decay_p_value(60, 30) == pytest.approx(0.5 * stats.chi2(1).sf(statistic))
    assert decay_p_value(30, 60) == pytest.approx(1 - 0.5 * stats.chi2(1).sf(statistic))


def test_exposures_count() -> None:
    assert decay_p_value(60, 30, early_exposure=2.0, late_exposure=1.0) == pytest.approx(0.5)
    with pytest.raises(ConfigError):
        decay_p_value(1, 1, early_exposure=0.0)


def test_equal_sites_have_p_1() -> None:
    assert heterogeneity_p_value(-10.0, -10.0) == 1.0
    assert heterogeneity_p_value(-10.0, -10.0 + 2.7055434541 / 2) == pytest.approx(0.05, rel=1e-6)
