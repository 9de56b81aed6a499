import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.records.builders import random_records, with_column
from trajsim.errors import SchemaError
from trajsim.records.invariants import Problem, check_records, require_valid
from trajsim.records.schema import TIME
from trajsim.records.table import Records

RECORDS = random_records(seed=2, n_patients=6, max_rows=6)


def _found(records: Records) -> set[tuple[str, str, str]]:
    return {(each.invariant, each.table, each.column) for each in check_records(records)}


def _times(table: str, column: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        RECORDS[table][column].cast(pa.int64()).fill_null(0).to_numpy().copy()
    )
    return values


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n_patients=st.integers(0, 5))
def test_good_records_have_no_problem(seed: int, n_patients: int) -> None:
    records = random_records(seed=seed, n_patients=n_patients)
    assert check_records(records) == []
    assert require_valid(records) is records


def _replaced(table: str, column: str, row: int, value: object) -> Records:
    values = RECORDS[table][column].to_pylist()
    values[row] = value
    arrow_type = RECORDS[table].schema.field(column).type
    return with_column(RECORDS, table, column, pa.array(values, arrow_type))


def _moved(table: str, column: str, row: int, time_us: int) -> Records:
    times = _times(table, column)
    times[row] = time_us
    return with_column(RECORDS, table, column, pa.array(times).view(TIME))


def test_a_row_before_birth() -> None:
    broken = _moved("observations", "time", 2, -(10**17))
    (problem,) = check_records(broken)
    assert problem == Problem(
        invariant="life",
        table="observations",
        column="time",
        n_rows=1,
        first_row=2,
        patient_id=int(RECORDS.ids_of("observations")[2]),
        message="before birth",
    )
    assert problem.render().startswith("observations.time: before birth: 1 rows, the first is row 2 of patient")


def test_a_row_and_a_stop_after_death() -> None:
    dead = RECORDS["patients"].filter(RECORDS["patients"]["death_time"].is_valid())["patient_id"].to_numpy()
    row = int(np.flatnonzero(np.isin(RECORDS.ids_of("procedures"), dead))[0])
    assert _found(_moved("procedures", "stop", row, 10**17)) == {("life", "procedures", "stop")}
    assert ("life", "procedures", "time") in _found(_moved("procedures", "time", row, 10**17))


def test_a_stop_before_the_start() -> None:
    start = _times("encounters", "time")
    row = int(np.argmax(start - RECORDS["patients"]["birth_time"].cast(pa.int64()).to_numpy().min()))
    assert ("stop", "encounters", "stop") in _found(_moved("encounters", "stop", row, int(start[row]) - 1))


def test_observation_time_of_patients() -> None:
    birth = _times("patients", "birth_time")
    early = with_column(RECORDS, "patients", "last_time", pa.array(birth - 1).view(TIME))
    assert ("life", "patients", "last_time") in _found(early)
    dies_first = with_column(RECORDS, "patients", "death_time", pa.array(birth - 1).view(TIME))
    assert {("life", "patients", "death_time"), ("death", "deaths", "time")} <= _found(dies_first)


def test_deaths_and_patients_agree() -> None:
    tables = dict(RECORDS.tables)
    assert _found(Records({**tables, "deaths": tables["deaths"].slice(1)})) == {("death", "patients", "death_time")}
    twice = pa.concat_tables([tables["deaths"].slice(0, 1), tables["deaths"]])
    assert _found(Records({**tables, "deaths": twice})) == {("unique", "deaths", "patient_id")}
    alive = with_column(RECORDS, "patients", "death_time", pa.nulls(6, TIME))
    assert _found(alive) == {("death", "deaths", "time")}


def test_a_key_that_names_nothing() -> None:
    for table, column in (
        ("conditions", "encounter_key"),
        ("medications", "reason_key"),
        ("observations", "report_key"),
        ("deaths", "cause_key"),
    ):
        assert _found(_replaced(table, column, 0, 77)) == {("reference", table, column)}


def test_a_key_of_another_patient_names_nothing() -> None:
    foreign = RECORDS["encounters"]["row_key"][-1].as_py()
    assert _found(_replaced("conditions", "encounter_key", 0, foreign)) == {
        ("reference", "conditions", "encounter_key")
    }


def test_a_key_into_the_wrong_table_names_nothing() -> None:
    first = RECORDS.ids_of("devices")[0]
    row = int(np.flatnonzero(RECORDS.ids_of("supplies") == first)[0])
    wrong = RECORDS["devices"]["row_key"][0].as_py()
    assert _found(_replaced("supplies", "encounter_key", row, wrong)) == {("reference", "supplies", "encounter_key")}


