"""Rows and a mapping become event sequences: the last step of ingest, and the one that counts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import DataFileError
from trajsim.event_sequences import SPLITS, EventSequences, Legality, Vocabulary
from trajsim.learn.ingest.mapping import JUDGED, LabRule, SourceMapping
from trajsim.learn.ingest.occurrences import Occurrences, occurrences_of, unmapped_codes
from trajsim.learn.ingest.persons import DAYS_PER_YEAR, Periods, periods_of
from trajsim.learn.ingest.report import LEFT_OUT_PATIENTS, EventCount, IngestReport, LabCount, SourceFaults
from trajsim.learn.ingest.rows import ClinicalRows
from trajsim.learn.ingest.splits import split_indices

_NEVER = np.iinfo(np.int32).max
_DAYS = 2**31  # more days than any observation has


def make_sequences(
    clinical: ClinicalRows, mapping: SourceMapping, *, source: str, legality: Legality | None = None
) -> tuple[EventSequences, IngestReport]:
    """Makes event sequences of what a reader found.

    Args:
        clinical: Persons and rows.
        mapping: What codes mean and what is cleaned.
        source: Name of the source, for messages and the report.
        legality: What the modules allow; events that they forbid are kept, marked and counted. None: nothing is known.

    Returns:
        The sequences, in the order of the persons, and what was counted.

    Guarantees:
        Every person and every row of the source ends in exactly one count of the report.
        (tests/unit/learn/ingest/test_apply.py)

    Raises:
        DataFileError: The source has faults that the mapping does not leave out; all of them at once.
        ConfigError: The vocabulary of the mapping cannot be used.
    """
    vocabulary = mapping.vocabulary
    faults = SourceFaults(source, clinical.faults)
    periods = periods_of(clinical, mapping, faults)
    occurrences = occurrences_of(clinical, mapping, faults)
    faults.require_none()
    sequences = _Assembly(clinical, mapping, periods, occurrences, legality).sequences()
    report = IngestReport(
        source=source,
        mapping=mapping.name,
        about=mapping.about,
        n_patients_read=clinical.n_patients,
        n_patients=len(sequences),
        patients_left_out=periods.left_out(),
        n_rows_read=len(clinical.rows),
        n_further_meanings=len(occurrences.fate) - len(clinical.rows),
        rows=occurrences.counts(),
        reader_counts=dict(clinical.counts),
        unmapped_codes=unmapped_codes(clinical, occurrences),
        unmapped_units=occurrences.unmapped_units,
        unmapped_answers=occurrences.unmapped_answers,
        events=_event_counts(sequences, vocabulary),
        labs=_lab_counts(sequences, vocabulary),
        n_cut_at_max_years=int(periods.is_cut.sum()),
        n_days=len(sequences.day),
        person_years=round(float(sequences.follow_up_days.sum() / DAYS_PER_YEAR), 1),
        splits={name: int((sequences.split == number).sum()) for number, name in enumerate(SPLITS)},
        is_checked_against_modules=legality is not None,
    )
    return sequences, report


def require_patients(report: IngestReport) -> None:
    """Refuses sequences of nobody, which no model can learn from.

    Args:
        report: What was counted.

    Raises:
        DataFileError: No patient is left; the message says why.
    """
    if report.n_patients:
        return
    if not report.n_patients_read:
        msg = f"{report.source}: no patient in the source, expected at least 1"
        hint = f"see that it holds rows, and that the mapping {report.mapping!r} is one for it"
        raise DataFileError(msg, hint=hint)
    reasons = sorted(report.patients_left_out.items(), key=lambda pair: -pair[1])
    lines = [f"{n:,} {name}: {LEFT_OUT_PATIENTS[name]}" for name, n in reasons]
    head = f"{report.source}: no patient is left of {report.n_patients_read:,} with {report.n_rows_read:,} rows"
    dropped = ", ".join(f"{name}: error" for name, _ in reasons if name in JUDGED)
    cures = [f"`cleaning: {{{dropped}}}` in the mapping names such patients by file and row"] if dropped else []
    if any(name not in JUDGED for name, _ in reasons):
        cures.append("`entry` and `follow_up` in the mapping say who enters, and until when")
    raise DataFileError("\n".join([head, *lines]), hint="; ".join(cures))


@dataclass(frozen=True, kw_only=True, eq=False)
class _DayValues:
    """Values of labs, one a patient, lab and day, in that order; `place` is one of the occurrences that made it."""

    patient: NDArray[np.int64]
    lab: NDArray[np.int64]
    day: NDArray[np.int64]
    value: NDArray[np.float64]
    place: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_]) -> "_DayValues":
        return _DayValues(**{name: column[chosen] for name, column in vars(self).items()})


def _key(patient: NDArray[np.int64], day: NDArray[Any]) -> NDArray[np.int64]:
    """One number for a patient and a day, in the order of both."""
    return np.asarray(patient * _DAYS + day, dtype=np.int64)


class _Assembly:
    """Puts sound occurrences into arrays."""

    def __init__(
        self,
        clinical: ClinicalRows,
        mapping: SourceMapping,
        periods: Periods,
        occurrences: Occurrences,
        legality: Legality | None,
    ) -> None:
        self._clinical = clinical
        self._mapping = mapping
        self._periods = periods
        self._it = occurrences
        self._legality = legality
        self._kept = np.flatnonzero(periods.is_kept)
        place = np.full(clinical.n_patients + 1, -1, dtype=np.int64)  # the last one takes unknown patients
        place[self._kept] = np.arange(len(self._kept))
        self._patient = place[occurrences.patient]
        occurrences.settle("of_patients_left_out", self._patient < 0)
        entry = np.append(periods.entry, 0)[occurrences.patient]
        follow_up = np.append(periods.follow_up, 0)[occurrences.patient]
        self._day = occurrences.day - entry
        occurrences.settle("after_the_end", self._day > follow_up)

    def sequences(self) -> EventSequences:
        vocabulary, kept, periods = self._mapping.vocabulary, self._kept, self._periods
        persons = self._clinical.persons.iloc[kept]
        ids = persons["patient_id"].astype(str).to_numpy().astype(np.str_)
        follow_up = periods.follow_up[kept]
        prevalent, first = self._events(vocabulary)
        if vocabulary.has_death:
            first[:, -1] = np.where(periods.is_dead[kept], follow_up, _NEVER)
        entry_values, entry_days, visits = self._values()
        patients, kinds = np.nonzero(first != _NEVER)
        at_event = _key(patients, first[patients, kinds])
        at_visit = _key(visits.patient, visits.day)
        keys = np.unique(np.concatenate([at_event, at_visit]))
        patient, day = keys // _DAYS, (keys % _DAYS).astype(np.int32)
        n_days, n_labs = len(keys), len(vocabulary.labs)
        events = np.zeros((n_days, len(vocabulary.events)), dtype=np.bool_)
        events[np.searchsorted(keys, at_event), kinds] = True
        values = np.full((n_days, n_labs), np.nan)
        values[np.searchsorted(keys, at_visit), visits.lab] = visits.value
        return EventSequences(
            vocabulary=vocabulary,
            patient_id=ids,
            split=split_indices(ids),
            is_male=(persons["sex"].astype(object) == "male").to_numpy(np.bool_),
            entry_age_days=periods.age_days[kept].astype(np.int32),
            bmi=self._bmi(persons["bmi"].to_numpy(np.float64)),
            prevalent=prevalent,
            entry_values=entry_values,
            entry_value_days=entry_days,
            follow_up_days=follow_up.astype(np.int32),
            offsets=np.concatenate([[0], np.cumsum(np.bincount(patient, minlength=len(kept)))]).astype(np.int64),
            day=day,
            is_visit=~np.isnan(values).all(axis=1) if n_labs else np.zeros(n_days, dtype=np.bool_),
            events=events,
            forbidden=events & self._forbidden(np.where(prevalent, 0, first), day, patient),
            values=values,
        )

    def _events(self, vocabulary: Vocabulary) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        """Who has what at entry, and the day of every first event after it; `_NEVER` for none."""
        it, n_kinds = self._it, len(vocabulary.events)
        is_event = (it.target >= 0) & (it.target < it.n_events)
        is_before = it.is_open & is_event & (self._day <= 0)
        prevalent = np.zeros((len(self._kept), n_kinds), dtype=np.bool_)
        prevalent[self._patient[is_before], it.target[is_before]] = True
        it.settle("prevalent_events", self._once(is_before))
        after = it.is_open & is_event & ~is_before
        after[after] &= ~prevalent[self._patient[after], it.target[after]]
        once = self._once(after)
        it.settle("first_events", once)
        it.settle("repeated_events", is_event)
        first = np.full((len(self._kept), n_kinds), _NEVER, dtype=np.int32)
        first[self._patient[once], it.target[once]] = self._day[once]
        return prevalent, first

    def _once(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The earliest of the chosen ones of every patient and target."""
        places = np.flatnonzero(chosen)
        order = places[np.lexsort((self._day[places], self._it.target[places], self._patient[places]))]
        patient, target = self._patient[order], self._it.target[order]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (patient[1:] != patient[:-1]) | (target[1:] != target[:-1])
        once = np.zeros(len(chosen), dtype=np.bool_)
        once[order[is_first]] = True
        return once

    def _values(self) -> tuple[NDArray[np.float64], NDArray[np.int32], "_DayValues"]:
        """Values at entry, how many days before it they were seen, and values of visits."""
        it, n_labs = self._it, self._it.n_labs
        is_lab = (it.target >= it.n_events) & (it.target < it.n_events + n_labs)
        merged = self._merged(it.is_open & is_lab, self._mapping.labs)
        is_history = merged.day <= 0
        is_last = is_history.copy()
        same = (merged.patient[1:] == merged.patient[:-1]) & (merged.lab[1:] == merged.lab[:-1])
        is_last[:-1] &= ~(same & is_history[1:])
        last, visits = merged.take(is_last), merged.take(~is_history)
        entry_values = np.full((len(self._kept), n_labs), np.nan)
        entry_days = np.full((len(self._kept), n_labs), -1, dtype=np.int32)
        entry_values[last.patient, last.lab] = last.value
        entry_days[last.patient, last.lab] = -last.day
        for name, kept in (("entry_values", last), ("visit_values", visits), ("earlier_history", merged)):
            chosen = np.zeros(len(it.fate), dtype=np.bool_)
            chosen[kept.place] = True
            it.settle(name, chosen)
        it.settle("merged_values", is_lab)
        return entry_values, entry_days, visits

    def _merged(self, chosen: NDArray[np.bool_], rules: tuple[LabRule, ...]) -> "_DayValues":
        """One value a patient, lab and day, as published: the median of numbers, whether it was ever seen of flags."""
        it = self._it
        places = np.flatnonzero(chosen)
        order = places[np.lexsort((it.value[places], self._day[places], it.target[places], self._patient[places]))]
        patient, lab, day = self._patient[order], it.target[order] - it.n_events, self._day[order]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (np.diff(patient) != 0) | (np.diff(lab) != 0) | (np.diff(day) != 0)
        starts = np.flatnonzero(is_first)
        lengths = np.diff(np.append(starts, len(order)))
        ordered = it.value[order]
        low, high = ordered[starts + (lengths - 1) // 2], ordered[starts + lengths // 2]
        value, highest = (low + high) / 2, ordered[starts + lengths - 1]
        merged = _DayValues(patient=patient[starts], lab=lab[starts], day=day[starts], value=value, place=order[starts])
        for number, rule in enumerate(rules):
            is_it, kind = merged.lab == number, rule.kind
            if kind.kind == "flag":
                value[is_it] = highest[is_it]
            else:
                rounded = np.round(value[is_it] / kind.resolution) * kind.resolution
                value[is_it] = np.clip(rounded, kind.low, kind.high)
        return merged

    def _bmi(self, of_persons: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the person, or the last one that was measured on or before day 0."""
        it = self._it
        is_bmi = it.target == it.n_events + it.n_labs
        if self._mapping.bmi is None:
            return of_persons
        history = it.is_open & is_bmi & (self._day <= 0)
        places = np.flatnonzero(history)
        order = places[np.lexsort((self._day[places], self._patient[places]))]
        last = np.ones(len(order), dtype=np.bool_)
        last[:-1] = self._patient[order][1:] != self._patient[order][:-1]
        chosen = np.zeros(len(history), dtype=np.bool_)
        chosen[order[last]] = True
        it.settle("bmi_values", chosen)
        it.settle("earlier_history", history)
        it.settle("later_bmi_values", is_bmi)
        bmi = of_persons.copy()
        bmi[self._patient[chosen]] = it.value[chosen]
        return bmi

    def _forbidden(
        self, since: NDArray[np.int32], day: NDArray[np.int32], patient: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """[days, K] Events that cannot come to patients who have what they had before that day."""
        if self._legality is None:
            return np.zeros((len(day), since.shape[1]), dtype=np.bool_)
        return ~self._legality.legal(since[patient] < day[:, None])


def _event_counts(sequences: EventSequences, vocabulary: Vocabulary) -> tuple[EventCount, ...]:
    return tuple(
        EventCount(
            name=name,
            n_prevalent=int(sequences.prevalent[:, number].sum()),
            n_first=int(sequences.events[:, number].sum()),
            n_forbidden=int(sequences.forbidden[:, number].sum()),
        )
        for number, name in enumerate(vocabulary.event_names)
    )


def _lab_counts(sequences: EventSequences, vocabulary: Vocabulary) -> tuple[LabCount, ...]:
    found = []
    for number, name in enumerate(vocabulary.lab_names):
        at_entry = ~np.isnan(sequences.entry_values[:, number])
        seen = ~np.isnan(sequences.values[:, number])
        somebody = at_entry.copy()
        somebody[sequences.patient_of_day[seen]] = True
        found.append(
            LabCount(
                name=name,
                n_entry_values=int(at_entry.sum()),
                n_values=int(seen.sum()),
                n_patients=int(somebody.sum()),
            )
        )
    return tuple(found)
