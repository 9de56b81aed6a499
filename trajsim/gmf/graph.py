"""Graphs of modules: states, submodule calls, cycles, reachability.

The same graph serves the checks, the pictures and the legality mask of learned models: an arrow that is not here is a
step that no patient can take.
"""

from collections.abc import Iterator, Mapping

import networkx as nx
from msgspec import Struct

from trajsim.gmf.describe import describe_state, describe_transition
from trajsim.gmf.model import Death, Module
from trajsim.gmf.walk import may_block, submodule_calls, targets


def call_graph(modules: Mapping[str, Module]) -> "nx.DiGraph[str]":
    """Module keys, with an arrow for every submodule call; ``missing`` marks keys that no file has."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for key in modules:
        graph.add_node(key, missing=False)
    for key, module in modules.items():
        for _, called in submodule_calls(module):
            if called not in graph:
                graph.add_node(called, missing=True)
            graph.add_edge(key, called)
    return graph


def arrows(module: Module) -> "nx.DiGraph[str]":
    """States and the arrows between them, without labels; arrows to states that do not exist are left out."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(module.states)
    for state in module.states.values():
        graph.add_edges_from((state.name, target) for _, target in targets(state) if target in module.states)
    return graph


def instant_successors(module: Module, state: str) -> frozenset[str]:
    """States that can follow a state at the instant at which it is left: through states in which no time passes."""
    found: set[str] = set()
    ahead = [target for _, target in targets(module.states[state])]
    while ahead:
        name = ahead.pop()
        if name in found or name not in module.states:
            continue
        found.add(name)
        if not may_block(module.states[name]):
            ahead += [target for _, target in targets(module.states[name])]
    return frozenset(found)


class Loop(Struct, frozen=True):
    """States that a patient can go round without any time passing; `has_exit` says whether an arrow leads out."""

    states: frozenset[str]
    has_exit: bool


def instant_loops(module: Module) -> Iterator[Loop]:
    """Cycles of states none of which lets time pass, by strongly connected component.

    A stand-alone Encounter, which waits only while another module holds the patient, counts as letting time pass; so
    do a submodule and a Guard. A Death ends the loop for the patient and counts as an exit.
    """
    graph = arrows(module)
    instant = graph.subgraph(name for name in graph if not may_block(module.states[name]))
    for component in nx.strongly_connected_components(instant):
        names = frozenset(component)
        if len(names) == 1 and not instant.has_edge(*names, *names):
            continue
        leaves = any(target not in names for name in names for target in graph.successors(name))
        dies = any(isinstance(module.states[name], Death) for name in names)
        yield Loop(names, leaves or dies)


def state_graph(module: Module) -> "nx.MultiDiGraph[str]":
    """The whole state graph of a module, for people and for pictures.

    Returns:
        Nodes are state names with ``type`` and ``details`` (words); every option of every transition is an arrow of its
        own, keyed by its number, with ``label``, ``condition`` and ``probability`` as in `Arrow`. A target that no
        state has becomes a node of type ``missing``.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=module.name)
    for state in module.states.values():
        graph.add_node(state.name, type=type(state).__name__, details=describe_state(state))
    for state in module.states.values():
        for number, arrow in enumerate(describe_transition(state.transition)):
            if arrow.target not in module.states:
                graph.add_node(arrow.target, type="missing", details="")
            graph.add_edge(
                state.name,
                arrow.target,
                key=number,
                label=arrow.label,
                condition=arrow.condition,
                probability=arrow.probability,
            )
    return graph


def reachable(module: Module) -> frozenset[str]:
    """States that some patient can enter, judged by the arrows alone."""
    if "Initial" not in module.states:
        return frozenset()
    return frozenset({"Initial", *nx.descendants(arrows(module), "Initial")})


def cycles(module: Module) -> list[frozenset[str]]:
    """The groups of states that can be visited again and again, largest first."""
    graph = arrows(module)
    groups = [
        frozenset(group)
        for group in nx.strongly_connected_components(graph)
        if len(group) > 1 or graph.has_edge(*group, *group)
    ]
    return sorted(groups, key=lambda group: (-len(group), min(group)))
