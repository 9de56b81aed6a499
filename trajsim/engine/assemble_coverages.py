"""The table `coverages`: what plans are called, and how long each was in force."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trajsim.engine.assemble_sources import Dictionary, TextColumn
from trajsim.lifecycle.tables import insurance_plans

NOT_INSURED = "none"


@cache
def plan_columns() -> Mapping[str, TextColumn]:
    """Text columns by number of the plan; the last row is that of no plan, so that -1 finds it."""
    plans = insurance_plans()
    texts: Mapping[str, list[str | None]] = {
        "payer": [*(plan.payer for plan in plans), None],
        "plan": [*(plan.name for plan in plans), None],
        "kind": [*(plan.kind for plan in plans), NOT_INSURED],
    }
    columns = {}
    for name, values in texts.items():
        dictionary = Dictionary()
        columns[name] = TextColumn(
            by_source=np.array([dictionary.add(text) for text in values], np.int32), dictionary=dictionary
        )
    return columns


def stop_coverages(
    details: NDArray[np.void],
    time: NDArray[np.int64],
    positions: NDArray[np.int64],
    counts: NDArray[np.int64],
    death_ms: NDArray[np.int64],
) -> None:
    """Lets a coverage last until the next one of the patient begins, the last one until the death.

    Args:
        details: What became of every event of the chunk; `stop` of coverages is set.
        time: Time of every event.
        positions: Where the coverages stand, patient by patient in the order of the log.
        counts: Coverages by patient.
        death_ms: Death by patient; what stands for an open stop where the patient lives.
    """
    if not len(positions):
        return
    last = np.cumsum(counts)[counts > 0] - 1
    stop = np.empty(len(positions), np.int64)
    stop[:-1] = time[positions[1:]]
    stop[last] = death_ms[counts > 0]
    details["stop"][positions] = stop
