"""Payers as Synthea's CSV files have them: who they are, whom they insured when, and who paid at a time.

Synthea lists a row a year of insurance; here a row is a coverage, however long it lasted. What plans cost and what they
paid for is not in Records.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.records.coverages import last_coverage
from trajsim.records.ids import payer_uuid
from trajsim.records.table import Records

NO_INSURANCE = "NO_INSURANCE"
GOVERNMENT = "GOVERNMENT"
PRIVATE = "PRIVATE"
NOT_INSURED = "none"
GOVERNMENT_KINDS = ("medicare", "medicaid", "dual")

_ADULT_MONTHS = 18 * 12
_US_PER_DAY = 86_400_000_000


def list_payers(records: Records, seed: int) -> pa.Table:
    """One row a payer, in order of first appearance.

    Args:
        records: Any Records.
        seed: Run seed, which the UUIDs depend on.

    Returns:
        Columns `payer_id`, `name` and `ownership` (GOVERNMENT, PRIVATE, NO_INSURANCE), all text.
    """
    table = records["coverages"]
    names, numbers = _distinct(_payer_names(table))
    first = np.unique(numbers, return_index=True)[1]
    kinds = table["kind"].cast(pa.string()).take(pa.array(first)).combine_chunks()
    ownership = pc.case_when(
        pc.make_struct(pc.is_in(kinds, pa.array(GOVERNMENT_KINDS)), pc.equal(kinds, NOT_INSURED)),
        GOVERNMENT, NO_INSURANCE, PRIVATE,
    )  # fmt: skip
    columns = {"payer_id": payer_uuid(seed, names.to_pylist()), "name": names, "ownership": ownership}
    return pa.table({name: column.dictionary_encode() for name, column in columns.items()})


def with_payer(records: Records, name: str, seed: int) -> pa.Table:
    """A table with the column `payer_id`: who insured the patient when the row began; null where nothing says so.

    Args:
        records: Any Records.
        name: Name of the table.
        seed: Run seed, which the UUIDs depend on.
    """
    table, coverages = records[name], records["coverages"]
    names, numbers = _distinct(_payer_names(coverages))
    in_force = last_coverage(records, table["patient_id"], table["time"].cast(pa.int64()).to_numpy())
    taken = numbers[in_force] if len(numbers) else np.zeros(len(in_force), np.int32)
    indices = pa.array(taken, pa.int32(), mask=in_force < 0)
    return table.append_column("payer_id", pa.DictionaryArray.from_arrays(indices, payer_uuid(seed, names.to_pylist())))


def with_owner(records: Records, seed: int) -> pa.Table:
    """Coverages with the columns of ``payer_transitions.csv`` that Records do not have.

    A plan is held by the patient from 18 years on, before by a guardian whose name nobody knows.

    Args:
        records: Any Records.
        seed: Run seed, which the UUIDs depend on.

    Returns:
        The table with `payer_id`, `ownership` (Self, Guardian; null: not insured) and `owner_name`.
    """
    table, people = records["coverages"], records["patients"]
    row = pc.index_in(table["patient_id"], value_set=people["patient_id"]).cast(pa.int64())
    is_insured = pc.not_equal(table["kind"].cast(pa.string()), NOT_INSURED).combine_chunks()
    birth = people["birth_time"].cast(pa.int64()).take(row).to_numpy()
    is_adult = pa.array(_months(birth, table["time"].cast(pa.int64()).to_numpy()) >= _ADULT_MONTHS)
    full = pc.binary_join_element_wise(people["given_name"], people["family_name"], " ", null_handling="replace")
    none = pa.scalar(None, pa.string())
    names, numbers = _distinct(_payer_names(table))
    ids = payer_uuid(seed, names.to_pylist())
    owner = pc.if_else(pc.and_(is_insured, is_adult), pc.utf8_trim_whitespace(full).take(row).combine_chunks(), none)
    held_by = pc.if_else(is_insured, pc.if_else(is_adult, "Self", "Guardian"), none)
    return (
        table.append_column("payer_id", pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), ids))
        .append_column("ownership", held_by.dictionary_encode())
        .append_column("owner_name", owner)
    )


def _payer_names(coverages: pa.Table) -> pa.Array:
    return coverages["payer"].cast(pa.string()).combine_chunks().fill_null(NO_INSURANCE)


def _distinct(texts: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """Distinct texts in order of first appearance, and the number of each text."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy()


def _months(birth_us: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Age in completed months, by the day in UTC."""
    days = [(each // _US_PER_DAY).astype("datetime64[D]") for each in (birth_us, time_us)]
    months = [day.astype("datetime64[M]") for day in days]
    of_month = [(day - month).astype(np.int64) for day, month in zip(days, months, strict=True)]
    completed: NDArray[np.int64] = (months[1] - months[0]).astype(np.int64) - (of_month[1] < of_month[0])
    return completed
