"""From the chart to the screening visit: who is reached, who agrees, who gets a visit, and who is asked again.

With one invitation whoever is not reached, or finds no screening visit soon enough, is lost. With more they are looked
for again at a later visit at which the chart passes: those not reached at their next one, those who waited in vain at
the next after they have given up. Whoever declined is not asked again.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.trials.recruitment import draws as purpose
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.appointments import appointments, appointments_of_site
from trajsim.trials.recruitment.chances import failures_before, gamma_quantile, rate_quantile
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.visits import Candidates
from trajsim.trials.recruitment.world import World
from trajsim.trials.spec import epoch_day

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

GOING_ON: Final = -1
NOT_SEEN: Final = -2


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What became of people by now; changed in place on their way.

    Attributes:
        reason: Why they left, `GOING_ON` if they have not; `NOT_SEEN` if recruitment had ended before they were found.
        visit: Place of the visit at which they were asked last, among those at which charts pass.
        day: Its day.
        times: How many invitations came before.
        first_reason: Why their first invitation led to nothing.
        first_day: Day of their first.
    """

    reason: Ints
    visit: Ints
    day: Ints
    times: Ints
    first_reason: Ints
    first_day: Ints


def approach(world: World, draws: Draws, who: Candidates) -> Asked:
    """Reason so far, visit and its day: from the chart to consent.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.
        who: Whose chart passes.
    """
    asks = _Invitation(world, draws)
    visit = asks.reviewed(who, who.first, 0)
    reason = np.where(visit < who.last, GOING_ON, reasons.NOT_REVIEWED)
    visit = np.minimum(visit, max(len(world.pass_key) - 1, 0))
    day = asks.day(who, visit)
    asks.answer(who, reason, day, 0)
    asked = Asked(
        reason=reason,
        visit=visit,
        day=day,
        times=np.zeros(len(visit), np.int64),
        first_reason=reason.copy(),
        first_day=day.copy(),
    )
    for times in range(1, world.spec.funnel.invitations):
        own = np.flatnonzero(reason == reasons.NOT_REACHED)
        later = asks.reviewed(who.take(own), visit[own] + 1, times)
        own, later = own[later < who.last[own]], later[later < who.last[own]]
        some = who.take(own)
        reason[own], visit[own], asked.times[own] = GOING_ON, later, times
        day[own] = asks.day(some, later)
        again = reason[own]
        asks.answer(some, again, day[own], times)
        reason[own] = again
    return asked


