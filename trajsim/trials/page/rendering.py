"""From contents to one HTML file without scripts, fonts or pictures from elsewhere."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from trajsim.errors import ExportError
from trajsim.trials.page import figures
from trajsim.trials.page.contents import PageContents
from trajsim.trials.page.pictures import (
    Drawing,
    Fan,
    Line,
    bar,
    both_widths,
    interval,
    overlap_bar,
    share_bars,
    strip,
)
from trajsim.trials.page.twin import KEYS, page_json

_PAIRS = (("p2.5", "p97.5"), ("p10", "p90"), ("p25", "p75"))
_ENDS = ("mean", "low", "high")
_SHOWN_ROWS = 24
_SHOWN_SITES = 20


def write_page(path: Path, contents: PageContents) -> None:
    """Writes the page as one file.

    Args:
        path: Where; a file there is replaced.
        contents: What to show.

    Raises:
        ExportError: It cannot be written there.
    """
    page = render_page(contents)
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        msg = f"cannot write the page to {path}: {error.strerror}"
        raise ExportError(msg) from error


def render_page(contents: PageContents) -> str:
    """Renders the page.

    Args:
        contents: What to show.

    Returns:
        A whole page; well-formed, so that other programs can read it too; the same contents give the same bytes.

    Guarantees:
        The page is well-formed XML, names no other address and has no script; what the spec says is text.
        (tests/unit/trials/page/test_rendering.py)
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "between": figures.between,
        "change": figures.change,
        "count": figures.count,
        "day": figures.day,
        "difference": figures.difference,
        "percent": figures.percent,
        "rate": figures.rate,
        "spread": figures.spread,
        "thin": thinned,
    }
    twin = page_json(contents)
    template = files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        twin=twin,
        trial=twin["recruitment"],
        keys=KEYS,
        left_out={each["part"]: each["why"] for each in twin["left_out"]},
        pictures=_pictures(twin),
        enrollment=thinned(
            [
                {**row, **chance}
                for row, chance in zip(twin["recruitment"]["enrollment"], twin["probability"], strict=True)
            ]
        ),
        flow=_flow(twin),
        sites=_sites(twin),
        shown_sites=_SHOWN_SITES,
        shares=_shares(twin),
        criteria=_criteria(twin),
        groups=_groups(twin),
        scenarios=_scenarios(twin),
    )


