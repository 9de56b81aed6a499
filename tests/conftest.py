"""Options and fixtures of the whole suite."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the options of the suite."""
    parser.addoption(
        "--cases",
        metavar="DIR",
        default=None,
        help="run the conformance cases below DIR, instead of our own and the shared ones",
    )


@pytest.fixture(name="root", scope="session")
def root_fixture() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(name="shared", scope="session")
def shared_fixture() -> Path:
    """The read-only inputs beside the checkout; tests that need them are skipped where they are absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED}: set TRAJSIM_SHARED to the shared inputs")
    return SHARED
