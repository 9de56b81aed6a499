import inspect
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path

import jax
import numpy as np
import pytest

from trajsim.cli.app import main
from trajsim.cli.fit import fit
from trajsim.event_sequences import EventKind, Vocabulary
from trajsim.learn.audit import make_canaries
from trajsim.learn.checkpoint_files import FILES
from trajsim.learn.checkpoints import read_checkpoint
from trajsim.learn.fitting import FitSettings
from trajsim.learn.sequence_files import write_sequences

_VOCABULARY = Vocabulary(events=(EventKind(name="fever"), EventKind(name="death")), max_years=10.0)


@pytest.fixture(name="data", scope="module")
def _data_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty made-up patients for training and twenty for tuning, all of one length."""
    folder = tmp_path_factory.mktemp("learning") / "sequences"
    made = make_canaries(_VOCABULARY, 60, rng=np.random.default_rng(1))
    split = (np.arange(60) >= 40).astype(np.uint8)
    write_sequences(replace(made, split=split), folder, report={})
    return folder


@pytest.fixture(autouse=True)
def _learning_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of the test's own, and programs that are compiled in less time than it takes to make them fast."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    jax.config.update("jax_disable_most_optimizations", val=True)  # type: ignore[no-untyped-call]
    yield
    jax.config.update("jax_disable_most_optimizations", val=False)  # type: ignore[no-untyped-call]


def _fit(data: Path, out: Path, *options: str) -> int:
    return main(["fit", "--data", str(data), "--out", str(out), "--pretrain", "0", *options])


_PRIVATE = ("--epsilon", "3", "--delta", "1e-3", "--public-n", "40", "--steps", "2", "--insecure-seed", "5")


def test_a_private_fit_writes_a_checkpoint_with_its_cards_once(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "checkpoint"
    texts = ("--about", "patients who never lived", "--earlier-release", "a model of last year, epsilon 1")
    assert _fit(data, out, *_PRIVATE, *texts) == 0
    said = capsys.readouterr().err
    assert "2 steps of about 7 patients" in said
    assert "warning: --insecure-seed" in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["checkpoint"]
    assert sorted(path.name for path in out.iterdir()) == list(FILES)
    card = json.loads((out / "privacy-card.json").read_text())
    assert 0 < card["epsilon"] <= 3.0
    assert card["data"] == "patients who never lived"
    assert card["earlier_releases"] == ["a model of last year, epsilon 1"]
    assert [release["name"].split(":")[0] for release in card["releases"]] == ["calibration"] * 3 + ["demographics"] * 2
    model = read_checkpoint(out)
    assert model.spec.vocabulary == _VOCABULARY
    assert model.demographics is not None
    assert model.demographics.follow_up.shape[1] == 10
    assert _fit(data, out, *_PRIVATE) == 2
    assert "spends its epsilon on top of the first" in capsys.readouterr().err
    parameters = (out / "parameters.msgpack").read_bytes()
    (out / "privacy-card.md").unlink()
    assert _fit(data, out, *_PRIVATE) == 2
    assert "or what is left of one (model-card.json" in capsys.readouterr().err
    assert (out / "parameters.msgpack").read_bytes() == parameters
    assert not out.with_name("checkpoint.resume").exists()


def test_without_epsilon_it_says_infinity(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data, tmp_path / "checkpoint", "--batch-size", "40") == 0
    assert capsys.readouterr().err.count("epsilon = infinity") == 2
    card = json.loads((tmp_path / "checkpoint" / "privacy-card.json").read_text())
    assert (card["epsilon"], card["delta"]) == ("infinity", None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--epsilon", "3"), "--public-n N"),
        (("--public-n", "40"), "no epsilon is given"),
        (("--steps", "10", "--delta", "1e-4"), "only training with privacy knows delta 0.0001, steps 10"),
        (("--epsilon", "-1", "--public-n", "40"), "epsilon: expected a positive number, got -1.0"),
        (("--epsilon", "3", "--public-n", "40", "--delta", "0.1"), "delta 0.1 is too large for 40 patients"),
        (("--epsilon", "3", "--public-n", "40", "--batch-size", "90"), "batch size between 1 and the public number"),
        (("--model", "lstm"), "--model: expected one of gru, transformer, got 'lstm'"),
        (("--pretrain", "-1"), "--pretrain: expected 0 or more"),
        (("--model", "lstm", "--pretrain", "-1"), "got 'lstm'\n--pretrain: expected 0 or more, got -1"),
        (("--batch-size", "0", "--steps", "0"), "--batch-size: expected 1 or more, got 0\n--steps: expected 1 or more"),
        (("--earlier-release", " "), "--earlier-release: expected a sentence for the privacy card, got an empty text"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_training(
    options: tuple[str, ...], said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(data, tmp_path / "checkpoint", *options) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "checkpoint").exists()


def test_marks_of_modules_that_forbid_more_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_canaries(_VOCABULARY, 60, rng=np.random.default_rng(1))
    split = (np.arange(60) >= 40).astype(np.uint8)
    fever = np.array([True, False])
    write_sequences(replace(made, split=split, forbidden=made.events & fever), tmp_path / "marked", report={})
    assert _fit(tmp_path / "marked", tmp_path / "checkpoint") == 2
    assert f"allow it: fever ({made.events[:, 0].sum()})" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint").exists()


def test_events_that_the_data_lack_are_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.yaml"
    events.write_text("events:\n  - name: gout\n    codes: {LOCAL: [g]}\ndeath: {}\n")
    assert _fit(data, tmp_path / "checkpoint", "--events", str(events)) == 2
    assert "gout" in capsys.readouterr().err


def test_an_audit_wants_enough_canaries(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--data", str(data), "--canaries", "50"]) == 2
    assert "--canaries: expected 1,000 or more" in capsys.readouterr().err
    assert main(["audit", "--data", str(data), "--json", str(tmp_path / "nowhere" / "a.json")]) == 2
    assert "expected a file in a folder that is there" in capsys.readouterr().err
    assert main(["audit", "--data", str(data), "--json", str(data)]) == 2
    assert main(["audit", "--data", str(data), "--patients", "41"]) == 2
    assert "expected 41 patients to train on beside the canaries, got 40" in capsys.readouterr().err
    assert main(["audit", "--data", str(data), "--model", "lstm"]) == 2


def test_the_command_begins_with_the_settings_of_the_library() -> None:
    """The command names its defaults without loading the library, so that help stays quick."""
    given = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}
    settings = {entry.name: entry.default for entry in fields(FitSettings)}
    shared = {name for name in given.keys() & settings.keys() if settings[name] is not MISSING}
    assert {"steps", "l2_clip_norm", "epsilon", "delta", "batch_size"} <= shared
    assert {name: given[name] for name in shared} == {name: settings[name] for name in shared}
