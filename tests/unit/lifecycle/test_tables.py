"""The tables of the lifecycle hold what their sources publish, and nothing that cannot be."""

import csv
import itertools
import math
from importlib import resources
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import SHARED
from trajsim.codes import is_valid_snomed
from trajsim.lifecycle import tables
from trajsim.population.tables import load_states

FUNCTIONS = SHARED / "synthea" / "reference" / "functions_growth.csv"
needs_functions = pytest.mark.skipif(not FUNCTIONS.is_file(), reason="Synthea's results are not here (TRAJSIM_SHARED)")
DAY_MS = 86_400_000


def _value(lms: NDArray[np.float64], percentile: float) -> float:
    """The value at a percentile, by Cole's LMS method and with the limits of section 10.4 of the draw contract."""
    skewness, median, variation = (float(part) for part in lms)
    kept = 0.999 if percentile >= 1 else 0.001 if percentile <= 0 else percentile
    z = NormalDist().inv_cdf(min(kept, 0.995))
    if skewness == 0.0:
        return median * math.exp(variation * z)
    return float(median * (1.0 + skewness * variation * z) ** (1.0 / skewness))


def _extended_bmi(lms: NDArray[np.float64], percentile: float, *, sex: str, age: float) -> float:
    """The same for BMI, with the half-normal tail above the 95th percentile (Wei et al. 2020)."""
    if percentile < 0.95:
        return _value(lms, percentile)
    female = 0.8334 + 0.3712 * age - 0.0011 * age**2
    sigma = female if sex == "F" else 0.3728 + 0.5196 * age - 0.0091 * age**2
    return _value(lms, 0.95) + NormalDist().inv_cdf((percentile - 0.9) * 10.0) * sigma


@needs_functions
def test_growth_charts_give_the_values_of_synthea() -> None:
    charts = tables.growth_charts()
    n_compared = 0
    with FUNCTIONS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            chart, sex, months = row["chart"], row["sex"], int(row["age_months"])
            name = "bmi" if chart == "extended_bmi" else chart
            lms = charts[tables.CHARTS.index(name), tables.SEXES.index(sex), months]
            if row["value"] == "error":
                assert np.isnan(lms).all(), row
                continue
            percentile = float(row["percentile"])
            if chart == "extended_bmi":
                value = _extended_bmi(lms, percentile, sex=sex, age=months / 12)
            else:
                value = _value(lms, percentile)
            assert value == pytest.approx(float(row["value"]), rel=1e-9), row
            n_compared += 1
    assert n_compared > 1_000


def test_charts_cover_their_months_and_no_others() -> None:
    charts = tables.growth_charts()
    assert charts.shape == (4, 2, 241, 3)
    first_last = {"height": (0, 240), "weight": (0, 240), "bmi": (24, 240), "head": (0, 36)}
    for index, name in enumerate(tables.CHARTS):
        first, last = first_last[name]
        is_there = ~np.isnan(charts[index])
        assert is_there[:, first : last + 1].all(), name
        assert is_there.sum() == 2 * 3 * (last - first + 1), name


def test_medians_rise_with_age_and_length() -> None:
    charts = tables.growth_charts()
    for name in ("height", "weight", "head"):
        medians = charts[tables.CHARTS.index(name), :, :, 1]
        for sex in range(2):
            rises = np.diff(medians[sex][~np.isnan(medians[sex])])
            assert (rises > 0.0).all(), (name, sex)
    for name in tables.SEXES:
        table = tables.weight_for_length(name)
        assert table.shape == (60, 4)
        assert (np.diff(table[:, 0]) > 0.0).all()
        assert (np.diff(table[:, 2]) > 0.0).all()
    bmi = charts[tables.CHARTS.index("bmi"), :, 24:, 1]
    assert ((bmi > 15.0) & (bmi < 24.0)).all()


def test_charts_meet_published_medians() -> None:
    """CDC Growth Charts 2000, data tables: stature of men and women of 20, weight of girls at 24.5 months."""
    charts = tables.growth_charts()
    assert charts[0, 1, 240, 1] == 176.8492322
    assert charts[0, 0, 240, 1] == 163.338251
    assert charts[2, 1, 24].tolist() == [-1.982373595, 16.54777487, 0.080127429]
    assert charts[3, 1, 0].tolist() == [4.427825037, 35.81366835, 0.052172542]


@pytest.mark.parametrize("sex", tables.SEXES)
def test_two_year_olds_are_two_years_old(sex: str) -> None:
    sample = tables.two_year_olds(sex)
    assert sample.age_months.dtype == np.int64
    assert len(sample.age_months) == len(sample.bmi) == len(sample.cumulative) > 1_000
    assert ((sample.age_months >= 24) & (sample.age_months <= 36)).all()
    assert ((sample.bmi > 10.0) & (sample.bmi < 35.0)).all()
    assert (np.diff(sample.cumulative) > 0.0).all()
    assert sample.cumulative[0] > 0.0
    assert sample.cumulative[-1] == 1.0


def test_all_two_year_olds_are_there() -> None:
    assert sum(len(tables.two_year_olds(sex).bmi) for sex in tables.SEXES) == 2_239


