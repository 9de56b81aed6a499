"""Reads a reference: tables of another engine's results on a population that a README describes.

Only what the comparison uses is read. Every fault of every file is reported at once.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trajsim.errors import DataFileError
from trajsim.evaluate.parity.ages import BANDS, SEXES

States = Mapping[str, Mapping[str, Mapping[str, object]]]
"""By module and state: entered, persons, still_there, mean_days, to."""

_TEXT = frozenset({"kind", "class", "code", "display", "sex", "race", "ethnicity", "units", "value", "cause", "py"})
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time_at_risk": ("sex", "age_from", "persons", "person_years"),
    "persons": ("sex", "race", "ethnicity", "n", "deaths"),
    "codes": ("kind", "class", "code", "display"),
    "events_per_person": ("kind", "class", "code", "persons_ever", "events", "sum_sq_per_person"),
    "events_by_age_sex": ("kind", "class", "code", "sex", "age_from", "events", "persons_with", "sum_sq_per_person"),
    "condition_point_prevalence": ("code", "sex", "age_from", "persons"),
    "living_at_end": ("sex", "age_from", "living"),
    "condition_days": ("code", "n", "stopped", "mean_days", "q25", "q50", "q75"),
    "medication_days": ("code", "n", "stopped", "mean_days", "q25", "q50", "q75"),
    "observation_values": (
        "code", "units", "sex", "age_from", "n", "persons", "mean", "sd", "q05", "q25", "q50", "q75", "q95",
    ),
    "observation_texts": ("code", "value", "n", "persons"),
    "deaths": ("sex", "age_from", "cause", "n"),
    "encounter_minutes": ("class", "n", "mean_minutes", "q05", "q50", "q95"),
    "encounter_gaps": ("class", "n", "mean_days", "q05", "q25", "q50", "q75", "q95"),
    "payer_ownership_years": ("py", "age_from", "person_years"),
}  # fmt: skip
"""Columns that the comparison needs of every table, by file name without ``.csv``."""

_MAY_LACK = frozenset({"condition_days", "medication_days", "deaths", "payer_ownership_years"})
"""Tables that are not there when nothing of the kind happened, as in a run without diseases or without payers."""

_END_DATE = re.compile(r"end date[^|\n]*\|\s*(\d{4}-\d{2}-\d{2})")
_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Results that ours are compared with.

    Attributes:
        name: The folder's name.
        tables: Frames by file name, as the README of the reference describes them.
        totals: One row a person, number of rows of every kind; None if the file is not there.
        states: By module and state.
        n_persons: Persons simulated.
        end_date: Last day, ISO; None if the README does not say.
        ceiling: Share of codes within 2 SE between the reference's own halves, by kind; empty if unknown.
        ceiling_codes: How many codes each of these shares rests on.
    """

    name: str
    tables: Mapping[str, pd.DataFrame]
    totals: pd.DataFrame | None
    states: States
    n_persons: int
    end_date: str | None
    ceiling: Mapping[str, float]
    ceiling_codes: Mapping[str, int]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """One table."""
        return self.tables[name]


def read_reference(directory: Path) -> Reference:
    """Reads a folder of reference tables.

    Args:
        directory: Holds the files of `COLUMNS`, ``states.json``, and if they are there ``README.md`` (for the end
            date), ``person_totals.parquet`` and ``agreement_of_halves.json``.

    Returns:
        The reference.

    Raises:
        DataFileError: Files or columns are missing, or hold what they should not; all of them are named.
    """
    faults: list[str] = []
    tables = {name: _read_table(directory / f"{name}.csv", columns, faults) for name, columns in COLUMNS.items()}
    states = _read_states(directory / "states.json", faults)
    totals = _read_totals(directory / "person_totals.parquet", faults)
    ceiling = _read_ceiling(directory / "agreement_of_halves.json", faults)
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults[:_SHOWN])
        more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        msg = (
            f"{directory}: {len(faults)} fault{'s' if len(faults) != 1 else ''} in the reference tables\n{shown}{more}"
        )
        raise DataFileError(msg, hint="docs/guides/parity.md lists the tables and columns of a reference")
    return Reference(
        name=directory.name,
        tables=tables,
        totals=totals,
        states=states,
        n_persons=int(tables["persons"]["n"].sum()),
        end_date=_end_date(directory / "README.md"),
        ceiling={kind: float(entry["within_2_se"]) for kind, entry in ceiling.items()},
        ceiling_codes={kind: int(entry["codes"]) for kind, entry in ceiling.items()},
    )


