"""A made-up population: events are Poisson counts around a lognormal frailty of each person, so they cluster."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.records.schema import TABLES
from trajsim.records.table import Records, schema_of

YEAR_US = 31_557_600_000_000
END_US = 1_735_689_600_000_000  # 2025-01-01
N_CODES = 160
VALUE_CODE = "8480-6"


def table(name: str, columns: Mapping[str, object]) -> pa.Table:
    """A table of the schema; what is not given is null, empty or 0."""
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]  # all columns have a length
    made = []
    for column, about in TABLES[name].items():
        if column in columns:
            made.append(pa.array(list(columns[column])).cast(about.type))  # type: ignore[call-overload]  # iterable
        elif about.nullable:
            made.append(pa.nulls(n, about.type))
        elif pa.types.is_dictionary(about.type):
            made.append(pa.array([""] * n).cast(about.type))
        else:
            made.append(pa.array([0] * n).cast(about.type))
    return pa.Table.from_arrays(made, schema=schema_of(name))


def made_up_records(
    n: int, seed: int, *, planted: Mapping[int, float] | None = None, shift: float = 0.0, first: int = 0
) -> Records:
    """Draws persons with conditions, encounters, a blood pressure and deaths.

    Args:
        n: Persons.
        seed: Of the draws.
        planted: Factor on the rate of some codes, by their number.
        shift: Added to every blood pressure.
        first: Id of the first person.
    """
    rng = np.random.default_rng(seed)
    age = rng.uniform(0.5, 90.0, n)
    birth = END_US - (age * YEAR_US).astype(np.int64)
    dead = rng.random(n) < 0.1
    last = np.where(dead, birth + (rng.random(n) * (END_US - birth)).astype(np.int64), END_US)
    span = (last - birth) / YEAR_US
    ids = np.arange(first, first + n)
    sex = np.where(rng.random(n) < 0.5, "F", "M")
    person, code = _events(rng, span, planted or {})
    when = birth[person] + (rng.random(len(person)) * (last - birth)[person]).astype(np.int64)
    stops = when + 10 * 86_400_000_000
    is_open = stops > last[person]
    states = [f"Onset {number}" for number in code]
    conditions = table("conditions", {
        "patient_id": ids[person], "time": when, "code": [f"C{number}" for number in code],
        "stop": [None if still else int(stop) for still, stop in zip(is_open, stops, strict=True)],
        "display": [f"condition {number} & more" for number in code], "module": ["made"] * len(code), "state": states,
    })  # fmt: skip
    visits = np.repeat(np.arange(n), np.maximum(span.astype(int), 1))
    visited = birth[visits] + (rng.random(len(visits)) * (last - birth)[visits]).astype(np.int64)
    pressure = rng.normal(0.0, 8.0, n)[visits] + rng.normal(120.0 + shift, 6.0, len(visits))
    order = np.lexsort((visited, visits))
    return Records({
        "patients": table("patients", {
            "patient_id": ids, "birth_time": birth, "last_time": last, "sex": sex,
            "death_time": [int(t) if d else None for t, d in zip(last, dead, strict=True)],
            "race": ["white"] * n, "ethnicity": ["nonhispanic"] * n,
        }),
        "conditions": conditions,
        "encounters": table("encounters", {
            "patient_id": ids[visits[order]], "time": visited[order], "stop": visited[order] + 900_000_000,
            "encounter_class": ["wellness"] * len(visits), "code": ["162673000"] * len(visits),
        }),
        "observations": table("observations", {
            "patient_id": ids[visits[order]], "time": visited[order], "code": [VALUE_CODE] * len(visits),
            "category": ["vital-signs"] * len(visits), "numeric_value": pressure[order],
            "unit": ["mm[Hg]"] * len(visits),
        }),
        "deaths": table("deaths", {
            "patient_id": ids[dead], "time": last[dead],
            "cause_display": ["Sudden cardiac death (disorder)"] * int(dead.sum()),
        }),
    })  # fmt: skip


def _events(
    rng: np.random.Generator, span: NDArray[np.float64], planted: Mapping[int, float]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Person and code of each event; ten codes share a frailty, as those of one disease do."""
    n = len(span)
    rates = np.geomspace(0.002, 0.5, N_CODES)
    for number, factor in planted.items():
        rates[number] *= factor
    frailty = np.repeat(rng.lognormal(-0.5, 1.0, (n, N_CODES // 10)), 10, axis=1)
    counts = rng.poisson(frailty * rates * span[:, None])
    person, code = np.nonzero(counts)
    repeats = counts[person, code]
    return np.repeat(person, repeats), np.repeat(code, repeats)


def made_up_states(records: Records, n_codes: int = N_CODES) -> dict[str, dict[str, dict[str, object]]]:
    """State metrics that fit the conditions of made-up Records."""
    onsets = records["conditions"]
    ids = onsets["patient_id"].to_numpy()
    codes = np.array([int(text[1:]) for text in onsets["code"].cast("string").to_pylist()])
    states: dict[str, dict[str, object]] = {}
    for number in range(n_codes):
        _, a_person = np.unique(ids[codes == number], return_counts=True)
        entered = int(a_person.sum())
        if entered:
            states[f"Onset {number}"] = {
                "entered": entered, "persons": len(a_person), "still_there": 0, "mean_days": 1.0,
                "sum_sq_per_person": int((a_person**2).sum()),
                "to": {"Well": entered // 2, "Ill": entered - entered // 2},
            }  # fmt: skip
    return {"made": states}
