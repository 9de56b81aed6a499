"""Claims of a patient depend on the seed and the patient alone, not on who stands in the same shard."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records.builders import random_records
from trajsim.costs import with_claims, without_claims
from trajsim.records.table import Records, concat

TABLES = ("claims", "claim_lines")


@given(st.integers(0, 2**32), st.integers(0, 2**64 - 1), st.integers(1, 6))
def test_a_patient_alone_has_the_claims_of_the_crowd(seed: int, run_seed: int, n_patients: int) -> None:
    records = without_claims(random_records(seed=seed, n_patients=n_patients, max_rows=8))
    whole = with_claims(records, seed=run_seed)
    alone = concat([with_claims(each, seed=run_seed) for each in records.by_patient()])
    assert all(Records({name: whole[name]}).equals(Records({name: alone[name]})) for name in TABLES)


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_chunks_change_no_row(seed: int, size: int) -> None:
    records = without_claims(random_records(seed=seed, n_patients=4, max_rows=8))
    cut = Records(
        {
            name: pa.Table.from_batches(table.to_batches(max_chunksize=size), schema=table.schema)
            for name, table in records.tables.items()
        }
    )
    whole, pieces = (with_claims(each, seed=3) for each in (records, cut))
    assert all(Records({name: whole[name]}).equals(Records({name: pieces[name]})) for name in TABLES)
