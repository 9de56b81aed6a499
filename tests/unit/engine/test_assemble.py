"""Logs written by hand, a few events each, and the rows that they become."""

import json
from typing import Any

import numpy as np
import pytest

from tests.unit.engine.assembly_logs import END_MS, MODULE, Log, clinic_catalogue, people
from trajsim.engine.assemble import Assembler, Assembly
from trajsim.engine.assemble_sources import Dictionary
from trajsim.engine.events import (
    EVENT_DTYPE,
    SOURCE_BACKGROUND,
    SOURCE_INSURANCE,
    SOURCE_WELLNESS_ADULT,
    STREAM_ENCOUNTERS,
    STREAM_INSURANCE,
    STREAM_MORTALITY,
    EncounterClass,
    EventKind,
    ValueKind,
)
from trajsim.engine.kernels.assembly import DETAIL_DTYPE
from trajsim.errors import ConfigError
from trajsim.lifecycle.tables import insurance_plans
from trajsim.population.cohort import Cohort
from trajsim.records.invariants import check_records
from trajsim.records.schema import TABLES
from trajsim.units import DAY_MS, HOUR_MS, MINUTE_MS

CATALOGUE = clinic_catalogue()
ASSEMBLER = Assembler(CATALOGUE)
pytestmark = pytest.mark.no_jit
DAY = DAY_MS
K = EventKind


def assembled(log: Log) -> Assembly:
    events = log.events()
    made = ASSEMBLER.assemble(events, np.array([0, len(events)]), people(1), end_ms=END_MS)
    assert check_records(made.records) == []
    return made


