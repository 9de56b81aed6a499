"""The core turn of a step, and what is due when.

Nothing is polled: every part says when it must be looked at again, and between those instants a turn only renews the
notes for the laboratory.

Source: docs/draws.md 10.1, 10.4, 10.8, 10.9.
"""

import math

import numpy as np

from trajsim.engine.events import (
    SOURCE_CERTIFICATE_ENCOUNTER,
    SOURCE_CERTIFICATE_OBSERVATION,
    SOURCE_CERTIFICATE_REPORT,
    STREAM_CERTIFICATE,
    EncounterClass,
    EventKind,
    ValueKind,
)
from trajsim.engine.kernels.lifecycle.body import body_at_birth, current_bmi, grow_adult, grow_child, manage_weight
from trajsim.engine.kernels.lifecycle.draws import (
    BOOLEAN,
    INTEGER,
    NIL,
    NUMBER,
    STRING,
    is_active,
    is_present,
    is_true,
    keyed,
    lifecycle_id,
    number_of,
    put_attribute,
    put_text,
)
from trajsim.engine.kernels.lifecycle.insurance import insure, is_disabled
from trajsim.engine.kernels.lifecycle.risks import ascvd, atrial_fibrillation, convert, stroke
from trajsim.engine.kernels.lifecycle.signs import (
    BMI,
    CHOLESTEROL,
    HDL,
    bounded,
    hdl,
    note_hypertension,
    pressure,
    round_half_up,
    total_cholesterol,
)
from trajsim.engine.kernels.lifecycle.vaccines import covid
from trajsim.engine.kernels.slots import DAY, NEVER, age_in_months, civil, emit, instant_of_age
from trajsim.engine.lifecycle_slots import PROFILE_DEFAULT, Attribute
from trajsim.engine.opcodes import Mention, Note
from trajsim.streams.jit import jit

MEDICATION = int(EventKind.MEDICATION)
ENCOUNTER = int(EventKind.ENCOUNTER)
ENCOUNTER_END = int(EventKind.ENCOUNTER_END)
OBSERVATION = int(EventKind.OBSERVATION)
REPORT = int(EventKind.REPORT)
DEATH = int(EventKind.DEATH)
WELLNESS = int(EncounterClass.WELLNESS)
VALUE_CODE = int(ValueKind.CODE)

DIABETES = int(Note.DIABETES)
PREDIABETES = int(Note.PREDIABETES)
HYPERTENSION = int(Note.HYPERTENSION)
CONTROLLED = int(Note.CONTROLLED)
OSTEOPOROSIS = int(Note.OSTEOPOROSIS)
HEART_DISEASE = int(Note.CORONARY_HEART_DISEASE)
HYPERTROPHY = int(Note.VENTRICULAR_HYPERTROPHY)
SMOKER = int(Note.SMOKER)
CHF = int(Note.CHF)
FIBRILLATION = int(Note.ATRIAL_FIBRILLATION)

A_SMOKER = int(Attribute.SMOKER)
A_QUIT_SMOKING = int(Attribute.QUIT_SMOKING_AGE)
A_ALCOHOLIC = int(Attribute.ALCOHOLIC)
A_QUIT_DRINKING = int(Attribute.QUIT_ALCOHOLISM_AGE)
A_MARITAL = int(Attribute.MARITAL_STATUS)
A_UNEMPLOYED = int(Attribute.UNEMPLOYED)
A_SEVERITY = int(Attribute.DIABETES_SEVERITY)
A_CKD = int(Attribute.CKD)
A_DIABETES = int(Attribute.DIABETES)
A_PREDIABETES = int(Attribute.PREDIABETES)
A_HYPERTENSION = int(Attribute.HYPERTENSION)
A_CONTROLLED = int(Attribute.BLOOD_PRESSURE_CONTROLLED)
A_OSTEOPOROSIS = int(Attribute.OSTEOPOROSIS)
A_HEART_DISEASE = int(Attribute.CORONARY_HEART_DISEASE)
A_HYPERTROPHY = int(Attribute.LEFT_VENTRICULAR_HYPERTROPHY)
A_CHF = int(Attribute.CHF)
A_FIBRILLATION = int(Attribute.ATRIAL_FIBRILLATION)
A_AGE = int(Attribute.AGE)
A_AGE_MONTHS = int(Attribute.AGE_MONTHS)
A_DISABLED = int(Attribute.DISABLED)
A_FALL = int(Attribute.FALL_INJURY)
A_DAYS = int(Attribute.DAYS_UNTIL_DEATH)
A_ASCVD = int(Attribute.ASCVD_RISK)
A_CARDIO = int(Attribute.CARDIO_RISK)
A_MI = int(Attribute.MI_RISK)
A_IHD = int(Attribute.IHD_RISK)
A_AF_RISK = int(Attribute.ATRIAL_FIBRILLATION_RISK)
A_STROKE = int(Attribute.STROKE_RISK)

