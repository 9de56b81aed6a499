import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_export.validate import Gate, GateOptions
from fhir_export.validate.outcome import operation_outcome
from tests.unit.fhir_export.validate.resources import (
    CATEGORY,
    LOINC,
    UCUM,
    US_CORE,
    Resource,
    all_resources,
    blood_pressure,
    changed,
    condition,
    encounter,
    lab,
    patient,
)
from trajsim.errors import ConfigError, DataFileError

VERSIONS = ("6.1.0", "7.0.0", "8.0.0", "none")


def rules(resource: Resource, us_core: str = "6.1.0") -> set[str]:
    gate = Gate(GateOptions(us_core=us_core, packages=None))
    return {finding.rule for finding in gate.validate(resource) if finding.severity == "error"}


@pytest.mark.parametrize("us_core", VERSIONS)
@pytest.mark.parametrize("resource", all_resources(), ids=lambda r: str(r["id"]))
def test_valid_resources_have_no_errors(resource: Resource, us_core: str) -> None:
    assert rules(resource, us_core) == set()


@pytest.mark.parametrize(
    ("make", "path", "value", "rule"),
    [
        (patient, "name", None, "cardinality-minimum"),
        (patient, "name", [{"use": "official"}], "us-core-6"),
        (patient, "name.0.family", "", "empty-string"),
        (patient, "gender", "boy", "binding-required"),
        (patient, "birthDate", "1969-02-30", "primitive"),
        (patient, "id", "a b", "primitive"),
        (patient, "identifier", [], "empty-array"),
        (patient, "identifier.0", {}, "ele-1"),
        (patient, "identifier", {"value": "1"}, "json-type"),
        (patient, "extension.0.extension.0.valueCoding.code", "9999-9", "binding-required"),
        (patient, "extension.0.extension.1", None, "slice-cardinality"),
        (patient, "extension.2.valueCode", "X", "binding-required"),
        (patient, "extension.2.valueCode", None, "ext-1"),
        (patient, "meta.profile.0", US_CORE + "us-core-nothing", "profile-unknown"),
        (patient, "meta.profile.0", US_CORE + "us-core-encounter", "profile-type"),
        (encounter, "period.start", "2019-13-01T10:00:00Z", "primitive"),
        (encounter, "period.start", "2019-03-01T10:00:00", "primitive"),
        (encounter, "period.start", "2019-03-02T10:00:00Z", "per-1"),
        (lab, "status", "bogus", "binding-required"),
        (lab, "category", [{"text": "x"}], "slice-cardinality"),
        (lab, "valueString", "x", "choice-twice"),
        (lab, "valueQuantity", None, "us-core-2"),
        (lab, "valueQuantity.value", "5.6", "primitive"),
        (lab, "valueQuantity.system", None, "qty-3"),
        (lab, "valueQuantity.code", "cmm", "code-unknown"),
        (lab, "code.coding.0.code", "99999-9", "code-unknown"),
        (lab, "subject.reference", "Practitioner/x", "reference-target"),
        (lab, "subject.reference", "somewhere/x", "reference-malformed"),
        (lab, "subject.reference", "#p", "reference-dangling"),
        (blood_pressure, "component.1", None, "slice-cardinality"),
        (blood_pressure, "component.0.valueQuantity.code", "kPa", "fixed-value"),
        (condition, "severityy", {"text": "x"}, "unknown-element"),
        (condition, "clinicalStatus.coding.0.code", "cured", "code-unknown"),
        (condition, "clinicalStatus.coding.0.display", "Cured", "display-wrong"),
        (condition, "category.0.coding.0.code", "foo", "slice-cardinality"),
        (condition, "code.coding.0.code", "1", "code-unknown"),
        (condition, "abatementDateTime", "2018-01-01", "date-order"),
        (condition, "resourceType", "Diagnosis", "resource-type"),
    ],
)
def test_one_defect_is_found(make: Callable[[], Resource], path: str, value: object, rule: str) -> None:
    assert rule in rules(changed(make(), path, value))


def test_the_vital_sign_profiles_of_r4_hold_unclaimed() -> None:
    assert "slice-cardinality" in rules(changed(changed(blood_pressure(), "meta"), "component.1"))


def test_a_vital_sign_is_no_document_type() -> None:
    coding = {"system": LOINC, "code": "8302-2"}
    content = [{"attachment": {"contentType": "text/plain", "data": "eA=="}}]
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [coding]},
        "content": content,
    }
    assert rules(document) == {"document-type"}


def test_what_is_contained_is_used() -> None:
    inside = {"resourceType": "Practitioner", "id": "who"}
    resource = encounter() | {"contained": [inside]}
    assert rules(resource) == {"dom-3"}
    assert rules(resource | {"participant": [{"individual": {"reference": "#who"}}]}) == set()
    assert "reference-target" in rules(resource | {"serviceProvider": {"reference": "#who"}})


