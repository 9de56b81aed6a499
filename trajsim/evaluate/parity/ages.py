"""Age bands of a comparison and the time that persons spend in them.

Ages are completed years by birthday; bands start at 0 1 5 10 15 ... 85. Times are compared by their day in UTC, as the
reference's dates are. Somebody born on 29 February has a birthday on 1 March in other years.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS = (0, 1, *range(5, 90, 5))
SEXES = ("F", "M")
N_STRATA = len(BANDS) * len(SEXES)
DAYS_PER_YEAR = 365.25
US_PER_DAY = 86_400_000_000


def days_of(times_us: NDArray[np.int64]) -> NDArray[np.int32]:
    """Days since 1970-01-01 UTC."""
    days: NDArray[np.int32] = np.floor_divide(times_us, US_PER_DAY, dtype=np.int64).astype(np.int32)
    return days


def birthdays(birth_days: NDArray[np.int32], age: int) -> NDArray[np.int32]:
    """The day on which an age is completed."""
    date = birth_days.astype(np.int64).astype("datetime64[D]")
    months = date.astype("datetime64[M]")
    day = (date - months.astype("datetime64[D]")).astype(np.int64)
    first = (months + np.timedelta64(12 * age, "M")).astype("datetime64[D]")
    # 29 February + n years: day 28 of February counted from its first lies in March where the year has no such day.
    days: NDArray[np.int32] = (first + day).astype(np.int64).astype(np.int32)
    return days


@dataclass(frozen=True)
class Persons:
    """What ages are counted from, one entry a person.

    Attributes:
        edges: Days on which the bands begin, one column a band.
        sex: 0 female, 1 male.
        last_day: Last day of observation.
        is_dead: Whether it ended with death.
    """

    edges: NDArray[np.int32]
    sex: NDArray[np.int8]
    last_day: NDArray[np.int32]
    is_dead: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        *,
        birth_days: NDArray[np.int32],
        last_days: NDArray[np.int32],
        is_male: NDArray[np.bool_],
        is_dead: NDArray[np.bool_],
    ) -> "Persons":
        """Persons by days of birth and last observation."""
        edges = np.column_stack([birthdays(birth_days, age) for age in BANDS])
        return cls(edges=edges, sex=is_male.astype(np.int8), last_day=last_days, is_dead=is_dead)

    def __len__(self) -> int:
        """How many."""
        return len(self.sex)

    def strata(self, person: NDArray[np.int64], days: NDArray[np.int32]) -> NDArray[np.int8]:
        """Stratum of sex and age band of each event: sex * bands + band."""
        band = np.zeros(len(person), np.int8)
        for number in range(1, len(BANDS)):
            band += days >= self.edges[person, number]
        return self.sex[person] * np.int8(len(BANDS)) + band

    def years(self) -> NDArray[np.float64]:
        """Person-years of each person (row) in each stratum (column), from birth to the last day."""
        upper = np.column_stack([self.edges[:, 1:], np.full(len(self), np.iinfo(np.int32).max, np.int32)])
        spent = np.maximum(np.minimum(upper, self.last_day[:, None]) - self.edges, 0) / DAYS_PER_YEAR
        result = np.zeros((len(self), N_STRATA))
        for sex in range(len(SEXES)):
            rows = self.sex == sex
            result[rows, sex * len(BANDS) : (sex + 1) * len(BANDS)] = spent[rows]
        return result

    def reached(self) -> NDArray[np.int64]:
        """Persons who reached each stratum."""
        counts = np.zeros(N_STRATA, np.int64)
        for sex in range(len(SEXES)):
            own = self.sex == sex
            inside = self.edges[own] <= self.last_day[own, None]
            counts[sex * len(BANDS) : (sex + 1) * len(BANDS)] = inside.sum(axis=0)
        return counts

    def at_end(self) -> NDArray[np.int8]:
        """Stratum on the last day."""
        return self.strata(np.arange(len(self)), self.last_day)


def stratum_of(sex: str, band: int) -> int:
    """Number of the stratum of a sex (F, M) and the first age of a band.

    Raises:
        ValueError: There is no such sex or band.
    """
    return SEXES.index(sex) * len(BANDS) + BANDS.index(band)


def stratum_name(number: int) -> str:
    """``F 0``, ``M 5-9``, ``F 85+``."""
    sex, band = divmod(number, len(BANDS))
    low = BANDS[band]
    if band + 1 == len(BANDS):
        return f"{SEXES[sex]} {low}+"
    high = BANDS[band + 1] - 1
    return f"{SEXES[sex]} {low}" if high == low else f"{SEXES[sex]} {low}-{high}"
