from pathlib import Path

import numpy as np
import pytest

from trajsim.errors import ConfigError, DataFileError
from trajsim.learn.private import SecretKeys
from trajsim.learn.resuming import ResumeFolder


def test_state_of_another_run_is_refused_by_name(tmp_path: Path) -> None:
    resume = ResumeFolder.beside(tmp_path / "out", run={"data": "a", "steps": 3})
    assert resume.path == tmp_path / "out.resume"
    assert resume.load({"x": np.zeros(2)}) is None
    resume.save({"x": np.array([1.5, 2.5])})
    again = ResumeFolder.beside(tmp_path / "out", run={"data": "a", "steps": 3})
    found = again.load({"x": np.zeros(2)})
    assert found is not None
    np.testing.assert_array_equal(found["x"], [1.5, 2.5])
    with pytest.raises(ConfigError, match="steps was 3, is 4"):
        ResumeFolder.beside(tmp_path / "out", run={"data": "a", "steps": 4})
    with pytest.raises(ConfigError, match="data was 'a', is 'b'; steps was 3, is 4"):
        ResumeFolder.beside(tmp_path / "out", run={"data": "b", "steps": 4})
    (resume.path / "state.msgpack").write_bytes(b"\xc1")
    with pytest.raises(DataFileError, match="damaged"):
        resume.load({"x": np.zeros(2)})
    resume.remove()
    assert not resume.path.exists()


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    resume = ResumeFolder(tmp_path / "run", run={})
    assert resume.keys() is None
    resume.save_keys({"noise": "00ff"})
    assert resume.keys() == {"noise": "00ff"}
    assert (tmp_path / "run" / "keys.json").stat().st_mode & 0o077 == 0


def test_of_modules_and_orders_only_those_that_differ_are_named(tmp_path: Path) -> None:
    run = {"modules": {"stroke": "aa", "gout": "bb"}, "orders": {"angina after stroke": "forbidden"}}
    ResumeFolder(tmp_path / "run", run=run)
    with pytest.raises(ConfigError) as refusal:
        ResumeFolder(tmp_path / "run", run={"modules": {"stroke": "cc", "gout": "bb"}, "orders": {}})
    assert refusal.value.message.endswith(
        "modules: stroke was 'aa', is 'cc'; orders: angina after stroke was 'forbidden', is None"
    )


def test_keys_and_state_of_an_unknown_run_are_refused(tmp_path: Path) -> None:
    """Noise that was drawn for one sum must not be added to another one."""
    ResumeFolder(tmp_path / "run", run={"data": "a"}).save_keys({"noise": "00ff"})
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(ConfigError, match=r"holds keys\.json, but no run\.json"):
        ResumeFolder(tmp_path / "run", run={"data": "b"})
    (tmp_path / "run" / "keys.json").unlink()
    (tmp_path / "run" / ".run.json.part").write_text("{")  # killed while it was written: nothing was drawn yet
    assert ResumeFolder(tmp_path / "run", run={"data": "b"}).keys() is None
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="got a file"):
        ResumeFolder(tmp_path / "file", run={})


@pytest.mark.parametrize("kept", ["{}", '{"noise": "zz", "sampling": "00", "releases": "00", "is_insecure": true}'])
def test_damaged_keys_are_named(tmp_path: Path, kept: str) -> None:
    resume = ResumeFolder(tmp_path / "run", run={})
    resume.keys_file.write_text(kept)
    with pytest.raises(DataFileError, match=r"keys\.json: the keys of an interrupted training are damaged"):
        SecretKeys.of_run(resume, insecure_seed=None)
