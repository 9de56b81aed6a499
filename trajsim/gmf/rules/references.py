"""Rules GMF2xx: what a module names must exist.

The errors among them (`reference_errors`) also stop a run; the rest are for `trajsim check`. Missing and malformed
tables are found while they are loaded (`trajsim.gmf.library`, `trajsim.gmf.tables`).
"""

from collections.abc import Iterator, Mapping

import networkx as nx

from trajsim.gmf import model
from trajsim.gmf.findings import Finding, did_you_mean
from trajsim.gmf.graph import call_graph, instant_successors
from trajsim.gmf.lifecycle import LIFECYCLE_ATTRIBUTES
from trajsim.gmf.model import LookupTableTransition, Module, PriorStateCondition, State
from trajsim.gmf.rules.rule import Subject, error, info, warning
from trajsim.gmf.walk import STARTS, attributes_written, conditions, ended_state, submodule_calls, targets

NO_STATE = error(
    "GMF201",
    "a transition leads to a state that does not exist",
    "A patient who takes it has nowhere to go. Synthea notices only when somebody takes it, and loses that person.",
    "Correct the name of the target, or add the state. Names are compared exactly, case and blanks included.",
)
NO_SUBMODULE = error(
    "GMF202",
    "a submodule does not exist",
    "`submodule` is the path of a file below the modules folder, without `.json`. No such file was found.",
    "Correct the path, or put the file there.",
)
NO_TABLE = error(
    "GMF203",
    "a lookup table does not exist",
    "The table is looked for in the folder `lookup_tables/` inside the modules folder, or beside it.",
    "Correct `lookup_table_name`, or put the file there.",
)
WRONG_COLUMNS = error(
    "GMF204",
    "the columns of a lookup table are not the targets of the state",
    "With k options the last k columns hold the probabilities, each named after the target state of an option.",
    "Name the last columns exactly after the targets, one for each option.",
)
BAD_TABLE = error(
    "GMF205",
    "a lookup table is malformed",
    "A row with too few cells, a range that is none, or a probability that is not a number cannot be used.",
    "Correct the row that the message names; the header is row 1.",
)
NO_PRIOR_STATE = warning(
    "GMF206",
    "PriorState names a state that is not in this module's history",
    "A module sees its own history and that of submodules that have finished, never its caller's. The condition is "
    "always false.",
    "Correct the name; across modules use an attribute instead.",
)
NOTHING_TO_END = warning(
    "GMF207",
    "a state ends something that nothing starts",
    "An end by state name finds an entry only if a state of that name and of the right type exists somewhere.",
    "Correct the name of the state that starts it.",
)
NO_TARGET_ENCOUNTER = warning(
    "GMF208",
    "no visit of the name in target_encounter can follow",
    "An onset with a `target_encounter` stays undiagnosed until an Encounter state of that name runs, in this module "
    "or in one that calls it.",
    "Correct the name, make the Encounter reachable from the onset, or leave the key out to diagnose at once.",
)
NEVER_CALLED = info(
    "GMF209",
    "a submodule is never called",
    "A file in a subfolder runs only through CallSubmodule.",
    "Call it, move it to the top of the folder, or remove it.",
)
CALLS_ITSELF = error(
    "GMF210",
    "a submodule leads back to itself",
    "Synthea keeps one position for each submodule in progress, so a call inside the same submodule never returns.",
    "Use transitions inside one module for repetition.",
)
SEVERAL_TABLES = warning(
    "GMF211",
    "the options of one transition name different lookup tables",
    "A transition uses one table: the one that its first option names.",
    "Name the same table in all options.",
)
NO_REASON = warning(
    "GMF212",
    "a reason names neither an attribute nor a state",
    "A `reason` is an attribute that somebody writes, or a state of this module or of a submodule of it. Otherwise the "
    "record gets no reason.",
    "Correct the name.",
)
UNUSED_TABLE = info(
    "GMF213",
    "a lookup table is used by no module",
    "The file lies in `lookup_tables/` but no transition names it.",
    "Remove it, or name it in a transition.",
)

