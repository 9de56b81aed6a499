"""Insurance: the share of person-years in which somebody pays, by age.

Synthea chooses a plan for every year of life, from birthday to birthday, and its table of payers leaves out the years
that ended before 1970. So ours are counted from the last birthday before 1970 on, or from birth. Who holds a plan (the
patient, a guardian, a spouse) is not compared: Records do not say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.evaluate.parity.ages import BANDS, DAYS_PER_YEAR, Persons, days_of
from trajsim.evaluate.parity.result import Comparison
from trajsim.evaluate.parity.statistics import Floats, safe_divide, two_sided_p
from trajsim.records.table import Records

MEASURE = "insured share of years"
NOT_INSURED = "none"
LEAST_PERSONS = 20
"""Persons of ours in a band from which on it is compared."""
LEAST_YEARS = 50.0
"""Person-years on each side from which on it is compared."""

_FIRST_DAY = 0  # 1970-01-01


@dataclass(frozen=True, kw_only=True)
class InsuredYears:
    """Sums over persons, one entry an age band: enough for a share and its variance between persons.

    Attributes:
        persons: Persons of whose insurance in the band something is known.
        years: Person-years of which it is known.
        insured: Those of them in which somebody paid.
        years_squared, insured_squared: Sums over persons of the square of their years.
        product: Sum of years times insured years.
    """

    persons: Floats
    years: Floats
    insured: Floats
    years_squared: Floats
    product: Floats
    insured_squared: Floats

    @classmethod
    def none(cls) -> "InsuredYears":
        """No person at all."""
        return cls(**{field.name: np.zeros(len(BANDS)) for field in fields(cls)})

    @classmethod
    def of(cls, years: Floats, insured: Floats) -> "InsuredYears":
        """Sums of years and insured years, [person, band]."""
        return cls(
            persons=(years > 0.0).sum(axis=0).astype(np.float64),
            years=years.sum(axis=0),
            insured=insured.sum(axis=0),
            years_squared=(years**2).sum(axis=0),
            product=(years * insured).sum(axis=0),
            insured_squared=(insured**2).sum(axis=0),
        )

    def __add__(self, other: "InsuredYears") -> "InsuredYears":
        """The sums of other persons added."""
        return InsuredYears(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )


def insured_years(records: Records, persons: Persons, person: NDArray[np.int64]) -> InsuredYears:
    """Counts the coverages of one shard.

    Args:
        records: The shard.
        persons: Its patients, in their order.
        person: Place among them of the patient of each coverage.
    """
    table = records["coverages"]
    from_day = last_birthday(persons.edges[:, 0], _FIRST_DAY)[person]
    start = np.maximum(days_of(table["time"].cast("int64").to_numpy()), from_day)
    stop = days_of(table["stop"].cast("int64").fill_null(0).to_numpy())
    is_open = pc.is_null(table["stop"]).to_numpy()
    stop = np.minimum(np.where(is_open, persons.last_day[person], stop), persons.last_day[person])
    is_insured = pc.not_equal(table["kind"].cast("string"), NOT_INSURED).to_numpy()
    years, insured = np.zeros((len(persons), len(BANDS))), np.zeros((len(persons), len(BANDS)))
    for band in range(len(BANDS)):
        low = persons.edges[person, band]
        high = persons.edges[person, band + 1] if band + 1 < len(BANDS) else stop
        spent = np.maximum(np.minimum(stop, high) - np.maximum(start, low), 0) / DAYS_PER_YEAR
        years[:, band] = np.bincount(person, spent, minlength=len(persons))
        insured[:, band] = np.bincount(person, spent * is_insured, minlength=len(persons))
    return InsuredYears.of(years, insured)


def last_birthday(birth_days: NDArray[np.int32], day: int) -> NDArray[np.int32]:
    """The last birthday up to a day, or the day of birth where that is later."""
    birth = birth_days.astype(np.int64).astype("datetime64[D]")
    until = np.maximum(np.datetime64(day, "D"), birth)
    month = birth.astype("datetime64[M]")
    of_month = (birth - month.astype("datetime64[D]")).astype(np.int64)
    age = until.astype("datetime64[Y]") - birth.astype("datetime64[Y]")
    found = _birthday(month, of_month, age)
    found = np.where(found > until, _birthday(month, of_month, age - np.timedelta64(1, "Y")), found)
    days: NDArray[np.int32] = found.astype(np.int64).astype(np.int32)
    return days


def _birthday(
    month: NDArray[np.datetime64], of_month: NDArray[np.int64], age: NDArray[np.timedelta64]
) -> NDArray[np.datetime64]:
    """The birthday at an age; that of 29 February falls on 1 March in other years."""
    there: NDArray[np.datetime64] = (month + age.astype("timedelta64[M]")).astype("datetime64[D]") + of_month
    return there


def compare_insurance(ours: InsuredYears, theirs: pd.DataFrame) -> Iterator[Comparison]:
    """Compares the insured share of person-years, band by band.

    Args:
        ours: Sums of our persons.
        theirs: Table ``payer_ownership_years``: `py` (empty: nobody insured), `age_from`, `person_years`.
    """
    bands = theirs["age_from"].map({age: number for number, age in enumerate(BANDS)}).to_numpy(np.int64)
    spent = theirs["person_years"].to_numpy(np.float64)
    their_years, their_insured = (
        np.bincount(bands, weights, minlength=len(BANDS)).astype(np.float64)
        for weights in (spent, spent * (theirs["py"] != "").to_numpy())
    )
    enough = (ours.persons >= LEAST_PERSONS) & (np.minimum(ours.years, their_years) >= LEAST_YEARS)
    error = _standard_errors(ours, their_years, their_insured)
    for band in np.flatnonzero(enough).tolist():
        shares = float(ours.insured[band] / ours.years[band]), float(their_insured[band] / their_years[band])
        z = safe_divide(np.array([shares[0] - shares[1]]), error[band : band + 1])
        yield Comparison(
            level="values",
            measure=MEASURE,
            key={"age": _band_name(band)},
            label="",
            ours=shares[0],
            theirs=shares[1],
            n_ours=round(ours.years[band]),
            n_theirs=round(their_years[band]),
            z=float(z[0]),
            p=float(two_sided_p(z)[0]),
            effect=shares[0] - shares[1],
            is_gated=False,
        )


def _standard_errors(ours: InsuredYears, their_years: Floats, their_insured: Floats) -> Floats:
    """Standard errors of the difference of shares.

    The variance of the pooled share, as if every person were either insured or not throughout the band, times how much
    of that our persons show (they change within the band). At least as if all years were independent; where all of ours
    are insured, or none, the whole of it. Theirs are taken to be like ours.
    """
    years = np.maximum(ours.years, 1e-9)
    share = ours.insured / years
    spread = ours.insured_squared - 2.0 * share * ours.product + share**2 * ours.years_squared
    most = share * (1.0 - share) * ours.years_squared
    least = np.minimum(ours.years / np.maximum(ours.years_squared, 1e-9), 1.0)
    part = np.clip(np.divide(spread, most, out=np.ones(len(BANDS)), where=most > 0.0), least, 1.0)
    pooled = (ours.insured + their_insured) / np.maximum(ours.years + their_years, 1e-9)
    variance = pooled * (1.0 - pooled) * part * ours.years_squared / years**2
    error: Floats = np.sqrt(variance * (1.0 + ours.years / np.maximum(their_years, 1e-9)))
    return error


def _band_name(band: int) -> str:
    low = BANDS[band]
    if band + 1 == len(BANDS):
        return f"{low}+"
    high = BANDS[band + 1] - 1
    return str(low) if low == high else f"{low}-{high}"
