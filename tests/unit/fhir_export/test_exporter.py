"""Whole resources: what a row becomes, that models accept it, that references resolve, that nothing else matters."""

import base64
import datetime as dt
import importlib
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle

from fhir_export import FhirExporter
from fhir_export.ids import resource_id
from fhir_export.ndjson import SHARED_TYPES
from trajsim.codes.check_digits import is_valid_npi
from trajsim.errors import ConfigError, ExportError, SchemaError
from trajsim.records.ids import payer_uuid
from trajsim.records.table import Records, concat

pytestmark = pytest.mark.no_jit

Json = dict[str, Any]
Rows = dict[str, list[Json]]
MakeRecords = Callable[..., Records]
MakeRows = Callable[[int], Rows]

PATIENT = 2**63 + 5
ENCOUNTER, CONDITION = 5 << 32, 5 << 32 | 1
OWN_RESOURCES = 56  # of one patient at least; a share of patients has more
SHARED_RESOURCES = 8  # of patients who see the same people
SHARED_BY_TWO = SHARED_RESOURCES + 2  # of two patients with other general practitioners


def resources(exporter: FhirExporter, records: Records) -> dict[str, Json]:
    """Every resource by ``Type/id``."""
    found = {}
    for kind, lines in exporter.ndjson_bytes(records).items():
        for line in lines.splitlines():
            resource = orjson.loads(line)
            assert resource["resourceType"] == kind
            name = f"{kind}/{resource['id']}"
            assert name not in found
            found[name] = resource
    return found


@pytest.fixture(name="found", scope="module")
def found_fixture(exporter: FhirExporter, make_records: MakeRecords) -> Callable[[str, int], Json]:
    """Gives the resource of a row by type and row key."""
    everything = resources(exporter, make_records(PATIENT))
    return lambda kind, key: everything[f"{kind}/{resource_id(7, PATIENT, key)}"]


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "reference":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_resource_parses_and_is_labelled(exporter: FhirExporter, make_records: MakeRecords) -> None:
    everything = resources(exporter, make_records(PATIENT, 3))
    assert len(everything) >= 2 * OWN_RESOURCES + SHARED_BY_TWO
    for resource in everything.values():
        kind = resource["resourceType"]
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        model = getattr(module, kind).model_validate(resource)
        printed = re.sub(r"(:\d\d\.\d{3})000([+-])", r"\1\2", model.model_dump_json())  # the model prints microseconds
        assert orjson.loads(printed) == resource
        assert [label["code"] for label in resource["meta"]["security"]] == ["HTEST"]


def test_ids_are_uuids_of_version_8_that_the_definition_gives(
    exporter: FhirExporter, make_records: MakeRecords
) -> None:
    for resource in resources(exporter, make_records(PATIENT)).values():
        identity = uuid.UUID(resource["id"])
        assert identity.version == 8
        assert identity.variant == uuid.RFC_4122
        assert str(identity) == resource["id"]
    assert exporter.patient_resource_id(PATIENT) == resource_id(7, PATIENT, 2**64 - 1)


def test_references_of_lines_resolve_and_name_the_right_type(exporter: FhirExporter, make_records: MakeRecords) -> None:
    everything = resources(exporter, make_records(PATIENT, 3))
    for resource in everything.values():
        for reference in references(resource):
            assert reference in everything


def test_references_of_a_bundle_resolve_inside_it(exporter: FhirExporter, make_records: MakeRecords) -> None:
    bundle = orjson.loads(exporter.bundle_bytes(make_records(3, PATIENT), PATIENT))
    Bundle.model_validate(bundle)
    assert bundle["type"] == "transaction"
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls) >= OWN_RESOURCES + SHARED_RESOURCES
    for entry in bundle["entry"]:
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        kind = entry["resource"]["resourceType"]
        shared = {"method": "PUT", "url": f"{kind}/{entry['resource']['id']}"}
        assert entry["request"] == (shared if kind in SHARED_TYPES else {"method": "POST", "url": kind})
        assert set(references(entry["resource"])) <= set(urls)
    assert bundle["entry"][0]["resource"]["resourceType"] == "Patient"