def rows(log: Log, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = assembled(log).records[table].to_pylist()
    return found


def ms(row: dict[str, Any], column: str) -> int | None:
    return None if row[column] is None else round(row[column].timestamp() * 1000)


def new_log() -> Log:
    return Log(CATALOGUE)


def visited(day: int = 1) -> tuple[Log, int]:
    """A log with one encounter."""
    log = new_log()
    return log, log.add(K.ENCOUNTER, "Visit", day * DAY, encounter=0)


@pytest.mark.parametrize("kind", EncounterClass)
def test_an_encounter_that_is_never_ended_keeps_its_default_length(kind: EncounterClass) -> None:
    log = new_log()
    log.add(K.ENCOUNTER, "Visit", DAY, tag=kind)
    minutes = {"emergency": 60, "inpatient": 1440, "hospice": 1440, "snf": 1440}.get(kind.name.lower(), 15)
    (row,) = rows(log, "encounters")
    assert row["encounter_class"] == kind.name.lower()
    assert ms(row, "stop") == DAY + minutes * MINUTE_MS


def test_an_encounter_names_code_module_and_state() -> None:
    log = new_log()
    log.add(K.ENCOUNTER, "Visit two codes", DAY)
    (row,) = rows(log, "encounters")
    assert (row["patient_id"], row["system"], row["code"], row["display"]) == (5, "SNOMED-CT", "11", "thing 11")
    assert json.loads(row["more_codes"]) == [{"system": "SNOMED-CT", "code": "12", "display": "thing 12"}]
    assert (row["module"], row["state"]) == (MODULE, "Visit two codes")
    assert row["row_key"] == CATALOGUE.stream_ids[2] << 32
    assert row["reason_key"] == 0
    assert row["reason_code"] is None
    assert row["discharge_code"] is None


def test_a_wellness_visit_of_the_engine_is_a_row_of_its_own_stream() -> None:
    log = new_log()
    log.module = STREAM_ENCOUNTERS
    log.add_source(K.ENCOUNTER, SOURCE_WELLNESS_ADULT, DAY, tag=EncounterClass.WELLNESS)
    (row,) = rows(log, "encounters")
    assert (row["encounter_class"], row["code"], row["module"]) == ("wellness", "162673000", "@encounters")
    assert row["row_key"] == CATALOGUE.stream_ids[0] << 32


def test_the_end_of_an_encounter_sets_stop_and_discharge() -> None:
    log, at = visited()
    log.add(K.ENCOUNTER_END, "Leave home", DAY + HOUR_MS, ref=at)
    (row,) = rows(log, "encounters")
    assert ms(row, "stop") == DAY + HOUR_MS
    assert (row["discharge_system"], row["discharge_code"], row["discharge_display"]) == ("NUBC", "01", "Home")


def test_an_encounter_lasts_as_long_as_the_procedures_that_it_had_when_it_ended() -> None:
    log, at = visited()
    log.add(K.PROCEDURE, "Operation", DAY, encounter=at, value=3 * HOUR_MS)
    log.add(K.PROCEDURE, "Operation", DAY, encounter=at, value=2 * HOUR_MS)
    log.add(K.PROCEDURE, "Operation", DAY, value=12 * HOUR_MS)
    log.add(K.ENCOUNTER_END, "Leave", DAY + HOUR_MS, ref=at)
    log.add(K.PROCEDURE, "Operation", DAY, encounter=at, value=9 * HOUR_MS)
    (row,) = rows(log, "encounters")
    assert ms(row, "stop") == DAY + 3 * HOUR_MS


def test_a_procedure_that_an_end_cut_short_no_longer_extends_its_encounter() -> None:
    log, at = visited()
    operation = log.add(K.PROCEDURE, "Operation", DAY, encounter=at, value=9 * HOUR_MS)
    log.add(K.PROCEDURE, "Operation", DAY, encounter=at, value=2 * HOUR_MS)
    log.add(K.CONDITION_END, "Well", DAY + HOUR_MS, ref=operation)
    log.add(K.ENCOUNTER_END, "Leave", DAY + HOUR_MS, ref=at)
    assert ms(rows(log, "encounters")[0], "stop") == DAY + 2 * HOUR_MS
    assert ms(rows(log, "procedures")[0], "stop") == DAY + HOUR_MS


def test_a_condition_stays_open_until_its_latest_end() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    log.add(K.CONDITION, "Ill too", DAY, encounter=at)
    log.add(K.CONDITION_END, "Well", 9 * DAY, ref=ill)
    log.add(K.CONDITION_END, "Well", 8 * DAY, ref=ill)
    first, second = rows(log, "conditions")
    assert ms(first, "stop") == 8 * DAY
    assert second["stop"] is None
    assert first["encounter_key"] == rows(log, "encounters")[0]["row_key"]


def test_a_repeated_onset_adds_the_codes_that_are_lacking() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    log.add(K.CONDITION_AGAIN, "Ill too", 2 * DAY, ref=ill)
    log.add(K.CONDITION_AGAIN, "Ill too", 3 * DAY, ref=ill)
    (row,) = rows(log, "conditions")
    assert [code["code"] for code in json.loads(row["more_codes"])] == ["21"]


def test_an_allergy_collects_its_reactions() -> None:
    log, at = visited()
    itch = log.add(K.ALLERGY, "Itch", DAY, encounter=at)
    log.add(K.REACTION, "Itch", DAY, ref=itch, value=0, tag=1)
    log.add(K.ALLERGY_AGAIN, "Itch", 2 * DAY, ref=itch)
    log.add(K.REACTION, "Itch", 2 * DAY, ref=itch, value=1, tag=2)
    log.add(K.REACTION, "Itch", 2 * DAY, ref=itch, value=0, tag=3)
    log.add(K.ALLERGY, "Itch", 3 * DAY, encounter=at)
    first, second = rows(log, "allergies")
    assert [(each["code"], each["severity"]) for each in json.loads(first["reactions"])] == [
        ("31", "severe"),
        ("32", "moderate"),
    ]
    assert second["reactions"] is None
    assert (first["allergy_type"], first["category"]) == ("intolerance", "food")


def test_a_medication_has_the_first_reason_there_is_and_the_latest_prescription() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    drug = log.add(K.MEDICATION, "Drug", DAY, encounter=at)
    log.add(K.MEDICATION_AGAIN, "Drug", 2 * DAY, ref=drug, value=ill)
    log.add(K.MEDICATION_AGAIN, "Drug as needed", 3 * DAY, ref=drug, value=-2, tag=1)
    log.add(K.MEDICATION_END, "Stop drug", 5 * DAY, ref=drug)
    (row,) = rows(log, "medications")
    assert row["reason_key"] == rows(log, "conditions")[0]["row_key"]
    assert (row["reason_system"], row["reason_code"], row["reason_display"]) == ("SNOMED-CT", "20", "thing 20")
    assert (row["is_chronic"], row["is_administered"]) == (True, False)
    assert row["prescription"] == '{"as_needed":true}'
    assert (ms(row, "stop"), row["stop_code"]) == (5 * DAY, "182840001")
    assert [code["code"] for code in json.loads(row["more_codes"])] == ["41"]


def test_a_renewed_medication_inherits_codes_reason_and_prescription() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    drug = log.add(K.MEDICATION, "Drug", DAY, encounter=at)
    log.add(K.MEDICATION_AGAIN, "Drug as needed", 2 * DAY, ref=drug, value=ill, tag=1)
    for day in (3, 4):
        log.add(K.MEDICATION_END, "Visit", day * DAY, ref=drug)
        drug = log.add(K.MEDICATION, "Drug", day * DAY, encounter=at, tag=1)
    log.add(K.MEDICATION_END, "Stop drug", 5 * DAY, ref=drug)
    log.add(K.MEDICATION, "Drug", 5 * DAY, encounter=at)
    *renewed, new = rows(log, "medications")
    for row in renewed:
        assert (row["is_chronic"], row["reason_code"], row["prescription"]) == (True, "20", '{"as_needed":true}')
        assert [code["code"] for code in json.loads(row["more_codes"])] == ["41"]
        assert row["stop_code"] == "182840001"
    assert (new["is_chronic"], new["reason_code"], new["prescription"], new["more_codes"]) == (False, None, None, None)


def test_an_administered_medication_stops_when_it_starts() -> None:
    log, at = visited()
    log.add(K.MEDICATION, "Drug", DAY, encounter=at, tag=2)
    (row,) = rows(log, "medications")
    assert (ms(row, "stop"), row["stop_code"], row["is_administered"]) == (DAY, None, True)


def test_a_medication_that_a_condition_end_closes_has_no_stop_code() -> None:
    log, at = visited()
    drug = log.add(K.MEDICATION, "Drug", DAY, encounter=at)
    log.add(K.CONDITION_END, "Well", 2 * DAY, ref=drug)
    (row,) = rows(log, "medications")
    assert (ms(row, "stop"), row["stop_code"]) == (2 * DAY, None)


def test_a_reason_may_be_a_code_alone() -> None:
    log, at = visited()
    code = next(i for i, each in enumerate(CATALOGUE.codes) if each.code == "99")
    log.add(K.PROCEDURE, "Operation", DAY, encounter=at, ref=-2 - code, value=HOUR_MS)
    (row,) = rows(log, "procedures")
    assert (row["reason_key"], row["reason_code"], row["reason_display"]) == (0, "99", "thing 99")
    assert ms(row, "stop") == DAY + HOUR_MS


def test_an_encounter_may_have_a_reason_that_is_written_later() -> None:
    log = new_log()
    log.add(K.ENCOUNTER, "Visit", DAY, encounter=0, ref=1)
    log.add(K.CONDITION, "Ill", DAY, encounter=0)
    assert rows(log, "encounters")[0]["reason_key"] == rows(log, "conditions")[0]["row_key"]


def test_a_plan_whose_reason_lies_in_the_history_gains_its_codes() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    log.add(K.CONDITION_AGAIN, "Ill too", DAY, ref=ill)
    plan = log.add(K.CAREPLAN, "Plan", DAY, encounter=at, ref=ill, tag=1)
    log.add(K.CAREPLAN_AGAIN, "Plan more", 2 * DAY, ref=plan, value=-1)
    log.add(K.CAREPLAN_END, "Stop plan", 4 * DAY, ref=plan)
    (row,) = rows(log, "careplans")
    assert [code["code"] for code in json.loads(row["more_codes"])] == ["20", "21", "52"]
    assert [code["code"] for code in json.loads(row["activities"])] == ["51", "53"]
    assert json.loads(row["goals"]) == [{"text": "walk"}, {"text": "run"}]
    assert (ms(row, "stop"), row["stop_code"], row["reason_code"]) == (4 * DAY, "385658003", "20")


def test_a_plan_without_such_a_reason_keeps_its_lists() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    log.add(K.CAREPLAN, "Plan", DAY, encounter=at, ref=ill)
    (row,) = rows(log, "careplans")
    assert row["more_codes"] is None
    assert json.loads(row["activities"]) == [{"system": "SNOMED-CT", "code": "51", "display": "thing 51"}]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (ValueKind.NULL, 0.0, {}),
        (ValueKind.NUMBER, 7.25, {"numeric_value": 7.25}),
        (ValueKind.NUMBER, float("nan"), {}),
        (
            ValueKind.CODE,
            float(CATALOGUE.code_index(CATALOGUE.codes[7])),
            {
                "value_system": CATALOGUE.codes[7].system,
                "value_code": CATALOGUE.codes[7].code,
                "value_display": CATALOGUE.codes[7].display,
            },
        ),
        (ValueKind.STRING, 0.0, {"text_value": "less than 1,8"}),
        (ValueKind.BOOLEAN, 1.0, {"text_value": "true"}),
        (ValueKind.BOOLEAN, 0.0, {"text_value": "false"}),
    ],
)
def test_an_observation_holds_one_kind_of_value(kind: ValueKind, value: float, expected: dict[str, Any]) -> None:
    log, at = visited()
    log.add(K.OBSERVATION, "Measure", DAY, encounter=at, value=value, tag=kind)
    made = assembled(log)
    (row,) = made.records["observations"].to_pylist()
    columns = ("numeric_value", "text_value", "value_system", "value_code", "value_display")
    assert {name: row[name] for name in columns} == dict.fromkeys(columns) | expected
    assert (row["category"], row["unit"], row["is_panel"]) == ("laboratory", "mg/dL", False)
    assert made.report.values_not_finite == (value != value)  # true for NaN alone


