import datetime as dt

import pytest

from trajsim.errors import ConfigError
from trajsim.trials.rates.calendars import Calendar

MONDAY = dt.date(2026, 1, 5)


def test_a_week_has_five_working_days() -> None:
    assert Calendar().weights(MONDAY, 7).tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert Calendar().active_days(MONDAY, dt.date(2026, 1, 19)) == 10.0


def test_holidays_closures_and_seasons_count() -> None:
    calendar = Calendar(
        holidays=frozenset({dt.date(2026, 1, 6)}),
        closures=((dt.date(2026, 1, 8), dt.date(2026, 1, 9)),),
        months={2: 0.5},
    )
    assert calendar.weights(MONDAY, 7).tolist() == [1, 0, 1, 0, 0, 0, 0]
    assert calendar.active_days(dt.date(2026, 2, 2), dt.date(2026, 2, 9)) == 2.5


def test_the_clock_stands_still_on_other_days() -> None:
    shape = Calendar().shape(MONDAY, 364)
    assert shape.cumulative([5.0, 6.0, 7.0, 8.0, 364.0]).tolist() == [5.0, 5.0, 5.0, 6.0, 260.0]
    assert float(shape.inverse(5.5)) == 7.5
    assert float(shape.relative(1000.0)) == pytest.approx(5 / 7)


def test_all_faults_of_a_calendar_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Calendar(weekdays=(False,) * 7, closures=((MONDAY, dt.date(2026, 1, 1)),), months={13: 1.0})
    assert [word in str(caught.value) for word in ("weekdays", "closure", "months")] == [True] * 3


def test_a_calendar_without_an_active_day_is_refused() -> None:
    closed = Calendar(closures=((MONDAY, dt.date(2030, 1, 1)),))
    with pytest.raises(ConfigError, match="no day is active"):
        closed.shape(MONDAY, 100)
    with pytest.raises(ConfigError, match="needs a day"):
        Calendar().shape(MONDAY, 0)
