"""Conditions: a walk through the decision graph, one atom at a time."""

import math

import numpy as np

from trajsim.engine.kernels.lifecycle.signs import read_sign
from trajsim.engine.kernels.slots import UNSET, age_in_months, civil, coerce
from trajsim.engine.opcodes import Compare, Tag, Test
from trajsim.streams.jit import jit

DAY = 86_400_000

EQ = int(Compare.EQ)
NE = int(Compare.NE)
LT = int(Compare.LT)
LE = int(Compare.LE)
GT = int(Compare.GT)
GE = int(Compare.GE)
NIL_TEST = int(Compare.NIL)
NOT_NIL_TEST = int(Compare.NOT_NIL)

T_NIL = int(Test.NIL)
T_NOT_NIL = int(Test.NOT_NIL)
T_NUMBER = int(Test.NUMBER)
T_BOOLEAN = int(Test.BOOLEAN)
T_STRING = int(Test.STRING)
T_CODE = int(Test.CODE)
T_NO_VALUE = int(Test.NO_VALUE)
T_AGE_YEARS = int(Test.AGE_YEARS)
T_AGE_MONTHS = int(Test.AGE_MONTHS)
T_DATE_YEAR = int(Test.DATE_YEAR)
T_DATE_MONTH = int(Test.DATE_MONTH)
T_DATE_INSTANT = int(Test.DATE_INSTANT)
T_SAME_TEXT = int(Test.SAME_TEXT)
T_SYMPTOM = int(Test.SYMPTOM)
T_OBSERVATION = int(Test.OBSERVATION)
T_OBSERVATION_ATTRIBUTE = int(Test.OBSERVATION_ATTRIBUTE)
T_VITAL_SIGN = int(Test.VITAL_SIGN)
T_PRESENT = int(Test.PRESENT)
T_PRESENT_ATTRIBUTE = int(Test.PRESENT_ATTRIBUTE)
T_PRIOR_STATE = int(Test.PRIOR_STATE)
T_COUNT_RESET = int(Test.COUNT_RESET)
T_COUNT_ADD = int(Test.COUNT_ADD)

NIL = int(Tag.NIL)
NUMBER = int(Tag.NUMBER)
INTEGER = int(Tag.INTEGER)
BOOLEAN = int(Tag.BOOLEAN)
STRING = int(Tag.STRING)
CODE = int(Tag.CODE)
ENTRY = int(Tag.ENTRY)
PLACEHOLDER = int(Tag.PLACEHOLDER)

COERCED_COMPARISON = 1
COERCED_NO_OBSERVATION = 4
COERCED_VITAL_SIGN = 5
COERCED_OTHER_KIND = 7


@jit
def compare(left, right, cmp):
    """Two numbers."""
    if cmp == EQ:
        return left == right
    if cmp == NE:
        return left != right
    if cmp == LT:
        return left < right
    if cmp == LE:
        return left <= right
    if cmp == GT:
        return left > right
    if cmp == GE:
        return left >= right
    return False


@jit
def compare_value(h, Z, x, E, tag, value, test, cmp, number, index, t, stream):
    """A value (tag and number) against a literal of the test's kind, as Synthea compares."""
    if tag == NIL:
        return False
    if test == T_NUMBER and (tag == NUMBER or tag == INTEGER):
        return compare(value, number, cmp)
    if test == T_BOOLEAN and tag == BOOLEAN:
        if cmp == EQ:
            return value == number
        return cmp <= GE and value != number
    if test == T_STRING and tag == STRING:
        rank = h.z_string_rank
        return compare(np.float64(Z[rank + np.int64(value)]), np.float64(Z[rank + index]), cmp)
    if test == T_CODE and tag == CODE:
        if cmp == EQ:
            return np.int64(value) == index
        return cmp == NE and np.int64(value) != index
    coerce(h, x, E, COERCED_COMPARISON, t, stream)
    return False


@jit
def symptom_value(h, Z, x, symptom):
    """The largest unresolved value of a symptom, or 0."""
    start = Z[h.z_symptom_range + 2 * symptom]
    stop = Z[h.z_symptom_range + 2 * symptom + 1]
    most = 0.0
    for slot in range(start, stop):
        if x.w[h.w_resolved + slot] == 0 and x.f[h.f_symptom + slot] > most:
            most = x.f[h.f_symptom + slot]
    return most


