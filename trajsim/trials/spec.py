"""What a trial is: the frozen form of the spec that a user writes, whose file `trajsim.trials.spec_reading` reads.

One document holds everything that decides whether a trial recruits: who may take part (criteria, which are handed on as
they stand), where (sites and their catchments), what is lost on the way (the funnel), what is tested (arms, endpoint)
and what it costs. Nothing here computes; a class checks only what one value alone can break.
"""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

EPOCH = dt.date(1970, 1, 1)
STRATA = ("site", "sex", "age")
RESAMPLING = ("poisson", "fixed")
CATCHMENTS = ("share", "distance")
ENDPOINT_TABLES = ("conditions", "procedures", "medications", "observations", "encounters")


def epoch_day(day: dt.date) -> int:
    """Days since 1970-01-01 of a calendar day."""
    return (day - EPOCH).days


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A probability that is known, or that is known by its quartiles over trials.

    With quartiles each replicate of a simulation is one trial and has one value of its own, so that what nobody knows
    beforehand widens the forecast.

    Attributes:
        median: The probability, or its median.
        low: First quartile; equal to `median` if it is known.
        high: Third quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def known(cls, value: float) -> "Rate":
        """A probability without doubt."""
        return cls(median=value, low=value, high=value)

    @property
    def is_known(self) -> bool:
        """Whether it is the same in every replicate."""
        return self.low == self.median == self.high


@dataclass(frozen=True, kw_only=True)
class Lognormal:
    """A positive quantity: lognormal with a median and a 90th percentile, constant if both agree.

    Attributes:
        median: Half of all values are smaller.
        p90: Nine of ten are smaller.
    """

    median: float
    p90: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.log(self.p90 / self.median) / 1.2815515655446004 if self.median > 0 else 0.0


NO_WAIT = Lognormal(median=0.0, p90=0.0)


