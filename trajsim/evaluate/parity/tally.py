"""Counts what Records hold, shard by shard: events by code, person and stratum; values by what they measure.

A shard is read once and let go; what is kept is a few numbers an event, so that large runs fit into memory.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.evaluate.parity.ages import N_STRATA, US_PER_DAY, Persons, days_of
from trajsim.evaluate.parity.payers import InsuredYears, insured_years
from trajsim.records.csv import clean
from trajsim.records.table import Records, text_parts

Ints = NDArray[np.int64]
Code = tuple[str, str, str]
"""Kind, class, code."""

_MINUTE_US = 60_000_000
_CLASS_COLUMN = {"encounters": "encounter_class", "observations": "category", "imaging": "modality_code"}
_CODE_COLUMN = {"imaging": ("procedure_code", "procedure_display")}
KINDS: Mapping[str, str] = {
    "allergies": "allergy",
    "careplans": "careplan",
    "conditions": "condition",
    "devices": "device",
    "encounters": "encounter",
    "imaging": "imaging",
    "immunizations": "immunization",
    "medications": "medication",
    "observations": "observation",
    "procedures": "procedure",
    "supplies": "supply",
}
"""The reference's word for the rows of a table."""


@dataclass(frozen=True)
class Sample:
    """Values in groups: one entry a value.

    Attributes:
        names: What a group number means.
        group: Group of each value.
        person: Person of each value.
        value: The values.
    """

    names: Sequence[tuple[str, ...]]
    group: NDArray[np.int32]
    person: NDArray[np.int32]
    value: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a comparison needs of Records.

    Attributes:
        persons: Ages, sex, death.
        demographics: Race and ethnicity of each person.
        codes: Kind, class and code by number.
        displays: Wording by code.
        code, person, stratum, count: Events, one entry a code, person and stratum with any.
        writers: Rows by code number, module and state.
        state_rows: Rows of each person by module and state: (rows, sum of squares, persons).
        prevalent: Persons with a condition open at the end, by condition code and stratum at the end.
        observations: Numbers by LOINC, unit and stratum.
        texts: Rows and persons by LOINC and text.
        minutes: Length of encounters by class.
        gaps: Days to the next encounter of the class.
        open_days: Days open of what was stopped, by kind (condition, medication) and code.
        n_spans: How many there are, stopped or not, by kind and code.
        causes: Cause of each death, by person; empty: none.
        totals: Rows of every kind a person.
        insurance: Person-years with and without a plan, by age band.
    """

    persons: Persons
    demographics: Mapping[str, NDArray[np.object_]]
    codes: Sequence[Code]
    displays: Mapping[Code, str]
    code: Ints
    person: Ints
    stratum: Ints
    count: Ints
    writers: Mapping[tuple[int, str, str], int]
    state_rows: Mapping[tuple[str, str], tuple[int, int, int]]
    prevalent: Mapping[str, Ints]
    observations: Sample
    texts: Mapping[tuple[str, str], tuple[int, int]]
    minutes: Sample
    gaps: Sample
    open_days: Sample
    n_spans: Mapping[tuple[str, ...], int]
    causes: Mapping[int, str]
    totals: Mapping[str, Ints]
    insurance: InsuredYears

    @property
    def n_persons(self) -> int:
        """How many."""
        return len(self.persons)


class _Groups:
    """Numbers for tuples of texts, in order of appearance."""

    def __init__(self) -> None:
        self.names: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}

    def number(self, name: tuple[str, ...]) -> int:
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.names)
            self.names.append(name)
        return found

    def of(self, columns: Sequence[pa.ChunkedArray], *, prefix: tuple[str, ...] = ()) -> NDArray[np.int32]:
        """Numbers of the rows of some text columns; null is an empty text."""
        n = len(columns[0])
        combined = np.zeros(n, np.int64)
        choices: list[list[str]] = []
        for column in columns:
            indices, nulls, dictionary = text_parts(column)
            texts = [*dictionary.to_pylist(), ""]
            part = indices.astype(np.int64)
            if nulls is not None:
                part = np.where(nulls, len(texts) - 1, part)
            combined = combined * len(texts) + part
            choices.append(texts)
        unique, inverse = np.unique(combined, return_inverse=True)
        numbers = np.empty(len(unique), np.int32)
        for position, key in enumerate(unique.tolist()):
            name: list[str] = []
            for texts in reversed(choices):
                key, index = divmod(key, len(texts))
                name.append(texts[index])
            numbers[position] = self.number((*prefix, *reversed(name)))
        result: NDArray[np.int32] = numbers[inverse]
        return result


class _Values:
    """A sample in the making."""

    def __init__(self) -> None:
        self.groups = _Groups()
        self._parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = []

    def add(self, group: NDArray[np.int32], person: Ints, value: NDArray[np.float64]) -> None:
        self._parts.append((group, person.astype(np.int32), value))

    def sample(self) -> Sample:
        group = np.concatenate([part[0] for part in self._parts] or [np.zeros(0, np.int32)])
        person = np.concatenate([part[1] for part in self._parts] or [np.zeros(0, np.int32)])
        value = np.concatenate([part[2] for part in self._parts] or [np.zeros(0)])
        return Sample(self.groups.names, group, person, value)


class _Shard:
    """One shard of Records with the places of its persons."""

    def __init__(self, records: Records, first_person: int) -> None:
        self.records = records
        self.first = first_person
        patients = records["patients"]
        last = patients["last_time"].cast("int64").to_numpy()
        self.persons = Persons.of(
            birth_days=days_of(patients["birth_time"].cast("int64").to_numpy()),
            last_days=days_of(last),
            is_male=pc.equal(patients["sex"].cast("string"), "M").to_numpy(),
            is_dead=pc.is_valid(patients["death_time"]).to_numpy(),
        )
        ids = records.patient_ids
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]

    def person(self, table: pa.Table) -> Ints:
        """Place in this shard of each row's patient."""
        ids = table["patient_id"].to_numpy()
        place: Ints = self._order[np.searchsorted(self._sorted, ids)].astype(np.int64)
        return place

    def table(self, name: str) -> pa.Table:
        """The rows that the reference's CSV files list: an observation without a value is a panel, and not there."""
        table = self.records[name]
        if name != "observations":
            return table
        valued = [pc.is_valid(table[each]) for each in ("numeric_value", "text_value", "value_code")]
        return table.filter(pc.or_(valued[0], pc.or_(valued[1], valued[2])))


