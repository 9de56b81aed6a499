"""OMOP CDM 5.4 as a folder of Parquet or CSV files, or as a DuckDB file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.errors import ConfigError, DataFileError
from trajsim.learn.ingest.readers.collected import Collected, Faults
from trajsim.learn.ingest.readers.columns import Columns, has_columns
from trajsim.learn.ingest.readers.finished import finished
from trajsim.learn.ingest.readers.named_tables import TableSource, find_tables
from trajsim.learn.ingest.readers.omop_concepts import CONCEPT_COLUMNS, Concepts
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows

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


def read_omop(source: Path, *, last_day: int | None = None) -> ClinicalRows:
    """Reads tables of the OMOP common data model.

    Args:
        source: A folder with ``person.parquet``, ``measurement.csv`` and so on (also a folder of parts for each table,
            also ``.csv.gz``; tabs as Athena writes them), or a DuckDB file. Only ``person`` must be there. With
            ``concept``, codes are those of the vocabularies (SNOMED CT, LOINC, RxNorm ...); without it they are
            concept ids under the system ``OMOP``.
        last_day: Last day on which anything can have happened; later ones do not lengthen observation. None: all do.

    Returns:
        The rows. A patient is observed, and enters, from the first to the last day of the observation periods, or else
        of the visits, or of the patient's own rows. Rows of which a fault is told are left out, so that no rule of a
        mapping judges them again.

    Raises:
        ConfigError: There is none of the tables: another source was meant.
        DataFileError: There is no table ``person``, a table stands in two places, or the source cannot be read at all.
    """
    tables = find_tables(source, _TABLES)
    if not tables:
        msg = f"{source}: expected OMOP tables, such as person.parquet or person.csv, got none of {', '.join(_TABLES)}"
        hint = "SOURCE is the folder or DuckDB file that holds them, `--mapping` says which format"
        raise ConfigError(msg, hint=hint)
    faults = Faults(str(source))
    if "person" not in tables:
        msg = f"{source}: no OMOP table 'person' here, expected person.parquet, person.csv or a DuckDB file"
        raise DataFileError(msg)
    reader = _Reader(tables, faults)
    reader.people()
    for name, domain in _DOMAINS.items():
        if name in tables:
            reader.domain(name, domain)
    clinical = finished(
        reader.collected, faults, reader.counts, last_day=last_day, has_all_persons=reader.has_all_persons
    )
    clinical.persons["entry"] = _entries(clinical, reader.collected)
    return clinical


def _entries(clinical: ClinicalRows, collected: Collected) -> NDArray[np.int32]:
    """First day under observation; none for patients of whom there is neither a period nor a row."""
    rows, first = clinical.rows, clinical.persons["first"].to_numpy()
    is_seen = np.append(collected.all_people()["first_day"].is_valid().to_numpy(), False)
    is_seen[rows["patient"].to_numpy()[rows["day"].to_numpy() != NO_DAY]] = True
    return np.where(is_seen[:-1], first, NO_DAY).astype(np.int32)


class _Reader:
    """Reads table after table, in batches where tables are long."""

    def __init__(self, tables: Mapping[str, TableSource], faults: Faults) -> None:
        self._tables = tables
        self._faults = faults
        self._concepts = Concepts(self._batches("concept", CONCEPT_COLUMNS))
        self.collected = Collected()
        self.counts: dict[str, int] = {}
        self.has_all_persons = True

    def people(self) -> None:
        """Persons with their observation periods and deaths."""
        periods = self._extremes("observation_period", "observation_period_start_date", "observation_period_end_date")
        if not periods[0]:
            periods = self._extremes("visit_occurrence", "visit_start_date", "visit_end_date")
        deaths = self._extremes("death", "death_date", "death_date")[0]
        n_faults = self._faults.count
        for columns in self._batches("person", ("person_id", "gender_concept_id", "year_of_birth")):
            ids, birth = columns.ids("person_id"), _births(columns)
            sex = pa.array(columns.integers("gender_concept_id")).cast(pa.string())
            columns.spoil(~columns.is_spoilt & ids.is_null().to_numpy(zero_copy_only=False), "no person_id")
            keep = pa.array(~columns.is_spoilt)
            names = ids.filter(keep).to_pylist()
            self.collected.add_people(
                len(names),
                {
                    "patient_id": ids.filter(keep),
                    "sex": sex.filter(keep),
                    "birth_day": birth.filter(keep),
                    "first_day": pa.array([periods[0].get(name) for name in names], pa.int32()),
                    "last_day": pa.array([periods[1].get(name) for name in names], pa.int32()),
                    "death_day": pa.array([deaths.get(name) for name in names], pa.int32()),
                    "source": columns.file,
                    "row": pa.array(columns.rows).filter(keep),
                },
            )
        self.has_all_persons = self._faults.count == n_faults

    def domain(self, name: str, domain: _Domain) -> None:
        """Rows of one table."""
        for columns in self._batches(name, domain.needed):
            system, code = self._codes(columns, domain)
            made: dict[str, object] = {
                "patient_id": columns.ids("person_id"), "day": columns.days(domain.date), "is_lab": domain.is_lab,
                "system": system, "code": code, "source": columns.file, "row": pa.array(columns.rows),
            }  # fmt: skip
            if domain.is_lab:
                made |= self._values(columns)
            nothing = pc.equal(code, "").to_numpy(zero_copy_only=False) & ~columns.is_spoilt
            if nothing.any():
                key = f"{name} without a code"
                self.counts[key] = self.counts.get(key, 0) + int(nothing.sum())
            keep = ~nothing & ~columns.is_spoilt
            made = {k: v.filter(pa.array(keep)) if isinstance(v, pa.Array) else v for k, v in made.items()}
            self.collected.add_table(int(keep.sum()), made)

    def _codes(self, columns: Columns, domain: _Domain) -> tuple[pa.Array, pa.Array]:
        """System and code: the standard concept's, else the source concept's, else the source value."""
        concept = columns.integers(domain.concept)
        source = columns.integers(domain.concept.replace("_concept_id", "_source_concept_id"))
        concept = np.where(concept == 0, source, concept)
        system, code = self._concepts.codes(concept)
        value = columns.texts(domain.source_value)
        is_plain = pa.array(concept == 0)
        system = pc.if_else(is_plain, SOURCE_SYSTEM, system)
        return system, pc.if_else(is_plain, pc.fill_null(value, ""), code)

    def _values(self, columns: Columns) -> dict[str, object]:
        """Number, answer and unit of every row."""
        none = pa.scalar(None, pa.string())
        answer, unit = columns.integers("value_as_concept_id"), columns.integers("unit_concept_id")
        coded = pc.if_else(pa.array(answer == 0), none, self._concepts.codes(answer)[1])
        # A unit that nobody spells out keeps its id, so that the report lists it.
        own = pc.if_else(pa.array(unit == 0), none, pa.array(unit).cast(pa.string()))
        return {
            "value": columns.numbers("value_as_number"),
            "text": pc.coalesce(coded, columns.texts("value_as_string")),
            "unit": pc.coalesce(self._concepts.units(unit), columns.texts("unit_source_value"), own),
        }

    def _extremes(self, name: str, start: str, stop: str) -> tuple[dict[str, int], dict[str, int]]:
        """First and last day of every person in a table of periods."""
        firsts: dict[str, int] = {}
        lasts: dict[str, int] = {}
        for columns in self._batches(name, ("person_id", start, stop)):
            begun = columns.days(start)
            ended = pc.coalesce(columns.days(stop), begun)
            people = pa.table({"id": columns.ids("person_id"), "first": begun, "last": ended})
            people = people.filter(pa.array(~columns.is_spoilt))
            found = people.group_by("id").aggregate([("first", "min"), ("last", "max")])
            for who, low, high in zip(
                found["id"].to_pylist(), found["first_min"].to_pylist(), found["last_max"].to_pylist(), strict=True
            ):
                if low is not None:
                    firsts[who] = min(low, firsts.get(who, low))
                if high is not None:
                    lasts[who] = max(high, lasts.get(who, high))
        return firsts, lasts

    def _batches(self, name: str, needed: tuple[str, ...]) -> Iterator[Columns]:
        """Batches of a table that have the needed columns; none where there is no such table."""
        if name in self._tables:
            for file, first, table in self._tables[name].batches(self._faults):
                if has_columns(file, table, needed, self._faults):
                    yield Columns(file, first, table, self._faults)


def _births(columns: Columns) -> pa.Array:
    """Days of birth; the middle of a year or month of which no more is known."""
    year, month, day = (columns.integers(f"{name}_of_birth") for name in ("year", "month", "day"))
    day = np.where(day > 0, day, np.where(month > 0, 15, 1))
    month = np.where(month > 0, month, 7)
    is_real = (year >= 1800) & (year <= 2300) & (month <= 12)
    start = ((np.where(is_real, year, 1970) - 1970) * 12 + np.where(is_real, month, 1) - 1).astype("datetime64[M]")
    first_day, next_month = (each.astype("datetime64[D]").astype(np.int64) for each in (start, start + 1))
    is_real &= day <= next_month - first_day
    columns.spoil(~is_real & ~columns.is_spoilt, "year_of_birth, month_of_birth and day_of_birth are no date")
    return pa.array((first_day + np.where(is_real, day, 1) - 1).astype(np.int32), pa.int32(), mask=~is_real)
