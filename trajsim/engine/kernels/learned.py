"""A learned model inside a life: standing events, the model's turn, measurements (docs/draws.md, section 11).

A life stops before a question (`ASK`) and goes on when the answer lies in its record; the kernels never call a model.
Where the model is written out (`trajsim.formula`) the answer is worked out at once, and the life goes on.
"""

import math

import numpy as np

from trajsim.engine.kernels.formula import all_numbers, exponential, work_out
from trajsim.engine.kernels.lifecycle.signs import lifecycle_sign, round_half_up
from trajsim.engine.kernels.slots import DAY, NEVER, UNSET, age_in_months, next_uniform
from trajsim.engine.lifecycle_slots import Sign
from trajsim.engine.opcodes import ExitStatus, Opcode, Question
from trajsim.formula import Part
from trajsim.streams.jit import inline_jit, jit
from trajsim.streams.philox import normal_quantile, uniform

DONE = int(ExitStatus.DONE)
ASK = int(ExitStatus.ASK)
NO_NUMBER = int(ExitStatus.NO_NUMBER)
IDLE = int(Question.NONE)
FIRST = int(Question.FIRST)
REFRESH = int(Question.REFRESH)
TOGETHER = int(Question.TOGETHER)
STEP = int(Question.STEP)
READING = int(Question.READING)
OP_SET_ATTRIBUTE = int(Opcode.SET_ATTRIBUTE)
OP_OBSERVATION = int(Opcode.OBSERVATION)
OP_VITAL_SIGN = int(Opcode.VITAL_SIGN)
OP_REPORT = int(Opcode.REPORT)
OP_MULTI_OBSERVATION = int(Opcode.MULTI_OBSERVATION)
SIGN_BMI = int(Sign.BMI)
PART_STEP = int(Part.STEP)
PART_HAZARDS = int(Part.HAZARDS)
PART_VALUES = int(Part.VALUES)
PART_TOGETHER = int(Part.TOGETHER)

YEAR_MS = 31_557_600_000.0
WEEK_MS = 604_800_000
LONGEST_MS = 9_000_000_000_000_000.0
VISIT_EVENT = -1


@jit
def _uniform_of_model(h, x):
    n = x.m_draws
    x.m_draws = n + 1
    return uniform(x.seed_low, x.seed_high, x.patient_low, x.patient_high, np.uint64(h.m_stream), np.uint64(n))


# --- hazards ----------------------------------------------------------------------------------------------------------


@jit
def _fires(h, Z, x, event, since, remaining):
    """When an event comes whose integrated hazard has so much to go, counted from `since` or the question."""
    start = since if since > x.m_time else x.m_time
    for p in range(h.m_pieces):
        last = p + 1 == h.m_pieces
        a = x.m_time + Z[h.z_pieces + p]
        b = np.int64(NEVER) if last else x.m_time + Z[h.z_pieces + p + 1]
        if a < start:
            a = start
        if b <= a:
            continue
        rate = x.f[h.f_hazard + event * h.m_pieces + p]
        if rate > 0.0:
            if remaining <= 0.0 or rate == np.inf:
                return a
            span = remaining / rate * YEAR_MS
            if last:
                return a + np.int64(span) if span < LONGEST_MS else np.int64(NEVER)
            length = np.float64(b - a)
            if span < length:
                return a + np.int64(span)
            remaining = remaining - rate * (length / YEAR_MS)
    return np.int64(NEVER)


@jit
def _grown(h, Z, x, event, since, until, integral):
    """The integrated hazard of an event at `until`."""
    start = since if since > x.m_time else x.m_time
    for p in range(h.m_pieces):
        a = x.m_time + Z[h.z_pieces + p]
        b = until
        if p + 1 < h.m_pieces and x.m_time + Z[h.z_pieces + p + 1] < b:
            b = x.m_time + Z[h.z_pieces + p + 1]
        if a < start:
            a = start
        if b <= a:
            continue
        rate = x.f[h.f_hazard + event * h.m_pieces + p]
        if rate > 0.0:
            integral = integral + rate * (np.float64(b - a) / YEAR_MS)
    return integral


