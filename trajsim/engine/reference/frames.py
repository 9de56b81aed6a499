"""Where a module stands: a frame is the list of the states it has visited, as Synthea keeps it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from trajsim.engine.events import Catalogue
from trajsim.engine.life import HistoryRow
from trajsim.gmf.model import AllergyOnset, ConditionOnset, Module, State


@dataclass(slots=True, eq=False)
class Visit:
    """One visit of a state. A CallSubmodule whose submodule is finished stands in the history twice, as one object.

    Attributes:
        state: The state.
        file: Key of the module file that it belongs to.
        source: Its index in the catalogue.
        entered: When it first ran; None until then.
        exited: When it was left; None while it blocks.
        next: End of a Delay or timed Procedure, once it is drawn.
        is_diagnosed: Whether this onset was diagnosed.
        event: The event of a learned model that ended this Delay.
        target: The state that it leads to; None for the state's own transition.
    """

    state: State
    file: str
    source: int
    entered: int | None = None
    exited: int | None = None
    next: int | None = None
    is_diagnosed: bool = False
    event: str | None = None
    target: str | None = None


@dataclass(slots=True, eq=False)
class Frame:
    """A running module; `visits` from oldest to newest, the last is the current one."""

    module: Module
    visits: list[Visit] = field(default_factory=list)

    @property
    def current(self) -> Visit:
        """The visit at which the module stands."""
        return self.visits[-1]

    def push(self, name: str, catalogue: Catalogue) -> None:
        """Makes a state of the module's own file the current one."""
        key = self.module.key
        self.visits.append(Visit(self.module.states[name], key, catalogue.state_index(key, name)))

    def has_visited(self, name: str) -> bool:
        """Whether a state of that name is in the history, the current one included."""
        return any(visit.state.name == name for visit in self.visits)

    def had_prior_state(self, name: str, since: str | None, not_before: int | None) -> bool:
        """PriorState: the history from newest to oldest, the current state included.

        Args:
            name: The state that is looked for.
            since: A state beyond which the search does not go.
            not_before: Instant of ``within``: a visit that was left by then ends the search.

        Returns:
            Whether the state was found.
        """
        for visit in reversed(self.visits):
            if not_before is not None and visit.exited is not None and visit.exited <= not_before:
                return False
            if visit.state.name == since:
                return False
            if visit.state.name == name:
                return True
        return False

    def waiting_onsets(self, encounter: str) -> list[Visit]:
        """The onsets that wait for an Encounter state which is current, newest first; each state once."""
        waiting: dict[int, Visit] = {}
        for visit in reversed(self.visits[:-1]):
            if visit.state.name == encounter:
                break
            is_onset = isinstance(visit.state, ConditionOnset | AllergyOnset)
            if is_onset and visit.state.target_encounter == encounter and visit.source not in waiting:  # type: ignore[attr-defined]
                waiting[visit.source] = visit
        return [visit for visit in waiting.values() if not visit.is_diagnosed]


def history_rows(visits: Iterable[Visit]) -> list[HistoryRow]:
    """The history of a frame as `Life.history` shows it."""
    return [HistoryRow(visit.state.name, visit.entered, visit.exited) for visit in visits]
