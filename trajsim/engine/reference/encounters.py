"""Encounters: the lock, the encounter module, and the states that open and close visits (gmf-semantics 2.5)."""

from trajsim.engine.events import (
    MEDICATION_CHRONIC,
    SOURCE_EMERGENCY,
    SOURCE_OUTPATIENT,
    SOURCE_URGENTCARE,
    SOURCE_WELLNESS_ADULT,
    SOURCE_WELLNESS_CHILD,
    STREAM_ENCOUNTERS,
    EncounterClass,
    EventKind,
)
from trajsim.engine.reference.clinical import Clinical
from trajsim.engine.reference.frames import Frame
from trajsim.engine.reference.health_record import LONG_STAYS, EncounterRecord, Entry
from trajsim.engine.reference.logic import utf16
from trajsim.engine.reference.patient import Patient
from trajsim.engine.reference.quantities import age_months
from trajsim.gmf.model import Encounter, EncounterEnd
from trajsim.streams.keys import ENCOUNTERS
from trajsim.units import DAY_MS

_TELEMEDICINE_FROM_MS = 1_451_649_600_000  # 2016-01-01T12:00Z
_PANDEMIC_FROM_MS = 1_585_742_400_000  # 2020-04-01T12:00Z
_TELEMEDICINE_BEFORE = 0.004
_TELEMEDICINE_AFTER = 0.15
_CHRONIC_INTERVAL_DAYS = 365
_ADULT_MONTHS = 18 * 12

# (age in months below which it holds, days between wellness visits)
_INTERVALS = ((2, 30), (6, 60), (18, 90), (4 * 12, 180), (20 * 12, 365), (40 * 12, 1_095), (50 * 12, 730))
_LAST_INTERVAL_DAYS = 365
# (symptom total above which it happens, source, class)
_SYMPTOM_VISITS = (
    (500, SOURCE_EMERGENCY, EncounterClass.EMERGENCY),
    (350, SOURCE_URGENTCARE, EncounterClass.URGENTCARE),
    (300, SOURCE_OUTPATIENT, EncounterClass.OUTPATIENT),
)


