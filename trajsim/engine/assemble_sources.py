"""What every source of a catalogue writes into text columns, looked up once a run instead of once a row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.engine.events import Catalogue, Source
from trajsim.gmf.model import (
    AllergyOnset,
    CarePlanStart,
    Code,
    Device,
    EncounterEnd,
    ImagingSeries,
    MedicationOrder,
    MultiObservation,
    Observation,
    ObservationBody,
)

Indices = NDArray[np.int32]
NULL = -1


class Dictionary:
    """Distinct texts in order of first appearance; the dictionary of one or more Arrow columns."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Starts with some texts."""
        self.index: dict[str, int] = {}
        for text in texts:
            self.add(text)
        self._array: pa.Array | None = None

    def add(self, text: str | None) -> int:
        """Number of a text, NULL for None."""
        return NULL if text is None else self.index.setdefault(text, len(self.index))

    @property
    def array(self) -> pa.Array:
        """All texts as Arrow; nothing may be added afterwards."""
        if self._array is None:
            self._array = pa.array(list(self.index), pa.string())
        return self._array

    def extended(self, texts: Iterable[str]) -> tuple[dict[str, int], pa.Array]:
        """Numbers of some texts, and the dictionary with those appended that are new; this one stays as it is."""
        numbers: dict[str, int] = {}
        new: list[str] = []
        for text in texts:
            if text not in numbers:
                known = self.index.get(text)
                numbers[text] = len(self.index) + len(new) if known is None else known
                if known is None:
                    new.append(text)
        return numbers, pa.concat_arrays([self.array, pa.array(new, pa.string())]) if new else self.array


def codes_json(codes: Iterable[Code]) -> str | None:
    """Codes as the schema's JSON list; None if there are none."""
    items = [{"system": code.system, "code": code.code, "display": code.display} for code in codes]
    return orjson.dumps(items).decode() if items else None


@dataclass(frozen=True, kw_only=True)
class Codings:
    """Three columns of a coding, numbered: sources by their first code, then the catalogue's codes, then others.

    Attributes:
        system, code, display: Index into the dictionary of that column.
        known: Whether there is a coding (a source may have no code).
        n_sources: Where the codes of the catalogue begin.
    """

    system: Indices
    code: Indices
    display: Indices
    known: NDArray[np.bool_]
    n_sources: int
    systems: Dictionary
    codes: Dictionary
    displays: Dictionary


@dataclass(frozen=True, kw_only=True)
class TextColumn:
    """A text column that is a function of the source: index by source, NULL for none, into a dictionary."""

    by_source: Indices
    dictionary: Dictionary


@dataclass(frozen=True, kw_only=True)
class SourceColumns:
    """Everything that rows inherit from their source.

    Attributes:
        codings: First codes, codes of the catalogue, and others by number.
        text: Text columns by name.
        discharge, body_site, modality, sop: Number of a coding by source, NULL for none.
        lists: Equal numbers mean equal codes, activities and goals.
        values: Dictionary of text values: the catalogue's strings, then ``true`` and ``false``.
        codes_of: Codes by source, for lists that grow.
    """

    codings: Codings
    text: Mapping[str, TextColumn]
    discharge: Indices
    body_site: Indices
    modality: Indices
    sop: Indices
    lists: Indices
    values: Dictionary
    string_index: Indices
    boolean_index: Indices


def _texts_of(source: Source) -> dict[str, str | None]:
    """The text columns of a source's rows that are not codings."""
    state = source.definition
    found: dict[str, str | None] = {
        "module": source.module,
        "state": source.state,
        "more_codes": codes_json(source.codes[1:]),
    }
    body = state.body if isinstance(state, Observation) else state
    if isinstance(body, ObservationBody):
        found |= {"category": body.category, "unit": body.unit}
    elif isinstance(state, MultiObservation):
        found |= {"category": state.category}
    elif isinstance(state, AllergyOnset):
        found |= {"category": state.category, "allergy_type": state.allergy_type}
    elif isinstance(state, MedicationOrder):
        if state.prescription is not None:
            found["prescription"] = orjson.dumps(state.prescription).decode()
    elif isinstance(state, CarePlanStart):
        found |= {"activities": codes_json(state.activities), "goals": goals_json(state.goals)}
    elif isinstance(state, Device):
        found |= {"manufacturer": state.manufacturer, "model": state.model}
    elif isinstance(state, ImagingSeries):
        found["instance_title"] = state.instances[0].title if state.instances else None
    return found


