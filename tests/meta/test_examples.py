"""Code in pages runs; commands in pages have the options that they name."""

import json
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from tests.meta.repository import ROOT, code_blocks
from trajsim.cli.app import app, main
from trajsim.gmf.check import check_modules

GUIDES = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", *GUIDES]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = list(code_blocks(ROOT / "README.md", "python"))
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
    assert len(list((tmp_path / "bundles").glob("*.json"))) == 1000


@pytest.mark.parametrize("page", GUIDES, ids=_name)
def test_the_python_of_a_page_can_be_compiled(page: Path) -> None:
    for block in code_blocks(page, "python"):
        compile(block, str(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_of_a_page_are_commands_of_trajsim(page: Path) -> None:
    group = typer.main.get_command(app)
    lines = [
        line for language in ("sh", "text") for block in code_blocks(page, language) for line in block.splitlines()
    ]
    for line in lines:
        words = line.removeprefix("$ ").rpartition("&& .venv/bin/")[2]
        if words.startswith("trajsim ") and not words.startswith("trajsim check says"):
            verb, *arguments = shlex.split(words)[1:]
            command = group.commands[verb]  # type: ignore[attr-defined]
            command.make_context(verb, arguments)


def test_nothing_is_wrong_with_the_module_of_the_guide(tmp_path: Path) -> None:
    (block,) = code_blocks(ROOT / "docs/guides/adding-a-module.md", "json")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/sprained_ankle.json").write_text(json.dumps(json.loads(block)))
    findings = check_modules(tmp_path / "modules")
    assert [finding.render() for finding in findings if finding.severity != "info"] == []


def test_the_trial_of_the_guide_recruits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/guides/recruiting.md"
    rescue, *_ = code_blocks(page, "yaml")
    Path("rescue.yaml").write_text(rescue)
    days = ["2022-03-15", "2022-05-02", "2022-07-19"]
    rows = [f"{n},Boston,{day}" for n, day in enumerate(days)]
    Path("log.csv").write_text("\n".join(["subject,site,randomised", *rows]) + "\n")
    for line in [line for block in code_blocks(page, "sh") for line in block.splitlines()]:
        is_run = "--init" not in line
        small = ["-n", "400", "--threads", "1"] if is_run else []
        small += ["--replicates", "5"] if is_run and "--feasibility" not in line else []
        assert main([*shlex.split(line)[1:], *small]) == 0, line
    said = capsys.readouterr().out
    for scenario in yaml.safe_load(rescue)["scenarios"]:
        assert scenario["name"] in said
    assert "From the log up to 2022-12-31: 3 randomized" in said
