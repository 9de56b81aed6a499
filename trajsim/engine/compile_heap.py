"""The growing tables of a program: options, nodes, heaps, and the slots that names get."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.events import Catalogue
from trajsim.engine.opcodes import Compare, Test
from trajsim.engine.program import NODE_DTYPE, OPTION_DTYPE, TABLE_DTYPE
from trajsim.errors import CompileError
from trajsim.gmf.model import Code
from trajsim.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, WEEK_MS, YEAR_MS

_COMPARE = {
    "==": Compare.EQ,
    "!=": Compare.NE,
    "<": Compare.LT,
    "<=": Compare.LE,
    ">": Compare.GT,
    ">=": Compare.GE,
    "is nil": Compare.NIL,
    "is not nil": Compare.NOT_NIL,
}

# Real quantities: trunc(factor * q) smaller units (docs/draws.md, section 2).
_REAL = {
    "seconds": (1000.0, 1),
    "minutes": (60.0, SECOND_MS),
    "hours": (60.0, MINUTE_MS),
    "days": (24.0, HOUR_MS),
    "weeks": (7.0, DAY_MS),
    "months": (30.0, DAY_MS),
    "years": (365.25, DAY_MS),
}
LONGEST_MS = 9e15  # docs/draws.md, section 2; kernels/slots.py has the same bound
_WHOLE = {
    "seconds": SECOND_MS,
    "minutes": MINUTE_MS,
    "hours": HOUR_MS,
    "days": DAY_MS,
    "weeks": WEEK_MS,
    "months": 30 * DAY_MS,
    "years": YEAR_MS,
}

_WHOLE_SIGNS = frozenset({"Systolic Blood Pressure", "Diastolic Blood Pressure", "Heart Rate", "Respiration Rate"})
_TENTH_SIGNS = frozenset({"Height", "Weight"})

# A write sets one of 61 bits of the dirty mask; two slots that share a bit only cost a needless test. The multipliers
# spread the kinds of slots; the kernels use the same formulas (kernels/slots.py).
FIRST_BIT = 2
N_BITS = 61
WELLNESS_BIT = 1
LOCK_BIT = 2


def compare_of(operator: str) -> Compare:
    """The comparison of an operator's text; anything else compares to false."""
    return _COMPARE.get(operator, Compare.UNKNOWN)


def real_time(unit: str) -> tuple[float, int]:
    """Factor and unit in ms of the real path."""
    return _known(unit, _REAL)


def whole_time(unit: str) -> tuple[float, int]:
    """Factor and unit in ms of the integer path."""
    return 1.0, _known(unit, _WHOLE)


_Entry = TypeVar("_Entry")


def _known(unit: str, table: dict[str, _Entry]) -> _Entry:
    if unit not in table:
        msg = f"time unit must be one of {', '.join(table)}, got {unit!r}"
        raise CompileError(msg)
    return table[unit]


