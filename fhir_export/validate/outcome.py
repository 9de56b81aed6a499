"""A report as an OperationOutcome, for software that speaks FHIR itself."""

from collections.abc import Mapping
from typing import Any

# Kinds of issues of FHIR R4 (value set issue-type) by what was broken; whatever else is an invariant.
_KINDS: Mapping[str, str] = {
    "binding-required": "code-invalid",
    "binding-extensible": "code-invalid",
    "code-unknown": "code-invalid",
    "code-without-system": "code-invalid",
    "display-wrong": "code-invalid",
    "document-type": "code-invalid",
    "cardinality-minimum": "required",
    "cardinality-maximum": "structure",
    "choice-twice": "structure",
    "empty-array": "structure",
    "json-type": "structure",
    "no-fhir": "informational",
    "no-json": "structure",
    "resource-type": "structure",
    "slice-cardinality": "structure",
    "slice-closed": "structure",
    "type": "structure",
    "unknown-element": "structure",
    "empty-string": "value",
    "fixed-value": "value",
    "pattern": "value",
    "primitive": "value",
    "profile-type": "structure",
    "profile-unknown": "not-found",
    "duplicate-id": "duplicate",
    "reference-conditional": "not-supported",
    "reference-dangling": "not-found",
    "reference-malformed": "value",
    "reference-target": "structure",
    "date-order": "business-rule",
    "date-before-birth": "business-rule",
    "date-after-death": "business-rule",
}


def operation_outcome(report: Mapping[str, Any]) -> dict[str, Any]:
    """One issue for every group of equal findings, with their number and the first of them.

    Args:
        report: As `fhir_export.validate.Gate.report` gives it.

    Returns:
        An OperationOutcome; that all is well is said by one issue of its own, as FHIR wants it.
    """
    issues = [
        {
            "severity": message["severity"],
            "code": _KINDS.get(message["id"], "invariant"),
            "details": {"text": message["id"]},
            "diagnostics": f"{message['example']['message']} [{message['count']} in {message['resources']} of "
            f"{message['type']}; first: {message['example']['resource']}]",
            "expression": [message["example"]["path"] or message["type"]],
        }
        for message in report["messages"]
    ]
    well = {"severity": "information", "code": "informational", "details": {"text": "nothing was found"}}
    return {"resourceType": "OperationOutcome", "issue": issues or [well]}
