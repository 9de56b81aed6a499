"""Joins what the graphs of modules decide about orders of events with what a learned model and its data call them."""

from trajsim.event_sequences import Legality, Vocabulary
from trajsim.gmf.legality import event_orders
from trajsim.gmf.model import ModuleSet


def legality_of(modules: ModuleSet, vocabulary: Vocabulary) -> Legality:
    """Which events can follow which, in modules with their bindings.

    Args:
        modules: The modules, with the bindings of overlays.
        vocabulary: Events of the model or of its data.

    Returns:
        The mask of training, of the sampler and of ingest. Events that no module is bound to are free.
    """
    names = vocabulary.event_names
    place = {name: number for number, name in enumerate(names)}
    found = event_orders(modules.modules, names)
    free = Legality.first_occurrences(len(names))
    needs, excludes = free.needs.copy(), free.excludes.copy()
    for matrix, pairs in ((needs, found.needs), (excludes, found.excludes)):
        for event, other in pairs:
            matrix[place[event], place[other]] = True
    return Legality(needs=needs, excludes=excludes)
