"""Values: quantiles of observations, spans and gaps; texts; deaths; totals a person.

A quantile is compared on the scale of shares: which share of our values lies below the reference's quantile. Values of
one person are alike, so the variance of that share is taken between persons. Where the reference's quantile is a value
that many have, any share between "below it" and "up to it" agrees.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.evaluate.parity.ages import N_STRATA, stratum_name
from trajsim.evaluate.parity.rates import by_stratum, compare_shares, key_of, relative, strata_of
from trajsim.evaluate.parity.reference import Reference
from trajsim.evaluate.parity.result import Comparison
from trajsim.evaluate.parity.statistics import Floats, person_variance, pooled_z, safe_divide, two_sided_p
from trajsim.evaluate.parity.tally import KINDS, Sample, Tally

LEAST_PERSONS = 20
"""Persons on each side from which on values are compared; counted as if all had equally many values."""
LEAST_IN_TAIL = 5.0
"""Of these persons, how many must lie beyond a quantile for it to be tested."""
LEAST_VALUES = 50
GATED_VALUES = 1000
"""Values on each side from which on a median counts for the gate."""

LEAST_MEDIANS = 100
"""Medians in a reference from which on its rounding is worth guessing."""

_MOSTLY = 0.85
_ON_GRID = 1e-6
_ROUNDING = 1e-5  # the reference's tables hold six digits
_COLUMN_OF_TOTAL = {"allergy": "allergys", "supply": "supplys", "imaging": "imagings"}
NOT_RECORDED = "none recorded"


@dataclass(frozen=True)
class Quantiles:
    """The reference's quantiles of one group.

    Attributes:
        levels: Shares, 0.5 among them.
        values: The quantiles.
        n: Values behind them.
        persons: Persons behind them; None if the reference does not say.
        a_person: Values of the person behind a value, on average (sum of squared counts / sum of counts): how much
            they cluster; None if the reference does not say, then as much as ours.
    """

    levels: Sequence[float]
    values: Sequence[float]
    n: int
    persons: int | None
    a_person: float | None = None


@dataclass(frozen=True)
class QuantileTest:
    """One group of ours against the reference's quantiles: z by level (positive: ours are higher)."""

    z: Mapping[float, float]
    median: float
    n: int
    persons: int


def quantile_tests(
    sample: Sample, targets: Mapping[int, Quantiles], *, n_ours: int, n_theirs: int
) -> Iterator[tuple[int, QuantileTest]]:
    """Compares groups of values with quantiles.

    Args:
        sample: Our values.
        targets: The reference's quantiles by group number.
        n_ours: Persons in our run.
        n_theirs: Persons in the reference.

    Yields:
        Group number and test, where both sides have enough values and persons.
    """
    wanted = np.isin(sample.group, np.fromiter(targets, np.int64, len(targets)))
    order = np.flatnonzero(wanted)
    order = order[np.lexsort((sample.person[order], sample.group[order]))]
    group, person, value = sample.group[order], sample.person[order], sample.value[order]
    if not len(group):
        return
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(group)], strict=True):
        target = targets[int(group[start])]
        one = _quantile_test(value[start:stop], person[start:stop], target, n_ours, n_theirs)
        if one is not None:
            yield int(group[start]), one


def _quantile_test(
    value: Floats, person: NDArray[np.int32], target: Quantiles, n_ours: int, n_theirs: int
) -> QuantileTest | None:
    first = np.flatnonzero(np.r_[True, person[1:] != person[:-1]])
    a_person = np.diff(np.r_[first, len(person)]).astype(np.float64)
    n_persons, weight = len(first), float((a_person**2).sum() / a_person.sum())
    their_persons = target.persons if target.persons is not None else n_persons * n_theirs / max(n_ours, 1)
    # Some have many more values than others; persons of equal weight would be fewer.
    their_weight = target.a_person
    if their_weight is None:
        their_weight = weight * (target.n / their_persons) / (len(value) / n_persons)
    effective = min(len(value) / weight, target.n / max(their_weight, 1.0))
    if effective < LEAST_PERSONS or min(len(value), target.n) < LEAST_VALUES:
        return None
    z: dict[float, float] = {}
    for level, quantile in zip(target.levels, target.values, strict=True):
        if min(level, 1.0 - level) * effective < LEAST_IN_TAIL:
            continue
        slack = abs(quantile) * _ROUNDING
        below, upto = value < quantile - slack, value <= quantile + slack
        share = float(np.clip(level, below.mean(), upto.mean()))
        inside = (below if share > level else upto).astype(np.float64)
        alike = _likeness(inside, first, a_person)
        parts = [
            (1.0 + alike * (max(each, 1.0) - 1.0)) / n for each, n in ((weight, len(value)), (their_weight, target.n))
        ]
        pooled = (share * len(value) + level * target.n) / (len(value) + target.n)
        error = np.sqrt(pooled * (1.0 - pooled) * sum(parts))
        z[level] = float(safe_divide(np.array([level - share]), np.array([error]))[0])
    return QuantileTest(z, float(np.median(value)), len(value), n_persons)