def test_money_adds_up() -> None:
    claims = {name: RECORDS["claims"][name].to_pylist() for name in RECORDS["claims"].column_names}
    row = next(row for row, cents in enumerate(claims["billed_cents"]) if cents > 0)

    def found(column: str, cents: int, table: str = "claims", at: int = row) -> set[tuple[str, str, str]]:
        return _found(_replaced(table, column, at, cents))

    billed, paid = claims["billed_cents"][row], claims["out_of_pocket_cents"][row]
    assert found("billed_cents", billed + 1) == {("money", "claims", "billed_cents")}
    assert found("out_of_pocket_cents", paid + 1) == {
        ("money", "claims", "billed_cents"), ("money", "claims", "out_of_pocket_cents"),
    }  # fmt: skip
    assert found("deductible_cents", paid + 1) == {("money", "claims", "deductible_cents")}
    nobody = with_column(RECORDS, "claims", "payer", pa.nulls(len(claims["payer"]), pa.string()).dictionary_encode())
    assert _found(nobody) == {("money", "claims", "covered_cents")}
    negative = found("covered_cents", -1, "claim_lines", 0)
    assert ("money", "claim_lines", "billed_cents") in negative


def test_panels() -> None:
    first = RECORDS.ids_of("observations")
    a, b = int(np.flatnonzero(first == first[0])[0]), int(np.flatnonzero(first == first[0])[1])
    keys = np.zeros(len(first), np.uint64)
    keys[a] = RECORDS["observations"]["row_key"][b].as_py()
    flags = np.zeros(len(first), np.bool_)
    no_panel = with_column(RECORDS, "observations", "is_panel", pa.array(flags))
    assert _found(with_column(no_panel, "observations", "panel_key", pa.array(keys))) == {
        ("panel", "observations", "panel_key")
    }
    flags[[a, b]] = True
    nested = with_column(RECORDS, "observations", "is_panel", pa.array(flags))
    assert _found(with_column(nested, "observations", "panel_key", pa.array(keys))) == {
        ("panel", "observations", "is_panel")
    }


def _coverage_rows() -> tuple[int, int]:
    """A coverage that another one of the patient follows, and the last one of a dead patient."""
    ids = RECORDS.ids_of("coverages")
    dead = RECORDS["patients"].filter(RECORDS["patients"]["death_time"].is_valid())["patient_id"].to_numpy()
    is_last = np.append(ids[1:] != ids[:-1], True)
    length = _times("coverages", "stop") - _times("coverages", "time") > 1
    return int(np.flatnonzero(~is_last & length)[0]), int(np.flatnonzero(is_last & np.isin(ids, dead))[0])


def _with_stop(row: int, time_us: int | None) -> Records:
    stops = RECORDS["coverages"]["stop"].cast(pa.int64()).to_pylist()
    stops[row] = time_us
    return with_column(RECORDS, "coverages", "stop", pa.array(stops, pa.int64()).view(TIME))


def test_there_is_always_one_coverage() -> None:
    row, last = _coverage_rows()
    stop = RECORDS["coverages"]["stop"].cast(pa.int64()).to_pylist()[row]
    for broken, message in (
        (_with_stop(row, stop + 1), "begins before the one before it ends"),
        (_with_stop(row, None), "begins before the one before it ends"),
        (_with_stop(row, stop - 1), "begins later than the one before it ends"),
        (_with_stop(last, None), "still in force after death"),
    ):
        (problem,) = check_records(broken)
        assert (problem.invariant, problem.table, problem.message) == ("coverage", "coverages", message)
    early = _times("coverages", "time")[last]
    found = {each.message for each in check_records(_with_stop(last, int(early)))}
    assert found == {"nothing follows before the last day"}
    without = ("coverages", "claims", "claim_lines")
    none = Records({name: table for name, table in RECORDS.tables.items() if name not in without})
    assert check_records(none) == []


def test_the_same_key_twice_over_two_tables() -> None:
    patient = RECORDS.ids_of("supplies")[0]
    row = int(np.flatnonzero(RECORDS.ids_of("devices") == patient)[0])
    twin = _replaced("devices", "row_key", row, RECORDS["supplies"]["row_key"][0].as_py())
    found = check_records(twin)
    assert {("unique", "supplies", "row_key"), ("unique", "devices", "row_key")} <= _found(twin)
    assert all(each.n_rows == 1 for each in found if each.invariant == "unique")


def test_rows_out_of_order_and_of_nobody() -> None:
    backward = RECORDS["reports"].take(pa.array(np.arange(RECORDS["reports"].num_rows)[::-1]))
    assert ("order", "reports", "patient_id") in _found(Records({**RECORDS.tables, "reports": backward}))
    assert ("reference", "supplies", "patient_id") in _found(_replaced("supplies", "patient_id", 0, 1))
    nobody = Records({"supplies": RECORDS["supplies"]})
    assert ("reference", "supplies", "patient_id") in _found(nobody)


def test_the_same_patient_twice() -> None:
    people = pa.concat_tables([RECORDS["patients"], RECORDS["patients"].slice(0, 1)])
    assert ("unique", "patients", "patient_id") in _found(Records({**RECORDS.tables, "patients": people}))


def test_numbers_are_finite() -> None:
    assert _found(_replaced("observations", "numeric_value", 0, float("inf"))) == {
        ("finite", "observations", "numeric_value")
    }


def test_require_valid_says_everything() -> None:
    broken = _replaced("conditions", "encounter_key", 0, 77)
    with pytest.raises(SchemaError, match=r"1 invariants of Records broken\nconditions.encounter_key: no such row"):
        require_valid(broken)
