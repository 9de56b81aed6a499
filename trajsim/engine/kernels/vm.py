"""The virtual machine: the weekly grid, whole lives, and chunks of patients.

Between grid points nothing is polled: a module sleeps until its delay ends, or until something that its guard reads
changes.
"""

import numpy as np

from trajsim.engine.events import SOURCE_BACKGROUND, STREAM_MORTALITY, EventKind
from trajsim.engine.kernels.encounters import (
    BY_MODULE,
    HOSPICE,
    INPATIENT,
    SNF,
    close_encounter,
    current_encounter,
    encounter_module,
    release,
)
from trajsim.engine.kernels.learned import answer, model_turn, no_model_yet, read_answer, write_question
from trajsim.engine.kernels.lifecycle.turn import (
    certify_death,
    core_turn,
    insurance,
    lifecycle_at_birth,
    skip_turns,
)
from trajsim.engine.kernels.lifecycle.vaccines import immunize
from trajsim.engine.kernels.process import module
from trajsim.engine.kernels.slots import DAY, NEVER, UNSET, civil, emit
from trajsim.engine.opcodes import ExitStatus
from trajsim.streams.jit import jit, splice_jit

DONE = int(ExitStatus.DONE)
FULL = int(ExitStatus.FULL)
ASK = int(ExitStatus.ASK)
NOTHING = -1  # a slot without a patient, or one that waits for others
DEATH = int(EventKind.DEATH)


@splice_jit
def step(h, S, O, N, T, Z, D, x, E, C, L):
    """The modules of one grid point that have something to do, in order; returns a status."""
    t = x.t
    while True:
        m = x.mi
        if m == h.core_position and x.core_due != 0:
            x.core_due = 0
            if t < x.death:
                core_turn(h, Z, D, x, E, C, t)
        if m >= h.n_modules:
            break
        if x.w[h.w_done + m] == 0:
            due = x.w[h.w_wake + m] <= t or (x.w[h.w_mask + m] & (x.dirty_now | x.dirty_prev)) != 0
            if due or x.resume != 0:
                status = module(h, S, O, N, T, Z, D, x, E, C, L, m, t)
                if status != DONE:
                    x.resume = 1
                    return status
        x.mi = m + 1
    return DONE


@jit
def next_grid_point(h, x):
    """The next step at which something may happen."""
    wake = min(x.next_wellness, x.life_wake, x.insured_until, x.m_next)
    watched = np.int64(0)
    for m in range(h.n_modules):
        if x.w[h.w_done + m] == 0:
            if x.w[h.w_wake + m] < wake:
                wake = x.w[h.w_wake + m]
            watched = watched | x.w[h.w_mask + m]
    soon = (watched & x.dirty_prev) != 0 or (x.symptom_total > 300 and x.symptom_total != x.symptom_stored)
    if soon or wake <= x.t + x.step:
        return x.t + x.step
    if wake >= x.end:
        return x.end if x.end > x.t else x.t + x.step
    steps = (wake - x.t + x.step - 1) // x.step
    return x.t + steps * x.step


@jit
def end_of_life(h, S, x, E, C):
    """Closes an encounter that is still held, and writes a background death."""
    until = x.end if x.end < x.death else x.death
    last = x.birth + (until - 1 - x.birth) // x.step * x.step if until > x.birth else x.birth
    if x.last > last:
        last = x.last
    if x.owner >= 0 and x.n_encounters > 0:
        held = C[current_encounter(x, C, last)]
        klass = np.int64(held.klass)
        stop = x.end if klass == INPATIENT or klass == HOSPICE or klass == SNF else last
        if x.death < stop:
            stop = x.death
        close_held(h, x, E, C, klass, stop)
    if x.profile != 0:
        certify_death(h, S, x, E)
    if x.background < x.end and x.death == x.background:
        emit(h, x, E, DEATH, SOURCE_BACKGROUND, x.death, 0.0, -1, -1, 0, STREAM_MORTALITY)


@jit
def close_held(h, x, E, C, klass, stop):
    """Ends the newest open encounter of a class in its own source and stream."""
    k = x.n_encounters - 1
    while k >= 0 and (C[k].open == 0 or C[k].klass != klass):
        k -= 1
    if k >= 0:
        close_encounter(h, x, E, C, klass, stop, -1, np.int64(E[x.e0 + C[k].event].module))


@splice_jit
def live(h, S, O, N, T, Z, D, x, E, C, L):
    """Runs a life until it is over or something must be done outside; returns a status."""
    while x.phase != 2:
        if x.phase == 0:
            if x.t >= x.end or x.t >= x.death:
                end_of_life(h, S, x, E, C)
                x.phase = 2
                break
            if E.shape[0] - x.e0 - x.n_events < h.max_rows or C.shape[0] - x.n_encounters < 4:
                return FULL
            if x.profile != 0:
                skip_turns(h, Z, D, x, E)
            if x.m_next <= x.t:
                status = model_turn(h, Z, D, x)
                if status != DONE:
                    return status
            if x.profile != 0:
                insurance(h, Z, D, x, E, x.t)
            before = x.n_encounters
            encounter_module(h, Z, x, E, C, x.t)
            if x.profile != 0 and x.n_encounters > before:
                immunize(h, Z, x, E, C, x.t)
            x.core_due = 1 if x.profile != 0 else 0
            x.mi = 0
            x.phase = 1
        status = step(h, S, O, N, T, Z, D, x, E, C, L)
        if status != DONE:
            return status
        if x.owner == BY_MODULE:
            k = current_encounter(x, C, x.t)
            close_held(h, x, E, C, np.int64(C[k].klass), x.t)
            release(x)
        x.last = x.t
        x.dirty_prev = x.dirty_now
        x.dirty_now = 0
        x.t = next_grid_point(h, x)
        x.phase = 0
    return DONE


