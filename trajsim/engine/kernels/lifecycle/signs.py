"""Vital signs and laboratory values, drawn when they are read.

A value that is constant in a step is keyed by (sign, turn): whoever reads it, and however often, sees the same.

Source: docs/draws.md 10.6 and 10.7.
"""

import math

import numpy as np

from trajsim.engine.events import EventKind
from trajsim.engine.kernels.lifecycle.body import current_bmi, current_weight
from trajsim.engine.kernels.lifecycle.draws import between, is_active, is_true, keyed, keyed_normal, lifecycle_id
from trajsim.engine.kernels.slots import DAY, age_in_months, law, power_of_ten
from trajsim.engine.lifecycle_slots import PROFILE_DEFAULT, SIGN_NAMES, Attribute, Sign
from trajsim.engine.opcodes import Note
from trajsim.streams.jit import jit
from trajsim.streams.keys import stream_id
from trajsim.streams.philox import hash4, keyed_uniform

MEDICATION = int(EventKind.MEDICATION)
CAREPLAN = int(EventKind.CAREPLAN)
A_HYPERTENSION = int(Attribute.HYPERTENSION)
A_SEVERE = int(Attribute.HYPERTENSION_SEVERE)

HEIGHT = int(Sign.HEIGHT)
WEIGHT = int(Sign.WEIGHT)
BMI = int(Sign.BMI)
HEAD = int(Sign.HEAD)
HEIGHT_PERCENTILE = int(Sign.HEIGHT_PERCENTILE)
WEIGHT_PERCENTILE = int(Sign.WEIGHT_PERCENTILE)
HEAD_PERCENTILE = int(Sign.HEAD_PERCENTILE)
SYSTOLIC = int(Sign.SYSTOLIC)
DIASTOLIC = int(Sign.DIASTOLIC)
HEART_RATE = int(Sign.HEART_RATE)
RESPIRATION_RATE = int(Sign.RESPIRATION_RATE)
OXYGEN = int(Sign.OXYGEN)
HBA1C = int(Sign.HBA1C)
GLUCOSE = int(Sign.GLUCOSE)
CREATININE = int(Sign.CREATININE)
CHOLESTEROL = int(Sign.CHOLESTEROL)
TRIGLYCERIDES = int(Sign.TRIGLYCERIDES)
LDL = int(Sign.LDL)
HDL = int(Sign.HDL)
MICROALBUMIN = int(Sign.MICROALBUMIN)
EGFR = int(Sign.EGFR)

DIABETES = int(Note.DIABETES)
PREDIABETES = int(Note.PREDIABETES)
CHF = int(Note.CHF)

IDS = np.array([stream_id(f"vital:{name}") for name in SIGN_NAMES], dtype=np.uint64)
ID_PRESSURE = lifecycle_id("blood pressure")
ID_DRUG = lifecycle_id("blood pressure drug")
ID_LIFESTYLE = lifecycle_id("lifestyle")
ID_LOW_HDL = lifecycle_id("low hdl")
ID_HIGH = lifecycle_id("high cholesterol")

TRIGLYCERIDE_EDGES = (100.0, 150.0, 199.0, 499.0, 550.0, 600.0)
HDL_EDGES = (80.0, 59.0, 40.0, 20.0, 10.0, 0.0)
CHOLESTEROL_EDGES = (160.0, 200.0, 239.0, 259.0, 279.0, 300.0)
GLUCOSE_EDGES = (64.0, 100.0, 125.0, 200.0)
FLAT_FROM = int(Sign.UREA_NITROGEN)
FLAT_TO = int(Sign.CARBON_DIOXIDE)
FLAT_LOW = (7.0, 0.0, 8.5, 136.0, 3.7, 101.0, 20.0)  # urea nitrogen ... carbon dioxide; creatinine has its own rule
FLAT_HIGH = (20.0, 0.0, 10.2, 144.0, 5.2, 111.0, 29.0)
HALF_DAY = DAY // 2
YEAR = 365 * DAY
MOST_TRIES = 64


@jit
def _u(x, sign, turn):
    return keyed(x, IDS[sign], turn, 0, 0)


@jit
def _z(x, sign, turn):
    return keyed_normal(x, IDS[sign], turn, 0, 0)


@jit
def triglycerides(x, turn):
    """mg/dL."""
    i = x.note_severity
    return between(TRIGLYCERIDE_EDGES[i], TRIGLYCERIDE_EDGES[i + 1], _u(x, TRIGLYCERIDES, turn))


@jit
def hdl(x, turn):
    """mg/dL."""
    i = x.note_severity
    if i > 0:
        return between(HDL_EDGES[i], HDL_EDGES[i + 1], _u(x, HDL, turn))
    share = 0.085 if x.sex == 0 else 0.266
    if keyed(x, ID_LOW_HDL, 0, 0, 0) < share:
        return 30.0 + 3.0 * _z(x, HDL, turn)
    return 55.0 + 5.0 * _z(x, HDL, turn)


