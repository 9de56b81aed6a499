"""Full patient histories as FHIR R4, at memory speed.

Records come in, bundles or NDJSON go out. `fhir.resources` builds and checks each distinct resource shape once, machine
code fills millions of them. This room reads Records only, so it works on real data as it does on simulated data.
"""

from fhir_export.exporter import FhirExporter
from fhir_export.layout import Layout
from fhir_export.output import ExportReport

__all__ = ["ExportReport", "FhirExporter", "Layout"]
