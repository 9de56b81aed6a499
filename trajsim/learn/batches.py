"""Event sequences as arrays of fixed shape, one row a patient: what a loss is taken of, and clipped by.

A row is a whole patient, never a window of one: the privacy guarantee is per row. Rows lie in buckets by length, so
that short histories are not padded to the longest one and a handful of compiled shapes serve every batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import EventSequences, Legality
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


def _rows(sequences: EventSequences, counts: NDArray[np.int64], length: int, legality: Legality) -> Rows:
    vocabulary = sequences.vocabulary
    n, k, v = len(sequences), len(vocabulary.events), len(vocabulary.labs)
    at = sequences.offsets[:-1, None] + np.arange(length)
    there = np.arange(length) < counts[:, None]
    at = np.where(there, at, 0)

    def days(column: NDArray[np.generic], fill: float) -> NDArray[np.float64]:
        if not len(column):
            return np.full((n, length, *column.shape[1:]), fill)
        taken: NDArray[np.float64] = column[at].astype(np.float64)
        taken[~there] = fill
        return taken

    day = days(sequences.day, 0.0)
    events = days(sequences.events, 0.0).astype(bool)
    forbidden = days(sequences.forbidden, 0.0).astype(bool)
    visit = days(sequences.is_visit, 0.0)
    published = days(sequences.values, np.nan)
    scaled = (
        np.stack([lab.scaled(published[..., i]) for i, lab in enumerate(vocabulary.labs)], axis=-1) if v else published
    )
    measured = ~np.isnan(scaled)

    end = np.where(counts == sequences.n_days, sequences.follow_up_days, day.max(axis=1, initial=0.0))
    times = np.concatenate([np.zeros((n, 1)), np.where(there, day, end[:, None])], axis=1) / DAYS_PER_YEAR
    gap = np.diff(np.concatenate([times, end[:, None] / DAYS_PER_YEAR], axis=1), axis=1)
    state = np.concatenate([np.ones((n, 1), bool), there], axis=1)

    held = np.concatenate([sequences.prevalent[:, None], events], axis=1)
    held = np.maximum.accumulate(held, axis=1)
    legal = legality.legal(held)
    ends = _next(events & ~forbidden) & legal
    still_legal = legal & ~held[..., -1:] if vocabulary.has_death else legal

    entry = (
        np.stack([lab.scaled(sequences.entry_values[:, i]) for i, lab in enumerate(vocabulary.labs)], axis=-1)
        if v
        else sequences.entry_values
    )
    entry_has = ~np.isnan(entry)
    entry_age = sequences.entry_age_days / DAYS_PER_YEAR
    value_age = np.where(entry_has, entry_age[:, None] - np.maximum(sequences.entry_value_days, 0) / DAYS_PER_YEAR, 0.0)
    all_measured = np.concatenate([entry_has[:, None], measured], axis=1)
    all_values = np.concatenate([entry[:, None], scaled], axis=1)
    age = entry_age[:, None] + times
    ages = np.concatenate([value_age[:, None], np.broadcast_to(age[:, 1:, None], measured.shape)], axis=1)
    last, has, last_age = _carried(all_values, all_measured, ages)

    bmi, has_bmi = scaled_bmi(np, sequences.bmi)
    wide = np.broadcast_to
    zero = np.zeros((n, 1, v))
    still = still_features(
        np,
        is_male=wide(sequences.is_male[:, None] * 1.0, state.shape),
        bmi=wide(bmi[:, None], state.shape),
        has_bmi=wide(has_bmi[:, None] * 1.0, state.shape),
        gap_years=np.concatenate([np.zeros((n, 1)), gap[:, :-1]], axis=1),
        is_entry=wide(np.arange(length + 1) == 0, state.shape) * 1.0,
        is_visit=np.concatenate([np.zeros((n, 1)), visit], axis=1),
        held=held[..., : k - 1] * 1.0,
        now=np.concatenate([np.zeros((n, 1, k)), events], axis=1)[..., : k - 1],
        measured=np.concatenate([zero, measured], axis=1),
        value=np.concatenate([zero, np.nan_to_num(scaled)], axis=1),
        last=last,
        has=has * 1.0,
    )
    next_measured = _next(measured)
    rows = {
        "sex": sequences.is_male, "bmi": bmi, "has_bmi": has_bmi, "entry_age": entry_age,
        "entry_prevalent": sequences.prevalent[:, : k - 1], "entry_has": entry_has, "entry_value": np.nan_to_num(entry),
        "entry_value_years": np.maximum(sequences.entry_value_days, 0) / DAYS_PER_YEAR,
        "still": still, "age": age, "value_age": last_age, "has": has, "state": state, "gap": gap * state,
        "legal": still_legal & state[..., None], "mark_events": ends, "mark_any": ends.any(axis=-1),
        "mark_visit": _next(visit > 0), "mark_panel": next_measured @ (1 << np.arange(v)),
        "measured": next_measured, "value": _next(np.nan_to_num(scaled)),
    }  # fmt: skip
    return {name: np.ascontiguousarray(column, dtype=np.float32) for name, column in rows.items()}


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
