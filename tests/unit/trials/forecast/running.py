"""Whole trials, drawn to their end and cut off half way, so that a forecast can be held beside what came."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.unit.trials.forecast.logs import START, write
from trajsim.trials.spec import TrialSpec
from trajsim.trials.spec_reading import spec_from

N_SITES, TARGET, EVENTS = 20, 240, 120


@dataclass(frozen=True)
class WholeTrial:
    """The log half way, and the days on which the targets were reached in truth."""

    log: Path
    spec: TrialSpec
    as_of: dt.date
    last_subject: dt.date
    last_event: dt.date


def draw_whole_trial(folder: Path, *, seed: int) -> WholeTrial:
    """A trial of 20 sites that open within five months, until its 240th subject; forecast at its 120th.

    Rates of sites vary as a gamma distribution of shape 1.5; the median time to the event is 14 months, 5 % are lost a
    year.
    """
    random = np.random.default_rng([9, seed])
    opened = random.integers(0, 150, N_SITES)
    rates = random.gamma(1.5, 0.8 / 30.4 / 1.5, N_SITES)
    arrivals = [(opened[k] + t, k) for k in range(N_SITES) for t in np.cumsum(random.exponential(1 / rates[k], 400))]
    subjects = sorted((int(day), site) for day, site in arrivals)[:TARGET]
    day = np.array([each for each, _ in subjects])
    event = day + random.exponential(14 * 30.4 / np.log(2), TARGET).astype(int)
    lost = day + random.exponential(365.25 / 0.0513, TARGET).astype(int)
    now = int(day[TARGET // 2])

    def date(number: int) -> str:
        return (START + dt.timedelta(days=int(number))).isoformat()

    rows = []
    for k, (entered, site) in enumerate(subjects):
        if entered <= now:
            had = date(event[k]) if event[k] <= min(lost[k], now) else ""
            gone = date(lost[k]) if lost[k] < event[k] and lost[k] <= now else ""
            rows.append(f"p{k},site {site},{date(entered)},{had},{gone}")
    log = write(folder / "log.csv", "subject,site,randomised,event,dropout", *rows)
    document = {
        "title": "A whole trial",
        "criteria": {"rules": []},
        "recruitment": {"start": date(0), "planned_end": date(500), "target": TARGET},
        "sites": [{"name": f"site {k}", "share": 0.01, "opens": date(opened[k])} for k in range(N_SITES)],
        "endpoint": {"per_year": 0.5},
        "follow_up": {"events": EVENTS},
    }
    return WholeTrial(
        log=log,
        spec=spec_from(document, source=folder / "trial.yaml"),
        as_of=START + dt.timedelta(days=now),
        last_subject=START + dt.timedelta(days=int(day[-1])),
        last_event=START + dt.timedelta(days=int(np.sort(event[event <= lost])[EVENTS - 1])),
    )
