"""Children of the lifecycle grow as the charts say.

Heights follow the CDC charts exactly: whoever is at a percentile at birth stays there, so the share of children below
the value of the chart at a percentile is that percentile. Body mass index does not: it begins with NHANES children of
two years, who are heavier than the charts of 2000, and moves from year to year by the correlations and shifts of NHANES
(docs/draws.md, 10.4). It is therefore compared with a second simulation of that section, written with arrays, up to the
75th percentile: weight management starts at the 95th. At two years that is the sample itself, each child brought from
its own age (24 to 35 months) to 24 months at its percentile of weight.
"""

import json
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from trajsim.engine.options import SimulationOptions
from trajsim.engine.simulate import simulate
from trajsim.gmf.library import load_modules
from trajsim.lifecycle.profile import Lifecycle
from trajsim.lifecycle.tables import CHARTS, SEXES, bmi_correlation, growth_charts, two_year_olds
from trajsim.population.build import build_cohort
from trajsim.population.options import PopulationOptions

Floats = NDArray[np.float64]
AGES = (2, 5, 10, 15)
N_LIVES = 6_000
N_OTHERS = 100_000
END_MS = 1_767_225_600_000  # 1 January 2026
MONTH_DAYS = 365.2425 / 12
NORMAL = NormalDist()
ERF = np.vectorize(math.erf)
QUANTILE = np.vectorize(NORMAL.inv_cdf)
STANDARD_ERRORS = 4.0


def lms(chart: str, sex: str, months: "int | NDArray[np.int64]") -> tuple[Floats, Floats, Floats]:
    table = growth_charts()[CHARTS.index(chart), SEXES.index(sex)][months]
    return table[..., 0], table[..., 1], table[..., 2]


def value_at(chart: str, sex: str, months: "int | NDArray[np.int64]", z: Floats) -> Floats:
    skewness, median, variation = lms(chart, sex, months)
    return np.asarray(median * (1 + skewness * variation * z) ** (1 / skewness))


def z_at(chart: str, sex: str, months: "int | NDArray[np.int64]", value: Floats) -> Floats:
    skewness, median, variation = lms(chart, sex, months)
    return np.asarray(((value / median) ** skewness - 1) / (skewness * variation))


def sigma(sex: str, age: "Floats | float") -> Floats:
    if sex == "M":
        return np.asarray(0.3728 + 0.5196 * age - 0.0091 * age**2)
    return np.asarray(0.8334 + 0.3712 * age - 0.0011 * age**2)


def phi(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + ERF(z / math.sqrt(2))))


def extended(sex: str, months: NDArray[np.int64], bmi: Floats) -> Floats:
    """Extended z: the half-normal tail above the 95th percentile."""
    z = z_at("bmi", sex, months, bmi)
    above = value_at("bmi", sex, months, np.full(len(bmi), NORMAL.inv_cdf(0.95)))
    tail = QUANTILE(np.clip(0.9 + 0.1 * phi((bmi - above) / sigma(sex, months / 12)), 0.001, 1 - 1e-12))
    return np.where(bmi < above, z, tail)


def bmi_of(sex: str, months: NDArray[np.int64], z: Floats) -> Floats:
    """The body mass index of an extended z."""
    share = phi(z)
    cut = value_at("bmi", sex, months, np.full(len(z), NORMAL.inv_cdf(0.95)))
    tail = cut + QUANTILE(np.clip((share - 0.9) * 10, 1e-6, 1 - 1e-9)) * sigma(sex, months / 12)
    return np.where(share < 0.95, value_at("bmi", sex, months, np.minimum(z, 1.6)), tail)


def brought_to_24_months(sex: str, months: NDArray[np.int64], bmi: Floats, height: Floats) -> Floats:
    """Body mass index at 24 months of children whose first point lies later: by the weight chart."""
    tall = QUANTILE(np.clip(height, 1e-12, 0.995))
    kilograms = bmi * (value_at("height", sex, months, tall) / 100) ** 2
    heavy = np.minimum(z_at("weight", sex, months, kilograms), NORMAL.inv_cdf(0.995))
    return np.asarray(value_at("weight", sex, 24, heavy) / (value_at("height", sex, 24, tall) / 100) ** 2)


def others(sex: str, seed: int) -> dict[int, Floats]:
    """Body mass index at 2, 5, 10 and 15 years by docs/draws.md, 10.4, without weight management."""
    rng = np.random.default_rng(seed)
    sample = two_year_olds(sex)
    row = np.minimum(np.searchsorted(sample.cumulative, rng.random(N_OTHERS), side="right"), len(sample.bmi) - 1)
    months, bmi = sample.age_months[row], sample.bmi[row]
    first = 30.0 * months
    z = extended(sex, months, bmi)
    found = {2: brought_to_24_months(sex, months, bmi, rng.random(N_OTHERS))}
    for k in range(1, 15):
        rho, shift = bmi_correlation()[2 + k]
        later = rho * z + shift + math.sqrt(1 - rho**2) * rng.standard_normal(N_OTHERS)
        next_bmi = bmi_of(sex, months + 12, later)
        for age in AGES:
            day = 12 * age * MONTH_DAYS + 3.5  # the turn after the birthday
            inside = (first <= day) & (day < first + 365)
            between = bmi + (next_bmi - bmi) * (day - first) / 365
            found[age] = np.where(inside, between, found.get(age, np.zeros(N_OTHERS)))
        months, first, bmi, z = months + 12, first + 365, next_bmi, later
    return found


