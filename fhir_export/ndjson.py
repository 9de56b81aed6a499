"""NDJSON: one file a resource type and shard, one resource a line, references relative to the set."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import orjson

from fhir_export.output import ExportReport, Pen, WholeFiles, one_range
from fhir_export.shard import Shard
from trajsim.units import datetime_from_ms

_LINES = 0
MANIFEST = "manifest.json"


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
            yield section.resource_type, pen.write(packed, rows, variant=_LINES)


def write_ndjson(shard: Shard, pen: Pen, directory: Path, *, number: int) -> ExportReport:
    """Writes ``<Type>-<shard>.ndjson`` of every type that occurs; all files appear together."""
    with WholeFiles(directory) as files:
        for resource_type, chunks in lines(shard, pen):
            files.write(f"{resource_type}-{number:05d}.ndjson", chunks)
    return ExportReport(n_bytes=files.n_bytes, n_resources=resource_counts(shard), files=files.files)


def write_manifest(directory: Path, *, end_us: int) -> Path:
    """Writes the Bulk Data manifest of a finished set; addresses are file names, relative to the manifest.

    Args:
        directory: Folder of the NDJSON files.
        end_us: End of the run, microseconds since 1970-01-01 UTC: the instant up to which the set is complete. No
        clock.

    Returns:
        The manifest.

    Source:
        FHIR Bulk Data Access 2.0.0, "Response - Complete Status".
    """
    output = [
        {"type": path.name.rsplit("-", 1)[0], "url": path.name} for path in sorted(directory.glob("[A-Z]*-*.ndjson"))
    ]
    moment = datetime_from_ms(end_us // 1000).astimezone(dt.UTC)
    content = {
        "transactionTime": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": MANIFEST,
        "requiresAccessToken": False,
        "output": output,
        "error": [],
    }
    with WholeFiles(directory) as files:
        files.write(MANIFEST, iter([orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"]))
    return directory / MANIFEST