@jit
def _take_hazards(h, Z, D, x):
    """The answer's hazards count from the question on; when everything comes is worked out anew."""
    x.m_time = x.m_at
    n = h.m_pieces
    for k in range(h.m_events * n):
        x.f[h.f_hazard + k] = exponential(x.f[h.f_log + k])
    if h.m_death >= 0 and h.d_offset >= 0:
        years = age_in_months(x, x.m_at) // 12
        if years >= h.n_offset:
            years = h.n_offset - 1
        less = D[h.d_offset + (h.n_offset if x.sex == 1 else 0) + years]
        for p in range(n):
            rate = x.f[h.f_hazard + h.m_death * n + p] - less
            x.f[h.f_hazard + h.m_death * n + p] = rate if rate > 0.0 else 0.0
    for r in range(h.m_standing):
        if x.w[h.w_kind + r] != 0:
            x.w[h.w_fire + r] = _fires(
                h, Z, x, x.w[h.w_kind + r] - 1, x.w[h.w_since + r], x.f[h.f_threshold + r] - x.f[h.f_integral + r]
            )
    if h.m_visit >= 0:
        _time_visit(h, Z, x)


@jit
def _time_visit(h, Z, x):
    when = _fires(h, Z, x, h.m_visit, x.m_step, x.m_visit_threshold - x.m_visit_integral)
    x.m_visit_fire = when if when > x.m_step + DAY else x.m_step + DAY


@jit
def _advance(h, Z, x, until):
    """All integrated hazards up to an instant."""
    for r in range(h.m_standing):
        if x.w[h.w_kind + r] != 0:
            x.f[h.f_integral + r] = _grown(
                h, Z, x, x.w[h.w_kind + r] - 1, x.w[h.w_since + r], until, x.f[h.f_integral + r]
            )
    if h.m_visit >= 0:
        x.m_visit_integral = _grown(h, Z, x, h.m_visit, x.m_step, until, x.m_visit_integral)


# --- standing events --------------------------------------------------------------------------------------------------


@jit
def stand(h, Z, x, block, file, m, t, stream):
    """A bound Delay is entered inside the domain; whether the model times any of its events."""
    found = 0
    for event in range(h.m_events):
        for j in range(Z[block]):
            if Z[h.z_bound_events + Z[block + 1 + 2 * j]] != event:
                continue
            r = Z[h.z_standing + file] + found
            found += 1
            x.w[h.w_kind + r] = event + 1
            x.w[h.w_since + r] = t
            x.w[h.w_by + r] = m
            x.w[h.w_target + r] = Z[block + 2 + 2 * j] + 1
            x.f[h.f_threshold + r] = -math.log(1.0 - next_uniform(h, Z, x, stream))
            x.f[h.f_integral + r] = 0.0
            when = _fires(h, Z, x, event, t, x.f[h.f_threshold + r])
            x.w[h.w_fire + r] = when
            if when < x.m_next:
                x.m_next = when
    return found > 0


@jit
def _fire(h, Z, x, r):
    """An event comes: its Delay is over, and what else that Delay waited for is dropped."""
    file = Z[h.z_standing_file + r]
    at = x.m_at
    x.w[h.w_now + x.w[h.w_kind + r] - 1] = 1
    x.w[h.w_due + file] = at
    x.w[h.w_goal + file] = x.w[h.w_target + r]
    m = x.w[h.w_by + r]
    if at < x.w[h.w_wake + m]:
        x.w[h.w_wake + m] = at
    for other in range(Z[h.z_standing + file], Z[h.z_standing + file + 1]):
        x.w[h.w_kind + other] = 0


# --- questions --------------------------------------------------------------------------------------------------------


