"""What changes the result of a simulation, and what changes only its speed: two classes, so that none is mixed up."""

from dataclasses import dataclass

from trajsim.errors import ConfigError
from trajsim.lifecycle.profile import Lifecycle
from trajsim.units import WEEK_MS

STEP_BUDGET = 10_000
TILE = 256  # rows of every question to a learned model, filled up; few enough for lives to stay near the processor


@dataclass(frozen=True, kw_only=True)
class SimulationOptions:
    """Everything but modules and cohort that a life depends on.

    Attributes:
        seed: Run seed, 0 <= seed < 2^64.
        end_ms: End of the run; no step begins at or after it. Milliseconds since 1970-01-01 UTC.
        time_step_ms: Length of a step; the grid of a patient begins at birth.
        step_budget: States that may finish in one module and step before the engine stops with a fault.
        lifecycle: What happens beside the modules (docs/draws.md, section 10).
    """

    seed: int
    end_ms: int
    time_step_ms: int = WEEK_MS
    step_budget: int = STEP_BUDGET
    lifecycle: Lifecycle = Lifecycle.DEFAULT

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ConfigError: A value is out of range.
        """
        if not 0 <= self.seed < 2**64:
            msg = f"seed must lie in 0 ... 2^64 - 1, got {self.seed}"
            raise ConfigError(msg)
        if self.time_step_ms <= 0 or self.step_budget <= 0:
            msg = f"time step and step budget must be positive, got {self.time_step_ms} and {self.step_budget}"
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class PerformanceOptions:
    """What changes speed and memory, and never a byte of the result (tests/property proves it).

    Attributes:
        threads: Worker threads.
        chunk_size: Patients a worker takes at once.
        slots: Lives that a worker has under way at once where a learned model is asked, at most `TILE`.
    """

    threads: int = 1
    chunk_size: int = 64
    slots: int = TILE

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ConfigError: A value is not positive.
        """
        if self.threads < 1 or self.chunk_size < 1:
            msg = f"threads and chunk size must be positive, got {self.threads} and {self.chunk_size}"
            raise ConfigError(msg)
        if not 1 <= self.slots <= TILE:
            msg = f"slots must lie in 1 ... {TILE}, got {self.slots}"
            raise ConfigError(msg)
