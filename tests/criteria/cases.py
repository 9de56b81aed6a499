"""Criteria cases: reading them, evaluating them, and what came out in the shape of what they expect."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from trajsim.trials.criteria import CriteriaError, OmopSource, Reading, evaluate, import_circe


class CaseError(ValueError):
    """A folder that holds no case."""


def case_folders(root: Path, file: str) -> list[Path]:
    """The folders at or below a folder that hold that file beside an expression.

    Raises:
        CaseError: There is no such folder.
    """
    if not root.is_dir():
        msg = f"no folder {root}"
        raise CaseError(msg)
    return sorted(path.parent for path in root.rglob("expression.json") if (path.parent / file).is_file())


def expected_answer(folder: Path) -> dict[str, Any]:
    """What a case expects; statistics of the calendar as one mapping."""
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_bytes())
    unknown = set(expected) - {"cohort", "inclusion_result", "censor_stats", "error"}
    if unknown or not expected:
        msg = f"{folder.name}: expected.json holds {sorted(expected)}"
        raise CaseError(msg)
    statistics = expected.get("censor_stats")
    if isinstance(statistics, list):
        expected["censor_stats"] = statistics[0]
    return expected


def answer(folder: Path) -> dict[str, Any]:
    """What we answer to a case under Circe's reading: in the case's own words, or `error` with all findings."""
    tables = json.loads((folder / "cdm.json").read_bytes())
    try:
        definition = import_circe((folder / "expression.json").read_bytes(), file=f"{folder.name}/expression.json")
        source = OmopSource({name: pd.DataFrame(rows) for name, rows in tables.items()})
        result = evaluate(definition, source, reading=Reading.CIRCE)
    except CriteriaError as error:
        return {"error": str(error)}
    found: dict[str, Any] = {
        "cohort": [
            {"subject_id": int(patient), "cohort_start_date": str(start)[:10], "cohort_end_date": str(end)[:10]}
            for patient, start, end, _ in result.cohort().itertuples(index=False)
        ]
    }
    if definition.rules:
        found["inclusion_result"] = [
            {"mask": int(mask), "person_count": int(n), "mode_id": mode}
            for mode, counts in ((0, result.mask_counts("event")), (1, result.mask_counts("patient")))
            for mask, n in counts.itertuples(index=False)
        ]
    if result.n_lost is not None:
        found["censor_stats"] = {"lost_count": result.n_lost}
    return found
