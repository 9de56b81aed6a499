"""MkDocs hooks: pages that are made from the code, so that they cannot say anything else than it.

- reference/command-line.md gets the help of every command;
- reference/schema.md gets every table and column of Records;
- rules/ and conformance/ get their place in the navigation, a page each; conformance cases bring their own README;
- a page of a folder that mkdocs.yml does not name stands behind those that it names.
"""

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CASES = ROOT / "tests" / "conformance"
_COMMANDS = "<!-- commands -->"
_SCHEMA = "<!-- schema -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the pages of rules and conformance cases to the navigation."""
    rules = [f"rules/{path.name}" for path in sorted((ROOT / "docs" / "rules").glob("*.md"))]
    assert config.nav is not None
    for section in config.nav:
        for pages in section.values() if isinstance(section, dict) else ():
            folder = Path(pages[0]).parent
            pages += [
                f"{folder}/{path.name}"
                for path in sorted((ROOT / "docs" / folder).glob("*.md"))
                if f"{folder}/{path.name}" not in pages
            ]
    config.nav.append({"Rules": rules})
    if _cases():
        config.nav.append({"Conformance": [f"conformance/{case.parent.name}.md" for case in _cases()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the README of every conformance case as a page."""
    for case in _cases():
        files.append(File.generated(config, f"conformance/{case.parent.name}.md", abs_src_path=str(case)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in what is made from the code."""
    del config, files
    if page.file.src_uri == "reference/command-line.md":
        return markdown.replace(_COMMANDS, _commands())
    if page.file.src_uri == "reference/schema.md":
        return markdown.replace(_SCHEMA, _schema())
    return markdown


def _cases() -> list[Path]:
    return sorted(path for path in CASES.glob("*/README.md") if not path.parent.name.startswith("_"))


def _commands() -> str:
    from trajsim.cli.app import app

    names = [command.name for command in app.registered_commands if command.name]
    return "\n\n".join(f"## trajsim {name}\n\n```text\n{_help(name)}\n```" for name in names)


def _help(command: str) -> str:
    import os

    from typer.testing import CliRunner

    from trajsim.cli.app import app

    os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = "110"
    result = CliRunner().invoke(app, [command, "--help"], color=False, env={"NO_COLOR": "1", "TERM": "dumb"})
    if result.exit_code:
        raise RuntimeError(result.output)
    lines = [line.rstrip() for line in result.output.strip().splitlines()]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))


def _schema() -> str:
    from trajsim.records.schema import TABLES

    parts = []
    for name, columns in TABLES.items():
        parts += [f"## {name}", "", "| column | type | null | meaning |", "|---|---|---|---|"]
        for column, about in columns.items():
            null = "yes" if about.nullable else ""
            kind = str(about.type).replace("dictionary<values=string, indices=int32, ordered=0>", "text")
            parts.append(f"| `{column}` | {kind} | {null} | {about.about} |")
        parts.append("")
    return "\n".join(parts)
