import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.learn.made_up import made_up_cards
from trajsim.errors import ConfigError, DataFileError
from trajsim.event_sequences import EventKind, LabKind, Vocabulary
from trajsim.learn.checkpoint_files import (
    FILES,
    MODEL,
    PARAMETERS,
    digest_checkpoint,
    read_files,
    write_files,
)
from trajsim.learn.vocabulary_json import vocabulary_from_json, vocabulary_to_json

_VOCABULARY = Vocabulary(
    events=(EventKind(name="fever"), EventKind(name="death")), labs=(LabKind(name="pulse", centre=70.0, spread=10.0),)
)
_PARAMETERS = {"head": {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}, "b": np.float32(0.5)}
_MODULES = {"fever": "aa", "cold": "bb"}


def _write(folder: Path, **changed: str) -> str:
    model: dict[str, Any] = {
        "kind": "toy",
        "vocabulary": vocabulary_to_json(_VOCABULARY),
        "modules": _MODULES,
        **changed,
    }
    return write_files(folder, parameters=_PARAMETERS, model=model, cards=made_up_cards(_VOCABULARY))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    digest = _write(tmp_path / "out")
    read = read_files(tmp_path / "out")
    np.testing.assert_array_equal(read.parameters["head"]["w"], _PARAMETERS["head"]["w"])  # type: ignore[index]
    assert vocabulary_from_json(read.model["vocabulary"]) == _VOCABULARY
    assert read.privacy_card.epsilon == "infinity"
    assert read.digest == digest
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == list(FILES)


def test_the_digest_sees_every_file(tmp_path: Path) -> None:
    digest = _write(tmp_path / "out")
    for name in FILES:
        data = (tmp_path / "out" / name).read_bytes()
        (tmp_path / "out" / name).write_bytes(data + b"\n")
        assert digest_checkpoint(tmp_path / "out") != digest
        (tmp_path / "out" / name).write_bytes(data)
    assert digest_checkpoint(tmp_path / "out") == digest


def test_replaces_a_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    first = _write(tmp_path / "out")
    assert _write(tmp_path / "out", kind="other") != first
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"thesis\.txt"):
        _write(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_all_damaged_files_are_named_at_once(tmp_path: Path) -> None:
    _write(tmp_path / "out")
    for name in (PARAMETERS, MODEL, "privacy-card.json", "model-card.json"):
        (tmp_path / "out" / name).write_bytes(b"\x05")
    with pytest.raises(DataFileError) as caught:
        read_files(tmp_path / "out")
    assert all(f"{name}: " in str(caught.value) for name in (PARAMETERS, MODEL, "privacy-card.json", "model-card.json"))


def test_a_place_without_a_checkpoint_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        read_files(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="a folder without one"):
        read_files(tmp_path)


def test_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    _write(tmp_path / "out")
    (tmp_path / "out" / "privacy-card.md").unlink()
    with pytest.raises(DataFileError, match=r"privacy-card\.md missing"):
        read_files(tmp_path / "out")
    _write(tmp_path / "out")
    for data in (b"\xc1", b"", b"\x05"):
        (tmp_path / "out" / PARAMETERS).write_bytes(data)
        with pytest.raises(DataFileError, match="not the parameters"):
            read_files(tmp_path / "out")
    _write(tmp_path / "out")
    (tmp_path / "out" / MODEL).write_text(json.dumps({"format": "else"}))
    with pytest.raises(DataFileError, match="expected format"):
        read_files(tmp_path / "out")
    (tmp_path / "out" / MODEL).write_text("[]")
    with pytest.raises(DataFileError, match="JSON object"):
        read_files(tmp_path / "out")
