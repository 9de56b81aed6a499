from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.unit.trials.recruitment.builders import Fixed, document, people
from trajsim.errors import ConfigError
from trajsim.trials.recruitment.scenarios import Scenario, Scenarios, compare_scenarios, scenarios_from

VISITS = np.sort(np.random.default_rng(2).integers(0, 364, (2_000, 3)), axis=1)
SITE = {"share": 0.3, "delay": {"median_days": 20, "p90_days": 60}}
TRIAL = document(
    sites=[{"name": "A", **SITE}, {"name": "B", **SITE}],
    recruitment={"target": 420, "horizon": "2021-06-30"},
    costs={"per_site": 10_000, "per_screening": 100},
)


def _compare(scenarios: list[dict[str, object]], *, criteria: Fixed | None = None) -> Scenarios:
    rules = criteria or Fixed(["adult", "well"], [[1, k % 2] for k in range(len(VISITS))])
    return compare_scenarios(
        TRIAL,
        scenarios_from({"scenarios": scenarios}, source=Path("s.yaml")),
        people(VISITS),
        lambda _: rules,
        source=Path("t.yaml"),
        replicates=12,
        seed=3,
    )


def test_scenarios_that_change_nothing_differ_by_nothing() -> None:
    same = _compare([{"name": "same", "set": {"title": "another title"}}]).comparisons[0]
    for difference in (same.enrolled, same.days_to_target, same.probability, same.cost):
        assert (difference.mean, difference.low, difference.p90) == (0.0, 0.0, 0.0)


def test_rescues_help_and_say_what_they_cost() -> None:
    found = _compare(
        [
            {"name": "site", "add": {"sites": [{"name": "C", **SITE}]}},
            {"name": "wider", "set": {"waived": ["well"]}},
            {"name": "consent", "set": {"funnel.consent": 0.8}},
            {"name": "fewer", "remove": {"sites": ["B"]}},
        ]
    )
    site, wider, consent, fewer = found.comparisons
    for better in (site, wider, consent):
        assert better.enrolled.low > 0, better.name
        assert better.days_to_target.high <= 0
    assert fewer.enrolled.high < 0
    assert fewer.cost.mean < 0
    assert site.cost.mean > 9_000
    assert orjson.dumps(found.to_json())


def test_equal_criteria_are_asked_once_for_a_visit() -> None:
    criteria = Fixed(["adult"], [[1]] * len(VISITS))
    _compare([{"name": "consent", "set": {"funnel.consent": 0.8}}], criteria=criteria)
    once = criteria.n_asked
    criteria.n_asked = 0
    _compare(
        [{"name": "x", "set": {"funnel.consent": 0.8}}, {"name": "y", "set": {"sites[0].cap": 9}}], criteria=criteria
    )
    assert criteria.n_asked == once


def test_pairs_have_less_noise_than_strangers() -> None:
    found = _compare([{"name": "cap", "set": {"sites[0].cap": 100}}])
    base, other = found.base, found.comparisons[0].result
    day = base.spec.n_planned_days
    paired = (other.enrolled_by(day) - base.enrolled_by(day)).std()
    apart = np.hypot(other.enrolled_by(day).std(), base.enrolled_by(day).std())
    assert paired < apart


def test_all_faults_of_all_scenarios_come_before_a_run() -> None:
    with pytest.raises(ConfigError) as caught:
        _compare(
            [
                {"name": "a", "set": {"sites[7].cap": 3}},
                {"name": "b", "remove": {"sites": ["Nowhere"]}},
                {"name": "c", "set": {"funnel.cosnent": 0.5}},
                {"name": "d", "add": {"title": ["x"]}},
            ]
        )
    message = caught.value.message
    assert "there is no item 7" in message
    assert "no item 'Nowhere' under 'sites'" in message
    assert "did you mean 'consent'?" in message
    assert "'title' is no list" in message


def test_faults_of_form() -> None:
    with pytest.raises(ConfigError) as caught:
        scenarios_from(
            {"scenarios": [{"name": "a", "sett": {}}, {"name": "a", "set": 3}], "more": 1}, source=Path("s.yaml")
        )
    message = caught.value.message
    for words in ("did you mean 'set'?", "stands twice", "changes nothing", "s.yaml: $.more: unknown key"):
        assert words in message
    with pytest.raises(ConfigError, match="no scenario"):
        scenarios_from({}, source=Path("s.yaml"))


def test_a_scenario_leaves_the_document_as_it_was() -> None:
    before = orjson.dumps(TRIAL)
    scenario = Scenario(name="x", put={"sites[0].cap": 1}, add={"sites": [{"name": "C"}]}, drop={"sites": ["B"]})
    from trajsim.documents import Faults

    changed = scenario.apply(TRIAL, Faults("t"), "$")
    assert orjson.dumps(TRIAL) == before
    sites = changed["sites"]
    assert isinstance(sites, list)
    assert [site["name"] for site in sites] == ["A", "C"]