def goals_json(goals: Iterable[Mapping[str, object]]) -> str | None:
    """Goals as a JSON list; None if there are none."""
    items = list(goals)
    return orjson.dumps(items).decode() if items else None


_TEXT_NAMES = (
    "module", "state", "more_codes", "category", "unit", "allergy_type", "prescription", "activities", "goals",
    "manufacturer", "model", "instance_title",
)  # fmt: skip
_REQUIRED = frozenset({"module", "state", "category", "allergy_type"})


def _text_columns(sources: list[Source]) -> dict[str, TextColumn]:
    dictionaries = {name: Dictionary() for name in _TEXT_NAMES}
    indices = {name: np.full(len(sources), NULL, np.int32) for name in _TEXT_NAMES}
    for number, source in enumerate(sources):
        found = _texts_of(source)
        for name in _TEXT_NAMES:
            text = found.get(name)
            indices[name][number] = dictionaries[name].add("" if text is None and name in _REQUIRED else text)
    return {name: TextColumn(by_source=indices[name], dictionary=dictionaries[name]) for name in _TEXT_NAMES}


class _CodingBuilder:
    """Numbers codings: first the sources, then whatever is added."""

    def __init__(self) -> None:
        self.systems, self.codes, self.displays = Dictionary(), Dictionary(), Dictionary()
        self._rows: list[tuple[int, int, int, bool]] = []
        self._index: dict[tuple[str, str, str], int] = {}

    def append(self, code: Code | None) -> int:
        """Gives the next number to a code, or to the lack of one."""
        given = code or Code("", "", "")
        self._rows.append(
            (
                self.systems.add(given.system),
                self.codes.add(given.code),
                self.displays.add(given.display),
                code is not None,
            )
        )
        return len(self._rows) - 1

    def find(self, code: Code) -> int:
        """Number of a coding that is no source's; a new one if need be."""
        key = (code.system, code.code, code.display)
        if key not in self._index:
            self._index[key] = self.append(code)
        return self._index[key]

    def finish(self, n_sources: int) -> Codings:
        table = np.array(self._rows, np.int32)
        return Codings(
            system=np.ascontiguousarray(table[:, 0]),
            code=np.ascontiguousarray(table[:, 1]),
            display=np.ascontiguousarray(table[:, 2]),
            known=table[:, 3].astype(np.bool_),
            n_sources=n_sources,
            systems=self.systems,
            codes=self.codes,
            displays=self.displays,
        )


def _list_key(source: Source) -> tuple[object, ...]:
    """What two sources share when neither can add to the lists of an entry of the other."""
    state = source.definition
    codes: tuple[object, ...] = tuple((code.system, code.code) for code in source.codes)
    if isinstance(state, CarePlanStart):
        activities = tuple((code.system, code.code) for code in state.activities)
        return (codes, activities, goals_json(state.goals))
    return (codes,)


def source_columns(catalogue: Catalogue) -> SourceColumns:
    """Looks up everything that rows inherit from the sources of a catalogue.

    Args:
        catalogue: The sources, codes and strings of a run.

    Returns:
        Arrays by source, and dictionaries whose order depends on the catalogue alone.
    """
    sources = catalogue.sources
    codings = _CodingBuilder()
    for source in sources:
        codings.append(source.codes[0] if source.codes else None)
    for code in catalogue.codes:
        codings.append(code)
    extra = {name: np.full(len(sources), NULL, np.int32) for name in ("discharge", "body_site", "modality", "sop")}
    lists: dict[tuple[object, ...], int] = {}
    list_of = np.zeros(len(sources), np.int32)
    for number, source in enumerate(sources):
        state = source.definition
        list_of[number] = lists.setdefault(_list_key(source), len(lists))
        if isinstance(state, EncounterEnd) and state.discharge_disposition is not None:
            extra["discharge"][number] = codings.find(state.discharge_disposition)
        elif isinstance(state, ImagingSeries):
            extra["body_site"][number] = codings.find(state.body_site)
            extra["modality"][number] = codings.find(state.modality)
            if state.instances:
                extra["sop"][number] = codings.find(state.instances[0].sop_class)
    values = Dictionary()
    string_index = np.array([values.add(text) for text in catalogue.strings], np.int32)
    boolean_index = np.array([values.add("false"), values.add("true")], np.int32)
    return SourceColumns(
        codings=codings.finish(len(sources)),
        text=_text_columns(sources),
        lists=list_of,
        values=values,
        string_index=string_index,
        boolean_index=boolean_index,
        **extra,
    )
