"""Cuts resources that refer to each other into pieces, each of which holds all that its resources refer to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class TooSmallError(Exception, Generic[Item]):
    """A resource and what it needs are more than a piece may hold; the caller says which resource that is."""

    def __init__(self, item: Item, n_needed: int) -> None:
        super().__init__(item, n_needed)
        self.item = item
        self.n_needed = n_needed


def closure_of(item: Item, targets: Callable[[Item], Sequence[Item]]) -> set[Item]:
    """A resource with all that it needs: what it refers to, what that refers to, and so on."""
    found, open_ = {item}, [item]
    while open_:
        for target in targets(open_.pop()):
            if target not in found:
                found.add(target)
                open_.append(target)
    return found


def cut_pieces(items: Iterable[Item], targets: Callable[[Item], Sequence[Item]], most: int) -> Iterator[set[Item]]:
    """Yields the pieces, each of at most `most` resources; what several need is in several.

    Args:
        items: The resources; those that need the same stand together.
        targets: What each refers to.
        most: Resources a piece.

    Raises:
        TooSmallError: A resource and what it needs are more.
    """
    piece: set[Item] = set()
    written: set[Item] = set()
    for item in items:
        if item in written:
            continue
        needed = closure_of(item, targets)
        if len(needed) > most:
            raise TooSmallError(item, len(needed))
        if len(piece | needed) > most:
            yield piece
            piece = set()
        piece |= needed
        written |= needed
    if piece:
        yield piece
