"""After randomization: which arm, when the endpoint happens, who is lost, when the trial ends."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment import draws as purpose
from trajsim.trials.recruitment.draws import Draws
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.world import World
from trajsim.trials.spec import TrialSpec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EVENT: Final = 0
DROPPED_OUT: Final = 1
DIED: Final = 2
WATCHED: Final = 3
STATUSES: Final = ("event", "dropped out", "died", "event-free at the end")


@dataclass(frozen=True, kw_only=True, eq=False)
class FollowedUp:
    """The randomized of one replicate, in the order of randomization.

    Attributes:
        arm: Place of the arm in the spec.
        days: From randomization to what ended the observation.
        status: What that was, a place in `STATUSES`.
        end: Day on which the trial ends.
    """

    arm: Ints
    days: Ints
    status: Ints
    end: int


def allocate(world: World, draws: Draws, patient: Ints, day: Ints) -> Ints:
    """Randomizes people in their order in permuted blocks within strata.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.
        patient: Rows among the patients, in the order of randomization.
        day: Days of randomization, in the lives of the records.

    Returns:
        Place of the arm of each.

    Guarantees:
        Every whole block holds the arms in their ratio. (tests/unit/trials/recruitment/test_arms.py)
    """
    spec = world.spec
    if not len(patient):
        return np.zeros(0, np.int64)
    is_old = world.people.age_years(patient, day) >= spec.age_cut
    strata = world.stratum_ids[world.site[patient], world.people.is_female[patient].astype(int), is_old.astype(int)]
    ids, stratum = np.unique(strata, return_inverse=True)
    order = np.argsort(stratum, kind="stable")
    firsts = np.searchsorted(stratum[order], np.arange(len(ids)))
    rank = np.empty(len(patient), np.int64)
    rank[order] = np.arange(len(patient)) - firsts[stratum[order]]
    block, place, size = _blocks(spec, draws, ids, stratum, rank)
    slots = np.arange(max(spec.block_sizes))
    used, inverse = np.unique(np.stack([stratum, block]), axis=1, return_inverse=True)
    inverse = inverse.reshape(-1)  # NumPy 2.0 gives it a second axis
    shape = (used.shape[1], len(slots))
    named = np.broadcast_to(used[1][:, None] * 4096 + slots, shape).ravel()
    keys = draws.uniforms(purpose.BLOCK, np.repeat(ids[used[0]], len(slots)), item=named).reshape(shape)
    size_of = np.empty(used.shape[1], np.int64)
    size_of[inverse] = size
    keys[slots[None, :] >= size_of[:, None]] = np.inf
    ranks = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1, kind="stable")
    ratios = np.array([arm.ratio for arm in spec.arms])
    parts = ranks[inverse, place] // (size // ratios.sum())
    arms: Ints = np.searchsorted(np.cumsum(ratios), parts, side="right")
    return arms


def _blocks(
    spec: TrialSpec, draws: Draws, ids: NDArray[np.uint64], stratum: Ints, rank: Ints
) -> tuple[Ints, Ints, Ints]:
    """Number of the block of each, place in it, and its size."""
    sizes = np.array(spec.block_sizes)
    if len(sizes) == 1:
        return rank // sizes[0], rank % sizes[0], np.full(len(rank), sizes[0])
    most = int(rank.max()) // int(sizes.min()) + 1
    numbers = np.tile(np.arange(most), len(ids))
    u = draws.uniforms(purpose.BLOCK_SIZE, np.repeat(ids, most), item=numbers).reshape(len(ids), most)
    chosen = sizes[np.minimum((u * len(sizes)).astype(np.int64), len(sizes) - 1)]
    ends = np.cumsum(chosen, axis=1)
    block = (rank[:, None] >= ends[stratum]).sum(axis=1)
    size = chosen[stratum, block]
    return block, rank - (ends[stratum, block] - size), size


def follow_up(
    world: World, draws: Draws, patient: Ints, copy: Ints, day: Ints, arm: Ints, *, shift: Ints | None = None
) -> FollowedUp:
    """Watches the randomized until the trial ends.

    Args:
        world: The trial and its people.
        draws: The replicate's draws.
        patient: Rows among the patients, in the order of randomization.
        copy: Which of the people that a patient stands for.
        day: Days of randomization.
        arm: Arm of each.
        shift: By how many days the life of each lies later than in the records; None: by none.

    Returns:
        What ended the observation of each, and when.
    """
    spec = world.spec
    ids = world.people.patient_id[patient]
    lived = day if shift is None else day - shift
    event = _event_days(world, draws, patient, copy, lived, arm)
    loss = -np.log1p(-spec.follow_up.dropout_per_year) / 365.25
    dropout = np.full(len(patient), np.inf)
    if loss > 0:
        dropout = -np.log(draws.uniforms(purpose.DROPOUT, ids, copy)) / loss
    death = (world.people.death_day[patient] - lived).astype(np.float64)
    death[(world.people.death_day[patient] == NEVER) | spec.endpoint.counts_death] = np.inf
    limit = np.full(len(patient), np.inf if spec.follow_up.days is None else float(spec.follow_up.days))
    if spec.endpoint.per_year is None:
        limit = np.minimum(limit, _observed(world, patient) - lived)
    is_event = (event <= dropout) & (event <= death) & (event <= limit)
    end = _end(spec, day, np.where(is_event, event, np.inf), limit)
    limit = np.maximum(np.minimum(limit, end - day), 0)
    times = np.stack([event, dropout, death, limit])
    status = times.argmin(axis=0)
    return FollowedUp(arm=arm, days=np.floor(times.min(axis=0)).astype(np.int64), status=status, end=end)


def _observed(world: World, patient: Ints) -> Ints:
    """Last day on which the records could show the endpoint; a death that treatment moves does not end it."""
    last = world.people.last_day[patient]
    if not world.spec.endpoint.counts_death:
        return last
    return np.where(world.people.death_day[patient] < NEVER, world.data_end, last)


def _event_days(world: World, draws: Draws, patient: Ints, copy: Ints, day: Ints, arm: Ints) -> Floats:
    """Days from randomization to the endpoint under the arm of each, whatever else may come first."""
    spec = world.spec
    u = draws.uniforms(purpose.EVENT, world.people.patient_id[patient], copy)
    if spec.endpoint.per_year is not None:
        reached = -np.log(u)
    else:
        recorded = world.next_event(patient, day)
        last = world.people.last_day[patient]
        happens = recorded <= last
        until = (np.where(happens, recorded, np.minimum(last, world.people.death_day[patient])) - day).astype(
            np.float64
        )
        upper = world.hazard.at(until)
        lower = world.hazard.at(np.maximum(until - 1.0, 0.0))
        reached = np.where(happens, lower + (1.0 - u) * (upper - lower), upper - np.log(u))
    event = np.empty(len(patient))
    for place, treatment in enumerate(spec.arms):
        own = arm == place
        event[own] = world.hazard.treated_inverse(reached[own], treatment)
        if spec.endpoint.per_year is None and treatment.hazard_ratio == 1.0:
            event[own] = np.where(happens[own], until[own], np.inf)
    return event


def _end(spec: TrialSpec, day: Ints, event: Floats, limit: Floats) -> int:
    """The day on which the trial ends: enough events, everybody watched long enough, or the longest looked at."""
    latest = spec.n_planned_days - 1 + spec.follow_up.max_days
    wanted = spec.follow_up.events
    if wanted is not None:
        dates = np.sort((day + event)[np.isfinite(event)])
        return min(latest, int(np.ceil(dates[wanted - 1]))) if len(dates) >= wanted else latest
    if spec.follow_up.days is not None and len(day):
        return min(latest, int((day + limit).max()))
    return latest
