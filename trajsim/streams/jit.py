"""The one decorator of all machine-code functions, and where their compiled form is kept.

Numba notices an edit only in the file of the function itself, so an edited helper would leave stale machine code
behind. The cache folder's name therefore carries a hash of all kernel sources and of the versions of numba, llvmlite
and NumPy.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numba
from numba.core import config

Kernel = Callable[..., Any]
_log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = ("streams", "lifecycle", "engine/kernels")

# `_nrt=False`: kernels never allocate, so reference counting is dead weight (1.75 times slower, measured in the
# prototype); any allocation becomes a compile-time error, which is a rule worth having.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def _source_digest() -> str:
    digest = hashlib.sha256()
    for package in ("numba", "llvmlite", "numpy"):
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    for folder in _SOURCES:
        for path in sorted((_PACKAGE / folder).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _base_folder() -> Path:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "trajsim"


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None if no place is writable (then every run compiles anew)."""
    folder = _base_folder() / f"kernels-{_source_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        _log.warning("machine code cannot be kept in %s (%s): every run will compile anew", folder, error)
        return None
    return folder


def is_warm() -> bool:
    """Whether an earlier run left compiled kernels for these sources."""
    folder = cache_folder()
    return folder is not None and any(folder.rglob("*.nbi"))


def jit(function: Kernel) -> Kernel:
    """Compiles a kernel on first use, without reference counting, without the interpreter lock, cached on disk."""
    return _compiled(function)


def inline_jit(function: Kernel) -> Kernel:
    """The same for a small function on the hot path: it becomes part of its callers.

    A kernel takes a dozen arrays, each of seven words; a call that the compiler does not inline spends more time on
    them than on its work.
    """
    return _compiled(function, forceinline=True)


def splice_jit(function: Kernel) -> Kernel:
    """The same for a large function with one caller: it is pasted into it before types are inferred.

    Otherwise the compiler optimises it twice, alone and inside its caller, and so on for every level of calls.
    """
    return _compiled(function, inline="always")


def _compiled(function: Kernel, **more: Any) -> Kernel:  # noqa: ANN401 - options of Numba
    options = _OPTIONS | more
    folder = cache_folder()
    if folder is None:
        return _kernel(numba.njit(**options)(function))
    settings = vars(config)  # Numba asks for the folder at decoration time only, so it is set for a moment
    before = settings["CACHE_DIR"]
    settings["CACHE_DIR"] = str(folder)
    try:
        return _kernel(numba.njit(cache=True, **options)(function))
    finally:
        settings["CACHE_DIR"] = before


def _kernel(dispatcher: Any) -> Kernel:  # noqa: ANN401 - Numba's dispatchers have no type
    return dispatcher  # type: ignore[no-any-return]
