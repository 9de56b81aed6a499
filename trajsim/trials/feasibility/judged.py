"""One visit a person, at which their chart is judged.

Whoever comes to several visits may be refused at one and taken at another: a diagnosis is made, a value falls. A site
looks each time, so people are judged at the visit at which the fewest criteria deny them, the first of those: they are
eligible here exactly if they are at some visit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment.eligibility import FALSE, Answers, Eligibility
from trajsim.trials.recruitment.world import STRIDE, World

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """People of the catchments who came to a visit, each at one of them.

    Attributes:
        names: Criteria that are applied, in order.
        patient: Row of each among the patients, ascending.
        day: Day of the visit, from the start of the trial.
        time_us: An instant of that day, microseconds since 1970-01-01 UTC.
        answers: What the chart says, [n, n_criteria].
    """

    names: tuple[str, ...]
    patient: Ints
    day: Ints
    time_us: Ints
    answers: Answers

    @property
    def denied(self) -> Flags:
        """Which criteria deny whom, [n, n_criteria]."""
        return np.asarray(self.answers == FALSE)

    @property
    def is_eligible(self) -> Flags:
        """Whom no criterion denies."""
        return np.asarray(~self.denied.any(axis=1))


def judge(world: World, eligibility: Eligibility) -> Judged:
    """Judges everybody who lives in a catchment and comes to a visit in the time of the trial.

    Args:
        world: The trial and its people.
        eligibility: The criteria that `world` was built with.
    """
    patient, day = world.visit_key // STRIDE, world.day_of(world.visit_key)
    patient, day = patient[day >= 0], day[day >= 0]
    time_us = (day + world.origin) * _DAY_US + _DAY_US // 2
    places = [list(eligibility.rule_names).index(name) for name in world.rule_names]
    answers = eligibility.evaluate(patient, time_us)[:, places]
    n_denied = (answers == FALSE).sum(axis=1)
    order = np.lexsort((day, n_denied, patient))
    first = np.ones(len(order), np.bool_)
    first[1:] = patient[order][1:] != patient[order][:-1]
    own = order[first]
    return Judged(
        names=world.rule_names, patient=patient[own], day=day[own], time_us=time_us[own], answers=answers[own]
    )


def event_rate(world: World, judged: Judged, chosen: Flags) -> float | None:
    """Endpoints of the records a person-year after the visit; None if the spec gives a hazard, or nobody is watched.

    Args:
        world: The trial and its people.
        judged: People at visits.
        chosen: Which of them.
    """
    if world.spec.endpoint.per_year is not None:
        return None
    patient, day = judged.patient[chosen], judged.day[chosen]
    event = world.next_event(patient, day)
    last = np.minimum(world.people.last_day[patient], world.people.death_day[patient])
    is_event = event <= world.people.last_day[patient]
    days = np.maximum(np.where(is_event, event, last) - day, 0)
    years = float(days.sum()) / 365.25
    return float(is_event.sum()) / years if years > 0 else None
