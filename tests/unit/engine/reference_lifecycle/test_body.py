"""Growth and weight under management."""

import math

import pytest

from tests.unit.engine.reference_lifecycle.people import draws, person
from trajsim.engine.reference.lifecycle import growth
from trajsim.engine.reference.lifecycle.body import Body, Point
from trajsim.engine.reference.lifecycle.weight_management import WeightManagement
from trajsim.lifecycle.profile import Lifecycle as Profile
from trajsim.lifecycle.tables import two_year_olds
from trajsim.units import DAY_MS, WEEK_MS, YEAR_MS, ms_from_iso

BIRTH = ms_from_iso("1960-01-01")
ADULT = ms_from_iso("1995-01-01")


def test_newborn() -> None:
    child = person(gender="F")
    body = Body(child)
    h = draws().uniform("height")
    assert body.height == growth.lms_value(growth.chart(growth.HEIGHT, "F", 0), h)
    assert body.head == growth.lms_value(growth.chart(growth.HEAD, "F", 0), min(1.0, h + 0.025))
    assert body.weight == growth.lms_value(growth.chart(growth.WEIGHT, "F", 0), body.weight_percentile)
    assert body.bmi == body.weight / ((body.height / 100.0) * (body.height / 100.0))
    point = body.points[0]
    assert point.time == BIRTH + 30 * DAY_MS * point.months
    sample = two_year_olds("F")
    row = next(k for k, cumulative in enumerate(sample.cumulative) if cumulative > draws().uniform("two-year-old"))
    assert (point.months, point.bmi) == (sample.age_months[row], sample.bmi[row])
    assert "bmi_percentile" not in child.patient.attributes
    percentile = child.patient.attributes["current_weight_length_percentile"]
    assert isinstance(percentile, float)
    assert 0.0 <= percentile <= 100.0


def test_child_follows_the_trajectory() -> None:
    child = person(gender="M")
    body = Body(child)
    first = body.points[0]
    time = BIRTH
    while time < BIRTH + 19 * YEAR_MS:
        time += WEEK_MS
        body.grow(time, is_managed=False)
    assert [point.months for point in body.points] == [first.months + 12 * k for k in range(len(body.points))]
    assert [point.time for point in body.points] == [first.time + YEAR_MS * k for k in range(len(body.points))]
    assert body.points[-1].months <= 240
    months = child.months(time)
    assert body.height == growth.lms_value(growth.chart(growth.HEIGHT, "M", months), body.height_percentile)
    chart = growth.chart(growth.BMI, "M", months)
    assert child.patient.attributes["bmi_percentile"] == 100.0 * growth.lms_percentile(chart, body.bmi)


