"""Measures the hazard with which the bundled modules kill, for the population to take it off the life table.

Deaths by modules and person-years are counted by sex and completed age over many lives, pooled over five years of age
on either side (few die of a module in any one year), and written as `trajsim/population/data/mortality_offset.csv`.

    python benchmarks/mortality_offset.py -n 100000 --write

The background is part of the run, with the offset that the file holds now, so that people reach great ages as they will
with the new one; the hazard among the living hardly depends on it, and a second run settles it.
"""

import argparse
from pathlib import Path

import numpy as np
from bundled_prevalence import END_MS, Lives, lives_of
from numpy.typing import NDArray

from trajsim.engine.events import SOURCE_BACKGROUND, EventKind
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.population.build import build_cohort
from trajsim.population.mortality import BIRTHDAY_YEAR_MS
from trajsim.population.options import PopulationOptions
from trajsim.population.tables import N_AGES, load_bundled_mortality_offset

OFFSET = Path(__file__).resolve().parents[1] / "trajsim" / "population" / "data" / "mortality_offset.csv"
_WIDTH = 5


def count(lives: Lives, background: int, deaths: NDArray[np.float64], years: NDArray[np.float64]) -> None:
    """Adds module deaths and person-years of some lives, [sex (F, M), age]."""
    cohort, events = lives.cohort, lives.events
    who = np.repeat(np.arange(len(cohort)), np.diff(lives.offsets))
    sex = np.array([("F", "M").index(str(cohort.attributes["gender"].at(i))) for i in range(len(cohort))])
    rows = np.flatnonzero((events["kind"] == EventKind.DEATH) & (events["time"] < END_MS))
    end = np.full(len(cohort), END_MS)
    np.minimum.at(end, who[rows], events["time"][rows])
    last = rows[events["time"][rows] == end[who[rows]]]  # a later death that an earlier one replaced does not count
    killed = last[events["state"][last] != background]
    age = (events["time"][killed] - cohort.birth_ms[who[killed]]) // BIRTHDAY_YEAR_MS
    np.add.at(deaths, (sex[who[killed]], np.clip(age, 0, N_AGES - 1)), 1.0)
    lived = (end - cohort.birth_ms) / BIRTHDAY_YEAR_MS
    for low in range(N_AGES):
        np.add.at(years, (sex, low), np.clip(lived - low, 0.0, 1.0))


def smoothed(deaths: NDArray[np.float64], years: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hazard by age, pooled over a window; constant past 95."""
    hazard = np.zeros_like(deaths)
    for age in range(N_AGES):
        low, high = max(min(age, 95) - _WIDTH, 0), min(age, 95) + _WIDTH + 1
        lived = years[:, low:high].sum(axis=1)
        hazard[:, age] = np.where(lived > 0, deaths[:, low:high].sum(axis=1) / np.maximum(lived, 1e-9), 0.0)
    return hazard


def write(hazard: NDArray[np.float64], *, n: int, seed: int) -> None:
    """Replaces the committed file."""
    lines = [
        "# Hazard a year with which the bundled modules kill, by sex and completed age; taken off the life table.",
        f"# Measured by benchmarks/mortality_offset.py: {n} lives, seed {seed}; mean of {_WIDTH} years on either side.",
        "sex,age,hazard_per_year",
    ]
    for row, sex in enumerate(("F", "M")):
        lines += [f"{sex},{age},{value:.3g}" for age, value in enumerate(hazard[row])]
    OFFSET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measures, prints and optionally writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=100_000, help="lives")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--engine", choices=("vm", "reference"), default="vm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"replace {OFFSET.name}")
    options = parser.parse_args()
    modules = load_modules(bundled_modules_root())
    people = PopulationOptions(end_ms=END_MS, mortality_offset=load_bundled_mortality_offset(), age_low=20)
    cohort = build_cohort(people, first_patient=0, n_patients=options.n, seed=options.seed, with_identity=False)
    deaths, years = np.zeros((2, N_AGES)), np.zeros((2, N_AGES))
    for lives in lives_of(modules, cohort, seed=options.seed, engine=options.engine, threads=options.threads):
        count(lives, SOURCE_BACKGROUND, deaths, years)
    hazard = smoothed(deaths, years)
    for row, sex in enumerate(("F", "M")):
        print(
            sex,
            " ".join(f"{age}: {hazard[row, age]:.5f}" for age in range(40, 100, 10)),
            f"({deaths[row].sum():.0f} deaths)",
        )
    if options.write:
        write(hazard, n=options.n, seed=options.seed)


if __name__ == "__main__":
    main()
