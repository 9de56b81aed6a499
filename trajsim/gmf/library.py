"""Finds module files and lookup tables, and loads them as one set.

The only place that knows where modules lie: in a wheel, in a checkout, or in a folder of the user. All faults of all
files are collected before anything is refused.
"""

import fnmatch
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

import trajsim
from trajsim.errors import ConfigError, ModuleError
from trajsim.gmf.document import Tree, json_path, read_document
from trajsim.gmf.findings import Finding, Severity, did_you_mean, errors_of, near_names, sort_findings
from trajsim.gmf.model import LookupTable, Module, ModuleSet
from trajsim.gmf.overrides import apply_overrides, read_overrides
from trajsim.gmf.parse import module_from_tree
from trajsim.gmf.rules.references import reference_errors
from trajsim.gmf.tables import mismatch, parse_table
from trajsim.gmf.walk import table_uses

_TABLES = "lookup_tables"
_SKIPPED_FOLDERS = frozenset({"overlays"})


class Library(Struct, frozen=True, kw_only=True):
    """What lies in the folders, faults included: for checks, which go on where a run refuses.

    Attributes:
        modules: Key to module, sorted; bad states are stand-ins.
        tables: The tables that could be read, as in `ModuleSet`.
        table_files: All table files by name.
        findings: What reading them found.
    """

    modules: Mapping[str, Module]
    tables: Mapping[tuple[str, int], LookupTable]
    table_files: Mapping[str, Path]
    findings: tuple[Finding, ...]


def bundled_modules_root() -> Path:
    """The folder of the modules that ship with trajsim.

    Raises:
        ConfigError: The installation holds none.
    """
    package = Path(trajsim.__file__).parent
    for folder in (package / "_modules", package.parent / "modules"):
        if folder.is_dir():
            return folder
    msg = f"this installation of trajsim holds no modules: neither {package / '_modules'} nor a checkout's modules/"
    raise ConfigError(msg, hint="name a folder with --modules-dir")


def load_modules(
    root: Path | Sequence[Path], *, patterns: str | None = None, overrides: Path | None = None
) -> ModuleSet:
    """Loads all modules below a folder, with the lookup tables that they name.

    Args:
        root: The modules folder, or several: a later one replaces equal keys and equal table names of an earlier one.
        patterns: Wildcards, separated by ``:`` or ``,``, that choose top-level modules by key without regard to case;
            submodules are always loaded. None chooses all.
        overrides: A properties file of single numbers to set (``FILE.json::JSONPATH = number``).

    Returns:
        The modules, sorted by key, and their tables.

    Raises:
        ModuleError: With all faults of all files: syntax, structure, missing states, submodules, tables and columns.
        ConfigError: No such folder, no module in it, or a pattern or override that matches nothing.
    """
    library = read_library(root, patterns=patterns, overrides=overrides)
    errors = errors_of([*library.findings, *reference_errors(library.modules)])
    if errors:
        raise ModuleError(sort_findings(errors), hint="`trajsim check` explains every rule")
    return ModuleSet(modules=library.modules, tables=library.tables)


def read_library(root: Path | Sequence[Path], *, patterns: str | None = None, overrides: Path | None = None) -> Library:
    """Reads what `load_modules` loads, keeps what is faulty, and returns the findings.

    Raises:
        ConfigError: As `load_modules`.
    """
    files: dict[str, Path] = {}
    table_files: dict[str, Path] = {}
    for folder in [root] if isinstance(root, Path) else root:
        files.update(module_files(folder))
        table_files.update(_table_files(folder))
    keys = _chosen(files, patterns)
    findings: list[Finding] = []
    trees: dict[str, Tree] = {}
    digests: dict[str, str] = {}
    for key in keys:
        data, fault = _read(files[key])
        tree, faults = read_document(data, file=str(files[key])) if fault is None else (None, [fault])
        findings += faults
        if not (tree is None and faults):
            trees[key], digests[key] = tree, hashlib.sha256(data).hexdigest()
    if overrides is not None:
        for key in apply_overrides(trees, read_overrides(overrides), overrides):
            digests[key] = hashlib.sha256(json.dumps(trees[key]).encode()).hexdigest()
    modules: dict[str, Module] = {}
    for key, tree in trees.items():
        module, faults = module_from_tree(tree, key=key, file=files[key], digest=digests[key])
        findings += faults
        if module is not None:
            modules[key] = module
    tables, faults = _load_tables(modules, table_files)
    return Library(modules=modules, tables=tables, table_files=table_files, findings=(*findings, *faults))


