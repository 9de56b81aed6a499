"""The answer in words: will it recruit, when, why not, and which rescue helps most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trajsim.trials.forecast.reforecast import Reforecast
from trajsim.trials.page.contents import PageContents
from trajsim.trials.page.figures import change, count, day, difference, percent, proportion_interval
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.reasons import RANDOMIZED, TRIAL_FULL
from trajsim.trials.recruitment.result import RecruitmentResult

_WORDS = (
    (0.95, "Yes, almost surely"),
    (0.75, "Yes, probably"),
    (0.40, "Open"),
    (0.10, "Probably not"),
    (0.0, "No, almost surely not"),
)
_TOO_WIDE = 0.4
_SHOWN_BAND = 0.8
_LATE_DAYS = 7
_SHOWN_LOSSES = 4


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answers.

    Attributes:
        tone: ``good``, ``open`` or ``bad``.
        verdict: Whether the target is reached by the planned end.
        when: By when it is reached, and how many there are by the planned end.
        running: What the log of the running trial says; None without one.
        why: Where people are lost, most first.
        rescue: What helps most.
        probability: Of the target by the planned end.
        low: Lower end of its 95 % interval over replicates.
        high: Upper end.
    """

    tone: str
    verdict: str
    when: str
    running: str | None
    why: tuple[str, ...]
    rescue: str
    probability: float
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def answer(contents: PageContents, recruitment: Mapping[str, Any]) -> Answer:
    """Puts the result into words.

    Args:
        contents: All that the page shows.
        recruitment: The result as plain values, so that words and numbers are the same.
    """
    result = contents.result
    spec = result.spec
    probability = recruitment["probability_by_planned_end"]
    low, high = proportion_interval(probability, result.n_replicates)
    word = next(word for least, word in _WORDS if probability >= least)
    is_known = high - low <= _TOO_WIDE
    if not is_known:
        word = "Too few replicates to say"
    verdict = (
        f"{word}: the probability of {count(spec.target)} randomized people by {day(spec.planned_end)} is "
        f"{percent(probability)} (95 % interval {percent(low)} to {percent(high)}, {count(result.n_replicates)} "
        f"{_plural('replicate', result.n_replicates)})."
    )
    return Answer(
        tone=_tone(probability) if is_known else "open",
        verdict=verdict,
        when=_when(result, recruitment),
        running=None if contents.forecast is None else _running(contents.forecast),
        why=tuple(_why(result, recruitment)),
        rescue=_rescue(contents),
        probability=probability,
        low=low,
        high=high,
    )


def _tone(probability: float) -> str:
    return "good" if probability >= _WORDS[1][0] else "open" if probability >= _WORDS[2][0] else "bad"


def _when(result: RecruitmentResult, recruitment: Mapping[str, Any]) -> str:
    spec = result.spec
    dates, enrolled = recruitment["target_date"], recruitment["enrolled_at_planned_end"]
    if dates["p50"] is None:
        share = percent(recruitment["probability_by_horizon"])
        first = f"By {day(spec.horizon)}, the last day simulated, {share} of the replicates have reached the target."
    elif dates["p90"] is None:
        first = (
            f"Half of the replicates reach the target by {day(dates['p50'])}; more than one in ten do not reach it "
            f"by {day(spec.horizon)}, the last day simulated."
        )
    else:
        first = (
            f"Half of the replicates reach the target by {day(dates['p50'])}, "
            f"eight of ten between {day(dates['p10'])} and {day(dates['p90'])}."
        )
    return (
        f"{first} By the planned end there are {count(enrolled['median'])} people "
        f"(95 % of the replicates: {count(enrolled['low'])} to {count(enrolled['high'])}), "
        f"{percent(enrolled['median'] / spec.target)} of the target."
    )


