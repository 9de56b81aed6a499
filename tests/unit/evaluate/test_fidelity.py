from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.unit.evaluate.made_up_sequences import made_up_sequences
from trajsim.evaluate.fidelity.autocorrelation import autocorrelation_error, correlation
from trajsim.evaluate.fidelity.cif_by_group import cif_by_group
from trajsim.evaluate.fidelity.cif_gap import cif_gap
from trajsim.evaluate.fidelity.co_occurrence import co_occurrence_error, phi
from trajsim.evaluate.fidelity.cumulative_incidence import cumulative_incidence
from trajsim.evaluate.fidelity.discriminator import discriminator
from trajsim.evaluate.fidelity.hellinger import hellinger, hellinger_distance
from trajsim.evaluate.fidelity.illegal_transitions import illegal_transitions
from trajsim.evaluate.fidelity.ks import ks
from trajsim.evaluate.fidelity.lab_shift import lab_shift_error
from trajsim.evaluate.fidelity.prevalence_error import prevalence_error
from trajsim.evaluate.metric import Metric, to_json
from trajsim.evaluate.resampling import Resampling
from trajsim.event_sequences import EventSequences, Legality

QUICK = Resampling(n_bootstrap=5, n_floor=5)
REAL = made_up_sequences(600, 11)
TRAIN = made_up_sequences(1_200, 12)
FASTER = made_up_sequences(600, 13, speed=3.0)
Measured = Callable[..., tuple[Metric, ...]]
DISTANCES: tuple[Measured, ...] = (
    autocorrelation_error, cif_by_group, cif_gap, co_occurrence_error, hellinger, ks, lab_shift_error, prevalence_error,
)  # fmt: skip


def _value(metrics: tuple[Metric, ...], outcome: str = "") -> float:
    return next(metric.value for metric in metrics if metric.outcome == outcome)


@pytest.mark.parametrize("measure", DISTANCES, ids=lambda measure: str(measure.__name__))
def test_a_copy_of_the_real_patients_is_at_no_distance(measure: Measured) -> None:
    metrics = measure(REAL, REAL, train=TRAIN, resampling=QUICK)
    assert all(metric.value == pytest.approx(0.0, abs=1e-12) for metric in metrics)
    assert all(metric.low == 0.0 and metric.high >= 0.0 and metric.floor > 0.0 and metric.n > 0 for metric in metrics)


@pytest.mark.parametrize("measure", [cif_by_group, cif_gap, prevalence_error, hellinger])
def test_what_comes_three_times_as_fast_is_beyond_the_floor(measure: Measured) -> None:
    first = measure(REAL, FASTER, train=TRAIN, resampling=QUICK)[0]
    assert first.value > first.floor
    assert first.low <= first.value <= first.high


def test_cumulative_incidence_by_hand() -> None:
    """Five patients: event day 1, death day 2, censored day 2, event day 3, censored day 4."""
    days, cause = np.array([1, 2, 2, 3, 4]), np.array([1, 2, 0, 1, 0])
    incidence, at_risk = cumulative_incidence(days, cause, np.ones(5), horizon=4)
    # day 1: 1/5; day 3: survival after days 1 and 2 is 4/5 * 3/4 = .6, of 2 at risk one has it: + .3
    assert incidence == pytest.approx([0.0, 0.2, 0.2, 0.5, 0.5])
    assert at_risk.tolist() == [5, 5, 4, 2, 1]


def test_cumulative_incidence_without_competition_is_one_minus_kaplan_meier() -> None:
    generator = np.random.default_rng(1)
    days, cause = generator.integers(1, 60, 300), generator.integers(0, 2, 300)
    data = stats.CensoredData.right_censored(days, cause == 0)
    survival = stats.ecdf(data).sf
    incidence, _ = cumulative_incidence(days, cause, np.ones(300), horizon=60)
    assert incidence[:60] == pytest.approx(1.0 - survival.evaluate(np.arange(60)))


