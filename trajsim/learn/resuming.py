"""What a killed training needs to go on: keys, optimizer and position, apart from the checkpoint and never released."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flax import serialization

from trajsim.errors import ConfigError, DataFileError, ExportError
from trajsim.learn.checkpoint_files import Tree, host_tree, json_bytes, json_value, read_json, write_durably

_RESUME_STATE = "state.msgpack"
_RESUME_RUN = "run.json"
_RESUME_KEYS = "keys.json"


class ResumeFolder:
    """What a killed training needs to go on, in a folder of its own beside the checkpoint; never to be released."""

    def __init__(self, path: Path, *, run: Mapping[str, Any]) -> None:
        """Opens or makes the folder.

        Args:
            path: Where it stands.
            run: Plain values that say what is trained on what; a folder of another run is refused.

        Raises:
            ConfigError: The folder is of another run, and the message names what differs; or it does not say of which.
            ExportError: It cannot be written.
        """
        self.path = path
        asked = json_value(run)
        if (path / _RESUME_RUN).is_file():
            found = read_json(path / _RESUME_RUN)
            differing = list(_differences(found, asked))
            if differing:
                msg = f"{path}: an interrupted training of something else stands here: {'; '.join(differing)}"
                hint = "give the same command again, with the same modules and data, or remove the folder to start anew"
                raise ConfigError(msg, hint=hint)
            return
        self._refuse_strangers()
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
            write_durably(path / _RESUME_RUN, json_bytes(asked))
        except OSError as error:
            msg = f"{path}: the state of training cannot be written: {error.strerror or error}"
            raise ExportError(msg) from error

    def _refuse_strangers(self) -> None:
        """Keys of whatever run must never meet other data: the same noise on two sums reveals their difference."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            msg = f"{self.path}: expected a folder for the state of training, got a file"
            raise ConfigError(msg)
        left = sorted(file.name for file in self.path.iterdir() if not file.name.startswith("."))
        if left:
            msg = f"{self.path}: holds {', '.join(left)}, but no {_RESUME_RUN} that says of which training"
            raise ConfigError(msg, hint="remove the folder to start anew: keys serve the training they were made for")

    @classmethod
    def beside(cls, checkpoint: Path, *, run: Mapping[str, Any]) -> "ResumeFolder":
        """The folder that belongs to a checkpoint."""
        return cls(cls.path_beside(checkpoint), run=run)

    @staticmethod
    def path_beside(checkpoint: Path) -> Path:
        """Where the folder that belongs to a checkpoint stands, or would."""
        return checkpoint.with_name(f"{checkpoint.name}.resume")

    def load(self, template: Tree, *, name: str = _RESUME_STATE) -> Tree | None:
        """The last state that was saved, in the form of `template`; None where there is none.

        Raises:
            DataFileError: The file is damaged.
        """
        file = self.path / name
        if not file.is_file():
            return None
        try:
            return serialization.from_bytes(template, file.read_bytes())
        except (ValueError, KeyError) as error:
            msg = f"{file}: the state of an interrupted training is damaged: {error}"
            raise DataFileError(msg, hint="remove the folder to start anew") from error

    def save(self, state: Tree, *, name: str = _RESUME_STATE) -> None:
        """Replaces the saved state, whole or not at all."""
        write_durably(self.path / name, serialization.to_bytes(host_tree(state)))

    @property
    def keys_file(self) -> Path:
        """Where the keys stand."""
        return self.path / _RESUME_KEYS

    def keys(self) -> dict[str, Any] | None:
        """The keys that were saved, or None."""
        return read_json(self.keys_file) if self.keys_file.is_file() else None

    def save_keys(self, keys: Mapping[str, Any]) -> None:
        """Keeps the keys, readable by the owner alone."""
        write_durably(self.keys_file, json_bytes(keys), mode=0o600)

    def remove(self) -> None:
        """Ends the run: its keys are gone with it."""
        shutil.rmtree(self.path, ignore_errors=True)


def _differences(found: Mapping[str, Any], asked: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """What differs between two runs, entry by entry where an entry has entries of its own."""
    for key in sorted({*found, *asked}):
        was, is_now = found.get(key), asked.get(key)
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from _differences(was, is_now, f"{within}{key}: ")
        elif was != is_now:
            yield f"{within}{key} was {was!r}, is {is_now!r}"