@jit
def total_cholesterol(x, turn):
    """mg/dL."""
    i = x.note_severity
    if i > 0:
        return between(CHOLESTEROL_EDGES[i], CHOLESTEROL_EDGES[i + 1], _u(x, CHOLESTEROL, turn))
    if keyed(x, ID_HIGH, 0, 0, 0) < 0.114:
        return 280.0 + 20.0 * _z(x, CHOLESTEROL, turn)
    return 170.0 + 30.0 * _z(x, CHOLESTEROL, turn)


@jit
def _hba1c(h, D, x):
    flags = x.note_flags
    if flags & DIABETES:
        bmi = current_bmi(h, D, x)
        value = bmi / 4.0
        if bmi > 48.0:
            value = 12.0
        elif bmi <= 27.0:
            value = 6.6
        return value + x.note_a1c
    if flags & PREDIABETES:
        return between(5.8, 6.4, _u(x, HBA1C, x.turn)) + x.note_a1c
    return between(5.0, 5.7, _u(x, HBA1C, x.turn))


@jit
def egfr(x):
    """mL/min."""
    u = _u(x, EGFR, x.turn)
    ckd = x.note_ckd
    if ckd == 1:
        return between(60.0, 90.0, u)
    if ckd == 2:
        return between(30.0, 59.0, u)
    if ckd == 3:
        return between(15.0, 29.0, u)
    if ckd == 4:
        return between(1.0, 15.0, u)
    return between(56.0, 161.0, u) if x.sex == 0 else between(77.0, 160.0, u)


@jit
def _microalbumin(x):
    u = _u(x, MICROALBUMIN, x.turn)
    ckd = x.note_ckd
    if ckd == 2:
        return between(17.0, 30.0, u)
    if ckd == 3:
        return between(30.0, 300.0, u)
    if ckd == 4:
        return between(300.0, 600.0, u)
    return between(0.0, 17.0, u)


