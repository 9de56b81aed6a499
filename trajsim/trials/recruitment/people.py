"""Who lives in the catchment of which site: patients of the Records as arrays, and where each would go."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajsim.records import Records
from trajsim.records.table import text_parts
from trajsim.trials.recruitment.draws import SITE_OF, Draws
from trajsim.trials.spec import Site, TrialSpec, epoch_day

NEVER = 1 << 30
"""A day that does not come."""

_DAY_US = 86_400_000_000
_EARTH_KM = 6_371.0088
_CHUNK = 65_536
_AGE_BANDS = (18, 40, 50, 60, 70, 80)

Days = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class People:
    """Patients in the order of the Records; days count from the start of the trial.

    Attributes:
        patient_id: Ids.
        is_female: Sex.
        race: Place in `races`.
        races: Names of races.
        birth_day: Day of birth.
        death_day: Day of death; `NEVER` if alive.
        last_day: End of observation.
        state: State of residence, empty if unknown.
        city: City of residence, empty if unknown.
        latitude: Degrees north, NaN if unknown.
        longitude: Degrees east, NaN if unknown.
    """

    patient_id: NDArray[np.uint64]
    is_female: NDArray[np.bool_]
    race: NDArray[np.int32]
    races: tuple[str, ...]
    birth_day: Days
    death_day: Days
    last_day: Days
    state: NDArray[np.object_]
    city: NDArray[np.object_]
    latitude: Floats
    longitude: Floats

    def __len__(self) -> int:
        """How many."""
        return len(self.patient_id)

    def age_years(self, patient: NDArray[np.int64], day: Days) -> Floats:
        """Age in years of some patients on some days."""
        return (day - self.birth_day[patient]) / 365.25


def days_of(column: pa.ChunkedArray, origin: int) -> Days:
    """Days of a column of times since the day `origin` (days since 1970-01-01); `NEVER` where null."""
    micros = column.cast(pa.int64())
    numbers = micros.fill_null(np.iinfo(np.int64).max).to_numpy().astype(np.int64, copy=False)
    days = numbers // _DAY_US - origin
    return np.where(numbers == np.iinfo(np.int64).max, NEVER, days) if column.null_count else days


def texts_of(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A text column as an array of str, empty where null."""
    indices, nulls, dictionary = text_parts(column)
    words = np.array([*(str(word) for word in dictionary.to_pylist()), ""], dtype=object)
    return words[np.where(nulls, len(words) - 1, indices) if nulls is not None else indices]


def people_of(records: Records, *, origin: int) -> People:
    """Reads the patients.

    Args:
        records: Any Records, simulated or real.
        origin: First day of the trial, days since 1970-01-01.
    """
    table = records["patients"]
    indices, _, dictionary = text_parts(table.column("race"))
    return People(
        patient_id=records.patient_ids,
        is_female=texts_of(table.column("sex")) == "F",
        race=indices.astype(np.int32),
        races=tuple(str(name) for name in dictionary.to_pylist()),
        birth_day=days_of(table.column("birth_time"), origin),
        death_day=days_of(table.column("death_time"), origin),
        last_day=days_of(table.column("last_time"), origin),
        state=texts_of(table.column("state")),
        city=texts_of(table.column("city")),
        latitude=_coordinates(table.column("latitude")),
        longitude=_coordinates(table.column("longitude")),
    )


def _coordinates(column: pa.ChunkedArray) -> Floats:
    degrees: Floats = column.fill_null(np.nan).to_numpy().astype(np.float64, copy=False)
    return degrees


def age_band_names() -> tuple[str, ...]:
    """Names of the bands of `age_band`."""
    edges = (0, *_AGE_BANDS)
    return (*(f"{low}-{high - 1}" for low, high in zip(edges, _AGE_BANDS, strict=False)), f"{edges[-1]}+")


def age_band(age_years: Floats) -> NDArray[np.int64]:
    """Band of each age."""
    return np.searchsorted(np.array(_AGE_BANDS, np.float64), age_years, side="right")


def distance_km(latitude: Floats, longitude: Floats, site: Site) -> Floats:
    """Great-circle distance to a site (haversine); NaN where either place is unknown."""
    if site.latitude is None or site.longitude is None:
        return np.full(len(latitude), np.nan)
    there = np.radians(site.latitude)
    here = np.radians(latitude)
    across = np.radians(longitude - site.longitude)
    chord = np.sin((here - there) / 2) ** 2 + np.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    distance: Floats = 2 * _EARTH_KM * np.arcsin(np.minimum(np.sqrt(chord), 1.0))
    return distance


def assign_sites(people: People, spec: TrialSpec, *, seed: int) -> tuple[NDArray[np.int64], Floats]:
    """Decides to which site each patient would go; who lives where is the same in all replicates.

    By share, each site takes an interval of one uniform of the patient, in the order of the sites: a site added at the
    end takes people who had none. By distance, people go to the nearest site within its radius.

    Returns:
        Place of the site in the spec, -1 for none, and the distance to it in km, NaN if unknown.
    """
    if spec.catchment == "distance":
        return _nearest(people, spec)
    n = len(people)
    draws = Draws(seed, 0).uniforms(SITE_OF, people.patient_id)
    taken = np.zeros(n)
    chosen = np.full(n, -1, np.int64)
    for place, site in enumerate(spec.sites):
        here = _lives_here(people, site)
        share = np.where(here, site.share or 0.0, 0.0)
        chosen[(chosen < 0) & (taken <= draws) & (draws < taken + share)] = place
        taken += share
    kilometres = np.full(n, np.nan)
    for place, site in enumerate(spec.sites):
        own = np.flatnonzero(chosen == place)
        kilometres[own] = distance_km(people.latitude[own], people.longitude[own], site)
    return chosen, kilometres


def _lives_here(people: People, site: Site) -> NDArray[np.bool_]:
    here = np.ones(len(people), np.bool_)
    if site.state is not None:
        here &= people.state == site.state
    if site.city is not None:
        here &= people.city == site.city
    return here


def _nearest(people: People, spec: TrialSpec) -> tuple[NDArray[np.int64], Floats]:
    chosen = np.full(len(people), -1, np.int64)
    nearest = np.full(len(people), np.inf)
    for place, site in enumerate(spec.sites):
        for start in range(0, len(people), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            away = distance_km(people.latitude[chunk], people.longitude[chunk], site)
            closer = (away <= site.radius_km) & (away < nearest[chunk]) & _lives_here(people, site)[chunk]
            chosen[chunk][closer] = place
            nearest[chunk][closer] = away[closer]
    return chosen, np.where(chosen >= 0, nearest, np.nan)


def origin_of(spec: TrialSpec) -> int:
    """First day of the trial, days since 1970-01-01."""
    return epoch_day(spec.start)
