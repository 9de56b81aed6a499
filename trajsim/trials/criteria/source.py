"""What the evaluator needs of a data source, whatever its format: persons, periods, and events of a domain by code.

Codes are whole numbers that the source gives out; what they stand for is the source's business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_CODE, Days, Keys, Mask
from trajsim.trials.criteria.form import CodeSet, Coding, Domain


@dataclass(frozen=True, kw_only=True)
class People:
    """One row a person, in the order of person numbers.

    Attributes:
        ids: The ids that the data give them.
        is_known: Whether there is a row about the person (OMOP data may have events of others).
        birth_year: Calendar year of birth; NaN: unknown.
        codes: `sex`, `race`, `ethnicity` as codes.
    """

    ids: NDArray[Any]
    is_known: Mask
    birth_year: NDArray[np.float64]
    codes: Mapping[str, Keys]

    def __len__(self) -> int:
        """How many persons."""
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class EventTable:
    """Events of one domain, sorted by person, start and record.

    Attributes:
        person: Person numbers.
        record: Record ids; the tie-breaker of events of one day.
        start: First day.
        end: Last day; `NO_DAY` where unknown.
        load: Reads a further column of these rows: numbers as float64, codes and visit ids as keys, text as objects.
    """

    person: NDArray[np.int64]
    record: NDArray[np.int64]
    start: Days
    end: Days
    load: Callable[[str], NDArray[Any]]
    _cache: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """How many events."""
        return len(self.person)

    def column(self, name: str) -> NDArray[Any]:
        """A further column, read once."""
        if name not in self._cache:
            self._cache[name] = self.load(name)
        return self._cache[name]

    @property
    def visit(self) -> Keys:
        """Visit ids; `NO_CODE` where none. Few criteria ask for them."""
        return self.column("visit")

    def take(self, rows: NDArray[Any]) -> "EventTable":
        """Some of the rows, by number or mask."""
        parent = self

        def load(name: str) -> NDArray[Any]:
            part: NDArray[Any] = parent.column(name)[rows]
            return part

        return EventTable(
            person=self.person[rows],
            record=self.record[rows],
            start=self.start[rows],
            end=self.end[rows],
            load=load,
        )


@dataclass(frozen=True, kw_only=True)
class Periods:
    """Observation periods, sorted by person and start; `first[i]:first[i+1]` are the rows of person i."""

    person: NDArray[np.int64]
    start: Days
    end: Days
    first: NDArray[np.int64]


class Source(Protocol):
    """Data that criteria can be evaluated on."""

    @property
    def people(self) -> People:
        """All persons."""

    @property
    def periods(self) -> Periods:
        """All observation periods."""

    def events(self, domain: Domain, keys: Keys | None, *, persons: Mask | None = None) -> EventTable:
        """Events of a domain whose code is among the keys, of some persons; None: all of them."""

    def keys_of_set(self, code_set: CodeSet) -> Keys:
        """The codes of a set, descendants and exclusions resolved, sorted."""

    def keys_of_list(self, codes: Sequence[Coding]) -> Keys:
        """The codes of a list as they stand, sorted."""

    def lacks(self, domain: Domain, test: str) -> bool:
        """Whether these data can never answer that test of that domain."""


def period_index(person: NDArray[np.int64], start: Days, end: Days, *, n_people: int) -> Periods:
    """Sorts observation periods and notes where each person's begin."""
    order = np.lexsort((start, person))
    person = person[order]
    first = np.searchsorted(person, np.arange(n_people + 1))
    return Periods(person=person, start=start[order], end=end[order], first=first)


Order = NDArray[np.int64] | slice
"""Positions of rows; the whole slice where they stay as they are."""


def order_of(first: NDArray[np.int64], *keys: NDArray[np.int64]) -> Order:
    """The stable order by keys, the first above all.

    Most rows lie in order already, by person above all: then only those persons are sorted whose rows do not.
    """
    rises = first[1:] > first[:-1]
    ties = first[1:] == first[:-1]
    if not bool(np.all(rises | ties)):
        return np.lexsort((*keys[::-1], first))
    for key in keys:
        rises |= ties & (key[1:] > key[:-1])
        ties &= key[1:] == key[:-1]
    disorder = first[1:][~(rises | ties)]
    if not len(disorder):
        return slice(None)
    order = np.arange(len(first))
    is_mixed = np.zeros(int(first[-1]) + 1, bool)  # persons are numbered from 0
    is_mixed[disorder] = True
    rows = np.flatnonzero(is_mixed[first])
    order[rows] = rows[np.lexsort((*(key[rows] for key in keys[::-1]), first[rows]))]
    return order


def sorted_events(
    person: NDArray[np.int64],
    record: NDArray[np.int64],
    start: Days,
    end: Days,
    load: Callable[[str, Order], NDArray[Any]],
) -> EventTable:
    """An event table in its order; `load` is given the rows in the order in which they stand in the data."""
    order = order_of(person, start, record)
    return EventTable(
        person=person[order],
        record=record[order],
        start=start[order],
        end=end[order],
        load=lambda name: load(name, order),
    )


def is_among(values: Keys, keys: Keys) -> Mask:
    """Which values are among the sorted keys; none never is."""
    if len(keys) == 0:
        return np.zeros(len(values), bool)
    slot = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    found: Mask = (keys[slot] == values) & (values != NO_CODE)
    return found


def as_keys(values: Sequence[int] | set[int] | NDArray[Any]) -> Keys:
    """Distinct keys, sorted."""
    return np.unique(np.asarray(list(values), np.int64))
