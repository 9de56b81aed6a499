"""The learned model of a run: which one, what of the modules is bound to it, and what it changes for the population."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import trajsim
from trajsim.cli.changed_modules import Taught, require_orders
from trajsim.cli.learning_cache import keep_compiled_programs
from trajsim.errors import ConfigError, ModuleError

if TYPE_CHECKING:  # `trajsim --help` loads neither the engine nor JAX
    import numpy as np
    from numpy.typing import NDArray

    from trajsim.gmf.bindings import Overlay
    from trajsim.gmf.findings import Finding
    from trajsim.gmf.model import Binding, ModuleSet
    from trajsim.trajectory_model import TrajectoryModel

FLAGSHIP = Path(trajsim.__file__).parent / "learn" / "released" / "cardiometabolic"
"""The checkpoint that ships, used where nobody names another."""

SYNTHEA = "synthea"
_MODEL_FILE = "model.json"
_HINT = "docs/guides/binding-a-model.md says how modules are bound, in their files or by --bind"


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which model times a run, and what binds it.

    Attributes:
        checkpoint: Folder of the checkpoint; None for a run without a model.
        is_default: Whether nobody asked for it.
        overlay: File that binds modules to it from outside; None for none.
        is_shipped_overlay: Whether the overlay is one of ours, which binds what several models may have.
    """

    checkpoint: Path | None = None
    is_default: bool = False
    overlay: Path | None = None
    is_shipped_overlay: bool = False

    def recorded(self) -> dict[str, str | None]:
        """For the manifest, by option name: digests, not places."""
        from trajsim.provenance import digest_file

        return {
            "--model": None if self.checkpoint is None else f"sha256 {load(self.checkpoint).digest}",
            "--bind": None if self.overlay is None else f"{self.overlay.name} (sha256 {digest_file(self.overlay)})",
        }


NO_MODEL = ModelChoice()


def choose_model(
    *, model: Path | None, no_model: bool, bind: str | None, modules_dir: Path | None, flagship: Path | None = None
) -> ModelChoice:
    """Reads ``--model``, ``--no-model`` and ``--bind``.

    Args:
        model: Folder of a checkpoint, or None.
        no_model: Whether no model is wanted.
        bind: Path of an overlay, or ``synthea``; None for none.
        modules_dir: Folder of modules; None for the bundled ones.
        flagship: The checkpoint that ships; None for the one of this installation.

    Raises:
        ConfigError: The options contradict each other, or name something that is not there; all faults are named.
    """
    shipped = FLAGSHIP if flagship is None else flagship
    faults = []
    if no_model and (model is not None or bind is not None):
        faults.append(f"--no-model excludes {'--model' if model is not None else '--bind'}")
    if model is not None and not (model / _MODEL_FILE).is_file():
        faults.append(f"--model {str(model)!r}: no checkpoint there (a folder with {_MODEL_FILE})")
    overlay = None if bind is None else _overlay_file(bind)
    if overlay is not None and not overlay.is_file():
        faults.append(f"--bind {bind!r}: no such file, and no overlay of this name ships ({SYNTHEA!r} does)")
    if bind == SYNTHEA and modules_dir is None and not no_model:
        faults.append(f"--bind {SYNTHEA} binds the modules of Synthea: name their folder with --modules-dir")
    has_default = (modules_dir is None or bind is not None) and (shipped / _MODEL_FILE).is_file()
    if bind is not None and not no_model and model is None and not has_default:
        faults.append("--bind needs a model: name its checkpoint with --model")
    if faults:
        raise ConfigError("\n".join(faults))
    if no_model or (model is None and not has_default):
        return NO_MODEL
    return ModelChoice(
        checkpoint=shipped if model is None else model,
        is_default=model is None,
        overlay=overlay,
        is_shipped_overlay=bind == SYNTHEA,
    )


def _overlay_file(bind: str) -> Path:
    from trajsim.gmf.library import bundled_modules_root

    return bundled_modules_root() / "overlays" / f"{SYNTHEA}.json" if bind == SYNTHEA else Path(bind)


@cache
def load(checkpoint: Path) -> "TrajectoryModel":
    """The model of a checkpoint, read once.

    Raises:
        DataFileError: It cannot be read.
    """
    keep_compiled_programs()
    from trajsim.learn.answers import load_model

    return load_model(checkpoint)


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """A model that times something in the modules of a run.

    Attributes:
        model: What answers.
        death_offset: [sex (F, M), age] hazards a year with which the modules kill, taken off the model's death; None
            for none.
        background_until_age: Age from which the model times death; None where it does not.
        changed: Keys of modules that are not as they were when the model was trained, in nothing that matters to it.
    """

    model: "TrajectoryModel"
    death_offset: "NDArray[np.float64] | None" = None
    background_until_age: float | None = None
    changed: tuple[str, ...] = ()


