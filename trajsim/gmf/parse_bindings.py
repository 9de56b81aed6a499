"""Decodes the key `trajsim`: which events and measurements of a learned model a state is bound to."""

from trajsim.gmf import model
from trajsim.gmf.model import Binding
from trajsim.gmf.reader import Reader

KEY = "trajsim"
TIMED: tuple[type[model.State], ...] = (model.Delay,)
MEASURED: tuple[type[model.State], ...] = (model.Observation, model.VitalSign, model.SetAttribute)
_EVENT_KEYS = ("event", "events")


def state_binding(reader: Reader, kind: type[model.State]) -> Binding | None:
    """The binding of a state, None where it has none."""
    part = reader.part(KEY)
    if part is None:
        return None
    if kind in TIMED:
        return _events(part)
    if kind in MEASURED:
        return _lab(part)
    part.report(
        "GMF119",
        f"a {kind.__name__} cannot be bound to a model",
        hint="events are bound by a Delay; measurements by an Observation, a child of a panel or report, a VitalSign "
        "or a SetAttribute",
    )
    return None


def child_binding(reader: Reader) -> Binding | None:
    """The binding of a child of a MultiObservation or DiagnosticReport."""
    part = reader.part(KEY)
    return None if part is None else _lab(part)


def _only(part: Reader, known: tuple[str, ...]) -> None:
    expected = " or ".join(map(repr, known))
    for key in sorted(part.node.keys() - set(known)):
        part.report("GMF119", f"unknown key {key!r}: expected {expected}", key)
    if not part.node.keys() & set(known):
        part.report("GMF119", f"missing key: expected {expected}")


def _lab(part: Reader) -> Binding:
    _only(part, ("lab",))
    return Binding(lab=part.need_text("lab", "the name of a measurement") if "lab" in part.node else "")


def _events(part: Reader) -> Binding:
    _only(part, _EVENT_KEYS)
    if all(key in part.node for key in _EVENT_KEYS):
        part.report("GMF119", "both 'event' and 'events': give one of them", "events")
    if "events" not in part.node:
        name = part.need_text("event", "the name of an event") if "event" in part.node else ""
        return Binding(events={name: None})
    targets = part.part("events")
    if targets is None or not targets.node:
        part.report("GMF119", "expected an object of target states by event", "events")
        return Binding()
    return Binding(events={name: targets.need_text(name, "the state that follows") for name in targets.node})
