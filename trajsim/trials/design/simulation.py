"""What a design leads to, by simulation of its patients: the judge of the formulas.

Every replicate is a trial: arrivals at random, permuted blocks, times to event and dropout, analyses at numbers of
events, the test on what is known by then. Two designs that share a seed share their patients.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.design.logrank import logrank
from trajsim.trials.design.survival_design import SurvivalDesign
from trajsim.trials.draws import Draws, Performance, in_blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Simulated trials of a design.

    Attributes:
        n_replicates: How many.
        times: Calendar time of each analysis, as if no trial had stopped before.
        z: The statistic there, positive where the treated do better.
        events: Events known there (fewer than planned where a trial has no more).
        subjects: Subjects randomised by then.
        dropouts: Subjects lost by then.
        stopped_at: Number of the analysis at which a trial stopped.
        rejected: Whether it crossed the upper bound there.

    Shapes:
        The first five [replicates, analyses], the others [replicates].
    """

    n_replicates: int
    times: Floats
    z: Floats
    events: Ints
    subjects: Ints
    dropouts: Ints
    stopped_at: Ints
    rejected: Flags

    @property
    def power(self) -> float:
        """Share of trials that reject."""
        return float(self.rejected.mean())

    @property
    def power_error(self) -> float:
        """Its Monte Carlo standard error."""
        return math.sqrt(max(self.power * (1.0 - self.power), 0.25 / self.n_replicates) / self.n_replicates)

    @property
    def expected_time(self) -> float:
        """Mean time at which trials stop."""
        return float(np.take_along_axis(self.times, self.stopped_at[:, None], axis=1).mean())

    @property
    def expected_dropouts(self) -> float:
        """Mean number of subjects lost by then."""
        return float(np.take_along_axis(self.dropouts, self.stopped_at[:, None], axis=1).mean())

    def rejected_at(self) -> Floats:
        """Share of trials that reject at each analysis."""
        return np.array([float(np.mean(self.rejected & (self.stopped_at == k))) for k in range(self.times.shape[1])])


def simulate_design(
    design: SurvivalDesign, *, n_replicates: int, seed: int, performance: Performance | None = None
) -> Simulation:
    """Simulates trials of a design, patient by patient.

    Args:
        design: The trial.
        n_replicates: How often.
        seed: Of the random numbers.
        performance: Threads and blocks.

    Returns:
        The trials.

    Guarantees:
        Threads and blocks change no byte; a design with another hazard meets the same patients.
        (tests/unit/trials/design/test_simulation.py)
    """
    draws = Draws(seed)
    parts = in_blocks(lambda rows: _trials(design, draws, rows), n_replicates, performance=performance)
    times, z, events, subjects, dropouts = (np.concatenate(column) for column in zip(*parts, strict=True))
    stopped_at, rejected = _decide(z, np.array(design.bounds.upper), np.array(design.bounds.lower))
    return Simulation(
        n_replicates=n_replicates,
        times=times,
        z=z,
        events=events.astype(np.int64),
        subjects=subjects.astype(np.int64),
        dropouts=dropouts.astype(np.int64),
        stopped_at=stopped_at,
        rejected=rejected,
    )


def _decide(z: Floats, upper: Floats, lower: Floats) -> tuple[Ints, Flags]:
    """The analysis at which each trial stops, and whether it rejects there."""
    ends = (z >= upper) | (z < lower)
    ends[:, -1] = True
    stopped_at = np.argmax(ends, axis=1)
    rejected = np.take_along_axis(z >= upper, stopped_at[:, None], axis=1)[:, 0]
    return np.asarray(stopped_at, np.int64), np.asarray(rejected)


def _trials(design: SurvivalDesign, draws: Draws, rows: Ints) -> tuple[Floats, ...]:
    """Times, statistics and counts of some replicates."""
    n = design.n_subjects
    entry = design.accrual.inverse(np.cumsum(draws.exponentials("design/entry", rows, n), axis=1))
    strata = _strata(design, draws.uniforms("design/stratum", rows, n)) if design.strata else None
    arms = _arms(design, draws, rows, strata)
    thresholds = draws.exponentials("design/event", rows, n)
    if strata is not None:
        thresholds = thresholds / np.array([part.factor for part in design.strata])[strata]
    event = np.where(arms == 1, design.treated.inverse(thresholds), design.control.inverse(thresholds))
    hazard = np.where(arms == 1, design.treated_dropout, design.control_dropout)
    with np.errstate(divide="ignore"):
        lost = draws.exponentials("design/dropout", rows, n) / hazard
    happens = event <= lost
    calendar = np.sort(np.where(happens, entry + event, np.inf), axis=1)
    end = entry[:, -1] + 1e6 * design.accrual_duration  # everybody's end is known by then
    results = []
    for count in design.events:
        time = calendar[:, count - 1]
        analysis = np.where(np.isfinite(time), time, end)[:, None]
        valid = entry < analysis
        follow = np.minimum(np.minimum(event, lost), analysis - entry)
        known = happens & (entry + event <= analysis)
        test = logrank(follow, known, arms, valid=valid, strata=strata, rho=design.rho, gamma=design.gamma)
        last = np.max(np.where(np.isfinite(calendar), calendar, 0.0), axis=1)
        gone = ~happens & (entry + lost <= analysis)
        results.append((np.where(np.isfinite(time), time, last), test.z, known.sum(1), valid.sum(1), gone.sum(1)))
    return tuple(np.stack(column, axis=1) for column in zip(*results, strict=True))


def _strata(design: SurvivalDesign, uniforms: Floats) -> Ints:
    """The stratum of every subject."""
    edges = np.cumsum([part.share for part in design.strata])[:-1]
    return np.searchsorted(edges, uniforms, side="right").astype(np.int64)


def _arms(design: SurvivalDesign, draws: Draws, rows: Ints, strata: Ints | None) -> Ints:
    """Arms from permuted blocks, in every stratum its own."""
    treated, size = design.block
    n = design.n_subjects + size
    if strata is None:
        return _blocks(draws.uniforms("design/arm", rows, n), treated, size)[:, : design.n_subjects]
    arms = np.zeros(strata.shape, np.int64)
    for number in range(len(design.strata)):
        # The k-th subject of a stratum takes the k-th place of its sequence of blocks.
        inside = strata == number
        place = np.cumsum(inside, axis=1) - 1
        sequence = _blocks(draws.uniforms(f"design/arm/{number}", rows, n), treated, size)
        arms = np.where(inside, np.take_along_axis(sequence, np.maximum(place, 0), axis=1), arms)
    return arms


def _blocks(uniforms: Floats, treated: int, size: int) -> Ints:
    """Sequences of blocks: in each the subjects with the lowest uniforms are treated."""
    n = uniforms.shape[1] // size * size
    blocks = uniforms[:, :n].reshape(uniforms.shape[0], -1, size)
    ranks = np.argsort(np.argsort(blocks, axis=2, kind="stable"), axis=2)
    return (ranks < treated).astype(np.int64).reshape(uniforms.shape[0], n)
