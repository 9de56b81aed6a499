from pathlib import Path

import pytest

from trajsim.cli.formats import distinct_files, growing_files, parse_formats, shard_writers, write_set_files
from trajsim.cli.output_options import OutputOptions
from trajsim.errors import ConfigError
from trajsim.records.table import Records


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("fhir,csv", ("csv", "fhir")),
        (" parquet , parquet", ("parquet",)),
        ("none", ()),
        ("fhir-ndjson", ("fhir-ndjson",)),
    ],
)
def test_formats_come_in_one_order_each_once(text: str, formats: tuple[str, ...]) -> None:
    assert parse_formats(text) == formats


@pytest.mark.parametrize("text", ["", ",", "none,csv", "xml", "CSV", "omop", "csv,meds"])
def test_what_cannot_be_written_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--format"):
        parse_formats(text)


def test_every_writer_writes_below_its_own_folder(tmp_path: Path) -> None:
    for write in shard_writers(("parquet", "csv", "fhir", "fhir-ndjson"), OutputOptions(), seed=7):
        write(Records({}), tmp_path, 0)
    write_set_files(("fhir-ndjson",), OutputOptions(), tmp_path, seed=7, end_ms=0)

    paths = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(growing_files(["csv"])) == {path for path in paths if path.startswith("csv/")}
    assert {path.partition("/")[0] for path in paths} <= {"parquet", "csv", "fhir", "fhir-ndjson"}
    assert "fhir-ndjson/manifest.json" in paths


def test_csv_headers_are_those_of_the_layout() -> None:
    headers = growing_files(["csv"])
    assert headers["csv/patients.csv"].startswith(b"Id,BIRTHDATE,")
    assert growing_files(["parquet"], claims=True) == {}
    assert set(growing_files(["csv"], claims=True)) - set(headers) == {"csv/claims.csv", "csv/claims_transactions.csv"}
    assert distinct_files(["parquet"]) == frozenset()
    assert distinct_files(["csv"]) == {"csv/payers.csv"} <= set(headers)
