"""Whole days as integers since 1970-01-01, and the value that stands for none.

Criteria speak of days. Arithmetic on integers is exact and fast, and a day that is missing compares as false.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Days = NDArray[np.int64]
Keys = NDArray[np.int64]
Mask = NDArray[np.bool_]

NO_DAY = np.int64(-(2**40))
NO_CODE = np.int64(-(2**62))
_EPOCH = date(1970, 1, 1).toordinal()
US_PER_DAY = 86_400_000_000


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def dates_of(days: Days) -> NDArray[np.datetime64]:
    """Dates of day numbers; none becomes NaT."""
    out = days.astype("datetime64[D]")
    out[days == NO_DAY] = np.datetime64("NaT")
    return out


def days_of_column(column: "pd.Series[Any]") -> Days:
    """Day numbers of a column of dates, date-times or ISO text; missing becomes `NO_DAY`."""
    stamps = pd.to_datetime(column, utc=True, errors="raise", format="ISO8601" if column.dtype == object else None)
    raw = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    out: Days = raw.astype(np.int64)
    return np.where(np.isnat(raw), NO_DAY, out)


def years_of(days: Days) -> NDArray[np.int64]:
    """Calendar years of day numbers; without meaning where there is none."""
    safe = np.where(days == NO_DAY, 0, days)
    years: NDArray[np.int64] = safe.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return years