@jit
def _creatinine(h, D, x):
    rate = egfr(x)
    if rate < 1.0:
        rate = 1.0
    elif rate > 100.0:
        rate = 100.0
    years = np.float64(age_in_months(x, x.turn) // 12)
    value = (140.0 - years) * current_weight(h, D, x) / (72.0 * rate)
    return value * 0.85 if x.sex == 0 else value


@jit
def _rate(Z, h, x, sign, t, stream):
    """Heart and respiration rate: a mean that runs from one value to another over the step, and noise at each read."""
    low, high = 60.0, 100.0
    if sign == RESPIRATION_RATE:
        low, high = 12.0, 16.0
    a = between(low, high, keyed(x, IDS[sign], x.turn, 1, 0))
    b = between(low, high, keyed(x, IDS[sign], x.turn, 2, 0))
    f = np.float64(t - x.turn) / np.float64(x.step)
    if f < 0.0:
        f = 0.0
    elif f > 1.0:
        f = 1.0
    mean = a + (b - a) * f
    k = x.reads
    x.reads = k + 1
    for r in range(MOST_TRIES):
        v = mean + keyed_normal(x, IDS[sign], t, Z[h.z_stream_number + stream], 64 * k + r)
        if low <= v <= high:
            return v
    return mean


@jit
def note_hypertension(h, Z, x):
    """The first turn with hypertension decides whether it is severe."""
    if x.severe < 0 and is_true(h, Z, x, A_HYPERTENSION):
        x.severe = 1 if is_true(h, Z, x, A_SEVERE) else 0


@jit
def _baseline(h, Z, x, d, high):
    u = keyed(x, ID_PRESSURE, d, high, 0)
    if d == 0:
        if high == 0:
            v = between(100.0, 139.0, u)
        elif x.severe == 1 or (x.severe < 0 and is_true(h, Z, x, A_SEVERE)):
            v = between(160.0, 200.0, u)
        else:
            v = between(140.0, 160.0, u)
    elif high == 0:
        v = between(70.0, 89.0, u)
    else:
        v = between(90.0, 120.0, u)
    return v + 1.0 if x.sex == 1 else v - 1.0


@jit
def raw_pressure(h, Z, D, x, E, d, t):
    """Blood pressure at t (d = 0 systolic, 1 diastolic), whatever comes out."""
    baseline = _baseline(h, Z, x, d, 1 if is_true(h, Z, x, A_HYPERTENSION) else 0)
    value = baseline
    for r in range(h.n_drugs):
        if is_active(h, x, E, Z[h.z_drugs + r], MEDICATION):
            at = h.d_drugs + 4 * r + 2 * d
            value += between(D[at], D[at + 1], keyed(x, ID_DRUG, r, d, 0))
    plan = x.w[h.w_present + h.lifestyle]
    if plan != 0 and E[x.e0 + plan - 1].kind == CAREPLAN:
        since = np.int64(E[x.e0 + plan - 1].time)
        if t > since and keyed(x, ID_LIFESTYLE, 0, 0, 0) <= 0.15:
            goal, most = (124.0, 14.0) if d == 0 else (78.0, 8.0)
            drop = math.fabs(baseline - goal)
            if drop > most:
                drop = most
            share = np.float64(t - since) / np.float64(YEAR)
            value -= drop * (share if share < 1.0 else 1.0)
    swing = math.fabs(keyed_normal(x, IDS[SYSTOLIC + d], t, 0, 0)) * (8.0 if d == 0 else 5.0)
    halves = t // HALF_DAY if t >= 0 else -(-t // HALF_DAY)
    return value + swing if halves % 2 == 0 else value - swing


@jit
def bounded(h, D, x, sign, value):
    """A value kept within what a living body shows (default profile)."""
    if x.profile == PROFILE_DEFAULT:
        low, high = D[h.d_bounds + 2 * sign], D[h.d_bounds + 2 * sign + 1]
        if value < low:
            return low
        if value > high:
            return high
    return value


@jit
def pressure(h, Z, D, x, E, d, t):
    """Blood pressure at t as it is read, before rounding."""
    value = bounded(h, D, x, SYSTOLIC + d, raw_pressure(h, Z, D, x, E, d, t))
    if d == 1 and x.profile == PROFILE_DEFAULT:
        most = bounded(h, D, x, SYSTOLIC, raw_pressure(h, Z, D, x, E, 0, t)) - 15.0
        if value > most:
            return most
    return value


@jit
def _body(h, D, x, sign):
    if sign == HEIGHT:
        return x.height
    if sign == WEIGHT:
        return current_weight(h, D, x)
    if sign == BMI:
        return current_bmi(h, D, x)
    if sign == HEAD:
        return x.head
    if sign == HEIGHT_PERCENTILE:
        return x.height_percentile
    if sign == WEIGHT_PERCENTILE:
        return x.weight_percentile
    return 100.0 * x.head_percentile


@jit
def _laboratory(h, D, x, sign):
    turn = x.turn
    if FLAT_FROM <= sign <= FLAT_TO and sign != CREATININE:
        k = sign - FLAT_FROM
        return between(FLAT_LOW[k], FLAT_HIGH[k], _u(x, sign, turn))
    if sign == CREATININE:
        return _creatinine(h, D, x)
    if sign == HBA1C:
        return _hba1c(h, D, x)
    if sign == GLUCOSE:
        j = x.note_severity if x.note_severity < 2 else 2
        return between(GLUCOSE_EDGES[j], GLUCOSE_EDGES[j + 1], _u(x, sign, turn))
    if sign == CHOLESTEROL:
        return total_cholesterol(x, turn)
    if sign == TRIGLYCERIDES:
        return triglycerides(x, turn)
    if sign == HDL:
        return hdl(x, turn)
    if sign == LDL:
        return total_cholesterol(x, turn) - hdl(x, turn) - 0.2 * triglycerides(x, turn)
    if sign == MICROALBUMIN:
        return _microalbumin(x)
    if sign == EGFR:
        return egfr(x)
    u = _u(x, OXYGEN, turn)
    return np.trunc(between(75.0, 89.0, u)) if x.note_flags & CHF else np.trunc(between(90.0, 99.0, u))


@jit
def lifecycle_sign(h, Z, D, x, E, sign, t, stream):
    """A sign of the lifecycle as it is read at t, before rounding."""
    if sign == SYSTOLIC or sign == DIASTOLIC:
        return pressure(h, Z, D, x, E, sign - SYSTOLIC, t)
    if sign == HEART_RATE or sign == RESPIRATION_RATE:
        value = _rate(Z, h, x, sign, t, stream)
    elif sign <= HEAD_PERCENTILE:
        value = _body(h, D, x, sign)
    else:
        value = _laboratory(h, D, x, sign)
    return bounded(h, D, x, sign, value)


@jit
def round_half_up(v, decimals):
    """floor(v * 10^d + 0.5) / 10^d."""
    p = power_of_ten(decimals)
    return np.floor(v * p + 0.5) / p


@jit
def read_sign(h, S, Z, D, x, E, sign, t, stream):
    """A vital sign's value, rounded; second result False if it is not set."""
    w = x.w
    tag = w[h.w_sign + sign]
    v = 0.0
    if tag == 0:
        number = Z[h.z_sign_life + sign]
        if x.profile == 0 or number < 0:
            return 0.0, False
        v = lifecycle_sign(h, Z, D, x, E, number, t, stream)
    elif tag == 1:
        v = x.f[h.f_sign + sign]
    else:
        k = x.reads
        x.reads = k + 1
        number = np.uint64(Z[h.z_stream_number + stream])
        key = hash4(np.uint64(Z[h.z_sign_number + sign]), np.uint64(t), number, np.uint64(k))
        u = keyed_uniform(x.seed_low, x.seed_high, x.patient_low, x.patient_high, key)
        v = law(S[w[h.w_sign_state + sign]], u)
    return round_half_up(v, Z[h.z_sign_decimals + sign]), True
