"""What a reader or the linter says about criteria: rule, severity, place, sentence, cure.

Findings are values; all of them are returned. Every rule id has a line in `RULES`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trajsim.errors import DataFileError

Severity = Literal["error", "warning", "info"]

RULES: Mapping[str, str] = {
    "CRT101": "not readable as JSON or YAML, or not a mapping",
    "CRT102": "a key, kind or value that the form does not know",
    "CRT103": "a value of the wrong type",
    "CRT104": "something required is missing",
    "CRT105": "a date that is none",
    "CRT106": "a part of Circe that is not supported",
    "CRT107": "a key that Circe ignores",
    "CRT108": "a part of Circe whose own query fails",
    "CRT109": "a threshold that Circe rounds or cuts",
    "CRT201": "no entry criteria",
    "CRT202": "a code set without codes",
    "CRT203": "a code set that nothing uses",
    "CRT204": "a code set that is not defined, or defined twice",
    "CRT205": "two code sets with the same codes",
    "CRT206": "the same code twice in one code set",
    "CRT207": "a criterion without code set",
    "CRT208": "codes of another domain",
    "CRT209": "a test that the domain does not know",
    "CRT301": "a range without its value",
    "CRT302": "a range between without its second value",
    "CRT303": "a range whose first value lies above the second",
    "CRT304": "a negative value where none can be",
    "CRT305": "an empty list of codes, or a text test without text",
    "CRT306": "a patient criterion that asks nothing",
    "CRT401": "a window that ends before it begins",
    "CRT402": "negative days in a window",
    "CRT403": "a window that reaches further back than the observation asked for",
    "CRT404": "death looked for before entry",
    "CRT405": "an exit or a calendar that leaves nothing",
    "CRT501": "criteria that contradict each other",
    "CRT502": "the same criterion twice",
    "CRT503": "a count that is always or never reached",
    "CRT504": "a rule or group without content",
    "CRT505": "a limit without effect",
    "CRT506": "all events kept and no exit set",
    "CRT507": "entry by a drug that the exit does not follow",
    "CRT601": "a code that no record holds",
    "CRT602": "a test that these data cannot answer",
    "CRT603": "descendants asked for without a hierarchy",
}
"""Every rule id and what it stands for."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault, doubt or remark about criteria.

    Attributes:
        rule: Stable id, for example ``CRT301``.
        severity: Error, warning or info.
        file: The file as it was named; empty for criteria made in Python.
        path: JSON path inside the file.
        message: What is wrong, in lower case and without a full stop.
        hint: The cure, if there is one.
    """

    rule: str
    severity: Severity
    path: str
    message: str
    file: str = ""
    hint: str | None = None

    def render(self) -> str:
        """One line: file, JSON path, message, cure, rule id."""
        where = f"{self.file}: {self.path}" if self.file else self.path
        cure = f" ({self.hint})" if self.hint else ""
        return f"{where}: {self.message}{cure} [{self.rule} {self.severity}]"


class CriteriaError(DataFileError):
    """Criteria that cannot be read or run; carries every finding, not only the first."""

    def __init__(self, findings: Sequence[Finding], *, hint: str | None = None) -> None:
        """Renders all findings, one a line."""
        self.findings = tuple(findings)
        count = len(self.findings)
        lines = [f"{count} fault{'s' if count != 1 else ''} in the criteria"]
        lines += [finding.render() for finding in self.findings]
        super().__init__("\n".join(lines), hint=hint)


_RANK = {"error": 0, "warning": 1, "info": 2}


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then infos; inside each by file, path and rule. Nothing is dropped."""
    return sorted(findings, key=lambda each: (_RANK[each.severity], each.file, each.path, each.rule, each.message))


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of error severity, in their order."""
    return [finding for finding in findings if finding.severity == "error"]


def require_no_errors(findings: Iterable[Finding]) -> None:
    """Refuses criteria with findings of error severity.

    Raises:
        CriteriaError: There are some; all of them are listed.
    """
    errors = errors_of(sort_findings(findings))
    if errors:
        raise CriteriaError(errors)
