"""What one version of US Core has its own way: read resource by resource, and nothing else differs."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter
from fhir_export.ids import resource_id
from fhir_export.profiles import EDITIONS, US_CORE_VERSIONS, edition_of
from fhir_export.shares import (
    AVERAGE_PRESSURE,
    CARE_PREFERENCE,
    DIRECTIVE,
    PACK_YEARS,
    TREATMENT_PREFERENCE,
)
from fhir_export.validate import Gate, GateOptions
from trajsim.errors import ConfigError
from trajsim.records.table import Records

pytestmark = pytest.mark.no_jit

Json = dict[str, Any]
MakeRecords = Callable[..., Records]

PATIENT, ENCOUNTER = 11, 5 << 32
SEX = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-sex"
BIRTH_SEX = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex"
DATED = {
    "us-core-condition-problems-health-concerns",
    "us-core-diagnosticreport-lab",
    "us-core-encounter",
    "us-core-observation-lab",
}


def resources(version: str, records: Records) -> Iterator[Json]:
    for lines in FhirExporter(seed=7, us_core=version).ndjson_bytes(records).values():
        yield from map(orjson.loads, lines.splitlines())


def of_row(version: str, records: Records, kind: str, *key: int) -> Json:
    found = resource_id(7, PATIENT, *key)
    return next(each for each in resources(version, records) if each["resourceType"] == kind and each["id"] == found)


def extensions(patient: Json, url: str) -> list[Json]:
    return [each for each in patient["extension"] if each["url"] == url]


@pytest.mark.parametrize(
    ("version", "system"),
    [
        ("6.1.0", "http://www.nubc.org/patient-discharge"),
        ("7.0.0", "https://www.nubc.org/CodeSystem/PatDischargeStatus"),
        ("8.0.0", "https://www.nubc.org/CodeSystem/PatDischargeStatus"),
        ("none", "http://www.nubc.org/patient-discharge"),
    ],
)
def test_where_a_stay_ended(make_records: MakeRecords, version: str, system: str) -> None:
    encounter = of_row(version, make_records(PATIENT), "Encounter", ENCOUNTER)
    assert encounter["hospitalization"]["dischargeDisposition"] == {
        "coding": [{"system": system, "code": "1"}],
        "text": "Home",
    }


def test_the_recorded_sex_is_a_code_of_few_and_in_version_8_a_coding_of_all(
    make_records: MakeRecords, make_rows: Callable[[int], dict[str, list[Json]]]
) -> None:
    women = [make_rows(number)["patients"][0] for number in range(1, 60)]
    records = make_records(patients=[*women, women[0] | {"patient_id": 60, "sex": "M"}])
    said = {
        version: [extensions(each, SEX) for each in resources(version, records) if each["resourceType"] == "Patient"]
        for version in US_CORE_VERSIONS
    }
    declined = [place for place, found in enumerate(said["6.1.0"]) if found]
    assert 0 < len(declined) < 10
    assert said["6.1.0"] == said["7.0.0"]
    assert all(said["6.1.0"][place] == [{"url": SEX, "valueCode": "asked-declined"}] for place in declined)
    codes = [found[0]["valueCoding"]["code"] for found in said["8.0.0"]]
    assert {place for place, code in enumerate(codes) if code == "asked-declined"} == set(declined)
    assert {code for place, code in enumerate(codes[:-1]) if place not in declined} == {"248152002"}
    assert codes[-1] == "248153007"
    assert not any(said["none"])


@pytest.mark.parametrize("version", US_CORE_VERSIONS)
def test_the_sex_at_birth_is_gone_in_version_8(make_records: MakeRecords, version: str) -> None:
    patient = of_row(version, make_records(PATIENT), "Patient")
    assert extensions(patient, BIRTH_SEX) == ([] if version == "8.0.0" else [{"url": BIRTH_SEX, "valueCode": "F"}])


@pytest.mark.parametrize("version", US_CORE_VERSIONS)
def test_when_a_resource_changed_is_said_where_a_profile_wants_it(make_records: MakeRecords, version: str) -> None:
    dated = set()
    for each in resources(version, make_records(PATIENT)):
        claimed = {uri.rpartition("/")[2] for uri in each["meta"].get("profile", [])}
        assert ("lastUpdated" in each["meta"]) == (version in {"7.0.0", "8.0.0"} and bool(claimed & DATED))
        if "lastUpdated" in each["meta"]:
            dated |= claimed
    assert dated == (DATED if version in {"7.0.0", "8.0.0"} else set())


def test_an_encounter_changed_last_when_it_ended(make_records: MakeRecords) -> None:
    encounter = of_row("7.0.0", make_records(PATIENT), "Encounter", ENCOUNTER)
    assert encounter["meta"]["lastUpdated"] == encounter["period"]["end"] == "2010-01-02T06:00:00-05:00"


@pytest.mark.parametrize("version", [version for version in EDITIONS if version != "none"])
def test_our_gate_accepts_every_version(make_records: MakeRecords, tmp_path: Path, version: str) -> None:
    FhirExporter(seed=7, us_core=version).write_ndjson(make_records(PATIENT), tmp_path, shard=0)
    gate = Gate(GateOptions(us_core=version))
    report = gate.run([tmp_path])
    errors = [message["example"] for message in report["messages"] if message["severity"] == "error"]
    assert errors == []


def test_another_version_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--us-core must be one of 6\.1\.0, 7\.0\.0, 8\.0\.0, none, got .9\.0\.0."):
        edition_of("9.0.0")


N_PATIENTS = 240
ADDED = {  # by profile: the versions that have it, and one in how many patients has such a resource
    "us-core-care-experience-preference": ({"7.0.0", "8.0.0"}, CARE_PREFERENCE),
    "us-core-treatment-intervention-preference": ({"7.0.0", "8.0.0"}, TREATMENT_PREFERENCE),
    "us-core-average-blood-pressure": ({"7.0.0", "8.0.0"}, AVERAGE_PRESSURE),
    "us-core-smokingstatus": ({"7.0.0", "8.0.0"}, PACK_YEARS),
    "us-core-observation-adi-documentation": ({"8.0.0"}, DIRECTIVE),
    "us-core-adi-documentreference": ({"8.0.0"}, DIRECTIVE),
}


@pytest.fixture(name="old_smokers", scope="module")
def old_smokers_fixture(make_records: MakeRecords, make_rows: Callable[[int], dict[str, list[Json]]]) -> Records:
    """People of eighty years who smoke, with one reading of the blood pressure."""
    parts = [make_rows(number) for number in range(1, N_PATIENTS + 1)]
    rows = {name: [row for part in parts for row in part[name]] for name in parts[0]}
    for patient in rows["patients"]:
        patient["birth_time"] = patient["birth_time"].replace(year=1930)
    smoking = {"category": "social-history", "code": "72166-2", "value_system": "SNOMED-CT", "value_code": "449868002"}
    for row in rows["observations"]:
        if row["row_key"] == 101:
            row |= smoking | {"report_key": 0}
        if row["row_key"] == 111:
            row |= {"numeric_value": 80.4}
    return make_records(**rows)


@pytest.fixture(name="added", scope="module")
def added_fixture(old_smokers: Records) -> dict[str, dict[str, list[Json]]]:
    """By version and profile, what the profiles describe that later versions add."""
    found: dict[str, dict[str, list[Json]]] = {}
    for version in US_CORE_VERSIONS:
        by_profile = found.setdefault(version, {})
        for each in resources(version, old_smokers):
            for uri in each["meta"].get("profile", []):
                by_profile.setdefault(uri.rpartition("/")[2], []).append(each)
    return found


@pytest.mark.parametrize("version", US_CORE_VERSIONS)
@pytest.mark.parametrize("profile", ADDED)
def test_a_version_brings_what_its_profiles_describe(
    added: dict[str, dict[str, list[Json]]], profile: str, version: str
) -> None:
    versions, share = ADDED[profile]
    found = added[version].get(profile, [])
    if profile == "us-core-smokingstatus":
        found = [each for each in found if "valueQuantity" in each]
    if version not in versions:
        assert found == []
        return
    assert N_PATIENTS / share.one_of / 2 < len(found) < N_PATIENTS / share.one_of * 2
    assert all(len(each["meta"]["profile"]) == 1 for each in found)


def test_an_average_is_that_of_the_readings(added: dict[str, dict[str, list[Json]]]) -> None:
    averages = added["7.0.0"]["us-core-average-blood-pressure"]
    values = [[part.get("valueQuantity", {}).get("value") for part in each["component"]] for each in averages]
    assert {tuple(each) for each in values} <= {(120, 80), (None, None)}
    assert [120, 80] in values
    measured = averages[values.index([120, 80])]
    assert measured["component"][0]["valueQuantity"] == {
        "value": 120, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]",
    }  # fmt: skip
    assert measured["effectivePeriod"]["start"] == measured["effectivePeriod"]["end"] == "2010-01-02T05:05:00.250-05:00"


def test_a_directive_is_a_document_and_an_observation_that_names_it(added: dict[str, dict[str, list[Json]]]) -> None:
    documents = {each["id"]: each for each in added["8.0.0"]["us-core-adi-documentreference"]}
    said = added["8.0.0"]["us-core-observation-adi-documentation"]
    named = [each["extension"][0]["valueReference"]["reference"].partition("/")[2] for each in said]
    assert sorted(named) == sorted(documents)
    for each, document in zip(said, (documents[name] for name in named), strict=True):
        assert document["subject"] == each["subject"]
        assert document["date"] == each["effectiveDateTime"]
        attachment = document["content"][0]["attachment"]
        data = attachment.get("data") or attachment["url"].partition("base64,")[2]
        assert base64.b64decode(data) == f"{document['type']['text']}, signed by the patient.".encode()


def test_preferences_are_said_in_two_ways(added: dict[str, dict[str, list[Json]]]) -> None:
    for profile in ("us-core-care-experience-preference", "us-core-treatment-intervention-preference"):
        assert {key for each in added["8.0.0"][profile] for key in each if key.startswith("value")} == {
            "valueString",
            "valueCodeableConcept",
        }


@pytest.mark.parametrize("version", US_CORE_VERSIONS)
def test_our_gate_accepts_what_shares_of_patients_have(old_smokers: Records, tmp_path: Path, version: str) -> None:
    FhirExporter(seed=7, us_core=version).write_ndjson(old_smokers, tmp_path, shard=0)
    gate = Gate(GateOptions(us_core=version, types=frozenset({"Observation", "DocumentReference", "Organization"})))
    report = gate.run([tmp_path])
    assert [message["example"] for message in report["messages"] if message["severity"] == "error"] == []


def test_laboratories_and_insurers_have_numbers(
    make_records: MakeRecords, make_rows: Callable[[int], dict[str, list[Json]]]
) -> None:
    rows = make_rows(PATIENT)
    paid = {"patient_id": PATIENT, "row_key": 1, "time": rows["encounters"][0]["time"], "stop": None}
    paid |= {"payer": "Blue Sky Health", "kind": "private", "module": "payers", "state": "Covered"}
    numbers = {
        identifier["system"]: identifier["value"]
        for each in resources("8.0.0", make_records(**rows | {"coverages": [paid]}))
        if each["resourceType"] == "Organization"
        for identifier in each["identifier"]
    }
    assert re.fullmatch(r"00D[0-9]{7}", numbers["urn:oid:2.16.840.1.113883.4.7"])
    assert re.fullmatch(r"00[0-9]{3}", numbers["urn:oid:2.16.840.1.113883.6.300"])
