"""What the reference interpreter parses once: expressions by their text."""

from functools import lru_cache

from trajsim.gmf.expression import Node, parse_expression


@lru_cache(maxsize=4096)
def expression_of(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: It cannot be parsed.
    """
    return parse_expression(text)
