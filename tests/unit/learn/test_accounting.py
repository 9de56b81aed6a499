import math

import pytest

from trajsim.errors import ConfigError, PrivacyError
from trajsim.learn.accounting import (
    Release,
    calibration_multiplier,
    epsilon_of,
    solve_noise_multiplier,
)


def test_calibration_noise_goes_through_the_measured_settings() -> None:
    for epsilon, multiplier in ((1.0, 14.0), (3.0, 6.0), (8.0, 4.0)):
        assert calibration_multiplier(epsilon) == pytest.approx(multiplier)
    grid = [calibration_multiplier(epsilon) for epsilon in (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)]
    assert grid == sorted(grid, reverse=True)


def test_nothing_costs_nothing_and_no_noise_costs_everything() -> None:
    assert epsilon_of(1.0, steps=0, sampling_prob=0.1, delta=1e-5) == 0.0
    assert epsilon_of(0.0, steps=1, sampling_prob=0.1, delta=1e-5) == math.inf
    bare = Release(name="count", sensitivity=1.0, noise_multiplier=0.0)
    assert epsilon_of(1.0, steps=1, sampling_prob=0.1, delta=1e-5, releases=[bare]) == math.inf


def test_the_solved_noise_spends_the_budget_and_no_more() -> None:
    releases = [Release(name="count", sensitivity=2.0, noise_multiplier=6.0)] * 3
    sigma = solve_noise_multiplier(epsilon=3.0, delta=1e-5, steps=300, sampling_prob=1024 / 12640, releases=releases)
    assert sigma == pytest.approx(2.314, abs=2e-3)
    spent = epsilon_of(sigma, steps=300, sampling_prob=1024 / 12640, delta=1e-5, releases=releases)
    assert 2.99 < spent <= 3.0


def test_releases_that_spend_the_budget_alone_are_refused() -> None:
    dear = Release(name="count", sensitivity=1.0, noise_multiplier=0.5)
    with pytest.raises(PrivacyError, match="alone"):
        solve_noise_multiplier(epsilon=1.0, delta=1e-5, steps=10, sampling_prob=0.1, releases=[dear])


def test_a_release_has_a_sensitivity() -> None:
    assert Release(name="count", sensitivity=2.0, noise_multiplier=6.0).stddev == 12.0
    with pytest.raises(ConfigError, match="positive sensitivity"):
        Release(name="count", sensitivity=0.0, noise_multiplier=1.0)
