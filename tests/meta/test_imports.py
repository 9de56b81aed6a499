import ast
import re
import subprocess
import sys
import tomllib

import pytest

from tests.meta.repository import ROOT, python_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_HEAVY = ("flax", "jax", "numba", "optax", "pandas", "pyarrow")


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_import_contracts_hold() -> None:
    cli = pytest.importorskip("importlinter.cli", reason="import-linter is not installed; CI runs lint-imports")
    assert cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == 0


def test_every_library_that_is_imported_is_declared() -> None:
    """A test tool or a library of an extra is no run-time dependency; trajsim.testing alone may use the first."""
    found = {
        name.split(".")[0]
        for file in python_files("trajsim", "fhir_export")
        if "testing" not in file.parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in _imported(node)
    }
    declared = {re.split(r"[>=\[]", line)[0].split(".")[0] for line in PROJECT["dependencies"]}
    declared |= {"yaml"} & {name.removeprefix("py") for name in declared}  # PyYAML is imported as yaml
    declared |= {"sklearn"} if "scikit-learn" in declared or "scikit_learn" in declared else set()
    declared |= {name.replace("-", "_") for name in declared}
    assert found - set(sys.stdlib_module_names) - {"trajsim", "fhir_export"} <= declared


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_importing_trajsim_loads_nothing_heavy() -> None:
    loaded = _run(f"import sys, trajsim; print(*[name for name in {_HEAVY!r} if name in sys.modules])")
    assert loaded.split() == []


def test_importing_trajsim_is_instant() -> None:
    code = "import time; t = time.perf_counter(); import trajsim; print(time.perf_counter() - t)"
    assert min(float(_run(code)) for _ in range(3)) < 0.3


def test_the_help_of_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, trajsim.cli.app; print(*[name for name in {_HEAVY!r} if name in sys.modules])"
    assert _run(code).split() == []


def test_importing_every_module_changes_nothing_outside() -> None:
    state = "np.geterr(), random.getstate()[1][:5], logging.root.handlers[:], dict(os.environ), warnings.filters[:]"
    code = f"""
import logging, os, random, sys, warnings
import fhir.resources, networkx, numba, pandas, pyarrow, rich.progress, rich.table, typer.main  # others may
import numpy as np
before = ({state})
import trajsim.cli.app, trajsim.cli.run, trajsim.engine.trace, fhir_export
after = ({state})
print(before == after)
"""
    assert _run(code).strip() == "True"
