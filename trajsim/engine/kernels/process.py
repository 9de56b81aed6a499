"""One step of a module: Synthea's recursive `Module.process`, its rewinds and submodules.

The recursion is a stack of (file, time), so that it can stop anywhere and go on later.
"""

import numpy as np

from trajsim.engine.events import FIRST_MODULE_STREAM
from trajsim.engine.kernels.encounters import BY_MODULE, close_current, release
from trajsim.engine.kernels.learned import must_ask, stand
from trajsim.engine.kernels.lifecycle.turn import write_mentioned
from trajsim.engine.kernels.logic import evaluate
from trajsim.engine.kernels.slots import (
    LOCK_BIT,
    NEVER,
    UNSET,
    WELLNESS_BIT,
    draw_value,
    instant_of_age,
    span_of,
)
from trajsim.engine.kernels.states import clinical, encounter, procedure, wellness
from trajsim.engine.kernels.transitions import choose
from trajsim.engine.opcodes import ExitStatus, GuardPoll, Log, Opcode, Threshold
from trajsim.engine.program import STACK_DEPTH
from trajsim.streams.jit import inline_jit, jit, splice_jit

DONE = int(ExitStatus.DONE)
FULL = int(ExitStatus.FULL)
BUDGET = int(ExitStatus.BUDGET)
DEPTH = int(ExitStatus.DEPTH)
ASK = int(ExitStatus.ASK)
MAX_DEPTH = STACK_DEPTH - 2

OP_PASS = int(Opcode.PASS)
OP_TERMINAL = int(Opcode.TERMINAL)
OP_CALL = int(Opcode.CALL)
OP_GUARD = int(Opcode.GUARD)
OP_DELAY = int(Opcode.DELAY)
OP_ENCOUNTER = int(Opcode.ENCOUNTER)
OP_WELLNESS = int(Opcode.WELLNESS)
OP_ENCOUNTER_END = int(Opcode.ENCOUNTER_END)
OP_PROCEDURE = int(Opcode.PROCEDURE)

LOG_CREATE = int(Log.CREATE)
LOG_PUSH = int(Log.PUSH)
LOG_RUN = int(Log.RUN)
LOG_EXIT = int(Log.EXIT)
LOG_FINISH_CALL = int(Log.FINISH_CALL)

AT_AGE = int(Threshold.AGE_MONTHS)

POLL_ALWAYS = int(GuardPoll.ALWAYS)
POLL_ONCE_DYING = int(GuardPoll.ONCE_DYING)

FLAG_ABSENT = 0
FLAG_FALSE = 1
FLAG_TRUE = 2

PASSED = 0
BLOCKED = 1
CALLED = 2
ASKED = 3

LOG_SLACK = 64


@inline_jit
def visit(x, L, kind, file, state, time, stream):
    """Writes the visit log, if somebody wants it."""
    if x.logging == 0:
        return
    row = L[x.n_log]
    row.kind = kind
    row.file = file
    row.state = state
    row.time = time
    row.module = stream
    x.n_log += 1


@inline_jit
def enter(h, S, x, L, file, state, stream):
    """A state becomes the current one of a file."""
    w = x.w
    w[h.w_current + file] = state
    w[h.w_due + file] = UNSET
    w[h.w_exit + file] = UNSET
    w[h.w_ran + file] = 0
    prior = S[state].prior
    if prior >= 0:
        x.seq += 1
        w[h.w_prior_seq + prior] = x.seq
        w[h.w_prior_exit + prior] = UNSET
    visit(x, L, LOG_PUSH, file, state, 0, stream)


@jit
def create(h, S, Z, x, L, file, stream):
    """A file begins: its memory is empty, its current state Initial."""
    for k in range(Z[h.z_file_prior + 2 * file], Z[h.z_file_prior + 2 * file + 1]):
        x.w[h.w_prior_seq + k] = 0
    for k in range(Z[h.z_file_pending + 2 * file], Z[h.z_file_pending + 2 * file + 1]):
        x.w[h.w_pending + k] = 0
    x.w[h.w_earliest + file] = NEVER
    visit(x, L, LOG_CREATE, file, -1, 0, stream)
    enter(h, S, x, L, file, Z[h.z_file_initial + file], stream)


