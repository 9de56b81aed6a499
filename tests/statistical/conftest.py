"""Fixtures of the statistical tests."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]
"""Gives the module of a script in `benchmarks/` by its name without `.py`."""


@pytest.fixture(name="script")
def script_fixture(root: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Scripts in `benchmarks/`, imported as `python benchmarks/NAME.py` would: they may import one another."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module