NO_BOUND_STATE = error(
    "GMF214",
    "an event is bound to a state that cannot follow",
    "When a learned model lets the event happen, the patient goes from the Delay to that state. It must be one that "
    "the Delay's own transition leads to, directly or through states in which no time passes.",
    "Correct the name of the target, or bind the event to a state that the module can reach at that instant.",
)

RULES = (
    NO_STATE, NO_SUBMODULE, NO_TABLE, WRONG_COLUMNS, BAD_TABLE, NO_PRIOR_STATE, NOTHING_TO_END, NO_TARGET_ENCOUNTER,
    NEVER_CALLED, CALLS_ITSELF, SEVERAL_TABLES, NO_REASON, UNUSED_TABLE,
    NO_BOUND_STATE,
)  # fmt: skip


Started = dict[str, list[tuple[str, type[State]]]]  # state name to the modules that have it, and its type there


def reference_errors(modules: Mapping[str, Module]) -> Iterator[Finding]:
    """Transitions and bindings to nowhere, missing submodules, submodules that call themselves."""
    for module in modules.values():
        yield from _missing_states(module)
        for state in module.states.values():
            yield from bound_state_errors(module, state)
        yield from _missing_submodules(module, modules)
    yield from _recursion(modules)


def check(subject: Subject) -> Iterator[Finding]:
    """The rules of this file that do not stop a run."""
    written = {
        name for module in subject.modules.values() for s in module.states.values() for name in attributes_written(s)
    }
    started = _started(subject)
    for module in subject.sound.values():
        own = set(module.states)
        below = own.union(*(callee.states for callee in subject.callees(module.key)))
        for state in module.states.values():
            yield from _prior_states(module, state, below)
            yield from _ends(subject, module, state, started)
            yield from _target_encounter(subject, module, state)
            yield from _reason(module, state, below, written)
            yield from _several_tables(module, state)
    yield from _never_called(subject)
    yield from _unused_tables(subject)


def _missing_states(module: Module) -> Iterator[Finding]:
    for state in module.states.values():
        for steps, target in targets(state):
            if target and target not in module.states:
                near = did_you_mean(target, module.states)
                yield NO_STATE.at_state(module, state.name, steps, f"no state {target!r}{near}")


def bound_state_errors(module: Module, state: State) -> Iterator[Finding]:
    """Events of a learned model that lead to a state which the module cannot reach at that instant."""
    named = {} if state.trajsim is None else {e: t for e, t in state.trajsim.events.items() if t is not None}
    following = instant_successors(module, state.name) if named else frozenset()
    for event, target in named.items():
        steps = ("trajsim", "events", event)
        if target not in module.states:
            near = did_you_mean(target, module.states)
            yield NO_BOUND_STATE.at_state(module, state.name, steps, f"no state {target!r}{near}")
        elif target not in following:
            message = f"{target!r} cannot follow {state.name!r} without another wait"
            hint = "one of " + ", ".join(map(repr, sorted(following)))
            yield NO_BOUND_STATE.at_state(module, state.name, steps, message, hint)


def _missing_submodules(module: Module, modules: Mapping[str, Module]) -> Iterator[Finding]:
    for state, key in submodule_calls(module):
        if key not in modules:
            near = did_you_mean(key, modules)
            hint = f"put it at {key}.json below the modules folder"
            yield NO_SUBMODULE.at_state(module, state, ("submodule",), f"no submodule {key!r}{near}", hint)


def _recursion(modules: Mapping[str, Module]) -> Iterator[Finding]:
    graph = call_graph(modules)
    for group in nx.strongly_connected_components(graph):
        for key in sorted(group):
            if len(group) == 1 and not graph.has_edge(key, key):
                continue
            for state, called in submodule_calls(modules[key]):
                if called in group:
                    message = f"submodule {called!r} leads back to {key!r}: a module that calls itself never returns"
                    yield CALLS_ITSELF.at_state(modules[key], state, ("submodule",), message)


def _started(subject: Subject) -> Started:
    started: Started = {}
    for module in subject.modules.values():
        for state in module.states.values():
            started.setdefault(state.name, []).append((module.key, type(state)))
    return started


