"""Runs replicates of a trial: each a pure function of (world, seed, number), in threads if asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.draws import Performance, in_blocks
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.arms import EVENT, STATUSES, FollowedUp, allocate, follow_up
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import age_band, age_band_names
from trajsim.trials.recruitment.replicate import Fates, recruit
from trajsim.trials.recruitment.result import SAMPLED, DayLists, Randomized, RecruitmentResult, shares_of
from trajsim.trials.recruitment.world import STRIDE, World

Ints = NDArray[np.int64]

_BLOCK = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class _Outcomes:
    """What some replicates leave, in the narrowest types that hold it: there may be many thousands.

    Attributes as in `RecruitmentResult`; `levels` are the enrolled by the groups that people are divided into.
    """

    counts: NDArray[np.int32]
    n_living: NDArray[np.int32]
    n_screened: NDArray[np.int32]
    enrolled: DayLists
    events: DayLists
    by_site: NDArray[np.int32]
    outcomes: NDArray[np.int32]
    sample: Randomized
    opened: NDArray[np.unsignedinteger]
    stopped: NDArray[np.unsignedinteger]
    trial_end: NDArray[np.int32]
    cost: NDArray[np.float64]
    levels: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Replicate:
    """One replicate and its randomized, in the order of randomization."""

    fates: Fates
    own: Ints
    followed: FollowedUp

    @property
    def patient(self) -> Ints:
        """Rows of the randomized among the patients."""
        return self.fates.patient[self.own]

    @property
    def day(self) -> Ints:
        """Days of randomization."""
        return self.fates.randomized_day[self.own]

    @property
    def record_day(self) -> Ints:
        """The same days in the lives of the records."""
        return self.day - self.fates.shift[self.own]

    @property
    def event_days(self) -> Ints:
        """Days of endpoints, ascending."""
        happened = self.followed.status == EVENT
        return np.sort((self.day + self.followed.days)[happened])


def simulate_recruitment(
    world: World, *, replicates: int, seed: int, performance: Performance | None = None
) -> RecruitmentResult:
    """Simulates how a trial recruits.

    Args:
        world: The trial and its people (`build_world` with the same seed).
        replicates: How many times.
        seed: Seed of the run.
        performance: Threads; they change no number.

    Returns:
        All replicates.

    Raises:
        ConfigError: `replicates` is not positive.

    Guarantees:
        The same bytes for any number of threads; the first replicates of a longer run are the shorter run.
        (tests/unit/trials/recruitment/test_run.py)
    """
    groups = _groups(world)

    site_days = _SiteDays(world)

    def work(numbers: Ints) -> _Outcomes:
        found = [_replicate(world, Draws(seed, int(number))) for number in numbers]
        site_days.add(found)
        return _block(world, found, numbers, groups)

    options = Performance(block=_BLOCK) if performance is None else performance
    return _gathered(world, seed, in_blocks(work, replicates, performance=options), groups, site_days.counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Groups:
    """What divides people: sex, age and race, laid end to end."""

    levels: tuple[tuple[str, str], ...]
    n_ages: int

    def count(self, world: World, patient: Ints, day: Ints) -> Ints:
        """People by level."""
        people = world.people
        ages = age_band(people.age_years(patient, day))
        races = 2 + self.n_ages + people.race[patient].astype(np.int64)
        places = np.concatenate([people.is_female[patient].astype(np.int64), 2 + ages, races])
        return np.bincount(places, minlength=len(self.levels))


def _groups(world: World) -> _Groups:
    ages = age_band_names()
    levels = [("sex", "M"), ("sex", "F"), *(("age", name) for name in ages)]
    return _Groups(levels=(*levels, *(("race", name) for name in world.people.races)), n_ages=len(ages))


class _SiteDays:
    """Randomized by site and day, summed over replicates as they come: sums of whole numbers know no order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = Lock()
        self.counts = np.zeros((len(world.spec.sites), world.spec.n_days), np.int64)

    def add(self, found: "Sequence[_Replicate]") -> None:
        n_days = self._world.spec.n_days
        cells = np.concatenate([self._world.site[each.patient] * n_days + each.day for each in found])
        counts = np.bincount(cells, minlength=self.counts.size).reshape(-1, n_days)
        with self._lock:
            self.counts += counts


def _block(world: World, found: "Sequence[_Replicate]", numbers: Ints, groups: _Groups) -> _Outcomes:
    """Keeps what the result needs of some replicates."""
    spec = world.spec
    n_screened = [int((each.fates.screening_day < spec.n_days).sum()) for each in found]
    sites = [world.site[each.patient] for each in found]
    arm_statuses = [each.followed.arm * len(STATUSES) + each.followed.status for each in found]
    kind = np.uint16 if spec.n_days + spec.follow_up.max_days < 1 << 16 else np.uint32
    return _Outcomes(
        counts=np.array([counts_of(world, each.fates) for each in found], np.int32),
        n_living=np.array([each.fates.n_living for each in found], np.int32),
        n_screened=np.array(n_screened, np.int32),
        enrolled=_day_lists([each.day for each in found], kind),
        events=_day_lists([each.event_days for each in found], kind),
        by_site=_counted(sites, len(spec.sites)),
        outcomes=_counted(arm_statuses, len(spec.arms) * len(STATUSES)).reshape(len(found), -1, len(STATUSES)),
        sample=_sample(world, [each for number, each in zip(numbers, found, strict=True) if number < SAMPLED]),
        opened=np.array([each.fates.opened for each in found]).astype(kind),
        stopped=np.array([each.fates.stopped for each in found]).astype(kind),
        trial_end=np.array([each.followed.end for each in found], np.int32),
        cost=np.array(
            [
                _cost(world, each.fates, n, len(each.own), int(each.followed.days.sum()))
                for n, each in zip(n_screened, found, strict=True)
            ]
        ),
        levels=np.array([groups.count(world, each.patient, each.record_day) for each in found], np.int32),
    )