def module_files(root: Path) -> dict[str, Path]:
    """Key to file of every module below a folder, sorted by code unit of the key.

    Raises:
        ConfigError: The folder does not exist or holds no ``.json`` file.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        msg = f"modules folder {str(root)!r} {what}: expected a folder with module files (*.json)"
        raise ConfigError(msg)
    found = {
        path.relative_to(root).with_suffix("").as_posix(): path
        for path in root.rglob("*.json")
        if path.is_file() and not _SKIPPED_FOLDERS & set(path.relative_to(root).parts[:-1])
    }
    if not found:
        msg = f"modules folder {str(root)!r} holds no module: expected at least one file *.json"
        raise ConfigError(msg, hint="name the folder that holds the module files themselves with --modules-dir")
    return dict(sorted(found.items()))


def _table_files(root: Path) -> dict[str, Path]:
    """Table files of a modules folder: inside it, or beside it where there is none inside."""
    for folder in (root / _TABLES, root.resolve().parent / _TABLES):
        if folder.is_dir():
            return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.csv"))}
    return {}


def _chosen(files: Mapping[str, Path], patterns: str | None) -> list[str]:
    keys = sorted(files)
    top_level = [key for key in keys if "/" not in key]
    if patterns is None:
        if not top_level:
            msg = f"no top-level module: the {len(keys)} module files all lie in subfolders, so nothing would run"
            raise ConfigError(msg, hint="name the folder above the submodules")
        return keys
    chosen: set[str] = set()
    words = [word.strip() for word in re.split(r"[:,]", patterns) if word.strip()]
    if not words:
        msg = f"--modules {patterns!r} holds no pattern"
        raise ConfigError(msg)
    for word in words:
        matcher = re.compile(fnmatch.translate(word.removesuffix(".json")), re.IGNORECASE)
        hits = [key for key in top_level if matcher.match(key)]
        if not hits:
            near = near_names(word.strip("*?"), top_level)
            hint = "near names: " + ", ".join(near) if near else f"there are {len(top_level)} top-level modules"
            msg = f"pattern {word!r} matches no top-level module"
            raise ConfigError(msg, hint=hint)
        chosen.update(hits)
    return [key for key in keys if "/" in key or key in chosen]


def _read(file: Path) -> tuple[bytes, Finding | None]:
    try:
        return file.read_bytes(), None
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        return b"", Finding(rule="GMF101", severity=Severity.ERROR, file=str(file), path="", message=message)


def _load_tables(
    modules: Mapping[str, Module], table_files: Mapping[str, Path]
) -> tuple[dict[tuple[str, int], LookupTable], list[Finding]]:
    """Loads each table once for each number of options it is used with. A list names its table in its first option."""
    parsed: dict[tuple[str, int], LookupTable | None] = {}
    findings: list[Finding] = []
    for module, state, transition in table_uses(modules):
        name, n_targets = transition.options[0].lookup_table_name, len(transition.options)
        path = json_path(("states", state, "lookup_table_transition", 0, "lookup_table_name"))
        if name not in table_files:
            message = f"no lookup table {name!r}{did_you_mean(name, table_files)}"
            hint = f"put it into the folder {_TABLES}/ of the modules folder"
            findings.append(_error("GMF203", module, path, message, hint))
            continue
        if (name, n_targets) not in parsed:
            file = table_files[name]
            data, fault = _read(file)
            table, faults = (
                parse_table(data, name=name, n_targets=n_targets, file=file) if not fault else (None, [fault])
            )
            parsed[name, n_targets] = table
            findings += faults
        table = parsed[name, n_targets]
        wrong = None if table is None else mismatch(table, [option.transition for option in transition.options])
        if wrong is not None:
            hint = "name the last columns after the target states"
            findings.append(_error("GMF204", module, path, wrong, hint))
    return {key: table for key, table in parsed.items() if table is not None}, findings


def _error(rule: str, module: Module, path: str, message: str, hint: str) -> Finding:
    severity = Severity.ERROR
    return Finding(rule=rule, severity=severity, file=str(module.file), path=path, message=message, hint=hint)