@jit
def _ask(x, question, at):
    x.m_question = question
    x.m_at = at
    x.m_read = UNSET
    return ASK


@jit
def _clear_now(h, x):
    for k in range(h.m_events):
        x.w[h.w_now + k] = 0
    for v in range(h.m_values):
        x.w[h.w_fresh + v] = 0


@jit
def _next(h, x):
    """What comes first: (instant, standing event; `VISIT_EVENT`; -2 for a refresh)."""
    best = x.m_time + h.m_refresh
    which = -2
    if h.m_visit >= 0 and x.m_visit_fire <= best:
        best = x.m_visit_fire
        which = VISIT_EVENT
    first = np.int64(NEVER)
    for r in range(h.m_standing):
        if x.w[h.w_kind + r] != 0 and x.w[h.w_fire + r] < first:
            first = x.w[h.w_fire + r]
            if first <= best:
                best = first
                which = r
    return best, which


@jit
def model_turn(h, Z, D, x):
    """The model's turn at a grid point; a status."""
    while True:
        asked = x.m_question
        x.m_question = IDLE
        if asked == TOGETHER:
            _advance(h, Z, x, x.m_at)
            _come_together(h, Z, D, x)
            return _ask(x, STEP, x.m_at)
        if asked == FIRST or asked == STEP:
            x.m_step = x.m_at
            if asked == FIRST:
                x.m_domain = x.m_at
            for v in range(h.m_values):
                x.w[h.w_measured + v] = x.w[h.w_fresh + v]
            if h.m_visit >= 0:
                x.m_visit_integral = 0.0
                x.m_visit_threshold = -math.log(1.0 - _uniform_of_model(h, x))
            _take_hazards(h, Z, D, x)
        elif asked == REFRESH:
            _advance(h, Z, x, x.m_at)
            _take_hazards(h, Z, D, x)
        elif x.m_domain == NEVER:
            _clear_now(h, x)
            return _ask(x, FIRST, x.t)
        when, which = _next(h, x)
        x.m_next = when
        if when > x.t or (asked == STEP and h.m_death >= 0 and x.w[h.w_now + h.m_death] != 0):
            return DONE
        _clear_now(h, x)
        if which == -2:
            return _ask(x, REFRESH, when)
        x.m_first = which
        x.w[h.w_now + (h.m_visit if which == VISIT_EVENT else x.w[h.w_kind + which] - 1)] = 1
        return _ask(x, TOGETHER, when)


@jit
def _come_together(h, Z, D, x):
    """What else comes at the instant at which something came, and what a visit measures."""
    first = x.m_first
    event = h.m_visit
    is_visit = True
    if first >= 0:
        event = x.w[h.w_kind + first] - 1
        is_visit = False
        _fire(h, Z, x, first)
    for r in range(h.m_standing):
        other = x.w[h.w_kind + r] - 1
        if other < 0 or other == event:
            continue
        p = x.f[h.f_co + other]
        if p > 0.0:
            x.f[h.f_integral + r] = np.inf if p >= 1.0 else x.f[h.f_integral + r] - math.log(1.0 - p)
            if x.f[h.f_integral + r] >= x.f[h.f_threshold + r]:
                _fire(h, Z, x, r)
    if h.m_visit >= 0 and first >= 0:
        is_visit = _uniform_of_model(h, x) < x.f[h.f_co + h.m_visit]
    if is_visit:
        x.w[h.w_now + h.m_visit] = 1
        if h.m_values > 0:
            _measure(h, Z, D, x)


