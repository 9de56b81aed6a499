"""Resource shapes, built and checked once by `fhir.resources`, then cut into constant segments and slots.

A *shape* is a resource type with a certain set of optional elements. Its builder makes one resource in which every
element that varies from row to row holds a *sentinel*: a value of the right FHIR type that says which cell goes
there. The model checks it, its JSON is taken apart at the sentinels, and from then on the writer fills millions of
resources of that shape without a model in sight. What varies only from code to code (a coded concept, a unit, a
dosage) is a text of its own that goes into a slot whole; it is built and checked once as well
(`fhir_export.concepts`).
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel

from fhir_export.layout import Variant
from fhir_export.profiles import DEFAULT_US_CORE, Edition, edition_of, profile_uris
from fhir_export.writer import SlotKind

Json = dict[str, Any]
Shape = Mapping[str, int]

OWN = -1  # column of an id slot: the row's own id
SECURITY_LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
META = {"security": [SECURITY_LABEL]}

_TOKEN = re.compile(r"slot-([A-Z])-(\d+)-(\d+)")
_SENTINEL = re.compile(
    r"slot-(?P<kind>[A-Z])-(?P<column>\d+)-(?P<extra>\d+)"
    r"|00000000-0000-8000-8000-(?P<id>\d{12})"
    r"|1902-01-01T00:(?P<date_time>\d\d):00-11:00"
    r"|1903-01-(?P<date>\d\d)"
)
_DECIMAL = 902_000.5
_INTEGER = 1_902_000_000
_COLUMNS = 60
_LARGE_SPACE = 1 << 16  # beyond this a lookup table costs more than sorting
_KINDS = {
    "T": SlotKind.TEXT,
    "E": SlotKind.TEXT,
    "M": SlotKind.TEXT,
    "S": SlotKind.LOCAL_TEXT,
    "P": SlotKind.PADDED,
    "L": SlotKind.LIST,
    "U": SlotKind.UID,
}


@dataclass(frozen=True)
class Slot:
    """One place to fill: what, from which cell, and what the kind needs beside that."""

    kind: SlotKind
    column: int
    extra: int = 0


class Slots:
    """Makes sentinels and remembers them, so that none can get lost between the builder and the cut."""

    def __init__(self, templates: "Templates") -> None:
        self.planted: Counter[Slot] = Counter()
        self._templates = templates

    def _plant(self, kind: SlotKind, column: int, extra: int = 0) -> None:
        if not OWN <= column < _COLUMNS - 1:
            msg = f"a slot can name columns {OWN} to {_COLUMNS - 2}, got {column}"
            raise ValueError(msg)
        self.planted[Slot(kind, column, extra)] += 1

    def _token(self, letter: str, column: int, extra: int = 0) -> str:
        self._plant(_KINDS[letter], column, extra - 1 if letter == "L" else extra)
        return f"slot-{letter}-{column + 1}-{extra}"

    @property
    def edition(self) -> Edition:
        """What the version of US Core has its own way."""
        return self._templates.edition

    @property
    def has_us_core(self) -> bool:
        """Whether resources say what only US Core wants."""
        return self.edition.claims_profiles

    def meta(self, *profiles: str, changed: int | None = None) -> Json:
        """The label of every resource, and the US Core profiles that it claims.

        Args:
            *profiles: Their short names.
            changed: Cell of when the resource last changed, written where one of the profiles wants it.
        """
        claimed = profile_uris(self._templates.us_core, profiles)
        content: Json = {"profile": claimed, **META} if claimed else META
        if changed is not None and not set(profiles).isdisjoint(self.edition.dated_profiles):
            content = {"lastUpdated": self.date_time(changed), **content}
        return content

    def id(self, column: int = OWN) -> str:
        """The UUID of the row that a cell names."""
        self._plant(SlotKind.ID, column)
        return f"00000000-0000-8000-8000-{column + 1:012d}"

    def reference(self, resource_type: str, column: int) -> Json:
        """A Reference to the row that a cell names."""
        return {"reference": f"{resource_type}/{self.id(column)}"}

    def date_time(self, column: int) -> str:
        """A dateTime or instant of a cell in microseconds."""
        self._plant(SlotKind.DATE_TIME, column)
        return f"1902-01-01T00:{column:02d}:00-11:00"

    def date(self, column: int) -> str:
        """The local date of a cell in microseconds."""
        self._plant(SlotKind.DATE, column)
        return f"1903-01-{column + 1:02d}"

    def decimal(self, column: int) -> float:
        """A decimal whose mantissa and number of decimals stand in this cell and the next."""
        self._plant(SlotKind.DECIMAL, column)
        return _DECIMAL + column

    def integer(self, column: int) -> int:
        """An integer of a cell."""
        self._plant(SlotKind.INTEGER, column)
        return _INTEGER + column

    def padded(self, column: int, *, width: int) -> str:
        """A cell as so many digits, inside a string."""
        return self._token("P", column, width)

    def text(self, column: int) -> str:
        """A lasting text (escaped, without quotes) inside a string."""
        return self._token("T", column)

    def local_text(self, column: int) -> str:
        """A text of the shard (escaped, without quotes) inside a string."""
        return self._token("S", column)

    def uid(self, column: int = OWN) -> str:
        """The DICOM UID of the row that a cell names."""
        return self._token("U", column)

    def element(self, column: int, **required: Any) -> Json:  # noqa: ANN401 - members of any FHIR element
        """A whole object (or several, inside an array) from the lasting pool.

        Args:
            column: The cell that holds the number of the text.
            **required: Members without which the model would refuse the sentinel.
        """
        return {"id": self._token("E", column)} | required

    def listed(self, column: int, *, by: "Family | None" = None, **required: Any) -> Json:  # noqa: ANN401
        """Inside an array: the children that this cell and the next name.

        Args:
            column: The cell.
            by: How each is written, a family with one shape; absent: by its own template.
            **required: Members without which the model would refuse the sentinel.
        """
        template = self._templates.number(by, 0) if by is not None else -1
        return {"id": self._token("L", column, template + 1)} | required

    def members(self, column: int) -> str:
        """Value of any one key: that member gives way to members from the lasting pool."""
        return self._token("M", column)


class ShapeSpace:
    """The shapes of one resource type: a few small numbers (flags, choices) packed into one."""

    def __init__(self, **sizes: int) -> None:
        self._sizes = sizes
        self.size = int(np.prod(list(sizes.values()), dtype=np.int64))

    def pack(self, n_rows: int, /, **fields: NDArray[Any] | int) -> NDArray[np.int64]:
        """One number a row; every field must be given and lie below its size."""
        code = np.zeros(n_rows, np.int64)
        for name, size in self._sizes.items():
            code *= size
            code += fields.pop(name)
        if fields:
            msg = f"unknown fields of a shape: {', '.join(fields)}"
            raise ValueError(msg)
        return code

    def unpack(self, code: int) -> dict[str, int]:
        """The fields of a number."""
        shape = {}
        for name, size in reversed(self._sizes.items()):
            code, shape[name] = divmod(code, size)
        return shape


@dataclass(frozen=True)
class Family:
    """All shapes of one resource type or backbone element.

    Attributes:
        name: Of a resource its type (a type may have several families); else of the element.
        model: Class of `fhir.resources` that checks a shape.
        space: The shapes.
        build: Makes the content of a shape, sentinels included.
        is_resource: Whether it stands alone (a line, an entry) or inside another resource.
        is_shared: Whether several patients refer to it, so that it keeps its id on a server (PUT in a transaction).
    """

    name: str
    model: type[BaseModel]
    space: ShapeSpace
    build: Callable[[Shape, Slots], Json]
    is_resource: bool = True
    is_shared: bool = False


class Templates:
    """The cut shapes. Each has a number and, counted from there, as many forms as there are in `Variant`."""

    def __init__(self, us_core: str = DEFAULT_US_CORE) -> None:
        self.us_core = us_core
        self.edition = edition_of(us_core)
        self._numbers: dict[tuple[Family, int], int] = {}
        self._constants = bytearray()
        self._steps: list[tuple[int, int, int, int, int]] = []
        self._first_step: list[int] = []
        self._packed: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]] | None = None
        self._lock = threading.RLock()

    def number(self, family: Family, code: int) -> int:
        """The template of a shape, built when first asked for."""
        with self._lock:
            known = self._numbers.get((family, code))
            if known is not None:
                return known
            slots = Slots(self)
            content = family.build(family.space.unpack(code), slots)
            model = family.model.model_validate(content)
            document = orjson.loads(model.model_dump_json())
            number = len(self._first_step)
            for variant in Variant:
                parts = list(_parts(document, by_urn=variant in (Variant.POST, Variant.COLLECTED)))
                found = Counter(part for part in parts if isinstance(part, Slot))
                if found != slots.planted:
                    msg = f"{family.name}: lost {slots.planted - found}, found {found - slots.planted}"
                    raise AssertionError(msg)
                self._append(_framed(parts, family, variant))
            self._numbers[family, code] = number
            self._packed = None
            return number

    def select(self, family: Family, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The template of every row, from its shape."""
        if not len(codes):
            return codes
        if family.space.size > _LARGE_SPACE:
            present, place = np.unique(codes, return_inverse=True)
            return np.array([self.number(family, int(code)) for code in present], np.int64)[place]
        lookup = np.zeros(family.space.size, np.int64)
        for code in np.flatnonzero(np.bincount(codes, minlength=family.space.size)):
            lookup[code] = self.number(family, int(code))
        return lookup[codes]

    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]:
        """First step of every template, steps, constants: what the writer reads."""
        with self._lock:
            if self._packed is None:
                self._packed = (
                    np.array(self._first_step, np.int32),
                    np.array(self._steps, np.int32).reshape(-1, 5),
                    np.frombuffer(bytes(self._constants), np.uint8),
                )
            return self._packed

    def __len__(self) -> int:
        """How many shapes."""
        return len(self._numbers)

    def _append(self, parts: Iterator[bytes | Slot]) -> None:
        self._first_step.append(len(self._steps))
        start = len(self._constants)
        for part in parts:
            if isinstance(part, bytes):
                self._constants += part
                continue
            self._steps.append((start, len(self._constants) - start, int(part.kind), part.column, part.extra))
            start = len(self._constants)
        self._steps.append((start, len(self._constants) - start, int(SlotKind.END), 0, 0))


