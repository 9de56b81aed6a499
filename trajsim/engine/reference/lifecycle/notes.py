"""What a turn notes about the diseases of a person, for the values of the week that follows (docs/draws.md 10.4 c)."""

import math
from dataclasses import dataclass

from trajsim.engine.reference.lifecycle.person import Person
from trajsim.lifecycle.constants import A1C_DRUGS

_MOST_SEVERITY = 4
_MOST_CKD_DEFAULT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """The notes of one turn; as here before the first.

    Attributes:
        severity: `diabetes_severity`, 0 ... 4.
        ckd: Stage of kidney disease, at least 0.
        a1c_effect: What active medications add to HbA1c, in %.
    """

    severity: int = 0
    ckd: int = 0
    diabetes: bool = False
    prediabetes: bool = False
    hypertension: bool = False
    blood_pressure_controlled: bool = False
    osteoporosis: bool = False
    coronary_heart_disease: bool = False
    left_ventricular_hypertrophy: bool = False
    smoker: bool = False
    chf: bool = False
    atrial_fibrillation: bool = False
    a1c_effect: float = 0.0


def take_notes(person: Person) -> Notes:
    """Notes what is so now."""
    severity = math.trunc(person.number("diabetes_severity") or 0.0)
    ckd = max(math.trunc(person.number("ckd") or 0.0), 0)
    effect = 0.0
    for code, change in A1C_DRUGS:
        if person.takes(code):
            effect += change
    return Notes(
        severity=min(max(severity, 0), _MOST_SEVERITY),
        ckd=min(ckd, _MOST_CKD_DEFAULT) if person.is_default else ckd,
        diabetes=person.is_true("diabetes"),
        prediabetes=person.is_true("prediabetes"),
        hypertension=person.is_true("hypertension"),
        blood_pressure_controlled=person.is_true("blood_pressure_controlled"),
        osteoporosis=person.is_true("osteoporosis"),
        coronary_heart_disease=person.is_true("coronary_heart_disease"),
        left_ventricular_hypertrophy=person.is_true("left_ventricular_hypertrophy"),
        smoker=person.is_true("smoker"),
        chf="chf" in person.patient.attributes,
        atrial_fibrillation="atrial_fibrillation" in person.patient.attributes,
        a1c_effect=effect,
    )
