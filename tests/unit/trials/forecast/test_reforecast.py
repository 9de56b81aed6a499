import csv
import datetime as dt
import json
from pathlib import Path

import pytest

from tests.unit.trials.forecast.logs import AS_OF, START, draw_trial, write
from trajsim.errors import ConfigError, DataFileError
from trajsim.trials.draws import Performance
from trajsim.trials.forecast.reforecast import Reforecast, ReforecastOptions, reforecast
from trajsim.trials.spec import TrialSpec
from trajsim.trials.spec_reading import spec_from

OPTIONS = ReforecastOptions(replicates=200, seed=4)


def make_spec(sites: list[dict[str, object]], *, target: int = 250, follow_up: object = None) -> TrialSpec:
    recruitment = {"start": START.isoformat(), "planned_end": "2026-06-30", "target": target}
    document = {
        "title": "A running trial",
        "criteria": {"rules": []},
        "recruitment": recruitment,
        "sites": [{"share": 0.01, **site} for site in sites],
        "endpoint": {"per_year": 0.5},
        "follow_up": {"events": 100} if follow_up is None else follow_up,
    }
    return spec_from(document, source=Path("trial.yaml"))


def planned_sites(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        return [{"name": row["site"], "opens": row["opened"]} for row in csv.DictReader(lines)]


@pytest.fixture(name="trial", scope="module")
def trial_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return draw_trial(tmp_path_factory.mktemp("running"), seed=3)


@pytest.fixture(name="found", scope="module")
def found_fixture(trial: tuple[Path, Path]) -> Reforecast:
    log, sites = trial
    return reforecast(log, make_spec(planned_sites(sites)), as_of=AS_OF, options=OPTIONS)


def test_the_targets_are_those_of_the_spec(found: Reforecast) -> None:
    assert found.forecast.subjects is not None
    assert found.forecast.events is not None
    assert (found.forecast.subjects.target, found.forecast.events.target) == (250, 100)
    assert found.forecast.subjects.median is not None
    assert found.forecast.subjects.median > AS_OF


def test_it_is_plain_json(found: Reforecast) -> None:
    twin = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert twin["as_of"] == "2025-12-31"
    assert twin["subjects"]["bands"].keys() == {"50", "80", "95"}
    chances = [each["probability"] for each in twin["subjects"]["probability_by"]]
    assert chances == sorted(chances)
    assert (chances[0], chances[-1]) == (0.0, pytest.approx(1.0, abs=0.03))
    assert sum(each["weight"] for each in twin["event_times"]) == pytest.approx(1.0)
    assert twin["notes"] == ["days on which sites opened are those of the plan, for no file of sites was given"]


def test_the_fans_end_soon_after_the_last_target(found: Reforecast) -> None:
    assert found.forecast.events is not None
    last = found.forecast.events.bands[0.95][1]
    assert last is not None
    assert last <= found.forecast.subject_fan.dates[-1] < last + dt.timedelta(days=7)


def test_a_file_of_sites_that_agrees_with_the_plan_changes_nothing(trial: tuple[Path, Path], found: Reforecast) -> None:
    log, sites = trial
    other = reforecast(log, make_spec(planned_sites(sites)), as_of=AS_OF, sites=sites, options=OPTIONS)
    assert {**other.to_json(), "notes": []} == {**found.to_json(), "notes": []}
    assert other.notes == ()


def test_neither_threads_nor_blocks_change_a_byte(trial: tuple[Path, Path], found: Reforecast) -> None:
    log, sites = trial
    other = reforecast(
        log,
        make_spec(planned_sites(sites)),
        as_of=AS_OF,
        options=OPTIONS,
        performance=Performance(threads=3, block=37),
    )
    assert json.dumps(other.to_json()) == json.dumps(found.to_json())


def test_sites_that_open_later_bring_the_date_forward(trial: tuple[Path, Path], found: Reforecast) -> None:
    log, sites = trial
    delay = {"median_days": 20, "p90_days": 60}
    more: list[dict[str, object]] = [{"name": f"new {n}", "opens": "2026-01-15", "delay": delay} for n in range(20)]
    helped = reforecast(log, make_spec([*planned_sites(sites), *more]), as_of=AS_OF, options=OPTIONS)
    assert len(helped.enrollment.plan.sites) == len(helped.log.sites) + 20
    assert helped.forecast.subjects is not None
    assert found.forecast.subjects is not None
    assert helped.forecast.subjects.median is not None
    assert found.forecast.subjects.median is not None
    assert helped.forecast.subjects.median < found.forecast.subjects.median


def test_what_happened_goes_before_what_was_planned(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "date,site,count", "2025-02-01,early,2", "2025-09-01,late,3")
    sites: list[dict[str, object]] = [
        {"name": "early", "opens": "2025-03-01"},
        {"name": "late", "opens": "2025-02-01", "closes": "2025-06-30"},
        {"name": "silent", "opens": "2025-04-01", "delay": 45},
        {"name": "never opened", "opens": "2025-04-01", "delay": 400, "closes": "2025-05-01"},
        {"name": "too late", "opens": "2025-04-01", "delay": 45, "closes": "2025-05-01"},
    ]
    found = reforecast(log, make_spec(sites, target=20), as_of=AS_OF, options=OPTIONS)
    by_name = {site.name: site for site in found.log.sites}
    assert (by_name["early"].is_opening_known, by_name["early"].opened) == (False, _day("2025-02-01"))
    assert (by_name["late"].is_opening_known, by_name["late"].closed) == (True, None)
    assert by_name["silent"].opened == _day("2025-05-16")
    assert [site.name for site in found.enrollment.plan.sites] == [
        "early", "late", "silent", "too late", "never opened"
    ]  # fmt: skip
    assert found.log.counts().tolist() == [2, 3, 0, 0]
    assert found.forecast.events is None
    assert "no column 'event'" in found.notes[1]


def _day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def test_a_target_out_of_reach_is_an_answer(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "subject,site,randomised,event", "p1,A,2025-02-01,", "p2,A,2025-03-01,2025-04-01")
    spec = make_spec([{"name": "A", "opens": "2025-01-06", "cap": 5}], target=20, follow_up={"events": 15, "days": 30})
    found = reforecast(log, spec, as_of=AS_OF, options=OPTIONS)
    twin = found.to_json()
    assert isinstance(twin["subjects"], dict)
    assert (twin["subjects"]["median"], twin["subjects"]["reached"]) == (None, 0.0)
    assert found.forecast.most_events is not None
    assert found.forecast.most_events <= 5


def test_a_log_without_subjects_is_a_slow_trial(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "subject,site,randomised,event")
    found = reforecast(log, make_spec([{"name": "A", "opens": "2025-01-06"}]), as_of=AS_OF, options=OPTIONS)
    assert found.forecast.n_subjects == 0
    assert found.forecast.events is None
    assert "nobody has been randomised" in found.notes[1]
    assert found.enrollment.choice.best.gamma.mean < 2 / 365


def test_no_site_open_is_told(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "subject,site,randomised")
    with pytest.raises(ConfigError, match="no site of the spec has opened by 2025-12-31"):
        reforecast(log, make_spec([{"name": "A", "opens": "2026-02-01"}]), as_of=AS_OF, options=OPTIONS)


def test_every_fault_of_a_log_is_told_at_once_by_file_and_row(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.csv",
        "subject,site,randomised,event,dropout,last_seen",
        "p1,Boston,2026-02-01,,,",
        "p2,Boston,2025-05-01,2025-04-01,,",
        "p1,Boston,2025-05-01,,,",
        "p3,Bostn,2025-06-01,,,",
        "p4,Boston,2025-06-01,,2025-05-01,31.12.2025",
    )
    spec = make_spec([{"name": "Boston", "opens": "2025-01-06"}, {"name": "Worcester", "opens": "2025-01-06"}])
    with pytest.raises(DataFileError) as caught:
        reforecast(log, spec, as_of=AS_OF, options=OPTIONS)
    lines = str(caught.value).splitlines()
    assert lines[0] == "6 faults in the accrual log"
    for row, sentence in [
        (2, "randomised: 2026-02-01 lies after the day of the log, 2025-12-31"),
        (3, "event: 2025-04-01 lies before randomisation on 2025-05-01"),
        (4, "subject 'p1' stands in row 2 already"),
        (5, "site: 'Bostn' is no site of the spec, did you mean 'Boston'?"),
        (6, "dropout: 2025-05-01 lies before randomisation on 2025-06-01"),
        (6, "last_seen: expected a date such as 2026-03-31, got '31.12.2025'"),
    ]:
        assert f"{log}: row {row}: {sentence}" in lines


def test_a_day_of_the_log_before_its_rows_is_told_by_row(trial: tuple[Path, Path]) -> None:
    log, sites = trial
    with pytest.raises(DataFileError, match="lies after the day of the log, 2025-02-01"):
        reforecast(log, make_spec(planned_sites(sites)), as_of=dt.date(2025, 2, 1), options=OPTIONS)
