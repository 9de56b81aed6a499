"""The built-in places cover the country, and their figures are the states' and counties'."""

import numpy as np
import pytest

from trajsim.population.build import build_cohort
from trajsim.population.options import PopulationOptions
from trajsim.population.places import ISLAND_AREAS, us_place_rows, us_places
from trajsim.population.social import SOCIAL_DETERMINANTS, load_social_determinants, social_determinants_of
from trajsim.population.tables import load_census_ages, load_states
from trajsim.units import ms_from_iso

END_MS = ms_from_iso("2026-01-01")
US_MEDIAN_INCOME = 65_712


def test_every_state_and_territory_has_places() -> None:
    table, states = us_places(), load_states()
    assert len(states.names) == 56
    assert table.regions() == states.names
    per_state = {region: table.region.count(region) for region in table.regions()}
    assert min(per_state.values()) >= 1
    assert sum(count >= 5 for count in per_state.values()) >= 51
    assert len(us_place_rows()) == len(table)


def test_a_state_has_its_residents() -> None:
    table, states = us_places(), load_states()
    for name, residents in zip(states.names, states.population, strict=True):
        here = np.array([region == name for region in table.region])
        assert table.weight[here].sum() == pytest.approx(residents)


def test_the_states_together_have_the_ages_of_the_nation() -> None:
    table = us_places()
    sexes = np.stack([table.female, 1.0 - table.female], axis=1)
    people = (table.ages * sexes[:, :, None] * (table.weight * table.is_default)[:, None, None]).sum(axis=0)
    census = load_census_ages()
    assert np.allclose(people / people.sum() / (census / census.sum()), 1.0, atol=0.015)


def test_incomes_have_the_median_of_the_state() -> None:
    table, states = us_places(), load_states()
    for place in range(0, len(table), 25):
        below = np.concatenate([[0.0], np.cumsum(table.income[place])])
        edges = np.append(table.income_low, table.income_high[-1])
        median = float(np.interp(0.5, below, edges))
        wanted = states.median_income[states.names.index(table.region[place])]
        # Spreading incomes evenly inside a bracket moves the nation's median by 1 %, a state's by some more.
        assert median == pytest.approx(wanted, rel=0.15)


def test_island_areas_come_only_when_asked_for() -> None:
    states = load_states()
    islands = [states.names[states.abbreviations.index(short)] for short in ISLAND_AREAS]
    everyone = build_cohort(PopulationOptions(end_ms=END_MS), first_patient=0, n_patients=20_000, seed=7)
    column = everyone.attributes["state"]
    drawn = {column.categories[k] for k in np.unique(column.values)}
    assert not drawn & set(islands)
    assert len(drawn) == 52
    guam = build_cohort(PopulationOptions(end_ms=END_MS, states=["GU"]), first_patient=0, n_patients=5, seed=7)
    assert {guam.attributes["state"].at(row) for row in range(5)} == {"Guam"}


def test_counties_are_found_however_they_are_written() -> None:
    hampden = load_social_determinants()["Massachusetts", "Hampden County"]
    for county in ("Hampden County", "hampden", "HAMPDEN COUNTY"):
        assert social_determinants_of("massachusetts", county).tolist() == hampden.tolist()
    mean = social_determinants_of("Massachusetts", "Nowhere")
    rows = [row for (state, _), row in load_social_determinants().items() if state == "Massachusetts"]
    assert np.allclose(mean, np.mean(rows, axis=0))
    assert np.allclose(
        social_determinants_of("Atlantis", ""), np.mean(list(load_social_determinants().values()), axis=0)
    )


def test_every_county_of_the_states_is_known() -> None:
    table, states = us_places(), load_states()
    unknown = {
        (region, county)
        for region, county in zip(table.region, table.county, strict=True)
        if (region, county) not in load_social_determinants()
    }
    without = {states.names[states.abbreviations.index(short)] for short in ("PR", *ISLAND_AREAS)}
    assert {region for region, _ in unknown} == without


def test_social_determinants_are_thrown_with_the_county_s_probability() -> None:
    n = 40_000
    options = PopulationOptions(end_ms=END_MS, cities=["Detroit"], states=["MI"])
    cohort = build_cohort(options, first_patient=0, n_patients=n, seed=7, with_identity=False)
    shares = social_determinants_of("Michigan", "Wayne County")
    for name, share in zip(SOCIAL_DETERMINANTS, shares, strict=True):
        found = cohort.attributes[name].values.mean()
        assert abs(found - share) < 4.5 * np.sqrt(share * (1 - share) / n)
    assert set(cohort.parameters["unemployment_probability"].tolist()) == {shares[2]}


def test_traits_have_their_shares_and_foreign_birth_follows_language() -> None:
    n = 40_000
    cohort = build_cohort(PopulationOptions(end_ms=END_MS), first_patient=0, n_patients=n, seed=7, with_identity=False)
    assert abs(cohort.attributes["RH_NEG"].values.mean() - 0.15) < 0.008
    orientation = np.bincount(cohort.attributes["sexual_orientation"].values, minlength=3) / n
    assert orientation == pytest.approx(np.array([96.6, 1.6, 0.7]) / 98.9, abs=0.004)
    language, country = cohort.attributes["first_language"], cohort.attributes["birth_country"]
    in_us = country.values == country.categories.index("US")
    for name, share in (("english", 1.0), ("chinese", 0.2)):
        speaks = language.values == language.categories.index(name)
        assert in_us[speaks].mean() == pytest.approx(share, abs=0.1)
    abroad = {
        country.categories[k] for k in np.unique(country.values[language.values == language.categories.index("korean")])
    }
    assert abroad == {"US", "KR"}
