from pathlib import Path

import pytest

from tests.unit.evaluate.population import made_up_records, made_up_states
from tests.unit.evaluate.reference_tables import write_reference_tables
from trajsim.evaluate.parity.tally import tally

N_REFERENCE = 2_000


@pytest.fixture(name="reference_folder", scope="session")
def reference_folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference tables of 2,000 made-up persons."""
    records = made_up_records(N_REFERENCE, 101)
    return write_reference_tables(
        tmp_path_factory.mktemp("reference") / "made", tally([records]), made_up_states(records)
    )
