"""Carries out a model that is written out as arithmetic (docs/draws.md, 11.6; `trajsim.formula`)."""

import math

import numpy as np

from trajsim.formula import Operation
from trajsim.streams.jit import inline_jit, jit

COPY = int(Operation.COPY)
ADD = int(Operation.ADD)
SUBTRACT = int(Operation.SUBTRACT)
MULTIPLY = int(Operation.MULTIPLY)
LEAST = int(Operation.LEAST)
MOST = int(Operation.MOST)
ABOVE = int(Operation.ABOVE)
WHERE = int(Operation.WHERE)
KNOWN = int(Operation.KNOWN)
LOG = int(Operation.LOG)
EXP = int(Operation.EXP)
SIGMOID = int(Operation.SIGMOID)
TANH = int(Operation.TANH)
SOFTMAX = int(Operation.SOFTMAX)
LINEAR = int(Operation.LINEAR)
COUNT = int(Operation.COUNT)
ROW = int(Operation.ROW)

LARGEST_EXPONENT = 709.0


@jit
def exponential(v):
    """e^v, infinity where v is 709 or more."""
    if v >= LARGEST_EXPONENT:
        return np.inf
    return math.exp(v)


@inline_jit
def _one(op, old, a, b):
    """The number that an elementary operation leaves where `old` stood."""
    if op == COPY:
        return a
    if op == ADD:
        return a + b
    if op == SUBTRACT:
        return a - b
    if op == MULTIPLY:
        return a * b
    if op == LEAST:
        return b if b < a else a
    if op == MOST:
        return b if b > a else a
    if op == ABOVE:
        return 1.0 if a > b else 0.0
    if op == WHERE:
        return b if a > 0.0 else old
    if op == KNOWN:
        return 1.0 if a == a else 0.0  # false for NaN only
    if op == LOG:
        return -np.inf if a <= 0.0 else math.log(a)
    if op == EXP:
        return exponential(a)
    if op == SIGMOID:
        return 1.0 / (1.0 + exponential(-a))
    return 2.0 / (1.0 + exponential(-2.0 * a)) - 1.0  # TANH


@inline_jit
def _linear(f, D, n, out, a, b, columns):
    """Adds a vector times a matrix, row by row; rows of zeros are many, and left out."""
    for i in range(n):
        v = f[a + i]
        if v != 0.0:
            at = b + i * columns
            for j in range(columns):
                f[out + j] = f[out + j] + v * D[at + j]


@inline_jit
def _softmax(f, n, out, a):
    most = -np.inf
    for i in range(n):
        if f[a + i] > most:
            most = f[a + i]
    total = 0.0
    for i in range(n):
        f[out + i] = exponential(f[a + i] - most)
        total = total + f[out + i]
    for i in range(n):
        f[out + i] = f[out + i] / total


@inline_jit
def _row(f, D, n, out, v, b, rows):
    """A row of a table; before the first it is the first, behind the last the last."""
    row = np.int64(0)
    while row + 1 < rows and v >= np.float64(row + 1):
        row += 1
    for i in range(n):
        f[out + i] = D[b + row * n + i]


@jit
def work_out(Z, D, f, first, last):
    """Carries out the instructions that lie in Z from `first` to `last`; places are those of `f`, of weights of D."""
    for z in range(first, last, 8):
        op, n, out, out_step = Z[z], Z[z + 1], Z[z + 2], Z[z + 3]
        a, a_step, b, b_step = Z[z + 4], Z[z + 5], Z[z + 6], Z[z + 7]
        if op == LINEAR:
            _linear(f, D, n, out, a, b, b_step)
        elif op == SOFTMAX:
            _softmax(f, n, out, a)
        elif op == ROW:
            _row(f, D, n, out, f[a], b, b_step)
        elif op == COUNT:
            reached = 0.0
            for i in range(n):
                if f[a] >= D[b + i]:
                    reached = reached + 1.0
            f[out] = reached
        else:
            for i in range(n):
                f[out + i * out_step] = _one(op, f[out + i * out_step], f[a + i * a_step], f[b + i * b_step])


@jit
def all_numbers(f, first, n):
    """Whether none of n numbers is NaN."""
    for k in range(first, first + n):
        if f[k] != f[k]:
            return False
    return True
