"""Vaccines: the schedule, given at every visit that the encounter module makes, and COVID-19.

Source: docs/draws.md 10.3 and 10.5.
"""

import numpy as np

from trajsim.engine.events import (
    SOURCE_COVID_ENCOUNTER,
    SOURCE_COVID_JANSSEN,
    SOURCE_COVID_MODERNA,
    SOURCE_COVID_PFIZER,
    SOURCE_VACCINE_FIRST,
    STREAM_COVID,
    STREAM_IMMUNIZATIONS,
    EncounterClass,
    EventKind,
)
from trajsim.engine.kernels.encounters import attach, close_encounter, create_encounter, release
from trajsim.engine.kernels.lifecycle.draws import BOOLEAN, is_active, keyed, lifecycle_id, put_attribute
from trajsim.engine.kernels.slots import DAY, NEVER, age_in_months, emit, instant_of_age
from trajsim.engine.lifecycle_slots import Attribute
from trajsim.streams.jit import jit

IMMUNIZATION = int(EventKind.IMMUNIZATION)
CONDITION = int(EventKind.CONDITION)
OUTPATIENT = int(EncounterClass.OUTPATIENT)
A_FULLY = int(Attribute.FULLY_VACCINATED)

LATE_MONTHS = 48

NOT_ELIGIBLE, WAITING, LATE, ABSTAINS, FIRST, DONE = range(6)
HALF_DAY = DAY // 2
FIRST_DAY = 1_607_688_000_000  # 2020-12-11T12:00Z
MODERNA_FROM = 1_608_292_800_000  # 2020-12-18T12:00Z
JANSSEN_AFTER = 1_614_427_200_000  # 2021-02-27T12:00Z
TWELVE_FROM = 1_620_648_000_000  # 2021-05-10T12:00Z
LATE_FROM = 1_631_620_800_000  # 2021-09-14T12:00Z
BANDS = (12, 16, 18, 30, 40, 50, 65, 75)

ID_DECIDE = lifecycle_id("covid decide")
ID_DAY = lifecycle_id("covid day")
ID_VACCINE = lifecycle_id("covid vaccine")
ID_LATE = lifecycle_id("covid late")


@jit
def _is_due(x, Z, first, last, doses, given, months):
    """Whether the next dose of a series is due at an age."""
    left = first
    while left < last and months - Z[left] >= LATE_MONTHS:
        left += 1
    for k in range(given):
        if left < last and 0 <= x.dose_months[doses + k] - Z[left] < LATE_MONTHS:
            left += 1
    return left < last and Z[left] <= months


@jit
def immunize(h, Z, x, E, C, t):
    """Gives every dose that is due."""
    months = age_in_months(x, t)
    for v in range(h.n_vaccines):
        base = h.z_vaccines + 3 * v  # first instant, first and last age of the schedule
        first, last = Z[base + 1], Z[base + 2]
        given = x.dose_count[v]
        if t < Z[base] or given >= last - first:
            continue
        doses = first - h.z_schedule
        if _is_due(x, Z, first, last, doses, given, months):
            x.dose_months[doses + given] = months
            x.dose_count[v] = given + 1
            where = attach(x, C, t)
            series = np.float64(given + 1)
            emit(h, x, E, IMMUNIZATION, SOURCE_VACCINE_FIRST + v, t, series, where, -1, 0, STREAM_IMMUNIZATIONS)


@jit
def _band_of(years):
    band = 0
    for k in range(8):
        if years >= BANDS[k]:
            band = k
    return band


@jit
def _day_of_shot(h, D, x, band, u):
    """Instant of a first dose by the doses that the band got each day."""
    total = 0.0
    for k in range(h.n_covid_days):
        if band > 0 or D[h.d_covid + 9 * k] + HALF_DAY >= TWELVE_FROM:
            total += D[h.d_covid + 9 * k + 1 + band]
    running = 0.0
    for k in range(h.n_covid_days):
        at = h.d_covid + 9 * k
        if band > 0 or D[at] + HALF_DAY >= TWELVE_FROM:
            running += D[at + 1 + band]
            if u * total < running:
                return np.int64(D[at]) + HALF_DAY
    return np.int64(D[h.d_covid + 9 * (h.n_covid_days - 1)]) + HALF_DAY


