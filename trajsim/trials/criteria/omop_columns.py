"""Where the OMOP Common Data Model 5.3 keeps what criteria ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trajsim.trials.criteria.form import Domain


@dataclass(frozen=True, kw_only=True)
class OmopDomain:
    """One domain: its table and the columns of that table.

    Attributes:
        table: Table name.
        record: Column of the record id.
        start: Column of the first day.
        end: Column of the last day; empty: one day after the start.
        missing_end: What a missing last day means: the next day, days supply or else the next day, or nothing.
        visit: Column of the visit.
        codes: Coded columns by the name of the test; `code` is the domain's own, `source_code` the source's.
        numbers: Columns of numbers by the name of the test.
        texts: Columns of text by the name of the test.
    """

    table: str
    record: str
    start: str
    end: str = ""
    missing_end: str = "next_day"
    visit: str = "visit_occurrence_id"
    codes: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


OMOP_DOMAINS: Mapping[Domain, OmopDomain] = {
    "condition": OmopDomain(
        table="condition_occurrence",
        record="condition_occurrence_id",
        start="condition_start_date",
        end="condition_end_date",
        codes={
            "code": "condition_concept_id",
            "source_code": "condition_source_concept_id",
            "type": "condition_type_concept_id",
            "status": "condition_status_concept_id",
        },
        texts={"stop_reason": "stop_reason"},
    ),
    "condition_era": OmopDomain(
        table="condition_era",
        record="condition_era_id",
        start="condition_era_start_date",
        end="condition_era_end_date",
        missing_end="none",
        visit="",
        codes={"code": "condition_concept_id"},
        numbers={"count": "condition_occurrence_count"},
    ),
    "death": OmopDomain(
        table="death",
        record="person_id",
        start="death_date",
        visit="",
        codes={
            "code": "cause_concept_id",
            "source_code": "cause_source_concept_id",
            "type": "death_type_concept_id",
        },
    ),
    "device": OmopDomain(
        table="device_exposure",
        record="device_exposure_id",
        start="device_exposure_start_date",
        end="device_exposure_end_date",
        codes={
            "code": "device_concept_id",
            "source_code": "device_source_concept_id",
            "type": "device_type_concept_id",
        },
        numbers={"quantity": "quantity"},
        texts={"device_id": "unique_device_id"},
    ),
    "dose_era": OmopDomain(
        table="dose_era",
        record="dose_era_id",
        start="dose_era_start_date",
        end="dose_era_end_date",
        missing_end="none",
        visit="",
        codes={"code": "drug_concept_id", "unit": "unit_concept_id"},
        numbers={"dose": "dose_value", "value": "dose_value"},
    ),
    "drug": OmopDomain(
        table="drug_exposure",
        record="drug_exposure_id",
        start="drug_exposure_start_date",
        end="drug_exposure_end_date",
        missing_end="days_supply",
        codes={
            "code": "drug_concept_id",
            "source_code": "drug_source_concept_id",
            "type": "drug_type_concept_id",
            "route": "route_concept_id",
        },
        numbers={"quantity": "quantity", "days_supply": "days_supply", "refills": "refills"},
        texts={"stop_reason": "stop_reason", "lot": "lot_number"},
    ),
    "drug_era": OmopDomain(
        table="drug_era",
        record="drug_era_id",
        start="drug_era_start_date",
        end="drug_era_end_date",
        missing_end="none",
        visit="",
        codes={"code": "drug_concept_id"},
        numbers={"count": "drug_exposure_count", "gap_days": "gap_days"},
    ),
    "measurement": OmopDomain(
        table="measurement",
        record="measurement_id",
        start="measurement_date",
        codes={
            "code": "measurement_concept_id",
            "source_code": "measurement_source_concept_id",
            "type": "measurement_type_concept_id",
            "operator": "operator_concept_id",
            "value_code": "value_as_concept_id",
            "unit": "unit_concept_id",
        },
        numbers={"value": "value_as_number", "range_low": "range_low", "range_high": "range_high"},
    ),
    "observation": OmopDomain(
        table="observation",
        record="observation_id",
        start="observation_date",
        codes={
            "code": "observation_concept_id",
            "source_code": "observation_source_concept_id",
            "type": "observation_type_concept_id",
            "value_code": "value_as_concept_id",
            "qualifier": "qualifier_concept_id",
            "unit": "unit_concept_id",
        },
        numbers={"value": "value_as_number"},
        texts={"value_text": "value_as_string"},
    ),
    "observation_period": OmopDomain(
        table="observation_period",
        record="observation_period_id",
        start="observation_period_start_date",
        end="observation_period_end_date",
        missing_end="none",
        visit="",
        codes={"code": "period_type_concept_id", "type": "period_type_concept_id"},
    ),
    "payer_period": OmopDomain(
        table="payer_plan_period",
        record="payer_plan_period_id",
        start="payer_plan_period_start_date",
        end="payer_plan_period_end_date",
        missing_end="none",
        visit="",
        codes={
            "code": "payer_concept_id",
            "source_code": "payer_source_concept_id",
            "plan": "plan_concept_id",
            "sponsor": "sponsor_concept_id",
            "stop_reason_codes": "stop_reason_concept_id",
        },
    ),
    "procedure": OmopDomain(
        table="procedure_occurrence",
        record="procedure_occurrence_id",
        start="procedure_date",
        codes={
            "code": "procedure_concept_id",
            "source_code": "procedure_source_concept_id",
            "type": "procedure_type_concept_id",
            "modifier": "modifier_concept_id",
        },
        numbers={"quantity": "quantity"},
    ),
    "specimen": OmopDomain(
        table="specimen",
        record="specimen_id",
        start="specimen_date",
        visit="",
        codes={
            "code": "specimen_concept_id",
            "type": "specimen_type_concept_id",
            "unit": "unit_concept_id",
            "body_site": "anatomic_site_concept_id",
            "disease_status": "disease_status_concept_id",
        },
        numbers={"quantity": "quantity"},
        texts={"source_id": "specimen_source_id"},
    ),
    "visit": OmopDomain(
        table="visit_occurrence",
        record="visit_occurrence_id",
        start="visit_start_date",
        end="visit_end_date",
        missing_end="none",
        codes={
            "code": "visit_concept_id",
            "source_code": "visit_source_concept_id",
            "type": "visit_type_concept_id",
        },
    ),
    "visit_detail": OmopDomain(
        table="visit_detail",
        record="visit_detail_id",
        start="visit_detail_start_date",
        end="visit_detail_end_date",
        missing_end="none",
        codes={
            "code": "visit_detail_concept_id",
            "source_code": "visit_detail_source_concept_id",
            "type": "visit_detail_type_concept_id",
        },
    ),
}
"""By domain. There is no `location` and no dose of a drug exposure: CDM 5.3 has no columns for what criteria ask."""
