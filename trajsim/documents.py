"""Reads documents that people write (YAML or JSON) and collects every fault with its file and path before it raises.

A trial spec holds a hundred fields, a mapping of codes as many. Somebody who mistyped three of them wants to hear of
all three at once, each with the place where it stands, so nothing here stops at the first fault: `Fields` hands out
values, notes what is wrong and gives a default in its place, and `Faults.require_none` raises at the end.
"""

import datetime as dt
import difflib
import json
import math
from collections.abc import Collection, Hashable, Iterator, Mapping
from pathlib import Path

import yaml

from trajsim.errors import ConfigError, DataFileError

DAY = dt.timedelta(days=1)
_REQUIRED = object()


class Faults:
    """What is wrong with a document, in the order in which it was found."""

    def __init__(self, file: str) -> None:
        """Starts without a fault.

        Args:
            file: Name of the document, which begins each line.
        """
        self.file = file
        self.lines: list[str] = []

    def add(self, path: str, sentence: str) -> None:
        """Notes one fault."""
        self.lines.append(f"{self.file}: {path}: {sentence}")

    def require_none(self, what: str) -> None:
        """Raises all faults together.

        Raises:
            ConfigError: There is a fault.
        """
        if self.lines:
            count = len(self.lines)
            msg = "\n".join([f"{count} fault{'s' if count != 1 else ''} in {what}", *self.lines])
            raise ConfigError(msg)


class _Loader(yaml.SafeLoader):
    """YAML without arbitrary objects or two keys of one name (the usual loader drops the first in silence)."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            msg = f"the key {key!r} stands twice"
            raise yaml.constructor.ConstructorError(None, None, msg, key_node.start_mark)
        seen.add(key)
    mapping: dict[Hashable, object] = loader.construct_mapping(node, deep=True)
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            msg = f"the key {key!r} stands twice"
            raise ValueError(msg)
        found[key] = value
    return found


def read_document(path: Path) -> object:
    """Reads a YAML or JSON file.

    Args:
        path: The file; ``.json`` is read as JSON, everything else as YAML.

    Returns:
        Mappings, lists, text, numbers, dates and None.

    Raises:
        DataFileError: There is no such file, it is not well-formed, or a key stands twice in one mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataFileError(msg) from error
    return parse_document(text, name=str(path), is_json=path.suffix.lower() == ".json")


def parse_document(text: str, *, name: str, is_json: bool = False) -> object:
    """Reads a document from text; see `read_document`.

    Raises:
        DataFileError: It is not well-formed, or a key stands twice in one mapping.
    """
    try:
        document: object = json.loads(text, object_pairs_hook=_pairs) if is_json else yaml.load(text, Loader=_Loader)
    except (ValueError, yaml.YAMLError) as error:
        msg = f"{name}: not well-formed: {' '.join(str(error).split())}"
        raise DataFileError(msg) from error
    return document


