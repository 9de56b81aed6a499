"""The table `patients`: who they were at birth, and how long they were observed."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.population.cohort import AttributeColumn, Cohort
from trajsim.records.schema import TABLES, TIME
from trajsim.records.table import schema_of
from trajsim.units import US_PER_MS

# Attributes that Synthea's lifecycle sets at birth, by the column that shows them; `identity` of a cohort wins.
_ATTRIBUTES: Mapping[str, str] = {
    "sex": "gender",
    "race": "race",
    "ethnicity": "ethnicity",
    "language": "first_language",
    "marital_status": "marital_status",
    "city": "city",
    "county": "county",
    "state": "state",
    "postal_code": "zip",
    "birth_city": "birth_city",
    "income": "income",
}


def patients_table(cohort: Cohort, death_ms: NDArray[np.int64], died: NDArray[np.bool_], end_ms: int) -> pa.Table:
    """Makes the table.

    Args:
        cohort: The patients.
        death_ms: Time of death where `died`.
        died: Whether a patient died before the end of the run.
        end_ms: End of the run.

    Returns:
        One row a patient, in the order of the cohort.

    Raises:
        ConfigError: The cohort says nothing of a column that may not be null.
    """
    times = {
        "birth_time": _time(cohort.birth_ms),
        "death_time": _time(death_ms, mask=~died),
        "last_time": _time(np.where(died, death_ms, np.maximum(end_ms, cohort.birth_ms))),
    }
    columns = []
    for name, column in TABLES["patients"].items():
        if name == "patient_id":
            columns.append(pa.array(cohort.patient_id, column.type))
        elif name in times:
            columns.append(times[name])
        elif name in cohort.identity:
            columns.append(_typed(pa.array(cohort.identity[name]), column.type))
        elif _ATTRIBUTES.get(name) in cohort.attributes:
            columns.append(_attribute(cohort.attributes[_ATTRIBUTES[name]], column.type))
        elif column.nullable:
            columns.append(pa.nulls(len(cohort), column.type))
        else:
            msg = (
                f"cohort of {len(cohort)} patients has no attribute {_ATTRIBUTES[name]!r}, which table 'patients' needs"
            )
            raise ConfigError(msg)
    return pa.Table.from_arrays(columns, schema=schema_of("patients"))


def _time(time_ms: NDArray[np.int64], *, mask: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(time_ms * US_PER_MS, pa.int64(), mask=mask).view(TIME)


def _attribute(column: AttributeColumn, arrow_type: pa.DataType) -> pa.Array:
    if column.kind != "text":
        return _typed(pa.array(np.ascontiguousarray(column.values)), arrow_type)
    indices = pa.array(np.ascontiguousarray(column.values), pa.int32())
    return _typed(pa.DictionaryArray.from_arrays(indices, pa.array(column.categories, pa.string())), arrow_type)


def _typed(array: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    """A column in the type of the schema."""
    if array.type == arrow_type:
        return array
    if pa.types.is_dictionary(arrow_type):
        return array.cast(arrow_type.value_type).dictionary_encode()
    return array.cast(arrow_type)