@jit
def _measure(h, Z, D, x):
    """Which values a visit measures, and what they read."""
    u = _uniform_of_model(h, x)
    chosen = np.int64(0)
    total = 0.0
    for panel in range(1 << h.m_values):
        p = x.f[h.f_panel + panel]
        if p > 0.0:
            chosen = np.int64(panel)
            total = total + p
            if u < total:
                break
    for v in range(h.m_values):
        if (chosen >> v) & 1:
            x.w[h.w_fresh + v] = 1
            u = _uniform_of_model(h, x)
            second = 0.0 if Z[h.z_values + 2 * v] != 0 else _uniform_of_model(h, x)
            x.f[h.f_value + v] = _published(h, Z, D, x, v, u, second)


@jit
def _published(h, Z, D, x, v, u, second):
    """A value as it is published, of a uniform for the component (a flag: for the value) and one for the normal."""
    at = v * h.m_components
    if Z[h.z_values + 2 * v] != 0:
        return 1.0 if u < x.f[h.f_mean + at] else 0.0
    chosen = h.m_components - 1
    total = 0.0
    for c in range(h.m_components):
        total = total + x.f[h.f_weight + at + c]
        if u < total:
            chosen = c
            break
    scaled = x.f[h.f_mean + at + chosen] + x.f[h.f_scale + at + chosen] * normal_quantile(second)
    d = h.d_values + 5 * v
    centre, spread, low, high, resolution = D[d], D[d + 1], D[d + 2], D[d + 3], D[d + 4]
    value = centre * exponential(spread * scaled) if Z[h.z_values + 2 * v + 1] != 0 else centre + spread * scaled
    value = np.floor(value / resolution + 0.5) * resolution
    if value < low:
        value = low
    if value > high:
        value = high
    return value


# --- measurements that modules make -----------------------------------------------------------------------------------


@jit
def _is_recent(h, x, v, t):
    return x.w[h.w_measured + v] != 0 and x.m_step <= t <= x.m_step + WEEK_MS


@jit
def _lacks(h, Z, x, s, t):
    """Whether a row is bound to a value that must be asked for."""
    if s.e == 0:
        return False
    v = Z[h.z_bound_labs + s.e - 1]
    return v >= 0 and not _is_recent(h, x, v, t) and x.m_read != t


@jit
def must_ask(h, S, Z, x, state, t):
    """Whether a state that measures needs the model first; if so the question stands in the record."""
    if x.m_question == READING:
        x.m_question = IDLE
        x.m_read = t
        return False
    s = S[state]
    lacks = False
    if s.op == OP_REPORT or s.op == OP_MULTI_OBSERVATION:
        for k in range(s.b):
            lacks = lacks or _lacks(h, Z, x, S[state + 1 + k], t)
    elif s.op == OP_OBSERVATION or s.op == OP_VITAL_SIGN or s.op == OP_SET_ATTRIBUTE:
        lacks = _lacks(h, Z, x, s, t)
    if lacks:
        _clear_now(h, x)
        _ask(x, READING, t if t > x.m_step else x.m_step)
    return lacks


@jit
def learned_value(h, Z, D, x, s, t, stream):
    """What a bound state reads: (value, whether the model gives it)."""
    if s.e == 0 or t < x.m_domain:
        return 0.0, False
    v = Z[h.z_bound_labs + s.e - 1]
    if v < 0:
        return 0.0, False
    if _is_recent(h, x, v, t):
        return x.f[h.f_value + v], True
    u = next_uniform(h, Z, x, stream)
    second = 0.0 if Z[h.z_values + 2 * v] != 0 else next_uniform(h, Z, x, stream)
    return _published(h, Z, D, x, v, u, second), True


# --- what is asked, and what is answered ------------------------------------------------------------------------------


@jit
def _input(h, Z, D, x, E, kind):
    """What a model wants to know, as it stands at the question."""
    if kind == 0:
        return np.float64(x.m_at - x.birth) / YEAR_MS
    if kind == 1:
        return np.float64(x.sex)
    if x.profile != 0:
        return round_half_up(lifecycle_sign(h, Z, D, x, E, SIGN_BMI, x.m_at, 0), 2)
    return np.nan


