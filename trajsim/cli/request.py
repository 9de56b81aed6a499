"""What `trajsim generate` was asked for, as resolved values."""

from dataclasses import dataclass, field
from pathlib import Path

from trajsim.cli.formats import NOTHING
from trajsim.cli.life_options import LifeOptions
from trajsim.cli.output_options import OutputOptions


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What was asked for, as resolved values.

    Attributes:
        life: What a life depends on.
        n_patients: Patients to simulate, the dead included.
        out: Folder to write.
        formats: Names of formats, in their fixed order; empty for none.
        output: What is written of a life, and how.
        with_states: Whether state metrics are written.
        shard_size: Patients a shard.
        threads: Threads that may compute at once.
        quiet: Whether only errors are shown.
    """

    life: LifeOptions
    n_patients: int
    out: Path
    formats: tuple[str, ...]
    output: OutputOptions = field(default_factory=OutputOptions)
    with_states: bool
    shard_size: int
    threads: int
    quiet: bool

    def recorded(self) -> dict[str, str | int | bool | list[str] | None]:
        """The options that the bytes depend on, for the manifest, by option name."""
        return {
            "-n": self.n_patients,
            "--format": list(self.formats) or [NOTHING],
            **self.output.recorded(),
            **self.life.recorded(),
            "--state-metrics": self.with_states,
        }
