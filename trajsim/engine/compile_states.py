"""States compiled to rows of the state table."""

from collections.abc import Mapping, Sequence

import numpy as np

from trajsim.engine.compile_expressions import compile_expression
from trajsim.engine.compile_frames import Frames, atoms_of
from trajsim.engine.compile_heap import Heap, real_time, whole_time
from trajsim.engine.compile_logic import LogicCompiler, guard_watch
from trajsim.engine.events import (
    ENCOUNTER_CLASS_NAMES,
    MEDICATION_ADMINISTRATION,
    MEDICATION_CHRONIC,
    SEVERITY_NAMES,
    EncounterClass,
    EventKind,
    codes_of,
)
from trajsim.engine.opcodes import Draw, EndMode, ObservedMode, Opcode, SetMode, SignMode
from trajsim.errors import CompileError
from trajsim.gmf import model as gmf

_DRAWS = {
    "EXACT": Draw.EXACT,
    "UNIFORM": Draw.UNIFORM,
    "GAUSSIAN": Draw.GAUSSIAN,
    "EXPONENTIAL": Draw.EXPONENTIAL,
    "TRIANGULAR": Draw.TRIANGULAR,
}
MOST_DECIMALS = 15  # docs/draws.md, section 2
_TELEMEDICINE = {"none": 0, "possible": 1, "always": 2}

Row = np.record


class Names:
    """Where the entries that carry a state's name may be found: by state name, the code texts of its entries."""

    def __init__(self, heap: Heap, modules: Mapping[str, gmf.Module]) -> None:
        """Collects the entry-making states of all files."""
        self._heap = heap
        self._texts: dict[str, dict[int, None]] = {}
        self._blocks: dict[str, int] = {}
        for module in modules.values():
            for name, state in module.states.items():
                code = _entry_code(state)
                if code is not None:
                    self._texts.setdefault(name, {})[heap.code_text(heap.code(code))] = None

    def block(self, name: str) -> int:
        """Heap block: number of the name, n, code texts."""
        if name not in self._blocks:
            texts = list(self._texts.get(name, ()))
            self._blocks[name] = self._heap.integers([self._heap.name(name), len(texts), *texts])
        return self._blocks[name]


def _entry_code(state: gmf.State) -> gmf.Code | None:
    match state:
        case (
            gmf.ConditionOnset(codes=codes)
            | gmf.AllergyOnset(codes=codes)
            | gmf.MedicationOrder(codes=codes)
            | gmf.CarePlanStart(codes=codes)
            | gmf.Procedure(codes=codes)
        ):
            return codes[0]
        case gmf.Device(code=code):
            return code
        case gmf.ImagingStudy(procedure_code=code):
            return code
    return None


