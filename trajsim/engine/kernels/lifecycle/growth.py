"""Growth charts and the body-mass-index trajectory of childhood.

Source: CDC growth charts (2000) by their LMS parameters; docs/draws.md 10.4.
"""

import math

import numpy as np

from trajsim.engine.kernels.lifecycle.draws import keyed_normal, lifecycle_id, normal_cdf
from trajsim.engine.kernels.slots import DAY, age_in_decimal_years
from trajsim.engine.program import MOST_POINTS
from trajsim.streams.jit import jit
from trajsim.streams.philox import normal_quantile

HEIGHT_CHART = 0
WEIGHT_CHART = 1
BMI_CHART = 2
HEAD_CHART = 3
N_MONTHS = 241
YEAR = 365 * DAY
LAST_MONTHS = 228
BELOW_ONE = 1.0 - 2.0**-53

ID_GROWTH = lifecycle_id("growth")


@jit
def lms_value(D, base, chart, sex, month, p):
    """Value of a chart at a percentile (0 ... 1)."""
    if p >= 1.0:
        p = 0.999
    elif p <= 0.0:
        p = 0.001
    if p > 0.995:
        p = 0.995
    z = normal_quantile(p)
    at = base + ((chart * 2 + sex) * N_MONTHS + month) * 3
    l, m, s = D[at], D[at + 1], D[at + 2]
    if l == 0.0:
        return m * math.exp(s * z)
    root = 1.0 + l * s * z
    if root <= 0.0:  # beyond the end of the chart's distribution: about one newborn in a million
        root = 1.0 + l * s * normal_quantile(0.001)
    return m * root ** (1.0 / l)


@jit
def percentile_of(l, m, s, value):
    """Percentile (0 ... 1) of a value."""
    if l == 0.0:
        return normal_cdf(math.log(value / m) / s)
    return normal_cdf(((value / m) ** l - 1.0) / (l * s))


@jit
def lms_percentile(D, base, chart, sex, month, value):
    """Percentile (0 ... 1) of a value in a chart."""
    at = base + ((chart * 2 + sex) * N_MONTHS + month) * 3
    return percentile_of(D[at], D[at + 1], D[at + 2], value)


@jit
def sigma(sex, age):
    """Parameter of the half-normal tail above the 95th percentile, at an age in years."""
    if sex == 1:
        return 0.3728 + 0.5196 * age - 0.0091 * (age * age)
    return 0.8334 + 0.3712 * age - 0.0011 * (age * age)


@jit
def extended_z(D, base, sex, month, bmi, tail):
    """Extended z score of a body mass index."""
    p = lms_percentile(D, base, BMI_CHART, sex, month, bmi)
    if p < 0.95:
        if p <= 0.0:
            p = 0.001
        return normal_quantile(p)
    p95 = lms_value(D, base, BMI_CHART, sex, month, 0.95)
    q = (90.0 + 10.0 * normal_cdf((bmi - p95) / tail)) / 100.0
    return normal_quantile(q if q < BELOW_ONE else BELOW_ONE)


@jit
def bmi_of_percentile(D, base, sex, month, p, tail):
    """Body mass index of a percentile (0 ... 1), with the extended tail."""
    if p < 0.95:
        return lms_value(D, base, BMI_CHART, sex, month, p)
    q = (p - 0.9) * 10.0
    if q > BELOW_ONE:
        q = BELOW_ONE
    return lms_value(D, base, BMI_CHART, sex, month, 0.95) + normal_quantile(q) * tail


@jit
def append_point(x, months, time, bmi):
    """A new last point of the trajectory."""
    n = x.n_points
    if n < MOST_POINTS:
        x.point_months[n] = months
        x.point_time[n] = time
        x.point_bmi[n] = bmi
        x.n_points = n + 1


@jit
def next_year(h, D, x, t):
    """Appends the point one year after the last one, drawn from what children of that age do in a year."""
    base = h.d_charts
    last = x.n_points - 1
    months = x.point_months[last]
    age = age_in_decimal_years(x, t)
    year = np.int64(np.floor(age + 1.0))
    if year > 20:
        year = np.int64(20)
    rho = D[h.d_correlation + 2 * year]
    delta = D[h.d_correlation + 2 * year + 1]
    e = extended_z(D, base, x.sex, months, x.point_bmi[last], sigma(x.sex, age))
    z = rho * e + delta + math.sqrt(1.0 - rho * rho) * keyed_normal(x, ID_GROWTH, months, 0, 0)
    bmi = bmi_of_percentile(D, base, x.sex, months + 12, normal_cdf(z), sigma(x.sex, age + 1.0))
    append_point(x, months + 12, x.point_time[last] + YEAR, bmi)


@jit
def trajectory(h, D, x, t):
    """Body mass index at t, not before the first point."""
    last = x.n_points - 1
    while t >= x.point_time[last]:
        if x.point_months[last] > LAST_MONTHS:
            return x.point_bmi[last]
        next_year(h, D, x, t)
        last = x.n_points - 1
    k = last - 1
    while k > 0 and x.point_time[k] > t:
        k -= 1
    b0, t0 = x.point_bmi[k], x.point_time[k]
    b1, t1 = x.point_bmi[k + 1], x.point_time[k + 1]
    return b0 + (b1 - b0) * (np.float64(t - t0) / np.float64(t1 - t0))
