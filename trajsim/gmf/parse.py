"""Bytes of a module file to a typed Module, with all faults by state name and JSON path.

Each state is decoded alone: a fault in one never hides a fault in another. Unknown keys are ignored, as GMF does, and
noted as information.
"""

import hashlib
from pathlib import Path
from typing import Any

from trajsim.gmf.document import Tree, read_document
from trajsim.gmf.findings import Finding, errors_of
from trajsim.gmf.model import Module, State
from trajsim.gmf.parse_states import parse_state
from trajsim.gmf.reader import Reader

_MODULE_KEYS = frozenset({"name", "states", "remarks", "gmf_version", "specialty"})
_NEWEST_GMF = 2.0


def parse_module(data: bytes, *, key: str, file: Path) -> tuple[Module | None, list[Finding]]:
    """Decodes one module file.

    Args:
        data: The bytes of the file.
        key: Path below the modules folder without ``.json``, with ``/``.
        file: Where the bytes came from; shown in findings.

    Returns:
        The module, or None if any finding is an error; and all findings, infos included.

    Example:
        >>> module, findings = parse_module(b'{"name": "x", "states": {"Initial": {"type": "Terminal"}}}',
        ...                                 key="x", file=Path("x.json"))
        >>> module.name, findings
        ('x', [])
    """
    module, findings = parse_partial(data, key=key, file=file)
    return (None if errors_of(findings) else module), findings


def parse_partial(data: bytes, *, key: str, file: Path) -> tuple[Module | None, list[Finding]]:
    """Like `parse_module`, but keeps what could be read, with stand-ins for bad states.

    For checks that should still see the rest of a faulty file. None only where the file is not a JSON object with
    `states`.
    """
    tree, findings = read_document(data, file=str(file))
    if tree is None and findings:
        return None, findings
    module, more = module_from_tree(tree, key=key, file=file, digest=hashlib.sha256(data).hexdigest())
    return module, [*findings, *more]


def module_from_tree(tree: Tree, *, key: str, file: Path, digest: str) -> tuple[Module | None, list[Finding]]:
    """Decodes the tree of one module file; the module may hold stand-ins where findings are errors."""
    findings: list[Finding] = []
    if not isinstance(tree, dict):
        Reader({}, findings, str(file)).wrong("a module object with 'name' and 'states'", tree)
        return None, findings
    reader = Reader(tree, findings, str(file))
    reader.note_unknown_keys(_MODULE_KEYS)
    name = reader.need_text("name", "the name of the module")
    version = reader.number("gmf_version")
    if version is not None and version > _NEWEST_GMF:
        reader.report("GMF117", f"gmf_version {version} is newer than {_NEWEST_GMF}", "gmf_version")
    states = _states(reader)
    if states is None:
        return None, findings
    module = Module(
        key=key,
        name=name,
        states=states,
        remarks=reader.texts("remarks"),
        gmf_version=version,
        specialty=reader.text("specialty"),
        file=file,
        digest=digest,
    )
    return module, findings


def _states(reader: Reader) -> dict[str, State] | None:
    container = reader.part("states")
    if container is None:
        if reader.node.get("states") is None:
            reader.missing("states", "an object of states by name")
        return None
    states: dict[str, State] = {}
    node: dict[str, Any] = container.node
    for name in node:
        part = container.part(name)
        if part is None:
            if node[name] is None:
                container.wrong("a state object", None, name)
            continue
        states[name] = parse_state(part, name)
    if "Initial" not in node:
        container.report("GMF107", "no state is called 'Initial'", hint="the module starts in the state of that name")
    return states
