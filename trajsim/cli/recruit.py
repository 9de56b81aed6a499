"""``trajsim recruit``: who is eligible, whether a trial recruits and by when, why not, and which rescue helps most."""

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from trajsim.cli.console import say
from trajsim.cli.json_file import require_json_file
from trajsim.cli.os_faults import error_from_os
from trajsim.errors import ConfigError

DEFAULT_PATIENTS = 5_000
DEFAULT_REPLICATES = 500
RECORDS = "records"
PAGE, TWIN, CANDIDATES = "recruitment.html", "recruitment.json", "candidates.csv"
FHIR = "fhir-ndjson"


def recruit(
    spec: Annotated[
        Path | None, typer.Argument(metavar="SPEC", help="The trial, YAML or JSON.", show_default=False)
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option("--records", help="Folder of Records: out/ of generate, or out/parquet.", show_default=False),
    ] = None,
    modules_dir: Annotated[
        Path | None,
        typer.Option(
            "--modules-dir",
            help="Modules that simulate the patients. Default, without --records: the bundled ones.",
            show_default=False,
        ),
    ] = None,
    n_patients: Annotated[
        int | None,
        typer.Option(
            "-n", "--patients", help=f"Patients to simulate. Default: {DEFAULT_PATIENTS:,}.", show_default=False
        ),
    ] = None,
    replicates: Annotated[int, typer.Option("--replicates", help="How many times the trial is simulated.")] = (
        DEFAULT_REPLICATES
    ),
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the run, 0 ... 2^64 - 1. The same seed gives the same files.")
    ] = 0,
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", help="Changes of the trial to compare it with, YAML or JSON.", show_default=False),
    ] = None,
    accrual_log: Annotated[
        Path | None,
        typer.Option("--accrual-log", help="CSV of the trial so far, for a forecast from it.", show_default=False),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="Last day that --accrual-log covers.", show_default=False),
    ] = None,
    sites: Annotated[
        Path | None,
        typer.Option(
            "--sites", help="CSV of when sites opened and closed in truth, for --accrual-log.", show_default=False
        ),
    ] = None,
    hierarchy: Annotated[
        Path | None,
        typer.Option("--hierarchy", help="CSV of codes and the codes below them.", show_default=False),
    ] = None,
    feasibility: Annotated[
        bool, typer.Option("--feasibility", help="Only say who is eligible on paper; simulate no recruitment.")
    ] = False,
    init: Annotated[
        Path | None, typer.Option("--init", metavar="FILE", help="Write a spec to start from.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help=f"Folder for {PAGE}, {TWIN} and {CANDIDATES}.", show_default=False),
    ] = None,
    fhir: Annotated[
        bool, typer.Option("--fhir", help=f"Write the first replicate as FHIR R4 too, below --out: {FHIR}/.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Threads that compute at once. Default: all processors.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Simulate how a trial recruits: whether, by when, why not, and what helps.

    Without --records patients are simulated; with --out they are kept there and used again.

    Example: trajsim recruit trial.yaml --out trial/
    """
    given = {
        "SPEC": spec, "--records": records, "--modules-dir": modules_dir, "-n": n_patients, "--scenario": scenario,
        "--accrual-log": accrual_log, "--as-of": as_of, "--sites": sites, "--hierarchy": hierarchy, "--out": out,
        "--json": json_file, "--fhir": fhir or None,
    }  # fmt: skip
    if init is not None:
        _write_template(init, [name for name, value in given.items() if value is not None])
        return
    if spec is None:
        msg = "SPEC is missing: the file that describes the trial"
        raise ConfigError(msg, hint="`trajsim recruit --init trial.yaml` writes one to start from")
    _require_sensible(given, replicates=replicates, seed=seed, threads=threads, is_feasibility=feasibility)
    from trajsim.cli.recruiting import RecruitRequest, work

    work(
        RecruitRequest(
            spec=spec,
            records=records,
            modules_dir=modules_dir,
            n_patients=n_patients or DEFAULT_PATIENTS,
            replicates=replicates,
            seed=seed,
            scenario=scenario,
            accrual_log=accrual_log,
            as_of=None if as_of is None else _date(as_of),
            sites=sites,
            hierarchy=hierarchy,
            is_feasibility=feasibility,
            out=out,
            fhir=fhir,
            json_file=json_file,
            threads=threads or os.cpu_count() or 1,
            quiet=quiet,
        )
    )


def _write_template(path: Path, others: list[str]) -> None:
    from trajsim.trials.spec_template import TEMPLATE

    if others:
        msg = f"--init writes a spec and does nothing else, so {others[0]} does not go with it"
        raise ConfigError(msg)
    if path.exists():
        msg = f"--init {str(path)!r} is there already"
        raise ConfigError(msg, hint="choose another name, or remove it")
    try:
        path.write_text(TEMPLATE, encoding="utf-8", newline="\n")
    except OSError as error:
        raise error_from_os(error) from error
    say(f"wrote {path}; now: trajsim recruit {path} --out trial/")


def _require_sensible(
    given: Mapping[str, object], *, replicates: int, seed: int, threads: int | None, is_feasibility: bool
) -> None:
    """Finds options that cannot be, or not together."""
    for option, value in (("-n", given["-n"]), ("--replicates", replicates), ("--threads", threads)):
        if isinstance(value, int) and value < 1:
            msg = f"{option} must be positive, got {value}"
            raise ConfigError(msg)
    if not 0 <= seed < 2**64:
        msg = f"--seed must lie in 0 ... 2^64 - 1, got {seed}"
        raise ConfigError(msg)
    for other in ("--modules-dir", "-n"):
        if given["--records"] is not None and given[other] is not None:
            msg = f"--records names patients who are there; {other} is for simulating some"
            raise ConfigError(msg, hint="leave out one of them")
    if (given["--accrual-log"] is None) != (given["--as-of"] is None):
        msg = "--accrual-log and --as-of belong together: the log, and the last day that it covers"
        raise ConfigError(msg)
    if given["--sites"] is not None and given["--accrual-log"] is None:
        msg = "--sites says when the sites of --accrual-log opened, which is missing"
        raise ConfigError(msg)
    if given["--fhir"] is not None and given["--out"] is None:
        msg = f"--fhir writes {FHIR}/ below --out, which is missing"
        raise ConfigError(msg)
    for other in ("--scenario", "--accrual-log", "--fhir"):
        if is_feasibility and given[other] is not None:
            msg = f"--feasibility simulates no recruitment, so {other} does not go with it"
            raise ConfigError(msg)
    for option in ("SPEC", "--scenario", "--accrual-log", "--sites", "--hierarchy"):
        path = given[option]
        if isinstance(path, Path) and not path.is_file():
            msg = f"{option} {str(path)!r}: no such file"
            raise ConfigError(msg)
    for option in ("--records", "--modules-dir"):
        path = given[option]
        if isinstance(path, Path) and not path.is_dir():
            msg = f"{option} {str(path)!r} is no folder"
            raise ConfigError(msg)
    _require_writable(given["--out"], given["--json"])


def _require_writable(out: object, json_file: object) -> None:
    """Refuses a folder that holds something else, and a file whose folder is not there."""
    require_json_file(json_file if isinstance(json_file, Path) else None)
    if not isinstance(out, Path) or not out.exists():
        return
    if not out.is_dir():
        msg = f"--out {str(out)!r} is a file: expected a folder"
        raise ConfigError(msg)
    try:
        others = sorted({path.name for path in out.iterdir()} - {RECORDS, PAGE, TWIN, CANDIDATES, FHIR})
    except OSError as error:
        raise error_from_os(error) from error
    if others:
        msg = f"--out {str(out)!r} holds something else: {', '.join(map(repr, others[:3]))}"
        raise ConfigError(msg, hint="choose another folder, or empty this one")


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        msg = f"--as-of must be a date YYYY-MM-DD, got {text!r}"
        raise ConfigError(msg) from error
