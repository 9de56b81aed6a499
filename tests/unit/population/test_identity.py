"""Names and numbers are there, distinct, and nobody's."""

import math
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from trajsim.population.build import build_cohort
from trajsim.population.cohort import Cohort
from trajsim.population.identity import N_SSN, SSN_FACTOR, social_security_numbers
from trajsim.population.languages import LANGUAGES
from trajsim.population.mortality import BIRTHDAY_YEAR_MS
from trajsim.population.names import BEARERS, load_name_lists
from trajsim.population.options import PopulationOptions
from trajsim.population.places import us_place_rows, us_places
from trajsim.records.schema import TABLES
from trajsim.units import ms_from_iso

END_MS = ms_from_iso("2026-01-01")


def _cohort(n: int, *, first: int = 0) -> Cohort:
    return build_cohort(PopulationOptions(end_ms=END_MS), first_patient=first, n_patients=n, seed=7)


@pytest.fixture(scope="module", name="cohort")
def cohort_fixture() -> Cohort:
    return _cohort(3_000)


@pytest.fixture(scope="module", name="age")
def age_fixture(cohort: Cohort) -> NDArray[np.int64]:
    return (np.minimum(cohort.death_ms, END_MS) - cohort.birth_ms) // BIRTHDAY_YEAR_MS


def test_identifiers_are_distinct() -> None:
    cohort = _cohort(200_000)
    for name in ("medical_record_number", "ssn", "drivers", "passport"):
        texts = [text for text in cohort.identity[name] if text is not None]
        assert len(set(texts)) == len(texts)


def test_identifiers_stay_distinct_at_ten_million() -> None:
    # Licences and the like hold the id itself. Social security numbers are a permutation of the ids modulo N_SSN.
    assert N_SSN > 10_000_000
    assert math.gcd(SSN_FACTOR, N_SSN) == 1
    assert N_SSN * SSN_FACTOR < 2**63
    numbers = np.sort(social_security_numbers(np.arange(10_000_000, dtype=np.uint64)))
    assert (np.diff(numbers) > 0).all()
    last = _cohort(2, first=9_999_998).identity["medical_record_number"]
    assert last.tolist() == ["TSM009999998", "TSM009999999"]
    beyond = _cohort(1, first=10**9).identity["medical_record_number"]
    assert beyond.tolist() == ["TSM1000000000"]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("ssn", r"9\d\d-(?!00)[0-4]\d-(?!0000)\d{4}"),
        ("phone", r"\d{3}-555-01\d\d"),
        ("postal_code", r"\d{5}"),
        ("address_line", r"[1-9]\d{2,3} \w+ \w+ \w+"),
        ("medical_record_number", r"TSM\d{9}"),
        ("state_abbreviation", r"[A-Z]{2}"),
    ],
)
def test_texts_have_their_form(cohort: Cohort, name: str, form: str) -> None:
    assert all(re.fullmatch(form, text) for text in cohort.identity[name])


def test_documents_come_with_age(cohort: Cohort, age: NDArray[np.int64]) -> None:
    has = {name: np.array([text is not None for text in values]) for name, values in cohort.identity.items()}
    assert np.array_equal(has["drivers"], age >= 16)
    assert np.array_equal(has["prefix"], age >= 18)
    assert np.array_equal(has["marital_status"], age >= 18)
    assert not has["passport"][age < 20].any()
    assert 0.45 < has["passport"][age >= 20].mean() < 0.55


def test_marriage_title_and_maiden_name_agree(cohort: Cohort, age: NDArray[np.int64]) -> None:
    identity = cohort.identity
    women = cohort.attributes["gender"].values == 0
    status = identity["marital_status"]
    assert set(status[age < 28]) <= {None, "S"}
    assert set(status[age >= 60]) == {"S", "M", "D", "W"}
    for row in range(len(cohort)):
        took_name = women[row] and status[row] in ("M", "D", "W")
        assert (identity["maiden_name"][row] is not None) == took_name
        assert identity["maiden_name"][row] != identity["family_name"][row]
        assert identity["given_name"][row] != identity["middle_name"][row]
        if age[row] >= 18:
            assert identity["prefix"][row] == ("Mrs." if took_name else "Ms." if women[row] else "Mr.")


def test_place_agrees_with_what_modules_read(cohort: Cohort) -> None:
    for row in range(300):
        for name in ("city", "county", "state"):
            assert cohort.identity[name][row] == cohort.attributes[name].at(row)
    places = us_places()
    for row in range(300):
        place = us_place_rows()[cohort.identity["state"][row].casefold(), cohort.identity["city"][row].casefold()]
        assert cohort.identity["postal_code"][row].startswith(places.postal_prefix[place])
        assert abs(cohort.identity["latitude"][row] - places.latitude[place]) <= 0.05001
        assert abs(cohort.identity["longitude"][row] - places.longitude[place]) <= 0.05001


def test_names_and_addresses_agree_with_what_modules_read(cohort: Cohort) -> None:
    for row in range(300):
        attributes = {name: column.at(row) for name, column in cohort.attributes.items() if column.kind == "text"}
        identity = {name: values[row] for name, values in cohort.identity.items()}
        assert identity["given_name"] == attributes["first_name"]
        assert (identity["maiden_name"] or identity["family_name"]) == attributes["last_name"]
        assert identity["address_line"].partition(" ")[2] == attributes["address"]
        assert identity["postal_code"] == attributes["zip"]
        assert identity["birth_city"] == attributes["birth_city"]


def test_one_in_fifty_is_born_with_others() -> None:
    number = _cohort(40_000).identity["multiple_birth"].astype(np.int64)
    assert abs((number > 0).mean() - 0.02) < 0.0028  # four standard errors
    assert set(number.tolist()) == {0, 1, 2, 3}


def test_the_patients_table_finds_its_columns(cohort: Cohort) -> None:
    from_elsewhere = {
        "patient_id", "source_id", "birth_time", "death_time", "last_time",
        "sex", "race", "ethnicity", "language", "income",
    }  # fmt: skip
    assert set(TABLES["patients"]) - from_elsewhere <= set(cohort.identity)


def test_name_lists_are_long_and_free_of_doubles() -> None:
    lists = load_name_lists()
    for language in LANGUAGES:
        for bearers in (*BEARERS, "families"):
            names = lists[f"{language} {bearers}"]
            assert len(names) >= (150 if language in ("english", "spanish") else 45)
            assert len(set(names)) == len(names)
            assert all(name.isalpha() and name.isascii() for name in names)
    assert not [title for title in lists if title.split()[0] not in (*LANGUAGES, "street")]


def test_names_follow_the_language() -> None:
    options = PopulationOptions(end_ms=END_MS, races=["asian"], ethnicities=["nonhispanic"])
    cohort = build_cohort(options, first_patient=0, n_patients=2_000, seed=7)
    lists = load_name_lists()
    for row in range(2_000):
        language = cohort.attributes["first_language"].at(row)
        given, family = cohort.attributes["first_name"].at(row), cohort.attributes["last_name"].at(row)
        assert given in {*lists[f"{language} women"], *lists[f"{language} men"]}
        if language != "english":
            assert family in lists[f"{language} families"]
