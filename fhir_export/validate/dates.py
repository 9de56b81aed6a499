"""The order of dates: within a resource, and against the life of its patient."""

from collections.abc import Mapping
from typing import Any

from fhir_export.validate.findings import Finding
from fhir_export.validate.invariants import is_in_order
from fhir_export.validate.packages import Value

# First and second place that must be in order; periods are in order by per-1.
_ORDER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Condition": (("onsetDateTime", "abatementDateTime"),),
    "Observation": (("effectiveDateTime", "issued"), ("effectivePeriod.start", "issued")),
    "DiagnosticReport": (("effectiveDateTime", "issued"), ("effectivePeriod.start", "issued")),
    "AllergyIntolerance": (("onsetDateTime", "lastOccurrence"),),
    "Device": (("manufactureDate", "expirationDate"),),
    "Patient": (("birthDate", "deceasedDateTime"),),
    "MedicationDispense": (("whenPrepared", "whenHandedOver"),),
}
# What happens to a patient while alive.
_EVENT: Mapping[str, tuple[str, ...]] = {
    "Encounter": ("period.start",),
    "Condition": ("onsetDateTime", "abatementDateTime"),
    "Observation": ("effectiveDateTime", "effectivePeriod.start"),
    "Procedure": ("performedDateTime", "performedPeriod.start"),
    "Immunization": ("occurrenceDateTime",),
    "MedicationRequest": ("authoredOn",),
    "MedicationAdministration": ("effectiveDateTime", "effectivePeriod.start"),
    "AllergyIntolerance": ("recordedDate",),
    "CarePlan": ("period.start",),
    "ImagingStudy": ("started",),
}
_DAY = 10


def _at(resource: Mapping[str, Any], place: str) -> Value:
    value: Any = resource
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


class DateCheck:
    """Remembers when patients lived, and holds the dates of others against it.

    A patient is known once read; resources that come before their patient are checked for their own order alone.
    """

    def __init__(self) -> None:
        self._lives: dict[str, tuple[Any, Any]] = {}

    def add_patient(self, patient: Mapping[str, Any], *names: str) -> None:
        """Notes the life of a patient under the texts that refer to it."""
        life = (patient.get("birthDate"), patient.get("deceasedDateTime"))
        for name in names:
            self._lives[name] = life

    def check(self, resource: Mapping[str, Any], path: str, findings: list[Finding]) -> None:
        """Checks one resource."""
        kind = resource["resourceType"]
        for first, second in _ORDER.get(kind, ()):
            start, end = _at(resource, first), _at(resource, second)
            if not is_in_order(start, end):
                findings.append(Finding("error", "date-order", path, f"{first} {start!r} is after {second} {end!r}"))
        places = _EVENT.get(kind)
        if not places:
            return
        owner = resource.get("subject") or resource.get("patient")
        life = self._lives.get(str(owner.get("reference"))) if isinstance(owner, dict) else None
        if life is None:
            return
        born, died = life
        for place in places:
            when = _at(resource, place)
            if not isinstance(when, str):
                continue
            if not is_in_order(born, when[:_DAY]):
                text = f"{when!r} is before the birth of the patient, {born!r}"
                findings.append(Finding("error", "date-before-birth", f"{path}.{place}", text))
            elif not is_in_order(when, died):
                text = f"{when!r} is after the death of the patient, {died!r}"
                findings.append(Finding("warning", "date-after-death", f"{path}.{place}", text))
