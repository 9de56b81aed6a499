"""Simulated arrivals of patients at the sites of a plan: for caps, quotas, delays, and for everything that follows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws, Performance, in_blocks
from trajsim.trials.rates.plan import AccrualPlan, SitePlan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Gives, for some replicates, the gamma shapes and rates of all sites: one row a replicate, or one row for all.
RateKnowledge = Callable[[Ints], tuple[Floats, Floats]]

_STEP = 16


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """The first patients of every replicate.

    Attributes:
        times: When they come, in order; infinite where a replicate has no more before the horizon.
        sites: Number of the site in the plan; -1 where there is no patient.
    """

    times: Floats
    sites: Ints

    def time_of(self, target: int) -> Floats:
        """When each replicate reaches a target; infinite where it does not."""
        return np.asarray(self.times[:, target - 1], np.float64)

    def counts_by(self, time: float) -> Ints:
        """Patients of each replicate by an instant, as far as they were simulated."""
        return np.asarray(np.count_nonzero(self.times <= time, axis=1), np.int64)


def simulate_arrivals(
    plan: AccrualPlan,
    *,
    n_patients: int,
    horizon: float,
    n_replicates: int,
    seed: int,
    knowledge: RateKnowledge | None = None,
    performance: Performance | None = None,
) -> Arrivals:
    """Draws the first patients of a trial, many times.

    The k-th patient of a site comes when its intensity has added up to the k-th sum of exponentials. So a site keeps
    its patients when others open, and a higher rate or an earlier start moves every patient to an earlier time.

    Args:
        plan: The sites.
        n_patients: How many patients, at most.
        horizon: How long sites are followed.
        n_replicates: How often.
        seed: Of the random numbers.
        knowledge: What is known of the rates, where it varies between replicates; else that of the plan.
        performance: Threads and blocks.

    Returns:
        The arrivals.

    Guarantees:
        Threads and blocks change no byte; another site changes no arrival of the others.
        (tests/unit/trials/rates/test_arrivals.py)

    Raises:
        ConfigError: No patient or no time is asked for.
    """
    if n_patients < 1 or not horizon > plan.since:
        msg = f"n_patients must be positive and the horizon after {plan.since!r}, got {n_patients!r} and {horizon!r}"
        raise ConfigError(msg)
    draws = Draws(seed)
    fixed = np.array([[site.rate.shape for site in plan.sites]]), np.array([[site.rate.rate for site in plan.sites]])

    def block(replicates: Ints) -> tuple[Floats, Ints]:
        shapes, rates = fixed if knowledge is None else knowledge(replicates)
        parts = [
            _site_arrivals(plan, site, draws, replicates, shapes[:, number], rates[:, number], n_patients, horizon)
            for number, site in enumerate(plan.sites)
        ]
        return _merge(plan, parts, replicates.size, n_patients)

    blocks = in_blocks(block, n_replicates, performance=performance)
    return Arrivals(
        times=np.concatenate([times for times, _ in blocks]), sites=np.concatenate([sites for _, sites in blocks])
    )


def _site_arrivals(
    plan: AccrualPlan,
    site: SitePlan,
    draws: Draws,
    replicates: Ints,
    shape: Floats,
    rate: Floats,
    n_patients: int,
    horizon: float,
) -> tuple[Ints, Floats]:
    """Rows (places in the block) and times of the patients of one site."""
    first = draws.uniforms(f"site/{site.name}", replicates, 2)
    speed = special.gammaincinv(shape, first[:, 0]) / rate
    opens = plan.opening(site, first[:, 1])
    total = plan.exposure(site, opens, horizon) * speed
    most = n_patients if site.cap is None else min(site.cap, n_patients)
    rows, amounts = [], []
    active = np.flatnonzero(total > 0.0)
    reached = np.zeros(replicates.size)
    done = 0
    while active.size and done < most:
        step = min(_STEP if done == 0 else done, most - done)
        more = draws.exponentials(f"patients/{site.name}", replicates[active], step, start=done)
        sums = reached[active, None] + np.cumsum(more, axis=1)
        inside = sums <= total[active, None]
        row, column = np.nonzero(inside)
        rows.append(active[row])
        amounts.append(sums[row, column])
        reached[active] = sums[:, -1]
        active = active[inside[:, -1]]
        done += step
    if not rows:
        return np.empty(0, np.int64), np.empty(0)
    row = np.concatenate(rows)
    start = plan.active(opens)
    before = plan.shape.cumulative(plan.active(np.maximum(opens, plan.since)) - start)
    operational = before[row] + np.concatenate(amounts) / speed[row]
    return row, plan.instant(start[row] + plan.shape.inverse(operational))


def _merge(plan: AccrualPlan, parts: list[tuple[Ints, Floats]], n_rows: int, n_patients: int) -> tuple[Floats, Ints]:
    """The patients of all sites in order of time, within quotas, cut at the number needed."""
    row = np.concatenate([rows for rows, _ in parts])
    time = np.concatenate([times for _, times in parts])
    site = np.repeat(np.arange(len(parts)), [times.size for _, times in parts])
    if plan.quotas:
        countries = sorted(plan.quotas)
        limit = np.array([plan.quotas[country] for country in countries])
        number = {country: place for place, country in enumerate(countries)}
        of_site = np.array([number.get(each.country, -1) for each in plan.sites])
        keep = _within_quota(row, time, of_site[site], limit)
        row, time, site = row[keep], time[keep], site[keep]
    order = np.lexsort((time, row))
    row, time, site = row[order], time[order], site[order]
    place = np.arange(row.size) - np.searchsorted(row, np.arange(n_rows))[row]
    keep = place < n_patients
    times = np.full((n_rows, n_patients), np.inf)
    sites = np.full((n_rows, n_patients), -1, np.int64)
    times[row[keep], place[keep]] = time[keep]
    sites[row[keep], place[keep]] = site[keep]
    return times, sites


def _within_quota(row: Ints, time: Floats, group: Ints, limit: Ints) -> NDArray[np.bool_]:
    """Whether each patient is among the first of its country that the quota admits."""
    order = np.lexsort((time, group, row))
    key = row[order] * (limit.size + 1) + group[order] + 1
    place = np.arange(key.size) - np.searchsorted(key, key)
    admitted = (group[order] < 0) | (place < limit[np.maximum(group[order], 0)])
    keep = np.empty(row.size, bool)
    keep[order] = admitted
    return keep
