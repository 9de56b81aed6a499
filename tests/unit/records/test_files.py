from pathlib import Path

import pytest

from trajsim.errors import ConfigError, ExportError
from trajsim.records.files import part_name, whole_file


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    with whole_file(target) as temporary:
        temporary.write_text("x")
        assert not target.exists()
    assert target.read_text() == "x"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def _write_half(target: Path) -> None:
    with whole_file(target) as temporary:
        temporary.write_text("new")
        msg = "stop"
        raise ValueError(msg)


def test_a_file_that_fails_leaves_nothing_and_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="stop"):
        _write_half(target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_that_cannot_be_written_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ExportError, match="cannot write") as caught,
        whole_file(tmp_path / "file" / "a.txt") as temporary,
    ):
        temporary.write_text("x")
    assert caught.value.hint is not None


def test_names_of_parts_sort_as_shards_do() -> None:
    assert part_name(12, "csv") == "part-00000012.csv"
    assert sorted([part_name(9, "csv"), part_name(10, "csv")]) == [part_name(9, "csv"), part_name(10, "csv")]
    for shard in (-1, 10**8):
        with pytest.raises(ConfigError, match="shard must lie in"):
            part_name(shard, "csv")
