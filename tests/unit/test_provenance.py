import json
from pathlib import Path

import pytest

from trajsim import provenance
from trajsim.errors import DataFileError
from trajsim.provenance import CoercedCount, Counts, FileRecord, Manifest, RunRecord

OPTIONS = {"-n": 10, "--format": ["csv", "fhir"], "--sex": None, "--state-metrics": False}


def run_of(**changes: object) -> RunRecord:
    fields: dict[str, object] = {
        "versions": {"numpy": "2.0"},
        "seed": 2**64 - 1,
        "modules": {"a": "1" * 64, "b": "2" * 64},
        "tables": {"t.csv": "3" * 64},
        "options": OPTIONS,
    }
    return RunRecord(**(fields | changes))  # type: ignore[arg-type]


def manifest_of(run: RunRecord) -> Manifest:
    return Manifest(
        format=provenance.MANIFEST_FORMAT,
        run=run,
        counts=Counts(n_patients=10, coerced=[CoercedCount(kind="reason", module="a", state="S", n_patients=3)]),
        files=[FileRecord(path="csv/patients.csv", n_bytes=3, sha256="4" * 64)],
        shard_size=5,
        timings={"wall_s": 1.25},
        notes=[],
    )


def test_equal_runs_do_not_differ() -> None:
    assert run_of().differences(run_of()) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 1}, f"--seed: {2**64 - 1} there, 1 now"),
        ({"options": OPTIONS | {"-n": 20}}, "-n: 10 there, 20 now"),
        ({"options": OPTIONS | {"--format": ["csv"]}}, "--format: csv,fhir there, csv now"),
        ({"options": OPTIONS | {"--sex": "F"}}, "--sex: not given there, F now"),
        ({"versions": {"numpy": "2.1"}}, "version of numpy: 2.0 there, 2.1 now"),
        ({"modules": {"a": "9" * 64, "b": "2" * 64}}, "module 'a': its content changed"),
        ({"modules": {"a": "1" * 64}}, "module 'b': there, not now"),
        ({"modules": {"a": "1" * 64, "b": "2" * 64, "c": "5"}}, "module 'c': not there, now"),
        ({"tables": {"t.csv": "8"}}, "lookup table 't.csv': its content changed"),
    ],
)
def test_every_difference_is_a_sentence(changes: dict[str, object], sentence: str) -> None:
    assert run_of().differences(run_of(**changes)) == [sentence]


def test_a_manifest_reads_back(tmp_path: Path) -> None:
    manifest = manifest_of(run_of())
    path = tmp_path / "manifest.json"
    path.write_bytes(provenance.encode_manifest(manifest))
    assert provenance.read_manifest(path) == manifest


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": "other"}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="not a manifest"):
        provenance.read_manifest(path)


def test_a_manifest_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    text = provenance.encode_manifest(manifest_of(run_of())).decode()
    path.write_text(text.replace(provenance.MANIFEST_FORMAT, "trajsim-manifest-99"))
    with pytest.raises(DataFileError, match="trajsim-manifest-99"):
        provenance.read_manifest(path)


def test_the_schema_beside_the_code_is_that_of_the_manifest() -> None:
    assert json.loads(provenance.SCHEMA_FILE.read_text()) == provenance.manifest_schema()


def test_counts_of_disjoint_patients_add_up() -> None:
    left = Counts(
        n_patients=2,
        n_deaths=1,
        rows={"patients": 2, "deaths": 1},
        coerced=[CoercedCount(kind="k", module="m", state="s", n_patients=1)],
        adjusted={"stops_clipped": 1},
    )
    right = Counts(
        n_patients=3,
        rows={"patients": 3, "devices": 4},
        coerced=[
            CoercedCount(kind="k", module="m", state="s", n_patients=2),
            CoercedCount(kind="a", module="m", state="s", n_patients=5),
        ],
    )
    assert left.plus(right) == Counts(
        n_patients=5,
        n_deaths=1,
        rows={"patients": 5, "deaths": 1, "devices": 4},
        coerced=[
            CoercedCount(kind="a", module="m", state="s", n_patients=5),
            CoercedCount(kind="k", module="m", state="s", n_patients=3),
        ],
        adjusted={"stops_clipped": 1},
    )


def test_a_digest_of_a_value_sees_the_last_bit_of_a_float() -> None:
    assert provenance.digest_value([0.1 + 0.2]) != provenance.digest_value([0.3])
    assert provenance.digest_value({"b": 1, "a": 2}) == provenance.digest_value({"a": 2, "b": 1})


def test_every_library_that_shapes_output_has_a_version() -> None:
    versions = provenance.installed_versions()
    assert {"python", "numpy", "numba", "pyarrow", "fhir.resources"} <= set(versions)
