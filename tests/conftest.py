"""Options and fixtures of the whole suite."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared"))

# The same examples in every plain run; new ones every night (HYPOTHESIS_PROFILE=nightly).
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "fast", max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=_SLOW
)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
    np.seterr(over="ignore")  # unsigned words of the kernels wrap around on purpose


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
