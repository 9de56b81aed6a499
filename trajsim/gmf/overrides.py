"""Overrides: single numbers of modules, set from a Java properties file before parsing.

Each entry is ``FILE.json::JSONPATH = number``. FILE is a bare file name, which hits every module so called, or the path
below the modules folder. The colon, the blank and the equals sign may be escaped by a backslash, as Java writes them.
"""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from trajsim.errors import ConfigError
from trajsim.gmf.document import Step, Tree
from trajsim.gmf.findings import did_you_mean

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+) | \[\s*(?P<index>\d+)\s*\] | \[\s*'(?P<single>(?:[^'\\]|\\.)*)'\s*\]
        | \[\s*"(?P<double>(?:[^"\\]|\\.)*)"\s*\] | (?P<star>\[\s*\*\s*\])""",
    re.VERBOSE,
)
_SEPARATOR = re.compile(r"(?<!\\)[=]")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")


class Override(Struct, frozen=True, kw_only=True):
    """One entry of an override file."""

    target: str  # file name or path, with .json
    path: str
    steps: tuple[Step, ...]  # "*" stands for every index
    value: float
    line: int


def read_overrides(file: Path) -> tuple[Override, ...]:
    """Reads an override file.

    Raises:
        ConfigError: The file cannot be read, or a line is not ``FILE.json::JSONPATH = number``.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"override file {str(file)!r} cannot be read: {error}"
        raise ConfigError(msg) from error
    return tuple(_parse_line(file, number, line) for number, line in _logical_lines(text))


def _logical_lines(text: str) -> Iterable[tuple[int, str]]:
    """Lines without comments, continued ones joined."""
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not pending:
            start = number
            if not line or line[0] in "#!":
                continue
        ends = len(line) - len(line.rstrip("\\"))
        if ends % 2:
            pending += line[:-1]
            continue
        yield start, pending + line
        pending = ""
    if pending:
        yield start, pending


def _parse_line(file: Path, number: int, line: str) -> Override:
    where = f"{file}: line {number}"
    cuts = list(_SEPARATOR.finditer(line))
    key, value = (line[: cuts[-1].start()], line[cuts[-1].end() :]) if cuts else (line, "")
    key = _ESCAPE.sub(_unescape, key.strip())
    target, found, path = key.partition("::")
    if not found or not target or not cuts:
        msg = f"{where}: expected 'FILE.json::JSONPATH = number', got {line!r}"
        raise ConfigError(msg)
    figure = _figure(value)
    if figure is None:
        msg = f"{where}: expected a number after '=', got {value.strip()!r}"
        raise ConfigError(msg)
    return Override(
        target=target.strip(), path=path.strip(), steps=_steps(path.strip(), where), value=figure, line=number
    )


def _figure(text: str) -> float | None:
    try:
        figure = float(text)
    except ValueError:
        return None
    return figure if math.isfinite(figure) else None


def _unescape(match: re.Match[str]) -> str:
    word = match[1]
    if len(word) == 5:
        return chr(int(word[1:], 16))
    if word in "'\"\\":  # quotes inside a JSON path keep their backslash
        return match[0]
    return {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(word, word)


def _steps(path: str, where: str) -> tuple[Step, ...]:
    if not path.startswith("$"):
        msg = f"{where}: JSON path {path!r} does not begin with '$'"
        raise ConfigError(msg)
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            msg = f"{where}: JSON path {path!r} is not understood from {path[position:]!r} on"
            hint = "write .name, ['name'], [0] or [*]"
            raise ConfigError(msg, hint=hint)
        position = match.end()
        if match["index"] is not None:
            steps.append(int(match["index"]))
        elif match["star"] or match["name"] == "*":
            steps.append("*")
        else:
            quoted = match["single"] if match["single"] is not None else match["double"]
            steps.append(match["name"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return tuple(steps)


def apply_overrides(trees: Mapping[str, Tree], overrides: Iterable[Override], file: Path) -> set[str]:
    """Sets the numbers in the trees, by module key, in place.

    Returns:
        Keys of the modules that changed.

    Raises:
        ConfigError: Entries that match no file or no node; all of them are named.
    """
    changed: set[str] = set()
    faults = []
    for override in overrides:
        name = override.target.removesuffix(".json")
        keys = [key for key in trees if name in {key, key.rpartition("/")[2]}]
        if not keys:
            faults.append(
                f"{file}: line {override.line}: no module file {override.target!r}{did_you_mean(name, trees)}"
            )
            continue
        hits = [key for key in keys if _set(trees[key], override.steps, override.value)]
        if not hits:
            faults.append(f"{file}: line {override.line}: no node {override.path!r} in {override.target!r}")
        changed.update(hits)
    if faults:
        msg = "\n".join(["overrides that match nothing", *faults])
        raise ConfigError(msg)
    return changed


def _set(tree: Tree, steps: tuple[Step, ...], value: float) -> bool:
    """Whether any node was there to be set."""
    nodes: list[Any] = [tree]
    for step in steps[:-1]:
        nodes = [child for node in nodes for child in _children(node, step)]
    hit = False
    for node in nodes if steps else []:
        for place in _places(node, steps[-1]):
            node[place] = value
            hit = True
    return hit


def _children(node: Tree, step: Step) -> list[Any]:
    return [node[place] for place in _places(node, step)]


def _places(node: Tree, step: Step) -> list[Any]:
    if isinstance(node, dict):
        return list(node) if step == "*" else [step] if step in node else []
    if isinstance(node, list):
        if step == "*":
            return list(range(len(node)))
        return [step] if isinstance(step, int) and step < len(node) else []
    return []
