"""The bundled modules: sound, well sourced, and as common as the published figures say."""

import math

import numpy as np
import pytest

from tests.statistical.conftest import Script
from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.options import SimulationOptions
from trajsim.engine.reference import simulate_patient
from trajsim.engine.simulate import simulate_life
from trajsim.gmf.check import check_modules
from trajsim.gmf.findings import Severity
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.gmf.model import ModuleSet
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.options import PopulationOptions

TIMED = ("all_causes_of_death", "infarction_after_angina")  # what a model of trajectories times; nothing without one
BUNDLED = (
    "all_causes_of_death",
    "atrial_fibrillation",
    "coronary_disease",
    "diabetes",
    "dyslipidemia",
    "fatty_liver",
    "heart_failure",
    "hypertension",
    "infarction_after_angina",
    "prediabetes",
    "stroke",
    "upper_respiratory_infection",
    "wellness_visits",
)
END_MS = 1_767_225_600_000  # 1 January 2026


@pytest.fixture(name="modules", scope="module")
def modules_fixture() -> ModuleSet:
    return load_modules(bundled_modules_root())


@pytest.fixture(name="elderly", scope="module")
def elderly_fixture() -> Cohort:
    options = PopulationOptions(end_ms=END_MS, age_low=70, age_high=90)
    return build_cohort(options, first_patient=0, n_patients=40, seed=11, with_identity=False)


def test_all_modules_are_there(modules: ModuleSet) -> None:
    assert tuple(module.key for module in modules.top_level()) == BUNDLED


def test_checks_find_no_error_and_no_warning() -> None:
    found = [f"{f.path}: {f.message}" for f in check_modules(bundled_modules_root()) if f.severity is not Severity.INFO]
    assert found == []


def test_every_file_says_what_it_models_and_names_a_source(modules: ModuleSet) -> None:
    for module in modules.modules.values():
        text = " ".join(module.remarks)
        assert len(text) > 200, module.key
        assert any(word in text for word in ("Source", "Calibrated on", "Deaths")), module.key
        assert any(str(year) in text for year in range(1970, 2025)), module.key


def test_every_target_names_a_source_and_every_module_has_one(script: Script) -> None:
    targets = script("bundled_prevalence").read_targets()
    assert {target.module for target in targets} == set(BUNDLED) - set(TIMED)
    assert all(target.source and 0 < target.value < 1 for target in targets)


def test_tables_with_cited_figures_are_those_of_the_script(script: Script) -> None:
    tables = script("bundled_hazards").cited_tables()
    for name, (header, rows) in tables.items():
        lines = (bundled_modules_root() / "lookup_tables" / name).read_text(encoding="utf-8").splitlines()
        assert lines == [",".join(header), *(",".join(map(str, row)) for row in rows)], name


def test_lives_have_no_coercion_and_no_empty_observation(modules: ModuleSet, elderly: Cohort) -> None:
    catalogue = Catalogue(modules, extra_strings=elderly.texts())
    for row in range(12):
        events = simulate_patient(modules, catalogue, elderly, row, SimulationOptions(seed=11, end_ms=END_MS)).events
        assert not (events["kind"] == EventKind.COERCED).any()
        empty = (events["kind"] == EventKind.OBSERVATION) & (events["tag"] == 0)
        assert not empty.any()


def test_both_interpreters_live_the_same_lives(modules: ModuleSet, elderly: Cohort) -> None:
    catalogue = Catalogue(modules, extra_strings=elderly.texts())
    options = SimulationOptions(seed=11, end_ms=END_MS)
    for row in range(6):
        one = simulate_patient(modules, catalogue, elderly, row, options)
        two = simulate_life(modules, catalogue, elderly, row, options)
        assert np.array_equal(one.events, two.events)


def test_without_a_model_diabetes_comes_after_prediabetes_and_ends_it(modules: ModuleSet, elderly: Cohort) -> None:
    catalogue = Catalogue(modules, extra_strings=elderly.texts())
    found = {name: catalogue.state_index(*name) for name in (("prediabetes", "Prediabetes"), ("diabetes", "Diabetes"))}
    n_sick = 0
    for row in range(len(elderly)):
        events = simulate_life(modules, catalogue, elderly, row, SimulationOptions(seed=11, end_ms=END_MS)).events
        onsets = events["kind"] == EventKind.CONDITION
        before, sick = (np.flatnonzero(onsets & (events["state"] == state)) for state in found.values())
        ended = events["ref"][events["kind"] == EventKind.CONDITION_END]
        assert len(ended) == len(np.unique(ended))
        n_sick += len(sick)
        for diagnosis in sick:
            assert (before < diagnosis).any()
            assert set(before[before < diagnosis]) <= set(ended)
    assert n_sick > 5


def test_values_are_plausible(modules: ModuleSet, elderly: Cohort) -> None:
    limits = {  # lowest and highest a value may be, whatever the age or disease
        "8480-6": (50, 230),
        "8462-4": (28, 140),
        "8302-2": (42, 205),
        "29463-7": (1.8, 220),
        "39156-5": (10, 65),
        "4548-4": (4, 12),
        "1558-6": (60, 200),
        "2093-3": (90, 340),
        "13457-7": (35, 260),
        "2085-9": (20, 100),
        "98979-8": (15, 162),
    }
    catalogue = Catalogue(modules, extra_strings=elderly.texts())
    first = [source.codes[0].code if source.codes else "" for source in catalogue.sources]
    for row in range(12, 24):
        events = simulate_patient(modules, catalogue, elderly, row, SimulationOptions(seed=11, end_ms=END_MS)).events
        for event in events[events["kind"] == EventKind.OBSERVATION]:
            low, high = limits.get(first[event["state"]], (-math.inf, math.inf))
            assert low <= event["value"] <= high, catalogue.sources[event["state"]].state


def test_total_cholesterol_is_the_sum_of_its_parts(modules: ModuleSet, elderly: Cohort) -> None:
    catalogue = Catalogue(modules, extra_strings=elderly.texts())
    first = catalogue.state_index("labs/lipid_panel", "Panel") + 1
    events = simulate_patient(modules, catalogue, elderly, 3, SimulationOptions(seed=11, end_ms=END_MS)).events
    values = [events["value"][events["state"] == first + child] for child in range(4)]
    total, ldl, hdl, triglycerides = values
    assert len(total) > 2
    assert (abs(total - (ldl + hdl + triglycerides / 5)) <= 0.5).all()


@pytest.mark.nightly
def test_prevalence_meets_the_published_figures(script: Script) -> None:
    prevalence = script("bundled_prevalence")
    tally = prevalence.measure(100_000, seed=1)
    missed = [band for band in prevalence.bands(tally, prevalence.read_targets()) if not band.met]
    assert missed == []


def test_a_small_run_does_not_contradict_the_published_figures(script: Script) -> None:
    prevalence = script("bundled_prevalence")
    tally = prevalence.measure(4_000, seed=1)
    for band in prevalence.bands(tally, prevalence.read_targets()):
        # Beyond the tolerance by more than five standard errors would be a miscalibration, not chance.
        chance = 5 * math.sqrt(band.expected / max(band.n, 1))
        assert abs(band.measured - band.expected) <= prevalence.TOLERANCE * band.expected + chance or band.n == 0, band
