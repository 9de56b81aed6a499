"""Which visit of a patient is fit for something that Records do not tell of."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fhir_export.shard import NONE, Integers, Shard

OFFICE = ("ambulatory", "outpatient", "wellness")


def last_visits(
    shard: Shard,
    patients: NDArray[np.bool_],
    *,
    ages_us: tuple[int, int],
    without: Sequence[Integers] = (),
) -> Integers:
    """The last visit to an office of some patients, as positions in `encounters`; those who have none are left out.

    Args:
        shard: The shard.
        patients: [patients] whose.
        ages_us: Youngest age, and the age from which on it is too late.
        without: Rows of encounters that will not do; NONE: no encounter.
    """
    encounters, columns = shard.sections["encounters"], shard.columns("encounters")
    classes = columns.text("encounter_class")
    fit = np.array([value in OFFICE for value in classes.values])[classes.indices]
    ages = columns.times("time") - shard.columns("patients").times("birth_time")[encounters.patient]
    fit &= (ages >= ages_us[0]) & (ages < ages_us[1]) & patients[encounters.patient]
    for rows in without:
        fit[rows[rows != NONE] - encounters.base] = False
    visits = np.flatnonzero(fit)
    last = np.append(np.diff(encounters.patient[visits]) != 0, np.ones(1, np.bool_))[: len(visits)]
    return np.asarray(visits[last])
