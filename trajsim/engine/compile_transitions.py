"""Transitions and lookup tables, compiled."""

from collections.abc import Mapping, Sequence

import numpy as np

from trajsim.engine.compile_heap import Heap
from trajsim.engine.compile_logic import LogicCompiler
from trajsim.engine.opcodes import Tag, TransitionOp
from trajsim.errors import CompileError
from trajsim.gmf.model import (
    ComplexTransition,
    ConditionalTransition,
    DirectTransition,
    DistributedOption,
    DistributedTransition,
    LookupTable,
    LookupTableTransition,
    NamedDistribution,
    Transition,
    TypeOfCareTransition,
)

_MAX_GROUPS = 1_000_000

CompiledTransition = tuple[TransitionOp, int, int, int]  # kind, first option or target, end of options, table


class TransitionCompiler:
    """Compiles the transitions of one file."""

    def __init__(
        self,
        heap: Heap,
        logic: LogicCompiler,
        targets: Mapping[str, int],
        tables: Mapping[tuple[str, int], LookupTable],
    ) -> None:
        """Remembers the file's states and the tables of the run."""
        self.heap = heap
        self.logic = logic
        self.targets = targets
        self.tables = tables

    def compile(self, transition: Transition | None) -> CompiledTransition:
        """Kind, range of options and table of a transition."""
        match transition:
            case None:
                return TransitionOp.NONE, -1, -1, -1
            case DirectTransition():
                return TransitionOp.DIRECT, self.targets[transition.transition], -1, -1
            case DistributedTransition():
                start, stop = self._distributed(transition.options)
                return TransitionOp.DISTRIBUTED, start, stop, -1
            case ConditionalTransition():
                rows = [
                    (0.0, self.targets[option.transition], self._condition(option.condition), -1, 0, 0)
                    for option in transition.options
                ]
                start, stop = self.heap.options(rows)
                return TransitionOp.CONDITIONAL, start, stop, -1
            case ComplexTransition():
                return self._complex(transition)
            case LookupTableTransition():
                return self._lookup(transition)
            case TypeOfCareTransition():
                names = (transition.ambulatory, transition.emergency, transition.telemedicine)
                start, stop = self.heap.options([(0.0, self.targets[name], -1, -1, 0, 0) for name in names])
                return TransitionOp.TYPE_OF_CARE, start, stop, -1

    def _condition(self, condition: object) -> int:
        return -1 if condition is None else self.logic.compile(condition)  # type: ignore[arg-type]

    def _distributed(self, options: Sequence[DistributedOption]) -> tuple[int, int]:
        rows = []
        for option in options:
            share = option.distribution
            if isinstance(share, NamedDistribution):
                slot = self.heap.attribute(share.attribute)
                rows.append((float(share.default), self.targets[option.transition], -1, slot, 0, 0))
            else:
                rows.append((float(share), self.targets[option.transition], -1, -1, 0, 0))
        return self.heap.options(rows)

    def _complex(self, transition: ComplexTransition) -> CompiledTransition:
        rows = []
        for option in transition.options:
            condition = self._condition(option.condition)
            if option.distributions:
                start, stop = self._distributed(option.distributions)
                rows.append((0.0, -1, condition, -1, start, stop))
            elif option.transition is not None:
                rows.append((0.0, self.targets[option.transition], condition, -1, 0, 0))
            else:
                msg = "an option of a complex transition has neither a target nor distributions"
                raise CompileError(msg)
        start, stop = self.heap.options(rows)
        return TransitionOp.COMPLEX, start, stop, -1

    def _lookup(self, transition: LookupTableTransition) -> CompiledTransition:
        options = transition.options
        rows = [
            (float(option.default_probability), self.targets[option.transition], -1, -1, 0, 0) for option in options
        ]
        start, stop = self.heap.options(rows)
        table = self.tables[options[0].lookup_table_name, len(options)]
        return TransitionOp.LOOKUP, start, stop, compile_table(self.heap, table, self.targets, start)


