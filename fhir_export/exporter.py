"""The door of this room: Records in, FHIR out."""

import threading
from dataclasses import replace
from pathlib import Path

from fhir_export.bulk_data import write_set_files
from fhir_export.bundle import bundles, write_bundles
from fhir_export.ids import resource_id
from fhir_export.layout import Layout
from fhir_export.ndjson import drop_repeated, lines, write_ndjson
from fhir_export.output import ExportReport, Pen
from fhir_export.profiles import DEFAULT_US_CORE, require_us_core
from fhir_export.resources import KINDS
from fhir_export.shard import Shard
from fhir_export.templates import Templates, Texts
from trajsim.records.table import Records


class FhirExporter:
    """Writes Records as FHIR R4, again and again: shapes and codes that it has seen it need not build a second time.

    Several threads may use one exporter; the machine code runs without the interpreter lock.

    Args:
        seed: The run's seed; ids of resources depend on it.
        layout: How FHIR lies on disk; None: transaction bundles, one a patient, not compressed.
        us_core: Version of US Core whose profiles resources claim, one of `US_CORE_VERSIONS`; ``none``: no profile.

    Raises:
        ConfigError: There is no such version.

    Guarantees:
        Every reference resolves inside its bundle, and inside its NDJSON set. (tests/unit/fhir_export/test_exporter.py)
        So it does in every piece of a bundle. (tests/unit/fhir_export/test_bundle.py)
        Ids and lines depend on seed and patient alone, not on the shard. (the same file)
        A file is whole or not there. (tests/unit/fhir_export/test_output.py)

    Example:
        >>> FhirExporter(seed=7).ndjson_bytes(Records({}))
        {}
    """

    def __init__(self, *, seed: int, layout: Layout | None = None, us_core: str = DEFAULT_US_CORE) -> None:
        require_us_core(us_core)
        self._seed = seed
        self._layout = layout or Layout()
        self._templates = Templates(us_core)
        self._texts = Texts()
        self._threads = threading.local()

    def _pen(self) -> Pen:
        if not hasattr(self._threads, "pen"):
            self._threads.pen = Pen()
        pen: Pen = self._threads.pen
        return pen

    def _shard(self, records: Records) -> Shard:
        return Shard(records, KINDS, seed=self._seed, templates=self._templates, texts=self._texts)

    def write_bundles(self, records: Records, directory: Path) -> ExportReport:
        """Writes one bundle a patient, ``<patient's UUID>.json``, or its pieces, ``<patient's UUID>-001.json`` ...

        Args:
            records: The patients; all in memory at once.
            directory: Where to; made if it is not there.

        Returns:
            What was written.

        Raises:
            SchemaError: Records break a rule of their schema (unknown patient, unknown class).
            ConfigError: A race or ethnicity that trajsim does not know.
            ExportError: No valid FHIR can be made of some rows (a key without a row, a code without a system, an
                unknown unit, a number that is none); a file cannot be written; or a resource and what it refers to do
                not fit into a piece.
        """
        return write_bundles(self._shard(records), self._pen(), directory, self._layout)

    def write_ndjson(self, records: Records, directory: Path, *, shard: int) -> ExportReport:
        """Writes ``<Type>-<shard>.ndjson`` for every type that occurs.

        Args:
            records: The patients of this shard; all in memory at once.
            directory: Where to; made if it is not there.
            shard: Number of the shard, for the names of the files only.

        Returns:
            What was written.

        Raises:
            SchemaError: Records break a rule of their schema (unknown patient, unknown class).
            ConfigError: A race or ethnicity that trajsim does not know.
            ExportError: No valid FHIR can be made of some rows, as above; or a file cannot be written.
        """
        return write_ndjson(self._shard(records), self._pen(), directory, self._layout, number=shard)

    def finish_ndjson(self, directory: Path, *, end_us: int) -> ExportReport:
        """Writes the Group, the Bulk Data manifest and the Parameters for ``$import`` once all shards are there.

        What shards have in common (sites, clinicians, payers) is left in one file only.

        Args:
            directory: Folder of the NDJSON files.
            end_us: End of the run, microseconds since 1970-01-01 UTC.

        Returns:
            What was written.

        Raises:
            ExportError: A file cannot be written.
        """
        drop_repeated(directory)
        return write_set_files(directory, self._layout, seed=self._seed, end_us=end_us)

    def ndjson_bytes(self, records: Records) -> dict[str, bytes]:
        """The lines of every type that occurs."""
        return {kind: b"".join(map(bytes, chunks)) for kind, chunks in lines(self._shard(records), self._pen())}

    def bundle_bytes(self, records: Records, patient_id: int) -> bytes:
        """The bundle of one patient, whole and not compressed.

        Raises:
            SchemaError: There is no such patient.
        """
        alone = records.patient(patient_id)
        layout = replace(self._layout, bundle_size=0)
        ((_, chunks),) = bundles(self._shard(alone), self._pen(), layout)
        return b"".join(map(bytes, chunks))

    def patient_resource_id(self, patient_id: int) -> str:
        """The id of a patient's resource, and the name of the bundle's file."""
        return resource_id(self._seed, patient_id)
