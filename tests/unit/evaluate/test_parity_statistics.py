import math

import numpy as np
import pytest

from trajsim.evaluate.parity.statistics import (
    benjamini_hochberg,
    binomial_quantile,
    chi_square_p,
    multinomial_test,
    person_variance,
    pooled_z,
    safe_divide,
    two_sided_p,
)


def one(value: float) -> np.ndarray:
    return np.array([value])


def test_z_of_two_shares_is_that_of_the_textbook() -> None:
    # 30 of 100 and 45 of 150: equal; 40 of 100 and 45 of 150: pooled share 0.34.
    z, _ = pooled_z(one(0.3), one(0.3), one(0.3 * 0.7), one(100.0), one(150.0))
    assert z[0] == 0.0
    z, error = pooled_z(one(0.4), one(0.3), one(0.34 * 0.66), one(100.0), one(150.0))
    assert error[0] == pytest.approx(0.061156, rel=1e-4)
    assert z[0] == pytest.approx(1.63516, rel=1e-4)


def test_variance_between_persons_from_sums() -> None:
    counts = np.array([0, 0, 3, 1, 6])
    found = person_variance(one(counts.sum()), one((counts**2).sum()), one(len(counts)))
    assert found[0] == pytest.approx(counts.var())


def test_a_sample_without_events_is_not_known_exactly() -> None:
    variance = person_variance(one(20.0), one(20.0), one(12_000.0))  # 0 in 2,000 and 20 in 10,000, once a person
    z, _ = pooled_z(one(0.0), one(0.002), variance, one(2_000.0), one(10_000.0))
    assert z[0] == pytest.approx(-2.0, abs=0.01)


def test_division_by_nothing() -> None:
    assert safe_divide(np.array([0.0, 1.0, -1.0, 4.0]), np.array([0.0, 0.0, 0.0, 2.0])).tolist() == [
        0.0, math.inf, -math.inf, 2.0,
    ]  # fmt: skip


def test_p_of_z_and_of_chi_square() -> None:
    assert two_sided_p(np.array([0.0, -1.959964, 3.290527])) == pytest.approx([1.0, 0.05, 0.001], rel=1e-5)
    assert chi_square_p(3.841459, 1) == pytest.approx(0.05, rel=1e-5)
    assert chi_square_p(18.307038, 10) == pytest.approx(0.05, rel=1e-5)
    assert chi_square_p(2.0, 4) == pytest.approx(2.0 * math.exp(-1.0), rel=1e-9)
    assert chi_square_p(0.0, 3) == 1.0


def test_two_multinomials() -> None:
    statistic, degrees = multinomial_test({"a": 30, "b": 70}, {"a": 50, "b": 50})
    assert degrees == 1
    assert statistic == pytest.approx(25.0 / 3.0)
    assert multinomial_test({"a": 3}, {"a": 90}) == (0.0, 0)
    # "c" and "d" are rare and become one cell
    assert multinomial_test({"a": 50, "b": 50, "c": 1}, {"a": 50, "b": 50, "d": 2})[1] == 2


def test_benjamini_and_hochberg_of_their_own_example() -> None:
    # Benjamini and Hochberg (1995), section 4.2: the four smallest of fifteen are significant at 0.05.
    p = np.array([
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
        0.7590, 1.0,
    ])  # fmt: skip
    q = benjamini_hochberg(p[::-1])[::-1]
    assert int((q < 0.05).sum()) == 4
    assert q[0] == pytest.approx(0.0015)
    assert len(benjamini_hochberg(np.zeros(0))) == 0


def test_binomial_quantile() -> None:
    assert binomial_quantile(0, 0.05, 0.99) == 0
    assert binomial_quantile(100, 0.05, 0.5) == 5
    assert binomial_quantile(3, 1.0, 0.99) == 3