def test_a_primitive_may_be_absent_with_a_reason() -> None:
    reason = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    resource = changed(patient(), "gender")
    assert rules(resource) == {"cardinality-minimum"}
    assert rules(resource | {"_gender": {"extension": [reason]}}) == set()


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    for resource in all_resources():
        path = tmp_path / f"{resource['resourceType']}-0.ndjson"
        path.write_text((path.read_text() if path.exists() else "") + json.dumps(resource) + "\n\n")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "states.json").write_text("{}")
    return tmp_path


def run(*places: Path, **options: object) -> tuple[Gate, dict[str, Any]]:
    gate = Gate(GateOptions(packages=None, **options))  # type: ignore[arg-type]
    return gate, gate.run(list(places))


def test_a_whole_set_is_clean(folder: Path) -> None:
    gate, report = run(folder)
    assert gate.is_clean
    assert report["resources"] == 5
    assert report["types"]["Observation"]["validated"] == 2
    assert report["references"]["relative"] == 6
    assert report["references"]["danglingByPath"] == []


def test_must_supports_are_counted_by_profile(folder: Path) -> None:
    _, report = run(folder)
    (found,) = [p for p in report["mustSupport"]["profiles"] if p["profile"] == "us-core-condition-encounter-diagnosis"]
    assert found["missing"] == [
        "Condition.abatementDateTime", "Condition.extension:assertedDate", "Condition.recordedDate",
        "Condition.verificationStatus",
    ]  # fmt: skip
    assert "us-core-goal" in report["mustSupport"]["neverClaimed"]


def missing_of(place: Path, us_core: str, *resources: Resource) -> set[str]:
    """The must-supports of the only profile that some resources claim, of which they have none."""
    place.write_text("".join(json.dumps(resource) + "\n" for resource in resources))
    _, report = run(place, us_core=us_core)
    (found,) = report["mustSupport"]["profiles"]
    return set(found["missing"])


@pytest.mark.parametrize("us_core", ["6.1.0", "7.0.0", "8.0.0"])
def test_a_must_support_on_the_type_of_a_value_is_seen(tmp_path: Path, us_core: str) -> None:
    weight = lab() | {"meta": {"profile": [US_CORE + "us-core-body-weight"]}}
    weight |= {"valueQuantity": {"value": 70, "unit": "kg", "system": UCUM, "code": "kg"}}
    weight |= {"category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}]}
    weight |= {"code": {"coding": [{"system": LOINC, "code": "29463-7"}]}}
    assert not [
        path for path in missing_of(tmp_path / "one.ndjson", us_core, weight) if path.startswith("Observation.value")
    ]


def test_a_must_support_on_the_extension_of_a_primitive_is_seen(tmp_path: Path) -> None:
    answers = {
        "resourceType": "QuestionnaireResponse",
        "id": "q1",
        "meta": {"profile": [US_CORE + "us-core-questionnaireresponse"]},
        "questionnaire": "http://loinc.org/q/93025-5",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "authored": "2019-03-01T10:00:00Z",
    }
    display = {"url": "http://hl7.org/fhir/StructureDefinition/display", "valueString": "PRAPARE"}
    shown = answers | {"_questionnaire": {"extension": [display]}}
    path = "QuestionnaireResponse.questionnaire.extension:questionnaireDisplay"
    assert path in missing_of(tmp_path / "without.ndjson", "6.1.0", answers)
    assert path not in missing_of(tmp_path / "with.ndjson", "6.1.0", shown)


def test_a_dangling_reference_is_an_error_of_its_resource(folder: Path) -> None:
    stray = changed(changed(lab(), "subject.reference", "Patient/nobody"), "id", "stray")
    (folder / "Observation-1.ndjson").write_text(json.dumps(stray))
    gate, report = run(folder, each=True)
    assert not gate.is_clean
    assert report["each"]["stray"]["error"][0].startswith("reference-dangling: Observation.subject.reference")
    assert report["references"]["danglingByPath"] == [
        {"path": "Observation.subject.reference", "count": 1, "example": "Patient/nobody"}
    ]


def test_in_an_excerpt_dangling_references_are_warnings(folder: Path) -> None:
    gate, report = run(folder / "Observation-0.ndjson")
    assert report["references"]["excerpt"]
    assert report["total"]["error"] == 0
    assert not gate.is_clean


def test_a_resource_that_is_there_twice_is_a_duplicate(folder: Path) -> None:
    (folder / "Patient-1.ndjson").write_text(json.dumps(patient()))
    gate, report = run(folder)
    assert report["references"]["duplicateIds"] == 1
    assert not gate.is_clean


def bundle_of(*resources: Resource) -> Resource:
    text = json.dumps(resources)
    for resource in resources:
        text = text.replace(f'"{resource["resourceType"]}/{resource["id"]}"', f'"urn:uuid:{resource["id"]}"')
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": f"urn:uuid:{r['id']}", "resource": r, "request": {"method": "POST", "url": r["resourceType"]}}
            for r in json.loads(text)
        ],
    }