class _Invitation:
    """How people of one replicate are found and answer."""

    def __init__(self, world: World, draws: Draws) -> None:
        funnel = world.spec.funnel
        self._world, self._draws = world, draws
        self._review, self._contact, self._consent = (
            rate_quantile(rate, draws.uniform(purpose.RATE, name))
            for name, rate in (("review", funnel.review), ("contact", funnel.contact), ("consent", funnel.consent))
        )
        u = draws.uniforms(purpose.PERFORMANCE, world.site_ids)
        self._reached = gamma_quantile(world.spec.site_variation, u)

    def reviewed(self, who: Candidates, first: Ints, times: int) -> Ints:
        """The visit at which the chart is looked at, from some visit on."""
        if self._review >= 1.0:
            return first
        u = self._draws.uniforms(purpose.REVIEW, self._ids(who), who.copy, item=times)
        return first + failures_before(self._review, u)

    def day(self, who: Candidates, visit: Ints) -> Ints:
        """Days of visits."""
        return self._world.day_of(self._world.pass_key[visit]) + who.shift if len(visit) else visit

    def is_reached(self, who: Candidates, times: int) -> Flags:
        """Whether an invitation arrives."""
        u = self._draws.uniforms(purpose.CONTACT, self._ids(who), who.copy, item=times)
        return u < self._contact * self._reached[who.site]

    def is_taken(self, who: Candidates, day: Ints) -> Flags:
        """Whether another trial has them."""
        world = self._world
        taken = np.zeros(len(day), np.bool_)
        for place, other in enumerate(world.spec.competing):
            u = self._draws.uniforms(purpose.COMPETITOR, self._ids(who), who.copy, item=place)
            at_site = np.array([not other.sites or s.name in other.sites for s in world.spec.sites])[who.site]
            since = epoch_day(other.since) - world.origin if other.since else 0
            until = epoch_day(other.until) - world.origin if other.until else NEVER
            taken |= at_site & (day >= since) & (day <= until) & (u < other.probability)
        return taken

    def answer(self, who: Candidates, reason: Ints, day: Ints, times: int) -> None:
        """Lets those leave whom an invitation does not bring; who has left needs no draws."""
        going, some = self._going(who, reason)
        reason[going[~self.is_reached(some, times)]] = reasons.NOT_REACHED
        if self._world.spec.competing:
            going, some = self._going(who, reason)
            reason[going[self.is_taken(some, day[going])]] = reasons.IN_ANOTHER_TRIAL
        going, some = self._going(who, reason)
        u = self._draws.uniforms(purpose.CONSENT, self._ids(some), some.copy)
        reason[going[~(u < self._chance(some, day[going]))]] = reasons.DECLINED

    def _going(self, who: Candidates, reason: Ints) -> tuple[Ints, Candidates]:
        """Places of those who have not left, and they themselves."""
        going = np.flatnonzero(reason == GOING_ON)
        return going, who.take(going)

    def _chance(self, who: Candidates, day: Ints) -> Floats:
        """Chance of consent of each, by age, sex, distance and burden."""
        world, funnel, base = self._world, self._world.spec.funnel, self._consent
        shift = np.full(len(day), funnel.per_visit * funnel.visits_per_year)
        if funnel.per_decade:
            shift += funnel.per_decade * (world.people.age_years(who.patient, day - who.shift) - 60.0) / 10.0
        if funnel.female:
            shift += funnel.female * world.people.is_female[who.patient]
        if funnel.per_10_km:
            shift += funnel.per_10_km * np.nan_to_num(world.distance_km[who.patient]) / 10.0
        if base in (0.0, 1.0) or not shift.any():
            return np.full(len(day), base)
        return np.asarray(special.expit(special.logit(base) + shift), np.float64)

    def _ids(self, who: Candidates) -> NDArray[np.uint64]:
        return self._world.people.patient_id[who.patient]


def leave(reason: Ints, leaves: Flags, why: int) -> None:
    """Those who are still in and leave, leave for this."""
    reason[leaves & (reason == GOING_ON)] = why


def screening_visits(world: World, draws: Draws, who: Candidates, asked: Asked) -> Ints:
    """Day of each screening visit: first come, first served, as many a week as the site holds.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.
        who: The candidates.
        asked: What became of them; who gets no visit leaves, or comes again.

    Returns:
        Days; `NEVER` for those who get none.
    """
    reason = asked.reason
    going = np.flatnonzero(reason == GOING_ON)
    some = who.take(going)
    ready = asked.day[going] + _lags(world, draws, some, asked.times[going])
    latest = asked.day[going] + world.spec.screening.max_wait_days
    if world.spec.funnel.invitations > 1:
        days = _Again(world, draws, who, asked, going).days(ready, latest)
    else:
        order = np.lexsort((some.copy, some.patient, asked.day[going], ready, some.site))
        days = np.empty_like(ready)
        capacities = [site.capacity_per_week for site in world.spec.sites]
        days[order] = appointments(ready[order], latest[order], some.site[order], capacities)
    screening_day = np.full(len(reason), NEVER, np.int64)
    screening_day[going] = days
    until = days + world.spec.screening.run_in_days
    reason[going[days == NEVER]] = reasons.WAITED
    dies = world.people.death_day[some.patient] + some.shift <= until
    leave(reason, _among(going[dies], len(reason)), reasons.DIED)
    leave(reason, _among(going[until >= world.spec.n_days], len(reason)), reasons.UNFINISHED)
    return screening_day


