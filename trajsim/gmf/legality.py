"""Which events can follow which, judged by the graphs of the modules that are bound to them.

A model of trajectories is taught and asked only for events that a patient's modules wait for. Here the order of events
that modules allow is read off their arrows, and off the guards by which one module waits for another: an angina cannot
be a patient's first after an infarction where the module that waits for both has gone on. What the graphs do not
decide is allowed.
"""

from collections.abc import Collection, Iterator, Mapping

import networkx as nx
from msgspec import Struct

from trajsim.gmf.graph import arrows
from trajsim.gmf.lifecycle import LIFECYCLE_ATTRIBUTES
from trajsim.gmf.model import (
    AttributeCondition,
    Condition,
    Death,
    Guard,
    JsonScalar,
    LogicGroup,
    Module,
    SetAttribute,
    State,
)
from trajsim.gmf.walk import attributes_written, submodule_calls, targets

_Place = tuple[str, str]  # module, state


class EventOrders(Struct, frozen=True):
    """Orders of events, as pairs of names.

    Attributes:
        needs: The first can come only after the second.
        excludes: The first cannot come any more after the second.
    """

    needs: frozenset[tuple[str, str]]
    excludes: frozenset[tuple[str, str]]


def event_orders(modules: Mapping[str, Module], events: Collection[str]) -> EventOrders:
    """Reads the order of events off bound modules.

    Args:
        modules: All modules of a run, by key, with their bindings.
        events: Names that the model knows; bindings to others are as if they were not there.

    Returns:
        What the graphs decide. An event that no module is bound to is free.

    Example:
        >>> event_orders({}, ["diabetes"]).excludes
        frozenset()
    """
    return _Orders(modules, events).orders()


class _Bound(Struct, frozen=True):
    """A state that waits for an event, and the states that follow when it comes."""

    place: _Place
    targets: tuple[str, ...]


class _Orders:
    """The graphs of all modules, and where their states are bound."""

    def __init__(self, modules: Mapping[str, Module], events: Collection[str]) -> None:
        self._modules = modules
        self._graphs = {key: arrows(module) for key, module in modules.items()}
        self._called = {called for module in modules.values() for _, called in submodule_calls(module)}
        self._bound: dict[str, list[_Bound]] = {}
        for key, module in modules.items():
            for state in module.states.values():
                for event, target in _bindings(state):
                    if event in events:
                        follows = tuple(name for _, name in targets(state)) if target is None else (target,)
                        self._bound.setdefault(event, []).append(_Bound((key, state.name), follows))

    def orders(self) -> EventOrders:
        pairs = [(event, other) for event in self._bound for other in self._bound if event != other]
        return EventOrders(
            needs=frozenset(pair for pair in pairs if self._needs(*pair)),
            excludes=frozenset(pair for pair in pairs if not self._can_follow(*pair)),
        )

    def _can_follow(self, event: str, other: str) -> bool:
        """Whether something can wait for an event after another one came."""
        return any(
            self._can_wait_after(waits.place, came) for came in self._bound[other] for waits in self._bound[event]
        )

    def _can_wait_after(self, waits: _Place, came: _Bound) -> bool:
        key, state = came.place
        if all(isinstance(self._modules[key].states.get(name), Death) for name in came.targets):
            return False
        if waits[0] == key:
            return key in self._called or self._leads(key, came.targets, waits[1])
        for setters in self._passed(key, state):
            if {setter[0] for setter in setters} == {waits[0]} and waits[0] not in self._called:
                names = [name for _, name in setters]
                if not self._leads(waits[0], names, waits[1]):
                    return False
        return True

    def _leads(self, key: str, names: Collection[str], state: str) -> bool:
        """Whether arrows lead from one of some states to a state, or it is one of them."""
        graph = self._graphs[key]
        return any(name in graph and (name == state or nx.has_path(graph, name, state)) for name in names)

    def _needs(self, event: str, other: str) -> bool:
        """Whether nothing can wait for an event before another one came."""
        return all(self._is_after(waits.place, other) for waits in self._bound[event])

    def _is_after(self, place: _Place, other: str) -> bool:
        if self._is_cut_off(place, other):
            return True
        return any(
            all(self._is_cut_off(setter, other) for setter in setters) for setters in self._passed(*place) if setters
        )

    def _is_cut_off(self, place: _Place, other: str) -> bool:
        """Whether a state can be entered only through states that only an event leads to."""
        key, state = place
        here = [came for came in self._bound[other] if came.place[0] == key]
        if not here or key in self._called:
            return False
        before = self._reached_without(key, {came.place[1] for came in here})
        onsets = {name for came in here for name in came.targets} - before
        return state in onsets or state not in self._reached_without(key, onsets)

    def _reached_without(self, key: str, names: Collection[str]) -> set[str]:
        """States that can be entered without entering some others."""
        rest = self._graphs[key].subgraph(set(self._graphs[key]) - set(names))
        return {"Initial", *nx.descendants(rest, "Initial")} if "Initial" in rest else set()

    def _passed(self, key: str, state: str) -> Iterator[list[_Place]]:
        """For every guard that must be passed before a state: the states that may set what it waits for.

        What the lifecycle writes too says nothing.
        """
        graph = self._graphs[key]
        if "Initial" not in graph or key in self._called:
            return
        above = nx.immediate_dominators(graph, "Initial")
        name = above.get(state)
        while name is not None:
            guard = self._modules[key].states[name]
            if isinstance(guard, Guard):
                for attribute, value in _awaited(guard.allow):
                    setters = self._setters(attribute, value)
                    if setters and attribute not in LIFECYCLE_ATTRIBUTES:
                        yield setters
            name = None if above.get(name) == name else above.get(name)

    def _setters(self, attribute: str, value: JsonScalar) -> list[_Place]:
        return [
            (key, state.name)
            for key, module in self._modules.items()
            for state in module.states.values()
            if attribute in attributes_written(state) and _may_set(state, value)
        ]


def _bindings(state: State) -> Iterator[tuple[str, str | None]]:
    if state.trajsim is not None:
        yield from state.trajsim.events.items()


def _awaited(condition: Condition) -> Iterator[tuple[str, JsonScalar]]:
    """Attributes that must have a value for a condition to hold."""
    if isinstance(condition, AttributeCondition):
        if condition.operator == "==" and condition.value is not None and condition.value_code is None:
            yield condition.attribute, condition.value
    elif isinstance(condition, LogicGroup) and condition.kind == "And":
        for part in condition.conditions:
            yield from _awaited(part)


def _may_set(state: State, value: JsonScalar) -> bool:
    """Whether a state that writes an attribute can give it a value; only constants say no."""
    if not isinstance(state, SetAttribute):
        return True
    computed = (
        state.expression, state.range, state.series_data, state.distribution, state.value_code, state.value_attribute
    )  # fmt: skip
    return any(part is not None for part in computed) or state.value == value