def test_children_name_their_panel_or_report() -> None:
    log, at = visited()
    for state, kind in (("Panel", K.MULTI_OBSERVATION), ("Report", K.REPORT)):
        parent = len(log.rows) + 2
        for child in range(2):
            log.add(K.OBSERVATION, state, DAY, child=child, encounter=at, ref=parent, value=1.0, tag=1)
        log.add(kind, state, DAY, encounter=at, value=2.0)
    first, second, panel, third, fourth = rows(log, "observations")
    (report,) = rows(log, "reports")
    assert panel["is_panel"]
    assert (panel["category"], panel["numeric_value"], panel["unit"]) == ("vital-signs", None, None)
    assert [each["panel_key"] for each in (first, second, third, fourth)] == [panel["row_key"]] * 2 + [0, 0]
    assert [each["report_key"] for each in (first, second, third, fourth)] == [0, 0] + [report["row_key"]] * 2
    assert (report["code"], report["n_observations"]) == ("75", 2)


def test_immunization_device_and_supplies() -> None:
    log, at = visited()
    log.add(K.IMMUNIZATION, "Shot", DAY, encounter=at, value=2.0)
    pump = log.add(K.DEVICE, "Pump", DAY, encounter=at)
    log.add(K.DEVICE, "Stick", DAY, encounter=at)
    log.add(K.DEVICE_END, "No pump", 3 * DAY, ref=pump)
    for child, quantity in enumerate((2.0, 7.0)):
        log.add(K.SUPPLY, "Supplies", DAY, child=child, encounter=at, value=quantity)
    records = assembled(log).records
    (shot,) = records["immunizations"].to_pylist()
    assert (shot["system"], shot["code"], shot["series"]) == ("CVX", "140", 2)
    devices = records["devices"].to_pylist()
    assert [(each["manufacturer"], each["model"], ms(each, "stop")) for each in devices] == [
        ("Acme", "X1", 3 * DAY),
        (None, None, None),
    ]
    assert [(each["code"], each["quantity"]) for each in records["supplies"].to_pylist()] == [("90", 2.0), ("91", 7.0)]


