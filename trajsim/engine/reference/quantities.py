"""Calendar arithmetic in UTC as Java's `Period.between` does it, and quantities of time."""

import datetime as dt
import math
from functools import lru_cache

from trajsim.gmf.model import Distribution
from trajsim.streams.ints import normal_quantile
from trajsim.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, WEEK_MS

_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()

_MOST_MS = 9e15
_MOST_DECIMALS = 15

# unit -> (factor of the quantity, milliseconds of the whole unit it is truncated to)
_REAL_UNITS = {
    "seconds": (1000.0, 1),
    "minutes": (60.0, SECOND_MS),
    "hours": (60.0, MINUTE_MS),
    "days": (24.0, HOUR_MS),
    "weeks": (7.0, DAY_MS),
    "months": (30.0, DAY_MS),
    "years": (365.25, DAY_MS),
}
_WHOLE_UNITS = {
    "seconds": SECOND_MS,
    "minutes": MINUTE_MS,
    "hours": HOUR_MS,
    "days": DAY_MS,
    "weeks": WEEK_MS,
    "months": 30 * DAY_MS,
    "years": 365 * DAY_MS,
}


@lru_cache(maxsize=65536)
def date_of(day: int) -> dt.date:
    """The date of a whole day since 1970-01-01."""
    return dt.date.fromordinal(_EPOCH_ORDINAL + day)


def date_at(time_ms: int) -> dt.date:
    """The UTC date of an instant."""
    return date_of(time_ms // DAY_MS)


@lru_cache(maxsize=65536)
def months_between(birth_day: int, day: int) -> int:
    """Whole months between two days since 1970; never negative."""
    birth, date = date_of(birth_day), date_of(day)
    months = (date.year * 12 + date.month) - (birth.year * 12 + birth.month)
    return max(months - (date.day < birth.day), 0)


def age_months(birth_ms: int, time_ms: int) -> int:
    """Age in whole months."""
    return months_between(birth_ms // DAY_MS, time_ms // DAY_MS)


def age_years(birth_ms: int, time_ms: int) -> int:
    """Age in whole years."""
    return age_months(birth_ms, time_ms) // 12


def age_decimal_years(birth_ms: int, time_ms: int) -> float:
    """Age as years + months / 12 + days / 365.2425."""
    total = age_months(birth_ms, time_ms)
    birth, date = date_at(birth_ms), date_at(time_ms)
    month = birth.year * 12 + birth.month - 1 + total
    year, month = divmod(month, 12)
    first = dt.date(year, month + 1, 1)
    following = dt.date(year + month // 11, (month + 1) % 12 + 1, 1)
    start = first.replace(day=min(birth.day, (following - first).days))
    days = (date - start).days
    return total // 12 + total % 12 / 12 + days / 365.2425


def real_time(quantity: float, unit: str | None) -> int:
    """Milliseconds of a real quantity: truncated toward zero in the next smaller unit."""
    factor, unit_ms = _REAL_UNITS[unit or ""]
    return _whole_ms(factor * quantity, unit_ms)


def whole_time(quantity: float, unit: str | None) -> int:
    """Milliseconds of a sample that is truncated to whole units first."""
    return _whole_ms(quantity, _WHOLE_UNITS[unit or ""])


def _whole_ms(units: float, unit_ms: int) -> int:
    """Whole units as milliseconds; what is longer than the longest length counts as that."""
    most = _MOST_MS / unit_ms
    return math.trunc(min(max(units, -most), most)) * unit_ms


def sample(distribution: Distribution, u: float) -> float:
    """The value of a distribution for one uniform (which `EXACT` does not use)."""
    d = distribution
    if d.kind == "EXACT":
        value = _given(d.value)
    elif d.kind == "UNIFORM":
        value = uniform_between(_given(d.low), _given(d.high), u)
    elif d.kind == "GAUSSIAN":
        value = _given(d.standard_deviation) * normal_quantile(u) + _given(d.mean)
        if d.min is not None:
            value = max(value, d.min)
        if d.max is not None:
            value = min(value, d.max)
    elif d.kind == "EXPONENTIAL":
        value = 1.0 - _given(d.mean) * math.log(1.0 - u)
    else:
        value = _triangular(_given(d.min), _given(d.mode), _given(d.max), u)
    return float(math.floor(value + 0.5)) if d.round else value


def uniform_between(low: float, high: float, u: float) -> float:
    """A uniform stretched to a range."""
    return low + (high - low) * u


def round_half_away(value: float, decimals: int | None) -> float:
    """Rounds half away from zero; None leaves the value as it is."""
    if decimals is None:
        return value
    scale = 10.0 ** min(max(decimals, 0), _MOST_DECIMALS)
    return math.copysign(float(math.floor(abs(value) * scale + 0.5)) / scale, value)


def _given(parameter: float | None) -> float:
    assert parameter is not None, "the parser requires the parameters of a distribution"
    return parameter


def _triangular(low: float, mode: float, high: float, u: float) -> float:
    if high == low:
        return low
    if u < (mode - low) / (high - low):
        return low + math.sqrt(u * (high - low) * (mode - low))
    return high - math.sqrt((1.0 - u) * (high - low) * (high - mode))
