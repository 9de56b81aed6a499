"""Time since the last step, cut into pieces: where a hazard has a value of its own, and where the clock is moved on.

A hazard is constant in a piece. Pieces are short after a step and where check-ups fall: after three months, six months,
a year and two years, in everybody's calendar. After each whole year without a step the clock part of the features moves
on, in training as in use (`TrajectoryModel.refresh_days`). Who came after three months tends to come again after three:
so visits have a value by piece and by the kind of the gap before.
"""

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from trajsim.learn.features import DAYS_PER_YEAR, Array

PIECE_DAYS = (0.0, 4.0, 14.0, 45.0, 90.0, 105.0, 180.0, 200.0, 345.0)
"""Beginnings of the pieces of a year; the engine gets them with every answer."""

REFRESH_DAYS = 365.0
OFFSET_DAYS = (*PIECE_DAYS, 365.0, 379.0, 410.0, 455.0, 710.0, 730.0, 775.0, 1460.0)
"""Beginnings of the pieces that have parameters of their own; each is one of `PIECE_DAYS` after so many whole years."""

GAP_DAYS = (14.5, 60.5, 130.5, 250.5, 450.5)
"""Where kinds of gaps before a step part: days, weeks, about three months, six, a year, longer. Entry is one more."""

HALF_A_DAY_YEARS = 0.5 / DAYS_PER_YEAR
"""Added to the time since a step before its piece is looked up, so that no rounding puts it into the one before."""

MOST_REFRESHES = 20


@dataclass(frozen=True, eq=False)
class Segments:
    """All stretches of a gap between two steps.

    Attributes:
        start: [S] Beginning, in years since the step.
        stop: [S] End; the last one has none.
        offset: [S] Which of `OFFSET_DAYS` applies.
        refresh: [S] How many whole years the clock has moved on.
    """

    start: NDArray[np.float32]
    stop: NDArray[np.float32]
    offset: NDArray[np.int32]
    refresh: NDArray[np.int32]

    def exposure(self, xp: ModuleType, gap_years: Array) -> Array:
        """[..., S] Time spent in each stretch of a gap, in years."""
        return xp.clip(xp.minimum(gap_years[..., None], self.stop) - self.start, 0.0, None)

    def of(self, xp: ModuleType, gap_years: Array) -> Array:
        """[...] Stretch in which a gap ends: a step at the very end of a stretch belongs to it."""
        return xp.sum(gap_years[..., None] > self.stop[:-1], axis=-1)


def segments(most_years: int) -> Segments:
    """The stretches of gaps of up to `most_years` years; a longer gap stays in the last one."""
    days = sorted({*OFFSET_DAYS, *(REFRESH_DAYS * year for year in range(1, most_years))})
    start = np.array(days)
    stop = np.append(start[1:], np.inf)
    return Segments(
        start=(start / DAYS_PER_YEAR).astype(np.float32),
        stop=(stop / DAYS_PER_YEAR).astype(np.float32),
        offset=(np.searchsorted(OFFSET_DAYS, start, side="right") - 1).astype(np.int32),
        refresh=(start // REFRESH_DAYS).astype(np.int32),
    )


TRAINING = segments(MOST_REFRESHES)
_LONG_OBSERVATION_YEARS = 25
_LONG_OBSERVATION = segments(_LONG_OBSERVATION_YEARS)
LIFELONG = segments(110)
"""For lives that are longer than any observation: between two steps a person may grow old."""


def segments_until(years: float) -> Segments:
    """The stretches of every gap that fits into `years` of observation; more of them would only cost time."""
    days = years * DAYS_PER_YEAR
    if days <= MOST_REFRESHES * REFRESH_DAYS:
        return TRAINING
    return _LONG_OBSERVATION if days <= _LONG_OBSERVATION_YEARS * REFRESH_DAYS else LIFELONG
