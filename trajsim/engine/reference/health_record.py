"""The health record of one patient as objects, and the log that it is written to."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import EVENT_DTYPE, EncounterClass, EventKind
from trajsim.gmf.model import Code

PROCEDURE_DEFAULT_MS = 15 * 60_000
_LENGTH_MS = {
    EncounterClass.EMERGENCY: 60 * 60_000,
    EncounterClass.INPATIENT: 1_440 * 60_000,
    EncounterClass.HOSPICE: 1_440 * 60_000,
    EncounterClass.SNF: 1_440 * 60_000,
}
LONG_STAYS = frozenset({EncounterClass.INPATIENT, EncounterClass.HOSPICE, EncounterClass.SNF})


@dataclass(slots=True, kw_only=True)
class Row:
    """One row of the log; fields as in `EVENT_DTYPE`."""

    time: int
    kind: EventKind
    state: int
    module: int
    ordinal: int
    encounter: int
    ref: int
    value: float
    tag: int


class Log:
    """The rows of one patient, in order."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._written: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of rows: the index of the next one."""
        return len(self.rows)

    def write(
        self,
        kind: EventKind,
        *,
        time: int,
        state: int,
        stream: int,
        encounter: int = -1,
        ref: int = -1,
        value: float = 0.0,
        tag: int = 0,
    ) -> int:
        """Appends a row and returns its index."""
        ordinal = self._written.get(stream, 0)
        self._written[stream] = ordinal + 1
        row = Row(
            time=time, kind=kind, state=state, module=stream, ordinal=ordinal,
            encounter=encounter, ref=ref, value=value, tag=tag,
        )  # fmt: skip
        self.rows.append(row)
        return len(self.rows) - 1

    def array(self) -> NDArray[np.void]:
        """The log as `EVENT_DTYPE`."""
        events = np.zeros(len(self.rows), EVENT_DTYPE)
        for name in EVENT_DTYPE.names or ():
            events[name] = [getattr(row, name) for row in self.rows]
        return events


ObservedValue = float | bool | str | Code | None


@dataclass(slots=True, kw_only=True, eq=False)
class EncounterRecord:
    """One encounter.

    Attributes:
        event: Index of its row.
        kind: Its class.
        start: When it began.
        made_by: Name of the state or process that made it.
        source: Index of the source that made it.
        stream: Index of the stream that made it.
        is_ended: Whether something ended it.
        observations: What an Observation condition can see: text of the first code, and value.
        has_renewed: Whether chronic medications were renewed in it.
    """

    event: int
    kind: EncounterClass
    start: int
    made_by: str
    source: int
    stream: int
    is_ended: bool = False
    observations: list[tuple[str, ObservedValue]] = field(default_factory=list)
    has_renewed: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """A condition, allergy, medication, care plan, procedure or device.

    Attributes:
        event: Index of the row that began it.
        kind: Kind of that row.
        code: Its first code.
        name: State that started it, or started it again last.
    """

    event: int
    kind: EventKind
    code: Code
    name: str


def java_string_hash(text: str) -> int:
    """`String.hashCode` with the spreading that `HashMap` applies, as 32 unsigned bits."""
    data = text.encode("utf-16-be", "surrogatepass")
    h = 0
    for high, low in zip(data[::2], data[1::2], strict=True):
        h = (31 * h + (high << 8 | low)) & 0xFFFFFFFF
    return h ^ (h >> 16)


class PresentMap:
    """The map from code text to present entry, iterated as a Java `HashMap` (gmf-semantics 2.7).

    Keys of one bucket keep the order in which they came, also when the table doubles, so the order of iteration is that
    of (bucket, arrival). Giving a key another value keeps its arrival.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._arrival: dict[str, int] = {}
        self._arrivals = 0
        self._capacity = 16

    def get(self, code: str) -> Entry | None:
        """The entry under a code, or None."""
        return self._entries.get(code)

    def __contains__(self, code: str) -> bool:
        """Whether any entry stands under a code."""
        return code in self._entries

    def put(self, code: str, entry: Entry) -> None:
        """Sets the entry under a code."""
        if code not in self._entries:
            self._arrival[code] = self._arrivals
            self._arrivals += 1
        self._entries[code] = entry
        if len(self._entries) > 0.75 * self._capacity:
            self._capacity *= 2

    def remove(self, code: str) -> None:
        """Takes a code out; the table never shrinks."""
        del self._entries[code]

    def named(self, name: str) -> Iterator[Entry]:
        """The entries with an entry name, in the order of iteration."""
        hits = [code for code, entry in self._entries.items() if entry.name == name]
        hits.sort(key=lambda code: (java_string_hash(code) & (self._capacity - 1), self._arrival[code]))
        return (self._entries[code] for code in hits)


class HealthRecord:
    """Everything clinical about one patient that modules can see."""

    def __init__(self) -> None:
        self.encounters: list[EncounterRecord] = []
        self.present = PresentMap()
        self.chronic: dict[str, Entry] = {}

    def current_encounter(self, time: int) -> EncounterRecord:
        """The most recently created encounter that began by a time, else the first."""
        for encounter in reversed(self.encounters):
            if encounter.start <= time:
                return encounter
        return self.encounters[0]

    def newest_open(self, kind: EncounterClass) -> EncounterRecord | None:
        """The most recently created open encounter of a class."""
        return next((e for e in reversed(self.encounters) if e.kind == kind and not e.is_ended), None)

    def last_wellness_start(self) -> int | None:
        """Start of the most recently created encounter of class wellness."""
        return next((e.start for e in reversed(self.encounters) if e.kind == EncounterClass.WELLNESS), None)

    def latest_observation(self, code: str) -> tuple[str, ObservedValue] | None:
        """The first observation of a code in the newest encounter that has one."""
        for encounter in reversed(self.encounters):
            for observation in encounter.observations:
                if observation[0] == code:
                    return observation
        return None


def default_length_ms(kind: EncounterClass) -> int:
    """Length of an encounter of a class when nothing in it lasts longer."""
    return _LENGTH_MS.get(kind, PROCEDURE_DEFAULT_MS)