def _likeness(inside: Floats, first: NDArray[np.int64], a_person: Floats) -> float:
    """By how much values of one person are alike, 0 (not at all) to 1 (all on the same side).

    The variance of a share between persons is that of single values times 1 + likeness * (a - 1), with a the values of
    the person behind a value, on average.
    """
    own = float(inside.mean())
    weight = float((a_person**2).sum() / a_person.sum())
    if own in (0.0, 1.0) or weight <= 1.0:
        return 1.0
    spread = np.add.reduceat(inside, first) - own * a_person
    widening = float((spread**2).sum() / (a_person.sum() * own * (1.0 - own)))
    return float(np.clip((widening - 1.0) / (weight - 1.0), 0.0, 1.0))


def _quantile_comparison(
    measure: str, level: str, key: Mapping[str, str], label: str, target: Quantiles, test: QuantileTest
) -> Comparison:
    """The median, with the p of the worst of all quantiles (Bonferroni)."""
    middle = list(target.levels).index(0.5)
    p = two_sided_p(np.array(list(test.z.values())))
    return Comparison(
        level=level,
        measure=measure,
        key=key,
        label=label,
        ours=test.median,
        theirs=float(target.values[middle]),
        n_ours=test.n,
        n_theirs=target.n,
        z=test.z[0.5],
        p=float(min(1.0, p.min() * len(p))),
        effect=relative(test.median, float(target.values[middle])),
        is_gated=min(test.n, target.n) >= GATED_VALUES,
        detail={"z_of_quantiles": {f"{level:g}": z for level, z in test.z.items()}},
    )


def decimals_of(reference: Reference) -> int | None:
    """Decimals to which the reference rounded the values that it observed; None if it did not.

    Java Synthea's CSV files hold numbers with one decimal, and so do the quantiles of them. Most medians of the table
    say so (one between two values may have a decimal more).
    """
    medians = reference["observation_values"]["q50"].dropna().to_numpy(np.float64)
    if len(medians) < LEAST_MEDIANS:
        return None
    for decimals in (0, 1, 2):
        scaled = medians * 10.0**decimals
        if np.mean(np.abs(scaled - np.round(scaled)) < _ON_GRID) >= _MOSTLY:
            return decimals
    return None


def _rounded(sample: Sample, decimals: int | None) -> Sample:
    """Values rounded half up as the reference's were."""
    if decimals is None:
        return sample
    scale = 10.0**decimals
    return replace(sample, value=np.floor(sample.value * scale + 0.5) / scale)


def _values_a_person(events: pd.DataFrame, strata: NDArray[np.int64]) -> Callable[[str, int, float], float | None]:
    """How the reference's values cluster in persons, from the squared counts of its events.

    Returns:
        By code, stratum and number of values (a unit or an ending may be that of some events only): values of the
        person behind a value, on average.
    """
    sums: dict[tuple[str, int], tuple[float, float]] = {}
    rows = zip(events["code"], strata.tolist(), events["events"], events["sum_sq_per_person"], strict=True)
    for code, stratum, n, squares in rows:
        old = sums.get((code, stratum), (0.0, 0.0))
        sums[code, stratum] = (old[0] + float(n), old[1] + float(squares))

    def find(code: str, stratum: int, n: float) -> float | None:
        total, squares = sums.get((code, stratum), (0.0, 0.0))
        return max(1.0, squares / total * min(1.0, n / total)) if total else None

    return find