def _studies(table: pa.Table, person: Ints) -> Ints:
    """1 for the first series of every imaging study, 0 for its others: the reference counts studies."""
    study = table["study_key"].to_numpy()
    order = np.lexsort((study, person))
    is_first = np.ones(len(study), np.int64)
    same = (study[order][1:] == study[order][:-1]) & (person[order][1:] == person[order][:-1])
    is_first[order[1:][same]] = 0
    return is_first


def tally(shards: Iterable[Records]) -> Tally:
    """Counts Records.

    Args:
        shards: Records of different patients.

    Returns:
        The counts of all of them together.
    """
    counter = _Counter()
    for shard in shards:
        counter.add(shard)
    return counter.result()


class _Counter:
    """Everything that is counted, over the shards so far."""

    def __init__(self) -> None:
        self.persons: list[Persons] = []
        self.demographics: dict[str, list[NDArray[np.object_]]] = {"race": [], "ethnicity": []}
        self.n = 0
        self.codes = _Groups()
        self.displays: dict[Code, str] = {}
        self.events: list[tuple[Ints, Ints, Ints, Ints]] = []
        self.writer_groups = _Groups()
        self.writers: Counter[tuple[int, str, str]] = Counter()
        self.state_rows: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.prevalent: dict[str, Ints] = {}
        self.texts: dict[tuple[str, str], tuple[int, int]] = {}
        self.observations, self.minutes, self.gaps, self.open_days = _Values(), _Values(), _Values(), _Values()
        self.n_spans: Counter[tuple[str, ...]] = Counter()
        self.causes: dict[int, str] = {}
        self.totals: dict[str, list[Ints]] = {kind: [] for kind in KINDS.values()}
        self.insurance = InsuredYears.none()

    def add(self, records: Records) -> None:
        """Counts one shard."""
        shard = _Shard(records, self.n)
        for column, parts in self.demographics.items():
            texts = records["patients"][column].cast("string").to_pylist()
            parts.append(np.array(texts, object))
        states: list[tuple[NDArray[np.int32], Ints]] = []
        for name in KINDS:
            table = shard.table(name)
            person = shard.person(table)
            days = days_of(table["time"].cast("int64").to_numpy())
            stratum = shard.persons.strata(person, days).astype(np.int64)
            self._add_events(shard, name, table, person, stratum, states)
            self._add_values(shard, name, table, person, stratum)
        self._add_state_rows(shard, states)
        self._add_deaths(shard)
        self.insurance += insured_years(records, shard.persons, shard.person(records["coverages"]))
        self.persons.append(shard.persons)
        self.n += len(shard.persons)

    def _add_events(
        self, shard: _Shard, name: str, table: pa.Table, person: Ints, stratum: Ints,
        states: list[tuple[NDArray[np.int32], Ints]],
    ) -> None:  # fmt: skip
        """Events by code, person and stratum, who wrote them, and their wording."""
        kind = KINDS[name]
        code_column, display_column = _CODE_COLUMN.get(name, ("code", "display"))
        columns = [table[code_column]]
        if name in _CLASS_COLUMN:
            code = self.codes.of([table[_CLASS_COLUMN[name]], *columns], prefix=(kind,))
        else:
            code = self.codes.of(columns, prefix=(kind, ""))
        weight = _studies(table, person) if name == "imaging" else np.ones(len(code), np.int64)
        n = len(shard.persons)
        self.totals[kind].append(np.bincount(person, weight, minlength=n).astype(np.int64))
        key = (code.astype(np.int64) * n + person) * N_STRATA + stratum
        unique, inverse = np.unique(key, return_inverse=True)
        count = np.bincount(inverse, weight, minlength=len(unique)).astype(np.int64)
        rest, place = np.divmod(unique, N_STRATA)
        code_of, person_of = np.divmod(rest, n)
        self.events.append((code_of, person_of + shard.first, place, count))
        self._name_codes(code, table[display_column])
        writer = self.writer_groups.of([table["module"], table["state"]])
        states.append((writer, person))
        pairs, numbers = np.unique(code.astype(np.int64) << 32 | writer, return_counts=True)
        for pair, number in zip(pairs.tolist(), numbers.tolist(), strict=True):
            module, state = self.writer_groups.names[pair & 0xFFFFFFFF]
            self.writers[pair >> 32, module, state] += number

    def _name_codes(self, code: NDArray[np.int32], display: pa.ChunkedArray) -> None:
        unique, first = np.unique(code, return_index=True)
        for number, row in zip(unique.tolist(), first.tolist(), strict=True):
            kind, group, text = self.codes.names[number]
            self.displays.setdefault((kind, group, text), display[row].as_py() or "")

    def _add_state_rows(self, shard: _Shard, states: Sequence[tuple[NDArray[np.int32], Ints]]) -> None:
        """Rows by state and person over all tables: how entries of a state vary between persons."""
        writer = np.concatenate([part[0] for part in states]).astype(np.int64)
        person = np.concatenate([part[1] for part in states])
        n = max(len(shard.persons), 1)
        unique, counts = np.unique(writer * n + person, return_counts=True)
        of = unique // n
        size = len(self.writer_groups.names)
        rows = np.bincount(of, counts, minlength=size).astype(np.int64)
        squares = np.bincount(of, counts.astype(np.float64) ** 2, minlength=size).astype(np.int64)
        persons = np.bincount(of, minlength=size)
        for number in np.flatnonzero(rows).tolist():
            module, state = self.writer_groups.names[number]
            old = self.state_rows.get((module, state), (0, 0, 0))
            new = int(rows[number]), int(squares[number]), int(persons[number])
            self.state_rows[module, state] = (old[0] + new[0], old[1] + new[1], old[2] + new[2])

    def _add_values(self, shard: _Shard, name: str, table: pa.Table, person: Ints, stratum: Ints) -> None:
        if name == "observations":
            self._add_observations(shard, table, person, stratum)
        elif name == "encounters":
            self._add_encounters(shard, table, person)
        elif name in ("conditions", "medications"):
            self._add_spans(shard, name, table, person)

    def _add_observations(self, shard: _Shard, table: pa.Table, person: Ints, stratum: Ints) -> None:
        is_number = pc.is_valid(table["numeric_value"]).to_numpy()
        value = table["numeric_value"].to_numpy()[is_number]
        series = self.observations.groups.of([table["code"].filter(is_number), table["unit"].filter(is_number)])
        group = series * np.int32(N_STRATA) + stratum[is_number].astype(np.int32)
        self.observations.add(group, person[is_number] + shard.first, value)
        rest = table.filter(pa.array(~is_number))
        text = pc.coalesce(rest["text_value"].cast("string"), rest["value_display"].cast("string"))
        words = _Groups()
        group = words.of([rest["code"], text.dictionary_encode()])
        unique, counts = np.unique(group.astype(np.int64) << 32 | person[~is_number], return_counts=True)
        rows = np.bincount(unique >> 32, counts, minlength=len(words.names)).astype(np.int64)
        persons = np.bincount(unique >> 32, minlength=len(words.names))
        for number, (code, text_value) in enumerate(words.names):
            word = clean(text_value)  # as the reference's CSV files have it
            old = self.texts.get((code, word), (0, 0))
            self.texts[code, word] = (old[0] + int(rows[number]), old[1] + int(persons[number]))

    def _add_encounters(self, shard: _Shard, table: pa.Table, person: Ints) -> None:
        start = table["time"].cast("int64").to_numpy()
        length = (table["stop"].cast("int64").to_numpy() - start) / _MINUTE_US
        group = self.minutes.groups.of([table["encounter_class"]])
        self.minutes.add(group, person + shard.first, length)
        order = np.lexsort((start, person, group))
        same = (np.diff(group[order]) == 0) & (np.diff(person[order]) == 0)
        gaps = np.diff(start[order])[same] / US_PER_DAY
        self.gaps.groups = self.minutes.groups
        self.gaps.add(group[order][1:][same], person[order][1:][same] + shard.first, gaps)

    def _add_spans(self, shard: _Shard, name: str, table: pa.Table, person: Ints) -> None:
        kind = KINDS[name]
        group = self.open_days.groups.of([table["code"]], prefix=(kind,))
        start = table["time"].cast("int64").to_numpy()
        is_stopped = pc.is_valid(table["stop"]).to_numpy()
        stop = table["stop"].cast("int64").fill_null(0).to_numpy()
        whole = name == "conditions"  # the reference holds dates of conditions, instants of medications
        days = days_of(stop) - days_of(start) if whole else (stop - start) / US_PER_DAY
        self.open_days.add(group[is_stopped], person[is_stopped] + shard.first, days[is_stopped].astype(np.float64))
        for number, n in enumerate(np.bincount(group).tolist()):
            if n:
                self.n_spans[self.open_days.groups.names[number]] += n
        if not whole:
            return
        is_open = (~is_stopped | (days_of(stop) > shard.persons.last_day[person])) & ~shard.persons.is_dead[person]
        at_end = shard.persons.at_end().astype(np.int64)
        for key in np.unique(group[is_open].astype(np.int64) << 32 | person[is_open]).tolist():
            code = self.open_days.groups.names[key >> 32][1]
            counts = self.prevalent.setdefault(code, np.zeros(N_STRATA, np.int64))
            counts[at_end[key & 0xFFFFFFFF]] += 1

    def _add_deaths(self, shard: _Shard) -> None:
        table = shard.records["deaths"]
        person = shard.person(table) + shard.first
        causes = table["cause_display"].cast("string").to_pylist()
        self.causes.update({int(who): clean(cause or "") for who, cause in zip(person.tolist(), causes, strict=True)})

    def result(self) -> Tally:
        """Everything counted."""
        empty = [np.zeros(0, np.int64)]
        code, person, stratum, count = (np.concatenate([part[k] for part in self.events] or empty) for k in range(4))
        return Tally(
            persons=_joined(self.persons),
            demographics={name: np.concatenate(parts) for name, parts in self.demographics.items() if parts},
            codes=[(kind, group, text) for kind, group, text in self.codes.names],
            displays=self.displays,
            code=code,
            person=person,
            stratum=stratum,
            count=count,
            writers=self.writers,
            state_rows=self.state_rows,
            prevalent=self.prevalent,
            observations=self.observations.sample(),
            texts=self.texts,
            minutes=self.minutes.sample(),
            gaps=self.gaps.sample(),
            open_days=self.open_days.sample(),
            n_spans=self.n_spans,
            causes=self.causes,
            totals={kind: np.concatenate(parts or empty) for kind, parts in self.totals.items()},
            insurance=self.insurance,
        )


def _joined(parts: Sequence[Persons]) -> Persons:
    if not parts:
        none = np.zeros(0, np.int32)
        return Persons.of(birth_days=none, last_days=none, is_male=none.astype(bool), is_dead=none.astype(bool))
    return Persons(
        edges=np.concatenate([part.edges for part in parts]),
        sex=np.concatenate([part.sex for part in parts]),
        last_day=np.concatenate([part.last_day for part in parts]),
        is_dead=np.concatenate([part.is_dead for part in parts]),
    )
