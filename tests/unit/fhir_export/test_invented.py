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


def many(make_rows: MakeRows, n: int) -> Rows:
    """Rows of some patients, alike but for their number."""
    parts = [make_rows(number) for number in range(1, n + 1)]
    return {name: [row for part in parts for row in part.get(name, [])] for name in parts[0]}


def test_shares_of_rows(exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows) -> None:
    n = 200
    records = make_records(**many(make_rows, n))
    notes = lines_of(exporter, records, "DocumentReference")
    attachments = [each["content"][0]["attachment"] for each in notes]
    linked = [each["url"] for each in attachments if "url" in each]
    assert 0 < len(linked) < len(notes) / 16
    assert all(url.startswith("data:text/plain;base64,") for url in linked)
    assert all(("url" in each) != ("data" in each) for each in attachments)
    orders = lines_of(exporter, records, "MedicationRequest")
    told = [each for each in orders if "reportedReference" in each]
    assert 0 < len(told) < len(orders) / 16
    assert all(("reportedReference" in each) != ("reportedBoolean" in each) for each in orders)
    refused = [each for each in lines_of(exporter, records, "Immunization") if each["status"] == "not-done"]
    assert 0 < len(refused) < n / 4
    assert {each["statusReason"]["coding"][0]["code"] for each in refused} == {"PATOBJ"}
    declined = [
        each
        for each in lines_of(exporter, records, "Observation")
        if each.get("dataAbsentReason", {}).get("coding", [{}])[0].get("code") == "asked-declined"
    ]
    assert 0 < len({each["subject"]["reference"] for each in declined}) < n / 8
    pressures = [each for each in declined if each["code"]["coding"][0]["code"] == "85354-9"]
    assert pressures
    assert all(part["dataAbsentReason"] for each in pressures for part in each["component"])
    assert all(each["effectiveDateTime"].startswith("2010-01-02T05:00:00") for each in declined)


def test_a_product_given_on_the_spot_is_one_resource_for_all(exporter: FhirExporter, make_records: MakeRecords) -> None:
    records = make_records(1, 2, 3)
    (product,) = lines_of(exporter, records, "Medication")
    reference = {"reference": f"Medication/{product['id']}"}
    given = lines_of(exporter, records, "MedicationAdministration")
    assert [each["medicationReference"] for each in given] == [reference] * 3
    ordered = [each for each in lines_of(exporter, records, "MedicationRequest") if "medicationReference" in each]
    assert [each["medicationReference"] for each in ordered] == [reference] * 3


def test_roles_at_a_hospital_have_an_endpoint(exporter: FhirExporter, make_records: MakeRecords) -> None:
    records = make_records(1)
    (endpoint,) = lines_of(exporter, records, "Endpoint")
    roles = lines_of(exporter, records, "PractitionerRole")
    assert [each["endpoint"] for each in roles if "endpoint" in each] == [[{"reference": f"Endpoint/{endpoint['id']}"}]]
    assert endpoint["address"].startswith("mailto:")


def survey(base: Json, answers: dict[str, Json], *, panel: int) -> list[Json]:
    """A panel and its parts, as rows of observations."""
    row = base | {"category": "survey", "system": "LOINC", "report_key": 0, "is_panel": False, "panel_key": panel}
    parts = [
        row | {"row_key": panel + 1 + at, "code": code, "display": f"Question {code}"} | values
        for at, (code, values) in enumerate(answers.items())
    ]
    return [*parts, row | {"row_key": panel, "panel_key": 0, "is_panel": True}]


YES = {"value_system": "LOINC", "value_code": "LA33-6", "value_display": "Yes"}
NO = YES | {"value_code": "LA32-8", "value_display": "No"}


def test_answers_to_a_questionnaire(exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows) -> None:
    rows = make_rows(3)
    base = {name: rows["procedures"][0][name] for name in ("patient_id", "encounter_key", "time", "module", "state")}
    answers: dict[str, Json] = {
        "63512-8": {"numeric_value": 4.0, "unit": "{#}"},
        "71802-3": YES,
        "93033-9": NO,
        "93027-1": YES,
        "56799-0": {"text_value": "Elm Street"},
        "82589-3": NO,
        "67875-5": {},
    }
    form = {"code": "93025-5", "display": "PRAPARE"}
    first, last = (
        [row | (form if row["is_panel"] else {}) for row in survey(base, answers, panel=panel)]
        for panel in (2000, 3000)
    )
    rows["observations"] = [*first, *last]
    records = make_records(**rows)
    (response,) = lines_of(exporter, records, "QuestionnaireResponse")
    items = {each["linkId"]: each for each in response["item"]}
    assert sorted(items) == ["56799-0", "63512-8", "71802-3", "93027-1", "money"]
    assert items["63512-8"]["answer"] == [{"valueDecimal": 4}]
    assert items["56799-0"]["answer"] == [{"valueString": "Elm Street"}]
    assert items["71802-3"]["answer"][0]["item"][0]["linkId"] == "93033-9"
    assert [each["linkId"] for each in items["money"]["item"]] == ["82589-3"]
    reference = [{"reference": f"QuestionnaireResponse/{response['id']}"}]
    observations = lines_of(exporter, records, "Observation")
    derived = {each["code"]["coding"][0]["code"]: each for each in observations if each.get("derivedFrom") == reference}
    assert sorted(derived) == ["56799-0", "63512-8", "82589-3", "93025-5", "93027-1"]
    assert derived["93027-1"]["valueBoolean"] is True
    assert derived["63512-8"]["valueQuantity"]["value"] == 4
    assert derived["93025-5"]["id"] == resource_id(7, 3, 3000)
    assert [each["coding"][0]["code"] for each in derived["93025-5"]["category"]] == ["survey", "sdoh"]
    panels = [each for each in observations if each["code"]["coding"][0]["code"] == "93025-5"]
    assert ["derivedFrom" in each for each in panels] == [False, True]


def test_members_and_levels(exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows) -> None:
    rows = make_rows(3)
    base = {name: rows["procedures"][0][name] for name in ("patient_id", "encounter_key", "time", "module", "state")}
    score = {"numeric_value": 4.0, "unit": "{score}"}
    pain = survey(base, {"75893-8": score, "91145-3": score}, panel=2000)
    pain[-1] |= {"code": "91148-7", "display": "PEG"}
    falls = [row | {"panel_key": 0} for row in survey(base, {"59460-6": score, "59461-4": YES}, panel=3000)][:-1]
    rows["observations"] = [*pain, *falls]
    found = {each["id"]: each for each in lines_of(exporter, make_records(**rows), "Observation")}
    panel = found[resource_id(7, 3, 2000)]
    assert [each["reference"] for each in panel["hasMember"]] == [
        f"Observation/{resource_id(7, 3, key)}" for key in (2001, 2002)
    ]
    assert {"component", "dataAbsentReason"}.isdisjoint(panel)
    assert found[resource_id(7, 3, 3002)]["derivedFrom"] == [{"reference": f"Observation/{resource_id(7, 3, 3001)}"}]


def test_occupation_and_intention(exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows) -> None:
    n = 200
    observations = lines_of(exporter, make_records(**many(make_rows, n)), "Observation")
    by_code: dict[str, list[Json]] = {}
    for each in observations:
        by_code.setdefault(each["code"]["coding"][0]["code"], []).append(each)
    occupations, wishes = by_code["11341-5"], by_code["86645-9"]
    assert 0 < len(occupations) < n / 8
    assert all("1986" <= each["effectivePeriod"]["start"] < "1998" for each in occupations)
    assert 0 < len(wishes) < n / 4
    assert all(each["encounter"] for each in wishes)
