import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim import units

INSTANTS = st.datetimes(
    min_value=dt.datetime(1, 1, 2),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=dt.datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5)), dt.timezone(dt.timedelta(minutes=345))]),
)


@given(st.integers(min_value=-62_000_000_000_000, max_value=250_000_000_000_000))
def test_an_instant_survives_the_way_there_and_back(time_ms: int) -> None:
    assert units.ms_from_datetime(units.datetime_from_ms(time_ms)) == time_ms


@given(INSTANTS)
def test_an_instant_is_rounded_down_to_whole_milliseconds(moment: dt.datetime) -> None:
    back = units.datetime_from_ms(units.ms_from_datetime(moment))
    assert dt.timedelta(0) <= moment - back < dt.timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01", 0),
        ("1969-12-31", -units.DAY_MS),
        ("2026-01-01", 1_767_225_600_000),
        ("2000-02-29T12:00:00Z", 951_825_600_000),
        ("2000-02-29T07:00:00-05:00", 951_825_600_000),
    ],
)
def test_iso_texts_are_utc_unless_they_say_otherwise(text: str, time_ms: int) -> None:
    assert units.ms_from_iso(text) == time_ms


def test_an_instant_is_shown_without_milliseconds() -> None:
    assert units.iso_from_ms(951_825_600_999) == "2000-02-29T12:00:00Z"
    assert units.iso_from_ms(-1) == "1969-12-31T23:59:59Z"


def test_lengths_are_multiples_of_each_other() -> None:
    assert units.WEEK_MS == 7 * 24 * 3600 * 1000
    assert units.YEAR_MS == 365 * units.DAY_MS
    assert units.us_from_ms(3) == 3000
