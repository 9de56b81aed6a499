"""The one form that every reader gives: who the patients are, and what was coded or measured on which day.

Readers keep everything that has a code, whether or not a mapping knows it, and change nothing: what is unmapped,
impossible, repeated or without a day is judged by `trajsim.learn.ingest.apply`, which counts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NO_DAY = np.iinfo(np.int32).min
"""Stands in a column of days where the source gives none."""

UNKNOWN_PATIENT = -1
"""Stands in the column `patient` where no person has the id of the row."""

Clock = Literal["entry", "calendar"]

PERSON_COLUMNS: Mapping[str, type[np.generic] | None] = {
    "patient_id": None,
    "sex": None,
    "birth": np.int32,
    "entry": np.int32,
    "first": np.int32,
    "end": np.int32,
    "death": np.int32,
    "bmi": np.float64,
    "file": None,
    "row": np.int64,
}
"""What `persons` holds, one row a patient; None: text, which may be categorical.

- ``patient_id``: as the source spells it; a patient who stands in it twice is a fault of the source.
- ``sex``: ``male``, ``female``, or missing (None).
- ``birth``: day of birth. On the clock ``entry`` it is minus the age at entry, in days.
- ``entry``: day on which observation for a model starts, where the source says so.
- ``first``: first day on which the source observed the patient; `NO_DAY` where it does not say.
- ``end``: last day of observation. ``death``: day of death. All of them are `NO_DAY` where there is none.
- ``bmi``: body mass index at entry, NaN where unknown.
- ``file``, ``row``: where it stands: name of the file, and its row, from 1, below the header.
"""

ROW_COLUMNS: Mapping[str, type[np.generic] | None] = {
    "patient": np.int32,
    "day": np.int32,
    "is_lab": np.bool_,
    "concept": np.int32,
    "value": np.float64,
    "text": None,
    "unit": None,
    "file": None,
    "row": np.int64,
}
"""What `rows` holds, one row an occurrence or measurement, in any order.

