"""The errors that trajsim raises: one root, one family a room.

A message says what is wrong, what was expected, what was found and where; a cure follows after a blank line and
``Hint:``. The command line prints the message without a traceback and exits with the family's code.
"""

from collections.abc import Sequence
from typing import Protocol


class FindingLike(Protocol):
    """What `ModuleError` needs of a finding (see `trajsim.gmf.findings.Finding`)."""

    def render(self) -> str:
        """One line: file, JSON path, rule id, message."""


class TrajsimError(Exception):
    """Root of all errors that trajsim raises on purpose.

    Attributes:
        exit_code: What the command line returns: 1 findings, 2 usage, 3 fault.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keeps the sentence and the cure apart, and joins them for display."""
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}\n\nHint: {hint}")


class ModuleError(TrajsimError):
    """A module file cannot be run; carries every finding, not only the first."""

    exit_code = 1

    def __init__(self, findings: Sequence[FindingLike], *, hint: str | None = None) -> None:
        """Renders all findings, one a line."""
        self.findings = tuple(findings)
        count = len(self.findings)
        lines = [f"{count} fault{'s' if count != 1 else ''} in the modules"]
        lines += [finding.render() for finding in self.findings]
        super().__init__("\n".join(lines), hint=hint)


class CompileError(TrajsimError):
    """Modules that passed the checks but do not fit the compiled form."""


class EngineFault(TrajsimError):
    """The engine stopped inside a life.

    Attributes:
        module: Path of the top-level module that ran, or a reserved process name.
        state: State that ran.
        patient_id: Patient whose life it was.
        time_ms: Simulated instant, milliseconds since 1970-01-01 UTC.
    """

    def __init__(
        self, message: str, *, module: str, state: str, patient_id: int, time_ms: int, hint: str | None = None
    ) -> None:
        """Appends the place to the sentence."""
        self.module = module
        self.state = state
        self.patient_id = patient_id
        self.time_ms = time_ms
        where = f"module {module!r}, state {state!r}, patient {patient_id}, time {time_ms} ms"
        super().__init__(f"{message} ({where})", hint=hint)


class SchemaError(TrajsimError):
    """A table lacks a column, has a wrong type, or breaks an invariant of Records."""

    exit_code = 1


class ConfigError(TrajsimError, ValueError):
    """An option or argument that cannot be used as given."""

    exit_code = 2


class PrivacyError(TrajsimError):
    """A privacy promise that cannot be kept as asked."""


class ExportError(TrajsimError):
    """Output that cannot be written: full disk, missing rights, foreign folder."""


class ServerError(TrajsimError):
    """A server that is not there, turns us away, or is not what it should be."""


class DataFileError(TrajsimError):
    """A data file that is missing, truncated or malformed."""

    exit_code = 1


class TrajsimWarning(UserWarning):
    """Something the user can change; never used for what only developers can."""
