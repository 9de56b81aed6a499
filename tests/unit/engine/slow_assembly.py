"""Assembly once more, slow and obvious: objects, one patient at a time, from docs/draws.md and the schema."""

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import ENCOUNTER_CLASS_NAMES, SEVERITY_NAMES, Catalogue, EventKind, Source, ValueKind
from trajsim.gmf import model as gmf
from trajsim.lifecycle.tables import insurance_plans
from trajsim.records.schema import TABLES

Row = dict[str, Any]
K = EventKind
_ENTRY_TABLES = {
    K.CONDITION: "conditions", K.ALLERGY: "allergies", K.MEDICATION: "medications", K.CAREPLAN: "careplans",
    K.PROCEDURE: "procedures", K.DEVICE: "devices",
}  # fmt: skip
_OTHER_TABLES = {
    K.ENCOUNTER: "encounters", K.OBSERVATION: "observations", K.MULTI_OBSERVATION: "observations",
    K.REPORT: "reports", K.IMMUNIZATION: "immunizations", K.SUPPLY: "supplies", K.SERIES: "imaging",
    K.COVERAGE: "coverages",
}  # fmt: skip
_TABLES = _ENTRY_TABLES | _OTHER_TABLES
_ENDS = (K.CONDITION_END, K.ALLERGY_END, K.MEDICATION_END, K.CAREPLAN_END, K.DEVICE_END)
_AGAINS = (K.CONDITION_AGAIN, K.ALLERGY_AGAIN, K.MEDICATION_AGAIN, K.CAREPLAN_AGAIN)
_HOURS = {"emergency": 1, "inpatient": 24, "hospice": 24, "snf": 24}


class _Event:
    """One event with everything that is known about it so far."""

    def __init__(self, raw: np.void, catalogue: Catalogue, index: int) -> None:
        self.index = index
        self.kind = EventKind(int(raw["kind"]))
        self.time = int(raw["time"])
        self.value = float(raw["value"])
        self.tag = int(raw["tag"])
        self.encounter = int(raw["encounter"])
        self.ref = int(raw["ref"])
        self.source: Source = catalogue.sources[int(raw["state"])]
        self.key = catalogue.stream_ids[int(raw["module"])] << 32 | int(raw["ordinal"])
        self.stop: int | None = None
        self.stop_code: str | None = None
        self.kept = True
        self.codes = list(self.source.codes)
        self.reason = self.ref
        self.discharge: gmf.Code | None = None
        self.prescription: Any = getattr(self.source.definition, "prescription", None)
        self.activities = list(getattr(self.source.definition, "activities", ()))
        self.goals = list(getattr(self.source.definition, "goals", ()))
        self.reactions: dict[str, Row] = {}
        self.is_chronic = bool(self.tag & 1)


def _coding(code: gmf.Code) -> Row:
    return {"system": code.system, "code": code.code, "display": code.display}


def _json(items: Iterable[object]) -> str | None:
    listed = list(items)
    return json.dumps(listed, separators=(",", ":")) if listed else None


def _gain(codes: list[gmf.Code], more: Iterable[gmf.Code]) -> None:
    for code in more:
        if all((known.system, known.code) != (code.system, code.code) for known in codes):
            codes.append(code)


def slow_life(
    raw: NDArray[np.void], catalogue: Catalogue, patient_id: int, birth_ms: int, end_ms: int
) -> tuple[dict[str, list[Row]], int | None]:
    """Rows of one patient by table (times in milliseconds), and the death."""
    events = [_Event(each, catalogue, i) for i, each in enumerate(raw)]
    deaths = [each for each in events if each.kind is K.DEATH]
    died = deaths[-1] if deaths and deaths[-1].time < end_ms else None
    death_ms = None if died is None else max(died.time, birth_ms)
    for each in events:
        _replay(each, events)
    for each in events:
        each.kept = birth_ms <= each.time and (death_ms is None or each.time <= death_ms)
        if each.stop is not None:
            each.stop = each.stop if death_ms is None else min(each.stop, death_ms)
            each.stop = max(each.stop, each.time)
    covered = [each for each in events if each.kind is K.COVERAGE and each.kept]
    for number, each in enumerate(covered, 1):
        each.stop = covered[number].time if number < len(covered) else death_ms
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    for each in events:
        if each.kept and each.kind in _TABLES:
            row = _row(each, events, catalogue) | {"patient_id": patient_id}
            tables[_TABLES[each.kind]].append(row)
    if died is not None:
        cause = {f"cause_{k.removeprefix('reason_')}": v for k, v in _reason(died, events, catalogue).items()}
        named = {"patient_id": patient_id, "time": death_ms, "module": died.source.module, "state": died.source.state}
        tables["deaths"].append(named | cause)
    return tables, death_ms


