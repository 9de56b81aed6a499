"""The files of a checkpoint: written whole or not at all, digested over every byte.

A checkpoint holds parameters, the description of the model and its cards, and nothing else: whoever has the noise key
of a private training can subtract the noise. Keys, optimizer and position stand in `trajsim.learn.resuming`.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization

from trajsim.errors import ConfigError, DataFileError, ExportError
from trajsim.learn.cards import CARDS, PrivacyCard, read_cards

Tree = Any
"""Arrays in nested dictionaries, tuples and lists, as JAX sees them; or plain values of JSON."""

FORMAT = "trajsim checkpoint"
VERSION = 1
PARAMETERS = "parameters.msgpack"
MODEL = "model.json"
FILES = tuple(sorted((PARAMETERS, MODEL, *CARDS)))
DAMAGED_HINT = "train the model again, or take the file from where the checkpoint came"


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A trained model as it is released.

    Attributes:
        parameters: Nested dictionaries of arrays.
        model: What ``model.json`` holds: kind, sizes, vocabulary, calibration, digests of the bound modules.
        privacy_card: What was promised and spent.
        digest: sha256 over all files.
    """

    parameters: dict[str, Any]
    model: Mapping[str, Any]
    privacy_card: PrivacyCard
    digest: str


def json_value(value: Tree) -> Tree:
    """A value as JSON reads it back: tuples become lists, numbers of numpy those of Python."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Tree) -> Tree:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    msg = f"no plain value: {type(value).__name__}"
    raise TypeError(msg)


def write_files(
    folder: Path, *, parameters: Tree, model: Mapping[str, Any], cards: Mapping[str, Mapping[str, Any] | str]
) -> str:
    """Writes a checkpoint, whole or not at all.

    Args:
        folder: A new or empty folder, or an older checkpoint, which is replaced.
        parameters: Nested dictionaries of arrays.
        model: Plain values that describe the model; needs ``kind`` and ``vocabulary``.
        cards: The four cards by file name: a mapping for JSON, text for Markdown.

    Returns:
        The digest of the checkpoint.

    Raises:
        ConfigError: The folder holds something else.
        ExportError: It cannot be written.

    Guarantees:
        Holds no key, optimizer or sampler state. (tests/statistical/test_privacy.py)
    """
    require_checkpoint_folder(folder)
    content: dict[str, bytes] = {
        PARAMETERS: serialization.msgpack_serialize(host_tree(parameters)),
        MODEL: json_bytes({"format": FORMAT, "version": VERSION, **model}),
    }
    for name in CARDS:
        card = cards[name]
        content[name] = card.encode() if isinstance(card, str) else json_bytes(card)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as made:
            fresh = Path(made) / "new"
            fresh.mkdir()
            for name, data in content.items():
                write_durably(fresh / name, data)
            if folder.exists():
                folder.rename(Path(made) / "old")
            fresh.rename(folder)
    except OSError as error:
        msg = f"{folder}: a checkpoint cannot be written: {error.strerror or error}"
        raise ExportError(msg) from error
    return digest_checkpoint(folder)


def require_checkpoint_folder(folder: Path) -> None:
    """Refuses a folder that holds anything but an older checkpoint.

    Raises:
        ConfigError: It does, or is no folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        msg = f"{folder}: expected a folder for a checkpoint, got a file"
        raise ConfigError(msg)
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in FILES)
    if foreign:
        msg = f"{folder}: the folder holds what is no checkpoint ({', '.join(map(repr, foreign[:3]))})"
        raise ConfigError(msg, hint="choose a new or empty folder")


def read_files(folder: Path) -> Checkpoint:
    """Reads what `write_files` wrote.

    Raises:
        ConfigError: The folder holds none of its files.
        DataFileError: A file is missing or damaged, or of another version; every fault is named.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if len(missing) == len(FILES):
        msg = f"{folder}: expected a checkpoint, {'got a folder without one' if folder.is_dir() else 'no such folder'}"
        raise ConfigError(msg, hint="`trajsim fit --data DIR --out CHECKPOINT` makes one")
    if missing:
        msg = f"{folder}: expected a checkpoint, {', '.join(missing)} missing"
        raise DataFileError(msg, hint=DAMAGED_HINT)
    faults: list[str] = []
    model = _read_model(folder / MODEL, faults)
    parameters = _read_parameters(folder / PARAMETERS, faults)
    privacy, _ = read_cards(folder, faults)
    if model is None or parameters is None or privacy is None or faults:
        raise DataFileError("\n".join(faults), hint=DAMAGED_HINT)
    return Checkpoint(parameters=parameters, model=model, privacy_card=privacy, digest=digest_checkpoint(folder))


def _read_model(path: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        model = read_json(path)
    except DataFileError as error:
        faults.append(str(error))
        return None
    if model.get("format") != FORMAT or model.get("version") != VERSION:
        found = f"{model.get('format')!r}, {model.get('version')!r}"
        faults.append(f"{path}: expected format {FORMAT!r}, version {VERSION}, got {found}")
    return model


def _read_parameters(path: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        parameters = serialization.msgpack_restore(path.read_bytes())
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # what Flax makes of bytes that it did not write
        faults.append(f"{path}: not the parameters of a model: {error}")
        return None
    if not isinstance(parameters, dict):
        faults.append(f"{path}: not the parameters of a model: expected named arrays, got {type(parameters).__name__}")
        return None
    return parameters


def digest_checkpoint(folder: Path) -> str:
    """sha256 over the names and bytes of all files of a checkpoint."""
    total = hashlib.sha256()
    for name in FILES:
        total.update(f"{name}:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def host_tree(tree: Tree) -> Tree:
    """The same arrays in the memory of the host."""
    return jax.tree.map(np.asarray, tree)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A mapping as indented JSON."""
    return json.dumps(value, indent=2, default=_plain, allow_nan=False).encode() + b"\n"


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        DataFileError: It is none.
    """
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        msg = f"{path}: not JSON: {error}"
        raise DataFileError(msg) from error
    if not isinstance(value, dict):
        msg = f"{path}: expected a JSON object, got {type(value).__name__}"
        raise DataFileError(msg)
    return value


def write_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Writes a file so that a power cut leaves the old one or the new one."""
    partial = path.with_name(f".{path.name}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
