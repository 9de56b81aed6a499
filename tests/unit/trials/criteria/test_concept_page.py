"""The page on criteria: its definition reads and is clean, its table of rules is the table of rules."""

import re

from tests.meta.repository import ROOT, code_blocks
from trajsim.trials.criteria import describe
from trajsim.trials.criteria.findings import RULES
from trajsim.trials.criteria.lint import lint
from trajsim.trials.criteria.read import parse_criteria

PAGE = ROOT / "docs" / "concepts" / "criteria.md"


def test_the_definition_of_the_page_is_clean() -> None:
    (block,) = code_blocks(PAGE, "yaml")
    definition = parse_criteria(block.encode(), file="criteria.yaml")
    assert definition.rules[0].name == "40 to 75 years"
    assert [finding.rule for finding in lint(definition) if finding.severity != "info"] == []
    assert any("A1c" in line for line in describe(definition))


def test_the_page_lists_every_rule() -> None:
    rows = re.findall(r"^\| (CRT\d{3}) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == dict(RULES)
