"""From those invited to those analysed: what a trial loses on the way, and how often optimistic plans fail.

The shares are published medians and quartiles of trials, so they stand for how trials differ, not for how well a mean
is known: a plan that takes a favourable share of each step is what the literature calls optimism, and the portfolio
below shows how often it ends without the patients.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from trajsim.errors import ConfigError
from trajsim.trials.draws import Draws, Performance, in_blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class FunnelStep:
    """One step: the share of those who came so far that go on, as it varies between trials.

    Attributes:
        name: What share it is.
        a: First parameter of its beta distribution.
        b: Second parameter.
        published: Quartiles and median as published: lower, median, upper.
    """

    name: str
    a: float
    b: float
    published: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Checks the parameters once."""
        if not (self.a > 0.0 and self.b > 0.0):
            msg = f"the parameters of step {self.name!r} must be positive, got {self.a!r} and {self.b!r}"
            raise ConfigError(msg)

    def quantile(self, probability: ArrayLike) -> Floats:
        """Shares that a trial stays below with some probabilities."""
        return np.asarray(special.betaincinv(self.a, self.b, np.asarray(probability, np.float64)), np.float64)

    @property
    def mean(self) -> float:
        """Mean share."""
        return self.a / (self.a + self.b)


# Toerien, Brookes, Metcalfe et al. (2009), A review of reporting of participant recruitment and retention in RCTs in
# six major journals, Trials 10:52: medians [interquartile ranges] of 133 trials. The beta distributions have the least
# sum of squared distances of their quartiles from these; their quartiles are 0.43 0.73 0.93, 0.49 0.71 0.87,
# 0.77 0.91 0.98 and 0.86 0.94 0.98.
ATTENDED = FunnelStep(name="attended / invited", a=1.043, b=0.546, published=(0.44, 0.70, 0.96))
ELIGIBLE = FunnelStep(name="eligible / assessed", a=1.786, b=0.907, published=(0.49, 0.70, 0.88))
RANDOMISED = FunnelStep(name="randomised / eligible", a=2.701, b=0.496, published=(0.77, 0.90, 1.00))
ANALYSED = FunnelStep(name="outcome / randomised", a=6.188, b=0.676, published=(0.86, 0.93, 0.99))


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """The steps of a trial.

    Attributes:
        recruitment: From invited to randomised.
        retention: From randomised to an outcome.
    """

    recruitment: tuple[FunnelStep, ...] = (ATTENDED, ELIGIBLE, RANDOMISED)
    retention: tuple[FunnelStep, ...] = (ANALYSED,)

    @property
    def steps(self) -> tuple[FunnelStep, ...]:
        """All of them, in order."""
        return (*self.recruitment, *self.retention)

    def planned_share(self, probability: float = 0.5) -> float:
        """Randomised of those invited, if every step has the share at a probability (0.5: the median trial)."""
        return math.prod(float(step.quantile(probability)) for step in self.recruitment)

    def thinned(self, rate: float, probability: float = 0.5) -> float:
        """The rate of randomisation that a rate of invitation leads to.

        Thinning leaves a Poisson process a Poisson process, so rates are multiplied.
        """
        return rate * self.planned_share(probability)

    def draw_shares(self, draws: Draws, replicates: Ints) -> Floats:
        """The shares of all steps of some trials, one row a trial."""
        u = draws.uniforms("funnel", replicates, len(self.steps))
        return np.stack([step.quantile(u[:, place]) for place, step in enumerate(self.steps)], axis=1)


