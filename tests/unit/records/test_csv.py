import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.records.builders import random_records, with_column
from trajsim.errors import DataFileError
from trajsim.records.csv import clean, join_csv, numbers, write_csv
from trajsim.records.csv_layout import DATE_FILES, HEADERS, TABLE_OF_FILE
from trajsim.records.csv_read import read_synthea_csv
from trajsim.records.ids import patient_uuid, row_uuid
from trajsim.records.schema import TIME
from trajsim.records.table import Records, concat

SEED = 7
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def _written(folder: Path, *parts: Records) -> Path:
    for shard, records in enumerate(parts):
        write_csv(records, folder / "parts", shard=shard, seed=SEED)
    join_csv(folder / "parts", folder / "csv")
    return folder / "csv"


def _lines(folder: Path, kind: str) -> list[list[str]]:
    """Cells of a file; no cell is quoted, so a comma is always a border."""
    text = (folder / f"{kind}.csv").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [line.split(",") for line in text.removesuffix("\n").split("\n")]


def _cells(folder: Path, kind: str) -> list[dict[str, str]]:
    return [dict(zip(HEADERS[kind], line, strict=True)) for line in _lines(folder, kind)[1:]]


def test_headers_are_those_of_the_reference(shared: Path) -> None:
    page = (shared / "reference" / "fhir.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^\| (\w+)\.csv \| (.*) \|$", page, re.MULTILINE))
    for kind, header in HEADERS.items():
        assert header == tuple(found[kind].split(", ")), kind


def test_files_that_hold_dates_are_those_of_the_reference(shared: Path) -> None:
    page = (shared / "reference" / "fhir.md").read_text(encoding="utf-8")
    sentence = re.search(r"; ([a-z, ]+) use `yyyy-MM-dd`", page)
    assert sentence is not None
    assert set(sentence[1].split(", ")) == DATE_FILES


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), n_patients=st.integers(0, 4))
def test_every_line_has_as_many_cells_as_the_header(seed: int, n_patients: int) -> None:
    records = random_records(seed=seed, n_patients=n_patients)
    with tempfile.TemporaryDirectory() as name:
        folder = _written(Path(name), records)
        for kind, header in HEADERS.items():
            lines = _lines(folder, kind)
            assert lines[0] == list(header)
            assert {len(line) for line in lines} == {len(header)}, kind
            table = records[TABLE_OF_FILE[kind]]
            if kind == "imaging_studies":
                assert len(lines) == 1 + sum(table["n_instances"].to_pylist())
            elif kind == "payers":
                assert len(lines) == 1 + len(set(table["payer"].to_pylist()))
            elif kind != "observations":
                assert len(lines) == 1 + table.num_rows


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), n_patients=st.integers(1, 4))
def test_what_synthea_has_a_column_for_is_read_back(seed: int, n_patients: int) -> None:
    records = random_records(seed=seed, n_patients=n_patients)
    with tempfile.TemporaryDirectory() as name:
        again = read_synthea_csv(_written(Path(name), records))
    assert again.n_patients == records.n_patients
    assert again["patients"]["source_id"].to_pylist() == patient_uuid(SEED, records.patient_ids).to_pylist()
    for table, columns in _KEPT.items():
        old = records[table]
        if table == "observations":
            old = old.take(pa.array(np.flatnonzero([_value(row) is not None for row in old.to_pylist()])))
        assert [_seen(row, columns, table) for row in again[table].to_pylist()] == [
            _seen(row, columns, table) for row in old.to_pylist()
        ], table
        if table not in ("patients", "coverages"):
            _same_encounters(again, records, table, old)


_KEPT = {
    "patients": ("sex", "race", "ethnicity", "given_name", "postal_code", "latitude", "income"),
    "encounters": ("time", "stop", "encounter_class", "code", "display", "reason_code", "reason_display"),
    "conditions": ("time", "stop", "code", "display", "system"),
    "allergies": ("time", "stop", "code", "display", "system", "allergy_type"),
    "medications": ("time", "stop", "code", "display", "reason_code"),
    "careplans": ("time", "stop", "code", "display", "reason_code"),
    "procedures": ("time", "stop", "code", "display", "system", "reason_code"),
    "observations": ("time", "category", "code", "display", "numeric_value", "unit"),
    "immunizations": ("time", "code", "display"),
    "devices": ("time", "stop", "code", "display"),
    "supplies": ("time", "code", "display", "quantity"),
    "coverages": ("time", "stop", "payer"),
}


