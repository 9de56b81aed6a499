from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import orjson
import pytest

from tests.unit.evaluate.made_up_sequences import VOCABULARY, made_up_sequences
from tests.unit.learn.made_up import made_up_cards
from trajsim.cli.app import main
from trajsim.event_sequences import SPLITS, EventSequences, Legality, Vocabulary
from trajsim.learn.checkpoints import write_checkpoint
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.sequence_files import write_sequences
from trajsim.learn.trained import N_AGE_BANDS, Demographics, TrainedModel


@pytest.fixture(name="checkpoint", scope="module")
def checkpoint_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model before any training."""
    return _write_model(tmp_path_factory.mktemp("model") / "checkpoint", VOCABULARY)


@pytest.fixture(name="data", scope="module")
def data_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 made-up patients, 60 of them held out; short histories, so that one shape is compiled."""
    sequences = made_up_sequences(600, 41)
    sequences = sequences.take(np.flatnonzero(sequences.n_days <= 4)[:120])
    split = np.repeat([SPLITS.index("train"), SPLITS.index("held_out")], 60).astype(np.uint8)
    return _write_data(tmp_path_factory.mktemp("data") / "sequences", replace(sequences, split=split))


def _write_model(folder: Path, vocabulary: Vocabulary, legality: Legality | None = None) -> Path:
    spec = ModelSpecification(vocabulary=vocabulary, width=4)
    n_events = len(vocabulary.events)
    sex_age = np.zeros((2, N_AGE_BANDS))
    sex_age[:, 8:14] = 1.0
    follow_up = np.zeros((4, 20, 2))
    follow_up[:, 3:6, 0] = 1.0
    model = TrainedModel(
        spec=spec,
        params=initial_parameters(spec, jax.random.key(0)),
        legality=legality or Legality.first_occurrences(n_events),
        demographics=Demographics(sex_age=sex_age, follow_up=follow_up),
    )
    write_checkpoint(model, folder, cards=made_up_cards(vocabulary))
    return folder


def _write_data(folder: Path, sequences: EventSequences) -> Path:
    write_sequences(sequences, folder, report={})
    return folder


def test_a_model_is_scored_on_held_out_patients(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.json"
    arguments = ["score", str(checkpoint), "--data", str(data), "--reference", str(checkpoint), "--resamples", "2"]
    assert main([*arguments, "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    scores = orjson.loads(out.read_bytes())
    assert {"event_nll_gain.teacher_forced", "cif_gap.free_run.death", "illegal_transitions.free_run"} <= set(scores)
    assert all(key in shown for key in scores)
    assert all(set(value) == {"value", "low", "high", "n", "floor"} for value in scores.values())
    assert scores["illegal_transitions.free_run"]["value"] == 0
    assert scores["share_of_reference_gain.teacher_forced"]["value"] == 1.0
    assert scores["event_nll.teacher_forced"]["n"] == 60


def test_patients_that_are_missing_or_stand_on_both_sides_are_named(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = _write_data(tmp_path / "seen", made_up_sequences(20, 41, split="train"))
    assert main(["score", str(checkpoint), "--data", str(seen)]) == 2
    assert "no patient of the split 'held_out'" in capsys.readouterr().err
    same = _write_data(tmp_path / "same", made_up_sequences(600, 41, split="train"))
    assert main(["score", str(checkpoint), "--data", str(data), "--train", str(same)]) == 2
    assert "60 patients to train on stand among those to score, the first '41-" in capsys.readouterr().err


def test_data_of_another_vocabulary_are_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = _write_model(tmp_path / "other", replace(VOCABULARY, labs=VOCABULARY.labs[:1]))
    assert main(["score", str(other), "--data", str(data)]) == 2
    assert "expected the labs of the checkpoint (sbp), got sbp, smoking" in capsys.readouterr().err


def test_labs_on_another_scale_are_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pressure, smoking = VOCABULARY.labs
    moved = replace(pressure, centre=pressure.centre + 10)
    other = _write_model(tmp_path / "other", replace(VOCABULARY, labs=(moved, smoking)))
    assert main(["score", str(other), "--data", str(data)]) == 2
    message = capsys.readouterr().err
    assert "labs on another scale than the checkpoint's" in message
    assert f"sbp: expected {moved.scale}, got {pressure.scale}" in message
    assert "smoking" not in message


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--split", "test", "--split must be train, tuning, held_out, got 'test'"),
        ("--resamples", "1", "--resamples must be 0 or at least 2, got 1"),
        ("--json", ".", "expected a file in a folder that is there"),
        ("--json", "nowhere/at/all.json", "expected a file in a folder that is there"),
    ],
)
def test_options_out_of_range_are_refused(
    option: str, value: str, message: str, checkpoint: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(checkpoint), "--data", str(data), option, value]) == 2
    assert message in capsys.readouterr().err


def test_models_and_data_of_other_modules_are_named(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = VOCABULARY.event_names
    strict = Legality.first_occurrences(len(names))
    strict.needs[1, 0] = True
    reference = _write_model(tmp_path / "reference", VOCABULARY, strict)
    assert main(["score", str(checkpoint), "--data", str(data), "--reference", str(reference)]) == 2
    said = capsys.readouterr().err
    assert str(reference) in said
    assert f"{names[1]} may no longer come before {names[0]}" in said
    sequences = made_up_sequences(60, 41, split="held_out")
    marked = _write_data(tmp_path / "marked", replace(sequences, forbidden=sequences.events))
    assert main(["score", str(checkpoint), "--data", str(marked)]) == 2
    assert f"marked as forbidden, though the modules of the model allow it: {names[0]} (" in capsys.readouterr().err
