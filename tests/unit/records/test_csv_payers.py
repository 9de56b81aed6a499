"""Payers in Synthea's CSV layout: who they are, whom they insured when, who paid for what; written and read back."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.unit.records.builders import random_records, with_column
from trajsim.errors import DataFileError
from trajsim.records.csv import clean, join_csv, write_csv
from trajsim.records.csv_layout import HEADERS
from trajsim.records.csv_read import read_synthea_csv
from trajsim.records.ids import patient_uuid, payer_uuid, row_uuid
from trajsim.records.invariants import check_records
from trajsim.records.table import Records

SEED = 7


def _records() -> Records:
    """Random Records in which nothing is known of the insurance of one patient."""
    records = random_records(seed=11, n_patients=8, max_rows=6)
    unknown = records["encounters"]["patient_id"][0]
    coverages = records["coverages"].filter(pc.not_equal(records["coverages"]["patient_id"], unknown))
    return Records({**records.tables, "coverages": coverages})


RECORDS = _records()
PATIENTS = (
    "Id,BIRTHDATE,DEATHDATE,FIRST,LAST,RACE,ETHNICITY,GENDER\n"
    "p,1980-01-02,,Ann,Bee,white,nonhispanic,F\nq,1990-01-02,2020-03-04,Bo,Cee,black,hispanic,M\n"
)
ENCOUNTERS = (
    "Id,START,STOP,PATIENT,ENCOUNTERCLASS,CODE,DESCRIPTION,REASONCODE,REASONDESCRIPTION\n"
    "e,2021-01-01T10:00:00Z,,p,ambulatory,185345009,Visit,,\n"
)
PAYERS = (
    "Id,NAME,OWNERSHIP\nm,Medicare,GOVERNMENT\nt,Somebody else,GOVERNMENT\nx,Acme,PRIVATE\n"
    "n,NO_INSURANCE,NO_INSURANCE\n"
)
TRANSITIONS = ",".join(HEADERS["payer_transitions"]) + "\n"


@pytest.fixture(name="cells", scope="module")
def cells_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The lines of the files that name payers, by file."""
    folder = tmp_path_factory.mktemp("csv")
    write_csv(RECORDS, folder / "parts", shard=0, seed=SEED)
    join_csv(folder / "parts", folder / "csv")
    found = {}
    for kind in ("payers", "payer_transitions", "encounters", "medications"):
        header, *lines = (folder / "csv" / f"{kind}.csv").read_text(encoding="utf-8").splitlines()
        found[kind] = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    return found


def test_every_payer_is_listed_once_with_who_owns_it(cells: dict[str, list[dict[str, str]]]) -> None:
    listed = {each["NAME"]: (each["Id"], each["OWNERSHIP"]) for each in cells["payers"]}
    owners = {
        "NO_INSURANCE": "NO_INSURANCE", "Medicare": "GOVERNMENT", "Dual Eligible": "GOVERNMENT",
        "Comma, Inc": "PRIVATE", "ümlaut ß": "PRIVATE",
    }  # fmt: skip
    assert listed == {
        clean(name): (id_, owners[name])
        for name, id_ in zip(owners, payer_uuid(SEED, list(owners)).to_pylist(), strict=True)
    }


def test_ids_of_payers_depend_on_name_and_seed_alone() -> None:
    first, second = payer_uuid(1, ["Medicare", "Acme"]).to_pylist()
    assert payer_uuid(1, ["Acme"]).to_pylist() == [second]
    assert len({first, second, *payer_uuid(2, ["Medicare", "Acme"]).to_pylist()}) == 4
    assert payer_uuid(1, ["Medicare"]).to_pylist() == ["a89de0c3-af3f-8d20-8659-757a48564627"]


