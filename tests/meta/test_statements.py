"""What the repository says about itself, in prose and in metadata, is so."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import trajsim
from tests.meta.repository import ROOT, markdown_files, python_files

_FOLDERS = "trajsim|fhir_export|tests|docs|modules|benchmarks|notebooks|\\.ci"
# A path in backticks, or in parentheses of a Guarantees line.
_IN_PROSE = re.compile(rf"`((?:{_FOLDERS})/[\w./*\-]*|[\w\-]+\.(?:md|toml|txt|cff|yml))`")
_IN_DOCSTRING = re.compile(rf"\(((?:{_FOLDERS})/[\w./\-]+\.\w+)(?:, the same file)?\)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _exists(path: str) -> bool:
    return any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()


@pytest.mark.parametrize("page", markdown_files(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_and_link_of_a_page_exists(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    missing = [path for path in _IN_PROSE.findall(text) if not _exists(path) and not (page.parent / path).exists()]
    for target in _LINK.findall(text):
        path = target.partition("#")[0]
        if path and "://" not in target and not (page.parent / path).exists():
            missing.append(target)
    assert missing == []


def test_every_test_that_a_guarantee_names_exists() -> None:
    named = {
        path: file.relative_to(ROOT).as_posix()
        for file in python_files("trajsim", "fhir_export")
        for path in _IN_DOCSTRING.findall(file.read_text(encoding="utf-8"))
    }
    assert named
    assert {path: file for path, file in named.items() if not _exists(path)} == {}


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(rf"^## \[(Unreleased|{re.escape(version)})\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    try:
        installed = metadata.version("trajsim")
    except metadata.PackageNotFoundError:
        pytest.skip("trajsim is not installed: this is a source tree")
    assert installed == version == trajsim.__version__


def test_the_licence_is_the_same_everywhere() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "\nlicense: Apache-2.0\n" in (ROOT / "CITATION.cff").read_text()
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
    assert "[Apache-2.0](LICENSE)" in (ROOT / "README.md").read_text()


def test_every_dependency_has_its_reason_and_an_exact_version() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    pinned = {
        line.partition("==")[0].lower().replace("_", "-").replace(".", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    extras = [name for group in PROJECT["optional-dependencies"].values() for name in group]
    for requirement in [*PROJECT["dependencies"], *extras]:
        name = re.split(r"[\[<>=]", requirement)[0].lower().replace(".", "-")
        assert name in pinned, requirement
    for requirement in PROJECT["dependencies"]:
        assert re.search(rf'"{re.escape(requirement)}",?\s*# [`\w]', text), requirement


def test_no_file_of_the_project_holds_an_address_of_a_registry_or_a_path_of_a_machine() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert not [line for line in lines if line.startswith("-") or "//" in line]


def test_the_readme_has_two_commands_that_set_everything_up() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert commands[0].endswith("--out out/")
    assert commands[1].endswith("&& .venv/bin/pytest")