def test_correlations_are_those_of_the_years_from_three() -> None:
    table = tables.bmi_correlation()
    assert table.shape == (21, 2)
    assert (table[:3] == 0.0).all()
    assert ((table[3:, 0] > 0.7) & (table[3:, 0] < 1.0)).all()
    assert (np.abs(table[3:, 1]) < 0.25).all()


def test_drugs_lower_blood_pressure() -> None:
    drugs = tables.blood_pressure_drugs()
    assert len({drug.rxnorm for drug in drugs}) == len(drugs) == 21
    for drug in drugs:
        assert drug.rxnorm.isdigit()
        for first, second in (drug.systolic, drug.diastolic):
            assert -20.0 < second < first < -5.0, drug


def test_the_schedule_is_that_of_18_series() -> None:
    schedule = tables.immunization_schedule()
    assert len(schedule) == 18
    assert len({vaccine.cvx for vaccine in schedule}) == 18
    for vaccine in schedule:
        assert vaccine.cvx.isdigit()
        assert len(vaccine.cvx) in (2, 3)
        assert 1940 < vaccine.first_year < 2020
        assert all(first < second for first, second in itertools.pairwise(vaccine.months)), vaccine
    doses = {vaccine.name: len(vaccine.months) for vaccine in schedule}
    assert doses.pop("flu") == 101
    assert sum(doses.values()) == 51


def test_runs_of_months_include_their_end() -> None:
    influenza = next(vaccine for vaccine in tables.immunization_schedule() if vaccine.name == "flu")
    assert influenza.months[:2] == (6, 18)
    assert influenza.months[-1] == 1_206


def test_covid_doses_have_every_day_and_band() -> None:
    doses = tables.covid_doses()
    assert doses.ages == (12, 16, 18, 30, 40, 50, 65, 75)
    assert doses.doses.shape == (273, 8)
    assert (np.diff(doses.day_ms) == DAY_MS).all()
    assert doses.day_ms[0] == 1_608_076_800_000  # 2020-12-16
    assert (doses.doses >= 0.0).all()
    assert ((doses.acceptance > 0.5) & (doses.acceptance < 1.0)).all()


def test_disability_codes_have_right_check_digits() -> None:
    codes = tables.disability_codes()
    assert len(set(codes)) == len(codes)
    assert [code for code in codes if not is_valid_snomed(code)] == []


def test_medicaid_rules_are_those_of_the_states() -> None:
    rules = tables.medicaid_rules()
    names = [rule.state for rule in rules]
    assert len(names) == len(set(names)) == 51  # with the District of Columbia
    assert set(names) <= set(load_states().names)
    for rule in rules:
        assert rule.infant >= rule.toddler >= rule.child >= 1.0, rule
        assert 1.0 <= rule.pregnant < 4.0, rule
        assert 0.0 <= rule.adult < 4.0, rule
        assert rule.spend_down_usd is None or 50.0 < rule.spend_down_usd < 2_000.0, rule
        assert rule.spend_down_usd is not None or not rule.spend_down_restricted, rule


def test_spend_down_table_has_the_same_states() -> None:
    folder = resources.files("trajsim.lifecycle").joinpath("data")
    states = [
        [row["state"] for row in csv.DictReader(folder.joinpath(name).read_text(encoding="utf-8").splitlines())]
        for name in ("medicaid_income.csv", "medicaid_spend_down.csv")
    ]
    assert states[0] == states[1]


def test_plans_have_one_kind_of_premium() -> None:
    plans = tables.insurance_plans()
    assert len(plans) == 18
    for plan in plans:
        assert (plan.monthly_premium_usd is None) != (plan.income_share is None), plan
        assert (plan.kind == "aca") == (plan.income_share is not None) == (plan.tier > 0), plan
    priorities = {kind: {plan.priority for plan in plans if plan.kind == kind} for kind in ("dual", "aca", "private")}
    assert priorities == {"dual": {1}, "aca": {3, 4, 5, 6}, "private": {99}}
    assert {plan.tier for plan in plans if plan.kind == "aca"} == {150, 200, 300, 400}


def test_real_payers_are_programmes_of_government() -> None:
    real = {plan.payer for plan in tables.insurance_plans() if plan.kind not in ("aca", "private")}
    invented = {plan.payer for plan in tables.insurance_plans() if plan.kind in ("aca", "private")}
    assert real == {"Medicare", "Medicaid", "Dual Eligible"}
    assert len(invented) == 6
    assert not real & invented


def test_shared_arrays_cannot_be_changed() -> None:
    sample, doses = tables.two_year_olds("F"), tables.covid_doses()
    for array in (tables.growth_charts(), tables.weight_for_length("M"), tables.bmi_correlation(), sample.cumulative):
        assert not array.flags.writeable
    assert not doses.doses.flags.writeable


def test_the_readme_names_every_file() -> None:
    folder = resources.files("trajsim.lifecycle").joinpath("data")
    readme = folder.joinpath("README.md").read_text(encoding="utf-8")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name != "README.md")
    assert len(files) == 12
    assert [name for name in files if f"`{name}`" not in readme] == []