MENTIONS_SIMPLE = int(Mention.SIMPLE)
MENTIONS_VASCULAR = int(Mention.VASCULAR)
MENTIONS_FIBRILLATION = int(Mention.FIBRILLATION)
MENTIONS_STROKE = int(Mention.STROKE)
MENTIONS_DISABLED = int(Mention.DISABLED)

TEXT_M, TEXT_S, TEXT_W, TEXT_D = 5, 6, 7, 8

ID_SMOKER = lifecycle_id("smoker")
ID_SMOKING_STOP = lifecycle_id("smoking stop")
ID_ALCOHOLIC = lifecycle_id("alcoholic")
ID_DRINKING_STOP = lifecycle_id("drinking stop")
ID_MARITAL = lifecycle_id("marital")
ID_EMPLOYMENT = lifecycle_id("employment")

SMOKING_STOP_SYNTHEA = 0.01
SMOKING_STOP_DEFAULT = 1.0 - (1.0 - 0.074) ** (7.0 / 365.25)
DRINKING_STOP = 0.001
EMPLOYMENT_TURNS = 26
TEN_YEARS = 3650.0
THIRTY_DAYS = 30.0


@jit
def lifecycle_at_birth(h, Z, D, x):
    """Everything that is known at birth."""
    x.turn = x.birth
    x.last_months = 0
    x.habits = 0
    x.smoking_stop = NEVER
    x.drinking_stop = NEVER
    x.employment_due = instant_of_age(x, 18 * 12)
    if x.employment_due < 0:
        x.employment_due = 0
    x.employment_tries = 0
    x.jobless = 0
    x.covid_status = 0
    x.covid_tries = 0
    x.covid_last = -1
    x.plan = -2
    x.insured_until = x.birth
    x.severe = -1
    x.note_severity = 0
    x.note_ckd = 0
    x.note_flags = 0
    x.note_a1c = 0.0
    x.overridden = 0
    x.life_wake = x.birth
    for v in range(h.n_vaccines):
        x.dose_count[v] = 0
    body_at_birth(h, Z, D, x)


@jit
def insurance(h, Z, D, x, E, t):
    """Before everything else in a step: a new plan at birth and after birthdays."""
    if t < x.insured_until:
        return
    years = age_in_months(x, t) // 12
    x.insured_until = instant_of_age(x, 12 * (years + 1))
    insure(h, Z, D, x, E, years, t)


@jit
def _stop_after(x, name, t, q):
    """Turn at which a habit ends, given its probability a turn."""
    u = keyed(x, name, 0, 0, 0)
    turns = np.floor(math.log(1.0 - u) / math.log(1.0 - q))
    if turns > 100_000.0:
        return np.int64(NEVER)
    return t + np.int64(turns) * x.step


@jit
def _is_married(h, Z, x):
    """A module may have set the attribute; what no module mentions has no slot, and `married` stands for it."""
    slot = Z[h.z_life_slot + A_MARITAL]
    if slot < 0:
        return x.married != 0
    married = np.float64(Z[h.z_life_text + TEXT_M])
    return x.w[h.w_attribute + slot] == STRING and x.f[h.f_attribute + slot] == married


