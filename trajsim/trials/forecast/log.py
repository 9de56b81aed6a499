"""The log of a running trial: who was randomised where and when, who had an event, who was lost, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class LogSite:
    """A site that has opened or will.

    Attributes:
        name: Unique.
        opened: Day on which it opened, or is planned to, in days since 1970-01-01.
        is_opening_known: False where the log shows no more than its first patient: then the time before that patient is
            unknown, and neither it nor the patient counts for the rate.
        closed: Last day on which it recruits; never where none.
        cap: Most patients in all; none where none.
    """

    name: str
    opened: int
    is_opening_known: bool = True
    closed: int | None = None
    cap: int | None = None


@dataclass(frozen=True, kw_only=True)
class AccrualLog:
    """A trial so far. Days are counted since 1970-01-01.

    Attributes:
        as_of: The last day that the log covers.
        sites: Its sites.
        site: Number of the site of every subject.
        randomised: Day of each.
        event: Day of the event; `NEVER` where none was seen.
        dropout: Day on which the subject was lost; `NEVER` where it was not.
        last_seen: Day until which the subject is known to be without event.
        has_follow_up: Whether the log tells of events at all; counts do not.
    """

    as_of: int
    sites: Sequence[LogSite]
    site: Ints
    randomised: Ints
    event: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    dropout: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    last_seen: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    has_follow_up: bool = True

    def __post_init__(self) -> None:
        """Checks what the reader has checked already, for logs made elsewhere."""
        columns = (self.randomised, self.event, self.dropout, self.last_seen)
        if self.has_follow_up and any(column.shape != self.site.shape for column in columns):
            msg = "every subject of a log needs a site, a day of randomisation, event, dropout and last visit"
            raise ConfigError(msg)
        if np.any(self.randomised > self.as_of) or np.any((self.site < 0) | (self.site >= len(self.sites))):
            msg = "every subject of a log must be randomised at a known site and not after the day of the log"
            raise ConfigError(msg)

    @property
    def has_openings(self) -> bool:
        """Whether it is known when its sites opened, as a file of sites says it."""
        return bool(self.sites) and all(site.is_opening_known for site in self.sites)

    @property
    def n_subjects(self) -> int:
        """Randomised so far."""
        return int(self.randomised.size)

    @property
    def n_events(self) -> int:
        """Events so far."""
        return int(np.count_nonzero(self.event != NEVER)) if self.has_follow_up else 0

    @property
    def has_event(self) -> Flags:
        """Who had one."""
        return np.asarray(self.event != NEVER)

    @property
    def has_dropped_out(self) -> Flags:
        """Who was lost without an event."""
        return np.asarray((self.dropout != NEVER) & (self.event == NEVER))

    def follow_up_days(self) -> Floats:
        """Days from randomisation to event, dropout or last visit; half a day where it is the same day."""
        end = np.minimum(np.minimum(self.event, self.dropout), self.last_seen)
        return np.maximum((end - self.randomised).astype(np.float64), 0.5)

    def counts(self) -> Ints:
        """Subjects by site."""
        return np.asarray(np.bincount(self.site, minlength=len(self.sites)), np.int64)
