"""What a check has to say, and how many say the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("error", "warning", "information")

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2})?)?")
_QUOTED = re.compile(r"(?<![A-Za-z])'[^']*\d[^']*'")
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, doubtful or worth knowing.

    Attributes:
        severity: error, warning or information.
        rule: What was broken; stable, for programs.
        path: Where, with positions in arrays.
        text: What is wrong, with what was found.
    """

    severity: str
    rule: str
    path: str
    text: str


def general_path(path: str) -> str:
    """A path without positions and ids."""
    return _UUID.sub("{id}", _INDEX.sub("", path))


def general_text(text: str) -> str:
    """A text in which ids, dates and values that hold digits are replaced, so that equal findings meet."""
    text = _STAMP.sub("{date}", _UUID.sub("{id}", text))
    return _INDEX.sub("", _QUOTED.sub("'{v}'", text))


class Tally:
    """Counts of one resource type."""

    __slots__ = ("counts", "nanoseconds", "validated", "with_errors", "with_warnings")

    def __init__(self) -> None:
        self.validated = 0
        self.with_errors = 0
        self.with_warnings = 0
        self.nanoseconds = 0
        self.counts = dict.fromkeys(SEVERITIES, 0)

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        each = max(1, self.validated)
        milliseconds = round(self.nanoseconds / each / 1e6, 3)
        return {
            "validated": self.validated,
            "withErrors": self.with_errors,
            "withWarnings": self.with_warnings,
            **self.counts,
            "cpuMs": milliseconds,
            "ms": milliseconds,
        }


class Ledger:
    """All findings of a run: counted by type, grouped by meaning, and by resource if asked.

    Args:
        each: Whether to keep the findings of every resource.
    """

    def __init__(self, *, each: bool) -> None:
        self.tallies: dict[str, Tally] = {}
        self.each: dict[str, dict[str, list[str]]] | None = {} if each else None
        self._groups: dict[tuple[str, str, str, str, str], dict[str, Any]] = {}

    def tally(self, resource_type: str) -> Tally:
        """The counts of a type."""
        found = self.tallies.get(resource_type)
        if found is None:
            found = self.tallies[resource_type] = Tally()
        return found

    def add(self, resource_type: str, resource_id: str, findings: list[Finding]) -> None:
        """Takes in what one resource gave rise to."""
        tally = self.tally(resource_type)
        severities = set()
        for finding in findings:
            severities.add(finding.severity)
            tally.counts[finding.severity] += 1
            path, text = general_path(finding.path), general_text(finding.text)
            key = (finding.severity, resource_type, path, finding.rule, text)
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = {"count": 0, "resources": set(), "first": (resource_id, finding)}
            group["count"] += 1
            group["resources"].add(resource_id)
            if self.each is not None:
                mine = self.each.setdefault(resource_id, {})
                mine.setdefault(finding.severity, []).append(f"{finding.rule}: {path}: {text}")
        tally.with_errors += "error" in severities
        tally.with_warnings += "warning" in severities

    def total(self) -> dict[str, int]:
        """Counts of all types."""
        return {name: sum(tally.counts[name] for tally in self.tallies.values()) for name in SEVERITIES}

    def groups(self) -> Iterator[dict[str, Any]]:
        """Groups of equal findings, errors first, then by number."""
        order = sorted(
            self._groups.items(), key=lambda item: (SEVERITIES.index(item[0][0]), -item[1]["count"], item[0])
        )
        for (severity, resource_type, path, rule, text), group in order:
            resource_id, finding = group["first"]
            yield {
                "severity": severity,
                "type": resource_type,
                "path": path,
                "id": rule,
                "message": text,
                "count": group["count"],
                "resources": len(group["resources"]),
                "example": {"resource": resource_id, "path": finding.path, "message": finding.text},
            }