def _replicate(world: World, draws: Draws) -> _Replicate:
    fates = recruit(world, draws)
    own = randomized_of(fates)
    patient, day = fates.patient[own], fates.randomized_day[own]
    copy, shift = fates.copy[own], fates.shift[own]
    arm = allocate(world, draws, patient, day - shift)
    return _Replicate(fates=fates, own=own, followed=follow_up(world, draws, patient, copy, day, arm, shift=shift))


def _counted(places: Sequence[Ints], n: int) -> NDArray[np.int32]:
    """How often each of n places stands in each list."""
    return np.array([np.bincount(each, minlength=n) for each in places], np.int32)


def _day_lists(days: Sequence[Ints], kind: type[np.unsignedinteger]) -> DayLists:
    return DayLists(first=np.cumsum([0, *map(len, days)]), day=np.concatenate(days).astype(kind))


def _sample(world: World, found: Sequence[_Replicate]) -> Randomized:
    patient = np.concatenate([np.zeros(0, np.int64), *(each.patient for each in found)])

    def joined(values: Sequence[Ints], kind: type[np.signedinteger]) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, kind), *values]).astype(kind)

    return Randomized(
        first=np.cumsum([0, *(len(each.own) for each in found)]),
        patient=patient.astype(np.int32),
        day=joined([each.day for each in found], np.int32),
        site=world.site[patient].astype(np.int16),
        arm=joined([each.followed.arm for each in found], np.int8),
        days=joined([each.followed.days for each in found], np.int32),
        status=joined([each.followed.status for each in found], np.int8),
    )


def randomized_of(fates: Fates) -> Ints:
    """Places of the randomized, in the order of randomization."""
    own = np.flatnonzero(fates.reason == reasons.RANDOMIZED)
    return own[np.lexsort((fates.copy[own], fates.patient[own], fates.randomized_day[own]))]


def counts_of(world: World, fates: Fates) -> Ints:
    """People by reason."""
    counts = np.bincount(fates.reason[fates.reason >= 0], minlength=len(world.reasons.names))
    chart = np.bincount(fates.failed_rule, weights=fates.failed_people, minlength=world.reasons.n_rules)
    counts[world.reasons.chart] += chart.astype(np.int64)
    return counts


def _cost(world: World, fates: Fates, n_screened: int, n_randomized: int, follow_up_days: int) -> float:
    costs = world.spec.costs
    open_days = np.maximum(fates.stopped - fates.opened + 1, 0)
    return float(
        costs.per_site * (open_days > 0).sum()
        + costs.per_site_month * open_days.sum() / 30.4375
        + costs.per_screening * n_screened
        + costs.per_randomized * n_randomized
        + costs.per_follow_up_year * follow_up_days / 365.25
    )


def _gathered(
    world: World, seed: int, blocks: Sequence[_Outcomes], groups: _Groups, site_days: Ints
) -> RecruitmentResult:
    diseased = np.flatnonzero(world.has_disease)
    first_visit = np.searchsorted(world.visit_key, diseased * STRIDE)

    parts = {name: [getattr(block, name) for block in blocks] for name in vars(blocks[0])}
    del blocks  # so that what has been joined is given back

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate(parts.pop(name))

    samples = parts.pop("sample")
    names = ("patient", "day", "site", "arm", "days", "status")
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(each, name) for each in samples]) for name in names
    }
    return RecruitmentResult(
        spec=world.spec,
        seed=seed,
        reasons=world.reasons,
        counts=joined("counts"),
        n_living=joined("n_living"),
        n_screened=joined("n_screened"),
        enrolled=_joined_lists(parts.pop("enrolled")),
        events=_joined_lists(parts.pop("events")),
        by_site=joined("by_site"),
        outcomes=joined("outcomes"),
        site_days=site_days,
        sample=Randomized(first=_edges([each.first for each in samples]), **columns),
        opened=joined("opened"),
        stopped=joined("stopped"),
        trial_end=joined("trial_end"),
        cost=joined("cost"),
        shares=shares_of(
            groups.levels, groups.count(world, diseased, world.day_of(world.visit_key[first_visit])), joined("levels")
        ),
    )


def _joined_lists(lists: Sequence[DayLists]) -> DayLists:
    return DayLists(first=_edges([each.first for each in lists]), day=np.concatenate([each.day for each in lists]))


def _edges(parts: Sequence[Ints]) -> Ints:
    """Edges of lists laid end to end."""
    lengths = [np.diff(each) for each in parts]
    edges: Ints = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return edges