def _value(row: dict[str, Any]) -> object:
    return next((row[name] for name in ("numeric_value", "text_value", "value_code") if row[name] is not None), None)


def _seen(row: dict[str, Any], columns: tuple[str, ...], table: str) -> list[object]:
    """What a row still says after its way through the file: whole seconds or days, no commas, empty is absent."""
    seen: list[object] = []
    for name in columns:
        value = row[name]
        if name in ("time", "stop") and value is not None:
            value = str(value.date()) if table in DATE_FILES else value.strftime("%Y-%m-%dT%H:%M:%S")
        elif isinstance(value, str):
            value = clean(value) or None
        seen.append(value)
    return seen


def _same_encounters(again: Records, records: Records, table: str, old: pa.Table) -> None:
    """The encounter of every row is still the same one (by place in the table of encounters)."""
    if table == "encounters":
        return

    def places(pairs: Iterable[tuple[int, int]], where: Records) -> list[int]:
        keys = zip(
            where["encounters"]["patient_id"].to_pylist(), where["encounters"]["row_key"].to_pylist(), strict=True
        )
        found = {key: place for place, key in enumerate(keys)}
        return [found.get(pair, -1) for pair in pairs]

    before = zip(old["patient_id"].to_pylist(), old["encounter_key"].to_pylist(), strict=True)
    after = zip(again[table]["patient_id"].to_pylist(), again[table]["encounter_key"].to_pylist(), strict=True)
    assert places(after, again) == places(before, records), table


def test_ids_are_uuids_of_version_8_from_seed_patient_and_row(tmp_path: Path) -> None:
    records = random_records(seed=4)
    folder = _written(tmp_path, records)
    encounters = records["encounters"]
    ids = row_uuid(SEED, encounters["patient_id"].to_numpy(), encounters["row_key"].to_numpy()).to_pylist()
    assert [cells["Id"] for cells in _cells(folder, "encounters")] == ids
    plans = records["careplans"]
    ids = row_uuid(SEED, plans["patient_id"].to_numpy(), plans["row_key"].to_numpy()).to_pylist()
    assert [cells["Id"] for cells in _cells(folder, "careplans")] == ids
    patients = patient_uuid(SEED, records["conditions"]["patient_id"].to_numpy()).to_pylist()
    assert [cells["PATIENT"] for cells in _cells(folder, "conditions")] == patients
    assert all(UUID.fullmatch(cells["Id"]) for cells in _cells(folder, "patients"))


def test_a_row_without_an_encounter_has_an_empty_cell(tmp_path: Path) -> None:
    records = random_records(seed=4)
    n = records["devices"].num_rows
    records = with_column(records, "devices", "encounter_key", pa.array(np.zeros(n, np.uint64)))
    assert {cells["ENCOUNTER"] for cells in _cells(_written(tmp_path, records), "devices")} == {""}


def test_times_before_1970_are_rounded_down(tmp_path: Path) -> None:
    records = random_records(seed=4)
    for table in ("procedures", "conditions"):
        early = pa.array(np.full(records[table].num_rows, -500_000, np.int64)).view(TIME)
        records = with_column(with_column(records, table, "time", early), table, "stop", early)
    folder = _written(tmp_path, records)
    assert {cells["START"] for cells in _cells(folder, "procedures")} == {"1969-12-31T23:59:59Z"}
    assert {cells["STOP"] for cells in _cells(folder, "conditions")} == {"1969-12-31"}


