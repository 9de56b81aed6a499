"""A learned model beside the modules of one patient (docs/draws.md, section 11)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.options import TILE
from trajsim.engine.reference.formula import Worked, exponential
from trajsim.engine.reference.frames import Visit
from trajsim.engine.reference.observer import ModelQuestion
from trajsim.engine.reference.patient import Patient, rounded_sign
from trajsim.engine.reference.quantities import age_months
from trajsim.event_sequences import DEATH
from trajsim.formula import Part
from trajsim.gmf.model import Binding
from trajsim.streams.ints import normal_quantile, uniform
from trajsim.streams.keys import stream_id
from trajsim.trajectory_model import VISIT, Answers, LearnedValue, Questions, TrajectoryModel, formula_of

NEVER = 2**62  # later than anything
_DAY_MS = 86_400_000
_YEAR_MS = 31_557_600_000.0
_RECENT_MS = 7 * _DAY_MS
_LONGEST_MS = 9e15
_STREAM = stream_id("@model")
# What a question is about.
STEP = (Part.STEP, Part.HAZARDS)
REFRESH = (Part.HAZARDS, Part.HAZARDS)
READING = (Part.VALUES, Part.VALUES)
TOGETHER = (Part.VALUES, Part.TOGETHER)


@dataclass(slots=True, eq=False)
class Standing:
    """An event that a Delay waits for."""

    file: str
    event: int
    visit: Visit
    target: str | None
    since: int
    threshold: float
    integral: float = 0.0


@dataclass(slots=True)
class Answer:
    """One row of a model's answers, in double precision."""

    log_hazard: list[list[float]]
    co_probability: list[float]
    panel_probability: list[float]
    value_weight: list[list[float]]
    value_mean: list[list[float]]
    value_scale: list[list[float]]


