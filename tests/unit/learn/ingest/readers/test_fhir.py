import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.unit.learn.ingest.readers.clinical import person, rows_of
from trajsim.errors import DataFileError
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.readers.fhir import read_fhir
from trajsim.learn.ingest.readers.fhir_forms import day_of

Resource = Mapping[str, Any]
SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"


def _day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "ann",
    "gender": "female",
    "birthDate": "1950-03-04",
    "deceasedDateTime": "2010-01-01T01:00:00+02:00",
}
SUBJECT = {"reference": "Patient/ann"}
CONDITION: Resource = {
    "resourceType": "Condition",
    "id": "c",
    "subject": SUBJECT,
    "code": {"coding": [{"system": "urn:own", "code": "x"}, {"system": SNOMED, "code": "59621000"}]},
    "onsetDateTime": "2000-05",
    "recordedDate": "2000-05-06",
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
}
PRESSURE: Resource = {
    "resourceType": "Observation",
    "status": "final",
    "subject": SUBJECT,
    "code": _concept(LOINC, "85354-9"),
    "effectiveDateTime": "2001-01-01T23:30:00-05:00",
    "component": [
        {"code": _concept(LOINC, "8480-6"), "valueQuantity": {"value": 150, "unit": "mmHg", "code": "mm[Hg]"}},
        {"code": _concept(LOINC, "8462-4"), "valueQuantity": {"value": 90, "unit": "mmHg"}},
    ],
}
SMOKING: Resource = {
    "resourceType": "Observation",
    "status": "final",
    "subject": SUBJECT,
    "code": _concept(LOINC, "72166-2"),
    "effectiveDateTime": "2001-01-02",
    "valueCodeableConcept": _concept(SNOMED, "449868002"),
}
DRUG: Resource = {
    "resourceType": "Medication",
    "id": "m",
    "code": _concept("http://www.nlm.nih.gov/research/umls/rxnorm", "1"),
}
ORDER: Resource = {
    "resourceType": "MedicationRequest",
    "subject": SUBJECT,
    "authoredOn": "2002-02-02",
    "medicationReference": {"reference": "Medication/m"},
}
ALL: Sequence[Resource] = (PATIENT, CONDITION, PRESSURE, SMOKING, ORDER, DRUG)
ROWS = [
    ("ann", _day("2000-05-06"), "SNOMED-CT", "59621000", None, None, None),
    ("ann", _day("2001-01-02"), "LOINC", "72166-2", None, "449868002", None),
    ("ann", _day("2001-01-02"), "LOINC", "8462-4", 90.0, None, "mmHg"),
    ("ann", _day("2001-01-02"), "LOINC", "8480-6", 150.0, None, "mm[Hg]"),
    ("ann", _day("2002-02-02"), "RxNorm", "1", None, None, None),
]


def _ndjson(path: Path, *resources: Resource) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in resources), encoding="utf-8")


def test_ndjson_and_bundles_give_the_same_rows(tmp_path: Path) -> None:
    lines, bundles = tmp_path / "lines", tmp_path / "bundles"
    lines.mkdir()
    bundles.mkdir()
    for resource in ALL:
        _ndjson(
            lines / f"{resource['resourceType']}.ndjson",
            *[r for r in ALL if r["resourceType"] == resource["resourceType"]],
        )
    bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in ALL]}
    with gzip.open(bundles / "ann.json.gz", "wt") as file:
        json.dump(bundle, file)
    for folder in (lines, bundles):
        clinical = read_fhir(folder)
        assert clinical.faults == ()
        assert sorted(rows_of(clinical), key=str) == sorted(ROWS, key=str)
        ann = person(clinical, "ann")
        assert (ann["sex"], ann["birth"], ann["death"]) == ("female", _day("1950-03-04"), _day("2009-12-31"))


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_lines_are_read_and_broken_ones_told(tmp_path: Path, suffix: str) -> None:
    text = "".join(json.dumps(each) + "\n" for each in ALL).encode()
    packed = gzip.compress(text) if suffix == "gz" else zstandard.ZstdCompressor().compress(text)
    (tmp_path / f"a.ndjson.{suffix}").write_bytes(packed)
    assert sorted(rows_of(read_fhir(tmp_path)), key=str) == sorted(ROWS, key=str)
    (tmp_path / f"b.ndjson.{suffix}").write_bytes(b"not packed at all")
    assert any(f"b.ndjson.{suffix}: cannot be read" in fault for fault in read_fhir(tmp_path).faults)


def test_entries_may_name_the_patient_by_the_url_of_the_bundle(tmp_path: Path) -> None:
    condition = {**CONDITION, "subject": {"reference": "urn:uuid:7"}}
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": "urn:uuid:8", "resource": condition}, {"fullUrl": "urn:uuid:7", "resource": PATIENT}],
    }
    (tmp_path / "b.json").write_text(json.dumps(bundle), encoding="utf-8")
    assert rows_of(read_fhir(tmp_path)) == ROWS[:1]


