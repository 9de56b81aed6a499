"""Reads a trial spec (YAML or JSON): every unknown key and every other fault at once, by file and path.

Defaults of the funnel are the published medians and quartiles of `trajsim.trials.funnel`.
"""

import csv
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from trajsim.documents import Faults, Fields, read_document
from trajsim.errors import DataFileError
from trajsim.trials.funnel import ATTENDED, ELIGIBLE, RANDOMISED, FunnelStep
from trajsim.trials.spec import (
    CATCHMENTS,
    ENDPOINT_TABLES,
    NO_WAIT,
    RESAMPLING,
    STRATA,
    Arm,
    Competitor,
    Costs,
    Endpoint,
    FollowUp,
    Funnel,
    Lab,
    Lognormal,
    Rate,
    Screening,
    Site,
    TrialSpec,
)

_CERTAIN = Rate(median=1.0, low=1.0, high=1.0)
_LATE = dt.timedelta(days=730)
_WHOLE_COLUMNS = frozenset({"cap"})
_TEXT_COLUMNS = frozenset({"name", "state", "city", "opens", "closes"})


def read_spec(path: Path) -> TrialSpec:
    """Reads a trial spec.

    Args:
        path: YAML or JSON; files that it names are looked for beside it.

    Returns:
        The trial.

    Raises:
        DataFileError: A file cannot be read or is not well-formed.
        ConfigError: Faults of content, all of them, each with file and path.

    Example:
        >>> read_spec(Path("trial.yaml")).target  # doctest: +SKIP
        300
    """
    return spec_from(read_document(path), source=path)


def spec_from(document: object, *, source: Path) -> TrialSpec:
    """Makes a trial of a document that is read already, as scenarios do that change one.

    Args:
        document: What the file holds.
        source: Its path, for messages and for the files that it names.

    Raises:
        DataFileError: A file that it names cannot be read.
        ConfigError: Faults of content, all of them.
    """
    faults = Faults(source.name)
    root = Fields(document, "$", faults)
    criteria, criteria_source = _criteria(root, source)
    recruitment = root.inner("recruitment")
    start, planned_end, horizon = _days(recruitment)
    catchment = recruitment.text("catchment", "share", choices=CATCHMENTS)
    sites = _sites(root, source, catchment=catchment, start=start, horizon=horizon)
    arms = _arms(root)
    randomization = root.inner("randomization")
    spec = TrialSpec(
        title=root.text("title"),
        criteria=criteria,
        criteria_source=criteria_source,
        waived=root.texts("waived", ()),
        disease=root.texts("disease", ()),
        start=start,
        planned_end=planned_end,
        horizon=horizon,
        target=recruitment.whole("target", low=1),
        stops_at_target=recruitment.flag("stops_at_target", default=True),
        resample=recruitment.text("resample", "poisson", choices=RESAMPLING),
        scale=recruitment.number("scale", 1.0, low=1e-6, high=1e4),
        spread_days=recruitment.whole("spread_days", 0, low=0, high=3_650),
        visit_classes=recruitment.texts("visit_classes", ()),
        catchment=catchment,
        site_variation=recruitment.number("site_variation", 0.0, low=0.0, high=10.0),
        sites=sites,
        funnel=_funnel(root.inner("funnel")),
        screening=_screening(root.inner("screening")),
        block_sizes=_block_sizes(randomization, arms),
        strata=randomization.texts("strata", ("site",), choices=STRATA) if "strata" in randomization else ("site",),
        age_cut=randomization.whole("age_cut", 65, low=0, high=120),
        arms=arms,
        endpoint=_endpoint(root.inner("endpoint")),
        follow_up=_follow_up(root.inner("follow_up")),
        competing=_competing(root, sites),
        costs=_costs(root.inner("costs")),
    )
    randomization.take("strata")
    if spec.resample == "fixed" and spec.scale != 1.0:
        recruitment.fault("scale", f"must be 1 where `resample` is fixed, got {spec.scale:g}")
    if spec.resample == "fixed" and spec.spread_days:
        recruitment.fault("spread_days", f"must be 0 where `resample` is fixed, got {spec.spread_days}")
    for part in (recruitment, randomization, root):
        part.done()
    faults.require_none("the trial spec")
    return spec