@jit
def _age_or_date(x, op, cmp, f, t):
    if op == T_AGE_YEARS:
        return compare(np.float64(age_in_months(x, t) // 12), f, cmp)
    if op == T_AGE_MONTHS:
        return compare(np.float64(age_in_months(x, t)), f, cmp)
    if op == T_DATE_INSTANT:
        return compare(np.float64(t), f, cmp)
    year, month, _ = civil(t // DAY)
    return compare(np.float64(year if op == T_DATE_YEAR else month), f, cmp)


@jit
def _observation(h, Z, x, E, node, t, stream):
    base = node.a
    n = Z[base]
    hit = -1
    for k in range(n):
        slot = Z[base + 3 + k]
        if x.w[h.w_watched + slot] != 0:
            hit = slot
            break
    if node.cmp == NIL_TEST:
        return hit < 0
    if node.cmp == NOT_NIL_TEST:
        return hit >= 0
    if hit < 0:
        coerce(h, x, E, COERCED_NO_OBSERVATION, t, stream)
        return False
    tag = x.w[h.w_watched_tag + hit]
    return compare_value(h, Z, x, E, tag, x.f[h.f_watched + hit], Z[base + 1], node.cmp, node.f, Z[base + 2], t, stream)


@jit
def _present(h, Z, x, E, text, kind, t, stream):
    """Whether a code is in `present`; kind 0 takes any entry, another kind only its own."""
    event = x.w[h.w_present + text]
    if event == 0:
        return False
    if kind != 0 and E[x.e0 + event - 1].kind != kind:
        coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
        return False
    return True


@jit
def _present_any(h, Z, x, E, node, t, stream):
    base = node.a
    for k in range(Z[base]):
        if _present(h, Z, x, E, Z[base + 1 + k], node.tag, t, stream):
            return True
    return False


@jit
def _present_attribute(h, S, Z, x, E, node, t, stream):
    tag = x.w[h.w_attribute + node.a]
    if tag == NIL:
        return False
    value = np.int64(x.f[h.f_attribute + node.a])
    state = np.int64(-1)
    if tag == ENTRY and (node.tag == 0 or E[x.e0 + value].kind == node.tag):
        state = np.int64(E[x.e0 + value].state)
    elif tag == PLACEHOLDER and node.tag == 0:
        state = value
    if state < 0:
        coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
        return False
    return _present(h, Z, x, E, Z[h.z_code_text + S[state].code], node.tag, t, stream)


@jit
def _prior_state(h, x, node, t):
    if node.a < 0:
        return False
    seq = x.w[h.w_prior_seq + node.a]
    if seq == 0:
        return False
    if node.b >= 0 and x.w[h.w_prior_seq + node.b] >= seq:
        return False
    if node.f >= 0.0:
        left = x.w[h.w_prior_exit + node.a]
        if left != UNSET and left <= t - np.int64(node.f):
            return False
    return True


@jit
def _observation_attribute(h, x, E, node, t, stream):
    """An attribute cannot hold an observation."""
    if x.w[h.w_attribute + node.a] != NIL:
        coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
    return False


@jit
def _compare_given(h, x, E, value, node, t, stream):
    """A number against the right side of a condition that may lack it (then it is NaN)."""
    if math.isnan(node.f):
        coerce(h, x, E, COERCED_COMPARISON, t, stream)
        return False
    return compare(value, node.f, node.cmp)


@jit
def _clinical_atom(h, S, Z, D, x, E, node, t, stream):
    op = node.op
    if op == T_PRESENT:
        return _present_any(h, Z, x, E, node, t, stream)
    if op == T_OBSERVATION:
        return _observation(h, Z, x, E, node, t, stream)
    if op == T_PRESENT_ATTRIBUTE:
        return _present_attribute(h, S, Z, x, E, node, t, stream)
    if op == T_OBSERVATION_ATTRIBUTE:
        return _observation_attribute(h, x, E, node, t, stream)
    if op == T_SYMPTOM:
        return _compare_given(h, x, E, symptom_value(h, Z, x, node.a), node, t, stream)
    value, known = read_sign(h, S, Z, D, x, E, node.a, t, stream)
    if not known:
        coerce(h, x, E, COERCED_VITAL_SIGN, t, stream)
        return False
    if node.cmp == NOT_NIL_TEST:
        return True
    if node.cmp == NIL_TEST:
        return False
    return _compare_given(h, x, E, value, node, t, stream)


@jit
def _same_text(h, Z, x, node):
    if x.w[h.w_attribute + node.a] != STRING:
        return False
    value = np.int64(x.f[h.f_attribute + node.a])
    if node.tag == 0:
        return value == node.b
    return Z[h.z_string_fold + value] == Z[h.z_string_fold + node.b]


@jit
def _attribute(h, Z, x, E, node, t, stream):
    """An attribute against a literal."""
    tag = x.w[h.w_attribute + node.a]
    if node.op == T_NO_VALUE:
        if tag != NIL:
            coerce(h, x, E, COERCED_COMPARISON, t, stream)
        return False
    return compare_value(h, Z, x, E, tag, x.f[h.f_attribute + node.a], node.op, node.cmp, node.f, node.b, t, stream)


@jit
def evaluate(h, S, N, Z, D, x, E, entry, t, stream):
    """Whether a condition holds; `entry` is its first node, or -1 (true) or -2 (false)."""
    n = np.int64(entry)
    while n >= 0:
        node = N[n]
        op = node.op
        if op == T_NIL:
            r = x.w[h.w_attribute + node.a] == NIL
        elif op == T_NOT_NIL:
            r = x.w[h.w_attribute + node.a] != NIL
        elif op <= T_NO_VALUE:
            r = _attribute(h, Z, x, E, node, t, stream)
        elif op <= T_DATE_INSTANT:
            r = _age_or_date(x, op, node.cmp, node.f, t)
        elif op == T_SAME_TEXT:
            r = _same_text(h, Z, x, node)
        elif op <= T_PRESENT_ATTRIBUTE:
            r = _clinical_atom(h, S, Z, D, x, E, node, t, stream)
        elif op == T_PRIOR_STATE:
            r = _prior_state(h, x, node, t)
        elif op == T_COUNT_RESET:
            x.counters[node.a] = 0
            r = True
        elif op == T_COUNT_ADD:
            x.counters[node.a] += 1
            r = True
        else:
            r = compare(np.float64(x.counters[node.a]), node.f, node.cmp)
        n = np.int64(node.jt) if r else np.int64(node.jf)
    return n == -1