def test_a_coverage_is_a_line(cells: dict[str, list[dict[str, str]]]) -> None:
    people = {row["patient_id"]: row for row in RECORDS["patients"].to_pylist()}
    rows = RECORDS["coverages"].to_pylist()
    assert len(rows) > 10
    for each, row in zip(cells["payer_transitions"], rows, strict=True):
        person = people[row["patient_id"]]
        assert each["PATIENT"] == patient_uuid(SEED, [row["patient_id"]])[0].as_py()
        assert each["PAYER"] == payer_uuid(SEED, [row["payer"] or "NO_INSURANCE"])[0].as_py()
        assert each["START_DATE"] == row["time"].strftime("%Y-%m-%dT%H:%M:%SZ")
        assert each["END_DATE"] == ("" if row["stop"] is None else row["stop"].strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert each["SECONDARY_PAYER"] == ""
        member, owner, name = "", "", ""
        if row["kind"] != "none":
            member = row_uuid(SEED, [row["patient_id"]], [row["row_key"]])[0].as_py()
            owner = "Self" if _age(person["birth_time"], row["time"]) >= 18 else "Guardian"
        if owner == "Self":
            name = clean(" ".join((person["given_name"] or "", person["family_name"] or "")).strip())
        assert (each["MEMBERID"], each["PLAN_OWNERSHIP"], each["OWNER_NAME"]) == (member, owner, name)
    assert {each["PLAN_OWNERSHIP"] for each in cells["payer_transitions"]} == {"", "Self", "Guardian"}


def _age(birth: dt.datetime, time: dt.datetime) -> int:
    return time.year - birth.year - ((time.month, time.day) < (birth.month, birth.day))


@pytest.mark.parametrize("table", ["encounters", "medications"])
def test_the_payer_is_the_one_in_force_when_it_began(cells: dict[str, list[dict[str, str]]], table: str) -> None:
    coverages = RECORDS["coverages"].to_pylist()
    n_paid = 0
    for each, row in zip(cells[table], RECORDS[table].to_pylist(), strict=True):
        own = [cover for cover in coverages if cover["patient_id"] == row["patient_id"]]
        begun = [cover for cover in own if cover["time"] <= row["time"]]
        wanted = payer_uuid(SEED, [begun[-1]["payer"] or "NO_INSURANCE"])[0].as_py() if begun else ""
        assert each["PAYER"] == wanted
        n_paid += bool(begun)
    assert 0 < n_paid < len(cells[table])


def test_without_coverages_nobody_pays(tmp_path: Path) -> None:
    records = Records({name: table for name, table in RECORDS.tables.items() if name != "coverages"})
    write_csv(records, tmp_path / "parts", shard=0, seed=SEED)
    whole = join_csv(tmp_path / "parts", tmp_path / "csv")
    for kind in ("payers", "payer_transitions"):
        assert whole[kind].read_text() == ",".join(HEADERS[kind]) + "\n"
    assert read_synthea_csv(tmp_path / "csv")["coverages"].num_rows == 0


def test_kinds_are_read_back_but_for_the_marketplace(tmp_path: Path) -> None:
    write_csv(RECORDS, tmp_path / "parts", shard=0, seed=SEED)
    join_csv(tmp_path / "parts", tmp_path / "csv")
    again = read_synthea_csv(tmp_path / "csv")
    kinds = [row["kind"] for row in RECORDS["coverages"].to_pylist()]
    assert again["coverages"]["kind"].to_pylist() == ["private" if kind == "aca" else kind for kind in kinds]
    assert again["coverages"]["plan"].null_count == len(kinds)


def _read(tmp_path: Path, transitions: str, payers: str | None = PAYERS) -> list[dict[str, Any]]:
    files = {"patients": PATIENTS, "encounters": ENCOUNTERS, "payer_transitions": transitions, "payers": payers}
    for name, text in files.items():
        if text is not None:
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    records = read_synthea_csv(tmp_path)
    assert check_records(records) == []
    rows: list[dict[str, Any]] = records["coverages"].to_pylist()
    return rows


def test_a_coverage_ends_with_the_life_or_is_in_force(tmp_path: Path) -> None:
    text = TRANSITIONS + (
        "p,,2019-01-02T01:00:00Z,2021-01-01T09:00:00Z,n,,,\n"
        "q,7,2019-01-02T02:00:00Z,2021-01-02T02:00:00Z,t,,Self,Bo Cee\n"
        "p,8,2021-01-01T09:00:00Z,2022-01-02T01:00:00Z,x,,Self,Ann Bee\n"
    )
    first, second, third = _read(tmp_path, text)
    assert [row["payer"] for row in (first, second, third)] == [None, "Acme", "Somebody else"]
    assert [row["kind"] for row in (first, second, third)] == ["none", "private", "other"]
    assert first["stop"] == second["time"]
    assert second["stop"] is None
    assert third["stop"].isoformat() == "2020-03-04T23:59:59.999999+00:00"


def test_a_coverage_without_an_end_goes_on(tmp_path: Path) -> None:
    text = TRANSITIONS + "p,,2019-01-02T01:00:00Z,,m,,Self,\nq,,2019-01-02T01:00:00Z,,m,,Self,\n"
    first, second = _read(tmp_path, text)
    assert (first["kind"], first["stop"]) == ("medicare", None)
    assert second["stop"].date() == dt.date(2020, 3, 4)


def test_years_of_older_versions_are_passed_over(tmp_path: Path) -> None:
    old = "PATIENT,MEMBERID,START_YEAR,END_YEAR,PAYER,SECONDARY_PAYER,OWNERSHIP,OWNERNAME\np,,2019,2020,m,,Self,\n"
    assert _read(tmp_path, old, payers="Id,NAME,ADDRESS\nm,Medicare,\n") == []


def test_a_payer_that_is_not_listed_is_named(tmp_path: Path) -> None:
    text = TRANSITIONS + "p,,2019-01-02T01:00:00Z,,z,,Self,\n"
    with pytest.raises(DataFileError, match=r"payer_transitions.csv: column 'PAYER': no payer 'z' in row 1"):
        _read(tmp_path, text)
    (tmp_path / "payers.csv").unlink()
    with pytest.raises(DataFileError, match=r"payer_transitions.csv: column 'PAYER': no payer 'z' in row 1"):
        _read(tmp_path, text, payers=None)


def test_a_line_without_a_payer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataFileError, match=r"payer_transitions.csv: column 'PAYER': expected a value, got '' in row 1"
    ):
        _read(tmp_path, TRANSITIONS + "p,,2019-01-02T01:00:00Z,,,,Self,\n")


