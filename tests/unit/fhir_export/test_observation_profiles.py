"""Which profile an observation claims, and how its value lies in the reference range."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from fhir_export import FhirExporter
from fhir_export.observation_profiles import NAMES, profile_of
from fhir_export.reference_ranges import RANGES, range_of, reference_range
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
    for code, (low, high, unit) in RANGES.items():
        assert is_valid_loinc(code), code
        assert low is None or high is None or low < high
        assert orjson.loads(reference_range("LOINC", code, unit))
    assert range_of("LOINC", "2339-0", "mmol/L") is None
    assert range_of("SNOMED-CT", "2339-0", "mg/dL") is None


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
