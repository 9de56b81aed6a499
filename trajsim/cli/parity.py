"""``trajsim parity``: our rates against those of a reference, down to the state where a disagreement begins."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from trajsim.cli import life_options as life
from trajsim.cli.console import say, show
from trajsim.cli.os_faults import error_from_os
from trajsim.cli.request import RunRequest
from trajsim.cli.shards import default_shard_size
from trajsim.errors import ConfigError, DataFileError

if TYPE_CHECKING:  # `trajsim --help` loads neither Arrow nor pandas
    from trajsim.evaluate.parity import Parity, Reference
    from trajsim.provenance import Manifest

EXIT_FINDINGS = 1
RUN = "run"
REPORT_JSON = "parity.json"
REPORT_HTML = "parity.html"
DEMOGRAPHICS = "demographics.csv"


def parity(
    reference: Annotated[
        Path,
        typer.Option("--reference", help="Folder of reference tables (docs/guides/parity.md).", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder for parity.json and parity.html; new, or an earlier parity.", show_default=False
        ),
    ],
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            help="Finished output of `generate --format parquet --state-metrics`. Default: simulate what the "
            "reference describes.",
            show_default=False,
        ),
    ] = None,
    modules_dir: Annotated[
        Path | None,
        typer.Option(
            "--modules-dir",
            help="Modules that the reference ran. Default: the folder `modules` beside it.",
            show_default=False,
        ),
    ] = None,
    modules: life.Modules = None,
    n_patients: Annotated[
        int | None,
        typer.Option(
            "-n", "--patients", help="Patients to simulate. Default: as many as the reference.", show_default=False
        ),
    ] = None,
    population: Annotated[
        Path | None,
        typer.Option(
            "--population",
            help="Population file of the reference. Default: demographics.csv in its folder, if there is one.",
            show_default=False,
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--end",
            help="Last day of the reference, YYYY-MM-DD. Default: what its README.md says.",
            show_default=False,
        ),
    ] = None,
    seed: life.Seed = 0,
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Threads that compute at once. Default: all processors.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Compare a run with a reference: states, codes and values, worst first.

    The exit code is 1 if a promise is not kept (docs/guides/parity.md lists them).

    Example: trajsim parity --reference reference/ --run out/ --out parity/
    """
    from trajsim.evaluate.parity import read_reference

    for option, value in (("-n", n_patients), ("--threads", threads)):
        if value is not None and value < 1:
            msg = f"{option} must be positive, got {value}"
            raise ConfigError(msg)
    if not reference.is_dir():
        msg = f"--reference {str(reference)!r} is no folder"
        raise ConfigError(msg)
    simulated = {
        "-n": n_patients, "--modules-dir": modules_dir, "--modules": modules, "--population": population, "--end": end,
    }  # fmt: skip
    if run is not None and any(value is not None for value in simulated.values()):
        msg = f"--run names a finished run; {', '.join(simulated)} are for simulating one"
        raise ConfigError(msg, hint="leave out --run, or the others")
    _require_ours(out)
    tables = read_reference(reference)
    if run is None:
        from trajsim.cli.run import run as simulate

        n = n_patients if n_patients is not None else tables.n_persons
        simulate(
            RunRequest(
                life=_life(reference, tables, modules_dir, modules, population, end, seed),
                n_patients=n,
                out=out / RUN,
                formats=("parquet",),
                with_states=True,
                shard_size=default_shard_size(n),
                threads=threads or os.cpu_count() or 1,
                quiet=quiet,
            )
        )
        run = out / RUN
    result = compare_run(run, tables, seed=seed)
    _write(out, result)
    if not quiet:
        _summarize(result, out)
    if result.has_findings:
        raise typer.Exit(EXIT_FINDINGS)


def _require_ours(out: Path) -> None:
    """Refuses a folder that holds something else."""
    if out.exists() and not out.is_dir():
        msg = f"--out {str(out)!r} is a file: expected a folder"
        raise ConfigError(msg)
    try:
        others = sorted({path.name for path in out.iterdir()} - {RUN, REPORT_JSON, REPORT_HTML}) if out.exists() else []
    except OSError as error:
        raise error_from_os(error) from error
    if others:
        msg = f"--out {str(out)!r} holds something else: {', '.join(map(repr, others[:3]))}"
        raise ConfigError(msg, hint="choose another folder, or empty this one")


