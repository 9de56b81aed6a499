"""NDJSON: one file a resource type and shard, one resource a line, references relative to the set."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fhir_export.layout import Layout, Variant
from fhir_export.output import ExportReport, Pen, WholeFiles
from fhir_export.shard import Integers, Shard

SHARED_TYPES = ("Organization", "Location", "Endpoint", "Practitioner", "PractitionerRole", "Medication")
"""Types whose resources several patients, and so several shards, have in common; few, so they stay uncompressed."""


def line_file(resource_type: str, number: int) -> str:
    """Name of the file of a type and shard."""
    return f"{resource_type}-{number:05d}.ndjson"


def resource_counts(shard: Shard) -> dict[str, int]:
    """How many resources of each type a shard holds, what patients share once; types without any are left out."""
    counts: dict[str, int] = {}
    for section in shard.resource_sections():
        ranges = shard.line_rows(section)
        parts = int(shard.is_part[section.base : section.base + section.n_rows].sum())
        number = int((ranges[:, 1] - ranges[:, 0]).sum()) - parts
        if number > 0 and section.resource_type is not None:
            counts[section.resource_type] = counts.get(section.resource_type, 0) + number
    return counts


def lines(shard: Shard, pen: Pen) -> Iterator[tuple[str, Iterator[memoryview]]]:
    """Yields each type that occurs, with its lines in pieces."""
    packed = shard.packed()
    for resource_type in resource_counts(shard):
        yield resource_type, pen.write(packed, _ranges(shard, resource_type), variant=Variant.LINE)


def drop_repeated(directory: Path) -> None:
    """Leaves of what several shards have in common one line each, in the first file that has it."""
    for kind in SHARED_TYPES:
        paths = sorted(directory.glob(f"{kind}-*.ndjson"))
        known: set[bytes] = set()
        for path in paths if len(paths) > 1 else []:
            rows = path.read_bytes().splitlines(keepends=True)
            kept = [row for row in rows if row not in known]
            known.update(kept)
            if not kept:
                path.unlink()
            elif len(kept) < len(rows):
                with WholeFiles(directory) as files:
                    files.write(path.name, iter(kept))


def _ranges(shard: Shard, resource_type: str) -> Integers:
    """The rows of a type: patient by patient, whatever sections they stand in."""
    sections = [section for section in shard.resource_sections() if section.resource_type == resource_type]
    if len(sections) == 1:
        return shard.line_rows(sections[0])
    starts = np.stack([section.starts + section.base for section in sections], axis=1).ravel()
    stops = np.stack([section.stops + section.base for section in sections], axis=1).ravel()
    return np.stack([starts, stops], axis=1)[stops > starts]


def write_ndjson(shard: Shard, pen: Pen, directory: Path, layout: Layout, *, number: int) -> ExportReport:
    """Writes ``<Type>-<shard>.ndjson`` of every type that occurs; all files appear together."""
    with WholeFiles(directory, compress=layout.compress) as files:
        for resource_type, chunks in lines(shard, pen):
            files.write(line_file(resource_type, number), chunks, is_plain=resource_type in SHARED_TYPES)
    return ExportReport(n_bytes=files.n_bytes, n_resources=resource_counts(shard), files=files.files)