def _read_table(path: Path, columns: tuple[str, ...], faults: list[str]) -> pd.DataFrame:
    """Reads and checks one table; adds to the faults and returns what there is."""
    empty = pd.DataFrame({name: [] for name in columns})
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path.stem not in _MAY_LACK:
            faults.append(f"{path.name}: no such file")
        return _converted(empty)
    except UnicodeDecodeError:
        faults.append(f"{path.name}: not UTF-8 text")
        return empty
    try:
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        faults.append(f"{path.name}: not a CSV table ({str(error).splitlines()[0]})")
        return empty
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        found = ", ".join(map(str, frame.columns))
        faults.extend(f"{path.name}: column {name!r} is missing, found {found}" for name in missing)
        return empty
    checked = frame[list(columns)].copy()
    faults.extend(_convert(path.name, checked))
    return checked


def _converted(frame: pd.DataFrame) -> pd.DataFrame:
    """An empty table with numbers where numbers belong."""
    return frame.astype({column: "object" if column in _TEXT else "float64" for column in frame.columns})


def _convert(name: str, frame: pd.DataFrame) -> Iterator[str]:
    """Turns the number columns into numbers, in place; empty cells become NaN. Yields faults."""
    for column in frame.columns:
        if column in _TEXT:
            continue
        cells = frame[column].str.strip()
        numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce")
        bad = numbers.isna() & (cells != "")
        for row in np.flatnonzero(bad.to_numpy())[:3]:
            yield f"{name}: row {row + 2}, column {column!r}: expected a number, got {cells.iloc[row]!r}"
        frame[column] = numbers
    if "age_from" in frame.columns:
        known = frame["age_from"].isin(BANDS)
        if "sex" in frame.columns:
            known &= frame["sex"].isin(SEXES)
        for row in np.flatnonzero(~known.to_numpy())[:3]:
            got = ", ".join(str(frame[column].iloc[row]) for column in ("sex", "age_from") if column in frame.columns)
            yield f"{name}: row {row + 2}: expected sex F or M and age_from 0, 1, 5, 10 ... 85, got {got}"


def _read_json(path: Path, faults: list[str]) -> dict[str, object]:
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        faults.append(f"{path.name}: no such file")
        return {}
    except orjson.JSONDecodeError as error:
        faults.append(f"{path.name}: not JSON ({error})")
        return {}
    if not isinstance(content, dict):
        faults.append(f"{path.name}: expected an object, got {type(content).__name__}")
        return {}
    return content


def _read_states(path: Path, faults: list[str]) -> States:
    content = _read_json(path, faults)
    problem = next(states_faults(content), None)
    if problem is not None:
        faults.append(f"{path.name}: {problem}")
        return {}
    return content  # type: ignore[return-value]  # its shape was just checked


def states_faults(content: Mapping[str, object]) -> Iterator[str]:
    """What does not fit the shape of state metrics."""
    for module, states in content.items():
        if not isinstance(states, dict):
            yield f"$.{module}: expected an object by state"
            continue
        for state, entry in states.items():
            is_counted = isinstance(entry, dict) and all(isinstance(entry.get(key), int) for key in _STATE_COUNTS)
            leads = entry.get("to") if isinstance(entry, dict) else None
            if not (is_counted and isinstance(leads, dict) and all(isinstance(n, int) for n in leads.values())):
                yield f"$.{module}[{state!r}]: expected the numbers {', '.join(_STATE_COUNTS)} and the object 'to'"


_STATE_COUNTS = ("entered", "persons", "still_there")


def _read_totals(path: Path, faults: list[str]) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        faults.append(f"{path.name}: not a readable Parquet file ({str(error).splitlines()[0]})")
        return None
    return frame


def _read_ceiling(path: Path, faults: list[str]) -> Mapping[str, Mapping[str, float]]:
    if not path.is_file():
        return {}
    content = _read_json(path, faults)
    sound = {}
    for kind, entry in content.items():
        if isinstance(entry, dict) and {"codes", "within_2_se"} <= entry.keys():
            sound[kind] = entry
        else:
            faults.append(f"{path.name}: $.{kind}: expected the numbers 'codes' and 'within_2_se'")
    return sound


def _end_date(path: Path) -> str | None:
    found = _END_DATE.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found[1] if found else None
