"""A learned model inside a life, held against closed forms: waiting times, competing events, measurements, legality."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from trajsim.engine.compile import compile_modules
from trajsim.engine.events import Catalogue, EventKind
from trajsim.engine.learned import with_model
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.reference.learned import blank_tile
from trajsim.engine.simulate import simulate
from trajsim.engine.trace import trace_patient
from trajsim.errors import ConfigError
from trajsim.formula import FIELDS, Formula, Operation
from trajsim.gmf.model import ModuleSet
from trajsim.lifecycle.profile import Lifecycle
from trajsim.population.build import build_cohort
from trajsim.population.cohort import NEVER_MS, AttributeColumn, Cohort
from trajsim.population.options import PopulationOptions
from trajsim.testing.bindings import VALUES, bind_at_random
from trajsim.testing.closed_form_model import ClosedFormModel
from trajsim.testing.modules import ASTHMA_JSON
from trajsim.testing.strategies import load
from trajsim.trajectory_model import VISIT, Answers, Questions, n_question
from trajsim.units import DAY_MS, ms_from_iso

Json = dict[str, Any]
YEAR_MS = 31_557_600_000.0
BIRTH_MS = ms_from_iso("1930-01-01")
END_MS = ms_from_iso("2025-01-01")
OPTIONS = SimulationOptions(seed=7, end_ms=BIRTH_MS + 60 * 366 * DAY_MS, lifecycle=Lifecycle.NONE)
N = 1_000
# Every comparison with a closed form allows what is seen once in 10,000 tests: 3.9 standard errors, or a distance of
# Kolmogorov of 2.23 / sqrt(n). The seed is fixed, so a test that passes goes on to pass.
ERRORS, DISTANCE = 3.9, 2.23
IS_NIGHTLY = settings().max_examples >= 1_000


def cohort_of(n: int, sex: str = "F") -> Cohort:
    gender = AttributeColumn(kind="text", values=np.zeros(n, dtype=np.int32), categories=(sex,))
    return Cohort(
        patient_id=np.arange(n, dtype=np.uint64),
        birth_ms=np.full(n, BIRTH_MS),
        death_ms=np.full(n, NEVER_MS),
        attributes={"gender": gender},
    )


def code_of(number: int) -> Json:
    return {**ASTHMA_JSON, "code": str(number)}


def waiting(*, binding: Json | None, targets: int = 1, wait: Json | None = None, code: int = 0) -> Json:
    """A module that waits, and then begins one of some conditions."""
    onsets = {
        f"Onset {k}": {"type": "ConditionOnset", "codes": [code_of(code + k)], "direct_transition": "End"}
        for k in range(targets)
    }
    share = [{"transition": name, "distribution": 1 / targets} for name in onsets]
    delay = {"type": "Delay", "exact": wait or {"quantity": 1, "unit": "weeks"}, "distributed_transition": share}
    bound = {} if binding is None else {"trajsim": binding}
    start = {"Initial": {"type": "Initial", "direct_transition": "Wait"}}
    return {"name": "Waiting", "states": {**start, "Wait": {**delay, **bound}, **onsets, "End": {"type": "Terminal"}}}


def constant(*rates: tuple[str, float], **more: Any) -> ClosedFormModel:  # noqa: ANN401 - fields of the model
    return ClosedFormModel(**{"rates": rates, "min_age_years": 0.0, **more})


def lives_of(modules: ModuleSet | Program, model: ClosedFormModel | None, n: int = N, **more: Any) -> NDArray[np.void]:  # noqa: ANN401
    cohort = more.pop("cohort", None) or cohort_of(n)
    options = replace(OPTIONS, end_ms=BIRTH_MS + more.pop("days", 60 * 366) * DAY_MS)
    run = simulate(modules, cohort, options, model=model, **more)
    return np.concatenate([lives.events for lives in run.lives()])


def onset_years(events: NDArray[np.void], state: int | None = None) -> NDArray[np.float64]:
    """Ages in years at conditions (of one state of the catalogue)."""
    chosen = events["kind"] == EventKind.CONDITION
    if state is not None:
        chosen &= events["state"] == state
    return np.sort((events["time"][chosen] - BIRTH_MS) / YEAR_MS)


def distance(sample: NDArray[np.float64]) -> float:
    """Distance of Kolmogorov between integrated hazards at events and the exponential distribution."""
    ordered = np.sort(1.0 - np.exp(-sample))
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max((ordered - steps[:-1]).max(), (steps[1:] - ordered).max()))


@pytest.mark.parametrize("refresh_days", [365.0, 30.0])
def test_constant_hazards_give_exponential_waiting_times(refresh_days: float) -> None:
    model = constant(("diabetes", 0.4), refresh_days=refresh_days)
    years = onset_years(lives_of(load({"m": waiting(binding={"event": "diabetes"})}, {}), model))
    assert len(years) == N
    assert abs(years.mean() - 2.5) < ERRORS * 2.5 / math.sqrt(N)
    assert distance(0.4 * years) < DISTANCE / math.sqrt(N)


def test_hazards_that_change_from_piece_to_piece_are_integrated() -> None:
    """The integrated hazard at the event has the exponential distribution, whatever the hazard."""
    model = constant(("diabetes", 0.1), piece_days=(0.0, 90.0, 180.0), growth=4.0, refresh_days=365.0)
    years = onset_years(lives_of(load({"m": waiting(binding={"event": "diabetes"})}, {}), model))
    days = years * 365.25
    whole, part = np.divmod(days, 365.0)
    inside = 0.1 * np.minimum(part, 90.0) + 0.4 * np.clip(part - 90.0, 0, 90) + 1.6 * np.maximum(part - 180.0, 0)
    a_year = 0.1 * 90 + 0.4 * 90 + 1.6 * 185
    assert distance((whole * a_year + inside) / 365.25) < DISTANCE / math.sqrt(N)


def test_visits_do_not_disturb_constant_hazards() -> None:
    model = constant(("diabetes", 0.4), (VISIT, 3.0))
    years = onset_years(lives_of(load({"m": waiting(binding={"event": "diabetes"})}, {}), model, 1_000))
    assert distance(0.4 * years) < DISTANCE / math.sqrt(len(years))


def test_the_first_of_competing_events_decides_where_a_patient_goes() -> None:
    modules = load({"m": waiting(binding={"events": {"mi": "Onset 0", "stroke": "Onset 1"}}, targets=2)}, {})
    events = lives_of(modules, constant(("stroke", 0.1), ("mi", 0.3)))
    first = onset_years(events, Catalogue(modules).state_index("m", "Onset 0"))
    second = onset_years(events, Catalogue(modules).state_index("m", "Onset 1"))
    assert len(first) + len(second) == N
    assert abs(len(first) / N - 0.75) < ERRORS * math.sqrt(0.75 * 0.25 / N)
    assert distance(0.4 * np.concatenate([first, second])) < DISTANCE / math.sqrt(N)


def test_events_that_come_together_come_at_one_instant() -> None:
    files = {"a": waiting(binding={"event": "mi"}), "b": waiting(binding={"event": "stroke"}, code=9)}
    model = constant(("mi", 0.5), ("stroke", 0.0), together=1.0)
    times = lives_of(load(files, {}), model, 50)
    onsets = times[times["kind"] == EventKind.CONDITION]["time"].reshape(-1, 2)
    assert (onsets[:, 0] == onsets[:, 1]).all()


@pytest.mark.parametrize(("sex", "rate"), [("F", 0.1), ("M", 0.0)])
def test_what_modules_kill_already_is_taken_off_the_hazard_of_death(sex: str, rate: float) -> None:
    offset = np.array([[0.2], [0.5]]).repeat(3, axis=1)
    modules = load({"m": waiting(binding={"event": "death"})}, {})
    events = lives_of(modules, constant(("death", 0.3)), cohort=cohort_of(500, sex), death_offset=offset)
    years = onset_years(events)
    if rate == 0.0:
        assert len(years) == 0
    else:
        assert abs(len(years) / 500 - (1 - math.exp(-rate * 60.1))) < 0.02
        assert abs(np.median(years) - math.log(2) / rate) < ERRORS / rate / math.sqrt(500)


def test_a_delay_that_began_before_the_domain_keeps_its_own_length() -> None:
    modules = load({"m": waiting(binding={"event": "diabetes"}, wait={"quantity": 12, "unit": "years"})}, {})
    model = constant(("diabetes", 50.0), min_age_years=10.0)
    own, bound = lives_of(modules, None, 5), lives_of(modules, model, 5)
    assert own.tolist() == bound.tolist()


def test_a_model_that_knows_none_of_the_names_changes_nothing() -> None:
    modules = load({"m": waiting(binding={"events": {"a": "Onset 1", VISIT: "Onset 0"}}, targets=2)}, {})
    assert lives_of(modules, None, 20).tolist() == lives_of(modules, constant(("b", 9.0), (VISIT, 1.0)), 20).tolist()


def test_a_module_of_no_concern_changes_nothing() -> None:
    bound = waiting(binding={"event": "diabetes"})
    model = constant(("diabetes", 0.1), ("stroke", 0.1), (VISIT, 1.0))
    alone = onset_years(lives_of(load({"m": bound}, {}), model, 100))
    with_other = load({"m": bound, "a": waiting(binding=None, wait={"quantity": 2, "unit": "years"}, code=9)}, {})
    state = Catalogue(with_other).state_index("m", "Onset 0")
    assert onset_years(lives_of(with_other, model, 100), state).tolist() == alone.tolist()


# --- measurements -----------------------------------------------------------------------------------------------------


def measuring(every_days: int) -> ModuleSet:
    values = {"codes": [code_of(1)], "unit": "u", "exact": {"quantity": -1}}
    child = {**values, "trajsim": {"lab": "smoking"}}
    states: Json = {
        "Initial": {"type": "Initial", "direct_transition": "Hdl"},
        "Hdl": {"type": "Observation", **values, "trajsim": {"lab": "hdl"}, "direct_transition": "Panel"},
        "Panel": {"type": "MultiObservation", "codes": [code_of(2)],
                  "observations": [{**values, "codes": [code_of(3)], "trajsim": {"lab": "sbp"}}, child],
                  "direct_transition": "Set"},
        "Set": {"type": "SetAttribute", "attribute": "x", "value": 1, "trajsim": {"lab": "sbp"},
                "direct_transition": "See"},
        "See": {"type": "Observation", "codes": [code_of(4)], "unit": "u", "attribute": "x",
                "direct_transition": "Sign"},
        "Sign": {"type": "VitalSign", "vital_sign": "HDL", "unit": "u", "exact": {"quantity": 1},
                 "trajsim": {"lab": "hdl"}, "direct_transition": "See sign"},
        "See sign": {"type": "Observation", "codes": [code_of(5)], "unit": "u", "vital_sign": "HDL",
                     "direct_transition": "Wait"},
        "Wait": {"type": "Delay", "exact": {"quantity": every_days, "unit": "days"}, "direct_transition": "Hdl"},
    }  # fmt: skip
    return load({"m": {"name": "Measuring", "states": states}}, {})


def values_by_code(modules: ModuleSet, events: NDArray[np.void]) -> dict[str, NDArray[np.float64]]:
    sources = Catalogue(modules).sources
    rows = events[events["kind"] == EventKind.OBSERVATION]
    codes = np.array([sources[state].codes[0].code for state in rows["state"]])
    return {code: rows["value"][codes == code] for code in sorted(set(codes.tolist()))}


def test_measurements_keep_bounds_and_resolution_and_have_the_distribution_of_the_model() -> None:
    modules = measuring(100)
    seen = values_by_code(modules, lives_of(modules, constant(("diabetes", 0.0), values=VALUES), 20))
    hdl, sbp, smoking = seen["1"][seen["1"] > 1], seen["3"], seen["1"][seen["1"] <= 1]
    for value, drawn in ((VALUES[0], hdl), (VALUES[1], sbp), (VALUES[1], seen["4"]), (VALUES[0], seen["5"])):
        assert ((drawn >= value.low) & (drawn <= value.high)).all()
        steps = drawn / value.resolution
        assert np.abs(steps - np.round(steps)).max() < 1e-6
        scaled = np.log(drawn / value.centre) / value.spread if value.is_log else (drawn - value.centre) / value.spread
        spread = math.sqrt(1.0 + 0.5**2)  # two normals, at -1 and +1, each with 0.5
        assert abs(scaled.mean()) < ERRORS * spread / math.sqrt(len(drawn))
        assert abs(scaled.std() - spread) < 0.05
    assert set(smoking.tolist()) == {0.0, 1.0}
    assert abs(smoking.mean() - 0.5) < ERRORS * 0.5 / math.sqrt(len(smoking))


def test_what_a_visit_has_measured_is_not_drawn_again_within_a_week() -> None:
    """Visits once a day measure much: what a module sees at a step is the last visit's value, on every look."""
    modules = measuring(7)
    model = constant(("diabetes", 0.0), (VISIT, math.inf), values=VALUES[1:2])
    events = lives_of(modules, model, 2, days=400)
    seen = values_by_code(modules, events)
    assert len(seen["3"]) > 100
    assert (seen["3"] != seen["4"]).sum() <= 2  # each patient is looked at once before the first visit