- ``patient``: position in `persons`; `UNKNOWN_PATIENT` where no person has the id.
- ``day``: `NO_DAY` where the source gives none.
- ``is_lab``: something measured; False for an event.
- ``concept``: position in `concepts`.
- ``value``: NaN where there is no number. ``text``: an answer that is a code or words, missing (None) otherwise.
- ``unit``: as the source spells it; missing (None) or empty where it gives none.
- ``file``, ``row``: as in `persons`.
"""

CONCEPT_COLUMNS = ("system", "code")


@dataclass(frozen=True, kw_only=True, eq=False)
class ClinicalRows:
    """What a reader found.

    Attributes:
        clock: ``calendar``: days are counted from 1970-01-01, UTC. ``entry``: they are counted from the day on which
            the patient entered, as sources without dates do.
        persons: Columns of `PERSON_COLUMNS`.
        concepts: Columns ``system`` and ``code``, every pair once. Systems are spelled as `trajsim.codes.systems` does.
        rows: Columns of `ROW_COLUMNS`.
        faults: What is wrong with the source, one sentence each, with file and row: a missing column, text where a
            number should be. They are raised together with what the mapping finds, before anything is written.
        has_all_persons: Whether every person of the source was read. Where faults say that some were not, rows of
            unknown patients are their consequence, and no fault of their own.
        counts: Rules by which the reader itself left something out, with how much.
        last_day: Last day on which anything can have happened: later ones are mistakes. None: any day can be.
    """

    clock: Clock = "calendar"
    persons: pd.DataFrame
    concepts: pd.DataFrame
    rows: pd.DataFrame
    faults: tuple[str, ...] = ()
    has_all_persons: bool = True
    counts: Mapping[str, int] = field(default_factory=dict)
    last_day: int | None = None

    def __post_init__(self) -> None:
        """Checks the form; what is not as it should be is a bug of the reader."""
        for name, table, columns in (("persons", self.persons, PERSON_COLUMNS), ("rows", self.rows, ROW_COLUMNS)):
            for column, dtype in columns.items():
                assert column in table.columns, f"{name} lacks the column {column!r}"
                assert dtype is None or table[column].dtype == dtype, f"{name}: {column!r} must be {dtype}"
        assert tuple(self.concepts.columns) == CONCEPT_COLUMNS

    @property
    def n_patients(self) -> int:
        """Number of persons."""
        return len(self.persons)


def observed_until(last_day: int | None, clinical: ClinicalRows) -> ClinicalRows:
    """Says when a source ends: nobody is observed longer, and how many would be is counted.

    Args:
        last_day: Last day on which anything can have happened; None: any day can be.
        clinical: What a reader found.
    """
    if last_day is None:
        return clinical
    end, death = clinical.persons["end"].to_numpy(), clinical.persons["death"].to_numpy()
    is_longer = end > last_day
    persons = clinical.persons.assign(end=np.where(is_longer, np.int32(last_day), end))
    n_cut = int((is_longer & (death == NO_DAY)).sum())
    counts = {**clinical.counts, **({"observation beyond last_day, cut to it": n_cut} if n_cut else {})}
    return replace(clinical, persons=persons, counts=counts, last_day=last_day)


def persons_table(*, patient_id: object, **columns: object) -> pd.DataFrame:
    """A table of persons: columns that are left out are filled with what means that the source does not say.

    Args:
        patient_id: As the source spells it.
        **columns: Others of `PERSON_COLUMNS`, arrays or single values.
    """
    ids = pd.Series(patient_id).astype(str).reset_index(drop=True)
    n_rows = len(ids)
    missing: dict[str, Any] = {"sex": None, "bmi": np.nan, "file": "", "row": np.arange(1, n_rows + 1)}
    return _table(PERSON_COLUMNS, {"patient_id": ids, **columns}, missing, n_rows)


def rows_table(*, patient: NDArray[Any], **columns: object) -> pd.DataFrame:
    """A table of rows, completed like `persons_table`.

    Args:
        patient: Positions in the table of persons.
        **columns: Others of `ROW_COLUMNS`, arrays or single values; ``concept`` is needed.
    """
    n_rows = len(patient)
    row = np.arange(1, n_rows + 1)
    missing: dict[str, Any] = {"is_lab": False, "value": np.nan, "text": None, "unit": None, "file": "", "row": row}
    return _table(ROW_COLUMNS, {"patient": patient, **columns}, missing, n_rows)


def _table(
    wanted: Mapping[str, type[np.generic] | None], given: Mapping[str, Any], missing: Mapping[str, Any], n_rows: int
) -> pd.DataFrame:
    index = pd.RangeIndex(n_rows)
    table: dict[str, Any] = {}
    for name, dtype in wanted.items():
        values = given.get(name, missing.get(name, NO_DAY))
        if dtype is not None:
            table[name] = np.broadcast_to(np.asarray(values, dtype=dtype), n_rows)
        elif values is None or isinstance(values, str):
            same = np.full(n_rows, 0 if values else -1, np.int8)
            table[name] = pd.Categorical.from_codes(same, pd.Index([values or ""]))
        else:
            table[name] = pd.Series(values).set_axis(index)
    return pd.DataFrame(table, index=index)


def patient_positions(persons: pd.DataFrame, patient_ids: pd.Series) -> NDArray[np.int32]:
    """Where the ids of rows stand in `persons`, `UNKNOWN_PATIENT` where they do not; the first of several."""
    known = pd.Index(persons["patient_id"].astype(str))
    first = known[~known.duplicated()]
    back = np.flatnonzero(~known.duplicated())
    codes, uniques = pd.factorize(patient_ids)
    found = first.get_indexer(pd.Index(uniques).astype(str))
    positions = np.where(found < 0, UNKNOWN_PATIENT, back[found] if len(back) else UNKNOWN_PATIENT)
    positions = np.append(positions, UNKNOWN_PATIENT)  # an empty id has the code -1
    return np.asarray(positions[codes], dtype=np.int32)


def concepts_of(systems: str | pd.Series, codes: pd.Series) -> tuple[NDArray[np.int32], pd.DataFrame]:
    """Gives every pair of system and code a position, in the order of first appearance.

    Args:
        systems: One a row, or a single name for all.
        codes: One a row.

    Returns:
        Positions, and the table `ClinicalRows.concepts`.
    """
    code_numbers, code_names = pd.factorize(codes)
    n_codes = len(code_names) + 1
    code_numbers = np.where(code_numbers < 0, len(code_names), code_numbers)  # no code
    if isinstance(systems, str):
        system_numbers, system_names = np.zeros(len(codes), np.int64), [systems]
    else:
        system_numbers, found = pd.factorize(systems)
        system_names = [str(name) for name in found]
        system_numbers = np.where(system_numbers < 0, len(system_names), system_numbers)
    numbers, pairs = pd.factorize(system_numbers.astype(np.int64) * n_codes + code_numbers)
    names = np.array([*(str(name) for name in code_names), ""], dtype=np.str_)
    systems_of = np.array([*system_names, ""], dtype=np.str_)
    table = pd.DataFrame({"system": systems_of[pairs // n_codes], "code": names[pairs % n_codes]})
    return numbers.astype(np.int32), table
