"""Histories of real or simulated patients as a learned model reads them: one row a patient, one row a day.

Ingest makes them, training reads them, scoring compares them, and a trained model draws them. They stand below all of
these rooms, so that none has to know the other. Everything is relative to the day on which a patient enters: day 0.
A vocabulary holds public constants only; nothing in it may be computed from patients.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError

DEATH = "death"
SPLITS = ("train", "tuning", "held_out")


@dataclass(frozen=True, kw_only=True)
class EventKind:
    """An event that is timed: the first one of its kind in a patient's life.

    Attributes:
        name: What modules bind to, for example ``diabetes``.
        prior_share: Public guess of the share of patients who have it when they enter; biases of a model begin there.
        prior_per_1000_years: Public guess of new cases per 1,000 years of patients who do not have it.
    """

    name: str
    prior_share: float = 0.02
    prior_per_1000_years: float = 5.0


@dataclass(frozen=True, kw_only=True)
class LabKind:
    """A measurement, on a public scale: nothing here is a quantile of data.

    Attributes:
        name: What modules bind to, for example ``hdl``.
        unit: UCUM unit of all values.
        kind: ``number``, or ``flag`` for something that is only seen or not (values 0 and 1).
        is_log: Whether the scale is that of the natural logarithm.
        centre: Value that becomes 0 on the scale.
        spread: What becomes 1: a difference, or a difference of logarithms.
        low: Lowest value that a living patient can have.
        high: Highest value.
        resolution: Step of the device; values are published at it.
        prior_share: Public guess of the share of visits that measure it.
    """

    name: str
    unit: str = "1"
    kind: Literal["number", "flag"] = "number"
    is_log: bool = False
    centre: float = 0.0
    spread: float = 1.0
    low: float = 0.0
    high: float = 1.0
    resolution: float = 1.0
    prior_share: float = 0.5

    @property
    def scale(self) -> str:
        """What a number of it means to a model, in words."""
        if self.kind == "flag":
            return "a flag"
        what = "logarithms around" if self.is_log else "numbers around"
        return f"{what} {self.centre:g} by {self.spread:g} ({self.unit})"

    def scaled(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Published values on the scale that models use."""
        values = np.asarray(values, dtype=np.float64)
        if self.kind == "flag":
            return values
        if self.is_log:
            return np.asarray(np.log(values / self.centre) / self.spread)
        return np.asarray((values - self.centre) / self.spread)

    def published(self, scaled: NDArray[Any]) -> NDArray[np.float64]:
        """Scaled values as they are published: within the bounds, at the resolution of the device."""
        scaled = np.asarray(scaled, dtype=np.float64)
        if self.kind == "flag":
            return scaled
        values = self.centre * np.exp(scaled * self.spread) if self.is_log else self.centre + scaled * self.spread
        return np.asarray(np.clip(np.round(values / self.resolution) * self.resolution, self.low, self.high))


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What is timed and measured, in the order of all columns.

    Attributes:
        events: Timed events; where death is timed it is the last one and named ``death``.
        labs: Measurements.
        max_years: Longest time under observation that is kept: a public constant, not the longest in the data.
    """

    events: tuple[EventKind, ...]
    labs: tuple[LabKind, ...] = ()
    max_years: float = 20.0

    def __post_init__(self) -> None:
        """Checks the names.

        Raises:
            ConfigError: A name stands twice, or death is not the last event.
        """
        names = [*self.event_names, *self.lab_names]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"a vocabulary names every event and lab once, got {', '.join(map(repr, twice))} twice"
            raise ConfigError(msg)
        if not self.events:
            msg = "a vocabulary needs at least one event"
            raise ConfigError(msg, hint="name events in the mapping or with --events FILE")
        if DEATH in self.event_names[:-1]:
            msg = f"{DEATH!r} must be the last event of a vocabulary, got {', '.join(self.event_names)}"
            raise ConfigError(msg)

    @property
    def event_names(self) -> tuple[str, ...]:
        """Names of the events, in order."""
        return tuple(event.name for event in self.events)

    @property
    def lab_names(self) -> tuple[str, ...]:
        """Names of the labs, in order."""
        return tuple(lab.name for lab in self.labs)

    @property
    def has_death(self) -> bool:
        """Whether death is timed."""
        return self.events[-1].name == DEATH


@dataclass(frozen=True, kw_only=True, eq=False)
class Legality:
    """Which event can come next, given those that a patient has: what the graphs of the bound modules say.

    Attributes:
        needs: [K, K] Row k: events that a patient must have before event k can come.
        excludes: [K, K] Row k: events after which event k cannot come any more. Every event excludes itself: a
            vocabulary times first occurrences.
    """

    needs: NDArray[np.bool_]
    excludes: NDArray[np.bool_]

    @staticmethod
    def first_occurrences(n_events: int) -> "Legality":
        """Nothing is forbidden but a second first time: for data that no module is bound to."""
        return Legality(needs=np.zeros((n_events, n_events), dtype=bool), excludes=np.eye(n_events, dtype=bool))

    def legal(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[..., K] Events that can come to patients who have `held` [..., K]."""
        lacking = ~held[..., None, :] & self.needs
        barred = held[..., None, :] & self.excludes
        return np.asarray(~(lacking | barred).any(axis=-1))

    def attainable(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[..., K] What of `held` [..., K] can have come about in some order.

        An event that cannot follow another may well stand beside it: it came first. Only what no order allows is left
        out: events that lack what they need, and the later one of two that exclude each other.
        """
        waits, placed = held.copy(), np.zeros_like(held)
        comes_first = self.excludes.T & ~np.eye(len(self.excludes), dtype=bool)  # row k: what must precede k
        while waits.any():
            lacking = (self.needs & ~placed[..., None, :]).any(axis=-1)
            preceded = (waits[..., None, :] & comes_first).any(axis=-1)
            ready = waits & ~lacking & ~preceded
            placed |= ready
            is_stuck = ~ready.any(axis=-1, keepdims=True)
            last = waits & (np.cumsum(waits[..., ::-1], axis=-1)[..., ::-1] == 1)
            waits = waits & ~ready & ~(is_stuck & last)
        return placed

    def forbidden_orders(self, names: Sequence[str]) -> set[tuple[str, str, str]]:
        """Pairs of events that cannot come in one order, in words: ``("angina", "after", "stroke")``.

        An event that needs another one cannot come *before* it.
        """
        after = self.excludes & ~np.eye(len(names), dtype=bool)
        return {
            (names[event], where, names[other])
            for where, matrix in (("after", after), ("before", self.needs))
            for event, other in np.argwhere(matrix).tolist()
        }

    def among(self, events: Collection[str], names: Sequence[str]) -> "Legality":
        """The same for pairs of some events; everything else is allowed, but a second first time."""
        known = np.array([name in events for name in names], dtype=bool)
        pairs = known[:, None] & known
        return Legality(needs=self.needs & pairs, excludes=self.excludes & (pairs | np.eye(len(names), dtype=bool)))

    def both(self, other: "Legality") -> "Legality":
        """Forbids what both forbid."""
        return Legality(needs=self.needs & other.needs, excludes=self.excludes & other.excludes)


@dataclass(frozen=True, kw_only=True, eq=False)
class EventSequences:
    """Histories of n patients with m days on which something was seen; K events, V labs.

    Attributes:
        vocabulary: Names and order of events and labs.
        patient_id: [n] Text as the source spells it; unique.
        split: [n] Index into `SPLITS`, uint8.
        is_male: [n] bool.
        entry_age_days: [n] Age at day 0, int32.
        bmi: [n] Body mass index at entry, kg/m2, NaN where unknown, float64.
        prevalent: [n, K] Whether the patient had the event on or before day 0.
        entry_values: [n, V] Last value seen on or before day 0, as published, NaN for none.
        entry_value_days: [n, V] How many days before day 0 that was, int32; -1 for none.
        follow_up_days: [n] Last day under observation (death, or censoring), at least 1, int32.
        offsets: [n + 1] Days of patient i are rows offsets[i] ... offsets[i + 1] - 1, int64.
        day: [m] Days since entry, at least 1, strictly increasing within a patient, at most `follow_up_days`, int32.
        is_visit: [m] Whether something was measured.
        events: [m, K] First occurrences on that day. Death stands on the last day under observation.
        forbidden: [m, K] Events among them that the bound modules do not allow: they change what the patient has, and
            no model is taught them.
        values: [m, V] What was measured, as published, NaN where not.
    """

    vocabulary: Vocabulary
    patient_id: NDArray[np.str_]
    split: NDArray[np.uint8]
    is_male: NDArray[np.bool_]
    entry_age_days: NDArray[np.int32]
    bmi: NDArray[np.float64]
    prevalent: NDArray[np.bool_]
    entry_values: NDArray[np.float64]
    entry_value_days: NDArray[np.int32]
    follow_up_days: NDArray[np.int32]
    offsets: NDArray[np.int64]
    day: NDArray[np.int32]
    is_visit: NDArray[np.bool_]
    events: NDArray[np.bool_]
    forbidden: NDArray[np.bool_]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.patient_id)

    @property
    def n_days(self) -> NDArray[np.int64]:
        """[n] How many rows every patient has."""
        return np.diff(self.offsets)

    @property
    def patient_of_day(self) -> NDArray[np.int64]:
        """[m] Which patient a day belongs to."""
        return np.repeat(np.arange(len(self)), self.n_days)

    def first_days(self) -> NDArray[np.int32]:
        """[n, K] Day of every event after day 0; -1 for never under observation."""
        first = np.full((len(self), len(self.vocabulary.events)), -1, dtype=np.int32)
        rows, kinds = np.nonzero(self.events)
        first[self.patient_of_day[rows], kinds] = self.day[rows]
        return first

    def take(self, rows: NDArray[Any] | Sequence[int]) -> "EventSequences":
        """The patients of these positions, in this order."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        counts = self.n_days[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        days = np.repeat(self.offsets[chosen], counts) + within
        per_patient = {
            name: getattr(self, name)[chosen]
            for name in (
                "patient_id", "split", "is_male", "entry_age_days", "bmi", "prevalent", "entry_values",
                "entry_value_days", "follow_up_days",
            )
        }  # fmt: skip
        per_day = {name: getattr(self, name)[days] for name in ("day", "is_visit", "events", "forbidden", "values")}
        return replace(self, offsets=offsets, **per_patient, **per_day)

    def of_split(self, name: str) -> "EventSequences":
        """The patients of one split: ``train``, ``tuning`` or ``held_out``."""
        return self.take(np.flatnonzero(self.split == SPLITS.index(name)))
