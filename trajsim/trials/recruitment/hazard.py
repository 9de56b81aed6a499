"""When the endpoint happens without treatment according to the records, and when it would under treatment.

The records hold one life a patient, and it is untreated. Treatment with a hazard ratio moves each event along the
cumulative hazard of those who were eligible: somebody whose event came when the cumulative hazard was e would, under
treatment, have it when the treated cumulative hazard reaches e. Marginally that is exactly a hazard ratio with a delay,
and person by person it keeps everything else (common random numbers between arms).

Source: Nelson (1972), Technometrics 14(4):945, the estimator; Bender, Augustin, Blettner (2005), Stat Med 24:1713, the
inversion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.spec import Arm

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class CumulativeHazard:
    """A continuous cumulative hazard: straight between the days on which events were seen, and beyond the last.

    Attributes:
        days: Ascending from 0.
        values: Cumulative hazard on those days, ascending from 0.
        tail: Hazard a day after the last of them.
    """

    days: Floats
    values: Floats
    tail: float

    @classmethod
    def constant(cls, per_year: float) -> "CumulativeHazard":
        """The same hazard for ever."""
        zero = np.zeros(1)
        return cls(days=zero, values=zero, tail=per_year / 365.25)

    @classmethod
    def estimated(cls, days: Floats, is_event: NDArray[np.bool_]) -> "CumulativeHazard":
        """Nelson and Aalen's estimator of lengths of time, some of them censored.

        Args:
            days: Time to the event or to the end of observation, positive.
            is_event: Whether it was the event.
        """
        times, deaths = np.unique(days[is_event], return_counts=True)
        at_risk = len(days) - np.searchsorted(np.sort(days), times, side="left")
        values = np.cumsum(deaths / at_risk) if len(times) else np.zeros(0)
        last = float(times[-1]) if len(times) else 1.0
        return cls(
            days=np.concatenate([[0.0], times]),
            values=np.concatenate([[0.0], values]),
            tail=float(values[-1]) / last if len(times) else 0.0,
        )

    def at(self, days: Floats) -> Floats:
        """The cumulative hazard after some days."""
        beyond = np.maximum(days - self.days[-1], 0.0)
        return np.asarray(np.interp(days, self.days, self.values) + self.tail * beyond, np.float64)

    def inverse(self, values: Floats) -> Floats:
        """The days after which the cumulative hazard reaches some values; infinite where it never does."""
        inside = np.interp(values, self.values, self.days)
        beyond = np.maximum(values - self.values[-1], 0.0)
        if self.tail > 0:
            return np.asarray(inside + beyond / self.tail, np.float64)
        return np.where(beyond > 0, np.inf, inside)

    def treated_inverse(self, values: Floats, arm: Arm) -> Floats:
        """The same under an arm whose hazard ratio sets in after its delay."""
        at_delay = float(self.at(np.array([float(arm.delay_days)]))[0])
        moved = np.where(values <= at_delay, values, at_delay + (values - at_delay) / arm.hazard_ratio)
        return self.inverse(moved)
