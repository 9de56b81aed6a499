"""The same patients in several formats are the same patients."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.learn.ingest.readers.clinical import person, rows_of
from trajsim.cli.app import main
from trajsim.errors import ConfigError, DataFileError
from trajsim.event_sequences import EventSequences
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.readers.formats import READERS, read_source
from trajsim.learn.ingest.readers.records import read_records, rows_of_records
from trajsim.learn.ingest.rows import ClinicalRows
from trajsim.records.parquet import read_parquet, write_parquet

NAMES = ("records", "synthea-csv", "synthea-fhir", "fhir", "meds", "omop")
_FIELDS = (
    "patient_id", "split", "is_male", "entry_age_days", "bmi", "prevalent", "entry_values", "entry_value_days",
    "follow_up_days", "offsets", "day", "is_visit", "events", "forbidden", "values",
)  # fmt: skip


def _sequences(name: str, source: Path | ClinicalRows) -> EventSequences:
    mapping = read_mapping(name)
    clinical = read_source(mapping.format, source) if isinstance(source, Path) else source
    sequences, _ = make_sequences(clinical, mapping, source=name)
    return sequences.take(np.argsort(sequences.patient_id))


@pytest.fixture(name="run", scope="module")
def run_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five grown lives in three formats."""
    out = tmp_path_factory.mktemp("run") / "out"
    options = ["-n", "5", "--seed", "2", "--age", "80-90", "--format", "parquet,csv,fhir-ndjson", "--out", str(out)]
    assert main(["generate", *options]) == 0
    return out


def test_a_run_reads_the_same_from_parquet_csv_and_fhir(run: Path) -> None:
    expected = _sequences("records", run)
    assert len(expected) >= 2
    assert len(expected.day) > len(expected)
    for name, folder in (("synthea-csv", "csv"), ("synthea-fhir", "fhir-ndjson")):
        found = _sequences(name, run / folder)
        for field in _FIELDS:
            np.testing.assert_array_equal(getattr(found, field), getattr(expected, field), err_msg=f"{name} {field}")


def test_records_in_memory_read_as_those_on_disk(run: Path) -> None:
    in_memory, on_disk = rows_of_records(read_parquet(run / "parquet"), seed=2), read_records(run)
    assert list(in_memory.persons["patient_id"]) == list(on_disk.persons["patient_id"])
    assert rows_of(in_memory)[:500] == rows_of(on_disk)[:500]
    assert list(rows_of_records(read_parquet(run / "parquet")).persons["patient_id"]) == ["0", "1", "2", "3", "4"]


def test_a_patient_in_two_shards_is_a_fault_with_its_file(run: Path, tmp_path: Path) -> None:
    records = read_parquet(run / "parquet")
    for shard in (0, 1):
        write_parquet(records, tmp_path, shard=shard)
    clinical, mapping = read_records(tmp_path), read_mapping("records")
    assert clinical.faults == ()
    with pytest.raises(DataFileError, match=r"persons_twice: .*: patient '0' \(patients/part-00000001.parquet row 1\)"):
        make_sequences(clinical, mapping, source="records")
    dropped = replace(mapping, actions={**mapping.actions, "persons_twice": "drop"})
    _, report = make_sequences(clinical, dropped, source="records")
    assert report.patients_left_out["persons_twice"] == 5


def test_rows_that_no_rule_names_may_be_left_out_at_once(run: Path) -> None:
    mapping, records = read_mapping("records"), read_parquet(run / "parquet")
    whole, part = rows_of_records(records), rows_of_records(records, only=mapping)
    assert len(part.rows) + sum(part.counts.values()) == len(whole.rows)
    expected, found = (make_sequences(each, mapping, source="records")[0] for each in (whole, part))
    for field in _FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field), err_msg=field)


def test_csv_and_fhir_of_synthea_give_the_same_events_and_labs(shared: Path) -> None:
    sample = shared / "synthea" / "reference" / "sample"
    tables, bundles = read_source("synthea-csv", sample / "csv"), read_source("fhir", sample / "fhir")
    assert tables.faults == bundles.faults == ()
    for name in tables.persons["patient_id"]:
        found, expected = person(bundles, name), person(tables, name)
        assert [found[key] for key in ("sex", "birth", "death")] == [expected[key] for key in ("sex", "birth", "death")]
    mapping = read_mapping("synthea-fhir")
    wanted = [rule.codes for rule in mapping.events] + [rule.codes for rule in mapping.labs]
    counts = []
    for clinical in (tables, bundles):
        events = {row[:4] for row in rows_of(clinical, is_lab=False) if any(codes.holds(*row[2:4]) for codes in wanted)}
        labs = Counter(
            row[:4] for row in rows_of(clinical, is_lab=True) if any(codes.holds(*row[2:4]) for codes in wanted)
        )
        counts.append((events, labs))
    assert counts[0] == counts[1]
    from_tables, from_bundles = _sequences("synthea-csv", tables), _sequences("synthea-fhir", bundles)
    for field in ("patient_id", "entry_age_days", "prevalent", "entry_value_days", "day", "events"):
        np.testing.assert_array_equal(getattr(from_tables, field), getattr(from_bundles, field), err_msg=field)
    # CSV rounds to one decimal before ingest rounds to the resolution.
    np.testing.assert_allclose(from_tables.values, from_bundles.values, atol=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_has_the_vocabulary_of_nafld(name: str) -> None:
    mapping = read_mapping(name)
    assert mapping.vocabulary == read_mapping("nafld").vocabulary
    assert mapping.format in READERS


def test_a_day_that_cannot_be_lengthens_the_life_of_nobody_in_csv(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "csv", tmp_path / "csv")
    expected = read_source("synthea-csv", tmp_path / "csv").persons["end"]
    observations = tmp_path / "csv" / "observations.csv"
    header, first, *others = observations.read_text().splitlines()
    observations.write_text("\n".join([header, f"2205{first[4:]}", *others]) + "\n")
    found = read_source("synthea-csv", tmp_path / "csv")
    assert found.persons["end"].tolist() == expected.tolist()
    assert found.rows["day"].max() > 85_000
    assert found.last_day is not None
    assert found.last_day < 85_000


def test_a_run_that_ends_after_today_is_read_to_its_end(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "out")
    manifest = tmp_path / "out" / "manifest.json"
    written = json.loads(manifest.read_text())
    written["run"]["options"]["--end"] = "2300-01-01"
    manifest.write_text(json.dumps(written))
    for name, folder in (("synthea-csv", "csv"), ("fhir", "fhir-ndjson"), ("records", "parquet")):
        clinical = read_source(name, tmp_path / "out" / folder)
        assert clinical.last_day == (None if name == "records" else 120_530)


def test_a_format_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no reader of the format 'hl7v2'"):
        read_source("hl7v2", tmp_path)
