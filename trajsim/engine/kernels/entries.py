"""Entries of the health record: `present`, reasons, onsets and ends."""

import numpy as np

from trajsim.engine.events import EventKind
from trajsim.engine.kernels.encounters import attach
from trajsim.engine.kernels.slots import coerce, emit, mark, next_uniform, set_attribute
from trajsim.engine.opcodes import EndMode, Tag
from trajsim.streams.jit import jit

NIL = int(Tag.NIL)
CODE = int(Tag.CODE)
ENTRY = int(Tag.ENTRY)
PLACEHOLDER = int(Tag.PLACEHOLDER)

CONDITION = int(EventKind.CONDITION)
CONDITION_AGAIN = int(EventKind.CONDITION_AGAIN)
CONDITION_END = int(EventKind.CONDITION_END)
ALLERGY = int(EventKind.ALLERGY)
ALLERGY_AGAIN = int(EventKind.ALLERGY_AGAIN)
ALLERGY_END = int(EventKind.ALLERGY_END)
REACTION = int(EventKind.REACTION)
MEDICATION = int(EventKind.MEDICATION)
MEDICATION_AGAIN = int(EventKind.MEDICATION_AGAIN)
MEDICATION_END = int(EventKind.MEDICATION_END)
CAREPLAN = int(EventKind.CAREPLAN)
CAREPLAN_AGAIN = int(EventKind.CAREPLAN_AGAIN)
CAREPLAN_END = int(EventKind.CAREPLAN_END)
DEVICE = int(EventKind.DEVICE)
DEVICE_END = int(EventKind.DEVICE_END)

BY_STATE = int(EndMode.STATE)
BY_ATTRIBUTE = int(EndMode.ATTRIBUTE)
BY_CODES = int(EndMode.CODES)

CHRONIC = 1

COERCED_END = 6
COERCED_OTHER_KIND = 7
COERCED_REASON = 8


@jit
def text_of(h, Z, S, state):
    """Code text of the entries that a state makes."""
    return Z[h.z_code_text + S[state].code]


@jit
def put(h, x, text, event, name):
    """Puts an entry into `present`; a code that is there keeps its place in the order."""
    w = x.w
    if w[h.w_present + text] == 0:
        x.seq += 1
        w[h.w_present_seq + text] = x.seq
        x.present_size += 1
        if 4 * x.present_size > 3 * x.present_capacity:
            x.present_capacity = 2 * x.present_capacity
    w[h.w_present + text] = event + 1
    w[h.w_present_name + text] = name
    mark(x, text * 7 + 13)


@jit
def remove(h, x, text):
    """Takes an entry out of `present`, and out of the chronic medications."""
    w = x.w
    if w[h.w_present + text] == 0:
        return
    w[h.w_present + text] = 0
    x.present_size -= 1
    mark(x, text * 7 + 13)


@jit
def end_chronic(h, x, text):
    """A chronic medication ends."""
    if x.w[h.w_chronic + text] != 0:
        x.w[h.w_chronic + text] = 0
        x.n_chronic -= 1
        if x.n_chronic == 0:
            x.next_wellness = x.wellness_start  # looked at again in the next step


@jit
def find_by_name(h, Z, x, block, last):
    """The first (or last) entry with a name in the order of Java's hash map: its code text, or -1."""
    name = Z[block]
    cells = x.present_capacity - 1
    best = np.int64(-1)
    best_bucket = np.int64(0)
    best_seq = np.int64(0)
    for k in range(Z[block + 1]):
        text = Z[block + 2 + k]
        if x.w[h.w_present + text] == 0 or x.w[h.w_present_name + text] != name:
            continue
        bucket = Z[h.z_code_hash + text] & cells
        seq = x.w[h.w_present_seq + text]
        before = bucket < best_bucket or (bucket == best_bucket and seq < best_seq)
        if best < 0 or before != last:
            best = text
            best_bucket = bucket
            best_seq = seq
    return best


