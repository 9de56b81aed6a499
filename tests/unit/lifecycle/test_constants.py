"""Constants have the shapes that both interpreters count on."""

import itertools

import numpy as np
import pytest

from trajsim.lifecycle import constants
from trajsim.lifecycle.profile import Lifecycle


def test_profiles_are_three() -> None:
    assert [profile.value for profile in Lifecycle] == ["none", "default", "synthea"]


@pytest.mark.parametrize(("column", "published"), [(0, 0.021), (1, 0.030), (2, 0.053), (3, 0.061)])
def test_pooled_cohort_equations_give_the_published_example(column: int, published: float) -> None:
    """Goff et al. (2013), table A: a person of 55, cholesterol 213, HDL 50, untreated 120, no smoker, no diabetes.

    The table rounds the product of every term before it adds them up, so the last digit may differ by one.
    """
    *terms, mean, survival = constants.PCE_COEFFICIENTS[column]
    age, cholesterol, hdl, systolic = np.log([55.0, 213.0, 50.0, 120.0])
    values = [
        age, age**2, cholesterol, age * cholesterol, hdl, age * hdl, 0.0, 0.0, systolic, age * systolic, 0.0, 0.0, 0.0,
    ]  # fmt: skip
    total = float(np.dot(terms, values))
    assert 1.0 - survival ** np.exp(total - mean) == pytest.approx(published, abs=0.001)


def test_bands_rise() -> None:
    for name in (
        "STROKE_AGE_FEMALE", "STROKE_AGE_MALE", "STROKE_SBP_FEMALE", "STROKE_SBP_MALE", "STROKE_SBP_CONTROLLED_FEMALE",
        "STROKE_SBP_CONTROLLED_MALE",
    ):  # fmt: skip
        bounds = getattr(constants, name)
        assert len(bounds) == 11, name
        assert all(low < high for low, high in itertools.pairwise(bounds)), name


def test_risks_rise_with_points() -> None:
    assert len(constants.AF_RISKS) == 11
    assert len(constants.AF_POINTS_FEMALE) == len(constants.AF_POINTS_MALE) == 9
    for risks in (constants.AF_RISKS, constants.STROKE_RISKS_FEMALE, constants.STROKE_RISKS_MALE):
        assert all(0.0 <= low <= high < 1.0 for low, high in itertools.pairwise(risks))


def test_bounds_of_signs_are_intervals() -> None:
    assert all(0.0 <= low < high for low, high in constants.PHYSIOLOGICAL_BOUNDS.values())


def test_drugs_against_diabetes_lower_a1c() -> None:
    assert all(effect < 0.0 for _, effect in constants.A1C_DRUGS)
    assert len({code for code, _ in constants.A1C_DRUGS}) == len(constants.A1C_DRUGS)
