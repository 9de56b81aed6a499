"""Which attributes of the lifecycle the modules of a run can see."""

from dataclasses import dataclass

from trajsim.engine.events import Catalogue
from trajsim.gmf.mentions import mentioned_attributes
from trajsim.gmf.model import ModuleSet


@dataclass(frozen=True)
class Mentions:
    """The mentions of one module set.

    Attributes:
        modules: The modules.
        anywhere: Attributes that some state mentions.
        by_source: What each state mentions, by its index in the catalogue.
    """

    modules: ModuleSet
    anywhere: frozenset[str]
    by_source: dict[int, frozenset[str]]


_latest: list[Mentions] = []


def mentions_of(modules: ModuleSet, catalogue: Catalogue) -> Mentions:
    """The mentions of a module set; those of the latest set are kept."""
    if not _latest or _latest[0].modules is not modules:
        by_source = {
            catalogue.state_index(key, name): mentioned_attributes(state, modules)
            for key, module in modules.modules.items()
            for name, state in module.states.items()
        }
        _latest[:] = [Mentions(modules, frozenset().union(*by_source.values()), by_source)]
    return _latest[0]
