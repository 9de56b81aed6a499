"""Files and functions stay small enough to be read."""

import ast
from pathlib import Path

import pytest

from tests.meta.repository import ROOT, python_files

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_DISPATCH_LINES = 300
DISPATCH = ROOT / "trajsim" / "engine" / "kernels" / "process.py"

FILES = python_files("trajsim", "fhir_export", "tests", "benchmarks")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_file_stays_below_its_ceiling(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_functions_stay_below_their_ceiling(file: Path) -> None:
    ceiling = MAX_DISPATCH_LINES if file == DISPATCH else MAX_FUNCTION_LINES
    long = {
        node.name: _body_lines(node)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and _body_lines(node) > ceiling
    }
    assert long == {}


def _body_lines(function: ast.FunctionDef) -> int:
    """Lines of the body without its docstring: a long explanation or a long list of options is no long function."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1
