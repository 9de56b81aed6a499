"""The reader of tables of one's own: columns become persons and rows as the mapping says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.rows import (
    NO_DAY,
    ClinicalRows,
    concepts_of,
    patient_positions,
    persons_table,
    rows_table,
)
from trajsim.learn.ingest.table_files import LoadedTable, load_tables
from trajsim.learn.ingest.table_rules import PersonRule, RowRule, TimeRule, Where

DAYS_PER_YEAR = 365.25
_SHOWN = 5


def read_own_tables(source: Path, mapping: SourceMapping) -> ClinicalRows:
    """Reads a source in no standard format.

    Args:
        source: Folder of its tables; a file where the mapping names one table only.
        mapping: Says which columns mean what.

    Returns:
        Its rows. What cannot be read as it should be stands in `faults`.

    Raises:
        DataFileError: A file or column is missing, or a file is malformed.
    """
    loaded = load_tables(source, mapping.tables)
    faults: list[str] = []
    table = next(table for table in loaded if table.rule.persons is not None)
    persons = _Reading(table, faults).persons()
    parts = []
    for table in loaded:
        reading = _Reading(table, faults)
        positions = patient_positions(persons, reading.texts(table.rule.patient))
        parts += [reading.rows(rule, positions) for rule in table.rule.rows]
    rows, concepts = _together(parts)
    return ClinicalRows(clock=mapping.clock, persons=persons, concepts=concepts, rows=rows, faults=tuple(faults))


def _one_a_patient(persons: pd.DataFrame, day: NDArray[np.int32]) -> pd.DataFrame:
    """The last row of every patient, with the birth that the first one says, the last end and the first death."""
    order = persons.assign(day=day).sort_values(["patient_id", "day"], kind="stable")
    groups = order.replace({"death": {NO_DAY: np.iinfo(np.int32).max}}).groupby("patient_id", sort=False)
    last = order[~order["patient_id"].duplicated(keep="last")].set_index("patient_id")
    last["birth"] = groups["birth"].first()
    last["end"] = groups["end"].max()
    last["death"] = groups["death"].min().replace({np.iinfo(np.int32).max: NO_DAY})
    kept = last.drop(columns="day").reset_index()
    return kept[list(persons.columns)].astype(dict.fromkeys(("birth", "end", "death"), np.int32))


def _together(parts: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows one below the other, their systems and codes numbered."""
    joined = pd.concat(parts, ignore_index=True)
    concept, concepts = concepts_of(joined["system"], joined["code"])
    named = {name: joined[name] for name in joined.columns if name not in ("system", "code", "patient", "concept")}
    return rows_table(patient=joined["patient"].to_numpy(np.int32), concept=concept, **named), concepts