def thinned(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Some two dozen rows of many, evenly, the last among them.

    Args:
        rows: All.
    """
    step = max(1, -(-len(rows) // _SHOWN_ROWS))
    return [row for place, row in enumerate(rows) if place % step == 0 or place == len(rows) - 1]


def _pictures(twin: Mapping[str, Any]) -> dict[str, Markup]:
    trial = twin["recruitment"]
    planned = Line(at=dt.date.fromisoformat(trial["planned_end"]), label="planned end")
    goal = Line(at=float(trial["target"]), label=f"target {trial['target']:,}")
    fan = _fan(trial["enrollment"])
    at_end = trial["enrolled_at_planned_end"]
    said = (
        f"Randomized by date. By the planned end {figures.day(trial['planned_end'])}: median "
        f"{figures.count(at_end['median'])}, 95 % of replicates {figures.count(at_end['low'])} to "
        f"{figures.count(at_end['high'])}; target {figures.count(trial['target'])}."
    )
    chances = Fan(
        dates=fan.dates, bands=(), middle=np.array([row["probability"] for row in twin["probability"]], np.float64)
    )
    reached = (
        f"Probability that the target is reached, by date: {figures.percent(trial['probability_by_planned_end'])} by "
        f"the planned end, {figures.percent(trial['probability_by_horizon'])} by {figures.day(trial['horizon'])}."
    )
    periods = twin["site_periods"]
    open_sites = Fan(
        dates=tuple(dt.date.fromisoformat(date) for date in periods["starts"]),
        bands=(),
        middle=np.array(periods["open_sites"], np.float64),
    )
    found = {
        "enrollment": both_widths(Drawing(fan, label=said, goal=goal, marks=[planned])),
        "probability": both_widths(
            Drawing(chances, label=reached, marks=[planned], top=1.0, is_share=True, height=150)
        ),
        "open_sites": both_widths(Drawing(open_sites, label="Mean number of open sites by date.", height=130)),
        "events": both_widths(_events(twin, planned)),
    }
    if twin["forecast"] is not None:
        found |= _forecast_pictures(twin["forecast"], planned)
    return found


def _events(twin: Mapping[str, Any], planned: Line) -> Drawing:
    wanted = twin["event_goal"]
    goal = None if wanted is None else Line(at=float(wanted["target"]), label=f"wanted {wanted['target']:,}")
    last = twin["recruitment"]["events"][-1]
    said = (
        f"Endpoints by date: mean {figures.count(last['mean'])} by {figures.day(last['date'])}, 95 % of replicates "
        f"{figures.count(last['p2.5'])} to {figures.count(last['p97.5'])}."
    )
    return Drawing(_fan(twin["recruitment"]["events"]), label=said, goal=goal, marks=[planned])


def _forecast_pictures(forecast: Mapping[str, Any], planned: Line) -> dict[str, Markup]:
    found = {}
    for key, name in (("subject", "Randomized"), ("event", "Endpoints")):
        rows, milestone = forecast[f"{key}_fan"], forecast[f"{key}s"]
        if rows:
            goal = None
            if milestone is not None:
                goal = Line(at=float(milestone["target"]), label=f"target {milestone['target']:,}")
            said = f"{name} by date as forecast from the log: median {figures.count(rows[-1]['p50'])} at the end."
            found[f"forecast_{key}"] = both_widths(Drawing(_fan(rows), label=said, goal=goal, marks=[planned]))
    return found


def _fan(rows: Sequence[Mapping[str, Any]]) -> Fan:
    """Dates, bands and median of rows of quantiles."""

    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([row[name] for row in rows], np.float64)

    return Fan(
        dates=tuple(dt.date.fromisoformat(row["date"]) for row in rows),
        bands=tuple((column(low), column(high)) for low, high in _PAIRS),
        middle=column("p50"),
    )


@dataclass(frozen=True)
class _Way:
    """A way out of the flow, and how much of those who came to its step it takes."""

    reason: str
    people: Mapping[str, float | None]
    share: float
    picture: Markup


def _flow(twin: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[_Way]]]:
    found = []
    for step in twin["flow"]:
        whole = step["people"]["mean"] or 1.0
        shares = [way["people"]["mean"] / whole for way in step["leave"]]
        ways = [
            _Way(way["reason"], way["people"], share, bar(share, "lost"))
            for way, share in zip(step["leave"], shares, strict=True)
        ]
        found.append((step, ways))
    return found


def _sites(twin: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Markup]]:
    """Sites with their strips; where there are many, those that bring most come first."""
    periods = {row["site"]: row for row in twin["site_periods"]["sites"]}
    top = max((max(row["randomized"], default=0.0) for row in periods.values()), default=0.0) or 1.0
    rows = [
        (site, strip(periods[site["site"]]["randomized"], periods[site["site"]]["open"], top=top))
        for site in twin["recruitment"]["sites"]
    ]
    if len(rows) > _SHOWN_SITES:
        rows.sort(key=lambda row: -(row[0]["randomized"]["mean"] or 0.0))
    return rows


def _shares(twin: Mapping[str, Any]) -> dict[str, list[tuple[Mapping[str, Any], Markup, bool]]]:
    """By what divides people: groups with their bars, and whether the disease's share lies outside the interval."""
    found: dict[str, list[tuple[Mapping[str, Any], Markup, bool]]] = {}
    if any(each["part"] == "Enrolled and disease population" for each in twin["left_out"]):
        return found
    for share in twin["recruitment"]["shares"]:
        values = _known(share, ("disease", "enrolled", "low", "high"))
        disease, _, low, high = values
        if disease == 0.0 and high == 0.0:
            continue
        picture = share_bars(*values)
        found.setdefault(share["by"], []).append((share, picture, disease < low or disease > high))
    return found


def _criteria(twin: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Markup]]:
    feasibility = twin["feasibility"]
    if feasibility is None:
        return []
    n = max(feasibility["n_people"], 1)
    return [
        (row, overlap_bar(row["n_failing_alone"] / n, row["n_failing_with_others"] / n))
        for row in feasibility["criteria"]
    ]


def _groups(twin: Mapping[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """By what divides people and by group: shares that each criterion denies and does not know, in their order."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in (twin["feasibility"] or {"criteria": ()})["criteria"]:
        for group in row["groups"]:
            n = max(group["n_true"] + group["n_false"] + group["n_unknown"], 1)
            shares = (group["n_false"] / n, group["n_unknown"] / n)
            found.setdefault(group["by"], {}).setdefault(group["level"], []).append(shares)
    return found


def _scenarios(twin: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Markup]]:
    """Scenarios with their intervals of additional people, those that help most first."""
    rows = twin["scenarios"] or []
    ends = [row["enrolled"][key] for row in rows for key in _ENDS]
    known = [0.0, *(value for value in ends if value is not None)]
    least, most = min(known), max(known)
    order = sorted(rows, key=lambda row: (-(row["probability"]["mean"] or 0.0), -(row["enrolled"]["mean"] or 0.0)))
    return [(row, interval(*_known(row["enrolled"], _ENDS), least=least, most=most)) for row in order]


def _known(summary: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    return [math.nan if summary[name] is None else float(summary[name]) for name in names]
