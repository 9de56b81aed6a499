"""What a check says about a module: rule, severity, place, sentence, cure.

Findings are values. They are collected, sorted and shown; nothing here raises. Every rule id has a page under
``docs/rules/``.
"""

import difflib
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

_SUGGESTION_CUTOFF = 0.6


class Severity(StrEnum):
    """How much a finding matters: an *error* means that the engine cannot run the module."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class Finding(Struct, frozen=True, kw_only=True):
    """One fault, doubt or remark about a module file or a lookup table.

    Attributes:
        rule: Stable id, for example ``GMF201``.
        severity: Error, warning or info.
        file: The file as it was found on disk.
        path: JSON path inside the file, or ``row 7`` of a table; empty for the file as a whole.
        message: What is wrong, in lower case and without a full stop.
        hint: The cure, if there is one.
    """

    rule: str
    severity: Severity
    file: str
    path: str
    message: str
    hint: str | None = None

    def render(self) -> str:
        """One line: file, JSON path, message, cure, rule id."""
        where = f"{self.file}: {self.path}: " if self.path else f"{self.file}: "
        cure = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{cure} [{self.rule} {self.severity}]"


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then infos; inside each by file, path and rule. Duplicates go."""
    unique = {(f.rule, f.severity, f.file, f.path, f.message): f for f in findings}
    return sorted(unique.values(), key=lambda f: (_RANK[f.severity], f.file, f.path, f.rule, f.message))


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of error severity, in their order."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``, did you mean 'COPD Onset'?`` or the empty string where nothing is near."""
    near = near_names(word, known, count=1)
    return f", did you mean {near[0]!r}?" if near else ""


def near_names(word: str, known: Iterable[str], *, count: int = 3) -> Sequence[str]:
    """The known names nearest to a misspelt one, best first; upper and lower case count as equal."""
    spelling = {name.casefold(): name for name in sorted(known, reverse=True)}
    near = difflib.get_close_matches(word.casefold(), spelling, n=count, cutoff=_SUGGESTION_CUTOFF)
    return [spelling[name] for name in near]
