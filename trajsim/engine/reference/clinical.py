"""Conditions, allergies, medications, care plans and devices: how they start, end and become reasons."""

from collections.abc import Sequence

from trajsim.engine.events import (
    MEDICATION_ADMINISTRATION,
    MEDICATION_CHRONIC,
    SEVERITY_NAMES,
    Coercion,
    EventKind,
)
from trajsim.engine.life import Placeholder
from trajsim.engine.reference.frames import Frame, Visit
from trajsim.engine.reference.health_record import Entry
from trajsim.engine.reference.patient import Patient
from trajsim.gmf.model import (
    AllergyEnd,
    AllergyOnset,
    CarePlanEnd,
    CarePlanStart,
    Code,
    ConditionEnd,
    ConditionOnset,
    Death,
    DeviceEnd,
    MedicationEnd,
    MedicationOrder,
    Reaction,
)

_AGAIN = {
    EventKind.CONDITION: EventKind.CONDITION_AGAIN,
    EventKind.ALLERGY: EventKind.ALLERGY_AGAIN,
    EventKind.MEDICATION: EventKind.MEDICATION_AGAIN,
    EventKind.CAREPLAN: EventKind.CAREPLAN_AGAIN,
}
_END = {
    EventKind.CONDITION: EventKind.CONDITION_END,
    EventKind.ALLERGY: EventKind.ALLERGY_END,
    EventKind.MEDICATION: EventKind.MEDICATION_END,
    EventKind.CAREPLAN: EventKind.CAREPLAN_END,
    EventKind.DEVICE: EventKind.DEVICE_END,
}
NO_REASON = -1
EndState = ConditionEnd | AllergyEnd | MedicationEnd | CarePlanEnd | DeviceEnd


