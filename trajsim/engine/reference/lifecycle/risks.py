"""Ten-year risks of infarction, fibrillation and stroke (docs/draws.md 10.8, gmf-semantics 6.7).

Source: Goff et al. (2013), ACC/AHA guideline on the assessment of cardiovascular risk, doi
10.1161/01.cir.0000437741.48606.98, appendix 7; Schnabel et al. (2009), Lancet 373; D'Agostino et al. (1994), Stroke 25.
"""

import math
from bisect import bisect_left

from trajsim.lifecycle import constants as facts

NO_RISK = -1.0
_AF_POINTS = {"F": facts.AF_POINTS_FEMALE, "M": facts.AF_POINTS_MALE}
_STROKE_AGES = {"F": facts.STROKE_AGE_FEMALE, "M": facts.STROKE_AGE_MALE}
_STROKE_SYSTOLIC = {"F": facts.STROKE_SBP_FEMALE, "M": facts.STROKE_SBP_MALE}
_STROKE_SYSTOLIC_CONTROLLED = {"F": facts.STROKE_SBP_CONTROLLED_FEMALE, "M": facts.STROKE_SBP_CONTROLLED_MALE}
_STROKE_RISKS = {"F": facts.STROKE_RISKS_FEMALE, "M": facts.STROKE_RISKS_MALE}
_STROKE_RISK_20 = {"F": 0.007, "M": 0.002}
_STROKE_RISK_40 = {"F": 0.022, "M": 0.019}
_SMOKER, _HYPERTROPHY = 3, 5
_DIABETES = {"F": 3, "M": 2}
_HEART_DISEASE = {"F": 2, "M": 4}
_FIBRILLATION = {"F": 6, "M": 4}


def convert(risk: float, from_ms: int, to_ms: int) -> float:
    """The risk over one period as the risk over another."""
    return 1.0 - math.pow(1.0 - risk, to_ms / from_ms)


def _log(value: float) -> float:
    return math.log(value if value > 0.0 else 1.0)


def ascvd(
    age: int,
    sex: str,
    *,
    is_black: bool,
    systolic: float,
    total_cholesterol: float,
    hdl: float,
    is_smoker: bool,
    has_diabetes: bool,
    is_treated: bool,
) -> float:
    """Atherosclerotic disease by the pooled cohort equations.

    Args:
        age: Whole years.
        sex: F or M.
        is_black: Which race column holds.
        systolic: mmHg.
        total_cholesterol: mg/dL.
        hdl: mg/dL.
        is_smoker: Smokes now.
        has_diabetes: Has diabetes.
        is_treated: Whether the blood pressure is treated.

    Returns:
        The ten-year risk; -1 outside 40 ... 79 years.
    """
    if not 40 <= age <= 79:
        return NO_RISK
    coefficients = facts.PCE_COEFFICIENTS["FM".index(sex) * 2 + int(is_black)]
    *weights, mean, survival = coefficients
    ln_age, ln_chol, ln_hdl, ln_systolic = math.log(age), _log(total_cholesterol), _log(hdl), _log(systolic)
    treated = ln_systolic if is_treated else 0.0
    untreated = 0.0 if is_treated else ln_systolic
    smoker = 1.0 if is_smoker else 0.0
    diabetes = 1.0 if has_diabetes else 0.0
    pairs = (  # each measure, and its product with age
        (ln_age, ln_age * ln_age), (ln_chol, ln_age * ln_chol), (ln_hdl, ln_age * ln_hdl),
        (treated, ln_age * treated), (untreated, ln_age * untreated), (smoker, ln_age * smoker),
    )  # fmt: skip
    total = 0.0
    for number, (measure, with_age) in enumerate(pairs):
        total += weights[2 * number] * measure + weights[2 * number + 1] * with_age
    total += weights[-1] * diabetes
    return 1.0 - math.pow(survival, math.exp(total - mean))


def atrial_fibrillation(age: int, sex: str, *, bmi: float, systolic: float, is_controlled: bool) -> float:
    """Atrial fibrillation by Framingham points.

    Args:
        age: Whole years.
        sex: F or M.
        bmi: kg/m2.
        systolic: mmHg.
        is_controlled: Whether the blood pressure is controlled.

    Returns:
        The ten-year risk; -1 before 45.
    """
    if age < 45:
        return NO_RISK
    by_age = _AF_POINTS[sex]
    points = by_age[min((age - 45) // 5, len(by_age) - 1)]
    points += int(bmi >= 30.0) + int(systolic >= 160.0) + int(is_controlled)
    return facts.AF_RISKS[min(max(points, 0), len(facts.AF_RISKS) - 1)]


def stroke(
    age: int,
    sex: str,
    *,
    systolic: float,
    is_controlled: bool,
    is_smoker: bool,
    has_hypertrophy: bool,
    has_diabetes: bool,
    has_heart_disease: bool,
    has_fibrillation: bool,
) -> float:
    """Stroke by age and, from 55, by Framingham points.

    Args:
        age: Whole years.
        sex: F or M.
        systolic: mmHg.
        is_controlled: Whether the blood pressure is controlled.
        is_smoker: Smokes now.
        has_hypertrophy: Of the left ventricle.
        has_diabetes: Has diabetes.
        has_heart_disease: Coronary heart disease.
        has_fibrillation: Atrial fibrillation.

    Returns:
        The ten-year risk; -1 before 20.
    """
    if age < 20:
        return NO_RISK
    if age < 40:
        return _STROKE_RISK_20[sex]
    if age < 55:
        return _STROKE_RISK_40[sex]
    bands = _STROKE_SYSTOLIC_CONTROLLED if is_controlled else _STROKE_SYSTOLIC
    points = _band(_STROKE_AGES[sex], age) + _band(bands[sex], systolic)
    for holds, worth in (
        (is_smoker, _SMOKER),
        (has_hypertrophy, _HYPERTROPHY),
        (has_diabetes, _DIABETES[sex]),
        (has_heart_disease, _HEART_DISEASE[sex]),
        (has_fibrillation, _FIBRILLATION[sex]),
    ):
        if holds:
            points += worth
    risks = _STROKE_RISKS[sex]
    return float(risks[min(max(points, 0), len(risks) - 1)])


def _band(bounds: tuple[float, ...], value: float) -> int:
    """Index of the band of a value; one that equals a bound belongs to the band below (of the first: -1)."""
    return bisect_left(bounds, value) - 1
