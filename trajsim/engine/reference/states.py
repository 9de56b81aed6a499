"""What each state does when it runs (gmf-semantics 3, docs/draws.md 3 and 7). True: the state is finished."""

from collections.abc import Callable
from typing import Any

from trajsim.engine.events import Coercion, EventKind, ValueKind
from trajsim.engine.life import Series
from trajsim.engine.reference.clinical import Clinical
from trajsim.engine.reference.encounters import Encounters
from trajsim.engine.reference.frames import Frame, Visit
from trajsim.engine.reference.health_record import PROCEDURE_DEFAULT_MS, ObservedValue
from trajsim.engine.reference.learned import NEVER
from trajsim.engine.reference.logic import Logic
from trajsim.engine.reference.patient import Patient, StoredValue, SymptomValue
from trajsim.engine.reference.prepared import expression_of
from trajsim.engine.reference.quantities import real_time, round_half_away, whole_time
from trajsim.gmf.model import (
    AllergyEnd,
    AllergyOnset,
    Binding,
    CarePlanEnd,
    CarePlanStart,
    Code,
    ConditionEnd,
    ConditionOnset,
    Counter,
    Death,
    Delay,
    Device,
    DeviceEnd,
    DiagnosticReport,
    Distribution,
    Encounter,
    EncounterEnd,
    Exact,
    Guard,
    ImagingStudy,
    Initial,
    MedicationEnd,
    MedicationOrder,
    MultiObservation,
    Observation,
    ObservationBody,
    Physiology,
    Procedure,
    SetAttribute,
    Simple,
    State,
    SupplyList,
    Symptom,
    Terminal,
    Vaccine,
    VitalSign,
)

_IMAGING_MS = 30 * 60_000

Runner = Callable[[Any, Visit, Frame, int], bool]


