import itertools

import numpy as np
import pytest

from trajsim.trials.page import PageContents, page_json
from trajsim.trials.page.flow import boxes, flow_arms
from trajsim.trials.page.periods import site_periods


def test_a_box_less_those_who_leave_is_the_next(whole: PageContents) -> None:
    assert whole.scenarios is not None
    for result in (whole.result, *(each.result for each in whole.scenarios.comparisons)):
        steps = boxes(result)
        for (_, people, leave), (name, following, _) in itertools.pairwise(steps):
            assert np.array_equal(people - sum(count for _, count in leave), following), name
        assert np.array_equal(steps[-1][1], result.n_randomized)


def test_the_boxes_are_those_of_the_result(whole: PageContents) -> None:
    twin = page_json(whole)
    consort = twin["recruitment"]["consort"]
    assert {step["step"]: step["people"]["mean"] for step in twin["flow"]} == {
        name: people["mean"] for name, people in consort.items() if name != "arms"
    }
    assert {arm["arm"]: arm["people"]["mean"] for arm in twin["arms"]} == {
        name: people["mean"] for name, people in consort["arms"].items()
    }


def test_every_randomized_person_has_a_status(whole: PageContents) -> None:
    total = 0.0
    for arm in flow_arms(whole.result):
        assert isinstance(arm["status"], dict)
        total += sum(people["mean"] for people in arm["status"].values())
    assert total == whole.result.n_randomized.mean()


def test_the_periods_of_sites_hold_all_randomized(whole: PageContents) -> None:
    periods = site_periods(whole.result)
    sites, starts = periods["sites"], periods["starts"]
    assert isinstance(sites, list)
    assert isinstance(starts, list)
    assert len(starts) <= 53
    for place, site in enumerate(sites):
        assert sum(site["randomized"]) == pytest.approx(whole.result.by_site[:, place].mean())
        assert len(site["open"]) == len(starts)
        assert 0.0 <= min(site["open"]) <= max(site["open"]) <= 1.0
