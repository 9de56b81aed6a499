"""The formulas of growth (docs/draws.md 10.4): LMS charts, and the half-normal tail of BMI above the 95th percentile.

Source: Cole, Green (1992), Smoothing reference centile curves: the LMS method, Statistics in Medicine 11(10); CDC
growth charts for the United States (2000); CDC extended BMI-for-age charts (2022).
"""

import math
from dataclasses import dataclass

from trajsim.engine.reference.lifecycle.draws import phi
from trajsim.lifecycle.tables import SEXES, growth_charts
from trajsim.streams.ints import normal_quantile

HEIGHT, WEIGHT, BMI, HEAD = range(4)
_MOST_PERCENTILE = 0.995
_ABOVE_ALL = 0.999
_BELOW_ALL = 0.001
_TAIL_FROM = 0.95
_MOST_ARGUMENT = 1.0 - 2.0**-53


@dataclass(frozen=True, slots=True)
class Lms:
    """The parameters of one chart at one age: skewness, median, coefficient of variation."""

    skewness: float
    median: float
    variation: float


def chart(number: int, sex: str, months: int) -> Lms:
    """The parameters of a chart.

    Args:
        number: HEIGHT, WEIGHT, BMI or HEAD.
        sex: F or M.
        months: Age; within the ages of the chart.
    """
    skewness, median, variation = growth_charts()[number, SEXES.index(sex), months]
    return Lms(float(skewness), float(median), float(variation))


def lms_value(lms: Lms, percentile: float) -> float:
    """The measure at a percentile (0 ... 1)."""
    if percentile >= 1.0:
        percentile = _ABOVE_ALL
    elif percentile <= 0.0:
        percentile = _BELOW_ALL
    z = normal_quantile(min(percentile, _MOST_PERCENTILE))
    if lms.skewness == 0.0:
        return lms.median * math.exp(lms.variation * z)
    base = 1.0 + lms.skewness * lms.variation * z
    if base <= 0.0:
        base = 1.0 + lms.skewness * lms.variation * normal_quantile(_BELOW_ALL)
    return lms.median * math.pow(base, 1.0 / lms.skewness)


def lms_percentile(lms: Lms, value: float) -> float:
    """The percentile (0 ... 1) of a measure."""
    if lms.skewness == 0.0:
        return phi(math.log(value / lms.median) / lms.variation)
    return phi((math.pow(value / lms.median, lms.skewness) - 1.0) / (lms.skewness * lms.variation))


def sigma(sex: str, age: float) -> float:
    """Scale of the tail of BMI above the 95th percentile; age in years."""
    if sex == "M":
        return 0.3728 + 0.5196 * age - 0.0091 * (age * age)
    return 0.8334 + 0.3712 * age - 0.0011 * (age * age)


def percentile_95(lms: Lms) -> float:
    """The BMI at the 95th percentile."""
    return lms_value(lms, _TAIL_FROM)


def extended_z(lms: Lms, bmi: float, scale: float) -> float:
    """The standard score of a BMI, half-normal above the 95th percentile.

    Args:
        lms: BMI chart of the age.
        bmi: In kg/m2.
        scale: `sigma` of the age.
    """
    percentile = lms_percentile(lms, bmi)
    if percentile < _TAIL_FROM:
        return normal_quantile(_BELOW_ALL if percentile <= 0.0 else percentile)
    tail = (90.0 + 10.0 * phi((bmi - percentile_95(lms)) / scale)) / 100.0
    return normal_quantile(min(tail, _MOST_ARGUMENT))


def bmi_of_percentile(lms: Lms, percentile: float, scale: float) -> float:
    """The BMI at a percentile (0 ... 1), half-normal above the 95th.

    Args:
        lms: BMI chart of the age.
        percentile: 0 ... 1.
        scale: `sigma` of the age.
    """
    if percentile < _TAIL_FROM:
        return lms_value(lms, percentile)
    argument = min((percentile - 0.9) * 10.0, _MOST_ARGUMENT)
    return percentile_95(lms) + normal_quantile(argument) * scale


def squared_metres(height: float) -> float:
    """The square of a height that is given in cm."""
    metres = height / 100.0
    return metres * metres
