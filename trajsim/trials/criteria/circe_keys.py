"""Circe's keys and what they are in the form: one table a domain."""

from collections.abc import Mapping

from trajsim.trials.criteria.form import CountColumn, CountOp, Domain, Need, RangeOp, TextOp

DOMAINS: Mapping[str, Domain] = {
    "ConditionEra": "condition_era",
    "ConditionOccurrence": "condition",
    "Death": "death",
    "DeviceExposure": "device",
    "DoseEra": "dose_era",
    "DrugEra": "drug_era",
    "DrugExposure": "drug",
    "LocationRegion": "location",
    "Measurement": "measurement",
    "Observation": "observation",
    "ObservationPeriod": "observation_period",
    "PayerPlanPeriod": "payer_period",
    "ProcedureOccurrence": "procedure",
    "Specimen": "specimen",
    "VisitDetail": "visit_detail",
    "VisitOccurrence": "visit",
}
RANGE_OPS: Mapping[str, RangeOp] = {
    "lt": "<",
    "lte": "<=",
    "eq": "==",
    "!eq": "!=",
    "gte": ">=",
    "gt": ">",
    "bt": "between",
    "!bt": "outside",
}
TEXT_OPS: Mapping[str, TextOp] = {
    "eq": "equals",
    "!eq": "not_equals",
    "contains": "contains",
    "!contains": "not_contains",
    "startsWith": "starts_with",
    "!startsWith": "not_starts_with",
    "endsWith": "ends_with",
    "!endsWith": "not_ends_with",
}
COUNT_OPS: Mapping[int, CountOp] = {0: "exactly", 1: "at_most", 2: "at_least"}
NEEDS: Mapping[str, Need] = {"ALL": "all", "ANY": "any", "AT_LEAST": "at_least", "AT_MOST": "at_most"}
COLUMNS: Mapping[str, CountColumn] = {
    "DAYS_SUPPLY": "days_supply",
    "DOMAIN_CONCEPT": "code",
    "DURATION": "length",
    "END_DATE": "end",
    "ERA_OCCURRENCES": "count",
    "GAP_DAYS": "gap_days",
    "QUANTITY": "quantity",
    "RANGE_HIGH": "range_high",
    "RANGE_LOW": "range_low",
    "REFILLS": "refills",
    "START_DATE": "start",
    "UNIT": "unit",
    "VALUE_AS_NUMBER": "value",
    "VISIT_ID": "visit",
}

# kinds: date, whole (fraction cut), number (four decimals), text, codes, set_test, set_name
_Field = tuple[str, str]
_START: dict[str, _Field] = {"OccurrenceStartDate": ("start", "date")}
_END: dict[str, _Field] = {"OccurrenceEndDate": ("end", "date")}
_PERSON: dict[str, _Field] = {
    "Age": ("age", "whole"),
    "Gender": ("sex", "codes"),
    "GenderCS": ("sex", "set_test"),
}
_SEEN: dict[str, _Field] = {
    "ProviderSpecialty": ("specialty", "codes"),
    "ProviderSpecialtyCS": ("specialty", "set_test"),
    "VisitType": ("visit_kind", "codes"),
    "VisitTypeCS": ("visit_kind", "set_test"),
}
_ERA: Mapping[str, _Field] = {
    "EraStartDate": ("start", "date"),
    "EraEndDate": ("end", "date"),
    "EraLength": ("length", "whole"),
    "AgeAtStart": ("age", "whole"),
    "AgeAtEnd": ("age_at_end", "whole"),
    "Gender": ("sex", "codes"),
    "GenderCS": ("sex", "set_test"),
}
_PERIOD: Mapping[str, _Field] = {
    "PeriodStartDate": ("start", "date"),
    "PeriodEndDate": ("end", "date"),
    "PeriodLength": ("length", "whole"),
    "AgeAtStart": ("age", "whole"),
    "AgeAtEnd": ("age_at_end", "whole"),
}


def _type(name: str) -> dict[str, _Field]:
    return {name: ("type", "codes"), f"{name}CS": ("type", "set_test")}


def _coded(name: str, test: str) -> dict[str, _Field]:
    return {name: (test, "codes"), f"{name}CS": (test, "set_test")}


