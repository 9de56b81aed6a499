"""Graphs of modules: states, submodule calls, cycles, reachability.

The same graph serves the checks, the pictures and the legality mask of learned models: an arrow that is not here is a
step that no patient can take.
"""

from collections.abc import Collection, Iterator, Mapping

import networkx as nx

from trajsim.gmf.model import Module
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