def _replay(each: _Event, events: list[_Event]) -> None:
    if each.kind is K.ENCOUNTER:
        hours = _HOURS.get(ENCOUNTER_CLASS_NAMES[each.tag], 0.25)
        each.stop = each.time + int(hours * 3_600_000)
    elif each.kind is K.PROCEDURE:
        each.stop = each.time + int(each.value)
    elif each.kind is K.MEDICATION:
        each.stop = each.time if each.tag & 2 else None
        before = events[each.index - 1] if each.index else None
        if (
            before is not None
            and before.kind is K.MEDICATION_END
            and isinstance(before.source.definition, gmf.Encounter)
        ):
            old = events[before.ref]
            each.codes, each.reason, each.prescription = list(old.codes), old.reason, old.prescription
    elif each.kind is K.CAREPLAN and each.tag == 1 and each.ref >= 0:
        _gain(each.codes, events[each.ref].codes)
    elif each.kind is K.ENCOUNTER_END:
        encounter = events[each.ref]
        inside = [
            p.stop
            for p in events[: each.index]
            if p.kind is K.PROCEDURE and p.encounter == each.ref and p.stop is not None
        ]
        assert encounter.stop is not None
        encounter.stop = max(encounter.stop, each.time, *inside)
        disposition = getattr(each.source.definition, "discharge_disposition", None)
        encounter.discharge = disposition or encounter.discharge
    elif each.kind in _ENDS:
        entry = events[each.ref]
        entry.stop = each.time
        entry.stop_code = {K.MEDICATION_END: "182840001", K.CAREPLAN_END: "385658003"}.get(each.kind)
    elif each.kind in _AGAINS:
        _repeat(each, events[each.ref], events)
    elif each.kind is K.REACTION:
        state = each.source.definition
        assert isinstance(state, gmf.AllergyOnset)
        code = state.reactions[int(each.value)].reaction
        events[each.ref].reactions[code.code] = _coding(code) | {"severity": SEVERITY_NAMES[each.tag]}


def _repeat(each: _Event, entry: _Event, events: list[_Event]) -> None:
    _gain(entry.codes, each.codes)
    if each.kind in (K.MEDICATION_AGAIN, K.CAREPLAN_AGAIN) and entry.reason == -1:
        entry.reason = int(each.value)
    if each.kind is K.MEDICATION_AGAIN:
        entry.prescription = each.prescription or entry.prescription
        entry.is_chronic |= each.is_chronic
    if each.kind is K.CAREPLAN_AGAIN:
        _gain(entry.activities, each.activities)
        entry.goals += [goal for goal in each.goals if goal not in entry.goals]
        if each.tag == 1 and each.value >= 0:
            _gain(entry.codes, events[int(each.value)].codes)


def _reason(each: _Event, events: list[_Event], catalogue: Catalogue) -> Row:
    code, key = None, 0
    if each.reason >= 0:
        entry = events[each.reason]
        key = entry.key if entry.kept else 0
        code = entry.source.codes[0] if entry.source.codes else None
    elif each.reason <= -2:
        code = catalogue.codes[-2 - each.reason]
    return {
        "reason_key": key,
        "reason_system": code and code.system,
        "reason_code": code and code.code,
        "reason_display": code and code.display,
    }


def _encounter_key(index: int, events: list[_Event]) -> int:
    if index < 0:
        return 0
    kept = [each for each in events if each.kind is K.ENCOUNTER and each.kept]
    before = [each for each in kept if each.index <= index]
    chosen = before[-1:] or kept[:1]
    return chosen[0].key if chosen else 0


def _row(each: _Event, events: list[_Event], catalogue: Catalogue) -> Row:
    row: Row = {
        "row_key": each.key,
        "encounter_key": _encounter_key(each.encounter, events),
        "time": each.time,
        "stop": each.stop,
        "module": each.source.module,
        "state": each.source.state,
        "more_codes": _json(_coding(code) for code in each.codes[1:]),
    }
    row |= _coding(each.codes[0]) if each.codes else {"system": "", "code": "", "display": ""}
    row |= _reason(each, events, catalogue)
    special = _SPECIAL.get(_TABLES[each.kind])
    if special is not None:
        row |= special(each, events, catalogue)
    return {name: row[name] for name in TABLES[_TABLES[each.kind]] if name in row}


