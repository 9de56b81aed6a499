"""Layered layout of a state graph: ranks, order and coordinates, without a drawing library.

States stand on even ranks. Labels of arrows are boxes of their own on the odd ranks between, and long arrows reserve a
corridor on every rank they pass, so nothing that is drawn can lie on anything else. Arrows that go back run upward in
such a corridor beside the states and enter their target from above, like all others.

Source:
    Sugiyama, Tagawa, Toda (1981), Methods for visual understanding of hierarchical system structures; labels and
    corridors as in Gansner et al. (1993), A technique for drawing directed graphs. Horizontal coordinates by weighted
    isotonic regression (pool adjacent violators) instead of network simplex.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

Link: TypeAlias = tuple[str, str]

_GAP = 26.0  # between neighbours on a rank
_CORRIDOR = 14.0  # width of a passing arrow
_SWEEPS = 14
_PLACEMENTS = 24


@dataclass
class Box:
    """A state, the label of an arrow, or one rank of a corridor."""

    width: float
    height: float
    rank: int
    x: float = 0.0
    y: float = 0.0
    is_corridor: bool = False


@dataclass
class Layout:
    """Where everything stands.

    Attributes:
        boxes: By state name.
        labels: Label boxes, by arrow.
        routes: By arrow the points (x, top, bottom) that it passes, in the direction of the arrow; a point with
            top > bottom is passed upward. The label is among them.
        width: Of the whole.
        height: Of the whole.
    """

    boxes: dict[str, Box]
    labels: dict[Link, Box]
    routes: dict[Link, list[Box]]
    turns: dict[Link, tuple[int, int]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def lay_out(
    states: Mapping[str, tuple[float, float]], links: Mapping[Link, tuple[float, float]], *, start: str
) -> Layout:
    """Places states and arrows.

    Args:
        states: Size (width, height) of each state, in file order.
        links: Size of the label of each arrow; (0, 0) where it has none.
        start: The state to begin with.

    Returns:
        The layout; the origin is the top left corner.
    """
    order = _visit_order(states, links, start)
    back = _back_links(states, links, order)
    ranks = _ranks(order, links, back)
    layout = Layout(
        boxes={name: Box(*states[name], rank=2 * ranks[name]) for name in order},
        labels={},
        routes={},
    )
    chains = _Chains(layout)
    for link, size in links.items():
        if link in back:
            chains.add_back(link, size)
        else:
            chains.add_forward(link, size)
    rows = _Rows(layout, chains)
    rows.arrange()
    rows.place()
    return layout


def _successors(links: Mapping[Link, object]) -> dict[str, list[str]]:
    after: dict[str, list[str]] = defaultdict(list)
    for source, target in links:
        after[source].append(target)
    return after


def _visit_order(states: Mapping[str, object], links: Mapping[Link, object], start: str) -> list[str]:
    """Reverse postorder of a depth-first walk: a topological order once backward arrows are left out."""
    after = _successors(links)
    seen: set[str] = set()
    finished: list[str] = []
    for root in [*([start] if start in states else []), *states]:
        if root in seen:
            continue
        seen.add(root)
        tree: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = [(root, iter(reversed(after[root])))]
        while stack:
            name, remaining = stack[-1]
            following = next((other for other in remaining if other not in seen), None)
            if following is None:
                tree.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(reversed(after[following]))))
        finished = [*reversed(tree), *finished]
    return finished


def _back_links(states: Mapping[str, object], links: Mapping[Link, object], order: Sequence[str]) -> set[Link]:
    place = {name: index for index, name in enumerate(order)}
    return {(source, target) for source, target in links if place[target] <= place[source] and target in states}


def _ranks(order: Sequence[str], links: Mapping[Link, object], back: set[Link]) -> dict[str, int]:
    """Longest path from the top; then everything that only follows late is pulled down towards what follows it."""
    after = _successors({link: None for link in links if link not in back})
    ranks = dict.fromkeys(order, 0)
    for name in order:
        for target in after[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
    has_before = {target for _, target in links}
    for name in reversed(order):
        if after[name] and name not in has_before:
            ranks[name] = max(ranks[name], min(ranks[target] for target in after[name]) - 1)
    return ranks


class _Chains:
    """Turns arrows into chains of boxes on neighbouring ranks."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.boxes: list[Box] = list(layout.boxes.values())
        self.neighbours: list[tuple[Box, Box]] = []  # upper, lower

    def _box(self, rank: int, size: tuple[float, float] = (0.0, 0.0)) -> Box:
        is_corridor = size == (0.0, 0.0)
        box = Box(*((_CORRIDOR, 0.0) if is_corridor else size), rank=rank, is_corridor=is_corridor)
        self.boxes.append(box)
        return box

    def add_forward(self, link: Link, size: tuple[float, float]) -> None:
        """A chain downward: label first, then corridors."""
        source, target = self.layout.boxes[link[0]], self.layout.boxes[link[1]]
        chain = [self._box(source.rank + 1, size)]
        chain += [self._box(rank) for rank in range(source.rank + 2, target.rank)]
        self._join([source, *chain, target])
        self.layout.routes[link] = chain
        if size != (0.0, 0.0):
            self.layout.labels[link] = chain[0]

    def add_back(self, link: Link, size: tuple[float, float]) -> None:
        """A turn below the source, corridors upward beside the states, a turn above the target."""
        source, target = self.layout.boxes[link[0]], self.layout.boxes[link[1]]
        below = self._box(source.rank + 1, size)
        climb = [self._box(rank) for rank in range(source.rank, target.rank - 1, -1)]
        above = self._box(target.rank - 1)
        self._join([source, below])
        self._join([above, *reversed(climb), below])
        self._join([above, target])
        self.layout.routes[link] = [below, *climb, above]
        self.layout.turns[link] = (0, len(climb) + 1)
        if size != (0.0, 0.0):
            self.layout.labels[link] = below

    def _join(self, chain: Sequence[Box]) -> None:
        self.neighbours += pairwise(chain)