def _prior_states(module: Module, state: State, visible: set[str]) -> Iterator[Finding]:
    for steps, condition in conditions(state):
        if not isinstance(condition, PriorStateCondition):
            continue
        for key, name in (("name", condition.name), ("since", condition.since)):
            if name is not None and name not in visible:
                message = f"no state {name!r} in this module or its submodules{did_you_mean(name, module.states)}"
                yield NO_PRIOR_STATE.at_state(module, state.name, (*steps, key), message)


def _ends(subject: Subject, module: Module, state: State, started: Started) -> Iterator[Finding]:
    ended = ended_state(state)
    if ended is None:
        return
    field, name = ended
    kind = STARTS[type(state).__name__]
    found = started.get(name, ())
    places = {key for key, type_ in found if type_ is kind}
    family = {module.key, *(m.key for m in subject.callers(module.key)), *(m.key for m in subject.callees(module.key))}
    if places & family:
        return
    names = [other.name for other in module.states.values() if isinstance(other, kind)]
    near = did_you_mean(name, names)
    if places:
        message = f"no {kind.__name__} {name!r} in this module; the one in {min(places)!r} may be ended instead{near}"
    elif any(key == module.key for key, _ in found):
        message = f"state {name!r} is no {kind.__name__}{near}"
    else:
        message = f"no state {name!r}{near}"
    yield NOTHING_TO_END.at_state(module, state.name, (field,), message)


def _target_encounter(subject: Subject, module: Module, state: State) -> Iterator[Finding]:
    name = getattr(state, "target_encounter", None)
    if name is None:
        return
    steps = ("target_encounter",)
    own = module.states.get(name)
    if isinstance(own, model.Encounter):
        graph = subject.arrows(module)
        if not nx.has_path(graph, state.name, name) and not nx.has_path(graph, name, state.name):
            message = f"encounter {name!r} can neither follow nor precede this onset"
            yield NO_TARGET_ENCOUNTER.at_state(module, state.name, steps, message)
        return
    if any(isinstance(caller.states.get(name), model.Encounter) for caller in subject.callers(module.key)):
        return
    visits = [other.name for other in module.states.values() if isinstance(other, model.Encounter)]
    what = f"state {name!r} is no Encounter" if own is not None else f"no Encounter {name!r} here or in a caller"
    yield NO_TARGET_ENCOUNTER.at_state(module, state.name, steps, what + did_you_mean(name, visits))


def _reason(module: Module, state: State, visible: set[str], written: set[str]) -> Iterator[Finding]:
    name = getattr(state, "reason", None)
    if name is None or name in visible or name in written or name in LIFECYCLE_ATTRIBUTES:
        return
    near = did_you_mean(name, visible | written)
    message = f"{name!r} is no attribute that is written and no state that can be in the history{near}"
    yield NO_REASON.at_state(module, state.name, ("reason",), message)


def _several_tables(module: Module, state: State) -> Iterator[Finding]:
    transition = state.transition
    if not isinstance(transition, LookupTableTransition):
        return
    first = transition.options[0].lookup_table_name
    for index, option in enumerate(transition.options):
        if option.lookup_table_name != first:
            message = f"table {option.lookup_table_name!r} is never used: the first option names {first!r}"
            steps = ("lookup_table_transition", index, "lookup_table_name")
            yield SEVERAL_TABLES.at_state(module, state.name, steps, message)


def _never_called(subject: Subject) -> Iterator[Finding]:
    for key, module in subject.modules.items():
        if not module.is_top_level and subject.calls.in_degree(key) == 0:
            yield NEVER_CALLED.at(str(module.file), "", f"no module calls submodule {key!r}")


def _unused_tables(subject: Subject) -> Iterator[Finding]:
    used = {
        option.lookup_table_name
        for module in subject.modules.values()
        for state in module.states.values()
        if isinstance(state.transition, LookupTableTransition)
        for option in state.transition.options
    }
    for name, file in subject.table_files.items():
        if subject.is_whole and name not in used:
            yield UNUSED_TABLE.at(str(file), "", f"no transition names table {name!r}")
