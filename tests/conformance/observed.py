"""A life in the words of a conformance case: the log read back into encounters with the records inside them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import (
    ENCOUNTER_CLASS_NAMES,
    ENTRY_KIND_NAMES,
    MEDICATION_ADMINISTRATION,
    MEDICATION_CHRONIC,
    Catalogue,
    EventKind,
    Source,
    ValueKind,
)
from trajsim.engine.life import EntryRef, Life, Placeholder, Series
from trajsim.gmf.model import (
    AllergyOnset,
    CarePlanStart,
    Code,
    Encounter,
    EncounterEnd,
    MultiObservation,
    ObservationBody,
)
from trajsim.gmf.model import Observation as ObservationState

_MINUTE = 60_000
_DEFAULT_MINUTES = {"emergency": 60, "inpatient": 1_440, "hospice": 1_440, "snf": 1_440}
_OTHER_MINUTES = 15
_MEDICATION_STOP = "182840001"
_CAREPLAN_STOP = "385658003"
_SEVERITIES = {1: "255604002", 2: "6736007", 3: "24484000"}

_ENTRIES = {
    EventKind.CONDITION: "conditions",
    EventKind.ALLERGY: "allergies",
    EventKind.MEDICATION: "medications",
    EventKind.CAREPLAN: "careplans",
    EventKind.PROCEDURE: "procedures",
    EventKind.DEVICE: "devices",
}
_AGAINS = frozenset(
    {EventKind.CONDITION_AGAIN, EventKind.ALLERGY_AGAIN, EventKind.MEDICATION_AGAIN, EventKind.CAREPLAN_AGAIN}
)
_ENDS = frozenset(
    {
        EventKind.CONDITION_END,
        EventKind.ALLERGY_END,
        EventKind.MEDICATION_END,
        EventKind.CAREPLAN_END,
        EventKind.DEVICE_END,
    }
)

Record = dict[str, Any]


def history_of(life: Life) -> dict[str, list[list[Any]]]:
    """`history` of an exact case, times since birth."""

    def since_birth(time: int | None) -> int | None:
        return None if time is None else time - life.birth_ms

    return {
        module: [[row.state, since_birth(row.entered_ms), since_birth(row.exited_ms)] for row in rows]
        for module, rows in life.history.items()
    }


def attributes_of(life: Life) -> Record:
    """`attributes` of an exact case: those whose names begin with ``t_``."""
    return {name: _attribute(value, life) for name, value in life.attributes.items() if name.startswith("t_")}


def _attribute(value: object, life: Life) -> object:
    if isinstance(value, EntryRef):
        assert int(life.events[value.event]["kind"]) == value.kind, "an attribute names the kind of its entry"
        return {"record": ENTRY_KIND_NAMES[value.kind]}
    if isinstance(value, Placeholder):
        return {"record": "Entry"}
    if isinstance(value, Series):
        return list(value.values)
    return value.code if isinstance(value, Code) else value


def cause_of_death(life: Life, catalogue: Catalogue) -> str | None:
    """Code of the cause of the last DEATH row of the log; None without a cause or for a patient who is alive."""
    deaths = [row for row in life.events if row["kind"] == EventKind.DEATH]
    if life.death_ms is None or not deaths:
        return None
    codes = _LogReader(life, catalogue).read().codes_behind(int(deaths[-1]["ref"]))
    return codes[0] if codes else None


def encounters_of(life: Life, catalogue: Catalogue) -> list[Record]:
    """`encounters` of an exact case."""
    return _LogReader(life, catalogue).read().encounters


def coercions_of(life: Life, catalogue: Catalogue) -> list[list[Any]]:
    """`coercions` of a case of our own: ``[state, number of the case in section 8 of docs/draws.md, time]``."""
    rows = [row for row in life.events if row["kind"] == EventKind.COERCED]
    return [[catalogue.sources[row["state"]].state, int(row["tag"]), int(row["time"]) - life.birth_ms] for row in rows]


@dataclass
class _LogReader:
    """Reads one log from its first row to its last."""

    life: Life
    catalogue: Catalogue
    encounters: list[Record] = field(default_factory=list)
    _by_event: dict[int, Record] = field(default_factory=dict)  # encounters and entries by the row that began them
    _children: dict[int, list[tuple[int, Record]]] = field(default_factory=dict)  # of panels and reports
    _reasons: list[tuple[int, int]] = field(default_factory=list)  # encounters with a reason, which may lie ahead
    _renewed: Record | None = None

    def read(self) -> "_LogReader":
        """Reads the whole log."""
        for index, row in enumerate(self.life.events):
            self._read_row(index, row)
        for event, ref in self._reasons:
            codes = self.codes_behind(ref)
            self._by_event[event]["reason"] = codes[0] if codes else None
        return self

    def codes_behind(self, ref: int) -> list[str]:
        """The codes of a reason."""
        if ref == -1:
            return []
        if ref <= -2:
            return [self.catalogue.codes[-2 - ref].code]
        return list(self._by_event[ref]["codes"])

    def _source(self, row: NDArray[np.void]) -> Source:
        return self.catalogue.sources[int(row["state"])]

    def _time(self, row: NDArray[np.void]) -> int:
        return int(row["time"]) - self.life.birth_ms

    def _record(self, row: NDArray[np.void]) -> Record:
        return {"start": self._time(row), "stop": None, "codes": [code.code for code in self._source(row).codes]}

    def _attach(self, row: NDArray[np.void], group: str, record: Record) -> None:
        self._by_event[int(row["encounter"])].setdefault(group, []).append(record)

    def _read_row(self, index: int, row: NDArray[np.void]) -> None:
        kind = EventKind(int(row["kind"]))
        if kind == EventKind.ENCOUNTER:
            self._encounter(index, row)
        elif kind == EventKind.ENCOUNTER_END:
            self._encounter_end(row)
        elif kind in _ENTRIES:
            self._entry(index, row, kind)
        elif kind in _AGAINS:
            self._again(row, kind)
        elif kind in _ENDS:
            self._end(row, kind)
        elif kind == EventKind.REACTION:
            onset = self._source(row).definition
            assert isinstance(onset, AllergyOnset)
            reaction = onset.reactions[int(row["value"])].reaction.code
            self._by_event[int(row["ref"])].setdefault("reactions", {})[reaction] = _SEVERITIES[int(row["tag"])]
        elif kind == EventKind.OBSERVATION:
            self._observation(row)
        elif kind in {EventKind.MULTI_OBSERVATION, EventKind.REPORT}:
            self._panel(index, row, kind)
        else:
            self._thing(index, row, kind)

    # --- encounters -----------------------------------------------------------------------------------------------

    def _encounter(self, index: int, row: NDArray[np.void]) -> None:
        assert int(row["encounter"]) == index, "an encounter belongs to itself"
        name = ENCOUNTER_CLASS_NAMES[int(row["tag"])]
        record = self._record(row)
        record["class"] = name
        record["made_by"] = self._source(row).state
        record["stop"] = record["start"] + _DEFAULT_MINUTES.get(name, _OTHER_MINUTES) * _MINUTE
        self.encounters.append(record)
        self._by_event[index] = record
        if int(row["ref"]) != -1:
            self._reasons.append((index, int(row["ref"])))

    def _encounter_end(self, row: NDArray[np.void]) -> None:
        record = self._by_event[int(row["ref"])]
        stops = [procedure["stop"] for procedure in record.get("procedures", [])]
        record["stop"] = max([record["stop"], self._time(row), *stops])
        ending = self._source(row).definition
        if isinstance(ending, EncounterEnd) and ending.discharge_disposition is not None:
            record["discharge"] = ending.discharge_disposition.code

    # --- entries --------------------------------------------------------------------------------------------------

    def _entry(self, index: int, row: NDArray[np.void], kind: EventKind) -> None:
        record = self._record(row)
        definition, tag, value = self._source(row).definition, int(row["tag"]), int(row["value"])
        if kind == EventKind.ALLERGY and isinstance(definition, AllergyOnset):
            record |= {"allergy_type": definition.allergy_type, "category": definition.category}
        elif kind == EventKind.PROCEDURE:
            record["stop"] = record["start"] + value
        elif kind == EventKind.MEDICATION:
            record["chronic"] = bool(tag & MEDICATION_CHRONIC)
            record["administration"] = bool(tag & MEDICATION_ADMINISTRATION)
            if record["administration"]:
                record["stop"] = record["start"]
        elif kind == EventKind.CAREPLAN and isinstance(definition, CarePlanStart):
            record["activities"] = [code.code for code in definition.activities] or None
        if kind == EventKind.MEDICATION and self._renewed is not None:
            record["codes"] = list(self._renewed["codes"])
            if "reasons" in self._renewed:
                record["reasons"] = list(self._renewed["reasons"])
            self._renewed = None
        elif kind != EventKind.DEVICE:
            self._reason(record, int(row["ref"]), is_plan=kind == EventKind.CAREPLAN and tag == 1)
        self._by_event[index] = record
        self._attach(row, _ENTRIES[kind], record)

    def _reason(self, record: Record, ref: int, *, is_plan: bool) -> None:
        """Adds the codes of a reason; a care plan that found it through the history takes them as its own."""
        codes = self.codes_behind(ref)
        if is_plan:
            record["codes"] += [code for code in codes if code not in record["codes"]]
        elif codes:
            record["reasons"] = (record.get("reasons") or []) + codes

    def _again(self, row: NDArray[np.void], kind: EventKind) -> None:
        record = self._by_event[int(row["ref"])]
        for code in self._source(row).codes:
            if code.code not in record["codes"]:
                record["codes"].append(code.code)
        if kind in {EventKind.MEDICATION_AGAIN, EventKind.CAREPLAN_AGAIN}:
            is_plan = kind == EventKind.CAREPLAN_AGAIN and int(row["tag"]) == 1
            self._reason(record, int(row["value"]), is_plan=is_plan)
            if kind == EventKind.MEDICATION_AGAIN and int(row["tag"]) & MEDICATION_CHRONIC:
                record["chronic"] = True

    def _end(self, row: NDArray[np.void], kind: EventKind) -> None:
        record = self._by_event[int(row["ref"])]
        record["stop"] = self._time(row)
        if kind == EventKind.MEDICATION_END:
            record["stop_reason"] = _MEDICATION_STOP
            if isinstance(self._source(row).definition, Encounter):
                self._renewed = record
        elif kind == EventKind.CAREPLAN_END:
            record["stop_reason"] = _CAREPLAN_STOP

    # --- observations and things ----------------------------------------------------------------------------------

    def _observation(self, row: NDArray[np.void]) -> None:
        source = self._source(row)
        body = source.definition.body if isinstance(source.definition, ObservationState) else source.definition
        assert isinstance(body, ObservationBody)
        record = self._record(row) | {"unit": body.unit, "category": body.category, "value": self._value(row)}
        parent = int(row["ref"])
        if parent == -1:
            self._attach(row, "observations", record)
        else:
            self._children.setdefault(parent, []).append((int(row["encounter"]), record))

    def _value(self, row: NDArray[np.void]) -> object:
        kind, value = ValueKind(int(row["tag"])), float(row["value"])
        if kind == ValueKind.NUMBER:
            return value
        if kind == ValueKind.CODE:
            return self.catalogue.codes[int(value)].code
        if kind == ValueKind.STRING:
            return self.catalogue.strings[int(value)]
        return bool(value) if kind == ValueKind.BOOLEAN else None

    def _panel(self, index: int, row: NDArray[np.void], kind: EventKind) -> None:
        children = self._children.pop(index, [])
        assert len(children) == int(row["value"]), "a panel counts its children"
        record = self._record(row)
        if kind == EventKind.MULTI_OBSERVATION:
            definition = self._source(row).definition
            assert isinstance(definition, MultiObservation)
            record |= {"unit": None, "category": definition.category}
            record["components"] = [child for _, child in children] or None
            self._attach(row, "observations", record)
            return
        for encounter, child in children:
            child["in_report"] = True
            self._by_event[encounter].setdefault("observations", []).append(child)
        record["observations"] = [child for _, child in children] or None
        self._attach(row, "reports", record)

    def _thing(self, index: int, row: NDArray[np.void], kind: EventKind) -> None:
        record = self._record(row)
        if kind == EventKind.IMMUNIZATION:
            self._attach(row, "immunizations", record)
        elif kind == EventKind.SUPPLY:
            self._attach(row, "supplies", record | {"quantity": float(row["value"])})
        elif kind == EventKind.IMAGING:
            record["series"] = []
            self._by_event[index] = record
            self._attach(row, "imaging", record)
        elif kind == EventKind.SERIES:
            modality, body_site = self._source(row).codes
            series = {"modality": modality.code, "body_site": body_site.code, "instances": int(row["value"])}
            self._by_event[int(row["ref"])]["series"].append(series)
