"""Growth and risk formulas give Java's values (functions_growth.csv, functions_risk.csv)."""

import csv
import math
import os
from pathlib import Path

import pytest

from tests.conftest import ROOT
from trajsim.engine.reference.lifecycle import growth, risks
from trajsim.engine.reference.lifecycle.draws import phi
from trajsim.units import DAY_MS, WEEK_MS

FOLDER = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared")) / "synthea" / "reference"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="Synthea's results are not here (TRAJSIM_SHARED)")
CHARTS = {"height": growth.HEIGHT, "weight": growth.WEIGHT, "bmi": growth.BMI, "head": growth.HEAD}
TEN_YEARS_MS = 3_650 * DAY_MS


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _close(value: float, text: str) -> bool:
    return math.isclose(value, float(text), rel_tol=1e-9)


def test_growth() -> None:
    for row in _rows("functions_growth.csv"):
        months, percentile = int(row["age_months"]), float(row["percentile"])
        if row["chart"] == "extended_bmi":
            lms = growth.chart(growth.BMI, row["sex"], months)
            value = growth.bmi_of_percentile(lms, percentile, growth.sigma(row["sex"], months / 12))
        elif row["value"] == "error":
            assert math.isnan(growth.chart(CHARTS[row["chart"]], row["sex"], months).median), row
            continue
        else:
            value = growth.lms_value(growth.chart(CHARTS[row["chart"]], row["sex"], months), percentile)
        assert _close(value, row["value"]), (row, value)


def test_percentile_is_the_inverse() -> None:
    for row in _rows("functions_growth.csv"):
        if row["value"] == "error":
            continue
        months, percentile = int(row["age_months"]), float(row["percentile"])
        if row["chart"] == "extended_bmi":
            lms = growth.chart(growth.BMI, row["sex"], months)
            score = growth.extended_z(lms, float(row["value"]), growth.sigma(row["sex"], months / 12))
            assert math.isclose(phi(score), percentile, abs_tol=1e-9), row
        elif percentile <= 0.995:
            lms = growth.chart(CHARTS[row["chart"]], row["sex"], months)
            assert math.isclose(growth.lms_percentile(lms, float(row["value"])), percentile, abs_tol=1e-9), row


def test_risks() -> None:
    for row in _rows("functions_risk.csv"):
        age, systolic = int(row["age"]), float(row["sbp"])
        flag = {name: row[name] == "1" for name in row}
        ascvd = risks.ascvd(
            age,
            row["sex"],
            is_black=row["race"] == "black",
            systolic=systolic,
            total_cholesterol=float(row["total_cholesterol"]),
            hdl=float(row["hdl"]),
            is_smoker=flag["smoker"],
            has_diabetes=flag["diabetes"],
            is_treated=flag["hypertension"],
        )
        fibrillation = risks.atrial_fibrillation(
            age,
            row["sex"],
            bmi=float(row["bmi"]),
            systolic=systolic,
            is_controlled=flag["blood_pressure_controlled"],
        )
        stroke = risks.stroke(
            age,
            row["sex"],
            systolic=systolic,
            is_controlled=flag["blood_pressure_controlled"],
            is_smoker=flag["smoker"],
            has_hypertrophy=flag["left_ventricular_hypertrophy"],
            has_diabetes=flag["diabetes"],
            has_heart_disease=flag["coronary_heart_disease"],
            has_fibrillation=False,
        )
        for name, risk in (("ascvd", ascvd), ("af", fibrillation), ("stroke", stroke)):
            assert _close(risk, row[f"{name}10"]), (name, row, risk)
            step = risk if risk == risks.NO_RISK else risks.convert(risk, TEN_YEARS_MS, WEEK_MS)
            assert _close(step, row[f"{name}_step"]), (name, row, step)
