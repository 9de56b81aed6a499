"""Claims: what is billed on which, who pays, and that everything adds up."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.records.builders import random_records
from trajsim.costs import with_claims, without_claims
from trajsim.costs.lines import months_supplied
from trajsim.errors import SchemaError
from trajsim.records.invariants import check_records
from trajsim.records.schema import arrow_schema
from trajsim.records.table import Records

Row = dict[str, Any]

BIRTH = dt.datetime(1950, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_BASE = {
    "patient_id": 3, "module": "module", "state": "State", "system": "SNOMED-CT", "code": "1", "display": "One",
    "encounter_class": "ambulatory", "encounter_key": 1, "reason_key": 0, "panel_key": 0, "report_key": 0,
    "is_panel": False, "series": 1, "is_chronic": False, "is_administered": False, "quantity": 1.0, "kind": "private",
    "n_observations": 1, "category": "laboratory",
}  # fmt: skip


def day(year: int, month: int = 1, number: int = 1) -> dt.datetime:
    return dt.datetime(year, month, number, 9, tzinfo=dt.UTC)


def records_of(**tables: list[Row]) -> Records:
    """Records of patient 3; what a row leaves out is some value that is allowed."""
    patient = {"birth_time": BIRTH, "last_time": END, "sex": "F", "race": "white", "ethnicity": "hispanic"}
    made = {"patients": [patient], **tables}
    return Records(
        {
            name: pa.Table.from_pydict(
                {column: [(_BASE | row).get(column) for row in rows] for column in arrow_schema(name).names},
                schema=arrow_schema(name),
            )
            for name, rows in made.items()
        }
    )


def visit(key: int = 1, time: dt.datetime | None = None, **more: object) -> Row:
    time = time or day(2020)
    return {"row_key": key, "time": time, "stop": time + dt.timedelta(minutes=15), **more}


def cover(start: dt.datetime, stop: dt.datetime | None = None, *, kind: str = "medicaid", key: int = 90) -> Row:
    return {"row_key": key, "time": start, "stop": stop, "payer": "Payer", "plan": "Plan", "kind": kind}


def claims_of(records: Records, table: str = "claims") -> list[Row]:
    made = with_claims(records, seed=7)
    assert check_records(made) == []
    rows: list[Row] = made[table].to_pylist()
    return rows


def test_every_visit_and_every_prescription_has_a_claim() -> None:
    drug = {"time": day(2020), "stop": None, "display": "Lisinopril 10 MG Oral Tablet"}
    records = records_of(
        encounters=[visit(1), visit(2, day(2021), encounter_class="inpatient")],
        medications=[
            drug | {"row_key": 11},
            drug | {"row_key": 12, "is_administered": True},
            drug | {"row_key": 13, "encounter_key": 0},
        ],
    )  # fmt: skip
    claims = claims_of(records)
    assert [(row["claim_type"], row["encounter_key"], row["medication_key"]) for row in claims] == [
        ("professional", 1, 0), ("pharmacy", 1, 11), ("pharmacy", 0, 13), ("institutional", 2, 0),
    ]  # fmt: skip
    lines = claims_of(records, "claim_lines")
    named = {row["row_key"]: (row["encounter_key"], row["medication_key"]) for row in claims}
    assert [(named[row["claim_key"]], row["item_table"], row["item_key"]) for row in lines] == [
        ((1, 0), "encounters", 1), ((1, 0), "medications", 12), ((1, 11), "medications", 11),
        ((0, 13), "medications", 13), ((2, 0), "encounters", 2),
    ]  # fmt: skip


def test_what_is_part_of_the_visit_is_no_line() -> None:
    done = {"time": day(2020), "stop": day(2020)}
    names = ("Renal dialysis (procedure)", "Discharge from hospital (procedure)")
    records = records_of(
        encounters=[visit()],
        procedures=[done | {"row_key": key, "display": name} for key, name in enumerate(names, 20)],
        observations=[
            {"time": day(2020), "row_key": 30, "display": "Glucose"},
            {"time": day(2020), "row_key": 31, "display": "Glucose", "report_key": 40},
            {"time": day(2020), "row_key": 32, "display": "Weight", "category": "vital-signs"},
        ],
        reports=[{"time": day(2020), "row_key": 40, "display": "Lipid panel"}],
        supplies=[{"time": day(2020), "row_key": 50, "display": "Syringe", "quantity": 12.0}],
    )
    lines = claims_of(records, "claim_lines")
    assert [row["item_key"] for row in lines] == [1, 20, 30, 40, 50]
    assert lines[-1]["billed_cents"] == 12 * lines[-1]["unit_price_cents"]


def test_a_row_without_a_visit_is_not_billed() -> None:
    done = {"row_key": 20, "time": day(2020), "stop": day(2020), "encounter_key": 0}
    assert claims_of(records_of(encounters=[visit()], procedures=[done]), "claim_lines")[1:] == []
    assert claims_of(records_of(procedures=[done])) == []


def test_stays_are_billed_by_the_day() -> None:
    stay = visit(encounter_class="inpatient") | {"stop": day(2020) + dt.timedelta(days=2, hours=1)}
    (line,) = claims_of(records_of(encounters=[stay]), "claim_lines")
    assert line["quantity"] == 3.0
    assert line["billed_cents"] == 3 * line["unit_price_cents"]


@pytest.mark.parametrize(
    ("prescription", "months"),
    [
        ("{}", 1),
        ('{"duration":{"quantity":10,"unit":"days"}}', 1),
        ('{"duration":{"quantity":3,"unit":"months"}}', 3),
        ('{"duration":{"quantity":1,"unit":"years"}}', 12),
    ],
)
def test_prescriptions_are_billed_by_the_month(prescription: str, months: int) -> None:
    assert months_supplied(prescription) == months


def test_nobody_pays_outside_a_coverage() -> None:
    visits = [visit(year, day(year)) for year in (2018, 2019, 2020, 2021)]
    records = records_of(
        encounters=visits,
        coverages=[
            cover(BIRTH, day(2019), kind="none", key=91) | {"payer": None, "plan": None},
            cover(day(2019), day(2020, 6), key=92),
            cover(day(2020, 6), None, kind="none", key=93) | {"payer": None, "plan": None},
        ],
    )
    claims = claims_of(records)
    assert [(row["coverage_key"], row["payer"], row["covered_cents"] > 0) for row in claims] == [
        (0, None, False), (92, "Payer", True), (92, "Payer", True), (0, None, False),
    ]  # fmt: skip
    assert [row["out_of_pocket_cents"] for row in claims[1:3]] == [0, 0]


def test_a_coverage_that_ended_pays_no_more() -> None:
    ended = records_of(encounters=[visit()], coverages=[cover(BIRTH, day(2019))])
    assert [(row["coverage_key"], row["payer"]) for row in with_claims(ended, seed=7)["claims"].to_pylist()] == [
        (0, None)
    ]


def test_a_deductible_begins_anew_with_the_year_and_the_plan() -> None:
    when = (day(2020, 3), day(2020, 9), day(2021, 2), day(2021, 6))
    records = records_of(
        encounters=[visit(key, time, encounter_class="emergency") for key, time in enumerate(when, 1)],
        coverages=[
            cover(BIRTH, day(2021, 4), kind="medicare", key=91), cover(day(2021, 4), kind="medicare", key=92),
        ],
    )  # fmt: skip
    claims = claims_of(records)
    assert [row["deductible_cents"] for row in claims] == [24_000, 0, 24_000, 24_000]
    rest = [row["billed_cents"] - row["deductible_cents"] for row in claims]
    assert [row["out_of_pocket_cents"] - row["deductible_cents"] for row in claims] == [
        (cents * 2_000 + 5_000) // 10_000 for cents in rest
    ]


def test_preventive_care_is_free_for_the_insured() -> None:
    records = records_of(
        encounters=[visit(encounter_class="wellness")],
        immunizations=[{"row_key": 2, "time": day(2020), "system": "CVX", "code": "140", "display": "influenza"}],
        coverages=[cover(BIRTH, kind="aca") | {"plan": "Bronze"}],
    )
    (claim,) = claims_of(records)
    assert claim["covered_cents"] == claim["billed_cents"] > 0


def test_claims_of_random_records_keep_every_invariant() -> None:
    for seed in range(3):
        records = without_claims(random_records(seed=seed, n_patients=6, max_rows=12))
        made = with_claims(records, seed=1)
        assert check_records(made) == []
        given = records["medications"]["is_administered"].to_numpy()
        assert made["claims"].num_rows == records["encounters"].num_rows + int((~given).sum())
        assert with_claims(made, seed=2) is made
        assert without_claims(made).equals(records)


def test_the_seed_moves_prices_and_nothing_else() -> None:
    records = without_claims(random_records(seed=1, n_patients=6, max_rows=12))
    first, second = (with_claims(records, seed=seed) for seed in (1, 2))
    money = [name for name in first["claims"].column_names if name.endswith("_cents")]
    assert first["claims"].drop_columns(money).equals(second["claims"].drop_columns(money))
    assert not np.array_equal(first["claims"]["billed_cents"].to_numpy(), second["claims"]["billed_cents"].to_numpy())


def test_records_without_anything_to_bill() -> None:
    assert with_claims(Records({}), seed=1)["claims"].num_rows == 0
    assert claims_of(records_of()) == []


def test_an_unknown_patient_is_named() -> None:
    records = records_of(encounters=[visit(), visit(2) | {"patient_id": 4}])
    with pytest.raises(SchemaError, match="encounters row 1: patient 4 is not in table 'patients'"):
        with_claims(records, seed=1)


@pytest.mark.parametrize("quantity", [-1.0, 1e22, float("nan")])
def test_an_impossible_number_of_pieces_is_named(quantity: float) -> None:
    supply = {"row_key": 50, "time": day(2020), "display": "Syringe", "quantity": quantity}
    with pytest.raises(SchemaError, match=r"supplies row 0: quantity .* expected 0 to 1,000,000"):
        with_claims(records_of(encounters=[visit()], supplies=[supply]), seed=1)


@pytest.mark.parametrize("text", ["take it", "[]"])
def test_a_prescription_that_is_no_object_is_named(text: str) -> None:
    drug = {"row_key": 50, "time": day(2020), "prescription": text}
    with pytest.raises(SchemaError, match=r"prescription .* is no JSON object"):
        with_claims(records_of(encounters=[visit()], medications=[drug]), seed=1)
