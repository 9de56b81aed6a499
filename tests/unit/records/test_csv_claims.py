"""Money in Synthea's CSV layout: costs beside what was done, claims, transactions that close them."""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.records.builders import random_records
from trajsim.costs import with_claims, without_claims
from trajsim.records.csv import csv_lines, join_csv, write_csv
from trajsim.records.csv_layout import CLAIM_HEADERS, headers
from trajsim.records.ids import payer_uuid, row_uuid
from trajsim.records.table import Records, concat

SEED = 7
Cells = list[dict[str, str]]


def written(folder: Path, *parts: Records) -> dict[str, Cells]:
    for shard, records in enumerate(parts):
        write_csv(records, folder / "parts", shard=shard, seed=SEED, claims=True)
    paths = join_csv(folder / "parts", folder / "csv")
    return {kind: list(csv.DictReader(path.read_text().splitlines())) for kind, path in paths.items()}


def priced(seed: int, n_patients: int = 6) -> Records:
    return with_claims(without_claims(random_records(seed=seed, n_patients=n_patients, max_rows=8)), seed=SEED)


def cents(text: str) -> int:
    whole, _, rest = (text or "0.00").partition(".")
    assert len(rest) == 2
    return int(whole) * 100 + int(rest)


def test_headers_are_those_of_the_reference(shared: Path) -> None:
    for kind, header in CLAIM_HEADERS.items():
        with gzip.open(shared / "synthea" / "reference" / "sample" / "csv" / f"{kind}.csv.gz", "rt") as file:
            assert tuple(file.readline().rstrip("\n").split(",")) == header


def test_costs_stand_beside_what_was_done(tmp_path: Path) -> None:
    records = priced(1)
    files = written(tmp_path, records)
    claims = records["claims"].to_pylist()
    by_visit = {(row["patient_id"], row["encounter_key"]): row for row in claims if not row["medication_key"]}
    lines = {(row["patient_id"], row["item_key"]): row for row in records["claim_lines"].to_pylist()}
    for cells, row in zip(files["encounters"], records["encounters"].to_pylist(), strict=True):
        claim = by_visit[row["patient_id"], row["row_key"]]
        found = [cents(cells[name]) for name in ("TOTAL_CLAIM_COST", "PAYER_COVERAGE", "BASE_ENCOUNTER_COST")]
        line = lines[row["patient_id"], row["row_key"]]
        assert found == [claim["billed_cents"], claim["covered_cents"], line["unit_price_cents"]]
    for kind in ("medications", "procedures", "immunizations"):
        for cells, row in zip(files[kind], records[kind].to_pylist(), strict=True):
            found_line = lines.get((row["patient_id"], row["row_key"]))
            price = f"{found_line['unit_price_cents'] / 100:.2f}" if found_line else ""
            assert cells["BASE_COST"] == price
            if kind == "medications":
                assert cells["DISPENSES"] == ("1" if found_line else "")
                assert cents(cells["TOTALCOST"]) == (found_line["billed_cents"] if found_line else 0)


def test_patients_have_their_sums(tmp_path: Path) -> None:
    records = priced(2)
    spent: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in records["claims"].to_pylist():
        spent[row["patient_id"]][0] += row["out_of_pocket_cents"]
        spent[row["patient_id"]][1] += row["covered_cents"]
    for cells, patient in zip(written(tmp_path, records)["patients"], records.patient_ids.tolist(), strict=True):
        found = [cells["HEALTHCARE_EXPENSES"], cells["HEALTHCARE_COVERAGE"]]
        assert found == ([f"{each / 100:.2f}" for each in spent[patient]] if patient in spent else ["", ""])


def test_claims_name_payer_visit_and_diagnoses(tmp_path: Path) -> None:
    records = priced(3)
    codes = defaultdict(list)
    for row in records["conditions"].to_pylist():
        codes[row["patient_id"], row["encounter_key"]].append(row["code"])
    for cells, row in zip(written(tmp_path, records)["claims"], records["claims"].to_pylist(), strict=True):
        visit = (row["patient_id"], row["encounter_key"])
        expected = row_uuid(SEED, [visit[0]], [visit[1]])[0].as_py() if visit[1] else ""
        assert cells["APPOINTMENTID"] == expected
        assert cells["Id"] == row_uuid(SEED, [row["patient_id"]], [row["row_key"]])[0].as_py()
        payer = payer_uuid(SEED, [row["payer"]])[0].as_py() if row["payer"] else ""
        assert cells["PRIMARYPATIENTINSURANCEID"] == payer
        own = codes.get(visit, []) if visit[1] else []
        assert [cells[f"DIAGNOSIS{n}"] for n in range(1, 9)] == (own + [""] * 8)[:8]
        assert cells["STATUS1"] == cells["STATUSP"] == "CLOSED"


def test_transactions_close_every_charge(tmp_path: Path) -> None:
    records = priced(4)
    rows = written(tmp_path, records)["claims_transactions"]
    billed: dict[str, int] = defaultdict(int)
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[row["PATIENTID"]].append(int(row["CHARGEID"]))
        billed[row["CLAIMID"]] += cents(row["AMOUNT"]) if row["TYPE"] == "CHARGE" else -cents(row["PAYMENTS"])
        assert (row["TRANSFERS"] != "") == row["TYPE"].startswith("TRANSFER")
        assert (row["METHOD"] != "") == (row["TYPE"] == "PAYMENT")
        if row["TYPE"] == "TRANSFERIN":
            assert int(row["TRANSFEROUTID"]) == int(row["CHARGEID"]) - 1
    assert set(billed.values()) == {0}
    assert len(billed) == records["claims"].num_rows
    assert all(each == list(range(len(each))) for each in numbers.values())
    assert len({row["ID"] for row in rows}) == len(rows)
    charges = sum(row["TYPE"] == "CHARGE" for row in rows)
    assert charges == records["claim_lines"].num_rows


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 5))
def test_shards_change_no_line(seed: int, cut: int) -> None:
    records = priced(seed, n_patients=5)
    each = list(records.by_patient())
    parts = [concat(each[:cut]), concat(each[cut:])]
    for kind in headers(claims=True):
        whole = b"".join(map(bytes, csv_lines(records, kind, seed=SEED)))
        cut_lines = b"".join(bytes(block) for part in parts for block in csv_lines(part, kind, seed=SEED))
        if kind != "payers":
            assert whole == cut_lines, kind


def test_without_claims_costs_stay_empty(tmp_path: Path) -> None:
    records = without_claims(random_records(seed=5, n_patients=3))
    assert set(write_csv(records, tmp_path / "parts", shard=0, seed=SEED)) == set(headers(claims=False))
    path = join_csv(tmp_path / "parts", tmp_path / "csv")["encounters"]
    assert {row["TOTAL_CLAIM_COST"] for row in csv.DictReader(path.read_text().splitlines())} == {""}


@pytest.mark.parametrize("records", [Records({}), without_claims(random_records(seed=6))])
def test_nothing_to_claim(tmp_path: Path, records: Records) -> None:
    files = written(tmp_path, records)
    assert files["claims"] == files["claims_transactions"] == []
