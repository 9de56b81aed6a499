"""Checkpoints as trained models: what `trajsim.learn.trained.TrainedModel` holds, to a folder and back."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import msgspec
import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError, DataFileError
from trajsim.event_sequences import Legality, Vocabulary
from trajsim.learn.checkpoint_files import DAMAGED_HINT, MODEL, PARAMETERS, Checkpoint, read_files, write_files
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import PIECE_DAYS, REFRESH_DAYS
from trajsim.learn.trained import FOLLOW_UP_AGE_YEARS, N_AGE_BANDS, Demographics, TrainedModel
from trajsim.learn.vocabulary_json import vocabulary_to_json

MOST_AGE_YEARS = 120.0

Cards = Mapping[str, Mapping[str, Any] | str]


class _Masks(msgspec.Struct, frozen=True):
    needs: list[list[bool]]
    excludes: list[list[bool]]


class _Counts(msgspec.Struct, frozen=True):
    sex_age: list[list[float]]
    follow_up: list[list[list[float]]]


class _Description(msgspec.Struct, frozen=True):
    """What ``model.json`` says."""

    kind: Literal["gru", "transformer"]
    width: int
    heads: int
    window: int
    components: int
    vocabulary: Vocabulary
    legality: _Masks
    demographics: _Counts | None
    min_age_years: Annotated[float, msgspec.Meta(ge=0.0, le=MOST_AGE_YEARS)]
    piece_days: tuple[float, ...]
    modules: dict[str, str]


def write_checkpoint(
    model: TrainedModel, folder: Path, *, cards: Cards, modules: Mapping[str, str] | None = None
) -> str:
    """Writes a trained model and its cards, whole or not at all.

    Args:
        model: What was trained.
        folder: A new or empty folder, or an older checkpoint, which is replaced.
        cards: The four cards by file name; see `trajsim.learn.card_writing.cards_of`.
        modules: sha256 of every bound module by name; none for events that no module is bound to.

    Returns:
        The digest.

    Raises:
        ConfigError: The folder holds something else.
        ExportError: It cannot be written.
    """
    return write_files(folder, parameters=model.params, model=describe_model(model, modules=modules or {}), cards=cards)


def describe_model(model: TrainedModel, *, modules: Mapping[str, str]) -> dict[str, Any]:
    """What ``model.json`` says: everything but the parameters."""
    spec, demographics = model.spec, model.demographics
    return {
        "kind": spec.kind,
        "width": spec.width,
        "heads": spec.heads,
        "window": spec.window,
        "components": spec.components,
        "vocabulary": vocabulary_to_json(spec.vocabulary),
        "min_age_years": model.min_age_years,
        "piece_days": list(PIECE_DAYS),
        "refresh_days": REFRESH_DAYS,
        "legality": {"needs": model.legality.needs, "excludes": model.legality.excludes},
        "demographics": None
        if demographics is None
        else {"sex_age": demographics.sex_age, "follow_up": demographics.follow_up},
        "modules": dict(modules),
    }


def read_checkpoint(folder: Path) -> TrainedModel:
    """Reads a trained model.

    Raises:
        ConfigError: The folder holds no checkpoint.
        DataFileError: A file is missing or damaged, or of another version.
    """
    return trained_model(read_files(folder), folder=folder)


def trained_model(checkpoint: Checkpoint, *, folder: Path) -> TrainedModel:
    """The model of the files of a checkpoint.

    Raises:
        DataFileError: Its description cannot be read, or its arrays do not fit it; all that is wrong, at once.
    """
    place = folder / MODEL
    try:
        said = msgspec.convert(checkpoint.model, _Description)
        spec = ModelSpecification(
            vocabulary=said.vocabulary, kind=said.kind, width=said.width, heads=said.heads, window=said.window,
            components=said.components,
        )  # fmt: skip
    except (msgspec.ValidationError, ConfigError) as error:
        msg = f"{place}: the description of the model cannot be read: {error}"
        raise DataFileError(msg, hint=DAMAGED_HINT) from error
    if said.piece_days != PIECE_DAYS:
        msg = f"{place}: hazards in pieces from {said.piece_days} days on, expected {PIECE_DAYS}"
        raise DataFileError(msg, hint="an earlier version of trajsim made it; train the model again")
    faults: list[str] = []
    square = (spec.n_events, spec.n_events)
    n_years = math.ceil(said.vocabulary.max_years)
    masks = {
        name: _array(f"{place}: legality.{name}", getattr(said.legality, name), square, bool, faults)
        for name in ("needs", "excludes")
    }
    shapes = {"sex_age": (2, N_AGE_BANDS), "follow_up": (len(FOLLOW_UP_AGE_YEARS), n_years, 2)}
    counts = {
        name: _array(f"{place}: demographics.{name}", getattr(said.demographics, name), shape, float, faults)
        for name, shape in (shapes if said.demographics is not None else {}).items()
    }
    faults += [f"{folder / PARAMETERS}: {fault}" for fault in _foreign_parameters(spec, checkpoint.parameters)]
    if faults:
        raise DataFileError("\n".join(faults), hint=DAMAGED_HINT)
    return TrainedModel(
        spec=spec,
        params=checkpoint.parameters,
        legality=Legality(**masks),
        demographics=Demographics(**counts) if counts else None,
        min_age_years=said.min_age_years,
        digest=checkpoint.digest,
        modules=said.modules,
    )


def _array(place: str, rows: list[Any], shape: tuple[int, ...], kind: type, faults: list[str]) -> NDArray[Any]:
    """Rows as an array of just that shape."""
    try:
        array: NDArray[Any] = np.array(rows, dtype=kind)
    except ValueError:  # rows of different lengths
        array = np.empty((0,), dtype=kind)
        found = "rows of different lengths"
    else:
        found = _shown(array.shape)
    if array.shape != shape:
        faults.append(f"{place}: expected {_shown(shape)} values, got {found}")
    return array


def _foreign_parameters(spec: ModelSpecification, parameters: Mapping[str, Any]) -> Iterator[str]:
    """What parameters have that a network of this shape has not, and the other way round."""
    made = jax.eval_shape(lambda: initial_parameters(spec, jax.random.key(0)))
    expected = {_name(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(made)}
    found = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(parameters)}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} belongs to no model of this shape"
        elif np.shape(found[name]) != expected[name]:
            yield f"{name}: expected {_shown(expected[name])} values, got {_shown(np.shape(found[name]))}"
        elif not np.isfinite(np.asarray(found[name], dtype=np.float64)).all():
            yield f"{name} holds what is no finite number"


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) if shape else "one"
