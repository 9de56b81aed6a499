"""Encounters, the lock, and Synthea's encounter module."""

import numpy as np

from trajsim.engine.events import (
    SOURCE_EMERGENCY,
    SOURCE_OUTPATIENT,
    SOURCE_URGENTCARE,
    SOURCE_WELLNESS_ADULT,
    SOURCE_WELLNESS_CHILD,
    EncounterClass,
    EventKind,
)
from trajsim.engine.kernels.logic import symptom_value
from trajsim.engine.kernels.slots import DAY, LOCK_BIT, NEVER, WELLNESS_BIT, age_in_months, emit, instant_of_age, mark
from trajsim.streams.jit import jit

ENCOUNTER = int(EventKind.ENCOUNTER)
ENCOUNTER_END = int(EventKind.ENCOUNTER_END)
EMERGENCY = int(EncounterClass.EMERGENCY)
INPATIENT = int(EncounterClass.INPATIENT)
HOSPICE = int(EncounterClass.HOSPICE)
SNF = int(EncounterClass.SNF)
WELLNESS = int(EncounterClass.WELLNESS)
OUTPATIENT = int(EncounterClass.OUTPATIENT)
URGENTCARE = int(EncounterClass.URGENTCARE)

BY_MODULE = 0  # the stream of the encounter module owns the lock

# Wellness interval by age in months: (from this age, days).
BAND_MONTHS = (0, 2, 6, 18, 48, 240, 480, 600)
BAND_DAYS = (30, 60, 90, 180, 365, 1095, 730, 365)


@jit
def current_encounter(x, C, t):
    """The most recently created encounter that starts at or before t, else the first."""
    k = x.n_encounters - 1
    while k > 0 and C[k].start > t:
        k -= 1
    return k


@jit
def attach(x, C, t):
    """Event of the encounter that a row written at t hangs on."""
    if x.n_encounters == 0:
        return np.int64(-1)
    return np.int64(C[current_encounter(x, C, t)].event)


@jit
def create_encounter(h, x, E, C, source, klass, t, stream):
    """A new encounter; the caller owns the lock from now on."""
    event = emit(h, x, E, ENCOUNTER, source, t, 0.0, x.n_events, -1, klass, stream)
    c = C[x.n_encounters]
    c.start = t
    c.event = event
    c.klass = klass
    c.open = 1
    x.n_encounters += 1
    x.n_open += 1
    x.owner = stream
    if klass == WELLNESS:
        x.wellness_start = t
        x.next_wellness = t
    return event


@jit
def close_encounter(h, x, E, C, klass, t, state, stream):
    """Ends the newest open encounter of a class, if there is one. A negative state stands for the encounter's own."""
    if x.n_open == 0:
        return
    k = x.n_encounters - 1
    while k >= 0 and (C[k].open == 0 or C[k].klass != klass):
        k -= 1
    if k < 0:
        return
    c = C[k]
    c.open = 0
    x.n_open -= 1
    source = np.int64(E[x.e0 + c.event].state) if state < 0 else np.int64(state)
    emit(h, x, E, ENCOUNTER_END, source, t, 0.0, -1, c.event, 0, stream)


@jit
def close_current(h, x, E, C, t, state, stream):
    """Ends an encounter of the class of the current one."""
    if x.n_encounters > 0:
        close_encounter(h, x, E, C, np.int64(C[current_encounter(x, C, t)].klass), t, state, stream)


@jit
def release(x):
    """Frees the lock; whoever waits for it is tested again."""
    x.owner = -1
    x.dirty_now = x.dirty_now | LOCK_BIT


@jit
def update_symptom_total(h, Z, x):
    """The sum over symptoms, kept because every step asks for it."""
    total = 0.0
    for symptom in range(h.n_symptoms):
        total += symptom_value(h, Z, x, symptom)
    x.symptom_total = np.int64(total)


@jit
def address_highest(h, Z, x):
    """Marks the highest unresolved symptom as seen to."""
    best = -1
    most = 0.0
    for slot in range(h.n_symptom_slots):
        if x.w[h.w_resolved + slot] == 0 and x.f[h.f_symptom + slot] > most:
            most = x.f[h.f_symptom + slot]
            best = slot
    if best >= 0:
        x.w[h.w_resolved + best] = 1
        for symptom in range(h.n_symptoms):
            if Z[h.z_symptom_range + 2 * symptom] <= best < Z[h.z_symptom_range + 2 * symptom + 1]:
                mark(x, symptom * 11 + 29)
        update_symptom_total(h, Z, x)


@jit
def wellness_interval(x, months):
    """Time between wellness visits at an age."""
    days = BAND_DAYS[0]
    for k in range(8):
        if months >= BAND_MONTHS[k]:
            days = BAND_DAYS[k]
    if x.n_chronic > 0 and days > 365:
        days = 365
    return np.int64(days) * DAY


@jit
def next_wellness(x, t):
    """The first instant after t at which a wellness visit is due."""
    months = age_in_months(x, t)
    for k in range(8):
        if k < 7 and months >= BAND_MONTHS[k + 1]:
            continue
        start = instant_of_age(x, BAND_MONTHS[k]) if BAND_MONTHS[k] > months else t
        due = x.wellness_start + wellness_interval(x, BAND_MONTHS[k])
        if due < start:
            due = start
        if k == 7 or due < instant_of_age(x, BAND_MONTHS[k + 1]):
            return due
    return np.int64(NEVER)


@jit
def _open(h, x, E, C, source, klass, t):
    create_encounter(h, x, E, C, source, klass, t, BY_MODULE)
    x.renewed = 0
    x.dirty_now = x.dirty_now | WELLNESS_BIT


@jit
def encounter_module(h, Z, x, E, C, t):
    """Scheduled and symptom-driven visits, before the modules of a step."""
    if x.owner >= 0:
        return
    if t >= x.next_wellness:
        months = age_in_months(x, t)
        if x.n_encounters == 0 or t - x.wellness_start >= wellness_interval(x, months):
            source = SOURCE_WELLNESS_CHILD if months < 216 else SOURCE_WELLNESS_ADULT
            _open(h, x, E, C, source, WELLNESS, t)
            x.next_wellness = next_wellness(x, t)
            return
        x.next_wellness = next_wellness(x, t)
    total = x.symptom_total
    if total > 300 and total != x.symptom_stored:
        x.symptom_stored = total
        address_highest(h, Z, x)
        if total > 500:
            _open(h, x, E, C, SOURCE_EMERGENCY, EMERGENCY, t)
        elif total > 350:
            _open(h, x, E, C, SOURCE_URGENTCARE, URGENTCARE, t)
        else:
            _open(h, x, E, C, SOURCE_OUTPATIENT, OUTPATIENT, t)
