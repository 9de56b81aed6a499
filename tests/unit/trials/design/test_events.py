import math

import numpy as np
import pytest
from scipy import integrate

from trajsim.errors import ConfigError
from trajsim.trials.design.events import dropout_hazard, events_for_logrank, expected_events


@pytest.mark.parametrize(("hazard_ratio", "events"), [(0.70, 330.4), (0.75, 507.8), (0.60, 161.1)])
def test_the_events_of_the_log_rank_test(hazard_ratio: float, events: float) -> None:
    assert round(events_for_logrank(hazard_ratio), 1) == events


def test_unequal_arms_need_more_events() -> None:
    assert events_for_logrank(0.7, treated_share=2 / 3) == pytest.approx(events_for_logrank(0.7) * 9 / 8)


def test_dropout() -> None:
    assert dropout_hazard(0.05, time=12) == pytest.approx(-np.log(0.95) / 12)
    assert dropout_hazard(0.0) == 0.0
    with pytest.raises(ConfigError):
        dropout_hazard(1.0)


@pytest.mark.parametrize("time", [0.0, 5.0, 12.0, 20.0, 300.0])
def test_expected_events_are_the_integral_over_entries(time: float) -> None:
    rate, duration, hazard, lost = 8.0, 12.0, 0.05, 0.01

    def had(entry: float) -> float:
        follow = time - entry
        return rate * hazard / (hazard + lost) * (1.0 - math.exp(-(hazard + lost) * follow))

    want, _ = integrate.quad(had, 0.0, min(time, duration))
    got = expected_events(time, accrual_rate=rate, accrual_duration=duration, hazard=hazard, dropout=lost)
    assert float(got) == pytest.approx(want, abs=1e-9)


def test_the_formula_as_it_is_published() -> None:
    r, duration, hazard, lost, t = 8.0, 12.0, 0.05, 0.01, 20.0
    h = hazard + lost
    want = r * hazard / h * (duration - np.exp(-h * t) * (np.exp(h * duration) - 1) / h)
    got = expected_events([t], accrual_rate=r, accrual_duration=duration, hazard=hazard, dropout=lost)
    assert got[0] == pytest.approx(want)


def test_no_hazard_no_events() -> None:
    assert expected_events([5.0], accrual_rate=1.0, accrual_duration=2.0, hazard=0.0).tolist() == [0.0]


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ConfigError):
        events_for_logrank(1.0)
    with pytest.raises(ConfigError):
        expected_events(1.0, accrual_rate=-1.0, accrual_duration=1.0, hazard=1.0)
