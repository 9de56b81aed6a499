"""Files that are either whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trajsim.errors import ConfigError, ExportError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives the place of a temporary file that takes the place of `path` when the block ends, and vanishes if it fails.

    Nothing is forced to the disk: a kill leaves whole files, and after a loss of power a run that is resumed finds the
    files that are not whole by their length. (Forcing every file took longer than simulating what it holds.)

    Args:
        path: Where the file shall be. Missing folders are made.

    Yields:
        A path in the same folder, whose name begins with a dot.

    Raises:
        ExportError: The disk is full, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise ExportError(msg, hint="free some space, or name another folder with --out") from error
    finally:
        with suppress(OSError):  # it took its place, or the folder cannot be written
            temporary.unlink()


def part_name(shard: int, suffix: str) -> str:
    """Name of the file of a shard; names sort as shards do.

    Raises:
        ConfigError: The shard does not fit in the name.
    """
    if not 0 <= shard < 10**8:
        msg = f"shard must lie in 0 ... 99999999, got {shard}"
        raise ConfigError(msg)
    return f"part-{shard:08d}.{suffix}"
