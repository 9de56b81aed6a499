"""The only conversions of time and measure.

The engine computes in whole milliseconds since 1970-01-01 UTC (as Synthea does); Records hold whole microseconds. Names
carry the unit (`_ms`, `_us`). Calendar functions are UTC and proleptic Gregorian.
"""

import datetime as dt

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
YEAR_MS = 365 * DAY_MS
US_PER_MS = 1_000

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def ms_from_datetime(moment: dt.datetime) -> int:
    """Milliseconds since 1970-01-01 UTC of an aware datetime, truncated toward minus infinity."""
    delta = moment.astimezone(dt.UTC) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def datetime_from_ms(time_ms: int) -> dt.datetime:
    """The aware UTC datetime of an instant in milliseconds."""
    return _EPOCH + dt.timedelta(milliseconds=time_ms)


def ms_from_iso(text: str) -> int:
    """Parses ``YYYY-MM-DD`` (midnight UTC) or an ISO instant to milliseconds."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return ms_from_datetime(moment)


def iso_from_ms(time_ms: int) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ`` of an instant, milliseconds dropped."""
    return datetime_from_ms(time_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def us_from_ms(time_ms: int) -> int:
    """Microseconds of a millisecond instant."""
    return time_ms * US_PER_MS
