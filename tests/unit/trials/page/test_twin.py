import dataclasses
import datetime as dt
import json
from pathlib import Path

import pytest

from trajsim.errors import ConfigError
from trajsim.trials.page import KEYS, Feasibility, PageContents, page_json
from trajsim.trials.page.contents import digest_of


def test_every_key_is_documented(whole: PageContents, bare: PageContents) -> None:
    for contents in (whole, bare):
        twin = page_json(contents)
        found = {key for key in twin if key != "recruitment"} | {f"recruitment.{key}" for key in twin["recruitment"]}
        assert found == set(KEYS)


def test_the_twin_is_json(whole: PageContents, bare: PageContents) -> None:
    for contents in (whole, bare):
        twin = page_json(contents)
        assert json.loads(json.dumps(twin, allow_nan=False)) == twin


def test_the_probability_by_date_ends_with_that_of_the_horizon(whole: PageContents) -> None:
    twin = page_json(whole)
    rows = twin["probability"]
    assert rows[-1]["date"] == twin["recruitment"]["horizon"]
    assert rows[-1]["probability"] == twin["recruitment"]["probability_by_horizon"]
    for row in rows[::7]:
        day = (dt.date.fromisoformat(row["date"]) - whole.result.spec.start).days
        assert row["probability"] == whole.result.probability_by(day)


def test_scenarios_carry_their_own_headline(whole: PageContents) -> None:
    twin = page_json(whole)
    assert whole.scenarios is not None
    planned = whole.result.spec.n_planned_days - 1
    for row, each in zip(twin["scenarios"], whole.scenarios.comparisons, strict=True):
        assert abs(row["probability_by_planned_end"] - each.result.probability_by(planned)) < 1e-12
        assert row["cost_per_randomized_itself"] == each.result.cost_per_randomized().mean()


def test_what_is_left_out_has_a_reason(whole: PageContents, bare: PageContents) -> None:
    assert page_json(whole)["left_out"] == []
    assert [each["part"] for each in page_json(bare)["left_out"]] == ["Criteria", "Scenarios", "Rates", "Running trial"]


def test_the_digest_is_that_of_the_spec() -> None:
    day = {"start": dt.date(2020, 1, 1), "scale": 1.0, "sites": [{"share": 0.5}]}
    assert digest_of(day) == digest_of({"start": "2020-01-01", "scale": 1, "sites": ({"share": 0.5},)})
    assert digest_of(day) != digest_of({**day, "scale": 2})
    assert digest_of({"path": Path("criteria.yaml")}) == digest_of({"path": "criteria.yaml"})


def test_the_assumptions_name_arms_competitors_and_prices(whole: PageContents) -> None:
    rows = {row["what"]: row["value"] for row in page_json(whole)["assumptions"]}
    assert rows["Arm new <drug>"] == "1 in the allocation; hazard ratio 0.7, from day 30 on"
    assert rows["Competing trial Other & trial"].startswith("takes 10 % of those invited from 1 Jan 2020")
    assert "randomized person 3,000" in rows["Prices"]
    assert rows["Consents to be screened"] == "50 %, quartiles over trials 35 % to 65 %"


def test_optional_assumptions_are_named(whole: PageContents) -> None:
    spec = dataclasses.replace(whole.result.spec, waived=("well & fit",), disease=("adult",), scale=10.0)
    result = dataclasses.replace(whole.result, spec=spec)
    twin = page_json(PageContents(result=result, provenance=whole.provenance))
    rows = {row["what"]: row["value"] for row in twin["assumptions"]}
    assert rows["Criteria not applied"] == "well & fit"
    assert rows["Disease population"] == "adult"
    assert rows["People"].endswith("each stands for 10")


def test_an_assessment_of_another_form_is_refused() -> None:
    with pytest.raises(ConfigError, match="not the form that the page expects: 'n_eligible'"):
        Feasibility.from_json({"n_people": 3, "criteria": []})
    with pytest.raises(ConfigError, match="not the form"):
        Feasibility.from_json({"n_people": 3, "n_eligible": 1, "criteria": []}, [{"criterion": "adult"}])
    groups = [{"by": "sex", "level": "M", "n_true": 1, "n_false": 1, "n_unknown": 1}]
    counts = {"n_removed": 1, "n_failing": 1, "n_failing_alone": 1, "n_true": 1, "n_unknown": 1}
    criteria = [{"criterion": "adult", **counts, "groups": groups}, {"criterion": "well", **counts, "groups": []}]
    with pytest.raises(ConfigError, match="the same groups"):
        Feasibility.from_json({"n_people": 3, "n_eligible": 1, "criteria": criteria})