def _criteria(root: Fields, source: Path) -> tuple[Mapping[str, object], Path]:
    value = root.take("criteria")
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}, source
    if isinstance(value, str) and value:
        path = source.parent / value
        try:
            document = read_document(path)
        except DataFileError as error:
            root.fault("criteria", error.message)
            return {}, path
        if isinstance(document, Mapping):
            return {str(key): item for key, item in document.items()}, path
        root.fault("criteria", f"{path}: expected a mapping of criteria")
        return {}, path
    root.fault("criteria", "expected the name of a file or the criteria themselves")
    return {}, source


def _days(part: Fields) -> tuple[dt.date, dt.date, dt.date]:
    start = part.date("start")
    planned = part.date("planned_end")
    horizon = part.date("horizon", None)
    if start is None or planned is None:
        anything = start or planned or dt.date(2020, 1, 1)
        return anything, anything, anything + _LATE
    if planned <= start:
        part.fault("planned_end", f"must be later than the start {start}, got {planned}")
    last = horizon if horizon is not None else planned + _LATE
    if last < planned:
        part.fault("horizon", f"must not be earlier than the planned end {planned}, got {last}")
    return start, planned, last


def _rate(part: Fields, key: str, default: Rate) -> Rate:
    """A number, or a mapping of median, low and high."""
    value = part.take(key)
    if value is None:
        return default
    if not isinstance(value, Mapping):
        return Rate.known(part.number(key, low=0.0, high=1.0))
    inner = Fields(value, part.at(key), part.faults)
    low, median, high = (inner.number(name, low=0.0, high=1.0) for name in ("low", "median", "high"))
    inner.done()
    if not low <= median <= high:
        part.fault(key, f"expected low <= median <= high, got {low:g}, {median:g}, {high:g}")
    return Rate(median=median, low=low, high=high)


def _wait(part: Fields, key: str) -> Lognormal:
    """A number of days, or a mapping of median_days and p90_days."""
    value = part.take(key)
    if value is None:
        return NO_WAIT
    if not isinstance(value, Mapping):
        days = part.number(key, low=0.0, high=36_500.0)
        return Lognormal(median=days, p90=days)
    return _lognormal(part, key, suffix="_days", high=36_500.0)


def _lognormal(part: Fields, key: str, *, suffix: str = "", high: float = math.inf) -> Lognormal:
    """A mapping of a median and a 90th percentile."""
    inner = part.inner(key)
    median = inner.number(f"median{suffix}", low=1e-9, high=high)
    p90 = inner.number(f"p90{suffix}", median, low=1e-9, high=high)
    inner.done()
    if p90 < median:
        part.fault(key, f"the 90th percentile {p90:g} is below the median {median:g}")
    return Lognormal(median=median, p90=p90)


def _sites(root: Fields, source: Path, *, catchment: str, start: dt.date, horizon: dt.date) -> tuple[Site, ...]:
    parts = list(root.each("sites"))
    table = root.text("sites_file", "")
    if table:
        rows = _site_rows(source.parent / table)
        parts += [Fields(row, f"{table}[{place}]", root.faults) for place, row in enumerate(rows)]
    if not parts:
        root.fault("sites", "no site: expected `sites`, or `sites_file` with a row a site")
    found: list[Site] = []
    for part in parts:
        site = _site(part, catchment=catchment, start=start, horizon=horizon)
        if site.name and site.name in {other.name for other in found}:
            part.fault("name", f"the site {site.name!r} stands twice")
        found.append(site)
    everywhere: dict[tuple[str | None, str | None], float] = {}
    for site in found:
        place = (site.state, site.city)
        everywhere[place] = everywhere.get(place, 0.0) + (site.share or 0.0)
    for place, total in everywhere.items():
        if catchment == "share" and total > 1.0 + 1e-9:
            where = " ".join(text for text in reversed(place) if text) or "the population"
            root.fault("sites", f"the shares of {where} sum to {total:g}, expected at most 1")
    return tuple(found)


