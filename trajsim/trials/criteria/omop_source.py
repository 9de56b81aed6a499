"""Criteria on OMOP tables: what the reference definitions were written for, and what their answers were made on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.errors import SchemaError
from trajsim.trials.criteria.days import NO_CODE, NO_DAY, Days, Keys, Mask, days_of_column
from trajsim.trials.criteria.form import CodeSet, Coding, Domain
from trajsim.trials.criteria.omop_columns import OMOP_DOMAINS, OmopDomain
from trajsim.trials.criteria.source import (
    EventTable,
    Order,
    People,
    Periods,
    as_keys,
    is_among,
    period_index,
    sorted_events,
)

_MAPS_TO = "Maps to"


class OmopSource:
    """OMOP CDM 5.3 tables in memory.

    Concept ids are the codes. A code set matches concepts of the table `concept` only; retired ones are not reached
    through `concept_ancestor`.

    Example:
        >>> OmopSource({}).people.ids.size
        0
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Takes tables by their lower-case names; a table or column that is left out is empty.

        Args:
            tables: CDM tables and vocabulary tables. Dates may be dates, date-times or ISO text.

        Raises:
            SchemaError: An event table lacks its person, record id, code or date.
        """
        self._tables = {name.lower(): frame for name, frame in tables.items() if len(frame)}
        self._require_columns()
        self._ids = self._person_ids()
        self._people = self._read_people()
        self._periods = self._read_periods()
        self._domains: dict[Domain, EventTable] = {}
        self._concepts = as_keys(self._column("concept", "concept_id"))

    @property
    def people(self) -> People:
        """All persons that any table names."""
        return self._people

    @property
    def periods(self) -> Periods:
        """All observation periods."""
        return self._periods

    def events(self, domain: Domain, keys: Keys | None, *, persons: Mask | None = None) -> EventTable:
        """Events of a domain whose concept is among the keys, of some persons; None: all of them."""
        if domain not in self._domains:
            self._domains[domain] = self._read_domain(domain)
        table = self._domains[domain]
        if keys is not None:
            table = table.take(is_among(table.column("code"), keys))
        return table if persons is None else table.take(persons[table.person])

    def keys_of_list(self, codes: Sequence[Coding]) -> Keys:
        """The concept ids of a list; codes without id are looked up by vocabulary and code."""
        return as_keys([key for each in codes for key in self._ids_of(each)])

    def keys_of_set(self, code_set: CodeSet) -> Keys:
        """The concepts of a set, descendants and mapped ones included, excluded ones taken out."""
        included = self._expand([each for each in code_set.codes if not each.excluded])
        excluded = self._expand([each for each in code_set.codes if each.excluded])
        return np.setdiff1d(included, excluded)

    def lacks(self, domain: Domain, test: str) -> bool:
        """Whether CDM 5.3 has no column for that test."""
        spec = OMOP_DOMAINS.get(domain)
        if spec is None:
            return True
        if test in {"dose", "dose_unit"}:
            return test not in spec.numbers
        return False

    def _ids_of(self, coding: Coding) -> list[int]:
        if coding.concept_id is not None:
            return [coding.concept_id]
        frame = self._tables.get("concept")
        if frame is None:
            return []
        same = (frame["concept_code"].astype(str) == coding.code) & (
            frame["vocabulary_id"].map(_plain) == _plain(coding.system)
        )
        return [int(each) for each in frame.loc[same, "concept_id"]]

    def _expand(self, codes: Sequence[Coding]) -> Keys:
        plain = self._with_descendants([each for each in codes if not each.mapped])
        mapped = self._with_descendants([each for each in codes if each.mapped])
        return as_keys(set(plain) | set(mapped) | set(self._mapping_to(mapped)))

    def _with_descendants(self, codes: Sequence[Coding]) -> Keys:
        own = np.intersect1d(self.keys_of_list(codes), self._concepts)
        tops = self.keys_of_list([each for each in codes if each.descendants])
        ancestors = self._column("concept_ancestor", "ancestor_concept_id")
        below = as_keys(self._column("concept_ancestor", "descendant_concept_id")[is_among(ancestors, tops)])
        return as_keys(set(own) | set(np.intersect1d(below, self._valid_concepts())))

    def _valid_concepts(self) -> Keys:
        frame = self._tables.get("concept")
        if frame is None or "invalid_reason" not in frame:
            return self._concepts
        return as_keys(frame.loc[frame["invalid_reason"].isna(), "concept_id"].to_numpy())

    def _mapping_to(self, keys: Keys) -> Keys:
        frame = self._tables.get("concept_relationship")
        if frame is None:
            return np.zeros(0, np.int64)
        maps = frame["relationship_id"] == _MAPS_TO
        if "invalid_reason" in frame:
            maps &= frame["invalid_reason"].isna()
        rows = frame[maps]
        return as_keys(rows["concept_id_1"].to_numpy()[is_among(rows["concept_id_2"].to_numpy(np.int64), keys)])

    def _require_columns(self) -> None:
        faults = []
        for spec in OMOP_DOMAINS.values():
            frame = self._tables.get(spec.table)
            if frame is None:
                continue
            wanted = ["person_id", spec.record, spec.start]
            faults += [f"table {spec.table!r} lacks the column {name!r}" for name in wanted if name not in frame]
        if faults:
            raise SchemaError("; ".join(faults))

    def _column(self, table: str, column: str) -> Keys:
        frame = self._tables.get(table)
        if frame is None:
            return np.zeros(0, np.int64)
        if column not in frame:
            return np.full(len(frame), NO_CODE)
        return _as_codes(frame[column])

    def _person_ids(self) -> NDArray[np.int64]:
        tables = ["person", *(spec.table for spec in OMOP_DOMAINS.values())]
        return np.unique(np.concatenate([self._column(table, "person_id") for table in tables]))

    def _read_people(self) -> People:
        row = np.full(len(self._ids), -1, np.int64)
        row[np.searchsorted(self._ids, self._column("person", "person_id"))] = np.arange(
            len(self._column("person", "person_id"))
        )
        known = row >= 0

        def spread(column: str) -> Keys:
            values = self._column("person", column)
            out = np.full(len(self._ids), NO_CODE)
            out[known] = values[row[known]]
            return out

        years = spread("year_of_birth")
        return People(
            ids=self._ids,
            is_known=known,
            birth_year=np.where(years == NO_CODE, np.nan, years.astype(np.float64)),
            codes={
                "sex": spread("gender_concept_id"),
                "race": spread("race_concept_id"),
                "ethnicity": spread("ethnicity_concept_id"),
            },
        )

    def _read_periods(self) -> Periods:
        table = self._read_domain("observation_period")
        return period_index(table.person, table.start, table.end, n_people=len(self._ids))

    def _read_domain(self, domain: Domain) -> EventTable:
        spec = OMOP_DOMAINS.get(domain)
        frame = self._tables.get(spec.table) if spec is not None else None
        if spec is None or frame is None:
            none = np.zeros(0, np.int64)
            return EventTable(person=none, record=none, start=none, end=none, load=_empty_column)
        person = np.searchsorted(self._ids, self._column(spec.table, "person_id"))
        start = days_of_column(frame[spec.start])
        end = self._end_days(spec, frame, start)

        def load(name: str, order: Order) -> NDArray[Any]:
            if name == "visit":
                return self._column(spec.table, spec.visit)[order] if spec.visit else np.full(len(frame), NO_CODE)
            return self._load(spec, frame, name)[order]

        return sorted_events(person, self._column(spec.table, spec.record), start, end, load)

    def _end_days(self, spec: OmopDomain, frame: pd.DataFrame, start: Days) -> Days:
        if not spec.end:
            return start + 1
        end = days_of_column(frame[spec.end]) if spec.end in frame else np.full(len(frame), NO_DAY)
        if spec.missing_end == "none":
            return end
        missing = end == NO_DAY
        if spec.missing_end == "days_supply":
            supply = self._column(spec.table, "days_supply")
            end = np.where(missing, np.where(supply == NO_CODE, start + 1, start + supply), end)
        return np.where(end == NO_DAY, start + 1, end)

    def _load(self, spec: OmopDomain, frame: pd.DataFrame, name: str) -> NDArray[Any]:
        if name in spec.codes:
            return self._column(spec.table, spec.codes[name])
        if name in spec.numbers:
            column = spec.numbers[name]
            if column not in frame:
                return np.full(len(frame), np.nan)
            return pd.to_numeric(frame[column]).to_numpy(np.float64, na_value=np.nan)
        if name in spec.texts:
            column = spec.texts[name]
            return frame[column].to_numpy(object) if column in frame else np.full(len(frame), None, object)
        if name == "specialty":
            return self._lookup(
                "provider", "provider_id", "specialty_concept_id", self._column(spec.table, "provider_id")
            )
        if name == "place":
            keys = self._column(spec.table, "care_site_id")
            return self._lookup("care_site", "care_site_id", "place_of_service_concept_id", keys)
        if name == "visit_kind":
            return self._visit_kinds(spec)
        return np.full(len(frame), NO_CODE)

    def _lookup(self, table: str, key: str, value: str, wanted: Keys) -> Keys:
        keys, values = self._column(table, key), self._column(table, value)
        out = np.full(len(wanted), NO_CODE)
        if len(keys):
            order = np.argsort(keys, kind="stable")
            slot = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
            hit = (keys[order][slot] == wanted) & (wanted != NO_CODE)
            out[hit] = values[order][slot][hit]
        return out

    def _visit_kinds(self, spec: OmopDomain) -> Keys:
        """The kind of the visit that a record names, if the visit is of the same person."""
        visit, person = self._column(spec.table, spec.visit), self._column(spec.table, "person_id")
        kinds = self._lookup("visit_occurrence", "visit_occurrence_id", "visit_concept_id", visit)
        owner = self._lookup("visit_occurrence", "visit_occurrence_id", "person_id", visit)
        return np.where(owner == person, kinds, NO_CODE)


def _as_codes(column: "pd.Series[Any]") -> Keys:
    if column.dtype == np.int64:
        return column.to_numpy()
    numbers = pd.to_numeric(column)
    missing = numbers.isna().to_numpy()
    return np.where(missing, NO_CODE, numbers.fillna(0).to_numpy().astype(np.int64))


def _empty_column(name: str) -> NDArray[Any]:
    del name
    return np.zeros(0, np.int64)


def _plain(system: object) -> str:
    """Letters and digits of a system's name; SNOMED CT has two usual ones."""
    text = "".join(letter for letter in str(system).upper() if letter.isalnum())
    return {"SNOMEDCT": "SNOMED", "SCT": "SNOMED"}.get(text, text)
