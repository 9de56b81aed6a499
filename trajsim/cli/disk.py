"""Compares what a run will write with the space that is free, before it begins."""

import shutil
from pathlib import Path

from trajsim.cli.console import count, size
from trajsim.errors import ExportError

# More than any whole life has taken so far in one format, so that a small run need not be measured first.
GENEROUS_BYTES_A_PATIENT = 40 << 20
RESERVE_BYTES = 64 << 20


def free_bytes(folder: Path) -> int:
    """Free space of the disk that a folder is on, or will be on."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def is_surely_enough(n_patients: int, n_formats: int, free: int) -> bool:
    """Whether even an absurdly large output would fit, so that nothing need be measured."""
    return n_patients * n_formats * GENEROUS_BYTES_A_PATIENT + RESERVE_BYTES < free


def require_space(folder: Path, *, expected: float, n_patients: int, free: int) -> None:
    """Refuses a run whose output would not fit.

    Raises:
        ExportError: Expected bytes exceed the free ones.
    """
    if expected + RESERVE_BYTES > free:
        msg = f"{folder}: about {size(expected)} expected for {count(n_patients, 'patient')}, {size(free)} free"
        raise ExportError(msg, hint="fewer patients, fewer formats, or a folder on a larger disk")
