"""Records by hand: one patient with every kind of row, and others made from it."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from fhir_export import FhirExporter
from trajsim.records.schema import arrow_schema
from trajsim.records.table import Records

Row = dict[str, Any]
MakeRecords = Callable[..., Records]

ENCOUNTER, CONDITION = 5 << 32, 5 << 32 | 1
STUDY = 499
ANSWER = {"module": "module", "state": "State"}
WALK = '[{"system":"SNOMED-CT","code":"229065009","display":"Exercise therapy"}]'


def at(text: str) -> dt.datetime:
    """An instant in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def table_of(name: str, rows: Sequence[Row]) -> pa.Table:
    """An Arrow table of rows; what a row leaves out is null."""
    schema = arrow_schema(name)
    return pa.Table.from_pydict({column: [row.get(column) for row in rows] for column in schema.names}, schema=schema)


def patient_row(patient_id: int) -> Row:
    """A patient with every optional element."""
    return {
        "patient_id": patient_id, "birth_time": at("1969-01-01T03:00:00.123"), "death_time": at("2020-05-05T12:00:00"),
        "last_time": at("2020-05-05T12:00:00"), "sex": "F", "race": "white", "ethnicity": "hispanic",
        "language": "spanish", "marital_status": "M", "prefix": "Mrs.", "given_name": 'Jo"sé\\', "middle_name": "Ana",
        "family_name": "O'Neil\tñ", "maiden_name": "Ruiz", "address_line": "1 Main Street", "city": "Boston",
        "county": "Suffolk County", "state": "Massachusetts", "postal_code": "02101", "latitude": 42.3601,
        "longitude": -71.0589, "phone": "555-555-0100", "ssn": "999-11-2222", "drivers": "S99999999",
        "passport": "X1234567X", "birth_city": "Lima",
    }  # fmt: skip


def observation_rows(base: Row) -> list[Row]:
    """Every kind of value, a panel with components, two observations of a report."""
    lab = base | {"category": "laboratory", "system": "LOINC", "code": "4548-4", "display": 'Hb "A1c"'}
    lab |= {"panel_key": 0, "report_key": 0, "is_panel": False}
    vital = lab | {"category": "vital-signs", "unit": "mm[Hg]"}
    coded = {"value_system": "SNOMED-CT", "value_code": "10828004", "value_display": "Positive (qualifier value)"}
    return [
        lab | {"row_key": 100, "numeric_value": 5.6, "unit": "%", "report_key": 200},
        lab | {"row_key": 101, "report_key": 200} | coded,
        lab | {"row_key": 102, "text_value": "free\ntext"},
        lab | {"row_key": 103, "text_value": "true"},
        lab | {"row_key": 104, "text_value": "false", "category": ""},
        lab | {"row_key": 105},
        lab | {"row_key": 107, "numeric_value": 7.0, "unit": "n/a"},
        lab | {"row_key": 108, "numeric_value": 1 / 3, "unit": "pH", "encounter_key": 0},
        vital | {"row_key": 110, "numeric_value": 120.0, "panel_key": 112, "code": "8480-6"},
        vital | {"row_key": 111, "panel_key": 112, "code": "8462-4"},
        vital | {"row_key": 112, "is_panel": True, "code": "85354-9", "unit": None},
    ]


PLAN = (
    '{"dosage":{"amount":2,"frequency":3,"period":1,"unit":"days"},"duration":{"quantity":10,"unit":"days"},'
    '"refills":4,"as_needed":true,"instructions":[{"system":"SNOMED-CT","code":"311504000","display":"With food"}]}'
)


def medication_rows(snomed: Row, known: Row, only_code: Row, stop: Row) -> list[Row]:
    """Orders: active, completed, stopped, administered."""
    drug = snomed | {"system": "RxNorm", "code": "860975", "is_chronic": True, "is_administered": False}
    return [
        drug | known | {"row_key": 300, "prescription": PLAN},
        drug | only_code | stop | {"row_key": 301},
        drug | stop | {"row_key": 302, "reason_key": 0, "stop_code": "182840001"},
        drug | {"row_key": 303, "reason_key": 0, "is_administered": True, "prescription": '{"as_needed":false}'},
    ]


def imaging_rows(base: Row) -> list[Row]:
    """Two studies, the first with two series."""
    image = base | {
        "study_key": STUDY, "procedure_system": "SNOMED-CT", "procedure_code": "399208008",
        "procedure_display": "Plain chest X-ray", "body_site_system": "SNOMED-CT", "body_site_code": "51185008",
        "body_site_display": "Thorax", "modality_code": "DX", "modality_display": "Digital Radiography",
        "sop_code": "1.2.840.10008.5.1.4.1.1.1.1", "instance_title": "Image of chest",
    }  # fmt: skip
    return [
        image | {"row_key": 500, "series_number": 1, "n_instances": 2},
        image | {"row_key": 501, "series_number": 2, "n_instances": 1},
        image | {"row_key": 502, "study_key": STUDY - 1, "series_number": 1, "n_instances": 0},
    ]