def test_an_observation_says_whether_it_is_a_number(tmp_path: Path) -> None:
    records = random_records(seed=4, n_patients=6)
    folder = _written(tmp_path, records)
    kept = [row for row in records["observations"].to_pylist() if _value(row) is not None]
    cells = _cells(folder, "observations")
    assert [each["TYPE"] for each in cells] == ["text" if row["numeric_value"] is None else "numeric" for row in kept]
    for each, row in zip(cells, kept, strict=True):
        if row["numeric_value"] is not None:
            assert float(each["VALUE"]) == row["numeric_value"]
        else:
            text = row["value_display"] if row["text_value"] is None else row["text_value"]
            assert each["VALUE"] == clean(text or "")


def test_whole_numbers_end_in_point_zero() -> None:
    values = [3.0, -2.0, 0.1, 1e22, 1e-7, None]
    assert numbers(pa.array(values, pa.float64())).to_pylist() == ["3.0", "-2.0", "0.1", "1e+22", "1e-7", None]
    assert numbers(pa.array([3, None])).to_pylist() == ["3", None]
    assert numbers(pa.array([0.5])).to_pylist() == ["0.5"]


def test_reactions_have_room_for_two(tmp_path: Path) -> None:
    records = random_records(seed=4, n_patients=6)
    cells = _cells(_written(tmp_path, records), "allergies")
    reactions = records["allergies"]["reactions"].to_pylist()
    for each, text in zip(cells, reactions, strict=True):
        assert each["REACTION1"] == ("31" if text else "")
        assert each["SEVERITY1"] == ("MILD" if text else "")
        assert each["REACTION2"] == ("32" if text and "severe" in text else "")
        assert each["DESCRIPTION2"] == ("wheal" if text and "severe" in text else "")


def test_every_image_is_a_line_with_ids_of_its_own(tmp_path: Path) -> None:
    records = random_records(seed=4)
    cells = _cells(_written(tmp_path, records), "imaging_studies")
    instances = [each["INSTANCE_UID"] for each in cells]
    assert len(set(instances)) == len(instances)
    assert all(re.fullmatch(r"2\.25\.\d{1,39}\.\d+", uid) and len(uid) <= 64 for uid in instances)
    assert all(each["INSTANCE_UID"].startswith(each["SERIES_UID"] + ".") for each in cells)
    again = read_synthea_csv(tmp_path / "csv")["imaging"]
    assert again["n_instances"].to_pylist() == records["imaging"]["n_instances"].to_pylist()


def test_systems_are_addresses_where_synthea_has_addresses(tmp_path: Path) -> None:
    folder = _written(tmp_path, random_records(seed=4, n_patients=8))
    assert {each["SYSTEM"] for each in _cells(folder, "conditions")} == {
        "http://snomed.info/sct",
        "http://loinc.org",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "house codes",
    }
    assert {each["SYSTEM"] for each in _cells(folder, "allergies")} <= {"SNOMED-CT", "LOINC", "RxNorm", "house codes"}


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 5))
def test_shards_and_chunks_change_no_byte(seed: int, cut: int) -> None:
    records = random_records(seed=seed, n_patients=5)
    each = list(records.by_patient())
    with tempfile.TemporaryDirectory() as name:
        whole = _written(Path(name) / "a", records)
        parts = _written(Path(name) / "b", concat(each[:cut]), concat(each[cut:]))
        for kind in HEADERS:
            assert (whole / f"{kind}.csv").read_bytes() == (parts / f"{kind}.csv").read_bytes(), kind


def test_many_rows_are_written_in_batches(tmp_path: Path) -> None:
    records = random_records(seed=1, n_patients=3, max_rows=9_000)
    folder = _written(tmp_path, records)
    assert len(_lines(folder, "supplies")) == 1 + records["supplies"].num_rows


def test_parts_that_do_not_match_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="expected the same parts"):
        join_csv(tmp_path, tmp_path / "csv")
    write_csv(random_records(seed=1), tmp_path / "parts", shard=0, seed=SEED)
    (tmp_path / "parts" / "devices" / "part-00000000.csv").unlink()
    with pytest.raises(DataFileError, match="expected the same parts"):
        join_csv(tmp_path / "parts", tmp_path / "csv")
    assert not (tmp_path / "csv").exists()
