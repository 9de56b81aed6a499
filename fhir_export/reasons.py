"""Why something was done: a reference to the patient's Condition where the reason is one, else the reason's code."""

import numpy as np

from fhir_export.concepts import concept
from fhir_export.shard import NONE, Integers, Section, Shard

REASON_COLUMNS = ("reason_system", "reason_code", "reason_display")


def reasons(shard: Shard, section: Section) -> tuple[Integers, Integers]:
    """The reason of every row of a table that has one; looked up once.

    A reason that is an entry of another kind (a procedure, a medication) has a code like any other; FHIR would not
    allow a reference to it everywhere.

    Returns:
        Row of the Condition (NONE: it is none), and the text of the CodeableConcept (NONE: there is no code).
    """
    names = f"reason row of {section.name}", f"reason code of {section.name}"
    if names[0] not in shard.lookups:
        columns = shard.columns(section.name)
        shard.lookups[names[0]] = shard.find(section, columns.keys("reason_key"), "conditions")
        shard.lookups[names[1]] = shard.codes(
            section.name, REASON_COLUMNS, concept, where=~columns.text("reason_code").is_null
        )
    return shard.lookups[names[0]], shard.lookups[names[1]]


def choice(rows: Integers, codes: Integers) -> Integers:
    """0: no reason, 1: a Condition, 2: only a code."""
    return np.where(rows != NONE, 1, np.where(codes != NONE, 2, 0))
