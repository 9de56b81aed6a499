"""What FHIR allows or sources get wrong: deaths without a day, days that cannot be, codings, drugs elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.learn.ingest.readers.clinical import person, rows_of
from trajsim.errors import DataFileError
from trajsim.event_sequences import EventSequences
from trajsim.learn.ingest.apply import make_sequences
from trajsim.learn.ingest.mapping import CodeSet, DropRule, SourceMapping
from trajsim.learn.ingest.mapping_reading import read_mapping
from trajsim.learn.ingest.readers.fhir import read_fhir
from trajsim.learn.ingest.report import IngestReport
from trajsim.learn.ingest.source import read_clinical

Resource = Mapping[str, Any]
SNOMED, ICD10, LOINC = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm", "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
FHIR = read_mapping("fhir")


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def patient(name: str, **more: object) -> Resource:
    return {"resourceType": "Patient", "id": name, "gender": "male", "birthDate": "1950-01-01", **more}


def condition(name: str, at: str, *codings: tuple[str, str]) -> Resource:
    return {
        "resourceType": "Condition",
        "subject": {"reference": f"Patient/{name}"},
        "code": {"coding": [{"system": system, "code": code} for system, code in codings or [(ICD10, "I10")]]},
        "onsetDateTime": at,
    }


def encounter(name: str, start: str, end: str) -> Resource:
    period = {"start": start, "end": end}
    return {"resourceType": "Encounter", "subject": {"reference": f"Patient/{name}"}, "period": period}


def order(reference: str, **more: object) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "subject": {"reference": "Patient/ann"},
        "authoredOn": "2002-02-02",
        "medicationReference": {"reference": reference},
        **more,
    }


def written(folder: Path, *resources: Resource, name: str = "a") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.ndjson").write_text("".join(json.dumps(each) + "\n" for each in resources), encoding="utf-8")
    return folder


def ingest(source: Path, mapping: SourceMapping = FHIR, **actions: Any) -> tuple[EventSequences, IngestReport]:  # noqa: ANN401
    mapping = replace(mapping, actions={**mapping.actions, **actions})
    return make_sequences(read_clinical(source, mapping), mapping, source="a")


TWO = (
    patient("ann"), patient("bob"), condition("ann", "2000-01-01"), condition("bob", "2000-01-01"),
    condition("ann", "2010-01-01"),
)  # fmt: skip


def test_a_day_after_today_is_a_fault_and_lengthens_nobody_s_observation(tmp_path: Path) -> None:
    expected, _ = ingest(written(tmp_path / "right", *TWO))
    wrong = written(tmp_path / "wrong", *TWO, condition("bob", "2205-01-01", (ICD10, "E11.9")))
    with pytest.raises(DataFileError, match=r"after_last_day: .*'E11.9' \(a.ndjson row 6\)") as caught:
        ingest(wrong)
    assert "after_last_day: drop" in str(caught.value.hint)
    assert "say `last_day`" in str(caught.value.hint)
    found, report = ingest(wrong, after_last_day="drop")
    assert found.follow_up_days.tolist() == expected.follow_up_days.tolist() == [3653, 3653]
    assert report.rows["after_last_day"] == 1


def test_encounters_and_codes_without_a_meaning_after_today_lengthen_nobody_s_observation(tmp_path: Path) -> None:
    late = (encounter("bob", "2001-01-01", "2205-01-01"), condition("bob", "2205-01-01", ("urn:own", "x")))
    found, report = ingest(written(tmp_path, *TWO, *late))
    assert found.follow_up_days.tolist() == [3653, 3653]
    assert report.reader_counts == {"Encounter after last_day": 1}
    assert report.rows["unmapped_codes"] == 1


def test_the_mapping_may_say_the_last_day(tmp_path: Path) -> None:
    late = (condition("ann", "2004-01-01"), condition("bob", "2100-01-01", (ICD10, "E11.9")))
    source = written(tmp_path, *TWO, *late)
    shifted, _ = ingest(source, replace(FHIR, last_day=day("2100-01-01"), max_years=120.0))
    assert shifted.follow_up_days.tolist() == [day("2100-01-01") - day("2000-01-01")] * 2
    early, report = ingest(source, replace(FHIR, last_day=day("2005-01-01")), after_last_day="drop")
    assert early.follow_up_days.tolist() == [day("2004-01-01") - day("2000-01-01")] * 2
    assert report.rows["after_last_day"] == 2


def test_who_was_born_or_dies_after_the_last_day_is_impossible(tmp_path: Path) -> None:
    source = written(tmp_path, *TWO, patient("cy", deceasedDateTime="2205-01-01"), condition("cy", "2000-01-01"))
    with pytest.raises(DataFileError, match=r"impossible_persons: .*patient 'cy'"):
        ingest(source)
    _, report = ingest(source, impossible_persons="drop")
    assert report.patients_left_out == {"impossible_persons": 1}


@given(st.integers(1, 100_000))
def test_no_day_after_the_last_one_changes_who_is_observed_how_long(tmp_path_factory: Any, later: int) -> None:  # noqa: ANN401
    folder = tmp_path_factory.mktemp("fhir")
    mapping = replace(FHIR, last_day=day("2015-01-01"))
    expected, _ = ingest(written(folder, *TWO), mapping)
    at = (date(2015, 1, 1) + timedelta(days=later)).isoformat()
    late = (condition("ann", at), encounter("bob", at, at), condition("bob", at, ("urn:own", "x")))
    found, _ = ingest(written(folder, *TWO, *late), mapping, after_last_day="drop")
    assert found.follow_up_days.tolist() == expected.follow_up_days.tolist()
    assert found.day.tolist() == expected.day.tolist()


@pytest.mark.parametrize(
    "death", [{"deceasedBoolean": True}, {"deceasedDateTime": "2019-05"}, {"deceasedDateTime": "2019"}]
)
def test_the_dead_without_a_day_are_observed_to_their_own_last_row(tmp_path: Path, death: Resource) -> None:
    rows = [condition("ann", "2000-01-01"), condition("ann", "2003-01-01"), condition("bob", "2000-01-01")]
    source = written(
        tmp_path,
        patient("ann", **death),
        patient("bob"),
        patient("cy", **death),
        *rows,
        TWO[-1],
        encounter("bob", "2012-01-01", "2012-01-02"),
    )
    clinical = read_fhir(source)
    assert clinical.faults == ()
    assert [person(clinical, name)["end"] for name in ("ann", "bob")] == [day("2010-01-01"), day("2012-01-02")]
    made, report = ingest(source)
    assert made.follow_up_days.tolist() == [
        day("2010-01-01") - day("2000-01-01"),
        day("2012-01-02") - day("2000-01-01"),
    ]
    assert not made.events[:, -1].any()
    assert report.reader_counts == {"deaths without a day, observed to the last row": 2}
    # Where rows do not say who enters when, whoever has none is still not observed after a death without a day.
    _, aged = ingest(
        source,
        replace(FHIR, entry=read_mapping("synthea-fhir").entry, follow_up=read_mapping("synthea-fhir").follow_up),
    )
    assert aged.patients_left_out["no_follow_up"] >= 1


def test_whether_a_patient_may_stand_twice_is_for_the_mapping_to_say(tmp_path: Path) -> None:
    expected, _ = ingest(written(tmp_path, *TWO))
    written(tmp_path, TWO[0], name="b")
    with pytest.raises(
        DataFileError, match=r"1 fault in the source\npersons_twice: .*: patient 'ann' \(b.ndjson row 1\)"
    ):
        ingest(tmp_path)
    found, report = ingest(tmp_path, persons_twice="drop")
    assert report.patients_left_out == {"persons_twice": 1}
    assert found.follow_up_days.tolist() == expected.follow_up_days.tolist()


def test_a_medication_inside_of_the_prescription_is_read(tmp_path: Path) -> None:
    inside = [
        {"resourceType": "Practitioner", "id": "p", "code": "no concept"},
        {"resourceType": "Medication", "id": "med1", "code": {"coding": [{"system": RXNORM, "code": "860975"}]}},
    ]
    clinical = read_fhir(written(tmp_path, patient("ann"), order("#med1", contained=inside)))
    assert clinical.faults == ()
    assert rows_of(clinical) == [("ann", day("2002-02-02"), "RxNorm", "860975", None, None, None)]
    broken = [{"resourceType": "Medication", "id": "med1", "code": "aspirin"}]
    faults = read_fhir(written(tmp_path, patient("ann"), order("#med1", contained=broken))).faults
    assert faults[0].startswith("a.ndjson, row 2: MedicationRequest: contained: Expected `object")


@pytest.mark.parametrize("reference", ["Medication/lost", "#lost"])
def test_a_prescription_of_a_medication_that_is_not_here_is_counted(tmp_path: Path, reference: str) -> None:
    clinical = read_fhir(written(tmp_path, patient("ann"), order(reference)))
    assert (clinical.faults, rows_of(clinical)) == ((), [])
    assert clinical.counts == {"MedicationRequest whose Medication is not here": 1}


UNNAMED = (SNOMED, "195967001")


@pytest.mark.parametrize(
    ("codings", "expected"),
    [
        ([UNNAMED, (ICD10, "I10")], ("ICD10CM", "I10")),
        ([(ICD10, "I10"), UNNAMED], ("ICD10CM", "I10")),
        ([(ICD10, "I10"), (SNOMED, "59621000")], ("SNOMED-CT", "59621000")),
        ([(ICD10, "J45.909"), UNNAMED], ("SNOMED-CT", "195967001")),
        ([("", "I10"), UNNAMED], ("SNOMED-CT", "195967001")),
        ([(SNOMED, ""), (ICD10, "J45.909")], ("ICD10CM", "J45.909")),
    ],
)
def test_of_several_codings_one_that_the_mapping_names_counts(
    tmp_path: Path, codings: list[tuple[str, str]], expected: tuple[str, str]
) -> None:
    source = written(tmp_path, patient("ann"), condition("ann", "2000-01-01", *codings))
    assert [row[2:4] for row in rows_of(read_clinical(source, FHIR))] == [expected]


def test_a_coding_that_a_drop_rule_names_is_named_too(tmp_path: Path) -> None:
    source = written(tmp_path, patient("ann"), condition("ann", "2000-01-01", UNNAMED, (ICD10, "J45.909")))
    drop = DropRule(name="asthma", codes=CodeSet(codes=(("ICD10CM", "J45*"),)))
    assert [row[3] for row in rows_of(read_clinical(source, replace(FHIR, drop=(drop,))))] == ["J45.909"]


def test_what_only_follows_from_a_patient_that_cannot_be_read_is_not_told(tmp_path: Path) -> None:
    lines = [
        json.dumps(each) for each in (patient("ann"), condition("ann", "2001-01-01"), condition("bob", "2001-01-01"))
    ]
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "all.ndjson").write_text("\n".join(lines))
    with pytest.raises(DataFileError, match="unknown_patients"):
        make_sequences(read_clinical(whole, FHIR), FHIR, source="own")
    for broken in (
        '{"resourceType": "Patient", "id": "bob", "gender": 1}',
        '{"resourceType": "Patient"',
        '{"resourceType": "Patient"}',
    ):
        (tmp_path / "all.ndjson").write_text("\n".join([*lines, broken]))
        with pytest.raises(DataFileError, match=r"all\.ndjson, row 4") as caught:
            make_sequences(read_clinical(tmp_path / "all.ndjson", FHIR), FHIR, source="own")
        assert "unknown_patients" not in str(caught.value)
