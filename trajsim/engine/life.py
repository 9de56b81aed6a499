"""One simulated life as both interpreters return it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajsim.gmf.model import Code


@dataclass(frozen=True)
class EntryRef:
    """An attribute that points at a record: index of the event that began it, and its kind (`EventKind`)."""

    event: int
    kind: int


@dataclass(frozen=True)
class Placeholder:
    """An attribute that points at an onset that is not diagnosed yet: index of the onset state in the catalogue."""

    source: int


@dataclass(frozen=True)
class Series:
    """A time series (`series_data` of SetAttribute)."""

    values: tuple[float, ...]
    period_s: float


AttributeValue = float | int | bool | str | Code | EntryRef | Placeholder | Series


@dataclass(frozen=True)
class HistoryRow:
    """One visit of a state.

    `entered_ms` is None for a state that was reached but never ran; `exited_ms` while it blocks.
    """

    state: str
    entered_ms: int | None
    exited_ms: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Life:
    """A finished life.

    Attributes:
        patient_id: Whose.
        birth_ms: Birth.
        events: The log, `EVENT_DTYPE`.
        death_ms: Time of death, None if alive at the end.
        attributes: Attributes at the end of the life.
        history: If it was asked for: by JSON name of the module, visited states in order. A finished submodule's
            states stand inside the caller's list followed by the calling state once more; an unfinished one has a
            list of its own.
    """

    patient_id: int
    birth_ms: int
    events: NDArray[np.void]
    death_ms: int | None
    attributes: Mapping[str, AttributeValue]
    history: Mapping[str, list[HistoryRow]] = field(default_factory=dict)
