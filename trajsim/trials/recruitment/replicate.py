"""One replicate: every person of the catchments from the first visit to randomization or to the reason why not.

The order of things: a site opens; somebody comes to a visit; the chart is looked at and denies no criterion; they are
reached; no other trial has them; they agree; they get one of the site's screening visits; what is measured there, and
what the chart did not know, decides; they are randomized unless the site or the trial is full by then.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment import draws as purpose
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.chances import lognormal_quantile, rate_quantile
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.invitations import GOING_ON, approach, screening_visits, unsee
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.screening import screen
from trajsim.trials.recruitment.visits import window_of
from trajsim.trials.recruitment.world import World
from trajsim.trials.spec import epoch_day

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fates:
    """What became of the people of one replicate; one entry a person whose chart passes at some visit.

    Attributes:
        patient: Row among the patients.
        copy: Which of the people that this patient stands for.
        shift: By how many days this life lies later than in the records.
        reason: Place in the reasons of the trial; `NOT_SEEN` if recruitment had ended before they were found.
        visit: Place of the visit among those at which the chart passes.
        visit_day: Day of that visit.
        screening_day: Day of the screening visit; `NEVER` if there was none.
        randomized_day: Day of randomization; `NEVER` if not.
        opened: By site, its first day in truth.
        stopped: By site, the last day on which it approached people.
        failed: Rows of patients whose chart failed at every visit at which the site looked.
        failed_copy: The first of the people that each of them stands for here.
        failed_people: How many people each of them stands for.
        failed_rule: The criterion that the chart denied at the first of these visits.
        failed_day: Day of that visit.
        failed_shift: As `shift`.
        n_living: How many people live in the catchments.
    """

    patient: Ints
    copy: Ints
    shift: Ints
    reason: Ints
    visit: Ints
    visit_day: Ints
    screening_day: Ints
    randomized_day: Ints
    opened: Ints
    stopped: Ints
    failed: Ints
    failed_copy: Ints
    failed_people: Ints
    failed_rule: Ints
    failed_day: Ints
    failed_shift: Ints
    n_living: int


def recruit(world: World, draws: Draws) -> Fates:
    """Lets the people of the catchments meet the trial once.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.

    Returns:
        What became of each.

    Guarantees:
        Somebody whose site, queue and stratum a change of the trial does not touch has the same fate in both.
        (tests/unit/trials/recruitment/test_replicate.py)
    """
    spec = world.spec
    opened = _opening_days(world, draws)
    closed = np.array([spec.n_days - 1 if s.closes is None else epoch_day(s.closes) - world.origin for s in spec.sites])
    window = window_of(world, draws, opened, closed)
    who = window.candidates()
    asked = approach(world, draws, who)
    reason = asked.reason
    screening_day = screening_visits(world, draws, who, asked)
    going = np.flatnonzero(reason == GOING_ON)
    reason[going] = screen(world, draws, who.patient[going], who.copy[going], asked.visit[going])
    _complete(world, draws, who.patient, who.copy, reason)
    randomized_day = np.where(reason == reasons.RANDOMIZED, screening_day + spec.screening.run_in_days, NEVER)
    stopped = _fill(world, who.patient, who.copy, reason, screening_day, randomized_day, closed)
    unsee(who, asked, stopped)
    failed = window.chart_failures(stopped)
    return Fates(
        patient=who.patient,
        copy=who.copy,
        shift=who.shift,
        reason=reason,
        visit=asked.visit,
        visit_day=asked.day,
        screening_day=np.where(_was_screened(reason, world), screening_day, NEVER),
        randomized_day=np.where(reason == reasons.RANDOMIZED, randomized_day, NEVER),
        opened=opened,
        stopped=stopped,
        failed=failed.patient,
        failed_copy=failed.copy,
        failed_people=failed.people,
        failed_rule=failed.rule,
        failed_day=failed.day,
        failed_shift=failed.shift,
        n_living=int(window.people.sum()),
    )


def _opening_days(world: World, draws: Draws) -> Ints:
    u = draws.uniforms(purpose.OPENING, world.site_ids)
    delays = [lognormal_quantile(site.delay, u[n : n + 1])[0] for n, site in enumerate(world.spec.sites)]
    planned = [epoch_day(site.opens) - world.origin for site in world.spec.sites]
    days: Ints = np.minimum(np.array(planned) + np.floor(delays).astype(np.int64), world.spec.n_days)
    return days


def _complete(world: World, draws: Draws, patient: Ints, copy: Ints, reason: Ints) -> None:
    """Of the eligible, some are not randomized."""
    chance = rate_quantile(world.spec.funnel.completes, draws.uniform(purpose.RATE, "completes"))
    going = np.flatnonzero(reason == GOING_ON)
    u = draws.uniforms(purpose.COMPLETION, world.people.patient_id[patient[going]], copy[going])
    reason[going] = np.where(u < chance, reasons.RANDOMIZED, reasons.WITHDREW)


def _fill(
    world: World,
    patient: Ints,
    copy: Ints,
    reason: Ints,
    screening_day: Ints,
    randomized_day: Ints,
    closed: Ints,
) -> Ints:
    """Applies the caps of the sites and the target; gives the last day on which each site approaches people."""
    spec = world.spec
    site = world.site[patient]
    stopped = closed.copy()
    ready = np.flatnonzero(reason == reasons.RANDOMIZED)
    ready = ready[np.lexsort((copy[ready], patient[ready], randomized_day[ready]))]
    caps = np.array([NEVER if s.cap is None else s.cap for s in spec.sites])
    if (caps < NEVER).any():
        order = np.argsort(site[ready], kind="stable")
        edges = np.searchsorted(site[ready][order], np.arange(len(spec.sites)))
        rank = np.empty(len(ready), np.int64)
        rank[order] = np.arange(len(ready)) - edges[site[ready][order]]
        last = ready[rank == caps[site[ready]] - 1]
        stopped[site[last]] = np.minimum(stopped[site[last]], randomized_day[last])
        reason[ready[rank >= caps[site[ready]]]] = reasons.SITE_FULL
        ready = ready[rank < caps[site[ready]]]
    site_stopped = stopped.copy()
    if spec.stops_at_target and len(ready) >= spec.target:
        end = int(randomized_day[ready[spec.target - 1]])
        reason[ready[spec.target :]] = reasons.TRIAL_FULL
        stopped = np.minimum(stopped, end)
    waiting = (screening_day != NEVER) & (screening_day > stopped[site]) & (stopped[site] < closed[site])
    waiting &= (reason >= reasons.OTHERWISE) & (reason != reasons.UNFINISHED)
    by_site = screening_day > site_stopped[site]
    reason[waiting] = np.where(by_site & (site_stopped[site] < closed[site]), reasons.SITE_FULL, reasons.TRIAL_FULL)[
        waiting
    ]
    return stopped


def _was_screened(reason: Ints, world: World) -> NDArray[np.bool_]:
    screened: NDArray[np.bool_] = (
        (reason == reasons.RANDOMIZED) | (reason == reasons.OTHERWISE) | (reason == reasons.WITHDREW)
    )
    screened |= reason >= world.reasons.screening.start
    return screened
