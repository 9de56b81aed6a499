"""What the states do that are not time or control."""

import numpy as np

from trajsim.engine.events import FIRST_MODULE_STREAM, EventKind
from trajsim.engine.kernels.encounters import attach, close_current, create_encounter, release, update_symptom_total
from trajsim.engine.kernels.entries import (
    diagnose,
    diagnose_waiting,
    end_entry,
    find_by_name,
    make_chronic,
    put,
    renew_chronic,
    resolve_reason,
    start_entry,
    text_of,
)
from trajsim.engine.kernels.expressions import expression
from trajsim.engine.kernels.learned import learned_value
from trajsim.engine.kernels.lifecycle.signs import read_sign
from trajsim.engine.kernels.slots import (
    coerce,
    draw_value,
    emit,
    mark,
    next_uniform,
    set_attribute,
    span_of,
)
from trajsim.engine.lifecycle_slots import Attribute
from trajsim.engine.opcodes import ObservedMode, Opcode, SetMode, SignMode, Tag
from trajsim.streams.jit import jit

NIL = int(Tag.NIL)
NUMBER = int(Tag.NUMBER)
INTEGER = int(Tag.INTEGER)
BOOLEAN = int(Tag.BOOLEAN)
STRING = int(Tag.STRING)
CODE = int(Tag.CODE)
ENTRY = int(Tag.ENTRY)
PLACEHOLDER = int(Tag.PLACEHOLDER)
SERIES = int(Tag.SERIES)

PROCEDURE = int(EventKind.PROCEDURE)
OBSERVATION = int(EventKind.OBSERVATION)
MULTI_OBSERVATION = int(EventKind.MULTI_OBSERVATION)
REPORT = int(EventKind.REPORT)
IMMUNIZATION = int(EventKind.IMMUNIZATION)
DEVICE = int(EventKind.DEVICE)
SUPPLY = int(EventKind.SUPPLY)
IMAGING = int(EventKind.IMAGING)
IMAGED_SERIES = int(EventKind.SERIES)
DEATH = int(EventKind.DEATH)
MEDICATION = int(EventKind.MEDICATION)
MEDICATION_AGAIN = int(EventKind.MEDICATION_AGAIN)
CAREPLAN = int(EventKind.CAREPLAN)
CAREPLAN_AGAIN = int(EventKind.CAREPLAN_AGAIN)

OP_SET_ATTRIBUTE = int(Opcode.SET_ATTRIBUTE)
OP_COUNTER = int(Opcode.COUNTER)
OP_SYMPTOM = int(Opcode.SYMPTOM)
OP_CONDITION_ONSET = int(Opcode.CONDITION_ONSET)
OP_ALLERGY_ONSET = int(Opcode.ALLERGY_ONSET)
OP_END_ENTRY = int(Opcode.END_ENTRY)
OP_MEDICATION = int(Opcode.MEDICATION)
OP_CAREPLAN = int(Opcode.CAREPLAN)
OP_OBSERVATION = int(Opcode.OBSERVATION)
OP_MULTI_OBSERVATION = int(Opcode.MULTI_OBSERVATION)
OP_REPORT = int(Opcode.REPORT)
OP_VITAL_SIGN = int(Opcode.VITAL_SIGN)
OP_IMAGING = int(Opcode.IMAGING)
OP_DEVICE = int(Opcode.DEVICE)
OP_SUPPLIES = int(Opcode.SUPPLIES)
OP_VACCINE = int(Opcode.VACCINE)
OP_DEATH = int(Opcode.DEATH)

SET_DRAW = int(SetMode.DRAW)
SET_NUMBER = int(SetMode.NUMBER)
SET_INTEGER = int(SetMode.INTEGER)
SET_BOOLEAN = int(SetMode.BOOLEAN)
SET_STRING = int(SetMode.STRING)
SET_CODE = int(SetMode.CODE)
SET_COPY = int(SetMode.COPY)
SET_SERIES = int(SetMode.SERIES)
SET_EXPRESSION = int(SetMode.EXPRESSION)

SIGN_CONSTANT = int(SignMode.CONSTANT)
SIGN_GENERATOR = int(SignMode.GENERATOR)
SIGN_EXPRESSION = int(SignMode.EXPRESSION)

