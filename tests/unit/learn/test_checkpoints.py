import json
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.unit.learn.made_up import made_up_cards
from trajsim.errors import DataFileError
from trajsim.event_sequences import EventKind, LabKind, Legality, Vocabulary
from trajsim.learn.checkpoint_files import MODEL
from trajsim.learn.checkpoints import read_checkpoint, write_checkpoint
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.trained import N_AGE_BANDS, Demographics, TrainedModel

_SPEC = ModelSpecification(
    vocabulary=Vocabulary(events=(EventKind(name="fever"), EventKind(name="death")), labs=(LabKind(name="pulse"),)),
    width=4,
)
_CARDS = made_up_cards(_SPEC.vocabulary)


@pytest.mark.parametrize("has_demographics", [True, False])
def test_a_trained_model_comes_back(tmp_path: Path, *, has_demographics: bool) -> None:
    model = TrainedModel(
        spec=_SPEC,
        params=initial_parameters(_SPEC, jax.random.key(0)),
        legality=Legality.first_occurrences(2),
        demographics=Demographics(sex_age=np.ones((2, N_AGE_BANDS)), follow_up=np.full((4, 20, 2), 0.5))
        if has_demographics
        else None,
        min_age_years=30.0,
    )
    digest = write_checkpoint(model, tmp_path / "out", cards=_CARDS, modules={"fever": "aa"})
    read = read_checkpoint(tmp_path / "out")
    assert (read.spec, read.min_age_years, read.digest) == (_SPEC, 30.0, digest)
    assert read.modules == {"fever": "aa"}
    assert jax.tree.all(jax.tree.map(np.array_equal, dict(model.params), read.params))
    np.testing.assert_array_equal(read.legality.excludes, np.eye(2, dtype=bool))
    assert (read.demographics is None) != has_demographics
    if read.demographics is not None:
        assert read.demographics.follow_up.shape == (4, 20, 2)


def test_a_description_that_lacks_something_is_refused(tmp_path: Path) -> None:
    model = TrainedModel(_SPEC, initial_parameters(_SPEC, jax.random.key(0)), Legality.first_occurrences(2))
    write_checkpoint(model, tmp_path / "out", cards=_CARDS)
    file = tmp_path / "out" / MODEL
    file.write_text(file.read_text().replace('"width"', '"breadth"'))
    with pytest.raises(DataFileError, match="cannot be read: Object missing required field `width`"):
        read_checkpoint(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("width", "twelve", r"Expected `int`, got `str` - at `\$\.width`"),
        ("modules", ["diabetes"], r"Expected `object`, got `array` - at `\$\.modules`"),
    ],
)
def test_a_description_of_another_type_is_refused(tmp_path: Path, name: str, value: object, words: str) -> None:
    model = TrainedModel(_SPEC, initial_parameters(_SPEC, jax.random.key(0)), Legality.first_occurrences(2))
    write_checkpoint(model, tmp_path / "out", cards=_CARDS)
    file = tmp_path / "out" / MODEL
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    with pytest.raises(DataFileError, match=rf"model\.json: .* cannot be read: {words}"):
        read_checkpoint(tmp_path / "out")


def _damage(folder: Path, name: str, value: object) -> None:
    file = folder / MODEL
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))


def test_arrays_that_do_not_fit_the_description_are_all_named(tmp_path: Path) -> None:
    model = TrainedModel(_SPEC, initial_parameters(_SPEC, jax.random.key(0)), Legality.first_occurrences(2))
    write_checkpoint(model, tmp_path / "out", cards=_CARDS)
    _damage(tmp_path / "out", "width", 6)
    _damage(tmp_path / "out", "legality", {"needs": [[False]], "excludes": [[True], [False, True]]})
    counts = {"sex_age": [[1.0], [2.0]], "follow_up": [[[1.0, 2.0]]]}
    _damage(tmp_path / "out", "demographics", counts)
    with pytest.raises(DataFileError) as caught:
        read_checkpoint(tmp_path / "out")
    said = str(caught.value)
    assert "legality.needs: expected 2 x 2 values, got 1 x 1" in said
    assert "legality.excludes: expected 2 x 2 values, got rows of different lengths" in said
    assert f"demographics.sex_age: expected 2 x {N_AGE_BANDS} values, got 2 x 1" in said
    assert "demographics.follow_up: expected 4 x 20 x 2 values, got 1 x 1 x 2" in said
    assert "params/core/bias: expected 18 values, got 12" in said


def test_parameters_of_another_model_or_of_none_are_named(tmp_path: Path) -> None:
    parameters = dict(initial_parameters(_SPEC, jax.random.key(0))["params"])
    core = dict(parameters.pop("core"))
    core["bias"] = np.full_like(core["bias"], np.nan)
    damaged = {"params": {**parameters, "core": core, "tail": np.zeros(3)}}
    del damaged["params"]["entry"]
    write_checkpoint(TrainedModel(_SPEC, damaged, Legality.first_occurrences(2)), tmp_path / "out", cards=_CARDS)
    with pytest.raises(DataFileError) as caught:
        read_checkpoint(tmp_path / "out")
    said = str(caught.value)
    assert "params/core/bias holds what is no finite number" in said
    assert "params/tail belongs to no model of this shape" in said
    assert "params/entry/" in said


@pytest.mark.parametrize("years", [-1.0, 200.0])
def test_an_age_that_nobody_has_is_refused(tmp_path: Path, years: float) -> None:
    model = TrainedModel(_SPEC, initial_parameters(_SPEC, jax.random.key(0)), Legality.first_occurrences(2))
    write_checkpoint(model, tmp_path / "out", cards=_CARDS)
    _damage(tmp_path / "out", "min_age_years", years)
    with pytest.raises(DataFileError, match=r"at `\$\.min_age_years`"):
        read_checkpoint(tmp_path / "out")


def test_pieces_of_an_earlier_version_are_refused_by_name(tmp_path: Path) -> None:
    model = TrainedModel(_SPEC, initial_parameters(_SPEC, jax.random.key(0)), Legality.first_occurrences(2))
    write_checkpoint(model, tmp_path / "out", cards=_CARDS)
    _damage(tmp_path / "out", "piece_days", [0.0, 14.0])
    with pytest.raises(DataFileError, match=r"model\.json: hazards in pieces .*\(0\.0, 14\.0\)"):
        read_checkpoint(tmp_path / "out")
