import dataclasses

import numpy as np
import pytest

from tests.unit.trials.recruitment.builders import Fixed, people, world
from trajsim.trials.page import Feasibility, PageContents, Provenance
from trajsim.trials.page.answer import Answer, answer
from trajsim.trials.page.figures import percent
from trajsim.trials.recruitment import Scenarios, simulate_recruitment


def _answer(contents: PageContents) -> Answer:
    return answer(contents, contents.result.to_json())


def test_the_verdict_has_the_probability_and_its_interval(whole: PageContents) -> None:
    found = _answer(whole)
    planned = whole.result.spec.n_planned_days - 1
    assert found.probability == whole.result.probability_by(planned) == 0.025
    assert found.low < 0.025 < found.high
    assert found.tone == "bad"
    assert found.verdict.startswith("No, almost surely not: the probability of 250 randomized people by 31 Dec 2020")
    assert "40 replicates" in found.verdict


def test_few_replicates_allow_no_verdict(whole: PageContents, provenance: Provenance) -> None:
    visits = np.sort(np.random.default_rng(1).integers(0, 300, (200, 2)), axis=1)
    result = simulate_recruitment(world(people(visits), recruitment={"target": 5}), replicates=1, seed=1)
    found = _answer(PageContents(result=result, provenance=provenance))
    assert found.verdict.startswith("Too few replicates to say")
    assert found.tone == "open"
    assert whole.result.n_replicates > 1


def test_a_trial_that_recruits_nobody_has_an_answer(provenance: Provenance) -> None:
    rules = Fixed(["none"], np.zeros((200, 1), np.int8).tolist())
    visits = np.sort(np.random.default_rng(1).integers(0, 300, (200, 2)), axis=1)
    result = simulate_recruitment(
        world(people(visits), criteria=rules, recruitment={"target": 5}), replicates=20, seed=1
    )
    found = _answer(PageContents(result=result, provenance=provenance))
    assert found.tone == "bad"
    assert "0 % of the target" in found.when
    assert any("chart: none" in each and "100 %" in each for each in found.why)


def test_the_rescue_is_the_one_that_raises_the_probability_most(whole: PageContents) -> None:
    assert whole.scenarios is not None
    best = max(whole.scenarios.comparisons, key=lambda each: each.probability.mean)
    found = _answer(whole)
    assert found.rescue.startswith(f"“{best.name}” helps most")
    assert f"{best.cost.mean / best.enrolled.mean:,.0f} USD for each additional person" in found.rescue


def test_scenarios_that_do_not_help_are_no_rescue(whole: PageContents, scenarios: Scenarios) -> None:
    worse = tuple(each for each in scenarios.comparisons if each.enrolled.mean < 0)
    assert worse
    found = _answer(dataclasses.replace(whole, scenarios=dataclasses.replace(scenarios, comparisons=worse)))
    assert found.rescue == "None of the 1 scenarios compared brings more people by 31 Dec 2020."


def test_without_scenarios_the_criterion_that_gives_most_is_named(bare: PageContents, whole: PageContents) -> None:
    feasibility = whole.feasibility
    assert isinstance(feasibility, Feasibility)
    found = _answer(dataclasses.replace(bare, feasibility=feasibility))
    assert "“well & fit” gives most: HbA1c < 9 instead of < 8 makes 311 more people eligible" in found.rescue


@pytest.mark.parametrize(("share", "tone"), [(1.0, "good"), (0.5, "open"), (0.0, "bad")])
def test_the_tone_follows_the_probability(whole: PageContents, share: float, tone: str) -> None:
    numbers = whole.result.to_json() | {"probability_by_planned_end": share}
    assert answer(whole, numbers).tone == tone


def test_the_log_of_a_running_trial_has_its_sentence(whole: PageContents, bare: PageContents) -> None:
    assert _answer(bare).running is None
    found = _answer(whole).running
    assert whole.forecast is not None
    assert whole.forecast.forecast.subjects is not None
    assert found is not None
    assert found.startswith(f"By 31 Dec 2025 {whole.forecast.forecast.n_subjects} people were randomized; 250 people")
    assert "120 endpoints are reached by" in found
    chance = whole.forecast.forecast.subjects.probability_by(whole.forecast.planned_end)
    assert f"by the planned end with a probability of {percent(chance)}" in found
