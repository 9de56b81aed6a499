"""From what a reader gathered to `ClinicalRows`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.learn.ingest.readers.collected import Collected, Faults
from trajsim.learn.ingest.rows import NO_DAY, UNKNOWN_PATIENT, ClinicalRows, persons_table, rows_table


def finished(
    collected: Collected,
    faults: Faults,
    counts: Mapping[str, int] | None = None,
    *,
    aliases: Mapping[str, str] | None = None,
    last_day: int | None = None,
    has_all_persons: bool = True,
) -> ClinicalRows:
    """The rows, with everything that is wrong with the source.

    Args:
        collected: People and rows.
        faults: What is wrong.
        counts: Rules by which the reader left something out.
        aliases: Other ids by which rows name patients, with the patient's own id.
        last_day: Last day on which anything can have happened; rows after it are no sign of observation.
        has_all_persons: Whether every person of the source was read.

    Returns:
        Rows on the calendar's clock. Where no observation period is given, a patient is observed from the first to the
        last day of theirs; a death ends it.
    """
    people, rows = collected.all_people(), collected.all_rows()
    ids = people["patient_id"].to_pylist()
    patient = _positions(ids, rows["patient_id"], aliases or {})
    day = _days(rows["day"])
    persons = persons_table(
        patient_id=pd.Series(ids, dtype=object),
        sex=_sexes(people["sex"]),
        birth=_days(people["birth_day"]),
        first=_days(people["first_day"]),
        end=_days(people["last_day"]),
        death=_days(people["death_day"]),
        file=_categorical(people["source"].combine_chunks().dictionary_encode()),
        row=people["row"].to_numpy(),
    )
    _fill_periods(persons, patient, day, last_day)
    concept, concepts = _concepts(rows["system"], rows["code"])
    made = rows_table(
        patient=patient,
        day=day,
        is_lab=rows["is_lab"].to_numpy(),
        concept=concept,
        value=rows["value"].to_numpy(),
        text=_categorical(rows["text"]),
        unit=_categorical(rows["unit"]),
        file=_categorical(rows["source"]),
        row=rows["row"].to_numpy(),
    )
    return ClinicalRows(
        persons=persons,
        concepts=concepts,
        rows=made,
        faults=tuple(faults.sentences()),
        counts=dict(counts or {}),
        last_day=last_day,
        has_all_persons=has_all_persons,
    )


_SEX_WORDS = {
    "m": "male", "male": "male", "man": "male", "f": "female", "female": "female", "woman": "female",
    "8507": "male", "8532": "female",
}  # fmt: skip


def sex_of(word: object) -> str | None:
    """``male``, ``female``, or none for anything else (unknown, other)."""
    return _SEX_WORDS.get(str(word).strip().lower())


def _sexes(words: pa.ChunkedArray) -> pd.Series:
    codes, names = _parts(words.combine_chunks().dictionary_encode())
    sexes = ["female", "male"]
    place = np.array([*(sexes.index(sex_of(name) or "") if sex_of(name) else -1 for name in names), -1], np.int8)
    return pd.Series(pd.Categorical.from_codes(place[codes], pd.Index(sexes)))


def _days(column: pa.ChunkedArray) -> NDArray[np.int32]:
    return np.asarray(column.fill_null(NO_DAY).to_numpy(), dtype=np.int32)


def _parts(column: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """Codes (-1 for none) and names of a dictionary column in one chunk."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], pa.string()).dictionary_encode()
    return array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), array.dictionary.to_pylist()


def _categorical(column: pa.ChunkedArray | pa.Array) -> pd.Series:
    codes, names = _parts(column)
    unique = list(dict.fromkeys(names))
    if len(unique) != len(names):
        place = {name: number for number, name in enumerate(unique)}
        codes = np.append([place[name] for name in names], -1)[codes]
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(unique)))


def _positions(ids: list[str], column: pa.ChunkedArray, aliases: Mapping[str, str]) -> NDArray[np.int32]:
    place: dict[str, int] = {}
    for position, name in enumerate(ids):
        place.setdefault(name, position)
    codes, names = _parts(column)
    found = np.array(
        [*(place.get(aliases.get(name, name), UNKNOWN_PATIENT) for name in names), UNKNOWN_PATIENT], np.int32
    )
    return found[codes]


def _concepts(systems: pa.ChunkedArray, codes: pa.ChunkedArray) -> tuple[NDArray[np.int32], pd.DataFrame]:
    system, system_names = _parts(systems)
    code, code_names = _parts(codes)
    both = system * (len(code_names) + 1) + code
    seen = np.bincount(both, minlength=1) > 0
    pairs, position = np.flatnonzero(seen), (np.cumsum(seen) - 1)[both]
    names = [
        ((system_names[pair // (len(code_names) + 1)] or ""), (code_names[pair % (len(code_names) + 1)] or ""))
        for pair in pairs.tolist()
    ]
    unique = list(dict.fromkeys(names))
    number = {name: k for k, name in enumerate(unique)}
    place = np.array([number[name] for name in names], np.int32)
    table = pd.DataFrame(unique, columns=["system", "code"]) if unique else pd.DataFrame({"system": [], "code": []})
    return (place[position] if len(place) else np.zeros(0, np.int32)), table


def _fill_periods(
    persons: pd.DataFrame, patient: NDArray[np.int32], day: NDArray[np.int32], last_day: int | None
) -> None:
    """Observation from the first to the last day of a patient where the source does not say more."""
    is_known = (patient >= 0) & (day != NO_DAY)
    if last_day is not None:
        is_known &= day <= last_day
    first = np.full(len(persons), np.iinfo(np.int32).max, np.int32)
    last = np.full(len(persons), NO_DAY, np.int32)
    np.minimum.at(first, patient[is_known], day[is_known])
    np.maximum.at(last, patient[is_known], day[is_known])
    birth, death = persons["birth"].to_numpy(), persons["death"].to_numpy()
    first = np.where(last == NO_DAY, birth, first)
    own_first, own_end = persons["first"].to_numpy(), persons["end"].to_numpy()
    persons["first"] = np.where(own_first == NO_DAY, first, own_first).astype(np.int32)
    end = np.where(own_end == NO_DAY, last, own_end)
    persons["end"] = np.where(death != NO_DAY, death, end).astype(np.int32)