class Learned:
    """What the model has said of a patient, and what stands because of it."""

    def __init__(self, patient: Patient, model: TrajectoryModel, offset: NDArray[np.float64] | None) -> None:
        self._patient = patient
        self._model = model
        self._offset = offset
        self._is_male = patient.attributes.get("gender") == "M"
        self._events = model.events
        self._visit = len(model.events) - 1 if model.events[-1] == VISIT else None
        self._pieces = [int(days * _DAY_MS) for days in model.piece_days]
        self._refresh = int(model.refresh_days * _DAY_MS)
        self._begins = patient.birth + math.ceil(model.min_age_years * _YEAR_MS)
        formula = formula_of(model)
        self._worked = None if formula is None else Worked(model, formula)
        self._memory = np.asarray(model.start, dtype=np.float32)
        self._drawn = 0
        self._domain: int | None = None
        self._question = 0  # when the hazards in force begin
        self._step = 0
        self._hazard: list[list[float]] = []
        self._standing: list[Standing] = []
        self._visit_threshold = 0.0
        self._visit_integral = 0.0
        self._measured: dict[int, float] = {}  # by the last step
        self._reading: tuple[int, Answer] | None = None

    # --- what modules ask -----------------------------------------------------------------------------------------

    def stand(self, binding: Binding, visit: Visit, time: int) -> bool:
        """A bound Delay is entered; whether the model times it."""
        if self._domain is None or time < self._domain:
            return False
        bound = [event for event in self._events if event != VISIT and event in binding.events]
        for event in bound:
            threshold = -math.log(1.0 - self._patient.uniform())
            number, target = self._events.index(event), binding.events[event]
            self._standing.append(Standing(visit.file, number, visit, target, time, threshold))
        self._standing.sort(key=lambda each: (each.file, each.event))
        return bool(bound)

    def value(self, binding: Binding | None, time: int) -> float | None:
        """What a bound state measures; None if it follows its own distribution."""
        if binding is None or self._domain is None or time < self._domain:
            return None
        names = [value.name for value in self._model.values]
        if binding.lab not in names:
            return None
        number = names.index(binding.lab)
        if number in self._measured and self._step <= time <= self._step + _RECENT_MS:
            return self._measured[number]
        if self._reading is None or self._reading[0] != time:
            self._reading = (time, self._ask(max(time, self._step), READING, now=set(), values={}))
        return self._drawn_value(self._reading[1], number, self._patient.uniform)

    # --- the turn -------------------------------------------------------------------------------------------------

    def turn(self, time: int) -> None:
        """What the model lets happen up to a grid point."""
        if self._domain is None:
            if time < self._begins:
                return
            self._domain = time
            self._take_step(time, set(), {})
        while True:
            when, first = self._next()
            if when > time:
                return
            if first == "refresh":
                answer = self._ask(when, REFRESH, now=set(), values={})
                self._advance(when)
                self._take_hazards(answer, when)
                continue
            now, values = self._come(first, when)
            self._take_step(when, now, values)
            if DEATH in {self._events[event] for event in now}:
                return

    def _next(self) -> tuple[int, "Standing | str"]:
        """What comes first, and when: a standing event before a visit, a visit before a refresh."""
        when: int = self._question + self._refresh
        first: Standing | str = "refresh"
        if self._visit is not None:
            visit = self._fires(self._visit, self._step, self._visit_threshold - self._visit_integral)
            visit = max(visit, self._step + _DAY_MS)
            if visit <= when:
                when, first = visit, "visit"
        fires = [(self._fires(each.event, each.since, each.threshold - each.integral), each) for each in self._standing]
        if fires:
            earliest, standing = min(fires, key=lambda pair: pair[0])
            if earliest <= when and earliest < NEVER:
                when, first = earliest, standing
        return when, first

    def _come(self, first: "Standing | str", at: int) -> tuple[set[int], dict[int, float]]:
        """Something comes: what else does, and what is measured."""
        event = first.event if isinstance(first, Standing) else self._visit
        assert event is not None
        answer = self._ask(at, TOGETHER, now={event}, values={})
        self._advance(at)
        now = {event}
        if isinstance(first, Standing):
            self._fire(first, at)
        for each in list(self._standing):
            if each not in self._standing or each.event == event:
                continue
            p = answer.co_probability[each.event]
            if p > 0.0:
                each.integral = math.inf if p >= 1.0 else each.integral - math.log(1.0 - p)
                if each.integral >= each.threshold:
                    now.add(each.event)
                    self._fire(each, at)
        if self._visit is not None and isinstance(first, Standing):
            is_visit = self._uniform() < answer.co_probability[self._visit]
        else:
            is_visit = first == "visit"
        if not is_visit:
            return now, {}
        assert self._visit is not None
        now.add(self._visit)
        return now, self._measure(answer)

    def _fire(self, standing: Standing, at: int) -> None:
        """An event ends the Delay that waited for it."""
        standing.visit.next = at
        standing.visit.event = self._events[standing.event]
        standing.visit.target = standing.target
        self._standing = [each for each in self._standing if each.visit is not standing.visit]

    def _take_step(self, at: int, now: set[int], values: dict[int, float]) -> None:
        answer = self._ask(at, STEP, now=now, values=values)
        self._step = at
        self._measured = values
        if self._visit is not None:
            self._visit_integral = 0.0
            self._visit_threshold = -math.log(1.0 - self._uniform())
        self._take_hazards(answer, at)

    # --- hazards --------------------------------------------------------------------------------------------------

    def _take_hazards(self, answer: Answer, at: int) -> None:
        self._question = at
        self._hazard = [[exponential(piece) for piece in event] for event in answer.log_hazard]
        if self._offset is not None and DEATH in self._events:
            years = min(age_months(self._patient.birth, at) // 12, self._offset.shape[1] - 1)
            less = float(self._offset[int(self._is_male), years])
            number = self._events.index(DEATH)
            self._hazard[number] = [max(0.0, rate - less) for rate in self._hazard[number]]

    def _stretches(self, event: int, since: int, until: int) -> list[tuple[int, int, float]]:
        """Stretches of a constant, positive hazard: beginning, end, hazard."""
        start = max(since, self._question)
        ends = [*self._pieces[1:], NEVER]
        stretches = []
        for piece, (begins, stops) in enumerate(zip(self._pieces, ends, strict=True)):
            a = max(self._question + begins, start)
            b = min(NEVER if stops == NEVER else self._question + stops, until)
            rate = self._hazard[event][piece]
            if b > a and rate > 0.0:
                stretches.append((a, b, rate))
        return stretches

    def _fires(self, event: int, since: int, remaining: float) -> int:
        """When an event comes whose integrated hazard has so much to go."""
        for a, b, rate in self._stretches(event, since, NEVER):
            if remaining <= 0.0 or rate == math.inf:
                return a
            span = remaining / rate * _YEAR_MS
            if b == NEVER:
                return a + int(span) if span < _LONGEST_MS else NEVER
            length = float(b - a)
            if span < length:
                return a + int(span)
            remaining = remaining - rate * (length / _YEAR_MS)
        return NEVER

    def _grown(self, event: int, since: int, until: int, integral: float) -> float:
        for a, b, rate in self._stretches(event, since, until):
            integral = integral + rate * (float(b - a) / _YEAR_MS)
        return integral

    def _advance(self, until: int) -> None:
        for each in self._standing:
            each.integral = self._grown(each.event, each.since, until, each.integral)
        if self._visit is not None:
            self._visit_integral = self._grown(self._visit, self._step, until, self._visit_integral)

    # --- measurements ---------------------------------------------------------------------------------------------

    def _measure(self, answer: Answer) -> dict[int, float]:
        """The values that a visit measures."""
        if not self._model.values:
            return {}
        u = self._uniform()
        panel, total = 0, 0.0
        for candidate, p in enumerate(answer.panel_probability):
            if p > 0.0:
                panel, total = candidate, total + p
                if u < total:
                    break
        numbers = [number for number in range(len(self._model.values)) if panel >> number & 1]
        return {number: self._drawn_value(answer, number, self._uniform) for number in numbers}

    def _drawn_value(self, answer: Answer, number: int, draw: Callable[[], float]) -> float:
        value = self._model.values[number]
        u = draw()
        if value.is_flag:
            return 1.0 if u < answer.value_mean[number][0] else 0.0
        total, chosen = 0.0, len(answer.value_weight[number]) - 1
        for component, weight in enumerate(answer.value_weight[number]):
            total = total + weight
            if u < total:
                chosen = component
                break
        normal = normal_quantile(draw())
        return published(value, answer.value_mean[number][chosen] + answer.value_scale[number][chosen] * normal)

    # --- questions ------------------------------------------------------------------------------------------------

    def _inputs(self, time: int) -> list[float]:
        patient = self._patient
        bmi = math.nan
        if patient.lifecycle is not None and "bmi" in self._model.inputs:
            body = patient.lifecycle.signs.read("BMI", time)
            bmi = rounded_sign("BMI", body)
        known = {"age_years": float(time - patient.birth) / _YEAR_MS, "is_male": float(self._is_male), "bmi": bmi}
        return [known[name] for name in self._model.inputs]

    def _ask(self, time: int, parts: tuple[Part, Part], *, now: set[int], values: dict[int, float]) -> Answer:
        """Works the answer out, or asks for it; `parts` of a formula are what the question is about."""
        self._reading = None
        self._tell(time, now, values, is_step=parts == STEP)
        if self._worked is None:
            return self._asked(time, is_step=parts == STEP, now=now, values=values)
        n_values = len(self._model.values)
        question = [
            *self._inputs(time),
            *(float(event in now) for event in range(len(self._events))),
            *(float(number in values) for number in range(n_values)),
            *(values.get(number, math.nan) for number in range(n_values)),
        ]
        return Answer(**self._worked.answer(question, *parts))

    def _asked(self, time: int, *, is_step: bool, now: set[int], values: dict[int, float]) -> Answer:
        """Asks, in the first row of a tile."""
        questions = blank_tile(self._model)
        questions.patient_id[0] = self._patient.patient_id
        questions.time_us[0] = time * 1000
        questions.memory[0] = self._memory
        questions.inputs[0] = self._inputs(time)
        questions.is_step[0] = is_step
        questions.legal[0, [each.event for each in self._standing]] = True
        if self._visit is not None:
            questions.legal[0, self._visit] = True
        questions.now[0, list(now)] = True
        for number, value in values.items():
            questions.measured[0, number] = True
            questions.values[0, number] = value
        answers = self._model.answer(questions)
        if is_step:
            self._memory = np.array(answers.memory[0], dtype=np.float32)
        return _row(answers)

    def _tell(self, time: int, now: set[int], values: dict[int, float], *, is_step: bool) -> None:
        if self._patient.observer is not None:
            self._patient.observer.on_question(
                ModelQuestion(
                    time=time,
                    is_step=is_step,
                    now=[self._events[event] for event in sorted(now)],
                    measured={self._model.values[number].name: value for number, value in values.items()},
                    standing=sorted({self._events[each.event] for each in self._standing}),
                )
            )

    def _uniform(self) -> float:
        n = self._drawn
        self._drawn = n + 1
        return uniform(self._patient.options.seed, self._patient.patient_id, _STREAM, n)


def published(value: LearnedValue, scaled: float) -> float:
    """A value as it is published: within bounds, at the resolution of the device."""
    spread = value.spread * scaled
    number = value.centre * exponential(spread) if value.is_log else value.centre + spread
    steps = number / value.resolution + 0.5
    number = (float(math.floor(steps)) if math.isfinite(steps) else steps) * value.resolution
    return min(max(number, value.low), value.high)


def blank_tile(model: TrajectoryModel) -> Questions:
    """A tile of questions about nobody."""
    n_events, n_values = len(model.events), len(model.values)
    return Questions(
        patient_id=np.zeros(TILE, dtype=np.uint64),
        time_us=np.zeros(TILE, dtype=np.int64),
        memory=np.tile(np.asarray(model.start, dtype=np.float32), (TILE, 1)),
        inputs=np.full((TILE, len(model.inputs)), np.nan, dtype=np.float32),
        is_step=np.zeros(TILE, dtype=np.bool_),
        legal=np.zeros((TILE, n_events), dtype=np.bool_),
        now=np.zeros((TILE, n_events), dtype=np.bool_),
        measured=np.zeros((TILE, n_values), dtype=np.bool_),
        values=np.full((TILE, n_values), np.nan, dtype=np.float32),
    )


def _row(answers: Answers) -> Answer:
    def first(array: NDArray[np.float32]) -> list[Any]:
        return np.asarray(array, dtype=np.float64)[0].tolist()  # type: ignore[no-any-return]

    return Answer(
        first(answers.log_hazard),
        first(answers.co_probability),
        first(answers.panel_probability),
        first(answers.value_weight),
        first(answers.value_mean),
        first(answers.value_scale),
    )
