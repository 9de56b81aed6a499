"""What a simulated recruitment shows: when people come, why others do not, who they are, what it costs.

A replicate leaves counts and the days of its randomizations and endpoints; candidates are counted and forgotten
(`trajsim.trials.recruitment.candidates` lists them for one replicate). Of the first replicates the randomized are kept.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.recruitment.arms import STATUSES
from trajsim.trials.recruitment.people import NEVER
from trajsim.trials.recruitment.reasons import IN_ANOTHER_TRIAL, NOT_REACHED, NOT_REVIEWED, RANDOMIZED, Reasons
from trajsim.trials.spec import TrialSpec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CHUNK = 256
_STRIDE = 1 << 32
BANDS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


SAMPLED = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Randomized:
    """The randomized of the first replicates, one entry a person, in order of randomization.

    Attributes:
        first: Where each replicate begins, [n_replicates + 1].
        patient: Row among the patients of the Records.
        day: Day of randomization, from the start of the trial.
        site: Place of the site in the spec.
        arm: Place of the arm in the spec.
        days: From randomization to what ended the observation.
        status: What ended it, a place in `trajsim.trials.recruitment.arms.STATUSES`.
    """

    first: Ints
    patient: NDArray[np.int32]
    day: NDArray[np.int32]
    site: NDArray[np.int16]
    arm: NDArray[np.int8]
    days: NDArray[np.int32]
    status: NDArray[np.int8]

    @property
    def replicate(self) -> Ints:
        """Replicate of each."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def of(self, replicate: int) -> "Randomized":
        """Those of one replicate."""
        own = slice(int(self.first[replicate]), int(self.first[replicate + 1]))
        return Randomized(
            first=np.array([0, own.stop - own.start]),
            patient=self.patient[own],
            day=self.day[own],
            site=self.site[own],
            arm=self.arm[own],
            days=self.days[own],
            status=self.status[own],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DayLists:
    """The days on which something happened, ascending within a replicate, in two bytes each where that is enough.

    Attributes:
        first: Where each replicate begins, [n_replicates + 1].
        day: Days of all replicates.
    """

    first: Ints
    day: NDArray[np.unsignedinteger]

    def until(self, days: Sequence[int]) -> NDArray[np.int32]:
        """How many lie on or before some days, [n_replicates, n_days]."""
        n_replicates = len(self.first) - 1
        counts = np.empty((n_replicates, len(days)), np.int32)
        asked = np.asarray(days, np.int64) + 1
        for start in range(0, n_replicates, _CHUNK):
            edges = self.first[start : start + _CHUNK + 1]
            own = np.arange(len(edges) - 1)[:, None] * _STRIDE
            keys = np.repeat(own[:, 0], np.diff(edges)) + self.day[edges[0] : edges[-1]]
            found = np.searchsorted(keys, own + np.clip(asked, 0, _STRIDE - 1))
            counts[start : start + _CHUNK] = found - (edges[:-1] - edges[0])[:, None]
        return counts


@dataclass(frozen=True, kw_only=True)
class Share:
    """One group of people, among those with the disease and among the enrolled.

    Attributes:
        by: What divides people: sex, age or race.
        level: The group.
        disease: Its share among those with the disease in the catchments.
        enrolled: Its mean share among the randomized.
        low: 2.5 % quantile of that over replicates.
        high: 97.5 % quantile.
    """

    by: str
    level: str
    disease: float
    enrolled: float
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {name: _plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class RecruitmentResult:
    """All replicates of a trial.

    Attributes:
        spec: The trial.
        seed: Seed of the run.
        reasons: What ends a candidacy.
        counts: People by replicate and reason, [n_replicates, n_reasons].
        n_living: People who live in the catchments, by replicate.
        n_screened: Screening visits, by replicate.
        enrolled: Days of randomization.
        events: Days of endpoints.
        by_site: Randomized by replicate and site, [n_replicates, n_sites].
        outcomes: Randomized by replicate, arm and what ended their observation, [n_replicates, n_arms, n_statuses].
        site_days: Randomized of all replicates by site and day, [n_sites, n_days].
        sample: The randomized of the first `SAMPLED` replicates.
        opened: First day of each site, [n_replicates, n_sites].
        stopped: Last day on which each site approached people.
        trial_end: Day on which follow-up ends, by replicate.
        cost: Cost by replicate, in the currency of the spec.
        shares: Enrolled and disease population side by side.
    """

    spec: TrialSpec
    seed: int
    reasons: Reasons
    counts: NDArray[np.int32]
    n_living: NDArray[np.int32]
    n_screened: NDArray[np.int32]
    enrolled: DayLists
    events: DayLists
    by_site: NDArray[np.int32]
    outcomes: NDArray[np.int32]
    site_days: Ints
    sample: Randomized
    opened: NDArray[np.unsignedinteger]
    stopped: NDArray[np.unsignedinteger]
    trial_end: NDArray[np.int32]
    cost: Floats
    shares: tuple[Share, ...]

    @property
    def n_replicates(self) -> int:
        """How many replicates."""
        return len(self.n_living)

    @property
    def n_randomized(self) -> Ints:
        """Randomized by replicate, to the horizon."""
        return np.diff(self.enrolled.first)

    def enrolled_by(self, day: int) -> Ints:
        """Randomized up to a day of the trial (the first is 0), by replicate."""
        return self.enrolled.until([day])[:, 0].astype(np.int64)

    def events_by(self, day: int) -> Ints:
        """Endpoints up to a day of the trial, by replicate."""
        return self.events.until([day])[:, 0].astype(np.int64)

    def target_day(self) -> Ints:
        """Day on which each replicate reaches the target; `NEVER` (2^30) if it does not before the horizon."""
        reached = self.n_randomized >= self.spec.target
        days = np.full(self.n_replicates, NEVER, np.int64)
        days[reached] = self.enrolled.day[self.enrolled.first[:-1][reached] + self.spec.target - 1]
        return days

    def probability_by(self, day: int) -> float:
        """Share of replicates that have reached the target by a day of the trial."""
        return float((self.target_day() <= day).mean())

    def date_of(self, day: float) -> dt.date | None:
        """Calendar day of a day of the trial; None for a day that does not come."""
        return None if not np.isfinite(day) or day >= NEVER else self.spec.start + dt.timedelta(days=int(day))

    def cost_per_randomized(self) -> Floats:
        """Cost of each replicate over its randomized; infinite where there are none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.n_randomized > 0, self.cost / self.n_randomized, np.inf)

    def to_json(self) -> dict[str, object]:
        """The report as plain values: bands by week, dates, CONSORT counts, reasons, sites, shares, events, costs."""
        planned = self.spec.n_planned_days - 1
        days = self.target_day()
        return {
            "title": self.spec.title,
            "seed": self.seed,
            "replicates": self.n_replicates,
            "start": self.spec.start.isoformat(),
            "planned_end": self.spec.planned_end.isoformat(),
            "horizon": self.spec.horizon.isoformat(),
            "target": self.spec.target,
            "probability_by_planned_end": self.probability_by(planned),
            "probability_by_horizon": self.probability_by(self.spec.n_days - 1),
            "enrolled_at_planned_end": _summary(self.enrolled_by(planned)),
            "target_date": {_band(q): _iso(self.date_of(_upper_quantile(days, q))) for q in BANDS},
            "enrollment": self._curve(self.enrolled, last=self.spec.n_days - 1),
            "events": self._curve(self.events, last=int(self.trial_end.max())),
            "consort": self.consort(),
            "reasons": self._reasons(),
            "sites": self._sites(),
            "shares": [share.to_json() for share in self.shares],
            "status": {name: _summary(self._status(place)) for place, name in enumerate(STATUSES)},
            "trial_end": {_band(q): _iso(self.date_of(_upper_quantile(self.trial_end, q))) for q in BANDS},
            "cost": {
                "currency": self.spec.costs.currency,
                "total": _summary(self.cost),
                "per_randomized": _summary(self.cost_per_randomized()),
            },
        }

    def consort(self) -> dict[str, object]:
        """Numbers of a CONSORT flow, mean and 95 % interval over replicates."""
        chart = self.counts[:, self.reasons.chart].sum(axis=1)
        seen = self.counts.sum(axis=1)
        passed = seen - chart - self.counts[:, NOT_REVIEWED]
        invited = passed - self.counts[:, NOT_REACHED] - self.counts[:, IN_ANOTHER_TRIAL]
        rows: Mapping[str, NDArray[np.integer]] = {
            "living in the catchments": self.n_living,
            "came to a visit while a site was open": seen,
            "chart passed": passed,
            "invited": invited,
            "screened": self.n_screened,
            "randomized": self.counts[:, RANDOMIZED],
        }
        by_arm = self.outcomes.sum(axis=2)
        flow: dict[str, object] = {name: _summary(values) for name, values in rows.items()}
        flow["arms"] = {arm.name: _summary(by_arm[:, place]) for place, arm in enumerate(self.spec.arms)}
        return flow

    def _curve(self, happened: DayLists, *, last: int) -> list[dict[str, object]]:
        step = max(7, -(-(last // 7) // 260) * 7)
        days = [*range(0, last, step), last]
        counts = happened.until(days)
        rows = []
        for place, day in enumerate(days):
            values = counts[:, place]
            row: dict[str, object] = {"date": _iso(self.date_of(day)), "mean": float(values.mean())}
            rows.append(row | {_band(q): float(np.quantile(values, q)) for q in BANDS})
        return rows

    def _reasons(self) -> list[dict[str, object]]:
        names = enumerate(self.reasons.names)
        return [{"reason": name, **_summary(self.counts[:, place])} for place, name in names]

    def _sites(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for place, site in enumerate(self.spec.sites):
            opened = float(np.median(self.opened[:, place]))
            never = float((self.opened[:, place] > self.stopped[:, place]).mean())
            randomized = _summary(self.by_site[:, place])
            opens = _iso(self.date_of(opened))
            rows.append({"site": site.name, "opens": opens, "never_opens": never, "randomized": randomized})
        return rows

    def _status(self, status: int) -> NDArray[np.int32]:
        ended: NDArray[np.int32] = self.outcomes[:, :, status].sum(axis=1)
        return ended


def _upper_quantile(days: NDArray[np.integer], q: float) -> float:
    """A day of the replicates itself, never between two of them: `NEVER` does not mix with days."""
    return float(np.quantile(days, q, method="inverted_cdf"))


def _summary(values: NDArray[np.integer] | Floats) -> dict[str, float | None]:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return {"mean": None, "low": None, "median": None, "high": None}
    low, median, high = np.quantile(finite, (0.025, 0.5, 0.975))
    return {"mean": float(finite.mean()), "low": float(low), "median": float(median), "high": float(high)}


def _band(q: float) -> str:
    return f"p{100 * q:g}"


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def shares_of(levels: Sequence[tuple[str, str]], disease: Ints, enrolled: NDArray[np.int32]) -> tuple[Share, ...]:
    """Shares of groups among the diseased and the enrolled.

    Args:
        levels: What divides, and the group.
        disease: People with the disease by group.
        enrolled: Randomized by replicate and group.
    """
    found = []
    for place, (by, level) in enumerate(levels):
        own = [n for n, (other, _) in enumerate(levels) if other == by]
        totals = enrolled[:, own].sum(axis=1)
        share = enrolled[totals > 0, place] / totals[totals > 0]
        low, high = np.quantile(share, (0.025, 0.975)) if len(share) else (np.nan, np.nan)
        found.append(
            Share(
                by=by,
                level=level,
                disease=float(disease[place] / max(int(disease[own].sum()), 1)),
                enrolled=float(share.mean()) if len(share) else float("nan"),
                low=float(low),
                high=float(high),
            )
        )
    return tuple(found)
