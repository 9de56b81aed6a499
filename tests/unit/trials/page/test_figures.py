import datetime as dt

import pytest

from trajsim.errors import ConfigError
from trajsim.trials.feasibility import CriterionCounts
from trajsim.trials.page import figures
from trajsim.trials.page.figures import MINUS


def test_numbers_read_well() -> None:
    counts = [figures.count(value) for value in (None, 0.0, 3.0, 3.04, 9.96, 1234.6, -1.5, -0.01, float("inf"))]
    assert counts == ["not known", "0", "3", "3", "10", "1,235", f"{MINUS}1.5", "0", "not known"]
    assert [figures.change(value) for value in (0.0, 34.2, -2.5, None)] == ["0", "+34", f"{MINUS}2.5", "not known"]
    assert figures.change(0.04, 1) == "0"
    shares = [figures.percent(value) for value in (0.0, 0.004, 0.237, 0.996, 1.0, float("nan"))]
    assert shares == ["0 %", "0.4 %", "24 %", "99.6 %", "100 %", "not known"]
    assert [figures.rate(value) for value in (0.2, None)] == ["0.2", "not known"]


def test_intervals_read_well() -> None:
    assert figures.between({"mean": 212.0, "low": 190.0, "high": 230.4}) == "212 (190 to 230)"
    assert figures.between({"mean": None, "low": None, "high": None}) == "not known"
    assert figures.difference({"mean": 0.34, "low": 0.3, "high": 0.38}, scale=100) == "+34 (+30 to +38)"
    assert figures.difference({"mean": 3.0, "low": None, "high": None}) == "+3"
    assert figures.difference({"mean": None, "low": None, "high": None}) == "not known"


def test_days_read_well() -> None:
    assert figures.day("2024-03-03") == figures.day(dt.date(2024, 3, 3)) == "3 Mar 2024"
    assert figures.day(None) == "not within the time simulated"


def test_the_interval_of_a_share_is_wilsons() -> None:
    # 1 - 0.5 ** (1/n) and the like are exact; Wilson's for 0 of n is z^2 / (n + z^2).
    low, high = figures.proportion_interval(0.0, 20)
    assert low == 0.0
    assert high == pytest.approx(1.959964**2 / (20 + 1.959964**2))
    low, high = figures.proportion_interval(0.5, 100)
    assert [low, high] == pytest.approx([0.4038, 0.5962], abs=1e-4)
    with pytest.raises(ConfigError, match="needs replicates"):
        figures.proportion_interval(0.5, 0)


def test_counts_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="denies in all"):
        CriterionCounts(criterion="adult", n_removed=5, n_failing=4, n_failing_alone=1, n_true=0, n_unknown=0)
    with pytest.raises(ConfigError, match="negative"):
        CriterionCounts(criterion="adult", n_removed=0, n_failing=4, n_failing_alone=1, n_true=0, n_unknown=-1)
    whole = CriterionCounts(criterion="adult", n_removed=3, n_failing=4, n_failing_alone=1, n_true=2, n_unknown=0)
    assert whole.n_failing_with_others == 3
