"""The kernels give Java's growth, risks and vaccines: functions_growth.csv, functions_risk.csv, immunizations.json."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import STREAM_ENCOUNTERS, STREAM_IMMUNIZATIONS, Catalogue, EventKind
from trajsim.engine.kernels.lifecycle import growth, risks
from trajsim.engine.kernels.lifecycle.draws import normal_cdf
from trajsim.engine.options import SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.reference.lifecycle import growth as plain
from trajsim.engine.simulate import simulate_life
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.testing.strategies import load
from trajsim.units import ms_from_iso

CHARTS = {
    "height": growth.HEIGHT_CHART,
    "weight": growth.WEIGHT_CHART,
    "bmi": growth.BMI_CHART,
    "head": growth.HEAD_CHART,
}
NO_RISK = -1.0
TEN_YEARS_DAYS, STEP_DAYS = 3650.0, 7.0
Visit = tuple[int, str, list[str]]


@pytest.fixture(name="results", scope="module")
def results_fixture(shared: Path) -> Path:
    folder = shared / "synthea" / "reference"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: Synthea's results are not here")
    return folder


def _idle() -> ModuleSet:
    """A module that does nothing."""
    states = {"Initial": {"type": "Initial", "direct_transition": "End"}, "End": {"type": "Terminal"}}
    return load({"idle": {"name": "Idle", "states": states}}, {})


@pytest.fixture(name="program", scope="module")
def program_fixture() -> Program:
    return compile_modules(_idle(), lifecycle=Lifecycle.SYNTHEA)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _is_close(value: float, text: str) -> bool:
    return math.isclose(value, float(text), rel_tol=1e-9)


def test_growth(program: Program, results: Path) -> None:
    floats, base = program.floats, program.header[0].d_charts
    rows = [row for row in _rows(results / "functions_growth.csv") if row["value"] != "error"]
    assert len(rows) > 1_000
    for row in rows:
        sex, months, percentile = "FM".index(row["sex"]), int(row["age_months"]), float(row["percentile"])
        if row["chart"] == "extended_bmi":
            tail = growth.sigma(sex, months / 12)
            value = growth.bmi_of_percentile(floats, base, sex, months, percentile, tail)
            score = growth.extended_z(floats, base, sex, months, value, tail)
            assert math.isclose(normal_cdf(score), percentile, abs_tol=1e-9), row
        else:
            chart = CHARTS[row["chart"]]
            value = growth.lms_value(floats, base, chart, sex, months, percentile)
            back = growth.lms_percentile(floats, base, chart, sex, months, value)
            assert math.isclose(back, min(percentile, 0.995), abs_tol=1e-9), row
        assert _is_close(value, row["value"]), (row, value)


def test_no_percentile_is_too_low_for_a_chart(program: Program) -> None:
    """Newborns of a drawn percentile of one in a million have a weight, the same in both interpreters."""
    floats, base = program.floats, program.header[0].d_charts
    n_beyond = 0
    for number in CHARTS.values():
        for sex, name in enumerate("FM"):
            for months in (0, 1, 12, 24, 36):
                lms = plain.chart(number, name, months)
                if math.isnan(lms.median):
                    continue
                least = plain.lms_value(lms, 0.001)
                for percentile in (1e-300, 1e-16, 1e-9, 1e-6):
                    value = growth.lms_value(floats, base, number, sex, months, percentile)
                    assert value == plain.lms_value(lms, percentile)
                    assert 0.0 < value <= least
                    n_beyond += value == least
    assert n_beyond > 0
    beyond = growth.lms_value(floats, base, growth.WEIGHT_CHART, 1, 0, 1e-9)
    assert beyond == plain.lms_value(plain.chart(plain.WEIGHT, "M", 0), 0.001)


def test_risks(results: Path) -> None:
    rows = _rows(results / "functions_risk.csv")
    assert len(rows) > 100
    for row in rows:
        for name, risk in _risks_of(row).items():
            step = risk if risk == NO_RISK else risks.convert(risk, TEN_YEARS_DAYS, STEP_DAYS)
            assert _is_close(risk, row[f"{name}10"]), (name, row, risk)
            assert _is_close(step, row[f"{name}_step"]), (name, row, step)


def _risks_of(row: Mapping[str, str]) -> dict[str, float]:
    """Ten-year risks of a row."""
    age, sex, systolic = int(row["age"]), int(row["sex"] == "M"), float(row["sbp"])
    flag = {name: value == "1" for name, value in row.items()}
    controlled, smoker, diabetes = flag["blood_pressure_controlled"], flag["smoker"], flag["diabetes"]
    cholesterol, hdl, is_black = float(row["total_cholesterol"]), float(row["hdl"]), int(row["race"] == "black")
    fibrillates = False
    hypertrophy, disease = flag["left_ventricular_hypertrophy"], flag["coronary_heart_disease"]
    return {
        "ascvd": risks.ascvd(age, sex, is_black, systolic, cholesterol, hdl, smoker, diabetes, flag["hypertension"]),
        "af": risks.atrial_fibrillation(age, sex, systolic, float(row["bmi"]), controlled),
        "stroke": risks.stroke(age, sex, systolic, controlled, smoker, hypertrophy, diabetes, disease, fibrillates),
    }


def test_every_visit_gives_the_vaccines_that_java_gives(results: Path) -> None:
    people = json.loads((results / "immunizations.json").read_text(encoding="utf-8"))
    assert people
    for person in people:
        wanted = [(at, code, sorted(vaccines)) for at, code, vaccines in person["visits"]]
        assert _visits(person["birth"], person["sex"], person["end"]) == wanted, person["birth"]


def _visits(birth: str, sex: str, end: str) -> list[Visit]:
    """What the encounter module's visits of a life without modules give."""
    modules = _idle()
    cohort = Cohort(
        patient_id=np.array([1], dtype=np.uint64),
        birth_ms=np.array([ms_from_iso(birth)]),
        death_ms=np.array([NEVER_MS]),
        attributes={"gender": AttributeColumn(kind="text", values=np.zeros(1, dtype=np.int32), categories=(sex,))},
    )
    catalogue = Catalogue(modules, extra_strings=cohort.texts())
    options = SimulationOptions(seed=3, end_ms=ms_from_iso(end), lifecycle=Lifecycle.SYNTHEA)
    life = simulate_life(modules, catalogue, cohort, 0, options)
    visits: dict[int, Visit] = {}
    for index, row in enumerate(life.events):
        code = catalogue.sources[row["state"]].codes
        if row["kind"] == EventKind.ENCOUNTER and row["module"] == STREAM_ENCOUNTERS:
            visits[index] = (int(row["time"]) - life.birth_ms, code[0].code, [])
        elif row["kind"] == EventKind.IMMUNIZATION and row["module"] == STREAM_IMMUNIZATIONS:
            visits[int(row["encounter"])][2].append(code[0].code)
    return [(at, code, sorted(vaccines)) for at, code, vaccines in visits.values()]
