"""``trajsim warmup``: compiles the machine code of the engine and the writers, so that the first run need not wait."""

import tempfile
import time
from pathlib import Path

from trajsim.cli.console import duration, say

COMPILING = "compiling machine code, once for this version; this takes about a minute"


def announce_compiling(*, quiet: bool) -> bool:
    """Says that machine code is being compiled, if no earlier run left it; returns whether it is."""
    from trajsim.streams.jit import is_warm

    if is_warm():
        return False
    say(COMPILING, quiet=quiet)
    return True


def warmup() -> None:
    """Compile the machine code, so that the first run starts at once.

    Example: trajsim warmup
    """
    from trajsim.streams.jit import cache_folder

    start = time.perf_counter()
    is_cold = announce_compiling(quiet=False)
    with tempfile.TemporaryDirectory(prefix="trajsim-warmup-") as place:
        run_one_patient(Path(place) / "out")
    took = duration(time.perf_counter() - start)
    say(f"machine code {'compiled' if is_cold else 'was there already'} ({took}), kept in {cache_folder()}")


def run_one_patient(out: Path) -> None:
    """One patient of the bundled modules through the engine and every writer: that compiles all kernels."""
    from trajsim.cli.formats import FORMATS
    from trajsim.cli.life_options import LifeOptions
    from trajsim.cli.request import RunRequest
    from trajsim.cli.run import run

    run(
        RunRequest(
            life=LifeOptions(seed=0),
            n_patients=1,
            out=out,
            formats=FORMATS,
            with_states=True,
            shard_size=1,
            threads=1,
            quiet=True,
        )
    )
