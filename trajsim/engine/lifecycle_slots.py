"""The numbers that the virtual machine gives to what the lifecycle reads and writes.

Source: docs/draws.md, section 10.
"""

import enum

from trajsim.lifecycle.profile import Lifecycle

PROFILE_NUMBERS = {Lifecycle.NONE: 0, Lifecycle.DEFAULT: 1, Lifecycle.SYNTHEA: 2}
PROFILE_DEFAULT = PROFILE_NUMBERS[Lifecycle.DEFAULT]


class Sign(enum.IntEnum):
    """Vital signs of the lifecycle; the spelling of modules is `SIGN_NAMES`."""

    HEIGHT = 0
    WEIGHT = 1
    BMI = 2
    HEAD = 3
    HEIGHT_PERCENTILE = 4
    WEIGHT_PERCENTILE = 5
    HEAD_PERCENTILE = 6
    SYSTOLIC = 7
    DIASTOLIC = 8
    HEART_RATE = 9
    RESPIRATION_RATE = 10
    OXYGEN = 11
    HBA1C = 12
    GLUCOSE = 13
    UREA_NITROGEN = 14
    CREATININE = 15
    CALCIUM = 16
    SODIUM = 17
    POTASSIUM = 18
    CHLORIDE = 19
    CARBON_DIOXIDE = 20
    CHOLESTEROL = 21
    TRIGLYCERIDES = 22
    LDL = 23
    HDL = 24
    MICROALBUMIN = 25
    EGFR = 26


SIGN_NAMES = (
    "Height",
    "Weight",
    "BMI",
    "Head Circumference",
    "Height Percentile",
    "Weight Percentile",
    "Head Circumference Percentile",
    "Systolic Blood Pressure",
    "Diastolic Blood Pressure",
    "Heart Rate",
    "Respiration Rate",
    "Oxygen Saturation",
    "Blood Glucose",
    "Glucose",
    "Urea Nitrogen",
    "Creatinine",
    "Calcium",
    "Sodium",
    "Potassium",
    "Chloride",
    "Carbon Dioxide",
    "Total Cholesterol",
    "Triglycerides",
    "LDL",
    "HDL",
    "Microalbumin Creatinine Ratio",
    "EGFR",
)


class Attribute(enum.IntEnum):
    """Attributes that the lifecycle writes or reads; the spelling of modules is `ATTRIBUTE_NAMES`."""

    SMOKER = 0
    QUIT_SMOKING_AGE = 1
    ALCOHOLIC = 2
    QUIT_ALCOHOLISM_AGE = 3
    MARITAL_STATUS = 4
    UNEMPLOYED = 5
    BMI_PERCENTILE = 6
    WEIGHT_LENGTH_PERCENTILE = 7
    ACTIVE_WEIGHT_MANAGEMENT = 8
    WEIGHT_LOSS_ADHERENCE = 9
    LONG_TERM_WEIGHT_LOSS = 10
    PRE_MANAGEMENT_WEIGHT = 11
    WEIGHT_LOSS_PERCENTAGE = 12
    WEIGHT_LOSS_PERCENTILE_CHANGE = 13
    INSURANCE_STATUS = 14
    FULLY_VACCINATED = 15
    # read, and written by modules
    DIABETES_SEVERITY = 16
    CKD = 17
    DIABETES = 18
    PREDIABETES = 19
    HYPERTENSION = 20
    HYPERTENSION_SEVERE = 21
    BLOOD_PRESSURE_CONTROLLED = 22
    OSTEOPOROSIS = 23
    CORONARY_HEART_DISEASE = 24
    LEFT_VENTRICULAR_HYPERTROPHY = 25
    CHF = 26
    ATRIAL_FIBRILLATION = 27
    KILOGRAMS_TO_GAIN = 28
    PREGNANT = 29
    BLINDNESS = 30
    END_STAGE_RENAL_DISEASE = 31
    # written when a state mentions them
    AGE = 32
    AGE_MONTHS = 33
    DISABLED = 34
    FALL_INJURY = 35
    DAYS_UNTIL_DEATH = 36
    ASCVD_RISK = 37
    CARDIO_RISK = 38
    MI_RISK = 39
    IHD_RISK = 40
    ATRIAL_FIBRILLATION_RISK = 41
    STROKE_RISK = 42


ATTRIBUTE_NAMES = (
    "smoker",
    "quit smoking age",
    "alcoholic",
    "quit alcoholism age",
    "marital_status",
    "unemployed",
    "bmi_percentile",
    "current_weight_length_percentile",
    "active_weight_management",
    "weight_loss_adherence",
    "long_term_weight_loss",
    "pre_management_weight",
    "weight_loss_percentage",
    "weight_loss_bmi_percentile_change",
    "insurance_status",
    "C19_FULLY_VACCINATED",
    "diabetes_severity",
    "ckd",
    "diabetes",
    "prediabetes",
    "hypertension",
    "hypertension_severe",
    "blood_pressure_controlled",
    "osteoporosis",
    "coronary_heart_disease",
    "left_ventricular_hypertrophy",
    "chf",
    "atrial_fibrillation",
    "kilograms_to_gain",
    "pregnant",
    "blindness",
    "end_stage_renal_disease",
    "AGE",
    "AGE_MONTHS",
    "disabled",
    "probability_of_fall_injury",
    "days_until_death",
    "ascvd_risk",
    "cardio_risk",
    "mi_risk",
    "ihd_risk",
    "atrial_fibrillation_risk",
    "stroke_risk",
)

INPUTS = frozenset(
    ATTRIBUTE_NAMES[number]
    for number in (
        Attribute.SMOKER,
        Attribute.UNEMPLOYED,
        *range(Attribute.DIABETES_SEVERITY, Attribute.END_STAGE_RENAL_DISEASE + 1),
    )
)
"""Attributes that the lifecycle itself reads: they have slots whatever the modules mention."""

DAYS_UNTIL_DEATH = ATTRIBUTE_NAMES[Attribute.DAYS_UNTIL_DEATH]
ON_MENTION = frozenset(ATTRIBUTE_NAMES[Attribute.AGE :])
"""Attributes of docs/draws.md 10.8."""


class Plan(enum.IntEnum):
    """Kinds of insurance plans."""

    MEDICARE = 0
    MEDICAID = 1
    DUAL = 2
    ACA = 3
    PRIVATE = 4