def test_every_series_of_a_study_is_a_row() -> None:
    log, at = visited()
    study = log.add(K.IMAGING, "Scan", DAY, encounter=at, value=2.0)
    for child, images in enumerate((3.0, 4.0)):
        log.add(K.SERIES, "Scan", DAY, child=child, ref=study, value=images, tag=child)
    log.add(K.PROCEDURE, "Scan", DAY, encounter=at, value=1_800_000.0)
    records = assembled(log).records
    first, second = records["imaging"].to_pylist()
    assert first["study_key"] == second["study_key"] == CATALOGUE.stream_ids[2] << 32 | 1
    assert first["encounter_key"] == records["encounters"].to_pylist()[0]["row_key"]
    assert [each["series_number"] for each in (first, second)] == [1, 2]
    assert [each["n_instances"] for each in (first, second)] == [3, 4]
    assert [each["procedure_code"] for each in (first, second)] == ["95", "95"]
    assert [each["body_site_display"] for each in (first, second)] == ["chest", "hand"]
    assert [each["modality_code"] for each in (first, second)] == ["DX", "CT"]
    assert [each["instance_title"] for each in (first, second)] == ["front", None]
    assert [each["sop_code"] for each in (first, second)] == ["1.2.3", None]
    assert records["procedures"].to_pylist()[0]["code"] == "95"


