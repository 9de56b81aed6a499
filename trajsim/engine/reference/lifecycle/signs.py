"""Vital signs and laboratory values in force: functions of the latest turn, its notes and the body (draws.md 10.6)."""

import math
from collections.abc import Callable

from trajsim.engine.reference.lifecycle.blood_pressure import DIASTOLIC, SYSTOLIC, BloodPressure
from trajsim.engine.reference.lifecycle.body import Body
from trajsim.engine.reference.lifecycle.bounds import bounded
from trajsim.engine.reference.lifecycle.notes import Notes
from trajsim.engine.reference.lifecycle.person import Person

_TRIGLYCERIDES = (100.0, 150.0, 199.0, 499.0, 550.0, 600.0)
_HDL = (80.0, 59.0, 40.0, 20.0, 10.0, 0.0)
_CHOLESTEROL = (160.0, 200.0, 239.0, 259.0, 279.0, 300.0)
_GLUCOSE = ((64.0, 100.0), (100.0, 125.0), (125.0, 200.0))
_LOW_HDL = {"F": 0.085, "M": 0.266}
_HIGH_CHOLESTEROL = 0.114
_EGFR = {1: (60.0, 90.0), 2: (30.0, 59.0), 3: (15.0, 29.0), 4: (1.0, 15.0)}
_EGFR_HEALTHY = {"M": (77.0, 160.0), "F": (56.0, 161.0)}
_ALBUMIN = {2: (17.0, 30.0), 3: (30.0, 300.0), 4: (300.0, 600.0)}
_ALBUMIN_HEALTHY = (0.0, 17.0)
_SIMPLE = {
    "Urea Nitrogen": (7.0, 20.0),
    "Calcium": (8.5, 10.2),
    "Chloride": (101.0, 111.0),
    "Potassium": (3.7, 5.2),
    "Carbon Dioxide": (20.0, 29.0),
    "Sodium": (136.0, 144.0),
}
_PULSES = {"Heart Rate": (60.0, 100.0), "Respiration Rate": (12.0, 16.0)}
_PULSE_TRIES = 64


