"""Rules GMF2xx: what a module names must exist.

The errors among them (`reference_errors`) also stop a run; the rest are for `trajsim check`.
"""

from collections.abc import Iterator, Mapping

import networkx as nx

from trajsim.gmf.findings import Finding, Severity, did_you_mean
from trajsim.gmf.graph import call_graph
from trajsim.gmf.model import Module
from trajsim.gmf.walk import Steps, state_path, submodule_calls, targets


def reference_errors(modules: Mapping[str, Module]) -> Iterator[Finding]:
    """Transitions to nowhere, missing submodules, submodules that call themselves."""
    for module in modules.values():
        yield from _missing_states(module)
        yield from _missing_submodules(module, modules)
    yield from _recursion(modules)


def _error(rule: str, module: Module, state: str, steps: Steps, message: str, hint: str | None = None) -> Finding:
    path = state_path(state, steps)
    severity = Severity.ERROR
    return Finding(rule=rule, severity=severity, file=str(module.file), path=path, message=message, hint=hint)


def _missing_states(module: Module) -> Iterator[Finding]:
    for state in module.states.values():
        for steps, target in targets(state):
            if target and target not in module.states:
                near = did_you_mean(target, module.states)
                yield _error("GMF201", module, state.name, steps, f"no state {target!r}{near}")


def _missing_submodules(module: Module, modules: Mapping[str, Module]) -> Iterator[Finding]:
    for state, key in submodule_calls(module):
        if key not in modules:
            near = did_you_mean(key, modules)
            hint = f"put it at {key}.json below the modules folder"
            yield _error("GMF202", module, state, ("submodule",), f"no submodule {key!r}{near}", hint)


def _recursion(modules: Mapping[str, Module]) -> Iterator[Finding]:
    graph = call_graph(modules)
    for group in nx.strongly_connected_components(graph):
        for key in sorted(group):
            if len(group) == 1 and not graph.has_edge(key, key):
                continue
            for state, called in submodule_calls(modules[key]):
                if called in group:
                    message = f"submodule {called!r} leads back to {key!r}: a module that calls itself never returns"
                    yield _error("GMF210", modules[key], state, ("submodule",), message)
