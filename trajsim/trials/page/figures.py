"""How numbers read in the text of the page."""

import datetime as dt
import math
from collections.abc import Mapping

from trajsim.errors import ConfigError

UNKNOWN = "not known"
MINUS = "\u2212"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_Z = 1.959964


def count(value: float | None) -> str:
    """A mean number of people: whole from 10 on, else with one decimal."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:,.0f}" if abs(value) >= 9.95 else f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text.replace("-", MINUS)


def change(value: float | None, digits: int | None = None) -> str:
    """A difference with its sign; `digits` decimals, or as `count` has them."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = count(value) if digits is None else f"{value:,.{digits}f}".replace("-", MINUS)
    return "0" if not any(digit in text for digit in "123456789") else text if text.startswith(MINUS) else f"+{text}"


def percent(share: float | None) -> str:
    """``23 %``; one decimal near 0 and 100 %."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    value = 100.0 * share
    return f"{value:.0f} %" if value in (0.0, 100.0) or 1.0 <= value <= 99.0 else f"{value:.1f} %"


def rate(value: float | None) -> str:
    """Events a person-year, in three digits."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.3g}"


def between(summary: Mapping[str, float | None]) -> str:
    """``212 (190 to 230)``: a mean and the 95 % interval of a summary of the result."""
    if summary["mean"] is None:
        return UNKNOWN
    return f"{count(summary['mean'])} ({count(summary['low'])} to {count(summary['high'])})"


def difference(summary: Mapping[str, float | None], *, scale: float = 1.0) -> str:
    """``+34 (+30 to +38)``: a mean difference and the 95 % interval of the mean."""
    mean, ends = summary["mean"], spread(summary, scale=scale)
    if mean is None:
        return UNKNOWN
    return f"{change(mean * scale)} ({ends})" if ends else change(mean * scale)


def spread(summary: Mapping[str, float | None], *, scale: float = 1.0) -> str:
    """``+30 to +38``: the 95 % interval of a mean difference; nothing if it is not known."""
    low, high = summary["low"], summary["high"]
    return "" if low is None or high is None else f"{change(low * scale)} to {change(high * scale)}"


def day(value: dt.date | str | None) -> str:
    """``3 Mar 2024``."""
    if value is None:
        return "not within the time simulated"
    date = dt.date.fromisoformat(value) if isinstance(value, str) else value
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def month(date: dt.date) -> str:
    """``Mar 2024``."""
    return f"{_MONTHS[date.month - 1]} {date.year}"


def proportion_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of `n` replicates.

    Args:
        share: The share that was seen.
        n: Of how many.

    Raises:
        ConfigError: `n` is not positive.

    Source:
        Wilson (1927), Journal of the American Statistical Association 22:209.
    """
    if n < 1:
        msg = f"a share needs replicates, got {n!r}"
        raise ConfigError(msg)
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n)) / (1 + _Z**2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)