def _site(part: Fields, *, catchment: str, start: dt.date, horizon: dt.date) -> Site:
    by_share = catchment == "share"
    site = Site(
        name=part.text("name"),
        share=part.number("share", low=0.0, high=1.0) if by_share else None,
        latitude=part.number("latitude", low=-90, high=90) if not by_share or "latitude" in part else None,
        longitude=part.number("longitude", low=-180, high=180) if not by_share or "longitude" in part else None,
        radius_km=part.number("radius_km", 50.0, low=0.0, high=20_100.0),
        state=part.text("state", "") or None,
        city=part.text("city", "") or None,
        opens=part.date("opens", start) or start,
        delay=_wait(part, "delay"),
        closes=part.date("closes", None),
        cap=part.whole("cap", low=1) if "cap" in part else None,
        capacity_per_week=part.number("capacity_per_week", low=1e-3, high=1e6) if "capacity_per_week" in part else None,
        lag=_wait(part, "lag"),
    )
    for key in ("share", "latitude", "longitude", "cap", "capacity_per_week"):
        part.take(key)
    part.done()
    if site.closes is not None and site.closes < site.opens:
        part.fault("closes", f"the site closes on {site.closes}, before it opens on {site.opens}")
    if not start <= site.opens <= horizon:
        part.fault("opens", f"expected a day of {start} ... {horizon}, got {site.opens}")
    return site


