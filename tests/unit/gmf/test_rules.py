"""Every rule has a page, and the page tells the truth: its fault fires the rule, its cure does not."""

import re
from pathlib import Path

import pytest

from trajsim.gmf.check import RULES, check_modules
from trajsim.gmf.findings import Finding, Severity

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "docs" / "rules"
_BLOCK = re.compile(r"^`([^`\n]+)`:\n\n```(?:json|csv)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_SAYS = re.compile(r"`trajsim check` says:\n\n```text\n(.*?)\n```", re.DOTALL)

rule_ids = pytest.mark.parametrize("rule_id", sorted(RULES))


def page_parts(rule_id: str) -> tuple[str, str, str]:
    """Head, fault and cure of a page."""
    text = (PAGES / f"{rule_id}.md").read_text(encoding="utf-8")
    head, rest = text.split("\n## A fault\n")
    fault, cure = rest.split("\n## The cure\n")
    return head, fault, cure


def run_example(part: str, folder: Path) -> list[Finding]:
    files = _BLOCK.findall(part)
    assert files, "a part of the page holds no file"
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return check_modules(folder)


@rule_ids
def test_page_states_what_the_rule_says(rule_id: str) -> None:
    rule = RULES[rule_id]
    head, _, cure = page_parts(rule_id)
    assert head.startswith(f"# {rule_id}: {rule.title}\n\nSeverity: **{rule.severity}**\n")
    assert rule.why in head
    assert rule.cure in cure


@rule_ids
def test_fault_of_the_page_fires(rule_id: str, tmp_path: Path) -> None:
    _, fault, _ = page_parts(rule_id)
    findings = run_example(fault, tmp_path)
    fired = [finding for finding in findings if finding.rule == rule_id]
    shown = _SAYS.search(fault)
    assert shown is not None
    assert [f.render().removeprefix(f"{tmp_path}/") for f in fired] == shown[1].splitlines()
    assert {f.severity for f in fired} == {RULES[rule_id].severity}
    if RULES[rule_id].severity is not Severity.ERROR:
        assert not [f.render() for f in findings if f.severity is Severity.ERROR]


@rule_ids
def test_cure_of_the_page_is_silent(rule_id: str, tmp_path: Path) -> None:
    _, _, cure = page_parts(rule_id)
    findings = run_example(cure, tmp_path)
    assert [f.render() for f in findings if f.rule == rule_id or f.severity is Severity.ERROR] == []


def test_index_lists_every_rule_and_no_other() -> None:
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(GMF\d+)\]\((GMF\d+)\.md\) \| (\w+) \| (.*) \|$", index, re.MULTILINE)
    assert listed == [
        (rule.id, rule.id, rule.severity, rule.title) for rule in sorted(RULES.values(), key=lambda r: r.id)
    ]
    assert sorted(path.stem for path in PAGES.glob("GMF*.md")) == sorted(RULES)


def test_ids_are_unique_and_in_their_family() -> None:
    assert all(re.fullmatch(r"GMF[1-7]\d\d", rule_id) for rule_id in RULES)
    assert len({rule.title for rule in RULES.values()}) == len(RULES)
