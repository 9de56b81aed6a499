"""What the operating system refuses, in words: full disk, missing rights, too many open files."""

import errno

from trajsim.errors import ExportError

_SENTENCES = {
    errno.ENOSPC: ("the disk is full", "free some space and give the same command again; finished shards are kept"),
    errno.EDQUOT: (
        "the disk quota is used up",
        "free some space and give the same command again; finished shards are kept",
    ),
    errno.EACCES: ("permission denied", "choose a folder that you may write to"),
    errno.EPERM: ("operation not permitted", "choose a folder that you may write to"),
    errno.EROFS: ("the file system is read-only", "choose a folder that you may write to"),
    errno.EMFILE: ("too many open files", "raise the limit with `ulimit -n`"),
    errno.EFBIG: ("the file would be larger than the file system or a limit allows", "choose more, smaller shards"),
}


def error_from_os(error: OSError) -> ExportError:
    """The error of trajsim that says what an `OSError` means, with the file it names."""
    sentence, hint = _SENTENCES.get(error.errno or 0, (error.strerror or str(error), None))
    where = f"{error.filename}: " if error.filename else ""
    return ExportError(f"{where}{sentence}", hint=hint)
