"""Which days a trial recruits on: weekdays, holidays, closures and seasons, as a clock that stands still on the others.

A rate per active day means more than a rate per day: two months with the same rate and another number of working days
differ, and a summer break is no sign of a site that fails.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.trials.rates.shapes import Piecewise

Floats = NDArray[np.float64]
WORKING_DAYS = (True, True, True, True, True, False, False)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The active days of a trial.

    Attributes:
        weekdays: Which days of the week count, Monday first.
        holidays: Days that do not.
        closures: First and last day of every stretch in which nobody recruits.
        months: Weight of the days of a month (1 to 12); 1 where a month is not named.
    """

    weekdays: tuple[bool, ...] = WORKING_DAYS
    holidays: frozenset[dt.date] = frozenset()
    closures: tuple[tuple[dt.date, dt.date], ...] = ()
    months: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks everything once, and tells all faults."""
        faults = []
        if len(self.weekdays) != 7 or not any(self.weekdays):
            faults.append(f"weekdays must be seven, one of them active, got {self.weekdays!r}")
        faults += [
            f"a closure must not end before it begins, got {first} to {last}"
            for first, last in self.closures
            if last < first
        ]
        faults += [
            f"months must be 1 ... 12 with weights that are not negative, got {month!r}: {weight!r}"
            for month, weight in self.months.items()
            if not (1 <= month <= 12 and 0.0 <= weight < float("inf"))
        ]
        if faults:
            msg = "; ".join(faults)
            raise ConfigError(msg)

    def weights(self, start: dt.date, n_days: int) -> Floats:
        """The weight of each of `n_days` days from `start` on."""
        days = np.datetime64(start, "D") + np.arange(n_days)
        number = days.astype(np.int64)
        weights = np.asarray(self.weekdays, np.float64)[(number + 3) % 7]  # 1970-01-01 was a Thursday
        month = days.astype("datetime64[M]").astype(np.int64) % 12
        weights = weights * np.array([float(self.months.get(each, 1.0)) for each in range(1, 13)])[month]
        if self.holidays:
            weights[np.isin(days, np.array(sorted(self.holidays), "datetime64[D]"))] = 0.0
        for first, last in self.closures:
            weights[(days >= np.datetime64(first, "D")) & (days <= np.datetime64(last, "D"))] = 0.0
        return np.asarray(weights, np.float64)

    def active_days(self, first: dt.date, last: dt.date) -> float:
        """The sum of the weights from `first` to the day before `last`."""
        return float(self.weights(first, max((last - first).days, 0)).sum())

    def shape(self, start: dt.date, n_days: int) -> Piecewise:
        """The clock of active days, with time in days since `start`.

        Args:
            start: Day 0.
            n_days: How far the calendar is laid out; later days have the mean weight of the last 364 of these.

        Returns:
            A step for every run of days with the same weight.

        Raises:
            ConfigError: There is no day, or none is active.
        """
        if n_days < 1:
            msg = f"a calendar needs a day at least, got n_days = {n_days!r}"
            raise ConfigError(msg)
        weights = self.weights(start, n_days)
        later = float(weights[-364:].mean())
        if later == 0.0:
            msg = f"no day is active in the last {min(n_days, 364)} days of the calendar from {start} on"
            raise ConfigError(msg, hint="lay the calendar out for longer than its closures")
        changes = np.flatnonzero(np.diff(weights)) + 1
        levels = weights[np.concatenate([[0], changes])]
        return Piecewise([*changes.tolist(), n_days], [*levels.tolist(), later])
