"""The gate that users get: whether FHIR is what it claims to be, without Java and without a network.

Structure, cardinalities, slices, fixed values, bindings, invariants, must-support coverage, references and dates are
checked against tables that `fhir_export.validate.generate` makes from the published definitions. It judges anyone's
FHIR R4, not only ours.
"""

from fhir_export.validate.findings import Finding
from fhir_export.validate.gate import Gate, GateOptions

__all__ = ["Finding", "Gate", "GateOptions"]
