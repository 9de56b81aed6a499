"""Runs replicates of a trial: each a pure function of (world, seed, number), in threads if asked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.draws import Performance, in_blocks
from trajsim.trials.recruitment import reasons
from trajsim.trials.recruitment.arms import allocate, follow_up
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import age_band, age_band_names
from trajsim.trials.recruitment.replicate import Fates, recruit
from trajsim.trials.recruitment.result import Randomized, RecruitmentResult, shares_of
from trajsim.trials.recruitment.world import STRIDE, World

Ints = NDArray[np.int64]

_BLOCK = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class _Outcome:
    """What one replicate leaves, in the narrowest types that hold it: there may be many thousands."""

    counts: NDArray[np.int32]
    n_living: int
    n_screened: int
    patient: NDArray[np.int32]
    day: NDArray[np.int32]
    arm: NDArray[np.int8]
    days: NDArray[np.int32]
    status: NDArray[np.int8]
    opened: NDArray[np.int32]
    stopped: NDArray[np.int32]
    end: int
    cost: float
    levels: NDArray[np.int32]


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

    def work(numbers: Ints) -> list[_Outcome]:
        return [_replicate(world, seed, int(number), groups) for number in numbers]

    options = Performance(block=_BLOCK) if performance is None else performance
    blocks = in_blocks(work, replicates, performance=options)
    return _gathered(world, seed, [outcome for block in blocks for outcome in block], groups)


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


def _replicate(world: World, seed: int, number: int, groups: _Groups) -> _Outcome:
    draws = Draws(seed, number)
    fates = recruit(world, draws)
    own = randomized_of(fates)
    patient, day = fates.patient[own], fates.randomized_day[own]
    arm = allocate(world, draws, patient, day)
    followed = follow_up(world, draws, patient, fates.copy[own], day, arm)
    n_screened = int((fates.screening_day < world.spec.n_days).sum())
    return _Outcome(
        counts=counts_of(world, fates).astype(np.int32),
        n_living=fates.n_living,
        n_screened=n_screened,
        patient=patient.astype(np.int32),
        day=day.astype(np.int32),
        arm=followed.arm.astype(np.int8),
        days=followed.days.astype(np.int32),
        status=followed.status.astype(np.int8),
        opened=fates.opened.astype(np.int32),
        stopped=fates.stopped.astype(np.int32),
        end=followed.end,
        cost=_cost(world, fates, n_screened, len(own), int(followed.days.sum())),
        levels=groups.count(world, patient, day).astype(np.int32),
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


def _gathered(world: World, seed: int, outcomes: list[_Outcome], groups: _Groups) -> RecruitmentResult:
    patient = np.concatenate([outcome.patient for outcome in outcomes])
    diseased = np.flatnonzero(world.has_disease)
    first_visit = np.searchsorted(world.visit_key, diseased * STRIDE)
    randomized = Randomized(
        first=np.cumsum([0, *(len(outcome.patient) for outcome in outcomes)]),
        patient=patient,
        day=np.concatenate([outcome.day for outcome in outcomes]),
        site=world.site[patient].astype(np.int16),
        arm=np.concatenate([outcome.arm for outcome in outcomes]),
        days=np.concatenate([outcome.days for outcome in outcomes]),
        status=np.concatenate([outcome.status for outcome in outcomes]),
    )
    enrolled = np.array([outcome.levels for outcome in outcomes], np.int32)
    return RecruitmentResult(
        spec=world.spec,
        seed=seed,
        reasons=world.reasons,
        counts=np.array([outcome.counts for outcome in outcomes], np.int32),
        n_living=np.array([outcome.n_living for outcome in outcomes], np.int32),
        n_screened=np.array([outcome.n_screened for outcome in outcomes], np.int32),
        randomized=randomized,
        opened=np.array([outcome.opened for outcome in outcomes], np.int32),
        stopped=np.array([outcome.stopped for outcome in outcomes], np.int32),
        trial_end=np.array([outcome.end for outcome in outcomes], np.int32),
        cost=np.array([outcome.cost for outcome in outcomes]),
        shares=shares_of(groups.levels, groups.count(world, diseased, world.visit_key[first_visit] % STRIDE), enrolled),
    )