@jit
def _schedule(h, x, date):
    x.covid_status = WAITING
    x.covid_date = date
    u = keyed(x, ID_VACCINE, 0, 0, 0)
    if date < MODERNA_FROM:
        x.covid_vaccine = 0
    elif date <= JANSSEN_AFTER:
        x.covid_vaccine = 0 if u < 0.5 else 1
    elif u < 0.531:
        x.covid_vaccine = 0
    else:
        x.covid_vaccine = 1 if u < 0.929 else 2


@jit
def _vaccinate(h, x, E, C, dose, t):
    source = SOURCE_COVID_PFIZER
    if x.covid_vaccine == 1:
        source = SOURCE_COVID_MODERNA
    elif x.covid_vaccine == 2:
        source = SOURCE_COVID_JANSSEN
    free = x.owner < 0
    if free:
        event = create_encounter(h, x, E, C, SOURCE_COVID_ENCOUNTER, OUTPATIENT, t, STREAM_COVID)
        E[x.e0 + event].ref = -1
    emit(h, x, E, IMMUNIZATION, source, t, np.float64(dose), attach(x, C, t), -1, 0, STREAM_COVID)
    k = x.n_encounters - 1
    while k >= 0 and (C[k].open == 0 or C[k].klass != OUTPATIENT):
        k -= 1
    if k >= 0:
        close_encounter(h, x, E, C, OUTPATIENT, t, -1, np.int64(E[x.e0 + C[k].event].module))
    if free:
        release(x)


@jit
def _finish(h, Z, x):
    x.covid_status = DONE
    put_attribute(h, Z, x, A_FULLY, BOOLEAN, 1.0)


@jit
def _decide(h, D, x, t):
    years = age_in_months(x, t) // 12
    if years < 16 and (years < 12 or t < TWELVE_FROM):
        age = instant_of_age(x, 12 * 12)
        other = instant_of_age(x, 16 * 12)
        if age < TWELVE_FROM:
            age = TWELVE_FROM
        return age if age < other else other
    band = _band_of(years)
    if keyed(x, ID_DECIDE, 0, 0, 0) <= D[h.d_covid_shares + band]:
        date = _day_of_shot(h, D, x, band, keyed(x, ID_DAY, 0, 0, 0))
        _schedule(h, x, date if date > t else t)
        return x.covid_date if x.covid_date > t else t + x.step
    x.covid_status = LATE
    x.covid_last = -1
    return LATE_FROM if LATE_FROM > t else t + x.step


@jit
def _consider_late(h, x, t):
    if t < LATE_FROM:
        return np.int64(LATE_FROM)
    if x.covid_last < 0:
        years = age_in_months(x, t) // 12
        x.covid_chance = 0.4 if years <= 15 else (0.2 if years <= 40 else 0.1)
        x.covid_last = t
        return t + 14 * DAY + 1
    if t <= x.covid_last + 14 * DAY:
        return x.covid_last + 14 * DAY + 1
    u = keyed(x, ID_LATE, x.covid_tries, 0, 0)
    x.covid_tries += 1
    if u <= x.covid_chance:
        _schedule(h, x, t + 7 * DAY)
        return x.covid_date
    x.covid_chance = x.covid_chance / 2.0
    x.covid_last = t
    if x.covid_chance < 0.001:
        x.covid_status = ABSTAINS
        return np.int64(NEVER)
    return t + 14 * DAY + 1


@jit
def covid(h, Z, D, x, E, C, t):
    """One turn of the COVID-19 vaccination; returns when it must be looked at again."""
    status = x.covid_status
    if status == ABSTAINS or status == DONE:
        return np.int64(NEVER)
    if t < FIRST_DAY:
        return np.int64(FIRST_DAY)
    if status == NOT_ELIGIBLE:
        return _decide(h, D, x, t)
    if status == LATE:
        return _consider_late(h, x, t)
    if x.covid_date > t:
        return x.covid_date
    if status == FIRST:
        _vaccinate(h, x, E, C, 2, t)
        _finish(h, Z, x)
        return np.int64(NEVER)
    if is_active(h, x, E, h.covid_text, CONDITION):
        return t + x.step
    _vaccinate(h, x, E, C, 1, t)
    if x.covid_vaccine == 2:
        _finish(h, Z, x)
        return np.int64(NEVER)
    x.covid_status = FIRST
    x.covid_date = t + (21 if x.covid_vaccine == 0 else 28) * DAY
    return x.covid_date
