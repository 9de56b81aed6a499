"""Which attributes a state mentions: those that it reads, writes, or may look up as a reason.

The lifecycle writes some attributes only where a module can see them (docs/draws.md, 10.1 and 10.8); both interpreters
ask here.
"""

from trajsim.gmf import model, walk
from trajsim.gmf.model import LookupTableTransition, ModuleSet, State

_OF_CONDITIONS: dict[type[model.Condition], str] = {
    model.GenderCondition: "gender",
    model.RaceCondition: "race",
    model.SocioeconomicStatusCondition: "socioeconomic_category",
}


def mentioned_attributes(state: State, modules: ModuleSet) -> frozenset[str]:
    """Every attribute that a state names in its keys, conditions, expression or transition.

    Args:
        state: A state of one of the modules.
        modules: The modules, for the key columns of their lookup tables.
    """
    names = {name for _, name in walk.attributes_read(state)}
    names.update(walk.attributes_written(state))
    reason = getattr(state, "reason", None)
    if reason is not None:
        names.add(reason)
    for _, condition in walk.conditions(state):
        implied = _OF_CONDITIONS.get(type(condition))
        if implied is not None:
            names.add(implied)
    transition = state.transition
    if isinstance(transition, LookupTableTransition):
        table = modules.tables.get((transition.options[0].lookup_table_name, len(transition.options)))
        if table is not None:
            names.update(table.key_columns)
    return frozenset(names)


def all_mentioned_attributes(modules: ModuleSet) -> frozenset[str]:
    """Every attribute that some state of some module mentions."""
    names: set[str] = set()
    for module in modules.modules.values():
        for state in module.states.values():
            names |= mentioned_attributes(state, modules)
    return frozenset(names)
