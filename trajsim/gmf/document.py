"""JSON bytes as a tree, with what ordinary decoders hide: duplicate keys, and the path of every node.

Decoders merge duplicate keys in silence, so a module that defines one state twice loses the first; here that is a
finding. Paths are written as users write them: ``$.states['COPD Onset'].direct_transition``.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

from trajsim.gmf.findings import Finding, Severity

Step: TypeAlias = str | int
Tree: TypeAlias = Any  # what json gives: dict, list, str, int, float, bool or None

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BOM = b"\xef\xbb\xbf"


def json_path(steps: Sequence[Step]) -> str:
    """Writes a path. State names always stand in quotes, other keys only where they must."""
    parts = ["$"]
    for depth, step in enumerate(steps):
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_KEY.match(step) and not (depth == 1 and steps[0] == "states"):
            parts.append(f".{step}")
        else:
            escaped = step.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{escaped}']")
    return "".join(parts)


def read_document(data: bytes, *, file: str) -> tuple[Tree, list[Finding]]:
    """Decodes JSON and reports every duplicate key.

    Args:
        data: The bytes of the file; a byte order mark is tolerated.
        file: Shown in the findings.

    Returns:
        The tree (None if the bytes are not JSON) and the findings. Where a key is given twice the last one counts in
        the tree, as in Java.
    """
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"not UTF-8: byte {error.start} is {data[error.start : error.start + 1]!r}"
        return None, [_invalid(file, "", message, "save the file as UTF-8")]
    duplicated: dict[int, list[str]] = {}

    def keep(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
        tree = dict(pairs)
        if len(tree) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            duplicated[id(tree)] = [key for key, count in counts.items() if count > 1]
        return tree

    try:
        tree = json.loads(text, object_pairs_hook=keep, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"
        return None, [_invalid(file, "", message)]
    except ValueError as error:
        return None, [_invalid(file, "", f"not valid JSON: {error}")]
    except RecursionError:
        return None, [_invalid(file, "", "not valid JSON: nested too deeply")]
    findings = []
    if duplicated:
        for steps, node in _objects(tree):
            for key in duplicated.get(id(node), ()):
                path = json_path((*steps, key))
                message = f"key {key!r} is given more than once; only the last would count"
                hint = "rename one of them or remove it"
                severity = Severity.ERROR
                findings.append(
                    Finding(rule="GMF102", severity=severity, file=file, path=path, message=message, hint=hint)
                )
    return tree, findings


def _refuse_constant(word: str) -> NoReturn:
    msg = f"{word} is not a JSON number"
    raise ValueError(msg)


def _invalid(file: str, path: str, message: str, hint: str | None = None) -> Finding:
    return Finding(rule="GMF101", severity=Severity.ERROR, file=file, path=path, message=message, hint=hint)


def _objects(tree: Tree) -> Iterator[tuple[tuple[Step, ...], Tree]]:
    """Every object of a tree with its steps, in file order; without recursion, as trees may be deep."""
    stack: list[tuple[tuple[Step, ...], Tree]] = [((), tree)]
    while stack:
        steps, node = stack.pop()
        if isinstance(node, dict):
            yield steps, node
            stack += [((*steps, key), value) for key, value in reversed(node.items())]
        elif isinstance(node, list):
            stack += [((*steps, index), value) for index, value in reversed(list(enumerate(node)))]
