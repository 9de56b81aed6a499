"""Who insured a patient at a time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.records.table import Records


def last_coverage(records: Records, patient_id: pa.ChunkedArray, time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The coverage that began last before each of some instants, or with it; it may have ended.

    Args:
        records: Any Records.
        patient_id: [n] patients.
        time_us: [n] instants, microseconds since 1970-01-01 UTC.

    Returns:
        [n] rows of the table `coverages`; -1: none.
    """
    coverages = records["coverages"]
    people = records["patients"]["patient_id"]
    start = coverages["time"].cast(pa.int64()).to_numpy()
    patient = np.concatenate(
        [pc.index_in(each, value_set=people).to_numpy() for each in (coverages["patient_id"], patient_id)]
    )
    order = np.lexsort((np.concatenate([start, time_us]), patient))  # stable: a coverage before what happens with it
    n = coverages.num_rows
    latest = np.maximum.accumulate(np.where(order < n, np.arange(len(order)), -1))
    found = np.where(latest >= 0, order[latest], -1)
    found[patient[found] != patient[order]] = -1
    last = np.empty(len(order), np.int64)
    last[order] = found
    return last[n:]
