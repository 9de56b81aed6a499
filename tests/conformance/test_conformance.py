"""Every conformance case on the reference interpreter and on the virtual machine.

``pytest tests/conformance --cases DIR`` runs the case folders below DIR; without it our own cases run, and the shared
ones where they are there.
"""

import functools
import importlib
from pathlib import Path

import pytest

from tests.conformance.cases import CaseError, Simulate, case_folders, differences, live, read_case
from tests.conftest import SHARED
from trajsim.engine.reference import simulate_patient

OWN_CASES = Path(__file__).parent / "cases"
SHARED_CASES = SHARED / "synthea" / "reference" / "conformance"
ENGINES = ("reference", "vm")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a case and interpreter; a folder that cannot be used is a test that fails."""
    chosen = metafunc.config.getoption("cases")
    roots = [Path(chosen)] if chosen else [OWN_CASES, *([SHARED_CASES] if SHARED_CASES.is_dir() else [])]
    parameters: list[tuple[Path, str | None, str]] = []
    for root in roots:
        try:
            parameters += [(folder, None, engine) for folder in case_folders(root) for engine in ENGINES]
        except CaseError as error:
            parameters += [(root, str(error), engine) for engine in ENGINES]
    ids = [f"{folder.name}-{engine}" for folder, _, engine in parameters]
    metafunc.parametrize(("folder", "fault", "engine"), parameters, ids=ids)


def test_case(folder: Path, fault: str | None, engine: str) -> None:
    assert fault is None, fault
    case = read_case(folder)
    lived = live(case, _interpreter(engine))
    assert differences(case, lived) == []


@functools.cache
def _interpreter(engine: str) -> Simulate:
    if engine == "reference":
        return simulate_patient
    simulate: Simulate = importlib.import_module("trajsim.engine.simulate").simulate_life
    return simulate
