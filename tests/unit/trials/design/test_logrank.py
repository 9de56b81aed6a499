import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from trajsim.errors import ConfigError
from trajsim.trials.design.logrank import logrank

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


def data(seed: int, *, n: int = 60, rounded: bool = True) -> tuple[Floats, Flags, Ints]:
    random = np.random.default_rng(seed)
    arms = random.integers(0, 2, n)
    times = random.exponential(np.where(arms == 1, 14.0, 9.0))
    return np.ceil(times) if rounded else times, random.uniform(size=n) < 0.7, arms


def by_hand(times: Floats, events: Flags, arms: Ints, rho: float = 0.0, gamma: float = 0.0) -> tuple[float, float]:
    """The textbook: one 2 x 2 table a distinct event time."""
    score = variance = 0.0
    survival = 1.0
    for time in sorted(set(times[events])):
        at_risk = times >= time
        n, n1 = at_risk.sum(), (at_risk & (arms == 1)).sum()
        died = events & (times == time)
        d, d1 = died.sum(), (died & (arms == 1)).sum()
        weight = survival**rho * (1.0 - survival) ** gamma
        score += weight * (d * n1 / n - d1)
        if n > 1:
            variance += weight**2 * d * n1 / n * (1 - n1 / n) * (n - d) / (n - 1)
        survival *= 1.0 - d / n
    return score, variance


@pytest.mark.parametrize("weights", [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.5, 0.5)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_test_is_that_of_the_textbook(weights: tuple[float, float], seed: int) -> None:
    times, events, arms = data(seed)
    rho, gamma = weights
    found = logrank(times, events, arms, rho=rho, gamma=gamma)
    score, variance = by_hand(times, events, arms, rho, gamma)
    assert found.score[0] == pytest.approx(score)
    assert found.variance[0] == pytest.approx(variance)


def test_scipy_finds_the_same() -> None:
    times, events, arms = data(3)
    groups = [stats.CensoredData.right_censored(times[arms == arm], ~events[arms == arm]) for arm in (0, 1)]
    assert abs(logrank(times, events, arms).z[0]) == pytest.approx(abs(stats.logrank(*groups).statistic))


def test_many_trials_are_the_same_as_one_by_one() -> None:
    trials = [data(seed, rounded=seed % 2 == 0) for seed in range(6)]
    times, events, arms = (np.stack(column) for column in zip(*trials, strict=True))
    together = logrank(times, events, arms).z
    assert together.tolist() == [float(logrank(*trial).z[0]) for trial in trials]


def test_subjects_who_are_not_there_do_not_count() -> None:
    times, events, arms = data(4)
    valid = np.arange(60) % 3 > 0
    found = logrank(times, events, arms, valid=valid)
    assert found.z[0] == pytest.approx(logrank(times[valid], events[valid], arms[valid]).z[0])


def test_strata_add_up() -> None:
    times, events, arms = data(5)
    strata = np.arange(60) % 3
    found = logrank(times, events, arms, strata=strata)
    parts = [by_hand(times[strata == k], events[strata == k], arms[strata == k]) for k in range(3)]
    assert found.score[0] == pytest.approx(sum(score for score, _ in parts))
    assert found.variance[0] == pytest.approx(sum(variance for _, variance in parts))


def test_a_trial_without_events_tells_nothing() -> None:
    times, events, arms = data(6)
    assert logrank(times, np.zeros_like(events), arms).z.tolist() == [0.0]
    assert logrank(times, events, np.ones_like(arms)).z.tolist() == [0.0]


def test_the_sign_is_that_of_the_benefit() -> None:
    times, events = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, bool)
    assert logrank(times, events, np.array([0, 0, 1, 1])).z[0] > 0.0


def test_impossible_requests_are_refused() -> None:
    times, events, arms = data(1)
    with pytest.raises(ConfigError, match="rho"):
        logrank(times, events, arms, rho=-1.0)
    with pytest.raises(ConfigError, match="one shape"):
        logrank(times, events[:5], arms)
