"""Who gets which screening visit: first come, first served, as many a week as a site holds."""

import heapq
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment.people import NEVER

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_EPSILON = 1e-9


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
    slot: Ints = np.ceil(ready * (capacity / 7.0) - _EPSILON).astype(np.int64)
    return slot


def _day_of(slot: Ints, capacity: float | Floats) -> Ints:
    day: Ints = np.ceil(slot * (7.0 / capacity) - _EPSILON).astype(np.int64)
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


def appointments_of_site(
    first: Sequence[tuple[int, ...]],
    capacity: float | None,
    again: Callable[[int], tuple[int, ...] | None],
    latest_of: Callable[[int], int],
) -> dict[int, int]:
    """The same for one site to which people may come again if they got no visit; one after the other.

    Args:
        first: Requests: ready day, what else decides the order, and last the number of the request.
        capacity: Visits a week; None: no limit.
        again: The later request of whoever made one in vain; None if there is none.
        latest_of: Last day that a request accepts.

    Returns:
        Day of each request that was met.
    """
    queue = list(first)
    heapq.heapify(queue)
    free = -(1 << 40)
    days: dict[int, int] = {}
    while queue:
        request = heapq.heappop(queue)
        ready, number = request[0], request[-1]
        slot, day = free, ready
        if capacity is not None:
            slot = max(math.ceil(ready * (capacity / 7.0) - _EPSILON), free)
            day = max(ready, math.ceil(slot * (7.0 / capacity) - _EPSILON))
        if day <= latest_of(number):
            days[number] = day
            free = slot + 1
        elif (later := again(number)) is not None:
            heapq.heappush(queue, later)
    return days
