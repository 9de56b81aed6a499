"""The bundled modules with a model of constant hazards: all happens as often as it says, and follow-up goes on."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.learned import with_model
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.simulate import simulate
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.tables import load_bundled_mortality_offset
from trajsim.testing.closed_form_model import ClosedFormModel
from trajsim.trajectory_model import LearnedValue

END_MS = 1_767_225_600_000  # 1 January 2026
YEAR_MS = 365.25 * 86_400_000
N = 250
RATES = {
    "hypertension": 0.02,
    "dyslipidemia": 0.02,
    "diabetes": 0.01,
    "fatty_liver": 0.02,
    "angina": 0.01,
    "myocardial_infarction": 0.02,
    "stroke": 0.01,
    "atrial_fibrillation": 0.02,
    "heart_failure": 0.02,
    "death": 0.015,
}
PREDIABETES, DIABETES = "714628002", "44054006"
FIRST_AGE = {"atrial_fibrillation": 30, "heart_failure": 25, "fatty_liver": 18}
HDL = LearnedValue(
    name="hdl", unit="mg/dL", is_flag=False, is_log=True, centre=50, spread=0.3, low=5, high=200, resolution=1
)
SBP = LearnedValue(
    name="sbp", unit="mm[Hg]", is_flag=False, is_log=False, centre=130, spread=20, low=60, high=300, resolution=1
)


@dataclass(frozen=True, eq=False)
class Lived:
    """All lives of a run, one log after the other."""

    catalogue: Catalogue
    cohort: Cohort
    events: NDArray[np.void]
    who: NDArray[np.int64]

    def age(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        years: NDArray[np.float64] = (self.events["time"][rows] - self.cohort.birth_ms[self.who[rows]]) / YEAR_MS
        return years

    def with_code(self, kind: EventKind, *codes: str) -> NDArray[np.int64]:
        first = [source.codes[0].code if source.codes else "" for source in self.catalogue.sources]
        named = [i for i, code in enumerate(first) if code in codes]
        return np.flatnonzero((self.events["kind"] == kind) & np.isin(self.events["state"], named))

    def end_age(self) -> NDArray[np.float64]:
        end = np.full(len(self.cohort), END_MS)
        dies = np.flatnonzero(self.events["kind"] == EventKind.DEATH)
        np.minimum.at(end, self.who[dies], self.events["time"][dies])
        years: NDArray[np.float64] = (end - self.cohort.birth_ms) / YEAR_MS
        return years


def first_times(lived: Lived, code: str) -> NDArray[np.int64]:
    """When each patient was first diagnosed; a time past every other for never."""
    rows = lived.with_code(EventKind.CONDITION, code)
    first = np.full(len(lived.cohort), np.iinfo(np.int64).max)
    np.minimum.at(first, lived.who[rows], lived.events["time"][rows])
    return first


def ended_rows(lived: Lived) -> NDArray[np.int64]:
    """Rows of the conditions that end, one for every end."""
    ends = np.flatnonzero(lived.events["kind"] == EventKind.CONDITION_END)
    rows: NDArray[np.int64] = np.searchsorted(lived.who, lived.who[ends]) + lived.events["ref"][ends]
    return rows


def spells(lived: Lived, code: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Beginning and end of every condition of a code; a time past every other for no end."""
    stop = np.full(len(lived.events), np.iinfo(np.int64).max)
    stop[ended_rows(lived)] = lived.events["time"][lived.events["kind"] == EventKind.CONDITION_END]
    rows = lived.with_code(EventKind.CONDITION, code)
    return lived.events["time"][rows], stop[rows]


@pytest.fixture(name="lived", scope="module")
def lived_fixture() -> Lived:
    return live(ClosedFormModel(rates=(*RATES.items(), ("visit", 1.0)), values=(HDL, SBP)), N)


def live(model: ClosedFormModel, n: int) -> Lived:
    offset = load_bundled_mortality_offset()
    people = PopulationOptions(end_ms=END_MS, age_low=30, mortality_offset=offset, background_until_age=18.0)
    cohort = build_cohort(people, first_patient=0, n_patients=n, seed=5, with_identity=False)
    program = with_model(compile_modules(load_modules(bundled_modules_root()), texts=cohort.texts()), model, offset)
    run = simulate(program, cohort, SimulationOptions(seed=5, end_ms=END_MS), performance=PerformanceOptions())
    logs = list(run.lives())
    who = [np.repeat(log.start + np.arange(len(log.offsets) - 1), np.diff(log.offsets)) for log in logs]
    return Lived(program.catalogue, cohort, np.concatenate([log.events for log in logs]), np.concatenate(who))