SEEN_DRAW = int(ObservedMode.DRAW)
SEEN_STRING = int(ObservedMode.STRING)
SEEN_BOOLEAN = int(ObservedMode.BOOLEAN)
SEEN_CODE = int(ObservedMode.CODE)
SEEN_ATTRIBUTE = int(ObservedMode.ATTRIBUTE)
SEEN_VITAL_SIGN = int(ObservedMode.VITAL_SIGN)

A_DAYS = int(Attribute.DAYS_UNTIL_DEATH)

VALUE_NULL = 0
VALUE_NUMBER = 1
VALUE_CODE = 2
VALUE_STRING = 3
VALUE_BOOLEAN = 4

CHRONIC = 1
ADMINISTRATION = 2

COERCED_VITAL_SIGN = 5
COERCED_REASON = 8
COERCED_COUNTER = 9
COERCED_OBSERVED = 10

QUARTER_HOUR = 900_000
HALF_HOUR = 1_800_000
TELEMEDICINE_FROM = 1_451_649_600_000  # 2016-01-01T12:00Z
TELEMEDICINE_MORE = 1_585_742_400_000  # 2020-04-01T12:00Z
VIRTUAL = 9


@jit
def _set_attribute_state(h, S, Z, D, x, E, s, t, stream):
    mode = np.int64(s.mode)
    if h.model != 0:
        value, is_learned = learned_value(h, Z, D, x, s, t, stream)
        if is_learned:
            set_attribute(h, x, s.a, NUMBER, value)
            return
    if mode == SET_COPY:
        tag = x.w[h.w_attribute + s.c]
        if tag != NIL:
            set_attribute(h, x, s.a, tag, x.f[h.f_attribute + s.c])
            return
        mode = np.int64(s.d)
    if mode == SET_DRAW:
        set_attribute(h, x, s.a, NUMBER, draw_value(h, Z, x, s, stream))
    elif mode == SET_NUMBER:
        set_attribute(h, x, s.a, NUMBER, s.p0)
    elif mode == SET_INTEGER:
        set_attribute(h, x, s.a, INTEGER, s.p0)
    elif mode == SET_BOOLEAN:
        set_attribute(h, x, s.a, BOOLEAN, s.p0)
    elif mode == SET_STRING:
        set_attribute(h, x, s.a, STRING, np.float64(s.b))
    elif mode == SET_CODE:
        set_attribute(h, x, s.a, CODE, np.float64(s.b))
    elif mode == SET_SERIES:
        set_attribute(h, x, s.a, SERIES, np.float64(s.b))
    elif mode == SET_EXPRESSION:
        tag, value = expression(h, S, Z, D, x, E, s.b, t, stream)
        set_attribute(h, x, s.a, tag, value)
    else:
        set_attribute(h, x, s.a, NIL, 0.0)


@jit
def _counter(h, x, E, s, t, stream):
    tag = x.w[h.w_attribute + s.a]
    value = 0.0
    if tag == NUMBER or tag == INTEGER:
        value = x.f[h.f_attribute + s.a]
    elif tag != NIL:
        coerce(h, x, E, COERCED_COUNTER, t, stream)
    set_attribute(h, x, s.a, NUMBER, value + s.p0)


@jit
def _symptom(h, Z, x, s, stream):
    u = next_uniform(h, Z, x, stream)
    if u > s.q:
        return
    value = np.float64(np.int64(draw_value(h, Z, x, s, stream))) if s.dk != 0 else 0.0
    slot = Z[h.z_symptom_slot + s.a * h.n_modules + stream - FIRST_MODULE_STREAM]
    x.f[h.f_symptom + slot] = value
    x.w[h.w_resolved + slot] = 0
    mark(x, s.a * 11 + 29)
    update_symptom_total(h, Z, x)


@jit
def _onset(h, S, Z, D, x, E, C, state, file, t, stream):
    s = S[state]
    now = s.c < 0
    if not now and x.owner == stream and x.n_encounters > 0:
        made_by = E[x.e0 + attach(x, C, t)].state
        now = S[made_by].name == s.c
    if now:
        if s.b >= 0:
            x.w[h.w_pending + s.b] = 0
        diagnose(h, S, Z, D, x, E, C, state, t, stream)
        return
    if s.assign >= 0:
        set_attribute(h, x, s.assign, PLACEHOLDER, np.float64(state))
    if s.b >= 0:
        x.seq += 1
        x.w[h.w_pending + s.b] = x.seq


