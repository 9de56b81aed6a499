"""The window of years: what stays, what goes, and that nothing points to what went."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from trajsim.errors import ConfigError
from trajsim.records.invariants import check_records
from trajsim.records.schema import EVENT_TABLES, arrow_schema
from trajsim.records.table import Records
from trajsim.records.window import keep_years
from trajsim.units import us_from_ms

Row = dict[str, Any]

END = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END_US = us_from_ms(int(END.timestamp()) * 1000)
CUTOFF = END - dt.timedelta(days=2 * 365)
OLD, NEW = CUTOFF - dt.timedelta(days=100), CUTOFF + dt.timedelta(days=100)
BEFORE, AFTER = CUTOFF, CUTOFF + dt.timedelta(microseconds=1)

_EMPTY = {"module": "module", "state": "State", "system": "SNOMED-CT", "code": "1", "display": "One"}
_ZERO = {"encounter_key": 0, "reason_key": 0, "panel_key": 0, "report_key": 0, "is_panel": False, "series": 1}
_MORE = {"is_chronic": False, "is_administered": False, "allergy_type": "allergy", "category": "", "n_observations": 1}
_IMAGE = dict.fromkeys(
    [f"{of}_{part}" for of in ("procedure", "body_site") for part in ("system", "code", "display")], "x"
) | {"study_key": 0, "series_number": 1, "modality_code": "CT", "modality_display": "CT", "n_instances": 1}


def records_of(**tables: list[Row]) -> Records:
    """Records of patient 3, born long ago; what a row leaves out is some value that is allowed."""
    patient = {"birth_time": dt.datetime(1950, 1, 1, tzinfo=dt.UTC), "last_time": END, "sex": "F"}
    made = {"patients": [patient | {"race": "white", "ethnicity": "hispanic"}], **tables}
    base = {"patient_id": 3, "encounter_class": "ambulatory", "quantity": 1.0, "kind": "private"}
    base |= _EMPTY | _ZERO | _MORE | _IMAGE
    return Records(
        {
            name: pa.Table.from_pydict(
                {column: [(base | row).get(column) for row in rows] for column in arrow_schema(name).names},
                schema=arrow_schema(name),
            )
            for name, rows in made.items()
        }
    )


def kept(records: Records, name: str) -> list[Row]:
    rows: list[Row] = keep_years(records, 2, end_us=END_US)[name].to_pylist()
    return rows


@pytest.mark.parametrize("name", ["observations", "procedures", "immunizations", "devices", "supplies", "imaging"])
def test_what_happens_stays_if_it_is_inside(name: str) -> None:
    times = [OLD, BEFORE, AFTER, NEW]
    stop = {"stop": OLD} if name == "procedures" else {}
    rows = [
        {"row_key": key, "time": time, **(stop if time <= CUTOFF else {"stop": time})}
        for key, time in enumerate(times, 1)
    ]
    assert [row["row_key"] for row in kept(records_of(**{name: rows}), name)] == [3, 4]


@pytest.mark.parametrize("name", ["conditions", "allergies", "medications", "careplans"])
def test_what_is_still_active_stays(name: str) -> None:
    rows = [
        {"row_key": 1, "time": OLD, "stop": None},
        {"row_key": 2, "time": OLD, "stop": BEFORE},
        {"row_key": 3, "time": OLD, "stop": AFTER},
        {"row_key": 4, "time": NEW, "stop": None},
    ]
    assert [row["row_key"] for row in kept(records_of(**{name: rows}), name)] == [1, 3, 4]


def test_encounters_stay_for_what_stays() -> None:
    records = records_of(
        encounters=[{"row_key": key, "time": time, "stop": time} for key, time in ((1, OLD), (2, OLD), (3, NEW))],
        conditions=[
            {"row_key": 11, "time": OLD, "stop": None, "encounter_key": 1},
            {"row_key": 12, "time": OLD, "stop": OLD, "encounter_key": 2},
        ],
    )
    assert [row["row_key"] for row in kept(records, "encounters")] == [1, 3]


def test_keys_of_what_went_are_none_and_codes_stay() -> None:
    reason = {"reason_system": "SNOMED-CT", "reason_code": "44054006", "reason_display": "Diabetes"}
    records = records_of(
        conditions=[{"row_key": 11, "time": OLD, "stop": OLD}, {"row_key": 12, "time": NEW}],
        procedures=[
            {"row_key": 21, "time": NEW, "stop": NEW, "reason_key": 11, **reason},
            {"row_key": 22, "time": NEW, "stop": NEW, "reason_key": 12, **reason},
        ],
        reports=[{"row_key": 31, "time": NEW, "n_observations": 2}],
        observations=[
            {"row_key": 41, "time": OLD, "report_key": 31},
            {"row_key": 42, "time": NEW, "report_key": 31},
        ],
    )
    first, second = kept(records, "procedures")
    assert (first["reason_key"], first["reason_code"], second["reason_key"]) == (0, "44054006", 12)
    assert [row["n_observations"] for row in kept(records, "reports")] == [1]
    assert check_records(keep_years(records, 2, end_us=END_US)) == []


def test_death_and_its_certificate_stay_however_old() -> None:
    dead = {
        "birth_time": OLD,
        "death_time": OLD,
        "last_time": OLD,
        "sex": "F",
        "race": "white",
        "ethnicity": "hispanic",
    }
    records = records_of(
        patients=[dead],
        encounters=[{"row_key": 1, "time": OLD, "stop": OLD, "code": "308646001"}],
        conditions=[{"row_key": 9, "time": OLD, "stop": OLD}],
        observations=[{"row_key": 2, "time": OLD, "code": "69453-9", "encounter_key": 1, "report_key": 3}],
        reports=[{"row_key": 3, "time": OLD, "code": "69409-1", "encounter_key": 1}],
        deaths=[{"time": OLD, "cause_key": 9, "cause_system": "SNOMED-CT", "cause_code": "1"}],
    )
    window = keep_years(records, 2, end_us=END_US)
    assert {
        name: window[name].num_rows for name in ("patients", "encounters", "observations", "reports", "deaths")
    } == (dict.fromkeys(("patients", "encounters", "observations", "reports", "deaths"), 1))
    assert window["conditions"].num_rows == 0
    assert window["deaths"].column("cause_key").to_pylist() == [0]
    assert check_records(window) == []


def test_lines_stay_with_their_claim() -> None:
    money = {f"{name}_cents": 0 for name in ("billed", "covered", "out_of_pocket", "deductible")}
    claims = [
        money | {"row_key": key, "time": OLD, "stop": stop, "encounter_key": visit, "medication_key": 0,
                 "coverage_key": 0, "claim_type": "institutional"}
        for key, stop, visit in ((21, BEFORE, 1), (22, NEW, 2))
    ]  # fmt: skip
    lines = [
        money | {"row_key": key, "time": OLD, "claim_key": claim, "item_table": "encounters", "item_key": item,
                 "unit_price_cents": 0}
        for key, claim, item in ((31, 21, 1), (32, 22, 2), (33, 22, 11))
    ]  # fmt: skip
    records = records_of(
        encounters=[{"row_key": key, "time": OLD, "stop": stop} for key, stop in ((1, BEFORE), (2, NEW))],
        procedures=[{"row_key": 11, "time": OLD, "stop": OLD, "encounter_key": 2}],
        claims=claims,
        claim_lines=lines,
    )
    assert check_records(records) == []
    assert [row["row_key"] for row in kept(records, "claims")] == [22]
    assert [(row["row_key"], row["item_key"]) for row in kept(records, "claim_lines")] == [(32, 2), (33, 0)]


def test_coverages_of_the_window_stay() -> None:
    rows = [
        {"row_key": 1, "time": OLD, "stop": BEFORE},
        {"row_key": 2, "time": BEFORE, "stop": NEW},
        {"row_key": 3, "time": NEW, "stop": None},
    ]
    assert [row["row_key"] for row in kept(records_of(coverages=rows), "coverages")] == [2, 3]


def test_zero_years_are_the_whole_life_and_fewer_are_refused() -> None:
    records = records_of(observations=[{"row_key": 1, "time": OLD}])
    assert keep_years(records, 0, end_us=END_US) is records
    with pytest.raises(ConfigError, match="--years must not be negative, got -1"):
        keep_years(records, -1, end_us=END_US)


def test_no_records_no_rows() -> None:
    empty = keep_years(Records({}), 1, end_us=END_US)
    assert not any(empty[name].num_rows for name in EVENT_TABLES)
