"""Expressions: a postfix program run on a small stack in the patient's record."""

import math

import numpy as np

from trajsim.engine.kernels.lifecycle.signs import read_sign
from trajsim.engine.kernels.slots import age_in_decimal_years, coerce
from trajsim.engine.opcodes import ExpressionOp, Tag
from trajsim.streams.jit import jit

NIL = int(Tag.NIL)
NUMBER = int(Tag.NUMBER)
INTEGER = int(Tag.INTEGER)
BOOLEAN = int(Tag.BOOLEAN)
STRING = int(Tag.STRING)

END = int(ExpressionOp.END)
PUSH_NULL = int(ExpressionOp.NULL)
PUSH_NUMBER = int(ExpressionOp.NUMBER)
PUSH_BOOLEAN = int(ExpressionOp.BOOLEAN)
PUSH_TEXT = int(ExpressionOp.TEXT)
PUSH_AGE = int(ExpressionOp.AGE)
PUSH_SIGN = int(ExpressionOp.SIGN)
PUSH_ATTRIBUTE = int(ExpressionOp.ATTRIBUTE)
TRUTH = int(ExpressionOp.TRUTH)
NOT = int(ExpressionOp.NOT)
NEGATE = int(ExpressionOp.NEGATE)
AND = int(ExpressionOp.AND)
OR = int(ExpressionOp.OR)
JUMP = int(ExpressionOp.JUMP)
JUMP_UNLESS = int(ExpressionOp.JUMP_UNLESS)
JUMP_IF_FALSE = int(ExpressionOp.JUMP_IF_FALSE)
JUMP_IF_TRUE = int(ExpressionOp.JUMP_IF_TRUE)
ADD = int(ExpressionOp.ADD)
SUBTRACT = int(ExpressionOp.SUBTRACT)
MULTIPLY = int(ExpressionOp.MULTIPLY)
DIVIDE = int(ExpressionOp.DIVIDE)
POWER = int(ExpressionOp.POWER)
EQ = int(ExpressionOp.EQ)
NE = int(ExpressionOp.NE)
LT = int(ExpressionOp.LT)
LE = int(ExpressionOp.LE)
GT = int(ExpressionOp.GT)
GE = int(ExpressionOp.GE)
MIN = int(ExpressionOp.MIN)
MAX = int(ExpressionOp.MAX)
ABS = int(ExpressionOp.ABS)
ROUND = int(ExpressionOp.ROUND)
LN = int(ExpressionOp.LN)

COERCED_KIND = 1
COERCED_VITAL_SIGN = 5
MAX_PRODUCT = 64.0
EXP_LIMIT = 709.0


@jit
def power_of(base, exponent):
    """A product for whole exponents from 0 to 64, else a power of doubles; infinite where it has no value."""
    if 0.0 <= exponent <= MAX_PRODUCT and exponent == np.floor(exponent):
        product = 1.0
        for _ in range(np.int64(exponent)):
            product = product * base
        return product
    if base < 0.0 or (base == 0.0 and exponent < 0.0):
        return np.inf
    return base**exponent


@jit
def round_to(value, digits):
    """Rounds half up to so many decimals; infinite where that has no value."""
    scale = power_of(10.0, np.trunc(digits))
    if scale == 0.0 or not math.isfinite(scale) or not math.isfinite(value * scale):
        return np.inf
    return np.floor(value * scale + 0.5) / scale


@jit
def _arithmetic(op, a, b):
    if op == ADD:
        return a + b
    if op == SUBTRACT:
        return a - b
    if op == MULTIPLY:
        return a * b
    if op == DIVIDE:
        return a / b if b != 0.0 else np.inf
    return power_of(a, b)


@jit
def _holds(op, order):
    """Whether a comparison holds; `order` is -1, 0 or 1."""
    if op == EQ:
        return order == 0
    if op == NE:
        return order != 0
    if op == LT:
        return order < 0
    if op == LE:
        return order <= 0
    if op == GT:
        return order > 0
    return order >= 0


@jit
def _give(x, top, tag, value):
    x.operand_tag[top] = tag
    x.operand[top] = value


@jit
def _give_number(x, top, value):
    """A number; null if it is not finite."""
    if math.isfinite(value):
        _give(x, top, NUMBER, value)
    else:
        _give(x, top, NIL, 0.0)


@jit
def _load(h, S, Z, D, x, E, op, argument, top, t, stream):
    """Puts a constant, an attribute, the age or a vital sign on the stack."""
    _give(x, top, NIL, 0.0)
    if op == PUSH_NUMBER:
        _give(x, top, NUMBER, D[argument])
    elif op == PUSH_BOOLEAN:
        _give(x, top, BOOLEAN, np.float64(argument))
    elif op == PUSH_TEXT:
        _give(x, top, STRING, np.float64(argument))
    elif op == PUSH_AGE:
        _give(x, top, NUMBER, age_in_decimal_years(x, t))
    elif op == PUSH_SIGN:
        value, known = read_sign(h, S, Z, D, x, E, argument, t, stream)
        if known:
            _give(x, top, NUMBER, value)
        else:
            coerce(h, x, E, COERCED_VITAL_SIGN, t, stream)
    elif op == PUSH_ATTRIBUTE:
        tag = x.w[h.w_attribute + argument]
        if NUMBER <= tag <= STRING:
            _give(x, top, NUMBER if tag == INTEGER else tag, x.f[h.f_attribute + argument])
        else:
            coerce(h, x, E, COERCED_KIND, t, stream)