class _Reading:
    """A loaded table, and what is found wrong in it."""

    def __init__(self, table: LoadedTable, faults: list[str]) -> None:
        self._table = table
        self._faults = faults
        self._blanks = ("", *table.rule.blanks)

    def texts(self, column: str) -> pd.Series:
        """A column as text; None where it is blank. Whole numbers are spelled without a point."""
        values = self._table.columns[column]
        if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64")
        text = values.astype(str).where(values.notna(), None)
        return text.where(~text.isin(self._blanks), None)

    def numbers(self, column: str, *, part: int | None = None) -> NDArray[np.float64]:
        """A column as numbers; NaN where it is blank. What is neither is a fault."""
        if part is None and pd.api.types.is_numeric_dtype(self._table.columns[column]):
            return self._table.columns[column].to_numpy(np.float64, na_value=np.nan)
        texts = self.texts(column)
        if part is not None:
            texts = texts.str.split("/", expand=True).reindex(columns=[part])[part]
        found = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        self._fault(column, texts.notna().to_numpy() & ~np.isfinite(found), "expected a number", self.texts(column))
        return np.where(np.isfinite(found), found, np.nan)

    def days(self, rule: TimeRule | None) -> NDArray[np.int32]:
        """Days, `NO_DAY` where there is none."""
        n_rows = len(self._table.columns)
        if rule is None:
            return np.full(n_rows, NO_DAY, np.int32)
        days = self._exact_days(rule)
        if rule.minus_years is not None:
            days = days - self.numbers(rule.minus_years) * DAYS_PER_YEAR
        if rule.plus_days is not None:
            days = days + self.numbers(rule.plus_days)
        is_day = np.isfinite(days) & self._where(rule.where)
        return np.where(is_day, np.floor(np.where(is_day, days, 0.0)), NO_DAY).astype(np.int32)

    def _exact_days(self, rule: TimeRule) -> NDArray[np.float64]:
        if rule.format == "date":
            return self._dates(rule.column)
        if rule.format == "order":
            return self._ordered(rule)
        numbers = self.numbers(rule.column)
        if rule.format == "days":
            return numbers
        years = numbers if rule.format == "decimal_year" else numbers + 0.5
        whole = np.floor(np.where(np.isfinite(years), years, 1970.0)).astype(np.int64)
        self._fault(rule.column, (whole < 1500) | (whole > 2500), "expected a year", self.texts(rule.column))
        whole = np.clip(whole, 1500, 2500)
        starts, ends = _new_year(whole), _new_year(whole + 1)
        return np.asarray(starts + (years - whole) * (ends - starts))

    def _dates(self, column: str) -> NDArray[np.float64]:
        values = self._table.columns[column]
        texts = self.texts(column)
        if pd.api.types.is_datetime64_any_dtype(values):
            parsed = pd.to_datetime(values, utc=True)
        else:
            parsed = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
        self._fault(column, texts.notna().to_numpy() & parsed.isna().to_numpy(), "expected a date YYYY-MM-DD", texts)
        days = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
        return np.where(np.isnat(days), np.nan, days.astype(np.int64))

    def _ordered(self, rule: TimeRule) -> NDArray[np.float64]:
        """Days that stand for an order: public gaps, added up within a patient."""
        assert rule.gap_column is not None
        gap = self.texts(rule.gap_column)
        days = gap.map(dict(rule.gaps)).astype(float)
        self._fault(rule.gap_column, days.isna().to_numpy(), f"expected one of {', '.join(rule.gaps)}", gap)
        frame = pd.DataFrame(
            {"patient": self.texts(self._table.rule.patient), "order": self.numbers(rule.column), "gap": days}
        ).sort_values(["patient", "order"], kind="stable")
        summed = frame.groupby("patient")["gap"].cumsum()
        if not rule.is_after_gap:
            summed -= frame["gap"]
        return summed.sort_index().to_numpy(np.float64)

    def persons(self) -> pd.DataFrame:
        """The table of persons."""
        table, rule = self._table, self._table.rule.persons
        assert rule is not None
        ids = self.texts(table.rule.patient)
        self._fault(table.rule.patient, ids.isna().to_numpy(), "expected an id", ids)
        made = persons_table(
            patient_id=ids.fillna(""),
            sex=self._sex(rule),
            birth=self._birth(rule),
            entry=self.days(rule.entry),
            end=self.days(rule.end),
            death=self.days(rule.death),
            bmi=np.nan if rule.bmi is None else self.numbers(rule.bmi),
            file=table.file,
            row=table.row.to_numpy(),
        )
        return _one_a_patient(made, self.days(table.rule.time)) if rule.several == "last" else made

    def _sex(self, rule: PersonRule) -> pd.Series | None:
        if rule.sex is None:
            return None
        meanings = {**dict.fromkeys(rule.male, "male"), **dict.fromkeys(rule.female, "female")}
        return self.texts(rule.sex).map(meanings)

    def _birth(self, rule: PersonRule) -> NDArray[np.int32]:
        if rule.age_years is None:
            return self.days(rule.birth)
        if rule.ages:
            texts = self.texts(rule.age_years)
            years = texts.map(dict(rule.ages)).to_numpy(np.float64)
            is_fault = texts.notna().to_numpy() & np.isnan(years)
            self._fault(rule.age_years, is_fault, f"expected one of {', '.join(rule.ages)}", texts)
        else:
            years = self.numbers(rule.age_years) + (0.5 if rule.is_whole_years else 0.0)
        born = -np.floor(np.where(np.isfinite(years), years, 0.0) * DAYS_PER_YEAR)
        if self._table.rule.persons is not None and self._table.rule.persons.entry is not None:
            born = born + self.days(self._table.rule.persons.entry)
        return np.where(np.isfinite(years), born, NO_DAY).astype(np.int32)

    def rows(self, rule: RowRule, positions: NDArray[np.int32]) -> pd.DataFrame:
        """The rows that one rule makes, with their system and code."""
        table = self._table
        value = np.full(len(table.columns), np.nan) if rule.value is None else self.numbers(rule.value, part=rule.part)
        text = pd.Series(None, index=table.columns.index, dtype=object) if rule.text is None else self.texts(rule.text)
        day = self.days(rule.time)
        is_row = self._where(rule.where)
        if rule.code is not None:
            # A column of its own for every lab or event: an empty cell says that there is nothing, not that it is lost.
            if rule.value is not None or rule.text is not None:
                is_row &= np.isfinite(value) | text.notna().to_numpy()
            elif rule.time is not table.rule.time:
                is_row &= day != NO_DAY
            code = pd.Series(rule.code, index=table.columns.index)
        else:
            code = self.texts(str(rule.code_column))
            is_row &= code.notna().to_numpy()
        unit = rule.unit if rule.unit_column is None else self.texts(rule.unit_column)
        made = rows_table(
            patient=positions, day=day, is_lab=rule.is_lab, concept=0, value=value, text=text, unit=unit,
            file=table.file, row=table.row.to_numpy(),
        )  # fmt: skip
        made["system"] = pd.Categorical.from_codes(np.zeros(len(made), np.int8), pd.Index([rule.system]))
        made["code"] = code.to_numpy()
        return made.loc[is_row].astype({"file": str, "unit": object, "text": object, "system": str})

    def _where(self, wheres: Sequence[Where]) -> NDArray[np.bool_]:
        holds = np.ones(len(self._table.columns), dtype=np.bool_)
        for where in wheres:
            holds &= self.texts(where.column).isin(where.values).to_numpy()
        return holds

    def _fault(self, column: str, bad: NDArray[Any], expected: str, texts: pd.Series) -> None:
        """Notes rows that cannot be read, the first few by number."""
        places = np.flatnonzero(bad)
        if not len(places):
            return
        table = self._table
        shown = ", ".join(f"{texts.iloc[place]!r} in row {table.row.iloc[place]}" for place in places[:_SHOWN])
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        self._faults.append(f"{table.file.iloc[places[0]]}: column {column!r}: {expected}, got {shown}{more}")


def _new_year(year: NDArray[np.int64]) -> NDArray[np.int64]:
    """Day on which a year begins, since 1970-01-01."""
    return np.asarray((year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64))
