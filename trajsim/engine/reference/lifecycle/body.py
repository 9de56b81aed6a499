"""How the body grows: height and head on one percentile for life, BMI on a trajectory, then a kilogram or two a year.

docs/draws.md 10.4, birth and (b).
"""

import math
from dataclasses import dataclass

from trajsim.engine.reference.lifecycle.draws import phi
from trajsim.engine.reference.lifecycle.growth import (
    BMI,
    HEAD,
    HEIGHT,
    WEIGHT,
    Lms,
    bmi_of_percentile,
    chart,
    extended_z,
    lms_percentile,
    lms_value,
    sigma,
    squared_metres,
)
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.engine.reference.quantities import age_decimal_years
from trajsim.lifecycle.tables import bmi_correlation, two_year_olds, weight_for_length
from trajsim.units import DAY_MS, YEAR_MS

_LAST_GROWING_MONTHS = 228
_LAST_HEAD_MONTHS = 36
_ADULT_YEARS = 20
_LAST_CORRELATION_YEAR = 20
_BEYOND_LENGTHS = 99.0
_LEAST_ADULT_BMI = 18.5


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the BMI trajectory."""

    months: int
    time: int
    bmi: float


class Body:
    """The body of one person: cm, kg, kg/m2; percentiles 0 ... 1."""

    def __init__(self, person: Person) -> None:
        """A newborn."""
        self._person = person
        draws, sex = person.draws, person.sex
        self.height_percentile = draws.uniform("height")
        months, bmi = _two_year_old(sex, draws.uniform("two-year-old"))
        self.points = [Point(months, person.birth + 30 * DAY_MS * months, bmi)]
        height = lms_value(chart(HEIGHT, sex, months), self.height_percentile)
        weight = bmi * squared_metres(height)
        self.weight_percentile = lms_percentile(chart(WEIGHT, sex, months), weight)
        self.head_percentile = min(1.0, self.height_percentile + 0.025)
        self.height = self.weight = self.bmi = self.head = 0.0
        self._months = 0
        self._grow_child(person.birth, 0)

    def set_weight(self, weight: float) -> None:
        """Another weight, and the BMI that goes with it."""
        self.weight = weight
        self.bmi = weight / squared_metres(self.height)

    def grow(self, time: int, *, is_managed: bool) -> None:
        """Grows if the age has risen since the last turn: by a month under 20, by a year from then on.

        Args:
            time: The turn.
            is_managed: Whether weight is under management.
        """
        before, months = self._months, self._person.months(time)
        self._months = months
        if months // 12 < _ADULT_YEARS:
            if months > before:
                self._grow_child(time, months)
        elif months // 12 > before // 12 and not is_managed:
            self._grow_adult(months // 12)

    # --- under 20 -------------------------------------------------------------------------------------------------

    def _grow_child(self, time: int, months: int) -> None:
        sex = self._person.sex
        self.height = lms_value(chart(HEIGHT, sex, months), self.height_percentile)
        if months <= _LAST_HEAD_MONTHS:
            self.head = lms_value(chart(HEAD, sex, months), self.head_percentile)
        if time < self.points[0].time:
            self.set_weight(lms_value(chart(WEIGHT, sex, months), self.weight_percentile))
        else:
            self.bmi = self._bmi_at(time)
            self.weight = self.bmi * squared_metres(self.height)
        if months // 12 >= 2:
            self._person.set("bmi_percentile", 100.0 * lms_percentile(chart(BMI, sex, months), self.bmi))
        if months <= _LAST_HEAD_MONTHS:
            self._person.set("current_weight_length_percentile", self._weight_for_length())

    def _weight_for_length(self) -> float:
        """The percentile (0 ... 100) of the weight among children of the same length."""
        for length, skewness, median, variation in weight_for_length(self._person.sex).tolist():
            if length > self.height:
                return 100.0 * lms_percentile(Lms(skewness, median, variation), self.weight)
        return _BEYOND_LENGTHS

    def _bmi_at(self, time: int) -> float:
        """The trajectory at a time, which is not before its first point."""
        while time >= self.points[-1].time:
            if self.points[-1].months > _LAST_GROWING_MONTHS:
                return self.points[-1].bmi
            self._append_year(time)
        after = len(self.points) - 1
        while self.points[after - 1].time > time:
            after -= 1
        p0, p1 = self.points[after - 1], self.points[after]
        return p0.bmi + (p1.bmi - p0.bmi) * (float(time - p0.time) / float(p1.time - p0.time))

    def _append_year(self, time: int) -> None:
        """The next point of the trajectory, a year after the last."""
        sex, last = self._person.sex, self.points[-1]
        age = age_decimal_years(self._person.birth, time)
        rho, delta = bmi_correlation()[min(math.floor(age + 1.0), _LAST_CORRELATION_YEAR)].tolist()
        score = extended_z(chart(BMI, sex, last.months), last.bmi, sigma(sex, age))
        score = rho * score + delta + math.sqrt(1.0 - rho * rho) * self._person.draws.normal("growth", last.months)
        self.append_point(last.months + 12, last.time + YEAR_MS, phi(score), sigma(sex, age + 1.0))

    def append_point(self, months: int, time: int, percentile: float, scale: float) -> None:
        """Appends a point to the trajectory.

        Args:
            months: Age.
            time: When.
            percentile: Of the BMI, 0 ... 1.
            scale: `sigma` of the age.
        """
        bmi = bmi_of_percentile(chart(BMI, self._person.sex, months), percentile, scale)
        self.points.append(Point(months, time, bmi))

    # --- from 20 --------------------------------------------------------------------------------------------------

    def _grow_adult(self, age: int) -> None:
        person, weight = self._person, self.weight
        if age <= 49:
            weight = weight + (1.0 + person.draws.uniform("weight", age))
        elif age >= 60:
            lost = weight - (1.0 + person.draws.uniform("weight", age))
            if person.is_default:
                lost = max(lost, min(_LEAST_ADULT_BMI * squared_metres(self.height), weight))
            weight = lost
        to_gain = person.number("kilograms_to_gain")
        if to_gain is not None and to_gain > 0.0:
            weight = weight + (1.0 + person.draws.uniform("weight more", age))
        self.set_weight(weight)


def _two_year_old(sex: str, u: float) -> tuple[int, float]:
    """Age in months and BMI of a child of the sample, for one uniform."""
    sample = two_year_olds(sex)
    for months, bmi, cumulative in zip(sample.age_months, sample.bmi, sample.cumulative, strict=True):
        if cumulative > u:
            return int(months), float(bmi)
    msg = "the cumulative weights of the sample end at 1"
    raise AssertionError(msg)
