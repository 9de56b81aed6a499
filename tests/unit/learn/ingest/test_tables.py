"""What columns of a table become: days in every form, joins, codes, units, values in parts."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trajsim.documents import Faults, Fields, parse_document
from trajsim.errors import DataFileError
from trajsim.learn.ingest.mapping import SourceMapping
from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows
from trajsim.learn.ingest.table_rules import read_tables
from trajsim.learn.ingest.tables import read_own_tables

PEOPLE = "{file: people.csv, patient: id, persons: {age_years: age}}"


def day(year: int, month: int, number: int) -> int:
    return (dt.date(year, month, number) - dt.date(1970, 1, 1)).days


def read(folder: Path, *tables: str, **files: str) -> ClinicalRows:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    faults = Faults("tables")
    document = parse_document("tables:\n" + "".join(f"  - {table}\n" for table in tables), name="tables")
    rules = read_tables(Fields(document, "$", faults))
    faults.require_none("tables")
    return read_own_tables(folder, SourceMapping(name="x", format="csv", tables=rules))


def test_days_in_every_form(tmp_path: Path) -> None:
    read_in = read(
        tmp_path,
        "{file: people.csv, patient: id, persons: {birth: {column: y, format: year, minus_years: age},"
        " entry: {column: d, format: date}, end: {column: x, format: decimal_year},"
        " death: {column: n, where: {dead: [1]}, plus_days: more}}}",
        "{file: rows.csv, patient: id, rows: [{kind: event, code: a, time: n}]}",
        people="id,y,age,d,x,n,dead,more\n1,2000,40,2001-02-03,2004.5,12000,1,3\n2,2000,,2001-02-03T23:59:59+02:00,,12000,0,3\n",
        rows="id,n\n1,7\n",
    )
    assert read_in.persons["birth"].tolist() == [day(1960, 7, 2), NO_DAY]
    assert read_in.persons["entry"].tolist() == [day(2001, 2, 3), day(2001, 2, 3)]
    assert read_in.persons["end"].tolist() == [day(2004, 7, 2), NO_DAY]
    assert read_in.persons["death"].tolist() == [12003, NO_DAY]
    assert read_in.faults == ()


def test_an_order_in_place_of_time(tmp_path: Path) -> None:
    order = "column: visit, format: order, gap_column: next, gaps: {soon: 10, late: 100}"
    read_in = read(
        tmp_path,
        f"{{file: visits.csv, patient: id, time: {{{order}}}, persons: {{age_years: age, ages: {{old: 80, young: 20}},"
        f" end: {{{order}, is_after_gap: true}}, several: last}}, rows: [{{kind: event, code_column: code}}]}}",
        visits="id,visit,next,age,code\n1,9,late,old,c\n1,5,soon,young,b\n2,7,late,old,d\n1,3,soon,young,a\n",
    )
    assert read_in.persons["patient_id"].tolist() == ["1", "2"]
    assert read_in.persons["birth"].tolist() == [-7305, -29220]
    assert read_in.persons["end"].tolist() == [120, 100]
    assert read_in.rows["day"].tolist() == [20, 10, 0, 0]


def test_a_column_of_its_own_for_every_lab_and_values_in_parts(tmp_path: Path) -> None:
    read_in = read(
        tmp_path,
        PEOPLE,
        "{file: visits.csv, patient: id, time: day, blanks: ['?'], rows: ["
        "{kind: lab, code: sys, value: bp, part: 0, unit: 'mm[Hg]'}, {kind: lab, code: dia, value: bp, part: 1},"
        "{kind: lab, code: smoking, text: smoke}, {kind: event, code: drug, where: {drug: [up, down]}}]}",
        people="id,age\n1,50.5\n",
        visits="id,day,bp,smoke,drug\n1,1,120/80,never,no\n1,2,?,,up\n1,3,130,?,down\n",
    )
    rows = read_in.rows.assign(code=read_in.concepts["code"].to_numpy()[read_in.rows["concept"]])
    found = [
        (code, at, None if np.isnan(value) else value, None if pd.isna(text) else text)
        for code, at, value, text in zip(rows["code"], rows["day"], rows["value"], rows["text"], strict=True)
    ]
    assert found == [
        ("sys", 1, 120, None), ("sys", 3, 130, None), ("dia", 1, 80, None), ("smoking", 1, None, "never"),
        ("drug", 2, None, None), ("drug", 3, None, None),
    ]  # fmt: skip
    assert rows["unit"].tolist()[:2] == ["mm[Hg]", "mm[Hg]"]
    assert rows["unit"].isna().tolist()[2:] == [True] * 4
    assert read_in.persons["birth"].tolist() == [-18445]


def test_an_empty_cell_of_a_column_of_codes_is_no_row(tmp_path: Path) -> None:
    read_in = read(
        tmp_path,
        PEOPLE,
        "{file: visits.csv, patient: id, time: day, blanks: [none], rows: [{kind: event, code_column: diagnosis}]}",
        people="id,age\n1,50\n",
        visits="id,day,diagnosis\n1,1,M10.9\n1,2,\n1,3,none\n",
    )
    assert read_in.rows["day"].tolist() == [1]
    assert read_in.concepts["code"].tolist() == ["M10.9"]


def test_columns_of_another_table(tmp_path: Path) -> None:
    tables = (
        PEOPLE,
        "{file: codes.csv, patient: id, join: {file: stays.csv, key: stay, columns: [out]},"
        " time: {column: out, format: date}, rows: [{kind: event, system: ICD9CM, code_column: code}]}",
    )
    files = {"people": "id,age\n1,50\n", "codes": "id,stay,code\n1,b,428\n1,x,410\n1,a,401\n"}
    read_in = read(tmp_path, *tables, stays="stay,out\na,1970-01-02\nb,1970-01-03\n", **files)
    assert read_in.rows["day"].tolist() == [2, NO_DAY, 1]
    with pytest.raises(DataFileError, match=r"stays\.csv: expected a column 'out', got 'stay'"):
        read(tmp_path, *tables, stays="stay\na\n", **files)


def test_parquet_in_its_types_and_ids_without_a_point(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": [1.0, 2.0], "when": pd.to_datetime(pd.Series(["1970-01-05", None])), "value": [3.5, np.nan]}
    )
    frame.to_parquet(tmp_path / "labs.parquet")
    read_in = read(
        tmp_path,
        PEOPLE,
        "{file: labs.parquet, patient: id, time: {column: when, format: date},"
        " rows: [{kind: lab, code_column: id, value: value}]}",
        people="id,age\n1,50\n2,60\n",
    )
    assert read_in.rows["patient"].tolist() == [0, 1]
    assert read_in.rows["day"].tolist() == [4, NO_DAY]
    assert read_in.concepts["code"].tolist() == ["1", "2"]


def test_what_is_no_day_is_a_fault(tmp_path: Path) -> None:
    read_in = read(
        tmp_path,
        "{file: people.csv, patient: id, persons: {birth: {column: b, format: year},"
        " entry: {column: d, format: date}}}",
        "{file: rows.csv, patient: id, time: {column: o, format: order, gap_column: g, gaps: {soon: 1}},"
        " rows: [{kind: event, code: a}]}",
        people="id,b,d\n1,19,2001-02-30\n",
        rows="id,o,g\n1,1,never\n",
    )
    assert read_in.faults == (
        "people.csv: column 'b': expected a year, got '19' in row 1",
        "people.csv: column 'd': expected a date YYYY-MM-DD, got '2001-02-30' in row 1",
        "rows.csv: column 'g': expected one of soon, got 'never' in row 1",
    )


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "labs.parquet").write_text("id,day\n")
    with pytest.raises(DataFileError, match=r"labs\.parquet: cannot be read"):
        read(
            tmp_path,
            PEOPLE,
            "{file: labs.parquet, patient: id, time: day, rows: [{kind: lab, code: a, value: v}]}",
            people="id,age\n1,50\n",
        )
