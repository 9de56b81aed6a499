"""The tests by which a statistical case is compared, each at p = 0.0001.

Chi-square, Kolmogorov-Smirnov, and 5 standard errors.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

P_LIMIT = 1e-4
STANDARD_ERRORS = 5.0
_UNITS = (86_400_000, 3_600_000, 60_000, 1_000, 1)
_DURATION_KEYS = frozenset({"n", "unfinished", "mean", "sd", "distinct", "quantiles_0_to_100"})


def chi_square_p(statistic: float, degrees: int) -> float:
    """Upper tail of the chi-square distribution: the regularised upper incomplete gamma function."""
    if statistic <= 0.0 or degrees == 0:
        return 1.0
    a, x = degrees / 2.0, statistic / 2.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:  # series of the lower tail
        term = total = 1.0 / a
        k = a
        while abs(term) > 1e-16 * abs(total):
            k += 1.0
            term *= x / k
            total += term
        return max(1.0 - front * total, 0.0)
    b = x + 1.0 - a  # continued fraction of the upper tail, Lentz
    c, d = 1e300, 1.0 / b
    h = d
    for i in range(1, 10_000):
        an = -i * (i - a)
        b += 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return front * h


def kolmogorov_p(scaled: float) -> float:
    """Upper tail of the Kolmogorov distribution of sqrt(n m / (n + m)) * D."""
    if scaled < 0.2:
        return 1.0
    total = sum((1.0 if k % 2 else -1.0) * math.exp(-2.0 * k * k * scaled * scaled) for k in range(1, 101))
    return min(max(2.0 * total, 0.0), 1.0)


def two_sample_chi_square_p(first: Sequence[int], second: Sequence[int]) -> float:
    """Whether two samples of counts over the same categories have one distribution."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a + b > 0]
    n_first, n_second = sum(first), sum(second)
    total = n_first + n_second
    statistic = 0.0
    for a, b in pairs:
        for count, size in ((a, n_first), (b, n_second)):
            expected = (a + b) * size / total
            statistic += (count - expected) ** 2 / expected if expected else 0.0
    return chi_square_p(statistic, len(pairs) - 1)


def compare_counts(path: str, wanted: Mapping[str, int], got: Mapping[str, int]) -> Iterator[str]:
    """Two samples of counts by category."""
    names = sorted({*wanted, *got})
    p = two_sample_chi_square_p([wanted.get(name, 0) for name in names], [got.get(name, 0) for name in names])
    if p < P_LIMIT:
        yield f"{path}: expected {dict(wanted)}, got {dict(got)} (p = {p:.2g})"


def compare_durations(path: str, wanted: Mapping[str, Any], values: Sequence[int], unfinished: int) -> Iterator[str]:
    """A sample of durations against what a case keeps of another."""
    unknown = set(wanted) - _DURATION_KEYS
    if unknown:
        yield f"{path}: unknown keys {sorted(unknown)}"
        return
    p = two_sample_chi_square_p([wanted["n"], wanted["unfinished"]], [len(values), unfinished])
    if p < P_LIMIT:
        yield f"{path}: expected n {wanted['n']}, unfinished {wanted['unfinished']}, got {len(values)}, {unfinished}"
    if not wanted["n"] or not values:
        return
    yield from _compare_moments(path, wanted, values)
    if "quantiles_0_to_100" in wanted:
        yield from _compare_quantiles(path, wanted, values)


def _compare_moments(path: str, wanted: Mapping[str, Any], values: Sequence[int]) -> Iterator[str]:
    n, n_wanted = len(values), wanted["n"]
    mean = math.fsum(values) / n
    second = math.fsum((value - mean) ** 2 for value in values) / n
    fourth = math.fsum((value - mean) ** 4 for value in values) / n
    sd = math.sqrt(second)
    share = math.sqrt(1.0 / n + 1.0 / n_wanted)  # both samples have an error of their own
    if "mean" in wanted and abs(mean - wanted["mean"]) > STANDARD_ERRORS * max(sd, wanted.get("sd", 0.0)) * share + 1:
        yield f"{path}: expected mean {wanted['mean']}, got {mean:.0f}"
    sd_error = math.sqrt(max(fourth - second * second, 0.0)) / (2.0 * sd) * share if sd else 0.0
    if "sd" in wanted and abs(sd - wanted["sd"]) > STANDARD_ERRORS * sd_error + 1:
        yield f"{path}: expected sd {wanted['sd']}, got {sd:.0f}"


def _compare_quantiles(path: str, wanted: Mapping[str, Any], values: Sequence[int]) -> Iterator[str]:
    quantiles: Sequence[int] = wanted["quantiles_0_to_100"]
    n, n_wanted = len(values), wanted["n"]
    ordered = sorted(values)
    distance = 0.0
    for percent, quantile in enumerate(quantiles):
        level = percent / (len(quantiles) - 1)
        below, upto = bisect_left(ordered, quantile) / n, bisect_right(ordered, quantile) / n
        distance = max(distance, below - level, level - upto)
    p = kolmogorov_p(distance * math.sqrt(n * n_wanted / (n + n_wanted)))
    if p < P_LIMIT:
        yield f"{path}: the distributions differ by {distance:.4f} (p = {p:.2g})"
    if "distinct" in wanted:
        unit_wanted, unit = granularity(quantiles), granularity(values)
        ratio = len(set(values)) / wanted["distinct"] / max(n / n_wanted, 1.0 if unit > 1 else n / n_wanted)
        if unit != unit_wanted or not 0.5 < ratio < 2.0:
            got = f"{len(set(values))} in units of {unit} ms"
            yield f"{path}: expected {wanted['distinct']} distinct values in units of {unit_wanted} ms, got {got}"


def granularity(values: Sequence[int]) -> int:
    """The largest of day, hour, minute, second and millisecond of which all values are multiples."""
    return next(unit for unit in _UNITS if all(value % unit == 0 for value in values))
