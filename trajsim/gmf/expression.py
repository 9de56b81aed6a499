"""The part of HL7 CQL that module expressions use: parsed to a tree, evaluated over doubles.

Numbers, ``+ - * / ^``, parentheses, comparisons, ``and``/``or``/``not``, ``if ... then ... else``, Min, Max, Abs,
Round, Ln, Exp, ``#{name}`` parameters and ``define`` lines; the last line is the value. docs/draws.md section 9 says
what null does.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NoReturn

from msgspec import Struct

from trajsim.errors import TrajsimError

Value = float | bool | str | None

_SIGNS = (
    "Systolic Blood Pressure", "Diastolic Blood Pressure", "Height", "Weight", "Height Percentile", "Weight Percentile",
    "BMI", "BMI Percentile", "Head Circumference", "Head Circumference Percentile", "Weight Length Percentile",
    "Heart Rate", "Respiration Rate", "Oxygen Saturation", "Blood Glucose", "Glucose", "Urea Nitrogen", "Creatinine",
    "Calcium", "Sodium", "Potassium", "Chloride", "Carbon Dioxide", "Total Cholesterol", "Triglycerides", "LDL", "HDL",
    "Microalbumin Creatinine Ratio", "EGFR", "Left ventricular Ejection fraction",
)  # fmt: skip

# By lower-case name, with spaces or underscores: how modules write the sign.
VITAL_SIGN_NAMES: Mapping[str, str] = {
    spelling: sign
    for sign in _SIGNS
    for spelling in (sign.lower(), sign.lower().replace(" ", "_"))
} | {"lvef": "Left ventricular Ejection fraction"}  # fmt: skip


class ExpressionError(TrajsimError):
    """An expression that cannot be parsed."""

    exit_code = 1


class Node(Struct, frozen=True):
    """Base of the tree."""


class Constant(Node, frozen=True):
    """A number, text, boolean or null."""

    value: Value


class Name(Node, frozen=True):
    """A parameter ``#{name}``; `kind` is the letter of ``#d{``, ``#b{``, ``#s{``, or empty."""

    name: str
    kind: str = ""


class Define(Node, frozen=True):
    """The name of a ``define`` line, with its tree."""

    name: str
    node: Node


class Unary(Node, frozen=True):
    """``-x`` and ``not x``."""

    operator: Literal["-", "not"]
    operand: Node


class Binary(Node, frozen=True):
    """Arithmetic, comparison, ``and`` and ``or``."""

    operator: str
    left: Node
    right: Node


class If(Node, frozen=True):
    """``if test then yes else no``."""

    test: Node
    yes: Node
    no: Node


class Call(Node, frozen=True):
    """A function in lower case."""

    function: str
    arguments: tuple[Node, ...]


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<name>\#[dbs]?\{[^}]*\})|(?P<text>'[^']*')|(?P<quoted>\"[^\"]*\")"
    r"|(?P<word>[A-Za-z_]\w*)|(?P<operator><=|>=|!=|<>|[-+*/^()<>=~,{}]))"
)
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FUNCTIONS = {"min": (1, 99), "max": (1, 99), "abs": (1, 1), "round": (1, 2), "ln": (1, 1), "exp": (1, 1)}
_MAX_PRODUCT = 64
_MAX_DEPTH = 40  # parentheses and branches; a `define` takes the rest