@jit
def resolve_reason(h, S, Z, x, E, block, t, stream, is_encounter):
    """The reason that a block names, as a reference; `x.via_history` says whether the history gave it."""
    x.via_history = 0
    if block == 0:
        return np.int64(-1)
    slot = Z[block]
    if slot >= 0:
        tag = x.w[h.w_attribute + slot]
        value = np.int64(x.f[h.f_attribute + slot])
        if tag == ENTRY:
            return value
        if tag == PLACEHOLDER:
            return np.int64(-2) - S[value].code
        if tag == CODE and is_encounter:
            return np.int64(-2) - value
        if tag != NIL and not is_encounter:
            coerce(h, x, E, COERCED_REASON, t, stream)
    prior = Z[block + 1]
    if prior >= 0 and x.w[h.w_prior_seq + prior] != 0:
        text = find_by_name(h, Z, x, Z[block + 2], False)
        if text >= 0:
            x.via_history = 1
            return x.w[h.w_present + text] - 1
    code = Z[block + 3]
    if code >= 0:
        return np.int64(-2) - code
    return np.int64(-1)


@jit
def start_entry(h, S, Z, x, E, C, state, kind, again, tag, reason, t, stream):
    """Starts a condition, allergy, medication or care plan, unless its code is present; returns the entry's event."""
    text = text_of(h, Z, S, state)
    present = x.w[h.w_present + text]
    if present != 0:
        old = present - 1
        if kind == CONDITION or E[x.e0 + old].kind == kind:
            value = np.float64(reason) if kind == MEDICATION or kind == CAREPLAN else 0.0
            emit(h, x, E, again, state, t, value, -1, old, tag, stream)
            x.w[h.w_present_name + text] = S[state].name
            if x.w[h.w_chronic + text] == present:
                x.w[h.w_chronic_name + text] = S[state].name
            return old
        coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
    event = emit(h, x, E, kind, state, t, 0.0, attach(x, C, t), reason, tag, stream)
    put(h, x, text, event, S[state].name)
    return event


@jit
def _reactions(h, S, Z, D, x, E, state, entry, t, stream):
    base = S[state].d
    at = base + 1
    for k in range(Z[base]):
        n = Z[at]
        u = next_uniform(h, Z, x, stream)
        chosen = n - 1
        for j in range(n):
            if D[Z[at + 1] + j] > u:
                chosen = j
                break
        level = Z[at + 2 + chosen] if n > 0 else np.int64(0)
        if level > 0:
            emit(h, x, E, REACTION, state, t, np.float64(k), -1, entry, level, stream)
        at += 2 + n


@jit
def diagnose(h, S, Z, D, x, E, C, state, t, stream):
    """An onset becomes an entry."""
    if S[state].op == 11:
        entry = start_entry(h, S, Z, x, E, C, state, CONDITION, CONDITION_AGAIN, 0, np.int64(-1), t, stream)
    else:
        entry = start_entry(h, S, Z, x, E, C, state, ALLERGY, ALLERGY_AGAIN, 0, np.int64(-1), t, stream)
        _reactions(h, S, Z, D, x, E, state, entry, t, stream)
    if S[state].assign >= 0:
        set_attribute(h, x, S[state].assign, ENTRY, np.float64(entry))


@jit
def diagnose_waiting(h, S, Z, D, x, E, C, block, t, stream):
    """Diagnoses the onsets that wait for an encounter, newest first."""
    n = Z[block]
    while True:
        best = -1
        best_seq = np.int64(0)
        for k in range(n):
            seq = x.w[h.w_pending + Z[block + 1 + 2 * k]]
            if seq > best_seq:
                best_seq = seq
                best = k
        if best < 0:
            return
        x.w[h.w_pending + Z[block + 1 + 2 * best]] = 0
        diagnose(h, S, Z, D, x, E, C, Z[block + 2 + 2 * best], t, stream)


@jit
def _allowed(kind_of_end, kind):
    """Whether an end of one kind may end an entry of another."""
    if kind_of_end == CONDITION_END:
        return True
    if kind_of_end == ALLERGY_END:
        return kind == ALLERGY
    if kind_of_end == MEDICATION_END:
        return kind == MEDICATION
    if kind_of_end == CAREPLAN_END:
        return kind == CAREPLAN
    return kind == DEVICE


