"""Height, weight and the management of weight.

A managed weight changes every week, but is only worked out when somebody reads it or its management ends: it is a
function of the turn.

Source: docs/draws.md 10.4.
"""

import numpy as np

from trajsim.engine.kernels.lifecycle.draws import (
    BOOLEAN,
    NIL,
    NUMBER,
    between,
    keyed,
    lifecycle_id,
    number_of,
    put_attribute,
)
from trajsim.engine.kernels.lifecycle.growth import (
    BMI_CHART,
    HEAD_CHART,
    HEIGHT_CHART,
    WEIGHT_CHART,
    YEAR,
    append_point,
    bmi_of_percentile,
    lms_percentile,
    lms_value,
    percentile_of,
    sigma,
    trajectory,
)
from trajsim.engine.kernels.slots import DAY, NEVER
from trajsim.engine.lifecycle_slots import PROFILE_DEFAULT, Attribute
from trajsim.streams.jit import jit

A_BMI_PERCENTILE = int(Attribute.BMI_PERCENTILE)
A_WEIGHT_LENGTH = int(Attribute.WEIGHT_LENGTH_PERCENTILE)
A_MANAGED = int(Attribute.ACTIVE_WEIGHT_MANAGEMENT)
A_ADHERENCE = int(Attribute.WEIGHT_LOSS_ADHERENCE)
A_LASTING = int(Attribute.LONG_TERM_WEIGHT_LOSS)
A_BEFORE = int(Attribute.PRE_MANAGEMENT_WEIGHT)
A_LOSS = int(Attribute.WEIGHT_LOSS_PERCENTAGE)
A_CHANGE = int(Attribute.WEIGHT_LOSS_PERCENTILE_CHANGE)
A_MORE = int(Attribute.KILOGRAMS_TO_GAIN)

ID_HEIGHT = lifecycle_id("height")
ID_TODDLER = lifecycle_id("two-year-old")
ID_WEIGHT = lifecycle_id("weight")
ID_WEIGHT_MORE = lifecycle_id("weight more")
ID_MANAGEMENT = lifecycle_id("weight management")
ID_ADHERENCE = lifecycle_id("adherence")
ID_LASTING = lifecycle_id("lasting")
ID_LOSS = lifecycle_id("loss")

LEAST_BMI = 18.5
START_PROBABILITY = 0.493
ADHERENT_SHARE = 0.605
LASTING_SHARE = 0.2


@jit
def square_metres(height):
    """(height / 100)^2."""
    return (height / 100.0) * (height / 100.0)


@jit
def body_at_birth(h, Z, D, x):
    """Percentiles for life, the sampled two-year-old, and the size of a newborn."""
    p = keyed(x, ID_HEIGHT, 0, 0, 0)
    x.height_percentile = p
    x.head_percentile = p + 0.025 if p + 0.025 < 1.0 else 1.0
    u = keyed(x, ID_TODDLER, 0, 0, 0)
    base = h.d_toddlers_f if x.sex == 0 else h.d_toddlers_m
    n = h.n_toddlers_f if x.sex == 0 else h.n_toddlers_m
    low, high = np.int64(0), np.int64(n - 1)  # the first row whose cumulative weight exceeds u
    while low < high:
        middle = (low + high) // 2
        if D[base + 3 * middle + 2] > u:
            high = middle
        else:
            low = middle + 1
    months = np.int64(D[base + 3 * low])
    bmi = D[base + 3 * low + 1]
    x.n_points = 0
    append_point(x, months, x.birth + 30 * months * DAY, bmi)
    height = lms_value(D, h.d_charts, HEIGHT_CHART, x.sex, months, p)
    x.weight_percentile = lms_percentile(D, h.d_charts, WEIGHT_CHART, x.sex, months, bmi * square_metres(height))
    put_attribute(h, Z, x, A_MANAGED, BOOLEAN, 0.0)
    x.managed = 0
    grow_child(h, Z, D, x, np.int64(0), x.birth)


