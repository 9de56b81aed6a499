"""Weight under management: who begins, how weight goes down in the first year and comes back in the next four.

docs/draws.md 10.4 (f).
"""

from dataclasses import dataclass

from trajsim.engine.reference.lifecycle.body import Body
from trajsim.engine.reference.lifecycle.growth import (
    BMI,
    bmi_of_percentile,
    chart,
    lms_percentile,
    percentile_95,
    sigma,
    squared_metres,
)
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.units import YEAR_MS

_START = 0.493
_ADHERENT = 0.605
_LASTING = 0.2
_OBESE = 30.0
_LOSS = (0.07, 0.1)
_MOST_CHANGE = 0.1
_LEAST_PERCENTILE = 0.001
_ADULT_YEARS = 20
_LAST_CHART_MONTHS = 240
_ATTRIBUTES = (
    "active_weight_management",
    "weight_loss_adherence",
    "long_term_weight_loss",
    "pre_management_weight",
    "weight_loss_percentage",
    "weight_loss_bmi_percentile_change",
)


@dataclass(slots=True, kw_only=True)
class Course:
    """One course of management.

    Attributes:
        start: The turn at which it began.
        weight: kg, before it.
        is_child: Whether the patient was under 20 at the start.
        is_adherent: Whether the patient keeps to it.
        is_lasting: Whether what is lost stays lost.
        loss: Adherent adults: share of the weight.
        change: Adherent children: how far the BMI percentile goes down.
        percentile: Adherent children: BMI percentile before it.
        grown_up: Children: turn and weight at the first turn with age 20 and more that regains, None before.
    """

    start: int
    weight: float
    is_child: bool
    is_adherent: bool
    is_lasting: bool
    loss: float = 0.0
    change: float = 0.0
    percentile: float = 0.0
    grown_up: tuple[int, float] | None = None


class WeightManagement:
    """The weight management of one person."""

    def __init__(self, person: Person, body: Body) -> None:
        self._person = person
        self._body = body
        self._course: Course | None = None
        person.set("active_weight_management", value=False)

    @property
    def is_active(self) -> bool:
        """Whether weight is managed now."""
        return self._course is not None

    def turn(self, time: int) -> None:
        """One turn."""
        course = self._course
        if course is None:
            if self._is_eligible(time) and self._person.draws.uniform("weight management", time) <= _START:
                self._course = self._start(time)
            return
        elapsed = time - course.start
        if elapsed <= YEAR_MS:
            if course.is_adherent and not course.is_child:
                self._body.set_weight(course.weight - course.weight * course.loss * (elapsed / YEAR_MS))
        elif elapsed <= 5 * YEAR_MS:
            if course.is_adherent and course.is_lasting:
                self._keep(course, time)
            elif course.is_adherent:
                self._regain(course, time, elapsed)
        elif not course.is_lasting:
            self._course = None
            for name in _ATTRIBUTES:
                self._person.set(name, None)

    # --- the beginning --------------------------------------------------------------------------------------------

    def _bmi_chart_percentile_95(self, months: int) -> float:
        return percentile_95(chart(BMI, self._person.sex, months))

    def _is_eligible(self, time: int) -> bool:
        age, bmi = self._person.years(time), self._body.bmi
        if age >= _ADULT_YEARS:
            return bmi >= _OBESE
        return 5 <= age <= 18 and bmi >= self._bmi_chart_percentile_95(self._person.months(time))

    def _start(self, time: int) -> Course:
        person, draws = self._person, self._person.draws
        is_adherent = draws.uniform("adherence", time) <= _ADHERENT
        course = Course(
            start=time,
            weight=self._body.weight,
            is_child=person.years(time) < _ADULT_YEARS,
            is_adherent=is_adherent,
            is_lasting=is_adherent and draws.uniform("lasting", time) <= _LASTING,
        )
        person.set("active_weight_management", value=True)
        person.set("weight_loss_adherence", course.is_adherent)
        person.set("long_term_weight_loss", course.is_lasting)
        person.set("pre_management_weight", course.weight)
        if is_adherent and course.is_child:
            self._start_child(course, time)
        elif is_adherent:
            course.loss = draws.between(*_LOSS, "loss", time)
            person.set("weight_loss_percentage", course.loss)
        return course

    def _start_child(self, course: Course, time: int) -> None:
        person, sex = self._person, self._person.sex
        months = person.months(time)
        course.change = _MOST_CHANGE * person.draws.uniform("loss", time)
        course.percentile = lms_percentile(chart(BMI, sex, months), self._body.bmi)
        person.set("weight_loss_bmi_percentile_change", course.change)
        if months + 12 <= _LAST_CHART_MONTHS:
            scale = sigma(sex, months / 12 + 1)
            self._body.append_point(months + 12, time + YEAR_MS, _lowered(course), scale)

    # --- years two to five ----------------------------------------------------------------------------------------

    def _keep(self, course: Course, time: int) -> None:
        """What was lost stays lost: nothing for adults, a point a year for children."""
        if course.is_child and self._person.years(time) < _ADULT_YEARS:
            self._append_year(_lowered(course), time)

    def _regain(self, course: Course, time: int, elapsed: int) -> None:
        """What was lost comes back."""
        if not course.is_child:
            lowest = course.weight - course.weight * course.loss
            share = 1.0 - (elapsed - YEAR_MS) / (4 * YEAR_MS)
            self._body.set_weight(course.weight - (course.weight - lowest) * share)
        elif self._person.years(time) < _ADULT_YEARS:
            back = course.change * min(1.0, (elapsed + YEAR_MS) / (5 * YEAR_MS))
            self._append_year(min(course.percentile, _lowered(course) + back), time)
        else:
            self._regain_grown_up(course, time)

    def _append_year(self, percentile: float, time: int) -> None:
        """A point a year after the last one, when that has come and the chart goes on."""
        last = self._body.points[-1]
        months = last.months + 12
        if time >= last.time and months <= _LAST_CHART_MONTHS:
            self._body.append_point(months, last.time + YEAR_MS, percentile, sigma(self._person.sex, months / 12))

    def _regain_grown_up(self, course: Course, time: int) -> None:
        """A child who has grown up goes to the weight of the old percentile by seven years after the start."""
        body, sex = self._body, self._person.sex
        if course.grown_up is None:
            course.grown_up = (time, body.weight)
        since, weight = course.grown_up
        last_chart = chart(BMI, sex, _LAST_CHART_MONTHS)
        bmi = bmi_of_percentile(last_chart, course.percentile, sigma(sex, float(_ADULT_YEARS)))
        target = bmi * squared_metres(body.height)
        span = course.start + 7 * YEAR_MS - since
        body.set_weight(weight + (target - weight) * float(time - since) / float(span))


def _lowered(course: Course) -> float:
    """The percentile that a child comes down to."""
    return max(course.percentile - course.change, _LEAST_PERCENTILE)
