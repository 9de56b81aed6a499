"""Small populations as Records, and trials on them."""

import copy
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.records import Records
from trajsim.records.schema import TABLES, TEXT
from trajsim.records.table import schema_of
from trajsim.trials.recruitment.eligibility import Eligibility, Everyone
from trajsim.trials.recruitment.world import World, build_world
from trajsim.trials.spec import TrialSpec
from trajsim.trials.spec_reading import spec_from

DAY_US = 86_400_000_000
START = dt.date(2020, 1, 1)
ORIGIN = (START - dt.date(1970, 1, 1)).days

SPEC: dict[str, object] = {
    "title": "A trial of tests",
    "criteria": {"rules": []},
    "recruitment": {"start": "2020-01-01", "planned_end": "2020-12-30", "horizon": "2020-12-30", "target": 1_000_000},
    "sites": [{"name": f"Site {n}", "share": 0.25} for n in range(4)],
    "funnel": {"consent": 0.5, "eligible": 1.0, "completes": 1.0},
    "endpoint": {"per_year": 0.2},
}


def document(**changes: object) -> dict[str, object]:
    """The spec of tests with changed sections; a section that is a mapping is merged."""
    merged = copy.deepcopy(SPEC)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def spec(**changes: object) -> TrialSpec:
    """The same as a trial; the target may lie above the catchment, which only `build_world` minds."""
    return spec_from(document(**changes), source=Path("trial.yaml"))


Columns = Mapping[str, Any]


def table(name: str, columns: Columns, n: int) -> pa.Table:
    """A table of Records with some columns, the others null, 0 or empty."""
    arrays = []
    for column, about in TABLES[name].items():
        if column in columns:
            values = columns[column]
            if column in ("time", "stop", "birth_time", "death_time", "last_time"):
                numbers = [None if v is None else int(v) for v in values]
                arrays.append(pa.array(numbers, pa.int64()).cast(about.type))
            elif about.type == TEXT:
                arrays.append(pa.array(list(values), pa.string()).dictionary_encode().cast(about.type))
            else:
                arrays.append(pa.array(values, about.type))
        elif about.nullable:
            arrays.append(pa.nulls(n, about.type))
        elif about.type == TEXT:
            arrays.append(pa.array([""] * n, pa.string()).dictionary_encode().cast(about.type))
        else:
            arrays.append(pa.array([0] * n, pa.int64()).cast(about.type))
    return pa.Table.from_arrays(arrays, schema=schema_of(name))


def instants(days: NDArray[np.int64] | Sequence[int]) -> NDArray[np.int64]:
    """Noon of days of the trial, microseconds."""
    return (np.asarray(days, np.int64) + ORIGIN) * DAY_US + DAY_US // 2


def people(
    visits: Sequence[Sequence[int]] | NDArray[np.int64],
    *,
    more: Columns | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> Records:
    """Records of one patient a list of visit days; 60-year-old women and men by turns who stay alive."""
    n = len(visits)
    ids = np.arange(1, n + 1, dtype=np.uint64)
    patients: dict[str, Any] = {
        "patient_id": ids,
        "birth_time": instants(np.full(n, -60 * 365 - 100)),
        "last_time": instants(np.full(n, 3_650)),
        "sex": ["F" if k % 2 else "M" for k in range(n)],
        "race": ["white" if k % 4 else "black" for k in range(n)],
        "ethnicity": ["nonhispanic"] * n,
    }
    patients |= dict(more or {})
    counts = [len(days) for days in visits]
    days = np.concatenate([np.asarray(each, np.int64) for each in visits]) if n else np.zeros(0, np.int64)
    encounters = {
        "patient_id": np.repeat(ids, counts),
        "row_key": np.arange(1, len(days) + 1, dtype=np.uint64),
        "time": instants(days),
        "stop": instants(days),
        "encounter_class": ["ambulatory"] * len(days),
    }
    return Records(
        {"patients": table("patients", patients, n), "encounters": table("encounters", encounters, len(days))}
        | dict(tables or {})
    )


class Fixed:
    """Criteria whose answers are given, by patient."""

    def __init__(self, names: Sequence[str], answers: Sequence[Sequence[int]]) -> None:
        """Takes [n_patients, n_rules]."""
        self.rule_names = tuple(names)
        self._answers = np.array(answers, np.int8).reshape(len(answers), len(self.rule_names))
        self.n_asked = 0

    def evaluate(self, patient: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.int8]:
        """The same at any time."""
        self.n_asked += len(time_us)
        return self._answers[patient]


def world(records: Records, *, criteria: Eligibility | None = None, seed: int = 1, **changes: object) -> World:
    """A trial of tests on Records; recruitment does not stop unless a target is given."""
    changed = document(**changes)
    recruitment = changed["recruitment"]
    assert isinstance(recruitment, dict)
    given = changes.get("recruitment")
    if not (isinstance(given, dict) and "target" in given):
        recruitment["target"] = 1
        recruitment["stops_at_target"] = False
    trial = spec_from(changed, source=Path("trial.yaml"))
    return build_world(trial, records, criteria or Everyone(), seed=seed)
