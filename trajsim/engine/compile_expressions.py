"""Expressions compiled to a flat postfix program in the heaps.

An instruction is two integers: what to do, and its argument. `if`, `and` and `or` become jumps, so that what a life
does not need is not read (a read of a vital sign counts), in the same order as the tree is evaluated.
"""

from trajsim.engine.compile_heap import Heap
from trajsim.engine.opcodes import ExpressionOp as Op
from trajsim.engine.program import EXPRESSION_DEPTH
from trajsim.errors import CompileError
from trajsim.gmf.expression import (
    VITAL_SIGN_NAMES,
    Binary,
    Call,
    Constant,
    Define,
    If,
    Name,
    Node,
    Unary,
    parse_expression,
)

_MAX_INSTRUCTIONS = 10_000
_BINARY = {
    "+": Op.ADD, "-": Op.SUBTRACT, "*": Op.MULTIPLY, "/": Op.DIVIDE, "^": Op.POWER,
    "=": Op.EQ, "!=": Op.NE, "<": Op.LT, "<=": Op.LE, ">": Op.GT, ">=": Op.GE,
}  # fmt: skip
_CALLS = {
    "min": Op.MIN, "max": Op.MAX, "abs": Op.ABS, "round": Op.ROUND, "ln": Op.LN, "exp": Op.EXP,
}  # fmt: skip


def compile_expression(heap: Heap, text: str) -> int:
    """Compiles an expression.

    Args:
        heap: Where the program goes, and where names have their slots.
        text: The expression as the module writes it.

    Returns:
        Offset of its first instruction in the integer heap.

    Raises:
        ExpressionError: It cannot be parsed.
        CompileError: It is longer, or nested deeper, than a patient's record can hold.
    """
    compiler = _Compiler(heap, text)
    compiler.value(parse_expression(text))
    compiler.emit(Op.END)
    return heap.integers(compiler.code)


class _Compiler:
    """Appends the instructions of one expression; `depth` is the height of the stack at this point."""

    def __init__(self, heap: Heap, text: str) -> None:
        self.code: list[int] = []
        self._heap = heap
        self._text = text
        self._depth = 0

    def emit(self, operation: Op, argument: int = 0, *, grows: int = 0) -> int:
        """Appends an instruction; returns the position of its argument."""
        self.code += [int(operation), argument]
        self._depth += grows
        if self._depth > EXPRESSION_DEPTH or len(self.code) > 2 * _MAX_INSTRUCTIONS:
            what = f"needs more than {EXPRESSION_DEPTH} values at once or {_MAX_INSTRUCTIONS} operations"
            msg = f"expression {self._text[:80]!r} {what}"
            raise CompileError(msg, hint="split it over several SetAttribute states")
        return len(self.code) - 1

    def value(self, node: Node) -> None:
        """The instructions that put the value of a tree on the stack."""
        match node:
            case Constant():
                self._constant(node)
            case Name():
                self._name(node.name)
            case Define():
                self.value(node.node)
            case Unary():
                self.value(node.operand)
                self.emit(Op.NEGATE if node.operator == "-" else Op.NOT)
            case If():
                self._if(node)
            case Call():
                for argument in node.arguments:
                    self.value(argument)
                self.emit(_CALLS[node.function], len(node.arguments), grows=1 - len(node.arguments))
            case Binary(operator="and" | "or"):
                self._logic(node)
            case Binary():
                self.value(node.left)
                self.value(node.right)
                self.emit(_BINARY[node.operator], grows=-1)

    def _constant(self, node: Constant) -> None:
        if node.value is None:
            self.emit(Op.NULL, grows=1)
        elif isinstance(node.value, bool):
            self.emit(Op.BOOLEAN, int(node.value), grows=1)
        elif isinstance(node.value, str):
            self.emit(Op.TEXT, self._heap.string(node.value), grows=1)
        else:
            self.emit(Op.NUMBER, self._heap.floats([float(node.value)]), grows=1)

    def _name(self, name: str) -> None:
        sign = VITAL_SIGN_NAMES.get(name.lower())
        if name == "age":
            self.emit(Op.AGE, grows=1)
        elif sign is not None:
            self.emit(Op.SIGN, self._heap.sign(sign), grows=1)
        else:
            self.emit(Op.ATTRIBUTE, self._heap.attribute(name), grows=1)

    def _if(self, node: If) -> None:
        self.value(node.test)
        otherwise = self.emit(Op.JUMP_UNLESS, grows=-1)
        self.value(node.yes)
        end = self.emit(Op.JUMP, grows=-1)  # only one of the two branches puts its value
        self.code[otherwise] = len(self.code)
        self.value(node.no)
        self.code[end] = len(self.code)

    def _logic(self, node: Binary) -> None:
        is_and = node.operator == "and"
        self.value(node.left)
        self.emit(Op.TRUTH)
        end = self.emit(Op.JUMP_IF_FALSE if is_and else Op.JUMP_IF_TRUE)
        self.value(node.right)
        self.emit(Op.AND if is_and else Op.OR, grows=-1)
        self.code[end] = len(self.code)
