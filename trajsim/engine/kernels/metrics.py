"""Counts visits and transitions from the visit log of one patient."""

from trajsim.engine.opcodes import Log, Opcode
from trajsim.streams.jit import jit

LOG_CREATE = int(Log.CREATE)
LOG_PUSH = int(Log.PUSH)
LOG_RUN = int(Log.RUN)
LOG_EXIT = int(Log.EXIT)
LOG_FINISH_CALL = int(Log.FINISH_CALL)
OP_TERMINAL = int(Opcode.TERMINAL)


@jit
def count_visits(S, L, n, counts, days, seen, frames, ranges, targets, taken):
    """Adds one patient.

    A state counts as entered when it becomes the current one, as in Synthea: the state after a death is entered,
    though it never runs.

    `counts` [states, 3]: entered, distinct frames, still there. `days` [states, 2]: time spent by those that left
    (ms), how many left. `seen` [states]: the frame that visited last. `frames` [files + 1, 4]: number of the frame,
    current state, time of its run, state just left; the last row's first cell counts frames. `ranges` [states + 1]
    and `targets` list every state's possible successors, `taken` counts them.
    """
    n_files = frames.shape[0] - 1
    for k in range(n_files):
        frames[k, 1] = -1
    for row in range(n):
        line = L[row]
        file = line.file
        state = line.state
        kind = line.kind
        if kind == LOG_CREATE:
            frames[n_files, 0] += 1
            frames[file, 0] = frames[n_files, 0]
            frames[file, 1] = -1
            frames[file, 3] = -1
        elif kind == LOG_PUSH:
            left = frames[file, 3]
            if left >= 0:
                for k in range(ranges[left], ranges[left + 1]):
                    if targets[k] == state:
                        taken[k] += 1
                        break
            frames[file, 1] = state
            frames[file, 3] = -1
            counts[state, 0] += 1
            if seen[state] != frames[file, 0]:
                seen[state] = frames[file, 0]
                counts[state, 1] += 1
        elif kind == LOG_RUN:
            frames[file, 2] = line.time
        elif kind == LOG_EXIT:
            if S[state].op != OP_TERMINAL:
                days[state, 0] += line.time - frames[file, 2]
                days[state, 1] += 1
                frames[file, 1] = -1
                frames[file, 3] = state
        elif kind == LOG_FINISH_CALL:
            callee = line.time
            if frames[callee, 1] >= 0:
                counts[frames[callee, 1], 2] += 1
            frames[callee, 1] = -1
    for k in range(n_files):
        if frames[k, 1] >= 0:
            counts[frames[k, 1], 2] += 1
