"""``trajsim load``: FHIR from a folder into a server."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from trajsim.cli.console import complain, count, duration, say, show
from trajsim.cli.os_faults import error_from_os
from trajsim.cli.progress import UploadProgress

if TYPE_CHECKING:  # `trajsim --help` does not load FHIR
    from fhir_export.load import LoadJournal, LoadReport
    from fhir_export.sender import Sender
    from fhir_export.uploads import UploadFolder

EXIT_FINDINGS = 1
EXIT_INTERRUPTED = 130
_MOST_REFUSED = 20


def load(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of bundles or NDJSON, compressed or not.")],
    server: Annotated[str, typer.Option("--server", metavar="URL", help="Base address of the FHIR server.")],
    parallel: Annotated[int, typer.Option("--parallel", help="Requests at once.", min=1)] = 4,
    bundle_size: Annotated[
        int, typer.Option("--bundle-size", help="Entries of a request that is made from NDJSON.", min=1)
    ] = 500,
    again: Annotated[bool, typer.Option("--again", help="Load also what this server has taken before.")] = False,
    tries: Annotated[int, typer.Option("--tries", help="How often a request is sent at most.", min=1)] = 5,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for an answer.")] = 300.0,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for a server that is not there.")] = 120.0,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file as JSON.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Load FHIR into a server.

    What the server refuses is named and counted, and the exit code is then 1; it is 3 if the server is not there or
    turns the token down. The same command goes on where a load stopped. A bearer token is taken from the environment
    variable TRAJSIM_FHIR_TOKEN.

    Example: trajsim load out/fhir --server http://localhost:8080/fhir
    """
    from fhir_export.load import LoadJournal
    from fhir_export.sender import TOKEN, LoadOptions, Sender
    from fhir_export.uploads import UploadFolder

    token = os.environ.get(TOKEN, "").strip() or None
    options = LoadOptions(url=server, token=token, n_parallel=parallel, n_tries=tries, timeout_s=timeout, wait_s=wait)
    folder = UploadFolder(directory, most=bundle_size)
    if options.is_token_seen:
        say(f"warning: the token goes to {server} unencrypted")
    with Sender(options, on_wait=lambda words: say(words, quiet=quiet)) as sender:
        software = sender.require_server()
        start = time.perf_counter()
        journal = LoadJournal(directory, server, again=again)
        if not journal.is_kept:
            say(f"warning: {directory} cannot be written to, so that a load that stops will start anew")
        try:
            report = _load(folder, sender, journal, n_parallel=parallel, quiet=quiet)
        except KeyboardInterrupt:
            complain("interrupted; the same command goes on from here")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        finally:
            journal.close()
    if json is not None:
        try:
            json.write_bytes(orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise error_from_os(error) from error
    _summarize(
        report, f"{server} ({software})" if software else server, seconds=time.perf_counter() - start, quiet=quiet
    )
    if report.stopped is not None:
        raise report.stopped
    if report.refused:
        raise typer.Exit(EXIT_FINDINGS)


def _load(
    folder: "UploadFolder", sender: "Sender", journal: "LoadJournal", *, n_parallel: int, quiet: bool
) -> "LoadReport":
    from fhir_export.load import load as upload

    with UploadProgress(n_bytes=folder.n_bytes, quiet=quiet) as progress:
        return upload(
            folder,
            sender,
            n_parallel=n_parallel,
            journal=journal,
            on_progress=lambda each: progress.advance(each.n_bytes, each.n_entries),
        )


def _summarize(report: "LoadReport", server: str, *, seconds: float, quiet: bool) -> None:
    for outcome in report.refused[:_MOST_REFUSED]:
        complain(f"{outcome.name}: {count(outcome.n_refused, 'resource')} not loaded: {outcome.problem}")
    if len(report.refused) > _MOST_REFUSED:
        complain(f"... and {count(len(report.refused) - _MOST_REFUSED, 'more request')}; --json FILE names all")
    if report.n_done_before:
        taken = f"{count(report.n_done_before, 'request')} {'was' if report.n_done_before == 1 else 'were'} taken by"
        say(f"{taken} {server} before and not sent; if it was emptied since, --again sends everything", quiet=quiet)
    if quiet:
        return
    statuses = ", ".join(f"{n:,} x {status or 'no answer'}" for status, n in sorted(report.statuses.items()))
    n_refused = sum(outcome.n_refused for outcome in report.refused)
    show(
        f"{count(report.n_loaded, 'resource')} loaded into {server}, {n_refused:,} refused, in "
        f"{count(report.n_requests, 'request')}, {duration(seconds)}{': ' if statuses else ''}{statuses}"
    )
