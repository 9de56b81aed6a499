"""Lookup tables: ranges, order of rows, and faults by row."""

from pathlib import Path

import pytest

from trajsim.gmf.findings import Severity
from trajsim.gmf.model import LookupRow, LookupTable
from trajsim.gmf.tables import mismatch, parse_table


def table_of(text: str, n_targets: int = 2) -> LookupTable:
    table, findings = parse_table(text.encode(), name="t.csv", n_targets=n_targets, file=Path("t.csv"))
    assert table is not None, [finding.render() for finding in findings]
    return table


def faults_of(data: bytes, n_targets: int = 2) -> list[str]:
    table, findings = parse_table(data, name="t.csv", n_targets=n_targets, file=Path("t.csv"))
    assert table is None
    return [finding.render() for finding in findings if finding.severity is Severity.ERROR]


def test_last_columns_are_targets_and_the_rest_keys() -> None:
    table = table_of("\ufeffgender, state ,time,age,A,B\nF, Ohio ,0-10,0-17,0.25,0.75\n\n M,Ohio,5-9,18-99,1,0\n")
    assert table.key_columns == ("gender", "state")
    assert table.targets == ("A", "B")
    assert (table.has_age, table.has_time) == (True, True)
    assert table.rows == (
        LookupRow(("F", "Ohio"), 0, 17, 0, 10, (0.25, 0.75)),
        LookupRow(("M", "Ohio"), 18, 99, 5, 9, (1.0, 0.0)),
    )


def test_age_may_come_before_time_and_keys_may_be_absent() -> None:
    assert table_of("age,time,A,B\n0-17,1-2,1,0\n").rows == (LookupRow((), 0, 17, 1, 2, (1.0, 0.0)),)
    assert table_of("sex,A\nF,1\n", 1).rows == (LookupRow(("F",), None, None, None, None, (1.0,)),)


def test_dates_run_to_the_last_millisecond_of_the_second() -> None:
    row = table_of("time,A,B\n1970-01-02-1970-01-03,1,0\n").rows[0]
    assert (row.time_low, row.time_high) == (86_400_000, 3 * 86_400_000 - 1)


def test_row_that_contains_an_earlier_one_only_gives_it_its_values() -> None:
    table, findings = parse_table(
        b"sex,age,A,B\nF,10-20,1,0\nM,0-99,1,0\nF,0-99,0,1\nF,15-40,0.5,0.5\n",
        name="t.csv",
        n_targets=2,
        file=Path("t.csv"),
    )
    assert table is not None
    assert table.rows == (
        LookupRow(("F",), 10, 20, None, None, (0.0, 1.0)),
        LookupRow(("M",), 0, 99, None, None, (1.0, 0.0)),
        LookupRow(("F",), 15, 40, None, None, (0.5, 0.5)),
    )
    assert [(finding.rule, finding.path) for finding in findings] == [("GMF312", "row 4")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["t.csv: empty table: expected a header row [GMF205 error]"]),
        (b"A,B\n1,0\n", ["t.csv: row 1: 2 columns, but the state has 2 options"]),
        (b"k,A,A\nx,1,0\n", ["t.csv: row 1: column 'A' is given more than once"]),
        (b"k,A,B\nx,1\ny,1,0,0\n", ["t.csv: row 2: 2 cells, expected 3", "t.csv: row 3: 4 cells, expected 3"]),
        (b"age,A,B\n17,1,0\n", ["t.csv: row 2: age is '17': expected a range such as 46-65"]),
        (b"time,A,B\n2020-1-1,1,0\n", ["t.csv: row 2: time is '2020-1-1': expected a range such as 2020-01-01-2020"]),
        (b"time,A,B\n2020-13-01-2020-14-01,1,0\n", ["t.csv: row 2: time is '2020-13-01-2020-14-01'"]),
        (b"k,A,B\nx,high,nan\n", ["t.csv: row 2: the probability is 'high'", "t.csv: row 2: the probability is 'nan'"]),
        (b"k,A,B\n\xff,1,0\n", ["t.csv: not a CSV file in UTF-8"]),
        (b'k,A,B\n"x,1,0\n', ["t.csv: not a CSV file in UTF-8: unexpected end of data"]),
    ],
)
def test_faults_name_file_and_row(data: bytes, expected: list[str]) -> None:
    found = faults_of(data)
    assert len(found) == len(expected)
    assert all(line.startswith(words) for line, words in zip(found, expected, strict=True)), found


def test_targets_must_be_the_options() -> None:
    table = table_of("sex,A,B\nF,1,0\n")
    assert mismatch(table, ["B", "A"]) is None
    assert mismatch(table, ["A", "C"]) == (
        "the last 2 columns of table 't.csv' are 'A', 'B': 'B' is the target of no option, 'C' has no column"
    )