def test_trajectory_is_linear_between_points_and_flat_at_the_end() -> None:
    body = Body(person(gender="M"))
    body.points = [Point(216, BIRTH, 20.0), Point(228, BIRTH + YEAR_MS, 22.0), Point(240, BIRTH + 2 * YEAR_MS, 30.0)]
    assert body._bmi_at(BIRTH + YEAR_MS // 2) == 21.0
    assert body._bmi_at(BIRTH + YEAR_MS) == 22.0
    assert body._bmi_at(BIRTH + YEAR_MS + YEAR_MS // 4) == 24.0
    assert body._bmi_at(BIRTH + 3 * YEAR_MS) == 30.0
    assert len(body.points) == 3


@pytest.mark.parametrize(("year", "sign"), [("2005", 1.0), ("2009-06-01", 1.0), ("2015", 0.0), ("2024", -1.0)])
def test_adult_birthdays(year: str, sign: float) -> None:
    body = Body(person())
    body.height, body.weight = 200.0, 80.0
    time = ms_from_iso(f"{year}-01-01" if len(year) == 4 else year)
    age = (time - BIRTH) // (365 * DAY_MS + 6 * 3_600_000)
    body.grow(time, is_managed=False)
    assert body.weight == 80.0 + sign * (1.0 + draws().uniform("weight", age)) if sign else body.weight == 80.0
    assert body.bmi == body.weight / 4.0
    weight = body.weight
    body.grow(time + WEEK_MS, is_managed=False)
    assert body.weight == weight  # no birthday


def test_managed_weight_has_no_birthdays_and_default_has_a_floor() -> None:
    body = Body(person())
    body.height, body.weight = 200.0, 80.0
    body.grow(ms_from_iso("2000-01-01"), is_managed=True)
    assert body.weight == 80.0
    thin = Body(person(profile=Profile.DEFAULT))
    thin.height, thin.weight = 200.0, 74.5
    thin.grow(ms_from_iso("2024-01-01"), is_managed=False)
    assert thin.weight == 18.5 * 4.0
    thin.weight = 70.0
    thin.grow(ms_from_iso("2025-01-01"), is_managed=False)
    assert thin.weight == 70.0


def test_kilograms_to_gain() -> None:
    body = Body(person(kilograms_to_gain=3.0))
    body.height, body.weight = 200.0, 80.0
    body.grow(ms_from_iso("2000-01-01"), is_managed=False)
    assert body.weight == 80.0 + (1.0 + draws().uniform("weight", 40)) + (1.0 + draws().uniform("weight more", 40))


# --- weight management ------------------------------------------------------------------------------------------------


def _number(*, adherent: bool, lasting: bool = False, time: int) -> int:
    """A patient who starts at once and is like that."""
    return next(
        number
        for number in range(2_000)
        if draws(number).uniform("weight management", time) <= 0.493
        and (draws(number).uniform("adherence", time) <= 0.605) == adherent
        and (draws(number).uniform("lasting", time) <= 0.2) == lasting
    )


def _obese_adult(number: int) -> tuple[Body, WeightManagement, dict[str, object]]:
    man = person("1960-01-01", patient_id=number, gender="M")
    body = Body(man)
    body.height = 200.0
    body.set_weight(130.0)
    return body, WeightManagement(man, body), man.patient.attributes  # type: ignore[return-value]


def test_adult_who_adheres_loses_and_regains() -> None:
    number = _number(adherent=True, time=ADULT)
    body, management, attributes = _obese_adult(number)
    assert attributes["active_weight_management"] is False
    management.turn(ADULT)
    loss = draws(number).between(0.07, 0.1, "loss", ADULT)
    assert attributes["active_weight_management"] is True
    assert attributes["weight_loss_adherence"] is True
    assert attributes["long_term_weight_loss"] is False
    assert attributes["pre_management_weight"] == 130.0
    assert attributes["weight_loss_percentage"] == loss
    assert body.weight == 130.0
    for days in (7, 182, 365):
        management.turn(ADULT + days * DAY_MS)
        assert body.weight == 130.0 - 130.0 * loss * (days / 365)
        assert body.bmi == body.weight / 4.0
    lowest = 130.0 - 130.0 * loss
    for days in (372, 1_000, 5 * 365):
        management.turn(ADULT + days * DAY_MS)
        assert body.weight == 130.0 - (130.0 - lowest) * (1.0 - (days - 365) / (4 * 365))
    assert body.weight == 130.0
    management.turn(ADULT + (5 * 365 + 1) * DAY_MS)
    assert not management.is_active
    assert not [name for name in attributes if "weight" in name and name != "current_weight_length_percentile"]


def test_adult_for_whom_it_lasts() -> None:
    number = _number(adherent=True, lasting=True, time=ADULT)
    body, management, attributes = _obese_adult(number)
    management.turn(ADULT)
    management.turn(ADULT + YEAR_MS)
    lowest = body.weight
    for years in (2, 5, 6, 40):
        management.turn(ADULT + years * YEAR_MS)
        assert body.weight == lowest
    assert management.is_active
    assert attributes["long_term_weight_loss"] is True


def test_adult_who_does_not_adhere() -> None:
    body, management, attributes = _obese_adult(_number(adherent=False, time=ADULT))
    management.turn(ADULT)
    assert attributes["weight_loss_adherence"] is False
    assert "weight_loss_percentage" not in attributes
    for years in (1, 3, 5):
        management.turn(ADULT + years * YEAR_MS)
        assert body.weight == 130.0
        assert management.is_active
    management.turn(ADULT + 5 * YEAR_MS + 1)
    assert not management.is_active


def test_thin_people_and_those_of_nineteen_do_not_begin() -> None:
    number = _number(adherent=True, time=ADULT)
    body, management, _ = _obese_adult(number)
    body.set_weight(119.9)
    management.turn(ADULT)
    assert not management.is_active
    youth = person("1975-06-01", patient_id=number, gender="M")  # 19 years old
    other = Body(youth)
    other.height = 180.0
    other.set_weight(150.0)
    management = WeightManagement(youth, other)
    management.turn(ADULT)
    assert not management.is_active


def _heavy_child(birth: str, number: int) -> tuple[Body, WeightManagement, dict[str, object]]:
    child = person(birth, patient_id=number, gender="M")
    body = Body(child)
    months = child.months(ADULT)
    body.points = [Point(months - 6, ADULT - 182 * DAY_MS, 30.0), Point(months + 6, ADULT + 183 * DAY_MS, 30.0)]
    body.grow(ADULT, is_managed=False)
    return body, WeightManagement(child, body), child.patient.attributes  # type: ignore[return-value]


def test_child_comes_down_and_goes_back() -> None:
    number = _number(adherent=True, time=ADULT)
    body, management, attributes = _heavy_child("1985-01-01", number)  # 10 years old
    management.turn(ADULT)
    change = 0.1 * draws(number).uniform("loss", ADULT)
    before = growth.lms_percentile(growth.chart(growth.BMI, "M", 120), body.bmi)
    assert attributes["weight_loss_bmi_percentile_change"] == change
    chart = growth.chart(growth.BMI, "M", 132)
    low = growth.bmi_of_percentile(chart, before - change, growth.sigma("M", 11.0))
    assert body.points[-1] == Point(132, ADULT + YEAR_MS, low)
    management.turn(ADULT + 2 * WEEK_MS)
    assert len(body.points) == 3
    time = ADULT + 53 * WEEK_MS
    management.turn(time)
    back = min(before, before - change + change * min(1.0, (time - ADULT + YEAR_MS) / (5 * YEAR_MS)))
    chart = growth.chart(growth.BMI, "M", 144)
    assert body.points[-1] == Point(
        144, ADULT + 2 * YEAR_MS, growth.bmi_of_percentile(chart, back, growth.sigma("M", 12.0))
    )


def test_child_for_whom_it_lasts_keeps_the_percentile() -> None:
    number = _number(adherent=True, lasting=True, time=ADULT)
    body, management, attributes = _heavy_child("1985-01-01", number)
    management.turn(ADULT)
    before = growth.lms_percentile(growth.chart(growth.BMI, "M", 120), body.bmi)
    kept = before - float(attributes["weight_loss_bmi_percentile_change"])  # type: ignore[arg-type]
    management.turn(ADULT + 53 * WEEK_MS)
    chart = growth.chart(growth.BMI, "M", 144)
    assert body.points[-1].bmi == growth.bmi_of_percentile(chart, kept, growth.sigma("M", 12.0))


def test_child_who_grows_up_goes_to_the_old_percentile() -> None:
    number = _number(adherent=True, time=ADULT)
    body, management, _ = _heavy_child("1976-06-01", number)  # 18 years old
    management.turn(ADULT)
    before = growth.lms_percentile(growth.chart(growth.BMI, "M", 223), body.bmi)
    body.height = 180.0
    first = ADULT + 75 * WEEK_MS  # just 20
    body.set_weight(95.0)
    management.turn(first)
    assert body.weight == 95.0
    bmi = growth.bmi_of_percentile(growth.chart(growth.BMI, "M", 240), before, growth.sigma("M", 20.0))
    target = bmi * (1.8 * 1.8)
    time = first + 60 * WEEK_MS
    management.turn(time)
    span = ADULT + 7 * YEAR_MS - first
    assert math.isclose(body.weight, 95.0 + (target - 95.0) * (time - first) / span, rel_tol=1e-15)
