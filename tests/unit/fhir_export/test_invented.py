"""What Records do not say: orders, whom to call, and what small shares of patients have."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter
from fhir_export.ids import resource_id
from fhir_export.resources.service_request import category_of
from fhir_export.shares import OLD_ADDRESS, SUFFIX, TRIBE
from trajsim.records.table import Records

pytestmark = pytest.mark.no_jit

Json = dict[str, Any]
Rows = dict[str, list[Json]]
MakeRecords = Callable[..., Records]
MakeRows = Callable[[int], Rows]

PATIENT = 2**63 + 5
ENCOUNTER, CONDITION = 5 << 32, 5 << 32 | 1


def lines_of(exporter: FhirExporter, records: Records, kind: str) -> list[Json]:
    """The resources of a type."""
    return [orjson.loads(line) for line in exporter.ndjson_bytes(records).get(kind, b"").splitlines()]


def test_a_laboratory_report_an_imaging_study_and_a_course_have_orders(
    exporter: FhirExporter, make_records: MakeRecords
) -> None:
    records = make_records(PATIENT)
    orders = {each["id"]: each for each in lines_of(exporter, records, "ServiceRequest")}
    assert sorted(order["category"][0]["text"] for order in orders.values()) == [
        "Imaging", "Imaging", "Laboratory procedure", "Procedure",
    ]  # fmt: skip
    for kind in ("DiagnosticReport", "ImagingStudy", "Procedure"):
        for resource in lines_of(exporter, records, kind):
            for based in resource.get("basedOn", []):
                assert based["reference"].removeprefix("ServiceRequest/") in orders
    procedures = {each["id"]: each for each in lines_of(exporter, records, "Procedure")}
    course = orders[procedures[resource_id(7, PATIENT, 700)]["basedOn"][0]["reference"].split("/")[1]]
    assert course["reasonReference"] == [{"reference": f"Condition/{resource_id(7, PATIENT, CONDITION)}"}]
    assert course["occurrencePeriod"]["end"] == "2010-01-02T05:30:00-05:00"
    assert course["authoredOn"] == "2010-01-02T05:00:00-05:00"
    assert "basedOn" not in procedures[resource_id(7, PATIENT, 701)]


def test_what_is_done_again_for_the_same_condition_has_one_order(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = make_rows(3)
    first = rows["procedures"][0]
    again = first | {"row_key": 702, "time": first["time"].replace(year=2012), "stop": first["stop"].replace(year=2013)}
    rows["procedures"].append(again)
    records = make_records(**rows)
    courses = [each for each in lines_of(exporter, records, "ServiceRequest") if "reasonReference" in each]
    based = [each["basedOn"] for each in lines_of(exporter, records, "Procedure") if "basedOn" in each]
    assert len(based) == 2
    assert based[0] == based[1]
    (course,) = [each for each in courses if based[0][0]["reference"].endswith(each["id"])]
    assert course["occurrencePeriod"]["start"].startswith("2010")
    assert course["occurrencePeriod"]["end"].startswith("2013")


def test_a_procedure_that_made_images_shares_their_order(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = make_rows(3)
    rows["procedures"].append(rows["procedures"][0] | {"row_key": 703, "code": "399208008"})
    records = make_records(**rows)
    procedures = {each["id"]: each for each in lines_of(exporter, records, "Procedure")}
    studies = lines_of(exporter, records, "ImagingStudy")
    assert procedures[resource_id(7, 3, 703)]["basedOn"] in [study["basedOn"] for study in studies]


@pytest.mark.parametrize(
    ("wording", "code"),
    [
        ("Total replacement of hip (procedure)", 4),
        ("Referral to transplant surgeon (procedure)", 6),
        ("Oral health education (procedure)", 3),
        ("Radical orchiectomy of testis (procedure)", 4),
        ("Standard pregnancy test (procedure)", 5),
        (None, 6),
    ],
)
def test_category_of_an_order(wording: str | None, code: int) -> None:
    assert category_of(wording) == code


def test_an_imaging_study_has_a_report(exporter: FhirExporter, make_records: MakeRecords) -> None:
    records = make_records(PATIENT)
    studies = {f"ImagingStudy/{each['id']}" for each in lines_of(exporter, records, "ImagingStudy")}
    reports = [each for each in lines_of(exporter, records, "DiagnosticReport") if "imagingStudy" in each]
    assert {report["imagingStudy"][0]["reference"] for report in reports} == studies
    assert {report["category"][0]["text"] for report in reports} == {"Radiology"}
    assert all(report["presentedForm"][0]["data"] for report in reports)


def test_whom_to_call(exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows) -> None:
    grown = make_rows(1)["patients"][0]
    rows = [
        grown,
        grown | {"patient_id": 2, "marital_status": "S"},
        grown | {"patient_id": 3, "last_time": grown["birth_time"].replace(year=1980), "death_time": None},
    ]
    husband, friend, parent = lines_of(exporter, make_records(patients=rows), "RelatedPerson")
    assert husband["relationship"][0]["coding"][0]["code"] == "HUSB"
    assert husband["name"][0]["family"] == parent["name"][0]["family"] == grown["family_name"]
    assert friend["relationship"][0]["coding"][0]["code"] == "FRND"
    assert parent["relationship"][0]["coding"][0]["code"] in {"MTH", "FTH"}
    assert husband["address"][0]["line"] == [grown["address_line"]]
    assert {each["relationship"][1]["coding"][0]["code"] for each in (husband, friend, parent)} == {"C"}


def test_small_shares_of_patients(exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows) -> None:
    n = 400
    row = make_rows(1)["patients"][0] | {"sex": "M", "race": "native"}
    rows = [row | {"patient_id": number} for number in range(1, n + 1)]
    patients = lines_of(exporter, make_records(patients=rows), "Patient")
    suffixed = [each for each in patients if each["name"][0].get("suffix") == ["Jr."]]
    moved = [each for each in patients if len(each["address"]) == 2]
    tribal = [each for each in patients if any("tribal" in part["url"] for part in each["extension"])]
    for found, share in ((suffixed, SUFFIX), (moved, OLD_ADDRESS), (tribal, TRIBE)):
        assert n / share.one_of / 2 < len(found) < n / share.one_of * 2
    for each in moved:
        now, before = each["address"]
        assert now["period"]["start"] == before["period"]["end"]
        assert before["use"] == "old"
        assert before["city"] == now["city"]
        assert before["line"] != now["line"]
        assert each["birthDate"] <= before["period"]["end"][:10] <= each["deceasedDateTime"][:10]
    old = [each for each in patients if each["name"][1]["use"] == "old"]
    assert 0 < len(old) < n
    assert all("1988" <= each["name"][1]["period"]["end"] < "2009" for each in old)
    plain = FhirExporter(seed=7, us_core="none")
    assert not any(
        "tribal" in part["url"]
        for each in lines_of(plain, make_records(patients=rows[:9]), "Patient")
        for part in each["extension"]
    )
