import shutil
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.records.builders import random_records
from trajsim.errors import DataFileError, SchemaError
from trajsim.records.parquet import read_parquet, write_parquet
from trajsim.records.schema import TABLES, arrow_schema
from trajsim.records.table import concat


@settings(max_examples=25, deadline=None)
@given(seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=3), n_patients=st.integers(0, 4))
def test_what_is_read_equals_what_was_written(seeds: list[int], n_patients: int) -> None:
    parts = [random_records(seed=seed, n_patients=n_patients) for seed in seeds]
    with tempfile.TemporaryDirectory() as folder:
        for shard, part in enumerate(parts):
            write_parquet(part, Path(folder), shard=shard)
        again = read_parquet(Path(folder))
    assert again.equals(concat(parts))
    for name, table in again.tables.items():
        assert table.schema.equals(arrow_schema(name), check_metadata=True)


def test_every_table_has_one_file_a_shard(tmp_path: Path) -> None:
    files = write_parquet(random_records(seed=1), tmp_path, shard=3)
    assert sorted(files) == sorted(TABLES)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == sorted(
        f"{name}/part-00000003.parquet" for name in TABLES
    )


def test_bytes_do_not_depend_on_chunks(tmp_path: Path) -> None:
    records = random_records(seed=5, n_patients=6)
    whole = write_parquet(records, tmp_path / "a", shard=0)
    cut = write_parquet(concat(list(records.by_patient())), tmp_path / "b", shard=0)
    for name in TABLES:
        assert whole[name].read_bytes() == cut[name].read_bytes(), name


def test_the_schema_names_units_and_carries_nothing_of_pandas(tmp_path: Path) -> None:
    files = write_parquet(random_records(seed=1), tmp_path, shard=0)
    schema = pq.read_schema(files["conditions"])
    assert schema.metadata is None
    assert schema.field("time").metadata[b"about"] == b"when it began or happened"


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no Records here"):
        read_parquet(tmp_path)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    for shard in range(2):
        files = write_parquet(random_records(seed=shard), tmp_path, shard=shard)
    files["devices"].unlink()
    with pytest.raises(DataFileError, match=r"'devices' .* part-00000001.parquet"):
        read_parquet(tmp_path)
    shutil.rmtree(tmp_path / "devices")
    with pytest.raises(DataFileError, match="'devices'"):
        read_parquet(tmp_path)


def test_a_folder_without_coverages_is_one_of_an_earlier_version(tmp_path: Path) -> None:
    for shard in range(2):
        files = write_parquet(random_records(seed=shard), tmp_path, shard=shard)
    files["coverages"].unlink()
    with pytest.raises(DataFileError, match=r"'coverages' .* part-00000001.parquet"):
        read_parquet(tmp_path)
    shutil.rmtree(tmp_path / "coverages")
    assert read_parquet(tmp_path)["coverages"].num_rows == 0


def test_a_folder_without_claims_is_one_of_an_earlier_version(tmp_path: Path) -> None:
    write_parquet(random_records(seed=1), tmp_path, shard=0)
    for name in ("claims", "claim_lines"):
        shutil.rmtree(tmp_path / name)
    again = read_parquet(tmp_path)
    assert (again["claims"].num_rows, again["claim_lines"].num_rows) == (0, 0)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    files = write_parquet(random_records(seed=1), tmp_path, shard=0)
    files["imaging"].write_bytes(b"not parquet")
    with pytest.raises(DataFileError, match=r"imaging.part-00000000.parquet: not a readable Parquet file"):
        read_parquet(tmp_path)


def test_a_foreign_table_does_not_fit(tmp_path: Path) -> None:
    files = write_parquet(random_records(seed=1), tmp_path, shard=0)
    files["imaging"].write_bytes(files["supplies"].read_bytes())
    with pytest.raises(SchemaError, match="table 'imaging'"):
        read_parquet(tmp_path)