class States:
    """Runs every state but CallSubmodule, for one patient."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.logic = Logic(patient)
        self.clinical = clinical = Clinical(patient)
        self.encounters = encounters = Encounters(patient, clinical)
        passes: Runner = lambda _state, _visit, _frame, _time: True  # noqa: E731
        self._runners: dict[type[State], Runner] = {
            Initial: passes,
            Simple: passes,
            Physiology: passes,
            Terminal: self._terminal,
            Guard: lambda state, _visit, frame, time: self.logic.holds(state.allow, frame, time),
            Delay: self._delay,
            SetAttribute: self._set_attribute,
            Counter: self._counter,
            Symptom: self._symptom,
            VitalSign: self._vital_sign,
            Encounter: lambda state, _visit, frame, time: encounters.run_encounter(state, frame, time),
            EncounterEnd: lambda state, _visit, _frame, time: encounters.run_end(state, time),
            ConditionOnset: lambda state, visit, _frame, time: clinical.run_onset(state, visit, time),
            AllergyOnset: lambda state, visit, _frame, time: clinical.run_onset(state, visit, time),
            MedicationOrder: lambda state, _visit, frame, time: clinical.run_medication_order(state, frame, time),
            CarePlanStart: lambda state, _visit, frame, time: clinical.run_careplan_start(state, frame, time),
            ConditionEnd: lambda s, _visit, _frame, time: clinical.run_end(
                EventKind.CONDITION, s.condition_onset, s.referenced_by_attribute, s.codes, time
            ),
            AllergyEnd: lambda s, _visit, _frame, time: clinical.run_end(
                EventKind.ALLERGY, s.allergy_onset, s.referenced_by_attribute, s.codes, time
            ),
            MedicationEnd: lambda s, _visit, _frame, time: clinical.run_end(
                EventKind.MEDICATION, s.medication_order, s.referenced_by_attribute, s.codes, time
            ),
            CarePlanEnd: lambda s, _visit, _frame, time: clinical.run_end(
                EventKind.CAREPLAN, s.careplan, s.referenced_by_attribute, s.codes, time
            ),
            DeviceEnd: lambda s, _visit, _frame, time: clinical.run_end(
                EventKind.DEVICE, s.device, s.referenced_by_attribute, s.codes, time
            ),
            Observation: self._observation,
            MultiObservation: self._multi_observation,
            DiagnosticReport: self._report,
            Procedure: self._procedure,
            ImagingStudy: self._imaging,
            Device: self._device,
            SupplyList: self._supplies,
            Vaccine: self._vaccine,
            Death: self._death,
        }

    def run(self, visit: Visit, frame: Frame, time: int) -> bool:
        """Runs a state; whether it is finished."""
        return self._runners[type(visit.state)](visit.state, visit, frame, time)

    # --- control --------------------------------------------------------------------------------------------------

    def _terminal(self, _state: Terminal, _visit: Visit, frame: Frame, time: int) -> bool:
        if frame.module.key == self.patient.module:
            self.encounters.close_own(time)
        return False

    def _wait(self, visit: Visit, time: int) -> bool:
        """Whether the end of a Delay or timed Procedure has come, and the patient lives to see it."""
        assert visit.next is not None
        return time >= visit.next and not self.patient.is_dead(visit.next)

    def _delay(self, state: Delay, visit: Visit, _frame: Frame, time: int) -> bool:
        if visit.next is None and self._is_standing(state, visit, time):
            visit.next = NEVER
        if visit.next is None:
            if state.range is not None:
                length = real_time(self.patient.draw_range(state.range), state.range.unit)
            elif state.exact is not None:
                length = real_time(_number(state.exact), state.exact.unit)
            else:
                assert state.distribution is not None
                length = whole_time(self.patient.draw(state.distribution), state.unit)
            visit.next = time + max(length, 0)
        return self._wait(visit, time)

    def _is_standing(self, state: Delay, visit: Visit, time: int) -> bool:
        """Whether a learned model says when a Delay that is entered ends."""
        learned = self.patient.learned
        return learned is not None and state.trajsim is not None and learned.stand(state.trajsim, visit, time)

    def _learned(self, binding: Binding | None, time: int) -> float | None:
        """What a learned model says that a state measures."""
        return None if self.patient.learned is None else self.patient.learned.value(binding, time)

    def _death(self, state: Death, _visit: Visit, frame: Frame, time: int) -> bool:
        patient = self.patient
        cause = self.clinical.cause(state, frame, time)
        moment = time
        if state.range is not None:
            moment += real_time(patient.draw_range(state.range), state.range.unit)
        elif state.exact is not None:
            moment += real_time(_number(state.exact), state.exact.unit)
        if not patient.is_dead(moment):
            patient.death = moment
            patient.is_killed = True
            patient.write(EventKind.DEATH, moment, ref=cause)
        return True

    # --- attributes, symptoms, vital signs ------------------------------------------------------------------------

    def _set_attribute(self, state: SetAttribute, _visit: Visit, _frame: Frame, time: int) -> bool:
        self.patient.set_attribute(state.attribute, self._value_to_set(state, time))
        return True

    def _value_to_set(self, state: SetAttribute, time: int) -> StoredValue | None:
        patient = self.patient
        learned = self._learned(state.trajsim, time)
        if learned is not None:
            return learned
        if state.expression is not None:
            return patient.expression(expression_of(state.expression), time)
        if state.range is not None:
            return round_half_away(patient.draw_range(state.range), state.range.decimals)
        if state.series_data is not None:
            return Series(tuple(float(word) for word in state.series_data.split()), state.period)
        if state.distribution is not None:
            return patient.draw(state.distribution)
        if state.value_code is not None:
            return state.value_code
        if state.value_attribute is not None and state.value_attribute in patient.attributes:
            return patient.attributes[state.value_attribute]
        value = state.value
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def _counter(self, state: Counter, _visit: Visit, _frame: Frame, time: int) -> bool:
        value = self.patient.attributes.get(state.attribute)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            self.patient.coerce(Coercion.COUNTER, time)
            value = None
        amount = float(state.amount) or 1.0
        count = 0.0 if value is None else float(value)
        count = count + amount if state.action == "increment" else count - amount
        self.patient.set_attribute(state.attribute, count)
        return True

    def _symptom(self, state: Symptom, _visit: Visit, _frame: Frame, _time: int) -> bool:
        patient = self.patient
        probability = state.probability if 0.0 <= state.probability <= 1.0 else 1.0
        if patient.uniform() <= probability:
            value = 0.0
            if state.range is not None:
                value = patient.draw_range(state.range)
            elif state.exact is not None:
                value = _number(state.exact)
            elif state.distribution is not None:
                value = patient.draw(state.distribution)
            patient.symptoms.setdefault(state.symptom, {})[patient.module] = SymptomValue(int(value))
        return True

    def _vital_sign(self, state: VitalSign, _visit: Visit, _frame: Frame, time: int) -> bool:
        patient = self.patient
        learned = self._learned(state.trajsim, time)
        if learned is not None:
            patient.signs[state.vital_sign] = learned
        elif state.range is not None:
            low, high = state.range.low, state.range.high
            patient.signs[state.vital_sign] = Distribution("UNIFORM", low=low, high=high)
        elif state.exact is not None:
            patient.signs[state.vital_sign] = _number(state.exact)
        elif state.expression is not None:
            value = patient.expression(expression_of(state.expression), time)
            if isinstance(value, float):
                patient.signs[state.vital_sign] = value
        elif state.distribution is not None:
            patient.signs[state.vital_sign] = state.distribution
        return True

    # --- observations ---------------------------------------------------------------------------------------------

    def _observed(self, body: ObservationBody, binding: Binding | None, time: int) -> ObservedValue:
        """The value of an observation."""
        patient = self.patient
        learned = self._learned(binding, time)
        if learned is not None:
            return learned
        if body.range is not None:
            return round_half_away(patient.draw_range(body.range), body.range.decimals)
        if body.exact is not None:
            quantity = body.exact.quantity
            return quantity if isinstance(quantity, str | bool) else float(quantity)
        if body.distribution is not None:
            return patient.draw(body.distribution)
        if body.attribute is not None:
            return self._observed_attribute(body.attribute, time)
        if body.vital_sign is not None:
            return patient.vital_sign(body.vital_sign, time)
        return body.value_code  # expression, sampled_data and attachment give no value

    def _observed_attribute(self, name: str, time: int) -> ObservedValue:
        value = self.patient.attributes.get(name)
        if value is None or isinstance(value, bool | str | Code):
            return value
        if isinstance(value, int | float):
            return float(value)
        self.patient.coerce(Coercion.OBSERVED_ATTRIBUTE, time)
        return None

    def _write_observation(
        self, body: ObservationBody, binding: Binding | None, time: int, source: int
    ) -> tuple[int, ObservedValue]:
        """Writes an observation row; returns its index and the value."""
        value = self._observed(body, binding, time)
        number, kind = self._as_number(value)
        event = self.patient.write(EventKind.OBSERVATION, time, attached=True, value=number, tag=kind, source=source)
        return event, value

    def _as_number(self, value: ObservedValue) -> tuple[float, ValueKind]:
        """The `value` and `tag` of an OBSERVATION row."""
        catalogue = self.patient.catalogue
        if value is None:
            return 0.0, ValueKind.NULL
        if isinstance(value, bool):
            return float(value), ValueKind.BOOLEAN
        if isinstance(value, Code):
            return float(catalogue.code_index(value)), ValueKind.CODE
        if isinstance(value, str):
            index = catalogue.string_index(value)
            assert index is not None, "the catalogue knows the texts of modules and cohort"
            return float(index), ValueKind.STRING
        return value, ValueKind.NUMBER

    def _note_observation(self, codes: tuple[Code, ...], value: ObservedValue, time: int) -> None:
        """Makes an observation visible to conditions."""
        if codes:
            self.patient.record.current_encounter(time).observations.append((codes[0].code, value))

    def _observation(self, state: Observation, visit: Visit, _frame: Frame, time: int) -> bool:
        _, value = self._write_observation(state.body, state.trajsim, time, visit.source)
        self._note_observation(state.body.codes, value, time)
        return True

    def _write_children(
        self, bodies: tuple[ObservationBody, ...], kind: EventKind, visit: Visit, time: int
    ) -> list[ObservedValue]:
        """Writes the children of a panel or report and then the row itself; returns their values."""
        written = [self._write_observation(b, b.trajsim, time, visit.source + 1 + k) for k, b in enumerate(bodies)]
        parent = self.patient.write(kind, time, attached=True, value=float(len(bodies)))
        for event, _ in written:
            self.patient.log.rows[event].ref = parent
        return [value for _, value in written]

    def _multi_observation(self, state: MultiObservation, visit: Visit, _frame: Frame, time: int) -> bool:
        self._write_children(state.observations, EventKind.MULTI_OBSERVATION, visit, time)
        self._note_observation(state.codes, None, time)
        return True

    def _report(self, state: DiagnosticReport, visit: Visit, _frame: Frame, time: int) -> bool:
        values = self._write_children(state.observations, EventKind.REPORT, visit, time)
        for body, value in zip(state.observations, values, strict=True):
            self._note_observation(body.codes, value, time)
        return True

    # --- procedures and things ------------------------------------------------------------------------------------

    def _procedure(self, state: Procedure, visit: Visit, frame: Frame, time: int) -> bool:
        patient = self.patient
        if visit.next is not None:
            return self._wait(visit, time)
        length = None
        if state.duration is not None:
            length = max(real_time(patient.draw_range(state.duration), state.duration.unit), 0)
        elif state.distribution is not None:
            length = max(real_time(patient.draw(state.distribution), state.unit), 0)
        reason = self.clinical.reason(state.reason, frame, time)
        self._record_procedure(
            state.codes[0], state, reason, PROCEDURE_DEFAULT_MS if length is None else length, time,
            state.assign_to_attribute,
        )  # fmt: skip
        if length is None:
            return True
        visit.next = time + length
        return self._wait(visit, time)

    def _record_procedure(
        self, code: Code, state: State, reason: int, length: int, time: int, attribute: str | None = None
    ) -> None:
        event = self.patient.write(EventKind.PROCEDURE, time, attached=True, ref=reason, value=float(length))
        self.clinical.put_new(event, EventKind.PROCEDURE, code, state.name, attribute)

    def _copies(self, low: int, high: int, listed: int) -> tuple[int, bool]:
        """How many series or instances there are, and whether they are copies of the first."""
        if listed and 0 < low <= high:
            return int(low + (high + 1 - low) * self.patient.uniform()), True
        return listed, False

    def _imaging(self, state: ImagingStudy, visit: Visit, _frame: Frame, time: int) -> bool:
        patient = self.patient
        count, is_copied = self._copies(state.min_number_series, state.max_number_series, len(state.series))
        children = [0] * count if is_copied else list(range(count))
        instances = []
        for child in children:
            series = state.series[child]
            low, high = series.min_number_instances, series.max_number_instances
            instances.append(self._copies(low, high, len(series.instances))[0])
        study = patient.write(EventKind.IMAGING, time, attached=True, value=float(count))
        for position, (child, number) in enumerate(zip(children, instances, strict=True)):
            source = visit.source + 1 + child
            patient.write(EventKind.SERIES, time, ref=study, value=float(number), tag=position, source=source)
        self._record_procedure(state.procedure_code, state, -1, _IMAGING_MS, time)
        return True

    def _device(self, state: Device, _visit: Visit, _frame: Frame, time: int) -> bool:
        event = self.patient.write(EventKind.DEVICE, time, attached=True)
        self.clinical.put_new(event, EventKind.DEVICE, state.code, state.name, state.assign_to_attribute)
        return True

    def _supplies(self, state: SupplyList, visit: Visit, _frame: Frame, time: int) -> bool:
        for position, supply in enumerate(state.supplies):
            source = visit.source + 1 + position
            self.patient.write(EventKind.SUPPLY, time, attached=True, value=float(supply.quantity), source=source)
        return True

    def _vaccine(self, state: Vaccine, _visit: Visit, _frame: Frame, time: int) -> bool:
        self.patient.write(EventKind.IMMUNIZATION, time, attached=True, value=float(state.series))
        return True


def _number(exact: Exact) -> float:
    """A quantity that the parser requires to be a number."""
    assert not isinstance(exact.quantity, str)
    return float(exact.quantity)