@pytest.mark.parametrize(
    ("event", "code"),
    [("atrial_fibrillation", "49436004"), ("heart_failure", "84114007"), ("fatty_liver", "197315008")],
)
def test_onsets_come_at_the_rate_of_the_model(lived: Lived, event: str, code: str) -> None:
    """Exact Poisson limits at one in 10,000 each way: of three tests and one seed, a false alarm in 1,700 changes."""
    rows = lived.with_code(EventKind.CONDITION, code)
    onset = np.full(len(lived.cohort), np.inf)
    np.minimum.at(onset, lived.who[rows], lived.age(rows))
    assert (onset >= FIRST_AGE[event]).all()
    years = np.clip(np.minimum(onset, lived.end_age()) - FIRST_AGE[event], 0, None).sum()
    expected = years * RATES[event]
    assert expected > 50
    assert abs(np.isfinite(onset).sum() - expected) < 3.72 * np.sqrt(expected) + 1


def test_adults_die_of_the_model_or_of_the_modules_alone(lived: Lived) -> None:
    rows = np.flatnonzero(lived.events["kind"] == EventKind.DEATH)
    modules = [lived.catalogue.sources[state].module for state in lived.events["state"][rows]]
    adult = lived.age(rows) >= 18.1
    assert adult.sum() > 50
    assert {module for module, is_adult in zip(modules, adult, strict=True) if is_adult} <= {
        "all_causes_of_death", "coronary/infarction", "stroke",
    }  # fmt: skip


def test_prediabetes_comes_by_its_own_tables_and_ends_at_the_diagnosis_of_diabetes(lived: Lived) -> None:
    diabetes = first_times(lived, DIABETES)
    found, ended = spells(lived, PREDIABETES)
    rows = lived.with_code(EventKind.CONDITION, PREDIABETES)
    assert len(np.unique(lived.who[rows])) > N / 5
    has_diabetes = diabetes[lived.who[rows]] <= END_MS
    before = found < diabetes[lived.who[rows]]
    assert (has_diabetes & before).sum() > 10
    assert (ended <= diabetes[lived.who[rows]])[has_diabetes & before].all()
    assert len(np.unique(lived.who[lived.with_code(EventKind.CONDITION, DIABETES)])) > (has_diabetes & before).sum()


def test_prediabetes_ends_once_and_nobody_with_diabetes_gets_it(lived: Lived) -> None:
    ends = ended_rows(lived)
    assert len(ends) == len(np.unique(ends))
    rows = lived.with_code(EventKind.CONDITION, PREDIABETES)
    found, _ = spells(lived, PREDIABETES)
    sick = lived.with_code(EventKind.CONDITION, DIABETES)
    begins, stops = spells(lived, DIABETES)
    for patient, begin, stop in zip(lived.who[sick], begins, stops, strict=True):
        own = found[lived.who[rows] == patient]
        assert not ((own >= begin) & (own < stop)).any()


def test_nobody_gets_diabetes_whom_the_model_does_not_give_it() -> None:
    """The tables of prediabetes go on to the mark of progress, and nothing looks at it."""
    rates = tuple({**RATES, "diabetes": 0.0, "death": 0.005}.items())
    lived = live(ClosedFormModel(rates=(*rates, ("visit", 1.0)), values=(HDL, SBP)), 80)
    assert len(lived.with_code(EventKind.CONDITION, PREDIABETES)) > 20
    assert len(lived.with_code(EventKind.CONDITION, DIABETES)) == 0


def test_follow_up_goes_on_and_infarctions_come_again(lived: Lived) -> None:
    def times(module: str, state: str) -> int:
        return int((lived.events["state"] == lived.catalogue.state_index(module, state)).sum())

    assert times("coronary_disease", "Follow-Up") > 100
    infarctions = lived.with_code(EventKind.CONDITION, "401303003", "401314000")
    assert (np.bincount(lived.who[infarctions], minlength=N) > 1).sum() > 5


def test_readings_of_adults_are_those_of_the_model(lived: Lived) -> None:
    """The model mixes two normals at 110 and 150 mmHg, and for HDL two at 37 and 67 mg/dL."""
    systolic, diastolic = (lived.with_code(EventKind.OBSERVATION, code) for code in ("8480-6", "8462-4"))
    adult = lived.age(systolic) >= 18.1
    low = lived.events["value"][systolic][adult] < 130
    assert abs(low.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(low) / 4)  # readings of one week share a value
    assert (lived.events["value"][diastolic] <= np.round(0.76 * lived.events["value"][systolic]))[adult].all()
    hdl = lived.with_code(EventKind.OBSERVATION, "2085-9")
    values = lived.events["value"][hdl][lived.age(hdl) >= 18.1]
    assert values.min() < 30
    assert values.max() > 85