class Encounters:
    """Opens and closes the encounters of one patient."""

    def __init__(self, patient: Patient, clinical: Clinical) -> None:
        self._patient = patient
        self._clinical = clinical

    # --- opening and closing --------------------------------------------------------------------------------------

    def _create(self, time: int, kind: EncounterClass, owner: str, *, made_by: str, source: int, stream: int) -> int:
        """Takes the lock and opens an encounter; returns the index of its row."""
        patient = self._patient
        event = patient.write(EventKind.ENCOUNTER, time, tag=kind, source=source, stream=stream)
        patient.log.rows[event].encounter = event
        patient.lock = owner
        record = EncounterRecord(event=event, kind=kind, start=time, made_by=made_by, source=source, stream=stream)
        patient.record.encounters.append(record)
        return event

    def _end(self, kind: EncounterClass, time: int, *, source: int, stream: int) -> None:
        """Ends the most recently created open encounter of a class, if there is one."""
        encounter = self._patient.record.newest_open(kind)
        if encounter is not None:
            encounter.is_ended = True
            self._patient.write(EventKind.ENCOUNTER_END, time, ref=encounter.event, source=source, stream=stream)

    def close_own(self, time: int) -> bool:
        """Ends the current encounter by its class and releases the lock, if the running module holds it."""
        patient = self._patient
        if patient.lock != patient.module:
            return False
        kind = patient.record.current_encounter(time).kind
        self._end(kind, time, source=patient.source, stream=patient.stream)
        patient.lock = None
        return True

    # --- the encounter module -------------------------------------------------------------------------------------

    def begin_step(self, time: int) -> None:
        """Scheduled wellness visits and visits for symptoms, before the modules of a step."""
        patient = self._patient
        if patient.lock is not None:
            return
        last = patient.record.last_wellness_start()
        if last is None or time - last >= self._wellness_interval_ms(time):
            is_child = age_months(patient.birth, time) < _ADULT_MONTHS
            source = SOURCE_WELLNESS_CHILD if is_child else SOURCE_WELLNESS_ADULT
            self._create_for_engine(time, EncounterClass.WELLNESS, source)
            return
        total = patient.symptom_total()
        if total == patient.treated_symptom_total:
            return
        for limit, source, kind in _SYMPTOM_VISITS:
            if total > limit:
                patient.treated_symptom_total = total
                self._address_highest_symptom()
                self._create_for_engine(time, kind, source)
                return

    def _create_for_engine(self, time: int, kind: EncounterClass, source: int) -> None:
        patient = self._patient
        made_by = patient.catalogue.sources[source].state
        self._create(time, kind, ENCOUNTERS, made_by=made_by, source=source, stream=STREAM_ENCOUNTERS)
        if patient.lifecycle is not None:
            patient.lifecycle.visit(time)

    def _wellness_interval_ms(self, time: int) -> int:
        months = age_months(self._patient.birth, time)
        days = next((days for below, days in _INTERVALS if months < below), _LAST_INTERVAL_DAYS)
        if self._patient.record.chronic:
            days = min(days, _CHRONIC_INTERVAL_DAYS)
        return days * DAY_MS

    def _address_highest_symptom(self) -> None:
        unresolved = [
            (-given.value, utf16(symptom), utf16(module), given)
            for symptom, by_module in self._patient.symptoms.items()
            for module, given in by_module.items()
            if not given.is_addressed
        ]
        min(unresolved, key=lambda item: item[:3])[3].is_addressed = True

    def end_step(self, time: int) -> None:
        """Closes the encounter of the encounter module, after the modules of a step."""
        patient = self._patient
        if patient.lock == ENCOUNTERS:
            encounter = patient.record.current_encounter(time)
            self._end(encounter.kind, time, source=encounter.source, stream=encounter.stream)
            patient.lock = None

    def end_life(self, last: int) -> None:
        """Closes an encounter that is open when the life or the run is over; `last` is the last step."""
        patient = self._patient
        if patient.lock is None:
            return
        encounter = patient.record.current_encounter(last)
        stop = patient.options.end_ms if encounter.kind in LONG_STAYS else last
        self._end(encounter.kind, min(stop, patient.death), source=encounter.source, stream=encounter.stream)

    # --- states ---------------------------------------------------------------------------------------------------

    def run_encounter(self, state: Encounter, frame: Frame, time: int) -> bool:
        """The Encounter state; False while it blocks."""
        return self._run_wellness(state, frame, time) if state.wellness else self._run_alone(state, frame, time)

    def _run_wellness(self, state: Encounter, frame: Frame, time: int) -> bool:
        patient = self._patient
        if patient.lock != ENCOUNTERS or patient.wellness_used.get(patient.module) is not False:
            return False
        patient.wellness_used[patient.module] = True
        self._clinical.diagnose_waiting(state.name, frame, time)
        visit = self._visit_of_engine()
        if patient.record.chronic and not visit.has_renewed:
            visit.has_renewed = True
            self._renew_chronic(time)
        return True

    def _visit_of_engine(self) -> EncounterRecord:
        """The encounter that the encounter module holds open: nobody can have made a newer one."""
        return self._patient.record.encounters[-1]

    def _renew_chronic(self, time: int) -> None:
        """Ends every chronic medication and starts a new entry of it."""
        patient = self._patient
        record = patient.record
        for old in sorted(record.chronic.values(), key=lambda entry: patient.catalogue.code_index(entry.code)):
            code = old.code.code
            patient.write(EventKind.MEDICATION_END, time, ref=old.event)
            started = patient.log.rows[old.event]
            event = patient.write(
                EventKind.MEDICATION, time, attached=True, ref=started.ref, tag=MEDICATION_CHRONIC,
                source=started.state, stream=started.module,
            )  # fmt: skip
            new = Entry(event=event, kind=EventKind.MEDICATION, code=old.code, name=old.name)
            present = record.present.get(code)
            if present is not None and present.kind == EventKind.MEDICATION:
                record.present.remove(code)
            record.present.put(code, new)
            record.chronic[code] = new

    def _run_alone(self, state: Encounter, frame: Frame, time: int) -> bool:
        patient = self._patient
        self.close_own(time)
        if patient.lock is not None:
            return False
        event = self._create(
            time, self._class_of(state, time), patient.module,
            made_by=state.name, source=patient.source, stream=patient.stream,
        )  # fmt: skip
        self._clinical.diagnose_waiting(state.name, frame, time)
        if state.reason is not None:
            patient.log.rows[event].ref = self._clinical.reason(state.reason, frame, time, is_encounter=True)
        return True

    def _class_of(self, state: Encounter, time: int) -> EncounterClass:
        if state.telemedicine_possibility == "always":
            return EncounterClass.VIRTUAL
        if state.telemedicine_possibility == "possible" and time >= _TELEMEDICINE_FROM_MS:
            limit = _TELEMEDICINE_BEFORE if time < _PANDEMIC_FROM_MS else _TELEMEDICINE_AFTER
            if self._patient.uniform() < limit:
                return EncounterClass.VIRTUAL
        name = (state.encounter_class or "ambulatory").upper()
        if name == "SUPER":
            return EncounterClass.INPATIENT
        return EncounterClass.__members__.get(name, EncounterClass.AMBULATORY)

    def run_end(self, _state: EncounterEnd, time: int) -> bool:
        """The EncounterEnd state; False while it blocks."""
        patient = self._patient
        if self.close_own(time):
            return True
        if patient.lock == ENCOUNTERS or patient.module in patient.wellness_used:
            patient.wellness_used.pop(patient.module, None)
            return True
        return patient.lock is None
