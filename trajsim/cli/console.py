"""What the command line says, and where: results on standard output, everything else on standard error.

Numbers are grouped by a comma and have a decimal point in every locale.
"""

import sys

_KIB = 1024.0


def say(text: str, *, quiet: bool = False) -> None:
    """A remark about the work, for a person; on standard error, so that results can be piped."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def show(text: str) -> None:
    """A result, on standard output."""
    print(text, flush=True)


def complain(message: str) -> None:
    """An error, as it is: what, where, and after a blank line the cure."""
    print(f"error: {message}", file=sys.stderr, flush=True)


def count(number: int, noun: str) -> str:
    """``1 patient``, ``12,000 patients``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(n_bytes: float) -> str:
    """``812 B``, ``3.4 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < _KIB:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= _KIB
    return f"{n_bytes:.1f} TiB"


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 10 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