def _lags(world: World, draws: Draws, who: Candidates, times: Ints) -> Ints:
    """Days from consent to the earliest screening visit."""
    sites = world.spec.sites
    if not any(site.lag.median > 0 for site in sites):
        return np.zeros(len(times), np.int64)
    u = draws.uniforms(purpose.LAG, world.people.patient_id[who.patient], who.copy, item=times)
    median, sigma = np.array([site.lag.median for site in sites]), np.array([site.lag.sigma for site in sites])
    lag: Ints = np.floor(median[who.site] * np.exp(sigma[who.site] * special.ndtri(u))).astype(np.int64)
    return lag


def _among(places: Ints, n: int) -> Flags:
    marked = np.zeros(n, np.bool_)
    marked[places] = True
    return marked


class _Again:
    """Screening visits where whoever waited in vain comes again."""

    def __init__(self, world: World, draws: Draws, who: Candidates, asked: Asked, going: Ints) -> None:
        self._world, self._draws, self._who, self._asked, self._going = world, draws, who, asked, going
        self._asks = _Invitation(world, draws)

    def days(self, ready: Ints, latest: Ints) -> Ints:
        """Day of each visit; whoever comes again has a later invitation, which `asked` then holds."""
        going, asked = self._going, self._asked
        some = self._who.take(going)
        accepts = latest.copy()

        def request(number: int, day: int) -> tuple[int, ...]:
            asked_on = int(asked.day[going[number]])
            return day, asked_on, int(some.patient[number]), int(some.copy[number]), number

        def again(number: int) -> tuple[int, ...] | None:
            day = self._invited_again(int(going[number]), int(accepts[number]))
            if day is None:
                return None
            accepts[number] = asked.day[going[number]] + self._world.spec.screening.max_wait_days
            return request(number, day)

        days = np.full(len(going), NEVER, np.int64)
        for place, site in enumerate(self._world.spec.sites):
            first = [request(int(number), int(ready[number])) for number in np.flatnonzero(some.site == place)]
            met = appointments_of_site(first, site.capacity_per_week, again, lambda number: int(accepts[number]))
            days[list(met)] = list(met.values())
        return days

    def _invited_again(self, place: int, waited_until: int) -> int | None:
        """Invites somebody at the next visit after they have given up; the day from which they could be screened."""
        world, asked, most = self._world, self._asked, self._world.spec.funnel.invitations
        one = self._who.take(np.array([place]))
        after = world.key(one.patient, np.array([waited_until]) - one.shift)
        if asked.times[place] == 0:
            asked.first_reason[place] = reasons.WAITED
        visit = np.searchsorted(world.pass_key, after, side="right").astype(np.int64)
        for times in range(int(asked.times[place]) + 1, most):
            visit = self._asks.reviewed(one, visit, times)
            if visit[0] >= one.last[0]:
                return None
            day = self._asks.day(one, visit)
            if self._asks.is_reached(one, times)[0]:
                if self._asks.is_taken(one, day)[0]:
                    return None
                asked.visit[place], asked.day[place], asked.times[place] = visit[0], day[0], times
                return int(day[0] + _lags(world, self._draws, one, np.array([times]))[0])
            visit = visit + 1
        return None


def unsee(who: Candidates, asked: Asked, stopped: Ints) -> None:
    """People who would have been found only after their site had stopped were never candidates.

    Args:
        who: The candidates.
        asked: What became of them.
        stopped: Last day on which each site approached people.
    """
    reason, last = asked.reason, stopped[who.site]
    late = (reason != reasons.NOT_REVIEWED) & (asked.day > last)
    once = late & (asked.times > 0) & (asked.first_day <= last)  # only what came after the first invitation is undone
    reason[once], asked.day[once] = asked.first_reason[once], asked.first_day[once]
    late &= ~once
    reason[late] = np.where(who.first_day[late] <= last[late], reasons.NOT_REVIEWED, NOT_SEEN)
    reason[(reason == reasons.NOT_REVIEWED) & (who.first_day > last)] = NOT_SEEN
