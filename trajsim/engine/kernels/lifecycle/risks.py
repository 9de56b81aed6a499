"""Ten-year risks of vascular disease, atrial fibrillation and stroke.

Source: ACC/AHA pooled cohort equations (2013), doi 10.1161/01.cir.0000437741.48606.98, appendix 7; Framingham Heart
Study risk functions for atrial fibrillation and stroke as points; docs/draws.md 10.8.
"""

import math

import numpy as np

from trajsim.lifecycle.constants import (
    AF_POINTS_FEMALE,
    AF_POINTS_MALE,
    AF_RISKS,
    PCE_COEFFICIENTS,
    STROKE_AGE_FEMALE,
    STROKE_AGE_MALE,
    STROKE_RISKS_FEMALE,
    STROKE_RISKS_MALE,
    STROKE_SBP_CONTROLLED_FEMALE,
    STROKE_SBP_CONTROLLED_MALE,
    STROKE_SBP_FEMALE,
    STROKE_SBP_MALE,
)
from trajsim.streams.jit import jit

PCE = np.array(PCE_COEFFICIENTS, dtype=np.float64)  # white F, black F, white M, black M; 13 terms, mean, survival
AF_POINTS = np.array([AF_POINTS_FEMALE, AF_POINTS_MALE], dtype=np.int64)
AF_RISK = np.array(AF_RISKS, dtype=np.float64)
STROKE_AGE = np.array([STROKE_AGE_FEMALE, STROKE_AGE_MALE], dtype=np.float64)
STROKE_SBP = np.array([STROKE_SBP_FEMALE, STROKE_SBP_MALE], dtype=np.float64)
STROKE_CONTROLLED = np.array([STROKE_SBP_CONTROLLED_FEMALE, STROKE_SBP_CONTROLLED_MALE], dtype=np.float64)
STROKE_RISK_F = np.array(STROKE_RISKS_FEMALE, dtype=np.float64)
STROKE_RISK_M = np.array(STROKE_RISKS_MALE, dtype=np.float64)
TEN_YEARS_DAYS = 3650.0


@jit
def _log(value):
    return math.log(value) if value > 0.0 else 0.0


@jit
def ascvd(age, sex, is_black, systolic, cholesterol, hdl, is_smoker, has_diabetes, is_treated):
    """Ten-year risk of atherosclerotic disease at an age in whole years; -1 outside 40 ... 79. Sex: 0 F, 1 M."""
    if age < 40 or age > 79:
        return -1.0
    c = PCE[2 * sex + is_black]
    ln_age = math.log(np.float64(age))
    ln_chol = _log(cholesterol)
    ln_hdl = _log(hdl)
    ln_sbp = _log(systolic)
    total = c[0] * ln_age + c[1] * (ln_age * ln_age)
    total += c[2] * ln_chol + c[3] * (ln_age * ln_chol)
    total += c[4] * ln_hdl + c[5] * (ln_age * ln_hdl)
    if is_treated:
        total += c[6] * ln_sbp + c[7] * (ln_age * ln_sbp)
    else:
        total += c[8] * ln_sbp + c[9] * (ln_age * ln_sbp)
    if is_smoker:
        total += c[10] + c[11] * ln_age
    if has_diabetes:
        total += c[12]
    return 1.0 - c[14] ** math.exp(total - c[13])


@jit
def atrial_fibrillation(age, sex, systolic, bmi, is_controlled):
    """Ten-year risk of atrial fibrillation; -1 before 45."""
    if age < 45:
        return -1.0
    band = (age - 45) // 5
    if band > 8:
        band = 8
    points = AF_POINTS[sex, band]
    if bmi >= 30.0:
        points += 1
    if systolic >= 160.0:
        points += 1
    if is_controlled:
        points += 1
    if points < 0:
        points = 0
    elif points > 10:
        points = 10
    return AF_RISK[points]


@jit
def _band(bounds, sex, value):
    """Number of bounds below a value (a value equal to a bound belongs to the band below)."""
    n = 0
    for k in range(bounds.shape[1]):
        if value > bounds[sex, k]:
            n += 1
    return n


@jit
def stroke(age, sex, systolic, is_controlled, is_smoker, has_hypertrophy, has_diabetes, has_heart_disease, has_af):
    """Ten-year risk of stroke; -1 before 20."""
    if age < 20:
        return -1.0
    if age < 40:
        return 0.007 if sex == 0 else 0.002
    if age < 55:
        return 0.022 if sex == 0 else 0.019
    points = _band(STROKE_AGE, sex, np.float64(age)) - 1
    bounds = STROKE_CONTROLLED if is_controlled else STROKE_SBP
    points += _band(bounds, sex, systolic) - 1
    if is_smoker:
        points += 3
    if has_hypertrophy:
        points += 5
    if has_diabetes:
        points += 3 if sex == 0 else 2
    if has_heart_disease:
        points += 2 if sex == 0 else 4
    if has_af:
        points += 6 if sex == 0 else 4
    if points < 0:
        points = 0
    risks = STROKE_RISK_F if sex == 0 else STROKE_RISK_M
    if points >= risks.shape[0]:
        points = risks.shape[0] - 1
    return risks[points]


@jit
def convert(risk, days_from, days_to):
    """A risk over one period as a risk over another."""
    return 1.0 - (1.0 - risk) ** (days_to / days_from)
