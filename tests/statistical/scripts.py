"""The scripts in `benchmarks/`, as tests use them."""

from collections.abc import Callable
from types import ModuleType

Benchmark = Callable[[str], ModuleType]
"""Gives the module of a script by its name without `.py`."""