@jit
def _truth(h, x, E, top, t, stream):
    """Makes the topmost value a boolean or null."""
    tag = x.operand_tag[top]
    if tag != NIL and tag != BOOLEAN:
        coerce(h, x, E, COERCED_KIND, t, stream)
        _give(x, top, NIL, 0.0)


@jit
def _are_numbers(h, x, E, first, n, t, stream):
    """Whether the topmost n values are numbers; other kinds than null are coerced."""
    wrong = False
    known = True
    for k in range(first, first + n):
        tag = x.operand_tag[k]
        if tag == NIL:
            known = False
        elif tag != NUMBER:
            wrong = True
    if wrong:
        coerce(h, x, E, COERCED_KIND, t, stream)
        return False
    return known


@jit
def _connect(x, op, top):
    """`and` and `or` of two truths."""
    decides = 1.0 if op == OR else 0.0
    left, right = x.operand_tag[top], x.operand_tag[top + 1]
    if right == BOOLEAN and x.operand[top + 1] == decides:
        _give(x, top, BOOLEAN, decides)
    elif left == NIL or right == NIL:
        _give(x, top, NIL, 0.0)
    else:
        _give(x, top, BOOLEAN, 1.0 - decides)


@jit
def _compare(h, Z, x, E, op, top, t, stream):
    left, right = x.operand_tag[top], x.operand_tag[top + 1]
    a, b = x.operand[top], x.operand[top + 1]
    if left == NIL or right == NIL:
        _give(x, top, NIL, 0.0)
        return
    if left != right or (left == BOOLEAN and op > NE):
        coerce(h, x, E, COERCED_KIND, t, stream)
        _give(x, top, NIL, 0.0)
        return
    if left == STRING:
        a = np.float64(Z[h.z_string_rank + np.int64(a)])
        b = np.float64(Z[h.z_string_rank + np.int64(b)])
    order = 1 if a > b else (-1 if a < b else 0)
    _give(x, top, BOOLEAN, 1.0 if _holds(op, order) else 0.0)


@jit
def _calculate(h, x, E, op, top, t, stream):
    """Arithmetic of two values; null on one side asks nothing of the other."""
    if x.operand_tag[top] == NIL or x.operand_tag[top + 1] == NIL:
        _give(x, top, NIL, 0.0)
    elif _are_numbers(h, x, E, top, 2, t, stream):
        _give_number(x, top, _arithmetic(op, x.operand[top], x.operand[top + 1]))
    else:
        _give(x, top, NIL, 0.0)


@jit
def _call(h, x, E, op, n, top, t, stream):
    """A function of the topmost n values."""
    if not _are_numbers(h, x, E, top, n, t, stream):
        _give(x, top, NIL, 0.0)
        return
    v = x.operand[top]
    if op == MIN:
        for k in range(top + 1, top + n):
            if x.operand[k] < v:
                v = x.operand[k]
    elif op == MAX:
        for k in range(top + 1, top + n):
            if x.operand[k] > v:
                v = x.operand[k]
    elif op == ABS:
        v = math.fabs(v)
    elif op == ROUND:
        v = round_to(v, x.operand[top + 1] if n > 1 else 0.0)
    elif op == LN:
        v = math.log(v) if v > 0.0 else np.inf
    else:
        v = math.exp(v) if v < EXP_LIMIT else np.inf
    _give_number(x, top, v)


@jit
def _unary(h, x, E, op, top, t, stream):
    if op == NEGATE:
        if _are_numbers(h, x, E, top, 1, t, stream):
            x.operand[top] = -x.operand[top]
        else:
            _give(x, top, NIL, 0.0)
        return
    _truth(h, x, E, top, t, stream)
    if op == NOT and x.operand_tag[top] == BOOLEAN:
        x.operand[top] = 1.0 - x.operand[top]


@jit
def expression(h, S, Z, D, x, E, base, t, stream):
    """The value of an expression: its tag and its number."""
    at = np.int64(base)
    top = np.int64(-1)
    while Z[at] != END:
        op, argument = Z[at], Z[at + 1]
        at += 2
        if op <= PUSH_ATTRIBUTE:
            top += 1
            _load(h, S, Z, D, x, E, op, argument, top, t, stream)
        elif op <= NEGATE:
            _unary(h, x, E, op, top, t, stream)
        elif op <= OR:
            top -= 1
            _truth(h, x, E, top + 1, t, stream)
            _connect(x, op, top)
        elif op <= JUMP_IF_TRUE:
            jumps = op == JUMP
            if op == JUMP_UNLESS:
                _truth(h, x, E, top, t, stream)
                jumps = x.operand_tag[top] == NIL or x.operand[top] == 0.0
                top -= 1
            elif op != JUMP:
                decides = 1.0 if op == JUMP_IF_TRUE else 0.0
                jumps = x.operand_tag[top] == BOOLEAN and x.operand[top] == decides
            if jumps:
                at = np.int64(base) + argument
        elif op <= POWER:
            top -= 1
            _calculate(h, x, E, op, top, t, stream)
        elif op <= GE:
            top -= 1
            _compare(h, Z, x, E, op, top, t, stream)
        else:
            top -= argument - 1
            _call(h, x, E, op, argument, top, t, stream)
    return x.operand_tag[0], x.operand[0]
