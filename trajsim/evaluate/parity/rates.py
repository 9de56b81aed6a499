"""Codes: how often, in whom, open when, and for how long, ours beside the reference's.

Rates are compared stratum by stratum of sex and age, and over a life: then the strata are weighted by the reference's
person-years, so that ages that differ between the two populations do not count as a difference of rates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trajsim.evaluate.parity.ages import N_STRATA, stratum_name, stratum_of
from trajsim.evaluate.parity.reference import Reference
from trajsim.evaluate.parity.result import Comparison
from trajsim.evaluate.parity.statistics import Floats, person_variance, pooled_z, safe_divide, two_sided_p
from trajsim.evaluate.parity.tally import Code, Tally

LEAST_EVENTS = 20
"""Events on both sides together from which on a code is compared."""


@dataclass(frozen=True, kw_only=True)
class CodeTable:
    """Events of both sides by code (row) and stratum (column).

    Attributes:
        codes: Kind, class and code of each row.
        labels: The same in words.
        ours, theirs: Events.
        our_squares, their_squares: Sums over persons of squared counts.
        our_years, their_years: Person-years by stratum.
        our_reached, their_reached: Persons who reached each stratum.
        spread_of_years: Variance between our persons of the years that they spend in each stratum.
        our_row: Row by number of the code in the tally.
    """

    codes: list[Code]
    labels: list[str]
    ours: Floats
    theirs: Floats
    our_squares: Floats
    their_squares: Floats
    our_years: Floats
    their_years: Floats
    our_reached: Floats
    their_reached: Floats
    spread_of_years: Floats
    our_row: NDArray[np.int64]

    @property
    def totals(self) -> tuple[Floats, Floats]:
        """Events of each code, ours and theirs."""
        return self.ours.sum(axis=1), self.theirs.sum(axis=1)

    @property
    def weights(self) -> Floats:
        """Share of the reference's person-years in each stratum that both sides have."""
        years = np.where(self.our_years > 0.0, self.their_years, 0.0)
        shares: Floats = years / max(float(years.sum()), 1e-9)
        return shares


def key_of(code: Code) -> dict[str, str]:
    """The key of a comparison of a code."""
    return {"kind": code[0], "class": code[1], "code": code[2]}


