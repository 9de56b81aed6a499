"""JSON Schema of the documents that trajsim writes, the same text with every version of Python."""

import inspect
from typing import Any

import msgspec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(document: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a document, with the docstrings of its parts as descriptions.

    Python 3.13 takes the indentation out of docstrings itself; here it is taken out for all.
    """
    return {"$schema": DIALECT, **_cleaned(msgspec.json.schema(document))}


def _cleaned(node: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    if isinstance(node, list):
        return [_cleaned(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        name: inspect.cleandoc(child) if name == "description" and isinstance(child, str) else _cleaned(child)
        for name, child in node.items()
    }
