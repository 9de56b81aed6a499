"""Background deaths follow the life table."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from trajsim.errors import ConfigError, DataFileError
from trajsim.population.build import build_cohort
from trajsim.population.cohort import NEVER_MS, SEXES, Cohort
from trajsim.population.mortality import (
    BIRTHDAY_YEAR_MS,
    LAST_AGE,
    background_hazard,
    cumulative_hazard,
    draw_deaths,
    survival,
    without_late_deaths,
)
from trajsim.population.options import PopulationOptions
from trajsim.population.tables import load_bundled_mortality_offset, load_life_table, read_mortality_offset

N = 40_000


def _ages_at_death(hazard: NDArray[np.float64], sex: int) -> NDArray[np.float64]:
    ids = np.arange(N, dtype=np.uint64)
    birth = np.full(N, -1_000_000_007, dtype=np.int64)
    deaths = draw_deaths(11, ids, sex=np.full(N, sex), birth_ms=birth, hazard=hazard)
    assert (deaths > birth).all()
    return np.where(deaths == NEVER_MS, np.inf, (deaths - birth) / BIRTHDAY_YEAR_MS)


@pytest.mark.parametrize(("sex", "published"), [(0, 81.4), (1, 76.3)])
def test_simulated_life_expectancy_is_that_of_2019(sex: int, published: float) -> None:
    ages = _ages_at_death(load_life_table(), sex)
    standard_error = ages.std() / np.sqrt(N)
    assert abs(ages.mean() - published) < 0.1 + 3 * standard_error


@pytest.mark.parametrize("sex", [0, 1])
def test_survival_to_each_decade_fits_the_table(sex: int) -> None:
    ages = _ages_at_death(load_life_table(), sex)
    total = cumulative_hazard(load_life_table())[sex]
    for age in range(1, 111, 10):
        expected = np.exp(-total[age])
        assert abs((ages > age).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / N) + 1e-9


def test_half_a_year_into_the_year_has_lived_half_the_hazard() -> None:
    total = cumulative_hazard(load_life_table())[0]
    half = survival(np.array([80.5]), total)[0]
    assert half == pytest.approx(np.exp(-(total[80] + total[81]) / 2), rel=1e-12)


def test_the_offset_is_taken_off_and_never_goes_below_zero() -> None:
    table = load_life_table()
    assert np.array_equal(background_hazard(), table)
    assert np.allclose(background_hazard(table * 0.25), table * 0.75)
    assert (background_hazard(table * 2.0) == 0.0).all()


def test_without_hazard_nobody_dies() -> None:
    assert np.isinf(_ages_at_death(np.zeros_like(load_life_table()), 0)).all()


def test_nobody_dies_of_the_background_past_the_last_age() -> None:
    hazard = np.full_like(load_life_table(), 0.01)
    ages = _ages_at_death(hazard, 1)
    assert ages[np.isfinite(ages)].max() <= LAST_AGE
    expected = np.exp(-0.01 * LAST_AGE)
    assert abs(np.isinf(ages).mean() - expected) < 4 * np.sqrt(expected / N)


def test_a_life_table_year_without_hazard_has_no_deaths() -> None:
    hazard = np.zeros_like(load_life_table())
    hazard[:, 50] = 5.0
    ages = _ages_at_death(hazard, 0)
    finite = ages[np.isfinite(ages)]
    assert len(finite) > 0.99 * N
    assert finite.min() >= 50.0 - 1e-9
    assert finite.max() <= 51.0


def test_the_table_is_that_of_the_source(shared: Path) -> None:
    source = shared / "data" / "us_life_tables" / "survexp_us.parquet"
    rows = pq.read_table(source, filters=[("year", "=", 2019)]).to_pylist()
    table = load_life_table()
    for row in rows:
        assert table[SEXES.index(row["sex"][0].upper()), row["age"]] == pytest.approx(row["hazard_per_year"], rel=1e-4)


def test_the_bundled_offset_covers_every_age() -> None:
    offset = load_bundled_mortality_offset()
    assert offset.shape == load_life_table().shape
    assert (offset >= 0).all()


def _csv(rows: list[str]) -> str:
    return "# comment\nsex,age,hazard_per_year\n" + "\n".join(rows) + "\n"


FULL = [f"{sex},{age},0.001" for sex in "FM" for age in range(111)]


def test_an_offset_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "offset.csv"
    path.write_text(_csv(FULL), encoding="utf-8")
    assert (read_mortality_offset(path) == 0.001).all()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (FULL[:-1], "no row for sex 'M', age 110"),
        ([*FULL, "F,3,0.1"], "doubled"),
        ([*FULL[:-1], "M,111,0.1"], "outside 0"),
        ([*FULL[:-1], "M,110,-0.1"], "hazard < 0"),
        ([*FULL[:-1], "M,110,nan"], "hazard < 0"),
        ([*FULL[:-1], "X,110,0"], "data row 222"),
        ([*FULL[:-1], "M,110"], "data row 222"),
        ([*FULL[:-1], "M,110,high"], "data row 222"),
    ],
)
def test_a_bad_offset_file_is_refused(tmp_path: Path, rows: list[str], says: str) -> None:
    path = tmp_path / "offset.csv"
    path.write_text(_csv(rows), encoding="utf-8")
    with pytest.raises(DataFileError, match=says):
        read_mortality_offset(path)


def test_a_missing_offset_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_mortality_offset(tmp_path / "none.csv")


def test_deaths_from_an_age_on_are_left_to_whoever_times_them() -> None:
    birth = np.array([0, 1_000, 1_000, 1_000], dtype=np.int64)
    year = int(365.25 * 86_400_000)
    deaths = np.array([NEVER_MS, 1_000 + 18 * year - 1, 1_000 + 18 * year, 5], dtype=np.int64)
    kept = without_late_deaths(deaths, birth_ms=birth, until_age=18.0)
    assert kept.tolist() == [NEVER_MS, 1_000 + 18 * year - 1, NEVER_MS, 5]


def test_a_population_without_late_deaths_is_the_same_people() -> None:
    def cohort(until: float | None) -> Cohort:
        options = PopulationOptions(end_ms=1_767_225_600_000, background_until_age=until)
        return build_cohort(options, first_patient=0, n_patients=400, seed=3, with_identity=False)

    whole, cut = cohort(None), cohort(60.0)
    assert np.array_equal(whole.birth_ms, cut.birth_ms)
    late = whole.death_ms - whole.birth_ms >= 60 * 365.25 * 86_400_000
    assert late.any()
    assert not late.all()
    assert np.array_equal(cut.death_ms, np.where(late, NEVER_MS, whole.death_ms))


def test_background_death_cannot_end_before_birth() -> None:
    with pytest.raises(ConfigError, match="0 or more, got -1"):
        PopulationOptions(end_ms=0, background_until_age=-1.0)
