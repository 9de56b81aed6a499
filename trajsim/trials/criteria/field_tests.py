"""The tests of one field, vectorised: numbers, days, text and codes, each true, false or unknown."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_CODE, NO_DAY, Days, Keys, day_number
from trajsim.trials.criteria.form import CodeTest, DateTest, NumberTest, RangeOp, TextTest
from trajsim.trials.criteria.source import Source, is_among
from trajsim.trials.criteria.truth import FALSE, TRUE, UNKNOWN, Truth, both, truth_of

_COMPARE: dict[RangeOp, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


def number_truth(values: NDArray[np.float64], test: NumberTest) -> Truth:
    """A number; NaN is unknown. The definition was checked: thresholds are there."""
    assert test.value is not None
    return truth_of(_holds(values, test.op, test.value, test.upper), ~np.isnan(values))


def days_truth(days: Days, test: DateTest) -> Truth:
    """A day; none is unknown."""
    assert test.value is not None
    upper = None if test.upper is None else day_number(test.upper)
    return truth_of(_holds(days, test.op, day_number(test.value), upper), days != NO_DAY)


def _holds(values: NDArray[Any], op: RangeOp, value: float, upper: float | None) -> NDArray[np.bool_]:
    out: NDArray[np.bool_]
    if op in {"between", "outside"}:
        assert upper is not None
        out = (values >= value) & (values <= upper)
        return out if op == "between" else ~out
    out = _COMPARE[op](values, value)
    return out


def text_truth(texts: NDArray[Any], test: TextTest) -> Truth:
    """A text, case-sensitive; None is unknown. A test without text asks nothing."""
    if test.text is None:
        return np.full(len(texts), TRUE)
    pattern = _pattern(test.text, test.op)
    verdicts = {text: bool(pattern.fullmatch(text)) for text in {each for each in texts if isinstance(each, str)}}
    negated = test.op.startswith("not_")
    known = np.array([isinstance(each, str) for each in texts], bool)
    holds = np.array([verdicts.get(each, False) != negated for each in texts], bool)
    return truth_of(holds, known)


def _pattern(text: str, op: str) -> re.Pattern[str]:
    """SQL's LIKE: `%` stands for any text and `_` for any character, as the reference lets them."""
    before = ".*" if op.endswith(("contains", "ends_with")) else ""
    after = ".*" if op.endswith(("contains", "starts_with")) else ""
    body = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in text)
    return re.compile(before + body + after, re.DOTALL)


def codes_truth(values: Keys, tests: Sequence[CodeTest], keys_of: "Callable[[CodeTest], Keys | None]") -> Truth:
    """A coded field against all its tests; no code is unknown.

    An empty list asks nothing, an empty set matches nothing.
    """
    out = np.full(len(values), TRUE)
    for test in tests:
        keys = keys_of(test)
        if keys is None:
            continue
        holds = is_among(values, keys) != test.exclude
        out = both(out, truth_of(holds, values != NO_CODE))
    return out


def either(left: Truth, right: Truth) -> Truth:
    """Disjunction: true beats unknown beats false."""
    return np.where((left == TRUE) | (right == TRUE), TRUE, np.maximum(left, right)).astype(np.int8)


def abnormal_truth(
    value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], coded: Keys, abnormal: Keys
) -> Truth:
    """Below or above the recorded limits of normal, or coded as abnormal."""
    below = truth_of(value < low, ~(np.isnan(value) | np.isnan(low)))
    above = truth_of(value > high, ~(np.isnan(value) | np.isnan(high)))
    named = truth_of(is_among(coded, abnormal), coded != NO_CODE)
    out = either(either(below, above), named)
    limits = ~(np.isnan(value) | np.isnan(low) | np.isnan(high))
    return np.where((out == UNKNOWN) & limits, FALSE, out).astype(np.int8)


def ratio(value: NDArray[np.float64], limit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Value over limit; a limit of zero is none. Rounded at the twelfth digit, so that .3 is three times .1."""
    safe = np.where(limit == 0, np.nan, limit)
    return np.round(value / safe, 12)


class CodeLookup:
    """Resolves code sets and lists of one definition on one source, each once."""

    def __init__(self, source: Source, sets: "dict[str, Keys]") -> None:
        """Takes the resolved code sets by name."""
        self._source = source
        self._sets = sets
        self._lists: dict[CodeTest, Keys] = {}

    def of_set(self, name: str) -> Keys:
        """The codes of a set; a set that is not defined has none (readers and the linter report it)."""
        return self._sets.get(name, np.zeros(0, np.int64))

    def of_test(self, test: CodeTest) -> Keys | None:
        """The codes of a test; None where it asks nothing."""
        if test.code_set is not None:
            return self.of_set(test.code_set)
        if not test.any_of:
            return None
        if test not in self._lists:
            self._lists[test] = self._source.keys_of_list(test.any_of)
        return self._lists[test]