@jit
def grow_child(h, Z, D, x, months, t):
    """A month under 20: height by the chart, weight by the chart or the trajectory."""
    base = h.d_charts
    x.height = lms_value(D, base, HEIGHT_CHART, x.sex, months, x.height_percentile)
    if months <= 36:
        x.head = lms_value(D, base, HEAD_CHART, x.sex, months, x.head_percentile)
    if t < x.point_time[0]:
        x.weight = lms_value(D, base, WEIGHT_CHART, x.sex, months, x.weight_percentile)
        x.bmi = x.weight / square_metres(x.height)
    else:
        x.bmi = trajectory(h, D, x, t)
        x.weight = x.bmi * square_metres(x.height)
    if months >= 24:
        percentile = lms_percentile(D, base, BMI_CHART, x.sex, months, x.bmi)
        put_attribute(h, Z, x, A_BMI_PERCENTILE, NUMBER, 100.0 * percentile)
    if months <= 36:
        put_attribute(h, Z, x, A_WEIGHT_LENGTH, NUMBER, _weight_for_length(h, D, x))


@jit
def _weight_for_length(h, D, x):
    first = h.d_lengths_f if x.sex == 0 else h.d_lengths_m
    n = h.n_lengths_f if x.sex == 0 else h.n_lengths_m
    for k in range(n):
        at = first + 4 * k
        if D[at] > x.height:
            return 100.0 * percentile_of(D[at + 1], D[at + 2], D[at + 3], x.weight)
    return 99.0


@jit
def grow_adult(h, Z, x, years):
    """A birthday from 20 on: gain to 49, loss from 60."""
    square = square_metres(x.height)
    if years <= 49:
        x.weight = x.weight + (1.0 + keyed(x, ID_WEIGHT, years, 0, 0))
    elif years >= 60:
        least = 0.0
        if x.profile == PROFILE_DEFAULT:
            least = LEAST_BMI * square
            if x.weight < least:
                least = x.weight
        x.weight = x.weight - (1.0 + keyed(x, ID_WEIGHT, years, 0, 0))
        if x.weight < least:
            x.weight = least
    if number_of(h, Z, x, A_MORE, 0.0) > 0.0:
        x.weight = x.weight + (1.0 + keyed(x, ID_WEIGHT_MORE, years, 0, 0))
    x.bmi = x.weight / square


@jit
def is_eligible(h, D, x, months):
    """Whether the weight asks for management."""
    years = months // 12
    if years >= 20:
        return x.bmi >= 30.0
    if years < 5 or years > 18:
        return False
    return x.bmi >= lms_value(D, h.d_charts, BMI_CHART, x.sex, months, 0.95)


@jit
def _start(h, Z, D, x, months, t):
    x.managed = 1
    x.managed_since = t
    x.weight_before = x.weight
    x.managed_child = 1 if months < 240 else 0
    x.weight_at_20 = -1.0
    x.adherent = 1 if keyed(x, ID_ADHERENCE, t, 0, 0) <= ADHERENT_SHARE else 0
    x.lasting = 1 if x.adherent != 0 and keyed(x, ID_LASTING, t, 0, 0) <= LASTING_SHARE else 0
    put_attribute(h, Z, x, A_MANAGED, BOOLEAN, 1.0)
    put_attribute(h, Z, x, A_ADHERENCE, BOOLEAN, np.float64(x.adherent))
    put_attribute(h, Z, x, A_LASTING, BOOLEAN, np.float64(x.lasting))
    put_attribute(h, Z, x, A_BEFORE, NUMBER, x.weight)
    if x.adherent == 0:
        return
    u = keyed(x, ID_LOSS, t, 0, 0)
    if x.managed_child == 0:
        x.loss = between(0.07, 0.1, u)
        put_attribute(h, Z, x, A_LOSS, NUMBER, x.loss)
        return
    x.loss = 0.1 * u
    put_attribute(h, Z, x, A_CHANGE, NUMBER, x.loss)
    x.percentile_before = lms_percentile(D, h.d_charts, BMI_CHART, x.sex, months, x.bmi)
    if months + 12 <= 240:
        tail = sigma(x.sex, np.float64(months) / 12.0 + 1.0)
        bmi = bmi_of_percentile(D, h.d_charts, x.sex, months + 12, _lowered(x), tail)
        append_point(x, months + 12, t + YEAR, bmi)


@jit
def _lowered(x):
    p = x.percentile_before - x.loss
    return p if p > 0.001 else 0.001


