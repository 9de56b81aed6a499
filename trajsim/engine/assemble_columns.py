"""Columns of the tables of one chunk, each taken with one or two NumPy calls."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.engine.assemble_coverages import plan_columns
from trajsim.engine.assemble_lists import EntryLists
from trajsim.engine.assemble_sources import NULL, Dictionary, Indices, SourceColumns
from trajsim.engine.events import (
    ENCOUNTER_CLASS_NAMES,
    MEDICATION_ADMINISTRATION,
    MEDICATION_CHRONIC,
    EventKind,
    ValueKind,
)
from trajsim.engine.kernels.assembly import OPEN
from trajsim.records.schema import TABLES, TIME
from trajsim.records.table import empty_table, schema_of
from trajsim.units import US_PER_MS

Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]
_STOP_CODES = Dictionary(["182840001", "385658003"])  # drug treatment stopped; discharge from care plan
_CLASSES = Dictionary(ENCOUNTER_CLASS_NAMES)
_REACTIONS = Dictionary()
_CODING_PARTS = ("system", "code", "display")


def _plain(values: NDArray[np.generic], arrow_type: pa.DataType) -> pa.Array:
    """Numbers without nulls, not copied."""
    return pa.Array.from_buffers(
        arrow_type, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))], null_count=0
    )


def _taken(records: NDArray[np.void], positions: NDArray[np.int64]) -> NDArray[np.void]:
    """Some records; as rows of words, which NumPy copies many times faster than records."""
    words = np.ascontiguousarray(records).view(np.uint64).reshape(len(records), -1)
    taken: NDArray[np.void] = words.take(positions, axis=0).view(records.dtype).ravel()
    return taken


def _text(indices: Indices, dictionary: pa.Array, null: Mask | None = None) -> pa.Array:
    """Text by index; `null` marks nulls."""
    if null is None or not null.any():
        return pa.DictionaryArray.from_arrays(_plain(indices, pa.int32()), dictionary, safe=False)
    filled = np.where(null, np.int32(0), indices)
    return pa.DictionaryArray.from_arrays(pa.array(filled, pa.int32(), mask=null), dictionary, safe=False)


class ChunkColumns:
    """Builds the tables of one chunk.

    Attributes:
        n_not_finite: Observed numbers so far that were infinite or not a number.
    """

    def __init__(
        self,
        columns: SourceColumns,
        events: NDArray[np.void],
        details: NDArray[np.void],
        lists: Mapping[int, EntryLists],
    ) -> None:
        """Takes the logs of the chunk, what the kernel found, and the lists that grew."""
        self.n_not_finite = 0
        self._columns = columns
        self._events = events
        self._details = details
        self._lists = lists

    def table(self, name: str, positions: NDArray[np.int64], patient_id: NDArray[np.uint64]) -> pa.Table:
        """One table.

        Args:
            name: Name of the table, other than `patients`.
            positions: Indexes of its events within the chunk, in order.
            patient_id: Patient of each.

        Returns:
            The table under its schema.
        """
        if not len(positions):
            return empty_table(name)
        rows = _Rows(self._columns, self._events, self._details, self._lists, positions)
        made = {"patient_id": _plain(patient_id, pa.uint64())} | rows.common() | _SPECIAL[name](rows)
        self.n_not_finite += rows.n_not_finite
        return pa.Table.from_arrays([made[column] for column in TABLES[name]], schema=schema_of(name))


class _Rows:
    """The rows of one table: columns that several tables share."""

    def __init__(
        self,
        columns: SourceColumns,
        events: NDArray[np.void],
        details: NDArray[np.void],
        lists: Mapping[int, EntryLists],
        positions: NDArray[np.int64],
    ) -> None:
        self.columns = columns
        self.positions = positions
        self.n_not_finite = 0
        self._events = _taken(events, positions)
        self._details = _taken(details, positions)
        entries = np.fromiter(lists, np.int64, len(lists))
        slots = np.minimum(np.searchsorted(positions, entries), len(positions) - 1)
        own = positions[slots] == entries
        self._grown = {
            slot: dict(lists[entry].texts())
            for entry, slot in zip(entries[own].tolist(), slots[own].tolist(), strict=True)
        }
        self.source: Positions = self.event("state").astype(np.int64)  # NumPy takes by no other integer without a copy
        self.time: NDArray[np.int64] = self.event("time")

    def event(self, field: str) -> NDArray[Any]:
        """A field of the events."""
        values: NDArray[Any] = np.ascontiguousarray(self._events[field])
        return values

    def detail(self, field: str) -> NDArray[Any]:
        """A field of what the kernel found."""
        values: NDArray[Any] = np.ascontiguousarray(self._details[field])
        return values

    def key(self, field: str) -> pa.Array:
        """A column of row keys."""
        return _plain(self.detail(field), pa.uint64())

    def common(self) -> dict[str, pa.Array]:
        """Columns that almost every table has."""
        return {
            "row_key": self.key("key"),
            "encounter_key": self.key("encounter_key"),
            "time": _plain(self.time * US_PER_MS, TIME),
            "module": self.by_source("module"),
            "state": self.by_source("state"),
        } | self.coding("", self.source)

    def by_source(self, name: str) -> pa.Array:
        """A text column that is a function of the source."""
        column = self.columns.text[name]
        indices = column.by_source[self.source]
        return _text(indices, column.dictionary.array, indices == NULL)

    def by_other_source(self, name: str, source: Indices) -> pa.Array:
        """A text column of another source, null where that is NULL."""
        column = self.columns.text[name]
        indices = np.where(source == NULL, np.int32(NULL), column.by_source[source])
        return _text(indices, column.dictionary.array, indices == NULL)

    def grown(self, name: str, static: Indices | None, dictionary: Dictionary) -> pa.Array:
        """A text column of lists: those of the source, but for entries whose lists grew."""
        indices = np.full(len(self.positions), NULL, np.int32) if static is None else static[self.source]
        texts = {slot: found[name] for slot, found in self._grown.items() if name in found}
        numbers, values = dictionary.extended(texts.values())
        for slot, text in texts.items():
            indices[slot] = numbers[text]
        return _text(indices, values, indices == NULL)

    def more_codes(self) -> dict[str, pa.Array]:
        """The further codes."""
        column = self.columns.text["more_codes"]
        return {"more_codes": self.grown("more_codes", column.by_source, column.dictionary)}

    def coding(self, prefix: str, numbers: Indices | Positions, null: Mask | None = None) -> dict[str, pa.Array]:
        """Three columns of codings by number; where `null`, nulls."""
        codings = self.columns.codings
        numbers = numbers.astype(np.int64, copy=False)
        if null is not None:
            numbers = np.where(null, 0, numbers)
        return {
            prefix + "system": _text(codings.system[numbers], codings.systems.array, null),
            prefix + "code": _text(codings.code[numbers], codings.codes.array, null),
            prefix + "display": _text(codings.display[numbers], codings.displays.array, null),
        }

    def reason(self, prefix: str, key: str) -> dict[str, pa.Array]:
        """A reason: key of an entry, and a coding from an entry or from the catalogue."""
        codings = self.columns.codings
        reason = self.detail("reason").astype(np.int64)
        numbers = np.where(reason >= 0, reason, codings.n_sources - 2 - reason)
        numbers[reason == -1] = 0
        null = (reason == -1) | ~codings.known[numbers]
        return {key: self.key("reason_key")} | self.coding(prefix, numbers, null)

    def stop(self) -> pa.Array:
        """When it ended, null while open."""
        stop = self.detail("stop")
        is_open = stop == OPEN
        if not is_open.any():
            return _plain(stop * US_PER_MS, TIME)
        filled = np.where(is_open, np.int64(0), stop) * US_PER_MS
        return pa.array(filled, pa.int64(), mask=is_open).view(TIME)

    def stop_code(self) -> pa.Array:
        """Why a drug or a plan was stopped, as Synthea words it by the kind of the ending state."""
        kind = self.detail("stop_kind")
        codes = np.select(
            [kind == EventKind.MEDICATION_END, kind == EventKind.CAREPLAN_END],
            [np.int32(0), np.int32(1)],
            np.int32(NULL),
        )
        return _text(codes, _STOP_CODES.array, codes == NULL)


def _encounters(rows: _Rows) -> dict[str, pa.Array]:
    ended_by = rows.detail("other")
    discharge = np.where(ended_by == NULL, np.int32(NULL), rows.columns.discharge[ended_by])
    return (
        {"stop": rows.stop(), "encounter_class": _text(rows.event("tag").astype(np.int32), _CLASSES.array)}
        | rows.reason("reason_", "reason_key")
        | rows.coding("discharge_", discharge, discharge == NULL)
        | {"more_codes": rows.by_source("more_codes")}
    )


def _conditions(rows: _Rows) -> dict[str, pa.Array]:
    return {"stop": rows.stop()} | rows.more_codes()


def _allergies(rows: _Rows) -> dict[str, pa.Array]:
    return (
        {"stop": rows.stop()}
        | rows.more_codes()
        | {
            "allergy_type": rows.by_source("allergy_type"),
            "category": rows.by_source("category"),
            "reactions": rows.grown("reactions", None, _REACTIONS),
        }
    )


def _medications(rows: _Rows) -> dict[str, pa.Array]:
    tag = rows.detail("tag")
    return (
        {"stop": rows.stop(), "stop_code": rows.stop_code()}
        | rows.more_codes()
        | rows.reason("reason_", "reason_key")
        | {
            "is_chronic": pa.array((tag & MEDICATION_CHRONIC) != 0),
            "is_administered": pa.array((tag & MEDICATION_ADMINISTRATION) != 0),
            "prescription": rows.by_other_source("prescription", rows.detail("other")),
        }
    )


def _careplans(rows: _Rows) -> dict[str, pa.Array]:
    activities, goals = rows.columns.text["activities"], rows.columns.text["goals"]
    return (
        {"stop": rows.stop(), "stop_code": rows.stop_code()}
        | rows.more_codes()
        | rows.reason("reason_", "reason_key")
        | {
            "activities": rows.grown("activities", activities.by_source, activities.dictionary),
            "goals": rows.grown("goals", goals.by_source, goals.dictionary),
        }
    )


def _procedures(rows: _Rows) -> dict[str, pa.Array]:
    return {"stop": rows.stop()} | rows.more_codes() | rows.reason("reason_", "reason_key")


def _observations(rows: _Rows) -> dict[str, pa.Array]:
    columns = rows.columns
    is_panel = rows.event("kind") == EventKind.MULTI_OBSERVATION
    tag = np.where(is_panel, np.uint8(ValueKind.NULL), rows.event("tag"))
    value = rows.event("value").astype(np.float64)
    finite = np.isfinite(value)
    is_number = tag == ValueKind.NUMBER
    rows.n_not_finite = int(np.count_nonzero(is_number & ~finite))
    whole = np.where(is_number | ~finite, 0.0, value).astype(np.int32)
    is_code, is_string, is_boolean = tag == ValueKind.CODE, tag == ValueKind.STRING, tag == ValueKind.BOOLEAN
    text = np.full(len(value), NULL, np.int32)
    text[is_string] = columns.string_index[whole[is_string]]
    text[is_boolean] = columns.boolean_index[whole[is_boolean]]
    in_report = rows.detail("parent_is_report") != 0
    parent = rows.detail("parent_key")
    none = np.uint64(0)
    return {
        "category": rows.by_source("category"),
        "numeric_value": pa.array(value, pa.float64(), mask=~(is_number & finite)),
        "text_value": _text(text, columns.values.array, text == NULL),
        "unit": rows.by_source("unit"),
        "panel_key": _plain(np.where(in_report, none, parent), pa.uint64()),
        "report_key": _plain(np.where(in_report, parent, none), pa.uint64()),
        "is_panel": pa.array(is_panel),
        "more_codes": rows.by_source("more_codes"),
    } | rows.coding("value_", np.where(is_code, columns.codings.n_sources + whole, 0).astype(np.int32), ~is_code)


def _reports(rows: _Rows) -> dict[str, pa.Array]:
    return {
        "more_codes": rows.by_source("more_codes"),
        "n_observations": _plain(rows.detail("n_children").astype(np.int32), pa.int32()),
    }


def _immunizations(rows: _Rows) -> dict[str, pa.Array]:
    return {
        "more_codes": rows.by_source("more_codes"),
        "series": _plain(rows.event("value").astype(np.int16), pa.int16()),
    }


def _devices(rows: _Rows) -> dict[str, pa.Array]:
    return (
        {"stop": rows.stop()}
        | rows.more_codes()
        | {
            "manufacturer": rows.by_source("manufacturer"),
            "model": rows.by_source("model"),
        }
    )


def _supplies(rows: _Rows) -> dict[str, pa.Array]:
    return {
        "more_codes": rows.by_source("more_codes"),
        "quantity": _plain(rows.event("value"), pa.float64()),
    }


def _imaging(rows: _Rows) -> dict[str, pa.Array]:
    columns = rows.columns
    study = rows.detail("other")
    sop, modality = columns.sop[rows.source], columns.modality[rows.source]
    modalities, sops = rows.coding("", modality), rows.coding("", sop, sop == NULL)
    return (
        {
            "study_key": rows.key("parent_key"),
            "series_number": _plain(rows.event("tag").astype(np.int16) + np.int16(1), pa.int16()),
            "modality_code": modalities["code"],
            "modality_display": modalities["display"],
            "n_instances": _plain(rows.event("value").astype(np.int32), pa.int32()),
            "instance_title": rows.by_source("instance_title"),
            "sop_code": sops["code"],
            "sop_display": sops["display"],
        }
        | rows.coding("procedure_", study)
        | rows.coding("body_site_", columns.body_site[rows.source])
    )


def _coverages(rows: _Rows) -> dict[str, pa.Array]:
    plan = rows.event("value").astype(np.int64)  # -1, nobody pays, takes the last
    made = {"stop": rows.stop()}
    for name, column in plan_columns().items():
        indices = column.by_source[plan]
        made[name] = _text(indices, column.dictionary.array, indices == NULL)
    return made


def _deaths(rows: _Rows) -> dict[str, pa.Array]:
    return {"time": rows.stop()} | rows.reason("cause_", "cause_key")


_SPECIAL: Mapping[str, Callable[[_Rows], dict[str, pa.Array]]] = {
    "encounters": _encounters,
    "conditions": _conditions,
    "allergies": _allergies,
    "medications": _medications,
    "careplans": _careplans,
    "procedures": _procedures,
    "observations": _observations,
    "reports": _reports,
    "immunizations": _immunizations,
    "devices": _devices,
    "supplies": _supplies,
    "imaging": _imaging,
    "coverages": _coverages,
    "deaths": _deaths,
}
