"""The area under the receiver operating characteristic, for any weights of patients."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class RankedScores:
    """Scores of cases and others, sorted once."""

    def __init__(self, scores: Floats, is_case: NDArray[np.bool_]) -> None:
        self._values, self._index = np.unique(scores, return_inverse=True)
        self._is_case = is_case

    def auc(self, weights: Floats | None = None) -> float:
        """Chance that a case scores higher than another; ties count half. NaN without either."""
        weights = np.ones(len(self._index)) if weights is None else weights
        size = len(self._values)
        cases = np.bincount(self._index, weights * self._is_case, size)
        others = np.bincount(self._index, weights * ~self._is_case, size)
        pairs = float(cases.sum() * others.sum())
        below = np.cumsum(others) - others
        return float(np.sum(cases * (below + 0.5 * others))) / pairs if pairs > 0 else float("nan")

    def sensitivity_at(self, false_positive_rate: float) -> float:
        """Share of cases that score above all but so many of the others; NaN without either."""
        size = len(self._values)
        cases = np.bincount(self._index, self._is_case, size)[::-1].cumsum()
        others = np.bincount(self._index, ~self._is_case, size)[::-1].cumsum()
        if not cases[-1] or not others[-1]:
            return float("nan")
        allowed = others / others[-1] <= false_positive_rate
        return float(cases[allowed].max(initial=0) / cases[-1])
