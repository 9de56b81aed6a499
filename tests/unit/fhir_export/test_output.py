"""Files are whole or not there; a small buffer gives the same bytes; odd text stays what it is."""

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_export import FhirExporter
from fhir_export.ndjson import lines
from fhir_export.output import Pen, WholeFiles
from trajsim.errors import ExportError
from trajsim.records.table import Records

MakeRecords = Callable[..., Records]


def test_files_appear_together_when_all_are_whole(tmp_path: Path) -> None:
    with WholeFiles(tmp_path / "new" / "folder") as files:
        files.write("a", iter([b"one", memoryview(b"two")]))
        assert not (tmp_path / "new" / "folder" / "a").exists()
        files.write("b", iter([]))
    assert (tmp_path / "new" / "folder" / "a").read_bytes() == b"onetwo"
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {"a", "b"}
    assert files.n_bytes == 6


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    def write() -> None:
        with WholeFiles(tmp_path) as files:
            files.write("a", iter([b"whole"]))
            files.write("b", breaks())

    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(RuntimeError):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_folder_that_is_a_file_is_refused(exporter: FhirExporter, make_records: MakeRecords, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot write"):
        exporter.write_bundles(make_records(1), tmp_path / "file")


def test_a_full_disk_is_reported_and_leaves_nothing(
    exporter: FhirExporter, make_records: MakeRecords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fhir_export.output.os.write", full)
    with pytest.raises(ExportError, match="No space left on device"):
        exporter.write_ndjson(make_records(1), tmp_path, shard=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [65, 100, 1_000, 5_000])
def test_a_small_buffer_gives_the_same_bytes(exporter: FhirExporter, make_records: MakeRecords, size: int) -> None:
    records = make_records(1, 2)
    shard = exporter._shard(records)
    pen = Pen()
    pen._out = np.zeros(size, np.uint8)
    pieces = {kind: [bytes(piece) for piece in chunks] for kind, chunks in lines(shard, pen)}
    assert {kind: b"".join(parts) for kind, parts in pieces.items()} == exporter.ndjson_bytes(records)
    assert sum(map(len, pieces.values())) > len(pieces)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    wording=st.text(string.printable, min_size=1).filter(str.strip),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_odd_text_and_numbers_read_back(
    make_records: MakeRecords, make_rows: Callable[[int], dict[str, list[dict[str, Any]]]], exporter: FhirExporter,
    name: str, wording: str, value: float,
) -> None:  # fmt: skip
    rows = make_rows(1)
    rows["patients"][0]["family_name"] = name
    rows["conditions"][0]["display"] = wording
    rows["observations"][0]["numeric_value"] = value
    rows["observations"][2]["text_value"] = name
    found = exporter.ndjson_bytes(make_records(**rows))
    assert orjson.loads(found["Patient"])["name"][0]["family"] == name
    assert orjson.loads(found["Condition"].splitlines()[0])["code"]["text"] == wording
    observations = [orjson.loads(line) for line in found["Observation"].split(b"\n")[:-1]]
    assert observations[0]["valueQuantity"]["value"] == value
    if name not in {"true", "false"}:
        assert observations[2]["valueString"] == name
