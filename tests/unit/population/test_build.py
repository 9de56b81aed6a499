"""Who lives follows from seed, id and options, and the many follow the census."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.population.build import build_cohort
from trajsim.population.cohort import NEVER_MS, Cohort
from trajsim.population.mortality import BIRTHDAY_YEAR_MS
from trajsim.population.options import PopulationOptions
from trajsim.population.places import ISLAND_AREAS
from trajsim.population.tables import ETHNICITIES, RACES, load_census_ages, load_states
from trajsim.units import DAY_MS, YEAR_MS, ms_from_iso

END_MS = ms_from_iso("2026-01-01")
N = 60_000


def _cohort(n: int = 2_000, *, first: int = 0, seed: int = 7, identity: bool = False, **options: Any) -> Cohort:  # noqa: ANN401 (any option)
    asked = PopulationOptions(end_ms=END_MS, **options)
    return build_cohort(asked, first_patient=first, n_patients=n, seed=seed, with_identity=identity)


def _same(a: Cohort, b: Cohort) -> bool:
    return (
        np.array_equal(a.patient_id, b.patient_id)
        and np.array_equal(a.birth_ms, b.birth_ms)
        and np.array_equal(a.death_ms, b.death_ms)
        and a.attributes.keys() == b.attributes.keys()
        and all(a.attributes[name].categories == b.attributes[name].categories for name in a.attributes)
        and all(np.array_equal(a.attributes[name].values, b.attributes[name].values) for name in a.attributes)
        and a.identity.keys() == b.identity.keys()
        and all(np.array_equal(a.identity[name], b.identity[name]) for name in a.identity)
    )


def _texts(cohort: Cohort, name: str) -> set[str]:
    column = cohort.attributes[name]
    return {column.categories[value] for value in np.unique(column.values)}


def _numbers(cohort: Cohort, name: str) -> NDArray[Any]:
    return cohort.attributes[name].values


def test_the_smaller_run_is_the_beginning_of_the_larger() -> None:
    assert _same(_cohort(500, identity=True), _cohort(1_000, identity=True).rows(0, 500))


def test_a_shard_alone_holds_the_rows_of_the_whole() -> None:
    whole = _cohort(1_003, identity=True)
    for start, stop in [(0, 1), (1, 400), (400, 1_003)]:
        assert _same(_cohort(stop - start, first=start, identity=True), whole.rows(start, stop))


def test_identity_changes_nothing_else() -> None:
    named, bare = _cohort(300, identity=True), _cohort(300)
    assert np.array_equal(named.birth_ms, bare.birth_ms)
    assert np.array_equal(named.death_ms, bare.death_ms)
    assert bare.identity == {}


def test_another_seed_gives_other_people() -> None:
    assert not np.array_equal(_cohort(50).birth_ms, _cohort(50, seed=8).birth_ms)


def test_nobody_and_large_ids() -> None:
    assert len(_cohort(0, identity=True)) == 0
    assert _cohort(3, first=2**40, identity=True).patient_id.tolist() == [2**40, 2**40 + 1, 2**40 + 2]


def test_birth_lies_in_the_interval_of_the_target_age() -> None:
    cohort = _cohort(5_000, age_low=40, age_high=41)
    assert cohort.birth_ms.min() >= END_MS - (42 * YEAR_MS + DAY_MS)
    assert cohort.birth_ms.max() < END_MS - 40 * YEAR_MS
    assert len(np.unique(cohort.birth_ms % 1_000)) > 900


def test_nobody_is_born_before_the_start() -> None:
    start = ms_from_iso("1990-06-01")
    cohort = _cohort(5_000, start_ms=start)
    assert cohort.birth_ms.min() >= start
    assert (cohort.birth_ms < ms_from_iso("1990-09-01")).any()


def test_filters_choose() -> None:
    cohort = _cohort(3_000, sex="F", states=["MA", "new york"], races=["asian", "black"], ethnicities=["hispanic"])
    assert _texts(cohort, "gender") == {"F"}
    assert _texts(cohort, "state") == {"Massachusetts", "New York"}
    assert _texts(cohort, "race") == {"asian", "black"}
    assert _texts(cohort, "ethnicity") == {"hispanic"}
    assert {"Massachusetts", "Illinois", "Missouri"} <= _texts(_cohort(2_000, cities=["Springfield"]), "state")
    assert _texts(_cohort(100, cities=["boston"], states=["MA"]), "city") == {"Boston"}


def test_filters_leave_the_categories_as_they_are() -> None:
    everyone, some = _cohort(5), _cohort(5, states=["VT"], sex="M")
    assert [column.categories for column in everyone.attributes.values()] == [
        column.categories for column in some.attributes.values()
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"age_low": 5, "age_high": 4}, "0 <= low <= high"),
        ({"age_high": 111}, "0 <= low <= high"),
        ({"sex": "X"}, "sex must be"),
        ({"states": ["Atlantis"]}, "unknown state 'atlantis'"),
        ({"states": []}, "chooses nobody"),
        ({"cities": ["Atlantis"]}, "unknown city"),
        ({"cities": ["Boston"], "states": ["VT"]}, "no city"),
        ({"races": ["green"]}, "unknown race"),
        ({"ethnicities": ["green"]}, "unknown ethnicity"),
        ({"mortality": "none"}, "mortality must be"),
        ({"start_ms": END_MS}, "before the end"),
        ({"mortality_offset": np.zeros((2, 5))}, "shape"),
        ({"mortality_offset": np.full((2, 111), -1.0)}, "0 or more"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        PopulationOptions(end_ms=END_MS, **options)


def test_bad_ids_and_impossible_wishes_are_refused() -> None:
    for first, n, seed in [(-1, 1, 7), (0, -1, 7), (0, 1, -1), (0, 1, 2**64), (2**63, 1, 7)]:
        with pytest.raises(ConfigError, match="must lie"):
            _cohort(n, first=first, seed=seed)
    with pytest.raises(ConfigError, match="nobody fits"):
        _cohort(1, age_low=50, start_ms=ms_from_iso("2000-01-01"))


def _chi_square(observed: NDArray[Any], expected: NDArray[Any]) -> float:
    kept = expected > 5
    return float(((observed[kept] - expected[kept]) ** 2 / expected[kept]).mean())


def _ages_by_sex(cohort: Cohort, who: NDArray[Any]) -> NDArray[Any]:
    age = ((END_MS - cohort.birth_ms[who]) // YEAR_MS).astype(int)
    sex = cohort.attributes["gender"].values[who].astype(int)
    return np.bincount(sex * 101 + np.minimum(age, 100), minlength=202)


@pytest.mark.parametrize("mortality", ["modules-only", "life-table"])
def test_those_alive_at_the_end_follow_the_census(mortality: str) -> None:
    cohort = _cohort(N, mortality=mortality)
    alive = cohort.death_ms > END_MS
    assert alive.all() == (mortality == "modules-only")
    observed = _ages_by_sex(cohort, alive)
    census = load_census_ages()
    expected = np.concatenate([census[:, :100], census[:, 100:].sum(axis=1, keepdims=True)], axis=1)
    expected = expected / expected.sum() * alive.sum()
    # About 195 cells: the mean of chi-square / cell is 1, its standard deviation 0.1.
    assert _chi_square(observed, expected.ravel()) < 1.35


def test_modules_only_has_no_background() -> None:
    assert (_cohort(100, mortality="modules-only").death_ms == NEVER_MS).all()


def test_an_offset_of_the_whole_table_leaves_no_background() -> None:
    assert (_cohort(100, mortality_offset=np.full((2, 111), 10.0)).death_ms == NEVER_MS).all()


def test_states_races_and_ethnicities_follow_the_census() -> None:
    cohort = _cohort(N, mortality="modules-only")
    states = load_states()
    residents = np.where([name in ISLAND_AREAS for name in states.abbreviations], 0.0, states.population)
    share = residents / residents.sum()
    observed = np.bincount(cohort.attributes["state"].values, minlength=len(share))
    assert _chi_square(observed, share * N) < 1.7  # 51 degrees of freedom
    joint = (states.ethnicity_race * share[:, None, None]).sum(axis=0)
    cell = _numbers(cohort, "ethnicity") * len(RACES) + _numbers(cohort, "race")
    observed = np.bincount(cell, minlength=joint.size)
    assert _chi_square(observed, joint.ravel() * N) < 2.9  # 10 degrees of freedom
    # Published totals of 2020, with Puerto Rico: 19.5 % Hispanic, 57.3 % white and not Hispanic.
    hispanic, nonhispanic = (ETHNICITIES.index(word) for word in ("hispanic", "nonhispanic"))
    assert joint[hispanic].sum() == pytest.approx(0.195, abs=0.001)
    assert joint[nonhispanic, RACES.index("white")] == pytest.approx(0.573, abs=0.001)


def test_social_standing_follows_its_formula() -> None:
    cohort = _cohort(3_000)
    number = {name: _numbers(cohort, name) for name, column in cohort.attributes.items() if column.kind != "text"}
    assert cohort.attributes["income"].kind == "integer"
    assert number["income"].min() >= 0
    assert number["income"].max() <= 500_000
    assert np.allclose(number["poverty_ratio"], number["income"] / 17_550)
    level = np.clip((number["income"] - 17_550) / 57_450, 0, 1)
    assert np.allclose(number["income_level"], level)
    score = 0.2 * level + 0.7 * number["education_level"] + 0.1 * number["occupation_level"]
    assert np.allclose(number["socioeconomic_score"], score)
    for row in range(200):
        expected = "High" if score[row] >= 0.66 else "Middle" if score[row] >= 0.25 else "Low"
        assert cohort.attributes["socioeconomic_category"].at(row) == expected


def test_language_goes_with_ethnicity() -> None:
    assert _texts(_cohort(500, ethnicities=["hispanic"]), "first_language") == {"english", "spanish"}
    native = _cohort(500, ethnicities=["nonhispanic"], races=["native"])
    assert _texts(native, "first_language") == {"english"}
    ponce = _cohort(2_000, states=["PR"])
    spanish = ponce.attributes["first_language"]
    assert (spanish.values == spanish.categories.index("spanish")).mean() > 0.9


def test_age_at_background_death_is_whole_lives() -> None:
    cohort = _cohort(2_000)
    dead = cohort.death_ms != NEVER_MS
    age = (cohort.death_ms[dead] - cohort.birth_ms[dead]) / BIRTHDAY_YEAR_MS
    assert age.min() > 0
    assert age.max() < 130
