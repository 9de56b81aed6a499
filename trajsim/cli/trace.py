"""``trajsim trace``: one patient, step by step, with the reason for every transition."""

import typer


def trace() -> None:
    """Waits."""
    raise typer.Exit(3)