class StateCompiler:
    """Compiles the states of one file."""

    def __init__(
        self,
        heap: Heap,
        frames: Frames,
        names: Names,
        module: gmf.Module,
        sources: Mapping[str, int],
        logic: LogicCompiler,
    ) -> None:
        """Remembers the file."""
        self.heap = heap
        self.frames = frames
        self.names = names
        self.module = module
        self.sources = sources
        self.logic = logic
        self.file = frames.index[module.key]
        self.memory = frames.memory[self.file]

    def compile(self, row: Row, children: Sequence[Row], state: gmf.State) -> None:
        """Fills the row of a state, and those of its children."""
        row.name = self.heap.name(state.name)
        row.prior = self.memory.prior.get(state.name, -1)
        row.op = Opcode.PASS
        match state:
            case gmf.Terminal():
                row.op = Opcode.TERMINAL
            case gmf.CallSubmodule():
                self._call(row, state)
            case gmf.Guard():
                self._guard(row, state)
            case gmf.Delay():
                self._delay(row, state)
            case gmf.SetAttribute():
                self._set_attribute(row, state)
            case gmf.Counter():
                row.op = Opcode.COUNTER
                row.a = self.heap.attribute(state.attribute)
                amount = float(state.amount) or 1.0
                row.p0 = amount if state.action == "increment" else -amount
            case gmf.Encounter():
                self._encounter(row, state)
            case gmf.EncounterEnd():
                row.op = Opcode.ENCOUNTER_END
            case gmf.Symptom():
                row.op = Opcode.SYMPTOM
                row.a = self.heap.symptom(state.symptom)
                row.q = state.probability if 0.0 <= state.probability <= 1.0 else 1.0
                self._draw(row, state.exact, state.range, state.distribution)
            case gmf.Physiology():
                pass
            case _:
                self._clinical(row, children, state)

    def _clinical(self, row: Row, children: Sequence[Row], state: gmf.State) -> None:
        match state:
            case gmf.ConditionOnset() | gmf.AllergyOnset():
                self._onset(row, state)
            case gmf.ConditionEnd():
                self._end(row, EventKind.CONDITION_END, state.condition_onset, state)
            case gmf.AllergyEnd():
                self._end(row, EventKind.ALLERGY_END, state.allergy_onset, state)
            case gmf.MedicationEnd():
                self._end(row, EventKind.MEDICATION_END, state.medication_order, state)
            case gmf.CarePlanEnd():
                self._end(row, EventKind.CAREPLAN_END, state.careplan, state)
            case gmf.DeviceEnd():
                self._end(row, EventKind.DEVICE_END, state.device, state)
            case gmf.MedicationOrder():
                row.op = Opcode.MEDICATION
                row.tag = MEDICATION_CHRONIC * state.chronic + MEDICATION_ADMINISTRATION * state.administration
                self._entry(row, state.codes[0], state.assign_to_attribute)
                row.c = self._reason(state.reason)
            case gmf.CarePlanStart():
                row.op = Opcode.CAREPLAN
                self._entry(row, state.codes[0], state.assign_to_attribute)
                row.c = self._reason(state.reason)
            case gmf.Procedure():
                self._procedure(row, state)
            case gmf.Device():
                row.op = Opcode.DEVICE
                self._entry(row, state.code, state.assign_to_attribute)
            case gmf.Vaccine():
                row.op = Opcode.VACCINE
                row.p0 = float(state.series)
            case gmf.Death():
                self._death(row, state)
            case gmf.VitalSign():
                self._vital_sign(row, state)
            case gmf.Observation():
                row.op = Opcode.OBSERVATION
                self._observation(row, state.body)
                row.e = self._lab(state.trajsim)
            case _:
                self._with_children(row, children, state)

    def _with_children(self, row: Row, children: Sequence[Row], state: gmf.State) -> None:
        row.b = len(children)
        match state:
            case gmf.MultiObservation() | gmf.DiagnosticReport():
                is_panel = isinstance(state, gmf.MultiObservation)
                row.op = Opcode.MULTI_OBSERVATION if is_panel else Opcode.REPORT
                row.d = self.heap.watched_slot(state.codes[0]) if is_panel else -1
                for child, body in zip(children, state.observations, strict=True):
                    child.op = Opcode.CHILD
                    self._observation(child, body)
                    child.e = self._lab(body.trajsim)
                    if is_panel:
                        child.d = -1  # components are invisible to conditions
            case gmf.SupplyList():
                row.op = Opcode.SUPPLIES
                for child, supply in zip(children, state.supplies, strict=True):
                    child.op = Opcode.CHILD
                    child.p0 = float(supply.quantity)
            case gmf.ImagingStudy():
                row.op = Opcode.IMAGING
                self._entry(row, state.procedure_code, None)
                row.p0, row.p1 = float(state.min_number_series), float(state.max_number_series)
                for child, series in zip(children, state.series, strict=True):
                    child.op = Opcode.CHILD
                    child.p0, child.p1 = float(series.min_number_instances), float(series.max_number_instances)
                    child.a = len(series.instances)
            case gmf.Initial() | gmf.Simple():
                pass
            case _:
                msg = f"state type {type(state).__name__} has no compiled form"
                raise CompileError(msg)

    # --- values -------------------------------------------------------------------------------------------------------

    def _draw(
        self,
        row: Row,
        exact: gmf.Exact | None,
        span: gmf.Range | None,
        distribution: gmf.Distribution | None,
    ) -> bool:
        """Fills the distribution of a row; False if the state has none."""
        if span is not None:
            row.dk, row.p0, row.p1 = Draw.UNIFORM, float(span.low), float(span.high)
        elif exact is not None:
            row.dk, row.p0 = Draw.EXACT, float(exact.quantity)
        elif distribution is not None:
            self._distribution(row, distribution)
        else:
            return False
        return True

    def _range(self, row: Row, span: gmf.Range) -> None:
        """A range whose `decimals` count (Observation and SetAttribute alone)."""
        self._draw(row, None, span, None)
        if span.decimals is not None:
            row.decimals = min(max(span.decimals, 0), MOST_DECIMALS)

    def _distribution(self, row: Row, law: gmf.Distribution) -> None:
        row.dk = _DRAWS[law.kind]
        row.rounds = law.round
        match law.kind:
            case "EXACT":
                row.p0 = _given(law.value)
            case "UNIFORM":
                row.p0, row.p1 = _given(law.low), _given(law.high)
            case "GAUSSIAN":
                row.p0, row.p1 = _given(law.mean), _given(law.standard_deviation)
                row.p2 = -np.inf if law.min is None else law.min
                row.p3 = np.inf if law.max is None else law.max
            case "EXPONENTIAL":
                row.p0 = _given(law.mean)
            case "TRIANGULAR":
                row.p0, row.p1, row.p2 = _given(law.min), _given(law.mode), _given(law.max)

    def _delay(self, row: Row, state: gmf.Delay) -> None:
        row.op = Opcode.DELAY
        row.e = self._events(state.trajsim)
        legacy = state.range or state.exact
        if legacy is not None:
            self._draw(row, state.exact, state.range, None)
            row.tf, row.tu = real_time(legacy.unit or "")
        elif state.distribution is not None:
            self._distribution(row, state.distribution)
            row.tf, row.tu = whole_time(state.unit or "")
        else:
            row.dk, row.tf, row.tu = Draw.EXACT, 1.0, 1

    def _procedure(self, row: Row, state: gmf.Procedure) -> None:
        row.op = Opcode.PROCEDURE
        self._entry(row, state.codes[0], state.assign_to_attribute)
        row.c = self._reason(state.reason)
        if state.duration is not None:
            row.dk, row.p0, row.p1, row.timed = Draw.UNIFORM, state.duration.low, state.duration.high, 1
            row.tf, row.tu = real_time(state.duration.unit or "")
        elif state.distribution is not None:
            self._distribution(row, state.distribution)
            row.timed = 1
            row.tf, row.tu = real_time(state.unit or "")

    def _set_attribute(self, row: Row, state: gmf.SetAttribute) -> None:
        row.op = Opcode.SET_ATTRIBUTE
        row.e = self._lab(state.trajsim)
        row.a = self.heap.attribute(state.attribute)
        if state.expression is not None:
            row.mode, row.b = SetMode.EXPRESSION, compile_expression(self.heap, state.expression)
        elif state.range is not None:
            self._range(row, state.range)
            row.mode = SetMode.DRAW
        elif state.series_data is not None:
            row.mode, row.b = SetMode.SERIES, len(self.heap.series)
            values = tuple(float(word) for word in state.series_data.split())
            self.heap.series.append((values, float(state.period)))
        elif self._draw(row, None, None, state.distribution):
            row.mode = SetMode.DRAW
        elif state.value_code is not None:
            row.mode, row.b = SetMode.CODE, self.heap.code(state.value_code)
        else:
            row.mode, row.b, row.p0 = self._literal(state.value)
            if state.value_attribute is not None:
                row.c, row.d = self.heap.attribute(state.value_attribute), int(row.mode)
                row.mode = SetMode.COPY

    def _literal(self, value: gmf.JsonScalar) -> tuple[int, int, float]:
        if value is None:
            return SetMode.CLEAR, 0, 0.0
        if isinstance(value, bool):
            return SetMode.BOOLEAN, 0, float(value)
        if isinstance(value, str):
            return SetMode.STRING, self.heap.string(value), 0.0
        whole = float(value) == int(value) if np.isfinite(value) else False
        return (SetMode.INTEGER if whole else SetMode.NUMBER), 0, float(value)

    def _observation(self, row: Row, body: gmf.ObservationBody) -> None:
        row.d = self.heap.watched_slot(body.codes[0])
        row.mode = ObservedMode.NULL
        if body.range is not None:
            self._range(row, body.range)
            row.mode = ObservedMode.DRAW
        elif body.exact is not None:
            self._exact_observation(row, body.exact)
        elif body.distribution is not None:
            self._distribution(row, body.distribution)
            row.mode = ObservedMode.DRAW
        elif body.attribute is not None:
            row.mode, row.a = ObservedMode.ATTRIBUTE, self.heap.attribute(body.attribute)
        elif body.vital_sign is not None:
            row.mode, row.a = ObservedMode.VITAL_SIGN, self.heap.sign(body.vital_sign)
        elif body.value_code is not None:
            row.mode, row.a = ObservedMode.CODE, self.heap.code(body.value_code)

    def _exact_observation(self, row: Row, exact: gmf.Exact) -> None:
        quantity = exact.quantity
        if isinstance(quantity, bool):
            row.mode, row.p0 = ObservedMode.BOOLEAN, float(quantity)
        elif isinstance(quantity, str):
            row.mode, row.a = ObservedMode.STRING, self.heap.string(quantity)
        else:
            row.mode, row.dk, row.p0 = ObservedMode.DRAW, Draw.EXACT, float(quantity)

    def _vital_sign(self, row: Row, state: gmf.VitalSign) -> None:
        row.op = Opcode.VITAL_SIGN
        row.e = self._lab(state.trajsim)
        row.a = self.heap.sign(state.vital_sign)
        if state.range is None and state.exact is None and state.expression is not None:
            row.mode, row.b = SignMode.EXPRESSION, compile_expression(self.heap, state.expression)
            return
        self._draw(row, state.exact, state.range, state.distribution)
        is_constant = state.range is None and state.exact is not None
        row.mode = SignMode.CONSTANT if is_constant else SignMode.GENERATOR

    # --- a learned model ----------------------------------------------------------------------------------------------

    def _events(self, binding: gmf.Binding | None) -> int:
        """Heap block of a Delay's events: how many, then number and target (-1: its own transition); 0 for none."""
        if binding is None or not binding.events:
            return 0
        flat = [len(binding.events)]
        for event, target in binding.events.items():
            flat += [self.heap.bound_event(event), -1 if target is None else self.sources[target]]
        return self.heap.integers(flat)

    def _lab(self, binding: gmf.Binding | None) -> int:
        """Number of a measurement, from 1; 0 for none."""
        return 0 if binding is None or binding.lab is None else self.heap.bound_lab(binding.lab) + 1

    # --- entries ------------------------------------------------------------------------------------------------------

    def _entry(self, row: Row, code: gmf.Code, attribute: str | None) -> None:
        row.code = self.heap.code(code)
        row.assign = -1 if attribute is None else self.heap.attribute(attribute)

    def _onset(self, row: Row, state: gmf.ConditionOnset | gmf.AllergyOnset) -> None:
        self._entry(row, state.codes[0], state.assign_to_attribute)
        row.op = Opcode.CONDITION_ONSET
        row.b = self.memory.pending.get(self.sources[state.name], -1)
        row.c = -1 if state.target_encounter is None else self.heap.name(state.target_encounter)
        if isinstance(state, gmf.AllergyOnset):
            row.op = Opcode.ALLERGY_ONSET
            row.d = self._reactions(state.reactions)

    def _reactions(self, reactions: Sequence[gmf.Reaction]) -> int:
        flat: list[int] = [len(reactions)]
        for reaction in reactions:
            total = sum(severity.value for severity in reaction.possible_severities)
            running = 0.0
            limits = []
            for severity in reaction.possible_severities:
                running += severity.value
                limits.append(running / total if total > 0.0 else 0.0)
            levels = [SEVERITY_NAMES.index(severity.level) for severity in reaction.possible_severities]
            flat += [len(levels), self.heap.floats(limits), *levels]
        return self.heap.integers(flat)

    def _reason(self, name: str | None) -> int:
        """Heap block of a reason: attribute slot, prior slot, block of the name, code of the onset; 0 for none."""
        if name is None:
            return 0
        onset = self.module.states.get(name)
        code = self.heap.code(onset.codes[0]) if isinstance(onset, gmf.ConditionOnset) else -1
        slot = self.heap.attributes.get(name, -1)
        return self.heap.integers([slot, self.memory.prior.get(name, -1), self.names.block(name), code])

    def _end(
        self,
        row: Row,
        kind: EventKind,
        name: str | None,
        state: gmf.ConditionEnd | gmf.AllergyEnd | gmf.MedicationEnd | gmf.CarePlanEnd | gmf.DeviceEnd,
    ) -> None:
        row.op, row.tag = Opcode.END_ENTRY, int(kind)
        if name is not None:
            row.mode, row.a = EndMode.STATE, self.names.block(name)
        elif state.referenced_by_attribute is not None:
            row.mode, row.a = EndMode.ATTRIBUTE, self.heap.attribute(state.referenced_by_attribute)
        elif state.codes:
            texts = [self.heap.code_text(self.heap.code(code)) for code in state.codes]
            row.mode, row.a = EndMode.CODES, self.heap.integers([len(texts), *texts])
        else:
            row.mode = EndMode.NOTHING

    def _death(self, row: Row, state: gmf.Death) -> None:
        row.op = Opcode.DEATH
        timed = state.range or state.exact
        if timed is not None:
            row.timed = 1
            self._draw(row, state.exact, state.range, None)
            row.tf, row.tu = real_time(timed.unit or "")
        row.mode = 3
        if state.codes:
            row.mode, row.code = 0, self.heap.code(state.codes[0])
        elif state.condition_onset is not None:
            row.mode = 1
            onset = self.module.states.get(state.condition_onset)
            codes = () if onset is None else codes_of(onset)
            row.b = self.heap.integers(
                [
                    -1,
                    self.memory.prior.get(state.condition_onset, -1),
                    self.names.block(state.condition_onset),
                    self.heap.code(codes[0]) if codes else -1,
                ]
            )
        elif state.referenced_by_attribute is not None:
            row.mode, row.a = 2, self.heap.attribute(state.referenced_by_attribute)

    # --- control ------------------------------------------------------------------------------------------------------

    def _call(self, row: Row, state: gmf.CallSubmodule) -> None:
        callee = self.frames.index[state.submodule]
        row.op, row.a = Opcode.CALL, callee
        row.b = self.heap.integers(self.frames.merge_list(self.file, callee))
        row.d = int(self.frames.is_shared(callee))

    def _guard(self, row: Row, state: gmf.Guard) -> None:
        row.op = Opcode.GUARD
        row.a = self.logic.compile(state.allow)
        mask, instants, poll = guard_watch(self.heap, list(atoms_of(state.allow)))
        row.mask = mask
        row.b = self.heap.integers([len(instants), *(value for pair in instants for value in pair)])
        row.e = int(poll)

    def _encounter(self, row: Row, state: gmf.Encounter) -> None:
        waiting = [slot for source, slot in self.memory.pending.items() if self.frames.target_of[source] == state.name]
        onsets = [source for source in self.memory.pending if self.frames.target_of[source] == state.name]
        pairs = [value for pair in zip(waiting, onsets, strict=True) for value in pair]
        row.d = self.heap.integers([len(waiting), *pairs])
        if state.wellness:
            row.op = Opcode.WELLNESS
            return
        row.op = Opcode.ENCOUNTER
        wanted = (state.encounter_class or "ambulatory").lower()
        wanted = "inpatient" if wanted == "super" else wanted
        known = wanted in ENCOUNTER_CLASS_NAMES
        row.a = ENCOUNTER_CLASS_NAMES.index(wanted) if known else int(EncounterClass.AMBULATORY)
        row.b = _TELEMEDICINE.get(state.telemedicine_possibility, 0)
        row.c = self._reason(state.reason)


def _given(value: float | None) -> float:
    if value is None:
        msg = "a distribution lacks a parameter"
        raise CompileError(msg)
    return float(value)
