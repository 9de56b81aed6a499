"""Transaction bundles: one a patient, complete in itself; every entry is a POST, references name its entries' URNs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson

from fhir_export.ndjson import resource_counts
from fhir_export.output import ExportReport, Pen, WholeFiles
from fhir_export.shard import Integers, Shard
from fhir_export.templates import META

_ENTRIES = 1
_HEAD = orjson.dumps({"resourceType": "Bundle", "meta": META, "type": "transaction"})[:-1] + b',"entry":['
_TAIL = b"]}\n"


def patient_ranges(shard: Shard) -> Integers:
    """Rows of every patient, [patients, sections, 2]."""
    sections = shard.resource_sections()
    starts = np.stack([section.starts + section.base for section in sections], axis=1)
    stops = np.stack([section.stops + section.base for section in sections], axis=1)
    return np.stack([starts, stops], axis=2)


def bundles(shard: Shard, pen: Pen) -> Iterator[tuple[str, Iterator[memoryview | bytes]]]:
    """Yields each patient's id as a resource, with the bundle in pieces."""
    packed = shard.packed()
    for position, ranges in enumerate(patient_ranges(shard)):
        yield shard.id_of(position), _bundle(pen, packed, np.ascontiguousarray(ranges))


def _bundle(pen: Pen, packed: tuple[object, ...], ranges: Integers) -> Iterator[memoryview | bytes]:
    yield _HEAD
    yield from pen.write(packed, ranges, variant=_ENTRIES, separator=b",")
    yield _TAIL


def write_bundles(shard: Shard, pen: Pen, directory: Path) -> ExportReport:
    """Writes ``<patient id>.json`` for every patient; all files of a shard appear together."""
    with WholeFiles(directory) as files:
        for name, chunks in bundles(shard, pen):
            files.write(f"{name}.json", chunks)
    return ExportReport(n_bytes=files.n_bytes, n_resources=resource_counts(shard), files=files.files)
