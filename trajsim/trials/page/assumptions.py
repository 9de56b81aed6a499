"""What a result rests on, in words, so that nobody has to read the spec to doubt the page."""

from collections.abc import Iterator

from trajsim.trials.page.figures import MINUS, count, day, percent
from trajsim.trials.spec import Rate, TrialSpec

RESAMPLED = {
    "poisson": "the people of the records stand for a population like them (Poisson resampling in each replicate)",
    "fixed": "the people of the records are the population",
}


def assumptions(spec: TrialSpec) -> list[dict[str, str]]:
    """What the trial spec supposes, as rows of a name and a text.

    Args:
        spec: The trial.
    """
    return [{"what": what, "value": value} for what, value in _rows(spec)]


def _rows(spec: TrialSpec) -> Iterator[tuple[str, str]]:
    yield "Period", f"{day(spec.start)} to {day(spec.planned_end)} by plan; simulated until {day(spec.horizon)}"
    stop = "recruitment ends there" if spec.stops_at_target else "recruitment goes on beyond it"
    yield "Target", f"{count(spec.target)} randomized; {stop}"
    scale = "" if spec.scale == 1.0 else f"; each stands for {spec.scale:g}"
    spread = f"; all but the first live that life up to {spec.spread_days} days later" if spec.spread_days else ""
    yield "People", RESAMPLED[spec.resample] + scale + spread
    yield "Visits at which charts are looked at", ", ".join(spec.visit_classes) or "all"
    yield from _site_rows(spec)
    if spec.waived:
        yield "Criteria not applied", ", ".join(spec.waived)
    yield "Disease population", ", ".join(spec.disease) or "everybody in a catchment"
    yield from _funnel_rows(spec)
    yield from _screening_rows(spec)
    yield from _follow_up_rows(spec)
    for other in spec.competing:
        since, until = other.since or spec.start, other.until or spec.horizon
        where = ", ".join(other.sites) or "all sites"
        taken = f"takes {percent(other.probability)} of those invited from {day(since)} to {day(until)}, {where}"
        yield f"Competing trial {other.name}", taken
    costs = spec.costs
    yield (
        "Prices",
        f"in {costs.currency}: site {costs.per_site:,g}, site and month {costs.per_site_month:,g}, screening visit "
        f"{costs.per_screening:,g}, randomized person {costs.per_randomized:,g}, year of follow-up "
        f"{costs.per_follow_up_year:,g}",
    )


def _site_rows(spec: TrialSpec) -> Iterator[tuple[str, str]]:
    how = {"share": "a share of the population each", "distance": "people go to the nearest site within its radius"}
    yield "Catchments", f"{len(spec.sites)} {'site' if len(spec.sites) == 1 else 'sites'}: {how[spec.catchment]}"
    yield "Variation between sites", f"coefficient of variation {spec.site_variation:g} of how many people they reach"
    caps = sum(site.cap is not None for site in spec.sites)
    limits = sum(site.capacity_per_week is not None for site in spec.sites)
    late = sum(site.delay.median > 0 for site in spec.sites)
    yield (
        "Limits of sites",
        f"{late} of {len(spec.sites)} may open late, {caps} have a cap, {limits} a number of screening visits a week",
    )


def _funnel_rows(spec: TrialSpec) -> Iterator[tuple[str, str]]:
    funnel = spec.funnel
    rates = {
        "Chart is looked at": funnel.review,
        "Reached and invited": funnel.contact,
        "Consents to be screened": funnel.consent,
        "Nothing outside the records excludes": funnel.eligible,
        "Eligible and randomized": funnel.completes,
    }
    for name, rate in rates.items():
        yield name, _rate(rate)
    if funnel.invitations > 1:
        yield "Invitations", f"up to {funnel.invitations}, if one is not received or no screening visit is soon enough"
    shifts = {
        "each decade of age above 60": funnel.per_decade,
        "women": funnel.female,
        "each 10 km": funnel.per_10_km,
        f"each of {funnel.visits_per_year:g} visits a year": funnel.per_visit,
    }
    parts = [f"{value:+g} for {name}".replace("-", MINUS) for name, value in shifts.items() if value]
    yield "Log-odds of consent", "; ".join(parts) or "the same for everybody"


def _screening_rows(spec: TrialSpec) -> Iterator[tuple[str, str]]:
    screening = spec.screening
    for lab in screening.labs:
        noise = f"CV of the assay {percent(lab.analytical_cv)}, within a person {percent(lab.within_person_cv)}"
        yield f"Lab {lab.name}", f"eligible from {lab.low:g} to {lab.high:g}; {noise}"
    for name, chance in screening.unknown.items():
        yield f"Not in the chart: {name}", f"turns out to be met with a probability of {percent(chance)}"
    wait = f"people wait at most {screening.max_wait_days} days for it"
    yield "Screening visit", f"{wait}; {screening.run_in_days} days from it to randomization"


def _follow_up_rows(spec: TrialSpec) -> Iterator[tuple[str, str]]:
    sizes, strata = ", ".join(f"{size}" for size in spec.block_sizes), ", ".join(spec.strata) or "no strata"
    yield "Randomization", f"permuted blocks of {sizes} within {strata}"
    for arm in spec.arms:
        delay = f", from day {arm.delay_days} on" if arm.delay_days else ""
        yield f"Arm {arm.name}", f"{arm.ratio} in the allocation; hazard ratio {arm.hazard_ratio:g}{delay}"
    end = spec.endpoint
    codes = f"{end.table}: {', '.join(end.codes)}" if end.codes else ""
    recorded = " or ".join(part for part in (codes, "death" if end.counts_death else "") if part)
    yield (
        "Endpoint without treatment",
        f"hazard {end.per_year:g} a year" if end.per_year is not None else f"as the records have it ({recorded})",
    )
    watched = spec.follow_up
    how_long = "to the end of the trial" if watched.days is None else f"{watched.days} days each"
    ends = "" if watched.events is None else f"; the trial ends with {count(watched.events)} endpoints"
    lost = f"{percent(watched.dropout_per_year)} a year are lost"
    yield "Follow-up", f"{how_long}{ends}; {lost}; at most {watched.max_days} days after the planned end"


def _rate(rate: Rate) -> str:
    if rate.is_known:
        return percent(rate.median)
    return f"{percent(rate.median)}, quartiles over trials {percent(rate.low)} to {percent(rate.high)}"