def test_before_the_domain_a_measurement_is_its_own() -> None:
    modules = measuring(365)
    events = lives_of(modules, constant(("diabetes", 0.0), values=VALUES, min_age_years=20.0), 2)
    rows = events[(events["kind"] == EventKind.OBSERVATION) & (events["value"] != 1.0)]
    early = rows["time"] < BIRTH_MS + 20 * YEAR_MS
    own = rows["value"] == -1.0
    assert own[early].all()
    assert not own[~early].any()


# --- models that are written out --------------------------------------------------------------------------------------


class _Written(ClosedFormModel):
    """A constant model whose formula has nothing to work out: the vector holds the answers from the beginning."""

    @property
    def formula(self) -> Formula:
        answers = self.answer(blank_tile(self))
        start, places = [0.0] * n_question(self), {}
        for name in FIELDS:
            places[name] = len(start)
            start += np.asarray(getattr(answers, name)[0], dtype=np.float64).ravel().tolist()
        return Formula(
            start=np.array(start), instructions=np.zeros((0, 8), dtype=np.int64), weights=np.zeros(0),
            ends=(0, 0, 0, 0), places=places, n_components=2,
        )  # fmt: skip


RATES: dict[str, Any] = {
    "rates": (("diabetes", 0.3), ("mi", 0.1), ("death", 0.02), (VISIT, 2.0)), "values": VALUES, "min_age_years": 3.0,
    "together": 0.1, "growth": 0.5,
}  # fmt: skip


