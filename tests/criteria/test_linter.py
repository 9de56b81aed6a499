"""The linter against the reference checker: whatever it calls critical is a finding of ours too."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import SHARED
from tests.criteria.cases import CaseError, case_folders
from trajsim.trials.criteria.lint import lint_circe

RULES: Mapping[str, str] = {
    "concept_set_empty": "CRT202",
    "date_invalid": "CRT105",
    "no_primary_criteria": "CRT201",
    "range_end_missing": "CRT302",
    "range_reversed": "CRT303",
    "range_start_missing": "CRT301",
    "range_start_negative": "CRT304",
    "rule_incomplete": "CRT504",
    "value_missing": "CRT305",
    "window_negative": "CRT402",
}
"""Our rule for what the checker calls critical."""

_VALUES = frozenset({"CRT301", "CRT302", "CRT303", "CRT304", "CRT305"})
CHECKS: Mapping[str, frozenset[str]] = {
    "additional_criteria_check_value": _VALUES,
    "censoring_event_check_value": _VALUES,
    "concept_set_criteria_check": frozenset({"CRT207"}),
    "contradictions_criteria_check": frozenset({"CRT501"}),
    "death_time_window_check": frozenset({"CRT404"}),
    "drug_domain_check": frozenset({"CRT507"}),
    "duplicates_concept_set_check": frozenset({"CRT205"}),
    "duplicates_criteria_check": frozenset({"CRT502"}),
    "empty_demographic_check": frozenset({"CRT306"}),
    "events_progression_check": frozenset({"CRT505"}),
    "inclusion_rules_check_value": _VALUES,
    "primary_criteria_check_value": _VALUES,
    "unused_concept_set": frozenset({"CRT203"}),
}
"""Our rules that say what a check of the checker says: its `correct` file is silent, its `incorrect` one is not."""

# The checker repeats itself for each end of a window; ours says it once for the window.
_ONCE_A_WINDOW = "window_negative"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a folder with findings; folders that were asked for and hold none are no fault here."""
    chosen = metafunc.config.getoption("cases")
    root = Path(chosen) if chosen else SHARED / "trials" / "circe_checks"
    try:
        folders = case_folders(root, "findings.json")
    except CaseError:
        folders = []
    parameters = [pytest.param(path, id=path.name) for path in folders]
    if not parameters:
        skip = pytest.mark.skip(reason=f"no findings of the reference checker below {root}")
        parameters = [pytest.param(root, id="none", marks=skip)]
    metafunc.parametrize("folder", parameters)


def test_what_the_checker_calls_critical_is_a_finding(folder: Path) -> None:
    expected = json.loads((folder / "findings.json").read_bytes())
    critical = Counter(each["code"] for each in expected.get("findings", ()) if each["severity"] == "critical")
    found = lint_circe((folder / "expression.json").read_bytes())
    ours = Counter(each.rule for each in found)
    if "error" in expected:  # the checker falls over; we say why
        assert any(each.severity == "error" for each in found)
    for code, n in critical.items():
        assert ours[RULES[code]] >= (1 if code == _ONCE_A_WINDOW else n), (code, ours)
    assert all(each.path.startswith("$") for each in found)


def test_a_file_made_for_one_check_is_correct_or_incorrect_for_ours(folder: Path) -> None:
    name, mark, kind = folder.name.rpartition("_")
    if not mark or kind not in {"correct", "incorrect"} or name not in CHECKS:
        pytest.skip("made for no check, or for one that has no rule of ours")
    said = {each.rule for each in lint_circe((folder / "expression.json").read_bytes())} & CHECKS[name]
    assert bool(said) == (kind == "incorrect"), said
