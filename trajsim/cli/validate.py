"""``trajsim validate``: whether FHIR is what it claims to be, and whether a server could load it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from trajsim.cli.console import count, say, show
from trajsim.cli.os_faults import error_from_os
from trajsim.errors import ConfigError

EXIT_FINDINGS = 1
EXIT_NOTHING = 2
US_CORE = "6.1.0"
_MOST_MESSAGES = 30


def validate(
    places: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders and files: Bundles, resources, NDJSON; plain, .gz or .zst."),
    ],
    us_core: Annotated[
        str, typer.Option("--us-core", metavar="6.1.0|7.0.0|8.0.0|none", help="Version of US Core that profiles name.")
    ] = US_CORE,
    types: Annotated[
        str | None,
        typer.Option("--types", help="Check only these resource types, comma-separated.", show_default=False),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", help="Check at most so many of each type; 0: all.")] = 0,
    each: Annotated[bool, typer.Option("--each", help="Put the findings of every resource into the report.")] = False,
    entries: Annotated[
        bool, typer.Option("--entries", help="Check the entries of bundles and not the bundles themselves.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file as JSON.", show_default=False)
    ] = None,
    outcome: Annotated[
        Path | None,
        typer.Option("--outcome", help="Write the findings to this file as an OperationOutcome.", show_default=False),
    ] = None,
) -> None:
    """Check FHIR R4 files, ours or anyone's: structure, profiles, codes, references, dates.

    The exit code is 0 if there is no error and no open reference, 1 if there is, 2 if no resource was found.

    Example: trajsim validate out/fhir --us-core 6.1.0
    """
    from fhir_export.validate import Gate, GateOptions
    from fhir_export.validate.outcome import operation_outcome

    chosen = frozenset(name.strip() for name in types.split(",")) if types else frozenset()
    gate = Gate(GateOptions(us_core=us_core, types=chosen, sample=sample, each=each, entries=entries))
    unknown = sorted(chosen - gate.definitions.resources)
    if unknown:
        msg = f"--types: no resource type of FHIR R4: {', '.join(map(repr, unknown))}"
        raise ConfigError(msg)
    report = gate.run(places)
    for path, content in ((json, report), (outcome, operation_outcome(report) if outcome else None)):
        if path is not None:
            _write(path, content)
    _print(report)
    if not report["resources"] and not report["total"]["error"]:
        say(f"nothing to check: no resource in {', '.join(str(place) for place in places)}")
        raise typer.Exit(EXIT_NOTHING)
    if not gate.is_clean:
        raise typer.Exit(EXIT_FINDINGS)


def _write(path: Path, content: object) -> None:
    try:
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise error_from_os(error) from error


def _print(report: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if report["types"]:
        table = Table("type", box=None, pad_edge=False)
        for name in ("checked", "errors", "warnings", "with errors"):
            table.add_column(name, justify="right")
        for kind, tally in report["types"].items():
            numbers = (tally["validated"], tally["error"], tally["warning"], tally["withErrors"])
            table.add_row(kind, *(f"{n:,}" for n in numbers), style="red" if tally["error"] else None)
        console.print(table)
    messages = report["messages"]
    styles = {"error": "bold red", "warning": "yellow", "information": "dim"}
    for message in messages[:_MOST_MESSAGES]:
        console.print(
            Text(message["severity"], styles[message["severity"]]),
            Text(f"{message['count']:,} x {message['id']} at {message['path']}: {message['example']['message']}"),
        )
    if len(messages) > _MOST_MESSAGES:
        show(f"... and {count(len(messages) - _MOST_MESSAGES, 'more kind')} of findings; --json FILE holds all")
    for line in _summary(report):
        show(line)


def _summary(report: Mapping[str, Any]) -> list[str]:
    references, support, left = report["references"], report["mustSupport"], report["notChecked"]
    dangling = sum(place["count"] for place in references["danglingByPath"])
    lines = [
        f"references: {dangling:,} dangling, {references.get('conditional', 0):,} conditional, "
        f"{count(references['duplicateIds'], 'duplicate id')}"
    ]
    if references["excerpt"]:
        lines.append("most references lead outside of what was read, so it is taken as an excerpt: they are warnings")
    if support["elements"]:
        lines.append(
            f"must-support: {support['populated']:,} of {count(support['elements'], 'element')} of "
            f"{count(len(support['profiles']), 'claimed profile')}"
        )
    if left["constraints"] or left["valueSets"]:
        lines.append(
            f"not checked: {count(len(left['constraints']), 'constraint')} and "
            f"{count(len(left['valueSets']), 'value set')}, named in the report (--json FILE)"
        )
    total = report["total"]
    n_errors, n_warnings = count(total["error"], "error"), count(total["warning"], "warning")
    lines.append(f"{count(report['resources'], 'resource')}: {n_errors}, {n_warnings}")
    return lines
