"""A population file is read as it says, and every fault of it is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.places import PlaceTable
from trajsim.population.population_file import read_population_file
from trajsim.population.social import social_determinants_of
from trajsim.population.tables import RACES
from trajsim.units import YEAR_MS, ms_from_iso

END_MS = ms_from_iso("2026-01-01")
HEADER = (
    "place,region,country,population,female,age 0-17,age 18-64,age 65+,white,black,asian,other,hispanic,"
    "income 0-20000,income 20000-80000,income 80000+,less_than_hs,hs_degree,some_college,bs_degree,"
    "unemployed,language german,language romansh"
)
CHUR = "Chur,Graubunden,CH,38000,0.51,0.16,0.63,0.21,0.93,0.03,0.02,0.02,0.01,0.1,0.5,0.4,0.1,0.4,0.1,0.4,0.02,0.9,0.1"
BERN = "Bern,Bern,CH,134000,0.52,0.16,0.67,0.17,0.90,0.05,0.03,0.02,0.02,0.1,0.4,0.5,0.1,0.3,0.1,0.5,0.03,1,0"
SYNTHEA = (
    "ID,COUNTY,NAME,STNAME,POPESTIMATE2015,CTYNAME,TOT_POP,TOT_MALE,TOT_FEMALE,WHITE,HISPANIC,BLACK,ASIAN,NATIVE,OTHER,"
    "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,00..10,10..15,15..25,25..35,35..50,50..75,75..100,100..150,150..200,"
    "200..999,LESS_THAN_HS,HS_DEGREE,SOME_COLLEGE,BS_DEGREE"
)
QUINCY = (
    "9,21,Quincy,Massachusetts,93000,Norfolk County,93000,0.48,0.52,0.6,0.04,0.06,0.3,0.0,0.02,"
    + "0.05," * 17
    + "0.15,"
    + "0.1," * 10
    + "0.1,0.3,0.3,0.3"
)

Write = Callable[..., Path]


@pytest.fixture(name="write")
def write_fixture(tmp_path: Path) -> Write:
    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "places.csv"
        path.write_bytes("\n".join([*lines, ""]).encode(encoding))
        return path

    return write


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_population_file(path)
    assert caught.value.exit_code == 2
    assert "docs/population.md" in str(caught.value.hint)
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


def cohort_of(table: PlaceTable, n: int = 20_000, **options: Any) -> Cohort:  # noqa: ANN401 (any option)
    asked = PopulationOptions(end_ms=END_MS, table=table, mortality="modules-only", **options)
    return build_cohort(asked, first_patient=0, n_patients=n, seed=7)


def share(cohort: Cohort, name: str, word: str) -> float:
    column = cohort.attributes[name]
    return float((column.values == column.categories.index(word)).mean())


def test_shares_in_are_shares_out(write: Write) -> None:
    n = 20_000
    cohort = cohort_of(read_population_file(write("# a note", HEADER, "", CHUR, BERN)), n)
    chur = 38 / 172
    expected = {
        ("city", "Chur"): chur,
        ("gender", "F"): chur * 0.51 + (1 - chur) * 0.52,
        ("race", "asian"): chur * 0.02 + (1 - chur) * 0.03,
        ("ethnicity", "hispanic"): chur * 0.01 + (1 - chur) * 0.02,
        ("education", "bs_degree"): chur * 0.4 + (1 - chur) * 0.5,
        ("first_language", "romansh"): chur * 0.1,
    }
    for (name, word), wanted in expected.items():
        # Five standard errors: one of six fails by chance in less than 1 of 100,000 seeds.
        assert abs(share(cohort, name, word) - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / n), name
    income = cohort.attributes["income"].values.astype(np.int64)
    assert income.max() <= 200_000
    for low, high, wanted in [(0, 20_000, 0.1), (80_001, 200_000, chur * 0.4 + (1 - chur) * 0.5)]:
        found = ((income >= low) & (income <= high)).mean()
        assert abs(found - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / n)
    age = (END_MS - cohort.birth_ms) // YEAR_MS
    wanted = chur * 0.21 + (1 - chur) * 0.17
    assert abs((age >= 65).mean() - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / n)


def test_another_country_keeps_its_own_names(write: Write) -> None:
    table = read_population_file(write(HEADER, CHUR, BERN))
    cohort = cohort_of(table, 300)
    assert table.regions() == ("Graubunden", "Bern")
    assert {column.at(5) for name, column in cohort.attributes.items() if name == "birth_country"} == {"CH"}
    assert cohort.identity["state"][0] in {"Graubunden", "Bern"}
    assert set(cohort.identity["latitude"].tolist()) == {None}
    assert cohort.identity["phone"][0].startswith("555-01")
    assert set(cohort.parameters["unemployment_probability"].tolist()) == {0.02, 0.03}
    assert not cohort.attributes["food_insecurity"].values.any()
    assert "fips" not in cohort.attributes


def test_choices_work_with_a_file(write: Write) -> None:
    table = read_population_file(write(HEADER, CHUR, BERN))
    assert share(cohort_of(table, 50, states=["graubunden"]), "city", "Chur") == 1.0
    assert share(cohort_of(table, 50, cities=["Bern"], sex="F", age_low=30, age_high=40), "city", "Bern") == 1.0
    with pytest.raises(ConfigError, match=r"unknown state 'graubuenden'(.|\n)*did you mean 'Graubunden'"):
        PopulationOptions(end_ms=END_MS, table=table, states=["Graubuenden"])


def test_a_place_of_the_us_finds_its_state_county_and_town(write: Write) -> None:
    header = HEADER.replace(",unemployed,language german,language romansh", ",county")
    row = "Worcester,MA,,1000,0.5,0.2,0.6,0.2,0.9,0.1,0,0,0,0.1,0.5,0.4,0.1,0.4,0.1,0.4,Worcester County"
    table = read_population_file(write(header, row))
    assert table.region == ("Massachusetts",)
    assert table.postal_prefix == ("016",) or table.postal_prefix[0].startswith("01")
    assert table.area_code[0].isdigit()
    assert table.social[0].tolist() == social_determinants_of("Massachusetts", "Worcester County").tolist()


def test_syntheas_layout_is_accepted_as_it_is(write: Write) -> None:
    n = 20_000
    cohort = cohort_of(read_population_file(write(SYNTHEA, QUINCY)), n)
    # Missing to 1, OTHER counted: 0.02, half Hawaiian and half other; then scaled by 0.96 + 0.02.
    for race, part in [("white", 0.6), ("asian", 0.3), ("black", 0.06), ("hawaiian", 0.01), ("other", 0.01)]:
        wanted = part / 0.98
        assert abs(share(cohort, "race", race) - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / n), race
    assert share(cohort, "state", "Massachusetts") == 1.0
    assert share(cohort, "county", "Norfolk County") == 1.0
    income = cohort.attributes["income"].values.astype(np.int64)
    assert abs((income > 200_000).mean() - 0.1) < 5 * np.sqrt(0.09 / n)
    assert 990_000 < income.max() <= 999_000
    age = (END_MS - cohort.birth_ms) // YEAR_MS
    assert abs((age >= 85).mean() - 0.15) < 5 * np.sqrt(0.15 * 0.85 / n)


def test_the_file_of_the_reference_is_accepted(shared: Path) -> None:
    table = read_population_file(shared / "synthea" / "reference" / "demographics.csv")
    assert (table.city, table.region, table.county) == (("Springfield",), ("Massachusetts",), ("Hampden County",))
    race = dict(zip(RACES, table.ethnicity_race[0].sum(axis=0).tolist(), strict=True))
    # Synthea, on 4,000 and 10,000 persons of this row: 67.1 and 66.8 % white, 5.5 % Hawaiian.
    assert race["white"] == pytest.approx(0.616 / 0.916)
    assert race["hawaiian"] == race["other"] == pytest.approx(0.0525 / 0.916)


def test_all_faults_are_named_at_once(write: Write) -> None:
    bad = CHUR.replace("0.51", "1.51").replace("0.63", "0.33")
    double = BERN.replace("134000", "-5").replace("0.90", "x")
    us = BERN.replace("Bern,Bern,CH", "Boston,Massachusets,US")
    found = faults(write(HEADER, bad, BERN, double, us))
    expected = [
        "row 2, column 'female': expected a number from 0 to 1, got '1.51'",
        "row 2, columns 'age 0-17' to 'age 65+': shares of age sum to 0.7, expected 1",
        "row 4: place Bern, Bern, CH is there already, in row 3",
        "row 4, column 'population': expected a number of 0 or more, got '-5'",
        "row 4, column 'white': expected a number from 0 to 1.02, got 'x'",
        "row 5, column 'region': unknown 'Massachusets', did you mean 'Massachusetts'?",
    ]
    assert sorted(found) == sorted(expected)


def test_missing_unknown_and_broken_columns_are_named(write: Write) -> None:
    header = (
        HEADER.replace("hs_degree,", "hs_degre,", 1).replace("age 18-64", "age 20-64").replace("population", "people")
    )
    found = faults(write(header, CHUR))
    assert "column 'population' is missing" in found
    assert any(fault.startswith("column 'hs_degree' is missing, found 'hs_degre'") for fault in found)
    assert "column 'hs_degre' is unknown" in found
    assert "column 'age 20-64': no band has ages 18 to 19" in found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("age 18-64", "age 10-64"), "ages 10 to 17 are in another band too"),
        (("income 20000-80000", "income 10000-80000"), "overlaps 'income 0-20000'"),
        (("income 80000+", "income 90000-80000"), "got 90000 above 80000"),
        (("white,black,asian,other", "a,b,c,d"), "no column of race"),
        (("age 0-17,age 18-64,age 65+", "a,b,c"), "no column of an age band"),
        (("income 0-20000,income 20000-80000,income 80000+", "a,b,c"), "no column of an income bracket"),
        (("black", "white"), "column 'white' is there more than once"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(write: Write, change: tuple[str, str], says: str) -> None:
    assert any(says in fault for fault in faults(write(HEADER.replace(*change), CHUR)))


def test_files_that_are_no_table_are_refused(write: Write, tmp_path: Path) -> None:
    assert "is empty" in faults(write(""))[0]
    assert "no rows" in faults(write(HEADER))[0]
    assert "row 3: 2 cells, but 23 columns" in faults(write(HEADER, CHUR, "a,b"))[0]
    assert "row 2: not UTF-8 text" in faults(write(HEADER, CHUR.replace("Chur", "Zürich"), encoding="latin-1"))[0]
    assert "zero byte" in faults(write(HEADER + "\0"))[0]
    assert "not CSV" in faults(write(HEADER, '"Chur"x,b'))[0]
    assert "nobody lives" in faults(write(HEADER, CHUR.replace("38000", "0")))[0]
    with pytest.raises(ConfigError, match="cannot be read"):
        read_population_file(tmp_path / "none.csv")


def test_faults_of_syntheas_layout_are_named(write: Write) -> None:
    found = faults(write(SYNTHEA, QUINCY.replace("Massachusetts", "Massachusett").replace("0.15,", "0.55,")))
    assert any("unknown 'Massachusett', did you mean 'Massachusetts'?" in fault for fault in found)
    assert any("columns '1' to '18': shares of age sum to 1.4" in fault for fault in found)
    assert "column 'BS_DEGREE' is missing" in "\n".join(faults(write(SYNTHEA.replace("BS_DEGREE", "B"), QUINCY)))


def test_a_long_list_of_faults_is_cut(write: Write) -> None:
    found = faults(write(HEADER, *[CHUR.replace("Chur", f"Chur {k}").replace("0.51", "x") for k in range(50)]))
    assert found[-1] == "and 10 more"