class Signs:
    """The vital signs of one person that the lifecycle gives.

    Attributes:
        turn: Time of the latest core turn; birth before the first.
        notes: What it noted.
    """

    def __init__(self, person: Person, body: Body, pressure: BloodPressure) -> None:
        self._person = person
        self._body = body
        self._pressure = pressure
        self.turn = person.birth
        self.notes = Notes()
        self._of_turn: dict[str, Callable[[int], float]] = {
            "Triglycerides": self._triglycerides,
            "HDL": self._hdl,
            "Total Cholesterol": self._total_cholesterol,
            "LDL": self._ldl,
            "Blood Glucose": self._blood_glucose,
            "Oxygen Saturation": self._oxygen,
            "EGFR": self._egfr,
            "Microalbumin Creatinine Ratio": self._albumin,
            "Creatinine": self._creatinine,
            "Glucose": self._glucose,
        }
        self._of_body: dict[str, Callable[[], float]] = {
            "Height": lambda: body.height,
            "Weight": lambda: body.weight,
            "BMI": lambda: body.bmi,
            "Head Circumference": lambda: body.head,
            "Height Percentile": lambda: body.height_percentile,
            "Weight Percentile": lambda: body.weight_percentile,
            "Head Circumference Percentile": lambda: 100.0 * body.head_percentile,
        }
        self._of_instant: dict[str, Callable[[int], float]] = {
            "Heart Rate": lambda time: self._pulse("Heart Rate", time),
            "Respiration Rate": lambda time: self._pulse("Respiration Rate", time),
            "Systolic Blood Pressure": lambda time: pressure.at(SYSTOLIC, time),
            "Diastolic Blood Pressure": lambda time: pressure.at(DIASTOLIC, time),
        }

    def is_mine(self, sign: str) -> bool:
        """Whether the lifecycle sets a sign."""
        return sign in self._of_turn or sign in _SIMPLE or sign in self._of_body or sign in self._of_instant

    def read(self, sign: str, time: int) -> float:
        """A sign of the lifecycle at an instant, not rounded."""
        value = self._of_instant[sign](time) if sign in self._of_instant else self.unbounded(sign, self.turn)
        return bounded(sign, value) if self._person.is_default and not self._is_pressure(sign) else value

    @staticmethod
    def _is_pressure(sign: str) -> bool:
        """Whether a sign has its bounds already."""
        return sign.endswith("Blood Pressure")

    def of_turn(self, sign: str, turn: int) -> float:
        """A laboratory value as the notes of now and the draws of a turn make it, not rounded."""
        value = self.unbounded(sign, turn)
        return bounded(sign, value) if self._person.is_default else value

    def unbounded(self, sign: str, turn: int) -> float:
        """The value of a sign without the bounds of the default profile, as formulas use it."""
        if sign in self._of_body:
            return self._of_body[sign]()
        if sign in _SIMPLE:
            return self._between(*_SIMPLE[sign], sign, turn)
        return self._of_turn[sign](turn)

    # --- draws ----------------------------------------------------------------------------------------------------

    def _between(self, low: float, high: float, sign: str, turn: int) -> float:
        return self._person.draws.between(low, high, f"vital:{sign}", turn)

    def _normal(self, mean: float, deviation: float, sign: str, turn: int) -> float:
        return mean + deviation * self._person.draws.normal(f"vital:{sign}", turn)

    # --- blood ----------------------------------------------------------------------------------------------------

    def _triglycerides(self, turn: int) -> float:
        i = self.notes.severity
        return self._between(_TRIGLYCERIDES[i], _TRIGLYCERIDES[i + 1], "Triglycerides", turn)

    def _hdl(self, turn: int) -> float:
        i = self.notes.severity
        if i > 0:
            return self._between(_HDL[i], _HDL[i + 1], "HDL", turn)
        is_low = self._person.draws.uniform("low hdl") < _LOW_HDL[self._person.sex]
        return self._normal(30.0, 3.0, "HDL", turn) if is_low else self._normal(55.0, 5.0, "HDL", turn)

    def _total_cholesterol(self, turn: int) -> float:
        i, sign = self.notes.severity, "Total Cholesterol"
        if i > 0:
            return self._between(_CHOLESTEROL[i], _CHOLESTEROL[i + 1], sign, turn)
        is_high = self._person.draws.uniform("high cholesterol") < _HIGH_CHOLESTEROL
        return self._normal(280.0, 20.0, sign, turn) if is_high else self._normal(170.0, 30.0, sign, turn)

    def _ldl(self, turn: int) -> float:
        return self._total_cholesterol(turn) - self._hdl(turn) - 0.2 * self._triglycerides(turn)

    def _blood_glucose(self, turn: int) -> float:
        notes, bmi = self.notes, self._body.bmi
        if not notes.diabetes and not notes.prediabetes:
            return self._between(5.0, 5.7, "Blood Glucose", turn)
        if not notes.diabetes:
            value = self._between(5.8, 6.4, "Blood Glucose", turn)
        elif bmi > 48.0:
            value = 12.0
        else:
            value = 6.6 if bmi <= 27.0 else bmi / 4.0
        return value + notes.a1c_effect

    def _glucose(self, turn: int) -> float:
        return self._between(*_GLUCOSE[min(self.notes.severity, 2)], "Glucose", turn)

    def _oxygen(self, turn: int) -> float:
        low, high = (75.0, 89.0) if self.notes.chf else (90.0, 99.0)
        return float(math.trunc(self._between(low, high, "Oxygen Saturation", turn)))

    # --- kidneys --------------------------------------------------------------------------------------------------

    def _egfr(self, turn: int) -> float:
        return self._between(*_EGFR.get(self.notes.ckd, _EGFR_HEALTHY[self._person.sex]), "EGFR", turn)

    def _albumin(self, turn: int) -> float:
        limits = _ALBUMIN.get(self.notes.ckd, _ALBUMIN_HEALTHY)
        return self._between(*limits, "Microalbumin Creatinine Ratio", turn)

    def _creatinine(self, turn: int) -> float:
        filtration = min(max(self._egfr(turn), 1.0), 100.0)
        value = float(140 - self._person.years(turn)) * self._body.weight / (72.0 * filtration)
        return value * 0.85 if self._person.sex == "F" else value

    # --- heart and breath -----------------------------------------------------------------------------------------

    def _pulse(self, sign: str, time: int) -> float:
        """A rate around a mean that moves through the week; one more read that modules can count."""
        patient, draws, name = self._person.patient, self._person.draws, f"vital:{sign}"
        low, high = _PULSES[sign]
        k = patient.reads
        patient.reads += 1
        start = draws.between(low, high, name, self.turn, 1)
        stop = draws.between(low, high, name, self.turn, 2)
        share = min(max((time - self.turn) / patient.options.time_step_ms, 0.0), 1.0)
        mean = start + (stop - start) * share
        module = patient.catalogue.stream_ids[patient.stream]
        for r in range(_PULSE_TRIES):
            value = mean + draws.normal(name, time, module, _PULSE_TRIES * k + r)
            if low <= value <= high:
                return value
        return mean
