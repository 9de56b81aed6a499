"""Providers are invented, valid and stable."""

import numpy as np
import pytest

from trajsim.codes import is_valid_npi
from trajsim.errors import ConfigError
from trajsim.population.places import us_places
from trajsim.population.providers import PRIMARY_CARE, organizations, payers, practitioners, primary_care


def test_every_place_has_valid_and_distinct_identifiers() -> None:
    table = us_places()
    numbers = []
    for place in range(len(table)):
        found = organizations(table, place)
        assert {item.kind for item in found} == {"hospital", "practice", "urgent care"}
        assert len({item.name for item in found}) == len(found)
        people = practitioners(table, place)
        assert {person.organization_npi for person in people} == {item.npi for item in found}
        numbers += [item.npi for item in found] + [person.npi for person in people]
    assert len(set(numbers)) == len(numbers)
    assert all(is_valid_npi(number) and number[0] == "2" for number in numbers)


def test_large_cities_have_more() -> None:
    table = us_places()
    new_york, montpelier = table.city.index("New York"), table.city.index("Montpelier")
    assert len(organizations(table, new_york)) > len(organizations(table, montpelier)) >= 3


def test_choices_narrow() -> None:
    table = us_places()
    first = organizations(table, 0)[0]
    assert {person.organization_npi for person in practitioners(table, 0, organization=first)} == {first.npi}
    assert {person.specialty for person in practitioners(table, 0, specialty="cardiology")} == {"cardiology"}
    with pytest.raises(ConfigError, match="place must lie"):
        organizations(table, len(table))


def test_primary_care_is_stable_and_in_town() -> None:
    table = us_places()
    ids, place = np.arange(500, dtype=np.uint64), np.arange(500) % 7
    practice, doctor = primary_care(7, table, patient_id=ids, place=place)
    again = primary_care(7, table, patient_id=ids[100:200], place=place[100:200])
    assert practice[100:200].tolist() == again[0].tolist()
    assert doctor[100:200].tolist() == again[1].tolist()
    for row in range(50):
        people = {person.npi: person for person in practitioners(table, int(place[row]), specialty=PRIMARY_CARE)}
        assert people[doctor[row]].organization_npi == practice[row]


def test_payers_are_of_every_kind() -> None:
    assert {payer.kind for payer in payers()} == {"none", "medicare", "medicaid", "dual eligible", "private"}
    assert len({payer.identifier for payer in payers()}) == len(payers())
