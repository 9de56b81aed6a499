"""Which profile an observation claims, and how its value lies in the reference range."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter
from fhir_export.observation_profiles import NAMES, profile_of
from fhir_export.reference_ranges import (
    FEMALE,
    MALE,
    RANGES,
    RANGES_BY_SEX,
    men_reference_range,
    range_of,
    women_reference_range,
)
from trajsim.codes.check_digits import is_valid_loinc
from trajsim.records.table import Records

MakeRecords = Callable[..., Records]
MakeRows = Callable[[int], dict[str, list[dict[str, Any]]]]

OTHER = '[{"system":"LOINC","code":"59408-5","display":"Oxygen saturation by pulse oximetry"}]'


@pytest.mark.parametrize(
    ("category", "code", "more", "unit", "is_coded", "name"),
    [
        ("vital-signs", "8302-2", None, "cm", False, "us-core-body-height"),
        ("vital-signs", "8302-2", None, "m", False, ""),
        ("vital-signs", "2708-6", OTHER, "%", False, "us-core-pulse-oximetry"),
        ("vital-signs", "2708-6", None, "%", False, ""),
        ("vital-signs", "85354-9", None, None, False, "us-core-blood-pressure"),
        ("laboratory", "4548-4", None, "%", False, "us-core-observation-lab"),
        ("survey", "55758-7", None, "{score}", False, "us-core-observation-screening-assessment"),
        ("social-history", "72166-2", None, None, True, "us-core-smokingstatus"),
        ("social-history", "72166-2", None, None, False, ""),
        ("social-history", "76690-7", None, None, True, "us-core-observation-sexual-orientation"),
        ("social-history", "76437-3", None, None, True, "us-core-simple-observation"),
        ("therapy", "1-8", None, None, False, ""),
        (None, "1-8", None, None, False, ""),
    ],
)
def test_profile(
    *, category: str | None, code: str, more: str | None, unit: str | None, is_coded: bool, name: str
) -> None:
    number = profile_of(category=category, system="LOINC", code=code, more_codes=more, unit=unit, is_coded=is_coded)
    assert NAMES[number] == name


def test_reference_ranges_are_of_codes_that_exist() -> None:
    units = {code: unit for code, (_, _, unit) in RANGES.items()}
    units |= {code: unit for code, (_, _, unit) in RANGES_BY_SEX.items()}
    assert len(units) == len(RANGES) + len(RANGES_BY_SEX)
    for code, unit in units.items():
        assert is_valid_loinc(code), code
        for sex, make in ((FEMALE, women_reference_range), (MALE, men_reference_range)):
            low, high = range_of("LOINC", code, unit, sex) or (None, None)
            assert (low, high) != (None, None)
            assert low is None or high is None or low < high
            assert orjson.loads(make("LOINC", code, unit))
    assert range_of("LOINC", "2339-0", "mmol/L", FEMALE) is None
    assert range_of("SNOMED-CT", "2339-0", "mg/dL", FEMALE) is None
    assert range_of("LOINC", "2276-4", "ug/L", FEMALE) == (12, 150)


@pytest.mark.no_jit
def test_ranges_differ_by_sex_and_hold_for_adults(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = make_rows(1)
    patient = rows["patients"][0]
    patients = [patient, patient | {"patient_id": 2, "sex": "M"}]
    base = rows["observations"][0] | {"encounter_key": 0, "report_key": 0, "numeric_value": 13.0, "unit": "g/dL"}
    child = base["time"].replace(year=1980)
    made = [
        base | values
        for number in (1, 2)
        for values in (
            {"patient_id": number, "row_key": 1, "code": "718-7"},
            {"patient_id": number, "row_key": 2, "code": "718-7", "time": child},
            {"patient_id": number, "row_key": 3, "code": "2339-0", "unit": "mg/dL", "time": child},
        )
    ]
    lines = exporter.ndjson_bytes(make_records(patients=patients, observations=made))["Observation"]
    found = [orjson.loads(line) for line in lines.splitlines()]
    found = [each for each in found if each["code"]["coding"][0]["code"] in {"718-7", "2339-0"}]
    said = [[part["coding"][0]["code"] for part in each.get("interpretation", [])] for each in found]
    assert said == [["N"], [], ["L"], ["L"], [], ["L"]]
    assert found[0]["referenceRange"][0]["appliesTo"] == [{"text": "Women"}]


@pytest.mark.no_jit
def test_interpretation_follows_from_the_range(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = make_rows(1)
    glucose = rows["observations"][0] | {"code": "2339-0", "unit": "mg/dL", "encounter_key": 0, "report_key": 0}
    values = {1: 69.9, 2: 70.0, 3: 99.0, 4: 99.1}
    made = [glucose | {"row_key": key, "numeric_value": value} for key, value in values.items()]
    lines = exporter.ndjson_bytes(make_records(patients=rows["patients"], observations=made))["Observation"]
    found = [orjson.loads(line) for line in lines.splitlines()]
    assert [each["interpretation"][0]["coding"][0]["code"] for each in found] == ["L", "N", "N", "H"]
    for each in found:
        (limits,) = each["referenceRange"]
        assert (limits["low"]["value"], limits["high"]["value"], limits["low"]["code"]) == (70, 99, "mg/dL")


@pytest.mark.no_jit
def test_a_blood_pressure_claims_its_profile_with_both_parts_alone(
    exporter: FhirExporter, make_records: MakeRecords, make_rows: MakeRows
) -> None:
    rows = make_rows(1)
    panel = {
        row["row_key"]: row | {"encounter_key": 0, "report_key": 0}
        for row in rows["observations"]
        if row["row_key"] >= 110
    }
    for parts, n_profiles in (((110, 111, 112), 1), ((110, 112), 0)):
        made = [panel[key] for key in parts]
        lines = exporter.ndjson_bytes(make_records(patients=rows["patients"], observations=made))["Observation"]
        (found,) = [orjson.loads(line) for line in lines.splitlines()]
        assert len(found["meta"].get("profile", [])) == n_profiles