def test_the_last_death_counts_and_names_its_cause() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    log.add(K.DEATH, "Die", 9 * DAY, ref=-1)
    log.add(K.DEATH, "Die", 5 * DAY, ref=ill)
    records = assembled(log).records
    (death,) = records["deaths"].to_pylist()
    assert (ms(death, "time"), death["cause_code"], death["state"]) == (5 * DAY, "20", "Die")
    assert death["cause_key"] == records["conditions"].to_pylist()[0]["row_key"]
    (patient,) = records["patients"].to_pylist()
    assert ms(patient, "death_time") == ms(patient, "last_time") == 5 * DAY


def test_a_death_at_the_end_of_the_run_leaves_the_patient_alive() -> None:
    log, _ = visited()
    log.add(K.DEATH, "Die", END_MS, ref=-1)
    made = assembled(log)
    assert made.records["deaths"].num_rows == 0
    assert made.report.deaths_after_end == 1
    (patient,) = made.records["patients"].to_pylist()
    assert (patient["death_time"], ms(patient, "last_time")) == (None, END_MS)


def test_a_background_death_has_no_cause() -> None:
    log, _ = visited()
    log.module = STREAM_MORTALITY
    log.add_source(K.DEATH, SOURCE_BACKGROUND, 5 * DAY)
    (death,) = rows(log, "deaths")
    assert (death["module"], death["cause_key"], death["cause_code"]) == ("@mortality", 0, None)


def insured(log: Log, time: int, plan: int) -> None:
    log.module = STREAM_INSURANCE
    log.add_source(K.COVERAGE, SOURCE_INSURANCE, time, value=float(plan))
    log.module = 2


def test_a_coverage_lasts_until_the_next_one_and_the_last_is_in_force() -> None:
    log, _ = visited()
    insured(log, 0, -1)
    insured(log, 7 * DAY, 1)
    insured(log, 7 * DAY, 17)
    first, second, third = rows(log, "coverages")
    assert (first["payer"], first["plan"], first["kind"]) == (None, None, "none")
    assert (second["payer"], second["plan"], second["kind"]) == ("Medicaid", "Medicaid", "medicaid")
    plan = insurance_plans()[17]
    assert (third["payer"], third["plan"], third["kind"]) == (plan.payer, plan.name, "aca")
    assert [(ms(row, "time"), ms(row, "stop")) for row in (first, second, third)] == [
        (0, 7 * DAY), (7 * DAY, 7 * DAY), (7 * DAY, None),
    ]  # fmt: skip
    assert [row["row_key"] for row in (first, second)] == [
        CATALOGUE.stream_ids[STREAM_INSURANCE] << 32 | ordinal for ordinal in range(2)
    ]
    assert {(row["module"], row["state"]) for row in (first, second, third)} == {("@insurance", "Insurance")}


def test_a_coverage_ends_with_the_life() -> None:
    log, _ = visited()
    insured(log, 0, 3)
    insured(log, 9 * DAY, -1)
    log.add(K.DEATH, "Die", 5 * DAY, ref=-1)
    made = assembled(log)
    (row,) = made.records["coverages"].to_pylist()
    assert (row["kind"], ms(row, "stop")) == ("private", 5 * DAY)
    assert (made.report.rows_after_death, made.report.stops_clipped) == (1, 0)


def test_every_plan_has_a_kind_that_the_schema_names() -> None:
    about = TABLES["coverages"]["kind"].about
    assert {plan.kind for plan in insurance_plans()} <= set(about.partition(";")[0].split(", "))


def test_nothing_begins_or_stops_after_death() -> None:
    log, at = visited()
    ill = log.add(K.CONDITION, "Ill", DAY, encounter=at)
    log.add(K.CONDITION, "Ill too", 2 * DAY, encounter=at)
    late = log.add(K.ENCOUNTER, "Visit", 6 * DAY, encounter=len(log.rows))
    gone = log.add(K.CONDITION, "Ill", 6 * DAY, encounter=late)
    log.add(K.OBSERVATION, "Measure", 4 * DAY, encounter=late, tag=1)
    log.add(K.PROCEDURE, "Operation", 5 * DAY, encounter=at, ref=gone, value=HOUR_MS)
    log.add(K.CONDITION_END, "Well", 7 * DAY, ref=ill)
    log.add(K.DEATH, "Die", 5 * DAY, ref=-1)
    made = assembled(log)
    first, second = made.records["conditions"].to_pylist()
    assert (ms(first, "stop"), second["stop"]) == (5 * DAY, None)
    (procedure,) = made.records["procedures"].to_pylist()
    assert (ms(procedure, "stop"), procedure["reason_key"], procedure["reason_code"]) == (5 * DAY, 0, "20")
    (encounter,) = made.records["encounters"].to_pylist()
    assert made.records["observations"].to_pylist()[0]["encounter_key"] == encounter["row_key"]
    assert (made.report.rows_after_death, made.report.stops_clipped, made.report.rows_moved) == (2, 2, 1)


