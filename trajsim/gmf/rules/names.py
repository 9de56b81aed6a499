"""Rules GMF7xx: names that collide, attributes that nobody writes or reads."""

from collections import defaultdict
from collections.abc import Iterator

from trajsim.gmf import model
from trajsim.gmf.findings import Finding, did_you_mean
from trajsim.gmf.lifecycle import LIFECYCLE_ATTRIBUTES, LIFECYCLE_READS, VITAL_SIGNS
from trajsim.gmf.model import Module, State, VitalSignCondition
from trajsim.gmf.rules.rule import Subject, info, warning
from trajsim.gmf.walk import (
    STARTS,
    Steps,
    attributes_read,
    attributes_written,
    bodies,
    conditions,
    ended_state,
    may_block,
)

SAME_NAME = warning(
    "GMF701",
    "two files have the same JSON name",
    "A submodule in progress is kept under its JSON `name`. Two files with one name share that place, and can be "
    "mistaken for each other while both are in progress.",
    "Give each file a `name` of its own.",
)
SHARED_END = warning(
    "GMF702",
    "something is ended by a state name that several files have",
    "An end by state name takes the first active entry of that name, from any module. It may end another module's.",
    "End by attribute (`referenced_by_attribute`) or by code, or rename the state.",
)
NEVER_WRITTEN = warning(
    "GMF703",
    "an attribute is read but never written",
    "No module writes it and it is none that the lifecycle sets. It is always absent: comparisons are false.",
    "Correct the spelling (case counts), or write the attribute somewhere.",
)
NEVER_READ = info(
    "GMF704",
    "an attribute is written but never read",
    "No module reads it. It may be there for people who analyse the output, or be misspelt.",
    "Correct the spelling, or leave it.",
)
MIXED_KINDS = warning(
    "GMF705",
    "an attribute is written with values of different kinds",
    "A text, a number and a boolean never equal each other, so a test written for one kind is false for the other.",
    "Use one kind of value for an attribute.",
)
SHARED_PLACE = info(
    "GMF706",
    "a submodule that can wait is called from several modules",
    "It has one position for each patient. While it waits for one caller, another caller resumes it there, and the "
    "first then starts over.",
    "Copy the submodule for each caller if that is not meant.",
)
VITAL_SIGN = warning(
    "GMF707",
    "the vital sign is unknown",
    "Vital signs come from a fixed list. Synthea cannot read another one, and loses the person.",
    "Correct the name, as in `Systolic Blood Pressure`.",
)
ACTION = warning(
    "GMF708",
    "a Counter neither increments nor decrements",
    "Any action other than `increment` subtracts.",
    "Write `increment` or `decrement`.",
)
BLANKS = warning(
    "GMF709",
    "the name of a state begins or ends with a blank",
    "Names are compared exactly. A transition written without the blank leads nowhere.",
    "Remove the blank here and in the transitions.",
)

RULES = (
    SAME_NAME, SHARED_END, NEVER_WRITTEN, NEVER_READ, MIXED_KINDS, SHARED_PLACE, VITAL_SIGN, ACTION, BLANKS,
)  # fmt: skip


def check(subject: Subject) -> Iterator[Finding]:
    """All rules of this file."""
    yield from _same_names(subject)
    yield from _shared_ends(subject)
    yield from _attributes(subject)
    yield from _kinds(subject)
    yield from _shared_places(subject)
    for module in subject.sound.values():
        for state in module.states.values():
            yield from _vital_signs(module, state)
            if isinstance(state, model.Counter) and state.action not in {"increment", "decrement"}:
                message = f"action {state.action!r} subtracts{did_you_mean(state.action, ('increment', 'decrement'))}"
                yield ACTION.at_state(module, state.name, ("action",), message)
            if state.name != state.name.strip():
                yield BLANKS.at_state(module, state.name, (), f"state name {state.name!r}")


def _same_names(subject: Subject) -> Iterator[Finding]:
    by_name: dict[str, list[Module]] = defaultdict(list)
    for module in subject.modules.values():
        by_name[module.name].append(module)
    for name, modules in by_name.items():
        for module in modules if len(modules) > 1 else ():
            others = ", ".join(repr(other.key) for other in modules if other is not module)
            yield SAME_NAME.at(str(module.file), "$.name", f"name {name!r} is also that of {others}")


