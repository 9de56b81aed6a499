"""The bars that show how far long work is, its rate, and the time left. Only on a terminal."""

import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:  # `trajsim --help` loads no JAX
    from trajsim.learn.training import TrainingProgress

_SHARP = 10.0


class _Rate(ProgressColumn):
    """Patients a second, with one decimal below ten."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        if speed is None:
            return Text("-- patients/s")
        return Text(f"{speed:,.1f} patients/s" if speed < _SHARP else f"{speed:,.0f} patients/s")


class PatientProgress:
    """A bar on standard error; silent where that is no terminal or where quiet was asked for."""

    def __init__(self, *, n_patients: int, n_done: int, quiet: bool) -> None:
        """Starts at the patients that an interrupted run had finished."""
        console = Console(stderr=True)
        self.is_shown = console.is_terminal and not quiet and sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            disable=not self.is_shown,
            transient=True,
            speed_estimate_period=60.0,
        )
        self._task = self._progress.add_task("patients", total=n_patients, completed=n_done)

    def __enter__(self) -> "PatientProgress":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, n_patients: int) -> None:
        """More patients are done; may be called from any thread."""
        self._progress.advance(self._task, n_patients)


class UploadProgress:
    """The same for files on their way to a server: bytes of the folder, and the resources that are loaded."""

    def __init__(self, *, n_bytes: int, quiet: bool) -> None:
        console = Console(stderr=True)
        is_shown = console.is_terminal and not quiet and sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[resources]:,} resources sent"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            disable=not is_shown,
            transient=True,
            speed_estimate_period=60.0,
        )
        self._n_resources = 0
        self._task = self._progress.add_task("loading", total=n_bytes, resources=0)

    def __enter__(self) -> "UploadProgress":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, n_bytes: int, n_resources: int) -> None:
        """More of the folder is done."""
        self._n_resources += n_resources
        self._progress.update(self._task, advance=n_bytes, resources=self._n_resources)


class TrainingBar:
    """The same for training: steps, and what has been spent so far."""

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        is_shown = console.is_terminal and not quiet and sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            disable=not is_shown,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "TrainingBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def watch(self, stage: str, progress: "TrainingProgress") -> None:
        """More of a stage is done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=progress.n_steps, said="")
        if stage == "pre-training":
            said = "public data"
        elif math.isfinite(progress.epsilon):
            said = f"epsilon {progress.epsilon:.3f}"
        else:
            said = "epsilon infinity"
        if progress.tuning_loss is not None:
            said += f", tuning loss {progress.tuning_loss:.3f}"
        self._progress.update(self._tasks[stage], completed=progress.step, total=progress.n_steps, said=said)
