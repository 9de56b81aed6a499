"""What modules and the lifecycle tell each other: names, values and codes, for random modules that meet it.

Source: docs/draws.md, section 10.
"""

from trajsim.engine.lifecycle_slots import ATTRIBUTE_NAMES, SIGN_NAMES

_FLAG: tuple[object, ...] = (True, True, True, False, "yes", 1)
_LEVEL: tuple[object, ...] = (1, 2, 3, 4, 5, 2.75, 0.5, -1.5, True, "2", 7.0)
VALUES: dict[str, tuple[object, ...]] = {
    "smoker": _FLAG, "diabetes": _FLAG, "prediabetes": _FLAG, "hypertension": _FLAG, "hypertension_severe": _FLAG,
    "blood_pressure_controlled": _FLAG, "osteoporosis": _FLAG, "coronary_heart_disease": _FLAG,
    "left_ventricular_hypertrophy": _FLAG, "chf": _FLAG, "atrial_fibrillation": _FLAG, "pregnant": _FLAG,
    "blindness": _FLAG, "end_stage_renal_disease": _FLAG, "unemployed": _FLAG,
    "diabetes_severity": _LEVEL, "ckd": _LEVEL,
    "kilograms_to_gain": (5, 2.5, 0, -1, "3", True),
    "insurance_status": ("private", "none"), "marital_status": ("M", "S", "W", 1), "AGE": (30, "old"),
    "mi_risk": (0.5, "high"), "days_until_death": (10, 3.5), "bmi_percentile": (50.0,),
}  # fmt: skip
"""Values that modules set, by attribute: those that the lifecycle understands, and some of other kinds."""

ATTRIBUTES = (
    # those that the lifecycle reads, three times: it is they that change a life
    *VALUES, *VALUES, "hypertension", "hypertension_severe", "diabetes", "diabetes_severity", "ckd", "chf", "smoker",
    *ATTRIBUTE_NAMES,
)  # fmt: skip
RISKS = (
    "mi_risk", "ihd_risk", "stroke_risk", "atrial_fibrillation_risk", "probability_of_fall_injury", "cardio_risk",
    "ascvd_risk", "days_until_death", "weight_loss_percentage", "weight_loss_bmi_percentile_change", "bmi_percentile",
)  # fmt: skip
"""Attributes that name a probability, now and then a strange one."""

RIGHT_SIDES: dict[str, tuple[object, ...]] = {
    "insurance_status": ("none", "medicare", "medicaid", "dual eligible", "private"),
    "marital_status": ("M", "S", "W", "D"),
    "AGE": (18, 40, 65), "AGE_MONTHS": (12, 30, 600), "days_until_death": (0, 7, 30, 300),
    "quit smoking age": (20, 30), "quit alcoholism age": (30, 50),
    "bmi_percentile": (5, 50, 85.5, 95), "current_weight_length_percentile": (5, 50, 95, 99),
    "mi_risk": (0.001, -1, 0), "ihd_risk": (-5, 0.005), "stroke_risk": (0.0001, -1), "cardio_risk": (0.0003, -1),
    "ascvd_risk": (0.1, -1), "atrial_fibrillation_risk": (0.0001, -1), "probability_of_fall_injury": (0.035, 0.06),
    "pre_management_weight": (90, 60.5), "weight_loss_percentage": (0.085,),
    "weight_loss_bmi_percentile_change": (0.05,), "diabetes_severity": (1, 2.75), "ckd": (3, 4),
}  # fmt: skip
"""Values that conditions compare with; all others with true and false."""

SIGNS = (
    *("Systolic Blood Pressure", "Diastolic Blood Pressure", "Heart Rate", "BMI", "Weight"),
    *SIGN_NAMES,
    *("BMI Percentile", "Left ventricular Ejection fraction"),
)
SIGN_LIMITS = (
    20, 25, 30, 60, 70, 80, 95, 98, 100, 120, 130, 140, 160, 3, 3.1, 5.7, 6.4, 0.9, 15, 50, 97, 150, 172.5, 240,
)  # fmt: skip

DRUGS = tuple(
    {"system": "RxNorm", "code": code, "display": name}
    for code, name in (
        ("314076", "lisinopril"), ("310798", "hydrochlorothiazide"), ("197499", "chlorthalidone"),
        ("860975", "metformin"), ("106892", "insulin"), ("865098", "insulin lispro"),
    )
)  # fmt: skip
CARE_PLANS = ({"system": "SNOMED-CT", "code": "443402002", "display": "lifestyle education"},)
CONDITIONS = (
    {"system": "SNOMED-CT", "code": "840539006", "display": "COVID-19"},
    {"system": "SNOMED-CT", "code": "403192003", "display": "disables"},
    {"system": "SNOMED-CT", "code": "87433001", "display": "disables too"},
)
CODES = (*DRUGS, *CARE_PLANS, *CONDITIONS)
PARTS_OF_EXPRESSIONS = (
    "#{Systolic Blood Pressure}", "#{diastolic_blood_pressure}", "#{weight}", "#{height}", "#{bmi}", "#{heart rate}",
    "#{egfr}", "#{creatinine}", "#{LDL}", "#{blood_glucose}", "#{respiration_rate}", "#{lvef}", "#{mi_risk}",
    "#{AGE}", "#{AGE_MONTHS}", "#{days_until_death}", "#{insurance_status}", "#{hypertension}",
    "#{diabetes_severity}", "#{bmi_percentile}", "#{smoker}", "#{marital_status}",
)  # fmt: skip
