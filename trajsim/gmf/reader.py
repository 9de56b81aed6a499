"""A typed look into one JSON object that reports what is wrong and goes on.

Every method returns a usable value even after a fault, so that one pass names all faults of a file. A state whose
decoding reported an error is not used.
"""

import math
import sys
from collections.abc import Iterable, Set
from typing import Any

from trajsim.gmf.document import Step, json_path
from trajsim.gmf.findings import Finding, Severity, did_you_mean

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}


def kind_of(value: object) -> str:
    """What a JSON value is, in words: ``a text``, ``null``."""
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def is_number(value: object) -> bool:
    """Whether a JSON value is a number that a double holds; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def show(value: object) -> str:
    """A JSON value in an error message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Reader:
    """One JSON object of a module file, with its place."""

    __slots__ = ("_file", "_parent", "_sink", "_step", "node")

    def __init__(
        self,
        node: dict[str, Any],
        sink: list[Finding],
        file: str,
        parent: "Reader | None" = None,
        step: "Step | tuple[Step, Step] | None" = None,
    ) -> None:
        """Stands on `node`, which is `parent`'s child at `step` (a key, or a tuple of key and index)."""
        self.node = node
        self._sink = sink
        self._file = file
        self._parent = parent
        self._step = step

    # --- faults -------------------------------------------------------------------------------------------------------

    def steps(self) -> tuple[Step, ...]:
        """The way from the root of the file to here."""
        if self._parent is None:
            return ()
        own = self._step if isinstance(self._step, tuple) else (self._step,)
        return (*self._parent.steps(), *own)

    def report(
        self, rule: str, message: str, *at: Step, severity: Severity = Severity.ERROR, hint: str | None = None
    ) -> None:
        """Adds a finding at a place below this object."""
        path = json_path((*self.steps(), *at))
        self._sink.append(Finding(rule=rule, severity=severity, file=self._file, path=path, message=message, hint=hint))

    def error_count(self) -> int:
        """How many errors the whole file has so far."""
        return sum(finding.severity is Severity.ERROR for finding in self._sink)

    def missing(self, key: str, what: str) -> None:
        """Reports that a key which the engine needs is absent."""
        self.report("GMF103", f"missing key {key!r}: expected {what}")

    def wrong(self, what: str, value: object, *at: Step, rule: str = "GMF104") -> None:
        """Reports a value of the wrong kind."""
        self.report(
            rule,
            f"expected {what}, got {kind_of(value)} {show(value)}"
            if value is not None
            else f"expected {what}, got null",
            *at,
        )

    def note_unknown_keys(self, known: Set[str]) -> None:
        """Reports, as information, the keys that GMF does not know here and ignores."""
        unknown = self.node.keys() - known
        for key in sorted(unknown):
            near = did_you_mean(key, known - self.node.keys())
            self.report("GMF110", f"GMF ignores key {key!r} here{near}", key, severity=Severity.INFO)

    # --- scalars ------------------------------------------------------------------------------------------------------

    def text(self, key: str) -> str | None:
        """A text, or None where it is absent or blank."""
        value = self.node.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            return value if value.strip() else None
        self.wrong("a text", value, key)
        return None

    def need_text(self, key: str, what: str) -> str:
        """A text that must be there and not blank."""
        value = self.node.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if value is None:
            self.missing(key, what)
        elif isinstance(value, str):
            self.report("GMF103", f"blank {key!r}: expected {what}", key)
        else:
            self.wrong(what, value, key)
        return ""

    def number(self, key: str) -> float | None:
        """A finite number, or None where it is absent."""
        value = self.node.get(key)
        if value is None:
            return None
        if is_number(value):
            return float(value)
        self.wrong("a number", value, key)
        return None

    def need_number(self, key: str, what: str = "a number") -> float:
        """A finite number that must be there."""
        if self.node.get(key) is None:
            self.missing(key, what)
            return 0.0
        return self.number(key) or 0.0

    def integer(self, key: str) -> int | None:
        """A whole number, or None where it is absent."""
        value = self.node.get(key)
        if value is None:
            return None
        if is_number(value) and value == math.floor(value):
            return int(value)
        self.wrong("a whole number", value, key)
        return None

    def flag(self, key: str) -> bool:
        """A boolean; false where it is absent."""
        value = self.node.get(key)
        if value is None:
            return False
        if isinstance(value, bool):
            return value
        self.wrong("true or false", value, key)
        return False

    def scalar(self, key: str) -> str | float | int | bool | None:
        """A text, number or boolean as it stands."""
        value = self.node.get(key)
        if value is None or isinstance(value, str | bool) or is_number(value):
            return value
        self.wrong("a text, number or boolean", value, key)
        return None

    def word(self, key: str, known: Iterable[str], what: str) -> str | None:
        """A text out of a fixed list, or None where it is absent or blank."""
        value = self.text(key)
        if value is None or value in known:
            return value
        self.report(
            "GMF111", f"unknown {what} {value!r}{did_you_mean(value, known)}", key, hint="one of " + ", ".join(known)
        )
        return None

    # --- parts --------------------------------------------------------------------------------------------------------

    def part(self, key: str) -> "Reader | None":
        """The object under a key, or None where it is absent."""
        value = self.node.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            return Reader(value, self._sink, self._file, self, key)
        self.wrong("an object", value, key)
        return None

    def parts(self, key: str) -> "list[Reader]":
        """The objects of the list under a key; empty where it is absent."""
        value = self.node.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong("a list", value, key)
            return []
        readers = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                readers.append(Reader(item, self._sink, self._file, self, (key, index)))
            else:
                self.wrong("an object", item, key, index)
        return readers

    def need_parts(self, key: str, what: str) -> "list[Reader]":
        """The objects of a list that must be there and not empty."""
        value = self.node.get(key)
        if value is None:
            self.missing(key, what)
            return []
        if value == []:
            self.report("GMF109", f"empty list {key!r}: expected {what}", key)
        return self.parts(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is absent."""
        value = self.node.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.wrong("a list of texts", value, key)
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self.wrong("a text", item, key, index)
        return tuple(item for item in value if isinstance(item, str))