def test_what_was_refuted_or_has_no_value_is_counted(tmp_path: Path) -> None:
    refuted = {**CONDITION, "verificationStatus": {"coding": [{"code": "refuted"}]}}
    empty = {key: value for key, value in SMOKING.items() if not key.startswith("value")}
    _ndjson(tmp_path / "a.ndjson", PATIENT, refuted, empty, {**SMOKING, "status": "entered-in-error"})
    clinical = read_fhir(tmp_path)
    assert rows_of(clinical) == []
    assert clinical.counts == {
        "Condition refuted, not done or entered in error": 1,
        "Observation refuted, not done or entered in error": 1,
        "Observation without a value": 1,
    }


def test_faults_stand_with_file_and_line_all_at_once(tmp_path: Path) -> None:
    _ndjson(
        tmp_path / "a.ndjson",
        PATIENT,
        {**CONDITION, "code": {"coding": [{"code": "59621000"}]}},
        {**CONDITION, "onsetDateTime": "2000-02-31"},
        {**PRESSURE, "component": "none"},
        {key: value for key, value in CONDITION.items() if key != "subject"},
        {**CONDITION, "subject": {"reference": "Patient?identifier=7"}},
        {**PATIENT, "id": "bob", "deceasedDateTime": "2019-13"},
    )
    _ndjson(tmp_path / "b.ndjson", DRUG)
    with (tmp_path / "b.ndjson").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    faults = "\n".join(read_fhir(tmp_path).faults)
    assert "a.ndjson, row 2: code '59621000' without a system" in faults
    assert "a.ndjson, row 3: Condition: '2000-02-31' is not a date" in faults
    assert "a.ndjson, row 4: Observation: Expected `array`, got `str` - at `$.component`" in faults
    assert "a.ndjson, row 5: Condition without a patient (subject)" in faults
    assert "a.ndjson, row 6: Condition: 'Patient?identifier=7' asks a server for the patient" in faults
    assert "a.ndjson, row 7: Patient bob: death '2019-13' is not a date" in faults
    assert "b.ndjson, row 2: not a FHIR resource" in faults


def test_the_mapping_by_name_makes_sequences(tmp_path: Path) -> None:
    _ndjson(tmp_path / "a.ndjson", *ALL)
    sequences, _ = make_sequences(read_fhir(tmp_path), read_mapping("fhir"), source="a")
    names, labs = sequences.vocabulary.event_names, sequences.vocabulary.lab_names
    assert sequences.prevalent[0, names.index("hypertension")]
    assert sequences.follow_up_days[0] == _day("2009-12-31") - _day("2000-05-06")
    assert sequences.events[-1, names.index("death")]
    visit = sequences.values[sequences.is_visit]
    assert visit[:, labs.index("sbp")].tolist() == [150.0]
    assert visit[:, labs.index("smoking")].tolist() == [1.0]


def test_who_was_seen_as_a_child_enters_with_the_first_row_as_an_adult(tmp_path: Path) -> None:
    child = {**PRESSURE, "effectiveDateTime": "1968-03-03"}
    _ndjson(tmp_path / "a.ndjson", PATIENT, child, {**PRESSURE, "effectiveDateTime": "1968-03-05"}, SMOKING)
    sequences, report = make_sequences(read_fhir(tmp_path), read_mapping("fhir"), source="a")
    assert sequences.entry_age_days.tolist() == [_day("1968-03-05") - _day("1950-03-04")]
    assert report.patients_left_out == {}


def test_a_birth_date_may_be_a_year_or_an_instant(tmp_path: Path) -> None:
    instant = {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                "valueDateTime": "1950-03-04T23:00:00-06:00",
            }
        ]
    }
    _ndjson(
        tmp_path / "a.ndjson",
        {**PATIENT, "id": "year", "birthDate": "1950"},
        {**PATIENT, "id": "month", "birthDate": "1950-03"},
        {**PATIENT, "id": "instant", "_birthDate": instant},
    )
    clinical = read_fhir(tmp_path)
    births = [person(clinical, name)["birth"] for name in ("year", "month", "instant")]
    assert births == [_day("1950-07-01"), _day("1950-03-15"), _day("1950-03-05")]


@pytest.mark.parametrize(
    "text",
    [None, "2000", "2000-05", "2000-13-01", "yesterday at noon", "2000-01-01T25:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_day_is_none(text: str | None) -> None:
    assert day_of(text) is None


def test_a_folder_without_fhir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no FHIR here"):
        read_fhir(tmp_path)
