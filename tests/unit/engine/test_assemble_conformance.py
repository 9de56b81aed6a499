"""What Java wrote into the record of a conformance case stands in Records, row by row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.cases import case_folders, cohort_of, live, read_case
from tests.conftest import SHARED
from trajsim.engine.assemble import Assembler
from trajsim.engine.reference import simulate_patient
from trajsim.records.invariants import check_records
from trajsim.records.table import Records
from trajsim.units import ms_from_iso

CASES = SHARED / "synthea" / "reference" / "conformance"
GROUPS = {
    "conditions": "conditions", "allergies": "allergies", "medications": "medications", "careplans": "careplans",
    "procedures": "procedures", "devices": "devices", "immunizations": "immunizations", "supplies": "supplies",
    "reports": "reports", "observations": "observations",
}  # fmt: skip
Row = dict[str, Any]


def _ms(row: Row, column: str, birth_ms: int) -> int | None:
    moment = row.get(column)
    return None if moment is None else round(moment.timestamp() * 1000) - birth_ms


def _codes(row: Row) -> list[str]:
    return [row["code"], *(code["code"] for code in json.loads(row["more_codes"] or "[]"))]


def _seen(row: Row, wanted: Row, birth_ms: int) -> Row:
    """A row of Records in the words of a case, as far as the case says something about it."""
    seen: Row = {"start": _ms(row, "time", birth_ms), "stop": _ms(row, "stop", birth_ms), "codes": _codes(row)}
    one_to_one = {
        "stop_reason": "stop_code", "chronic": "is_chronic", "administration": "is_administered",
        "quantity": "quantity", "allergy_type": "allergy_type", "category": "category", "unit": "unit",
        "class": "encounter_class",
        "made_by": "state", "discharge": "discharge_code",
    }  # fmt: skip
    seen |= {word: row[column] for word, column in one_to_one.items() if column in row}
    seen["reasons"] = [row["reason_code"]] if row.get("reason_code") else None
    seen["reason"] = row.get("reason_code")
    if "activities" in row:
        seen["activities"] = [code["code"] for code in json.loads(row["activities"] or "[]")]
    if "value_code" in row:
        values = [row[name] for name in ("numeric_value", "text_value", "value_code") if row[name] is not None]
        seen["value"] = values[0] if values else None
    return {word: seen[word] for word in wanted if word in seen}


def _expected(wanted: Row) -> Row:
    """What a case says, without what lies below the row; Java lists every reason, Records hold the first."""
    kept = {word: value for word, value in wanted.items() if not isinstance(value, list | dict) or word in _LISTS}
    if kept.get("reasons"):
        kept["reasons"] = kept["reasons"][:1]
    kept |= {"unit": kept["unit"] or None} if "unit" in kept else {}  # an empty text says as little as none
    if isinstance(kept.get("value"), bool):
        kept["value"] = str(kept["value"]).lower()
    return {word: value for word, value in kept.items() if word != "in_report"}


_LISTS = frozenset({"codes", "reasons", "activities"})


def _compare(records: Records, expected: list[Row], birth_ms: int) -> None:
    encounters = records["encounters"].to_pylist()
    assert [_seen(row, _expected(want), birth_ms) for row, want in zip(encounters, expected, strict=True)] == [
        _expected(want) for want in expected
    ]
    for encounter, want in zip(encounters, expected, strict=True):
        for group, table in GROUPS.items():
            rows = [row for row in records[table].to_pylist() if row["encounter_key"] == encounter["row_key"]]
            rows = [row for row in rows if not row.get("panel_key")]
            told = want.get(group) or []
            assert [_seen(row, _expected(each), birth_ms) for row, each in zip(rows, told, strict=True)] == [
                _expected(each) | ({} if "stop" in records[table].column_names else {"stop": None}) for each in told
            ], group


def _names() -> list[str]:
    return [folder.name for folder in case_folders(CASES)] if CASES.is_dir() else []


@pytest.mark.parametrize("name", _names())
def test_records_hold_what_java_recorded(name: str, shared: Path) -> None:
    case = read_case(shared / "synthea" / "reference" / "conformance" / name)
    if not case.is_exact or "encounters" not in case.expect:
        pytest.skip("the case says nothing about records")
    lived = live(case, simulate_patient)
    (life,) = lived.lives
    made = Assembler(lived.catalogue).assemble(
        life.events, np.array([0, len(life.events)]), cohort_of(case, 1), end_ms=ms_from_iso(case.run["end"])
    )
    assert check_records(made.records) == []
    _compare(made.records, case.expect["encounters"], life.birth_ms)