def _framed(parts: list[bytes | Slot], family: Family, variant: Variant) -> Iterator[bytes | Slot]:
    """What stands around a resource in its layout."""
    if not family.is_resource:
        yield from parts
        return
    if variant == Variant.LINE:
        yield from parts
        yield b"\n"
        return
    yield b'{"fullUrl":"urn:uuid:'
    yield Slot(SlotKind.ID, OWN)
    yield b'","resource":'
    yield from parts
    name = family.name.encode()
    if variant == Variant.POST and not family.is_shared:
        yield b',"request":{"method":"POST","url":"' + name + b'"}'
    elif variant in (Variant.POST, Variant.PUT):
        yield b',"request":{"method":"PUT","url":"' + name + b"/"
        yield Slot(SlotKind.ID, OWN)
        yield b'"}'
    yield b"}"


def _parts(node: Any, *, by_urn: bool, key: str = "") -> Iterator[bytes | Slot]:  # noqa: ANN401 - any JSON
    """Takes JSON apart at its sentinels."""
    if isinstance(node, dict):
        slot = _replacement(node)
        if slot is not None:
            yield slot
            return
        for index, (name, value) in enumerate(node.items()):
            yield b"," if index else b"{"
            token = _TOKEN.fullmatch(value) if isinstance(value, str) else None
            if token and token[1] == "M":
                yield Slot(SlotKind.TEXT, int(token[2]) - 1)
                continue
            yield orjson.dumps(name) + b":"
            yield from _parts(value, by_urn=by_urn, key=name)
        yield b"}"
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield b"," if index else b"["
            yield from _parts(value, by_urn=by_urn)
        yield b"]"
    elif isinstance(node, str):
        if by_urn and key == "reference":
            node = re.sub(r"^\w+/", "urn:uuid:", node)
        yield b'"'
        yield from _text_parts(node)
        yield b'"'
    elif isinstance(node, float) and 0 <= node - _DECIMAL < _COLUMNS and (node - _DECIMAL).is_integer():
        yield Slot(SlotKind.DECIMAL, int(node - _DECIMAL))
    elif isinstance(node, int) and 0 <= node - _INTEGER < _COLUMNS:
        yield Slot(SlotKind.INTEGER, node - _INTEGER)
    else:
        yield orjson.dumps(node)