@jit
def _marry(h, Z, x, years):
    """Marital status at 28, 35, 45 and 55; the bits of `habits` say what was done."""
    if years >= 28 and x.habits & 4 == 0:
        x.habits |= 4
        x.married = 1 if keyed(x, ID_MARITAL, 28, 0, 0) < 0.8 else 0
        put_text(h, Z, x, A_MARITAL, TEXT_M if x.married != 0 else TEXT_S)
    for k in range(3):
        age = 35 + 10 * k
        if years >= age and x.habits & (8 << k) == 0:
            x.habits |= 8 << k
            if not _is_married(h, Z, x):
                continue
            u = keyed(x, ID_MARITAL, age, 0, 0)
            widowed = 0.02 if k == 0 else (0.03 if k == 1 else 0.06)
            divorced = 0.2 if k == 0 else (0.05 if k == 1 else 0.11)
            if u < divorced:
                x.married = 0
                put_text(h, Z, x, A_MARITAL, TEXT_W if u < widowed else TEXT_D)


@jit
def _habits(h, Z, x, years, t):
    if years >= 16 and x.habits & 1 == 0:
        x.habits |= 1
        year, _, _ = civil(t // DAY)
        p = 0.424 if year < 1965 else (996.41 - 0.4865 * np.float64(year)) / 100.0
        smokes = keyed(x, ID_SMOKER, 0, 0, 0) < p
        put_attribute(h, Z, x, A_SMOKER, BOOLEAN, 1.0 if smokes else 0.0)
        if smokes:
            q = SMOKING_STOP_DEFAULT if x.profile == PROFILE_DEFAULT else SMOKING_STOP_SYNTHEA
            x.smoking_stop = _stop_after(x, ID_SMOKING_STOP, t, q)
    if t >= x.smoking_stop:
        x.smoking_stop = NEVER
        put_attribute(h, Z, x, A_SMOKER, BOOLEAN, 0.0)
        put_attribute(h, Z, x, A_QUIT_SMOKING, INTEGER, np.float64(years))
    if years >= 25 and x.habits & 2 == 0:
        x.habits |= 2
        drinks = keyed(x, ID_ALCOHOLIC, 0, 0, 0) < 0.025
        put_attribute(h, Z, x, A_ALCOHOLIC, BOOLEAN, 1.0 if drinks else 0.0)
        if drinks:
            x.drinking_stop = _stop_after(x, ID_DRINKING_STOP, t, DRINKING_STOP)
    if t >= x.drinking_stop:
        x.drinking_stop = NEVER
        put_attribute(h, Z, x, A_ALCOHOLIC, BOOLEAN, 0.0)
        put_attribute(h, Z, x, A_QUIT_DRINKING, INTEGER, np.float64(years))
    if years >= 28:
        _marry(h, Z, x, years)
    if t >= x.employment_due:
        x.employment_due = t + EMPLOYMENT_TURNS * x.step
        j = x.employment_tries
        x.employment_tries = j + 1
        if x.jobless != 0:
            x.jobless = 0
            put_attribute(h, Z, x, A_UNEMPLOYED, BOOLEAN, 0.0)
        elif keyed(x, ID_EMPLOYMENT, j, 0, 0) < x.unemployment:
            x.jobless = 1
            put_attribute(h, Z, x, A_UNEMPLOYED, BOOLEAN, 1.0)


@jit
def _flag(h, Z, x, attribute, bit):
    return bit if is_true(h, Z, x, attribute) else 0


@jit
def take_notes(h, Z, D, x, E, t):
    """What values of this step depend on, as it is now; signs that modules had set are the lifecycle's again."""
    x.turn = t
    severity = number_of(h, Z, x, A_SEVERITY, 0.0)
    x.note_severity = np.int64(0 if severity < 0.0 else (4 if severity >= 4.0 else severity))
    ckd = number_of(h, Z, x, A_CKD, 0.0)
    most = 4.0 if x.profile == PROFILE_DEFAULT else 1000.0
    x.note_ckd = np.int64(0.0 if ckd < 0.0 else (most if ckd > most else ckd))
    flags = _flag(h, Z, x, A_DIABETES, DIABETES) | _flag(h, Z, x, A_PREDIABETES, PREDIABETES)
    flags |= _flag(h, Z, x, A_HYPERTENSION, HYPERTENSION) | _flag(h, Z, x, A_CONTROLLED, CONTROLLED)
    flags |= _flag(h, Z, x, A_OSTEOPOROSIS, OSTEOPOROSIS) | _flag(h, Z, x, A_HEART_DISEASE, HEART_DISEASE)
    flags |= _flag(h, Z, x, A_HYPERTROPHY, HYPERTROPHY) | _flag(h, Z, x, A_SMOKER, SMOKER)
    if is_present(h, Z, x, A_CHF):
        flags |= CHF
    if is_present(h, Z, x, A_FIBRILLATION):
        flags |= FIBRILLATION
    x.note_flags = flags
    x.note_a1c = 0.0
    for k in range(h.n_a1c):
        if is_active(h, x, E, Z[h.z_a1c + k], MEDICATION):
            x.note_a1c += D[h.d_a1c + k]
    if x.overridden != 0:
        x.overridden = 0
        for sign in range(h.n_signs):
            if Z[h.z_sign_life + sign] >= 0:
                x.w[h.w_sign + sign] = 0
    note_hypertension(h, Z, x)


@jit
def core_turn(h, Z, D, x, E, C, t):
    """The lifecycle's turn in a step; sets `life_wake`, the next instant at which it has something to do."""
    if t < x.life_wake:
        take_notes(h, Z, D, x, E, t)
        return
    wake = covid(h, Z, D, x, E, C, t)
    months = age_in_months(x, t)
    years = months // 12
    _habits(h, Z, x, years, t)
    if months > x.last_months:
        if months < 240:
            grow_child(h, Z, D, x, months, t)
        elif years > x.last_months // 12 and x.managed == 0:
            grow_adult(h, Z, x, years)
        x.last_months = months
    take_notes(h, Z, D, x, E, t)
    other = manage_weight(h, Z, D, x, months, t)
    if other < wake:
        wake = other
    other = instant_of_age(x, months + 1 if months < 240 else 12 * (years + 1))
    if other < wake:
        wake = other
    for other in (x.smoking_stop, x.drinking_stop, x.employment_due):
        if other < wake:
            wake = other
    x.life_wake = wake


@jit
def skip_turns(h, Z, D, x, E):
    """Makes up for the turns of steps in which nothing happened, before a step begins."""
    if x.turn < x.t - x.step:
        take_notes(h, Z, D, x, E, x.t - x.step)


@jit
def write_mentioned(h, Z, D, x, E, groups):
    """Attributes that are worked out when a state mentions them."""
    years = age_in_months(x, x.turn) // 12
    if groups & MENTIONS_SIMPLE:
        _write_simple(h, Z, x, years)
    if groups & MENTIONS_DISABLED:
        _put(h, Z, x, A_DISABLED, BOOLEAN, 1.0 if is_disabled(h, Z, x) else 0.0)
    if groups & MENTIONS_VASCULAR:
        _write_vascular(h, Z, D, x, E, years)
    if groups & MENTIONS_FIBRILLATION:
        _put(h, Z, x, A_AF_RISK, NUMBER, _of_a_step(x, _fibrillation(h, Z, D, x, E, years)))
    if groups & MENTIONS_STROKE:
        _put(h, Z, x, A_STROKE, NUMBER, _of_a_step(x, _stroke(h, Z, D, x, E, years)))


@jit
def _write_simple(h, Z, x, years):
    _put(h, Z, x, A_AGE, INTEGER, np.float64(years))
    _put(h, Z, x, A_AGE_MONTHS, INTEGER, np.float64(age_in_months(x, x.turn)))
    if years >= 65:
        _put(h, Z, x, A_FALL, NUMBER, 0.06 if x.note_flags & OSTEOPOROSIS else 0.035)
    else:
        _put(h, Z, x, A_FALL, NIL, 0.0)
    if x.death < x.background:
        _put(h, Z, x, A_DAYS, INTEGER, np.trunc(np.float64(x.death - x.turn) / np.float64(DAY)))
    else:
        _put(h, Z, x, A_DAYS, NIL, 0.0)


@jit
def _put(h, Z, x, attribute, tag, value):
    """Sets an attribute without waking anybody."""
    slot = Z[h.z_life_slot + attribute]
    if slot >= 0:
        x.w[h.w_attribute + slot] = tag
        x.f[h.f_attribute + slot] = value


@jit
def _systolic(h, Z, D, x, E):
    """As it is read at the turn."""
    return round_half_up(pressure(h, Z, D, x, E, 0, x.turn), 0)


@jit
def _of_a_step(x, risk):
    """A ten-year risk as that of a step; -1 stays."""
    return convert(risk, TEN_YEARS, np.float64(x.step) / np.float64(DAY)) if risk >= 0.0 else -1.0


@jit
def _write_vascular(h, Z, D, x, E, years):
    risk = heart = infarction = -1.0
    if years >= 40 and years <= 79:
        flags = x.note_flags
        before = x.turn - x.step
        cholesterol = round_half_up(bounded(h, D, x, CHOLESTEROL, total_cholesterol(x, before)), 2)
        good = round_half_up(bounded(h, D, x, HDL, hdl(x, before)), 2)
        smokes, diabetic, treated = flags & SMOKER != 0, flags & DIABETES != 0, flags & HYPERTENSION != 0
        systolic = _systolic(h, Z, D, x, E)
        risk = ascvd(years, x.sex, x.black, systolic, cholesterol, good, smokes, diabetic, treated)
        heart = _of_a_step(x, risk)
        infarction = convert(risk, TEN_YEARS, THIRTY_DAYS)
    _put(h, Z, x, A_ASCVD, NUMBER, risk)
    _put(h, Z, x, A_CARDIO, NUMBER, heart)
    _put(h, Z, x, A_MI, NUMBER, infarction)
    _put(h, Z, x, A_IHD, NUMBER, 5.0 * infarction)


@jit
def _fibrillation(h, Z, D, x, E, years):
    if years < 45 or x.note_flags & FIBRILLATION != 0:
        return -1.0
    bmi = round_half_up(bounded(h, D, x, BMI, current_bmi(h, D, x)), 2)
    return atrial_fibrillation(years, x.sex, _systolic(h, Z, D, x, E), bmi, x.note_flags & CONTROLLED != 0)


@jit
def _stroke(h, Z, D, x, E, years):
    flags = x.note_flags
    systolic = _systolic(h, Z, D, x, E) if years >= 55 else 0.0
    smokes, diabetic, controlled = flags & SMOKER != 0, flags & DIABETES != 0, flags & CONTROLLED != 0
    hypertrophy, disease = flags & HYPERTROPHY != 0, flags & HEART_DISEASE != 0
    fibrillates = flags & FIBRILLATION != 0
    return stroke(years, x.sex, systolic, controlled, smokes, hypertrophy, diabetic, disease, fibrillates)


@jit
def certify_death(h, S, x, E):
    """The certificate of a death that some module caused."""
    if x.death >= x.background or x.death >= x.end:
        return
    k = x.n_events - 1
    while k >= 0 and E[x.e0 + k].kind != DEATH:
        k -= 1
    if k < 0:
        return
    cause = np.int64(E[x.e0 + k].ref)
    if cause == -1:
        return
    code = np.float64(S[E[x.e0 + cause].state].code) if cause >= 0 else np.float64(-2 - cause)
    t = x.death
    where = x.n_events
    emit(h, x, E, ENCOUNTER, SOURCE_CERTIFICATE_ENCOUNTER, t, 0.0, where, cause, WELLNESS, STREAM_CERTIFICATE)
    emit(
        h, x, E, OBSERVATION, SOURCE_CERTIFICATE_OBSERVATION, t, code, where, where + 2, VALUE_CODE, STREAM_CERTIFICATE
    )
    emit(h, x, E, REPORT, SOURCE_CERTIFICATE_REPORT, t, 1.0, where, -1, 0, STREAM_CERTIFICATE)
    emit(h, x, E, ENCOUNTER_END, SOURCE_CERTIFICATE_ENCOUNTER, t, 0.0, -1, where, 0, STREAM_CERTIFICATE)
