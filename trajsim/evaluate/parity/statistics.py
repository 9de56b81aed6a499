"""The tests that a comparison of two samples of persons rests on, in closed form.

Events cluster in persons, so every variance is one between persons, never Poisson's. Both samples share one estimate of
it (a score test): with few events the sample that happens to have none would otherwise count as known exactly.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TAIL = 1e-300


def pooled_z(
    rate_1: Floats, rate_2: Floats, variance: Floats, weight_1: Floats, weight_2: Floats
) -> tuple[Floats, Floats]:
    """The z and standard error of a difference of two means with one variance between persons.

    Args:
        rate_1: Our means.
        rate_2: The reference's.
        variance: Variance of one person's contribution.
        weight_1: What divides it for our mean (persons).
        weight_2: The same for the reference.

    Returns:
        z (0 where both agree exactly, without a variance too) and the standard error.
    """
    error = np.sqrt(np.maximum(variance, 0.0) * (1.0 / np.maximum(weight_1, 1.0) + 1.0 / np.maximum(weight_2, 1.0)))
    return safe_divide(rate_1 - rate_2, error), error


def safe_divide(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient; 0 / 0 is 0, and anything else by 0 is infinite with its sign."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    result = np.where(numerator == 0.0, 0.0, np.copysign(np.inf, numerator))
    np.divide(numerator, denominator, out=result, where=denominator > 0.0)
    return result


def person_variance(total: Floats, sum_squares: Floats, n_persons: Floats) -> Floats:
    """Variance between persons of a count, from its sum, its sum of squares and the number of persons."""
    n = np.maximum(np.asarray(n_persons, np.float64), 1.0)
    variance: Floats = np.maximum(np.asarray(sum_squares, np.float64) / n - (np.asarray(total, np.float64) / n) ** 2, 0)
    return variance


def two_sided_p(z: Floats) -> Floats:
    """Two-sided p of a standard normal z."""
    flat = np.abs(np.atleast_1d(np.asarray(z, np.float64)))
    return np.array([max(math.erfc(value / math.sqrt(2.0)), _TAIL) for value in flat.tolist()])


def chi_square_p(statistic: float, degrees: int) -> float:
    """Upper tail of the chi-square distribution: the regularised upper incomplete gamma function.

    Source:
        Press, Teukolsky, Vetterling, Flannery (2007), Numerical Recipes, 3rd edition, section 6.2.
    """
    if statistic <= 0.0 or degrees <= 0:
        return 1.0
    a, x = degrees / 2.0, statistic / 2.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        return max(1.0 - front * _lower_series(a, x), _TAIL)
    return max(front * _upper_fraction(a, x), _TAIL)


def _lower_series(a: float, x: float) -> float:
    term = total = 1.0 / a
    k = a
    while abs(term) > 1e-16 * abs(total):
        k += 1.0
        term *= x / k
        total += term
    return total


def _upper_fraction(a: float, x: float) -> float:
    """Lentz's continued fraction."""
    b = x + 1.0 - a
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
    return h


def multinomial_test(
    ours: Mapping[str, int], theirs: Mapping[str, int], *, least_expected: float = 5.0
) -> tuple[float, int]:
    """Chi-square of two samples over the same categories; rare categories are put together.

    Args:
        ours: Counts by category.
        theirs: The reference's.
        least_expected: Categories expected less often than this in either sample are joined into one.

    Returns:
        Statistic and degrees of freedom (0: nothing to compare).
    """
    names = sorted({*ours, *theirs})
    pairs = np.array([(ours.get(name, 0), theirs.get(name, 0)) for name in names], np.float64).reshape(-1, 2)
    sizes = pairs.sum(axis=0)
    if len(pairs) < 2 or not sizes.all():
        return 0.0, 0
    totals = pairs.sum(axis=1)
    rare = totals * sizes.min() / sizes.sum() < least_expected
    cells = np.vstack([pairs[~rare], pairs[rare].sum(axis=0)]) if rare.any() else pairs
    cells = cells[cells.sum(axis=1) > 0.0]
    expected = cells.sum(axis=1, keepdims=True) * sizes / sizes.sum()
    return float(((cells - expected) ** 2 / expected).sum()), len(cells) - 1


def binomial_quantile(n: int, chance: float, level: float) -> int:
    """The least number of hits in n trials that is not exceeded with a probability of `level`."""
    if not 0.0 < chance < 1.0:
        return n if chance >= 1.0 else 0
    total = 0.0
    for hits in range(n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(hits + 1) - math.lgamma(n - hits + 1)
        total += math.exp(ways + hits * math.log(chance) + (n - hits) * math.log1p(-chance))
        if total >= level:
            return hits
    return n


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p-values that control the false discovery rate.

    Source:
        Benjamini and Hochberg (1995), J R Stat Soc B 57:289, step-up procedure.
    """
    n = len(p)
    if n == 0:
        return np.zeros(0)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * n / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
