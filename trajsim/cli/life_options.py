"""The options that decide what a life looks like, shared by every command that simulates.

Texts become values here, once, with the error that names the option; defaults are filled in here, so that the manifest
records what was used and not what was left out.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli.changed_modules import note_of
from trajsim.cli.learned import NO_MODEL, Learned, ModelChoice, bind_modules, choose_model
from trajsim.errors import ConfigError
from trajsim.provenance import digest_file
from trajsim.units import ms_from_iso

if TYPE_CHECKING:  # these rooms load NumPy and Numba: `trajsim --help` must not
    import numpy as np
    from numpy.typing import NDArray

    from trajsim.engine.options import SimulationOptions
    from trajsim.gmf.model import ModuleSet
    from trajsim.population.options import PopulationOptions

DEFAULT_END = "2026-01-01"
TODAY = "today"
MORTALITIES = ("life-table", "modules-only")
LIFECYCLES = ("default", "synthea")

Seed = Annotated[
    int, typer.Option("--seed", help="Seed of the run, 0 ... 2^64 - 1. The same seed gives the same lives.")
]
ModulesDir = Annotated[
    Path | None,
    typer.Option(
        "--modules-dir", help="Folder of module files to run instead of the bundled ones.", show_default=False
    ),
]
Modules = Annotated[
    str | None,
    typer.Option(
        "--modules", help="Wildcards, separated by ':', that choose top-level modules by name.", show_default=False
    ),
]
Override = Annotated[
    Path | None,
    typer.Option(
        "--override", help="Properties file of numbers to set: FILE.json::JSONPATH = number.", show_default=False
    ),
]
Start = Annotated[
    str | None, typer.Option("--start", help="Nobody born before this date is drawn.", show_default=False)
]
End = Annotated[str, typer.Option("--end", help="Last day of the simulation, YYYY-MM-DD or 'today'.")]
Age = Annotated[
    str | None, typer.Option("--age", metavar="LO-HI", help="Ages at the end, in whole years.", show_default=False)
]
Sex = Annotated[str | None, typer.Option("--sex", metavar="F|M", help="Only this sex.", show_default=False)]
Population = Annotated[
    Path | None,
    typer.Option(
        "--population",
        help="CSV of places and the people in them, ours or Synthea's demographics.csv (docs/population.md).",
        show_default=False,
    ),
]
State = Annotated[
    str | None, typer.Option("--state", help="State or region that everybody lives in.", show_default=False)
]
City = Annotated[
    str | None,
    typer.Option(
        "--city", help="City that everybody lives in (of the built-in table or the file).", show_default=False
    ),
]
Mortality = Annotated[
    str | None,
    typer.Option(
        "--mortality",
        metavar="life-table|modules-only",
        help="Background death. Default: life-table; modules-only with --modules-dir or --lifecycle synthea.",
        show_default=False,
    ),
]
MortalityOffset = Annotated[
    Path | None,
    typer.Option("--mortality-offset", help="Hazard with which the modules kill, by sex and age.", show_default=False),
]
LifecycleOption = Annotated[
    str,
    typer.Option(
        "--lifecycle",
        metavar="default|synthea",
        help="Ageing, vital signs, risks, vaccines: as Synthea, or with its plain bugs repaired.",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Checkpoint (a folder) of the learned model that times the modules, instead of the one that ships.",
        show_default=False,
    ),
]
NoModel = Annotated[bool, typer.Option("--no-model", help="Use no learned model: modules follow their own tables.")]
Bind = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="OVERLAY|synthea",
        help="File that binds states of other people's modules to the model, or 'synthea' for the one that ships.",
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True)
class LifeOptions:
    """Everything that a life depends on, as resolved values.

    Attributes:
        seed: Run seed.
        modules_dir: Folder of modules; None for the bundled ones.
        modules: Wildcards; None for all.
        override: Properties file; None for none.
        start: ISO date, or None.
        end: ISO date; ``today`` is resolved.
        is_today: Whether ``--end today`` was given.
        age: Lowest and highest age in whole years, or None.
        sex: F, M or None.
        population_file: CSV of places, or None for the built-in US.
        state: State or region, or None.
        city: City, or None.
        lifecycle: ``default`` or ``synthea``.
        mortality: ``life-table`` or ``modules-only``.
        mortality_offset: File, or None.
        model: The learned model, and what binds it.
    """

    seed: int
    modules_dir: Path | None = None
    modules: str | None = None
    override: Path | None = None
    start: str | None = None
    end: str = DEFAULT_END
    is_today: bool = False
    age: tuple[int, int] | None = None
    sex: str | None = None
    population_file: Path | None = None
    state: str | None = None
    city: str | None = None
    lifecycle: str = "default"
    mortality: str = "life-table"
    mortality_offset: Path | None = None
    model: ModelChoice = NO_MODEL

    def load_modules(self) -> "ModuleSet":
        """The modules of the run.

        Raises:
            ModuleError: Some cannot be run; with every fault of every file.
            ConfigError: No such folder, nothing in it, or nothing chosen.
        """
        from trajsim.gmf.library import load_modules

        return load_modules(self._root(), patterns=self.modules, overrides=self.override)

    def bind(self, modules: "ModuleSet") -> "tuple[ModuleSet, Learned | None]":
        """The modules bound to the learned model of the run, and the model; None for none.

        Raises:
            ConfigError: None of the model's events is bound in these modules, or they allow other orders of events
                than when the model was trained.
            ModuleError: The overlay names what does not exist.
            DataFileError: A checkpoint or offset file that cannot be read.
        """
        if self.model.checkpoint is None:
            return modules, None
        from trajsim.gmf.library import module_files

        not_chosen = frozenset(module_files(self._root())) - modules.modules.keys()
        return bind_modules(modules, self.model, not_chosen=not_chosen, offset=self._module_hazard())

    def _root(self) -> Path:
        from trajsim.gmf.library import bundled_modules_root

        return self.modules_dir if self.modules_dir is not None else bundled_modules_root()

    def population(self, learned: Learned | None = None) -> "PopulationOptions":
        """Whom to draw.

        Args:
            learned: The model of the run, which may time deaths itself.

        Raises:
            ConfigError: An unknown state or city, ages out of range, a population file with faults.
            DataFileError: An offset file that cannot be read.
        """
        from trajsim.population.options import PopulationOptions
        from trajsim.population.population_file import read_population_file
        from trajsim.population.tables import MAX_AGE

        low, high = self.age or (0, MAX_AGE)
        return PopulationOptions(
            end_ms=ms_from_iso(self.end),
            start_ms=None if self.start is None else ms_from_iso(self.start),
            age_low=low,
            age_high=high,
            sex=self.sex,
            table=None if self.population_file is None else read_population_file(self.population_file),
            states=None if self.state is None else (self.state,),
            cities=None if self.city is None else (self.city,),
            mortality="life-table" if self.mortality == "life-table" else "modules-only",
            mortality_offset=self._offset(),
            background_until_age=None if learned is None else learned.background_until_age,
            foreign_births="language" if self.lifecycle == "synthea" else "census",
        )

    def simulation(self) -> "SimulationOptions":
        """What the engine needs to know."""
        from trajsim.engine.options import SimulationOptions
        from trajsim.lifecycle.profile import Lifecycle

        return SimulationOptions(seed=self.seed, end_ms=ms_from_iso(self.end), lifecycle=Lifecycle(self.lifecycle))

    def notes(self, learned: Learned | None = None) -> list[str]:
        """What a reader of the results should know about these options."""
        notes = [] if learned is None or not learned.changed else [note_of(learned.changed)]
        if learned is not None and learned.background_until_age is not None and learned.death_offset is None:
            notes.append(
                "the model times death of any cause, and the modules kill on top of it: "
                "no --mortality-offset was given for these modules"
            )
        elif self.mortality == "life-table" and self._offset_name() is None:
            notes.append(
                "background death follows the whole life table, and the modules kill on top of it: "
                "no --mortality-offset was given for these modules"
            )
        return notes

    def _population_name(self) -> str | None:
        """Name and digest of the file: two files of one name are two populations."""
        if self.population_file is None:
            return None
        return f"{self.population_file.name} (sha256 {digest_file(self.population_file)})"

    def _offset_name(self) -> str | None:
        if self.mortality != "life-table":
            return None
        if self.mortality_offset is not None:
            return f"sha256 {digest_file(self.mortality_offset)}"
        return "bundled" if self.modules_dir is None else None

    def _offset(self) -> "NDArray[np.float64] | None":
        return self._module_hazard() if self.mortality == "life-table" else None

    def _module_hazard(self) -> "NDArray[np.float64] | None":
        """Hazard with which the modules kill, as far as it is known."""
        from trajsim.population.tables import load_bundled_mortality_offset, read_mortality_offset

        if self.mortality_offset is not None:
            return read_mortality_offset(self.mortality_offset)
        return load_bundled_mortality_offset() if self.modules_dir is None else None

    def recorded(self) -> dict[str, str | int | bool | list[str] | None]:
        """For the manifest, by option name; where modules lie is left out, their digests stand beside."""
        return {
            "--modules": self.modules,
            "--start": self.start,
            "--end": self.end,
            "--age": None if self.age is None else f"{self.age[0]}-{self.age[1]}",
            "--sex": self.sex,
            "--population": self._population_name(),
            "--state": self.state,
            "--city": self.city,
            "--lifecycle": self.lifecycle,
            "--mortality": self.mortality,
            "--mortality-offset": self._offset_name(),
            **self.model.recorded(),
        }


def resolve_life_options(
    *,
    seed: int,
    modules_dir: Path | None,
    modules: str | None,
    override: Path | None,
    start: str | None,
    end: str,
    age: str | None,
    sex: str | None,
    population: Path | None = None,
    state: str | None,
    city: str | None,
    lifecycle: str = "default",
    mortality: str | None,
    mortality_offset: Path | None,
    model: Path | None = None,
    no_model: bool = True,
    bind: str | None = None,
    today: dt.date | None = None,
) -> LifeOptions:
    """Reads the texts of the options.

    Args:
        seed: As given.
        modules_dir: As given.
        modules: As given.
        override: As given.
        start: As given.
        end: As given.
        age: As given.
        sex: As given.
        population: As given.
        state: As given.
        city: As given.
        lifecycle: As given.
        mortality: As given; the default depends on `modules_dir` and `lifecycle`.
        mortality_offset: As given.
        model: As given.
        no_model: As given; commands without these options use no model.
        bind: As given.
        today: The day that ``--end today`` means; None asks the clock.

    Raises:
        ConfigError: An option cannot be read.
    """
    if not 0 <= seed < 2**64:
        msg = f"--seed must lie in 0 ... 2^64 - 1, got {seed}"
        raise ConfigError(msg)
    if sex is not None and sex not in ("F", "M"):
        msg = f"--sex must be F or M, got {sex!r}"
        raise ConfigError(msg)
    if lifecycle not in LIFECYCLES:
        msg = f"--lifecycle must be one of {', '.join(LIFECYCLES)}, got {lifecycle!r}"
        raise ConfigError(msg)
    if mortality is None:
        mortality = "life-table" if modules_dir is None and lifecycle == "default" else "modules-only"
    elif mortality not in MORTALITIES:
        msg = f"--mortality must be one of {', '.join(MORTALITIES)}, got {mortality!r}"
        raise ConfigError(msg)
    is_today = end == TODAY
    day = (today or dt.datetime.now(dt.UTC).date()).isoformat() if is_today else _date("--end", end)
    if mortality_offset is not None and not mortality_offset.is_file():
        msg = f"--mortality-offset {str(mortality_offset)!r}: no such file"
        raise ConfigError(msg)
    if mortality_offset is not None and mortality != "life-table":
        msg = f"--mortality-offset needs --mortality life-table, which is {mortality!r} here"
        raise ConfigError(msg)
    if population is not None and not population.is_file():
        msg = f"--population {str(population)!r}: no such file"
        raise ConfigError(msg)
    first = None if start is None else _date("--start", start)
    if first is not None and first >= day:
        msg = f"--start must lie before --end, got {first} and {day}"
        raise ConfigError(msg)
    return LifeOptions(
        seed=seed,
        modules_dir=modules_dir,
        modules=modules,
        override=override,
        start=first,
        end=day,
        is_today=is_today,
        age=None if age is None else _age(age),
        sex=sex,
        population_file=population,
        state=state,
        city=city,
        lifecycle=lifecycle,
        mortality=mortality,
        mortality_offset=mortality_offset,
        model=choose_model(model=model, no_model=no_model, bind=bind, modules_dir=modules_dir),
    )


def _date(option: str, text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError as error:
        allowed = "YYYY-MM-DD or 'today'" if option == "--end" else "YYYY-MM-DD"
        msg = f"{option} must be a date {allowed}, got {text!r}"
        raise ConfigError(msg) from error


def _age(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not (dash and low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
        msg = f"--age must be LO-HI in whole years, for example 0-17, got {text!r}"
        raise ConfigError(msg)
    if int(low) > int(high):
        msg = f"--age must be LO-HI with LO not above HI, got {text!r}"
        raise ConfigError(msg)
    return int(low), int(high)
