"""Small made-up Records for criteria, and what criteria say of them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import yaml

from tests.unit.trials.recruitment.builders import DAY_US, ORIGIN, table
from trajsim.records import Records
from trajsim.records.schema import TABLES
from trajsim.trials.criteria import Definition, Reading, evaluate_records, parse_criteria

WORDS = {0: "false", 1: "true", 2: "unknown"}
CODES = "{dm: ['SNOMED-CT|44054006'], a1c: ['LOINC|4548-4'], met: ['RxNorm|860975']}"
"""Code sets that most tests share."""
DM, A1C, MET = ("SNOMED-CT", "44054006"), ("LOINC", "4548-4"), ("RxNorm", "860975")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table: whose, on which day of the trial, which code, and further columns."""

    person: int
    day: int
    code: tuple[str, str] = DM
    stop: int | None = None
    more: tuple[tuple[str, Any], ...] = ()


def noon(day: int) -> int:
    """Noon of a day of the trial, microseconds."""
    return (day + ORIGIN) * DAY_US + DAY_US // 2


def row(person: int, day: int, code: tuple[str, str] = DM, *, stop: int | None = None, **more: object) -> Row:
    """A row; further columns by name."""
    return Row(person=person, day=day, code=code, stop=stop, more=tuple(more.items()))


def records(
    n: int,
    *,
    born: int = -14_610,
    last: int = 1_000,
    people: Mapping[str, Sequence[Any]] | None = None,
    **tables: list[Row],
) -> Records:
    """Records of n people, numbered from 1, 40 years old at the start, with the rows of the tables that are named."""
    columns: dict[str, Any] = {
        "patient_id": range(1, n + 1),
        "birth_time": [noon(born)] * n,
        "last_time": [noon(last)] * n,
        "sex": ["F"] * n,
        "race": ["white"] * n,
        "ethnicity": ["nonhispanic"] * n,
        **(people or {}),
    }
    return Records({"patients": table("patients", columns, n), **{name: _table(name, tables[name]) for name in tables}})


def _table(name: str, rows: list[Row]) -> pa.Table:
    rows = sorted(rows, key=lambda each: each.person)  # within a person as they were given
    known = TABLES[name]
    columns: dict[str, Any] = {
        "patient_id": [each.person for each in rows],
        "row_key": range(1, len(rows) + 1),
        "time": [noon(each.day) for each in rows],
        "system": [each.code[0] for each in rows],
        "code": [each.code[1] for each in rows],
    }
    if "stop" in known:
        never = not known["stop"].nullable
        stops = [each.day if each.stop is None and never else each.stop for each in rows]
        columns["stop"] = [None if stop is None else noon(stop) for stop in stops]
    for column in sorted({column for each in rows for column, _ in each.more}):
        columns[column] = [dict(each.more).get(column, None if known[column].nullable else 0) for each in rows]
    return table(name, {column: columns[column] for column in columns if column in known}, len(rows))


def definition(rules: str, *, entry: str = "[{domain: condition, codes: dm}]", **more: str) -> Definition:
    """A definition whose rules are given in YAML; more parts by name, each in YAML as well."""
    return parse_criteria(text(rules, entry=entry, **more).encode())


def text(rules: str, *, entry: str = "[{domain: condition, codes: dm}]", sets: str = CODES, **more: str) -> str:
    """The same as text; sets that nothing uses are left out, so that the linter has nothing to say of them."""
    rest = "".join(f"{key}: {value}\n" for key, value in more.items())
    body = f"entry: {{any_of: {entry}}}\nrules: {rules}\n{rest}"
    used = {name: codes for name, codes in yaml.safe_load(sets).items() if name in body}
    return f"code_sets: {used}\n{body}"


def verdicts(criteria: Definition, data: Records, *, reading: Reading = Reading.SCREENING) -> list[list[str]]:
    """What every rule says of every candidate event, in words."""
    found = evaluate_records(criteria, data, reading=reading)
    return [[WORDS[int(each)] for each in column] for column in found.verdicts.T]


def said(event: str, data: Records, *, reading: Reading = Reading.SCREENING) -> list[str]:
    """What one rule of counted events says of every candidate event."""
    rule = f"[{{name: it, {event}}}]"
    return [each[0] for each in verdicts(definition(rule), data, reading=reading)]


def day(number: int) -> dt.date:
    """The date of a day of the trial."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=ORIGIN + number)
