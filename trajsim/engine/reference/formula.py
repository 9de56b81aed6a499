"""A model that is written out as arithmetic, in plain Python (docs/draws.md, 11.6)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from trajsim.formula import FIELDS, Formula, Operation, Part
from trajsim.trajectory_model import TrajectoryModel

Vector = list[float]


def exponential(value: float) -> float:
    """e(v) of the draw contract."""
    return math.inf if value >= 709.0 else math.exp(value)


_UNARY: dict[int, Callable[[float], float]] = {
    Operation.COPY: lambda a: a,
    Operation.KNOWN: lambda a: 0.0 if math.isnan(a) else 1.0,
    Operation.LOG: lambda a: -math.inf if a <= 0.0 else math.log(a),
    Operation.EXP: exponential,
    Operation.SIGMOID: lambda a: 1.0 / (1.0 + exponential(-a)),
    Operation.TANH: lambda a: 2.0 / (1.0 + exponential(-2.0 * a)) - 1.0,
}
_BINARY: dict[int, Callable[[float, float], float]] = {
    Operation.ADD: lambda a, b: a + b,
    Operation.SUBTRACT: lambda a, b: a - b,
    Operation.MULTIPLY: lambda a, b: a * b,
    Operation.LEAST: lambda a, b: b if b < a else a,
    Operation.MOST: lambda a, b: b if b > a else a,
    Operation.ABOVE: lambda a, b: 1.0 if a > b else 0.0,
}


class Worked:
    """A formula and the vector of one patient."""

    def __init__(self, model: TrajectoryModel, formula: Formula) -> None:
        """The vector of a patient who was never asked about."""
        self._formula = formula
        self._vector: Vector = formula.start.tolist()
        self._weights: Vector = formula.weights.tolist()
        self._instructions = [(Operation(row[0]), *row[1:]) for row in formula.instructions.tolist()]
        events, values, n = len(model.events), len(model.values), formula.n_components
        self._shapes = dict(
            zip(
                FIELDS, ((events, len(model.piece_days)), (events,), (1 << values,), *[(values, n)] * 3), strict=True
            )
        )  # fmt: skip

    def answer(self, question: Sequence[float], first: Part, last: Part) -> dict[str, Any]:
        """Fields of an answer; those that the parts do not give hold what they held before."""
        self._vector[: len(question)] = map(float, question)
        start, stop = self._formula.part(first, last)
        for instruction in self._instructions[start:stop]:
            self._carry_out(*instruction)
        return {name: self._field(name) for name in FIELDS}

    def _field(self, name: str) -> list[Any]:
        at, shape = self._formula.places[name], self._shapes[name]
        if len(shape) == 1:
            return self._vector[at : at + shape[0]]
        rows, columns = shape
        return [self._vector[at + row * columns : at + (row + 1) * columns] for row in range(rows)]

    def _carry_out(
        self, op: Operation, n: int, out: int, out_step: int, a: int, a_step: int, b: int, b_step: int
    ) -> None:
        f, w = self._vector, self._weights
        match op:
            case Operation.LINEAR:
                for i in range(n):
                    v = f[a + i]
                    if v != 0.0:
                        for j in range(b_step):
                            f[out + j] = f[out + j] + v * w[b + i * b_step + j]
            case Operation.SOFTMAX:
                most, total = -math.inf, 0.0
                for i in range(n):
                    most = f[a + i] if f[a + i] > most else most
                for i in range(n):
                    f[out + i] = exponential(f[a + i] - most)
                    total = total + f[out + i]
                for i in range(n):
                    f[out + i] = f[out + i] / total
            case Operation.COUNT:
                f[out] = float(sum(f[a] >= threshold for threshold in w[b : b + n]))
            case Operation.ROW:
                row = 0
                while row + 1 < b_step and f[a] >= row + 1:
                    row += 1
                f[out : out + n] = w[b + row * n : b + (row + 1) * n]
            case Operation.WHERE:
                for i in range(n):
                    if f[a + i * a_step] > 0.0:
                        f[out + i * out_step] = f[b + i * b_step]
            case _ if op in _UNARY:
                for i in range(n):
                    f[out + i * out_step] = _UNARY[op](f[a + i * a_step])
            case _:
                for i in range(n):
                    f[out + i * out_step] = _BINARY[op](f[a + i * a_step], f[b + i * b_step])