@dataclass(frozen=True, kw_only=True)
class Site:
    """One place that recruits.

    Attributes:
        name: Unique.
        share: Share of the population (or of the people of `state` and `city`) that would come here.
        latitude: Degrees north; needed for a catchment by distance.
        longitude: Degrees east.
        radius_km: How far people come; catchment by distance.
        state: Only people of this state live in the catchment.
        city: Only people of this city.
        opens: Planned first day.
        delay: How much later it opens in truth, in days.
        closes: Last day on which somebody is approached; None: open to the end.
        cap: Most that it may randomize; None: no limit.
        capacity_per_week: Screening visits that it can hold in a week; None: no limit.
        lag: From consent to the earliest screening visit, in days.
    """

    name: str
    share: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius_km: float = 50.0
    state: str | None = None
    city: str | None = None
    opens: dt.date
    delay: Lognormal = NO_WAIT
    closes: dt.date | None = None
    cap: int | None = None
    capacity_per_week: float | None = None
    lag: Lognormal = NO_WAIT


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """What happens between a visit and randomization, beside the criteria.

    Attributes:
        review: Chance that the chart of a patient who comes to a visit is looked at.
        contact: Chance that somebody whose chart passes is reached and invited.
        consent: Chance that the invited come to be screened, for a man of 60 who lives at the site.
        per_decade: Added to the log-odds of consent for each decade of age above 60.
        female: Added to the log-odds of consent for women.
        per_10_km: Added to the log-odds of consent for each 10 km to the site.
        per_visit: Added to the log-odds of consent for each visit that the protocol asks for in a year.
        visits_per_year: Visits that the protocol asks for.
        eligible: Chance that nothing outside the records excludes somebody at the screening visit.
        completes: Chance that the eligible are randomized.
        invitations: How often somebody is invited who is not reached, or finds no screening visit soon enough.
    """

    review: Rate
    contact: Rate
    consent: Rate
    per_decade: float
    female: float
    per_10_km: float
    per_visit: float
    visits_per_year: float
    eligible: Rate
    completes: Rate
    invitations: int = 1


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A value that the screening visit measures anew, and that decides there.

    Attributes:
        name: Unique; also the reason of those who fail it.
        codes: Codes of the observations that hold it in the records.
        low: Least value that is eligible.
        high: Greatest value that is eligible.
        analytical_cv: Coefficient of variation of the assay.
        within_person_cv: Coefficient of variation from day to day within a person.
        decides: Name of the criterion whose answer from the chart it replaces; None: it stands beside the criteria.
        unmeasured: Median and 90th percentile of people without a recorded value; None: the recorded values of others.
    """

    name: str
    codes: tuple[str, ...]
    low: float
    high: float
    analytical_cv: float
    within_person_cv: float
    decides: str | None
    unmeasured: Lognormal | None


@dataclass(frozen=True, kw_only=True)
class Screening:
    """The screening visit.

    Attributes:
        labs: What is measured.
        unknown: By criterion, the chance that an answer which the chart does not hold turns out to be yes; for others
            it is as frequent as among those whose chart answers.
        max_wait_days: Longest wait for a screening visit that people accept.
        run_in_days: From the screening visit to randomization.
    """

    labs: tuple[Lab, ...]
    unknown: Mapping[str, float]
    max_wait_days: int
    run_in_days: int


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm.

    Attributes:
        name: Unique.
        ratio: Parts in an allocation, as 1 and 1, or 2 and 1.
        hazard_ratio: Hazard of the endpoint relative to no treatment, once the effect has set in.
        delay_days: Days until it sets in.
    """

    name: str
    ratio: int
    hazard_ratio: float
    delay_days: int


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What is counted after randomization, in the absence of treatment.

    Attributes:
        per_year: Constant hazard a year; None: the records say when it happens.
        table: Table of the records that holds it.
        codes: Codes that count.
        counts_death: Whether death of any cause counts too.
    """

    per_year: float | None
    table: str
    codes: tuple[str, ...]
    counts_death: bool


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """How long people are watched.

    Attributes:
        days: From randomization; None: to the end of the trial.
        events: Number of events at which the trial ends; None: it ends when everybody has been watched for `days`.
        dropout_per_year: Share that is lost to follow-up in a year.
        max_days: Longest time after the last planned day of recruitment that is looked at.
    """

    days: int | None
    events: int | None
    dropout_per_year: float
    max_days: int


@dataclass(frozen=True, kw_only=True)
class Competitor:
    """Another trial that wants the same people.

    Attributes:
        name: Unique.
        probability: Chance that somebody who would be invited is in it already.
        since: First day; None: from the beginning.
        until: Last day; None: to the end.
        sites: Where it recruits; empty: everywhere.
    """

    name: str
    probability: float
    since: dt.date | None
    until: dt.date | None
    sites: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What things cost, in one currency."""

    currency: str = "USD"
    per_site: float = 0.0
    per_site_month: float = 0.0
    per_screening: float = 0.0
    per_randomized: float = 0.0
    per_follow_up_year: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """A trial, ready to be simulated.

    Attributes:
        title: One line.
        criteria: Eligibility criteria as they stand in the spec or in the file it names, for
            `trajsim.trials.criteria` to read.
        criteria_source: File of the criteria, or of the spec if they stand in it.
        waived: Criteria that are not applied.
        disease: Criteria that say who has the disease, to compare the enrolled with; empty: everybody in a catchment.
        start: First day on which a site may open.
        planned_end: Last day of recruitment by plan.
        horizon: Last day that is simulated, so that a late trial has a date too.
        target: How many are to be randomized.
        stops_at_target: Whether recruitment ends there.
        resample: ``poisson``: the people of the records stand for a population like them; ``fixed``: they are it.
        scale: How many people one person of the records stands for.
        spread_days: Each but the first of these lives that life up to so many days later; 0: all on the same days.
        visit_classes: Classes of encounters at which charts are reviewed; empty: all.
        catchment: ``share`` or ``distance``.
        site_variation: Coefficient of variation between sites of how many people they reach.
        sites: In order; a site added at the end moves nobody who has a site.
        funnel: Losses before randomization.
        screening: The screening visit.
        block_sizes: Sizes of permuted blocks, chosen at random with equal chances.
        strata: What randomization is stratified by.
        age_cut: Age that separates the two age strata.
        arms: The first is the control.
        endpoint: What is counted.
        follow_up: How long.
        competing: Other trials.
        costs: Prices.
    """

    title: str
    criteria: Mapping[str, object] = field(repr=False)
    criteria_source: Path
    waived: tuple[str, ...]
    disease: tuple[str, ...]
    start: dt.date
    planned_end: dt.date
    horizon: dt.date
    target: int
    stops_at_target: bool
    resample: str
    scale: float
    spread_days: int
    visit_classes: tuple[str, ...]
    catchment: str
    site_variation: float
    sites: tuple[Site, ...]
    funnel: Funnel
    screening: Screening
    block_sizes: tuple[int, ...]
    strata: tuple[str, ...]
    age_cut: int
    arms: tuple[Arm, ...]
    endpoint: Endpoint
    follow_up: FollowUp
    competing: tuple[Competitor, ...]
    costs: Costs

    @property
    def n_days(self) -> int:
        """Days from the start to the horizon, both included."""
        return (self.horizon - self.start).days + 1

    @property
    def n_planned_days(self) -> int:
        """Days from the start to the planned end, both included."""
        return (self.planned_end - self.start).days + 1
