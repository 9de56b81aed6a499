"""The entry point: one verb a job, exit codes that scripts can rely on, never a traceback.

Exit codes: 0 done, 1 findings, 2 usage, 3 fault, 130 Ctrl-C. With ``TRAJSIM_DEBUG=1`` in the environment an error shows
its traceback.
"""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

import trajsim
from trajsim.cli import (
    audit,
    check,
    export,
    fit,
    generate,
    graph,
    ingest,
    load,
    parity,
    recruit,
    score,
    trace,
    validate,
    warmup,
)
from trajsim.cli.console import complain, say
from trajsim.cli.later import refuse_later
from trajsim.cli.os_faults import error_from_os
from trajsim.errors import TrajsimError

EXIT_FAULT = 3
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="trajsim",
    help="Longitudinal patient trajectories from clinical state machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("generate")(generate.generate)
app.command("check")(check.check)
app.command("graph")(graph.graph)
app.command("ingest")(ingest.ingest)
app.command("fit")(fit.fit)
app.command("audit")(audit.audit)
app.command("score")(score.score)
app.command("trace")(trace.trace)
app.command("export")(export.export)
app.command("parity")(parity.parity)
app.command("recruit")(recruit.recruit)
app.command("validate")(validate.validate)
app.command("load")(load.load)
app.command("warmup")(warmup.warmup)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"trajsim {trajsim.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Longitudinal patient trajectories from clinical state machines."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Without the program's name; None takes them from the process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    warnings.showwarning = _show_warning
    try:
        refuse_later(given)
        app(args=given, prog_name="trajsim")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except TrajsimError as error:
        return _report(error, str(error), error.exit_code)
    except OSError as error:
        translated = error_from_os(error)
        return _report(error, str(translated), translated.exit_code)
    except Exception as error:  # the top of the command line: whatever else goes wrong is a fault of trajsim itself
        hint = "set TRAJSIM_DEBUG=1 and run it again for a traceback to report"
        return _report(error, f"internal fault: {type(error).__name__}: {error}\n\nHint: {hint}", EXIT_FAULT)
    return 0


def _report(error: BaseException, message: str, code: int) -> int:
    if os.environ.get("TRAJSIM_DEBUG") == "1":
        traceback.print_exception(error)
    complain(message)
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Says what `warnings.warn` was given, without the place in the code, which is of no use to a user."""
    del category, filename, lineno, file, line
    say(f"warning: {message}")