def test_nothing_begins_before_birth() -> None:
    log = new_log()
    log.add(K.CONDITION, "Ill", -DAY)
    early = log.add(K.ENCOUNTER, "Visit", -DAY, encounter=1)
    log.add(K.CONDITION, "Ill", DAY, encounter=early)
    later = log.add(K.ENCOUNTER, "Visit", 2 * DAY, encounter=3)
    made = assembled(log)
    assert made.report.rows_before_birth == 2
    (row,) = made.records["conditions"].to_pylist()
    assert row["encounter_key"] == CATALOGUE.stream_ids[2] << 32 | later
    assert made.report.rows_moved == 1


def test_a_stop_before_the_start_is_raised_to_it() -> None:
    log, at = visited(3)
    ill = log.add(K.CONDITION, "Ill", 3 * DAY, encounter=at)
    log.add(K.CONDITION_END, "Well", 2 * DAY, ref=ill)
    made = assembled(log)
    assert ms(made.records["conditions"].to_pylist()[0], "stop") == 3 * DAY
    assert made.report.stops_raised == 1


def test_coercions_are_counted_by_kind_and_source() -> None:
    log, _ = visited()
    log.add(K.COERCED, "Measure", DAY, tag=5)
    log.add(K.COERCED, "Drug", DAY, tag=8)
    report = assembled(log).report
    assert report.coerced == {("vital_sign_unset", MODULE, "Measure"): 1, ("reason", MODULE, "Drug"): 1}
    assert (report + report).coerced["reason", MODULE, "Drug"] == 2


def test_patients_come_from_the_cohort() -> None:
    records = ASSEMBLER.records(np.zeros(0, EVENT_DTYPE), np.zeros(3, np.int64), people(2), end_ms=END_MS)
    first, second = records["patients"].to_pylist()
    assert (first["patient_id"], second["patient_id"]) == (5, 8)
    assert (first["sex"], second["sex"]) == ("F", "M")
    assert (first["race"], first["ethnicity"], first["income"]) == ("white", "hispanic", 50_000)
    assert (second["given_name"], second["city"], second["family_name"]) == ("Ann 1", "Town", None)
    assert records.n_rows == 0


def test_a_run_without_patients_has_empty_tables() -> None:
    assert ASSEMBLER.records(np.zeros(0, EVENT_DTYPE), np.zeros(1, np.int64), people(0), end_ms=END_MS).n_patients == 0


def test_logs_that_do_not_fit_are_refused() -> None:
    events = new_log().events()
    with pytest.raises(ConfigError, match="do not fit 2 patients"):
        ASSEMBLER.records(events, np.zeros(2, np.int64), people(2), end_ms=END_MS)
    with pytest.raises(ConfigError, match="EVENT_DTYPE"):
        ASSEMBLER.records(np.zeros(0, DETAIL_DTYPE), np.zeros(2, np.int64), people(1), end_ms=END_MS)


def test_a_cohort_that_lacks_what_patients_need_is_refused() -> None:
    cohort = people(1)
    bare = Cohort(patient_id=cohort.patient_id, birth_ms=cohort.birth_ms, death_ms=cohort.death_ms, attributes={})
    with pytest.raises(ConfigError, match="no attribute 'gender'"):
        ASSEMBLER.records(np.zeros(0, EVENT_DTYPE), np.zeros(2, np.int64), bare, end_ms=END_MS)


def test_a_dictionary_is_extended_without_changing() -> None:
    texts = Dictionary(["a", "b"])
    numbers, longer = texts.extended(["c", "a", "c", "d"])
    assert numbers == {"c": 2, "a": 0, "d": 3}
    assert longer.to_pylist() == ["a", "b", "c", "d"]
    assert texts.array.to_pylist() == ["a", "b"]
    assert texts.extended(["b"])[1] is texts.array
