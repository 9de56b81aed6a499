"""``trajsim check``: every fault, doubt and remark about module files, by file and JSON path."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli.console import count, show
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` does not load the rules
    from trajsim.gmf.findings import Finding

EXIT_FINDINGS = 1
RULES_FOLDER = "docs/rules"


def check(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR|FILE...", help="Modules folders, or single module files. Default: the bundled modules."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check module files and report everything that is wrong or doubtful.

    Errors are what the engine cannot run; the exit code is 1 if there is one. Every rule has a page in docs/rules/.

    Example: trajsim check modules/
    """
    findings = find(places or [])
    if as_json:
        show(_as_json(findings))
    else:
        _print_table(findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(EXIT_FINDINGS)


def find(places: Sequence[Path]) -> list["Finding"]:
    """The findings of all folders and files; no place means the bundled modules.

    Raises:
        ConfigError: A place does not exist, or a folder holds no module.
    """
    from trajsim.gmf.check import check_files, check_modules
    from trajsim.gmf.findings import sort_findings
    from trajsim.gmf.library import bundled_modules_root

    missing = [str(place) for place in places if not place.exists()]
    if missing:
        msg = f"no such file or folder: {', '.join(map(repr, missing))}"
        raise ConfigError(msg)
    folders = [place for place in places if place.is_dir()] if places else [bundled_modules_root()]
    files = [place for place in places if not place.is_dir()]
    findings = [finding for folder in folders for finding in check_modules(folder)]
    return sort_findings([*findings, *(check_files(files) if files else [])])


def _as_json(findings: Sequence["Finding"]) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(list(findings)), indent=2).decode()


def _print_table(findings: Sequence["Finding"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:  # one line each, whole, for other programs
        for finding in findings:
            show(finding.render())
    elif findings:
        table = Table("", "rule", "where", "what", box=None, pad_edge=False)
        styles = {"error": "bold red", "warning": "yellow", "info": "dim"}
        for finding in findings:
            what = finding.message + (f"\n{finding.hint}" if finding.hint else "")
            table.add_row(
                Text(str(finding.severity), styles[finding.severity]),
                finding.rule,
                Text(f"{finding.file}\n{finding.path}".rstrip(), overflow="fold"),
                Text(what, overflow="fold"),
            )
        console.print(table)
    show(_summary(findings))


def _summary(findings: Sequence["Finding"]) -> str:
    if not findings:
        return "no findings"
    by_severity = Counter(str(finding.severity) for finding in findings)
    parts = [count(by_severity[name], name) for name in ("error", "warning", "info") if by_severity[name]]
    rules = sorted({finding.rule for finding in findings})
    return f"{', '.join(parts)}; the rules ({', '.join(rules)}) are explained in {RULES_FOLDER}/"
