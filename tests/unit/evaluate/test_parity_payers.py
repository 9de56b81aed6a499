"""Insured years: counted from the last birthday before 1970, compared with the variance between persons."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.evaluate.population import END_US, YEAR_US, made_up_records, made_up_states, table
from tests.unit.evaluate.reference_tables import write_reference_tables
from trajsim.errors import DataFileError
from trajsim.evaluate.parity.ages import BANDS, DAYS_PER_YEAR, Persons, days_of
from trajsim.evaluate.parity.comparison import compare
from trajsim.evaluate.parity.payers import MEASURE, InsuredYears, compare_insurance, insured_years, last_birthday
from trajsim.evaluate.parity.reference import read_reference
from trajsim.evaluate.parity.tally import tally
from trajsim.records.table import Records, concat

DAY_US = 86_400_000_000


def _us(year: int, month: int, day: int) -> int:
    return int(dt.datetime(year, month, day, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000


def _counted(births: list[int], rows: list[tuple[int, int, int | None, str]], *, end_us: int = END_US) -> InsuredYears:
    """Years of some persons; rows are person, start, stop, kind."""
    birth = days_of(np.array(births, np.int64))
    n = len(births)
    persons = Persons.of(
        birth_days=birth, last_days=np.full(n, days_of(np.array([end_us], np.int64))[0]),
        is_male=np.zeros(n, np.bool_), is_dead=np.zeros(n, np.bool_),
    )  # fmt: skip
    person, start, stop, kind = zip(*rows, strict=True)
    records = Records({
        "coverages": table("coverages", {"patient_id": person, "time": start, "stop": stop, "kind": kind})
    })  # fmt: skip
    return insured_years(records, persons, np.array(person))


def test_a_life_is_cut_at_birthdays_and_counted_to_the_end() -> None:
    birth = _us(2000, 6, 1)
    found = _counted([birth], [(0, birth, _us(2003, 6, 1), "none"), (0, _us(2003, 6, 1), None, "aca")])
    assert found.years[0] == pytest.approx(365 / DAYS_PER_YEAR)
    assert found.insured[:3].tolist() == pytest.approx([0.0, 731 / DAYS_PER_YEAR, 1826 / DAYS_PER_YEAR])
    assert found.years[1] == pytest.approx(1461 / DAYS_PER_YEAR)
    assert found.years.sum() == pytest.approx((END_US - birth) // DAY_US / DAYS_PER_YEAR + 1 / DAYS_PER_YEAR)
    assert (found.persons > 0).sum() == 6


def test_years_that_ended_before_1970_are_left_out() -> None:
    birth = _us(1940, 3, 1)
    found = _counted([birth], [(0, birth, _us(1990, 3, 1), "private"), (0, _us(1990, 3, 1), None, "none")])
    assert found.years[: BANDS.index(25)].sum() == 0.0
    assert found.years[BANDS.index(25)] == pytest.approx((_us(1970, 3, 1) - _us(1969, 3, 1)) / DAY_US / DAYS_PER_YEAR)
    assert found.insured.sum() == pytest.approx((_us(1990, 3, 1) - _us(1969, 3, 1)) / DAY_US / DAYS_PER_YEAR)


def test_a_coverage_counts_no_longer_than_the_person_is_observed() -> None:
    birth = _us(2020, 1, 1)
    found = _counted([birth], [(0, birth, _us(2030, 1, 1), "private")], end_us=_us(2021, 1, 1))
    assert found.years.sum() == found.insured.sum() == pytest.approx(366 / DAYS_PER_YEAR)


@given(st.dates(dt.date(1900, 1, 1), dt.date(2030, 1, 1)), st.dates(dt.date(1930, 1, 1), dt.date(2030, 1, 1)))
def test_the_last_birthday_is_that_of_the_calendar(birth: dt.date, day: dt.date) -> None:
    epoch = dt.date(1970, 1, 1)
    (found,) = last_birthday(np.array([(birth - epoch).days], np.int32), (day - epoch).days)
    if day <= birth:
        assert found == (birth - epoch).days
        return
    date = epoch + dt.timedelta(days=int(found))
    leap = (birth.month, birth.day) == (2, 29)
    assert date <= day
    assert (date.month, date.day) in (((2, 29), (3, 1)) if leap else ((birth.month, birth.day),))
    assert (day - date).days <= 365


def _random(n: int, seed: int, *, share: float = 0.7) -> Records:
    """Persons whose insurance is chosen anew every five years, and hardly ever changes."""
    rng = np.random.default_rng(seed)
    birth = END_US - (rng.uniform(20.0, 60.0, n) * YEAR_US).astype(np.int64)
    usual = rng.random(n) < share
    person, start, kind = [], [], []
    for k in range(n):
        for number, time in enumerate(range(int(birth[k]), END_US, 5 * YEAR_US)):
            changes = rng.random() < 0.1
            person.append(k)
            start.append(time if number else int(birth[k]))
            kind.append("private" if usual[k] != changes else "none")
    stop = [b if a == c else None for a, b, c in zip(person, [*start[1:], 0], [*person[1:], -1], strict=True)]
    return Records({
        "patients": table("patients", {
            "patient_id": np.arange(n), "birth_time": birth, "last_time": np.full(n, END_US), "sex": ["F"] * n,
        }),
        "coverages": table("coverages", {"patient_id": person, "time": start, "stop": stop, "kind": kind}),
    })  # fmt: skip


def _sums(records: Records) -> InsuredYears:
    patients = records["patients"]
    n = len(records)
    persons = Persons.of(
        birth_days=days_of(patients["birth_time"].cast("int64").to_numpy()),
        last_days=days_of(patients["last_time"].cast("int64").to_numpy()),
        is_male=np.zeros(n, np.bool_), is_dead=np.zeros(n, np.bool_),
    )  # fmt: skip
    place = np.searchsorted(records.patient_ids, records["coverages"]["patient_id"].to_numpy())
    return insured_years(records, persons, place)


def _reference(found: InsuredYears) -> pd.DataFrame:
    halves = found.insured / 2.0
    return pd.DataFrame({
        "py": ["Self"] * len(BANDS) + ["Spouse"] * len(BANDS) + [""] * len(BANDS),
        "age_from": [*BANDS] * 3,
        "person_years": np.concatenate([halves, halves, found.years - found.insured]),
    })  # fmt: skip


def test_shards_add_up() -> None:
    parts = list(_random(30, 3).by_patient())
    whole = _sums(concat(parts))
    added = sum((_sums(part) for part in parts), InsuredYears.none())
    assert added.persons.tolist() == whole.persons.tolist()
    assert added.product.tolist() == pytest.approx(whole.product.tolist())
    assert added.insured_squared.tolist() == pytest.approx(whole.insured_squared.tolist())


def test_samples_of_one_population_differ_as_much_as_chance_lets_them() -> None:
    z = [
        each.z
        for seed in range(40)
        for each in compare_insurance(_sums(_random(150, seed)), _reference(_sums(_random(150, 1_000 + seed))))
    ]
    assert len(z) > 200
    spread = float(np.std(np.array(z, np.float64)))
    assert 0.8 < spread < 1.2


def test_another_share_is_found() -> None:
    found = list(compare_insurance(_sums(_random(400, 1, share=0.8)), _reference(_sums(_random(400, 2, share=0.6)))))
    assert [each.key["age"] for each in found[:3]] == ["0", "1-4", "5-9"]
    assert all(each.z is not None and each.z > 3.0 for each in found[:5])
    assert all(0.05 < each.effect < 0.3 for each in found[:5])


def test_where_all_are_insured_a_few_years_without_prove_nothing() -> None:
    ours = InsuredYears.of(np.full((100, len(BANDS)), 4.0), np.full((100, len(BANDS)), 4.0))
    theirs = InsuredYears.of(np.full((100, len(BANDS)), 4.0), np.full((100, len(BANDS)), 3.95))
    same = list(compare_insurance(ours, _reference(ours)))
    assert {each.z for each in same} == {0.0}
    for each in compare_insurance(ours, _reference(theirs)):
        assert each.z is not None
        assert 0.0 < each.z < 2.0


def test_insurance_is_one_of_the_values_of_a_comparison(tmp_path: Path) -> None:
    records = made_up_records(200, 5)
    insured = Records({**records.tables, "coverages": _whole_lives(records)})
    folder = write_reference_tables(tmp_path / "reference", tally([insured]), made_up_states(records))
    found = compare([insured], made_up_states(records), read_reference(folder), about={})
    own = [each for each in found.of("values") if each.measure == MEASURE]
    assert len(own) > 10
    assert [each.z for each in own] == pytest.approx([0.0] * len(own), abs=1e-9)
    assert all(0.0 < each.ours < 1.0 and not each.is_gated for each in own)
    (folder / "payer_ownership_years.csv").write_text("py,age_from,person_years\nSelf,7,12\n")
    with pytest.raises(DataFileError, match=r"payer_ownership_years.csv: row 2: expected .* got 7"):
        read_reference(folder)
    (folder / "payer_ownership_years.csv").unlink()
    lacks = compare([insured], made_up_states(records), read_reference(folder), about={})
    assert [each for each in lacks.of("values") if each.measure == MEASURE] == []


def _whole_lives(records: Records) -> pa.Table:
    """One coverage a person; every third is not insured."""
    ids = records.patient_ids
    kinds = ["none" if id_ % 3 == 0 else "aca" for id_ in ids.tolist()]
    birth = records["patients"]["birth_time"].cast("int64").to_pylist()
    return table("coverages", {"patient_id": ids, "time": birth, "stop": [None] * len(ids), "kind": kinds})


def test_bands_with_few_years_are_not_compared() -> None:
    assert list(compare_insurance(InsuredYears.none(), _reference(_sums(_random(100, 1))))) == []
    assert list(compare_insurance(_sums(_random(100, 1)), _reference(InsuredYears.none()))) == []
    alike = InsuredYears.of(np.full((100, len(BANDS)), 4.0), np.zeros((100, len(BANDS))))
    assert list(compare_insurance(alike, _reference(InsuredYears.none()).iloc[:0])) == []
