"""Promises of the population: identifiers that never meet, and shares that come out as they went in."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.population.build import build_cohort
from trajsim.population.identity import N_SSN, social_security_numbers
from trajsim.population.options import PopulationOptions
from trajsim.population.places import us_places
from trajsim.population.population_file import read_population_file
from trajsim.population.social import SOCIAL_DETERMINANTS
from trajsim.population.tables import ETHNICITIES, RACES
from trajsim.units import ms_from_iso

END_MS = ms_from_iso("2026-01-01")
N = 4_000
# Bound of |found - wanted| in standard errors. With 20 shares a case and 100 cases, 2,000 in all, the chance that a
# right program exceeds it anywhere is about 2,000 * 2e-7.
LIMIT = 5.2


@given(first=st.integers(0, N_SSN - 1), n=st.integers(2, 20_000))
def test_social_security_numbers_of_consecutive_patients_are_distinct(first: int, n: int) -> None:
    ids = np.arange(first, first + min(n, N_SSN - first), dtype=np.uint64)
    numbers = social_security_numbers(ids)
    assert len(np.unique(numbers)) == len(ids)
    area, group, serial = numbers // 1_000_000, numbers // 10_000 % 100, numbers % 10_000
    assert ((area >= 900) & (area <= 999) & (group >= 1) & (group <= 49) & (serial >= 1)).all()


@given(first=st.integers(0, 10_000_000), seed=st.integers(0, 2**64 - 1))
def test_identifiers_are_distinct_and_a_part_is_the_whole(first: int, seed: int) -> None:
    options = PopulationOptions(end_ms=END_MS)
    whole = build_cohort(options, first_patient=first, n_patients=200, seed=seed)
    part = build_cohort(options, first_patient=first + 50, n_patients=20, seed=seed)
    for name in ("medical_record_number", "ssn", "drivers", "passport"):
        texts = [text for text in whole.identity[name] if text is not None]
        assert len(set(texts)) == len(texts)
    for name, values in part.identity.items():
        assert values.tolist() == whole.identity[name][50:70].tolist()
    for name, column in part.attributes.items():
        assert np.array_equal(column.values, whole.attributes[name].values[50:70])
        assert column.categories == whole.attributes[name].categories
    for name, values in part.parameters.items():
        assert np.array_equal(values, whole.parameters[name][50:70])


def _shares(n: int) -> st.SearchStrategy[list[float]]:
    weights = st.lists(st.integers(0, 20), min_size=n, max_size=n).filter(any)
    return weights.map(lambda drawn: [round(weight / sum(drawn), 6) for weight in drawn])


@pytest.fixture(name="path", scope="module")
def path_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("population") / "places.csv"


@given(
    races=_shares(6),
    education=_shares(4),
    incomes=_shares(3),
    ages=_shares(4),
    parts=st.lists(st.integers(0, 100).map(lambda x: x / 100), min_size=7, max_size=7),
    seed=st.integers(0, 2**64 - 1),
)
def test_shares_in_are_shares_out(
    path: Path,
    races: list[float],
    education: list[float],
    incomes: list[float],
    ages: list[float],
    parts: list[float],
    seed: int,
) -> None:
    female, hispanic, *social = parts
    columns = [
        *("place", "region", "country", "population", "female", "hispanic"),
        *("age 0-19", "age 20-39", "age 40-69", "age 70+", *RACES),
        *("income 0-999", "income 1000-1999", "income 2000+", "less_than_hs", "hs_degree", "some_college", "bs_degree"),
        *SOCIAL_DETERMINANTS,
    ]
    cells = ["Town", "Land", "XX", 1, female, hispanic, *ages, *races, *incomes, *education, *social]
    path.write_text(f"{','.join(columns)}\n{','.join(map(str, cells))}\n", encoding="utf-8")
    options = PopulationOptions(end_ms=END_MS, table=read_population_file(path), mortality="modules-only")
    cohort = build_cohort(options, first_patient=0, n_patients=N, seed=seed, with_identity=False)
    attributes = {name: column.values for name, column in cohort.attributes.items()}
    found_and_wanted = [((attributes["gender"] == 0).mean(), female)]
    found_and_wanted += [((attributes["ethnicity"] == ETHNICITIES.index("hispanic")).mean(), hispanic)]
    found_and_wanted += [((attributes["race"] == k).mean(), share) for k, share in enumerate(races)]
    found_and_wanted += [((attributes["education"] == k).mean(), share) for k, share in enumerate(education)]
    bracket = np.minimum(attributes["income"].astype(np.int64) // 1_000, 2)
    found_and_wanted += [((bracket == k).mean(), share) for k, share in enumerate(incomes)]
    found_and_wanted += [
        (attributes[name].mean(), share) for name, share in zip(SOCIAL_DETERMINANTS, social, strict=True)
    ]
    for found, wanted in found_and_wanted:
        # A share of a rounded file is off by up to 1e-5; one of 0 or 1 has no error.
        assert abs(found - wanted) <= LIMIT * np.sqrt(wanted * (1.0 - wanted) / N) + LIMIT / N


def test_every_table_of_shares_sums_to_one() -> None:
    table = us_places()
    for shares in (table.ages, table.education, table.income):
        assert np.allclose(shares.sum(axis=-1), 1.0)
        assert (shares >= 0).all()
    assert np.allclose(table.ethnicity_race.sum(axis=(1, 2)), 1.0)
    assert ((table.social >= 0) & (table.social <= 1)).all()
