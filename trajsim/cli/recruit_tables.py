"""What ``trajsim recruit`` says on the screen: the answer in a few lines; the page and the JSON say the rest."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trajsim.cli.console import show
from trajsim.trials.feasibility import Assessment, Relaxation
from trajsim.trials.forecast import Reforecast
from trajsim.trials.recruitment.scenarios import Scenarios
from trajsim.trials.spec import TrialSpec

_SHOWN_MOVES = 8


def show_recruitment(
    spec: TrialSpec, twin: Mapping[str, Any], scenarios: Scenarios | None, ahead: Reforecast | None
) -> None:
    """The answer, the flow, the scenarios, the forecast from the log.

    Args:
        spec: The trial.
        twin: The JSON of the page, so that screen and page say the same.
        scenarios: Rescues beside the trial.
        ahead: The forecast from its log.
    """
    said = twin["answer"]
    show(f"{spec.title}: {spec.target:,} people by {spec.planned_end}")
    show(f"\n{said['verdict']}\n{said['when']}")
    if said["why"]:
        show("\nWhere people are lost:")
        for line in said["why"]:
            show(f"  {line}")
    show("")
    flow = twin["recruitment"]["consort"]
    rows = [(name, *_spread(values)) for name, values in flow.items() if name != "arms"]
    _table(("people", "mean", "95 % of replicates"), rows)
    if scenarios is not None:
        show("")
        _table(("scenario", "probability", "more randomized", "days to target", "cost a person"), _scenarios(scenarios))
        show(f"\n{said['rescue']}")
    if ahead is not None:
        _show_ahead(ahead)


def show_feasibility(spec: TrialSpec, found: Assessment, moves: Sequence[Relaxation]) -> None:
    """Attrition, and what moving a limit buys.

    Args:
        spec: The trial.
        found: Who is eligible on paper.
        moves: Moves that bring somebody.
    """
    show(f"{spec.title}: {found.n_catchment:,} people of the records live in the catchments")
    show(
        f"{found.n_people:,} come to a visit; {found.n_eligible:,} of them are eligible at one, "
        f"{found.n_certain:,} by what is recorded alone\n"
    )
    rows = [
        (each.criterion, *_whole(each.n_removed, each.n_failing, each.n_failing_alone, each.n_true, each.n_unknown))
        for each in found.criteria
    ]
    _table(("criterion", "lost in order", "denied", "by it alone", "met", "unknown"), rows)
    said = [f"  {each.criterion}: {each.asks}" for each in found.criteria if each.asks not in {"", each.criterion}]
    if said:
        show("\nWhat each asks (the index day is the day of the visit):\n" + "\n".join(said))
    if moves:
        show("")
        has_rates = any(each.event_rate is not None for each in moves)
        head = ("criterion", "moved", "eligible", "events a year now", "then")
        shown = [
            (each.criterion, each.change, f"{each.n_gained:+,}", _rate(each.event_rate_now), _rate(each.event_rate))
            for each in moves[:_SHOWN_MOVES]
        ]
        n_columns = len(head) if has_rates else len(head) - 2
        _table(head[:n_columns], [row[:n_columns] for row in shown])


def _scenarios(scenarios: Scenarios) -> Iterable[tuple[str, ...]]:
    planned = scenarios.base.spec.n_planned_days - 1
    base = scenarios.base
    cost = base.cost_per_randomized()
    known = cost[cost < float("inf")]  # of replicates that randomize somebody
    yield ("as it is", f"{base.probability_by(planned):.0%}", "", "", f"{known.mean():,.0f}" if len(known) else "")
    for each in scenarios.comparisons:
        own = each.result.spec.n_planned_days - 1
        yield (
            each.name,
            f"{each.result.probability_by(own):.0%}",
            _difference(each.enrolled.mean, each.enrolled.low, each.enrolled.high),
            _difference(each.days_to_target.mean, each.days_to_target.low, each.days_to_target.high),
            _difference(each.cost_per_randomized.mean, each.cost_per_randomized.low, each.cost_per_randomized.high),
        )


def _show_ahead(ahead: Reforecast) -> None:
    found = ahead.forecast
    show(f"\nFrom the log up to {found.as_of}: {found.n_subjects:,} randomized, {found.n_events:,} events")
    for name, milestone in (("randomized", found.subjects), ("events", found.events)):
        if milestone is not None:
            low, high = milestone.bands[0.95]
            median = milestone.median or "not within the horizon"
            chance = milestone.probability_by(ahead.planned_end)
            show(
                f"  {milestone.target:,} {name}: {median} (95 %: {low or 'never'} to {high or 'never'}); "
                f"by {ahead.planned_end} with probability {chance:.0%}"
            )
    for note in ahead.notes:
        show(f"  note: {note}")


def _difference(mean: float, low: float, high: float) -> str:
    if not math.isfinite(mean):
        return ""
    if not math.isfinite(low):
        return f"{round(mean):+,}"
    return f"{round(mean):+,} ({round(low):+,} to {round(high):+,})"


def _spread(values: Mapping[str, float | None]) -> tuple[str, str]:
    mean, low, high = values["mean"], values["low"], values["high"]
    return ("", "") if mean is None else (f"{mean:,.0f}", f"{low:,.0f} to {high:,.0f}")


def _whole(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in numbers)


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns side by side: the first to the left, numbers to the right."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    texts = [place for place in range(len(head)) if place == 0 or head[place] == "moved"]
    for line in lines:
        cells = [
            cell.ljust(widths[place]) if place in texts else cell.rjust(widths[place])
            for place, cell in enumerate(line)
        ]
        show("  ".join(cells).rstrip())
