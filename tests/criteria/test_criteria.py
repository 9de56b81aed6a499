"""Our reading of Circe against the reference's own answers."""

from pathlib import Path

import pytest

from tests.conftest import SHARED
from tests.criteria.cases import CaseError, answer, case_folders, expected_answer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a case folder; a folder that was asked for and holds none is a test that fails."""
    if "folder" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("cases")
    root = Path(chosen) if chosen else SHARED / "trials" / "circe"
    try:
        folders, fault = case_folders(root, "expected.json"), f"no criteria case below {root}"
    except CaseError as error:
        folders, fault = [], str(error)
    parameters = [pytest.param(path, None, id=path.name) for path in folders]
    if not parameters:
        skip = [] if chosen else [pytest.mark.skip(reason=f"{fault}: set TRAJSIM_SHARED to the shared inputs")]
        parameters = [pytest.param(root, fault, id="none", marks=skip)]
    metafunc.parametrize(("folder", "fault"), parameters)


def test_case_is_answered_as_the_reference_answers(folder: Path, fault: str | None) -> None:
    assert fault is None, fault
    expected, found = expected_answer(folder), answer(folder)
    if "error" in expected:
        assert "error" in found, f"the reference fails ({expected['error']}), we answer {found}"
        assert "$" in found["error"], "a refusal names the JSON path"
    else:
        assert found == expected
