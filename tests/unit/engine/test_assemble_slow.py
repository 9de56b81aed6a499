"""The fast assembly gives what a slow and obvious one gives, for any log that keeps the rules."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engine.assembly_logs import END_MS, clinic_catalogue, random_logs
from tests.unit.engine.slow_assembly import slow_life
from trajsim.engine.assemble import Assembler
from trajsim.records.invariants import check_records
from trajsim.records.schema import TABLES
from trajsim.records.table import Records, concat

CATALOGUE = clinic_catalogue()
ASSEMBLER = Assembler(CATALOGUE)
pytestmark = pytest.mark.no_jit
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _rows(records: Records, name: str) -> list[dict[str, Any]]:
    """Rows with times in milliseconds."""
    table = records[name]
    for position, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            milliseconds = pa.array(
                [None if us is None else us // 1000 for us in table[field.name].cast(pa.int64()).to_pylist()],
                pa.int64(),
            )
            table = table.set_column(position, field.name, milliseconds)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), n_patients=st.integers(0, 4), n_actions=st.integers(0, 40))
def test_assembly_equals_the_slow_one(seed: int, n_patients: int, n_actions: int) -> None:
    events, offsets, cohort = random_logs(CATALOGUE, seed=seed, n_patients=n_patients, n_actions=n_actions)
    records = ASSEMBLER.records(events, offsets, cohort, end_ms=END_MS)
    expected: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    deaths = []
    for p in range(n_patients):
        tables, death = slow_life(
            events[offsets[p] : offsets[p + 1]], CATALOGUE, int(cohort.patient_id[p]), int(cohort.birth_ms[p]), END_MS
        )
        deaths.append(death)
        for name, rows in tables.items():
            expected[name] += rows
    for name in TABLES:
        if name != "patients":
            assert _rows(records, name) == expected[name], name
    patients = _rows(records, "patients")
    assert [row["death_time"] for row in patients] == deaths
    assert [row["last_time"] for row in patients] == [END_MS if death is None else death for death in deaths]
    assert check_records(records) == []


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 5))
def test_rows_do_not_depend_on_the_chunk(seed: int, cut: int) -> None:
    events, offsets, cohort = random_logs(CATALOGUE, seed=seed, n_patients=5, n_actions=30)
    whole = ASSEMBLER.assemble(events, offsets, cohort, end_ms=END_MS)
    parts = [
        ASSEMBLER.assemble(
            events[offsets[a] : offsets[b]], offsets[a : b + 1] - offsets[a], cohort.rows(a, b), end_ms=END_MS
        )
        for a, b in ((0, cut), (cut, 5))
    ]
    joined = concat([part.records for part in parts])
    assert joined.equals(whole.records)
    assert parts[0].report + parts[1].report == whole.report
    for name, table in joined.compact().tables.items():
        assert table.equals(whole.records.compact()[name]), name
