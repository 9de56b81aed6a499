"""Valid resources of US Core, written by hand; tests break them in one place each."""

import copy
from typing import Any

Resource = dict[str, Any]
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_SUBJECT = {"reference": "Patient/p1"}


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _extension(url: str, parts: dict[str, Resource]) -> Resource:
    return {"url": US_CORE + url, "extension": [{"url": name, **value} for name, value in parts.items()]}


def patient() -> Resource:
    """A patient with race, ethnicity and birth sex."""
    omb = "urn:oid:2.16.840.1.113883.6.238"
    return {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"profile": [US_CORE + "us-core-patient"]},
        "extension": [
            _extension("us-core-race", {
                "ombCategory": {"valueCoding": {"system": omb, "code": "2106-3", "display": "White"}},
                "text": {"valueString": "White"},
            }),
            _extension("us-core-ethnicity", {
                "ombCategory": {"valueCoding": {"system": omb, "code": "2186-5", "display": "Not Hispanic or Latino"}},
                "text": {"valueString": "Not Hispanic or Latino"},
            }),
            {"url": US_CORE + "us-core-birthsex", "valueCode": "F"},
        ],
        "identifier": [{"system": "urn:oid:1.2.3", "value": "1"}],
        "name": [{"family": "Ruiz", "given": ["Ana"]}],
        "gender": "female",
        "birthDate": "1969-01-01",
        "deceasedDateTime": "2020-05-05T12:00:00Z",
    }  # fmt: skip


def encounter() -> Resource:
    """A visit."""
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "meta": {"profile": [US_CORE + "us-core-encounter"]},
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [_coded("http://snomed.info/sct", "185345009")],
        "subject": _SUBJECT,
        "period": {"start": "2019-03-01T10:00:00Z", "end": "2019-03-01T10:30:00Z"},
    }


def lab() -> Resource:
    """A laboratory result."""
    return {
        "resourceType": "Observation",
        "id": "o1",
        "meta": {"profile": [US_CORE + "us-core-observation-lab"]},
        "status": "final",
        "category": [_coded(CATEGORY, "laboratory")],
        "code": _coded(LOINC, "4548-4"),
        "subject": _SUBJECT,
        "encounter": {"reference": "Encounter/e1"},
        "effectiveDateTime": "2019-03-01T10:00:00Z",
        "valueQuantity": {"value": 5.6, "unit": "%", "system": UCUM, "code": "%"},
    }


def blood_pressure() -> Resource:
    """A vital sign with components."""
    values = (("8480-6", 120), ("8462-4", 80))
    quantity = {"unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}
    return {
        "resourceType": "Observation",
        "id": "o2",
        "meta": {"profile": [US_CORE + "us-core-blood-pressure"]},
        "status": "final",
        "category": [_coded(CATEGORY, "vital-signs")],
        "code": _coded(LOINC, "85354-9"),
        "subject": _SUBJECT,
        "effectiveDateTime": "2019-03-01T10:00:00Z",
        "component": [{"code": _coded(LOINC, c), "valueQuantity": {"value": v, **quantity}} for c, v in values],
    }


def condition() -> Resource:
    """A diagnosis of a visit."""
    return {
        "resourceType": "Condition",
        "id": "c1",
        "meta": {"profile": [US_CORE + "us-core-condition-encounter-diagnosis"]},
        "clinicalStatus": _coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "category": [_coded("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis")],
        "code": _coded("http://snomed.info/sct", "44054006"),
        "subject": _SUBJECT,
        "encounter": {"reference": "Encounter/e1"},
        "onsetDateTime": "2019-03-01T10:00:00Z",
    }


def all_resources() -> list[Resource]:
    """One of each."""
    return [patient(), encounter(), lab(), blood_pressure(), condition()]


def changed(resource: Resource, path: str, value: object = None) -> Resource:
    """A copy with one place changed, or taken away if no value is given; numbers in a path are positions."""
    result = copy.deepcopy(resource)
    *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = result
    for step in above:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result