def bind_modules(
    modules: "ModuleSet", choice: ModelChoice, *, not_chosen: frozenset[str], offset: "NDArray[np.float64] | None"
) -> "tuple[ModuleSet, Learned | None]":
    """Binds modules to the model of a run.

    Args:
        modules: The modules of the run.
        choice: Which model, and which overlay.
        not_chosen: Keys of modules that are there and take no part in the run: an overlay may name them.
        offset: Hazard with which the modules kill.

    Returns:
        The modules, bound; and the model, None where there is none or the default one finds nothing to time.

    Raises:
        ConfigError: A model that was asked for finds none of its events bound, or the modules allow other orders of
            events than when it was trained.
        ModuleError: The overlay names a module, state, event or measurement that does not exist; all are named.
        DataFileError: The checkpoint cannot be read.
    """
    if choice.checkpoint is None:
        return modules, None
    model, given = load(choice.checkpoint), modules
    if choice.overlay is not None:
        modules = _bound(modules, choice, model, not_chosen)
    events = {event for binding in bindings(modules) for event in binding.events}
    if events.isdisjoint(model.events):
        if choice.is_default:
            return modules, None
        msg = f"none of the events of this model is bound in these modules: {', '.join(model.events)}"
        raise ConfigError(msg, hint=_HINT)
    changed: tuple[str, ...] = ()
    if isinstance(model, Taught):
        changed = require_orders(given, modules, model, checkpoint=choice.checkpoint, not_chosen=not_chosen)
        if choice.checkpoint == FLAGSHIP:
            changed = tuple(key for key in changed if not _is_as_shipped(key, modules.modules[key].digest))
    from trajsim.event_sequences import DEATH

    times_death = DEATH in events and DEATH in model.events
    return modules, Learned(
        model=model,
        death_offset=offset if times_death else None,
        background_until_age=model.min_age_years if times_death else None,
        changed=changed,
    )


def _is_as_shipped(key: str, digest: str) -> bool:
    """Whether a module is the one that ships with the model: what changed between the two is nobody's edit."""
    from trajsim.gmf.library import bundled_modules_root
    from trajsim.provenance import digest_file

    file = bundled_modules_root() / f"{key}.json"
    return file.is_file() and digest_file(file) == digest


def _bound(
    modules: "ModuleSet", choice: ModelChoice, model: "TrajectoryModel", not_chosen: frozenset[str]
) -> "ModuleSet":
    from trajsim.gmf.bindings import bind, read_overlay
    from trajsim.gmf.findings import sort_findings

    assert choice.overlay is not None
    overlay = read_overlay(choice.overlay)
    findings = [] if choice.is_shipped_overlay else list(_unknown_names(overlay, model))
    try:
        bound = bind(modules, overlay, not_chosen=not_chosen)
    except ModuleError as error:
        raise ModuleError((*error.findings, *sort_findings(findings))) from error
    if findings:
        raise ModuleError(sort_findings(findings))
    return bound


def _unknown_names(overlay: "Overlay", model: "TrajectoryModel") -> "Iterator[Finding]":
    """Events and measurements of an overlay that the model has not."""
    from trajsim.gmf.document import json_path
    from trajsim.gmf.findings import Finding, Severity, did_you_mean
    from trajsim.trajectory_model import VISIT

    events = [event for event in model.events if event != VISIT]
    labs = [value.name for value in model.values]
    for key, states in overlay.modules.items():
        for state, node in states.items():
            for what, name, known in _names(node, events, labs):
                if name not in known:
                    yield Finding(
                        rule="GMF119",
                        severity=Severity.ERROR,
                        file=str(overlay.file),
                        path=json_path(("modules", key, state)),
                        message=f"the model has no {what} {name!r}{did_you_mean(name, known)}",
                    )


def _names(node: object, events: list[str], labs: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Names in the JSON of a binding, and what each may be; what is no binding is reported elsewhere."""
    if not isinstance(node, dict):
        return
    timed = node.get("events")
    for event in [node.get("event"), *(timed if isinstance(timed, dict) else ())]:
        if isinstance(event, str):
            yield "event", event, events
    if isinstance(node.get("lab"), str):
        yield "measurement", node["lab"], labs
    children = node.get("observations")
    for child in children if isinstance(children, list) else ():
        yield from _names(child, events, labs)


def bindings(modules: "ModuleSet") -> "Iterator[Binding]":
    """Every binding of a Delay, or of a state as a whole."""
    for module in modules.modules.values():
        for state in module.states.values():
            if state.trajsim is not None:
                yield state.trajsim