@jit
def merge(h, Z, x, base):
    """Hands a finished submodule's memory to its caller, as newer than all that the caller remembers."""
    w = x.w
    bars, waiting, prior = Z[base], Z[base + 1], Z[base + 2]
    at = base + 5
    for k in range(bars):
        if w[h.w_prior_seq + Z[at + 2 * k + 1]] != 0:
            w[h.w_pending + Z[at + 2 * k]] = 0
    first = at + 2 * bars
    n = waiting + prior
    last = first + 2 * n
    for k in range(Z[base + 3]):  # a state of the encounter's name, visited after the onset, bars it for the caller
        if w[h.w_prior_seq + Z[last + 2 * k + 1]] > w[h.w_pending + Z[last + 2 * k]]:
            w[h.w_pending + Z[last + 2 * k]] = 0
    floor = np.int64(0)
    for _ in range(n):
        best = -1
        best_seq = np.int64(NEVER)
        for k in range(n):
            section = h.w_pending if k < waiting else h.w_prior_seq
            seq = w[section + Z[first + 2 * k]]
            if floor < seq < best_seq:
                best = k
                best_seq = seq
        if best < 0:
            return
        floor = best_seq
        x.seq += 1
        source, target = Z[first + 2 * best], Z[first + 2 * best + 1]
        if best < waiting:
            w[h.w_pending + target] = x.seq
        else:
            w[h.w_prior_seq + target] = x.seq
            w[h.w_prior_exit + target] = w[h.w_prior_exit + source]


@jit
def bound_exits(h, Z, x, file, earliest):
    """What lies behind a state that was left at `earliest` is, for a window of time, left then at the latest."""
    w = x.w
    if earliest < w[h.w_earliest + file]:
        w[h.w_earliest + file] = earliest
    for k in range(Z[h.z_file_prior + 2 * file], Z[h.z_file_prior + 2 * file + 1]):
        if w[h.w_prior_exit + k] > earliest:
            w[h.w_prior_exit + k] = earliest


@inline_jit
def wait(x, wake, mask):
    """How a blocked state wants to be woken."""
    x.block_wake = wake
    x.block_mask = mask


@jit
def guard_wake(Z, x, s, t):
    """When time alone may change a guard's condition."""
    if s.e == POLL_ALWAYS or (s.e == POLL_ONCE_DYING and x.death < x.background):
        return t + x.step
    wake = np.int64(NEVER)
    base = s.b
    for k in range(Z[base]):
        value = Z[base + 2 + 2 * k]
        edge = instant_of_age(x, value) if Z[base + 1 + 2 * k] == AT_AGE else value
        if t < edge < wake:
            wake = edge
    return wake


@inline_jit
def timed(h, S, Z, x, E, C, state, file, m, t, stream):
    """A Delay, or a Procedure: draws its end once, passes when that is reached alive."""
    s = S[state]
    due = x.w[h.w_due + file]
    if due == UNSET:
        is_bound = h.model != 0 and s.op == OP_DELAY and s.e != 0 and t >= x.m_domain
        if is_bound and stand(h, Z, x, s.e, file, m, t, stream):
            due = np.int64(NEVER)
        elif s.op == OP_DELAY:
            due = t + span_of(s, draw_value(h, Z, x, s, stream))
            if due < t:
                due = t
        else:
            due = procedure(h, S, Z, x, E, C, state, t, stream)
        x.w[h.w_due + file] = due
    if x.death <= due:
        wait(x, np.int64(NEVER), np.int64(0))
        return BLOCKED
    if t < due:
        wait(x, due, np.int64(0))
        return BLOCKED
    x.exit = due
    return PASSED


@jit
def encounter_end(h, x, E, C, state, m, t, stream):
    """An EncounterEnd state."""
    if x.owner == stream:
        close_current(h, x, E, C, t, state, stream)
        release(x)
    elif x.owner == BY_MODULE or x.w[h.w_flag + m] != FLAG_ABSENT:
        x.w[h.w_flag + m] = FLAG_ABSENT
    elif x.owner >= 0:
        wait(x, t, np.int64(0))
        return BLOCKED
    return PASSED


