"""Criteria on OMOP tables: concepts and what stands below them, columns of a domain, and what a table lacks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trajsim.errors import SchemaError
from trajsim.trials.criteria import OmopSource, Reading, evaluate, import_circe
from trajsim.trials.criteria.form import CodeSet, Coding
from trajsim.trials.criteria.omop_columns import OMOP_DOMAINS

Tables = Mapping[str, pd.DataFrame]


def _tables(**tables: Sequence[Mapping[str, Any]]) -> Tables:
    people = [
        {"person_id": n, "gender_concept_id": gender, "year_of_birth": 1970} for n, gender in ((1, 8507), (2, 8532))
    ]
    periods = [
        {"observation_period_id": n, "person_id": n, "observation_period_start_date": "2019-01-01",
         "observation_period_end_date": "2021-12-31"} for n in (1, 2, 3)
    ]  # fmt: skip
    concepts = [
        {"concept_id": 100, "vocabulary_id": "SNOMED", "concept_code": "1", "invalid_reason": None},
        {"concept_id": 101, "vocabulary_id": "SNOMED", "concept_code": "2", "invalid_reason": None},
        {"concept_id": 102, "vocabulary_id": "SNOMED", "concept_code": "3", "invalid_reason": "D"},
        {"concept_id": 200, "vocabulary_id": "ICD10CM", "concept_code": "E11", "invalid_reason": None},
    ]
    below = [{"ancestor_concept_id": 100, "descendant_concept_id": n} for n in (100, 101, 102)]
    maps = [
        {"concept_id_1": 200, "concept_id_2": 101, "relationship_id": "Maps to", "invalid_reason": None},
        {"concept_id_1": 102, "concept_id_2": 101, "relationship_id": "Maps to", "invalid_reason": "D"},
        {"concept_id_1": 300, "concept_id_2": 101, "relationship_id": "Is a", "invalid_reason": None},
    ]
    whole: dict[str, Any] = {
        "person": people,
        "observation_period": periods,
        "concept": concepts,
        "concept_ancestor": below,
        "concept_relationship": maps,
        **tables,
    }
    return {name: pd.DataFrame(rows) for name, rows in whole.items()}


def _keys(*codes: Coding, without: Sequence[str] = ()) -> list[int]:
    tables = {name: frame for name, frame in _tables().items() if name not in without}
    found: list[int] = OmopSource(tables).keys_of_set(CodeSet(name="s", codes=codes)).tolist()
    return found


def test_concepts_of_a_set() -> None:
    one = Coding(system="SNOMED-CT", code="1")
    below = Coding(system="SNOMED-CT", code="1", descendants=True)
    assert _keys(one) == [100]
    assert _keys(below) == [100, 101]  # the retired one is not reached
    assert _keys(Coding(system="", code="", concept_id=102)) == [102]
    assert _keys(below, Coding(system="SNOMED", code="2", excluded=True)) == [100]
    assert _keys(Coding(system="SCT", code="1", descendants=True, mapped=True)) == [100, 101, 200]
    assert _keys(Coding(system="LOINC", code="1")) == []
    assert _keys(below, without=["concept"]) == []
    assert _keys(Coding(system="SCT", code="2", mapped=True), without=["concept_relationship"]) == [101]


def _condition(number: int, person: int, day: str, **more: object) -> dict[str, Any]:
    return {"condition_occurrence_id": number, "person_id": person, "condition_concept_id": 100,
            "condition_start_date": day, **more}  # fmt: skip


def _evaluated(kind: str, item: Mapping[str, Any], tables: Tables, reading: Reading = Reading.CIRCE) -> list[int]:
    """Persons whose events of a kind pass the tests of an entry criterion."""
    expression = {
        "ConceptSets": [{"id": 0, "name": "s", "expression": {"items": [{"concept": {"CONCEPT_ID": 100}}]}}],
        "PrimaryCriteria": {
            "CriteriaList": [{kind: item}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
    }
    definition = import_circe(json.dumps(expression).encode(), reading=reading)
    found = evaluate(definition, OmopSource(tables), reading=reading)
    return [int(each) for each in found.patient_ids[found.patient]]


def test_events_of_a_table_with_their_columns() -> None:
    tables = _tables(
        condition_occurrence=[
            _condition(1, 1, "2020-01-01", condition_end_date="2020-01-11", visit_occurrence_id=7, provider_id=5,
                       condition_type_concept_id=11, stop_reason="better"),
            _condition(2, 2, "2020-01-01", condition_end_date=None, visit_occurrence_id=7, provider_id=None,
                       condition_type_concept_id=12, stop_reason=None),
            _condition(3, 3, "2018-01-01"),
        ],
        visit_occurrence=[{"visit_occurrence_id": 7, "person_id": 1, "visit_concept_id": 9201, "care_site_id": 3,
                           "visit_start_date": "2020-01-01", "visit_end_date": "2020-01-04"}],
        provider=[{"provider_id": 5, "specialty_concept_id": 38}],
        care_site=[{"care_site_id": 3, "place_of_service_concept_id": 8756}],
    )  # fmt: skip

    def concept(number: int) -> list[dict[str, int]]:
        return [{"CONCEPT_ID": number}]

    condition = "ConditionOccurrence"
    for kind, item, persons in (
        (condition, {"CodesetId": 0}, [1, 2]),  # the third lies outside its observation period
        (condition, {"OccurrenceEndDate": {"Op": "gt", "Value": "2020-01-02"}}, [1]),
        (condition, {"StopReason": {"Op": "contains", "Text": "ett"}}, [1]),
        (condition, {"ConditionType": concept(12)}, [2]),
        (condition, {"ConditionType": concept(12), "ConditionTypeExclude": True}, [1]),
        (condition, {"VisitType": concept(9201)}, [1]),  # the visit is not the second person's
        (condition, {"ProviderSpecialty": concept(38)}, [1]),
        (condition, {"Gender": concept(8532)}, [2]),
        (condition, {"Age": {"Op": "eq", "Value": 50}}, [1, 2]),
        (condition, {"ConditionStatus": concept(1)}, []),  # the column is not there
        ("VisitOccurrence", {"PlaceOfService": concept(8756), "VisitLength": {"Op": "eq", "Value": 3}}, [1]),
        ("ObservationPeriod", {"AgeAtEnd": {"Op": "eq", "Value": 51}}, [1, 2]),
        ("Death", {}, []),
    ):
        assert _evaluated(kind, item, tables) == persons, item
    assert _evaluated(condition, {"Gender": concept(8532)}, tables, Reading.SCREENING) == [2]


def test_the_end_of_an_exposure() -> None:
    def exposure(number: int, **more: object) -> dict[str, Any]:
        return {"drug_exposure_id": number, "person_id": 1, "drug_concept_id": 100,
                "drug_exposure_start_date": "2020-01-01", **more}  # fmt: skip

    rows = [exposure(1, days_supply=30), exposure(2, drug_exposure_end_date="2020-02-10"), exposure(3)]
    table = OmopSource(_tables(drug_exposure=rows)).events("drug", None)
    assert (table.end - table.start).tolist() == [30, 40, 1]
    assert table.column("quantity").tolist() == pytest.approx([np.nan] * 3, nan_ok=True)
    assert table.column("lot").tolist() == [None] * 3
    assert _evaluated("DrugExposure", {"DaysSupply": {"Op": "gte", "Value": 30}}, _tables(drug_exposure=rows)) == [1]


def test_abnormal_results_and_ratios() -> None:
    def measurement(number: int, value: float | None, coded: int | None = None) -> dict[str, Any]:
        return {"measurement_id": number, "person_id": 1, "measurement_concept_id": 100,
                "measurement_date": f"2020-01-0{number}", "value_as_number": value, "range_low": 2.0, "range_high": 4.0,
                "value_as_concept_id": coded}  # fmt: skip

    rows = [
        measurement(1, 1.0),
        measurement(2, 3.0),
        measurement(3, 5.0),
        measurement(4, None, 4155143),
        measurement(5, None),
    ]
    tables = _tables(measurement=rows)
    abnormal = {"Abnormal": True}
    assert _evaluated("Measurement", abnormal, tables, Reading.SCREENING) == [1, 1, 1]  # an unknown one is no entry
    assert _evaluated("Measurement", {"RangeHighRatio": {"Op": "gt", "Value": 1}}, tables) == [1]
    assert _evaluated("Measurement", {"RangeLowRatio": {"Op": "lt", "Value": 1.5}}, tables) == [1]
    assert _evaluated("Measurement", {"ValueAsNumber": {"Op": "!bt", "Value": 3, "Extent": 4}}, tables) == [1, 1]


def test_persons_without_a_row_are_known_to_nothing() -> None:
    source = OmopSource(_tables(condition_occurrence=[_condition(1, 3, "2020-01-01")]))
    assert source.people.ids.tolist() == [1, 2, 3]
    assert source.people.is_known.tolist() == [True, True, False]
    assert np.isnan(source.people.birth_year[2])
    assert len(source.events("condition", np.array([100]), persons=np.array([True, True, False]))) == 0


def test_what_a_table_lacks() -> None:
    with pytest.raises(SchemaError, match="'person_id'; table 'death' lacks the column 'death_date'"):
        OmopSource({"death": pd.DataFrame({"cause_concept_id": [1]})})
    source = OmopSource({})
    assert not any(source.lacks(domain, "start") for domain in OMOP_DOMAINS)
    assert source.lacks("location", "")
    assert source.lacks("drug", "dose")
    assert not source.lacks("dose_era", "dose")
    assert len(source.periods.person) == 0
