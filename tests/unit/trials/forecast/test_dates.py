import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trials.forecast.logs import AS_OF, draw_trial, write
from trajsim.errors import ConfigError
from trajsim.trials.draws import Performance
from trajsim.trials.forecast.dates import Forecast, ForecastOptions, forecast
from trajsim.trials.forecast.enrollment import Enrollment, fit_enrollment
from trajsim.trials.forecast.log import AccrualLog
from trajsim.trials.forecast.log_reader import read_accrual_log
from trajsim.trials.forecast.survival import TimeModel, fit_times

OPTIONS = ForecastOptions(target_subjects=250, target_events=120, n_replicates=300, seed=5)


@pytest.fixture(name="trial", scope="module")
def trial_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[AccrualLog, Enrollment, TimeModel, TimeModel]:
    path, sites = draw_trial(tmp_path_factory.mktemp("trial"), seed=3)
    log = read_accrual_log(path, as_of=AS_OF, sites=sites)
    events = fit_times(log.follow_up_days(), log.has_event, rule="average")
    dropouts = fit_times(log.follow_up_days(), log.has_dropped_out)
    return log, fit_enrollment(log, shapes=["constant"]), events, dropouts


@pytest.fixture(name="found", scope="module")
def found_fixture(trial: tuple[AccrualLog, Enrollment, TimeModel, TimeModel]) -> Forecast:
    log, enrollment, events, dropouts = trial
    return forecast(log, enrollment, OPTIONS, event_model=events, dropout_model=dropouts)


def test_the_dates_are_in_order(found: Forecast) -> None:
    assert found.subjects is not None
    assert found.events is not None
    for milestone in (found.subjects, found.events):
        ends = [milestone.bands[level] for level in (0.95, 0.8, 0.5)]
        rising = [*(low for low, _ in ends), milestone.median, *(high for _, high in reversed(ends))]
        known = [day for day in rising if day is not None]
        assert known == sorted(known)
        assert known[0] > AS_OF
        assert milestone.median is not None
        assert milestone.probability_by(milestone.median) == pytest.approx(0.5, abs=0.05)
        assert milestone.probability_by(AS_OF) == 0.0


def test_the_fans_begin_with_the_log_and_end_at_the_target(
    trial: tuple[AccrualLog, Enrollment, TimeModel, TimeModel], found: Forecast
) -> None:
    log = trial[0]
    assert found.subject_fan.values[0].tolist() == [log.n_subjects] * 7
    assert found.subject_fan.values[-1].tolist() == [250.0] * 7
    assert np.all(np.diff(found.subject_fan.values, axis=0) >= 0)
    assert found.event_fan is not None
    assert found.event_fan.values[0, 3] == pytest.approx(log.n_events, abs=1)
    assert found.event_fan.quantiles == tuple(sorted(found.event_fan.quantiles))


def test_neither_threads_nor_blocks_change_a_byte(
    trial: tuple[AccrualLog, Enrollment, TimeModel, TimeModel], found: Forecast
) -> None:
    log, enrollment, events, dropouts = trial
    other = forecast(
        log,
        enrollment,
        OPTIONS,
        event_model=events,
        dropout_model=dropouts,
        performance=Performance(threads=3, block=41),
    )
    assert found.subjects is not None
    assert found.events is not None
    assert other.subjects is not None
    assert other.events is not None
    assert found.subjects.days.tobytes() == other.subjects.days.tobytes()
    assert found.events.days.tobytes() == other.events.days.tobytes()


def test_a_target_that_cannot_be_reached_is_an_answer(
    trial: tuple[AccrualLog, Enrollment, TimeModel, TimeModel],
) -> None:
    log, enrollment, events, _ = trial
    options = dataclasses.replace(OPTIONS, target_events=500)
    found = forecast(log, enrollment, options, event_model=events)
    assert found.events is not None
    assert (found.events.median, found.events.reached) == (None, 0.0)
    assert found.events.bands[0.95] == (None, None)
    assert found.most_events is not None
    assert found.most_events <= 250


def test_recruitment_that_is_done_leaves_the_events(
    trial: tuple[AccrualLog, Enrollment, TimeModel, TimeModel],
) -> None:
    log, enrollment, events, _ = trial
    options = dataclasses.replace(OPTIONS, target_subjects=log.n_subjects, target_events=log.n_events)
    found = forecast(log, enrollment, options, event_model=events)
    assert found.subjects is not None
    assert found.events is not None
    last = dt.date(1970, 1, 1) + dt.timedelta(days=int(log.event[log.has_event].max()))
    assert found.events.median == last
    assert found.subjects.reached == 1.0


def test_the_end_of_follow_up_ends_the_events(trial: tuple[AccrualLog, Enrollment, TimeModel, TimeModel]) -> None:
    log, enrollment, events, _ = trial
    most = []
    for days in (None, 90):
        options = dataclasses.replace(OPTIONS, follow_up_days=days)
        most.append(forecast(log, enrollment, options, event_model=events).most_events or 0.0)
    assert most[1] < most[0]


def test_counts_forecast_subjects_only(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "date,site,count", "2025-03-01,A,9", "2025-09-01,B,5")
    log = read_accrual_log(path, as_of=AS_OF)
    enrollment = fit_enrollment(log, shapes=["constant"])
    options = ForecastOptions(target_subjects=20, n_replicates=50)
    found = forecast(log, enrollment, options)
    assert (found.events, found.event_fan, found.most_events) == (None, None, None)
    model = fit_times(np.array([1.0]), np.array([True]))
    with pytest.raises(ConfigError, match="holds counts"):
        forecast(log, enrollment, options, event_model=model)
    with pytest.raises(ConfigError, match="needs a model"):
        forecast(log, enrollment, dataclasses.replace(options, target_events=5))


def test_all_faults_of_the_options_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        ForecastOptions(target_subjects=0, target_events=0, n_replicates=0)
    assert len(str(caught.value).splitlines()) == 3