@jit
def _child_point(h, D, x, t):
    """In years 2 to 5 a child's trajectory is led: down for good, or back to where it was."""
    last = x.n_points - 1
    months = x.point_months[last] + 12
    if t < x.point_time[last] or months > 240:
        return
    p = _lowered(x)
    if x.lasting == 0:
        share = np.float64(t - x.managed_since + YEAR) / np.float64(5 * YEAR)
        p = p + x.loss * (share if share < 1.0 else 1.0)
        if p > x.percentile_before:
            p = x.percentile_before
    bmi = bmi_of_percentile(D, h.d_charts, x.sex, months, p, sigma(x.sex, np.float64(months) / 12.0))
    append_point(x, months, x.point_time[last] + YEAR, bmi)


@jit
def _stop(h, Z, x):
    x.managed = 0
    for attribute in (A_MANAGED, A_ADHERENCE, A_LASTING, A_BEFORE, A_LOSS, A_CHANGE):
        put_attribute(h, Z, x, attribute, NIL, 0.0)


@jit
def managed_weight(h, D, x, t):
    """Weight at a turn while it is managed."""
    if x.managed == 0 or x.adherent == 0:
        return x.weight
    elapsed = t - x.managed_since
    one = YEAR // x.step * x.step  # the last turn of the first year, and of the fifth
    five = 5 * YEAR // x.step * x.step
    if elapsed > five:
        elapsed = five
    if x.managed_child != 0:
        return _grown_child_weight(h, D, x, x.managed_since + elapsed)
    if x.lasting != 0 and elapsed > one:
        elapsed = one
    if elapsed <= YEAR:
        return x.weight_before - x.weight_before * x.loss * (np.float64(elapsed) / np.float64(YEAR))
    lowest = x.weight_before - x.weight_before * x.loss
    share = np.float64(elapsed - YEAR) / np.float64(4 * YEAR)
    return x.weight_before - (x.weight_before - lowest) * (1.0 - share)


@jit
def _grown_child_weight(h, D, x, t):
    """A child who passed 20 and does not keep the loss goes to the weight of the old percentile."""
    if x.weight_at_20 < 0.0 or x.lasting != 0 or t < x.time_at_20:
        return x.weight
    bmi = bmi_of_percentile(D, h.d_charts, x.sex, np.int64(240), x.percentile_before, sigma(x.sex, 20.0))
    goal = bmi * square_metres(x.height)
    share = np.float64(t - x.time_at_20) / np.float64(x.managed_since + 7 * YEAR - x.time_at_20)
    return x.weight_at_20 + (goal - x.weight_at_20) * share


@jit
def current_weight(h, D, x):
    """Weight in force."""
    return managed_weight(h, D, x, x.turn)


@jit
def current_bmi(h, D, x):
    """Body mass index in force."""
    if x.managed == 0 or x.adherent == 0 or (x.managed_child != 0 and x.weight_at_20 < 0.0):
        return x.bmi
    return managed_weight(h, D, x, x.turn) / square_metres(x.height)


@jit
def manage_weight(h, Z, D, x, months, t):
    """The turn's part of weight management; returns when it must be looked at again."""
    if x.managed == 0:
        if not is_eligible(h, D, x, months):
            return np.int64(NEVER)
        if keyed(x, ID_MANAGEMENT, t, 0, 0) > START_PROBABILITY:
            return t + x.step
        _start(h, Z, D, x, months, t)
        return t + x.step
    elapsed = t - x.managed_since
    if elapsed > 5 * YEAR:
        if x.lasting != 0:
            return np.int64(NEVER)
        if x.adherent != 0 and (x.managed_child == 0 or x.weight_at_20 >= 0.0):
            x.weight = managed_weight(h, D, x, t)
            x.bmi = x.weight / square_metres(x.height)
        _stop(h, Z, x)
        return t + x.step
    over = x.managed_since + 5 * YEAR + 1
    if x.adherent == 0 or x.managed_child == 0:
        return over
    if elapsed <= YEAR:
        return x.managed_since + YEAR + 1
    if months < 240:
        _child_point(h, D, x, t)
        tail = x.point_time[x.n_points - 1]
        return tail if t < tail < over else over
    if x.weight_at_20 < 0.0 and x.lasting == 0:
        x.weight_at_20 = x.weight
        x.time_at_20 = t
    return over
