"""Small modules for tests: written as JSON objects, parsed or put on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trajsim.gmf.findings import Finding, Severity
from trajsim.gmf.model import Module, State
from trajsim.gmf.parse import parse_module

Json = dict[str, Any]
ASTHMA_JSON: Json = {"system": "SNOMED-CT", "code": "195967001", "display": "Asthma"}


def module_json(states: Mapping[str, Json], **top: object) -> Json:
    """A module that begins in Initial and ends in End; both are added where they are missing."""
    first = next(iter(states), "End")
    start = {"Initial": {"type": "Initial", "direct_transition": first}}
    return {"name": "Example", **top, "states": {**start, **states, "End": {"type": "Terminal"}}}


def parse_json(tree: object) -> tuple[Module | None, list[Finding]]:
    """Parses a module given as a JSON object, under the key and file name ``example``."""
    return parse_module(json.dumps(tree).encode(), key="example", file=Path("example.json"))


def sound_module(states: Mapping[str, Json], **top: object) -> Module:
    """Parses a module of these states that must be free of errors."""
    module, findings = parse_json(module_json(states, **top))
    assert module is not None, [finding.render() for finding in findings]
    return module


def sound_state(type_: str, **fields: object) -> State:
    """Parses one state that must be free of errors; it leads to End unless it ends the module."""
    transition = {} if type_ == "Terminal" or "alt_direct_transition" in fields else {"direct_transition": "End"}
    return sound_module({"It": {"type": type_, **transition, **fields}}).states["It"]


def parse_errors(tree: object) -> list[str]:
    """The rendered errors of a module that must have some."""
    module, findings = parse_json(tree)
    assert module is None
    return [finding.render() for finding in findings if finding.severity is Severity.ERROR]


def write_modules(root: Path, files: Mapping[str, Json | str]) -> Path:
    """Writes module files (objects) and tables or raw files (texts) below a folder, and returns the folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return root