def strata_of(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Stratum of each row of a reference table."""
    pairs = zip(frame["sex"].tolist(), frame["age_from"].tolist(), strict=True)
    return np.array([stratum_of(sex, int(age)) for sex, age in pairs], np.int64)


def by_stratum(frame: pd.DataFrame, column: str) -> Floats:
    """A column of a reference table that has one row a stratum, summed by stratum."""
    return np.bincount(strata_of(frame), frame[column].to_numpy(np.float64), minlength=N_STRATA).astype(np.float64)


def build_code_table(tally: Tally, reference: Reference) -> CodeTable:
    """Puts events of both sides on the same rows and columns."""
    frame = reference["events_by_age_sex"]
    keys: list[Code] = list(zip(frame["kind"], frame["class"], frame["code"], strict=True))
    rows = {code: row for row, code in enumerate(sorted({*keys, *tally.codes}))}
    theirs, their_squares = (np.zeros((len(rows), N_STRATA)) for _ in range(2))
    place = np.array([rows[key] for key in keys], np.int64), strata_of(frame)
    np.add.at(theirs, place, frame["events"].to_numpy(np.float64))
    np.add.at(their_squares, place, frame["sum_sq_per_person"].to_numpy(np.float64))
    our_row = np.array([rows[code] for code in tally.codes], np.int64)
    ours, our_squares = (np.zeros((len(rows), N_STRATA)) for _ in range(2))
    if len(tally.code):
        np.add.at(ours, (our_row[tally.code], tally.stratum), tally.count)
        np.add.at(our_squares, (our_row[tally.code], tally.stratum), tally.count.astype(np.float64) ** 2)
    names = reference["codes"]
    wording = dict(zip(zip(names["kind"], names["class"], names["code"], strict=True), names["display"], strict=True))
    codes = list(rows)
    years = tally.persons.years()
    reached = tally.persons.reached().astype(np.float64)
    return CodeTable(
        codes=codes,
        labels=[wording.get(code) or tally.displays.get(code, "") for code in codes],
        ours=ours,
        theirs=theirs,
        our_squares=our_squares,
        their_squares=their_squares,
        our_years=years.sum(axis=0),
        their_years=by_stratum(reference["time_at_risk"], "person_years"),
        our_reached=reached,
        their_reached=by_stratum(reference["time_at_risk"], "persons"),
        spread_of_years=person_variance(years.sum(axis=0), (years**2).sum(axis=0), reached),
        our_row=our_row,
    )


def influences(table: CodeTable, tally: Tally) -> Floats:
    """How much each person (column) moves the standardised rate of each code (row), from its expectation.

    With a_s = weight of stratum s / our person-years in it, a person's influence on sum_s a_s events_s is
    sum_s a_s (events_is - rate_s years_is). Their squares give the variance, correlation between ages included.
    """
    scale = safe_divide(table.weights, table.our_years)
    scale[table.our_years <= 0.0] = 0.0
    result = np.zeros((len(table.codes), tally.n_persons))
    if len(tally.code):
        np.add.at(result, (table.our_row[tally.code], tally.person), tally.count * scale[tally.stratum])
    expected = safe_divide(table.ours, np.maximum(table.our_years, 1e-9)) * scale
    result -= expected @ tally.persons.years().T
    return result


def compare_rates(table: CodeTable, influence: Floats, *, n_theirs: int) -> Iterator[Comparison]:
    """Standardised events per person-year of every code with enough events, over the whole life.

    The variance between persons is pooled stratum by stratum; what events of one person at different ages have in
    common widens it by the factor that our persons show.
    """
    ours, theirs = table.totals
    weights = table.weights
    per_year = safe_divide(weights, table.our_years), safe_divide(weights, table.their_years)
    rates = [
        (events * np.where(weights > 0.0, factor, 0.0)).sum(axis=1)
        for events, factor in zip((table.ours, table.theirs), per_year, strict=True)
    ]
    variance = stratum_variance(table)
    parts = [
        np.where(weights > 0.0, factor, 0.0) ** 2 * reached
        for factor, reached in zip(per_year, (table.our_reached, table.their_reached), strict=True)
    ]
    widening = life_widening(table, influence, parts[0])
    error = np.sqrt(widening * (variance @ parts[0] + variance @ parts[1]))
    z = safe_divide(rates[0] - rates[1], error)
    p = two_sided_p(z)
    crude = np.array(ours) / max(influence.shape[1], 1), theirs / max(n_theirs, 1)
    for row in np.flatnonzero(ours + theirs >= LEAST_EVENTS).tolist():
        yield Comparison(
            level="codes",
            measure="events per person-year",
            key=key_of(table.codes[row]),
            label=table.labels[row],
            ours=float(rates[0][row]),
            theirs=float(rates[1][row]),
            n_ours=int(ours[row]),
            n_theirs=int(theirs[row]),
            z=float(z[row]),
            p=float(p[row]),
            effect=relative(float(rates[0][row]), float(rates[1][row])),
            detail={"per_person_ours": float(crude[0][row]), "per_person_theirs": float(crude[1][row])},
        )


def stratum_variance(table: CodeTable) -> Floats:
    """Variance between persons of the events in a stratum, both sides together.

    Where everybody has as many (one blood count in the first year), a rate still varies with the years that persons
    spend there, so that is the least it can be.
    """
    events, reached = table.ours + table.theirs, table.our_reached + table.their_reached
    variance: Floats = person_variance(events, table.our_squares + table.their_squares, reached)
    return np.maximum(variance, _least_variance(table, events, table.our_years + table.their_years))


def _least_variance(table: CodeTable, events: Floats, years: Floats) -> Floats:
    """Variance of a constant rate's expectation."""
    rate = np.divide(events, years, out=np.zeros_like(events), where=years > 0.0)
    least: Floats = rate**2 * table.spread_of_years
    return least


def life_widening(table: CodeTable, influence: Floats, part: Floats) -> Floats:
    """Our variance over whole lives, divided by what it were if the ages of a person were independent."""
    own = person_variance(table.ours, table.our_squares, table.our_reached)
    apart = np.maximum(own, _least_variance(table, table.ours, table.our_years)) @ part
    together = (influence**2).sum(axis=1)
    n_events = table.ours.sum(axis=1)
    known = (apart > 0.0) & (n_events >= LEAST_EVENTS)
    result = np.ones(len(apart))
    result[known] = together[known] / apart[known]
    return result


def compare_strata(table: CodeTable) -> Iterator[Comparison]:
    """Events per person-year in one stratum of sex and age, where there are enough."""
    events = table.ours + table.theirs
    both = (table.our_years > 0.0) & (table.their_years > 0.0)
    rates = [
        np.divide(part, years, out=np.zeros_like(part), where=years > 0.0)
        for part, years in ((table.ours, table.our_years), (table.theirs, table.their_years))
    ]
    variance = stratum_variance(table)
    shares = [
        np.divide(reached, years**2, out=np.zeros(N_STRATA), where=both)
        for years, reached in ((table.our_years, table.our_reached), (table.their_years, table.their_reached))
    ]
    z = np.where(both, safe_divide(rates[0] - rates[1], np.sqrt(variance * (shares[0] + shares[1]))), 0.0)
    rows, columns = np.nonzero((events >= LEAST_EVENTS) & both)
    p = two_sided_p(z[rows, columns])
    for number, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        ours, theirs = float(rates[0][row, column]), float(rates[1][row, column])
        yield Comparison(
            level="codes",
            measure="events per person-year by age and sex",
            key={**key_of(table.codes[row]), "stratum": stratum_name(column)},
            label=table.labels[row],
            ours=ours,
            theirs=theirs,
            n_ours=int(table.ours[row, column]),
            n_theirs=int(table.theirs[row, column]),
            z=float(z[row, column]),
            p=float(p[number]),
            effect=relative(ours, theirs),
        )


def compare_persons_ever(table: CodeTable, tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Share of persons with a code at least once; not standardised, so it needs the same ages on both sides."""
    frame = reference["events_per_person"]
    theirs = {
        (kind, group, code): int(n)
        for kind, group, code, n in zip(
            frame["kind"], frame["class"], frame["code"], frame["persons_ever"], strict=True
        )
    }
    pairs = np.unique(tally.code * max(tally.n_persons, 1) + tally.person) // max(tally.n_persons, 1)
    counted = np.bincount(pairs, minlength=len(tally.codes))
    ours = {code: int(n) for code, n in zip(tally.codes, counted.tolist(), strict=True)}
    labels = dict(zip(table.codes, table.labels, strict=True))
    for code in sorted({*ours, *theirs}):
        n_ours, n_theirs = ours.get(code, 0), theirs.get(code, 0)
        if n_ours + n_theirs >= LEAST_EVENTS:
            yield compare_shares(
                "codes", "persons ever", key_of(code), labels.get(code, ""),
                (n_ours, tally.n_persons), (n_theirs, reference.n_persons), is_gated=False,
            )  # fmt: skip


def compare_prevalence(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Share of the living with a condition open at the end, strata weighted by the reference's living."""
    frame = reference["condition_point_prevalence"]
    theirs: dict[str, Floats] = {
        str(code): by_stratum(part, "persons") for code, part in frame.groupby("code", sort=True)
    }
    living = by_stratum(reference["living_at_end"], "living")
    ours_living = np.bincount(
        tally.persons.at_end()[~tally.persons.is_dead].astype(np.int64), minlength=N_STRATA
    ).astype(np.float64)
    both = (living > 0.0) & (ours_living > 0.0)
    weight = np.where(both, living, 0.0) / max(living[both].sum(), 1.0)
    none = np.zeros(N_STRATA)
    labels = {code: text for (kind, _, code), text in _wording(tally, reference).items() if kind == "condition"}
    for code in sorted({*theirs, *tally.prevalent}):
        a, b = tally.prevalent.get(code, none).astype(np.float64), theirs.get(code, none)
        if a.sum() + b.sum() < LEAST_EVENTS:
            continue
        pooled = safe_divide(a + b, ours_living + living)
        variance = pooled * (1.0 - pooled) * weight**2
        error = np.sqrt((variance * np.where(both, safe_divide(np.ones(N_STRATA), ours_living), 0.0)).sum()
                        + (variance * np.where(both, safe_divide(np.ones(N_STRATA), living), 0.0)).sum())  # fmt: skip
        rates = [
            float((weight * np.where(both, safe_divide(n, m), 0.0)).sum()) for n, m in ((a, ours_living), (b, living))
        ]
        z = safe_divide(np.array([rates[0] - rates[1]]), np.array([error]))
        yield Comparison(
            level="codes",
            measure="point prevalence",
            key=key_of(("condition", "", code)),
            label=labels.get(code, ""),
            ours=rates[0],
            theirs=rates[1],
            n_ours=int(a.sum()),
            n_theirs=int(b.sum()),
            z=float(z[0]),
            p=float(two_sided_p(z)[0]),
            effect=relative(rates[0], rates[1]),
        )


def compare_stopped(tally: Tally, reference: Reference) -> Iterator[Comparison]:
    """Share of conditions and medications that were stopped; not standardised.

    Who has many entries of a code has at most a few that are open, so the variance is one between our persons; theirs
    are taken to vary likewise, with as many more or fewer entries a person as their squared counts show.
    """
    labels = _wording(tally, reference)
    groups = {name: number for number, name in enumerate(tally.open_days.names)}
    numbers = {(code[0], code[2]): number for number, code in enumerate(tally.codes)}
    lives = reference["events_per_person"]
    pairs = zip(lives["kind"], lives["code"], lives["events"], lives["sum_sq_per_person"], strict=True)
    weights = {(kind, code): float(squares) / max(float(n), 1.0) for kind, code, n, squares in pairs}
    for kind in ("condition", "medication"):
        frame = reference[f"{kind}_days"]
        for code, n, n_stopped in zip(frame["code"], frame["n"], frame["stopped"], strict=True):
            group = groups.get((kind, code))
            entries = tally.n_spans.get((kind, code), 0)
            if group is None or entries < LEAST_EVENTS or n < LEAST_EVENTS:
                continue
            chosen = tally.code == numbers[kind, code]
            every = np.bincount(tally.person[chosen], tally.count[chosen], tally.n_persons).astype(np.float64)
            ended = np.bincount(tally.open_days.person[tally.open_days.group == group], minlength=tally.n_persons)
            widening = _share_widening(every, ended.astype(np.float64), weights.get((kind, code), 1.0))
            yield compare_shares(
                "codes", "share stopped", key_of((kind, "", code)), labels.get((kind, "", code), ""),
                (int(ended.sum()), entries), (int(n_stopped), int(n)), is_gated=False,
                widening=widening,
            )  # fmt: skip


def _share_widening(every: Floats, hits: Floats, their_weight: float) -> tuple[float, float]:
    """By what the binomial variance of a share of entries is multiplied, as entries of one person are alike.

    Args:
        every: Entries of each of our persons.
        hits: Those of them that are counted.
        their_weight: Entries of the person behind an entry of the reference, on average.

    Returns:
        For our share and for theirs; at least 1.
    """
    n = float(every.sum())
    own, weight = float(hits.sum()) / n, float((every**2).sum()) / n
    if own in (0.0, 1.0) or weight <= 1.0:
        return 1.0, 1.0
    widening = max(float(((hits - own * every) ** 2).sum()) / (n * own * (1.0 - own)), 1.0)
    return widening, max(1.0 + (widening - 1.0) * (their_weight - 1.0) / (weight - 1.0), 1.0)


def compare_shares(
    level: str, measure: str, key: Mapping[str, str], label: str, ours: tuple[int, int], theirs: tuple[int, int],
    *, is_gated: bool, widening: tuple[float, float] = (1.0, 1.0),
) -> Comparison:  # fmt: skip
    """Two shares, each (hits, all); their binomial variances are multiplied by `widening`."""
    share = [hits / max(n, 1) for hits, n in (ours, theirs)]
    pooled = (ours[0] + theirs[0]) / max(ours[1] + theirs[1], 1)
    z, _ = pooled_z(
        np.array([share[0]]), np.array([share[1]]), np.array([pooled * (1.0 - pooled)]),
        np.array([ours[1] / widening[0]]), np.array([theirs[1] / widening[1]]),
    )  # fmt: skip
    return Comparison(
        level=level,
        measure=measure,
        key=key,
        label=label,
        ours=share[0],
        theirs=share[1],
        n_ours=ours[0],
        n_theirs=theirs[0],
        z=float(z[0]),
        p=float(two_sided_p(z)[0]),
        effect=relative(share[0], share[1]),
        is_gated=is_gated,
    )


def relative(ours: float, theirs: float) -> float:
    """How much more we have, as a share of theirs; infinite where they have none."""
    if theirs == 0.0:
        return 0.0 if ours == 0.0 else float("inf")
    return ours / theirs - 1.0


def _wording(tally: Tally, reference: Reference) -> dict[Code, str]:
    names = reference["codes"]
    pairs = zip(names["kind"], names["class"], names["code"], names["display"], strict=True)
    return {**tally.displays, **{(kind, group, code): display for kind, group, code, display in pairs if display}}
