"""``trajsim warmup``: compiles the machine code of the engine once, so that the first run does not wait for it."""

import time

from trajsim.cli.console import duration, say

COMPILING = "compiling machine code, once for this version; this takes a minute or less"


def announce_compiling(*, quiet: bool) -> bool:
    """Says that machine code is being compiled, if no earlier run left it; returns whether it is."""
    from trajsim.streams.jit import is_warm

    if is_warm():
        return False
    say(COMPILING, quiet=quiet)
    return True


def warmup() -> None:
    """Compile the engine's machine code, so that the first run starts at once.

    Example: trajsim warmup
    """
    from trajsim.streams.jit import cache_folder

    start = time.perf_counter()
    is_cold = announce_compiling(quiet=False)
    compile_kernels()
    took = duration(time.perf_counter() - start)
    folder = cache_folder()
    say(f"machine code {'compiled' if is_cold else 'was there already'} ({took}); kept in {folder}")


def compile_kernels() -> None:
    """Runs one patient of the bundled modules through the engine and every writer, which compiles all kernels."""
    raise NotImplementedError
