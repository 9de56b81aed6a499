"""Copies of one life that live it later, and people who are invited again."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.unit.trials.recruitment.builders import Fixed, document, people, spec, world
from trajsim.errors import ConfigError
from trajsim.trials.feasibility import assess, judge
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.appointments import appointments, appointments_of_site
from trajsim.trials.recruitment.candidates import candidates
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.eligibility import Everyone
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.replicate import Fates, recruit
from trajsim.trials.recruitment.run import simulate_recruitment
from trajsim.trials.recruitment.world import World
from trajsim.trials.spec_reading import spec_from

SURE = {"consent": 1.0, "eligible": 1.0, "completes": 1.0}
SITE = {"name": "Only", "share": 1.0}


def _spread(days: int, **changes: Any) -> World:  # noqa: ANN401 - sections of a spec
    visits = np.sort(np.random.default_rng(1).integers(-365, 364, (60, 8)), axis=1)
    sites = changes.pop("sites", [SITE | {"capacity_per_week": 5}])
    recruitment = {"scale": 20.0, "spread_days": days}
    return world(people(visits), sites=sites, funnel=SURE, recruitment=recruitment, **changes)


def _by_person(fates: Fates) -> dict[tuple[int, int], tuple[int, int]]:
    names = zip(fates.patient.tolist(), fates.copy.tolist(), strict=True)
    return dict(zip(names, zip(fates.visit_day.tolist(), fates.screening_day.tolist(), strict=True), strict=True))


def test_copies_come_on_their_own_days_and_the_first_on_those_of_the_records() -> None:
    together, apart = (recruit(_spread(days), Draws(1, 0)) for days in (0, 300))
    assert together.n_living == apart.n_living
    assert len(set(together.visit_day.tolist())) <= 60
    assert len(set(apart.visit_day.tolist())) > 150
    first = {name: days[0] for name, days in _by_person(apart).items() if name[1] == 0}
    assert first == {name: days[0] for name, days in _by_person(together).items() if name[1] == 0}
    assert apart.shift[apart.copy == 0].max() == 0
    later = apart.shift[apart.copy > 0]
    assert (later.min(), later.max()) == (1, 300)
    waited = [int((fates.reason == reasons.WAITED).sum()) for fates in (together, apart)]
    assert waited[1] < waited[0]


def test_a_later_life_is_the_same_life_later() -> None:
    dies = {"death_time": [None, None], "last_time": [(18_262 + 3_000) * 86_400_000_000] * 2}
    records = people([[-20, 40], [5]], more=dies)
    trial = world(records, sites=[SITE], funnel=SURE, recruitment={"scale": 30.0, "spread_days": 30})
    fates = recruit(trial, Draws(1, 0))
    own = fates.patient == 0
    on_first = fates.visit_day[own] - fates.shift[own]
    assert set(on_first.tolist()) == {-20, 40}
    assert (fates.shift[own][on_first == -20] >= 20).all()  # the visit before the trial is one in it for them
    assert (fates.shift[own][on_first == 40] < 20).all()
    table = candidates(trial, seed=1).to_pandas()
    ages = table[table["patient_id"] == 2].groupby("copy")["age_years"].first()
    assert ages.nunique() == 1  # whoever lives later was born later


@pytest.mark.parametrize("endpoint", [{"per_year": 0.2}, {"per_year": None, "counts_death": True}])
def test_threads_scenarios_and_the_answer_key_hold_for_later_lives(endpoint: dict[str, Any]) -> None:
    sites = [{"name": name, "share": 0.3, "lag": 5} for name in "ABC"]
    trial, other = (_spread(200, sites=own, endpoint=endpoint) for own in (sites[:2], sites))
    first, second = (_by_person(recruit(each, Draws(3, 1))) for each in (trial, other))
    assert {name: days for name, days in second.items() if trial.site[name[0]] >= 0} == first
    result = simulate_recruitment(trial, replicates=2, seed=3)
    table = candidates(trial, seed=3, replicate=1)
    counts = Counter(table["reason"].to_pylist())
    assert [counts[name] for name in trial.reasons.names] == result.counts[1].tolist()
    assert not table.to_pandas().duplicated(["patient_id", "copy"]).any()
    dates = table.to_pandas()
    assert (dates["end_date"].dropna() >= dates["randomized_date"].dropna()).all()


def test_charts_that_fail_are_counted_by_copy() -> None:
    records = people([[-5, 50]] * 40)
    trial = world(
        records, criteria=Fixed(["well"], [[0]] * 40), sites=[SITE], funnel=SURE,
        recruitment={"scale": 10.0, "spread_days": 100},
    )  # fmt: skip
    fates = recruit(trial, Draws(1, 0))
    assert int(fates.failed_people.sum()) == fates.n_living
    assert ((fates.failed_day >= 0) & (fates.failed_day <= 150)).all()
    table = candidates(trial, seed=1)
    assert table.num_rows == fates.n_living
    assert not table.to_pandas().duplicated(["patient_id", "copy"]).any()


def test_feasibility_does_not_look_before_the_trial() -> None:
    found = [assess(trial, judge(trial, Everyone())).to_json() for trial in (_spread(0), _spread(300))]
    assert found[0] == found[1]


def test_people_who_are_the_population_have_no_later_lives() -> None:
    with pytest.raises(ConfigError, match=r"\$\.recruitment\.spread_days: must be 0 where `resample` is fixed, got 9"):
        spec(recruitment={"resample": "fixed", "spread_days": 9})


# --- invitations ------------------------------------------------------------------------------------------------------


def _invited(times: int, visits: list[list[int]], **changes: Any) -> World:  # noqa: ANN401 - sections of a spec
    funnel = {**SURE, "invitations": times, **changes.pop("funnel", {})}
    sites = changes.pop("sites", [SITE])
    return world(people(visits), sites=sites, funnel=funnel, recruitment={"resample": "fixed"}, **changes)


def test_whoever_is_not_reached_is_looked_for_at_later_visits() -> None:
    visits = [[10, 20, 30, 40]] * 4_000
    reached = []
    for times in (1, 2, 3, 9):
        fates = recruit(_invited(times, visits, funnel={"contact": 0.4}), Draws(1, 0))
        reached.append(float((fates.reason == reasons.RANDOMIZED).mean()))
        in_time = {10 * n for n in range(1, min(times, 4) + 1)}
        assert set(fates.visit_day[fates.reason == reasons.RANDOMIZED].tolist()) == in_time
        assert set(fates.reason.tolist()) == {reasons.RANDOMIZED, reasons.NOT_REACHED}
    assert reached == pytest.approx([1 - 0.6**times for times in (1, 2, 3, 4)], abs=0.03)


def test_whoever_waited_in_vain_comes_again_after_giving_up() -> None:
    visits = [[0, 20, 40 + n] for n in range(12)]
    site = [SITE | {"capacity_per_week": 1}]
    screening = {"max_wait_days": 30}
    once, twice = (recruit(_invited(n, visits, sites=site, screening=screening), Draws(1, 0)) for n in (1, 2))
    assert [int((fates.reason == reasons.WAITED).sum()) for fates in (once, twice)] == [7, 2]
    again = twice.visit_day > 0
    assert (twice.visit_day[again] >= 40).all()  # not at day 20, when they still waited
    met = np.sort(twice.screening_day[twice.screening_day != NEVER])
    assert (np.diff(met) >= 7).all()
    assert twice.screening_day[~again].tolist() == once.screening_day[once.reason == reasons.RANDOMIZED].tolist()


def test_who_declined_is_not_asked_again_and_another_trial_keeps_them() -> None:
    visits = [[10, 60]] * 2_000
    rival = [{"name": "Rival", "probability": 0.5, "since": "2020-02-01"}]
    changed = {"funnel": {"consent": 0.5, "contact": 0.5}, "competing": rival}
    fates = recruit(_invited(2, visits, **changed), Draws(1, 0))
    shares = {why: float((fates.reason == why).mean()) for why in set(fates.reason.tolist())}
    assert shares == pytest.approx(
        {
            reasons.NOT_REACHED: 0.25,
            reasons.IN_ANOTHER_TRIAL: 0.125,  # at the second invitation only
            reasons.DECLINED: 0.3125,
            reasons.RANDOMIZED: 0.3125,
        },
        abs=0.03,
    )


def test_an_invitation_after_the_site_has_stopped_leaves_what_the_first_did() -> None:
    visits = [[5]] * 10 + [[5, 300]] * 50
    trial = _invited(2, visits, funnel={"contact": 0.5}, sites=[SITE | {"cap": 10}])
    fates = recruit(trial, Draws(1, 0))
    assert fates.stopped.tolist() == [5]
    assert (fates.visit_day == 5).all()
    assert int((fates.reason == reasons.NOT_REACHED).sum()) == pytest.approx(30, abs=12)


def test_one_by_one_gives_the_visits_that_all_at_once_gives() -> None:
    rng = np.random.default_rng(2)
    for capacity in (None, 0.5, 2.0, 9.0):
        ready = np.sort(rng.integers(0, 60, 80))
        latest = ready + rng.integers(0, 40, 80)
        at_once = appointments(ready, latest, np.zeros(80, np.int64), [capacity])
        first = [(int(day), number) for number, day in enumerate(ready)]
        met = appointments_of_site(first, capacity, lambda _: None, latest.tolist().__getitem__)
        assert [met.get(number, NEVER) for number in range(80)] == at_once.tolist()


def test_more_invitations_change_nothing_where_the_first_is_enough() -> None:
    rng = np.random.default_rng(3)
    visits = np.sort(rng.integers(0, 364, (300, 3)), axis=1).tolist()
    site = [SITE | {"capacity_per_week": 50, "lag": {"median_days": 5, "p90_days": 9}}]
    runs = [recruit(_invited(times, visits, sites=site), Draws(1, 0)) for times in (1, 4)]
    for name in ("reason", "visit_day", "screening_day", "randomized_day"):
        assert getattr(runs[0], name).tolist() == getattr(runs[1], name).tolist()


def test_faults_of_the_options() -> None:
    changed = document(recruitment={"spread_days": -1}, funnel={"invitations": 0})
    with pytest.raises(ConfigError) as caught:
        spec_from(changed, source=spec().criteria_source)
    assert "$.recruitment.spread_days: expected 0 ... 3650, got -1" in caught.value.message
    assert "$.funnel.invitations: expected 1 ... 100, got 0" in caught.value.message
