"""Lists of an entry that grow after it began: codes, activities, goals, and reactions of an allergy.

Few entries are touched, so this is plain Python over the events that the kernel noted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import orjson
from numpy.typing import NDArray

from trajsim.engine.assemble_sources import codes_json, goals_json
from trajsim.engine.events import SEVERITY_NAMES, Catalogue, EventKind
from trajsim.gmf.model import AllergyOnset, CarePlanStart, Code


@dataclass
class EntryLists:
    """The lists of one entry as they stand so far."""

    codes: list[Code]
    activities: list[Code]
    goals: list[Mapping[str, object]]
    reactions: dict[tuple[str, str], tuple[Code, str]] = field(default_factory=dict)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Column and text of the lists that are not empty."""
        found = {
            "more_codes": codes_json(self.codes[1:]),
            "activities": codes_json(self.activities),
            "goals": goals_json(self.goals),
            "reactions": _reactions_json(self.reactions.values()),
        }
        yield from ((name, text) for name, text in found.items() if text is not None)


def _reactions_json(reactions: Iterable[tuple[Code, str]]) -> str | None:
    items = [
        {"system": code.system, "code": code.code, "display": code.display, "severity": severity}
        for code, severity in reactions
    ]
    return orjson.dumps(items).decode() if items else None


def _gain(codes: list[Code], more: Iterable[Code]) -> None:
    """Appends the codes that are lacking; (system, code) is the identity."""
    known = {(code.system, code.code) for code in codes}
    for code in more:
        if (code.system, code.code) not in known:
            known.add((code.system, code.code))
            codes.append(code)


class ListMerger:
    """Replays the noted events of a chunk in order."""

    def __init__(self, catalogue: Catalogue, events: NDArray[np.void], offsets: NDArray[np.int64]) -> None:
        """Takes the logs of a chunk."""
        self._sources = catalogue.sources
        self._events = events
        self._offsets = offsets
        self._entries: dict[int, EntryLists] = {}

    def run(self, noted: NDArray[np.int64]) -> dict[int, EntryLists]:
        """Lists of every entry that an event touched, by index of the entry within the chunk, rising.

        Args:
            noted: Indexes of the events within the chunk, in order.

        Returns:
            Lists by entry.
        """
        starts = self._offsets[np.searchsorted(self._offsets, noted, side="right") - 1].tolist()
        for i, lo in zip(noted.tolist(), starts, strict=True):
            self._apply(i, lo, self._events[i])
        return dict(sorted(self._entries.items()))

    def _apply(self, i: int, lo: int, event: np.void) -> None:
        kind = event["kind"]
        state = self._sources[int(event["state"])].definition
        if kind == EventKind.CAREPLAN:
            _gain(self._lists(i).codes, self._codes(lo + int(event["ref"])))
            return
        if kind == EventKind.MEDICATION:  # renewed: the event before it ended the old entry
            _gain(self._lists(i).codes, self._codes(lo + int(self._events["ref"][i - 1])))
            return
        lists = self._lists(lo + int(event["ref"]))
        if kind == EventKind.REACTION:
            assert isinstance(state, AllergyOnset)  # only these write reactions
            code = state.reactions[int(event["value"])].reaction
            lists.reactions[code.system, code.code] = (code, SEVERITY_NAMES[int(event["tag"])])
            return
        _gain(lists.codes, self._sources[int(event["state"])].codes)
        if kind == EventKind.CAREPLAN_AGAIN and isinstance(state, CarePlanStart):
            _gain(lists.activities, state.activities)
            lists.goals += [goal for goal in state.goals if goal not in lists.goals]
            if event["tag"] == 1 and event["value"] >= 0:
                _gain(lists.codes, self._codes(lo + int(event["value"])))

    def _codes(self, entry: int) -> list[Code]:
        """Codes of an entry as they stand, without taking note of it."""
        if entry in self._entries:
            return list(self._entries[entry].codes)
        return list(self._sources[int(self._events["state"][entry])].codes)

    def _lists(self, entry: int) -> EntryLists:
        if entry not in self._entries:
            source = self._sources[int(self._events["state"][entry])]
            plan = source.definition if isinstance(source.definition, CarePlanStart) else None
            self._entries[entry] = EntryLists(
                codes=list(source.codes),
                activities=list(plan.activities) if plan else [],
                goals=list(plan.goals) if plan else [],
            )
        return self._entries[entry]
