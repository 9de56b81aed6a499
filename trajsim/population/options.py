"""Who is asked for: what the user chooses about a population."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.population.cohort import SEXES
from trajsim.population.places import US, PlaceTable, us_places
from trajsim.population.tables import ETHNICITIES, MAX_AGE, N_AGES, RACES, load_states

MORTALITIES = ("life-table", "modules-only")


@dataclass(frozen=True, kw_only=True, eq=False)
class PopulationOptions:
    """Everything but seed and patient id that a patient's person depends on.

    Attributes:
        end_ms: Reference date, milliseconds since 1970-01-01 UTC: ages are counted from it, and the run ends there.
        start_ms: Nobody born before it is drawn; None: no bound.
        age_low: Youngest target age, completed years.
        age_high: Oldest target age.
        sex: ``F`` or ``M``; None: both.
        table: Where people live and what they are like there (`read_population_file`); None: the built-in US table.
        states: States or regions of the table by name, US states by postal abbreviation too; None: the whole table (of
            the built-in one the fifty states, the District of Columbia and Puerto Rico, by residents).
        cities: Names of cities of the table; None: all. With `states`, the cities of these states.
        races: Subset of `RACES`; None: all.
        ethnicities: Subset of `ETHNICITIES`; None: both.
        mortality: ``life-table``: a background tops the modules' deaths up to the US life table of 2019, and target
            ages are drawn so that those alive at the end follow the census. ``modules-only``: no background; target
            ages follow the census as it stands.
        mortality_offset: Hazard a year with which the modules kill, [sex (F, M), age 0-110], taken off the life table
            (`read_mortality_offset`); None: nothing is taken off.
        background_until_age: Background death strikes below this age alone, in years of 365.25 days; None: at every
            age. Who is drawn does not change with it: what times the later deaths is held to the same table.
        foreign_births: Who is born abroad: a share of the speakers of a language (``census``), or all of them
            (``language``, as in Synthea).
    """

    end_ms: int
    start_ms: int | None = None
    age_low: int = 0
    age_high: int = MAX_AGE
    sex: str | None = None
    table: PlaceTable | None = None
    states: Sequence[str] | None = None
    cities: Sequence[str] | None = None
    races: Sequence[str] | None = None
    ethnicities: Sequence[str] | None = None
    mortality: Literal["life-table", "modules-only"] = "life-table"
    mortality_offset: NDArray[np.float64] | None = None
    background_until_age: float | None = None
    foreign_births: Literal["census", "language"] = "census"

    def __post_init__(self) -> None:
        """Checks every option.

        Raises:
            ConfigError: A value is out of range or unknown.
        """
        if not 0 <= self.age_low <= self.age_high <= MAX_AGE:
            msg = f"ages must satisfy 0 <= low <= high <= {MAX_AGE}, got {self.age_low}-{self.age_high}"
            raise ConfigError(msg)
        if self.sex is not None and self.sex not in SEXES:
            msg = f"sex must be one of {', '.join(SEXES)}, got {self.sex!r}"
            raise ConfigError(msg)
        if self.mortality not in MORTALITIES:
            msg = f"mortality must be one of {', '.join(MORTALITIES)}, got {self.mortality!r}"
            raise ConfigError(msg)
        if self.start_ms is not None and self.start_ms >= self.end_ms:
            msg = f"the start ({self.start_ms} ms) must lie before the end ({self.end_ms} ms)"
            raise ConfigError(msg)
        offset = self.mortality_offset
        if offset is not None and (offset.shape != (len(SEXES), N_AGES) or not (offset >= 0).all()):
            msg = f"mortality offset must be [{len(SEXES)}, {N_AGES}] hazards of 0 or more, got shape {offset.shape}"
            raise ConfigError(msg)
        if self.background_until_age is not None and not self.background_until_age >= 0:
            msg = f"background death must end at an age of 0 or more, got {self.background_until_age}"
            raise ConfigError(msg)
        require_known("race", self.races, RACES)
        require_known("ethnicity", self.ethnicities, ETHNICITIES)
        if not self.place_rows():
            msg = f"no city of the table fits cities {self.cities!r} in states {self.states!r}"
            raise ConfigError(msg)

    def places(self) -> PlaceTable:
        """The table that people are drawn from."""
        return us_places() if self.table is None else self.table

    def place_rows(self) -> list[int]:
        """Positions, in `places`, of the places asked for.

        Raises:
            ConfigError: A state or city is unknown.
        """
        table = self.places()
        rows = self._rows_of_states(table)
        if self.cities is None:
            return rows
        known = {city.casefold(): city for city in table.city}
        require_known("city", [city.casefold() for city in self.cities], known)
        wanted = {city.casefold() for city in self.cities}
        return [row for row in rows if table.city[row].casefold() in wanted]

    def _rows_of_states(self, table: PlaceTable) -> list[int]:
        if self.states is None:
            # A city asked for by name is found wherever it lies.
            return [row for row in range(len(table)) if self.cities is not None or table.is_default[row]]
        known = {region.casefold(): region for region in table.regions()}
        states = load_states()
        short = {
            short.casefold(): name.casefold()
            for name, short in zip(states.names, states.abbreviations, strict=True)
            if name.casefold() in known and US in table.country
        }
        asked = [short.get(state.casefold(), state.casefold()) for state in self.states]
        require_known("state", asked, known)
        return [row for row, region in enumerate(table.region) if region.casefold() in asked]


_SHOWN = 60


def require_known(what: str, asked: Sequence[str] | None, known: Collection[str]) -> None:
    """Raises if a choice is empty or holds a word that is not known.

    Args:
        what: What the words name.
        asked: The choice; None for none.
        known: What may be asked for; a mapping shows its values.

    Raises:
        ConfigError: The list is empty, or a word is unknown; with near words, or all of them.
    """
    if asked is None:
        return
    if not asked:
        msg = f"{what}: an empty list chooses nobody"
        raise ConfigError(msg)
    shown = dict(known) if isinstance(known, dict) else {word: word for word in known}
    unknown = [word for word in asked if word not in shown]
    if unknown:
        near = [shown[word] for word in difflib.get_close_matches(unknown[0], shown, n=3, cutoff=0.7)]
        everything = sorted(shown.values())
        rest = f"known: {', '.join(everything[:_SHOWN])}{' ...' if len(everything) > _SHOWN else ''}"
        msg = f"unknown {what} {unknown[0]!r}"
        raise ConfigError(msg, hint=f"did you mean {' or '.join(map(repr, near))}?" if near else rest)
