"""OMOP CDM 5.4 as a folder of Parquet or CSV files, or as a DuckDB file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.errors import DataFileError
from trajsim.learn.ingest.readers.collected import (
    Collected,
    Faults,
    days_of,
    days_of_text,
    missing_columns,
    numbers_of,
    system_name,
)
from trajsim.learn.ingest.readers.finished import finished
from trajsim.learn.ingest.readers.named_tables import TableSource, find_tables
from trajsim.learn.ingest.rows import ClinicalRows

OMOP_SYSTEM = "OMOP"
"""System of a concept id, where the source has no table ``concept`` that names its vocabulary and code."""
SOURCE_SYSTEM = "OMOP-source"
"""System of a source value whose concept is 0: nobody mapped it to a vocabulary."""


@dataclass(frozen=True, kw_only=True)
class _Domain:
    """A table of events or labs: how its columns begin."""

    concept: str
    source_value: str
    date: str
    is_lab: bool = False

    @property
    def needed(self) -> tuple[str, ...]:
        return ("person_id", self.concept, self.date)


_DOMAINS: Mapping[str, _Domain] = {
    "condition_occurrence": _Domain(
        concept="condition_concept_id", source_value="condition_source_value", date="condition_start_date"
    ),
    "procedure_occurrence": _Domain(
        concept="procedure_concept_id", source_value="procedure_source_value", date="procedure_date"
    ),
    "drug_exposure": _Domain(
        concept="drug_concept_id", source_value="drug_source_value", date="drug_exposure_start_date"
    ),
    "measurement": _Domain(
        concept="measurement_concept_id", source_value="measurement_source_value", date="measurement_date", is_lab=True
    ),
    "observation": _Domain(
        concept="observation_concept_id", source_value="observation_source_value", date="observation_date", is_lab=True
    ),
}
_TABLES = ("person", "observation_period", "visit_occurrence", "death", "concept", *_DOMAINS)
_CONCEPT_COLUMNS = ("concept_id", "vocabulary_id", "concept_code")


def read_omop(source: Path) -> ClinicalRows:
    """Reads tables of the OMOP common data model.

    Args:
        source: A folder with ``person.parquet``, ``measurement.csv`` and so on (also a folder of parts for each table,
            also ``.csv.gz``; tabs as Athena writes them), or a DuckDB file. Only ``person`` must be there. With
            ``concept``, codes are those of the vocabularies (SNOMED CT, LOINC, RxNorm ...); without it they are
            concept ids under the system ``OMOP``.

    Returns:
        The rows. A patient is observed, and enters, from the first to the last day of the observation periods, or else
        of the visits, or of the patient's own rows.

    Raises:
        DataFileError: There is no table ``person``, or a table cannot be read at all.
    """
    tables = find_tables(source, _TABLES)
    faults = Faults(str(source))
    if "person" not in tables:
        msg = f"{source}: no OMOP table 'person' here, expected person.parquet, person.csv or a DuckDB file"
        raise DataFileError(msg)
    reader = _Reader(tables, faults)
    reader.people()
    for name, domain in _DOMAINS.items():
        if name in tables:
            reader.domain(name, domain)
    clinical = finished(reader.collected, faults, reader.counts)
    clinical.persons["entry"] = clinical.persons["first"]
    return clinical


class _Reader:
    """Reads table after table, in batches where tables are long."""

    def __init__(self, tables: Mapping[str, TableSource], faults: Faults) -> None:
        self._tables = tables
        self._faults = faults
        self._concepts = _Concepts(self._used_concepts())
        self.collected = Collected()
        self.counts: dict[str, int] = {}

    def people(self) -> None:
        """Persons with their observation periods and deaths."""
        periods = self._extremes("observation_period", "observation_period_start_date", "observation_period_end_date")
        if not periods[0]:
            periods = self._extremes("visit_occurrence", "visit_start_date", "visit_end_date")
            periods = ({}, {}) if not periods[0] else periods
        deaths = self._extremes("death", "death_date", "death_date")[0]
        seen: dict[str, str] = {}
        for file, first, table in self._batches("person", ("person_id", "gender_concept_id", "year_of_birth")):
            ids = _ids(table["person_id"])
            for position, name in enumerate(ids.to_pylist()):
                place = f"{file}, row {first + position}"
                if seen.setdefault(name, place) != place:
                    sentence = f"person {name} stands at {seen[name]} too: a patient is never split"
                    self._faults.add(file, first + position, sentence)
            birth = self._births(file, first, table)
            names = ids.to_pylist()
            self.collected.add_people(
                table.num_rows,
                {
                    "patient_id": ids,
                    "sex": _ids(table["gender_concept_id"]),
                    "birth_day": birth,
                    "first_day": pa.array([periods[0].get(name) for name in names], pa.int32()),
                    "last_day": pa.array([periods[1].get(name) for name in names], pa.int32()),
                    "death_day": pa.array([deaths.get(name) for name in names], pa.int32()),
                    "source": file,
                    "row": pa.array(np.arange(first, first + table.num_rows)),
                },
            )

    def domain(self, name: str, domain: _Domain) -> None:
        """Rows of one table."""
        for file, first, table in self._batches(name, domain.needed):
            n = table.num_rows
            rows = np.arange(first, first + n)
            system, code = self._codes(file, first, table, domain)
            day = self._days(file, rows, table, domain.date)
            made: dict[str, object] = {
                "patient_id": _ids(table["person_id"]), "day": day, "is_lab": domain.is_lab, "system": system,
                "code": code, "source": file, "row": pa.array(rows),
            }  # fmt: skip
            if domain.is_lab:
                made |= self._values(file, first, table)
            nothing = pc.equal(code, "").to_numpy(zero_copy_only=False)
            if nothing.any():
                key = f"{name} without a code"
                self.counts[key] = self.counts.get(key, 0) + int(nothing.sum())
                keep = pa.array(~nothing)
                made = {k: v.filter(keep) if isinstance(v, pa.Array) else v for k, v in made.items()}
                n = int((~nothing).sum())
            self.collected.add_table(n, made)

    def _codes(self, file: str, first: int, table: pa.Table, domain: _Domain) -> tuple[pa.Array, pa.Array]:
        """System and code: the standard concept's, else the source concept's, else the source value."""
        concept = self._integers(file, first, table, domain.concept)
        source = self._integers(file, first, table, domain.concept.replace("_concept_id", "_source_concept_id"))
        concept = np.where(concept == 0, source, concept)
        system, code = self._concepts.codes(concept)
        value = _text(table, domain.source_value)
        is_plain = pa.array(concept == 0)
        system = pc.if_else(is_plain, SOURCE_SYSTEM, system)
        return system, pc.if_else(is_plain, pc.fill_null(value, ""), code)

    def _values(self, file: str, first: int, table: pa.Table) -> dict[str, object]:
        """Number, answer and unit of every row."""
        made: dict[str, object] = {}
        if "value_as_number" in table.column_names:
            made["value"], unread = numbers_of(table["value_as_number"])
            self._faults.add_rows(file, np.flatnonzero(unread) + first, "value_as_number is not a number")
        answer = self._integers(file, first, table, "value_as_concept_id")
        coded = pc.if_else(pa.array(answer == 0), pa.scalar(None, pa.string()), self._concepts.codes(answer)[1])
        made["text"] = pc.coalesce(coded, _text(table, "value_as_string"))
        unit = self._integers(file, first, table, "unit_concept_id")
        is_known = pa.array((unit != 0) & self._concepts.knows(unit))
        spelled = pc.if_else(is_known, self._concepts.codes(unit)[1], pa.scalar(None, pa.string()))
        made["unit"] = pc.coalesce(spelled, _text(table, "unit_source_value"))
        return made

    def _births(self, file: str, first: int, table: pa.Table) -> pa.Array:
        names = ("year_of_birth", "month_of_birth", "day_of_birth")
        year, month, day = (self._integers(file, first, table, name) for name in names)
        # The middle of a year or month of which no more is known.
        day = np.where(day > 0, day, np.where(month > 0, 15, 1))
        month = np.where(month > 0, month, 7)
        is_real = (year >= 1800) & (year <= 2300) & (month <= 12) & (day <= 31)
        wrong = np.flatnonzero(~is_real)
        self._faults.add_rows(file, wrong + first, "year_of_birth, month_of_birth and day_of_birth are no date")
        months = (np.where(is_real, year, 1970) - 1970) * 12 + np.where(is_real, month, 1) - 1
        days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + np.where(is_real, day, 1) - 1
        return pa.array(days.astype(np.int32), pa.int32(), mask=~is_real)

    def _extremes(self, name: str, start: str, stop: str) -> tuple[dict[str, int], dict[str, int]]:
        """First and last day of every person in a table of periods."""
        firsts: dict[str, int] = {}
        lasts: dict[str, int] = {}
        if name not in self._tables:
            return firsts, lasts
        for file, first, table in self._batches(name, ("person_id", start, stop)):
            rows = np.arange(first, first + table.num_rows)
            begun = self._days(file, rows, table, start)
            ended = pc.coalesce(self._days(file, rows, table, stop), begun)
            people = pa.table({"id": _ids(table["person_id"]), "first": begun, "last": ended})
            found = people.group_by("id").aggregate([("first", "min"), ("last", "max")])
            for who, low, high in zip(
                found["id"].to_pylist(), found["first_min"].to_pylist(), found["last_max"].to_pylist(), strict=True
            ):
                if low is not None:
                    firsts[who] = min(low, firsts.get(who, low))
                if high is not None:
                    lasts[who] = max(high, lasts.get(who, high))
        return firsts, lasts

    def _integers(self, file: str, first: int, table: pa.Table, column: str) -> NDArray[np.int64]:
        """Whole numbers; 0 for none, and where the column is not there."""
        if column not in table.column_names:
            return np.zeros(table.num_rows, np.int64)
        found, unread = numbers_of(table[column])
        self._faults.add_rows(file, np.flatnonzero(unread) + first, f"{column} is not a number")
        return np.asarray(pc.fill_null(found, 0.0).to_numpy(zero_copy_only=False), dtype=np.int64)

    def _days(self, file: str, rows: NDArray[np.int64], table: pa.Table, column: str) -> pa.Array:
        values = table[column].combine_chunks()
        if pa.types.is_temporal(values.type):
            return days_of(values)
        if pa.types.is_null(values.type):
            return pa.nulls(len(values), pa.int32())
        days, unread = days_of_text(values)
        self._faults.add_rows(file, rows[unread], f"{column} is not a date")
        return days

    def _batches(self, name: str, needed: tuple[str, ...]) -> Iterator[tuple[str, int, pa.Table]]:
        """Batches of a table with the file and the row at which they begin; without columns that are missing."""
        for file, first, table in self._tables[name].batches(self._faults):
            lacking = missing_columns(table.column_names, needed)
            if not lacking:
                yield file, first, table
            elif first == 1:
                found = ", ".join(table.column_names)
                self._faults.add(file, None, f"columns missing: {', '.join(lacking)}; found {found}")

    def _used_concepts(self) -> Iterator[pa.Table]:
        if "concept" in self._tables:
            for _, _, table in self._batches("concept", _CONCEPT_COLUMNS):
                yield table.select(list(_CONCEPT_COLUMNS))


class _Concepts:
    """Vocabulary and code of concept ids."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        parts = list(tables)
        table = pa.concat_tables(parts, promote_options="permissive").combine_chunks() if parts else None
        ids = np.zeros(0, np.int64)
        if table is not None:
            found, _ = numbers_of(table["concept_id"])
            ids = np.asarray(pc.fill_null(found, -1.0).to_numpy(zero_copy_only=False), dtype=np.int64)
        order = np.argsort(ids, kind="stable")
        self._ids = ids[order]
        none = pa.array([], pa.string())
        names = none if table is None else table["vocabulary_id"].combine_chunks().cast(pa.string())
        encoded = names.dictionary_encode()
        spelled = pa.array([system_name(_VOCABULARIES.get(name, name)) for name in encoded.dictionary.to_pylist()])
        self._systems = spelled.cast(pa.string()).take(encoded.indices).take(pa.array(order))
        codes = none if table is None else table["concept_code"].combine_chunks().cast(pa.string())
        self._codes = codes.take(pa.array(order))

    def knows(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which ids stand in the table of concepts."""
        if not len(self._ids):
            return np.zeros(len(ids), bool)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.asarray(self._ids[place] == ids)

    def codes(self, ids: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
        """Systems and codes; an id that no table explains is its own code under the system ``OMOP``."""
        is_known = self.knows(ids)
        own = pa.array(ids).cast(pa.string())
        if not is_known.any():
            return pa.array(np.full(len(ids), OMOP_SYSTEM, object), pa.string()), own
        place = pa.array(np.where(is_known, np.searchsorted(self._ids, ids), 0))
        mask = pa.array(is_known)
        return pc.if_else(mask, self._systems.take(place), OMOP_SYSTEM), pc.if_else(mask, self._codes.take(place), own)


_VOCABULARIES: Mapping[str, str] = {"SNOMED": "SNOMED-CT", "RxNorm Extension": "RxNorm", "CPT4": "CPT"}


def _ids(column: pa.ChunkedArray) -> pa.Array:
    """Ids as text; whole numbers that were read as floating point lose their ``.0``."""
    values = column.combine_chunks()
    if pa.types.is_floating(values.type):
        values = values.cast(pa.int64())
    return values.cast(pa.string())


def _text(table: pa.Table, column: str) -> pa.Array:
    if column not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    values = table[column].combine_chunks().cast(pa.string())
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