def rows_of(patient_id: int) -> dict[str, list[Row]]:
    """All tables of one patient."""
    encounter = {
        "patient_id": patient_id, "row_key": ENCOUNTER, "time": at("2010-01-02T10:00:00"),
        "stop": at("2010-01-02T11:00:00"), "encounter_class": "inpatient", "system": "SNOMED-CT", "code": "183452005",
        "display": "Emergency hospital admission", "reason_key": CONDITION, "reason_system": "SNOMED-CT",
        "reason_code": "44054006", "reason_display": "Diabetes", "discharge_system": "NUBC", "discharge_code": "1",
        "discharge_display": "Home",
    }  # fmt: skip
    base = {"patient_id": patient_id, "encounter_key": ENCOUNTER, "time": at("2010-01-02T10:05:00.250")} | ANSWER
    snomed = base | {"system": "SNOMED-CT", "code": "44054006", "display": "Wording <b>"}
    known = {"reason_key": CONDITION, "reason_system": "SNOMED-CT", "reason_code": "44054006", "reason_display": "Why"}
    only_code = known | {"reason_key": 0}
    stop = {"stop": at("2011-01-01T00:00:00")}
    more = '[{"system":"ICD10CM","code":"E11.9","display":"Type 2"}]'
    rash = '[{"system":"SNOMED-CT","code":"271807003","display":"Rash","severity":"severe"}]'
    return {
        "patients": [patient_row(patient_id)],
        "encounters": [
            encounter | ANSWER,
            encounter | ANSWER | {"row_key": ENCOUNTER + 9, "encounter_class": "wellness", "reason_key": 0,
                                  "reason_code": None, "discharge_code": None},
        ],
        "conditions": [
            snomed | {"row_key": CONDITION, "more_codes": more},
            snomed | stop | {"row_key": CONDITION + 1, "encounter_key": 0},
        ],
        "allergies": [
            snomed | {"row_key": 900, "allergy_type": "allergy", "category": "environment", "reactions": rash},
            snomed | stop | {"row_key": 901, "allergy_type": "intolerance", "category": "food"},
            snomed | {"row_key": 902, "allergy_type": "", "category": "", "reactions": "[]"},
        ],
        "medications": medication_rows(snomed, known, only_code, stop),
        "careplans": [
            snomed | known | {"row_key": 600, "activities": WALK, "goals": '[{"text":"Lower & slower"}]'},
            snomed | stop | {"row_key": 601, "activities": WALK, "reason_key": 0},
            snomed | stop | {"row_key": 602, "stop_code": "182840001", "activities": WALK, "reason_key": 0},
        ],
        "procedures": [
            snomed | known | {"row_key": 700, "stop": at("2010-01-02T10:30:00")},
            snomed | only_code | {"row_key": 701, "stop": base["time"]},
        ],
        "observations": observation_rows(base),
        "reports": [snomed | {"row_key": 200, "n_observations": 2}, snomed | {"row_key": 201, "n_observations": 0}],
        "immunizations": [
            snomed | {"row_key": 800, "system": "CVX", "code": "140", "series": 2},
            snomed | {"row_key": 801, "system": "CVX", "code": "140", "series": 0},
        ],
        "devices": [
            snomed | {"row_key": 400, "manufacturer": "ACME", "model": "Z-1"},
            snomed | stop | {"row_key": 401},
        ],
        "supplies": [snomed | {"row_key": 950, "quantity": 3.0}],
        "imaging": imaging_rows(base),
    }  # fmt: skip


def records_of(*parts: Mapping[str, Sequence[Row]]) -> Records:
    """Records of the tables of some patients, in order."""
    names = {name: None for part in parts for name in part}
    return Records({name: table_of(name, [row for part in parts for row in part.get(name, ())]) for name in names})


@pytest.fixture(name="make_records", scope="session")
def make_records_fixture() -> MakeRecords:
    """Makes Records: of patient ids, each with every kind of row, or of tables by hand."""

    def make(*patients: int, **tables: Sequence[Row]) -> Records:
        return records_of(tables) if tables else records_of(*(rows_of(patient) for patient in patients))

    return make


@pytest.fixture(name="make_rows", scope="session")
def make_rows_fixture() -> Callable[[int], dict[str, list[Row]]]:
    """Rows of one patient, to be changed."""
    return rows_of


@pytest.fixture(name="exporter", scope="session")
def exporter_fixture() -> FhirExporter:
    """One exporter, so that shapes are built once."""
    return FhirExporter(seed=7)
