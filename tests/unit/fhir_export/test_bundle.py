"""Layouts of bundles: what a server is asked to do, and pieces that load alone."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from fhir.resources.R4B.bundle import Bundle

from fhir_export import FhirExporter, Layout
from trajsim.errors import ConfigError, ExportError
from trajsim.records.table import Records

pytestmark = pytest.mark.no_jit

Json = dict[str, Any]
MakeRecords = Callable[..., Records]


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key == "reference" else references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def written(records: Records, folder: Path, **layout: Any) -> dict[str, Json]:  # noqa: ANN401 - options
    """The bundles by name of the file."""
    FhirExporter(seed=7, layout=Layout(**layout)).write_bundles(records, folder)
    return {path.name: orjson.loads(path.read_bytes()) for path in sorted(folder.iterdir())}


def test_put_keeps_the_ids(make_records: MakeRecords, tmp_path: Path) -> None:
    (bundle,) = written(make_records(1), tmp_path, bundle="put").values()
    Bundle.model_validate(bundle)
    assert bundle["type"] == "transaction"
    names = set()
    for entry in bundle["entry"]:
        name = f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        assert entry["request"] == {"method": "PUT", "url": name}
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        names.add(name)
    assert set(references(bundle)) <= names


def test_a_collection_asks_for_nothing(make_records: MakeRecords, tmp_path: Path) -> None:
    (bundle,) = written(make_records(1), tmp_path, bundle="collection").values()
    Bundle.model_validate(bundle)
    assert bundle["type"] == "collection"
    assert not [entry for entry in bundle["entry"] if "request" in entry]
    assert set(references(bundle)) <= {entry["fullUrl"] for entry in bundle["entry"]}


@pytest.mark.parametrize("kind", ["transaction", "put", "collection"])
@pytest.mark.parametrize("size", [12, 20, 1000])
def test_every_piece_loads_alone(make_records: MakeRecords, tmp_path: Path, kind: str, size: int) -> None:
    records = make_records(1, 2)
    whole = {
        entry["resource"]["id"]: entry["resource"]
        for bundle in written(records, tmp_path / "whole", bundle="put").values()
        for entry in bundle["entry"]
    }
    pieces = written(records, tmp_path / "pieces", bundle=kind, bundle_size=size)
    found = set()
    for name, bundle in pieces.items():
        assert 0 < len(bundle["entry"]) <= size
        ids = [entry["resource"]["id"] for entry in bundle["entry"]]
        assert len(set(ids)) == len(ids)
        assert {each.rpartition("/")[2].rpartition(":")[2] for each in references(bundle)} <= set(ids)
        assert name.startswith(bundle["entry"][0]["resource"]["id"] + "-")
        methods = {entry.get("request", {}).get("method") for entry in bundle["entry"]}
        assert methods == ({None} if kind == "collection" else {"PUT"})
        if kind != "collection":
            assert all(whole[entry["resource"]["id"]] == entry["resource"] for entry in bundle["entry"])
        found |= set(ids)
    assert found == set(whole)
    numbers = [name.rpartition("-")[2] for name in pieces]
    if size == 1000:
        assert numbers == ["001.json", "001.json"]
    else:
        assert len(numbers) > 4


def test_pieces_that_are_too_small_are_refused(make_records: MakeRecords, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"are \d+ resources, more than a bundle of 1 can hold") as caught:
        written(make_records(1), tmp_path, bundle_size=1)
    assert "--bundle-size" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_pieces_do_not_depend_on_the_shard(make_records: MakeRecords, tmp_path: Path) -> None:
    together = written(make_records(1, 2), tmp_path / "together", bundle_size=14)
    apart = written(make_records(2), tmp_path / "apart", bundle_size=14)
    assert apart == {name: together[name] for name in apart}


@pytest.mark.parametrize(("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_compression_changes_the_name_and_not_the_content(
    make_records: MakeRecords, tmp_path: Path, method: str, suffix: str
) -> None:
    plain, packed = FhirExporter(seed=7), FhirExporter(seed=7, layout=Layout(compress=method))
    plain.write_bundles(make_records(1), tmp_path / "plain")
    report = packed.write_bundles(make_records(1), tmp_path / "packed")
    (before,), (after,) = (tmp_path / "plain").iterdir(), (tmp_path / "packed").iterdir()
    assert after.name == before.name + suffix
    assert report.n_bytes == after.stat().st_size < before.stat().st_size / 3
    content = after.read_bytes()
    unpack = gzip.decompress if method == "gzip" else zstandard.ZstdDecompressor().decompressobj().decompress
    assert unpack(content) == before.read_bytes()
    packed.write_bundles(make_records(1), tmp_path / "again")
    assert (tmp_path / "again" / after.name).read_bytes() == content


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"bundle": "batch"}, "--bundle must be one of transaction, put, collection, got 'batch'"),
        ({"bundle_size": -1}, "--bundle-size must not be negative"),
        ({"compress": "bzip2"}, "--compress must be one of gzip, zstd, got 'bzip2'"),
    ],
)
def test_unknown_layouts_are_refused(layout: Json, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Layout(**layout)
