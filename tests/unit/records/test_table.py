import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.records.builders import random_records
from trajsim.errors import SchemaError
from trajsim.records.schema import EVENT_TABLES, TABLES, arrow_schema
from trajsim.records.table import Records, compact_text, concat, require_schema


def test_every_table_is_there_even_when_nothing_is_given() -> None:
    records = Records({})
    assert tuple(records.tables) == tuple(TABLES)
    for name, table in records.tables.items():
        assert table.num_rows == 0
        assert table.schema.equals(arrow_schema(name), check_metadata=True)
    assert (len(records), records.n_rows, records.n_patients) == (0, 0, 0)
    assert repr(records) == "<Records: 0 patients, 0 rows>"


def test_tables_cannot_be_replaced() -> None:
    with pytest.raises(TypeError):
        Records({}).tables["patients"] = None  # type: ignore[index]


def test_an_unknown_table_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match="no table 'visits' in Records, expected one of patients, encounters"):
        Records({"visits": pa.table({})})
    with pytest.raises(SchemaError, match="no table 'visits'"):
        Records({})["visits"]


def _conditions() -> pa.Table:
    return random_records(seed=1)["conditions"]


def test_a_column_that_is_missing_or_unknown_is_named() -> None:
    table = _conditions().rename_columns([f"{name}x" if name == "code" else name for name in TABLES["conditions"]])
    with pytest.raises(SchemaError, match=r"columns missing: code; unknown columns: codex"):
        require_schema("conditions", table)


def test_columns_out_of_place_are_named() -> None:
    with pytest.raises(SchemaError, match="expected the columns in the order"):
        require_schema("conditions", _conditions().select(sorted(TABLES["conditions"])))


def test_a_wrong_type_and_a_null_are_named_together() -> None:
    table = _conditions()
    keys = pa.array([None] * table.num_rows, pa.uint64())
    table = table.set_column(1, "row_key", keys).set_column(2, "encounter_key", table["time"])
    with pytest.raises(
        SchemaError, match=r"column 'row_key': \d+ nulls.*column 'encounter_key': expected uint64, got timestamp"
    ):
        require_schema("conditions", table)


def test_descriptions_of_columns_are_added() -> None:
    table = _conditions().replace_schema_metadata(None)
    table = pa.Table.from_arrays(table.columns, names=table.column_names)
    assert require_schema("conditions", table).schema.field("code").metadata == {b"about": b"first code"}


def test_one_patient_has_exactly_their_rows() -> None:
    records = random_records(seed=2, n_patients=4)
    for position, wanted in enumerate(records.patient_ids.tolist()):
        one = records.patient(wanted)
        assert one.patient_ids.tolist() == [wanted]
        for name in TABLES:
            assert one[name].num_rows == np.count_nonzero(records.ids_of(name) == wanted)
        assert next(each for k, each in enumerate(records.by_patient()) if k == position).equals(one)


def test_an_unknown_patient_is_refused() -> None:
    with pytest.raises(SchemaError, match="no patient 0 among the 3 patients"):
        random_records(seed=2).patient(0)


def test_rows_out_of_order_cannot_be_cut_into_patients() -> None:
    records = random_records(seed=2)
    backward = records["observations"].take(pa.array(np.arange(records["observations"].num_rows)[::-1]))
    with pytest.raises(SchemaError, match=r"'observations' .* are not contiguous"):
        list(Records({**records.tables, "observations": backward}).by_patient())
    with pytest.raises(SchemaError, match="are not contiguous"):
        list(Records({"observations": records["observations"]}).by_patient())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), n_patients=st.integers(0, 5))
def test_patients_put_together_again_are_the_records(seed: int, n_patients: int) -> None:
    records = random_records(seed=seed, n_patients=n_patients)
    again = concat(list(records.by_patient()))
    assert again.equals(records)
    assert again.compact().equals(records)
    assert again.n_rows == sum(records[name].num_rows for name in (*EVENT_TABLES, "deaths"))


def test_concat_of_nothing_is_empty() -> None:
    assert concat([]).n_patients == 0


def test_other_rows_are_not_equal() -> None:
    assert not random_records(seed=1).equals(random_records(seed=2))


def test_pandas_has_categories_that_occur_and_times_in_utc() -> None:
    records = random_records(seed=3)
    frames = records.to_pandas()
    assert list(frames) == list(TABLES)
    frame = records.to_pandas("conditions")
    pd.testing.assert_frame_equal(frame, frames["conditions"])
    assert set(frame["code"].cat.categories) == set(frame["code"].astype(str))
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"


def test_compacting_keeps_order_and_nulls() -> None:
    first = pa.DictionaryArray.from_arrays(pa.array([2, None, 0], pa.int32()), pa.array(["a", "b", "c"]))
    second = pa.DictionaryArray.from_arrays(pa.array([1, 1], pa.int32()), pa.array(["c", "d"]))
    small = compact_text(pa.chunked_array([first, second]))
    assert small.to_pylist() == ["c", None, "a", "d", "d"]
    assert small.dictionary.to_pylist() == ["a", "c", "d"]
    assert compact_text(pa.chunked_array([], first.type)).to_pylist() == []
    nothing = pa.DictionaryArray.from_arrays(pa.array([None], pa.int32()), pa.array(["a"]))
    assert compact_text(pa.chunked_array([nothing])).dictionary.to_pylist() == []
