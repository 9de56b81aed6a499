"""What a learned model must beat: a table of rates by age and sex, and a log-linear model of the state at entry (Cox+).

Both are fitted without privacy, so they are made anew for every comparison and never stand in a checkpoint. Time is cut
at every birthday and at every day with an event: age in whole years and what the patient has are constant in a stretch.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.event_sequences import EventSequences, Legality

DAYS_PER_YEAR = 365.25
N_DECADES = 12
BMI_CENTRE = 27.5
BMI_SPREAD = 5.0
RIDGE = 1.0

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselineScore:
    """How well a baseline foretells the events of n patients, given what was known at entry.

    Attributes:
        nll_events: [n] Negative log likelihood of events, hazards per year.
        expected: [n, K] Sum of hazard times exposure.
        observed: [n, K] First events that count.
    """

    nll_events: Floats
    expected: Floats
    observed: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stretches:
    """Time of n patients in s stretches, in which age in whole years and what a patient has do not change."""

    patient: NDArray[np.int64]
    age: NDArray[np.int64]
    years: Floats
    at_risk: Bools
    observed: Bools


def split_exposure(sequences: EventSequences, *, legality: Legality | None = None) -> _Stretches:
    """Cuts the time under observation at birthdays and at days with events.

    Args:
        sequences: Patients.
        legality: What may follow what; first occurrences when None.

    Returns:
        Stretches. An event counts at the end of a stretch if the patient was at risk of it and it is not forbidden.
    """
    n = len(sequences)
    entry_age = sequences.entry_age_days.astype(np.int64)
    end = sequences.follow_up_days.astype(np.int64)
    first_year = np.floor(entry_age / DAYS_PER_YEAR).astype(np.int64)
    n_years = np.floor((entry_age + end - 1) / DAYS_PER_YEAR).astype(np.int64) - first_year + 1
    owner = np.repeat(np.arange(n), n_years)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(n_years) - n_years, n_years)
    birthdays = np.ceil((first_year[owner] + within) * DAYS_PER_YEAR).astype(np.int64) - entry_age[owner]
    birthdays = np.maximum(birthdays, 0)
    has_event = sequences.events.any(axis=1)
    event_owner = sequences.patient_of_day[has_event]
    event_day = sequences.day[has_event].astype(np.int64)
    keys = np.concatenate([owner, event_owner]) * (1 << 32) + np.concatenate([birthdays, event_day])
    keys = np.unique(keys)
    patient, start = keys >> 32, keys & ((1 << 32) - 1)
    is_inside = start < end[patient]
    patient, start = patient[is_inside], start[is_inside]
    is_last = np.append(patient[1:] != patient[:-1], True)
    stop = np.where(is_last, end[patient], np.append(start[1:], 0))
    first = sequences.first_days().astype(np.int64)[patient]
    held = sequences.prevalent[patient] | ((first >= 0) & (first <= start[:, None]))
    legality = legality or Legality.first_occurrences(held.shape[1])
    at_risk = ~held & legality.legal(held)
    return _Stretches(
        patient=patient,
        age=np.floor((entry_age[patient] + start) / DAYS_PER_YEAR).astype(np.int64),
        years=(stop - start) / DAYS_PER_YEAR,
        at_risk=at_risk,
        observed=at_risk & (first == stop[:, None]) & ~_forbidden_first(sequences)[patient],
    )


def censored_after(sequences: EventSequences, *, n_days: int) -> EventSequences:
    """Ends observation of every patient after so many days with something: what a model with fixed rows can read.

    A comparison of likelihoods is fair only on the same part of a history.
    """
    is_cut = sequences.n_days > n_days
    if not is_cut.any():
        return sequences
    within = np.arange(len(sequences.day)) - np.repeat(sequences.offsets[:-1], sequences.n_days)
    kept = within < n_days
    counts = np.minimum(sequences.n_days, n_days)
    last = sequences.day[sequences.offsets[:-1][is_cut] + n_days - 1]
    follow_up = sequences.follow_up_days.copy()
    follow_up[is_cut] = last
    per_day = {name: getattr(sequences, name)[kept] for name in ("day", "is_visit", "events", "forbidden", "values")}
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return replace(sequences, offsets=offsets, follow_up_days=follow_up, **per_day)


def _forbidden_first(sequences: EventSequences) -> Bools:
    """[n, K] Whether the first event of a kind is one that the bound modules do not allow."""
    result = np.zeros(sequences.prevalent.shape, dtype=bool)
    rows, kinds = np.nonzero(sequences.forbidden)
    result[sequences.patient_of_day[rows], kinds] = True
    return result


def _score(stretches: _Stretches, rates: Floats, n: int) -> BaselineScore:
    """Sums over stretches, given the rate of every stretch and event."""
    expected = np.where(stretches.at_risk, rates * stretches.years[:, None], 0.0)
    log_rates = np.where(stretches.observed, np.log(np.maximum(rates, 1e-12)), 0.0)
    sums = np.zeros((n, rates.shape[1]))
    np.add.at(sums, stretches.patient, expected)
    observed = np.zeros_like(sums)
    np.add.at(observed, stretches.patient, stretches.observed.astype(np.float64))
    nll = np.bincount(stretches.patient, weights=(expected - log_rates).sum(axis=1), minlength=n)
    return BaselineScore(nll_events=np.asarray(nll, dtype=np.float64), expected=sums, observed=observed)


@dataclass(frozen=True, kw_only=True, eq=False)
class RateTable:
    """New cases a year by decade of attained age and sex.

    Attributes:
        rates: [K, decades, 2] Women first.
        legality: As in `fit_rate_table`.
    """

    rates: Floats
    legality: Legality | None = None

    def teacher_forced(self, sequences: EventSequences) -> BaselineScore:
        """Likelihood and expected counts of real histories."""
        stretches = split_exposure(sequences, legality=self.legality)
        sex = sequences.is_male[stretches.patient].astype(np.int64)
        rates = self.rates[:, np.minimum(stretches.age // 10, N_DECADES - 1), sex].T
        return _score(stretches, rates, len(sequences))


def fit_rate_table(train: EventSequences, *, legality: Legality | None = None, only_at_risk: bool = False) -> RateTable:
    """Fits rates by decade of age and sex: the shape in which a hand-written module holds them.

    Published tables of new cases count them per year of the whole population, those who have the disease among them,
    and so does this one, unless it is told not to. A cell counts half an event more than it saw, at the rate of all
    cells, so that no cell says never.

    Args:
        train: Patients to fit on.
        legality: What may follow what; first occurrences when None.
        only_at_risk: Count years of those alone to whom the event can come: a better table.

    Raises:
        ConfigError: There are no patients.
    """
    _require_patients(train)
    stretches = split_exposure(train, legality=legality)
    cell = np.minimum(stretches.age // 10, N_DECADES - 1) * 2 + train.is_male[stretches.patient]
    n_kinds = stretches.at_risk.shape[1]
    rates = np.empty((n_kinds, N_DECADES, 2))
    for kind in range(n_kinds):
        weights = stretches.years * stretches.at_risk[:, kind] if only_at_risk else stretches.years
        years = np.bincount(cell, weights=weights, minlength=2 * N_DECADES)
        events = np.bincount(cell, weights=stretches.observed[:, kind].astype(float), minlength=2 * N_DECADES)
        overall = (events.sum() + 0.5) / max(years.sum(), 1.0)
        rates[kind] = ((events + 0.5) / (years + 0.5 / overall)).reshape(N_DECADES, 2)
    return RateTable(rates=rates, legality=legality)


def fit_constant_rates(train: EventSequences, *, legality: Legality | None = None) -> RateTable:
    """One rate an event for everybody: from here on, every gain is a gain.

    Args:
        train: Patients to fit on.
        legality: What may follow what; first occurrences when None.

    Raises:
        ConfigError: There are no patients.
    """
    _require_patients(train)
    stretches = split_exposure(train, legality=legality)
    years = stretches.years @ stretches.at_risk
    rates = (stretches.observed.sum(axis=0) + 0.5) / np.maximum(years, 1.0)
    return RateTable(rates=np.tile(rates[:, None, None], (1, N_DECADES, 2)), legality=legality)


@dataclass(frozen=True, kw_only=True, eq=False)
class CoxPlus:
    """Log rates linear in age, sex and the state at entry.

    Attributes:
        weights: [K, features] In the order of `_features`.
        mean: [features] What is taken from every feature.
        scale: [features] What it is then divided by.
        legality: As in `fit_cox_plus`.
    """

    weights: Floats
    mean: Floats
    scale: Floats
    legality: Legality | None = None

    def teacher_forced(self, sequences: EventSequences) -> BaselineScore:
        """Likelihood and expected counts of real histories."""
        stretches = split_exposure(sequences, legality=self.legality)
        features = (_features(sequences, stretches.patient, stretches.age) - self.mean) / self.scale
        log_rates = np.clip(features @ self.weights.T, -25.0, 5.0)
        return _score(stretches, np.exp(log_rates), len(sequences))

    def risk(self, sequences: EventSequences, *, years: int = 5) -> Floats:
        """[n, K] Hazard integrated from entry over some years, as if nothing came between."""
        total = np.zeros((len(sequences), self.weights.shape[0]))
        age = np.floor(sequences.entry_age_days / DAYS_PER_YEAR).astype(np.int64)
        everyone = np.arange(len(sequences))
        for year in range(years):
            features = (_features(sequences, everyone, age + year) - self.mean) / self.scale
            total += np.exp(np.clip(features @ self.weights.T, -25.0, 5.0))
        return total


def _features(sequences: EventSequences, patient: NDArray[np.int64], age: NDArray[np.int64]) -> Floats:
    """[s, features] Constant; age, its square, sex, age x sex; conditions, BMI and labs at entry, what is missing."""
    decades = (age + 0.5 - 50.0) / 10.0
    is_male = sequences.is_male[patient].astype(np.float64)
    bmi = (sequences.bmi - BMI_CENTRE) / BMI_SPREAD
    at_entry = [sequences.prevalent.astype(np.float64), np.nan_to_num(bmi)[:, None], np.isnan(bmi)[:, None]]
    for index, lab in enumerate(sequences.vocabulary.labs):
        is_missing = np.isnan(sequences.entry_values[:, index])
        values = lab.scaled(np.where(is_missing, lab.high, sequences.entry_values[:, index]))
        at_entry += [np.where(is_missing, 0.0, values)[:, None], is_missing[:, None]]
    moving = np.column_stack([np.ones(len(age)), decades, decades**2, is_male, is_male * decades])
    return np.hstack([moving, np.hstack([block.astype(np.float64) for block in at_entry])[patient]])


def fit_cox_plus(train: EventSequences, *, legality: Legality | None = None) -> CoxPlus:
    """Fits one Poisson regression an event, with proportional hazards and a light ridge.

    Args:
        train: Patients to fit on.
        legality: What may follow what; first occurrences when None.

    Raises:
        ConfigError: There are no patients.
    """
    _require_patients(train)
    stretches = split_exposure(train, legality=legality)
    raw = _features(train, stretches.patient, stretches.age)
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    mean[0], scale[scale < 1e-9] = 0.0, 1.0
    features = (raw - mean) / scale
    weights = [
        _fit_poisson(
            features[stretches.at_risk[:, kind]],
            stretches.observed[stretches.at_risk[:, kind], kind].astype(np.float64),
            stretches.years[stretches.at_risk[:, kind]],
        )
        for kind in range(stretches.at_risk.shape[1])
    ]
    return CoxPlus(weights=np.array(weights), mean=mean, scale=scale, legality=legality)


def _fit_poisson(features: Floats, events: Floats, years: Floats, *, n_steps: int = 30) -> Floats:
    """Newton steps on the penalised likelihood, halved where they do not help."""
    n_features = features.shape[1]
    start = np.zeros(n_features)
    start[0] = np.log((events.sum() + 0.5) / max(years.sum(), 1.0))
    penalty = np.full(n_features, RIDGE)
    penalty[0] = 0.5  # half an event: a constant of an event that never came stays finite

    def loss(weights: Floats) -> float:
        log_rates = np.clip(features @ weights, -25.0, 5.0)
        fit = float(np.sum(years * np.exp(log_rates)) - np.sum(events * log_rates))
        return fit + 0.5 * float(np.sum(penalty * (weights - start) ** 2))

    weights, best = start, loss(start)
    for _ in range(n_steps):
        expected = years * np.exp(np.clip(features @ weights, -25.0, 5.0))
        gradient = features.T @ (expected - events) + penalty * (weights - start)
        hessian = (features * expected[:, None]).T @ features + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-4 and loss(weights - size * step) > best:
            size /= 2
        candidate = loss(weights - size * step)
        if candidate > best:
            break
        weights, gained, best = weights - size * step, best - candidate, candidate
        if gained < 1e-7 * (1.0 + abs(best)):
            break
    return weights


def _require_patients(train: EventSequences) -> None:
    if len(train) == 0:
        msg = "baselines are fitted on training patients, and there are none"
        raise ConfigError(msg)