def _running(running: Reforecast) -> str:
    found = running.forecast
    sentence = f"By {day(found.as_of)} {count(found.n_subjects)} people were randomized"
    for what, milestone in (("people", found.subjects), ("endpoints", found.events)):
        if milestone is None:
            continue
        goal = f"{count(milestone.target)} {what}"
        by_plan = percent(milestone.probability_by(running.planned_end))
        if milestone.median is None:
            share = percent(milestone.reached)
            sentence += f"; {goal} are reached with a probability of {share} within the time looked at"
        else:
            first, last = ("later than looked at" if end is None else day(end) for end in milestone.bands[_SHOWN_BAND])
            sentence += f"; {goal} are reached by {day(milestone.median)} (80 % band {first} to {last})"
        if what == "people":
            sentence += f", by the planned end with a probability of {by_plan}"
    return f"{sentence}."


def _why(result: RecruitmentResult, recruitment: Mapping[str, Any]) -> Sequence[str]:
    """Late sites, visits that never come, and the most frequent ways out."""
    found = []
    flow = recruitment["consort"]
    living, seen = (flow[key]["mean"] for key in ("living in the catchments", "came to a visit while a site was open"))
    if living:
        found.append(
            f"Of {count(living)} people in the catchments {count(seen)} ({percent(seen / living)}) come to a visit "
            "while a site is open."
        )
    means = result.counts.mean(axis=0)
    out = [place for place in range(len(means)) if place not in (RANDOMIZED, TRIAL_FULL) and means[place] > 0]
    for place in sorted(out, key=lambda place: -means[place])[:_SHOWN_LOSSES]:
        name = result.reasons.names[place]
        found.append(f"Lost by “{name}”: {count(means[place])}, {percent(means[place] / seen)} of those who come.")
    late = _late_days(result)
    if late >= _LATE_DAYS:
        found.append(f"Sites open {count(late)} days later than planned, on average.")
    return found


def _late_days(result: RecruitmentResult) -> float:
    planned = np.array([(site.opens - result.spec.start).days for site in result.spec.sites])
    opened = result.opened < NEVER
    return float((result.opened - planned)[opened].mean()) if opened.any() else 0.0


def _rescue(contents: PageContents) -> str:
    if contents.scenarios is None or not contents.scenarios.comparisons:
        return "No rescue was compared. " + _relaxation(contents)
    spec = contents.result.spec
    rows = sorted(
        contents.scenarios.comparisons, key=lambda each: (-each.probability.mean, -each.enrolled.mean, each.name)
    )
    best = rows[0]
    if best.enrolled.mean <= 0 and best.probability.mean <= 0:
        n = len(rows)
        return f"None of the {n} scenarios compared brings more people by {day(spec.planned_end)}."
    reached = contents.result.probability_by(spec.n_planned_days - 1) + best.probability.mean
    sentence = (
        f"“{best.name}” helps most: the probability by {day(spec.planned_end)} changes by "
        f"{difference(best.probability.to_json(), scale=100.0)} percentage points to {percent(reached)}, with "
        f"{difference(best.enrolled.to_json())} people by then"
    )
    if best.enrolled.mean > 0 and best.cost.mean > 0:
        price = best.cost.mean / best.enrolled.mean
        sentence += f", at {count(price)} {spec.costs.currency} for each additional person"
    elif best.cost.mean < 0:
        sentence += f", and costs {count(-best.cost.mean)} {spec.costs.currency} less"
    others = [each for each in rows[1:] if each.probability.mean > 0 or each.enrolled.mean > 0]
    if others:
        points = change(100.0 * others[0].probability.mean)
        sentence += f". Next comes “{others[0].name}” with {points} points and {change(others[0].enrolled.mean)} people"
    return f"{sentence}."


def _relaxation(contents: PageContents) -> str:
    if contents.feasibility is None or not contents.feasibility.relaxations:
        return "Name scenarios to see what would help."
    best = max(contents.feasibility.relaxations, key=lambda each: each.n_gained)
    return (
        f"On paper the criterion “{best.criterion}” gives most: {best.change} makes {count(best.n_gained)} more people "
        "eligible."
    )


def _plural(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"
