import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trajsim.errors import ConfigError
from trajsim.learn.checkpoint_files import Tree
from trajsim.learn.resuming import ResumeFolder
from trajsim.learn.training import Rows, TrainingProgress, TrainingSettings, fixed_chunks, mean_loss_of, train

_TRUE = np.array([1.0, -2.0, 0.5])


def _loss(parameters: Tree, row: Tree) -> jax.Array:
    error = row["x"].sum(0) @ parameters["w"] + parameters["b"] - row["y"]
    return jnp.asarray(error * error)


def _rows(n: int, length: int, seed: int) -> Rows:
    x = np.random.default_rng(seed).normal(size=(n, length, 3)).astype(np.float32)
    return {"x": x, "y": (x.sum(1) @ _TRUE).astype(np.float32)}


_FIRST = {"w": jnp.zeros(3), "b": jnp.zeros(())}
_BUCKETS = [_rows(90, 2, 1), _rows(31, 4, 2)]
_TUNING = [_rows(20, 2, 3)]


def test_finds_what_made_the_data() -> None:
    settings = TrainingSettings(n_epochs=60, batch_size=32, learning_rate=0.05)
    result = train(_loss, _FIRST, _BUCKETS, tuning=_TUNING, settings=settings)
    np.testing.assert_allclose(result.parameters["w"], _TRUE, atol=0.02)
    assert result.tuning_losses[result.best_epoch] == min(result.tuning_losses)


def test_stops_when_tuning_gets_no_better() -> None:
    # Tuning rows that contradict the training rows: the loss grows from the first epoch on.
    against = {"x": _TUNING[0]["x"], "y": -10 * _TUNING[0]["y"]}
    settings = TrainingSettings(n_epochs=30, batch_size=32, learning_rate=0.05, patience=3)
    result = train(_loss, _FIRST, _BUCKETS, tuning=[against], settings=settings)
    assert len(result.tuning_losses) == 4
    assert result.best_epoch == 0


def test_a_killed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    settings = TrainingSettings(n_epochs=6, batch_size=32, learning_rate=0.05)
    whole = train(_loss, _FIRST, _BUCKETS, tuning=_TUNING, settings=settings)

    def stop(progress: TrainingProgress) -> None:
        if progress.step >= progress.n_steps / 2:
            raise KeyboardInterrupt

    resume = ResumeFolder(tmp_path / "run", run={"data": "toy"})
    with pytest.raises(KeyboardInterrupt):
        train(_loss, _FIRST, _BUCKETS, tuning=_TUNING, settings=settings, progress=stop, resume=resume)
    again = ResumeFolder(tmp_path / "run", run={"data": "toy"})
    resumed = train(_loss, _FIRST, _BUCKETS, tuning=_TUNING, settings=settings, resume=again)
    assert np.asarray(resumed.parameters["w"]).tobytes() == np.asarray(whole.parameters["w"]).tobytes()
    assert resumed.tuning_losses == whole.tuning_losses


def test_mean_loss_counts_every_patient_once() -> None:
    expected = np.concatenate([jax.vmap(_loss, in_axes=(None, 0))(_FIRST, rows) for rows in _BUCKETS]).mean()
    assert mean_loss_of(_loss, chunk_size=32)(_FIRST, _BUCKETS) == pytest.approx(expected, rel=1e-5)
    assert math.isnan(mean_loss_of(_loss)(_FIRST, []))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9])
def test_chunks_hold_every_position_once(n: int) -> None:
    chunks = list(fixed_chunks(np.arange(n) + 5, 8))
    kept = [position for positions, padding in chunks for position in positions[~padding]]
    assert kept == [i + 5 for i in range(n)]
    assert all(len(positions) == 8 for positions, _ in chunks)


def test_refuses_no_patients_and_wrong_settings() -> None:
    with pytest.raises(ConfigError, match="at least one patient"):
        train(_loss, _FIRST, [])
    with pytest.raises(ConfigError, match="n_epochs"):
        TrainingSettings(n_epochs=0)
    with pytest.raises(ConfigError, match="learning_rate"):
        TrainingSettings(learning_rate=math.nan)
