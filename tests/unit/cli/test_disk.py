from pathlib import Path

import pytest

from trajsim.cli.disk import free_bytes, is_surely_enough, require_space
from trajsim.errors import ExportError


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_a_small_run_need_not_be_measured() -> None:
    assert is_surely_enough(10, 2, 100 << 30)
    assert not is_surely_enough(1_000_000, 2, 100 << 30)
    assert is_surely_enough(10**9, 0, 100 << 30)


def test_a_run_that_would_not_fit_is_refused_with_both_sizes() -> None:
    require_space(Path("out"), expected=1 << 30, n_patients=10, free=2 << 30)
    with pytest.raises(ExportError) as refusal:
        require_space(Path("out"), expected=3 << 30, n_patients=10, free=2 << 30)
    assert refusal.value.message == "out: about 3.0 GiB expected for 10 patients, 2.0 GiB free"
    assert refusal.value.exit_code == 3