@jit
def _end_present(h, x, E, state, kind_of_end, text, t, stream):
    event = x.w[h.w_present + text] - 1
    if not _allowed(kind_of_end, E[x.e0 + event].kind):
        coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
        return
    emit(h, x, E, kind_of_end, state, t, 0.0, -1, event, 0, stream)
    remove(h, x, text)
    if kind_of_end == MEDICATION_END:
        end_chronic(h, x, text)


@jit
def _end_by_attribute(h, S, Z, x, E, state, kind_of_end, slot, t, stream):
    tag = x.w[h.w_attribute + slot]
    if tag == NIL and (kind_of_end == CONDITION_END or kind_of_end == DEVICE_END):
        return
    if tag != ENTRY and tag != PLACEHOLDER:
        coerce(h, x, E, COERCED_END, t, stream)
        return
    held = np.int64(x.f[h.f_attribute + slot])
    if tag == ENTRY:
        if not _allowed(kind_of_end, E[x.e0 + held].kind):
            coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
            return
        emit(h, x, E, kind_of_end, state, t, 0.0, -1, held, 0, stream)
        text = text_of(h, Z, S, E[x.e0 + held].state)
    else:
        if kind_of_end != CONDITION_END and kind_of_end != ALLERGY_END:
            coerce(h, x, E, COERCED_OTHER_KIND, t, stream)
            return
        text = text_of(h, Z, S, held)
        held = np.int64(-1)
    present = x.w[h.w_present + text]
    if present == 0:
        return
    if present - 1 == held:
        remove(h, x, text)
        if kind_of_end == MEDICATION_END:
            end_chronic(h, x, text)
    else:
        _end_present(h, x, E, state, kind_of_end, text, t, stream)


@jit
def end_entry(h, S, Z, x, E, state, t, stream):
    """A ConditionEnd, MedicationEnd, ... state."""
    s = S[state]
    kind = np.int64(s.tag)
    if s.mode == BY_STATE:
        text = find_by_name(h, Z, x, s.a, False)
        if text >= 0:
            _end_present(h, x, E, state, kind, text, t, stream)
    elif s.mode == BY_ATTRIBUTE:
        _end_by_attribute(h, S, Z, x, E, state, kind, s.a, t, stream)
    elif s.mode == BY_CODES:
        for k in range(Z[s.a]):
            text = Z[s.a + 1 + k]
            if x.w[h.w_present + text] != 0:
                _end_present(h, x, E, state, kind, text, t, stream)


@jit
def renew_chronic(h, S, Z, x, E, C, state, t, stream):
    """Every chronic medication ends and starts anew, in order of its code."""
    for code in range(h.n_codes):
        text = Z[h.z_code_text + code]
        held = x.w[h.w_chronic + text]
        if held <= 0:
            continue
        old = E[x.e0 + held - 1]
        if S[old.state].code != code:
            continue
        emit(h, x, E, MEDICATION_END, state, t, 0.0, -1, held - 1, 0, stream)
        present = x.w[h.w_present + text]
        if present != 0 and E[x.e0 + present - 1].kind == MEDICATION:
            remove(h, x, text)
        event = emit(h, x, E, MEDICATION, old.state, t, 0.0, attach(x, C, t), old.ref, CHRONIC, np.int64(old.module))
        put(h, x, text, event, x.w[h.w_chronic_name + text])
        x.w[h.w_chronic + text] = -(event + 1)  # negative until the loop is over: two codes may share a text
    for text in range(h.n_texts):
        if x.w[h.w_chronic + text] < 0:
            x.w[h.w_chronic + text] = -x.w[h.w_chronic + text]


@jit
def make_chronic(h, x, text, event, name):
    """Remembers a chronic medication."""
    x.w[h.w_chronic_name + text] = name
    if x.w[h.w_chronic + text] == 0:
        x.n_chronic += 1
        if x.n_chronic == 1:
            x.next_wellness = x.wellness_start
    x.w[h.w_chronic + text] = event + 1
