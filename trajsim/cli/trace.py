"""``trajsim trace``: one patient, step by step, with the reason for every transition."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli import life_options as life
from trajsim.cli.console import say, show
from trajsim.errors import ConfigError
from trajsim.units import iso_from_ms

if TYPE_CHECKING:  # `trajsim --help` does not load the engine
    from trajsim.engine.trace import TraceStep


def trace(
    patient: Annotated[int, typer.Option("--patient", help="Number of the patient in the run, from 0.")],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Show this top-level module alone; may be repeated.", show_default=False),
    ] = None,
    polls: Annotated[bool, typer.Option("--polls", help="Show a waiting state every time that it is asked.")] = False,
    seed: life.Seed = 0,
    modules_dir: life.ModulesDir = None,
    modules: life.Modules = None,
    override: life.Override = None,
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
    n_patients: Annotated[int | None, typer.Option("-n", "--patients", hidden=True)] = None,
    out: Annotated[Path | None, typer.Option("--out", hidden=True)] = None,
    formats: Annotated[str | None, typer.Option("--format", hidden=True)] = None,
    bundle: Annotated[str | None, typer.Option("--bundle", hidden=True)] = None,
    bundle_size: Annotated[int | None, typer.Option("--bundle-size", hidden=True)] = None,
    compress: Annotated[str | None, typer.Option("--compress", hidden=True)] = None,
    years: Annotated[int | None, typer.Option("--years", hidden=True)] = None,
    us_core: Annotated[str | None, typer.Option("--us-core", hidden=True)] = None,
    claims: Annotated[bool, typer.Option("--claims", hidden=True)] = False,
    threads: Annotated[int | None, typer.Option("--threads", hidden=True)] = None,
    shard_size: Annotated[int | None, typer.Option("--shard-size", hidden=True)] = None,
    state_metrics: Annotated[bool, typer.Option("--state-metrics", hidden=True)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", hidden=True)] = False,
) -> None:
    """Tell the life of one patient: every state, when, what it wrote, and why it went where it went.

    Takes the options of generate; give the ones of the run, and the life is the same.

    Example: trajsim trace --patient 3 --seed 7 --only hypertension
    """
    del out, formats, bundle, bundle_size, compress, years, us_core, claims, threads, shard_size
    del state_metrics, quiet
    if patient < 0 or (n_patients is not None and patient >= n_patients):
        msg = f"--patient must lie in 0 ... {'' if n_patients is None else n_patients - 1}, got {patient}"
        raise ConfigError(msg)
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
    header, steps = trace_steps(options, patient, only=only, polls=polls)
    show(header)
    _print(steps)


def trace_steps(
    options: life.LifeOptions, patient: int, *, only: list[str] | None, polls: bool
) -> tuple[str, Iterator["TraceStep"]]:
    """Who the patient is, in a line, and the steps of the life.

    Raises:
        ConfigError: An unknown module in `only`.
    """
    from trajsim.engine.events import Catalogue
    from trajsim.engine.trace import trace_patient
    from trajsim.gmf.findings import near_names
    from trajsim.population.build import build_cohort
    from trajsim.population.cohort import NEVER_MS

    modules, learned = options.bind(options.load_modules())
    for name in only or []:
        if name not in {module.key for module in modules.top_level()}:
            near = near_names(name, (module.key for module in modules.top_level()))
            msg = f"--only {name!r}: no such top-level module"
            raise ConfigError(msg, hint=f"near names: {', '.join(near)}" if near else None)
    cohort = build_cohort(options.population(learned), first_patient=patient, n_patients=1, seed=options.seed)
    catalogue = Catalogue(modules, extra_strings=cohort.texts())
    steps = trace_patient(
        modules,
        catalogue,
        cohort,
        0,
        options.simulation(),
        only=only,
        polls=polls,
        model=None if learned is None else learned.model,
        death_offset=None if learned is None else learned.death_offset,
    )
    traits = ", ".join(
        str(cohort.attributes[name].at(0))
        for name in ("gender", "race", "ethnicity", "state")
        if name in cohort.attributes
    )
    death = int(cohort.death_ms[0])
    background = "" if death == NEVER_MS else f", background death {iso_from_ms(death)[:10]}"
    return f"patient {patient}: {traits}, born {iso_from_ms(int(cohort.birth_ms[0]))[:10]}{background}", steps


def _print(steps: Iterable["TraceStep"]) -> None:
    if not sys.stdout.isatty():
        for step in steps:
            show(in_a_line(step))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("when", "age", "module, state", "what", "why", box=None, pad_edge=False, show_edge=False)
    day = ""
    for step in steps:
        new_day = iso_from_ms(step.time_ms)[:10]
        what = Text("\n").join([Text(step.what, "dim"), *(Text(line, "bold") for line in step.wrote)])
        why = Text(step.why)
        if step.target is not None:
            why.append(f"\n→ {step.target}" if step.why else f"→ {step.target}", "cyan")
        where = Text(step.file, "dim").append(f"\n{step.state}", "green") if step.state else Text(step.file, "dim")
        table.add_row("" if new_day == day else new_day, f"{step.age_years:.2f}", where, what, why)
        day = new_day
    Console(file=sys.stdout, highlight=False).print(table)
    if not day:
        say("nothing happened")


def in_a_line(step: "TraceStep") -> str:
    """A step as one line of text, for other programs and for files."""
    where = f"{step.file}: {step.state} ({step.state_type})" if step.state else step.file
    parts = [part for part in (step.what, *(f"wrote {line}" for line in step.wrote), step.why) if part]
    target = "" if step.target is None else f" -> {step.target}"
    return (
        f"{iso_from_ms(step.time_ms)}  {step.age_years:6.2f}  {where}{': ' if parts else ''}{'; '.join(parts)}{target}"
    )
