"""Three truth values: false, true, unknown, and how they combine.

Circe knows two: what is not known does not hold. A screener knows three: what is not known has to be asked or measured.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.int8]

FALSE, TRUE, UNKNOWN = np.int8(0), np.int8(1), np.int8(2)


class Reading(Enum):
    """How criteria are read.

    CIRCE: as OHDSI's reference does, oddities included; two values.
    SCREENING: as meant, by somebody who screens a chart: true, false or unknown.
    """

    CIRCE = "circe"
    SCREENING = "screening"


def truth_of(holds: NDArray[np.bool_], known: NDArray[np.bool_]) -> Truth:
    """True or false where known, unknown elsewhere."""
    return np.where(known, holds.astype(np.int8), UNKNOWN)


def both(left: Truth, right: Truth) -> Truth:
    """Conjunction: false beats unknown beats true."""
    out = np.where((left == FALSE) | (right == FALSE), FALSE, np.maximum(left, right))
    return out.astype(np.int8)


def at_least(n_true: NDArray[np.int64], n_possible: NDArray[np.int64], n: int) -> Truth:
    """Whether a number that lies between two is at least n."""
    return np.where(n_true >= n, TRUE, np.where(n_possible >= n, UNKNOWN, FALSE))


def at_most(n_true: NDArray[np.int64], n_possible: NDArray[np.int64], n: int) -> Truth:
    """Whether a number that lies between two is at most n."""
    return np.where(n_possible <= n, TRUE, np.where(n_true <= n, UNKNOWN, FALSE))


def exactly(n_true: NDArray[np.int64], n_possible: NDArray[np.int64], n: int) -> Truth:
    """Whether a number that lies between two is n."""
    fixed = n_true == n_possible
    outside = (n_true > n) | (n_possible < n)
    return np.where(outside, FALSE, np.where(fixed, TRUE, UNKNOWN))