@jit
def blocking(h, S, N, Z, D, x, E, C, L, state, file, m, t, stream):
    """States that may block, and those that open or close encounters."""
    s = S[state]
    op = s.op
    if op == OP_PROCEDURE:
        return timed(h, S, Z, x, E, C, state, file, m, t, stream)
    if op == OP_GUARD:
        if evaluate(h, S, N, Z, D, x, E, s.a, t, stream):
            return PASSED
        wait(x, guard_wake(Z, x, s, t), s.mask)
        return BLOCKED
    if op == OP_ENCOUNTER:
        if x.owner >= 0 and x.owner != stream:
            wait(x, np.int64(NEVER), np.int64(LOCK_BIT))
            return BLOCKED
        encounter(h, S, Z, D, x, E, C, state, t, stream)
        return PASSED
    if op == OP_WELLNESS:
        if x.owner != BY_MODULE or x.w[h.w_flag + m] != FLAG_FALSE:
            wait(x, np.int64(NEVER), np.int64(WELLNESS_BIT))
            return BLOCKED
        x.w[h.w_flag + m] = FLAG_TRUE
        wellness(h, S, Z, D, x, E, C, state, t, stream)
        return PASSED
    if op == OP_ENCOUNTER_END:
        return encounter_end(h, x, E, C, state, m, t, stream)
    # Terminal
    if file == Z[h.z_module_file + m] and x.owner == stream:
        close_current(h, x, E, C, t, state, stream)
        release(x)
    x.w[h.w_exit + file] = t
    visit(x, L, LOG_EXIT, file, state, t, stream)
    wait(x, np.int64(NEVER), np.int64(0))
    return BLOCKED


@inline_jit
def execute(h, S, N, Z, D, x, E, C, L, state, file, m, t, stream):
    """Runs the current state of a file at t. PASSED leaves its exit time in `x.exit`."""
    x.state = state
    x.reads = 0
    x.exit = t
    if x.w[h.w_ran + file] == 0:
        x.w[h.w_ran + file] = 1
        visit(x, L, LOG_RUN, file, state, t, stream)
    op = S[state].op
    if h.model != 0 and t >= x.m_domain and must_ask(h, S, Z, x, state, t):
        return ASKED
    if S[state].mentions != 0 and x.profile != 0 and op != OP_DELAY:
        write_mentioned(h, Z, D, x, E, S[state].mentions)
    if op == OP_PASS:
        return PASSED
    if op == OP_CALL:
        return CALLED
    if op == OP_DELAY:
        outcome = timed(h, S, Z, x, E, C, state, file, m, t, stream)
        if outcome == PASSED and S[state].mentions != 0 and x.profile != 0:  # a delay's transition alone mentions
            write_mentioned(h, Z, D, x, E, S[state].mentions)
        return outcome
    if (op >= OP_TERMINAL and op <= OP_GUARD) or op == OP_PROCEDURE:
        return blocking(h, S, N, Z, D, x, E, C, L, state, file, m, t, stream)
    if op >= OP_ENCOUNTER and op <= OP_ENCOUNTER_END:
        return blocking(h, S, N, Z, D, x, E, C, L, state, file, m, t, stream)
    clinical(h, S, Z, D, x, E, C, state, file, t, stream)
    return PASSED


@jit
def push(h, S, Z, x, L, file, m, t, stream):
    """Begins `process(file, t)`; False if the patient is dead at t."""
    if x.death <= t:
        return False
    if x.w[h.w_flag + m] == FLAG_ABSENT:
        x.w[h.w_flag + m] = FLAG_FALSE
    if x.w[h.w_current + file] < 0:
        create(h, S, Z, x, L, file, stream)
    x.sp += 1
    x.stack_file[x.sp] = file
    x.stack_time[x.sp] = t
    return True


@inline_jit
def finish(h, S, O, N, T, Z, D, x, E, L, state, file, exit_time, t, stream):
    """A state is over: notes its exit, chooses and enters its successor."""
    x.w[h.w_exit + file] = exit_time
    if exit_time < x.w[h.w_earliest + file]:
        x.w[h.w_earliest + file] = exit_time
    prior = S[state].prior
    if prior >= 0:
        x.w[h.w_prior_exit + prior] = exit_time
    visit(x, L, LOG_EXIT, file, state, exit_time, stream)
    if h.model != 0 and x.w[h.w_goal + file] > 0:
        target = x.w[h.w_goal + file] - 1
        x.w[h.w_goal + file] = 0
    else:
        target = np.int64(choose(h, S, O, N, T, Z, D, x, E, state, t, stream))
    enter(h, S, x, L, file, target, stream)