def _site_rows(path: Path) -> Sequence[Mapping[str, object]]:
    """Rows of a table of sites: the keys of a site are its columns, an empty cell is no value."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read as a table of sites ({error})"
        raise DataFileError(msg) from error
    return [_site_row(row) for row in rows]


def _site_row(row: Mapping[str, str | None]) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for column, cell in row.items():
        if cell is None or not cell.strip():
            continue
        value: object = cell.strip()
        if column not in _TEXT_COLUMNS:
            try:
                value = int(cell) if column in _WHOLE_COLUMNS else float(cell)
            except ValueError:
                value = cell
        for wait in ("delay", "lag"):
            if column in (f"{wait}_median_days", f"{wait}_p90_days"):
                inner = found.setdefault(wait, {})
                if isinstance(inner, dict):
                    inner[column.removeprefix(f"{wait}_")] = value
                break
        else:
            found[column] = value
    return found


def _funnel(part: Fields) -> Funnel:
    funnel = Funnel(
        review=_rate(part, "review", _CERTAIN),
        contact=_rate(part, "contact", _CERTAIN),
        consent=_rate(part, "consent", _published(ATTENDED)),
        per_decade=part.number("per_decade", 0.0, low=-10, high=10),
        female=part.number("female", 0.0, low=-10, high=10),
        per_10_km=part.number("per_10_km", 0.0, low=-10, high=10),
        per_visit=part.number("per_visit", 0.0, low=-10, high=10),
        visits_per_year=part.number("visits_per_year", 0.0, low=0, high=1_000),
        eligible=_rate(part, "eligible", _published(ELIGIBLE)),
        completes=_rate(part, "completes", _published(RANDOMISED)),
        invitations=part.whole("invitations", 1, low=1, high=100),
    )
    part.done()
    return funnel


def _published(step: FunnelStep) -> Rate:
    low, median, high = step.published
    return Rate(median=median, low=low, high=high)


def _screening(part: Fields) -> Screening:
    labs = tuple(_lab(each) for each in part.each("labs"))
    names = [lab.name for lab in labs]
    part.faults.lines += [
        f"{part.faults.file}: {part.at('labs')}: the name {name!r} stands twice"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    unknown = part.take("unknown")
    inner = Fields(unknown, part.at("unknown"), part.faults)
    chances = (
        {str(name): inner.number(str(name), low=0, high=1) for name in (unknown or {})}
        if isinstance(unknown, Mapping)
        else {}
    )
    screening = Screening(
        labs=labs,
        unknown=chances,
        max_wait_days=part.whole("max_wait_days", 90, low=0, high=36_500),
        run_in_days=part.whole("run_in_days", 0, low=0, high=36_500),
    )
    part.done()
    return screening


def _lab(part: Fields) -> Lab:
    lab = Lab(
        name=part.text("name"),
        codes=part.texts("codes"),
        low=part.number("low", -1e300),
        high=part.number("high", 1e300),
        analytical_cv=part.number("analytical_cv", 0.0, low=0, high=5),
        within_person_cv=part.number("within_person_cv", 0.0, low=0, high=5),
        decides=part.text("decides", "") or None,
        unmeasured=_lognormal(part, "unmeasured") if "unmeasured" in part else None,
    )
    part.take("unmeasured")
    part.done()
    if lab.low > lab.high:
        part.fault("low", f"{lab.low:g} is above `high` {lab.high:g}: nobody is eligible")
    return lab


def _arms(root: Fields) -> tuple[Arm, ...]:
    found: list[Arm] = []
    for part in root.each("arms"):
        arm = Arm(
            name=part.text("name"),
            ratio=part.whole("ratio", 1, low=1, high=100),
            hazard_ratio=part.number("hazard_ratio", 1.0, low=1e-3, high=1e3),
            delay_days=part.whole("delay_days", 0, low=0, high=36_500),
        )
        part.done()
        if arm.name in {other.name for other in found}:
            part.fault("name", f"the arm {arm.name!r} stands twice")
        found.append(arm)
    if not found:
        found = [Arm(name=name, ratio=1, hazard_ratio=1.0, delay_days=0) for name in ("control", "treatment")]
    return tuple(found)


def _block_sizes(part: Fields, arms: Sequence[Arm]) -> tuple[int, ...]:
    value = part.take("block_sizes")
    whole = sum(arm.ratio for arm in arms)
    if value is None:
        return (2 * whole,)
    sizes = value if isinstance(value, list | tuple) else [value]
    for place, size in enumerate(sizes):
        if isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= 1_000 or size % whole:
            part.fault(f"block_sizes[{place}]", f"expected a multiple of {whole}, the sum of the ratios, got {size!r}")
    return tuple(size for size in sizes if isinstance(size, int)) or (whole,)


def _endpoint(part: Fields) -> Endpoint:
    codes = part.texts("codes", ())
    endpoint = Endpoint(
        per_year=part.number("per_year", low=0.0, high=1e3) if "per_year" in part else None,
        table=part.text("table", "conditions", choices=ENDPOINT_TABLES),
        codes=codes,
        counts_death=part.flag("counts_death", default=False),
    )
    part.take("per_year")
    part.done()
    if endpoint.per_year is None and not codes and not endpoint.counts_death:
        part.fault("per_year", "expected a hazard `per_year`, `codes` of the records, or `counts_death: true`")
    if endpoint.per_year is not None and (codes or endpoint.counts_death):
        part.fault("per_year", "a hazard and the records cannot both say when the endpoint happens")
    return endpoint


def _follow_up(part: Fields) -> FollowUp:
    follow_up = FollowUp(
        days=part.whole("days", low=1, high=36_500) if "days" in part else None,
        events=part.whole("events", low=1) if "events" in part else None,
        dropout_per_year=part.number("dropout_per_year", 0.05, low=0.0, high=0.99),
        max_days=part.whole("max_days", 1_826, low=1, high=36_500),
    )
    part.take("days"), part.take("events")
    part.done()
    return follow_up


def _competing(root: Fields, sites: Sequence[Site]) -> tuple[Competitor, ...]:
    names = [site.name for site in sites]
    found = []
    for part in root.each("competing"):
        competitor = Competitor(
            name=part.text("name"),
            probability=part.number("probability", low=0.0, high=1.0),
            since=part.date("since", None),
            until=part.date("until", None),
            sites=part.texts("sites", (), choices=names),
        )
        part.done()
        if competitor.since and competitor.until and competitor.until < competitor.since:
            part.fault("until", f"{competitor.until} is before `since` {competitor.since}")
        found.append(competitor)
    return tuple(found)


def _costs(part: Fields) -> Costs:
    prices = {
        name: part.number(name, 0.0, low=0.0)
        for name in ("per_site", "per_site_month", "per_screening", "per_randomized", "per_follow_up_year")
    }
    costs = Costs(currency=part.text("currency", "USD"), **prices)
    part.done()
    return costs
