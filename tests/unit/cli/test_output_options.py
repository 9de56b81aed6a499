"""The options of what is written: checked against each other, recorded, compared on resume, the same for export."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from trajsim.cli.app import main
from trajsim.cli.output_options import OutputOptions, resolve_output_options
from trajsim.errors import ConfigError
from trajsim.records.parquet import read_parquet

RUN = ["-n", "6", "--seed", "7", "--shard-size", "2", "--quiet"]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path != folder / "manifest.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def plain(content: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(content)
    return zstandard.ZstdDecompressor().stream_reader(content).read() if name.endswith(".zst") else content


@pytest.mark.parametrize(
    ("formats", "options", "words"),
    [
        (("fhir",), {"bundle": "batch"}, "--bundle must be one of"),
        (("fhir",), {"compress": "zip"}, "--compress must be one of gzip, zstd, got 'zip'"),
        (("fhir",), {"bundle_size": 0}, "--bundle-size must be positive, got 0"),
        (("csv",), {"bundle": "put"}, "--bundle is about the format fhir, which --format does not name"),
        (("fhir-ndjson",), {"bundle_size": 100}, "--bundle-size is about the format fhir,"),
        (("csv",), {"us_core": "none"}, "--us-core is about the format fhir or fhir-ndjson,"),
        (("fhir",), {"us_core": "6"}, "--us-core must be one of 6.1.0, 7.0.0, 8.0.0, none, got '6'"),
        ((), {"claims": True}, "--claims is about the format parquet or csv or fhir or fhir-ndjson,"),
        (("csv", "parquet"), {"compress": "gzip"}, "--compress is about the format fhir or fhir-ndjson,"),
    ],
)
def test_no_option_is_ignored_in_silence(formats: tuple[str, ...], options: dict[str, object], words: str) -> None:
    given: dict[str, object] = {"bundle": "transaction", "bundle_size": None, "compress": None, "years": 0} | options
    with pytest.raises(ConfigError, match=words):
        resolve_output_options(formats, **given)  # type: ignore[arg-type]


def test_options_are_recorded_by_name() -> None:
    options = resolve_output_options(("fhir",), bundle="put", bundle_size=None, compress="zstd", years=10)
    assert options == OutputOptions(bundle="put", compress="zstd", years=10)
    recorded = {"--bundle": "put", "--bundle-size": None, "--compress": "zstd", "--us-core": "6.1.0", "--years": 10}
    assert options.recorded() == recorded | {"--claims": False}


def test_a_run_is_another_one_with_another_layout(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["generate", "--modules-dir", str(modules), *RUN, "--format", "fhir", "--out", str(out)]
    assert main([*command, "--bundle", "put", "--bundle-size", "400", "--years", "5"]) == 0
    options = json.loads((out / "manifest.json").read_bytes())["run"]["options"]
    assert {name: options[name] for name in ("--bundle", "--bundle-size", "--compress", "--years")} == {
        "--bundle": "put", "--bundle-size": 400, "--compress": None, "--years": 5,
    }  # fmt: skip
    assert main([*command, "--bundle", "put", "--years", "5"]) == 2
    assert "--bundle-size" in capsys.readouterr().err
    assert all(path.name[-9:-5] == "-001" for path in (out / "fhir").iterdir())


@pytest.mark.parametrize(("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_compressed_runs_hold_the_same(modules: Path, tmp_path: Path, method: str, suffix: str) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN, "--format", "fhir,fhir-ndjson", "--out"]
    assert main([*command, str(tmp_path / "plain")]) == 0
    assert main([*command, str(tmp_path / "packed"), "--compress", method]) == 0
    packed = files(tmp_path / "packed")
    described = json.loads(packed["fhir-ndjson/manifest.json"])
    for folder in ("packed", "plain"):
        for name in ("manifest", "parameters"):
            (tmp_path / folder / f"fhir-ndjson/{name}.json").unlink()
    unpacked = {name.removesuffix(suffix): plain(content, name) for name, content in files(tmp_path / "packed").items()}
    assert unpacked == files(tmp_path / "plain")
    listed = {each["url"] for each in described["output"]}
    assert listed <= {name.removeprefix("fhir-ndjson/") for name in packed}
    assert f"Patient-00002.ndjson{suffix}" in listed


def test_years_hold_for_every_format_and_the_counts(modules: Path, tmp_path: Path) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN, "--format", "parquet,csv,fhir-ndjson", "--out"]
    counts = {}
    for years in ("0", "3"):
        out = tmp_path / years
        assert main([*command, str(out), "--years", years]) == 0
        counts[years] = json.loads((out / "manifest.json").read_bytes())["counts"]["rows"]["encounters"]
        assert read_parquet(out / "parquet")["encounters"].num_rows == counts[years]
        assert len((out / "csv/encounters.csv").read_bytes().splitlines()) == counts[years] + 1
        lines = [path.read_bytes().splitlines() for path in (out / "fhir-ndjson").glob("Encounter-*")]
        assert sum(map(len, lines)) == counts[years]
    assert 0 < counts["3"] < counts["0"]


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "csv,fhir,fhir-ndjson"],
        ["--format", "csv,fhir-ndjson", "--claims", "--years", "3"],
        ["--format", "csv,fhir", "--years", "3", "--bundle", "put", "--bundle-size", "30"],
        ["--format", "fhir,fhir-ndjson", "--compress", "gzip", "--bundle", "collection"],
    ],
)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_export_of_a_run_of_shards_writes_what_generate_writes(
    modules: Path, tmp_path: Path, options: list[str], threads: str
) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN]
    assert main([*command, "--format", "parquet", "--out", str(tmp_path / "records")]) == 0
    assert main([*command, *options, "--out", str(tmp_path / "run")]) == 0
    again = ["--threads", threads, "--quiet", "--out", str(tmp_path / "again")]
    assert main(["export", str(tmp_path / "records"), *options, *again]) == 0
    assert files(tmp_path / "again") == files(tmp_path / "run")


def test_an_export_that_fails_leaves_whole_files_only(modules: Path, tmp_path: Path) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN, "--format", "parquet"]
    assert main([*command, "--out", str(tmp_path / "records")]) == 0
    last = tmp_path / "records/parquet/conditions/part-00000002.parquet"
    last.write_bytes(last.read_bytes()[:100])
    options = ["--format", "csv,fhir,fhir-ndjson", "--threads", "1", "--quiet", "--out", str(tmp_path / "again")]
    assert main(["export", str(tmp_path / "records"), *options]) == 1
    left = files(tmp_path / "again")
    assert {name.partition("/")[0] for name in left} <= {"fhir", "fhir-ndjson"}
    assert "fhir-ndjson/manifest.json" not in left
    assert all(json.loads(line) for name, content in left.items() for line in content.splitlines() if name)


def test_trace_takes_the_options_of_generate(modules: Path) -> None:
    options = ["--bundle", "put", "--bundle-size", "3", "--compress", "gzip", "--years", "2", "--claims"]
    assert main(["trace", "--modules-dir", str(modules), "--patient", "0", *options]) == 0


def test_us_core_decides_what_is_claimed(modules: Path, tmp_path: Path) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN, "--format", "fhir", "--out"]
    assert main([*command, str(tmp_path / "with")]) == 0
    assert main([*command, str(tmp_path / "without"), "--us-core", "none"]) == 0
    for name, is_claimed in (("with", True), ("without", False)):
        content = b"".join(files(tmp_path / name).values())
        assert (b"StructureDefinition/us-core-patient" in content) == is_claimed
    assert main([*command, str(tmp_path / "with"), "--us-core", "none"]) == 2
    assert main([*command, str(tmp_path / "later"), "--us-core", "8.0.0"]) == 0
    assert b'us-core-sex","valueCoding"' in b"".join(files(tmp_path / "later").values())


def test_claims_are_written_where_they_are_asked_for(modules: Path, tmp_path: Path) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN, "--out"]
    assert main([*command, str(tmp_path / "with"), "--format", "parquet,csv", "--claims"]) == 0
    assert main([*command, str(tmp_path / "without"), "--format", "parquet,csv"]) == 0
    with_claims, without = (read_parquet(tmp_path / name / "parquet") for name in ("with", "without"))
    assert with_claims["claims"].num_rows == with_claims["encounters"].num_rows > 0
    assert without["claims"].num_rows == 0
    for name, is_there in (("with", True), ("without", False)):
        assert [(tmp_path / name / f"csv/{kind}.csv").exists() for kind in ("claims", "claims_transactions")] == [
            is_there,
            is_there,
        ]


def test_export_adds_claims_to_a_run_and_leaves_them_out(modules: Path, tmp_path: Path) -> None:
    command = ["generate", "--modules-dir", str(modules), *RUN, "--format", "parquet", "--out"]
    assert main([*command, str(tmp_path / "with"), "--claims"]) == 0
    assert main([*command, str(tmp_path / "without")]) == 0
    for source, options, same in (("without", ["--claims"], "with"), ("with", [], "without")):
        out = tmp_path / f"from {source}"
        assert (
            main(["export", str(tmp_path / source), "--format", "parquet", *options, "--quiet", "--out", str(out)]) == 0
        )
        assert read_parquet(out / "parquet").equals(read_parquet(tmp_path / same / "parquet"))
