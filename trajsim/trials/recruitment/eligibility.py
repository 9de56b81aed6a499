"""What recruitment asks of criteria: the answer of every criterion for some patients at some times.

A screener at a site reads a chart on the day of a visit. It may say yes, no, or nothing at all; a value that nobody
ever measured sends the patient to the screening visit, it excludes nobody. So the answer has three values.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import SchemaError

Answers = NDArray[np.int8]
Ints = NDArray[np.int64]

TRUE: Final = 1
FALSE: Final = 0
UNKNOWN: Final = -1

_DAY_US = 86_400_000_000
_DAYS = 1 << 18


class Eligibility(Protocol):
    """Criteria, ready to be asked."""

    @property
    def rule_names(self) -> Sequence[str]:
        """Names of the criteria in their order."""

    def evaluate(self, patient: Ints, time_us: Ints) -> Answers:
        """The recorded answer of every criterion.

        Args:
            patient: Row of each candidate in the table `patients` of the Records, [n], ascending.
            time_us: When the chart is read, microseconds since 1970-01-01 UTC, [n]; what happened later is not known.

        Returns:
            [n, n_rules]: 1 true, 0 false, -1 unknown.
        """


class Everyone:
    """Criteria that nobody breaks: a trial that takes all who come."""

    @property
    def rule_names(self) -> Sequence[str]:
        """None."""
        return ()

    def evaluate(self, patient: Ints, time_us: Ints) -> Answers:  # noqa: ARG002 - nobody is looked at
        """No answer for anybody."""
        return np.empty((len(patient), 0), np.int8)


class Remembered:
    """Criteria that are asked once for a patient and a day, so that scenarios do not pay for the same answer again."""

    def __init__(self, eligibility: Eligibility) -> None:
        """Takes the criteria; nothing is asked yet."""
        self._inner = eligibility
        self._keys = np.zeros(0, np.int64)
        self._answers = np.zeros((0, len(eligibility.rule_names)), np.int8)

    @property
    def rule_names(self) -> Sequence[str]:
        """Names of the criteria in their order."""
        return self._inner.rule_names

    def evaluate(self, patient: Ints, time_us: Ints) -> Answers:
        """The recorded answers; only pairs of patient and day that were never asked are evaluated.

        Raises:
            SchemaError: The criteria answered in another form than they promise.
        """
        keys = patient * _DAYS + time_us // _DAY_US
        place = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        known = self._keys[place] == keys if len(self._keys) else np.zeros(len(keys), np.bool_)
        if not known.all():
            new = ~known
            answers = self._inner.evaluate(patient[new], time_us[new])
            _require_form(answers, int(new.sum()), len(self.rule_names))
            merged = np.concatenate([self._keys, keys[new]])
            order = np.argsort(merged, kind="stable")
            self._keys = merged[order]
            self._answers = np.concatenate([self._answers, answers])[order]
            place = np.searchsorted(self._keys, keys)
        return self._answers[place]


def _require_form(answers: Answers, n: int, n_rules: int) -> None:
    if answers.shape != (n, n_rules) or answers.dtype != np.int8 or bool(((answers < -1) | (answers > 1)).any()):
        msg = (
            f"criteria must answer with int8 of -1, 0, 1 in the shape {(n, n_rules)}, "
            f"got {answers.dtype} in the shape {answers.shape}"
        )
        raise SchemaError(msg)
