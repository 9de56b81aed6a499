"""How a finished state chooses its successor."""

import numpy as np

from trajsim.engine.kernels.lifecycle.insurance import DUAL, MEDICAID, plan_kind
from trajsim.engine.kernels.logic import evaluate
from trajsim.engine.kernels.slots import age_in_months, coerce, next_uniform
from trajsim.engine.opcodes import Tag, TransitionOp
from trajsim.streams.jit import inline_jit, jit

DIRECT = int(TransitionOp.DIRECT)
DISTRIBUTED = int(TransitionOp.DISTRIBUTED)
CONDITIONAL = int(TransitionOp.CONDITIONAL)
COMPLEX = int(TransitionOp.COMPLEX)
LOOKUP = int(TransitionOp.LOOKUP)

NIL = int(Tag.NIL)
NUMBER = int(Tag.NUMBER)
INTEGER = int(Tag.INTEGER)
STRING = int(Tag.STRING)
BOOLEAN = int(Tag.BOOLEAN)

COERCED_LOOKUP = 2
COERCED_PROBABILITY = 3

TELEMEDICINE_START = 1_577_836_800_000  # 2020-01-01


@jit
def distributed(h, O, Z, x, E, o0, o1, t, stream):
    """The first option whose cumulative sum exceeds a uniform; none: the last. Sums are taken as they stand."""
    u = next_uniform(h, Z, x, stream)
    total = 0.0
    for k in range(o0, o1):
        o = O[k]
        p = o.p
        if o.attribute >= 0:
            tag = x.w[h.w_attribute + o.attribute]
            if tag == NUMBER or tag == INTEGER:
                p = x.f[h.f_attribute + o.attribute]
            elif tag != NIL:
                coerce(h, x, E, COERCED_PROBABILITY, t, stream)
        total += p
        if u < total:
            return np.int64(o.next)
    return np.int64(O[o1 - 1].next)


@jit
def _conditional(h, S, O, N, Z, D, x, E, o0, o1, t, stream):
    """Index of the first option whose condition holds, else of the last."""
    for k in range(o0, o1):
        condition = O[k].condition
        if condition == -1 or evaluate(h, S, N, Z, D, x, E, condition, t, stream):
            return np.int64(k)
    return np.int64(o1 - 1)


@inline_jit
def _category(h, Z, D, x, slot, base):
    """Category of an attribute in a key column: its number, -1 for none; second result False if it is absent."""
    tag = x.w[h.w_attribute + slot]
    if tag == NIL:
        return np.int64(-1), False
    value = x.f[h.f_attribute + slot]
    for k in range(Z[base + 1]):
        at = base + 2 + 4 * k
        if Z[at] == tag:
            if tag == STRING:
                if Z[at + 1] == np.int64(value):
                    return Z[at + 3], True
            elif D[Z[at + 2]] == value:
                return Z[at + 3], True
    return np.int64(-1), True


@inline_jit
def _interval(Z, base, n, value):
    """Interval of a rising list of edges that holds a value; -1 outside."""
    if n < 2 or value < Z[base] or value >= Z[base + n - 1]:
        return np.int64(-1)
    low = np.int64(0)
    high = np.int64(n - 1)
    while high - low > 1:
        middle = (low + high) // 2
        if Z[base + middle] <= value:
            low = middle
        else:
            high = middle
    return low


@inline_jit
def _cell(Z, x, group, t):
    """Offset of the probabilities of the row that covers the time and age; -1 for none."""
    n_times = Z[group]
    n_ages = Z[group + 2]
    time = np.int64(0)
    age = np.int64(0)
    if n_times > 0:
        time = _interval(Z, Z[group + 1], n_times, t)
        if time < 0:
            return np.int64(-1)
    if n_ages > 0:
        age = _interval(Z, Z[group + 3], n_ages, age_in_months(x, t) // 12)
        if age < 0:
            return np.int64(-1)
    return Z[group + 5 + time * Z[group + 4] + age]


@inline_jit
def _row(h, T, Z, D, x, E, table, t, stream):
    """Offset of the probabilities of the matching row; -1 for none."""
    row = T[table]
    dense = np.int64(0)
    known = True
    for k in range(row.n_keys):
        base = Z[row.keys + 2 * k + 1]
        category, present = _category(h, Z, D, x, Z[row.keys + 2 * k], base)
        if not present:
            coerce(h, x, E, COERCED_LOOKUP, t, stream)
            return np.int64(-1)
        if category < 0:
            known = False
        dense = dense * Z[base] + category
    if not known:
        return np.int64(-1)
    group = Z[row.groups + dense]
    if group < 0:
        return np.int64(-1)
    return _cell(Z, x, group, t)


@inline_jit
def _lookup(h, O, T, Z, D, x, E, table, o0, o1, t, stream):
    u = next_uniform(h, Z, x, stream)
    at = _row(h, T, Z, D, x, E, table, t, stream)
    total = 0.0
    if at < 0:
        for k in range(o0, o1):
            total += O[k].p
            if u < total:
                return np.int64(O[k].next)
        return np.int64(O[o1 - 1].next)
    row = T[table]
    for k in range(row.n_targets):
        total += D[at + k]
        if u < total:
            return Z[row.targets + k]
    return Z[row.targets + row.n_targets - 1]


@jit
def _type_of_care(h, O, Z, D, x, o0, t, stream):
    """Ambulatory, emergency or telemedicine, by who pays."""
    u = next_uniform(h, Z, x, stream)
    kind = plan_kind(h, D, x) if x.profile != 0 else np.int64(-1)
    if kind < 0 or kind == MEDICAID or kind == DUAL:
        if t < TELEMEDICINE_START:
            first, second = 0.65, 0.65 + 0.35
        else:
            first, second = 0.66, 0.66 + 0.25
    elif t < TELEMEDICINE_START:
        first, second = 0.75, 0.75 + 0.25
    else:
        first, second = 0.56, 0.56 + 0.2
    if u < first:
        return np.int64(O[o0].next)
    if u < second:
        return np.int64(O[o0 + 1].next)
    return np.int64(O[o0 + 2].next)


@inline_jit
def choose(h, S, O, N, T, Z, D, x, E, state, t, stream):
    """The successor of a state at time t."""
    s = S[state]
    kind = s.tk
    if kind == DIRECT:
        return np.int64(s.o0)
    if kind == DISTRIBUTED:
        return distributed(h, O, Z, x, E, s.o0, s.o1, t, stream)
    if kind == CONDITIONAL:
        return np.int64(O[_conditional(h, S, O, N, Z, D, x, E, s.o0, s.o1, t, stream)].next)
    if kind == COMPLEX:
        o = O[_conditional(h, S, O, N, Z, D, x, E, s.o0, s.o1, t, stream)]
        if o.d1 > o.d0:
            return distributed(h, O, Z, x, E, o.d0, o.d1, t, stream)
        return np.int64(o.next)
    if kind == LOOKUP:
        return _lookup(h, O, T, Z, D, x, E, s.table, s.o0, s.o1, t, stream)
    return _type_of_care(h, O, Z, D, x, s.o0, t, stream)
