"""Constants that stand in for the lifecycle: growth, vital signs, risks, habits, insurance.

Modules read attributes and vital signs that, in Synthea, Java code writes as a life goes on. Until trajsim models this
lifecycle, every patient carries the constants below from birth to death. They are typical of an adult, so the modules
run and their paths are legal, but what depends on them is not realistic: nobody smokes, nobody is overweight,
laboratory values that follow a vital sign never change, and infarction, stroke and atrial fibrillation come at one
small rate at every age. The modelled lifecycle replaces this file whole.

Source: which attributes and signs: Synthea at commit 2b0a55ba, what its modules read and its Java lifecycle writes.
"""

from collections.abc import Mapping
from typing import TypeAlias

StandIn: TypeAlias = float | bool | str

STAND_IN_ATTRIBUTES: Mapping[str, StandIn] = {
    # Habits and the body.
    "smoker": False,
    "bmi_percentile": 50.0,
    "current_weight_length_percentile": 50.0,
    "active_weight_management": False,
    "weight_loss_adherence": False,
    "probability_of_fall_injury": 0.035,
    # Probability at each try of a module, about once a month of a whole life: some 15, 30, 9 and 12 % by age 80.
    "mi_risk": 0.00017,
    "ihd_risk": 0.00037,
    "stroke_risk": 0.0001,
    "atrial_fibrillation_risk": 0.00013,
    # How people live.
    "marital_status": "S",
    "insurance_status": "private",
}
"""Kind by type: bool, float (number) or str. A whole number would be an integer."""

ABSENT_ATTRIBUTES: Mapping[str, str] = {
    "quit smoking age": "nobody smoked",
    "days_until_death": "written once a date of death is known",
    "veteran_population_override": "only in populations of veterans",
    "C19_FULLY_VACCINATED": "written after the last dose",
}
"""What modules read and the lifecycle writes, but not for everybody: absent, with the reason."""

STAND_IN_VITAL_SIGNS: Mapping[str, float] = {
    "Height": 170.0,
    "Weight": 70.0,
    "Height Percentile": 50.0,
    "Weight Percentile": 50.0,
    "BMI": 24.22,
    "Head Circumference": 46.0,
    "Head Circumference Percentile": 50.0,
    "Systolic Blood Pressure": 119.0,
    "Diastolic Blood Pressure": 78.0,
    "Heart Rate": 75.0,
    "Respiration Rate": 14.0,
    "Oxygen Saturation": 96.0,
    "Blood Glucose": 5.35,
    "Glucose": 82.0,
    "Urea Nitrogen": 13.5,
    "Creatinine": 0.9,
    "Calcium": 9.35,
    "Sodium": 140.0,
    "Potassium": 4.4,
    "Chloride": 106.0,
    "Carbon Dioxide": 24.5,
    "Total Cholesterol": 170.0,
    "Triglycerides": 125.0,
    "LDL": 90.0,
    "HDL": 55.0,
    "Microalbumin Creatinine Ratio": 8.5,
    "EGFR": 95.0,
}
"""Names as modules spell them. Units: cm, kg, kg/m2, mm[Hg], per minute, %, mg/dL, mmol/L, mL/min, mg/g.
``Blood Glucose`` is HbA1c in per cent.

``Left ventricular Ejection fraction`` has no value on purpose: at birth it is the one sign that nothing has set;
modules set it themselves.
"""
