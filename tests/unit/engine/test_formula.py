"""Every operation of a formula: machine code and plain Python leave the same bits, and foreign places are refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trajsim.engine.kernels.formula import work_out
from trajsim.engine.reference.formula import Worked
from trajsim.formula import FIELDS, Formula, Operation, Part
from trajsim.testing.closed_form_model import ClosedFormModel

MODEL = ClosedFormModel()
SIZE, N_WEIGHTS = 24, 16
NUMBERS = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([0.0, -0.0, 1.0, 2.0, math.inf, -math.inf, math.nan, 710.0, -800.0, 1e-300])
)


def formula_of(instructions: list[list[int]], start: list[float], weights: list[float]) -> Formula:
    return Formula(
        start=np.array(start, dtype=np.float64), instructions=np.array(instructions, dtype=np.int64).reshape(-1, 8),
        weights=np.array(weights, dtype=np.float64), ends=(len(instructions),) * 4, places=dict.fromkeys(FIELDS, 0),
        n_components=1,
    )  # fmt: skip


def by_machine(formula: Formula) -> NDArray[np.float64]:
    vector = formula.start.copy()
    work_out(formula.instructions.ravel(), formula.weights, vector, 0, formula.instructions.size)
    return vector


def by_reference(formula: Formula) -> NDArray[np.float64]:
    worked = Worked(MODEL, formula)
    worked.answer([], Part.STEP, Part.TOGETHER)
    return np.array(worked._vector)


@given(
    op=st.sampled_from(Operation), n=st.integers(0, 4), places=st.tuples(*[st.integers(0, 11)] * 3),
    steps=st.tuples(*[st.integers(0, 3)] * 3), start=st.lists(NUMBERS, min_size=SIZE, max_size=SIZE),
    weights=st.lists(st.floats(-10, 10), min_size=N_WEIGHTS, max_size=N_WEIGHTS),
)  # fmt: skip
def test_machine_and_reference_leave_the_same_bits(
    op: Operation, n: int, places: tuple[int, int, int], steps: tuple[int, int, int], start: list[float],
    weights: list[float],
) -> None:  # fmt: skip
    out, a, b = places
    row = [op, n, out, steps[0], a, steps[1], b % 4 if op in (Operation.LINEAR, Operation.COUNT, Operation.ROW) else b,
           steps[2]]  # fmt: skip
    formula = formula_of([row], start, weights)
    if not formula.faults(n_question=0, widths={}):
        np.testing.assert_array_equal(by_machine(formula), by_reference(formula))


def value_of(op: Operation, a: float, b: float = 0.0) -> float:
    return float(by_machine(formula_of([[op, 1, 2, 1, 0, 1, 1, 1]], [a, b, 5.0], []))[2])


def test_what_operations_mean() -> None:
    assert value_of(Operation.LEAST, 1.0, 2.0) == 1.0
    assert value_of(Operation.MOST, 1.0, 2.0) == 2.0
    assert value_of(Operation.ABOVE, 1.0, 1.0) == 0.0
    assert value_of(Operation.WHERE, 1.0, 2.0) == 2.0
    assert value_of(Operation.WHERE, 0.0, 2.0) == 5.0
    assert value_of(Operation.KNOWN, math.nan) == 0.0
    assert value_of(Operation.LOG, 0.0) == -math.inf
    assert value_of(Operation.EXP, 710.0) == math.inf
    assert value_of(Operation.SIGMOID, -1e4) == 0.0
    assert value_of(Operation.TANH, 0.3) == pytest.approx(math.tanh(0.3), abs=1e-15)


def test_matrices_tables_and_shares() -> None:
    row = [Operation.LINEAR, 2, 2, 1, 0, 1, 1, 3]
    linear = by_machine(formula_of([row], [2.0, 3.0, 1.0, 1.0, 1.0], [9, 1, 2, 3, 4, 5, 6]))
    assert linear.tolist() == [2.0, 3.0, 15.0, 20.0, 25.0]
    for number, reached, last in ((-1.0, 0, 7.0), (2.0, 2, 9.0), (99.0, 3, 9.0)):
        rows = [[Operation.COUNT, 3, 1, 1, 0, 1, 0, 0], [Operation.ROW, 1, 2, 1, 1, 1, 3, 3]]
        assert by_machine(formula_of(rows, [number, 0, 0], [1, 2, 3, 7, 8, 9])).tolist() == [number, reached, last]
    shares = by_machine(formula_of([[Operation.SOFTMAX, 2, 2, 1, 0, 1, 0, 1]], [1e5, 1e5 + math.log(3), 0, 0], []))
    np.testing.assert_allclose(shares[2:], [0.25, 0.75])


@pytest.mark.parametrize(
    "row",
    [
        [99, 1, 0, 1, 0, 1, 0, 1],
        [Operation.ADD, 2, 0, 1, 2, 1, 0, 1],
        [Operation.ADD, 2, 0, 1, 0, 1, -1, 1],
        [Operation.SOFTMAX, 2, 2, 1, 0, 1, 0, 1],
        [Operation.LINEAR, 2, 0, 1, 0, 1, 0, 2],
        [Operation.COUNT, 4, 0, 1, 0, 1, 0, 0],
        [Operation.ROW, 1, 0, 1, 0, 1, 0, 0],
    ],
)
def test_instructions_that_leave_their_room_are_faults(row: list[int]) -> None:
    assert len(formula_of([row], [0.0] * 3, [0.0] * 3).faults(n_question=0, widths={})) == 1


def test_other_faults_of_a_formula() -> None:
    formula = formula_of([], [0.0] * 3, [math.inf])
    found = "\n".join(formula.faults(n_question=4, widths={"log_hazard": 4}))
    for words in ("weights that are not finite", "the question alone 4", "log_hazard lies outside"):
        assert words in found
