"""The JSON twin of the page: every number that the page shows, under keys that are documented here and on the page."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from trajsim.trials.page.answer import answer
from trajsim.trials.page.assumptions import assumptions
from trajsim.trials.page.contents import Feasibility, PageContents
from trajsim.trials.page.flow import flow_arms, flow_steps
from trajsim.trials.page.periods import site_periods
from trajsim.trials.recruitment.result import RecruitmentResult

FORMAT: Final = "trajsim-recruitment-1"

KEYS: Final[Mapping[str, str]] = {
    "format": "name and version of this form",
    "provenance": "version, spec_file, spec_digest (sha256), records, records_digest, command, seed, replicates",
    "answer": "the answers in words: tone, verdict, when, running (null without a log), why, rescue; probability by "
    "the planned end with its 95 % interval over replicates, low and high (Wilson)",
    "recruitment.title": "title of the trial",
    "recruitment.seed": "seed of the run",
    "recruitment.replicates": "how many times the trial was simulated",
    "recruitment.start": "first day of the trial",
    "recruitment.planned_end": "last day of recruitment by plan",
    "recruitment.horizon": "last day simulated",
    "recruitment.target": "people to be randomized",
    "recruitment.probability_by_planned_end": "share of replicates that reach the target by the planned end",
    "recruitment.probability_by_horizon": "the same by the horizon",
    "recruitment.enrolled_at_planned_end": "randomized by the planned end: mean, low, median, high",
    "recruitment.target_date": "day on which the target is reached: quantiles p2.5 to p97.5 over replicates; null if "
    "not by the horizon",
    "recruitment.enrollment": "randomized by date: mean and quantiles over replicates",
    "recruitment.events": "endpoints by date: mean and quantiles",
    "recruitment.consort": "people by step of the flow, and by arm: mean, low, median, high",
    "recruitment.reasons": "every way out, and its people",
    "recruitment.sites": "by site: median day of opening, share of replicates in which it never opens, randomized",
    "recruitment.shares": "by sex, age and race: share among those with the disease, and among the enrolled with the "
    "2.5 and 97.5 % quantiles over replicates",
    "recruitment.status": "what ended the observation of the randomized",
    "recruitment.trial_end": "day on which follow-up ends: quantiles",
    "recruitment.cost": "currency; total and per_randomized: mean, low, median, high",
    "probability": "share of replicates that have reached the target, by date",
    "flow": "boxes of the CONSORT flow, each with those who leave before the next: mean, low, high",
    "arms": "what became of the randomized, by arm",
    "site_periods": "by site and period of so many days: mean people randomized, share of replicates in which it is "
    "open; open_sites: mean number of open sites",
    "event_goal": "endpoints wanted and the share of replicates that reach them by the end of the trial; null without",
    "scenarios": "by scenario: probability by its own planned end; paired differences to the trial as it is (mean, "
    "95 % interval low and high, p10 and p90 over replicates); cost_per_randomized_itself: mean",
    "bridge": "the model of rates fitted to the simulation, and both forecasts; null without",
    "feasibility": "people judged and eligible; by criterion: what it asks, lost in order, denied, denied by it alone, "
    "met, not answered, and the answers by sex, age, race and site (groups); n_certain: eligible people whose records "
    "answer everything; "
    "relaxations; null without",
    "forecast": "forecast from the log of the running trial: milestones with bands and probabilities by date, counts "
    "by date, the rates and the times to event and dropout that were fitted, notes; null without",
    "assumptions": "what the spec supposes, in words",
    "left_out": "parts that the page lacks, and why",
}
"""What stands under each key of the twin; the keys of `recruitment` one by one."""

_NO_LOG = "no log of a running trial was given"


def page_json(contents: PageContents) -> dict[str, Any]:
    """All that the page shows, as plain values.

    Args:
        contents: The results.

    Returns:
        A mapping that JSON can hold; numbers that are not known are null.

    Guarantees:
        Every key stands in `KEYS`. (tests/unit/trials/page/test_twin.py)
    """
    result = contents.result
    recruitment: dict[str, Any] = result.to_json()
    about = dict(vars(contents.provenance)) | {"seed": result.seed, "replicates": result.n_replicates}
    return {
        "format": FORMAT,
        "provenance": about,
        "answer": answer(contents, recruitment).to_json(),
        "recruitment": recruitment,
        "probability": _probability(result, recruitment),
        "flow": flow_steps(result),
        "arms": flow_arms(result),
        "site_periods": site_periods(result),
        "event_goal": _event_goal(result),
        "scenarios": _scenarios(contents),
        "bridge": None if contents.bridge is None else contents.bridge.to_json(),
        "feasibility": None if contents.feasibility is None else _feasibility(contents.feasibility),
        "forecast": None if contents.forecast is None else contents.forecast.to_json(),
        "assumptions": assumptions(result.spec),
        "left_out": _left_out(contents),
    }


def _probability(result: RecruitmentResult, recruitment: Mapping[str, Any]) -> list[dict[str, object]]:
    start = result.spec.start
    dates = [row["date"] for row in recruitment["enrollment"]]
    days = [(dt.date.fromisoformat(date) - start).days for date in dates]
    reached = np.sort(result.target_day())
    shares = np.searchsorted(reached, days, side="right") / result.n_replicates
    return [{"date": date, "probability": float(share)} for date, share in zip(dates, shares, strict=True)]


def _event_goal(result: RecruitmentResult) -> dict[str, object] | None:
    wanted = result.spec.follow_up.events
    if wanted is None:
        return None
    reached = result.events_by(int(result.trial_end.max())) >= wanted
    return {"target": wanted, "probability": float(reached.mean())}


def _scenarios(contents: PageContents) -> list[dict[str, object]] | None:
    if contents.scenarios is None:
        return None
    planned = contents.result.spec.n_planned_days - 1
    now = contents.result.probability_by(planned)
    rows = []
    for each in contents.scenarios.comparisons:
        costs = each.result.cost_per_randomized()
        known = costs[np.isfinite(costs)]
        rows.append(
            each.to_json()
            | {
                "probability_by_planned_end": now + each.probability.mean,
                "cost_per_randomized_itself": float(known.mean()) if len(known) else None,
            }
        )
    return rows


def _feasibility(feasibility: Feasibility) -> dict[str, object]:
    criteria = [
        dict(vars(each))
        | {"n_failing_with_others": each.n_failing_with_others, "groups": [dict(vars(group)) for group in each.groups]}
        for each in feasibility.criteria
    ]
    return {
        "n_people": feasibility.n_people,
        "n_eligible": feasibility.n_eligible,
        "n_certain": feasibility.n_certain,
        "criteria": criteria,
        "relaxations": [dict(vars(each)) for each in feasibility.relaxations],
    }


def _left_out(contents: PageContents) -> list[dict[str, str]]:
    result = contents.result
    reasons = {
        "Criteria": "no feasibility run was given" if contents.feasibility is None else "",
        "Scenarios": "no scenarios were given" if not (contents.scenarios and contents.scenarios.comparisons) else "",
        "Rates": "no model of rates was fitted" if contents.bridge is None else "",
        "Running trial": _NO_LOG if contents.forecast is None else "",
        "Enrolled and disease population": ""
        if any(np.isfinite(share.enrolled) for share in result.shares)
        else "nobody was randomized in any replicate",
        "Events": "" if result.n_randomized.any() else "nobody was randomized in any replicate",
    }
    return [{"part": part, "why": why} for part, why in reasons.items() if why]
