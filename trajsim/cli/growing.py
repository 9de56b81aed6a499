"""Files that grow shard by shard: a first line once, then the lines of every shard, in order."""

import shutil
from pathlib import Path

_COPY_BYTES = 1 << 20


def append_lines(source: Path, target: Path, *, header: bytes, length: int, is_distinct: bool) -> int:
    """Adds the lines of one file to another.

    Args:
        source: The lines of a shard.
        target: The file that grows; it is made, with its folder, if it is not there.
        header: Its first line.
        length: How long it should be by now; what lies beyond was left by a shard that was never finished, and goes.
        is_distinct: Whether it holds every line once.

    Returns:
        Its new length.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as rows, target.open("r+b" if target.exists() else "w+b") as stream:
        stream.truncate(length)
        stream.seek(length)
        if not length:
            stream.write(header)
        if is_distinct:
            stream.seek(0)
            known = set(stream.readlines())
            stream.writelines(line for line in rows if line not in known)
        else:
            shutil.copyfileobj(rows, stream, _COPY_BYTES)
        return stream.tell()