def _encounter(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    leaving = each.discharge
    return {
        "encounter_class": ENCOUNTER_CLASS_NAMES[each.tag],
        "discharge_system": leaving and leaving.system,
        "discharge_code": leaving and leaving.code,
        "discharge_display": leaving and leaving.display,
    }


def _allergy(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    state = each.source.definition
    assert isinstance(state, gmf.AllergyOnset)
    return {
        "allergy_type": state.allergy_type,
        "category": state.category,
        "reactions": _json(each.reactions.values()),
    }


def _medication(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    return {
        "is_chronic": each.is_chronic,
        "is_administered": bool(each.tag & 2),
        "prescription": each.prescription and json.dumps(each.prescription, separators=(",", ":")),
        "stop_code": each.stop_code,
    }


def _careplan(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    return {
        "activities": _json(_coding(code) for code in each.activities),
        "goals": _json(each.goals),
        "stop_code": each.stop_code,
    }


def _observation(each: _Event, events: list[_Event], catalogue: Catalogue) -> Row:
    state = each.source.definition
    body = state.body if isinstance(state, gmf.Observation) else state
    assert isinstance(body, gmf.ObservationBody | gmf.MultiObservation)
    parent = events[each.ref] if each.ref >= 0 else None
    tag = ValueKind(each.tag)
    code = catalogue.codes[int(each.value)] if tag is ValueKind.CODE else None
    text = catalogue.strings[int(each.value)] if tag is ValueKind.STRING else None
    if tag is ValueKind.BOOLEAN:
        text = "true" if each.value else "false"
    number = each.value if tag is ValueKind.NUMBER and math.isfinite(each.value) else None
    return {
        "category": body.category,
        "unit": getattr(body, "unit", None),
        "numeric_value": number,
        "text_value": text,
        "value_system": code and code.system,
        "value_code": code and code.code,
        "value_display": code and code.display,
        "panel_key": parent.key if parent is not None and parent.kind is K.MULTI_OBSERVATION else 0,
        "report_key": parent.key if parent is not None and parent.kind is K.REPORT else 0,
        "is_panel": each.kind is K.MULTI_OBSERVATION,
    }


def _report(each: _Event, events: list[_Event], _catalogue: Catalogue) -> Row:
    return {"n_observations": sum(child.kind is K.OBSERVATION and child.ref == each.index for child in events)}


def _immunization(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    return {"series": int(each.value)}


def _device(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    state = each.source.definition
    assert isinstance(state, gmf.Device)
    return {"manufacturer": state.manufacturer, "model": state.model}


def _supply(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    return {"quantity": each.value}


def _series(each: _Event, events: list[_Event], _catalogue: Catalogue) -> Row:
    series, study = each.source.definition, events[each.ref]
    assert isinstance(series, gmf.ImagingSeries)
    procedure, site = study.source.codes[0], series.body_site
    image = series.instances[0] if series.instances else None
    return {
        "encounter_key": _encounter_key(study.encounter, events),
        "study_key": study.key,
        "series_number": each.tag + 1,
        "procedure_system": procedure.system,
        "procedure_code": procedure.code,
        "procedure_display": procedure.display,
        "body_site_system": site.system,
        "body_site_code": site.code,
        "body_site_display": site.display,
        "modality_code": series.modality.code,
        "modality_display": series.modality.display,
        "n_instances": int(each.value),
        "instance_title": image and image.title,
        "sop_code": image and image.sop_class.code,
        "sop_display": image and image.sop_class.display,
    }


def _coverage(each: _Event, _events: list[_Event], _catalogue: Catalogue) -> Row:
    plan = insurance_plans()[int(each.value)] if each.value >= 0 else None
    return {
        "payer": plan and plan.payer,
        "plan": plan and plan.name,
        "kind": "none" if plan is None else plan.kind,
    }


_SPECIAL = {
    "encounters": _encounter,
    "allergies": _allergy,
    "medications": _medication,
    "careplans": _careplan,
    "observations": _observation,
    "reports": _report,
    "immunizations": _immunization,
    "devices": _device,
    "supplies": _supply,
    "imaging": _series,
    "coverages": _coverage,
}