def _life(
    place: Path, reference: "Reference", modules_dir: Path | None, modules: str | None, population: Path | None,
    end: str | None, seed: int,
) -> life.LifeOptions:  # fmt: skip
    """What a reference describes: same modules and end date, whole lives.

    The population is the given file, else the ``demographics.csv`` of the reference; without one the built-in one
    stands in for it, and the report says so.
    """
    folder = modules_dir if modules_dir is not None else place.absolute().parent / "modules"
    if not folder.is_dir():
        msg = f"no modules at {str(folder)!r}, and the reference was made with modules of its own"
        raise ConfigError(msg, hint="name them with --modules-dir, or a finished run with --run")
    last_day = end if end is not None else reference.end_date
    if last_day is None:
        msg = f"{str(place / 'README.md')!r} names no end date, so the run cannot be simulated"
        raise ConfigError(msg, hint="name it with --end, or a finished run with --run")
    if population is None and (place / DEMOGRAPHICS).is_file():
        population = place / DEMOGRAPHICS
    return life.resolve_life_options(
        seed=seed,
        modules_dir=folder,
        modules=modules,
        override=None,
        start=None,
        end=last_day,
        age=None,
        sex=None,
        population=population,
        state=None,
        city=None,
        lifecycle="synthea",
        mortality=None,
        mortality_offset=None,
    )


def compare_run(run: Path, reference: "Reference", *, seed: int) -> "Parity":
    """Compares the output of a finished run.

    Args:
        run: The folder that ``generate`` wrote.
        reference: What it is compared with.
        seed: Seed of the random splits that show what chance does.

    Raises:
        ConfigError: The folder holds no finished run, or one without Parquet or state metrics.
        DataFileError: A file of it is damaged.
    """
    from trajsim.cli.run_folder import finished_run, missing_files
    from trajsim.evaluate.parity import compare
    from trajsim.records.parquet import read_parquet_shards

    manifest = finished_run(run)
    if manifest is None:
        msg = f"--run {str(run)!r} holds no finished run"
        raise ConfigError(msg, hint="give the same `trajsim generate` command again to finish it")
    gone = missing_files(run, manifest)
    if gone:
        msg = f"--run {str(run)!r} is no longer whole: {gone[0]!r} changed or gone"
        raise ConfigError(msg)
    if not (run / "parquet").is_dir() or not (run / "states.json").is_file():
        msg = f"--run {str(run)!r} lacks Parquet tables or state metrics"
        raise ConfigError(msg, hint="simulate it with `--format parquet --state-metrics`")
    about = {"seed": manifest.run.seed, "options": dict(manifest.run.options), "notes": _notes(manifest, reference)}
    return compare(
        read_parquet_shards(run / "parquet"), _states(run / "states.json"), reference, about=about, seed=seed
    )


def _states(path: Path) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    try:
        states: Mapping[str, Mapping[str, Mapping[str, object]]] = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        msg = f"{path}: not JSON ({error})"
        raise DataFileError(msg) from error
    return states


def _notes(manifest: "Manifest", reference: "Reference") -> list[str]:
    """What a reader must know before believing a difference."""
    options = manifest.run.options
    notes = []
    if not options.get("--population"):
        notes.append(
            "Our persons are of the built-in population, which only approximates the reference's: measures that "
            "are not standardised by age differ for that reason too, and so does whatever follows race, income or "
            "calendar year."
        )
    end = options.get("--end")
    if reference.end_date is not None and end != reference.end_date:
        notes.append(f"Our run ends on {end}, the reference's on {reference.end_date}.")
    if options.get("--mortality") == "life-table":
        notes.append("Our run has background mortality by a life table; Java Synthea has none.")
    if options.get("--lifecycle") != "synthea":
        notes.append(
            "Our run does not use the lifecycle of Synthea (growth, vital signs, risks, immunizations, insurance)."
        )
    narrowed = [
        name
        for name in ("--modules", "--start", "--age", "--sex", "--state", "--city")
        if options.get(name) is not None
    ]
    if narrowed:
        named = ", ".join(f"{name} {options[name]}" for name in narrowed)
        notes.append(f"Our run was narrowed by {named}.")
    return notes


def _write(out: Path, result: "Parity") -> None:
    from trajsim.cli.run_folder import write_whole
    from trajsim.evaluate.parity.report import render_report

    page = render_report(result)
    content = orjson.dumps(result.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / REPORT_JSON, content)
        write_whole(out / REPORT_HTML, page.encode())
    except OSError as error:
        raise error_from_os(error) from error


def _summarize(result: "Parity", out: Path) -> None:
    for gate in result.gates:
        found = f"{100 * gate.value:.1f} %" if gate.is_minimum else f"{gate.value:.0f}"
        limit = f"at least {100 * gate.limit:.1f} %" if gate.is_minimum else f"at most {gate.limit:.0f}"
        ceiling = "" if gate.ceiling is None else f", the reference's own halves {100 * gate.ceiling:.1f} %"
        if gate.by_chance is not None:
            ceiling += f", 99 of 100 random splits {100 * gate.by_chance:.1f} % or more"
        mark = "kept" if gate.is_kept else "NOT KEPT"
        show(f"{gate.name}: {found} of {gate.n:,} ({limit}{ceiling}): {mark}" if gate.is_minimum
             else f"{gate.name}: {found} of {gate.n:,} ({limit}): {mark}")  # fmt: skip
    say(f"worst first, with the states behind each code: {out / REPORT_HTML}")