def compare_observations(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Quantiles of every numeric observation by sex and age."""
    frame = reference["observation_values"]
    numbers = {name: number for number, name in enumerate(tally.observations.names)}
    labels = {code: text for (kind, _, code), text in tally.displays.items() if kind == "observation"}
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    quantiles = frame[["q05", "q25", "q50", "q75", "q95"]].to_numpy(np.float64)
    targets: dict[int, Quantiles] = {}
    strata = strata_of(frame)
    events = reference["events_by_age_sex"]
    events = events[events["kind"] == "observation"]
    clusters = _values_a_person(events, strata_of(events))
    rows = zip(frame["code"], frame["units"], frame["n"].tolist(), frame["persons"].tolist(), strict=True)
    for row, (code, unit, n, persons) in enumerate(rows):
        series = numbers.get((code, unit))
        if series is not None and not np.isnan(quantiles[row]).any():
            group = series * N_STRATA + int(strata[row])
            a_person = clusters(str(code), int(strata[row]), float(n))
            targets[group] = Quantiles(levels, quantiles[row].tolist(), int(n), int(persons), a_person)
    sample = _rounded(tally.observations, decimals_of(reference))
    tests = quantile_tests(sample, targets, n_ours=tally.n_persons, n_theirs=reference.n_persons)
    for group, test in tests:
        code, unit = tally.observations.names[group // N_STRATA]
        key = {"code": code, "unit": unit, "stratum": stratum_name(group % N_STRATA)}
        label = labels.get(code, "")
        yield _quantile_comparison("observation values", "values", key, label, targets[group], test)


def compare_spans(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Days that conditions and medications were open, of those that were stopped."""
    numbers = {name: number for number, name in enumerate(tally.open_days.names)}
    targets: dict[int, Quantiles] = {}
    lives = reference["events_per_person"]
    for kind in ("condition", "medication"):
        frame = reference[f"{kind}_days"]
        own = lives[lives["kind"] == kind]
        clusters = _values_a_person(own, np.zeros(len(own), np.int64))
        quartiles = frame[["q25", "q50", "q75"]].to_numpy(np.float64)
        for row, (code, n) in enumerate(zip(frame["code"], frame["stopped"].tolist(), strict=True)):
            number = numbers.get((kind, code))
            if number is not None and not np.isnan(quartiles[row]).any():
                a_person = clusters(str(code), 0, float(n))
                targets[number] = Quantiles((0.25, 0.5, 0.75), quartiles[row].tolist(), int(n), None, a_person)
    for number, test in quantile_tests(tally.open_days, targets, n_ours=tally.n_persons, n_theirs=reference.n_persons):
        kind, code = tally.open_days.names[number]
        label = tally.displays.get((kind, "", code), "")
        key = key_of((kind, "", code))
        yield _quantile_comparison("days open", "codes", key, label, targets[number], test)


def compare_encounters(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Length of encounters, and days to the next of the class."""
    for table, measure, sample, levels in (
        ("encounter_minutes", "encounter minutes", tally.minutes, (0.05, 0.5, 0.95)),
        ("encounter_gaps", "days to the next encounter", tally.gaps, (0.05, 0.25, 0.5, 0.75, 0.95)),
    ):
        frame = reference[table]
        numbers = {name[0]: number for number, name in enumerate(sample.names)}
        values = frame[[f"q{round(100 * each):02d}" for each in levels]].to_numpy(np.float64)
        targets = {
            numbers[name]: Quantiles(levels, values[row].tolist(), int(n), None)
            for row, (name, n) in enumerate(zip(frame["class"], frame["n"].tolist(), strict=True))
            if name in numbers and not np.isnan(values[row]).any()
        }
        for number, test in quantile_tests(sample, targets, n_ours=tally.n_persons, n_theirs=reference.n_persons):
            name = sample.names[number][0]
            yield _quantile_comparison(measure, "values", {"class": name}, "", targets[number], test)


def compare_texts(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Share of persons that ever had a text as the value of an observation.

    Java writes a whole number that a module takes from an attribute as a text; ours is a number.
    """
    frame = reference["observation_texts"]
    labels = {code: text for (kind, _, code), text in tally.displays.items() if kind == "observation"}
    for code, value, persons in zip(frame["code"], frame["value"], frame["persons"].tolist(), strict=True):
        ours = tally.texts.get((code, value), (0, 0))[1]
        if not ours and value.isdecimal():
            ours = _persons_with_number(tally.observations, code, float(value))
        if ours + persons >= LEAST_PERSONS:
            yield compare_shares(
                "values", "persons with an observed text", {"code": code, "value": value}, labels.get(code, ""),
                (ours, tally.n_persons), (int(persons), reference.n_persons), is_gated=False,
            )  # fmt: skip


def _persons_with_number(sample: Sample, code: str, value: float) -> int:
    """Persons who had a number as the value of an observation, whatever its unit."""
    series = [number for number, name in enumerate(sample.names) if name[0] == code]
    if not series:
        return 0
    chosen = np.isin(sample.group // N_STRATA, np.array(series, np.int32)) & (sample.value == value)
    return len(np.unique(sample.person[chosen]))


def compare_deaths(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Deaths per person-year by sex and age, and by cause over all ages (weighted by the reference's person-years)."""
    frame = reference["deaths"]
    years = tally.persons.years().sum(axis=0), by_stratum(reference["time_at_risk"], "person_years")
    dead = np.flatnonzero(tally.persons.is_dead)
    place = tally.persons.at_end()[dead].astype(np.int64)
    ours = np.bincount(place, minlength=N_STRATA).astype(np.float64)
    theirs = by_stratum(frame, "n")
    for stratum in np.flatnonzero((ours + theirs >= LEAST_PERSONS) & (years[0] > 0.0)).tolist():
        only = np.arange(N_STRATA) == stratum
        key = {"stratum": stratum_name(stratum)}
        yield _death_comparison("deaths by age and sex", key, ours * only, theirs * only, years, only)
    causes = [tally.causes.get(int(person), "") or NOT_RECORDED for person in dead]
    own = {name: np.bincount(place[np.array(causes) == name], minlength=N_STRATA) for name in sorted({*causes})}
    their = {str(name): by_stratum(part, "n") for name, part in frame.groupby("cause", sort=True)}
    none = np.zeros(N_STRATA)
    every = np.ones(N_STRATA, np.bool_)
    yield _death_comparison("deaths by cause", {"cause": "all"}, ours, theirs, years, every)
    for name in sorted({*own, *their}):
        a, b = own.get(name, none).astype(np.float64), their.get(name, none)
        if a.sum() + b.sum() >= LEAST_PERSONS:
            yield _death_comparison("deaths by cause", {"cause": name}, a, b, years, every)


def _death_comparison(
    measure: str, key: Mapping[str, str], ours: Floats, theirs: Floats, years: tuple[Floats, Floats],
    strata: NDArray[np.bool_],
) -> Comparison:  # fmt: skip
    """Nobody dies twice, so deaths vary as Poisson counts do."""
    both = strata & (years[0] > 0.0) & (years[1] > 0.0)
    weight = np.where(both, years[1], 0.0) / max(years[1][both].sum(), 1e-9)
    safe = [np.where(both, each, 1.0) for each in years]
    rates = [float((weight * deaths / each).sum()) for deaths, each in zip((ours, theirs), safe, strict=True)]
    pooled = (ours + theirs) / (safe[0] + safe[1])
    error = np.sqrt((weight**2 * pooled * (1.0 / safe[0] + 1.0 / safe[1])).sum())
    z = safe_divide(np.array([rates[0] - rates[1]]), np.array([error]))
    return Comparison(
        level="values",
        measure=measure,
        key=key,
        label="",
        ours=rates[0],
        theirs=rates[1],
        n_ours=int(ours.sum()),
        n_theirs=int(theirs.sum()),
        z=float(z[0]),
        p=float(two_sided_p(z)[0]),
        effect=relative(*rates),
    )


def compare_totals(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Rows of every kind a person: mean, with the distributions' largest distance beside."""
    if reference.totals is None:
        return
    for kind in KINDS.values():
        column = _COLUMN_OF_TOTAL.get(kind, f"{kind}s")
        if column not in reference.totals.columns:
            continue
        ours = tally.totals[kind].astype(np.float64)
        theirs = reference.totals[column].to_numpy(np.float64)
        n = np.array([float(len(ours))]), np.array([float(len(theirs))])
        means = np.array([ours.mean()]), np.array([theirs.mean()])
        both = np.concatenate([ours, theirs])
        variance = person_variance(both.sum(), (both**2).sum(), np.array([float(len(both))]))
        z, _ = pooled_z(*means, variance, *n)
        yield Comparison(
            level="values",
            measure="rows per person",
            key={"kind": kind},
            label="",
            ours=float(means[0][0]),
            theirs=float(means[1][0]),
            n_ours=int(ours.sum()),
            n_theirs=int(theirs.sum()),
            z=float(z[0]),
            p=float(two_sided_p(z)[0]),
            effect=relative(float(means[0][0]), float(means[1][0])),
            is_gated=False,
            detail={"largest_distance": largest_distance(ours, theirs)},
        )


def largest_distance(first: Floats, second: Floats) -> float:
    """Largest vertical distance between two empirical distributions (Kolmogorov and Smirnov's D)."""
    points = np.unique(np.concatenate([first, second]))
    a = np.searchsorted(np.sort(first), points, side="right") / max(len(first), 1)
    b = np.searchsorted(np.sort(second), points, side="right") / max(len(second), 1)
    return float(np.abs(a - b).max(initial=0.0))