@pytest.fixture(name="measured", scope="module")
def measured_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], Floats]:
    """Heights and body mass indices by sign, sex and age, taken in the first step after the birthday."""
    states: dict[str, object] = {"Initial": {"type": "Initial", "direct_transition": "Aged 2"}}
    for age, following in zip(AGES, [f"Aged {age}" for age in AGES[1:]] + ["Done"], strict=True):
        old = {"condition_type": "Age", "operator": ">=", "quantity": age, "unit": "years"}
        states[f"Aged {age}"] = {"type": "Guard", "allow": old, "direct_transition": f"Height {age}"}
        for sign, unit, to in (("Height", "cm", f"BMI {age}"), ("BMI", "kg/m2", following)):
            code = {"system": "LOINC", "code": f"{sign}-{age}", "display": f"{sign} at {age}"}
            states[f"{sign} {age}"] = {
                "type": "Observation",
                "category": "vital-signs",
                "vital_sign": sign,
                "unit": unit,
                "codes": [code],
                "direct_transition": to,
            }
    states["Done"] = {"type": "Terminal"}
    folder: Path = tmp_path_factory.mktemp("growth")
    (folder / "zz_growth.json").write_text(json.dumps({"name": "Growth", "states": states}))
    people = PopulationOptions(end_ms=END_MS, age_low=16, age_high=16)
    cohort = build_cohort(people, first_patient=0, n_patients=N_LIVES, seed=5, with_identity=False)
    records = simulate(
        load_modules(folder), cohort, SimulationOptions(seed=5, end_ms=END_MS, lifecycle=Lifecycle.DEFAULT)
    ).records()
    sex_of = dict(
        zip(
            records["patients"]["patient_id"].to_pylist(),
            records["patients"]["sex"].cast("string").to_pylist(),
            strict=True,
        )
    )
    observed = records["observations"]
    sexes = np.array([sex_of[patient] for patient in observed["patient_id"].to_pylist()])
    codes = np.array(observed["code"].cast("string").to_pylist())
    value = observed["numeric_value"].to_numpy()
    return {
        (sign, s, age): value[(codes == f"{sign}-{age}") & (sexes == s)]
        for sign in ("Height", "BMI")
        for s in SEXES
        for age in AGES
    }


@pytest.mark.parametrize("sex", SEXES)
@pytest.mark.parametrize("age", AGES)
def test_heights_follow_the_charts(measured: dict[tuple[str, str, int], Floats], sex: str, age: int) -> None:
    heights = measured["Height", sex, age]
    assert len(heights) > N_LIVES / 3
    for percentile in (0.03, 0.10, 0.25, 0.50, 0.75, 0.90, 0.97):
        exact = value_at("height", sex, 12 * age, np.array([NORMAL.inv_cdf(percentile)]))[0]
        between = math.floor(exact * 10) / 10 + 0.05  # heights are rounded to 0.1 cm
        expected = float(phi(z_at("height", sex, 12 * age, np.array([between])))[0])
        error = math.sqrt(expected * (1 - expected) / len(heights))
        assert abs(float((heights < between).mean()) - expected) < STANDARD_ERRORS * error


@pytest.mark.parametrize("sex", SEXES)
def test_body_mass_index_follows_the_trajectory(measured: dict[tuple[str, str, int], Floats], sex: str) -> None:
    expected = others(sex, seed=1)
    for age in AGES:
        ours, theirs = measured["BMI", sex, age], expected[age]
        for percentile in (0.05, 0.10, 0.25, 0.50, 0.75):
            cut = float(np.quantile(theirs, percentile))
            error = math.sqrt(percentile * (1 - percentile) * (1 / len(ours) + 1 / len(theirs)))
            assert abs(float((ours < cut).mean()) - percentile) < STANDARD_ERRORS * error, (age, percentile)


@pytest.mark.parametrize("sex", SEXES)
@pytest.mark.parametrize("age", AGES[1:])
def test_children_are_heavier_than_the_charts(measured: dict[tuple[str, str, int], Floats], sex: str, age: int) -> None:
    """NHANES children of 1999 and later lie above the charts of 2000: the shifts of the trajectory are positive."""
    median = float(lms("bmi", sex, 12 * age)[1])
    assert 0.55 < float((measured["BMI", sex, age] > median).mean()) < 0.75