@jit
def _medication(h, S, Z, x, E, C, state, t, stream):
    s = S[state]
    reason = resolve_reason(h, S, Z, x, E, s.c, t, stream, False)
    event = np.int64(-1)
    chronic = s.tag & CHRONIC
    if s.tag & ADMINISTRATION:
        event = emit(h, x, E, MEDICATION, state, t, 0.0, attach(x, C, t), reason, ADMINISTRATION, stream)
    if chronic or not s.tag & ADMINISTRATION:
        event = start_entry(h, S, Z, x, E, C, state, MEDICATION, MEDICATION_AGAIN, chronic, reason, t, stream)
        if chronic:
            make_chronic(h, x, text_of(h, Z, S, state), event, s.name)
    if s.assign >= 0:
        set_attribute(h, x, s.assign, ENTRY, np.float64(event))


@jit
def _careplan(h, S, Z, x, E, C, state, t, stream):
    s = S[state]
    reason = resolve_reason(h, S, Z, x, E, s.c, t, stream, False)
    event = start_entry(h, S, Z, x, E, C, state, CAREPLAN, CAREPLAN_AGAIN, x.via_history, reason, t, stream)
    if s.assign >= 0:
        set_attribute(h, x, s.assign, ENTRY, np.float64(event))


@jit
def procedure(h, S, Z, x, E, C, state, t, stream):
    """Records a procedure; returns when it is over (its start if it does not block)."""
    s = S[state]
    reason = resolve_reason(h, S, Z, x, E, s.c, t, stream, False)
    span = np.int64(QUARTER_HOUR)
    over = t
    if s.timed != 0:
        span = span_of(s, draw_value(h, Z, x, s, stream))
        if span < 0:
            span = np.int64(0)
        over = t + span
    event = emit(h, x, E, PROCEDURE, state, t, np.float64(span), attach(x, C, t), reason, 0, stream)
    put(h, x, text_of(h, Z, S, state), event, s.name)
    if s.assign >= 0:
        set_attribute(h, x, s.assign, ENTRY, np.float64(event))
    return over


@jit
def _observe(h, S, Z, D, x, E, C, state, t, stream):
    """Writes one observation, of a state or of a child."""
    s = S[state]
    kind = VALUE_NULL
    value = 0.0
    is_learned = False
    if h.model != 0:
        value, is_learned = learned_value(h, Z, D, x, s, t, stream)
    if is_learned:
        kind = VALUE_NUMBER
    elif s.mode == SEEN_DRAW:
        kind, value = VALUE_NUMBER, draw_value(h, Z, x, s, stream)
    elif s.mode == SEEN_STRING:
        kind, value = VALUE_STRING, np.float64(s.a)
    elif s.mode == SEEN_BOOLEAN:
        kind, value = VALUE_BOOLEAN, s.p0
    elif s.mode == SEEN_CODE:
        kind, value = VALUE_CODE, np.float64(s.a)
    elif s.mode == SEEN_VITAL_SIGN:
        reading, known = read_sign(h, S, Z, D, x, E, s.a, t, stream)
        if known:
            kind, value = VALUE_NUMBER, reading
        else:
            coerce(h, x, E, COERCED_VITAL_SIGN, t, stream)
    elif s.mode == SEEN_ATTRIBUTE:
        tag = x.w[h.w_attribute + s.a]
        value = x.f[h.f_attribute + s.a]
        if tag == NUMBER or tag == INTEGER:
            kind = VALUE_NUMBER
        elif tag == BOOLEAN:
            kind = VALUE_BOOLEAN
        elif tag == STRING:
            kind = VALUE_STRING
        elif tag == CODE:
            kind = VALUE_CODE
        else:
            value = 0.0
            if tag != NIL:
                coerce(h, x, E, COERCED_OBSERVED, t, stream)
    event = emit(h, x, E, OBSERVATION, state, t, value, attach(x, C, t), -1, kind, stream)
    if s.d >= 0:
        _remember(h, x, C, s.d, kind, value, t)
    return event


@jit
def _remember(h, x, C, slot, kind, value, t):
    """The latest observation of a watched code is the first one in the newest encounter that has one."""
    where = 1
    k = x.n_encounters - 1
    while k > 0 and C[k].start > t:
        k -= 1
    where = k + 1
    if x.w[h.w_watched + slot] >= where:
        return
    tag = NIL
    if kind == VALUE_NUMBER:
        tag = NUMBER
    elif kind == VALUE_CODE:
        tag = CODE
    elif kind == VALUE_STRING:
        tag = STRING
    elif kind == VALUE_BOOLEAN:
        tag = BOOLEAN
    x.w[h.w_watched + slot] = where
    x.w[h.w_watched_tag + slot] = tag
    x.f[h.f_watched + slot] = value
    mark(x, slot * 17 + 41)


