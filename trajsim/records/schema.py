"""Every table and column of Records: name, type, nullability, meaning. Nobody else spells a column.

Times are microseconds since 1970-01-01 UTC. `patient_id` joins all tables; `row_key` is unique within a patient (over
all tables together) and never changes when an unrelated module is added: stream number << 32 | ordinal.
`encounter_key`, `reason_key`, ... hold the `row_key` of another row of the same patient, 0 for none. `module` and
`state` name what wrote the row (the answer key). Text columns are dictionary-encoded: few distinct values, many rows.

Rows of a table are contiguous by patient, in the order in which they were written within a patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")
KEY = pa.uint64()


@dataclass(frozen=True)
class Column:
    """One column: Arrow type, whether it may be null, what it means."""

    type: pa.DataType
    nullable: bool
    about: str


def _required(arrow_type: pa.DataType, about: str) -> Column:
    return Column(arrow_type, nullable=False, about=about)


def _optional(arrow_type: pa.DataType, about: str) -> Column:
    return Column(arrow_type, nullable=True, about=about)


_PATIENT = {"patient_id": _required(KEY, "the patient")}
_ROW = _PATIENT | {"row_key": _required(KEY, "this row, unique within the patient")}
_ENCOUNTER = {"encounter_key": _required(KEY, "row_key of the encounter it is attached to; 0: none")}
_TIME = {"time": _required(TIME, "when it began or happened")}
_STOP = {"stop": _optional(TIME, "when it ended; null: still open")}
_ANSWER = {
    "module": _required(TEXT, "file key of the module (or process) whose state wrote the row"),
    "state": _required(TEXT, "name of that state"),
}
_CODE = {
    "system": _required(TEXT, "code system, in GMF's spelling (SNOMED-CT, LOINC, RxNorm, CVX ...)"),
    "code": _required(TEXT, "first code"),
    "display": _required(TEXT, "wording of the first code"),
    "more_codes": _optional(TEXT, "further codes as a JSON list of {system, code, display}; null: none"),
}
_MONEY = {
    "billed_cents": _required(pa.int64(), "price in US cents: what the payer covers and what the patient pays"),
    "covered_cents": _required(pa.int64(), "of that, what the payer covers; 0 where nobody insures the patient"),
    "out_of_pocket_cents": _required(pa.int64(), "of that, what the patient pays"),
    "deductible_cents": _required(pa.int64(), "of what the patient pays, what counts towards the plan's deductible"),
}
_REASON = {
    "reason_key": _required(KEY, "row_key of the entry that is the reason; 0: none or only a code"),
    "reason_system": _optional(TEXT, "code system of the reason"),
    "reason_code": _optional(TEXT, "code of the reason"),
    "reason_display": _optional(TEXT, "wording of the reason"),
}

TABLES: Mapping[str, Mapping[str, Column]] = {
    "patients": _PATIENT
    | {
        "birth_time": _required(TIME, "instant of birth"),
        "death_time": _optional(TIME, "instant of death; null: alive at the end"),
        "last_time": _required(TIME, "end of observation: death, or the end of the run"),
        "sex": _required(TEXT, "F or M"),
        "race": _required(TEXT, "white, black, asian, native, hawaiian, other"),
        "ethnicity": _required(TEXT, "hispanic, nonhispanic"),
        "language": _optional(TEXT, "first language, English name in lower case"),
        "marital_status": _optional(TEXT, "M, S, D, W; null: unknown"),
        "prefix": _optional(pa.string(), "Mr., Mrs., Ms."),
        "given_name": _optional(pa.string(), "first name"),
        "middle_name": _optional(pa.string(), "middle name"),
        "family_name": _optional(pa.string(), "family name"),
        "maiden_name": _optional(pa.string(), "family name at birth where it differs"),
        "address_line": _optional(pa.string(), "street and number"),
        "city": _optional(TEXT, "city"),
        "county": _optional(TEXT, "county"),
        "state": _optional(TEXT, "US state, full name"),
        "postal_code": _optional(TEXT, "five digits"),
        "latitude": _optional(pa.float64(), "degrees north"),
        "longitude": _optional(pa.float64(), "degrees east"),
        "phone": _optional(pa.string(), "home phone"),
        "ssn": _optional(pa.string(), "social security number, 9xx-xx-xxxx (never assigned)"),
        "drivers": _optional(pa.string(), "driver's licence; null: none"),
        "passport": _optional(pa.string(), "passport; null: none"),
        "birth_city": _optional(TEXT, "place of birth"),
        "income": _optional(pa.int64(), "USD a year"),
        "source_id": _optional(pa.string(), "the patient's id in the data they were read from; null: simulated"),
    },
    "encounters": _ROW
    | _TIME
    | {"stop": _required(TIME, "when it ended")}
    | {
        "encounter_class": _required(TEXT, "ambulatory, emergency, inpatient, wellness, virtual ..."),
    }
    | _CODE
    | _REASON
    | {
        "discharge_system": _optional(TEXT, "code system of the discharge disposition"),
        "discharge_code": _optional(TEXT, "discharge disposition"),
        "discharge_display": _optional(TEXT, "wording of the discharge disposition"),
    }
    | _ANSWER,
    "conditions": _ROW | _ENCOUNTER | _TIME | _STOP | _CODE | _ANSWER,
    "allergies": _ROW
    | _ENCOUNTER
    | _TIME
    | _STOP
    | _CODE
    | {
        "allergy_type": _required(TEXT, "allergy or intolerance"),
        "category": _required(TEXT, "environment, food, medication, biologic; empty: unknown"),
        "reactions": _optional(TEXT, "JSON list of {system, code, display, severity}; severity mild, moderate, severe"),
    }
    | _ANSWER,
    "medications": _ROW
    | _ENCOUNTER
    | _TIME
    | _STOP
    | _CODE
    | _REASON
    | {
        "is_chronic": _required(pa.bool_(), "renewed at wellness visits"),
        "is_administered": _required(pa.bool_(), "given on the spot"),
        "prescription": _optional(TEXT, "the module's prescription as compact JSON; null: none"),
        "stop_code": _optional(TEXT, "SNOMED-CT code of why it was stopped"),
    }
    | _ANSWER,
    "careplans": _ROW
    | _ENCOUNTER
    | _TIME
    | _STOP
    | _CODE
    | _REASON
    | {
        "activities": _optional(TEXT, "JSON list of {system, code, display}"),
        "goals": _optional(TEXT, "JSON list as the module has it"),
        "stop_code": _optional(TEXT, "SNOMED-CT code of why it was stopped"),
    }
    | _ANSWER,
    "procedures": _ROW | _ENCOUNTER | _TIME | {"stop": _required(TIME, "when it ended")} | _CODE | _REASON | _ANSWER,
    "observations": _ROW
    | _ENCOUNTER
    | _TIME
    | {"category": _required(TEXT, "vital-signs, laboratory, survey, exam, imaging, procedure, social-history ...")}
    | _CODE
    | {
        "numeric_value": _optional(pa.float64(), "value, if it is a number"),
        "text_value": _optional(TEXT, "value, if it is text; true or false for a boolean"),
        "value_system": _optional(TEXT, "code system of a coded value"),
        "value_code": _optional(TEXT, "code of a coded value"),
        "value_display": _optional(TEXT, "wording of a coded value"),
        "unit": _optional(TEXT, "UCUM unit"),
        "panel_key": _required(KEY, "row_key of the panel whose component this is; 0: none"),
        "report_key": _required(KEY, "row_key of the report that lists it; 0: none"),
        "is_panel": _required(pa.bool_(), "has components and no value of its own"),
    }
    | _ANSWER,
    "reports": _ROW
    | _ENCOUNTER
    | _TIME
    | _CODE
    | {"n_observations": _required(pa.int32(), "observations that it lists")}
    | _ANSWER,
    "immunizations": _ROW
    | _ENCOUNTER
    | _TIME
    | _CODE
    | {"series": _required(pa.int16(), "number of the dose")}
    | _ANSWER,
    "devices": _ROW
    | _ENCOUNTER
    | _TIME
    | _STOP
    | _CODE
    | {
        "manufacturer": _optional(TEXT, "manufacturer"),
        "model": _optional(TEXT, "model"),
    }
    | _ANSWER,
    "supplies": _ROW | _ENCOUNTER | _TIME | _CODE | {"quantity": _required(pa.float64(), "how many")} | _ANSWER,
    "imaging": _ROW
    | _ENCOUNTER
    | _TIME
    | {
        "study_key": _required(KEY, "row_key of the study; one row is one series of it"),
        "series_number": _required(pa.int16(), "from 1"),
        "procedure_system": _required(TEXT, "code system of the procedure"),
        "procedure_code": _required(TEXT, "procedure of the study"),
        "procedure_display": _required(TEXT, "wording of the procedure"),
        "body_site_system": _required(TEXT, "code system of the body site"),
        "body_site_code": _required(TEXT, "body site"),
        "body_site_display": _required(TEXT, "wording of the body site"),
        "modality_code": _required(TEXT, "DICOM modality"),
        "modality_display": _required(TEXT, "wording of the modality"),
        "n_instances": _required(pa.int32(), "images in the series"),
        "instance_title": _optional(TEXT, "title of the images"),
        "sop_code": _optional(TEXT, "DICOM SOP class"),
        "sop_display": _optional(TEXT, "wording of the SOP class"),
    }
    | _ANSWER,
    "coverages": _ROW
    | {
        "time": _required(TIME, "when it began"),
        "stop": _optional(TIME, "when it ended: the next one's beginning, or the death; null: in force at the end"),
        "payer": _optional(TEXT, "who pays; null: nobody, the patient is not insured"),
        "plan": _optional(TEXT, "name of the plan; null: unknown, or not insured"),
        "kind": _required(TEXT, "none, medicare, medicaid, dual, aca, private; of real data also other"),
    }
    | _ANSWER,
    "claims": _ROW
    | _ENCOUNTER
    | {
        "medication_key": _required(KEY, "row_key of the prescription that was dispensed; 0: the encounter is billed"),
        "coverage_key": _required(KEY, "row_key of the coverage in force when the service began; 0: none there"),
    }
    | _TIME
    | {
        "stop": _required(TIME, "when the service ended; of a dispense, when it began"),
        "claim_type": _required(TEXT, "professional, institutional, pharmacy"),
        "payer": _optional(TEXT, "who pays; null: nobody"),
        "plan": _optional(TEXT, "name of the plan; null: unknown, or nobody pays"),
    }
    | _MONEY,
    "claim_lines": _ROW
    | {
        "claim_key": _required(KEY, "row_key of the claim"),
        "item_table": _required(TEXT, "table of the row that is billed: encounters, procedures, medications ..."),
        "item_key": _required(KEY, "row_key of that row; 0: it is not there"),
    }
    | _TIME
    | {name: _CODE[name] for name in ("system", "code", "display")}
    | {
        "quantity": _required(pa.float64(), "days of a stay, months of a prescription, pieces of a supply; else 1"),
        "unit_price_cents": _required(pa.int64(), "price of one, US cents"),
    }
    | _MONEY,
    "deaths": _PATIENT
    | _TIME
    | {
        "cause_key": _required(KEY, "row_key of the entry that is the cause; 0: none or only a code"),
        "cause_system": _optional(TEXT, "code system of the cause"),
        "cause_code": _optional(TEXT, "cause; null: background mortality, or none given"),
        "cause_display": _optional(TEXT, "wording of the cause"),
    }
    | _ANSWER,
}

EVENT_TABLES = tuple(name for name in TABLES if name not in {"patients", "deaths"})


def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of one table; descriptions ride along as field metadata."""
    return pa.schema(
        [
            pa.field(name, column.type, nullable=column.nullable, metadata={"about": column.about})
            for name, column in TABLES[table].items()
        ]
    )