@dataclass(frozen=True, kw_only=True)
class PortfolioOptions:
    """How the trials of a portfolio are planned.

    Attributes:
        target: Patients that each needs.
        n_sites: Its sites.
        site_shape: Gamma shape of the rates of sites.
        optimism: The plan takes every share of the funnel at this probability; 0.5 is the median trial.
        overestimate: Candidates that the plan counts on over candidates that there are (Lasagna: too many).
        contingency: By how much the plan invites more than it needs.
        extension: By which share of the planned time a late trial is prolonged.
    """

    target: int = 300
    n_sites: int = 20
    site_shape: float = 1.5
    optimism: float = 0.5
    overestimate: float = 1.25
    contingency: float = 0.1
    extension: float = 0.5

    def __post_init__(self) -> None:
        """Finds all faults at once."""
        faults = []
        if self.target < 1 or self.n_sites < 1 or self.site_shape <= 0.0:
            faults.append("target, n_sites and site_shape must be positive")
        if not 0.0 < self.optimism < 1.0:
            faults.append(f"optimism must lie inside (0, 1), got {self.optimism!r}")
        if self.overestimate <= 0.0 or self.contingency < 0.0 or self.extension < 0.0:
            faults.append("overestimate must be positive, contingency and extension not negative")
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """What became of simulated trials.

    Attributes:
        n_trials: How many.
        shares: Shares of the steps of every trial.
        randomised: Patients of each at the end, extension included.
        on_time: Share of trials that reached their target in the planned time.
        extended: Share that was prolonged.
        missed: Share that missed the target, extension included.
        reached_80: Share with 80 % of the target or more at the end.
        failed_accrual: Share with less than 85 % of the target at the end.
        enrolled_of_screened: Randomised of those assessed, over all trials together.
    """

    n_trials: int
    shares: Floats
    randomised: Ints
    on_time: float
    extended: float
    missed: float
    reached_80: float
    failed_accrual: float
    enrolled_of_screened: float

    def medians(self) -> Floats:
        """The median share of each step."""
        return np.asarray(np.median(self.shares, axis=0), np.float64)


def simulate_portfolio(
    options: PortfolioOptions | None = None,
    *,
    n_trials: int,
    seed: int,
    funnel: Funnel | None = None,
    performance: Performance | None = None,
) -> Portfolio:
    """Simulates trials that are planned alike and meet what trials meet.

    Each trial invites as many people as its plan needs; its shares are drawn from the funnel, its sites differ, and its
    arrivals are Poisson. A trial that is late is prolonged and stops at its target.

    Args:
        options: The plans.
        n_trials: How many trials.
        seed: Of the random numbers.
        funnel: What trials lose; the published one where it is not given.
        performance: Threads and blocks, which change nothing.

    Returns:
        What became of them.

    Source:
        Carlisle et al. (2015), Clinical Trials 12:77; McDonald et al. (2006), Trials 7:9; Sully, Julious, Nicholl
        (2013), Trials 14:166; Walters et al. (2017), BMJ Open 7:e015276: 19 to 69 % of trials fail.
    """
    plan = PortfolioOptions() if options is None else options
    steps = Funnel() if funnel is None else funnel
    draws = Draws(seed)
    blocks = in_blocks(lambda rows: _trials(plan, steps, draws, rows), n_trials, performance=performance)
    shares, first, last, screened = (np.concatenate(column) for column in zip(*blocks, strict=True))
    target = plan.target
    return Portfolio(
        n_trials=n_trials,
        shares=shares,
        randomised=last.astype(np.int64),
        on_time=float(np.mean(first >= target)),
        extended=float(np.mean(first < target)),
        missed=float(np.mean(last < target)),
        reached_80=float(np.mean(last >= 0.8 * target)),
        failed_accrual=float(np.mean(last < 0.85 * target)),
        enrolled_of_screened=float(last.sum() / screened.sum()),
    )


def _trials(plan: PortfolioOptions, funnel: Funnel, draws: Draws, rows: Ints) -> Sequence[Floats]:
    """Shares, patients at the planned end and at the end, and people assessed, of some trials."""
    shares = funnel.draw_shares(draws, rows)
    recruiting = shares[:, : len(funnel.recruitment)]
    u = draws.uniforms("portfolio", rows, 3)
    total_shape = plan.n_sites * plan.site_shape
    sites = special.gammaincinv(total_shape, u[:, 0]) / total_shape
    invited = plan.target * (1.0 + plan.contingency) / funnel.planned_share(plan.optimism) / plan.overestimate
    mean = invited * recruiting.prod(axis=1) * sites
    first = stats.poisson.ppf(u[:, 1], mean)
    more = stats.poisson.ppf(u[:, 2], mean * plan.extension) if plan.extension > 0.0 else np.zeros(rows.size)
    last = np.where(first >= plan.target, plan.target, np.minimum(first + more, plan.target))
    # Of those assessed, the shares after attendance are randomised.
    screened = last / np.maximum(recruiting[:, 1:].prod(axis=1), 1e-9)
    return shares, np.asarray(first, np.float64), np.asarray(last, np.float64), screened
