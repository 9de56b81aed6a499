"""The smallest kernels: calendar, draws, attributes, masks, the event log."""

import math

import numpy as np

from trajsim.engine.opcodes import Draw, Tag
from trajsim.streams.jit import inline_jit, jit
from trajsim.streams.philox import normal_quantile, uniform

UNSET = np.iinfo(np.int64).min
NEVER = np.iinfo(np.int64).max
DAY = 86_400_000
MAX_SPAN = 9_000_000_000_000_000.0

EXACT = int(Draw.EXACT)
UNIFORM = int(Draw.UNIFORM)
GAUSSIAN = int(Draw.GAUSSIAN)
EXPONENTIAL = int(Draw.EXPONENTIAL)
TRIANGULAR = int(Draw.TRIANGULAR)
NIL = int(Tag.NIL)

WELLNESS_BIT = 1
LOCK_BIT = 2
COERCED = 27
NO_EVENT = -1


@jit
def civil(days):
    """Year, month, day of a day count since 1970-01-01 (proleptic Gregorian; Hinnant, days_from_civil inverse)."""
    z = days + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1_460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day = doy - (153 * mp + 2) // 5 + 1
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400
    if month <= 2:
        year += 1
    return year, month, day


@jit
def days_from_civil(year, month, day):
    """Days since 1970-01-01; a day past the end of the month runs into the next."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    yoe = y - era * 400
    mp = month - 3 if month > 2 else month + 9
    doy = (153 * mp + 2) // 5 + day - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return era * 146_097 + doe - 719_468


@jit
def age_in_months(x, t):
    """Whole months between the dates (UTC) of birth and t, not below 0."""
    year, month, day = civil(t // DAY)
    months = (year - x.birth_year) * 12 + month - x.birth_month
    if day < x.birth_day:
        months -= 1
    return months if months > 0 else 0


@jit
def instant_of_age(x, months):
    """First instant at which the age is at least so many months."""
    total = x.birth_year * 12 + x.birth_month - 1 + months
    year = total // 12
    month = total - year * 12 + 1
    last = days_from_civil(year + month // 12, month % 12 + 1, 1)
    day = days_from_civil(year, month, 1) + x.birth_day - 1
    return (day if day < last else last) * DAY


@jit
def age_in_decimal_years(x, t):
    """Whole years + months / 12 + days / 365.2425 between the dates (UTC) of birth and t."""
    months = age_in_months(x, t)
    total = x.birth_year * 12 + x.birth_month - 1 + months
    year = total // 12
    month = total - year * 12 + 1
    first = days_from_civil(year, month, 1)
    length = days_from_civil(year + month // 12, month % 12 + 1, 1) - first
    day = x.birth_day if x.birth_day < length else length
    days = t // DAY - (first + day - 1)
    return np.float64(months // 12) + np.float64(months % 12) / 12.0 + np.float64(days) / 365.2425


@inline_jit
def next_uniform(h, Z, x, stream):
    """The next uniform of a stream."""
    w = x.w
    n = w[h.w_draws + stream]
    w[h.w_draws + stream] = n + 1
    number = np.uint64(Z[h.z_stream_number + stream])
    return uniform(x.seed_low, x.seed_high, x.patient_low, x.patient_high, number, np.uint64(n))


@jit
def power_of_ten(n):
    """10^n for small n."""
    p = 1.0
    for _ in range(n):
        p = p * 10.0
    return p


@jit
def round_half_away(v, decimals):
    """Rounds to decimals, half away from zero."""
    p = power_of_ten(decimals)
    r = np.floor(math.fabs(v) * p + 0.5) / p
    return -r if v < 0.0 else r


@jit
def triangular(low, mode, high, u):
    """Inverse of the triangular distribution function."""
    if high == low:
        return low
    f = (mode - low) / (high - low)
    if u < f:
        return low + math.sqrt(u * (high - low) * (mode - low))
    return high - math.sqrt((1.0 - u) * (high - low) * (high - mode))


@jit
def law(s, u):
    """The value of a state's distribution at a uniform."""
    k = s.dk
    v = s.p0
    if k == UNIFORM:
        v = s.p0 + (s.p1 - s.p0) * u
        if s.decimals >= 0:
            v = round_half_away(v, s.decimals)
    elif k == GAUSSIAN:
        v = s.p1 * normal_quantile(u) + s.p0
        if v < s.p2:
            v = s.p2
        if v > s.p3:
            v = s.p3
    elif k == EXPONENTIAL:
        v = 1.0 - s.p0 * math.log(1.0 - u)
    elif k == TRIANGULAR:
        v = triangular(s.p0, s.p1, s.p2, u)
    if s.rounds != 0:
        v = np.floor(v + 0.5)
    return v


@jit
def draw_value(h, Z, x, s, stream):
    """Draws from a state's distribution; a constant takes no uniform."""
    if s.dk <= EXACT:
        return law(s, 0.0)
    return law(s, next_uniform(h, Z, x, stream))


@inline_jit
def span_of(s, q):
    """A quantity in a state's time unit as whole milliseconds."""
    units = s.tf * q
    if units > MAX_SPAN / s.tu:
        units = MAX_SPAN / s.tu
    if units < -MAX_SPAN / s.tu:
        units = -MAX_SPAN / s.tu
    return np.int64(units) * s.tu


@inline_jit
def mark(x, bit):
    """Says that a slot changed: guards that watch it are tested again."""
    x.dirty_now = x.dirty_now | (np.int64(1) << np.int64(2 + bit % 61))


@jit
def set_attribute(h, x, slot, tag, value):
    """Writes an attribute."""
    x.w[h.w_attribute + slot] = tag
    x.f[h.f_attribute + slot] = value
    mark(x, slot)


@jit
def emit(h, x, E, kind, state, time, value, encounter, ref, tag, stream):
    """Writes an event; returns its index within the patient."""
    index = x.n_events
    e = E[x.e0 + index]
    ordinal = h.w_ordinals + stream
    e.time = time
    e.value = value
    e.state = state
    e.encounter = encounter
    e.ref = ref
    e.ordinal = x.w[ordinal]
    e.module = stream
    e.kind = kind
    e.tag = tag
    x.w[ordinal] += 1
    x.n_events = index + 1
    return index


@jit
def coerce(h, x, E, kind, t, stream):
    """Notes, once a source, that Java would have lost the person here."""
    state = x.state
    word = h.w_coerced + state // 62
    bit = np.int64(1) << np.int64(state % 62)
    if x.w[word] & bit:
        return
    x.w[word] |= bit
    emit(h, x, E, COERCED, state, t, 0.0, -1, -1, kind, stream)
