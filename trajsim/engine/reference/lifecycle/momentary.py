"""Attributes that are written when a state mentions them: age, risks, the days that are left (docs/draws.md 10.8)."""

import math
from collections.abc import Callable

from trajsim.engine.reference.lifecycle import risks
from trajsim.engine.reference.lifecycle.blood_pressure import SIGNS, SYSTOLIC, BloodPressure
from trajsim.engine.reference.lifecycle.body import Body
from trajsim.engine.reference.lifecycle.insurance import Insurance
from trajsim.engine.reference.lifecycle.person import Person
from trajsim.engine.reference.lifecycle.signs import Signs
from trajsim.engine.reference.patient import StoredValue, rounded_sign
from trajsim.units import DAY_MS

_TEN_YEARS_MS = 3_650 * DAY_MS
_MONTH_MS = 30 * DAY_MS
_FALLS_FROM = 65
_FALLS, _FALLS_OSTEOPOROSIS = 0.035, 0.06
_ISCHEMIC_PER_INFARCTION = 5.0


class Momentary:
    """Computes these attributes for one person."""

    def __init__(self, person: Person, body: Body, signs: Signs, pressure: BloodPressure, insurance: Insurance) -> None:
        self._person = person
        self._body = body
        self._signs = signs
        self._pressure = pressure
        self._values: dict[str, Callable[[], StoredValue | None]] = {
            "AGE": lambda: person.years(signs.turn),
            "AGE_MONTHS": lambda: person.months(signs.turn),
            "disabled": insurance.is_disabled,
            "probability_of_fall_injury": self._falls,
            "days_until_death": self._days_until_death,
            "ascvd_risk": self._ascvd,
            "cardio_risk": lambda: self._infarction(person.patient.options.time_step_ms),
            "mi_risk": lambda: self._infarction(_MONTH_MS),
            "ihd_risk": lambda: _ISCHEMIC_PER_INFARCTION * self._infarction(_MONTH_MS),
            "atrial_fibrillation_risk": self._fibrillation,
            "stroke_risk": self._stroke,
        }

    def write(self, mentioned: frozenset[str]) -> None:
        """Writes those that a state mentions."""
        for name, value in self._values.items():
            if name in mentioned:
                self._person.patient.set_attribute(name, value())

    @property
    def names(self) -> frozenset[str]:
        """The names of all of them."""
        return frozenset(self._values)

    # --- falls and death ------------------------------------------------------------------------------------------

    def _falls(self) -> float | None:
        if self._person.years(self._signs.turn) < _FALLS_FROM:
            return None
        return _FALLS_OSTEOPOROSIS if self._signs.notes.osteoporosis else _FALLS

    def _days_until_death(self) -> int | None:
        patient = self._person.patient
        return math.trunc((patient.death - self._signs.turn) / DAY_MS) if patient.is_killed else None

    # --- risks ----------------------------------------------------------------------------------------------------

    def _systolic(self) -> float:
        return rounded_sign(SIGNS[SYSTOLIC], self._pressure.at(SYSTOLIC, self._signs.turn))

    def _laboratory(self, sign: str) -> float:
        """A value of the turn before the latest, rounded."""
        before = self._signs.turn - self._person.patient.options.time_step_ms
        return rounded_sign(sign, self._signs.of_turn(sign, before))

    def _ascvd(self) -> float:
        person, notes = self._person, self._signs.notes
        return risks.ascvd(
            person.years(self._signs.turn),
            person.sex,
            is_black=person.is_black,
            systolic=self._systolic(),
            total_cholesterol=self._laboratory("Total Cholesterol"),
            hdl=self._laboratory("HDL"),
            is_smoker=notes.smoker,
            has_diabetes=notes.diabetes,
            is_treated=notes.hypertension,
        )

    def _infarction(self, period_ms: int) -> float:
        """The risk of an infarction within a period."""
        return _converted(self._ascvd(), period_ms)

    def _fibrillation(self) -> float:
        person, notes = self._person, self._signs.notes
        if notes.atrial_fibrillation:
            return risks.NO_RISK
        risk = risks.atrial_fibrillation(
            person.years(self._signs.turn),
            person.sex,
            bmi=rounded_sign("BMI", self._signs.of_turn("BMI", self._signs.turn)),
            systolic=self._systolic(),
            is_controlled=notes.blood_pressure_controlled,
        )
        return _converted(risk, person.patient.options.time_step_ms)

    def _stroke(self) -> float:
        person, notes = self._person, self._signs.notes
        risk = risks.stroke(
            person.years(self._signs.turn),
            person.sex,
            systolic=self._systolic(),
            is_controlled=notes.blood_pressure_controlled,
            is_smoker=notes.smoker,
            has_hypertrophy=notes.left_ventricular_hypertrophy,
            has_diabetes=notes.diabetes,
            has_heart_disease=notes.coronary_heart_disease,
            has_fibrillation=notes.atrial_fibrillation,
        )
        return _converted(risk, person.patient.options.time_step_ms)


def _converted(risk: float, period_ms: int) -> float:
    """A ten-year risk over another period; where there is none, there is none."""
    return risk if risk == risks.NO_RISK else risks.convert(risk, _TEN_YEARS_MS, period_ms)