@jit
def born(h, Z, D, x, A_slot, A_tag, A_value, V_slot, V_value, person, e0):
    """Resets the record for a new patient and fills what is known at birth."""
    patient, birth, death = person.patient, person.birth, person.death
    for k in range(h.n_words):
        x.w[k] = 0
    for k in range(h.n_floats):
        x.f[k] = 0.0
    for k in range(h.n_files):
        x.w[h.w_current + k] = -1
    for m in range(h.n_modules):
        x.w[h.w_wake + m] = UNSET
    x.patient_low = patient & np.uint64(0xFFFFFFFF)
    x.patient_high = patient >> np.uint64(32)
    x.birth = birth
    x.birth_year, x.birth_month, x.birth_day = civil(birth // DAY)
    x.death = death
    x.background = death
    x.t = birth
    x.last = birth
    x.phase = 0
    x.resume = 0
    x.seq = 0
    x.dirty_now = 0
    x.dirty_prev = 0
    x.owner = -1
    x.renewed = 0
    x.wellness_start = 0
    x.next_wellness = birth
    x.symptom_stored = 0
    x.symptom_total = 0
    x.n_chronic = 0
    x.present_size = 0
    x.present_capacity = 16
    x.e0 = e0
    x.n_events = 0
    x.n_encounters = 0
    x.n_open = 0
    x.n_log = 0
    for k in range(A_slot.shape[0]):
        x.w[h.w_attribute + A_slot[k]] = A_tag[k]
        x.f[h.f_attribute + A_slot[k]] = A_value[k]
    for k in range(V_slot.shape[0]):
        x.w[h.w_sign + V_slot[k]] = 1
        x.f[h.f_sign + V_slot[k]] = V_value[k]
    x.core_due = 0
    x.life_wake = NEVER
    x.insured_until = NEVER
    x.overridden = 0
    x.sex = person.sex
    no_model_yet(h, D, x)
    if x.profile != 0:
        x.black = person.black
        x.place = person.place
        x.income = person.income
        x.occupation = person.occupation
        x.unemployment = person.unemployment
        lifecycle_at_birth(h, Z, D, x)


@jit
def run_chunk(
    H, S, O, N, T, Z, D, X, E, C, L, people, offsets, A_slot, A_tag, A_value, V_slot, V_value, first, last,
    todo, patient, time, inputs, is_step, legal, now, measured, values, log_hazard, co, panel, weight, mean, scale,
):  # fmt: skip
    """Runs patients first ... last - 1; returns (status, patient it stopped at).

    With one record they live one after the other in one event array. `offsets[i]` is where patient i begins in it; on a
    status other than DONE the patient's record is as it was when it stopped, and a call with `first` = that patient
    and `X[0].phase` >= 0 goes on.

    With a learned model that must be asked every patient has a slot of its own, and `todo[i]` says what came of slot i:
    a status, or `NOTHING`, which is left alone. A slot whose record begins is born; one that had asked reads row i of
    the answers. One that asks has its question in row i.
    """
    h = H[0]
    many = h.suspends != 0
    i = first
    while i < last:
        slot = i if many else 0
        if many and todo[i] == NOTHING:
            i += 1
            continue
        x = X[slot]
        events = E[slot]
        if x.phase < 0:
            born(
                h, Z, D, x, A_slot, A_tag, A_value[i], V_slot, V_value, people[i], np.int64(0) if many else offsets[i]
            )  # fmt: skip
        elif many and todo[i] == ASK:
            read_answer(h, x, i, log_hazard, co, panel, weight, mean, scale)
        status = live(h, S, O, N, T, Z, D, x, events, C[slot], L[slot])
        # A model that is written out is answered here, and not deep in a module: the machine code of lives without a
        # model stays as small as it was (more of it made them slower by a seventh).
        if status == ASK and not many:
            status = answer(h, Z, D, x, events)
            if status == DONE:
                continue
        if many:
            todo[i] = status
            if status == ASK:
                write_question(
                    h, Z, D, x, events, i, patient, time, inputs, is_step, legal, now, measured, values
                )  # fmt: skip
            elif status == DONE:
                x.phase = -1
            i += 1
            continue
        if status != DONE:
            return status, i
        i += 1
        offsets[i] = x.e0 + x.n_events
        x.phase = -1
        if x.logging != 0:
            return DONE, i
    return DONE, last
