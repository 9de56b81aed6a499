"""Which files call which, and what a running file must remember of its history.

Synthea keeps every visited state for life; all that can be observed of that list is small: when a state whose name some
condition, reason or death mentions was last visited and left, and which onsets wait for which encounter. This file
finds, for every module file, the names and onsets that it must remember, for itself and for its callers (a finished
submodule's history becomes part of its caller's).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trajsim.gmf.model import (
    AllergyOnset,
    CallSubmodule,
    CarePlanStart,
    ComplexTransition,
    Condition,
    ConditionalTransition,
    ConditionOnset,
    Death,
    Encounter,
    Guard,
    LogicGroup,
    MedicationOrder,
    Module,
    NotCondition,
    PriorStateCondition,
    Procedure,
    State,
)


def conditions_of(state: State) -> Iterable[Condition]:
    """Every condition that a state or its transition evaluates, outermost only."""
    if isinstance(state, Guard):
        yield state.allow
    transition = state.transition
    if isinstance(transition, ConditionalTransition | ComplexTransition):
        for option in transition.options:
            if option.condition is not None:
                yield option.condition


def atoms_of(condition: Condition) -> Iterable[Condition]:
    """The leaves of a condition."""
    if isinstance(condition, LogicGroup):
        for child in condition.conditions:
            yield from atoms_of(child)
    elif isinstance(condition, NotCondition):
        yield from atoms_of(condition.condition)
    else:
        yield condition


def _mentioned_names(state: State) -> Iterable[str]:
    for condition in conditions_of(state):
        for atom in atoms_of(condition):
            if isinstance(atom, PriorStateCondition):
                yield atom.name
                if atom.since is not None:
                    yield atom.since
    if isinstance(state, Encounter | MedicationOrder | CarePlanStart | Procedure) and state.reason is not None:
        yield state.reason
    if isinstance(state, Death) and state.condition_onset is not None:
        yield state.condition_onset


@dataclass
class FrameMemory:
    """What one file must remember: positions are slots of the patient's record."""

    prior: dict[str, int] = field(default_factory=dict)  # state name -> slot
    pending: dict[int, int] = field(default_factory=dict)  # source of the onset -> slot


