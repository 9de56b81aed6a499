"""Events of a cohort that the bound modules do not allow: there may be none."""

import numpy as np

from trajsim.evaluate.histories import held_before_day
from trajsim.evaluate.metric import FREE_RUN, Metric
from trajsim.event_sequences import EventSequences, Legality

NAME = "illegal_transitions"


def illegal_transitions(other: EventSequences, *, legality: Legality | None = None) -> tuple[Metric, ...]:
    """Counts events that come to patients whose state forbids them.

    Events of one day are judged by what the patient had before that day. The floor is 0: nothing may be illegal.

    Args:
        other: A cohort that a model drew.
        legality: What may follow what; first occurrences when None.
    """
    legality = legality or Legality.first_occurrences(other.prevalent.shape[1])
    before = held_before_day(other)
    before_death = before[:, -1] if other.vocabulary.has_death else np.zeros(len(before), dtype=bool)
    illegal = other.events & (~legality.legal(before) | before_death[:, None] | other.forbidden)
    total = int(illegal.sum())
    return (Metric(name=NAME, mode=FREE_RUN, value=total, low=total, high=total, n=int(other.events.sum()), floor=0.0),)
