"""What is the same in all replicates of a trial, computed once: who lives where, their visits, their charts.

A replicate is then a handful of array operations on these. Visits are kept ascending by patient and day under one whole
number, `patient * STRIDE + day`, so that "the first visit after the site opens" is one binary search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.records import Records
from trajsim.records.table import text_parts
from trajsim.trials.recruitment.draws import id_of
from trajsim.trials.recruitment.eligibility import FALSE, TRUE, Answers, Eligibility
from trajsim.trials.recruitment.hazard import CumulativeHazard
from trajsim.trials.recruitment.people import NEVER, People, assign_sites, days_of, origin_of, people_of, texts_of
from trajsim.trials.recruitment.reasons import Reasons
from trajsim.trials.spec import TrialSpec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STRIDE: Final = 1 << 18
_DAY_US = 86_400_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """A trial and the people it may recruit.

    Attributes:
        spec: The trial.
        people: All patients of the Records.
        site: Site of each patient, -1 for none.
        distance_km: To that site; NaN if unknown.
        reasons: Names of what ends a candidacy.
        rule_names: Criteria that are applied, in order.
        visit_key: Visits of people who have a site, ascending by patient and day (`key`).
        visit_failed: First criterion that the chart denies at each visit, -1 for none.
        pass_key: The visits at which the chart denies none.
        pass_answers: Their answers, [n, n_rules].
        pass_labs: Last recorded value of each lab at each of them, NaN if there is none, [n_labs, n].
        donors: Recorded values by lab and sex (male, female), ascending, for people without one.
        event_key: Endpoints of the records, ascending by patient and day.
        hazard: Cumulative hazard of the endpoint without treatment.
        has_disease: Patients who had the disease at a visit.
        unknown_chances: By criterion, the chance that an answer which the chart does not hold turns out to be yes.
        site_ids: Ids under which sites draw.
        stratum_ids: Ids under which strata draw, [site, sex, age].
        resident: Patients who have a site.
        origin: First day of the trial, days since 1970-01-01.
        data_end: Last day of the records.
    """

    spec: TrialSpec
    people: People
    site: Ints
    distance_km: Floats
    reasons: Reasons
    rule_names: tuple[str, ...]
    visit_key: Ints
    visit_failed: NDArray[np.int16]
    pass_key: Ints
    pass_answers: Answers
    pass_labs: Floats
    donors: tuple[tuple[Floats, Floats], ...]
    event_key: Ints
    hazard: CumulativeHazard
    has_disease: NDArray[np.bool_]
    unknown_chances: tuple[float, ...]
    site_ids: NDArray[np.uint64]
    stratum_ids: NDArray[np.uint64]
    resident: Ints
    origin: int
    data_end: int

    def __len__(self) -> int:
        """How many people have a site."""
        return len(self.resident)

    def key(self, patient: Ints, day: Ints) -> Ints:
        """The number under which visits and events of patients on days of the trial, as the records have them, stand.

        Lives that lie later than in the records meet the trial on days before its start, so keys begin with these.
        """
        return patient * STRIDE + day + self.spec.spread_days

    def day_of(self, key: Ints) -> Ints:
        """Day of the trial of each key."""
        return key % STRIDE - self.spec.spread_days

    def next_event(self, patient: Ints, day: Ints) -> Ints:
        """Day of the first endpoint of the records after a day, death included if it counts; `NEVER` if none."""
        found = np.full(len(patient), NEVER, np.int64)
        if len(self.event_key):
            place = np.searchsorted(self.event_key, self.key(patient, day), side="right")
            key = self.event_key[np.minimum(place, len(self.event_key) - 1)]
            own = (place < len(self.event_key)) & (key // STRIDE == patient)
            found[own] = self.day_of(key[own])
        if self.spec.endpoint.counts_death:
            found = np.minimum(found, self.people.death_day[patient])
        return found


def build_world(spec: TrialSpec, records: Records, eligibility: Eligibility, *, seed: int) -> World:
    """Reads from Records what a trial needs of them.

    Args:
        spec: The trial.
        records: Simulated or real patients; nothing but their tables is used.
        eligibility: Criteria over the same Records.
        seed: Seed of the run: decides who lives in which catchment.

    Returns:
        What all replicates share.

    Raises:
        ConfigError: The trial and the Records do not go together; all faults at once.
    """
    faults: list[str] = []
    people = people_of(records, origin=origin_of(spec))
    site, away = assign_sites(people, spec, seed=seed)
    keys, times = _visits(spec, records, people, site)
    charts = _charts(spec, eligibility, keys, times, faults)
    labs, donors = _labs(spec, records, people, charts.pass_key, faults)
    events = _events(spec, records, people, faults)
    reachable = int((site >= 0).sum()) * spec.scale
    if spec.target > reachable:
        sentence = f"{spec.target} people, but only {reachable:g} live in the catchments of the sites"
        faults.append(f"$.recruitment.target: {sentence}")
    if faults:
        head = f"{len(faults)} fault{'s' if len(faults) != 1 else ''} of the trial on these Records"
        msg = "\n".join([head, *faults])
        raise ConfigError(msg)
    has_disease = np.zeros(len(people), np.bool_)
    has_disease[charts.diseased] = True
    world = World(
        spec=spec,
        people=people,
        site=site,
        distance_km=away,
        reasons=Reasons.of(charts.names, tuple(lab.name for lab in spec.screening.labs)),
        rule_names=charts.names,
        visit_key=keys,
        visit_failed=charts.failed,
        pass_key=charts.pass_key,
        pass_answers=charts.pass_answers,
        pass_labs=labs,
        donors=donors,
        event_key=events,
        hazard=CumulativeHazard.constant(spec.endpoint.per_year or 0.0),
        has_disease=has_disease,
        unknown_chances=charts.unknown_chances,
        site_ids=np.array([id_of(each.name) for each in spec.sites], np.uint64),
        stratum_ids=_stratum_ids(spec),
        resident=np.flatnonzero(site >= 0),
        origin=origin_of(spec),
        data_end=int(people.last_day.max(initial=0)),
    )
    return world if spec.endpoint.per_year is not None else _with_hazard(world)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Charts:
    """What the criteria say of the visits."""

    names: tuple[str, ...]
    failed: NDArray[np.int16]
    pass_key: Ints
    pass_answers: Answers
    unknown_chances: tuple[float, ...]
    diseased: Ints


def _charts(spec: TrialSpec, eligibility: Eligibility, keys: Ints, times: Ints, faults: list[str]) -> _Charts:
    names = tuple(eligibility.rule_names)
    faults += _rule_faults(spec, names)
    answers = eligibility.evaluate(keys // STRIDE, times)
    disease = [place for place, name in enumerate(names) if name in spec.disease]
    diseased = keys[(answers[:, disease] == TRUE).all(axis=1)] // STRIDE
    applied = [place for place, name in enumerate(names) if name not in spec.waived]
    answers = answers[:, applied]
    applied_names = tuple(names[place] for place in applied)
    denied = answers == FALSE
    failed = np.where(denied.any(axis=1), denied.argmax(axis=1), -1) if applied else np.full(len(keys), -1)
    passes = failed < 0
    return _Charts(
        names=applied_names,
        failed=failed.astype(np.int16),
        pass_key=keys[passes],
        pass_answers=answers[passes],
        unknown_chances=_unknown_chances(spec, applied_names, answers, passes, faults),
        diseased=diseased,
    )


def _rule_faults(spec: TrialSpec, names: Sequence[str]) -> list[str]:
    known = ", ".join(names) or "none"
    asked = [("$.waived", name) for name in spec.waived] + [("$.disease", name) for name in spec.disease]
    asked += [("$.screening.unknown", name) for name in spec.screening.unknown]
    asked += [
        (f"$.screening.labs[{n}].decides", lab.decides) for n, lab in enumerate(spec.screening.labs) if lab.decides
    ]
    return [f"{path}: no criterion {name!r}, expected one of {known}" for path, name in asked if name not in names]


def _visits(spec: TrialSpec, records: Records, people: People, site: Ints) -> tuple[Ints, Ints]:
    """Visits in the time of the trial of living people who have a site: one a patient and day, and its instant."""
    table = records["encounters"]
    patient = _rows_of(people, records.ids_of("encounters"))
    times = table.column("time").cast("int64").to_numpy()
    days = times // _DAY_US - origin_of(spec)
    keep = (patient >= 0) & (days >= -spec.spread_days) & (days < spec.n_days)
    keep &= (site[patient] >= 0) & (days < people.death_day[patient])
    if spec.visit_classes:
        keep &= np.isin(texts_of(table.column("encounter_class")).astype(str), spec.visit_classes)
    keys, times = patient[keep] * STRIDE + days[keep] + spec.spread_days, times[keep]
    order = np.lexsort((times, keys))
    keys, times = keys[order], times[order]
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    return keys[first], times[first]


def _rows_of(people: People, ids: NDArray[np.uint64]) -> Ints:
    """Row of each id among the patients; -1 where it is no patient."""
    order = np.argsort(people.patient_id, kind="stable")
    place = np.minimum(np.searchsorted(people.patient_id[order], ids), max(len(people) - 1, 0))
    rows = order[place] if len(people) else place
    return np.where(people.patient_id[rows] == ids, rows, -1) if len(people) else np.full(len(ids), -1)


def _unknown_chances(
    spec: TrialSpec, names: Sequence[str], answers: Answers, passes: NDArray[np.bool_], faults: list[str]
) -> tuple[float, ...]:
    """Given chances, or how often the charts that answer say yes."""
    measured = {lab.decides for lab in spec.screening.labs}
    chances = []
    for rule, name in enumerate(names):
        column = answers[:, rule]
        n_known, n_yes = int((column >= 0).sum()), int((column == TRUE).sum())
        if name in spec.screening.unknown:
            chances.append(float(spec.screening.unknown[name]))
            continue
        if n_known == 0 and name not in measured and bool((column[passes] < 0).any()):
            faults.append(f"$.screening.unknown: no chart answers {name!r}, so how often it is met must be given here")
        chances.append(n_yes / n_known if n_known else 0.0)
    return tuple(chances)


def _coded(records: Records, table: str, codes: Sequence[str]) -> NDArray[np.bool_]:
    """Rows of a table whose first code is one of some codes."""
    indices, _, dictionary = text_parts(records[table].column("code"))
    wanted = np.array([word in codes for word in dictionary.to_pylist()], np.bool_)
    return wanted[indices] if len(wanted) else np.zeros(len(indices), np.bool_)


def _labs(
    spec: TrialSpec, records: Records, people: People, pass_key: Ints, faults: list[str]
) -> tuple[Floats, tuple[tuple[Floats, Floats], ...]]:
    labs = spec.screening.labs
    found = np.full((len(labs), len(pass_key)), np.nan)
    donors = []
    for place, lab in enumerate(labs):
        keys, values = _values(spec, records, people, lab.codes)
        if len(keys):
            at = np.searchsorted(keys, pass_key, side="right") - 1
            own = (at >= 0) & (keys[np.maximum(at, 0)] // STRIDE == pass_key // STRIDE)
            found[place, own] = values[at[own]]
        patient = pass_key // STRIDE
        last = np.ones(len(patient), np.bool_)
        last[:-1] = patient[1:] != patient[:-1]
        known = last & ~np.isnan(found[place])
        female = people.is_female[patient]
        everyone = np.sort(found[place, known])
        by_sex = [np.sort(found[place, known & (female == sex)]) for sex in (False, True)]
        donors.append((by_sex[0] if len(by_sex[0]) else everyone, by_sex[1] if len(by_sex[1]) else everyone))
        if not len(keys) and lab.unmeasured is None:
            sentence = f"no record holds a value under the codes {', '.join(lab.codes)}"
            faults.append(f"$.screening.labs[{place}].codes: {sentence}; give `unmeasured`")
        elif not len(everyone) and lab.unmeasured is None and len(pass_key):
            sentence = "nobody whose chart passes has a value under these codes"
            faults.append(f"$.screening.labs[{place}].codes: {sentence}; give `unmeasured`")
    return found, tuple(donors)


def _values(spec: TrialSpec, records: Records, people: People, codes: Sequence[str]) -> tuple[Ints, Floats]:
    """Recorded numbers of some codes, ascending by patient and day; those before the trial have its first day."""
    rows = np.flatnonzero(_coded(records, "observations", codes))
    table = records["observations"].select(["patient_id", "time", "numeric_value"]).take(rows)
    values = table.column("numeric_value").fill_null(np.nan).to_numpy()
    patient = _rows_of(people, table.column("patient_id").to_numpy())
    times = table.column("time").cast("int64").to_numpy()
    keep = ~np.isnan(values) & (patient >= 0)
    days = times // _DAY_US - origin_of(spec) + spec.spread_days
    keys = patient * STRIDE + np.clip(days, 0, STRIDE - 1)
    order = np.lexsort((times[keep], keys[keep]))
    return keys[keep][order], values[keep][order]


def _events(spec: TrialSpec, records: Records, people: People, faults: list[str]) -> Ints:
    """Endpoints of the records after the start, ascending by patient and day."""
    endpoint = spec.endpoint
    if endpoint.per_year is not None or not endpoint.codes:
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(_coded(records, endpoint.table, endpoint.codes))
    if not len(rows):
        faults.append(f"$.endpoint.codes: no record of {endpoint.table} holds any of {', '.join(endpoint.codes)}")
    table = records[endpoint.table].select(["patient_id", "time"]).take(rows)
    patient = _rows_of(people, table.column("patient_id").to_numpy())
    days = days_of(table.column("time"), origin_of(spec))
    days = days + spec.spread_days
    keep = (patient >= 0) & (days >= 0) & (days < STRIDE)
    return np.unique(patient[keep] * STRIDE + days[keep])


def _with_hazard(world: World) -> World:
    """Estimates the hazard of the endpoint from the first visit at which each chart passes."""
    patient = world.pass_key // STRIDE
    first = np.ones(len(patient), np.bool_)
    first[1:] = patient[1:] != patient[:-1]
    patient, day = patient[first], world.day_of(world.pass_key[first])
    event = world.next_event(patient, day)
    end = np.minimum(world.people.last_day[patient], world.people.death_day[patient])
    is_event = event <= world.people.last_day[patient]
    length = np.where(is_event, event, end) - day
    watched = length > 0
    hazard = CumulativeHazard.estimated(length[watched].astype(np.float64), is_event[watched])
    return World(**{**vars(world), "hazard": hazard})


def _stratum_ids(spec: TrialSpec) -> NDArray[np.uint64]:
    ids = np.empty((len(spec.sites), 2, 2), np.uint64)
    for place, site in enumerate(spec.sites):
        for sex in (0, 1):
            for age in (0, 1):
                parts = {"site": site.name, "sex": f"sex {sex}", "age": f"age {age}"}
                ids[place, sex, age] = id_of(
                    "/".join(parts[name] for name in ("site", "sex", "age") if name in spec.strata)
                )
    return ids
