"""Bundles: one a patient, or pieces of one that load alone; each complete in itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson

from fhir_export.layout import Layout
from fhir_export.links import Links, find_links
from fhir_export.ndjson import resource_counts
from fhir_export.output import ExportReport, Pen, WholeFiles
from fhir_export.pieces import TooSmallError, cut_pieces
from fhir_export.shard import Integers, Shard
from fhir_export.templates import META
from trajsim.errors import ExportError

_TAIL = b"]}\n"


def patient_ranges(shard: Shard) -> Integers:
    """Rows of every patient, [patients, sections, 2]."""
    sections = shard.resource_sections()
    starts = np.stack([section.starts + section.base for section in sections], axis=1)
    stops = np.stack([section.stops + section.base for section in sections], axis=1)
    return np.stack([starts, stops], axis=2)


def bundles(shard: Shard, pen: Pen, layout: Layout) -> Iterator[tuple[str, Iterator[memoryview | bytes]]]:
    """Yields the name of each bundle (the id of the patient; of a piece also its number) and its bytes."""
    packed = shard.packed()
    pieces = _Pieces(shard, layout.bundle_size) if layout.bundle_size else None
    for position, ranges in enumerate(patient_ranges(shard)):
        name = shard.id_of(position)
        if pieces is None:
            yield name, _bundle(pen, packed, np.ascontiguousarray(ranges), layout)
            continue
        for number, rows in enumerate(pieces.of_patient(ranges), start=1):
            yield f"{name}-{number:03d}", _bundle(pen, packed, _ranges(rows), layout)


def _bundle(pen: Pen, packed: tuple[object, ...], ranges: Integers, layout: Layout) -> Iterator[memoryview | bytes]:
    head = {"resourceType": "Bundle", "meta": META, "type": layout.bundle_type}
    yield orjson.dumps(head)[:-1] + b',"entry":['
    yield from pen.write(packed, ranges, variant=layout.variant, separator=b",")
    yield _TAIL


def write_bundles(shard: Shard, pen: Pen, directory: Path, layout: Layout) -> ExportReport:
    """Writes ``<patient id>.json`` or its pieces for every patient; all files of a shard appear together."""
    with WholeFiles(directory, compress=layout.compress) as files:
        for name, chunks in bundles(shard, pen, layout):
            files.write(f"{name}.json", chunks)
    return ExportReport(n_bytes=files.n_bytes, n_resources=resource_counts(shard), files=files.files)


class _Pieces:
    """Cuts patients into pieces that hold all that their entries refer to."""

    def __init__(self, shard: Shard, most: int) -> None:
        self._shard = shard
        self._most = most
        self._links: Links = find_links(shard)
        encounters = shard.sections["encounters"]
        self._visits = range(encounters.base, encounters.base + encounters.n_rows)

    def of_patient(self, ranges: Integers) -> Iterator[Sequence[int]]:
        """The rows of each piece, ascending.

        What belongs to one visit stays together where it can, so that visits are not repeated in every piece.

        Raises:
            ExportError: A resource and what it needs are more than a piece may hold.
        """
        is_part = self._shard.is_part
        rows = [row for start, stop in ranges.tolist() for row in range(start, stop) if not is_part[row]]
        rows.sort(key=self._visit)
        try:
            for piece in cut_pieces(rows, self._links.of, self._most):
                yield sorted(piece)
        except TooSmallError as error:
            raise self._too_small(error.item, error.n_needed) from error

    def _visit(self, row: int) -> int:
        """The visit that a row is, or refers to; -1: none."""
        if row in self._visits:
            return row
        return next((target for target in self._links.of(row) if target in self._visits), -1)

    def _too_small(self, row: int, n_needed: int) -> ExportError:
        kinds = [s for s in self._shard.resource_sections() if s.base <= row < s.base + s.n_rows]
        msg = (
            f"{kinds[0].resource_type}/{self._shard.id_of(row)} and what it refers to are {n_needed} resources, "
            f"more than a bundle of {self._most} can hold"
        )
        return ExportError(msg, hint=f"--bundle-size {n_needed} or more")


def _ranges(rows: Sequence[int]) -> Integers:
    """Ascending rows as ranges of rows that follow each other."""
    numbers = np.array(rows, np.int64)
    begins = np.flatnonzero(np.append(True, np.diff(numbers) != 1))
    ends = np.append(begins[1:], len(numbers)) - 1
    return np.stack([numbers[begins], numbers[ends] + 1], axis=1)
