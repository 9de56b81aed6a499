"""``trajsim generate``: from a population and module files to a folder of records, shard by shard."""

import os
from pathlib import Path
from typing import Annotated

import typer

from trajsim.cli import life_options as life
from trajsim.cli import output_options as output
from trajsim.cli.formats import DEFAULT_FORMATS, FORMATS, NOTHING, parse_formats
from trajsim.cli.request import RunRequest
from trajsim.cli.shards import default_shard_size
from trajsim.errors import ConfigError


def generate(
    n_patients: Annotated[
        int, typer.Option("-n", "--patients", help="Patients to simulate, those who die before the end included.")
    ] = 100,
    seed: life.Seed = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder to write; new, empty, or a run to be resumed.")] = Path(
        "out"
    ),
    formats: Annotated[
        str, typer.Option("--format", help=f"Comma-separated: {', '.join((*FORMATS, NOTHING))}.")
    ] = DEFAULT_FORMATS,
    bundle: output.Bundle = output.DEFAULT_BUNDLE,
    bundle_size: output.BundleSize = None,
    compress: output.Compress = None,
    years: output.Years = 0,
    us_core: output.UsCore = output.DEFAULT_US_CORE,
    claims: output.Claims = False,
    modules_dir: life.ModulesDir = None,
    modules: life.Modules = None,
    override: life.Override = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Threads that compute at once. Default: all processors.", show_default=False),
    ] = None,
    start: life.Start = None,
    end: life.End = life.DEFAULT_END,
    age: life.Age = None,
    sex: life.Sex = None,
    population: life.Population = None,
    state: life.State = None,
    city: life.City = None,
    lifecycle: life.LifecycleOption = "default",
    mortality: life.Mortality = None,
    mortality_offset: life.MortalityOffset = None,
    model: life.Model = None,
    no_model: life.NoModel = False,
    bind: life.Bind = None,
    state_metrics: Annotated[
        bool,
        typer.Option("--state-metrics", help="Write states.json: who entered which state, how long, and where to."),
    ] = False,
    shard_size: Annotated[
        int | None,
        typer.Option(
            "--shard-size", help="Patients a shard, the unit that is written whole or not at all.", show_default=False
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Simulate patients and write their records.

    The same options give the same bytes, whatever the number of threads. A run that was stopped goes on when the same
    command is given again.

    Example: trajsim generate -n 1000 --seed 7 --out out/
    """
    options = life.resolve_life_options(
        seed=seed,
        modules_dir=modules_dir,
        modules=modules,
        override=override,
        start=start,
        end=end,
        age=age,
        sex=sex,
        population=population,
        state=state,
        city=city,
        lifecycle=lifecycle,
        mortality=mortality,
        mortality_offset=mortality_offset,
        model=model,
        no_model=no_model,
        bind=bind,
    )
    _require_positive("-n", n_patients)
    _require_positive("--threads", threads)
    _require_positive("--shard-size", shard_size)
    chosen = parse_formats(formats)
    request = RunRequest(
        life=options,
        n_patients=n_patients,
        out=out,
        formats=chosen,
        output=output.resolve_output_options(
            chosen,
            bundle=bundle,
            bundle_size=bundle_size,
            compress=compress,
            years=years,
            us_core=us_core,
            claims=claims,
        ),
        with_states=state_metrics,
        shard_size=shard_size or default_shard_size(n_patients),
        threads=threads or os.cpu_count() or 1,
        quiet=quiet,
    )
    from trajsim.cli.run import run

    run(request)


def _require_positive(option: str, value: int | None) -> None:
    if value is not None and value < 1:
        msg = f"{option} must be positive, got {value}"
        raise ConfigError(msg)