class Fields:
    """One mapping of a document: values by key, every fault noted with its path, every key accounted for."""

    def __init__(self, value: object, path: str, faults: Faults) -> None:
        """Takes what stands at a path.

        Args:
            value: Should be a mapping; anything else is a fault and counts as an empty one.
            path: Where it stands, ``$`` for the whole document.
            faults: Where faults go.
        """
        self.path = path
        self.faults = faults
        self._known: list[str] = []
        self._values: dict[str, object] = {}
        if isinstance(value, Mapping):
            self._values = {str(key): item for key, item in value.items()}
        elif value is not None:
            faults.add(path, f"expected a mapping, got {_kind(value)}")

    def __contains__(self, key: str) -> bool:
        """Whether something stands under a key (null counts as nothing)."""
        return self._values.get(key) is not None

    def at(self, key: str) -> str:
        """Path of a key."""
        return f"{self.path}.{key}"

    def take(self, key: str) -> object:
        """What stands under a key, as it is; None if nothing does."""
        self._known.append(key)
        return self._values.get(key)

    def fault(self, key: str, sentence: str) -> None:
        """Notes a fault at a key."""
        self.faults.add(self.at(key), sentence)

    def text(self, key: str, default: object = _REQUIRED, *, choices: Collection[str] = ()) -> str:
        """A text that is not empty, of the choices if there are any."""
        value = self.take(key)
        if value is None:
            return str(self._missing(key, default, ""))
        if not isinstance(value, str) or not value.strip():
            self.fault(key, f"expected text, got {_kind(value)}")
            return ""
        if choices and value not in choices:
            self.fault(key, f"expected one of {', '.join(choices)}, got {value!r}{_closest(value, choices)}")
        return value

    def number(self, key: str, default: object = _REQUIRED, *, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number within bounds."""
        value = self.take(key)
        if value is None:
            fallback = self._missing(key, default, max(low, 0.0) if low <= 0 else low)
            return float(fallback) if isinstance(fallback, int | float) else math.nan
        return self._checked(key, value, low, high)

    def whole(self, key: str, default: object = _REQUIRED, *, low: int = 0, high: int = 2**31 - 1) -> int:
        """A whole number within bounds."""
        value = self.take(key)
        if value is None:
            fallback = self._missing(key, default, low)
            return int(fallback) if isinstance(fallback, int) else low
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(key, f"expected a whole number, got {_kind(value)}")
            return low
        if not low <= value <= high:
            self.fault(key, f"expected {low} ... {high}, got {value}")
            return low
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(key, f"expected true or false, got {_kind(value)}")
            return default
        return value

    def date(self, key: str, default: object = _REQUIRED) -> dt.date | None:
        """A calendar day, ``YYYY-MM-DD``."""
        value = self.take(key)
        if value is None:
            fallback = self._missing(key, default, None)
            return fallback if isinstance(fallback, dt.date) else None
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            return value
        if isinstance(value, str):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                pass
        self.fault(key, f"expected a day YYYY-MM-DD, got {_kind(value)}")
        return None

    def texts(self, key: str, default: object = _REQUIRED, *, choices: Collection[str] = ()) -> tuple[str, ...]:
        """A list of different texts."""
        value = self.take(key)
        if value is None:
            self._missing(key, default, ())
            return ()
        items = value if isinstance(value, list | tuple) else [value]
        found: list[str] = []
        for place, item in enumerate(items):
            if not isinstance(item, str) or not item:
                self.fault(f"{key}[{place}]", f"expected text, got {_kind(item)}")
            elif choices and item not in choices:
                sentence = f"expected one of {', '.join(choices)}, got {item!r}{_closest(item, choices)}"
                self.fault(f"{key}[{place}]", sentence)
            elif item in found:
                self.fault(f"{key}[{place}]", f"{item!r} stands twice")
            else:
                found.append(item)
        return tuple(found)

    def inner(self, key: str) -> "Fields":
        """The mapping under a key; an empty one if nothing stands there."""
        return Fields(self.take(key), self.at(key), self.faults)

    def each(self, key: str) -> "Iterator[Fields]":
        """The mappings of a list under a key; none if nothing stands there."""
        value = self.take(key)
        if value is None:
            return
        if not isinstance(value, list | tuple):
            self.fault(key, f"expected a list, got {_kind(value)}")
            return
        for place, item in enumerate(value):
            yield Fields({} if item is None else item, f"{self.at(key)}[{place}]", self.faults)

    def done(self) -> None:
        """Notes every key that nobody asked for."""
        for key in self._values:
            if key not in self._known:
                self.fault(key, f"unknown key{_closest(key, self._known)}")

    def _missing(self, key: str, default: object, instead: object) -> object:
        if default is _REQUIRED:
            self.fault(key, "is missing")
            return instead
        return default

    def _checked(self, key: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fault(key, f"expected a number, got {_kind(value)}")
            return low if math.isfinite(low) else 0.0
        if not low <= value <= high:
            self.fault(key, f"expected {_range(low, high)}, got {value!r}")
            return low if math.isfinite(low) else high
        return float(value)


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at least {low:g}"
    return f"at most {high:g}" if math.isinf(low) else f"{low:g} ... {high:g}"


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else repr(value)


def _closest(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""