class _Rows:
    """The boxes of each rank, from left to right."""

    def __init__(self, layout: Layout, chains: _Chains) -> None:
        self.layout = layout
        first = min(box.rank for box in chains.boxes)
        for box in chains.boxes:
            box.rank -= first
        self.boxes = chains.boxes
        self.index = {id(box): number for number, box in enumerate(self.boxes)}
        count = len(self.boxes)
        self.up: list[list[int]] = [[] for _ in range(count)]
        self.down: list[list[int]] = [[] for _ in range(count)]
        for upper, lower in chains.neighbours:
            one, two = self.index[id(upper)], self.index[id(lower)]
            self.down[one].append(two)
            self.up[two].append(one)
        self.rows: list[list[int]] = [[] for _ in range(1 + max(box.rank for box in self.boxes))]
        for number in self._first_order():
            self.rows[self.boxes[number].rank].append(number)
        self.position = [0] * count
        self._renumber()

    def _first_order(self) -> list[int]:
        """Depth first from the top, so that chains that belong together start side by side."""
        seen = [False] * len(self.boxes)
        found: list[int] = []
        for root in sorted(range(len(self.boxes)), key=lambda number: self.boxes[number].rank):
            stack = [root]
            while stack:
                number = stack.pop()
                if seen[number]:
                    continue
                seen[number] = True
                found.append(number)
                stack += reversed([*self.down[number], *self.up[number]])
        return found

    def _renumber(self) -> None:
        for row in self.rows:
            for place, number in enumerate(row):
                self.position[number] = place

    # --- order --------------------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Orders each rank so that few arrows cross: barycentres, up and down; the best order seen is kept."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SWEEPS):
            downward = sweep % 2 == 0
            rows = self.rows if downward else self.rows[::-1]
            for row in rows:
                self._sort(row, self.up if downward else self.down, self.down if downward else self.up)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best
        self._renumber()

    def _sort(self, row: list[int], fixed: list[list[int]], other: list[list[int]]) -> None:
        def centre(number: int) -> float:
            around = fixed[number] or other[number]
            if not around:
                return float(self.position[number])
            return sum(self.position[each] for each in around) / len(around)

        row.sort(key=centre)
        for place, number in enumerate(row):
            self.position[number] = place

    def _crossings(self) -> int:
        """Crossings between neighbouring ranks, counted with a binary indexed tree."""
        total = 0
        for row in self.rows:
            ends = [place for number in row for place in sorted(self.position[each] for each in self.down[number])]
            if not ends:
                continue
            tree = [0] * (max(ends) + 2)
            for seen, end in enumerate(ends):
                left, place = 0, end + 1
                while place > 0:
                    left += tree[place]
                    place -= place & -place
                total += seen - left
                place = end + 1
                while place < len(tree):
                    tree[place] += 1
                    place += place & -place
        return total

    # --- coordinates --------------------------------------------------------------------------------------------------

    def place(self) -> None:
        """Gives every box its centre: across by alignment with its neighbours, down by the heights of the ranks."""
        for row in self.rows:
            x = 0.0
            for number in row:
                box = self.boxes[number]
                box.x = x + box.width / 2
                x += box.width + _GAP
        for sweep in range(_PLACEMENTS):
            downward = sweep % 2 == 0
            is_last = sweep >= _PLACEMENTS - 4
            for row in self.rows if downward else self.rows[::-1]:
                self._align(
                    row, self.up if downward else self.down, self.down if downward else self.up, is_last=is_last
                )
        self._straighten()
        left = min(box.x - box.width / 2 for box in self.boxes)
        for box in self.boxes:
            box.x -= left
        self.layout.width = max(box.x + box.width / 2 for box in self.boxes)
        self._stack()

    def _align(self, row: Sequence[int], fixed: list[list[int]], other: list[list[int]], *, is_last: bool) -> None:
        """Moves a rank as near as possible to its neighbours without changing its order or letting boxes touch.

        Alignment with the rank before alone makes chains straight; the last sweeps look both ways.
        """
        wished, weights, offsets = [], [], []
        offset, previous = 0.0, 0.0
        for place, number in enumerate(row):
            box = self.boxes[number]
            if place:
                offset += previous / 2 + box.width / 2 + _GAP
            previous = box.width
            pull, mass = 0.0, 0.0
            around = [*fixed[number], *other[number]] if is_last or not fixed[number] else fixed[number]
            for each in around:
                weight = 12.0 if box.is_corridor and self.boxes[each].is_corridor else 1.0
                pull += weight * self.boxes[each].x
                mass += weight
            wished.append((pull / mass if mass else box.x) - offset)
            weights.append(mass or 0.1)
            offsets.append(offset)
        for number, x, shift in zip(row, _isotonic(wished, weights), offsets, strict=True):
            self.boxes[number].x = x + shift

    def _straighten(self) -> None:
        """Draws long arrows as few straight pieces: each piece is moved to a place that is free on all its ranks."""
        for route in self.layout.routes.values():
            piece: list[Box] = []
            low, high = -math.inf, math.inf
            for box in route:
                free_low, free_high = self._room(box)
                if box.is_corridor and piece and max(low, free_low) <= min(high, free_high):
                    piece.append(box)
                    low, high = max(low, free_low), min(high, free_high)
                    continue
                _move(piece, low, high)
                piece, low, high = ([box], free_low, free_high) if box.is_corridor else ([], -math.inf, math.inf)
            _move(piece, low, high)

    def _room(self, box: Box) -> tuple[float, float]:
        """How far the centre of a box may go to the left and to the right without touching its neighbours."""
        number = self.index[id(box)]
        row, place = self.rows[box.rank], self.position[number]
        low, high = -math.inf, math.inf
        if place > 0:
            left = self.boxes[row[place - 1]]
            low = left.x + left.width / 2 + _GAP / 2 + box.width / 2
        if place < len(row) - 1:
            right = self.boxes[row[place + 1]]
            high = right.x - right.width / 2 - _GAP / 2 - box.width / 2
        return low, high

    def _stack(self) -> None:
        y = 0.0
        for rank, row in enumerate(self.rows):
            height = max((self.boxes[number].height for number in row), default=0.0)
            for number in row:
                box = self.boxes[number]
                box.y = y + height / 2
                if box.is_corridor:
                    box.height = height
            y += height + _rank_gap(rank, len(row))
        self.layout.height = y


def _move(piece: Sequence[Box], low: float, high: float) -> None:
    if piece:
        x = min(max(sum(box.x for box in piece) / len(piece), low), high)
        for box in piece:
            box.x = x


def _rank_gap(rank: int, count: int) -> float:
    """Room for the curves; wide ranks need more, or the curves would lie flat."""
    return min(11.0 + 1.2 * count, 46.0) + (6.0 if rank % 2 else 0.0)


def _isotonic(wished: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising sequence nearest to the wished one, by weighted squares: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for value, weight in zip(wished, weights, strict=True):
        mean, mass, count = value, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_mass, other_count = pools.pop()
            mean = (mean * mass + other * other_mass) / (mass + other_mass)
            mass += other_mass
            count += other_count
        pools.append((mean, mass, count))
    return [mean for mean, _, count in pools for _ in range(count)]
