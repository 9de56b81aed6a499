import json
from typing import Any

import numpy as np
import orjson
import pytest

from tests.unit.trials.recruitment.builders import Fixed, people, world
from trajsim.errors import ConfigError
from trajsim.trials.draws import Performance
from trajsim.trials.recruitment.candidates import SCHEMA, candidates
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.reasons import RANDOMIZED
from trajsim.trials.recruitment.result import SAMPLED, DayLists, RecruitmentResult
from trajsim.trials.recruitment.run import simulate_recruitment
from trajsim.trials.recruitment.world import World

SITE = {"share": 0.4, "delay": {"median_days": 20, "p90_days": 60}, "capacity_per_week": 4, "lag": 7, "cap": 60}


def _trial(**changes: Any) -> World:  # noqa: ANN401 - sections of a spec
    visits = np.sort(np.random.default_rng(2).integers(0, 364, (1_500, 3)), axis=1)
    answers = np.random.default_rng(3).integers(-1, 3, (1_500, 2)).clip(-1, 1)
    sites = [{"name": "A", **SITE}, {"name": "B", **SITE}]
    return world(people(visits), criteria=Fixed(["adult", "well"], answers.tolist()), sites=sites, **changes)


def _bytes(result: RecruitmentResult) -> bytes:
    arrays = [result.counts, result.cost, result.opened, result.trial_end, result.by_site, result.outcomes]
    parts = (result.sample, result.enrolled, result.events)
    arrays += [result.site_days, *(each for part in parts for each in vars(part).values())]
    return b"".join(np.ascontiguousarray(each).tobytes() for each in arrays) + orjson.dumps(result.to_json())


def test_threads_and_blocks_change_no_byte() -> None:
    trial = _trial()
    want = _bytes(simulate_recruitment(trial, replicates=9, seed=5))
    assert (
        _bytes(simulate_recruitment(trial, replicates=9, seed=5, performance=Performance(threads=3, block=2))) == want
    )
    assert _bytes(simulate_recruitment(trial, replicates=9, seed=6)) != want


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    trial = _trial()
    short, long = (simulate_recruitment(trial, replicates=n, seed=5) for n in (3, 8))
    assert short.counts.tolist() == long.counts[:3].tolist()
    assert short.enrolled.day.tolist() == long.enrolled.day[: len(short.enrolled.day)].tolist()


def test_the_answer_key_counts_what_the_replicate_counts() -> None:
    trial = _trial()
    result = simulate_recruitment(trial, replicates=3, seed=5)
    table = candidates(trial, seed=5, replicate=2)
    assert table.schema == SCHEMA
    counts = dict.fromkeys(trial.reasons.names, 0)
    for reason in table.column("reason").to_pylist():
        counts[reason] += 1
    assert list(counts.values()) == result.counts[2].tolist()
    frame = table.to_pandas()
    enrolled = frame[frame["reason"] == "randomized"]
    assert enrolled["arm"].notna().all()
    assert enrolled["randomized_date"].notna().all()
    assert frame[frame["reason"] != "randomized"]["arm"].isna().all()
    assert (frame[frame["reason"].str.startswith("chart:")]["screening_date"].isna()).all()
    assert not frame.duplicated(["patient_id", "copy"]).any()
    assert (frame["age_years"].between(59, 62)).all()


def test_counts_of_a_result_agree_with_each_other() -> None:
    result = simulate_recruitment(_trial(), replicates=5, seed=1)
    assert result.counts[:, RANDOMIZED].tolist() == result.n_randomized.tolist()
    assert result.by_site.sum(axis=1).tolist() == result.n_randomized.tolist()
    assert result.by_site.max() <= 60
    assert result.enrolled_by(result.spec.n_days).tolist() == result.n_randomized.tolist()
    assert (result.n_screened >= result.n_randomized).all()
    assert result.events_by(10_000).sum() == (result.sample.status == 0).sum()
    one = result.sample.of(3)
    assert one.day.tolist() == result.sample.day[result.sample.replicate == 3].tolist()