def test_a_bundle_resolves_its_own_addresses(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(bundle_of(*all_resources())))
    gate, report = run(tmp_path)
    assert [m["example"]["message"] for m in report["messages"] if m["severity"] == "error"] == []
    assert gate.is_clean
    assert report["types"]["Bundle"]["validated"] == 1
    assert "Bundle" not in run(tmp_path, entries=True)[1]["types"]


def test_shared_resources_may_repeat_from_bundle_to_bundle_with_the_same_content(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(bundle_of(patient(), encounter())))
    (tmp_path / "b.json").write_text(json.dumps(bundle_of(patient(), condition(), encounter())))
    assert run(tmp_path)[1]["references"]["duplicateIds"] == 0
    (tmp_path / "c.json").write_text(json.dumps(bundle_of(changed(patient(), "gender", "male"))))
    assert run(tmp_path)[1]["references"]["duplicateIds"] == 1


@pytest.mark.parametrize(
    ("target", "rule"), [("urn:uuid:nobody", "reference-dangling"), ("urn:uuid:o1", "reference-target")]
)
def test_a_bundle_with_a_wrong_address(tmp_path: Path, target: str, rule: str) -> None:
    bundle = bundle_of(patient(), encounter(), lab())
    bundle["entry"][2]["resource"]["subject"]["reference"] = target
    (tmp_path / "a.json").write_text(json.dumps(bundle))
    _, report = run(tmp_path)
    assert rule in {m["id"] for m in report["messages"] if m["severity"] == "error"}


def test_conditional_references_are_open(tmp_path: Path) -> None:
    conditional = changed(encounter(), "subject.reference", "Patient?identifier=urn:oid:1.2.3|1")
    (tmp_path / "Encounter.ndjson").write_text(json.dumps(conditional))
    gate, report = run(tmp_path)
    assert report["total"]["error"] == 0
    assert report["references"]["conditional"] == 1
    assert not gate.is_clean


def test_a_sample_still_follows_every_reference(folder: Path) -> None:
    _, report = run(folder, sample=1)
    assert report["resources"] == 4
    assert report["references"]["relative"] == 6
    assert run(folder, types=frozenset({"Patient"}))[1]["resources"] == 1


def test_compressed_files_are_read(folder: Path) -> None:
    for path in list(folder.glob("*.ndjson")):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert run(folder)[1]["resources"] == 5


def test_zstandard_is_read_where_its_library_is(folder: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = folder / "Patient-0.ndjson"
    path.with_name(path.name + ".zst").write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
    path.unlink()
    assert run(folder)[1]["resources"] == 5


def test_events_outside_of_a_life(folder: Path) -> None:
    early = changed(changed(encounter(), "period.start", "1968-01-01"), "id", "early")
    late = changed(changed(encounter(), "period", {"start": "2021-01-01"}), "id", "late")
    (folder / "Encounter-1.ndjson").write_text(json.dumps(early) + "\n" + json.dumps(late))
    found = {m["id"]: m["severity"] for m in run(folder)[1]["messages"]}
    assert found["date-before-birth"] == "error"
    assert found["date-after-death"] == "warning"


def test_broken_json_is_an_error_and_other_json_is_left_out(folder: Path) -> None:
    (folder / "broken.json").write_text("{")
    (folder / "Patient-9.ndjson").write_text('{"resourceType": \n')
    gate, report = run(folder)
    assert report["types"]["?"]["error"] == 2
    assert report["types"]["?"]["information"] == 1
    assert not gate.is_clean


def test_a_truncated_archive_is_refused(folder: Path) -> None:
    (folder / "Patient-1.ndjson.gz").write_bytes(gzip.compress(b"{}" * 999)[:20])
    with pytest.raises(DataFileError, match=r"Patient-1\.ndjson\.gz"):
        run(folder)


def test_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--us-core"):
        Gate(GateOptions(us_core="5.0.1", packages=None))
    with pytest.raises(ConfigError, match="--sample"):
        GateOptions(sample=-1)
    with pytest.raises(ConfigError, match="no such file"):
        run(tmp_path / "nowhere")


def test_the_outcome_is_itself_valid(folder: Path) -> None:
    assert rules(operation_outcome(run(folder)[1])) == set()
    (folder / "Patient-1.ndjson").write_text(json.dumps(changed(patient(), "gender", "boy")))
    outcome = operation_outcome(run(folder)[1])
    assert {issue["code"] for issue in outcome["issue"]} >= {"code-invalid", "duplicate"}
    assert rules(outcome) == set()
