import pytest

from trajsim.errors import ConfigError
from trajsim.trials.design.borrowing import (
    BorrowingResult,
    BorrowingTrial,
    Commensurate,
    PowerPrior,
    Rule,
    borrow,
    power_prior_formula,
)
from trajsim.trials.draws import Performance

TRIAL = BorrowingTrial(n_treated=100, n_control=50, n_historical=200, effect=0.4)
RULES: list[Rule] = [PowerPrior(weight=0.0), PowerPrior(weight=0.3), PowerPrior(weight=1.0), Commensurate()]


def table(n: int = 8_000) -> dict[tuple[str, float], BorrowingResult]:
    rows = borrow(TRIAL, RULES, drifts=[-0.25, 0.0, 0.25], n_replicates=n)
    return {(row.rule, row.drift): row for row in rows}


def test_simulation_and_formula_agree() -> None:
    rows = table()
    for rule in RULES[:3]:
        assert isinstance(rule, PowerPrior)
        for drift in (-0.25, 0.0, 0.25):
            got, want = rows[rule.name, drift], power_prior_formula(TRIAL, rule, drift)
            for name in ("type_i", "power", "coverage"):
                share = getattr(want, name)
                error = max(share * (1 - share) / 8_000, 1e-6) ** 0.5
                assert getattr(got, name) == pytest.approx(share, abs=4 * error), name
            assert got.bias == pytest.approx(want.bias, abs=0.01)
            assert got.rmse == pytest.approx(want.rmse, rel=0.05)
            assert got.borrowed == pytest.approx(want.borrowed)


def test_at_no_drift_borrowing_gains() -> None:
    rows = table()
    alone = rows["no borrowing", 0.0]
    for rule in RULES[1:]:
        assert rows[rule.name, 0.0].power > alone.power
        assert rows[rule.name, 0.0].rmse < alone.rmse
        assert rows[rule.name, 0.0].borrowed > 10


def test_at_a_drift_of_a_quarter_the_inflation_is_in_the_table() -> None:
    rows = table()
    assert abs(rows["no borrowing", 0.25].inflation) < 4 * rows["no borrowing", 0.25].error
    for rule, least in (("power prior 0.3", 0.07), ("fixed (pooled)", 0.3), ("commensurate 0.25", 0.01)):
        for drift in (-0.25, 0.25):
            assert rows[rule, drift].inflation > least
            assert rows[rule, drift].inflation == pytest.approx(rows[rule, drift].type_i - 0.05)


def test_the_commensurate_rule_borrows_less_the_more_the_past_differs() -> None:
    rows = borrow(TRIAL, [Commensurate()], drifts=[0.0, 0.25, 0.5, 2.0], n_replicates=2_000)
    borrowed = [row.borrowed for row in rows]
    assert borrowed[0] > borrowed[1] > 10.0 > max(borrowed[2:])
    assert rows[3].bias == pytest.approx(-1 / (0.25 * 50), abs=0.01)  # far away the bias tends to 1 / (scale n_control)


def test_threads_and_blocks_change_nothing() -> None:
    one = borrow(TRIAL, RULES, drifts=[0.1], n_replicates=500)
    assert borrow(TRIAL, RULES, drifts=[0.1], n_replicates=500, performance=Performance(threads=2, block=33)) == one


def test_no_historical_controls_change_nothing() -> None:
    trial = BorrowingTrial(n_treated=100, n_control=50, n_historical=0, effect=0.4)
    rows = borrow(trial, RULES, drifts=[0.25], n_replicates=500)
    assert {round(row.power, 6) for row in rows} == {round(rows[0].power, 6)}


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match="both arms"):
        BorrowingTrial(n_treated=0, n_control=5, n_historical=5, effect=0.1)
    with pytest.raises(ConfigError, match="weight"):
        PowerPrior(weight=2.0)
    with pytest.raises(ConfigError, match="scale"):
        Commensurate(scale=0.0)
    with pytest.raises(ConfigError, match="a rule and a drift"):
        borrow(TRIAL, [])
