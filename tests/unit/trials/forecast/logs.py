"""Trials so far, drawn for the tests of the forecast room."""

import datetime as dt
from pathlib import Path

import numpy as np

AS_OF = dt.date(2025, 12, 31)
START = dt.date(2025, 1, 6)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def draw_trial(folder: Path, *, seed: int, n_sites: int = 20, months: float = 14.0) -> tuple[Path, Path]:
    """A log and a file of sites: 0.8 patients a site and month, median time to the event `months`, 5 % lost a year."""
    random = np.random.default_rng(seed)
    rows: list[str] = []
    sites: list[str] = []
    for number in range(n_sites):
        opened = START + dt.timedelta(days=int(random.integers(0, 150)))
        sites.append(f"site {number},{opened},,")
        rate = random.gamma(1.5, 0.8 / 30.4 / 1.5)
        day = 0.0
        while (day := day + random.exponential(1.0 / rate)) < (AS_OF - opened).days:
            randomised = opened + dt.timedelta(days=int(day))
            event = randomised + dt.timedelta(days=int(random.exponential(months * 30.4 / np.log(2))))
            lost = randomised + dt.timedelta(days=int(random.exponential(365.25 / 0.0513)))
            had = f"{event}" if event <= min(lost, AS_OF) else ""
            dropped = f"{lost}" if lost < event and lost <= AS_OF else ""
            rows.append(f"p{len(rows)},site {number},{randomised},{had},{dropped},")
    log = write(folder / "log.csv", "subject,site,randomised,event,dropout,last_seen", *rows)
    return log, write(folder / "sites.csv", "site,opened,closed,cap", *sites)
