from dataclasses import replace

import numpy as np
import pytest

from tests.unit.evaluate.made_up_sequences import made_up_sequences
from trajsim.errors import ConfigError
from trajsim.event_sequences import Legality
from trajsim.learn.baselines import (
    censored_after,
    fit_constant_rates,
    fit_cox_plus,
    fit_rate_table,
    split_exposure,
)


def test_exposure_is_all_time_before_the_event_and_none_of_what_a_patient_entered_with() -> None:
    sequences = made_up_sequences(300, 1)
    stretches = split_exposure(sequences)
    years = np.zeros(sequences.prevalent.shape)
    np.add.at(years, stretches.patient, stretches.years[:, None] * stretches.at_risk)
    first = sequences.first_days()
    days = np.where(sequences.prevalent, 0, np.where(first >= 0, first, sequences.follow_up_days[:, None]))
    assert years * 365.25 == pytest.approx(days)
    assert stretches.observed.sum() == sequences.events.sum()
    assert stretches.years.max() <= 1.01


def test_a_table_of_those_at_risk_expects_what_it_was_fitted_on_and_one_of_the_population_less() -> None:
    sequences = made_up_sequences(2_000, 2)
    score = fit_rate_table(sequences, only_at_risk=True).teacher_forced(sequences)
    assert score.expected.sum(axis=0) == pytest.approx(score.observed.sum(axis=0), rel=0.02)
    population = fit_rate_table(sequences).teacher_forced(sequences)
    assert (population.expected.sum(axis=0)[:3] < 0.9 * score.expected.sum(axis=0)[:3]).all()
    assert population.nll_events.mean() > score.nll_events.mean()


def test_cox_plus_expects_what_it_was_fitted_on_and_foretells_more_than_a_table() -> None:
    train, test = made_up_sequences(2_000, 3), made_up_sequences(1_000, 4)
    table, cox = fit_rate_table(train), fit_cox_plus(train)
    fitted = cox.teacher_forced(train)
    assert fitted.expected.sum(axis=0) == pytest.approx(fitted.observed.sum(axis=0), rel=0.02)
    assert cox.teacher_forced(test).nll_events.mean() < table.teacher_forced(test).nll_events.mean()
    assert cox.risk(test).shape == test.prevalent.shape


def test_the_likelihood_of_a_constant_rate_is_the_closed_form() -> None:
    sequences = made_up_sequences(200, 5)
    table = fit_rate_table(sequences)
    constant = replace(table, rates=np.full_like(table.rates, 0.02))
    score = constant.teacher_forced(sequences)
    expected, observed = score.expected.sum(), sequences.events.sum()
    assert score.nll_events.sum() == pytest.approx(expected - observed * np.log(0.02))


def test_forbidden_and_illegal_events_cost_nothing() -> None:
    sequences = made_up_sequences(400, 6)
    forbidden = replace(sequences, forbidden=sequences.events)
    assert fit_rate_table(sequences).teacher_forced(forbidden).observed.sum() == 0

    needs = np.zeros((4, 4), dtype=bool)
    needs[2, 2] = True
    never_stroke = Legality(needs=needs, excludes=np.eye(4, dtype=bool))
    score = fit_cox_plus(sequences, legality=never_stroke).teacher_forced(sequences)
    assert score.expected[:, 2].sum() == 0
    assert score.observed[:, 2].sum() == 0


def test_without_patients_there_is_no_baseline() -> None:
    with pytest.raises(ConfigError, match="none"):
        fit_rate_table(made_up_sequences(10, 7).take(np.arange(0)))


def test_a_history_is_cut_after_so_many_days_with_something() -> None:
    sequences = made_up_sequences(100, 8)
    cut = censored_after(sequences, n_days=3)
    assert cut.n_days.tolist() == np.minimum(sequences.n_days, 3).tolist()
    for patient in range(100):
        days = sequences.day[sequences.offsets[patient] : sequences.offsets[patient + 1]]
        assert cut.follow_up_days[patient] == (days[2] if len(days) > 3 else sequences.follow_up_days[patient])
    assert censored_after(cut, n_days=3) is cut


def test_one_rate_for_everybody_foretells_least() -> None:
    train, test = made_up_sequences(1_000, 9), made_up_sequences(1_000, 10)
    constant = fit_constant_rates(train).teacher_forced(train)
    assert constant.expected.sum(axis=0) == pytest.approx(constant.observed.sum(axis=0), rel=0.02)
    nll = [fit(train).teacher_forced(test).nll_events.mean() for fit in (fit_constant_rates, fit_cox_plus)]
    assert nll[0] > nll[1]