def test_a_model_that_is_written_out_gives_the_lives_of_one_that_is_asked() -> None:
    files = {"a": waiting(binding={"event": "mi"}), "b": waiting(binding={"event": "diabetes"}, code=9)}
    modules = ModuleSet(modules={**load(files, {}).modules, **measuring(50).modules}, tables={})
    asked, worked = ClosedFormModel(**RATES), _Written(**RATES)
    program = compile_modules(modules, texts=cohort_of(1).texts(), lifecycle=Lifecycle.NONE)
    assert with_model(program, asked).suspends
    assert not with_model(program, worked).suspends
    assert lives_of(modules, asked, 40).tolist() == lives_of(modules, worked, 40).tolist()


class _Wrapped:
    """Hands on whatever the model inside has."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401
        self._model = model

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._model, name)


def test_a_wrapper_is_asked_though_the_model_inside_has_a_formula() -> None:
    program = compile_modules(measuring(10), texts=cohort_of(1).texts(), lifecycle=Lifecycle.NONE)
    assert with_model(program, _Wrapped(_Written(**RATES))).suspends


@pytest.mark.parametrize("field", ["log_hazard", "value_mean", "panel_probability"])
def test_a_formula_that_gives_no_number_is_refused(field: str) -> None:
    class Broken(_Written):
        @property
        def formula(self) -> Formula:
            whole = super().formula
            start = whole.start.copy()
            start[whole.places[field]] = np.nan
            return replace(whole, start=start)

    with pytest.raises(ConfigError, match="an answer of the learned model is not a number for patient 0"):
        lives_of(measuring(50), Broken(**RATES), 1)


def test_a_formula_that_leaves_its_vector_is_refused_before_a_life_begins() -> None:
    class Outside(_Written):
        @property
        def formula(self) -> Formula:
            whole = super().formula
            return replace(whole, instructions=np.array([[Operation.COPY, 2, len(whole.start) - 1, 1, 0, 1, 0, 1]]))

    program = compile_modules(measuring(10), texts=cohort_of(1).texts(), lifecycle=Lifecycle.NONE)
    with pytest.raises(ConfigError, match="instruction 0 of the formula is unknown or leaves the vector"):
        with_model(program, Outside(**RATES))


# --- how work is cut --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    threads: int = 1
    slots: int = 256
    chunk_size: int = 64


@pytest.mark.parametrize("cut", [Cut(slots=1), Cut(slots=3, chunk_size=2), Cut(threads=2, slots=4, chunk_size=3)])
@pytest.mark.parametrize("model", [ClosedFormModel(kind="random", min_age_years=1.0), _Written(**RATES)])
def test_threads_slots_and_chunks_change_no_byte(cut: Cut, model: ClosedFormModel) -> None:
    modules = bind_at_random(load({"m": waiting(binding={"event": "diabetes"}), "n": waiting(binding=None)}, {}), 1)
    people = PopulationOptions(end_ms=END_MS, age_low=10, age_high=20)
    options = SimulationOptions(seed=7, end_ms=END_MS, lifecycle=Lifecycle.NONE)
    cohort = build_cohort(people, first_patient=0, n_patients=11, seed=7)
    whole = simulate(modules, cohort, options, model=model).records()
    performance = PerformanceOptions(threads=cut.threads, slots=cut.slots, chunk_size=cut.chunk_size)
    assert simulate(modules, cohort, options, model=model, performance=performance).records().equals(whole)
    fewer = simulate(modules, cohort.rows(0, 7), options, model=model, performance=performance).records()
    for patient in range(7):
        assert fewer.patient(patient).equals(whole.patient(patient))


# --- faults -----------------------------------------------------------------------------------------------------------


def test_faults_of_a_model_are_named_at_once() -> None:
    program = compile_modules(measuring(10), texts=cohort_of(1).texts(), lifecycle=Lifecycle.NONE)
    wrong = replace(VALUES[0], unit="mg/dL", resolution=0.0)
    model = constant((VISIT, 1.0), ("a", 1.0), values=(wrong,), piece_days=(1.0,), refresh_days=400.0, inputs=("age",))
    with pytest.raises(ConfigError) as caught:
        with_model(program, model)
    for word in ("'visit' must be the last", "begin at day 0", "1 ... 366", "unknown input 'age'", "resolution",
                 "'hdl' is in mg/dL, not in u"):  # fmt: skip
        assert word in str(caught.value)


class _Broken(ClosedFormModel):
    def answer(self, questions: Questions) -> Answers:
        answers = super().answer(questions)
        hazard = np.where(questions.is_step[:, None, None], np.nan, answers.log_hazard)
        return replace(answers, log_hazard=hazard.astype(np.float32))


def test_an_answer_that_is_not_a_number_is_refused() -> None:
    modules = load({"m": waiting(binding={"event": "diabetes"})}, {})
    with pytest.raises(ConfigError, match="log_hazard is not a number for patient 0"):
        lives_of(modules, _Broken(min_age_years=0.0), 1)


class _Flat(ClosedFormModel):
    def answer(self, questions: Questions) -> Answers:
        answers = super().answer(questions)
        return replace(answers, log_hazard=answers.log_hazard[:, :, 0])


def test_answers_of_a_wrong_shape_are_refused_before_a_life_begins() -> None:
    program = compile_modules(measuring(10), texts=cohort_of(1).texts(), lifecycle=Lifecycle.NONE)
    with pytest.raises(ConfigError, match=r"log_hazard has shape \(256, 3\), expected \(256, 3, 2\)"):
        with_model(program, _Flat())


# --- what people see --------------------------------------------------------------------------------------------------


def test_a_trace_shows_questions_and_the_events_that_came() -> None:
    modules = load({"m": waiting(binding={"events": {"mi": "Onset 1"}}, targets=2)}, {})
    model = constant(("mi", 0.4), (VISIT, 0.2))
    steps = list(trace_patient(modules, Catalogue(modules), cohort_of(1), 0, OPTIONS, model=model))
    waits = [step for step in steps if step.state == "Wait"]
    assert waits[0].why == "until the model says: mi"
    assert waits[1].target == "Onset 1"
    assert "the model let mi come at 19" in waits[1].why
    assert "mi leads to 'Onset 1'" in waits[1].why
    assert waits[1].wrote == ()
    asked = [step for step in steps if step.module == "@model"]
    assert asked[0].why == "a step: time has passed"
    assert any(step.why.startswith("a step: mi") for step in asked)
