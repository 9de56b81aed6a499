import datetime as dt

import numpy as np
import pytest

from trajsim.evaluate.parity.ages import BANDS, N_STRATA, Persons, birthdays, stratum_name, stratum_of

EPOCH = dt.date(1970, 1, 1)


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - EPOCH).days


def days(*texts: str) -> np.ndarray:
    return np.array([day(text) for text in texts], np.int32)


def persons(birth: str, last: str, *, male: bool = False, dead: bool = False) -> Persons:
    return Persons.of(birth_days=days(birth), last_days=days(last), is_male=np.array([male]), is_dead=np.array([dead]))


def test_birthdays() -> None:
    assert birthdays(days("1960-05-17"), 40)[0] == day("2000-05-17")
    assert birthdays(days("2000-02-29"), 5)[0] == day("2005-03-01")
    assert birthdays(days("2000-02-29"), 20)[0] == day("2020-02-29")


def test_an_age_is_completed_on_the_birthday() -> None:
    one = persons("2000-06-15", "2025-01-01", male=True)
    found = one.strata(np.zeros(3, np.int64), days("2000-06-15", "2005-06-14", "2005-06-15"))
    assert [stratum_name(int(number)) for number in found] == ["M 0", "M 1-4", "M 5-9"]


def test_years_at_risk_end_with_the_last_day() -> None:
    one = persons("2010-01-01", "2013-01-01")
    years = one.years()[0]
    assert years.sum() == pytest.approx(1096 / 365.25)
    assert years[stratum_of("F", 0)] == pytest.approx(365 / 365.25)
    assert one.reached()[stratum_of("F", 1)] == 1
    assert one.reached()[stratum_of("F", 5)] == 0


def test_strata_have_names() -> None:
    assert len({stratum_name(number) for number in range(N_STRATA)}) == N_STRATA == 2 * len(BANDS)
    assert stratum_name(stratum_of("F", 85)) == "F 85+"
