"""What every row of a source means, and which rows are left out: each row gets exactly one fate.

A row whose code means two things (an infarction that led to heart failure) is an occurrence of both.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.learn.ingest.mapping import LabRule, SourceMapping
from trajsim.learn.ingest.report import KEPT_ROWS, LEFT_OUT_ROWS, SourceFaults, Unmapped
from trajsim.learn.ingest.rows import NO_DAY, UNKNOWN_PATIENT, ClinicalRows

_EXAMPLES = 3
_UNMAPPED = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Occurrences:
    """Meanings of rows, one a row and meaning.

    Attributes:
        fates: Names of all fates.
        fate: Index into `fates`; `UNDECIDED` as long as nothing was found against it.
        source_row: Position of the row in the source.
        patient: Position of the person.
        day: On the clock of the source.
        target: Events in order, then labs, then the body mass index, then `drop` rules; -1 for unmapped.
        value: In the unit of the lab.
        n_events: Number of events among the targets.
        n_labs: Number of labs.
    """

    fates: tuple[str, ...]
    fate: NDArray[np.int16]
    source_row: NDArray[np.int64]
    patient: NDArray[np.int64]
    day: NDArray[np.int64]
    target: NDArray[np.int64]
    value: NDArray[np.float64]
    n_events: int
    n_labs: int
    unmapped_units: tuple[Unmapped, ...]
    unmapped_answers: tuple[Unmapped, ...]

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Which have no fate yet."""
        return np.asarray(self.fate == UNDECIDED)

    def settle(self, name: str, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Gives a fate to those that have none yet; says to which."""
        chosen = holds & self.is_open
        self.fate[chosen] = self.fates.index(name)
        return chosen

    def counts(self) -> dict[str, int]:
        """How many have each fate; only fates that somebody has."""
        assert not self.is_open.any()
        counts = np.bincount(self.fate, minlength=len(self.fates))
        return {name: int(n) for name, n in zip(self.fates, counts, strict=True) if n}


UNDECIDED = -1


def occurrences_of(clinical: ClinicalRows, mapping: SourceMapping, faults: SourceFaults) -> Occurrences:
    """Finds what rows mean and judges them.

    Args:
        clinical: Persons and rows.
        mapping: Codes, units and cleaning rules.
        faults: Where rows go that the mapping does not leave out.

    Returns:
        All of them. Those without a fate are sound.
    """
    source_row, target = _meanings(clinical, mapping)
    rows = clinical.rows
    occurrences = Occurrences(
        fates=(*KEPT_ROWS, *LEFT_OUT_ROWS, *(f"drop.{rule.name}" for rule in mapping.drop)),
        fate=np.full(len(source_row), UNDECIDED, dtype=np.int16),
        source_row=source_row,
        patient=rows["patient"].to_numpy(np.int64)[source_row],
        day=rows["day"].to_numpy(np.int64)[source_row],
        target=target,
        value=rows["value"].to_numpy(np.float64)[source_row].copy(),
        n_events=len(mapping.events),
        n_labs=len(mapping.labs),
        unmapped_units=(),
        unmapped_answers=(),
    )
    return _Judge(clinical, mapping, faults, occurrences).judged()


def unmapped_codes(clinical: ClinicalRows, occurrences: Occurrences) -> tuple[Unmapped, ...]:
    """Codes that the mapping does not name, most frequent first; rows of unknown patients do not count."""
    is_unmapped = occurrences.fate == occurrences.fates.index("unmapped_codes")
    concept = clinical.rows["concept"].to_numpy()[occurrences.source_row[is_unmapped]]
    counts = np.bincount(concept, minlength=len(clinical.concepts))
    systems, codes = clinical.concepts["system"], clinical.concepts["code"]
    found = [Unmapped(where=systems[i], what=codes[i], n_rows=int(counts[i])) for i in np.flatnonzero(counts)]
    return tuple(sorted(found, key=lambda item: (-item.n_rows, item.where, item.what)))


def _meanings(clinical: ClinicalRows, mapping: SourceMapping) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and target of every occurrence; a row that nothing names has one without a target."""
    codes = [rule.codes for rule in mapping.events] + [rule.codes for rule in mapping.labs]
    n_named = len(codes)
    codes += [mapping.bmi.codes] if mapping.bmi is not None else []
    targets: list[list[int]] = []
    for system, code in zip(clinical.concepts["system"], clinical.concepts["code"], strict=True):
        dropped = [i for i, rule in enumerate(mapping.drop) if rule.codes.holds(system, code)]
        if dropped:
            targets.append([n_named + 1 + dropped[0]])
        else:
            targets.append([i for i, held in enumerate(codes) if held.holds(system, code)] or [_UNMAPPED])
    lengths = np.array([len(found) for found in targets], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    flat = np.array([target for found in targets for target in found], dtype=np.int64)
    concept = clinical.rows["concept"].to_numpy(np.int64)
    repeats = lengths[concept] if len(concept) else concept
    source_row = np.repeat(np.arange(len(concept)), repeats)
    within = np.arange(len(source_row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    target = flat[starts[concept[source_row]] + within] if len(source_row) else source_row
    return source_row, target


class _Judge:
    """Judges the occurrences of one source in a fixed order, so that each has one fate."""

    def __init__(
        self, clinical: ClinicalRows, mapping: SourceMapping, faults: SourceFaults, occurrences: Occurrences
    ) -> None:
        self._clinical = clinical
        self._mapping = mapping
        self._faults = faults
        self._it = occurrences
        self._n_named = occurrences.n_events + occurrences.n_labs

    def judged(self) -> Occurrences:
        """All rules, in order."""
        it = self._it
        birth = self._clinical.persons["birth"].to_numpy(np.int64)
        known = it.patient != UNKNOWN_PATIENT
        if self._clinical.has_all_persons:
            self._judge("unknown_patients", ~known)
        else:
            it.settle("unknown_patients", ~known)
        for number, rule in enumerate(self._mapping.drop):
            it.settle(f"drop.{rule.name}", it.target == self._n_named + 1 + number)
        it.settle("unmapped_codes", it.target == _UNMAPPED)
        self._judge("rows_without_day", it.day == NO_DAY)
        born = np.where(known, birth[it.patient] if len(birth) else NO_DAY, NO_DAY)
        self._judge("before_birth", (born != NO_DAY) & (it.day < born))
        if self._clinical.last_day is not None:
            self._judge("after_last_day", it.day > self._clinical.last_day)
        units, answers = self._judge_labs()
        self._judge("duplicate_rows", self._repeats())
        for number, lab in self._labs():
            chosen = it.is_open & (it.target == number)
            outside = (it.value < lab.kind.low) | (it.value > lab.kind.high)
            self._judge("out_of_range", chosen & outside)
        return Occurrences(**{**vars(it), "unmapped_units": units, "unmapped_answers": answers})

    def _labs(self) -> list[tuple[int, LabRule]]:
        labs = [(self._it.n_events + number, rule) for number, rule in enumerate(self._mapping.labs)]
        return labs if self._mapping.bmi is None else [*labs, (self._n_named, self._mapping.bmi)]

    def _judge(self, name: str, holds: NDArray[np.bool_]) -> None:
        """Leaves rows out, or notes them as faults."""
        chosen = self._it.settle(name, holds)
        if chosen.any() and self._mapping.action(name) == "error":
            places = self._it.source_row[chosen]
            self._faults.add(name, len(places), [self._spelled(place) for place in places[:_EXAMPLES]])

    def _spelled(self, place: int) -> str:
        row = self._clinical.rows.iloc[place]
        concept = self._clinical.concepts.iloc[row["concept"]]
        value = "" if np.isnan(row["value"]) else f" = {row['value']:g}"
        return f"{concept['code']!r}{value} ({row['file']} row {row['row']})"

    def _repeats(self) -> NDArray[np.bool_]:
        """Rows that say what a row before them says."""
        it, rows = self._it, self._clinical.rows
        repeats = np.zeros(len(it.fate), dtype=np.bool_)
        places = np.flatnonzero(it.is_open)
        concept = rows["concept"].to_numpy()[it.source_row[places]]
        value = np.nan_to_num(it.value[places], nan=np.inf)
        columns = (it.patient[places], it.day[places], it.target[places], concept, value)
        order = np.lexsort(columns[::-1])  # equal rows stay in their order, so the first one is no repeat
        same = np.ones(max(len(places) - 1, 0), dtype=np.bool_)
        for column in columns:
            same &= column[order][1:] == column[order][:-1]
        repeats[places[order[1:]]] = same
        return repeats

    def _judge_labs(self) -> tuple[tuple[Unmapped, ...], tuple[Unmapped, ...]]:
        """Units, answers and values; values are converted."""
        unit_codes, units = _texts(self._clinical.rows["unit"])
        text_codes, texts = _texts(self._clinical.rows["text"])
        unknown_units: list[Unmapped] = []
        unknown_answers: list[Unmapped] = []
        for number, rule in self._labs():
            chosen = np.flatnonzero(self._it.is_open & (self._it.target == number))
            rows = self._it.source_row[chosen]
            if rule.constant is not None:
                self._it.value[chosen] = rule.constant
                continue
            answer = np.array([*(rule.answers.get(text, np.nan) for text in texts), np.nan])[text_codes[rows]]
            is_answer = np.isfinite(answer)
            no_value = ~is_answer & np.isnan(self._it.value[chosen])
            is_words = no_value & (text_codes[rows] >= 0)
            self._settle_some("unmapped_answers", chosen[is_words])
            unknown_answers += _counted(rule.kind.name, texts, text_codes[rows[is_words]])
            self._judge("labs_without_value", self._mask(chosen[no_value & ~is_words]))
            factor = np.ones(len(chosen))
            if rule.kind.kind == "number":
                missing = rule.units[rule.unit_if_missing] if rule.unit_if_missing is not None else np.nan
                factors = np.array([*(rule.units.get(unit, np.nan) for unit in units), missing])
                factor = np.where(is_answer, 1.0, factors[unit_codes[rows]])
                has_value = ~no_value & np.isnan(factor)
                self._judge("labs_without_unit", self._mask(chosen[has_value & (unit_codes[rows] < 0)]))
                is_unknown = has_value & (unit_codes[rows] >= 0)
                self._settle_some("unmapped_units", chosen[is_unknown])
                unknown_units += _counted(rule.kind.name, units, unit_codes[rows[is_unknown]])
            self._it.value[chosen] = np.where(is_answer, answer, self._it.value[chosen] * factor)
        return tuple(unknown_units), tuple(unknown_answers)

    def _mask(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._it.fate), dtype=np.bool_)
        mask[places] = True
        return mask

    def _settle_some(self, name: str, places: NDArray[np.int64]) -> None:
        self._it.settle(name, self._mask(places))


def _texts(column: pd.Series) -> tuple[NDArray[np.int64], list[str]]:
    """A column as codes into its texts; -1 for nothing, or blanks."""
    codes, found = pd.factorize(column)
    texts = [str(text).strip() for text in found]
    back: NDArray[Any] = np.array([*(number if text else -1 for number, text in enumerate(texts)), -1])
    return back[codes], texts


def _counted(where: str, texts: list[str], codes: NDArray[np.int64]) -> list[Unmapped]:
    counts = np.bincount(codes, minlength=len(texts)) if len(codes) else np.zeros(0, np.int64)
    found = [Unmapped(where=where, what=texts[i], n_rows=int(counts[i])) for i in np.flatnonzero(counts)]
    return sorted(found, key=lambda item: (-item.n_rows, item.what))
