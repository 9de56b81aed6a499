"""Fixtures of the statistical tests."""

import importlib
from pathlib import Path

import pytest

from tests.statistical.scripts import Benchmark


@pytest.fixture(name="benchmark")
def benchmark_fixture(root: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """Scripts in `benchmarks/`, imported as `python benchmarks/NAME.py` would: they may import one another."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module