def test_a_target_that_is_not_reached_is_an_answer() -> None:
    result = simulate_recruitment(_trial(recruitment={"target": 900}), replicates=3, seed=1)
    assert result.probability_by(10_000) == 0.0
    assert result.target_day().tolist() == [NEVER] * 3
    report = result.to_json()
    assert report["target_date"] == dict.fromkeys(("p2.5", "p10", "p25", "p50", "p75", "p90", "p97.5"))


def test_the_report_is_json() -> None:
    result = simulate_recruitment(_trial(recruitment={"target": 40}), replicates=4, seed=1)
    report = json.loads(orjson.dumps(result.to_json()))
    assert report["probability_by_planned_end"] == 1.0
    assert report["consort"]["randomized"]["mean"] == 40
    assert sum(arm["mean"] for arm in report["consort"]["arms"].values()) == 40
    assert [row["site"] for row in report["sites"]] == ["A", "B"]
    by_sex = [row for row in report["shares"] if row["by"] == "sex"]
    assert sum(row["enrolled"] for row in by_sex) == pytest.approx(1.0)
    assert sum(row["disease"] for row in by_sex) == pytest.approx(1.0)
    curve = [row["mean"] for row in report["enrollment"]]
    assert curve == sorted(curve)
    assert curve[-1] == 40


def test_costs_add_up() -> None:
    costs = {"per_site": 1e6, "per_screening": 1e3, "per_randomized": 1.0}
    result = simulate_recruitment(_trial(costs=costs), replicates=3, seed=1)
    want = 2e6 + 1e3 * result.n_screened + result.n_randomized
    assert result.cost.tolist() == want.tolist()
    assert (result.cost_per_randomized() > 1e6 / 60).all()


def test_nobody_at_all() -> None:
    trial = world(people([[5]] * 4), criteria=Fixed(["no"], [[0]] * 4), sites=[{"name": "A", "share": 1.0}])
    result = simulate_recruitment(trial, replicates=2, seed=1)
    assert result.n_randomized.tolist() == [0, 0]
    assert orjson.dumps(result.to_json())
    assert candidates(trial, seed=1).num_rows == result.counts[0].sum()
    empty = world(people([[]] * 4), sites=[{"name": "A", "share": 1.0}])
    assert simulate_recruitment(empty, replicates=1, seed=1).counts.sum() == 0


def test_replicates_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="n_replicates"):
        simulate_recruitment(_trial(), replicates=0, seed=1)


def test_days_are_counted_within_each_replicate() -> None:
    rng = np.random.default_rng(4)
    lists = [np.sort(rng.integers(0, 50, rng.integers(0, 6))) for _ in range(600)]
    days = DayLists(first=np.cumsum([0, *map(len, lists)]), day=np.concatenate(lists).astype(np.uint16))
    asked = [-1, 0, 7, 49, 70_000]
    assert days.until(asked).tolist() == [[int((own <= day).sum()) for day in asked] for own in lists]


def test_parts_of_a_result_agree_and_only_the_first_replicates_keep_their_people() -> None:
    result = simulate_recruitment(_trial(recruitment={"target": 2}), replicates=SAMPLED + 3, seed=1)
    assert len(result.sample.first) == SAMPLED + 1
    assert result.site_days.sum(axis=1).tolist() == result.by_site.sum(axis=0).tolist()
    assert result.outcomes.sum(axis=(1, 2)).tolist() == result.n_randomized.tolist()
    assert result.outcomes[:, :, 0].sum(axis=1).tolist() == np.diff(result.events.first).tolist()
    kept = int(result.sample.first[-1])
    assert result.sample.day.tolist() == result.enrolled.day[:kept].tolist()


def test_a_very_long_trial_has_longer_days() -> None:
    long = {"start": "2020-01-01", "planned_end": "2020-12-30", "horizon": "2150-01-01", "target": 5}
    result = simulate_recruitment(_trial(recruitment=long, follow_up={"max_days": 30_000}), replicates=1, seed=1)
    assert result.enrolled.day.dtype == result.opened.dtype == np.uint32