def test_bundle_holds_the_same_resources_as_the_lines(exporter: FhirExporter, make_records: MakeRecords) -> None:
    records = make_records(PATIENT)
    bundle = orjson.loads(exporter.bundle_bytes(records, PATIENT))
    lines = list(resources(exporter, records).values())
    for entry, line in zip(bundle["entry"], lines, strict=True):
        plain = orjson.dumps(line)
        for name in {name.encode() for name in references(line)}:
            plain = plain.replace(b'"reference":"' + name, b'"reference":"urn:uuid:' + name.split(b"/")[1])
        assert entry["resource"] == orjson.loads(plain)


def test_lines_do_not_depend_on_the_shard(exporter: FhirExporter, make_records: MakeRecords) -> None:
    together = exporter.ndjson_bytes(make_records(1, PATIENT, 3))
    apart = [exporter.ndjson_bytes(make_records(*ids)) for ids in ((1,), (PATIENT, 3))]
    fresh = FhirExporter(seed=7).ndjson_bytes(concat([make_records(1), make_records(PATIENT), make_records(3)]))
    assert together == fresh
    for kind, lines in together.items():
        joined = apart[0][kind] + apart[1][kind]
        assert lines == (b"".join(dict.fromkeys(joined.splitlines(keepends=True))) if kind in SHARED_TYPES else joined)


def test_threads_share_an_exporter(make_records: MakeRecords) -> None:
    exporter = FhirExporter(seed=7)
    records = [make_records(patient, patient + 100) for patient in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(exporter.ndjson_bytes, records))
    assert together == [FhirExporter(seed=7).ndjson_bytes(each) for each in records]


def test_another_seed_gives_other_ids(make_records: MakeRecords) -> None:
    names = [set(resources(FhirExporter(seed=seed), make_records(1))) for seed in (1, 2)]
    assert not names[0] & names[1]


def test_no_records_no_lines(exporter: FhirExporter) -> None:
    assert exporter.ndjson_bytes(Records({})) == {}


def test_patient(found: Callable[[str, int], Json]) -> None:
    patient = found("Patient", 2**64 - 1)
    assert patient["birthDate"] == "1968-12-31"
    assert patient["_birthDate"]["extension"][0]["valueDateTime"] == "1968-12-31T22:00:00.123-05:00"
    assert patient["deceasedDateTime"] == "2020-05-05T07:00:00-05:00"
    assert patient["gender"] == "female"
    assert patient["name"][0] == {
        "use": "official",
        "family": "O'Neil\tñ",
        "given": ['Jo"sé\\', "Ana"],
        "prefix": ["Mrs."],
    }
    assert patient["name"][1]["use"] == "maiden"
    assert patient["name"][1]["family"] == "Ruiz"
    address = patient["address"][0]
    assert (address["city"], address["district"], address["state"], address["postalCode"], address["country"]) == (
        "Boston", "Suffolk County", "MA", "02101", "US",
    )  # fmt: skip
    place = {part["url"]: part["valueDecimal"] for part in address["extension"][0]["extension"]}
    assert place == {"latitude": 42.3601, "longitude": -71.0589}
    identifiers = {each["system"]: each["value"] for each in patient["identifier"]}
    assert identifiers["http://hl7.org/fhir/sid/us-ssn"] == "999-11-2222"
    assert identifiers["urn:oid:2.16.840.1.113883.4.3.25"] == "S99999999"
    assert str(PATIENT) in identifiers.values()
    assert patient["maritalStatus"]["coding"][0]["code"] == "M"
    assert patient["communication"][0]["language"]["coding"][0]["code"] == "es"
    extensions = {each["url"].rsplit("/", 1)[1]: each for each in patient["extension"]}
    assert extensions["us-core-race"]["extension"][0]["valueCoding"]["code"] == "2106-3"
    assert extensions["us-core-ethnicity"]["extension"][1]["valueString"] == "Hispanic or Latino"
    assert extensions["us-core-birthsex"]["valueCode"] == "F"


