"""What is known in public of who gets a disease: logarithms of hazard ratios, where a model begins before any data.

Private training hears rare events through noise. Whatever of them is public need not be bought with the budget: these
numbers are rounded from published cohorts, none is computed from patients that a model is trained on, and training
changes them where the data say otherwise. Factors: ``age`` per 20 years, ``male``, ``bmi`` per step of its scale (a
fifth), events that a patient already has, and the last value of a lab per step of its scale.

Sources, rounded and, where they disagree, in between: general cardiovascular risk (D'Agostino et al., Circulation
2008;117:743), coronary disease (Wilson et al., Circulation 1998;97:1837), stroke (Wolf et al., Stroke 1991;22:312),
atrial fibrillation (Alonso et al., J Am Heart Assoc 2013;2:e000102), heart failure (Khan et al., J Am Coll Cardiol
2019;73:2388), hypertension (Parikh et al., Ann Intern Med 2008;148:102), diabetes (Wilson et al., Arch Intern Med
2007;167:1068), causes and consequences of fatty liver (Targher et al., J Hepatol 2016;65:589), death with several of
these conditions (Emerging Risk Factors Collaboration, JAMA 2015;314:52), and for the rise of all deaths with age the
United States life tables.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

AGE = "age"
MALE = "male"
BMI = "bmi"

OTHERWISE: Mapping[str, float] = {AGE: 1.4}
"""Events that are not listed: chronic disease comes some seven per cent more often with every year of age."""

EFFECTS: Mapping[str, Mapping[str, float]] = {
    "hypertension": {
        AGE: 0.8, BMI: 0.3, "diabetes": 0.4, "dyslipidemia": 0.2, "fatty_liver": 0.3, "hdl": -0.1, "sbp": 0.5,
        "smoking": 0.1,
    },
    "diabetes": {
        AGE: 0.6, MALE: 0.2, BMI: 0.6, "hypertension": 0.4, "dyslipidemia": 0.3, "fatty_liver": 0.7, "hdl": -0.35,
        "sbp": 0.1, "smoking": 0.2,
    },
    "dyslipidemia": {
        AGE: 0.3, MALE: 0.1, BMI: 0.15, "hypertension": 0.3, "diabetes": 0.4, "fatty_liver": 0.3, "hdl": -0.3,
    },
    "fatty_liver": {
        AGE: 0.1, BMI: 0.6, "hypertension": 0.2, "diabetes": 0.6, "dyslipidemia": 0.3, "hdl": -0.35,
    },
    "myocardial_infarction": {
        AGE: 1.2, MALE: 0.7, "hypertension": 0.4, "diabetes": 0.6, "dyslipidemia": 0.3, "angina": 0.9, "stroke": 0.3,
        "heart_failure": 0.5, "hdl": -0.25, "sbp": 0.2, "smoking": 0.6,
    },
    "angina": {
        AGE: 1.0, MALE: 0.4, BMI: 0.1, "hypertension": 0.4, "diabetes": 0.5, "dyslipidemia": 0.5, "fatty_liver": 0.2,
        "myocardial_infarction": 0.7, "heart_failure": 0.4, "hdl": -0.2, "sbp": 0.1, "smoking": 0.3,
    },
    "stroke": {
        AGE: 1.5, MALE: 0.2, "hypertension": 0.4, "diabetes": 0.5, "dyslipidemia": 0.1, "myocardial_infarction": 0.4,
        "angina": 0.3, "atrial_fibrillation": 0.7, "heart_failure": 0.5, "hdl": -0.1, "sbp": 0.25, "smoking": 0.5,
    },
    "atrial_fibrillation": {
        AGE: 1.7, MALE: 0.4, BMI: 0.2, "hypertension": 0.3, "diabetes": 0.2, "myocardial_infarction": 0.4,
        "angina": 0.2, "stroke": 0.2, "heart_failure": 0.9, "sbp": 0.1, "smoking": 0.2,
    },
    "heart_failure": {
        AGE: 1.7, MALE: 0.25, BMI: 0.25, "hypertension": 0.5, "diabetes": 0.6, "myocardial_infarction": 0.9,
        "angina": 0.6, "stroke": 0.3, "atrial_fibrillation": 0.9, "sbp": 0.15, "smoking": 0.4,
    },
    "cardiac_arrest": {
        AGE: 1.1, MALE: 0.6, "hypertension": 0.3, "diabetes": 0.5, "myocardial_infarction": 1.0, "angina": 0.7,
        "heart_failure": 1.2, "smoking": 0.5,
    },
    "death": {
        AGE: 1.7, MALE: 0.35, "hypertension": 0.1, "diabetes": 0.5, "myocardial_infarction": 0.5, "angina": 0.2,
        "stroke": 0.7, "atrial_fibrillation": 0.5, "heart_failure": 1.1, "fib4_raised": 0.4, "smoking": 0.6,
    },
}  # fmt: skip


def effect_weights(
    shape: tuple[int, ...], *, rows: Mapping[str, int], columns: Mapping[str, int]
) -> NDArray[np.float32]:
    """Weights of a linear map that begins at `EFFECTS`, 0 elsewhere.

    Args:
        shape: Of the map: rows are factors, columns what they act on.
        rows: Row of every factor that the map knows.
        columns: Column of every event; one that nothing is known of rises with age alone.
    """
    weights = np.zeros(shape, dtype=np.float32)
    for name, column in columns.items():
        for factor, effect in EFFECTS.get(name, OTHERWISE).items():
            if factor in rows and factor != name:
                weights[rows[factor], column] = effect
    return weights
