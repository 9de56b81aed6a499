"""Modules that changed since a model was trained with them: what may pass with a word, and what may not pass at all.

A model is taught only those orders of events that its modules allow. Modules that allow others let patients come to
events that the model never learned to time, or keep them from events that it expects, and nobody would see it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from trajsim.cli.console import count
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` loads no NumPy
    from trajsim.event_sequences import EventSequences, Legality, Vocabulary
    from trajsim.gmf.model import ModuleSet

_DIGITS = 12  # of a digest, in messages


@runtime_checkable
class Taught(Protocol):
    """A model that knows the modules it was trained with."""

    @property
    def vocabulary(self) -> "Vocabulary":
        """What it times and measures."""

    @property
    def legality(self) -> "Legality":
        """Which event can follow which, in those modules."""

    @property
    def modules(self) -> Mapping[str, str]:
        """sha256 of each of them by key."""


def changed_orders(before: "Legality", now: "Legality", names: tuple[str, ...]) -> list[str]:
    """Orders of events that only one of two sets of modules allows, in words; those that are allowed now first."""
    was, is_now = before.forbidden_orders(names), now.forbidden_orders(names)
    return [
        *(f"{event} may now come {where} {other}" for event, where, other in sorted(was - is_now)),
        *(f"{event} may no longer come {where} {other}" for event, where, other in sorted(is_now - was)),
    ]


def require_orders(
    given: "ModuleSet", bound: "ModuleSet", model: Taught, *, checkpoint: Path, not_chosen: frozenset[str]
) -> tuple[str, ...]:
    """Refuses modules that allow other orders of events than they did when a model was trained with them.

    Compared are modules of the names that the checkpoint holds, and pairs of events that nothing else is bound to: of
    modules that the model never saw, and of those that an overlay alone binds, nothing is known. Where modules are
    missing, what they may have allowed is not held against the others: then only orders that are allowed *now* count.

    Args:
        given: The modules of the run, as their files and overrides say.
        bound: The same with the bindings of an overlay.
        model: Which model they are bound to.
        checkpoint: Where it lies.
        not_chosen: Keys of modules that take no part in the run.

    Returns:
        Keys of modules that changed in nothing that decides which event can follow which.

    Raises:
        ConfigError: Orders differ; every changed module and every order is named.
    """
    from trajsim.cli.legality import legality_of

    events = set(model.vocabulary.event_names)
    own, all_bound = _events_by_module(given, events), _events_by_module(bound, events)
    if not any(key in model.modules for key in own):
        return ()  # somebody else's library: names that are alike mean nothing
    compared = {key for key in model.modules if key in bound.modules and (key in own or key not in all_bound)}
    changed = sorted(key for key in compared if bound.modules[key].digest != model.modules[key])
    if not changed:
        return ()
    names = model.vocabulary.event_names
    open_to_others = {event for key, found in all_bound.items() if key not in compared for event in found}
    known = {event for found in all_bound.values() for event in found} - open_to_others
    before, now = (legality.among(known, names) for legality in (model.legality, legality_of(bound, model.vocabulary)))
    is_partial = bool(not_chosen) or any(key not in bound.modules for key in model.modules)
    orders = changed_orders(before, now.both(before) if is_partial else now, names)
    if orders:
        lines = [
            f"these modules allow other orders of events than those that {checkpoint} was trained with",
            *(
                f"module {key!r} changed: sha256 {bound.modules[key].digest[:_DIGITS]}, "
                f"trained with {model.modules[key][:_DIGITS]}"
                for key in changed
            ),
            *orders,
        ]
        hint = "fit again with these modules, run with those that the model was trained with, or without it: --no-model"
        raise ConfigError("\n".join(lines), hint=hint)
    return tuple(changed)


def _events_by_module(modules: "ModuleSet", events: set[str]) -> dict[str, set[str]]:
    """Events of the model by the modules that are bound to them."""
    found: dict[str, set[str]] = {}
    for key, module in modules.modules.items():
        for state in module.states.values():
            named = events & set(state.trajsim.events) if state.trajsim is not None else set()
            if named:
                found.setdefault(key, set()).update(named)
    return found


def note_of(changed: tuple[str, ...]) -> str:
    """What a reader of the results should know of modules that changed harmlessly."""
    return (
        f"{count(len(changed), 'module')} changed since the model was trained, in nothing that decides which event can "
        f"follow which: {', '.join(changed)}"
    )


def require_marks(sequences: "EventSequences", legality: "Legality", *, folder: Path) -> None:
    """Refuses event sequences in which other modules forbade what these modules allow.

    A marked event is left out of every loss and score, so a mark of other modules hides what a model should be taught.
    Events that these modules forbid need no mark: the mask of the model passes over them.

    Args:
        sequences: What is to be trained on, or scored.
        legality: What the modules of the model allow.
        folder: Where the sequences lie.

    Raises:
        ConfigError: There are such events; all kinds are named, with how many.
    """
    from trajsim.evaluate.histories import held_before_day

    wrong = sequences.forbidden & legality.legal(held_before_day(sequences))
    if not wrong.any():
        return
    named = zip(sequences.vocabulary.event_names, wrong.sum(axis=0).tolist(), strict=True)
    shown = ", ".join(f"{name} ({n:,})" for name, n in named if n)
    msg = f"{folder}: marked as forbidden, though the modules of the model allow it: {shown}"
    raise ConfigError(msg, hint="ingest the data again with --modules-dir and the modules of the model, or without it")
