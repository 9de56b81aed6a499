"""Who is asked for: what the user chooses about a population."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import ConfigError
from trajsim.population.cohort import SEXES
from trajsim.population.tables import ETHNICITIES, MAX_AGE, N_AGES, RACES, load_places, load_states

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
        states: US states by name or postal abbreviation; None: the whole country, Puerto Rico too, by residents.
        cities: Names of cities of the built-in table; None: all. With `states`, the cities of these states.
        races: Subset of `RACES`; None: all.
        ethnicities: Subset of `ETHNICITIES`; None: both.
        mortality: ``life-table``: a background tops the modules' deaths up to the US life table of 2019, and target
            ages are drawn so that those alive at the end follow the census. ``modules-only``: no background; target
            ages follow the census as it stands.
        mortality_offset: Hazard a year with which the modules kill, [sex (F, M), age 0-110], taken off the life table
            (`read_mortality_offset`); None: nothing is taken off.
    """

    end_ms: int
    start_ms: int | None = None
    age_low: int = 0
    age_high: int = MAX_AGE
    sex: str | None = None
    states: Sequence[str] | None = None
    cities: Sequence[str] | None = None
    races: Sequence[str] | None = None
    ethnicities: Sequence[str] | None = None
    mortality: Literal["life-table", "modules-only"] = "life-table"
    mortality_offset: NDArray[np.float64] | None = None

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
        require_known("race", self.races, RACES)
        require_known("ethnicity", self.ethnicities, ETHNICITIES)
        if not self.place_rows():
            msg = f"no city of the built-in table fits cities {self.cities!r} in states {self.states!r}"
            raise ConfigError(msg)

    def state_rows(self) -> list[int]:
        """Positions, in `load_states`, of the states asked for.

        Raises:
            ConfigError: A state is unknown.
        """
        states = load_states()
        if self.states is None:
            return list(range(len(states.names)))
        position = {name.casefold(): row for row, name in enumerate(states.names)}
        position |= {name.casefold(): row for row, name in enumerate(states.abbreviations)}
        require_known("state", [state.casefold() for state in self.states], position)
        return sorted({position[state.casefold()] for state in self.states})

    def place_rows(self) -> list[int]:
        """Positions, in `load_places`, of the cities asked for.

        Raises:
            ConfigError: A state or city is unknown.
        """
        states = set(self.state_rows())
        places = load_places()
        rows = [row for row, place in enumerate(places) if place.state in states]
        if self.cities is None:
            return rows
        require_known("city", [city.casefold() for city in self.cities], {place.city.casefold() for place in places})
        wanted = {city.casefold() for city in self.cities}
        return [row for row in rows if places[row].city.casefold() in wanted]


def require_known(what: str, asked: Sequence[str] | None, known: "Sequence[str] | set[str] | dict[str, int]") -> None:
    """Raises if a choice is empty or holds a word that is not known.

    Raises:
        ConfigError: The list is empty, or a word is unknown.
    """
    if asked is None:
        return
    if not asked:
        msg = f"{what}: an empty list chooses nobody"
        raise ConfigError(msg)
    unknown = [word for word in asked if word not in known]
    if unknown:
        msg = f"unknown {what} {unknown[0]!r}"
        raise ConfigError(msg, hint=f"known: {', '.join(sorted(known))}")
