"""Visits of the people of the catchments while their sites are open, and the charts that fail at them.

Where one patient of the records stands for many people, all of them would come on the patient's days and crowd the same
week. With `spread_days` each but the first lives that life some days later, so that their visits, and what happens to
them afterwards, are spread over that time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment import draws as purpose
from trajsim.trials.recruitment.chances import poisson_shares, whole_from
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.world import World

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """People whose chart passes at some visit while their site is open.

    Attributes:
        patient: Row among the patients.
        copy: Which of the people that this patient stands for.
        shift: By how many days this life lies later than in the records.
        first: Place of the first visit at which the chart passes.
        last: One past the last.
        first_day: Day of the first.
        site: Place of their site in the spec.
    """

    patient: Ints
    copy: Ints
    shift: Ints
    first: Ints
    last: Ints
    first_day: Ints
    site: Ints

    def take(self, places: Ints) -> "Candidates":
        """Some of them."""
        return Candidates(**{name: values[places] for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class Failures:
    """Charts that failed at every visit at which the site looked.

    Attributes:
        patient: Rows among the patients.
        copy: The first of the people whom the row stands for.
        people: How many these are.
        rule: The criterion that the chart denied at the first of the visits.
        day: Day of that visit.
        shift: As that of `Candidates`.
    """

    patient: Ints
    copy: Ints
    people: Ints
    rule: Ints
    day: Ints
    shift: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Visits while sites are open, a row for people who come on the same days.

    Attributes:
        world: The trial.
        patient: Row among the patients.
        copy: The first of the people whom the row stands for.
        people: How many these are.
        shift: By how many days their lives lie later than in the records.
        first: First visit while the site is open.
        last: One past the last.
        pass_first: First of the visits at which the chart passes.
        pass_last: One past the last.
    """

    world: World
    patient: Ints
    copy: Ints
    people: Ints
    shift: Ints
    first: Ints
    last: Ints
    pass_first: Ints
    pass_last: Ints

    def candidates(self) -> Candidates:
        """One by one everybody whose chart passes at some visit."""
        found = np.flatnonzero((self.pass_last > self.pass_first) & (self.people > 0))
        times = self.people[found]
        where = np.repeat(found, times)
        number = np.arange(len(where)) - np.repeat(np.cumsum(times) - times, times)
        patient = self.patient[where]
        return Candidates(
            patient=patient,
            copy=self.copy[where] + number,
            shift=self.shift[where],
            first=self.pass_first[where],
            last=self.pass_last[where],
            first_day=self.world.day_of(self.world.pass_key[self.pass_first[where]]) + self.shift[where],
            site=self.world.site[patient],
        )

    def chart_failures(self, stopped: Ints) -> Failures:
        """Rows whose charts failed while the site looked.

        Args:
            stopped: Last day on which each site approached people.
        """
        world = self.world
        n_visits, n_passes = len(world.visit_key), len(world.pass_key)
        out = np.zeros(0, np.int64)
        first = self.first
        if n_visits:
            end = world.key(self.patient, stopped[world.site[self.patient]] - self.shift)
            first = np.minimum(self.first, n_visits - 1)
            seen = (self.first < self.last) & (world.visit_key[first] <= end) & (self.people > 0)
            passed = self.pass_first < self.pass_last
            if n_passes:
                passed &= world.pass_key[np.minimum(self.pass_first, n_passes - 1)] <= end
            out = np.flatnonzero(seen & ~passed)
        at = first[out]
        return Failures(
            patient=self.patient[out],
            copy=self.copy[out],
            people=self.people[out],
            rule=world.visit_failed[at].astype(np.int64),
            day=world.day_of(world.visit_key[at]) + self.shift[out],
            shift=self.shift[out],
        )


def window_of(world: World, draws: Draws, opened: Ints, closed: Ints) -> Window:
    """Finds everybody's visits while their site is open.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.
        opened: First day of each site.
        closed: Last day of each site.
    """
    patient = world.resident
    ids = world.people.patient_id[patient]
    people = np.ones(len(patient), np.int64)
    if world.spec.resample != "fixed":
        people = whole_from(poisson_shares(world.spec.scale), draws.uniforms(purpose.COPIES, ids))
    copy = shift = np.zeros(len(patient), np.int64)
    if world.spec.spread_days:
        times = people
        patient, ids = np.repeat(patient, times), np.repeat(ids, times)
        copy = np.arange(len(patient)) - np.repeat(np.cumsum(times) - times, times)
        people = np.ones(len(patient), np.int64)
        later = 1 + np.floor(draws.uniforms(purpose.CALENDAR, ids, copy) * world.spec.spread_days).astype(np.int64)
        shift = np.where(copy > 0, later, 0)
    site = world.site[patient]
    starts, ends = world.key(patient, opened[site] - shift), world.key(patient, closed[site] - shift)
    return Window(
        world=world,
        patient=patient,
        copy=copy,
        people=people,
        shift=shift,
        first=np.searchsorted(world.visit_key, starts, side="left"),
        last=np.searchsorted(world.visit_key, ends, side="right"),
        pass_first=np.searchsorted(world.pass_key, starts, side="left"),
        pass_last=np.searchsorted(world.pass_key, ends, side="right"),
    )
