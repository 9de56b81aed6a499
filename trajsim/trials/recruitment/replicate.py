"""One replicate: every person of the catchments from the first visit to randomization or to the reason why not.

The order of things: a site opens; somebody comes to a visit; the chart is looked at and denies no criterion; they are
reached; no other trial has them; they agree; they get one of the site's screening visits; what is measured there, and
what the chart did not know, decides; they are randomized unless the site or the trial is full by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.trials.recruitment import draws as purpose
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.chances import (
    failures_before,
    gamma_quantile,
    lognormal_quantile,
    poisson_shares,
    rate_quantile,
    whole_from,
)
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.screening import screen
from trajsim.trials.recruitment.world import STRIDE, World
from trajsim.trials.spec import epoch_day

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_GOING_ON = -1
NOT_SEEN = -2


@dataclass(frozen=True, kw_only=True, eq=False)
class Fates:
    """What became of the people of one replicate; one entry a person whose chart passes at some visit.

    Attributes:
        patient: Row among the patients.
        copy: Which of the people that this patient stands for.
        reason: Place in the reasons of the trial; `NOT_SEEN` if recruitment had ended before they were found.
        visit: Place of the visit among those at which the chart passes.
        visit_day: Day of that visit.
        screening_day: Day of the screening visit; `NEVER` if there was none.
        randomized_day: Day of randomization; `NEVER` if not.
        opened: By site, its first day in truth.
        stopped: By site, the last day on which it approached people.
        failed: Rows of patients whose chart failed at every visit at which the site looked.
        failed_people: How many people each of them stands for.
        failed_rule: The criterion that the chart denied at the first of these visits.
        failed_day: Day of that visit.
        n_living: How many people live in the catchments.
    """

    patient: Ints
    copy: Ints
    reason: Ints
    visit: Ints
    visit_day: Ints
    screening_day: Ints
    randomized_day: Ints
    opened: Ints
    stopped: Ints
    failed: Ints
    failed_people: Ints
    failed_rule: Ints
    failed_day: Ints
    n_living: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _Window:
    """Visits of residents while their sites are open: first and one past the last, of all and of those that pass."""

    copies: Ints
    first: Ints
    last: Ints
    pass_first: Ints
    pass_last: Ints


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
    window = _window(world, draws, opened, closed)
    found = np.flatnonzero((window.pass_last > window.pass_first) & (window.copies > 0))
    times = window.copies[found]
    where = np.repeat(found, times)
    copy = np.arange(len(where)) - np.repeat(np.cumsum(times) - times, times)
    patient = world.resident[where]
    reason, visit, visit_day = _approach(world, draws, patient, copy, window, where)
    screening_day = _screening_visits(world, draws, patient, copy, reason, visit_day)
    going = np.flatnonzero(reason == _GOING_ON)
    reason[going] = screen(world, draws, patient[going], copy[going], visit[going])
    _complete(world, draws, patient, copy, reason)
    randomized_day = np.where(reason == reasons.RANDOMIZED, screening_day + spec.screening.run_in_days, NEVER)
    stopped = _fill(world, patient, copy, reason, screening_day, randomized_day, closed)
    _unsee(world, window, where, reason, visit_day, stopped)
    failed, at = _chart_failures(world, window, stopped)
    return Fates(
        patient=patient,
        copy=copy,
        reason=reason,
        visit=visit,
        visit_day=visit_day,
        screening_day=np.where(_was_screened(reason, world), screening_day, NEVER),
        randomized_day=np.where(reason == reasons.RANDOMIZED, randomized_day, NEVER),
        opened=opened,
        stopped=stopped,
        failed=world.resident[failed],
        failed_people=window.copies[failed],
        failed_rule=world.visit_failed[at].astype(np.int64),
        failed_day=world.visit_key[at] % STRIDE,
        n_living=int(window.copies.sum()),
    )


def _opening_days(world: World, draws: Draws) -> Ints:
    u = draws.uniforms(purpose.OPENING, world.site_ids)
    delays = [lognormal_quantile(site.delay, u[n : n + 1])[0] for n, site in enumerate(world.spec.sites)]
    planned = [epoch_day(site.opens) - world.origin for site in world.spec.sites]
    days: Ints = np.minimum(np.array(planned) + np.floor(delays).astype(np.int64), world.spec.n_days)
    return days


def _window(world: World, draws: Draws, opened: Ints, closed: Ints) -> _Window:
    resident = world.resident
    base, site = resident * STRIDE, world.site[resident]
    if world.spec.resample == "fixed":
        copies = np.ones(len(resident), np.int64)
    else:
        u = draws.uniforms(purpose.COPIES, world.people.patient_id[resident])
        copies = whole_from(poisson_shares(world.spec.scale), u)
    starts, ends = base + opened[site], base + closed[site]
    return _Window(
        copies=copies,
        first=np.searchsorted(world.visit_key, starts, side="left"),
        last=np.searchsorted(world.visit_key, ends, side="right"),
        pass_first=np.searchsorted(world.pass_key, starts, side="left"),
        pass_last=np.searchsorted(world.pass_key, ends, side="right"),
    )


def _approach(
    world: World, draws: Draws, patient: Ints, copy: Ints, window: _Window, where: Ints
) -> tuple[Ints, Ints, Ints]:
    """Reason so far, visit and its day: from the chart to consent."""
    funnel = world.spec.funnel
    ids, site = world.people.patient_id[patient], world.site[patient]
    review, contact, consent = (
        rate_quantile(rate, draws.uniform(purpose.RATE, name))
        for name, rate in (("review", funnel.review), ("contact", funnel.contact), ("consent", funnel.consent))
    )
    visit = window.pass_first[where]
    if review < 1.0:
        visit = visit + failures_before(review, draws.uniforms(purpose.REVIEW, ids, copy))
    reason = np.where(visit < window.pass_last[where], _GOING_ON, reasons.NOT_REVIEWED)
    visit = np.minimum(visit, max(len(world.pass_key) - 1, 0))
    visit_day = world.pass_key[visit] % STRIDE if len(visit) else visit
    reached = gamma_quantile(world.spec.site_variation, draws.uniforms(purpose.PERFORMANCE, world.site_ids))[site]
    _leave(reason, ~(draws.uniforms(purpose.CONTACT, ids, copy) < contact * reached), reasons.NOT_REACHED)
    for place, other in enumerate(world.spec.competing):
        u = draws.uniforms(purpose.COMPETITOR, ids, copy, item=place)
        at_site = np.array([not other.sites or s.name in other.sites for s in world.spec.sites])[site]
        since = epoch_day(other.since) - world.origin if other.since else 0
        until = epoch_day(other.until) - world.origin if other.until else NEVER
        taken = at_site & (visit_day >= since) & (visit_day <= until) & (u < other.probability)
        _leave(reason, taken, reasons.IN_ANOTHER_TRIAL)
    agrees = _consent(world, patient, visit_day, consent)
    _leave(reason, ~(draws.uniforms(purpose.CONSENT, ids, copy) < agrees), reasons.DECLINED)
    return reason, visit, visit_day


def _leave(reason: Ints, leaves: NDArray[np.bool_], why: int) -> None:
    """Those who are still in and leave, leave for this."""
    reason[leaves & (reason == _GOING_ON)] = why


def _consent(world: World, patient: Ints, visit_day: Ints, base: float) -> Floats:
    """Chance of consent of each, by age, sex, distance and burden."""
    funnel = world.spec.funnel
    shift = np.full(len(patient), funnel.per_visit * funnel.visits_per_year)
    if funnel.per_decade:
        shift += funnel.per_decade * (world.people.age_years(patient, visit_day) - 60.0) / 10.0
    if funnel.female:
        shift += funnel.female * world.people.is_female[patient]
    if funnel.per_10_km:
        shift += funnel.per_10_km * np.nan_to_num(world.distance_km[patient]) / 10.0
    if base in (0.0, 1.0) or not shift.any():
        return np.full(len(patient), base)
    return np.asarray(special.expit(special.logit(base) + shift), np.float64)


def _screening_visits(world: World, draws: Draws, patient: Ints, copy: Ints, reason: Ints, visit_day: Ints) -> Ints:
    """Day of each screening visit: first come, first served, as many a week as the site holds."""
    going = np.flatnonzero(reason == _GOING_ON)
    site = world.site[patient[going]]
    lag = np.zeros(len(going))
    if any(s.lag.median > 0 for s in world.spec.sites):
        u = draws.uniforms(purpose.LAG, world.people.patient_id[patient[going]], copy[going])
        median = np.array([s.lag.median for s in world.spec.sites])[site]
        sigma = np.array([s.lag.sigma for s in world.spec.sites])[site]
        lag = median * np.exp(sigma * special.ndtri(u))
    ready = visit_day[going] + np.floor(lag).astype(np.int64)
    latest = visit_day[going] + world.spec.screening.max_wait_days
    order = np.lexsort((copy[going], patient[going], visit_day[going], ready, site))
    days = np.empty_like(ready)
    capacities = [s.capacity_per_week for s in world.spec.sites]
    days[order] = appointments(ready[order], latest[order], site[order], capacities)
    screening_day = np.full(len(patient), NEVER, np.int64)
    screening_day[going] = days
    until = days + world.spec.screening.run_in_days
    reason[going[days == NEVER]] = reasons.WAITED
    _leave(reason, _among(going[world.people.death_day[patient[going]] <= until], len(reason)), reasons.DIED)
    _leave(reason, _among(going[until >= world.spec.n_days], len(reason)), reasons.UNFINISHED)
    return screening_day


def _among(places: Ints, n: int) -> NDArray[np.bool_]:
    marked = np.zeros(n, np.bool_)
    marked[places] = True
    return marked


def appointments(ready: Ints, latest: Ints, site: Ints, capacity_per_week: Sequence[float | None]) -> Ints:
    """Gives out screening visits in the order of (site, ready day): visit k of a site is on day 7 k / capacity.

    Somebody gets the first visit that is neither before they are ready nor given to those ahead:
    slot_k = max(ready_k, slot_(k-1) + 1), a running maximum of (ready_k - k). Where that makes somebody wait longer
    than they accept they take none, and the visit goes to the next; such a site is gone through one by one.

    Args:
        ready: First day on which each could come, ascending within a site.
        latest: Last day that each accepts.
        site: Place of the site, ascending.
        capacity_per_week: Visits a week by site; None: no limit.

    Returns:
        Day of each visit; `NEVER` for those who take none.
    """
    days = np.where(ready <= latest, ready, NEVER)
    edges = np.searchsorted(site, np.arange(len(capacity_per_week) + 1))
    crowded: list[int] = []
    for place, capacity in enumerate(capacity_per_week):
        own = slice(edges[place], edges[place + 1])
        if capacity is None or edges[place] == edges[place + 1]:
            continue
        number = np.arange(edges[place + 1] - edges[place])
        slot = number + np.maximum.accumulate(_first_slot(ready[own], capacity) - number)
        booked = np.maximum(ready[own], _day_of(slot, capacity))
        if (booked <= latest[own]).all():
            days[own] = booked
        else:
            crowded.append(place)
    if crowded:
        _crowded_sites(days, ready, latest, edges, np.array(crowded), capacity_per_week)
    return days


def _first_slot(ready: Ints, capacity: float | Floats) -> Ints:
    slot: Ints = np.ceil(ready * (capacity / 7.0) - 1e-9).astype(np.int64)
    return slot


def _day_of(slot: Ints, capacity: float | Floats) -> Ints:
    day: Ints = np.ceil(slot * (7.0 / capacity) - 1e-9).astype(np.int64)
    return day


def _crowded_sites(
    days: Ints, ready: Ints, latest: Ints, edges: Ints, crowded: Ints, capacity_per_week: Sequence[float | None]
) -> None:
    """The same for sites at which some do not wait: one candidate of each site after the other, sites side by side."""
    capacity = np.array([capacity_per_week[place] for place in crowded], np.float64)
    first, lengths = edges[crowded], edges[crowded + 1] - edges[crowded]
    free = np.full(len(crowded), -(1 << 40), np.int64)
    for n in range(int(lengths.max())):
        at = np.minimum(first + n, len(ready) - 1)
        slot = np.maximum(_first_slot(ready[at], capacity), free)
        day = np.maximum(ready[at], _day_of(slot, capacity))
        is_there = n < lengths
        takes = is_there & (day <= latest[at])
        days[at[is_there]] = np.where(takes, day, NEVER)[is_there]
        free = np.where(takes, slot + 1, free)


def _complete(world: World, draws: Draws, patient: Ints, copy: Ints, reason: Ints) -> None:
    """Of the eligible, some are not randomized."""
    chance = rate_quantile(world.spec.funnel.completes, draws.uniform(purpose.RATE, "completes"))
    going = np.flatnonzero(reason == _GOING_ON)
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


def _unsee(world: World, window: _Window, where: Ints, reason: Ints, visit_day: Ints, stopped: Ints) -> None:
    """People who would have been found only after their site had stopped were never candidates."""
    site = world.site[world.resident[where]]
    late = (reason != reasons.NOT_REVIEWED) & (visit_day > stopped[site])
    first_pass = world.pass_key[window.pass_first[where]] % STRIDE
    reason[late] = np.where(first_pass[late] <= stopped[site][late], reasons.NOT_REVIEWED, NOT_SEEN)
    unreviewed = (reason == reasons.NOT_REVIEWED) & (first_pass > stopped[site])
    reason[unreviewed] = NOT_SEEN


def _was_screened(reason: Ints, world: World) -> NDArray[np.bool_]:
    screened: NDArray[np.bool_] = (
        (reason == reasons.RANDOMIZED) | (reason == reasons.OTHERWISE) | (reason == reasons.WITHDREW)
    )
    screened |= reason >= world.reasons.screening.start
    return screened


def _chart_failures(world: World, window: _Window, stopped: Ints) -> tuple[Ints, Ints]:
    """Residents whose charts failed while the site looked, and the visit at which they first did."""
    n_visits, n_passes = len(world.visit_key), len(world.pass_key)
    if not n_visits:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    end = world.resident * STRIDE + stopped[world.site[world.resident]]
    first = np.minimum(window.first, n_visits - 1)
    seen = (window.first < window.last) & (world.visit_key[first] <= end) & (window.copies > 0)
    passed = window.pass_first < window.pass_last
    if n_passes:
        passed &= world.pass_key[np.minimum(window.pass_first, n_passes - 1)] <= end
    out = np.flatnonzero(seen & ~passed)
    return out, first[out]