@jit
def _panel(h, S, Z, D, x, E, C, state, kind, t, stream):
    """A panel or report: its children, then itself; the children point at it."""
    n = S[state].b
    first = np.int64(0)
    for k in range(n):
        event = _observe(h, S, Z, D, x, E, C, state + 1 + k, t, stream)
        if k == 0:
            first = event
    parent = emit(h, x, E, kind, state, t, np.float64(n), attach(x, C, t), -1, 0, stream)
    if S[state].d >= 0:
        _remember(h, x, C, S[state].d, VALUE_NULL, 0.0, t)
    if n > 0:
        for event in range(first, parent):
            if E[x.e0 + event].kind == OBSERVATION:
                E[x.e0 + event].ref = parent


@jit
def _drawn_count(h, Z, x, low, high, listed, stream):
    """A number of series or instances: drawn if the state gives bounds, else as many as are listed."""
    if listed > 0 and low > 0.0 and low <= high:
        u = next_uniform(h, Z, x, stream)
        return np.int64(low + (high + 1.0 - low) * u)
    return np.int64(listed)


@jit
def _imaging(h, S, Z, x, E, C, state, t, stream):
    s = S[state]
    n = _drawn_count(h, Z, x, s.p0, s.p1, s.b, stream)
    copies = s.b > 0 and s.p0 > 0.0 and s.p0 <= s.p1
    where = attach(x, C, t)
    study = emit(h, x, E, IMAGING, state, t, np.float64(n), where, -1, 0, stream)
    for k in range(n):
        source = state + 1 + (0 if copies else k)
        child = S[source]
        instances = _drawn_count(h, Z, x, child.p0, child.p1, child.a, stream)
        emit(h, x, E, IMAGED_SERIES, source, t, np.float64(instances), -1, study, k, stream)
    event = emit(h, x, E, PROCEDURE, state, t, np.float64(HALF_HOUR), where, -1, 0, stream)
    put(h, x, text_of(h, Z, S, state), event, s.name)


@jit
def _device(h, S, Z, x, E, C, state, t, stream):
    s = S[state]
    event = emit(h, x, E, DEVICE, state, t, 0.0, attach(x, C, t), -1, 0, stream)
    put(h, x, text_of(h, Z, S, state), event, s.name)
    if s.assign >= 0:
        set_attribute(h, x, s.assign, ENTRY, np.float64(event))


@jit
def _cause(h, S, Z, x, E, s, t, stream):
    """Cause of death as a reference."""
    if s.mode == 0:
        return np.int64(-2) - s.code
    if s.mode == 1:
        prior = Z[s.b + 1]
        if prior >= 0 and x.w[h.w_prior_seq + prior] != 0:
            text = find_by_name(h, Z, x, Z[s.b + 2], True)
            if text >= 0:
                return x.w[h.w_present + text] - 1
        code = Z[s.b + 3]
        return np.int64(-2) - code if code >= 0 else np.int64(-1)
    if s.mode == 2:
        tag = x.w[h.w_attribute + s.a]
        value = np.int64(x.f[h.f_attribute + s.a])
        if tag == ENTRY:
            return value
        if tag == PLACEHOLDER:
            return np.int64(-2) - S[value].code
        if tag == CODE:
            return np.int64(-2) - value
        coerce(h, x, E, COERCED_REASON, t, stream)
    return np.int64(-1)


@jit
def _death(h, S, Z, x, E, state, t, stream):
    s = S[state]
    cause = _cause(h, S, Z, x, E, s, t, stream)
    when = t
    if s.timed != 0:
        when = t + span_of(s, draw_value(h, Z, x, s, stream))
    if when < x.death:
        x.death = when
        if x.profile != 0 and Z[h.z_life_slot + A_DAYS] >= 0:
            mark(x, Z[h.z_life_slot + A_DAYS])
        emit(h, x, E, DEATH, state, when, 0.0, -1, cause, 0, stream)


