"""A trial with everything that the page shows, with names that would be markup if they were not escaped."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trials.forecast.logs import AS_OF, START, draw_trial
from tests.unit.trials.recruitment.builders import Fixed, document, people, spec
from trajsim.trials.forecast.reforecast import Reforecast, ReforecastOptions, reforecast
from trajsim.trials.page import Feasibility, PageContents, Provenance
from trajsim.trials.page.contents import digest_of
from trajsim.trials.recruitment import Scenarios, bridge, compare_scenarios, scenarios_from

N_PEOPLE = 2_000
VISITS = np.sort(np.random.default_rng(2).integers(0, 700, (N_PEOPLE, 3)), axis=1)
SITE = {"delay": {"median_days": 20, "p90_days": 60}, "capacity_per_week": 4}
TRIAL = document(
    title='Does <b>less</b> & "more" help?',
    sites=[
        {"name": "Boston <1>", "share": 0.2, **SITE},
        {"name": "Worcester & Co", "share": 0.15, **SITE, "opens": "2020-04-01", "cap": 60},
        {"name": "Springfield", "share": 0.1, **SITE, "opens": "2020-07-01"},
    ],
    recruitment={"start": "2020-01-01", "planned_end": "2020-12-31", "horizon": "2021-12-31", "target": 250},
    funnel={"consent": {"low": 0.35, "median": 0.5, "high": 0.65}, "eligible": 0.9, "completes": 0.9},
    arms=[{"name": "control", "ratio": 1}, {"name": "new <drug>", "ratio": 1, "hazard_ratio": 0.7, "delay_days": 30}],
    endpoint={"per_year": 0.2},
    follow_up={"events": 60, "dropout_per_year": 0.05, "max_days": 730},
    competing=[{"name": "Other & trial", "probability": 0.1, "sites": ["Springfield"]}],
    costs={"per_site": 30_000, "per_site_month": 500, "per_screening": 900, "per_randomized": 3_000},
)
RESCUES = [
    {"name": "one more <site>", "add": {"sites": [{"name": "Lowell", "share": 0.1, **SITE}]}},
    {"name": "more consent", "set": {"funnel.consent": 0.7}},
    {"name": "without “well”", "set": {"waived": ["well & fit"]}},
    {"name": "fewer sites", "remove": {"sites": ["Worcester & Co"]}},
]
ASSESSMENT = {
    "n_catchment": 2_345,
    "n_people": 2_000,
    "n_eligible": 913,
    "n_certain": 790,
    "criteria": [
        {
            "criterion": "adult",
            "asks": "patient with age < 100 & at least 18 years",
            "n_removed": 211,
            "n_failing": 211,
            "n_failing_alone": 17,
            "n_true": 1_789,
            "n_unknown": 0,
            "groups": [
                {"by": "sex", "level": "M", "n_true": 900, "n_false": 100, "n_unknown": 0},
                {"by": "site", "level": "Boston <1>", "n_true": 89, "n_false": 11, "n_unknown": 0},
            ],
        },
        {
            "criterion": "well & fit",
            "n_removed": 876,
            "n_failing": 1_003,
            "n_failing_alone": 809,
            "n_true": 874,
            "n_unknown": 123,
            "groups": [
                {"by": "sex", "level": "M", "n_true": 480, "n_false": 450, "n_unknown": 70},
                {"by": "site", "level": "Boston <1>", "n_true": 47, "n_false": 46, "n_unknown": 7},
            ],
        },
    ],
}
RELAXATIONS = [
    {
        "criterion": "well & fit",
        "change": "HbA1c < 9 instead of < 8",
        "n_gained": 311,
        "event_rate": 0.23,
        "event_rate_now": 0.2,
    }
]


@pytest.fixture(name="scenarios", scope="session")
def scenarios_fixture() -> Scenarios:
    answers = [[int(k % 9 > 0), -1 if k % 7 == 0 else int(k % 3 > 0)] for k in range(N_PEOPLE)]
    criteria = Fixed(["adult", "well & fit"], answers)
    return compare_scenarios(
        TRIAL,
        scenarios_from({"scenarios": RESCUES}, source=Path("scenarios.yaml")),
        people(VISITS),
        lambda _: criteria,
        source=Path("trial.yaml"),
        replicates=40,
        seed=3,
    )


@pytest.fixture(name="running", scope="session")
def running_fixture(tmp_path_factory: pytest.TempPathFactory) -> Reforecast:
    log, sites = draw_trial(tmp_path_factory.mktemp("trial"), seed=3)
    recruitment = {"start": START.isoformat(), "planned_end": "2026-11-30", "horizon": "2026-12-31", "target": 250}
    with sites.open(encoding="utf-8") as lines:
        named = [{"name": row["site"], "share": 0.01, "opens": row["opened"]} for row in csv.DictReader(lines)]
    trial = spec(sites=named, recruitment=recruitment, endpoint={"per_year": 0.5}, follow_up={"events": 120})
    return reforecast(log, trial, as_of=AS_OF, options=ReforecastOptions(replicates=200, seed=5, fan_step_days=30))


@pytest.fixture(name="provenance", scope="session")
def provenance_fixture() -> Provenance:
    return Provenance(
        version="0.1.0",
        spec_digest=digest_of(TRIAL),
        spec_file="trial <1>.yaml",
        records="2,000 made-up people & their visits",
        records_digest="0" * 64,
        command="trajsim recruit trial.yaml --seed 3",
    )


@pytest.fixture(name="whole", scope="session")
def whole_fixture(scenarios: Scenarios, running: Reforecast, provenance: Provenance) -> PageContents:
    return PageContents(
        result=scenarios.base,
        provenance=provenance,
        scenarios=scenarios,
        bridge=bridge(scenarios.base),
        feasibility=Feasibility.from_json(ASSESSMENT, RELAXATIONS),
        forecast=running,
    )


@pytest.fixture(name="bare", scope="session")
def bare_fixture(scenarios: Scenarios, provenance: Provenance) -> PageContents:
    return PageContents(result=scenarios.base, provenance=provenance)