def parse_expression(text: str) -> Node:
    """Parses an expression.

    Args:
        text: One expression, or several ``define`` lines and an expression as the last line.

    Returns:
        The tree.

    Raises:
        ExpressionError: With the place of the fault.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        msg = "the expression is empty"
        raise ExpressionError(msg)
    defines: dict[str, Node] = {}
    for line in lines[:-1]:
        match = re.match(r'\s*define\s+(?:"([^"]+)"|(\w+))\s*:\s*(.*)$', line)
        if match is None:
            msg = f"line {line.strip()!r} of an expression is no `define NAME: ...`; only the last line is the value"
            raise ExpressionError(msg)
        defines[match[1] or match[2]] = _Parser(match[3], defines).whole()
    return _Parser(lines[-1], defines).whole()


def names_of(node: Node) -> Iterator[str]:
    """The names of all parameters of a tree, in order of their first appearance from left to right."""
    if isinstance(node, Name):
        yield node.name
    elif isinstance(node, Define):
        yield from names_of(node.node)
    else:
        for child in _children(node):
            yield from names_of(child)


def texts_of(node: Node) -> Iterator[str]:
    """The text constants of a tree, from left to right."""
    if isinstance(node, Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, Define):
        yield from texts_of(node.node)
    else:
        for child in _children(node):
            yield from texts_of(child)


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, If):
        return (node.test, node.yes, node.no)
    return node.arguments if isinstance(node, Call) else ()


class _Parser:
    """Recursive descent; each method takes one level of precedence."""

    def __init__(self, text: str, defines: Mapping[str, Node]) -> None:
        self._text = text
        self._defines = defines
        self._tokens: list[tuple[str, str]] = []
        self._position = 0
        self._depth = 0
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                self._fail(f"cannot read {text[at:].strip()!r}")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()

    def _fail(self, what: str) -> NoReturn:
        msg = f"expression {self._text.strip()!r}: {what}"
        raise ExpressionError(msg)

    def _peek(self) -> str:
        """The next token, words in lower case; empty at the end."""
        if self._position == len(self._tokens):
            return ""
        kind, text = self._tokens[self._position]
        return text.lower() if kind == "word" else text

    def _take(self, *expected: str) -> bool:
        if self._peek() in expected:
            self._position += 1
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._take(token):
            self._fail(f"expected {token!r}, got {self._peek() or 'the end'!r}")

    def whole(self) -> Node:
        """The whole text as one expression."""
        node = self._expression()
        if self._position != len(self._tokens):
            self._fail(f"nothing may follow, got {self._peek()!r}")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"it is nested more than {_MAX_DEPTH} deep")
        node = self._whole_expression()
        self._depth -= 1
        return node

    def _whole_expression(self) -> Node:
        if self._take("if"):
            test = self._expression()
            self._need("then")
            yes = self._expression()
            self._need("else")
            return If(test, yes, self._expression())
        return self._left(("or",), lambda: self._left(("and",), self._negation))

    def _left(self, operators: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        node = operand()
        while (operator := self._peek()) in operators:
            self._position += 1
            node = Binary(operator, node, operand())
        return node

    def _negation(self) -> Node:
        return Unary("not", self._negation()) if self._take("not") else self._comparison()

    def _comparison(self) -> Node:
        node = self._sum()
        while self._peek() in _COMPARISONS:
            operator = _COMPARISONS[self._peek()]
            self._position += 1
            node = Binary(operator, node, self._sum())
        return node

    def _sum(self) -> Node:
        return self._left(("+", "-"), lambda: self._left(("*", "/"), self._sign))

    def _sign(self) -> Node:
        if self._take("-"):
            return Unary("-", self._sign())
        self._take("+")
        return self._power()

    def _power(self) -> Node:
        base = self._atom()
        return Binary("^", base, self._sign()) if self._take("^") else base

    def _atom(self) -> Node:
        if self._position == len(self._tokens):
            self._fail("it ends where a value is expected")
        kind, text = self._tokens[self._position]
        self._position += 1
        if kind == "number":
            return Constant(float(text))
        if kind == "text":
            return Constant(text[1:-1])
        if kind == "name":
            return Name(text[text.index("{") + 1 : -1], text[1 : text.index("{")])
        if kind == "quoted":
            return self._define(text[1:-1])
        if text == "(":
            node = self._expression()
            self._need(")")
            return node
        return self._word(text) if kind == "word" else self._fail(f"a value is expected, got {text!r}")

    def _define(self, name: str) -> Node:
        if name not in self._defines:
            self._fail(f"no `define` of {name!r} above it")
        return Define(name, self._defines[name])

    def _word(self, word: str) -> Node:
        if word in self._defines:
            return self._define(word)
        lower = word.lower()
        if lower in {"true", "false", "null"}:
            return Constant(None if lower == "null" else lower == "true")
        if lower not in _FUNCTIONS:
            self._fail(f"unknown word {word!r}; functions are {', '.join(sorted(_FUNCTIONS))}, attributes #{{name}}")
        self._need("(")
        braces = self._take("{")
        arguments = [self._expression()]
        while self._take(","):
            arguments.append(self._expression())
        if braces:
            self._need("}")
        self._need(")")
        low, high = _FUNCTIONS[lower]
        if not low <= len(arguments) <= high:
            self._fail(f"{word} takes {low} to {high} arguments, got {len(arguments)}")
        return Call(lower, tuple(arguments))


def evaluate(node: Node, resolve: Callable[[str, str], Value], mismatch: Callable[[], None]) -> Value:
    """The value of a tree.

    Args:
        node: The tree.
        resolve: Gives the value of a parameter by name and kind letter; None where it has none.
        mismatch: Called whenever operands of wrong kinds meet.

    Returns:
        The value; None for null.
    """
    return _Evaluator(resolve, mismatch).value(node)


class _Evaluator:
    """Evaluates trees, left before right."""

    def __init__(self, resolve: Callable[[str, str], Value], mismatch: Callable[[], None]) -> None:
        self._resolve = resolve
        self._mismatch = mismatch

    def value(self, node: Node) -> Value:
        """The value of any tree."""
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Name):
            return self._resolve(node.name, node.kind)
        if isinstance(node, Define):
            return self.value(node.node)
        if isinstance(node, If):
            return self.value(node.yes if self._truth(node.test) else node.no)
        if isinstance(node, Unary):
            return self._unary(node)
        if isinstance(node, Call):
            return self._call(node)
        assert isinstance(node, Binary)
        if node.operator in {"and", "or"}:
            return self._logic(node)
        left, right = self.value(node.left), self.value(node.right)
        if left is None or right is None:
            return None
        if node.operator in "+-*/^":
            numbers = self._numbers([left, right])
            return None if numbers is None else _arithmetic(node.operator, *numbers)
        return self._compare(node.operator, left, right)

    def _wrong(self) -> None:
        self._mismatch()

    def _numbers(self, values: list[Value]) -> list[float] | None:
        """The values as doubles; None if one is null or no number."""
        if any(isinstance(value, bool | str) for value in values):
            self._wrong()
            return None
        given = [float(value) for value in values if value is not None]
        return given if len(given) == len(values) else None

    def _truth(self, node: Node) -> bool | None:
        value = self.value(node)
        if value is None or isinstance(value, bool):
            return value
        self._wrong()
        return None

    def _unary(self, node: Unary) -> Value:
        if node.operator == "not":
            truth = self._truth(node.operand)
            return None if truth is None else not truth
        numbers = self._numbers([self.value(node.operand)])
        return None if numbers is None else -numbers[0]

    def _logic(self, node: Binary) -> bool | None:
        """Three-valued; a left side that decides is enough."""
        decides = node.operator == "or"
        left = self._truth(node.left)
        if left is decides:
            return decides
        right = self._truth(node.right)
        if right is decides:
            return decides
        return None if left is None or right is None else not decides

    def _compare(self, operator: str, left: Value, right: Value) -> bool | None:
        if isinstance(left, bool) or isinstance(right, bool):
            alike = isinstance(left, bool) and isinstance(right, bool) and operator in {"=", "!="}
        else:
            alike = isinstance(left, str) == isinstance(right, str)
        if not alike:
            self._wrong()
            return None
        order = _order(left, right)
        return {
            "=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0,
        }[operator]  # fmt: skip

    def _call(self, node: Call) -> Value:
        numbers = self._numbers([self.value(argument) for argument in node.arguments])
        if numbers is None:
            return None
        if node.function == "min":
            return min(numbers)
        if node.function == "max":
            return max(numbers)
        first = numbers[0]
        if node.function == "abs":
            return abs(first)
        if node.function == "round":
            return _round_half_up(first, numbers[1] if len(numbers) > 1 else 0.0)
        if node.function == "ln":
            return math.log(first) if first > 0.0 else None
        return _finite(math.exp(first)) if first < 709.0 else None


def _order(left: Value, right: Value) -> int:
    """-1, 0 or 1; texts by UTF-16 code units."""
    if isinstance(left, bool):
        return int(left is not right)
    if isinstance(left, str) and isinstance(right, str):
        a, b = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
        return (a > b) - (a < b)
    assert isinstance(left, float)
    assert isinstance(right, float)
    return (left > right) - (left < right)


def _round_half_up(value: float, digits: float) -> float | None:
    scale = _power_of(10.0, float(math.trunc(digits)))
    if scale is None or not math.isfinite(value * scale):
        return None
    return _finite(float(math.floor(value * scale + 0.5)) / scale) if scale else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _arithmetic(operator: str, left: float, right: float) -> float | None:
    if operator == "+":
        return _finite(left + right)
    if operator == "-":
        return _finite(left - right)
    if operator == "*":
        return _finite(left * right)
    if operator == "/":
        return None if right == 0.0 else _finite(left / right)
    return _power_of(left, right)


def _power_of(base: float, exponent: float) -> float | None:
    """A product for whole exponents (the same bits in every interpreter), else a power of doubles."""
    if exponent == math.floor(exponent) and 0.0 <= exponent <= _MAX_PRODUCT:
        product = 1.0
        for _ in range(int(exponent)):
            product = product * base
        return _finite(product)
    if base < 0.0 or (base == 0.0 and exponent < 0.0):
        return None
    try:
        return _finite(base**exponent)
    except OverflowError:
        return None
