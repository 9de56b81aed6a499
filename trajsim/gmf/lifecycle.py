"""Names that exist without any module: attributes and vital signs of the lifecycle.

Checks use them to tell a misspelt name from one that is set outside the modules. Source: gmf-semantics sections 6.1 to
6.11, after Synthea's Java modules.
"""

from trajsim.gmf.expression import VITAL_SIGN_NAMES

LIFECYCLE_ATTRIBUTES = frozenset(
    {
        # at creation and birth
        "age", "time", "gender", "race", "ethnicity", "first_language", "state", "city", "county", "address", "zip",
        "fips", "name", "first_name", "last_name", "birthdate", "birth_city", "birth_state", "birth_country",
        "birthplace", "multiple_birth_status", "identifier_ssn", "education", "education_level", "income",
        "income_level", "poverty_ratio", "occupation_level", "socioeconomic_score", "socioeconomic_category",
        "veteran_population_override", "sexual_orientation", "RH_NEG", "adherence probability",
        "active_weight_management", "food_insecurity", "severe_housing_cost_burden", "unemployed",
        "no_vehicle_access", "uninsured", "insurance_status",
        # while growing and ageing
        "AGE", "AGE_MONTHS", "marital_status", "smoker", "quit smoking age", "alcoholic", "quit alcoholism age",
        "bmi_percentile", "current_weight_length_percentile", "disabled", "probability_of_fall_injury",
        "days_until_death", "weight_loss_adherence", "weight_management_start", "weight_loss_percentage",
        "C19_FULLY_VACCINATED", "C19_SCHEDULED_FIRST_SHOT", "mi_risk", "ihd_risk", "atrial_fibrillation_risk",
        "stroke_risk", "cardio_risk", "low_hdl", "high_total_chol",
    }
)  # fmt: skip

LIFECYCLE_READS = frozenset(
    {
        "diabetes", "prediabetes", "diabetes_severity", "ckd", "chf", "hypertension", "hypertension_severe",
        "blood_pressure_controlled", "osteoporosis", "atrial_fibrillation", "pregnant", "blindness", "veteran",
        "coronary_heart_disease", "left_ventricular_hypertrophy", "end_stage_renal_disease", "trigger_weight_loss",
        "kilograms_to_gain", "adherence",
    }
)  # fmt: skip

VITAL_SIGNS = frozenset(VITAL_SIGN_NAMES.values())
RACES = ("white", "black", "asian", "native", "hawaiian", "other")
SEXES = ("M", "F")
CATEGORIES = ("High", "Middle", "Low")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "is nil", "is not nil")
