"""One file a FHIR resource type: which elements it has, and from which columns of Records they come.

Each file holds a `Family` (the shapes and how one is built) and a `Kind` (the table, and how its rows become cells).
`KINDS` is the order of types in a bundle; the patient comes first.
"""

from fhir_export.resources import (
    allergy_intolerance,
    care_plan,
    care_team,
    condition,
    coverage,
    device,
    diagnostic_report,
    document_reference,
    encounter,
    imaging_study,
    immunization,
    media,
    medication_given,
    medication_request,
    observation,
    organization,
    patient,
    practitioner,
    procedure,
    provenance,
    related_person,
    service_request,
    specimen,
    supply_delivery,
)
from fhir_export.shard import Kind

KINDS: tuple[Kind, ...] = (
    patient.KIND,
    related_person.KIND,
    encounter.KIND,
    coverage.KIND,
    organization.KIND,
    practitioner.KIND,
    condition.KIND,
    allergy_intolerance.KIND,
    medication_request.KIND,
    medication_given.KIND,
    care_team.KIND,
    care_plan.KIND,
    procedure.KIND,
    observation.KIND,
    specimen.KIND,
    imaging_study.KIND,
    media.KIND,
    diagnostic_report.KIND,
    service_request.KIND,
    immunization.KIND,
    device.KIND,
    supply_delivery.KIND,
    document_reference.KIND,
    provenance.KIND,
)
