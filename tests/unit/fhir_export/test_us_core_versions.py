"""What one version of US Core has its own way: read resource by resource, and nothing else differs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter
from fhir_export.ids import resource_id
from fhir_export.profiles import EDITIONS, US_CORE_VERSIONS, edition_of
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