@jit
def finish_call(h, S, Z, D, x, E, L, caller, callee, t, stream):
    """A submodule is over: its memory becomes the caller's, and the calling state is visited once more."""
    state = x.w[h.w_current + caller]
    left = x.w[h.w_exit + callee]
    if left == UNSET:
        left = t
    if Z[S[state].b + 4] != 0:
        bound_exits(h, Z, x, caller, min(left, x.w[h.w_earliest + callee]))
    merge(h, Z, x, S[state].b)
    x.w[h.w_current + callee] = -1
    prior = S[state].prior
    if prior >= 0:
        x.seq += 1
        x.w[h.w_prior_seq + prior] = x.seq
    visit(x, L, LOG_FINISH_CALL, caller, state, callee, stream)
    x.state = state
    x.reads = 0
    x.exit = left
    if S[state].mentions != 0 and x.profile != 0:
        write_mentioned(h, Z, D, x, E, S[state].mentions)


@splice_jit
def module(h, S, O, N, T, Z, D, x, E, C, L, m, now):
    """One step of a top-level module (`Module.process`); returns a status."""
    stream = m + FIRST_MODULE_STREAM
    result = 0  # of the process that was left last: 0 still going, 1 not finished, 2 finished
    if x.resume == 0:
        x.sp = -1
        x.spent = 0
        x.poll = x.polling
        wait(x, np.int64(NEVER), np.int64(0))
        if not push(h, S, Z, x, L, Z[h.z_module_file + m], m, now, stream):
            x.w[h.w_done + m] = 1
            return DONE
    x.resume = 0
    while True:
        file = x.stack_file[x.sp]
        t = x.stack_time[x.sp]
        state = x.w[h.w_current + file]
        passed = False
        if result != 0:  # a process that this one had started was left
            if result == 2:
                if x.stack_file[x.sp + 1] == file:  # a rewind that finished the file
                    passed = False
                else:
                    finish_call(h, S, Z, D, x, E, L, file, x.stack_file[x.sp + 1], t, stream)
                    passed = True
                    result = 0
            elif x.stack_file[x.sp + 1] == file:
                result = 0  # the rewind blocked: the state is run once more at this time
        if result == 0 and not passed:
            if E.shape[0] - x.e0 - x.n_events < h.max_rows or C.shape[0] - x.n_encounters < 4:
                return FULL
            if x.logging != 0 and L.shape[0] - x.n_log < LOG_SLACK:
                return FULL
            if x.death <= t:
                result = 2 if S[state].op == OP_TERMINAL else 1
            else:
                outcome = execute(h, S, N, Z, D, x, E, C, L, state, file, m, t, stream)
                if outcome == PASSED:
                    passed = True
                elif outcome == ASKED:
                    return ASK
                elif outcome == BLOCKED:
                    result = 2 if S[state].op == OP_TERMINAL else 1
                else:
                    if S[state].d != 0:
                        x.poll = 1
                    if x.sp >= MAX_DEPTH:
                        return DEPTH
                    if not push(h, S, Z, x, L, S[state].a, m, t, stream):
                        result = 1
                    continue
        if passed:
            x.spent += 1
            if x.spent > x.budget:
                return BUDGET
            left = x.exit
            finish(h, S, O, N, T, Z, D, x, E, L, state, file, left, t, stream)
            if left < t:
                if x.death <= left:
                    result = 2
                else:
                    if x.sp >= MAX_DEPTH:
                        return DEPTH
                    push(h, S, Z, x, L, file, m, left, stream)
                    continue
            else:
                continue
        x.sp -= 1
        if x.sp < 0:
            break
    if result == 2:
        x.w[h.w_done + m] = 1
    x.w[h.w_wake + m] = now + x.step if x.poll != 0 else x.block_wake
    x.w[h.w_mask + m] = x.block_mask
    return DONE
