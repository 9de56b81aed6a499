"""Event sequences as arrays of fixed shape, one row a patient: what a loss is taken of, and clipped by.

A row is a whole patient, never a window of one: the privacy guarantee is per row. Rows lie in buckets by length, so
that short histories are not padded to the longest one and a handful of compiled shapes serve every batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import EventSequences, Legality, Vocabulary
from trajsim.learn.features import DAYS_PER_YEAR, scaled_bmi, still_features

BUCKETS = (4, 8, 16, 48)
"""Days a row has room for. Whoever has more is censored at the last day of the largest bucket: nobody is left out."""

Rows = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Bucket:
    """Patients whose histories have similar length.

    Attributes:
        positions: [n] Where the patients stand in the sequences.
        rows: Arrays with the patients as first axis (`pad` lists them).
    """

    positions: NDArray[np.int64]
    rows: Rows

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.positions)


def pad(sequences: EventSequences, legality: Legality | None = None) -> list[Bucket]:
    """Cuts sequences into buckets of fixed shape.

    With T days in a bucket a row has T + 1 states: at entry, and after each day. Gap i is the time after state i.

    Arrays of a row:
        sex, bmi, has_bmi, entry_age: scalars. entry_*: items of the entry head.
        still [T + 1, n_still], age [T + 1], value_age [T + 1, V], has [T + 1, V]: features of every state.
        state [T + 1]: 1 where there is one. gap [T + 1]: years until the next day or until the end.
        legal [T + 1, K]: what can come from the state. mark_events [T + 1, K], mark_any [T + 1]: legal events that end
        the gap. mark_visit [T + 1], mark_panel [T + 1] (index of the set measured), measured and value [T + 1, V].

    Args:
        sequences: Any patients.
        legality: What may follow what; first occurrences when None.

    Returns:
        The buckets that hold somebody.
    """
    n_events = len(sequences.vocabulary.events)
    legality = legality or Legality.first_occurrences(n_events)
    counts = np.minimum(sequences.n_days, BUCKETS[-1])
    which = np.searchsorted(BUCKETS, counts)
    buckets = []
    for number, length in enumerate(BUCKETS):
        positions = np.flatnonzero(which == number)
        if len(positions):
            buckets.append(Bucket(positions, _rows(sequences.take(positions), counts[positions], length, legality)))
    return buckets


def chunks(bucket: Bucket, positions: NDArray[np.int64], size: int) -> Iterator[tuple[Rows, NDArray[np.bool_]]]:
    """Rows of some patients of a bucket in pieces of exactly `size`, with a flag for those that only fill up."""
    for start in range(0, len(positions), size):
        some = positions[start : start + size]
        padding = np.zeros(size, dtype=bool)
        padding[len(some) :] = True
        chosen = np.concatenate([some, np.zeros(size - len(some), dtype=np.int64)])
        yield {name: rows[chosen] for name, rows in bucket.rows.items()}, padding


@dataclass(frozen=True, eq=False)
class _Padded:
    """Days of patients in a bucket: [n, T] and [n, T, ...], scaled values, nothing where there is no day."""

    there: NDArray[np.bool_]
    day: NDArray[np.float64]
    events: NDArray[np.bool_]
    forbidden: NDArray[np.bool_]
    visit: NDArray[np.float64]
    scaled: NDArray[np.float64]


def _padded(sequences: EventSequences, counts: NDArray[np.int64], length: int) -> _Padded:
    there = np.arange(length) < counts[:, None]
    at = np.where(there, sequences.offsets[:-1, None] + np.arange(length), 0)

    def days(column: NDArray[Any], fill: float) -> NDArray[np.float64]:
        if not len(column):
            return np.full((len(sequences), length, *column.shape[1:]), fill)
        taken: NDArray[np.float64] = column[at].astype(np.float64)
        taken[~there] = fill
        return taken

    return _Padded(
        there=there,
        day=days(sequences.day, 0.0),
        events=days(sequences.events, 0.0).astype(bool),
        forbidden=days(sequences.forbidden, 0.0).astype(bool),
        visit=days(sequences.is_visit, 0.0),
        scaled=_scaled(sequences.vocabulary, days(sequences.values, np.nan)),
    )


def _scaled(vocabulary: Vocabulary, published: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = [lab.scaled(published[..., number]) for number, lab in enumerate(vocabulary.labs)]
    return np.stack(columns, axis=-1) if columns else published


def _rows(sequences: EventSequences, counts: NDArray[np.int64], length: int, legality: Legality) -> Rows:
    """All arrays of a bucket."""
    n, k = len(sequences), len(sequences.vocabulary.events)
    padded = _padded(sequences, counts, length)
    end = np.where(counts == sequences.n_days, sequences.follow_up_days, padded.day.max(axis=1, initial=0.0))
    days = np.concatenate([np.zeros((n, 1)), np.where(padded.there, padded.day, end[:, None])], axis=1)
    times = days / DAYS_PER_YEAR
    state = np.concatenate([np.ones((n, 1), bool), padded.there], axis=1)
    gap = np.diff(np.concatenate([times, end[:, None] / DAYS_PER_YEAR], axis=1), axis=1)

    held = np.maximum.accumulate(np.concatenate([sequences.prevalent[:, None], padded.events], axis=1), axis=1)
    legal = legality.legal(held)
    ends = _next(padded.events & ~padded.forbidden) & legal
    if sequences.vocabulary.has_death:
        legal = legal & ~held[..., -1:]
    rows = {
        **_entry_rows(sequences),
        **_feature_rows(sequences, padded, times=times, gap=gap, held=held[..., : k - 1]),
        **_mark_rows(padded),
        "state": state, "gap": gap * state, "legal": legal & state[..., None],
        "mark_events": ends, "mark_any": ends.any(axis=-1),
    }  # fmt: skip
    return {name: np.ascontiguousarray(column, dtype=np.float32) for name, column in rows.items()}


def _entry_rows(sequences: EventSequences) -> dict[str, NDArray[Any]]:
    """What the entry chain is taught."""
    entry = _scaled(sequences.vocabulary, sequences.entry_values)
    bmi, has_bmi = scaled_bmi(np, sequences.bmi)
    return {
        "sex": sequences.is_male, "bmi": bmi, "has_bmi": has_bmi, "entry_age": sequences.entry_age_days / DAYS_PER_YEAR,
        "entry_prevalent": sequences.prevalent[:, :-1], "entry_has": ~np.isnan(entry),
        "entry_value": np.nan_to_num(entry),
        "entry_value_years": np.maximum(sequences.entry_value_days, 0) / DAYS_PER_YEAR,
    }  # fmt: skip


def _feature_rows(
    sequences: EventSequences, padded: _Padded, *, times: NDArray[np.float64], gap: NDArray[np.float64],
    held: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """What the model sees at every state."""
    n, states = times.shape
    age = sequences.entry_age_days[:, None] / DAYS_PER_YEAR + times
    entry = _scaled(sequences.vocabulary, sequences.entry_values)
    measured = ~np.isnan(padded.scaled)
    entry_has = ~np.isnan(entry)
    stale = np.maximum(sequences.entry_value_days, 0) / DAYS_PER_YEAR
    read = np.where(entry_has, age[:, :1] - stale, 0.0)
    last, has, last_age = _carried(
        np.concatenate([entry[:, None], padded.scaled], axis=1),
        np.concatenate([entry_has[:, None], measured], axis=1),
        np.concatenate([read[:, None], np.broadcast_to(age[:, 1:, None], measured.shape)], axis=1),
    )
    bmi, has_bmi = scaled_bmi(np, sequences.bmi)
    nothing = np.zeros((n, 1, measured.shape[-1]))

    def of_patient(column: NDArray[Any]) -> NDArray[np.float64]:
        return np.broadcast_to(column[:, None] * 1.0, (n, states))

    still = still_features(
        np,
        is_male=of_patient(sequences.is_male),
        bmi=of_patient(bmi),
        has_bmi=of_patient(has_bmi),
        gap_years=np.concatenate([np.zeros((n, 1)), gap[:, :-1]], axis=1),
        is_entry=np.broadcast_to(np.arange(states) == 0, (n, states)) * 1.0,
        is_visit=np.concatenate([np.zeros((n, 1)), padded.visit], axis=1),
        held=held * 1.0,
        now=np.concatenate([np.zeros((n, 1, held.shape[-1])), padded.events[..., : held.shape[-1]]], axis=1),
        measured=np.concatenate([nothing, measured], axis=1),
        value=np.concatenate([nothing, np.nan_to_num(padded.scaled)], axis=1),
        last=last,
        has=has * 1.0,
    )
    return {"still": still, "age": age, "value_age": last_age, "has": has}


def _mark_rows(padded: _Padded) -> dict[str, NDArray[Any]]:
    """What ends the gap after every state, besides events."""
    measured = _next(~np.isnan(padded.scaled))
    return {
        "mark_visit": _next(padded.visit > 0),
        "mark_panel": measured @ (1 << np.arange(measured.shape[-1])),
        "measured": measured,
        "value": _next(np.nan_to_num(padded.scaled)),
    }


def _next(days: NDArray[Any]) -> NDArray[Any]:
    """What ends the gap after each state: the day that follows; nothing after the last one."""
    return np.concatenate([days, np.zeros_like(days[:, :1])], axis=1)


def _carried(
    values: NDArray[np.float64], measured: NDArray[np.bool_], ages: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Last value of every lab at each state, whether there is one, and the age at which it was read."""
    steps = np.where(measured, np.arange(values.shape[1])[None, :, None], -1)
    newest = np.maximum.accumulate(steps, axis=1)
    has = newest >= 0
    picked = np.maximum(newest, 0)
    last = np.where(has, np.take_along_axis(np.nan_to_num(values), picked, axis=1), 0.0)
    return last, has, np.where(has, np.take_along_axis(ages, picked, axis=1), 0.0)
