"""What stands beside NDJSON: every file is listed, every patient is a member, every address is relative."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from fhir.resources.R4B.group import Group
from fhir.resources.R4B.parameters import Parameters

from fhir_export import FhirExporter, Layout
from fhir_export.compress import open_decompressed
from fhir_export.ndjson import SHARED_TYPES
from trajsim.records.table import Records

pytestmark = pytest.mark.no_jit

MakeRecords = Callable[..., Records]
END_US = 1_735_689_600_000_000


@pytest.mark.parametrize(("method", "suffix"), [(None, ""), ("gzip", ".gz"), ("zstd", ".zst")])
def test_a_set_describes_itself(make_records: MakeRecords, tmp_path: Path, method: str | None, suffix: str) -> None:
    exporter = FhirExporter(seed=7, layout=Layout(compress=method))
    data = {
        path.name
        for shard, records in enumerate((make_records(1, 2), make_records(3)))
        for path in exporter.write_ndjson(records, tmp_path, shard=shard).files
    }
    report = exporter.finish_ndjson(tmp_path, end_us=END_US)
    assert [path.name for path in report.files] == [f"Group.ndjson{suffix}", "manifest.json", "parameters.json"]
    assert report.n_bytes == sum(path.stat().st_size for path in report.files)
    assert f"Patient-00001.ndjson{suffix}" in data
    gone = {name for name in data if not (tmp_path / name).is_file()}
    assert "Organization-00001.ndjson" in gone  # nothing that is not in the first file
    assert {name.partition("-")[0] for name in gone} <= set(SHARED_TYPES)
    data -= gone
    for kind in SHARED_TYPES:
        rows = [line for path in tmp_path.glob(f"{kind}-*") for line in path.read_bytes().splitlines()]
        assert len(set(rows)) == len(rows) > 0

    manifest = orjson.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["transactionTime"] == "2025-01-01T00:00:00.000Z"
    listed = {each["url"]: each["type"] for each in manifest["output"]}
    assert set(listed) == data | {f"Group.ndjson{suffix}"}
    assert all(name.startswith(kind) for name, kind in listed.items())

    parameters = orjson.loads((tmp_path / "parameters.json").read_bytes())
    Parameters.model_validate(parameters)
    inputs = [
        {part["name"]: part.get("valueCode", part.get("valueUri")) for part in each["part"]}
        for each in parameters["parameter"]
        if each["name"] == "input"
    ]
    assert {each["url"]: each["type"] for each in inputs} == listed

    with open_decompressed(tmp_path / f"Group.ndjson{suffix}") as lines:
        (group,) = [orjson.loads(line) for line in lines]
    Group.model_validate(group)
    members = [f"Patient/{exporter.patient_resource_id(patient)}" for patient in (1, 2, 3)]
    assert [each["entity"]["reference"] for each in group["member"]] == members
    assert group["quantity"] == 3
    assert group["meta"]["security"][0]["code"] == "HTEST"


def test_a_set_without_patients_has_no_group(tmp_path: Path) -> None:
    report = FhirExporter(seed=7).finish_ndjson(tmp_path, end_us=0)
    assert [path.name for path in report.files] == ["manifest.json", "parameters.json"]
    assert orjson.loads((tmp_path / "manifest.json").read_bytes())["output"] == []