def test_patient_of_whom_little_is_known(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    full = make_rows(1)["patients"][0]
    few = ("patient_id", "birth_time", "last_time", "sex", "race", "ethnicity")
    row = {name: full[name] for name in few} | {"race": "other", "language": "klingon"}
    (patient,) = orjson.loads(b"[%s]" % exporter.ndjson_bytes(make_records(patients=[row]))["Patient"])
    assert {"address", "telecom", "maritalStatus", "deceasedDateTime"}.isdisjoint(patient)
    assert patient["name"] == [
        {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    ]
    assert patient["communication"] == [{"language": {"text": "Klingon"}}]
    assert [part["url"] for part in patient["extension"][0]["extension"]] == ["text"]
    assert patient["_birthDate"]["extension"][0]["valueDateTime"].endswith("+00:00")


def test_encounter(found: Callable[[str, int], Json]) -> None:
    stay = found("Encounter", ENCOUNTER)
    assert stay["class"]["code"] == "IMP"
    assert stay["period"] == {"start": "2010-01-02T05:00:00-05:00", "end": "2010-01-02T06:00:00-05:00"}
    assert stay["reasonReference"][0]["reference"].startswith("Condition/")
    assert stay["reasonCode"][0]["text"] == "Diabetes"
    assert stay["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "1"
    visit = found("Encounter", ENCOUNTER + 9)
    assert visit["class"]["code"] == "AMB"
    assert {"reasonCode", "reasonReference", "hospitalization"}.isdisjoint(visit)


def test_condition(found: Callable[[str, int], Json]) -> None:
    active, past = found("Condition", CONDITION), found("Condition", CONDITION + 1)
    assert [each["code"] for each in active["code"]["coding"]] == ["44054006", "E11.9"]
    assert active["code"]["text"] == "Wording <b>"
    assert "display" not in active["code"]["coding"][0]
    assert active["clinicalStatus"]["coding"][0]["code"] == "active"
    assert active["onsetDateTime"] == active["recordedDate"] == "2010-01-02T05:05:00.250-05:00"
    assert active["category"][0]["coding"][0]["code"] == "encounter-diagnosis"
    assert past["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert past["abatementDateTime"] == "2010-12-31T19:00:00-05:00"
    assert past["category"][0]["coding"][0]["code"] == "problem-list-item"
    assert "encounter" not in past


def test_allergy(found: Callable[[str, int], Json]) -> None:
    severe, past, bare = (found("AllergyIntolerance", key) for key in (900, 901, 902))
    assert (severe["criticality"], severe["category"], severe["type"]) == ("high", ["environment"], "allergy")
    assert severe["reaction"][0]["severity"] == "severe"
    assert severe["reaction"][0]["manifestation"][0]["text"] == "Rash"
    assert past["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert past["criticality"] == "low"
    assert {"type", "category", "reaction"}.isdisjoint(bare)


def test_medication_request(found: Callable[[str, int], Json]) -> None:
    active, completed, stopped, given = (found("MedicationRequest", key) for key in (300, 301, 302, 303))
    assert [each["status"] for each in (active, completed, stopped, given)] == [
        "active", "completed", "stopped", "completed",
    ]  # fmt: skip
    assert active["reasonReference"][0]["reference"] == f"Condition/{resource_id(7, PATIENT, CONDITION)}"
    assert completed["reasonCode"][0]["text"] == "Why"
    assert stopped["statusReason"]["coding"][0]["code"] == "182840001"
    (dosage,) = active["dosageInstruction"]
    assert dosage["timing"]["repeat"] == {"frequency": 3, "period": 1, "periodUnit": "d"}
    assert dosage["doseAndRate"][0]["doseQuantity"]["value"] == 2
    assert dosage["asNeededBoolean"] is True
    assert dosage["additionalInstruction"][0]["text"] == "With food"
    assert dosage["text"] == "Take 2, 3 times every day, as needed"
    assert active["dispenseRequest"]["numberOfRepeatsAllowed"] == 4
    assert active["dispenseRequest"]["quantity"]["value"] == 60
    assert active["dispenseRequest"]["expectedSupplyDuration"]["code"] == "d"
    assert completed["dispenseRequest"]["validityPeriod"]["end"] == "2010-12-31T19:00:00-05:00"
    assert given["category"][0]["coding"][0]["code"] == "inpatient"
    assert active["category"][0]["coding"][0]["code"] == "community"
    assert "dosageInstruction" not in given


def test_care_plan(found: Callable[[str, int], Json]) -> None:
    plans = [found("CarePlan", key) for key in (600, 601, 602)]
    assert [plan["status"] for plan in plans] == ["active", "completed", "revoked"]
    assert [plan["activity"][0]["detail"]["status"] for plan in plans] == ["in-progress", "completed", "stopped"]
    assert plans[0]["addresses"] == [{"reference": f"Condition/{resource_id(7, PATIENT, CONDITION)}"}]
    assert "Lower &amp; slower" in plans[0]["text"]["div"]
    assert "Wording &lt;b&gt;" in plans[0]["text"]["div"]
    assert plans[0]["category"][0]["coding"][0]["code"] == "assess-plan"
    assert "end" not in plans[0]["period"]


def test_what_is_prescribed_is_dispensed_and_what_is_given_is_administered(
    exporter: FhirExporter, make_records: MakeRecords
) -> None:
    everything = resources(exporter, make_records(PATIENT))
    kinds = ("MedicationDispense", "MedicationAdministration")
    dispenses, given = ([each for each in everything.values() if each["resourceType"] == kind] for kind in kinds)
    orders = {each["authorizingPrescription"][0]["reference"]: each for each in dispenses}
    assert set(orders) == {f"MedicationRequest/{resource_id(7, PATIENT, key)}" for key in (300, 301, 302)}
    first = orders[f"MedicationRequest/{resource_id(7, PATIENT, 300)}"]
    assert first["quantity"] == {"value": 60}
    assert first["dosageInstruction"][0]["text"].startswith("Take 2, 3 times every day")
    assert [each["request"]["reference"] for each in given] == [f"MedicationRequest/{resource_id(7, PATIENT, 303)}"]


def test_care_team_and_goal(exporter: FhirExporter, make_records: MakeRecords) -> None:
    everything = resources(exporter, make_records(PATIENT))
    plan = everything[f"CarePlan/{resource_id(7, PATIENT, 600)}"]
    team, goal = everything[plan["careTeam"][0]["reference"]], everything[plan["goal"][0]["reference"]]
    assert {each["member"]["reference"].partition("/")[0] for each in team["participant"]} == {
        "Practitioner",
        "Patient",
    }
    assert (team["status"], goal["lifecycleStatus"]) == ("active", "active")
    assert goal["description"] == {"text": "Lower & slower"}
    assert goal["startDate"] == "2010-01-02"
    assert goal["target"] == [{"dueDate": "2010-02-01"}]


def test_every_encounter_has_a_current_note_and_a_provenance(exporter: FhirExporter, make_records: MakeRecords) -> None:
    everything = resources(exporter, make_records(PATIENT))
    encounters = {name for name in everything if name.startswith("Encounter/")}
    notes = [each for each in everything.values() if each["resourceType"] == "DocumentReference"]
    assert {note["context"]["encounter"][0]["reference"] for note in notes} == encounters
    assert {note["status"] for note in notes} == {"current"}
    stay = f"Encounter/{resource_id(7, PATIENT, ENCOUNTER)}"
    (note,) = (each for each in notes if each["context"]["encounter"][0]["reference"] == stay)
    text = base64.b64decode(note["content"][0]["attachment"]["data"]).decode()
    assert text == "Encounter: Emergency hospital admission (inpatient).\nReason: Diabetes.\nDischarge: Home."
    traces = [each for each in everything.values() if each["resourceType"] == "Provenance"]
    assert {trace["target"][0]["reference"] for trace in traces} == encounters
    assert [agent["type"]["coding"][0]["code"] for agent in traces[0]["agent"]] == ["author", "transmitter"]


def test_procedure(found: Callable[[str, int], Json]) -> None:
    long, short = found("Procedure", 700), found("Procedure", 701)
    assert long["performedPeriod"]["end"] == "2010-01-02T05:30:00-05:00"
    assert short["performedDateTime"] == "2010-01-02T05:05:00.250-05:00"
    assert "reasonReference" in long
    assert short["reasonCode"][0]["coding"][0]["code"] == "44054006"


def test_values_of_observations(found: Callable[[str, int], Json]) -> None:
    def value(key: int) -> Any:  # noqa: ANN401 - any value
        observation = found("Observation", key)
        (name,) = [name for name in observation if name.startswith("value") or name == "dataAbsentReason"]
        return name, observation[name]

    assert value(100) == (
        "valueQuantity", {"value": 5.6, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    )  # fmt: skip
    assert value(101)[1]["text"] == "Positive (qualifier value)"
    assert value(102) == ("valueString", "free\ntext")
    assert value(103) == ("valueBoolean", True)
    assert value(104) == ("valueBoolean", False)
    assert value(105)[1]["coding"][0]["code"] == "unknown"
    assert value(107) == ("valueQuantity", {"value": 7})
    assert value(108)[1]["value"] == 1 / 3
    assert (value(108)[1]["unit"], value(108)[1]["code"]) == ("pH", "[pH]")
    assert "category" not in found("Observation", 104)
    assert "encounter" not in found("Observation", 108)


def test_panel_holds_its_components_and_no_value(found: Callable[[str, int], Json]) -> None:
    panel = found("Observation", 112)
    assert [part["code"]["coding"][0]["code"] for part in panel["component"]] == ["8480-6", "8462-4"]
    assert panel["component"][0]["valueQuantity"]["value"] == 120
    assert panel["component"][1]["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not [name for name in panel if name.startswith("value") or name == "dataAbsentReason"]
    with pytest.raises(KeyError):
        found("Observation", 110)


def test_results_of_a_visit_share_a_specimen(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = make_rows(PATIENT)
    names = {
        100: "Glucose [Mass/volume] in Serum or Plasma",
        101: "Urea in Blood",
        102: "Protein in Urine",
        103: "Other",
    }
    tests = [
        rows["observations"][0] | {"row_key": key, "display": name, "report_key": 0} for key, name in names.items()
    ]
    parts = {name: rows[name] for name in ("patients", "encounters", "conditions")}
    everything = resources(exporter, make_records(**parts, observations=tests))
    found = [everything[f"Observation/{resource_id(7, PATIENT, key)}"].get("specimen") for key in names]
    assert found[0] == found[1] != found[2]
    assert found[3] is None
    kinds = [everything[each["reference"]]["type"]["text"] for each in found[1:3] if each]
    assert kinds == ["Blood specimen", "Urine specimen"]


def test_report_refers_to_its_observations(found: Callable[[str, int], Json]) -> None:
    report, empty = found("DiagnosticReport", 200), found("DiagnosticReport", 201)
    assert report["result"] == [{"reference": f"Observation/{resource_id(7, PATIENT, key)}"} for key in (100, 101)]
    assert report["category"][0]["coding"][0]["code"] == "LAB"
    assert {"result", "category"}.isdisjoint(empty)


def test_immunization_and_supply(found: Callable[[str, int], Json]) -> None:
    assert found("Immunization", 800)["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
    assert "protocolApplied" not in found("Immunization", 801)
    assert found("SupplyDelivery", 950)["suppliedItem"]["quantity"] == {"value": 3}


def test_device_label(found: Callable[[str, int], Json]) -> None:
    device = found("Device", 400)
    number = device["distinctIdentifier"]
    assert len(number) == 14
    assert sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(number)) % 10 == 0
    label = device["udiCarrier"][0]["carrierHRF"]
    assert label == (f"(01){number}(11)091212(17)341212(10){device['lotNumber']}(21){device['serialNumber']}")
    assert device["manufactureDate"].startswith("2009-12-12")
    assert device["expirationDate"].startswith("2034-12-12")
    assert (device["manufacturer"], device["modelNumber"], device["status"]) == ("ACME", "Z-1", "active")
    assert found("Device", 401)["status"] == "inactive"


def test_imaging_study_counts_out_series_and_images(found: Callable[[str, int], Json]) -> None:
    study, empty = found("ImagingStudy", 499), found("ImagingStudy", 498)
    assert study["identifier"][0]["value"] == f"urn:oid:2.25.{uuid.UUID(study['id']).int}"
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 3)
    assert [series["number"] for series in study["series"]] == [1, 2]
    assert [len(series["instance"]) for series in study["series"]] == [2, 1]
    uids = [series["uid"] for series in study["series"]]
    uids += [image["uid"] for series in study["series"] for image in series["instance"]]
    assert len(set(uids)) == 5
    assert study["series"][0]["uid"] == f"2.25.{uuid.UUID(resource_id(7, PATIENT, 500)).int}"
    assert "instance" not in empty["series"][0]


@pytest.mark.parametrize(
    ("table", "column", "value", "error", "words"),
    [
        ("conditions", "encounter_key", 77, ExportError, "conditions.encounter_key: no such row .* row 0 of patient 1"),
        ("observations", "panel_key", 5, ExportError, "observations.panel_key: no such row of the patient"),
        ("observations", "numeric_value", float("nan"), ExportError, "row 0 of patient 1.*: numeric_value: nan is no"),
        ("observations", "unit", "furlong", ExportError, "row 0 of patient 1.*: unit: 'furlong' is no unit of UCUM"),
        ("procedures", "patient_id", 99, SchemaError, "patient 99 is not in table 'patients'"),
        ("patients", "sex", "X", SchemaError, "unknown sex 'X'"),
        ("patients", "marital_status", "Z", SchemaError, "unknown marital_status 'Z'"),
        ("patients", "race", "martian", ConfigError, "unknown race 'martian'"),
        ("encounters", "encounter_class", "seance", SchemaError, "unknown encounter_class 'seance'"),
        ("conditions", "system", "Galen", ExportError, "conditions row 0 of patient 1.*: unknown code system 'Galen'"),
        ("conditions", "system", "", ExportError, "conditions row 0 of patient 1.*: unknown code system ''"),
        (
            "encounters",
            "reason_system",
            None,
            ExportError,
            "encounters row 0 of patient 1.*: code .* has no code system",
        ),
        (
            "conditions",
            "more_codes",
            '[{"code":"1"}]',
            ExportError,
            "conditions row 0 .*: more_codes: 'system' is missing",
        ),
        ("medications", "prescription", '{"duration":{"quantity":1,"unit":"moons"}}', ExportError, "'moons'"),
    ],
)
def test_broken_records_are_refused_by_place(
    make_records: MakeRecords, make_rows: MakeRows, exporter: FhirExporter,
    table: str, column: str, value: object, error: type[Exception], words: str,
) -> None:  # fmt: skip
    rows = make_rows(1)
    rows[table][0][column] = value
    with pytest.raises(error, match=words):
        exporter.ndjson_bytes(make_records(**rows))


def test_rows_of_a_patient_in_two_places_are_refused(make_records: MakeRecords, make_rows: MakeRows) -> None:
    one, two = make_rows(1), make_rows(2)
    rows = {
        "patients": one["patients"] + two["patients"],
        "encounters": [one["encounters"][0], two["encounters"][0], one["encounters"][1]],
    }
    with pytest.raises(SchemaError, match="encounters row 2"):
        FhirExporter(seed=1).ndjson_bytes(make_records(**rows))


def test_report_of_what_was_written(exporter: FhirExporter, make_records: MakeRecords, tmp_path: Path) -> None:
    records = make_records(1, 2)
    report = exporter.write_ndjson(records, tmp_path / "lines", shard=3)
    assert report.n_resources["Procedure"] == 4
    assert {path.name for path in report.files} == {f"{kind}-00003.ndjson" for kind in report.n_resources}
    assert report.n_bytes == sum(path.stat().st_size for path in report.files)
    assert (tmp_path / "lines" / "Patient-00003.ndjson").read_bytes() == exporter.ndjson_bytes(records)["Patient"]


def test_bundles_are_named_after_the_patient(exporter: FhirExporter, make_records: MakeRecords, tmp_path: Path) -> None:
    records = make_records(1, 2)
    report = exporter.write_bundles(records, tmp_path)
    assert [path.name for path in report.files] == [f"{resource_id(7, patient)}.json" for patient in (1, 2)]
    assert report.files[1].read_bytes() == exporter.bundle_bytes(records, 2)
    assert sum(report.n_resources.values()) >= 2 * OWN_RESOURCES + SHARED_RESOURCES


def test_sites_and_clinicians_are_there(exporter: FhirExporter, make_records: MakeRecords) -> None:
    everything = resources(exporter, make_records(1))
    sites = [each for each in everything.values() if each["resourceType"] == "Organization"]
    assert {site["name"] for site in sites} == {"Boston General Hospital", "Boston Family Practice"}
    for site in sites:
        assert site["address"][0] | {"line": []} == {
            "use": "work", "line": [], "city": "Boston", "state": "MA", "country": "US",
            "postalCode": site["address"][0]["postalCode"],
        }  # fmt: skip
        assert site["address"][0]["postalCode"].startswith("021")
        assert is_valid_npi(site["identifier"][1]["value"])
    for role in (each for each in everything.values() if each["resourceType"] == "PractitionerRole"):
        place = everything[role["location"][0]["reference"]]
        assert place["managingOrganization"] == role["organization"]
        assert is_valid_npi(everything[role["practitioner"]["reference"]]["identifier"][0]["value"])


def test_problem_list_stands_beside_encounter_diagnoses(exporter: FhirExporter, make_records: MakeRecords) -> None:
    everything = resources(exporter, make_records(1))
    conditions = [each for each in everything.values() if each["resourceType"] == "Condition"]
    kinds = [each["category"][0]["coding"][0]["code"] for each in conditions]
    assert sorted(kinds) == ["encounter-diagnosis", "problem-list-item", "problem-list-item"]
    for condition in conditions:
        assert "assertedDate" in str(condition)
        assert len(condition["meta"]["profile"]) == 1


COVERAGE = {
    "patient_id": 1, "row_key": 900, "time": dt.datetime(2001, 1, 1, tzinfo=dt.UTC), "payer": "Medicare",
    "kind": "medicare", "module": "payers", "state": "Covered",
}  # fmt: skip


def test_coverage_names_a_payer_that_is_there(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = [COVERAGE, COVERAGE | {"row_key": 901, "payer": None, "kind": "none"}]
    everything = resources(exporter, make_records(patients=make_rows(1)["patients"], coverages=rows))
    (coverage,) = (each for each in everything.values() if each["resourceType"] == "Coverage")
    payer = everything[coverage["payor"][0]["reference"]]
    assert (payer["name"], payer["type"][0]["coding"][0]["code"]) == ("Medicare", "pay")
    assert payer["id"] == payer_uuid(7, ["Medicare"]).to_pylist()[0]
    assert coverage["identifier"][0]["value"] == coverage["subscriberId"]
    assert [each["type"]["coding"][0]["code"] for each in coverage["class"]] == ["group", "plan"]


def test_coverage_of_an_unknown_kind_is_refused(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    records = make_records(patients=make_rows(1)["patients"], coverages=[COVERAGE | {"kind": "gold"}])
    with pytest.raises(SchemaError, match="coverages: unknown kind 'gold'"):
        exporter.ndjson_bytes(records)


def test_profiles_come_with_us_core_alone(make_records: MakeRecords) -> None:
    without = resources(FhirExporter(seed=7, us_core="none"), make_records(1)).values()
    assert not [each for each in without if "profile" in each["meta"]]
    everything = resources(FhirExporter(seed=7), make_records(1)).values()
    claimed = {each["resourceType"] for each in everything if "profile" in each["meta"]}
    assert {"Patient", "Encounter", "Condition", "MedicationRequest", "Organization"} <= claimed
    with pytest.raises(ConfigError, match="--us-core must be one of"):
        FhirExporter(seed=7, us_core="5.0.1")


def test_everything_that_is_wrong_with_records_is_said_at_once(make_records: MakeRecords, make_rows: MakeRows) -> None:
    rows = make_rows(1)
    rows["conditions"][0] |= {"system": "Galen", "encounter_key": 77}
    rows["observations"][0]["unit"] = "furlong"
    with pytest.raises(ExportError) as caught:
        FhirExporter(seed=1).ndjson_bytes(make_records(**rows))
    assert "'Galen'" in str(caught.value)
    assert "'furlong'" in str(caught.value)
    assert f"state {rows['observations'][0]['state']!r}" in str(caught.value)
