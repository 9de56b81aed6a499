"""The sites of a trial as a plan: when each opens, how fast it recruits, how many it may take, when it closes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trajsim.errors import ConfigError
from trajsim.trials.rates.gamma_poisson import GammaRate
from trajsim.trials.rates.shapes import Constant, Piecewise, Shape

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Delay:
    """By how much a site opens later than planned.

    Attributes:
        mean: Mean delay; 0 for none.
        sd: Its standard deviation; 0 for a fixed delay.
        family: Lognormal or gamma.
    """

    mean: float = 0.0
    sd: float = 0.0
    family: Literal["lognormal", "gamma"] = "lognormal"

    def __post_init__(self) -> None:
        """Checks them once."""
        if not (0.0 <= self.mean < math.inf and 0.0 <= self.sd < math.inf) or (self.sd > 0.0 and self.mean == 0.0):
            msg = f"a delay needs a mean and a standard deviation that are not negative, got {self.mean!r}, {self.sd!r}"
            raise ConfigError(msg)
        if self.family not in ("lognormal", "gamma"):
            msg = f"the family of a delay must be lognormal or gamma, got {self.family!r}"
            raise ConfigError(msg)

    def quantile(self, probability: ArrayLike) -> Floats:
        """The delay that is not exceeded with a probability."""
        u = np.asarray(probability, np.float64)
        if self.sd == 0.0:
            return np.full(u.shape, self.mean)
        if self.family == "lognormal":
            spread = math.sqrt(math.log1p((self.sd / self.mean) ** 2))
            return np.asarray(self.mean * np.exp(spread * special.ndtri(u) - spread**2 / 2.0), np.float64)
        shape = (self.mean / self.sd) ** 2
        return np.asarray(special.gammaincinv(shape, u) * self.mean / shape, np.float64)


@dataclass(frozen=True, kw_only=True)
class SitePlan:
    """One site.

    Attributes:
        name: Unique; it names the site's random numbers, too.
        rate: What is known of its rate, per unit of (active) time.
        start: When it opens as planned, or when it opened.
        delay: By how much it opens later.
        cap: Most patients it may still take.
        closes: When it stops; never where none.
        country: For quotas.
    """

    name: str
    rate: GammaRate
    start: float = 0.0
    delay: Delay = field(default_factory=Delay)
    cap: int | None = None
    closes: float | None = None
    country: str = ""


@dataclass(frozen=True, kw_only=True)
class AccrualPlan:
    """All sites, and what they share. Time is in one unit of the caller's choice, from one instant.

    Attributes:
        sites: The sites.
        shape: How the rate of a site changes with its active time.
        calendar: The clock of active time; every instant counts where there is none.
        quotas: Most patients by country.
        since: From when on patients are counted. A site with a fixed start before it is open already: its shape
            goes on where it stands. One whose start is uncertain has not opened by then.
    """

    sites: Sequence[SitePlan]
    shape: Shape = field(default_factory=Constant)
    calendar: Piecewise | None = None
    quotas: Mapping[str, int] = field(default_factory=dict)
    since: float = 0.0

    def __post_init__(self) -> None:
        """Finds all faults at once."""
        faults = [] if self.sites else ["a plan needs a site"]
        seen: set[str] = set()
        for site in self.sites:
            if site.name in seen:
                faults.append(f"two sites are named {site.name!r}")
            seen.add(site.name)
            if not math.isfinite(site.start):
                faults.append(f"site {site.name!r}: start must be finite, got {site.start!r}")
            if site.closes is not None and not site.closes > site.start:
                faults.append(f"site {site.name!r} closes at {site.closes!r}, before it opens at {site.start!r}")
            if site.cap is not None and site.cap < 0:
                faults.append(f"site {site.name!r}: cap must not be negative, got {site.cap!r}")
        countries = {site.country for site in self.sites}
        for country, quota in self.quotas.items():
            if country not in countries:
                faults.append(f"quota for country {country!r}, where no site is")
            if quota < 0:
                faults.append(f"quota for country {country!r} must not be negative, got {quota!r}")
        if faults:
            msg = "\n".join(faults)
            raise ConfigError(msg)

    @property
    def has_caps(self) -> bool:
        """Whether any count is limited, so that no closed form holds."""
        return bool(self.quotas) or any(site.cap is not None for site in self.sites)

    def active(self, time: ArrayLike) -> Floats:
        """Active time up to an instant; before 0 every instant counts."""
        times = np.asarray(time, np.float64)
        if self.calendar is None:
            return times
        return np.where(times < 0.0, times, self.calendar.cumulative(times))

    def instant(self, active: ArrayLike) -> Floats:
        """The instant at which an amount of active time has passed."""
        amounts = np.asarray(active, np.float64)
        if self.calendar is None:
            return amounts
        return np.where(amounts < 0.0, amounts, self.calendar.inverse(amounts))

    def opening(self, site: SitePlan, uniforms: Floats) -> Floats:
        """When a site opens, for uniforms that stand for its delay."""
        opens = site.start + site.delay.quantile(uniforms)
        return np.maximum(opens, self.since) if site.delay.sd > 0.0 else opens

    def exposure(self, site: SitePlan, opens: Floats, until: float) -> Floats:
        """The operational time that a site has between `since` and an instant, given when it opens."""
        end = until if site.closes is None else min(until, site.closes)
        begin = np.maximum(opens, self.since)
        first = self.active(opens)
        to_end = self.shape.cumulative(self.active(end) - first)
        return np.maximum(to_end - self.shape.cumulative(self.active(begin) - first), 0.0)