def test_a_payer_stands_once_in_the_whole_file(tmp_path: Path) -> None:
    for shard, records in enumerate(RECORDS.by_patient()):
        write_csv(records, tmp_path / "parts", shard=shard, seed=SEED)
    lines = join_csv(tmp_path / "parts", tmp_path / "csv")["payers"].read_bytes().splitlines()
    assert len(lines) == len(set(lines)) == 6


def test_a_name_that_is_unknown_leaves_the_owner_empty(tmp_path: Path) -> None:
    n = RECORDS.n_patients
    nameless = RECORDS
    for column in ("given_name", "family_name"):
        nameless = with_column(nameless, "patients", column, pa.nulls(n, pa.string()))
    write_csv(nameless, tmp_path, shard=0, seed=SEED)
    lines = (tmp_path / "payer_transitions" / "part-00000000.csv").read_text().splitlines()
    assert all(line.endswith(",") for line in lines)


def test_payers_of_synthea_are_those_that_it_wrote(shared: Path, tmp_path: Path) -> None:
    source = shared / "synthea" / "reference" / "sample" / "csv"
    write_csv(read_synthea_csv(source), tmp_path / "parts", shard=0, seed=SEED)
    ours = join_csv(tmp_path / "parts", tmp_path / "csv")
    names = [
        pd.read_csv(path, dtype=str).set_index("Id")["NAME"] for path in (ours["payers"], source / "payers.csv.gz")
    ]
    for kind in ("encounters", "medications"):
        both = [pd.read_csv(path, dtype=str) for path in (ours[kind], source / f"{kind}.csv.gz")]
        made, theirs = (each["PAYER"].map(name) for each, name in zip(both, names, strict=True))
        is_known = made.notna()
        assert (made[is_known] == theirs[is_known]).all()
        assert is_known[both[0]["START"] >= "1970"].all()  # Synthea lists no insurance of earlier years
        assert is_known.sum() > 500
