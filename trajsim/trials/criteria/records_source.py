"""Criteria on Records: simulated lives and real data alike, whatever format they were read from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.errors import SchemaError
from trajsim.records import Records
from trajsim.records.table import concat
from trajsim.trials.criteria.days import NO_CODE, NO_DAY, Days, Keys, Mask, years_of
from trajsim.trials.criteria.eras import build_eras
from trajsim.trials.criteria.evaluate import evaluate
from trajsim.trials.criteria.form import CodeSet, Coding, Definition, Domain
from trajsim.trials.criteria.hierarchy import ETHNICITY, RACE, SEX, UNIT, VISIT, CodeBook, Hierarchy
from trajsim.trials.criteria.record_columns import RecordColumns, Rows, code_columns
from trajsim.trials.criteria.result import Evaluation, join_evaluations
from trajsim.trials.criteria.source import EventTable, Order, People, Periods, period_index, sorted_events
from trajsim.trials.criteria.truth import Reading

ObservedFrom = Literal["birth", "first_record"]


@dataclass(frozen=True, kw_only=True)
class _Spec:
    """The tables of a domain and what is asked of them.

    Attributes:
        tables: Tables of Records.
        stop: What a missing stop means: `open` lasts to the end of observation; `point` lasts one day, stop or not.
        tests: Tests that these tables can answer.
    """

    tables: tuple[str, ...]
    stop: Literal["open", "point"] = "point"
    tests: frozenset[str] = field(default_factory=frozenset)


_ALWAYS = frozenset({"", "start", "end", "length", "age", "age_at_end", "sex"})
_RESULT = frozenset({"value", "value_code", "value_text", "unit", "visit_kind"})
_SPECS: Mapping[Domain, _Spec] = {
    "condition": _Spec(tables=("conditions",), stop="open", tests=frozenset({"visit_kind"})),
    "condition_era": _Spec(tables=("conditions",), stop="open", tests=frozenset({"count"})),
    "death": _Spec(tables=("deaths",)),
    "device": _Spec(tables=("devices",), stop="open", tests=frozenset({"visit_kind"})),
    "drug": _Spec(tables=("medications", "immunizations"), stop="open", tests=frozenset({"visit_kind"})),
    "drug_era": _Spec(tables=("medications", "immunizations"), stop="open", tests=frozenset({"count", "gap_days"})),
    "measurement": _Spec(tables=("observations",), tests=_RESULT - {"value_text"}),
    "observation": _Spec(tables=("observations", "allergies"), tests=_RESULT),
    "observation_period": _Spec(tables=()),
    "payer_period": _Spec(tables=("coverages",), stop="open"),
    "procedure": _Spec(tables=("procedures",), tests=frozenset({"visit_kind"})),
    "visit": _Spec(tables=("encounters",), stop="open"),
}
_WITHOUT_CODE = frozenset({"coverages"})
_BATCH_ROWS = 600_000


class RecordsSource:
    """Records in memory, ready for criteria.

    One observation period a patient: from birth (simulated lives) or from the first record (data of an institution) to
    the last day. What is still open lasts to that day. Codes match by system and code; `Hierarchy` says what is below.

    Example:
        >>> len(RecordsSource(Records({})).people)
        0
    """

    def __init__(
        self, records: Records, *, hierarchy: Hierarchy | None = None, observed_from: ObservedFrom = "birth"
    ) -> None:
        """Takes Records; tables are read when a criterion asks for them.

        Args:
            records: The patients.
            hierarchy: Which codes stand below which; none: a code stands for itself.
            observed_from: Where observation begins.

        Raises:
            SchemaError: A patient stands twice, or rows are not contiguous by patient.
        """
        ids, counts = np.unique(records.patient_ids, return_counts=True)
        if len(ids) < records.n_patients:
            twice = ids[counts > 1]
            msg = f"{len(twice)} patients stand more than once among {records.n_patients}, {twice[0]} the first of them"
            raise SchemaError(msg)
        self._records = records
        self._book = CodeBook(hierarchy or Hierarchy())
        self._columns: dict[str, RecordColumns] = {}
        patients = self._table("patients")
        rows = np.arange(len(patients))
        birth = patients.days("birth_time", rows)
        self._last = patients.days("last_time", rows)
        systems = {"sex": SEX, "race": RACE, "ethnicity": ETHNICITY}
        codes = {name: patients.codes(system, name, rows) for name, system in systems.items()}
        empty = {name: self._book.number((system, "")) for name, system in systems.items()}
        self._people = People(
            ids=records.patient_ids,
            is_known=np.ones(len(rows), bool),
            birth_year=years_of(birth).astype(np.float64),
            codes={name: np.where(keys == empty[name], NO_CODE, keys) for name, keys in codes.items()},
        )
        begin = birth if observed_from == "birth" else self._first_records(birth)
        self._periods = period_index(rows, begin, self._last, n_people=len(rows))

    @property
    def people(self) -> People:
        """All patients."""
        return self._people

    @property
    def periods(self) -> Periods:
        """One observation period a patient."""
        return self._periods

    def keys_of_list(self, codes: Sequence[Coding]) -> Keys:
        """The codes of a list as they stand."""
        return self._book.keys_of_list(codes)

    def keys_of_set(self, code_set: CodeSet) -> Keys:
        """The codes of a set, descendants and exclusions resolved."""
        return self._book.keys_of_set(code_set)

    def lacks(self, domain: Domain, test: str) -> bool:
        """Whether Records have no column for that test."""
        spec = _SPECS.get(domain)
        return spec is None or test not in (_ALWAYS | spec.tests)

    def events(self, domain: Domain, keys: Keys | None, *, persons: Mask | None = None) -> EventTable:
        """Events of a domain whose code, or one of whose further codes, is among the keys, of some patients."""
        if domain == "observation_period":
            table = self._period_events()
            return table if persons is None else table.take(persons[table.person])
        spec = _SPECS[domain]
        parts = [
            self._events(spec, name, keys, persons) for name in spec.tables if keys is None or name not in _WITHOUT_CODE
        ]
        table = parts[0] if len(parts) == 1 else _merged(parts)
        if domain in {"condition_era", "drug_era"}:
            return build_eras(table)
        return table

    def _table(self, name: str) -> RecordColumns:
        if name not in self._columns:
            self._columns[name] = RecordColumns(self._records, name, self._book)
        return self._columns[name]

    def _first_records(self, birth: Days) -> Days:
        first = np.full(len(birth), np.iinfo(np.int64).max)
        for name in ("encounters", "conditions", "medications", "observations", "procedures", "immunizations"):
            columns = self._table(name)
            rows = np.arange(len(columns))
            np.minimum.at(first, columns.persons(rows), columns.days("time", rows))
        return np.where(first == np.iinfo(np.int64).max, self._last, np.maximum(first, birth))

    def _period_events(self) -> EventTable:
        periods = self._periods
        count = len(periods.person)
        none = np.full(count, NO_CODE)

        def load(name: str, order: Order) -> NDArray[Any]:
            del name
            return none[order]

        return sorted_events(periods.person, np.arange(count), periods.start, periods.end, load)

    def _events(self, spec: _Spec, name: str, keys: Keys | None, persons: Mask | None) -> EventTable:
        columns = self._table(name)
        rows = columns.rows(keys, persons)
        person = columns.persons(rows)
        start = columns.days("time", rows)
        end = start + 1
        if spec.stop == "open" and "stop" in self._records[name].column_names:
            stop = columns.days("stop", rows)
            end = np.where(stop == NO_DAY, np.maximum(self._last[person], start), stop)
        record = columns.integers("row_key", rows) if name != "deaths" else np.zeros(len(rows), np.int64)

        def load(test: str, order: Order) -> NDArray[Any]:
            return self._load(columns, test, rows[order])

        return sorted_events(person, record, start, end, load)

    def _load(self, columns: RecordColumns, test: str, rows: Rows) -> NDArray[Any]:
        name = columns.name
        if test == "visit":
            return self._visits(columns, rows)
        if test in {"code", "source_code"}:
            if name in _WITHOUT_CODE:
                return np.full(len(rows), NO_CODE)
            return columns.codes(*code_columns(name), rows)
        if test == "visit_kind":
            return self._visit_kinds(columns, rows)
        if name == "observations" and test == "value":
            return columns.floats("numeric_value", rows)
        if name == "observations" and test == "value_code":
            return columns.codes("value_system", "value_code", rows)
        if name == "observations" and test == "value_text":
            return columns.texts("text_value", rows)
        if name == "observations" and test == "unit":
            return columns.codes(UNIT, "unit", rows)
        return _nothing(test, len(rows))

    def _visits(self, columns: RecordColumns, rows: Rows) -> Keys:
        """Keys of the encounters that rows belong to; an encounter belongs to itself."""
        if "encounter_key" in self._records[columns.name].column_names:
            return columns.keys("encounter_key", rows)
        if columns.name == "encounters":
            return columns.integers("row_key", rows)
        return np.full(len(rows), NO_CODE)

    def _visit_kinds(self, columns: RecordColumns, rows: Rows) -> Keys:
        """The class of the encounter that a row is attached to."""
        encounters = self._table("encounters")
        every = np.arange(len(encounters))
        right = pd.DataFrame(
            {
                "person": encounters.persons(every),
                "key": encounters.integers("row_key", every),
                "kind": encounters.codes(VISIT, "encounter_class", every),
            }
        )
        left = pd.DataFrame({"person": columns.persons(rows), "key": columns.integers("encounter_key", rows)})
        joined = left.merge(right, on=["person", "key"], how="left", sort=False)
        return joined["kind"].fillna(float(NO_CODE)).to_numpy().astype(np.int64)


_NUMBERS = frozenset(
    {"value", "range_low", "range_high", "quantity", "days_supply", "refills", "dose", "count", "gap_days"}
)
_TEXTS = frozenset({"value_text", "stop_reason", "lot", "device_id", "source_id"})


def _nothing(test: str, count: int) -> NDArray[Any]:
    """A column that Records do not have: unknown everywhere."""
    if test in _NUMBERS:
        return np.full(count, np.nan)
    return np.full(count, None, object) if test in _TEXTS else np.full(count, NO_CODE)


def _merged(parts: Sequence[EventTable]) -> EventTable:
    """Event tables as one, in order."""

    def load(name: str, order: Order) -> NDArray[Any]:
        return np.concatenate([part.column(name) for part in parts])[order]

    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("person", "record", "start", "end"))
    person, record, start, end = columns
    return sorted_events(person, record, start, end, load)


def _batches(shards: Iterable[Records]) -> Iterator[Records]:
    """Shards joined to a size at which the work is in the rows and no longer in the calls."""
    waiting: list[Records] = []
    n_rows = 0
    for shard in shards:
        waiting.append(shard)
        n_rows += shard.n_rows
        if n_rows >= _BATCH_ROWS:
            batch, waiting, n_rows = concat(waiting), [], 0
            yield batch
            del shard, batch  # so that one batch at a time is in memory
    if waiting:
        yield concat(waiting)


def evaluate_records(
    definition: Definition,
    records: Records | Iterable[Records],
    *,
    reading: Reading = Reading.SCREENING,
    hierarchy: Hierarchy | None = None,
    observed_from: ObservedFrom = "birth",
) -> Evaluation:
    """Evaluates criteria on Records, a few shards at a time.

    Args:
        definition: The criteria.
        records: The patients; an iterable (`read_parquet_shards`) is taken a few shards at a time, in bounded memory.
        reading: Circe's two-valued reading or the three-valued one of a screener.
        hierarchy: Which codes stand below which.
        observed_from: Where observation begins: at birth, or with the first record.

    Returns:
        Every candidate event with the verdict of every rule, and the cohort.

    Raises:
        CriteriaError: The definition cannot be run on Records under that reading.
        SchemaError: A patient stands twice, or rows are not contiguous by patient.

    Example:
        >>> from trajsim.trials.criteria.form import Entry, EventCriterion
        >>> everybody = Definition(entry=Entry(any_of=(EventCriterion(domain="observation_period"),)))
        >>> evaluate_records(everybody, Records({})).n_patients
        0
    """
    parts = []
    for batch in [records] if isinstance(records, Records) else _batches(records):
        source = RecordsSource(batch, hierarchy=hierarchy, observed_from=observed_from)
        parts.append(evaluate(definition, source, reading=reading))
        del batch, source
    if not parts:
        return evaluate_records(definition, Records({}), reading=reading)
    return join_evaluations(parts)