@jit
def write_question(h, Z, D, x, E, i, patient, time, inputs, is_step, legal, now, measured, values):
    """Row i of the questions."""
    patient[i] = x.patient_low | (x.patient_high << np.uint64(32))
    time[i] = x.m_at * 1000
    for j in range(h.n_inputs):
        inputs[i, j] = np.float32(_input(h, Z, D, x, E, Z[h.z_inputs + j]))
    is_step[i] = x.m_question == FIRST or x.m_question == STEP
    for k in range(h.m_events):
        legal[i, k] = k == h.m_visit
        now[i, k] = x.w[h.w_now + k] != 0
    for r in range(h.m_standing):
        if x.w[h.w_kind + r] != 0:
            legal[i, x.w[h.w_kind + r] - 1] = True
    for v in range(h.m_values):
        fresh = x.w[h.w_fresh + v] != 0
        measured[i, v] = fresh
        values[i, v] = np.float32(x.f[h.f_value + v]) if fresh else np.float32(np.nan)


@inline_jit
def _copy_row(x, at, row):
    for k in range(row.shape[0]):
        x.f[at + k] = np.float64(row[k])


@jit
def read_answer(h, x, i, log_hazard, co, panel, weight, mean, scale):
    """Row i of the answers, each flat."""
    _copy_row(x, h.f_co, co[i])
    if x.m_question != READING:
        _copy_row(x, h.f_log, log_hazard[i])
        _copy_row(x, h.f_panel, panel[i])
    _copy_row(x, h.f_weight, weight[i])
    _copy_row(x, h.f_mean, mean[i])
    _copy_row(x, h.f_scale, scale[i])


@jit
def answer(h, Z, D, x, E):
    """Answers the question that stands in the record by the formula; `NO_NUMBER` if what comes out is none."""
    first, last = PART_STEP, PART_HAZARDS
    if x.m_question == REFRESH:
        first = PART_HAZARDS
    elif x.m_question == TOGETHER:
        first, last = PART_VALUES, PART_TOGETHER
    elif x.m_question == READING:
        first, last = PART_VALUES, PART_VALUES
    at = h.f_formula
    for j in range(h.n_inputs):
        x.f[at + j] = _input(h, Z, D, x, E, Z[h.z_inputs + j])
    at += h.n_inputs
    for k in range(h.m_events):
        x.f[at + k] = np.float64(x.w[h.w_now + k])
    at += h.m_events
    for v in range(h.m_values):
        fresh = x.w[h.w_fresh + v] != 0
        x.f[at + v] = 1.0 if fresh else 0.0
        x.f[at + h.m_values + v] = x.f[h.f_value + v] if fresh else np.nan
    work_out(Z, D, x.f, Z[h.z_parts + first], Z[h.z_parts + last + 1])
    if first <= PART_HAZARDS:
        return DONE if all_numbers(x.f, h.f_log, h.m_events * h.m_pieces) else NO_NUMBER
    n = h.m_values * h.m_components
    sound = all_numbers(x.f, h.f_weight, n) and all_numbers(x.f, h.f_mean, n) and all_numbers(x.f, h.f_scale, n)
    if last == PART_TOGETHER:
        sound = sound and all_numbers(x.f, h.f_co, h.m_events) and all_numbers(x.f, h.f_panel, 1 << h.m_values)
    return DONE if sound else NO_NUMBER


@jit
def no_model_yet(h, D, x):
    """The model's part of a new record."""
    x.m_question = IDLE
    x.m_domain = NEVER
    x.m_next = NEVER if h.model == 0 else x.birth + h.m_min_age
    x.m_read = UNSET
    x.m_step = x.birth
    x.m_time = x.birth
    x.m_draws = 0
    x.m_visit_fire = NEVER
    x.m_visit_threshold = 0.0
    x.m_visit_integral = 0.0
    for k in range(h.n_formula):
        x.f[h.f_formula + k] = D[h.d_formula + k]
