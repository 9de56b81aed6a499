"""Where learning keeps what is worth keeping between runs: compiled programs, simulated patients, pre-trained weights.

All of it is public and can be made again; nothing of the user's data is ever kept here.
"""

import os
from pathlib import Path

_COMPILED = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
}


def learning_cache() -> Path:
    """The folder, in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "trajsim" / "learning"


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs; to be called before JAX is loaded. What the environment says already stays."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(learning_cache() / "compiled"))
    for name, value in _COMPILED.items():
        os.environ.setdefault(name, value)
