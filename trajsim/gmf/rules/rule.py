"""What a rule is, and what rules look at."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import networkx as nx
from msgspec import Struct

from trajsim.gmf.findings import Finding, Severity
from trajsim.gmf.graph import arrows, call_graph
from trajsim.gmf.model import LookupTable, Module
from trajsim.gmf.walk import Steps, state_path


class Rule(Struct, frozen=True, kw_only=True):
    """One rule: its stable id, its severity, and why a reader should care."""

    id: str
    severity: Severity
    title: str
    why: str
    cure: str

    def at_state(self, module: Module, state: str, steps: Steps, message: str, hint: str | None = None) -> Finding:
        """A finding at a place inside a state."""
        return self.at(str(module.file), state_path(state, steps), message, hint)

    def at(self, file: str, path: str, message: str, hint: str | None = None) -> Finding:
        """A finding anywhere."""
        return Finding(rule=self.id, severity=self.severity, file=file, path=path, message=message, hint=hint)


def error(rule_id: str, title: str, why: str, cure: str) -> Rule:
    """A rule whose findings mean that the engine cannot run the module."""
    return Rule(id=rule_id, severity=Severity.ERROR, title=title, why=why, cure=cure)


def warning(rule_id: str, title: str, why: str, cure: str) -> Rule:
    """A rule whose findings mean that the module runs, but perhaps not as its author meant."""
    return Rule(id=rule_id, severity=Severity.WARNING, title=title, why=why, cure=cure)


def info(rule_id: str, title: str, why: str, cure: str) -> Rule:
    """A rule whose findings are worth knowing and often on purpose."""
    return Rule(id=rule_id, severity=Severity.INFO, title=title, why=why, cure=cure)


class Subject:
    """Everything that a rule may look at.

    Attributes:
        modules: All modules, bad states replaced by stand-ins.
        sound: The modules without an error finding; rules about one module look at these only.
        tables: Lookup tables that could be read.
        table_files: All table files by name.
    """

    def __init__(
        self,
        modules: Mapping[str, Module],
        tables: Mapping[tuple[str, int], LookupTable],
        table_files: Mapping[str, Path],
        faulty_files: frozenset[str],
    ) -> None:
        """Gathers the parts."""
        self.modules = modules
        self.sound = {key: module for key, module in modules.items() if str(module.file) not in faulty_files}
        self.tables = tables
        self.table_files = table_files
        self._arrows: dict[str, nx.DiGraph[str]] = {}

    @property
    def is_whole(self) -> bool:
        """Whether no module has a fault, so that absence from the set means absence."""
        return len(self.sound) == len(self.modules)

    def arrows(self, module: Module) -> "nx.DiGraph[str]":
        """States of a module and the arrows between them."""
        if module.key not in self._arrows:
            self._arrows[module.key] = arrows(module)
        return self._arrows[module.key]

    @cached_property
    def calls(self) -> "nx.DiGraph[str]":
        """Modules and the submodules that they call."""
        return call_graph(self.modules)

    def callers(self, key: str) -> Iterator[Module]:
        """Every module that calls a submodule, at any depth."""
        return (self.modules[name] for name in sorted(nx.ancestors(self.calls, key)) if name in self.modules)

    def callees(self, key: str) -> Iterator[Module]:
        """Every submodule that a module calls, at any depth."""
        return (self.modules[name] for name in sorted(nx.descendants(self.calls, key)) if name in self.modules)