FIELDS: Mapping[Domain, Mapping[str, _Field]] = {
    "condition": {
        **(_START | _END | _PERSON | _SEEN | _type("ConditionType") | _coded("ConditionStatus", "status")),
        "StopReason": ("stop_reason", "text"),
        "ConditionSourceConcept": ("source_codes", "set_name"),
    },
    "condition_era": {**_ERA, "OccurrenceCount": ("count", "whole")},
    "death": {
        **(_START | _PERSON | _type("DeathType")),
        "DeathSourceConcept": ("source_codes", "set_name"),
    },
    "device": {
        **(_START | _END | _PERSON | _SEEN | _type("DeviceType")),
        "UniqueDeviceId": ("device_id", "text"),
        "Quantity": ("quantity", "whole"),
        "DeviceSourceConcept": ("source_codes", "set_name"),
    },
    "dose_era": {**_ERA, **_coded("Unit", "unit"), "DoseValue": ("dose", "number")},
    "drug": {
        **(_START | _END | _PERSON | _SEEN | _type("DrugType") | _coded("RouteConcept", "route")),
        **_coded("DoseUnit", "dose_unit"),
        "StopReason": ("stop_reason", "text"),
        "Refills": ("refills", "whole"),
        "Quantity": ("quantity", "number"),
        "DaysSupply": ("days_supply", "whole"),
        "EffectiveDrugDose": ("dose", "number"),
        "LotNumber": ("lot", "text"),
        "DrugSourceConcept": ("source_codes", "set_name"),
    },
    "drug_era": {**_ERA, "OccurrenceCount": ("count", "whole"), "GapDays": ("gap_days", "whole")},
    "location": {"StartDate": ("start", "date"), "EndDate": ("end", "date")},
    "measurement": {
        **(_START | _PERSON | _SEEN | _type("MeasurementType") | _coded("Operator", "operator")),
        **(_coded("ValueAsConcept", "value_code") | _coded("Unit", "unit")),
        "ValueAsNumber": ("value", "number"),
        "RangeLow": ("range_low", "number"),
        "RangeHigh": ("range_high", "number"),
        "RangeLowRatio": ("value_to_low", "number"),
        "RangeHighRatio": ("value_to_high", "number"),
        "MeasurementSourceConcept": ("source_codes", "set_name"),
    },
    "observation": {
        **(_START | _PERSON | _SEEN | _type("ObservationType") | _coded("ValueAsConcept", "value_code")),
        **(_coded("Qualifier", "qualifier") | _coded("Unit", "unit")),
        "ValueAsNumber": ("value", "number"),
        "ValueAsString": ("value_text", "text"),
        "ObservationSourceConcept": ("source_codes", "set_name"),
    },
    "observation_period": {**_PERIOD, **_type("PeriodType")},
    "payer_period": {
        **_PERIOD,
        "Gender": ("sex", "codes"),
        "GenderCS": ("sex", "set_test"),
        "PayerConcept": ("codes", "set_name"),
        "PayerSourceConcept": ("source_codes", "set_name"),
        "PlanConcept": ("plan", "set_name"),
        "SponsorConcept": ("sponsor", "set_name"),
        "StopReasonConcept": ("stop_reason_codes", "set_name"),
    },
    "procedure": {
        **(_START | _END | _PERSON | _SEEN | _type("ProcedureType") | _coded("Modifier", "modifier")),
        "Quantity": ("quantity", "whole"),
        "ProcedureSourceConcept": ("source_codes", "set_name"),
    },
    "specimen": {
        **(_START | _PERSON | _type("SpecimenType") | _coded("Unit", "unit")),
        **(_coded("AnatomicSite", "body_site") | _coded("DiseaseStatus", "disease_status")),
        "Quantity": ("quantity", "number"),
        "SourceId": ("source_id", "text"),
    },
    "visit": {
        **(_START | _END | _PERSON | _coded("PlaceOfService", "place")),
        **_type("VisitType"),  # the type of the record, not the kind of visit: so the reference reads it
        "ProviderSpecialty": ("specialty", "codes"),
        "ProviderSpecialtyCS": ("specialty", "set_test"),
        "VisitLength": ("length", "whole"),
        "VisitSourceConcept": ("source_codes", "set_name"),
    },
    "visit_detail": {
        **_PERSON,
        "VisitDetailStartDate": ("start", "date"),
        "VisitDetailEndDate": ("end", "date"),
        "VisitDetailLength": ("length", "whole"),
        "VisitDetailTypeCS": ("type", "set_test"),
        "ProviderSpecialtyCS": ("specialty", "set_test"),
        "PlaceOfServiceCS": ("place", "set_test"),
        "VisitDetailSourceConcept": ("source_codes", "set_name"),
    },
}
"""By domain: Circe's key -> the test of the form and the kind of its value."""

EXCLUDING: Mapping[str, str] = {
    f"{name}Exclude": "type"
    for name in (
        *("ConditionType", "DeathType", "DeviceType", "DrugType", "MeasurementType", "ObservationType"),
        *("ProcedureType", "SpecimenType", "VisitType"),
    )
}
"""Switches that turn the list of record types round."""

UNSUPPORTED = frozenset({"PlaceOfServiceDistance", "PlaceOfServiceLocation", "GeoConcept", "RegionCodesetId"})
"""Keys of Circe that mean something and that the form cannot say."""
