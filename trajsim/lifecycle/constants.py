"""Numbers of the lifecycle that both interpreters need in one place.

Scalars that occur once in docs/draws.md, section 10, stand in the code that uses them; here are the tables.
"""

from typing import Final

PCE_COEFFICIENTS: Final = (
    (-29.799, 4.884, 13.540, -3.114, -13.578, 3.149, 2.019, 0.0, 1.957, 0.0, 7.574, -1.665, 0.661, -29.18, 0.9665),
    (17.114, 0.0, 0.940, 0.0, -18.920, 4.475, 29.291, -6.432, 27.820, -6.087, 0.691, 0.0, 0.874, 86.61, 0.9533),
    (12.344, 0.0, 11.853, -2.664, -7.990, 1.769, 1.797, 0.0, 1.764, 0.0, 7.837, -1.795, 0.658, 61.18, 0.9144),
    (2.469, 0.0, 0.302, 0.0, -0.307, 0.0, 1.916, 0.0, 1.809, 0.0, 0.549, 0.0, 0.645, 19.54, 0.8954),
)
"""White women, black women, white men, black men: ln age, its square, ln total cholesterol, ln age * it, ln HDL,
ln age * it, ln treated systolic, ln age * it, ln untreated systolic, ln age * it, smoker, ln age * it, diabetes; mean,
baseline survival. Source: Goff et al. (2013), doi 10.1161/01.cir.0000437741.48606.98, table A."""

AF_POINTS_FEMALE: Final = (-3, -2, 0, 1, 3, 4, 6, 7, 8)
AF_POINTS_MALE: Final = (1, 2, 3, 4, 5, 6, 7, 7, 8)
AF_RISKS: Final = (0.01, 0.02, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.22, 0.30)
"""Points by five-year band from 45; ten-year risk by points 0 ... 10. Source: Schnabel et al. (2009), Lancet 373(9665),
739-745; without its points for the PR interval, murmurs and heart failure, as Synthea."""

STROKE_AGE_FEMALE: Final = (54, 57, 60, 63, 65, 68, 71, 74, 77, 79, 82)
STROKE_AGE_MALE: Final = (54, 57, 60, 63, 66, 69, 73, 76, 79, 82, 85)
STROKE_SBP_FEMALE: Final = (0, 95, 107, 119, 131, 144, 156, 168, 181, 193, 205)
STROKE_SBP_MALE: Final = (0, 106, 116, 126, 136, 146, 156, 166, 176, 185, 196)
STROKE_SBP_CONTROLLED_FEMALE: Final = (0, 95, 107, 114, 120, 126, 132, 140, 149, 161, 205)
STROKE_SBP_CONTROLLED_MALE: Final = (0, 106, 113, 118, 124, 130, 136, 143, 151, 162, 177)
"""Lower bounds of the bands, exclusive. Source: D'Agostino et al. (1994), Stroke 25(1), 40-43, as points of the
Framingham Heart Study."""

STROKE_RISKS_FEMALE: Final = (
    0, 0.01, 0.01, 0.02, 0.02, 0.02, 0.03, 0.04, 0.04, 0.05, 0.06, 0.08, 0.09, 0.11, 0.13, 0.16, 0.19, 0.23, 0.27, 0.32,
    0.37, 0.43, 0.5, 0.57, 0.64, 0.71, 0.78, 0.84,
)  # fmt: skip
STROKE_RISKS_MALE: Final = (
    0, 0.03, 0.03, 0.04, 0.04, 0.05, 0.05, 0.06, 0.07, 0.08, 0.1, 0.11, 0.13, 0.15, 0.17, 0.2, 0.22, 0.26, 0.29, 0.33,
    0.37, 0.42, 0.47, 0.52, 0.57, 0.63, 0.68, 0.74, 0.79, 0.84, 0.88,
)  # fmt: skip
"""Ten-year risk by points. Source: as above."""

A1C_DRUGS: Final = (
    ("860975", -1.5),
    ("897122", -0.5),
    ("1373463", -0.5),
    ("106892", -3.0),
    ("865098", -6.0),
)
"""RxNorm code and change of HbA1c in percentage points: metformin, liraglutide, canagliflozin, insulin human, insulin
lispro. Source: Synthea, `LifecycleModule`, which names no study."""

LIFESTYLE_CARE_PLAN: Final = "443402002"
COVID_CONDITION: Final = "840539006"
"""SNOMED CT: the care plan that lowers blood pressure; the disease that puts a vaccination off."""

PHYSIOLOGICAL_BOUNDS: Final = {
    "Height": (30.0, 230.0),
    "Weight": (1.5, 350.0),
    "BMI": (8.0, 90.0),
    "Head Circumference": (25.0, 65.0),
    "Systolic Blood Pressure": (75.0, 250.0),
    "Diastolic Blood Pressure": (40.0, 140.0),
    "Heart Rate": (30.0, 220.0),
    "Respiration Rate": (6.0, 70.0),
    "Oxygen Saturation": (50.0, 100.0),
    "Blood Glucose": (4.0, 16.0),
    "Glucose": (40.0, 600.0),
    "Urea Nitrogen": (2.0, 150.0),
    "Creatinine": (0.2, 15.0),
    "Calcium": (5.0, 15.0),
    "Sodium": (110.0, 170.0),
    "Potassium": (2.0, 8.0),
    "Chloride": (70.0, 130.0),
    "Carbon Dioxide": (8.0, 45.0),
    "Total Cholesterol": (80.0, 450.0),
    "Triglycerides": (30.0, 1_000.0),
    "LDL": (10.0, 350.0),
    "HDL": (15.0, 110.0),
    "Microalbumin Creatinine Ratio": (0.0, 5_000.0),
    "EGFR": (2.0, 180.0),
}
"""What a living person shows, by sign as modules spell it, in its unit; signs that are missing have no bounds. Wide on
purpose: outside them a value is an error of measurement. Source: limits of clinical analyzers and of the plausibility
checks of electronic records (for example Weiskopf and Weng 2013, J Am Med Inform Assoc 20(1), on the kind)."""
