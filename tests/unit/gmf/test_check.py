"""Checks as a whole: all findings, sorted, in reasonable time; and rules where a page is not enough."""

import os
import time
from pathlib import Path

import pytest

from trajsim.errors import ConfigError
from trajsim.gmf.check import check_errors_only, check_files, check_modules, modules_root_of
from trajsim.gmf.findings import Finding, Severity, did_you_mean, near_names, sort_findings
from trajsim.testing.modules import Json, module_json, write_modules

ROOT = Path(__file__).resolve().parents[3]
STOCK = Path(os.environ.get("TRAJSIM_SHARED", ROOT.parent / "shared")) / "synthea" / "modules"
CODE: Json = {"system": "SNOMED-CT", "code": "230690007", "display": "Stroke"}
YEAR: Json = {"quantity": 1, "unit": "years"}


def rules_of(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


def check(root: Path, files: dict[str, Json | str]) -> list[Finding]:
    return check_modules(write_modules(root, files))


def test_faulty_files_do_not_hide_findings_of_sound_ones(tmp_path: Path) -> None:
    spin = module_json({"A": {"type": "Simple", "direct_transition": "A"}})
    findings = check(tmp_path, {"broken.json": "{", "spin.json": spin})
    assert rules_of(findings) == ["GMF101", "GMF602", "GMF501", "GMF502"]
    assert [finding.severity for finding in findings] == ["error", "warning", "warning", "info"]


def test_only_rules_about_whole_sets_are_silent_where_a_file_is_faulty(tmp_path: Path) -> None:
    reader = module_json(
        {
            "Look": {
                "type": "Guard",
                "allow": {"condition_type": "Attribute", "attribute": "x", "operator": "is not nil"},
                "direct_transition": "End",
            }
        }
    )
    assert "GMF703" in rules_of(check(tmp_path / "one", {"reader.json": reader}))
    writer = module_json({"Write": {"type": "SetAttribut", "attribute": "x", "value": 1, "direct_transition": "End"}})
    assert "GMF703" not in rules_of(check(tmp_path / "two", {"reader.json": reader, "writer.json": writer}))


def test_errors_only_are_the_errors_of_the_full_check(tmp_path: Path) -> None:
    files: dict[str, Json | str] = {
        "a.json": module_json({"It": {"type": "Simple", "direct_transition": "Gone"}, "B": {"type": "Simple"}}),
        "b.json": module_json({"C": {"type": "CallSubmodule", "submodule": "x/y", "direct_transition": "End"}}),
    }
    root = write_modules(tmp_path, files)
    fast = check_errors_only(root)
    assert rules_of(fast) == ["GMF108", "GMF201", "GMF202"]
    assert fast == [finding for finding in check_modules(root) if finding.severity is Severity.ERROR]


def test_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        check_modules(tmp_path / "nowhere")


def test_single_files_are_checked_in_their_folder(tmp_path: Path) -> None:
    sub = module_json({"A": {"type": "Simple", "direct_transition": "Gone"}}, name="Sub")
    main = module_json({"C": {"type": "CallSubmodule", "submodule": "s/sub", "direct_transition": "End"}})
    root = write_modules(tmp_path / "modules", {"main.json": main, "s/sub.json": sub})
    assert check_files([root / "main.json"]) == []
    assert rules_of(check_files([root / "s" / "sub.json"])) == ["GMF201"]
    assert modules_root_of(root / "s" / "sub.json") == root
    with pytest.raises(ConfigError, match="does not exist"):
        check_files([root / "gone.json"])


def test_file_outside_any_modules_folder_is_checked_in_its_own(tmp_path: Path) -> None:
    root = write_modules(tmp_path / "files", {"a.json": module_json({})})
    assert modules_root_of(root / "a.json") == root.resolve()


def test_expressions_read_attributes_but_no_vital_signs(tmp_path: Path) -> None:
    sums: Json = {"type": "SetAttribute", "attribute": "y", "direct_transition": "Use"}
    use: Json = {"type": "SetAttribute", "attribute": "x", "expression": "#{y}", "direct_transition": "End"}
    states = {"Sum": {**sums, "expression": "#{x} + #{BMI} + #{age}"}, "Use": use}
    assert rules_of(check(tmp_path / "one", {"a.json": module_json(states)})) == []
    states["Sum"]["expression"] = "#{z}"
    found = check(tmp_path / "two", {"a.json": module_json(states)})
    assert [(f.rule, f.path) for f in found] == [
        ("GMF703", "$.states['Sum'].expression"),
        ("GMF704", "$.states['Use']"),
    ]


def test_target_encounter_may_lie_in_a_caller(tmp_path: Path) -> None:
    onset: Json = {"type": "ConditionOnset", "codes": [CODE], "target_encounter": "Visit", "direct_transition": "End"}
    code = {"system": "SNOMED-CT", "code": "185349003", "display": "Encounter for check up"}
    caller = module_json(
        {
            "Call": {"type": "CallSubmodule", "submodule": "s/sub", "direct_transition": "Visit"},
            "Visit": {"type": "Encounter", "codes": [code], "direct_transition": "Leave"},
            "Leave": {"type": "EncounterEnd", "direct_transition": "End"},
        }
    )
    files: dict[str, Json | str] = {"a.json": caller, "s/sub.json": module_json({"Onset": onset}, name="Sub")}
    assert rules_of(check(tmp_path / "one", files)) == []
    apart = module_json(
        {
            "Onset": onset,
            "Visit": {"type": "Encounter", "codes": [code], "direct_transition": "Leave"},
            "Leave": {"type": "EncounterEnd", "direct_transition": "End"},
        }
    )
    assert "GMF208" in rules_of(check(tmp_path / "two", {"a.json": apart}))


def test_end_by_name_of_another_type_or_module(tmp_path: Path) -> None:
    end: Json = {"type": "ConditionEnd", "condition_onset": "Stroke", "direct_transition": "End"}
    drug: Json = {"type": "MedicationOrder", "codes": [CODE], "direct_transition": "Over"}
    onset: Json = {"type": "ConditionOnset", "codes": [CODE], "direct_transition": "End"}
    wrong = check(tmp_path / "one", {"a.json": module_json({"Stroke": drug, "Over": end})})
    assert [f.message for f in wrong if f.rule == "GMF207"] == ["state 'Stroke' is no ConditionOnset"]
    elsewhere: dict[str, Json | str] = {
        "a.json": module_json({"Over": end}),
        "b.json": module_json({"Stroke": onset}, name="B"),
    }
    found = [f.message for f in check(tmp_path / "two", elsewhere) if f.rule == "GMF207"]
    assert found == ["no ConditionOnset 'Stroke' in this module; the one in 'b' may be ended instead"]


def test_only_the_calls_on_a_circle_are_faults(tmp_path: Path) -> None:
    call: Json = {"type": "CallSubmodule", "direct_transition": "End"}
    both = module_json(
        {
            "Back": {**call, "submodule": "s/one", "direct_transition": "Other"},
            "Other": {**call, "submodule": "s/two"},
        },
        name="One",
    )
    files: dict[str, Json | str] = {
        "a.json": module_json({"Call": {**call, "submodule": "s/one"}}),
        "s/one.json": both,
        "s/two.json": module_json({}, name="Two"),
    }
    found = [f.path for f in check(tmp_path, files) if f.rule == "GMF210"]
    assert found == ["$.states['Back'].submodule"]


def test_submodule_that_ends_the_visit_counts_as_encounter_end(tmp_path: Path) -> None:
    caller = module_json(
        {
            "Visit": {"type": "Encounter", "wellness": True, "direct_transition": "Close"},
            "Close": {"type": "CallSubmodule", "submodule": "s/close", "direct_transition": "Wait"},
            "Wait": {"type": "Delay", "exact": YEAR, "direct_transition": "Visit"},
        }
    )
    closer = module_json({"Leave": {"type": "EncounterEnd", "direct_transition": "End"}}, name="Close")
    assert "GMF603" not in rules_of(check(tmp_path / "one", {"a.json": caller, "s/close.json": closer}))
    idle = module_json({}, name="Close")
    assert "GMF603" in rules_of(check(tmp_path / "two", {"a.json": caller, "s/close.json": idle}))


def options(*chances: object) -> Json:
    return module_json(
        {
            "Pick": {
                "type": "Simple",
                "distributed_transition": [{"transition": "End", "distribution": chance} for chance in chances],
            }
        }
    )


@pytest.mark.parametrize(
    ("chances", "rules"),
    [
        ((0.1, 0.2, 0.7), []),
        ((1.0, 0.0), []),
        ((0.5, {"attribute": "income_level", "default": 0.9}), []),
        ((1.0, 0.5), ["GMF302", "GMF306"]),
        (({"attribute": "income_level", "default": 1.5}, 0.5), ["GMF303"]),
    ],
)
def test_sums_of_probabilities(tmp_path: Path, chances: tuple[object, ...], rules: list[str]) -> None:
    assert rules_of(check(tmp_path, {"a.json": options(*chances)})) == rules


@pytest.mark.parametrize(
    ("distribution", "fires"),
    [
        ({"kind": "UNIFORM", "parameters": {"low": 5, "high": 1}}, True),
        ({"kind": "GAUSSIAN", "parameters": {"mean": 5, "standardDeviation": -1}}, True),
        ({"kind": "GAUSSIAN", "parameters": {"mean": 5, "standardDeviation": 1, "min": 9, "max": 1}}, True),
        ({"kind": "EXPONENTIAL", "parameters": {"mean": 0}}, True),
        ({"kind": "TRIANGULAR", "parameters": {"min": 1, "mode": 9, "max": 5}}, True),
        ({"kind": "TRIANGULAR", "parameters": {"min": 1, "mode": 3, "max": 5}}, False),
        ({"kind": "GAUSSIAN", "parameters": {"mean": 5, "standardDeviation": 1}}, False),
    ],
)
def test_impossible_parameters(tmp_path: Path, distribution: Json, fires: bool) -> None:  # noqa: FBT001 - a parameter
    state: Json = {"type": "Delay", "distribution": distribution, "unit": "days", "direct_transition": "End"}
    assert ("GMF308" in rules_of(check(tmp_path, {"a.json": module_json({"Wait": state})}))) is fires


@pytest.mark.parametrize(
    ("parameters", "kind", "is_rounded", "fires"),
    [
        ({"value": 0.5}, "EXACT", False, True),
        ({"value": 1.5}, "EXACT", False, True),
        ({"value": 0.5}, "EXACT", True, False),
        ({"value": 0}, "EXACT", False, False),
        ({"value": 2}, "EXACT", False, False),
        ({"low": 0, "high": 0.4}, "UNIFORM", True, False),
        ({"low": 0, "high": 0.4}, "UNIFORM", False, True),
    ],
)
def test_delays_cut_to_whole_units(
    tmp_path: Path,
    parameters: Json,
    kind: str,
    is_rounded: bool,  # noqa: FBT001 - a parameter of the test
    fires: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    distribution = {"kind": kind, "parameters": parameters, "round": is_rounded}
    state: Json = {"type": "Delay", "distribution": distribution, "unit": "years", "direct_transition": "End"}
    assert ("GMF604" in rules_of(check(tmp_path, {"a.json": module_json({"Wait": state})}))) is fires


def test_wait_of_a_gaussian_is_not_bounded_and_a_code_needs_no_display(tmp_path: Path) -> None:
    gauss = {"kind": "GAUSSIAN", "parameters": {"mean": 1, "standardDeviation": 5}}
    bare = {"system": "SNOMED-CT", "code": "230690007"}
    states: dict[str, Json] = {
        "Wait": {"type": "Delay", "distribution": gauss, "unit": "days", "direct_transition": "Onset"},
        "Onset": {"type": "ConditionOnset", "codes": [bare], "direct_transition": "Later"},
        "Later": {"type": "Delay", "exact": {"quantity": -1, "unit": "days"}, "direct_transition": "End"},
    }
    assert rules_of(check(tmp_path, {"a.json": module_json(states)})) == ["GMF606"]


@pytest.mark.parametrize(
    "condition",
    [
        {"condition_type": "Socioeconomic Status", "category": "high"},
        {"condition_type": "At Least", "minimum": 2, "conditions": [{"condition_type": "True"}]},
        {"condition_type": "Or", "conditions": []},
    ],
)
def test_conditions_that_never_change(tmp_path: Path, condition: Json) -> None:
    guard: Json = {"type": "Guard", "allow": condition, "direct_transition": "End"}
    assert rules_of(check(tmp_path, {"a.json": module_json({"Wait": guard})})) == ["GMF504"]


@pytest.mark.skipif(not STOCK.is_dir(), reason="Synthea's modules are not here (TRAJSIM_SHARED)")
def test_stock_modules_have_no_error_and_known_warnings() -> None:
    begin = time.perf_counter()
    findings = check_modules(STOCK)
    assert time.perf_counter() - begin < 60.0
    assert [finding.render() for finding in findings if finding.severity is Severity.ERROR] == []
    counts = {rule: rules_of(findings).count(rule) for rule in ("GMF305", "GMF503", "GMF601", "GMF602", "GMF209")}
    assert counts == {"GMF305": 225, "GMF503": 7, "GMF601": 9, "GMF602": 0, "GMF209": 1}


def test_findings_are_sorted_and_without_duplicates() -> None:
    one = Finding(rule="GMF302", severity=Severity.WARNING, file="a", path="$.x", message="m")
    two = Finding(rule="GMF101", severity=Severity.ERROR, file="b", path="", message="m", hint="h")
    assert sort_findings([one, two, one]) == [two, one]
    assert two.render() == "b: m (h) [GMF101 error]"


def test_near_names_disregard_case() -> None:
    assert near_names("copd onsett", ["COPD Onset", "Other"]) == ["COPD Onset"]
    assert did_you_mean("zzz", ["COPD Onset"]) == ""