@jit
def _vital_sign(h, S, Z, D, x, E, state, s, t, stream):
    value = 0.0
    is_learned = False
    if h.model != 0:
        value, is_learned = learned_value(h, Z, D, x, s, t, stream)
    if is_learned:
        x.f[h.f_sign + s.a] = value
        x.w[h.w_sign + s.a] = 1
    elif s.mode == SIGN_CONSTANT:
        x.f[h.f_sign + s.a] = s.p0
        x.w[h.w_sign + s.a] = 1
    elif s.mode == SIGN_GENERATOR:
        x.w[h.w_sign + s.a] = 2
        x.w[h.w_sign_state + s.a] = state
    elif s.mode == SIGN_EXPRESSION:
        tag, value = expression(h, S, Z, D, x, E, s.b, t, stream)
        if tag == NUMBER:
            x.f[h.f_sign + s.a] = value
            x.w[h.w_sign + s.a] = 1
    x.overridden = 1
    mark(x, s.a * 5 + 3)


@jit
def clinical(h, S, Z, D, x, E, C, state, file, t, stream):
    """All states that never block."""
    s = S[state]
    op = s.op
    if op == OP_SET_ATTRIBUTE:
        _set_attribute_state(h, S, Z, D, x, E, s, t, stream)
    elif op == OP_OBSERVATION:
        _observe(h, S, Z, D, x, E, C, state, t, stream)
    elif op == OP_MULTI_OBSERVATION:
        _panel(h, S, Z, D, x, E, C, state, MULTI_OBSERVATION, t, stream)
    elif op == OP_REPORT:
        _panel(h, S, Z, D, x, E, C, state, REPORT, t, stream)
    elif op == OP_CONDITION_ONSET or op == OP_ALLERGY_ONSET:
        _onset(h, S, Z, D, x, E, C, state, file, t, stream)
    elif op == OP_END_ENTRY:
        end_entry(h, S, Z, x, E, state, t, stream)
    elif op == OP_MEDICATION:
        _medication(h, S, Z, x, E, C, state, t, stream)
    elif op == OP_CAREPLAN:
        _careplan(h, S, Z, x, E, C, state, t, stream)
    elif op == OP_SYMPTOM:
        _symptom(h, Z, x, s, stream)
    elif op == OP_COUNTER:
        _counter(h, x, E, s, t, stream)
    elif op == OP_VITAL_SIGN:
        _vital_sign(h, S, Z, D, x, E, state, s, t, stream)
    elif op == OP_IMAGING:
        _imaging(h, S, Z, x, E, C, state, t, stream)
    elif op == OP_DEVICE:
        _device(h, S, Z, x, E, C, state, t, stream)
    elif op == OP_SUPPLIES:
        where = attach(x, C, t)
        for k in range(s.b):
            emit(h, x, E, SUPPLY, state + 1 + k, t, S[state + 1 + k].p0, where, -1, 0, stream)
    elif op == OP_VACCINE:
        emit(h, x, E, IMMUNIZATION, state, t, s.p0, attach(x, C, t), -1, 0, stream)
    elif op == OP_DEATH:
        _death(h, S, Z, x, E, state, t, stream)


@jit
def encounter(h, S, Z, D, x, E, C, state, t, stream):
    """A stand-alone Encounter that may pass: ends what its module holds, creates, diagnoses."""
    s = S[state]
    if x.owner == stream:
        close_current(h, x, E, C, t, state, stream)
        release(x)
    klass = np.int64(s.a)
    if s.b == 2:
        klass = np.int64(VIRTUAL)
    elif s.b == 1 and t >= TELEMEDICINE_FROM:
        share = 0.004 if t < TELEMEDICINE_MORE else 0.15
        if next_uniform(h, Z, x, stream) < share:
            klass = np.int64(VIRTUAL)
    event = create_encounter(h, x, E, C, state, klass, t, stream)
    diagnose_waiting(h, S, Z, D, x, E, C, s.d, t, stream)
    reason = resolve_reason(h, S, Z, x, E, s.c, t, stream, True)
    E[x.e0 + event].ref = reason


@jit
def wellness(h, S, Z, D, x, E, C, state, t, stream):
    """A wellness Encounter that passes."""
    diagnose_waiting(h, S, Z, D, x, E, C, S[state].d, t, stream)
    if x.renewed == 0 and x.n_chronic > 0:
        x.renewed = 1
        renew_chronic(h, S, Z, x, E, C, state, t, stream)