def test_weights_are_repetitions() -> None:
    days, cause = np.array([1, 2, 5, 9]), np.array([1, 2, 0, 1])
    twice = np.repeat(days, [2, 1, 0, 3]), np.repeat(cause, [2, 1, 0, 3])
    weighted, _ = cumulative_incidence(days, cause, np.array([2.0, 1.0, 0.0, 3.0]), horizon=10)
    assert weighted == pytest.approx(cumulative_incidence(*twice, np.ones(6), horizon=10)[0])


def test_ks_is_that_of_scipy() -> None:
    def systolic(sequences: EventSequences) -> np.ndarray:
        values: np.ndarray = sequences.values[~np.isnan(sequences.values[:, 0]), 0]
        return values

    expected = stats.ks_2samp(systolic(REAL), systolic(FASTER)).statistic
    assert _value(ks(REAL, FASTER, resampling=Resampling(n_bootstrap=0)), "sbp") == pytest.approx(expected)


def test_hellinger_by_hand_and_by_another_formula() -> None:
    assert hellinger_distance(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == 1.0
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.4, 0.2])
    assert hellinger_distance(10 * p, q) == pytest.approx(np.sqrt(1 - np.sum(np.sqrt(p * q))))


def test_correlation_and_phi_are_pearsons() -> None:
    generator = np.random.default_rng(3)
    x = generator.normal(size=50)
    y = x + generator.normal(size=50)
    assert correlation(x, y, np.ones(50)) == pytest.approx(stats.pearsonr(x, y).statistic)
    held = generator.random((80, 3)) < 0.4
    assert phi(held, np.ones(80)) == pytest.approx(np.corrcoef(held.T.astype(float)))


def test_lab_shift_finds_the_ten_mmhg_of_hypertension() -> None:
    flat = replace(REAL, values=np.where(np.isnan(REAL.values), np.nan, 1.0))
    metrics = lab_shift_error(REAL, flat, resampling=QUICK)
    assert 0.3 < _value(metrics, "sbp_by_hypertension") < 0.8


def test_a_classifier_tells_fast_patients_apart_and_not_real_ones() -> None:
    some = REAL.take(np.arange(300))
    alike = discriminator(some, TRAIN, resampling=Resampling(n_bootstrap=5, n_floor=0))
    apart = discriminator(some, FASTER, resampling=Resampling(n_bootstrap=5, n_floor=0))
    assert abs(alike[0].value - 0.5) < 0.1
    assert apart[0].value > 0.7
    assert [metric.key for metric in apart] == ["discriminator.free_run", "discriminator.free_run.entry"]


def test_illegal_events_are_counted() -> None:
    assert illegal_transitions(REAL)[0].value == 0
    needs = np.zeros((4, 4), dtype=bool)
    needs[2, 0] = True
    legality = Legality(needs=needs, excludes=np.eye(4, dtype=bool))
    first = REAL.first_days()
    is_first_known = REAL.prevalent[:, 0] | ((first[:, 0] >= 0) & (first[:, 0] < first[:, 2]))
    expected = int(np.sum((first[:, 2] >= 0) & ~is_first_known))
    assert illegal_transitions(REAL, legality=legality)[0].value == expected > 0


def test_json_has_flat_keys_and_null_for_what_is_not_there() -> None:
    metric = Metric(name="ks", mode="free_run", outcome="hdl", value=0.05, n=7)
    assert to_json([metric]) == {"ks.free_run.hdl": {"value": 0.05, "low": None, "high": None, "n": 7, "floor": None}}


@pytest.mark.parametrize("measure", [*DISTANCES, discriminator], ids=lambda measure: str(measure.__name__))
def test_what_never_happens_or_is_never_measured_breaks_nothing(measure: Measured) -> None:
    empty = REAL.take(np.arange(30))
    rows = np.zeros(0, dtype=np.int64)
    nothing = replace(
        empty,
        offsets=np.zeros(31, dtype=np.int64),
        prevalent=np.zeros_like(empty.prevalent),
        entry_values=np.full_like(empty.entry_values, np.nan),
        **{name: getattr(empty, name)[rows] for name in ("day", "is_visit", "events", "forbidden", "values")},
    )
    for real, other in ((nothing, nothing), (REAL, nothing)):
        metrics = measure(real, other, train=real, resampling=Resampling(n_bootstrap=2, n_floor=1))
        assert all(np.isfinite(metric.value) for metric in metrics)