class Clinical:
    """What states do to the record of one patient."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._present = patient.record.present

    # --- onsets ---------------------------------------------------------------------------------------------------

    def run_onset(self, state: ConditionOnset | AllergyOnset, visit: Visit, time: int) -> bool:
        """An onset: diagnosed now, or waiting for its target encounter."""
        patient = self._patient
        target = state.target_encounter
        is_now = not (target and target.strip())
        if not is_now and patient.lock == patient.module:
            is_now = patient.record.current_encounter(time).made_by == target
        if is_now:
            self._diagnose(state, visit, time)
        elif state.assign_to_attribute is not None:
            patient.set_attribute(state.assign_to_attribute, Placeholder(visit.source))
        return True

    def diagnose_waiting(self, encounter: str, frame: Frame, time: int) -> None:
        """Diagnoses the onsets of a frame that wait for its current Encounter state, newest first."""
        for visit in frame.waiting_onsets(encounter):
            assert isinstance(visit.state, ConditionOnset | AllergyOnset)
            self._diagnose(visit.state, visit, time)

    def _diagnose(self, state: ConditionOnset | AllergyOnset, visit: Visit, time: int) -> None:
        visit.is_diagnosed = True
        is_allergy = isinstance(state, AllergyOnset)
        kind = EventKind.ALLERGY if is_allergy else EventKind.CONDITION
        source = visit.source  # of the rows; a coercion belongs to the state that runs, which may be the Encounter
        entry = self._start(kind, state.codes[0], state.name, time, any_kind=not is_allergy, source=source)
        if state.assign_to_attribute is not None:
            self._patient.set_attribute(state.assign_to_attribute, entry)
        if isinstance(state, AllergyOnset):
            for index, reaction in enumerate(state.reactions):
                severity = SEVERITY_NAMES.index(self._severity(reaction))
                if severity > 0:
                    kind = EventKind.REACTION
                    self._patient.write(kind, time, ref=entry.event, value=float(index), tag=severity, source=source)

    def _severity(self, reaction: Reaction) -> str:
        """Draws how severe a reaction is."""
        u = self._patient.uniform()
        options = reaction.possible_severities
        weight = 0.0
        for option in options:
            weight += option.value
        cumulative = 0.0
        for option in options:
            cumulative += option.value
            if weight > 0.0 and u < cumulative / weight:
                return option.level
        return options[-1].level if options else "none"

    # --- starts ---------------------------------------------------------------------------------------------------

    def _start(
        self, kind: EventKind, code: Code, name: str, time: int, *, reason: int = NO_REASON, tag: int = 0,
        any_kind: bool = False, source: int | None = None,
    ) -> Entry:  # fmt: skip
        """The present entry of a code, begun now if there is none; it takes the name of the state.

        Args:
            kind: CONDITION, ALLERGY, MEDICATION or CAREPLAN.
            code: First code of the state.
            name: Name of the state.
            time: Now.
            reason: Of medications and care plans.
            tag: Of medications and care plans.
            any_kind: Whether an entry of another kind will do (conditions).
            source: Source of the row; None for the state that runs.

        Returns:
            The entry.
        """
        patient = self._patient
        entry = self._present.get(code.code)
        if entry is not None and not any_kind and entry.kind != kind:
            patient.coerce(Coercion.OTHER_KIND, time)
            entry = None
        if entry is not None:
            value = 0.0 if kind in {EventKind.CONDITION, EventKind.ALLERGY} else float(reason)
            patient.write(_AGAIN[kind], time, ref=entry.event, value=value, tag=tag, source=source)
            entry.name = name
            return entry
        event = patient.write(kind, time, attached=True, ref=reason, tag=tag, source=source)
        entry = Entry(event=event, kind=kind, code=code, name=name)
        self._present.put(code.code, entry)
        return entry

    def run_medication_order(self, state: MedicationOrder, frame: Frame, time: int) -> bool:
        """A drug that is given once, ordered, or both (chronic and administered)."""
        patient = self._patient
        reason = self.reason(state.reason, frame, time)
        code = state.codes[0]
        if state.administration:
            tag = MEDICATION_ADMINISTRATION
            event = patient.write(EventKind.MEDICATION, time, attached=True, ref=reason, tag=tag)
            entry = Entry(event=event, kind=EventKind.MEDICATION, code=code, name=state.name)
        if state.chronic or not state.administration:
            tag = MEDICATION_CHRONIC if state.chronic else 0
            entry = self._start(EventKind.MEDICATION, code, state.name, time, reason=reason, tag=tag)
            if state.chronic:
                patient.record.chronic[code.code] = entry
        if state.assign_to_attribute is not None:
            patient.set_attribute(state.assign_to_attribute, entry)
        return True

    def run_careplan_start(self, state: CarePlanStart, frame: Frame, time: int) -> bool:
        """A care plan; tag 1 tells that its reason was found through the history."""
        reason, through_history = self._resolve(state.reason, frame, time, is_encounter=False)
        tag = int(through_history)
        entry = self._start(EventKind.CAREPLAN, state.codes[0], state.name, time, reason=reason, tag=tag)
        if state.assign_to_attribute is not None:
            self._patient.set_attribute(state.assign_to_attribute, entry)
        return True

    def put_new(self, event: int, kind: EventKind, code: Code, name: str, attribute: str | None = None) -> None:
        """A procedure or device: always a new entry, which takes the place of what is present under its code."""
        entry = Entry(event=event, kind=kind, code=code, name=name)
        self._present.put(code.code, entry)
        if attribute is not None:
            self._patient.set_attribute(attribute, entry)

    # --- ends -----------------------------------------------------------------------------------------------------

    def run_end(
        self, kind: EventKind, name: str | None, attribute: str | None, codes: Sequence[Code], time: int
    ) -> bool:
        """Ends entries of a kind (CONDITION: of any kind) by state name, attribute or codes: the first given."""
        if name is not None:
            entry = next(self._present.named(name), None)
            if entry is not None:
                self._end_present(kind, entry.code.code, time)
        elif attribute is not None:
            self._end_attribute(kind, attribute, time)
        else:
            for code in codes:
                self._end_present(kind, code.code, time)
        return True

    def _end_present(self, kind: EventKind, code: str, time: int, *, written: Entry | None = None) -> None:
        """Ends what is present under a code, if the kind allows; `written` is an entry that has its END already."""
        entry = self._present.get(code)
        if entry is None:
            return
        if kind not in {EventKind.CONDITION, entry.kind}:
            self._patient.coerce(Coercion.OTHER_KIND, time)
            return
        if entry is not written:
            self._patient.write(_END[kind], time, ref=entry.event)
        self._present.remove(code)
        if kind == EventKind.MEDICATION:
            self._patient.record.chronic.pop(code, None)

    def _end_attribute(self, kind: EventKind, attribute: str, time: int) -> None:
        patient = self._patient
        value = patient.attributes.get(attribute)
        if value is None:
            if kind not in {EventKind.CONDITION, EventKind.DEVICE}:
                patient.coerce(Coercion.END_BY_ATTRIBUTE, time)
        elif isinstance(value, Entry):
            if kind in {EventKind.CONDITION, value.kind}:
                patient.write(_END[kind], time, ref=value.event)
                self._end_present(kind, value.code.code, time, written=value)
            else:
                patient.coerce(Coercion.OTHER_KIND, time)
        elif isinstance(value, Placeholder):
            if kind in {EventKind.CONDITION, EventKind.ALLERGY}:
                self._end_present(kind, self._first_code(value).code, time)
            else:
                patient.coerce(Coercion.OTHER_KIND, time)
        else:
            patient.coerce(Coercion.END_BY_ATTRIBUTE, time)

    # --- reasons --------------------------------------------------------------------------------------------------

    def _first_code(self, placeholder: Placeholder) -> Code:
        return self._patient.catalogue.sources[placeholder.source].codes[0]

    def _code_reason(self, code: Code) -> int:
        return -2 - self._patient.catalogue.code_index(code)

    def reason(self, name: str | None, frame: Frame, time: int, *, is_encounter: bool = False) -> int:
        """The reason of that name, as a `ref`."""
        return self._resolve(name, frame, time, is_encounter=is_encounter)[0]

    def _resolve(self, name: str | None, frame: Frame, time: int, *, is_encounter: bool) -> tuple[int, bool]:
        """The reason of that name, and whether it was found through the history."""
        if name is None:
            return NO_REASON, False
        value = self._patient.attributes.get(name)
        if isinstance(value, Entry):
            return value.event, False
        if isinstance(value, Placeholder):
            return self._code_reason(self._first_code(value)), False
        if isinstance(value, Code) and is_encounter:
            return self._code_reason(value), False
        if value is not None and not is_encounter:
            self._patient.coerce(Coercion.REASON, time)
        if frame.has_visited(name):
            entry = next(self._present.named(name), None)
            if entry is not None:
                return entry.event, True
        state = frame.module.states.get(name)
        return (self._code_reason(state.codes[0]), False) if isinstance(state, ConditionOnset) else (NO_REASON, False)

    def cause(self, state: Death, frame: Frame, time: int) -> int:
        """The cause of a death, as a `ref`."""
        if state.codes:
            return self._code_reason(state.codes[0])
        if state.condition_onset is not None:
            name = state.condition_onset
            if frame.has_visited(name):
                entries = list(self._present.named(name))
                if entries:
                    return entries[-1].event
            if name not in frame.module.states:
                return NO_REASON
            catalogue = self._patient.catalogue
            codes = catalogue.sources[catalogue.state_index(frame.module.key, name)].codes
            return self._code_reason(codes[0]) if codes else NO_REASON
        if state.referenced_by_attribute is None:
            return NO_REASON
        value = self._patient.attributes.get(state.referenced_by_attribute)
        if isinstance(value, Entry):
            return value.event
        if isinstance(value, Placeholder):
            return self._code_reason(self._first_code(value))
        if isinstance(value, Code):
            return self._code_reason(value)
        self._patient.coerce(Coercion.REASON, time)
        return NO_REASON