class Heap:
    """Everything a program consists of, while it grows."""

    def __init__(self, catalogue: Catalogue, extra_strings: Iterable[str]) -> None:
        """Starts with the catalogue's codes and strings."""
        self.catalogue = catalogue
        self.strings: list[str] = list(catalogue.strings)
        self.string_index = {text: position for position, text in enumerate(self.strings)}
        for text in extra_strings:
            self.string(text)
        self.codes: list[Code] = list(catalogue.codes)
        self._code_index = {(code.system, code.code): position for position, code in enumerate(self.codes)}
        self.code_texts: list[str] = []
        self._text_index: dict[str, int] = {}
        self.attributes: dict[str, int] = {}
        self.signs: dict[str, int] = {}
        self.generated_signs: set[str] = set()
        self.symptoms: dict[str, int] = {}
        self._watched: dict[int, int] = {}
        self.names: dict[str, int] = {}
        self.bound_events: dict[str, int] = {}
        self.bound_labs: dict[str, int] = {}
        self.series: list[tuple[tuple[float, ...], float]] = []
        self._nodes: list[tuple[float, int, int, int, int, int, int, int]] = []
        self._options: list[tuple[float, int, int, int, int, int]] = []
        self._tables: list[tuple[int, int, int, int, int, int]] = []
        self._integers: list[int] = [0]  # offset 0 is never used: it means "none"
        self._floats: list[float] = [0.0]

    # --- slots --------------------------------------------------------------------------------------------------------

    def attribute(self, name: str) -> int:
        """Slot of an attribute."""
        return self.attributes.setdefault(name, len(self.attributes))

    def bound_event(self, name: str) -> int:
        """Number of an event of a learned model that some Delay is bound to."""
        return self.bound_events.setdefault(name, len(self.bound_events))

    def bound_lab(self, name: str) -> int:
        """Number of a measurement that some state is bound to."""
        return self.bound_labs.setdefault(name, len(self.bound_labs))

    def sign(self, name: str) -> int:
        """Slot of a vital sign."""
        return self.signs.setdefault(name, len(self.signs))

    def symptom(self, name: str) -> int:
        """Number of a symptom; all symptoms of the modules are known beforehand, in code-unit order."""
        return self.symptoms.setdefault(name, len(self.symptoms))

    def name(self, text: str) -> int:
        """Number of a state name."""
        return self.names.setdefault(text, len(self.names))

    def string(self, text: str) -> int:
        """Number of a text; texts that only conditions or tables mention follow those of the catalogue."""
        if text not in self.string_index:
            self.string_index[text] = len(self.strings)
            self.strings.append(text)
        return self.string_index[text]

    def code(self, code: Code) -> int:
        """Number of a code; codes that only conditions or ends mention follow those of the catalogue."""
        key = (code.system, code.code)
        if key not in self._code_index:
            self._code_index[key] = len(self.codes)
            self.codes.append(code)
        return self._code_index[key]

    def code_text(self, code: int) -> int:
        """Number of a code's text: `present` knows no systems."""
        text = self.codes[code].code
        if text not in self._text_index:
            self._text_index[text] = len(self.code_texts)
            self.code_texts.append(text)
        return self._text_index[text]

    def watched(self, code: Code) -> int:
        """Slot of the latest observation of a code that some condition reads."""
        return self._watched.setdefault(self.code_text(self.code(code)), len(self._watched))

    def watched_slot(self, code: Code) -> int:
        """Slot of an observation that is written; -1 if no condition reads it."""
        return self._watched.get(self.code_text(self.code(code)), -1)

    @property
    def n_watched(self) -> int:
        """Watched observations."""
        return len(self._watched)

    # --- masks --------------------------------------------------------------------------------------------------------

    @staticmethod
    def attribute_bit(slot: int) -> int:
        """Bit of an attribute."""
        return 1 << (FIRST_BIT + slot % N_BITS)

    @staticmethod
    def present_bit(text: int) -> int:
        """Bit of a code text in `present`."""
        return 1 << (FIRST_BIT + (text * 7 + 13) % N_BITS)

    @staticmethod
    def symptom_bit(symptom: int) -> int:
        """Bit of a symptom."""
        return 1 << (FIRST_BIT + (symptom * 11 + 29) % N_BITS)

    @staticmethod
    def sign_bit(sign: int) -> int:
        """Bit of a vital sign."""
        return 1 << (FIRST_BIT + (sign * 5 + 3) % N_BITS)

    @staticmethod
    def watched_bit(slot: int) -> int:
        """Bit of a watched observation."""
        return 1 << (FIRST_BIT + (slot * 17 + 41) % N_BITS)

    # --- tables -------------------------------------------------------------------------------------------------------

    def node(
        self,
        test: Test,
        compare: Compare = Compare.EQ,
        *,
        a: int = 0,
        b: int = 0,
        f: float = 0.0,
        tag: int = 0,
        jt: int,
        jf: int,
    ) -> int:
        """Adds a condition node."""
        self._nodes.append((f, a, b, jt, jf, int(test), int(compare), tag))
        return len(self._nodes) - 1

    def options(self, rows: Sequence[tuple[float, int, int, int, int, int]]) -> tuple[int, int]:
        """Adds transition options; returns their range."""
        start = len(self._options)
        self._options.extend(rows)
        return start, len(self._options)

    def table(self, row: tuple[int, int, int, int, int, int]) -> int:
        """Adds a lookup table."""
        self._tables.append(row)
        return len(self._tables) - 1

    def integers(self, values: Iterable[int]) -> int:
        """Adds integers to the heap; returns their offset."""
        start = len(self._integers)
        self._integers.extend(values)
        return start

    def floats(self, values: Iterable[float]) -> int:
        """Adds floats to the heap; returns their offset."""
        start = len(self._floats)
        self._floats.extend(values)
        return start

    def integer_array(self) -> NDArray[np.int64]:
        """The integer heap."""
        return np.array(self._integers, dtype=np.int64)

    def float_array(self) -> NDArray[np.float64]:
        """The float heap."""
        return np.array(self._floats, dtype=np.float64)

    def node_array(self) -> NDArray[np.void]:
        """The condition nodes."""
        return _structured(self._nodes, NODE_DTYPE)

    def option_array(self) -> NDArray[np.void]:
        """The transition options."""
        return _structured(self._options, OPTION_DTYPE)

    def table_array(self) -> NDArray[np.void]:
        """The lookup tables."""
        return _structured(self._tables, TABLE_DTYPE)


def _structured(rows: Sequence[tuple[float, ...]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """A structured array of at least one row (kernels never see an empty one)."""
    array = np.zeros(max(len(rows), 1), dtype=dtype)
    if rows:
        array[: len(rows)] = np.array(rows, dtype=dtype)
    return array.view(np.recarray)


def java_hash(text: str) -> int:
    """Java's `String.hashCode`, spread as `HashMap` does (h ^ h >>> 16), as an unsigned 32-bit integer."""
    h = 0
    units = text.encode("utf-16-le", "surrogatepass")
    for position in range(0, len(units), 2):
        h = (31 * h + (units[position] | units[position + 1] << 8)) & 0xFFFFFFFF
    return h ^ (h >> 16)


def sign_decimals(sign: str) -> int:
    """Decimals of a read of a vital sign."""
    if sign in _WHOLE_SIGNS:
        return 0
    return 1 if sign in _TENTH_SIGNS else 2
