"""``trajsim load``: FHIR from a folder into a server."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from trajsim.cli.console import complain, count, duration, say, show
from trajsim.cli.os_faults import error_from_os
from trajsim.cli.progress import EntryProgress

if TYPE_CHECKING:  # `trajsim --help` does not load FHIR
    from fhir_export.load import LoadReport

EXIT_FINDINGS = 1
EXIT_INTERRUPTED = 130
TOKEN = "TRAJSIM_FHIR_TOKEN"
_MOST_REFUSED = 20


def load(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of bundles or NDJSON, compressed or not.")],
    server: Annotated[str, typer.Option("--server", metavar="URL", help="Base address of the FHIR server.")],
    parallel: Annotated[int, typer.Option("--parallel", help="Requests at once.", min=1)] = 4,
    bundle_size: Annotated[
        int, typer.Option("--bundle-size", help="Entries of a request that is made from NDJSON.", min=1)
    ] = 500,
    tries: Annotated[int, typer.Option("--tries", help="How often a request is sent at most.", min=1)] = 5,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for an answer.")] = 300.0,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file as JSON.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Load FHIR into a server.

    What the server refuses is named and counted, and the exit code is then 1. The same command goes on where a load was
    stopped. A bearer token is taken from the environment variable TRAJSIM_FHIR_TOKEN.

    Example: trajsim load out/fhir --server http://localhost:8080/fhir
    """
    from fhir_export.load import LoadJournal, LoadOptions
    from fhir_export.load import load as upload
    from fhir_export.uploads import find_uploads

    options = LoadOptions(
        url=server, token=os.environ.get(TOKEN) or None, n_parallel=parallel, n_tries=tries, timeout_s=timeout
    )
    start = time.perf_counter()
    uploads = find_uploads(directory, most=bundle_size)
    try:
        journal = LoadJournal(directory, server)
        with EntryProgress(quiet=quiet) as progress:
            report = upload(uploads, options, journal=journal, on_progress=lambda each: progress.advance(each.n_loaded))
    except KeyboardInterrupt:
        complain("interrupted; the same command goes on from here")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except OSError as error:
        raise error_from_os(error) from error
    if json is not None:
        try:
            json.write_bytes(orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise error_from_os(error) from error
    _summarize(report, server, seconds=time.perf_counter() - start, quiet=quiet)
    if report.refused:
        raise typer.Exit(EXIT_FINDINGS)


def _summarize(report: "LoadReport", server: str, *, seconds: float, quiet: bool) -> None:
    for outcome in report.refused[:_MOST_REFUSED]:
        complain(f"{outcome.name}: {count(outcome.n_refused, 'resource')} not loaded: {outcome.problem}")
    if len(report.refused) > _MOST_REFUSED:
        complain(f"... and {count(len(report.refused) - _MOST_REFUSED, 'more request')}; --json FILE names all")
    if report.n_done_before:
        say(f"{count(report.n_done_before, 'request')} were taken by {server} before", quiet=quiet)
    if quiet:
        return
    statuses = ", ".join(f"{n:,} x {status or 'no answer'}" for status, n in sorted(report.statuses.items()))
    n_refused = sum(outcome.n_refused for outcome in report.refused)
    show(
        f"{count(report.n_loaded, 'resource')} loaded into {server}, {n_refused:,} refused, in "
        f"{count(report.n_requests, 'request')}, {duration(seconds)}{': ' if statuses else ''}{statuses}"
    )