def compile_table(heap: Heap, table: LookupTable, targets: Mapping[str, int], defaults: int) -> int:
    """A lookup table as a grid.

    Every combination of categorical keys is a group. A group cuts time and age into intervals at which some row
    begins or ends, so that each cell (time interval, age interval) has one answer: the first row in file order that
    covers it.
    """
    columns = [_categories(heap, table, position) for position in range(len(table.key_columns))]
    sizes = [len(categories) for categories in columns]
    n_groups = int(np.prod(sizes)) if sizes else 1
    if n_groups > _MAX_GROUPS:
        msg = f"lookup table {table.name!r} has {n_groups} combinations of keys, more than {_MAX_GROUPS}"
        raise CompileError(msg)
    members: dict[int, list[int]] = {}
    for number, row in enumerate(table.rows):
        dense = 0
        for categories, text in zip(columns, row.keys, strict=True):
            dense = dense * len(categories) + categories[text]
        members.setdefault(dense, []).append(number)
    probabilities = [heap.floats(row.probabilities) for row in table.rows]
    groups = [-1] * n_groups
    for dense, rows in members.items():
        groups[dense] = _grid(heap, table, rows, probabilities)
    keys: list[int] = []
    for name, categories in zip(table.key_columns, columns, strict=True):
        keys += [heap.attribute(name), _category_list(heap, categories)]
    return heap.table(
        (
            len(columns),
            heap.integers(keys),
            heap.integers(groups),
            heap.integers(targets[name] for name in table.targets),
            len(table.targets),
            defaults,
        )
    )


def _categories(heap: Heap, table: LookupTable, position: int) -> dict[str, int]:
    texts: dict[str, int] = {}
    for row in table.rows:
        texts.setdefault(row.keys[position], len(texts))
        heap.string(row.keys[position])
    return texts


def _category_list(heap: Heap, categories: Mapping[str, int]) -> int:
    """Heap block of a key column: n, then (kind, integer, offset of a float) a category.

    A cell's text equals an attribute whose text form it is: a string as it stands, an integer without a point, a double
    with one, a boolean as true or false.
    """
    flat: list[int] = []
    count = 0
    for text in categories:
        forms = [(int(Tag.STRING), heap.string(text), 0.0)]
        if text in ("true", "false"):
            forms.append((int(Tag.BOOLEAN), 0, float(text == "true")))
        number = _java_number(text)
        if number is not None:
            forms.append((int(Tag.INTEGER if "." not in text else Tag.NUMBER), 0, number))
        for tag, index, value in forms:
            flat += [tag, index, heap.floats([value]), categories[text]]
            count += 1
    return heap.integers([len(categories), count, *flat])


def _java_number(text: str) -> float | None:
    """The number whose Java text form is exactly `text` (integers, and doubles in plain notation)."""
    try:
        value = float(text)
    except ValueError:
        return None
    if "." in text:
        return value if text == java_double(value) else None
    return value if text.lstrip("-").isdigit() and str(int(text)) == text else None


def java_double(value: float) -> str:
    """A finite double as Java's `Double.toString` writes it."""
    if value == 0.0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa = power = ""
    for precision in range(1, 18):
        mantissa, _, power = f"{value:.{precision}e}".partition("e")
        if float(f"{mantissa}e{power}") == value:
            break
    return f"{mantissa}E{int(power)}"


def _grid(heap: Heap, table: LookupTable, rows: Sequence[int], probabilities: Sequence[int]) -> int:
    times = _edges(table, rows, "time") if table.has_time else []
    ages = _edges(table, rows, "age") if table.has_age else []
    n_times, n_ages = max(len(times) - 1, 1), max(len(ages) - 1, 1)
    cells = np.full((n_times, n_ages), -1, dtype=np.int64)
    time_at = {edge: position for position, edge in enumerate(times)}
    age_at = {edge: position for position, edge in enumerate(ages)}
    for number in reversed(rows):  # earlier rows overwrite later ones: the first row in file order wins
        row = table.rows[number]
        t0, t1 = (time_at[row.time_low], time_at[row.time_high + 1]) if times else (0, 1)  # type: ignore[index, operator]
        a0, a1 = (age_at[row.age_low], age_at[row.age_high + 1]) if ages else (0, 1)  # type: ignore[index, operator]
        cells[t0:t1, a0:a1] = probabilities[number]
    return heap.integers(
        [
            len(times),
            heap.integers(times) if times else 0,
            len(ages),
            heap.integers(ages) if ages else 0,
            n_ages,
            *cells.ravel().tolist(),
        ]
    )


def _edges(table: LookupTable, rows: Sequence[int], axis: str) -> list[int]:
    edges: set[int] = set()
    for number in rows:
        row = table.rows[number]
        low, high = (row.time_low, row.time_high) if axis == "time" else (row.age_low, row.age_high)
        if low is not None and high is not None and high >= low:
            edges |= {low, high + 1}
    return sorted(edges)
