"""Which resources refer to which, read off the templates: an id slot that names another row is a reference to it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fhir_export.shard import Integers, Shard
from fhir_export.templates import OWN
from fhir_export.writer import SlotKind

_KIND, _COLUMN, _EXTRA = 2, 3, 4  # of a step


@dataclass(frozen=True)
class Links:
    """References between the resources of a shard.

    Attributes:
        first: [rows + 1] where the targets of each row begin in `targets`.
        targets: Rows that a row refers to, each once, ascending.
    """

    first: list[int]
    targets: list[int]

    def of(self, row: int) -> list[int]:
        """The rows that a row refers to."""
        return self.targets[self.first[row] : self.first[row + 1]]


def find_links(shard: Shard) -> Links:
    """All references between resources of a shard."""
    reader = _Reader(shard)
    is_resource = np.zeros(len(reader.at_row), np.bool_)
    for section in shard.resource_sections():
        is_resource[section.base : section.base + section.n_rows] = True
    is_resource &= ~shard.is_part
    rows = np.flatnonzero(is_resource)
    pairs = [np.empty((2, 0), np.int64), *(np.stack(pair) for pair in reader.own_links(rows, rows))]
    owners, targets = np.concatenate(pairs, axis=1)
    kept = (owners != targets) & is_resource[targets]
    n = len(reader.at_row)
    packed = np.unique(owners[kept] * n + targets[kept])
    owners, targets = np.divmod(packed, max(n, 1))
    first = np.searchsorted(owners, np.arange(n + 1))
    return Links(first.tolist(), targets.tolist())


class _Reader:
    """Follows the steps of templates as the writer does, for whole columns of rows."""

    def __init__(self, shard: Shard) -> None:
        packed = shard.packed()
        self.at_row, self.cells, _, self.children = packed[:4]
        self.first_step, self.steps = packed[6:8]

    def own_links(self, owners: Integers, rows: Integers) -> Iterator[tuple[Integers, Integers]]:
        """Owner and target of every reference inside some rows, each row by its own template."""
        templates = self.cells[self.at_row[rows]]
        for template in np.unique(templates):
            chosen = templates == template
            yield from self._links(owners[chosen], rows[chosen], int(template))

    def _links(self, owners: Integers, rows: Integers, template: int) -> Iterator[tuple[Integers, Integers]]:
        step = int(self.first_step[template])
        base = self.at_row[rows]
        while self.steps[step, _KIND] != SlotKind.END:
            kind, column, extra = (int(self.steps[step, field]) for field in (_KIND, _COLUMN, _EXTRA))
            if kind == SlotKind.ID:
                yield owners, rows if column == OWN else self.cells[base + column]
            elif kind == SlotKind.LIST:
                counts = self.cells[base + column + 1]
                before = np.cumsum(counts) - counts
                place = np.arange(int(counts.sum())) + np.repeat(self.cells[base + column] - before, counts)
                members, whose = self.children[place], np.repeat(owners, counts)
                yield from self._links(whose, members, extra) if extra >= 0 else self.own_links(whose, members)
            step += 1
