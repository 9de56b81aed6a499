"""A sheet of paper for arithmetic: what is written with it becomes the instructions of a formula.

It offers the few functions of `numpy` that `trajsim.learn.features` needs, so that the features of a model are written
down once for training, for the sampler, and for the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.formula import FIELDS, Formula, Operation, Part


@dataclass(frozen=True, eq=False)
class Cells:
    """Numbers of the vector that follow each other, with the arithmetic of an array; one stands for many equal ones."""

    sheet: "Sheet"
    at: int
    width: int

    def __getitem__(self, key: object) -> "Cells":
        """A slice; `[..., None]` changes nothing, since one cell stands for many."""
        if not isinstance(key, slice):
            return self
        start, stop, _ = key.indices(self.width)
        return Cells(self.sheet, self.at + start, stop - start)

    def __add__(self, other: "Operand") -> "Cells":
        """Sum."""
        return self.sheet.write(Operation.ADD, self, other)

    def __sub__(self, other: "Operand") -> "Cells":
        """Difference."""
        return self.sheet.write(Operation.SUBTRACT, self, other)

    def __rsub__(self, other: float) -> "Cells":
        """Difference."""
        return self.sheet.write(Operation.SUBTRACT, self.sheet.constant(other), self)

    def __mul__(self, other: "Operand") -> "Cells":
        """Product."""
        return self.sheet.write(Operation.MULTIPLY, self, other)

    def __rmul__(self, other: float) -> "Cells":
        """Product."""
        return self * other

    def __truediv__(self, other: float) -> "Cells":
        """Quotient of a constant."""
        return self * (1.0 / other)

    def __gt__(self, other: "Operand") -> "Cells":
        """1 where it is greater, else 0."""
        return self.sheet.write(Operation.ABOVE, self, other)

    def __invert__(self) -> "Cells":
        """1 for 0, 0 for 1."""
        return 1.0 - self


Operand: TypeAlias = Cells | float


class Table(NamedTuple):
    """Rows among the weights: where they begin, how many, and how wide."""

    at: int
    n_rows: int
    width: int


class Sheet:
    """The vector, instructions and weights of a formula that is being written."""

    def __init__(self) -> None:
        """An empty sheet."""
        self._start: list[float] = []
        self._instructions: list[tuple[int, ...]] = []
        self._weights: list[float] = []
        self._constants: dict[float, Cells] = {}
        self._ends: list[int] = []

    # --- the vector -----------------------------------------------------------------------------------------------

    def cells(self, width: int) -> Cells:
        """New cells, 0 at first."""
        return self.given(np.zeros(width))

    def given(self, values: ArrayLike) -> Cells:
        """New cells that hold these numbers at first."""
        numbers = np.asarray(values, dtype=np.float64).ravel().tolist()
        self._start.extend(numbers)
        return Cells(self, len(self._start) - len(numbers), len(numbers))

    def constant(self, value: Operand) -> Cells:
        """A cell that nobody writes to."""
        if isinstance(value, Cells):
            return value
        if value not in self._constants:
            self._constants[value] = self.given([value])
        return self._constants[value]

    # --- instructions ---------------------------------------------------------------------------------------------

    def write(
        self, op: Operation, a: Operand, b: Operand | None = None, *, out: Cells | None = None, out_step: int = 1
    ) -> Cells:
        """One operation on all cells of `a` and `b`; into new cells, or into those from `out` on, so far apart."""
        a = self.constant(a)
        b = a if b is None else self.constant(b)
        width = b.width if a.width == 1 else a.width
        result = self.cells(width) if out is None else out
        steps = [0 if each.width == 1 else 1 for each in (a, b)]
        self._instructions.append((op, width, result.at, out_step, a.at, steps[0], b.at, steps[1]))
        return result

    def copy(self, source: Operand, out: Cells, *, step: int = 1) -> None:
        """Writes cells over others."""
        self.write(Operation.COPY, source, out=out, out_step=step)

    def fill(self, source: Operand, out: Cells) -> None:
        """Writes cells over others; one cell over all of them."""
        a = self.constant(source)
        step = 0 if a.width == 1 else 1
        self._instructions.append((Operation.COPY, out.width, out.at, 1, a.at, step, a.at, step))

    def linear(self, cells: Cells, weights: NDArray[np.floating], start: Operand | None = None) -> Cells:
        """Cells times a matrix, added to `start`."""
        columns = weights.shape[1]
        out = self.cells(columns)
        self.fill(0.0 if start is None else start, out)
        at = self._weigh(weights)
        self._instructions.append((Operation.LINEAR, cells.width, out.at, 1, cells.at, 1, at, columns))
        return out

    def count(self, cell: Cells, thresholds: NDArray[np.floating]) -> Cells:
        """How many thresholds a number reaches."""
        reached = self.cells(1)
        at = self._weigh(thresholds)
        self._instructions.append((Operation.COUNT, len(thresholds), reached.at, 1, cell.at, 0, at, 0))
        return reached

    def table(self, rows: NDArray[np.floating]) -> Table:
        """Rows of weights [n, width], to be looked up as often as one likes."""
        return Table(self._weigh(rows), *rows.shape)

    def row(self, number: Cells, table: Table) -> Cells:
        """The row of a table with that number."""
        out = self.cells(table.width)
        self._instructions.append((Operation.ROW, out.width, out.at, 1, number.at, 0, table.at, table.n_rows))
        return out

    def softmax(self, cells: Cells, out: Cells) -> None:
        """Shares that sum to 1."""
        self._instructions.append((Operation.SOFTMAX, cells.width, out.at, 1, cells.at, 1, cells.at, 1))

    def sigmoid(self, cells: Cells) -> Cells:
        """Of every cell."""
        return self.write(Operation.SIGMOID, cells)

    def tanh(self, cells: Cells) -> Cells:
        """Of every cell."""
        return self.write(Operation.TANH, cells)

    def exp(self, cells: Cells) -> Cells:
        """Of every cell."""
        return self.write(Operation.EXP, cells)

    def _weigh(self, weights: NDArray[np.floating]) -> int:
        self._weights.extend(np.asarray(weights, dtype=np.float64).ravel().tolist())
        return len(self._weights) - weights.size

    # --- as numpy -------------------------------------------------------------------------------------------------

    def minimum(self, a: Operand, b: Operand) -> Cells:
        """`numpy.minimum`."""
        return self.write(Operation.LEAST, a, b)

    def maximum(self, a: Operand, b: Operand) -> Cells:
        """`numpy.maximum`."""
        return self.write(Operation.MOST, a, b)

    def clip(self, a: Cells, low: float, high: float) -> Cells:
        """`numpy.clip`."""
        return self.minimum(self.maximum(a, low), high)

    def log(self, a: Cells) -> Cells:
        """`numpy.log`."""
        return self.write(Operation.LOG, a)

    def log1p(self, a: Cells) -> Cells:
        """`numpy.log1p`, of numbers that are not tiny."""
        return self.log(a + 1.0)

    def isnan(self, a: Cells) -> Cells:
        """`numpy.isnan`."""
        return ~self.write(Operation.KNOWN, a)

    def where(self, test: Cells, yes: Operand, no: Operand) -> Cells:
        """`numpy.where`, of a test that is 1 or 0."""
        yes, no = self.constant(yes), self.constant(no)
        widths = {test.width, yes.width, no.width} - {1}
        out = self.cells(widths.pop() if widths else 1)
        self.fill(no, out)
        steps = [0 if each.width == 1 else 1 for each in (test, yes)]
        self._instructions.append((Operation.WHERE, out.width, out.at, 1, test.at, steps[0], yes.at, steps[1]))
        return out

    def concatenate(self, parts: Sequence[Cells], axis: int = -1) -> Cells:
        """`numpy.concatenate`, along the only axis there is."""
        del axis
        out, at = self.cells(sum(part.width for part in parts)), 0
        for part in parts:
            self.copy(part, out[at : at + part.width])
            at += part.width
        return out

    stack = concatenate

    # --- the whole ------------------------------------------------------------------------------------------------

    def end_part(self) -> None:
        """The instructions up to here are the next `Part`."""
        self._ends.append(len(self._instructions))

    def formula(self, *, answers: dict[str, Cells], n_components: int) -> Formula:
        """All that was written, as a formula that leaves its answers in these cells."""
        first, second, third, fourth = self._ends
        assert len(self._ends) == len(Part)
        return Formula(
            start=np.array(self._start, dtype=np.float64),
            instructions=np.array(self._instructions, dtype=np.int64).reshape(-1, 8),
            weights=np.array(self._weights, dtype=np.float64),
            ends=(first, second, third, fourth),
            places={name: answers[name].at for name in FIELDS},
            n_components=n_components,
        )
