"""Who pays: chosen at birth and at every birthday.

Source: docs/draws.md 10.2.
"""

import numpy as np

from trajsim.engine.events import SOURCE_INSURANCE, STREAM_INSURANCE, EventKind
from trajsim.engine.kernels.lifecycle.draws import is_true, keyed, lifecycle_id, put_text
from trajsim.engine.kernels.slots import emit
from trajsim.engine.lifecycle_slots import Attribute, Plan
from trajsim.streams.jit import jit

COVERAGE = int(EventKind.COVERAGE)
A_STATUS = int(Attribute.INSURANCE_STATUS)
A_PREGNANT = int(Attribute.PREGNANT)
A_BLIND = int(Attribute.BLINDNESS)
A_RENAL = int(Attribute.END_STAGE_RENAL_DISEASE)

MEDICARE = int(Plan.MEDICARE)
MEDICAID = int(Plan.MEDICAID)
DUAL = int(Plan.DUAL)
ACA = int(Plan.ACA)
PRIVATE = int(Plan.PRIVATE)

ID_DISABILITY = lifecycle_id("insurance disability")
ID_DUAL = lifecycle_id("insurance dual")
ID_ACA = lifecycle_id("insurance aca")
ID_CHOICE = lifecycle_id("insurance choice")

POVERTY_USD = 17_550.0
MANDATE = 1_136_073_600_000  # 2006-01-01
AFFORDABLE_SHARE = 0.034
PLAN_COLUMNS = 5  # kind, monthly premium, income share (-1 none), tier, priority
TEXT_NONE = 0


@jit
def is_disabled(h, Z, x):
    """Whether any code of the disability table is in `present`."""
    for k in range(h.n_disabilities):
        if x.w[h.w_present + Z[h.z_disabilities + k]] != 0:
            return True
    return False


@jit
def _medicare(h, Z, x, years, k):
    if years >= 65 or is_true(h, Z, x, A_RENAL):
        return True
    return is_disabled(h, Z, x) and keyed(x, ID_DISABILITY, years, k, 0) < 0.85


@jit
def _medicaid(h, Z, D, x, years):
    blind = is_true(h, Z, x, A_BLIND)
    if blind:
        return True
    if x.place < 0:
        return False
    rules = h.d_medicaid + 8 * x.place  # infant, toddler, child, pregnant, adult, spend-down limit or -1, restricted
    column = 4
    if is_true(h, Z, x, A_PREGNANT):
        column = 3
    elif years <= 1:
        column = 0
    elif years <= 5:
        column = 1
    elif years <= 18:
        column = 2
    if x.income <= D[rules + column] * POVERTY_USD:
        return True
    limit = D[rules + 5]
    if limit < 0.0 or x.income > 12.0 * limit:
        return False
    return D[rules + 6] == 0.0 or years >= 65 or is_disabled(h, Z, x)


@jit
def _accepts(h, Z, D, x, plan, years, k):
    at = h.d_plans + PLAN_COLUMNS * plan
    kind = np.int64(D[at])
    if kind == MEDICARE:
        return _medicare(h, Z, x, years, np.int64(0))
    if kind == MEDICAID:
        return _medicaid(h, Z, D, x, years)
    if kind == DUAL:
        if not _medicare(h, Z, x, years, np.int64(1)) or not _medicaid(h, Z, D, x, years):
            return False
        return keyed(x, ID_DUAL, years, 0, 0) < 0.85
    if kind == ACA:
        tier = D[at + 3]
        if x.income > tier / 100.0 * POVERTY_USD:
            return False
        return keyed(x, ID_ACA, years, np.int64(tier), k) < 0.75
    return True


@jit
def _affordable(h, D, x, plan, t):
    at = h.d_plans + PLAN_COLUMNS * plan
    if D[at] < ACA or (t >= MANDATE and x.occupation >= 0.2):
        return True
    share = D[at + 2]
    if share >= 0.0:
        return share <= AFFORDABLE_SHARE
    return 12.0 * D[at + 1] <= AFFORDABLE_SHARE * x.income


@jit
def _choose(h, Z, D, x, years, t):
    """Row of the chosen plan, -1 for none."""
    best = np.inf
    count = 0
    for plan in range(h.n_plans):
        priority = D[h.d_plans + PLAN_COLUMNS * plan + 4]
        if priority > best:
            continue
        if _affordable(h, D, x, plan, t) and _accepts(h, Z, D, x, plan, years, np.int64(0)):
            if priority < best:
                best = priority
                count = 0
            count += 1
    if count == 0:
        return np.int64(-1)
    wanted = np.int64(np.floor(keyed(x, ID_CHOICE, years, 0, 0) * count))
    for plan in range(h.n_plans):
        if D[h.d_plans + PLAN_COLUMNS * plan + 4] != best:
            continue
        if _affordable(h, D, x, plan, t) and _accepts(h, Z, D, x, plan, years, np.int64(0)):
            if wanted == 0:
                return np.int64(plan)
            wanted -= 1
    return np.int64(-1)


@jit
def plan_kind(h, D, x):
    """Kind of the plan in force, -1 for none."""
    return np.int64(D[h.d_plans + PLAN_COLUMNS * x.plan]) if x.plan >= 0 else np.int64(-1)


@jit
def insure(h, Z, D, x, E, years, t):
    """Chooses a plan for a year of life."""
    before = x.plan
    plan = _choose(h, Z, D, x, years, t)
    if before >= 0 and (plan < 0 or D[h.d_plans + PLAN_COLUMNS * plan] >= ACA):
        kept = D[h.d_plans + PLAN_COLUMNS * before] >= ACA and _affordable(h, D, x, before, t)
        if kept and _accepts(h, Z, D, x, before, years, np.int64(1)):
            plan = before
    x.plan = plan
    text = TEXT_NONE
    if plan >= 0:
        kind = plan_kind(h, D, x)
        text = kind + 1 if kind < ACA else 4
    put_text(h, Z, x, A_STATUS, text)
    if plan != before:
        emit(h, x, E, COVERAGE, SOURCE_INSURANCE, t, np.float64(plan), -1, -1, 0, STREAM_INSURANCE)
