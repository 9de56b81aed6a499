"""Checkpoints as trained models: what `trajsim.learn.trained.TrainedModel` holds, to a folder and back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from trajsim.errors import DataFileError
from trajsim.event_sequences import Legality
from trajsim.learn.checkpoint_files import DAMAGED_HINT, MODEL, Checkpoint, read_files, vocabulary_to_json, write_files
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.pieces import PIECE_DAYS, REFRESH_DAYS
from trajsim.learn.trained import Demographics, TrainedModel

Cards = Mapping[str, Mapping[str, Any] | str]


class _Plain(msgspec.Struct, frozen=True):
    """What ``model.json`` says in plain numbers and words."""

    kind: Literal["gru", "transformer"]
    width: int
    heads: int
    window: int
    components: int
    min_age_years: float
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
        DataFileError: A file is missing, or no checkpoint of this version.
    """
    return trained_model(read_files(folder), folder=folder)


def trained_model(checkpoint: Checkpoint, *, folder: Path) -> TrainedModel:
    """The model of the files of a checkpoint.

    Raises:
        DataFileError: Its description lacks something.
    """
    said = checkpoint.model
    try:
        plain = msgspec.convert({name: said[name] for name in _Plain.__struct_fields__}, _Plain)
        spec = ModelSpecification(
            vocabulary=checkpoint.vocabulary, kind=plain.kind, width=plain.width, heads=plain.heads,
            window=plain.window, components=plain.components,
        )  # fmt: skip
        legality = Legality(**{name: np.array(said["legality"][name], dtype=bool) for name in ("needs", "excludes")})
        counts = said["demographics"]
        demographics = None if counts is None else Demographics(**{name: np.array(counts[name]) for name in counts})
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
        msg = f"{folder / MODEL}: the description of the model cannot be read: {what}"
        raise DataFileError(msg, hint=DAMAGED_HINT) from error
    return TrainedModel(
        spec=spec,
        params=checkpoint.parameters,
        legality=legality,
        demographics=demographics,
        min_age_years=plain.min_age_years,
        digest=checkpoint.digest,
        modules=plain.modules,
    )