def _shared_ends(subject: Subject) -> Iterator[Finding]:
    files: dict[tuple[str, type[State]], list[str]] = defaultdict(list)
    for module in subject.modules.values():
        for state in module.states.values():
            files[state.name, type(state)].append(module.key)
    for module in subject.sound.values():
        for state in module.states.values():
            ended = ended_state(state)
            if ended is None or isinstance(state, model.Death):
                continue
            field, name = ended
            others = [key for key in files[name, STARTS[type(state).__name__]] if key != module.key]
            if others and len(files[name, STARTS[type(state).__name__]]) > 1:
                message = (
                    f"state {name!r} exists in {', '.join(map(repr, others))} too: that entry may be ended instead"
                )
                yield SHARED_END.at_state(module, state.name, (field,), message)


def _attributes(subject: Subject) -> Iterator[Finding]:
    if not subject.is_whole:  # a faulty state may be the one that writes
        return
    written: dict[str, tuple[Module, State]] = {}
    read: dict[str, tuple[Module, State, Steps]] = {}
    for module in subject.modules.values():
        for state in module.states.values():
            for name in attributes_written(state):
                written.setdefault(name, (module, state))
            for steps, name in attributes_read(state):
                read.setdefault(name, (module, state, steps))
    for name, (module, state, steps) in read.items():
        if name not in written and name not in LIFECYCLE_ATTRIBUTES:
            message = f"nothing writes attribute {name!r}{did_you_mean(name, written)}"
            yield NEVER_WRITTEN.at_state(module, state.name, steps, message)
    used = {*read, *_reasons(subject), *(key for table in subject.tables.values() for key in table.key_columns)}
    for name, (module, state) in written.items():
        if name not in used and name not in LIFECYCLE_READS and name not in LIFECYCLE_ATTRIBUTES:
            yield NEVER_READ.at_state(module, state.name, (), f"nothing reads attribute {name!r}")


def _reasons(subject: Subject) -> Iterator[str]:
    for module in subject.modules.values():
        for state in module.states.values():
            reason = getattr(state, "reason", None)
            if reason is not None:
                yield reason


def _kinds(subject: Subject) -> Iterator[Finding]:
    kinds: dict[str, dict[str, tuple[Module, State]]] = defaultdict(dict)
    for module in subject.sound.values():
        for state in module.states.values():
            kind = _written_kind(state)
            if kind is not None:
                for name in attributes_written(state):
                    kinds[name].setdefault(kind, (module, state))
    for name, found in kinds.items():
        if len(found) > 1:
            module, state = list(found.values())[-1]
            shown = ", ".join(f"{kind} in {place[0].key}::{place[1].name}" for kind, place in sorted(found.items()))
            yield MIXED_KINDS.at_state(module, state.name, (), f"attribute {name!r} is written as {shown}")


def _written_kind(state: State) -> str | None:
    match state:
        case model.Counter():
            return "number"
        case model.SetAttribute():
            if state.range is not None or state.distribution is not None:
                return "number"
            if state.value_code is not None:
                return "code"
            if state.value_attribute is not None or state.expression is not None or state.value is None:
                return None
            if isinstance(state.value, bool):
                return "boolean"
            return "text" if isinstance(state.value, str) else "number"
    return None


def _shared_places(subject: Subject) -> Iterator[Finding]:
    for key, module in subject.modules.items():
        callers = sorted(subject.calls.predecessors(key))
        waits = any(may_block(s) and not isinstance(s, model.Terminal) for s in module.states.values())
        if len(callers) > 1 and waits and not module.is_top_level:
            yield SHARED_PLACE.at(str(module.file), "", f"called by {', '.join(map(repr, callers))}")


def _vital_signs(module: Module, state: State) -> Iterator[Finding]:
    used: list[tuple[Steps, str]] = []
    if isinstance(state, model.VitalSign):
        used.append((("vital_sign",), state.vital_sign))
    used += [((*steps, "vital_sign"), body.vital_sign) for steps, body in bodies(state) if body.vital_sign is not None]
    used += [
        ((*steps, "vital_sign"), condition.vital_sign)
        for steps, condition in conditions(state)
        if isinstance(condition, VitalSignCondition)
    ]
    for steps, name in used:
        if name not in VITAL_SIGNS:
            yield VITAL_SIGN.at_state(
                module, state.name, steps, f"vital sign {name!r}{did_you_mean(name, VITAL_SIGNS)}"
            )
