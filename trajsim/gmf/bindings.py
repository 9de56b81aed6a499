"""Overlays: files that bind states of modules to a learned model, so that modules we do not own can be driven too.

An overlay is a JSON object. ``modules`` maps the key of a module to its states, and every state to what could stand in
its own key ``trajsim``; a MultiObservation or DiagnosticReport has ``{"observations": [null, {"lab": "hdl"}]}``, an
entry for each child. ``remarks`` says why.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from trajsim.errors import ConfigError, ModuleError
from trajsim.gmf import model
from trajsim.gmf.document import Step, json_path, read_document
from trajsim.gmf.findings import Finding, Severity, did_you_mean, errors_of, sort_findings
from trajsim.gmf.model import Binding, Module, ModuleSet, State
from trajsim.gmf.parse_bindings import KEY, child_binding, state_binding
from trajsim.gmf.reader import Reader
from trajsim.gmf.rules.references import bound_state_errors
from trajsim.gmf.walk import state_path

_KEYS = frozenset({"modules", "remarks"})
_PANELS = (model.MultiObservation, model.DiagnosticReport)


class Overlay(Struct, frozen=True, kw_only=True):
    """Bindings that lie beside the modules.

    Attributes:
        file: Where it was read.
        digest: sha256 of the file.
        modules: Module key to state name to the JSON object of the binding, as it stands.
        faults: What is wrong with the file itself; `bind` raises them together with what it finds.
    """

    file: Path
    digest: str
    modules: Mapping[str, Mapping[str, Mapping[str, Any]]]
    faults: tuple[Finding, ...] = ()


def read_overlay(path: Path) -> Overlay:
    """Reads an overlay.

    Raises:
        ConfigError: The file cannot be read.
        ModuleError: It is no JSON, or has no object ``modules``; all faults are named. Other faults stand in `faults`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"overlay {str(path)!r} cannot be read: {error.strerror}"
        raise ConfigError(msg) from error
    tree, findings = read_document(data, file=str(path))
    modules: dict[str, dict[str, dict[str, Any]]] = {}
    if tree is not None or not findings:
        if isinstance(tree, dict):
            modules = _modules(Reader(tree, findings, str(path)))
        else:
            Reader({}, findings, str(path)).wrong("an object with 'modules'", tree)
    faults = tuple(errors_of(findings))
    if faults and not modules:
        raise ModuleError(sort_findings(faults))
    return Overlay(file=path, digest=hashlib.sha256(data).hexdigest(), modules=modules, faults=faults)


def _modules(reader: Reader) -> dict[str, dict[str, dict[str, Any]]]:
    for key in sorted(reader.node.keys() - _KEYS):
        reader.report("GMF119", f"unknown key {key!r}{did_you_mean(key, _KEYS)}", key)
    container = reader.part("modules")
    if container is None:
        if reader.node.get("modules") is None:
            reader.missing("modules", "an object of bindings by module and state")
        return {}
    modules: dict[str, dict[str, dict[str, Any]]] = {}
    for key, states in container.node.items():
        part = container.part(key)
        if part is None:
            if states is None:
                container.wrong("an object of bindings by state", None, key)
            continue
        bound = {name: part.part(name) for name in part.node}
        for name, binding in bound.items():
            if binding is None and part.node[name] is None:
                part.wrong("a binding", None, name)
        modules[key] = {name: binding.node for name, binding in bound.items() if binding is not None}
    return modules


def bind(modules: ModuleSet, overlay: Overlay, *, not_chosen: Collection[str] = ()) -> ModuleSet:
    """Modules with the bindings of an overlay; they win over a state's own.

    Args:
        modules: The modules.
        overlay: What to bind.
        not_chosen: Keys of modules that exist but take no part in the run: their bindings are passed over.

    Returns:
        The modules; digests of those that changed cover the bindings.

    Raises:
        ModuleError: The overlay has faults of its own, names a module or state that does not exist, binds a state that
            cannot be bound, or leads to a state that cannot follow. All faults are named.
    """
    findings: list[Finding] = list(overlay.faults)
    bound = dict(modules.modules)
    for key, states in overlay.modules.items():
        module = modules.modules.get(key)
        if module is not None:
            bound[key] = _bound(module, states, overlay, findings)
        elif key not in not_chosen:
            message = f"no module {key!r}{did_you_mean(key, modules.modules)}"
            findings.append(_fault(overlay, ("modules", key), message))
    if errors_of(findings):
        raise ModuleError(sort_findings(errors_of(findings)))
    return ModuleSet(modules=bound, tables=modules.tables)


def _bound(
    module: Module, bindings: Mapping[str, Mapping[str, Any]], overlay: Overlay, findings: list[Finding]
) -> Module:
    states = dict(module.states)
    for name, node in bindings.items():
        steps = ("modules", module.key, name)
        state = module.states.get(name)
        if state is None:
            message = f"module {module.key!r} has no state {name!r}{did_you_mean(name, module.states)}"
            findings.append(_fault(overlay, steps, message))
            continue
        faults: list[Finding] = []
        states[name] = _bound_state(state, node, faults, str(overlay.file))
        findings += _moved(faults, steps)
    digest = hashlib.sha256((module.digest + json.dumps(bindings, sort_keys=True)).encode()).hexdigest()
    changed = structs.replace(module, states=states, digest=digest)
    for name in bindings.keys() & states.keys():
        for finding in bound_state_errors(changed, states[name]):
            rest = finding.path.removeprefix(state_path(name, (KEY,)))
            place = json_path(("modules", module.key, name)) + rest
            findings.append(structs.replace(finding, file=str(overlay.file), path=place))
    return changed


def _bound_state(state: State, node: Mapping[str, Any], faults: list[Finding], file: str) -> State:
    if isinstance(state, _PANELS):
        return _bound_panel(state, node, faults, file)
    reader = Reader({KEY: dict(node)}, faults, file)
    return structs.replace(state, trajsim=state_binding(reader, type(state)))


def _bound_panel(
    state: model.MultiObservation | model.DiagnosticReport, node: Mapping[str, Any], faults: list[Finding], file: str
) -> State:
    reader = Reader({KEY: dict(node)}, faults, file)
    own = reader.part(KEY)
    given = node.get("observations")
    n = len(state.observations)
    if own is None or node.keys() != {"observations"} or not isinstance(given, list) or len(given) != n:
        message = f"expected {{'observations': [...]}} with an entry for each of {n} children; null binds nothing"
        reader.report("GMF119", message, KEY)
        return state
    bound = [_child(child, faults, file) for child in given]
    return structs.replace(
        state,
        observations=tuple(
            body if binding is None else structs.replace(body, trajsim=binding)
            for body, binding in zip(state.observations, bound, strict=True)
        ),
    )


def _child(node: object, faults: list[Finding], file: str) -> Binding | None:
    return child_binding(Reader({KEY: node}, faults, file))


def _moved(faults: list[Finding], steps: tuple[Step, ...]) -> Iterator[Finding]:
    """Findings of a binding at the place where the overlay holds it."""
    for finding in faults:
        rest = finding.path.removeprefix(f"$.{KEY}")
        yield structs.replace(finding, path=json_path(steps) + rest)


def _fault(overlay: Overlay, steps: tuple[Step, ...], message: str) -> Finding:
    return Finding(
        rule="GMF119", severity=Severity.ERROR, file=str(overlay.file), path=json_path(steps), message=message
    )