class Frames:
    """The call structure of a set of modules and the memory that each file needs.

    Attributes:
        keys: File keys, sorted; a file's index is its position.
        callees: Files that a file calls directly.
        reach: Files that run inside a file, itself included.
        top_of: Top-level modules that can run a file.
        memory: By file index.
        n_prior: Slots of all files together.
        n_pending: Slots of all files together.
    """

    def __init__(self, modules: Mapping[str, Module], state_index: Mapping[tuple[str, str], int]) -> None:
        """Analyses all files."""
        self.keys = sorted(modules)
        self.index = {key: position for position, key in enumerate(self.keys)}
        self._modules = [modules[key] for key in self.keys]
        self._state_index = state_index
        self.callees = [self._direct_callees(module) for module in self._modules]
        self.reach = [self._closure(position) for position in range(len(self.keys))]
        self.callers: list[set[int]] = [set() for _ in self.keys]
        for position, called in enumerate(self.callees):
            for callee in called:
                self.callers[callee].add(position)
        self.top_of: list[set[str]] = [set() for _ in self.keys]
        for position, module in enumerate(self._modules):
            if module.is_top_level:
                for inner in self.reach[position]:
                    self.top_of[inner].add(module.key)
        self._names = [self._names_inside(position) for position in range(len(self.keys))]
        self.target_of: dict[int, str] = {}
        pending = self._pending_onsets()
        prior = self._prior_names(pending)
        self.memory: list[FrameMemory] = []
        self.n_prior = self.n_pending = 0
        for position in range(len(self.keys)):
            self.memory.append(self._allocate(sorted(prior[position]), sorted(pending[position])))

    def is_shared(self, file: int) -> bool:
        """Whether two top-level modules can be inside a file at once."""
        return len(self.top_of[file]) > 1

    def _allocate(self, names: list[str], onsets: list[int]) -> FrameMemory:
        memory = FrameMemory()
        for name in names:
            memory.prior[name] = self.n_prior
            self.n_prior += 1
        for onset in onsets:
            memory.pending[onset] = self.n_pending
            self.n_pending += 1
        return memory

    def _direct_callees(self, module: Module) -> set[int]:
        return {
            self.index[state.submodule]
            for state in module.states.values()
            if isinstance(state, CallSubmodule) and state.submodule in self.index
        }

    def _closure(self, start: int) -> set[int]:
        seen = {start}
        todo = [start]
        while todo:
            for callee in self.callees[todo.pop()]:
                if callee not in seen:
                    seen.add(callee)
                    todo.append(callee)
        return seen

    def _names_inside(self, position: int) -> set[str]:
        names: set[str] = set()
        for inner in self.reach[position]:
            names.update(self._modules[inner].states)
        return names

    def _pending_onsets(self) -> list[set[int]]:
        """By file: the onset states (its own, or of files that run inside it) that some encounter may still find."""
        own: list[list[tuple[int, str]]] = []
        encounters: list[set[str]] = []
        for module in self._modules:
            waiting = []
            for name, state in module.states.items():
                if isinstance(state, ConditionOnset | AllergyOnset) and state.target_encounter is not None:
                    source = self._state_index[module.key, name]
                    self.target_of[source] = state.target_encounter
                    waiting.append((source, state.target_encounter))
            own.append(waiting)
            encounters.append({name for name, state in module.states.items() if isinstance(state, Encounter)})
        visible: list[set[str]] = [set() for _ in self.keys]  # encounter names in a file or in what calls it
        for position in range(len(self.keys)):
            for inner in self.reach[position]:
                visible[inner] |= encounters[position]
        return [
            {source for inner in self.reach[position] for source, target in own[inner] if target in visible[position]}
            for position in range(len(self.keys))
        ]

    def _prior_names(self, pending: list[set[int]]) -> list[set[str]]:
        wanted: list[set[str]] = []
        for position, module in enumerate(self._modules):
            names = {name for state in module.states.values() for name in _mentioned_names(state)}
            names |= {self.target_of[source] for source in pending[position]}
            wanted.append(names & self._names[position])
        changed = True
        while changed:  # callers' wishes reach what they call; stable after a few rounds
            changed = False
            for position, called in enumerate(self.callees):
                for callee in called:
                    more = (wanted[position] & self._names[callee]) - wanted[callee]
                    if more:
                        wanted[callee] |= more
                        changed = True
        return wanted

    def merge_list(self, caller: int, callee: int) -> list[int]:
        """What a finished call hands to its caller, as integers for the heap.

        Layout: counts of the four parts; whether the callee may hold states that are older than the caller's, because
        another module began it; then pairs (caller's waiting slot, callee's slot of the encounter name that bars it);
        pairs (callee's waiting slot, caller's); pairs (callee's prior slot, caller's); pairs (callee's waiting slot,
        callee's slot of the encounter name that bars it).
        """
        above, below = self.memory[caller], self.memory[callee]
        bars = [
            (slot, below.prior[self.target_of[source]])
            for source, slot in above.pending.items()
            if self.target_of[source] in below.prior
        ]
        waiting = [(slot, above.pending[source]) for source, slot in below.pending.items() if source in above.pending]
        prior = [(slot, above.prior[name]) for name, slot in below.prior.items() if name in above.prior]
        own_bars = [
            (below.pending[source], below.prior[self.target_of[source]])
            for source in below.pending
            if source in above.pending and self.target_of[source] in below.prior
        ]
        is_older = any(self.is_shared(inner) for inner in self.reach[callee])
        flat = [len(bars), len(waiting), len(prior), len(own_bars), int(is_older)]
        for pair in (*bars, *waiting, *prior, *own_bars):
            flat.extend(pair)
        return flat