def _replacement(node: Json) -> Slot | None:
    """The slot that takes the place of a whole object; its token stands in the element's id."""
    identity = node.get("id")
    token = _TOKEN.fullmatch(identity) if isinstance(identity, str) else None
    if token is None or token[1] not in "EL":
        return None
    return Slot(_KINDS[token[1]], int(token[2]) - 1, int(token[3]) - 1 if token[1] == "L" else int(token[3]))


def _text_parts(text: str) -> Iterator[bytes | Slot]:
    """Takes a string apart at its sentinels; constants come escaped, without quotes."""
    end = 0
    for match in _SENTINEL.finditer(text):
        if match.start() > end:
            yield orjson.dumps(text[end : match.start()])[1:-1]
        end = match.end()
        if match["kind"]:
            yield Slot(_KINDS[match["kind"]], int(match["column"]) - 1, int(match["extra"]))
        elif match["id"]:
            yield Slot(SlotKind.ID, int(match["id"]) - 1)
        elif match["date_time"]:
            yield Slot(SlotKind.DATE_TIME, int(match["date_time"]))
        else:
            yield Slot(SlotKind.DATE, int(match["date"]) - 1)
    if end < len(text):
        yield orjson.dumps(text[end:])[1:-1]


class Texts:
    """A pool of JSON texts, each under a number: one that lasts, for what codes say, and one of each shard."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._texts: list[bytes] = []
        self._packed: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None
        self._lock = threading.RLock()

    def number(self, key: Hashable, make: Callable[[], bytes]) -> int:
        """The number of a text, made when its key is first seen."""
        with self._lock:
            known = self._numbers.get(key)
            if known is None:
                known = self.add(make())
                self._numbers[key] = known
            return known

    def add(self, text: bytes) -> int:
        """Adds a text without a key."""
        with self._lock:
            self._texts.append(text)
            self._packed = None
            return len(self._texts) - 1

    def extend(self, texts: list[bytes]) -> int:
        """Adds texts in a row; returns the number of the first."""
        with self._lock:
            first = len(self._texts)
            self._texts += texts
            self._packed = None
            return first

    def is_filled(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of some texts has a length; any answer for a number below 0."""
        _, bounds = self.packed()
        return np.append(np.diff(bounds) > 0, False)[numbers]

    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """All texts and where each begins: what the writer reads."""
        with self._lock:
            if self._packed is None:
                bounds = np.zeros(len(self._texts) + 1, np.int64)
                np.cumsum([len(text) for text in self._texts], out=bounds[1:])
                self._packed = np.frombuffer(b"".join(self._texts) or b"\0", np.uint8), bounds
            return self._packed

    def __len__(self) -> int:
        """How many texts."""
        return len(self._texts)
