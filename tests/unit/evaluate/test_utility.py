import numpy as np
import pytest

from tests.unit.evaluate.made_up_sequences import made_up_sequences
from trajsim.evaluate.histories import times_to_first
from trajsim.evaluate.ranking import RankedScores
from trajsim.evaluate.resampling import Resampling
from trajsim.evaluate.utility.c_index import Concordance, c_index
from trajsim.evaluate.utility.event_gain import event_nll_gain, nll, share_of_reference_gain
from trajsim.evaluate.utility.expected_observed import (
    free_run_expected_observed,
    poisson_interval,
    teacher_forced_expected_observed,
)
from trajsim.evaluate.utility.tstr import tstr

QUICK = Resampling(n_bootstrap=10, n_floor=2)
REAL = made_up_sequences(800, 21)


def test_harrells_c_is_the_share_of_pairs_in_order() -> None:
    generator = np.random.default_rng(4)
    days, is_event = generator.integers(1, 20, 60), generator.random(60) < 0.5
    risk = generator.integers(0, 5, 60).astype(float)
    right = pairs = 0.0
    for i in range(60):
        for j in range(60):
            if is_event[i] and (days[j] > days[i] or (days[j] == days[i] and not is_event[j])):
                pairs += 1
                right += 1.0 if risk[j] < risk[i] else 0.5 if risk[j] == risk[i] else 0.0
    assert Concordance(days, is_event, risk)(np.ones(60)) == pytest.approx(right / pairs)


def test_c_of_the_true_hazard_is_high_and_of_its_reverse_low() -> None:
    true_risk = np.tile((0.05 * REAL.entry_age_days / 365.25 + 0.4 * REAL.is_male)[:, None], 4)
    metrics = c_index(REAL, true_risk, resampling=QUICK)
    assert metrics[0].key == "c_index.free_run"
    assert 0.6 < metrics[0].low <= metrics[0].value <= metrics[0].high < 0.9
    assert c_index(REAL, -true_risk, resampling=QUICK)[0].value == pytest.approx(1 - metrics[0].value)
    assert np.mean([metric.value for metric in metrics[1:]]) == pytest.approx(metrics[0].value)


def test_auc_is_that_of_all_pairs() -> None:
    generator = np.random.default_rng(5)
    scores, is_case = generator.integers(0, 6, 80).astype(float), generator.random(80) < 0.4
    cases, others = scores[is_case], scores[~is_case]
    expected = np.mean((cases[:, None] > others) + 0.5 * (cases[:, None] == others))
    assert RankedScores(scores, is_case).auc() == pytest.approx(expected)
    assert RankedScores(np.arange(100.0), np.arange(100) >= 50).sensitivity_at(0.01) == 1.0


def test_gains_are_in_units_of_the_better_baseline() -> None:
    generator = np.random.default_rng(6)
    table = generator.gamma(2.0, 1.0, 500)
    cox, model = table - 0.2, table - 0.5
    assert event_nll_gain(table, cox, model, resampling=QUICK)[0].value == pytest.approx(2.5)
    assert share_of_reference_gain(table, cox, cox, resampling=QUICK)[0].value == pytest.approx(1.0)
    part = nll("event_nll", table, resampling=QUICK)[0]
    assert part.key == "event_nll.teacher_forced"
    assert part.low < part.value < part.high


def test_poisson_intervals_are_the_exact_ones() -> None:
    assert poisson_interval(0) == pytest.approx((0.0, 3.6889), abs=1e-4)
    assert poisson_interval(10) == pytest.approx((4.7954, 18.3904), abs=1e-4)


def test_expected_over_observed_names_outcomes_with_enough_events() -> None:
    observed = np.zeros((200, 2))
    observed[:150, 0], observed[:20, 1] = 1.0, 1.0
    metrics = teacher_forced_expected_observed(0.9 * observed, observed, ("stroke", "death"))
    assert [metric.outcome for metric in metrics] == ["", "stroke"]
    assert metrics[0].value == pytest.approx(0.9)
    assert metrics[1].low < 0.9 < metrics[1].high
    assert 0.1 < metrics[1].floor < 0.25


def test_free_run_of_the_real_events_is_one_where_nobody_is_censored() -> None:
    watched = REAL.take(np.flatnonzero((REAL.follow_up_days > 1_826) | (REAL.first_days()[:, -1] >= 0)))
    days, cause = times_to_first(watched)
    came = ((cause == 1) & (days <= 1_826)).astype(float)
    metrics = free_run_expected_observed(watched, came)
    assert metrics[0].key == "expected_observed.free_run"
    assert all(metric.value == pytest.approx(1.0) for metric in metrics)
    assert len(metrics) > 1


def test_synthetic_patients_that_are_real_teach_as_much() -> None:
    train = made_up_sequences(1_500, 22)
    metrics = tstr(REAL, train, train=train, resampling=QUICK)
    assert [metric.name for metric in metrics] == ["tstr_over_trtr", "tstr", "trtr"]
    assert metrics[0].value == 1.0
    assert metrics[1].value > 0.6
