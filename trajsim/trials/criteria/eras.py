"""Eras: records of one code of a person that are at most thirty days apart, as one span.

Source: OMOP CDM, conventions of condition_era and drug_era (persistence window of 30 days).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.trials.criteria.days import NO_CODE, NO_DAY
from trajsim.trials.criteria.exits import Spans, join_spans
from trajsim.trials.criteria.source import EventTable, Order, sorted_events

PERSISTENCE_DAYS = 30


def build_eras(table: EventTable) -> EventTable:
    """Joins events of one person and code into eras.

    Args:
        table: Events with a code.

    Returns:
        Eras with `code`, `count` (events in it) and `gap_days` (days inside that no event covers).
    """
    codes: NDArray[np.int64] = table.column("code")
    end = np.where(table.end == NO_DAY, table.start, table.end)
    values, code_number = np.unique(codes, return_inverse=True)
    width = np.int64(max(len(values), 1))
    owner = table.person * width + code_number.reshape(-1)
    owners, compact = np.unique(owner, return_inverse=True)
    eras, member = join_spans(Spans(person=compact.reshape(-1), start=table.start, end=end), PERSISTENCE_DAYS)
    covered, covered_of = join_spans(Spans(person=compact.reshape(-1), start=table.start, end=end), 0)
    era_of_covered = np.zeros(len(covered), np.int64)
    era_of_covered[covered_of] = member
    days_covered = np.bincount(era_of_covered, weights=covered.end - covered.start, minlength=len(eras))
    owner_of = owners[eras.person] if len(eras) else np.zeros(0, np.int64)
    columns: dict[str, NDArray[Any]] = {
        "code": values[owner_of % width] if len(eras) else np.zeros(0, np.int64),
        "count": np.bincount(member, minlength=len(eras)).astype(np.float64),
        "gap_days": (eras.end - eras.start) - days_covered,
    }

    def load(name: str, order: Order) -> NDArray[Any]:
        return columns.get(name, np.full(len(eras), NO_CODE))[order]

    return sorted_events(owner_of // width, np.arange(len(eras)), eras.start, eras.end, load)
