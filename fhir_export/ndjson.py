"""NDJSON: one file a resource type and shard, one resource a line, references relative to the set."""

from collections.abc import Iterator
from pathlib import Path

from fhir_export.layout import Layout, Variant
from fhir_export.output import ExportReport, Pen, WholeFiles, one_range
from fhir_export.shard import Shard


def resource_counts(shard: Shard) -> dict[str, int]:
    """How many resources of each type a shard holds; types without any are left out."""
    counts: dict[str, int] = {}
    for section in shard.resource_sections():
        parts = int(shard.is_part[section.base : section.base + section.n_rows].sum())
        if section.n_rows > parts and section.resource_type is not None:
            counts[section.resource_type] = section.n_rows - parts
    return counts


def lines(shard: Shard, pen: Pen) -> Iterator[tuple[str, Iterator[memoryview]]]:
    """Yields each type that occurs, with its lines in pieces."""
    packed = shard.packed()
    counts = resource_counts(shard)
    for section in shard.resource_sections():
        if section.resource_type in counts:
            rows = one_range(section.base, section.base + section.n_rows)
            yield section.resource_type, pen.write(packed, rows, variant=Variant.LINE)


def write_ndjson(shard: Shard, pen: Pen, directory: Path, layout: Layout, *, number: int) -> ExportReport:
    """Writes ``<Type>-<shard>.ndjson`` of every type that occurs; all files appear together."""
    with WholeFiles(directory, compress=layout.compress) as files:
        for resource_type, chunks in lines(shard, pen):
            files.write(f"{resource_type}-{number:05d}.ndjson", chunks)
    return ExportReport(n_bytes=files.n_bytes, n_resources=resource_counts(shard), files=files.files)
