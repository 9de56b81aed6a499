"""Runs every rule over module files and returns what they find.

A fault never raises here: a folder with ten broken files gives the findings of all ten.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from trajsim.errors import ConfigError
from trajsim.gmf.findings import Finding, errors_of, sort_findings
from trajsim.gmf.library import Library, read_library
from trajsim.gmf.rules import codes, names, probabilities, reachability, references, structure, timing
from trajsim.gmf.rules.rule import Rule, Subject

RULES: Mapping[str, Rule] = {
    rule.id: rule
    for family in (structure, references, probabilities, codes, reachability, timing, names)
    for rule in family.RULES
}


def check_modules(root: Path | Sequence[Path], *, patterns: str | None = None) -> list[Finding]:
    """Checks all modules below a folder with all rules.

    Args:
        root: The modules folder, or several as in `load_modules`.
        patterns: Wildcards that choose top-level modules, as in `load_modules`.

    Returns:
        All findings, errors first. A finding of error severity means that the engine cannot run the module.

    Raises:
        ConfigError: There is no such folder or no module in it; faults *in* modules are findings.
    """
    return check_library(read_library(root, patterns=patterns))


def check_library(library: Library) -> list[Finding]:
    """Checks what `read_library` read, with all rules."""
    errors = error_findings(library)
    subject = Subject(
        modules=library.modules,
        tables=library.tables,
        table_files=library.table_files,
        faulty_files=frozenset(finding.file for finding in errors),
    )
    findings = [*library.findings, *errors]
    for family in (references, probabilities, codes, reachability, timing, names):
        findings += family.check(subject)
    return sort_findings(findings)


def error_findings(library: Library) -> list[Finding]:
    """The findings of error severity only: what stops a run. Fast."""
    return sort_findings(errors_of([*library.findings, *references.reference_errors(library.modules)]))


def check_errors_only(root: Path | Sequence[Path], *, patterns: str | None = None) -> list[Finding]:
    """Like `check_modules`, with the rules of error severity only."""
    return error_findings(read_library(root, patterns=patterns))


def check_files(files: Sequence[Path]) -> list[Finding]:
    """Checks single module files, each in the folder that it belongs to, so that its submodules and tables are found.

    Raises:
        ConfigError: A file does not exist.
    """
    findings: list[Finding] = []
    by_root: dict[Path, set[str]] = {}
    for file in files:
        if not file.is_file():
            msg = f"module file {str(file)!r} does not exist"
            raise ConfigError(msg)
        by_root.setdefault(modules_root_of(file), set()).add(str(file.resolve()))
    for root, wanted in by_root.items():
        findings += [finding for finding in check_modules(root) if str(Path(finding.file).resolve()) in wanted]
    return sort_findings(findings)


def modules_root_of(file: Path) -> Path:
    """The modules folder of a file: the nearest called ``modules`` or holding ``lookup_tables``, or its own."""
    for folder in file.resolve().parents:
        if folder.name in {"modules", "_modules"} or (folder / "lookup_tables").is_dir():
            return folder
    return file.resolve().parent
