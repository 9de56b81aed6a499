"""A model written out as arithmetic on one vector of numbers, so that whoever holds it can answer without asking.

Asking costs more than answering: a patient who waits for an answer leaves the processor's cache, and a small network is
a few thousand multiplications. A model that can be written in a dozen elementary operations is therefore handed over
as such a list. Whoever carries it out knows nothing of networks; docs/draws.md 11.6 is its definition.
"""

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIELDS = ("log_hazard", "co_probability", "panel_probability", "value_weight", "value_mean", "value_scale")
"""Fields of `trajsim.trajectory_model.Answers` that a formula leaves in its vector."""


class Operation(enum.IntEnum):
    """What one instruction does to n numbers of the vector, each of which comes from an `a` and a `b`."""

    COPY = 0  # a
    ADD = 1
    SUBTRACT = 2
    MULTIPLY = 3
    LEAST = 4  # b if b < a, else a
    MOST = 5  # b if b > a, else a
    ABOVE = 6  # 1 if a > b, else 0
    WHERE = 7  # b where a > 0; else what stands there
    KNOWN = 8  # 0 if a is not a number, else 1
    LOG = 9  # minus infinity if a <= 0
    EXP = 10
    SIGMOID = 11
    TANH = 12
    SOFTMAX = 13  # of n numbers from a on
    LINEAR = 14  # adds the products of n numbers and a matrix of weights
    COUNT = 15  # one number: how many of n weights a reaches
    ROW = 16  # row a of a table of weights, n wide


class Part(enum.IntEnum):
    """Parts of a formula, in their order; a question is answered by one or two that follow each other."""

    STEP = 0  # the memory after a step
    HAZARDS = 1  # log_hazard, from the memory and the clock
    VALUES = 2  # value_weight, value_mean, value_scale
    TOGETHER = 3  # co_probability, panel_probability


@dataclass(frozen=True, kw_only=True, eq=False)
class Formula:
    """Instructions that turn a question into an answer.

    The vector begins with the question: inputs, now, measured, values (`trajsim.trajectory_model.Questions`; NaN for a
    value that was not measured). Everything behind keeps what it holds from one question of a patient to the next; so
    constants and the memory lie in the vector too.

    Attributes:
        start: [size] The vector of a patient who was never asked about.
        instructions: [n, 8] Operation, n, place of the result, its stride, place of a, its stride, place of b, its
            stride. For LINEAR, COUNT and ROW b is a place among the weights, and its stride the number of columns
            (LINEAR) or rows (ROW).
        weights: Matrices and tables.
        ends: Instruction behind every `Part`.
        places: Where in the vector every one of `FIELDS` begins.
        n_components: How many normals are mixed for a measurement.

    Units:
        All numbers are double precision.
    """

    start: NDArray[np.float64]
    instructions: NDArray[np.int64]
    weights: NDArray[np.float64]
    ends: tuple[int, int, int, int]
    places: dict[str, int]
    n_components: int

    def part(self, first: Part, last: Part) -> tuple[int, int]:
        """Instructions from the beginning of one part to the end of another."""
        return 0 if first == 0 else self.ends[first - 1], self.ends[last]

    def faults(self, *, n_question: int, widths: dict[str, int]) -> list[str]:
        """What of it could not be carried out, or would write where it must not: kernels check no index.

        Args:
            n_question: Numbers that the question takes at the beginning of the vector.
            widths: Numbers of every one of `FIELDS`.
        """
        found = []
        if self.instructions.ndim != 2 or self.instructions.shape[1] != 8:
            return [f"a formula has instructions of 8 numbers, got shape {self.instructions.shape}"]
        if list(self.ends) != sorted(self.ends) or self.ends[0] < 0 or self.ends[-1] > len(self.instructions):
            found.append(f"the parts of a formula must follow each other, got ends {self.ends}")
        if not np.isfinite(self.weights).all():
            found.append("the formula holds weights that are not finite")
        if n_question > len(self.start):
            found.append(f"the vector of a formula has {len(self.start)} numbers, the question alone {n_question}")
        for name, width in widths.items():
            if not 0 <= self.places[name] <= len(self.start) - width:
                found.append(f"{name} lies outside the vector of the formula")
        for number, row in enumerate(self.instructions.tolist()):
            if not self._is_inside(*row):
                found.append(f"instruction {number} of the formula is unknown or leaves the vector: {row}")
        return found

    def _is_inside(self, op: int, n: int, out: int, out_step: int, a: int, a_step: int, b: int, b_step: int) -> bool:
        """Whether an instruction reads and writes what is there."""
        if not 0 <= op < len(Operation) or min(n, out_step, a_step, b_step) < 0:
            return False
        vector, weights = len(self.start), len(self.weights)
        if op == Operation.LINEAR:
            return _lies(out, b_step, 1, vector) and _lies(a, n, 1, vector) and _lies(b, n * b_step, 1, weights)
        if op == Operation.COUNT:
            return _lies(out, 1, 1, vector) and _lies(a, 1, 1, vector) and _lies(b, n, 1, weights)
        if op == Operation.ROW:
            has_rows = b_step > 0 and _lies(b, n * b_step, 1, weights)
            return has_rows and _lies(out, n, 1, vector) and _lies(a, 1, 1, vector)
        if op == Operation.SOFTMAX:
            return _lies(out, n, 1, vector) and _lies(a, n, 1, vector)
        return _lies(out, n, out_step, vector) and _lies(a, n, a_step, vector) and _lies(b, n, b_step, vector)


def _lies(at: int, n: int, step: int, size: int) -> bool:
    """Whether n places from `at` on, `step` apart, lie within `size`."""
    return at >= 0 and (n == 0 or at + (n - 1) * step < size)
